//! The record of one kernel, as CUPTI of CUDA 12 lays it out (`CUpti_ActivityKernel9`). The fields
//! up to the name have the same offsets in the revisions before and after it.

use std::ffi::{c_char, c_void};

use crate::common::gpu::Gpu;
use crate::common::launch::Launch;

pub const KERNEL: u32 = 3;
pub const CONCURRENT_KERNEL: u32 = 10;

#[repr(C)]
pub struct KernelRecord {
    kind: u32,
    cache_config: u8,
    shared_config: u8,
    registers: u16,
    partitioned_requested: u32,
    partitioned_executed: u32,
    start: u64,
    end: u64,
    completed: u64,
    device: u32,
    context: u32,
    stream: u32,
    grid: [i32; 3],
    block: [i32; 3],
    static_shared: i32,
    dynamic_shared: i32,
    local_per_thread: u32,
    local_total: u32,
    correlation: u32,
    grid_id: i64,
    name: *const c_char,
    reserved: *mut c_void,
    queued: u64,
    submitted: u64,
    launch_type: u8,
    carveout_requested: u8,
    carveout: u8,
    padding: u8,
    shared_executed: u32,
    graph_node: u64,
    shared_limit: u32,
    graph: u32,
    access_policy: *mut c_void,
    channel: u32,
    channel_type: u32,
    cluster: [u32; 3],
    cluster_policy: u32,
    local_total_v2: u64,
    most_cluster_size: u32,
    most_clusters: u32,
}

impl KernelRecord {
    pub fn new(kind: u32, correlation: u32, launch: &Launch) -> Self {
        const COMPUTE_CHANNEL: u32 = 1;
        let known = Gpu(launch.gpu).is("cupti_kernel_name_ok");
        Self {
            kind,
            cache_config: 0,
            shared_config: 0,
            registers: 32,
            partitioned_requested: 0,
            partitioned_executed: 0,
            start: launch.start,
            end: launch.end,
            completed: launch.end,
            device: launch.ordinal,
            context: 1,
            stream: 7,
            grid: launch.grid.map(|size| size as i32),
            block: launch.block.map(|size| size as i32),
            static_shared: launch.static_shared as i32,
            dynamic_shared: launch.dynamic_shared as i32,
            local_per_thread: 0,
            local_total: 0,
            correlation,
            grid_id: correlation.into(),
            name: if known { launch.name } else { c"not_the_kernel".as_ptr() },
            reserved: std::ptr::null_mut(),
            queued: 0,
            submitted: 0,
            launch_type: 0,
            carveout_requested: 0,
            carveout: 0,
            padding: 0,
            shared_executed: launch.static_shared + launch.dynamic_shared,
            graph_node: 0,
            shared_limit: 0,
            graph: 0,
            access_policy: std::ptr::null_mut(),
            channel: 0,
            channel_type: COMPUTE_CHANNEL,
            cluster: [0; 3],
            cluster_policy: 0,
            local_total_v2: 0,
            most_cluster_size: 0,
            most_clusters: 0,
        }
    }
}
