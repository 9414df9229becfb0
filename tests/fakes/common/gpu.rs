//! One GPU as described by the script. Its number is NVML's index; libcuda's ordinals differ if
//! `CUDA_VISIBLE_DEVICES` is set.

use super::script;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gpu(pub u32);

impl Gpu {
    pub fn count() -> u32 {
        script::number(None, "gpus") as u32
    }

    pub fn all() -> impl Iterator<Item = Gpu> {
        (0..Self::count()).map(Gpu)
    }

    pub fn number(self, key: &str) -> u64 {
        script::number(Some(self.0), key)
    }

    pub fn option(self, key: &str) -> Option<u64> {
        script::option(Some(self.0), key)
    }

    pub fn text(self, key: &str) -> &'static str {
        script::text(Some(self.0), key)
    }

    pub fn is(self, key: &str) -> bool {
        self.number(key) != 0
    }

    /// The UUID of the GPU, or of one of its MIG instances.
    pub fn uuid(self, instance: Option<u32>) -> [u8; 16] {
        let mut uuid = [0; 16];
        match instance {
            None => uuid[12..].copy_from_slice(&self.0.to_be_bytes()),
            Some(instance) => {
                uuid[8..10].copy_from_slice(&(self.0 as u16).to_be_bytes());
                uuid[12..].copy_from_slice(&instance.to_be_bytes());
            }
        }
        uuid
    }

    pub fn uuid_text(self, instance: Option<u32>) -> String {
        let kind = if instance.is_some() { "MIG" } else { "GPU" };
        let hex: String = self.uuid(instance).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{kind}-{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    pub fn bus(self) -> u32 {
        0x10 + self.0
    }

    /// CUDA writes the PCI domain with four digits, NVML with eight.
    pub fn bus_id(self, domain_digits: usize) -> String {
        format!("{:0domain_digits$}:{:02X}:00.0", 0, self.bus())
    }

    pub fn capability(self) -> (u32, u32) {
        let (major, minor) = self.text("cc").split_once('.').unwrap_or(("9", "0"));
        (major.parse().unwrap_or(9), minor.parse().unwrap_or(0))
    }

    pub fn total_bytes(self) -> u64 {
        self.number("memory_mib") << 20
    }

    pub fn free_bytes(self) -> u64 {
        (self.number("free_mib") << 20).min(self.total_bytes())
    }

    /// Number of MIG instances; none when MIG is off.
    pub fn instances(self) -> u32 {
        self.number("mig") as u32
    }

    /// `%nsmid`: ids may have gaps, so this is not the number of SMs.
    pub fn nsmid(self) -> u32 {
        let sms = self.number("sms") as u32;
        if self.is("nsmid_gap") { 2 * sms } else { sms }
    }

    /// The SMs that run blocks, in order.
    pub fn busy_sms(self) -> Vec<u32> {
        let step = if self.is("nsmid_gap") { 2 } else { 1 };
        let hidden = self.option("hide_sm");
        (0..self.number("sms") as u32)
            .map(|index| index * step)
            .filter(|id| hidden != Some(u64::from(*id)))
            .collect()
    }
}
