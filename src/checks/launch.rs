//! How the container was started: device requests, device nodes, limits, environment, and the engine around it.

family! {
    build_step
    gvisor
    wsl
    jetson
    driver_not_loaded
    no_runtime_class
    no_gpu_selected
    not_requested
    libcuda_missing
    requirement
    environment_differs
    device_denied
    selinux
    node_permissions
    node_dead
    uvm_stale
    uvm_missing
    mig_caps
    library_path
    address_space
    host_memory
    seccomp
    mps
    small_shm
    mig_name
    visible_devices
    gpu_absent
    visible_devices_cut
    start_refused
    cdi_unresolved
    mig_changed
    ipc
    imex
}
