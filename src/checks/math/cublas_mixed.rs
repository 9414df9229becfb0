//! cuBLAS and cuBLASLt are of different releases.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::each;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.cublas-mixed",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuBLAS and cuBLASLt are of different releases",
    why: "libcublas calls into libcublasLt and fits only the one it was built with. Another one is loaded when \
          LD_LIBRARY_PATH names a toolkit: it goes before the wheel's own search path.",
    remedy: "Take the toolkit's lib64 out of LD_LIBRARY_PATH, and keep one of the two copies",
    explains: &["library.mixed", "math.cublas-init"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let blas = run.blas().next()?;
        let lt = blas.cublas_lt?;
        let paths = run.events.iter().find_map(|event| match event {
            crate::facts::event::Event::Library { name, path, also, .. } if name == "libcublas" => Some(
                std::iter::once(path)
                    .chain(also)
                    .filter(|path| path.contains("libcublas"))
                    .cloned()
                    .collect::<Vec<_>>(),
            ),
            _ => None,
        });
        (blas.cublas as u64 != lt).then(|| {
            let problem = Problem::new(format!("cuBLAS says {}, cuBLASLt says {lt}.", blas.cublas));
            paths.unwrap_or_default().into_iter().fold(problem, Problem::evidence)
        })
    })
}
