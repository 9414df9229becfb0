//! The machine: kernel modules, NVLink fabric, licenses, and MIG.

family! {
    mig_empty
    driver_mismatch
    confidential
    fabric
    hmm
    vgpu_license
    closed_module
    uvm_wedged
    slow_init
    xid
    peer_access
}

/// Checks that fail because cuInit does.
pub const INIT_CONSEQUENCES: &[&str] =
    &["driver.init", "driver.no-devices", "driver.nvml", "probe.nothing-verified"];
