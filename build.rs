//! Builds the probe, or takes a finished one, and leaves it where `include_bytes!` finds it.
//!
//! `CUDACHECK_PROBE=/path` embeds a probe that was built elsewhere: against an older glibc (see
//! `Dockerfile.example`) or for another architecture. Nothing else is decided here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    for path in ["build.rs", "Cargo.lock", "src/event.rs", "src/json.rs", "src/bin/probe", "kernels"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=CUDACHECK_PROBE");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // The nested build comes through here as well; it must not start a third.
    if env::var_os("CARGO_FEATURE_PROBE").is_some() {
        shrink(&out, "probe");
        return;
    }
    shrink(&out, "cudacheck");
    pack_relocations();
    let probe = match env::var_os("CUDACHECK_PROBE") {
        Some(path) => PathBuf::from(path),
        None => build(&out),
    };
    println!("cargo::rerun-if-changed={}", probe.display());
    let bytes =
        fs::read(&probe).unwrap_or_else(|error| panic!("cannot read the probe {}: {error}", probe.display()));
    println!("cargo::rustc-env=CUDACHECK_GLIBC_FLOOR={}", glibc_floor(&bytes));
    println!("cargo::rustc-env=CUDACHECK_PROBE_BYTES={}", bytes.len());
    // The last levels want more memory than a reader likes to give, but not for so few bytes.
    let packed = zstd::bulk::compress(&bytes, 22).expect("memory is writable");
    fs::write(out.join("probe.zst"), packed).expect("OUT_DIR is writable");
    // The tests run and examine the program itself.
    fs::copy(&probe, out.join("probe")).expect("OUT_DIR is writable");
}

/// Flags of the linker that make a program smaller, both together by half a megabyte. Without them it works as
/// well.
fn shrink(out: &Path, program: &str) {
    // Equal functions are kept once, which rustc's own linker on this target can do and others cannot.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let own_linker = env::var_os("RUSTC_LINKER").is_none() && !flags.contains("link");
    let target = env::var("TARGET").unwrap_or_default();
    if !is_native() || !own_linker || target != "x86_64-unknown-linux-gnu" {
        return;
    }
    println!("cargo::rustc-link-arg-bin={program}=-Wl,--icf=all");
    // In the release profile a panic ends the program, so that nothing is ever unwound, and anyhow is built
    // without backtraces. Cargo does not tell build scripts the profile's choice, only its name.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        let script = out.join("no-unwinding.ld");
        let sections = "*(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table*)";
        fs::write(&script, format!("SECTIONS {{ /DISCARD/ : {{ {sections} }} }} INSERT AFTER .text;\n"))
            .expect("OUT_DIR is writable");
        println!("cargo::rustc-link-arg-bin={program}=-Wl,-T,{}", script.display());
    }
}

/// Relocations in packed form: a static program applies its own, which glibc's start code can do from 2.36. With
/// an older one it would crash, so it is asked. The probe's are the image's loader's to apply, whatever its age.
fn pack_relocations() {
    let asked = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let text = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let minor = text.trim().strip_prefix("glibc 2.").and_then(|minor| minor.parse::<u32>().ok());
    if is_native() && minor.is_some_and(|minor| minor >= 36) {
        println!("cargo::rustc-link-arg-bin=cudacheck=-Wl,-z,pack-relative-relocs");
    }
}

fn is_native() -> bool {
    env::var("HOST") == env::var("TARGET")
}

/// The newest symbol version of glibc that is named in the program. A test compares it with what the
/// dynamic section says.
fn glibc_floor(program: &[u8]) -> String {
    let name = b"\0GLIBC_2.";
    let minors =
        program.windows(name.len()).enumerate().filter(|(_, bytes)| bytes == name).filter_map(|(at, _)| {
            let digits = program[at + name.len()..].iter().take_while(|byte| byte.is_ascii_digit());
            String::from_utf8(digits.copied().collect()).ok()?.parse::<u32>().ok()
        });
    minors.max().map_or("no glibc".to_owned(), |minor| format!("GLIBC_2.{minor}"))
}

fn build(out: &Path) -> PathBuf {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets CARGO_CFG_TARGET_ARCH");
    let target = format!("{arch}-unknown-linux-gnu");
    // One directory for all profiles: target/TRIPLE/PROFILE/build/PACKAGE/out is five levels down.
    // It is not the outer build's, whose lock that build holds.
    let dir = out.ancestors().nth(5).unwrap_or(out).join("probe");
    let status = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"))
        .args(["build", "--bin=probe", "--features=probe", "--profile=probe"])
        .arg(format!("--target={target}"))
        .arg("--target-dir")
        .arg(&dir)
        // An outer +crt-static would make the probe static, and a static program has no dlopen.
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the probe did not build; CUDACHECK_PROBE=/path embeds a finished one");
    dir.join(target).join("probe/probe")
}
