//! PCIe, NVLink and the fabric.

use std::ffi::{c_int, c_uchar, c_uint};

use crate::common::abi::{put, take};
use crate::common::gpu::Gpu;
use crate::device::revision;
use crate::error;
use crate::handle::{Device, get, on};

/// The largest number of links of any GPU.
const MOST_LINKS: c_uint = 18;

fn setting(symbol: &str, device: Device, to: *mut c_uint, key: &str) -> c_int {
    get(symbol, device, to, |target| Ok(target.gpu.number(key) as c_uint))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrPcieLinkGeneration(device: Device, to: *mut c_uint) -> c_int {
    setting("nvmlDeviceGetCurrPcieLinkGeneration", device, to, "pcie_gen")
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrPcieLinkWidth(device: Device, to: *mut c_uint) -> c_int {
    setting("nvmlDeviceGetCurrPcieLinkWidth", device, to, "pcie_width")
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMaxPcieLinkGeneration(device: Device, to: *mut c_uint) -> c_int {
    setting("nvmlDeviceGetMaxPcieLinkGeneration", device, to, "pcie_max_gen")
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMaxPcieLinkWidth(device: Device, to: *mut c_uint) -> c_int {
    setting("nvmlDeviceGetMaxPcieLinkWidth", device, to, "pcie_max_width")
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPcieReplayCounter(device: Device, to: *mut c_uint) -> c_int {
    get("nvmlDeviceGetPcieReplayCounter", device, to, |_| Ok(0))
}

fn has_link(gpu: Gpu, link: c_uint) -> Result<(), c_int> {
    match link {
        MOST_LINKS.. => Err(error::INVALID_ARGUMENT),
        _ if u64::from(link) >= gpu.number("nvlinks") => Err(error::NOT_SUPPORTED),
        _ => Ok(()),
    }
}

/// The last `nvlink_down` links are the inactive ones.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetNvLinkState(device: Device, link: c_uint, active: *mut c_uint) -> c_int {
    get("nvmlDeviceGetNvLinkState", device, active, |target| {
        has_link(target.gpu, link)?;
        let up = target.gpu.number("nvlinks").saturating_sub(target.gpu.number("nvlink_down"));
        Ok((u64::from(link) < up).into())
    })
}

/// With a fabric the links connect to switches, without one to other GPUs.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetNvLinkRemoteDeviceType(
    device: Device,
    link: c_uint,
    kind: *mut c_uint,
) -> c_int {
    const GPU: c_uint = 0;
    const SWITCH: c_uint = 2;
    get("nvmlDeviceGetNvLinkRemoteDeviceType", device, kind, |target| {
        has_link(target.gpu, link)?;
        Ok(if target.gpu.is("fabric_state") { SWITCH } else { GPU })
    })
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct FabricInfo {
    cluster: [c_uchar; 16],
    status: c_uint,
    clique: c_uint,
    state: c_uchar,
}

#[repr(C)]
pub struct FabricInfoV2 {
    version: c_uint,
    info: Fabric,
    health_mask: c_uint,
}

#[repr(C)]
pub struct FabricInfoV3 {
    version: c_uint,
    info: Fabric,
    health_mask: c_uint,
    health_summary: c_uchar,
}

/// The same layout in all revisions, padding included.
type Fabric = FabricInfo;

fn fabric(gpu: Gpu) -> Fabric {
    const COMPLETED: u64 = 3;
    let state = gpu.number("fabric_state");
    Fabric {
        cluster: if state == COMPLETED { *b"fake NVL cluster" } else { [0; 16] },
        status: gpu.number("fabric_status") as c_uint,
        clique: 0,
        state: state as c_uchar,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetGpuFabricInfo(device: Device, info: *mut FabricInfo) -> c_int {
    get("nvmlDeviceGetGpuFabricInfo", device, info, |target| Ok(fabric(target.gpu)))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetGpuFabricInfoV(device: Device, info: *mut FabricInfoV3) -> c_int {
    /// Bandwidth not degraded, no route recovery, no unhealthy route, no time-out, configured.
    const HEALTHY_MASK: c_uint = 2 | 2 << 2 | 2 << 4 | 2 << 6 | 1 << 8;
    const HEALTHY: c_uchar = 1;
    on("nvmlDeviceGetGpuFabricInfoV", device, |target| {
        let version = take(info.cast_const().cast::<c_uint>())?;
        let fabric = fabric(target.gpu);
        if version == revision(size_of::<FabricInfoV3>(), 3) {
            put(
                info,
                FabricInfoV3 { version, info: fabric, health_mask: HEALTHY_MASK, health_summary: HEALTHY },
            )
        } else if version == revision(size_of::<FabricInfoV2>(), 2) {
            put(info.cast(), FabricInfoV2 { version, info: fabric, health_mask: HEALTHY_MASK })
        } else {
            Err(error::ARGUMENT_VERSION_MISMATCH)
        }
    })
}
