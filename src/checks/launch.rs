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

/// What the unit tests of this family share.
#[cfg(test)]
mod samples {
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    /// A container on a machine with a driver, into which nothing of the driver was injected.
    pub fn not_injected() -> Sample {
        Sample::machine(1).host(|host| host.nodes.clear()).with(|facts| {
            facts.probes.truncate(1);
            facts.probes[0].events.retain(|event| matches!(event, Event::Hello { .. } | Event::Done));
        })
    }

    /// Device nodes were injected, but neither CUDA nor NVML lists a GPU.
    pub fn silent() -> Sample {
        refused(1, &[], 0)
    }

    /// CUDA and NVML list a GPU, although no device node is known.
    pub fn without_nodes() -> Sample {
        Sample::machine(1).host(|host| host.nodes.clear())
    }

    /// The probe could not open these nodes, and neither CUDA nor NVML lists a GPU.
    pub fn refused(gpus: u32, paths: &[&str], code: i32) -> Sample {
        Sample::machine(gpus).run(None, |run| {
            let answers = |event: &Event| {
                matches!(event, Event::Driver(_) | Event::Device(_) | Event::Nvml(_) | Event::NvmlDevice(_))
            };
            run.events.retain(|event| !answers(event));
            for event in &mut run.events {
                match event {
                    Event::Node { path, errno } if paths.contains(&path.as_str()) => *errno = Some(code),
                    _ => {}
                }
            }
        })
    }
}
