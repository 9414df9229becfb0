//! Builds the probe, or takes a finished one, and puts it where `include_bytes!` finds it. Makes the program static
//! whatever flags the build was started with.
//!
//! `CUDACHECK_PROBE=/path` embeds a probe that was built elsewhere: against an older glibc (see
//! `Dockerfile.example`) or for another architecture.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CUDACHECK_PROBE");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    link_statically(&out);
    let probe = match env::var_os("CUDACHECK_PROBE") {
        Some(path) => PathBuf::from(path),
        None => build(&out),
    };
    println!("cargo::rerun-if-changed={}", probe.display());
    let bytes =
        fs::read(&probe).unwrap_or_else(|error| panic!("cannot read the probe {}: {error}", probe.display()));
    println!("cargo::rustc-env=CUDACHECK_GLIBC_FLOOR={}", glibc_floor(&bytes));
    // A file of its own, which the tests run as well.
    fs::copy(&probe, out.join("probe")).expect("OUT_DIR is writable");
}

/// The flag for this, `-C target-feature=+crt-static`, can only come from whoever starts the build, which a package
/// from a registry cannot influence. So linker scripts turn `-lc` and `-lgcc_s` into their archives.
fn link_statically(out: &Path) {
    let is =
        |name: &str, wanted: &str| env::var(name).is_ok_and(|value| value.split(',').any(|it| it == wanted));
    if !is("CARGO_CFG_TARGET_ENV", "gnu") || is("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        return;
    }
    let directory = out.join("static");
    fs::create_dir_all(&directory).expect("OUT_DIR is writable");
    for (library, archives) in
        [("c", "-l:libc.a -l:libgcc_eh.a -l:libgcc.a"), ("gcc_s", "-l:libgcc_eh.a -l:libgcc.a")]
    {
        fs::write(directory.join(format!("lib{library}.so")), format!("GROUP({archives})\n"))
            .expect("OUT_DIR is writable");
    }
    println!("cargo::rustc-link-arg-bins=-L{}", directory.display());
    println!("cargo::rustc-link-arg-bins=-static-pie");
    // Undefined weak symbols are null: lld otherwise leaves them to a loader, and a static program has none.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,nodynamic-undefined-weak");
    pack_relocations();
}

/// Relocations in packed form, a hundredth of the size: a static program applies its own at every start, and a health
/// check is mostly start. glibc's start code supports them since 2.36; with an older one the program would crash.
fn pack_relocations() {
    let version = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let version =
        version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let minor = version.trim().strip_prefix("glibc 2.").and_then(|minor| minor.parse::<u32>().ok());
    if env::var("HOST") == env::var("TARGET") && minor.is_some_and(|minor| minor >= 36) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
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
    let package = Path::new(probe::DIRECTORY);
    for path in ["Cargo.toml", "src", "smoke.ptx"] {
        println!("cargo::rerun-if-changed={}", package.join(path).display());
    }
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets CARGO_CFG_TARGET_ARCH");
    let target = format!("{arch}-unknown-linux-gnu");
    // Not the outer build's directory, whose lock that build holds.
    let directory = out.join("target");
    let status = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"))
        .args(["build", "--locked", "--release", "--bin=probe", "--features=program"])
        // Here rather than in a manifest: in a registry's copy there is no workspace to hold a profile.
        .args(["--config=profile.release.lto='fat'", "--config=profile.release.codegen-units=1"])
        .args(["--config=profile.release.panic='abort'", "--config=profile.release.strip=true"])
        // Every health check loads it.
        .arg("--config=profile.release.opt-level='s'")
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"))
        .arg(format!("--target={target}"))
        .arg("--target-dir")
        .arg(&directory)
        // An outer +crt-static would make the probe static, and a static program has no dlopen.
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the probe did not build; CUDACHECK_PROBE=/path embeds a finished one");
    directory.join(target).join("release/probe")
}
