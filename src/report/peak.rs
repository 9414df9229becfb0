//! Peak throughput of a GPU: SMs × clock × operations per SM and clock.
//!
//! The rates are those of NVIDIA's architecture white papers (dense, FP32 accumulation; a fused multiply-add counts
//! as two operations). Compute capability does not determine them: GeForce boards have half the tensor rate of data
//! center boards with the same chip. So the table goes by name, and an unknown GPU has no peak. The clock is the
//! highest that the GPU supports, so shares are smaller than those of the boost clock in data sheets.

struct Rate {
    /// Start of the GPU's name, after "NVIDIA ".
    name: &'static str,
    f32: f64,
    tf32: Option<f64>,
    half: f64,
}

const fn rate(name: &'static str, f32: f64, tf32: Option<f64>, half: f64) -> Rate {
    Rate { name, f32, tf32, half }
}

/// The first match counts, so longer names come first.
const RATES: [Rate; 29] = [
    rate("GB200", 256.0, Some(4096.0), 8192.0),
    rate("B200", 256.0, Some(4096.0), 8192.0),
    rate("B100", 256.0, Some(4096.0), 8192.0),
    rate("GH200", 256.0, Some(2048.0), 4096.0),
    rate("H200", 256.0, Some(2048.0), 4096.0),
    rate("H100", 256.0, Some(2048.0), 4096.0),
    rate("H800", 256.0, Some(2048.0), 4096.0),
    rate("A100", 128.0, Some(1024.0), 2048.0),
    rate("A800", 128.0, Some(1024.0), 2048.0),
    rate("A30", 128.0, Some(1024.0), 2048.0),
    rate("L40S", 256.0, Some(512.0), 1024.0),
    rate("L40", 256.0, Some(256.0), 512.0),
    rate("L4", 256.0, Some(512.0), 1024.0),
    rate("RTX 6000 Ada", 256.0, Some(512.0), 1024.0),
    rate("A10G", 256.0, Some(256.0), 512.0),
    rate("A10", 256.0, Some(512.0), 1024.0),
    rate("A40", 256.0, Some(512.0), 1024.0),
    rate("RTX A6000", 256.0, Some(512.0), 1024.0),
    rate("RTX A5000", 256.0, Some(512.0), 1024.0),
    rate("GeForce RTX 4090", 256.0, Some(256.0), 512.0),
    rate("GeForce RTX 4080", 256.0, Some(256.0), 512.0),
    rate("GeForce RTX 4070", 256.0, Some(256.0), 512.0),
    rate("GeForce RTX 4060", 256.0, Some(256.0), 512.0),
    rate("GeForce RTX 3090", 256.0, Some(256.0), 512.0),
    rate("GeForce RTX 3080", 256.0, Some(256.0), 512.0),
    rate("GeForce RTX 3070", 256.0, Some(256.0), 512.0),
    rate("GeForce RTX 3060", 256.0, Some(256.0), 512.0),
    rate("Tesla V100", 128.0, None, 1024.0),
    rate("Tesla T4", 128.0, None, 1024.0),
];

/// Peak in TFLOP/s; `clock` in kHz.
pub fn tflops(name: &str, format: &str, sms: i32, clock: i32) -> Option<f64> {
    let name = name.strip_prefix("NVIDIA ").unwrap_or(name);
    let names = |rate: &&Rate| {
        let rest = name.strip_prefix(rate.name);
        // "L4" is not "L40"; what follows a name is a space, a dash or nothing.
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    let rate = RATES.iter().find(names)?;
    let per_clock = match format.split('/').next()? {
        "f32" => rate.f32,
        "tf32" => rate.tf32?,
        "f16" => rate.half,
        // Before compute capability 8.0 there is no BF16, and no case that asks for it.
        "bf16" => rate.half,
        _ => return None,
    };
    (sms > 0 && clock > 0).then(|| per_clock * f64::from(sms) * f64::from(clock) * 1e3 / 1e12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_the_data_sheets_figures() {
        // Name, format, multiprocessors, boost clock in kHz, the data sheet's TFLOP/s.
        let sheets = [
            ("NVIDIA H100 80GB HBM3", "f16", 132, 1_830_000, 989.4),
            ("NVIDIA H100 80GB HBM3", "tf32", 132, 1_830_000, 494.7),
            ("NVIDIA A100-SXM4-40GB", "bf16", 108, 1_410_000, 312.0),
            ("NVIDIA A100-SXM4-40GB", "f32", 108, 1_410_000, 19.5),
            ("Tesla T4", "f16", 40, 1_590_000, 65.1),
            ("NVIDIA L40S", "f16", 142, 2_520_000, 366.0),
            ("NVIDIA GeForce RTX 4090", "f16", 128, 2_520_000, 165.2),
            ("Tesla V100-SXM2-16GB", "f16", 80, 1_530_000, 125.3),
        ];
        for (name, format, sms, clock, sheet) in sheets {
            let peak = tflops(name, format, sms, clock).unwrap();
            assert!((peak / sheet - 1.0).abs() < 0.01, "{name} {format}: {peak} against {sheet}");
        }
    }

    #[test]
    fn unknown_devices_have_no_peak() {
        for name in ["NVIDIA Fake", "NVIDIA L400", "", "NVIDIA GeForce RTX 5090"] {
            assert_eq!(tflops(name, "f32", 100, 1_000_000), None, "{name}");
        }
        assert_eq!(tflops("Tesla T4", "tf32", 40, 1_590_000), None);
    }
}
