//! cuBLAS and cuBLASLt are from different releases.

use crate::checks::math::each;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::Event;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.cublas-mixed",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuBLAS and cuBLASLt are from different releases",
    why: "libcublas works only with the libcublasLt of its own release. Another one is loaded when LD_LIBRARY_PATH names a \
          toolkit, because it is searched before the RUNPATH of the wheel.",
    remedy: "Remove the toolkit's lib64 from LD_LIBRARY_PATH, and keep one of the two copies",
    explains: &["library.mixed", "math.cublas-init"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let blas = run.blas().next()?;
        let lt = blas.cublas_lt.filter(|lt| *lt != blas.cublas as u64)?;
        let cause = format!("cuBLAS reports version {}, cuBLASLt reports {lt}.", blas.cublas);
        Some(mapped(run).fold(Problem::new(cause), |problem, path| problem.file(path, "")))
    })
}

/// The files that were loaded for cuBLAS and cuBLASLt.
fn mapped(run: &ProbeRun) -> impl Iterator<Item = &str> {
    let loaded = run.events.iter().find_map(|event| match event {
        Event::Library { name, path, also, .. } if name == "libcublas" => Some((path, also)),
        _ => None,
    });
    let paths = loaded.into_iter().flat_map(|(path, also)| std::iter::once(path).chain(also));
    paths.map(String::as_str).filter(|path| path.contains("libcublas"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::Sample;

    #[test]
    fn two_releases_in_one_process() {
        let facts = |version| {
            let change = |run: &mut ProbeRun| {
                for event in &mut run.events {
                    match event {
                        Event::Blas(blas) => blas.cublas_lt = Some(version),
                        Event::Library { name, also, .. } if name == "libcublas" => {
                            also.extend(["/opt/libcublasLt.so.12", "/lib/libm.so.6"].map(str::to_owned));
                        }
                        _ => {}
                    }
                }
            };
            Sample::machine(1).run(Some(0), change).facts()
        };
        let found = problem(judge(&facts(120_901)));
        assert_eq!(
            found.cause,
            "GPU 0 (NVIDIA H100 80GB HBM3): cuBLAS reports version 120405, cuBLASLt reports 120901."
        );
        let paths: Vec<_> = found.evidence.iter().filter_map(|line| line.path.as_deref()).collect();
        assert_eq!(paths, ["/usr/local/cuda/lib64/libcublas.so.12", "/opt/libcublasLt.so.12"]);
        assert!(matches!(judge(&facts(120_405)), Outcome::Pass));
    }
}
