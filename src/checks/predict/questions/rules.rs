//! Whether an image will work on a machine, question by question. Each answers in a word, for the table, and
//! with the problems that it sees.
//!
//! What cannot be told is a problem of its own (`predict.unknown`), never a pass.

use super::compat_driver::{Compat, Works};
use super::known::{self, DriverCuda};
use super::runtime::{self, Runtime};
use super::{driver_text, require};
use crate::checks::Problem;
use crate::checks::code::deciding;
use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;
use crate::model::Evidence;
use image_audit::fatbin::{CodeKind, DeviceCode, runs_on};
use image_audit::config::{DISABLE, is_requirement};

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Code,
    Cuda,
    Gpu,
    Module,
    Requirement,
}

pub struct Answer {
    pub about: About,
    /// A few words.
    pub text: String,
    /// Id of the check, and the problem.
    pub problems: Vec<(&'static str, Problem)>,
}

impl Answer {
    fn new(about: About, text: impl Into<String>) -> Answer {
        Answer { about, text: text.into(), problems: Vec::new() }
    }

    fn with(mut self, id: &'static str, problem: Problem) -> Answer {
        self.problems.push((id, problem));
        self
    }
}

/// All answers for one machine, what decides most first.
pub fn answers(facts: &Facts, machine: &TargetMachine) -> Vec<Answer> {
    let driver = DriverCuda::of(machine);
    let runtime = runtime::of(facts);
    let (cuda, effective) = cuda(facts, machine, driver, runtime.as_ref());
    vec![
        code(facts, machine, effective, runtime.as_ref()),
        cuda,
        gpu(machine, driver),
        module(machine),
        requirement(facts, machine, driver),
    ]
}

/// Whether the driver runs what was compiled, and what it can run without it.
fn code(facts: &Facts, machine: &TargetMachine, driver: DriverCuda, runtime: Option<&Runtime>) -> Answer {
    let gpu = machine.gpu;
    let unknown = |why: &str| {
        Answer::new(About::Code, "?")
            .with("predict.unknown", Problem::new(format!("{why} for sm_{gpu} is unknown.")))
    };
    if !facts.census.full {
        return unknown("Device code was not read (--level census): whether there is any");
    }
    let Some((of, code)) = deciding(facts) else {
        return unknown("No device code was found in the image: whether a program makes or brings any");
    };
    // The newest one, as the driver chooses; code for one GPU alone (sm_90a) is of a few kernels only.
    let best = |kind| {
        let mut fit = code.iter().filter(|code| code.kind == kind && runs_on(code, gpu));
        let plain = |code: &&DeviceCode| !code.arch.ends_with(char::is_alphabetic);
        fit.clone().rfind(plain).or_else(|| fit.next_back())
    };
    if let Some(DeviceCode { arch, .. }) = best(CodeKind::Cubin) {
        return Answer::new(About::Code, arch);
    }
    let has: Vec<&str> = code.iter().map(|code| code.arch.as_str()).collect();
    let problem = |cause: String| Problem::new(cause).evidence(format!("{of} has {}", has.join(", ")));
    let oldest = runtime.and_then(|runtime| Some((runtime, known::oldest_gpu(runtime.major)?)));
    if let Some((runtime, oldest)) = oldest.filter(|(_, oldest)| gpu < *oldest) {
        let cause = format!(
            "CUDA {} has nothing for GPUs older than sm_{oldest}, and sm_{gpu} is one.",
            runtime.text()
        );
        let problem = problem(cause).evidence(format!("CUDA {} by {}", runtime.text(), runtime.from));
        return Answer::new(About::Code, "dropped").with("predict.cuda-dropped", problem);
    }
    let Some(DeviceCode { arch: ptx, .. }) = best(CodeKind::Ptx) else {
        let cause = format!("{of} has neither code for sm_{gpu} nor PTX that it could run.");
        return Answer::new(About::Code, "none").with("predict.no-code", problem(cause));
    };
    // The version of PTX is compressed with it. The compiler of the runtime's release made it, as a rule.
    let reaches = runtime.and_then(|runtime| {
        let needed = (runtime.major, runtime.minor.unwrap_or(u32::MAX));
        match (driver.reaches(needed), runtime.minor) {
            (Some(false), None) if driver.reaches((runtime.major, 0)) == Some(false) => Some(false),
            (Some(false), None) => None,
            (reaches, _) => reaches,
        }
    });
    let made_by = runtime.map_or("an unknown release of CUDA".to_owned(), |runtime| {
        format!("CUDA {} (by {})", runtime.text(), runtime.from)
    });
    let supports = if driver == DriverCuda::of(machine) {
        driver_text(machine, driver)
    } else {
        format!("the image's own driver supports CUDA {}", driver.text().unwrap_or_else(|| "?".to_owned()))
    };
    let problem = |cause: String| {
        problem(cause).evidence(format!("the PTX is taken to be of {made_by}")).evidence(supports.clone())
    };
    match reaches {
        Some(true) => Answer::new(About::Code, format!("PTX {ptx}"))
            .with("predict.ptx-only", problem(format!("{of} has no compiled code for sm_{gpu}, only PTX."))),
        Some(false) => Answer::new(About::Code, format!("PTX {ptx}, too new")).with(
            "predict.ptx-too-new",
            problem(format!("{of} has only PTX for sm_{gpu}, and the driver's compiler is older than it.")),
        ),
        None => Answer::new(About::Code, "PTX ?").with(
            "predict.unknown",
            problem(format!(
                "{of} has only PTX for sm_{gpu}, and whether this driver compiles it is unknown."
            )),
        ),
    }
}

/// The runtime against the driver, which is the machine's or the one that the image brings; and what CUDA
/// is then to be had.
fn cuda(
    facts: &Facts,
    machine: &TargetMachine,
    driver: DriverCuda,
    runtime: Option<&Runtime>,
) -> (Answer, DriverCuda) {
    let compat = Compat::find(facts);
    let (effective, note) = match compat.as_ref().filter(|compat| compat.in_front) {
        Some(compat) => match in_front(compat, machine, driver) {
            Ok(found) => found,
            Err(answer) => return (answer, DriverCuda::Unknown),
        },
        None => (driver, None),
    };
    let Some(runtime) = runtime else {
        let cause = "The image has no CUDA runtime library that tells for which CUDA it was built; a program may \
                     have it in itself.";
        let answer = Answer::new(About::Cuda, "?").with("predict.unknown", Problem::new(cause));
        return (answer, effective);
    };
    let says = |driver: DriverCuda| {
        format!("{} on {}", runtime.text(), driver.text().unwrap_or_else(|| "?".to_owned()))
    };
    let problem = |cause: String| {
        Problem::new(cause)
            .evidence(format!("CUDA {} by {}", runtime.text(), runtime.from))
            .evidence(driver_text(machine, driver))
    };
    let fit = fits(runtime, effective);
    // The container runtime takes the image's driver where it is newer; it matters where it is needed.
    let behind =
        compat.as_ref().filter(|compat| !compat.in_front && !matches!(fit, Fits::Fully | Fits::Partly));
    let mut refused = None;
    if let Some(compat) = behind {
        match compat.works(machine) {
            Works::Yes if matches!(fits(runtime, compat.cuda()), Fits::Fully | Fits::Partly) => {
                let answer = Answer::new(About::Cuda, format!("{}, compat", says(driver))).with(
                    "predict.compat",
                    compat
                        .note(machine, "The container runtime has to put it in the place of the machine's."),
                );
                return (answer, compat.cuda());
            }
            Works::Yes | Works::SameVersion => {}
            Works::No(why) => refused = Some(why),
            Works::Unknown(why) => {
                let alone = match fit {
                    Fits::Not => "The driver alone is too old",
                    _ => "Whether the driver alone is new enough is unknown",
                };
                let cause = format!("{alone}, and the image brings another one. {why}");
                let answer = Answer::new(About::Cuda, "compat ?")
                    .with("predict.unknown", compat.problem(machine, &cause));
                return (answer, DriverCuda::Unknown);
            }
        }
    }
    let mut answer = Answer::new(About::Cuda, says(effective));
    match fit {
        Fits::Fully => {}
        Fits::Partly => {
            let than = match effective.reaches((runtime.major, runtime.minor.unwrap_or(0))) {
                None => "may be newer than the driver's, which is newer than what is known of drivers",
                Some(_) => "is newer than the driver's",
            };
            let cause = format!("The image's CUDA {} {than}, of the same major.", runtime.text());
            answer = answer.with("predict.minor-version", problem(cause));
        }
        Fits::Not => {
            let cause = format!("The image's CUDA {} needs a newer driver.", runtime.text());
            let mut problem = problem(cause);
            problem.evidence.extend(refused.map(Evidence::from));
            answer = answer.with("predict.driver-too-old", problem);
        }
        Fits::Unknown => {
            let cause = format!("Whether the driver is new enough for CUDA {} is unknown.", runtime.text());
            answer = answer.with("predict.unknown", problem(cause));
        }
    }
    if let Some(note) = note {
        answer = answer.with("predict.compat", note);
    }
    (answer, effective)
}

/// The image's driver where the loader takes it whatever the machine's is: the CUDA that is then to be had, with
/// what is worth knowing; or why there is none.
fn in_front(
    compat: &Compat,
    machine: &TargetMachine,
    driver: DriverCuda,
) -> Result<(DriverCuda, Option<Problem>), Answer> {
    let refused = |text: &str, id, why: &str| {
        Err(Answer::new(About::Cuda, text).with(id, compat.problem(machine, why)))
    };
    match compat.works(machine) {
        Works::Yes => {
            let note = compat.note(machine, "LD_LIBRARY_PATH puts it in front of the machine's driver.");
            Ok((compat.cuda(), Some(note)))
        }
        Works::SameVersion => Ok((driver, None)),
        Works::No(why) => refused("compat refused", "predict.compat-in-front", &why),
        Works::Unknown(why) => refused("compat ?", "predict.unknown", &why),
    }
}

enum Fits {
    Fully,
    /// By compatibility inside a major version.
    Partly,
    Not,
    Unknown,
}

fn fits(runtime: &Runtime, driver: DriverCuda) -> Fits {
    let of_minor = |minor| driver.reaches((runtime.major, minor));
    // Since CUDA 11 any driver of the major version will do.
    let lowest = if runtime.major >= 11 { Some(0) } else { runtime.minor };
    match (runtime.minor.and_then(of_minor), lowest.and_then(of_minor)) {
        (Some(true), _) => Fits::Fully,
        // With the minor unknown there is nothing to say of it.
        (None, Some(true)) if runtime.minor.is_none() => Fits::Fully,
        (_, Some(true)) => Fits::Partly,
        (_, Some(false)) => Fits::Not,
        (_, None) if runtime.major < 11 && of_minor(0) == Some(false) => Fits::Not,
        _ => Fits::Unknown,
    }
}

/// Whether the driver knows the GPU at all. A driver that the image brings does not change that.
fn gpu(machine: &TargetMachine, driver: DriverCuda) -> Answer {
    let gpu = machine.gpu;
    let problem = |cause: String| Problem::new(cause).evidence(driver_text(machine, driver));
    let dropped_by = |last: &u32| match (known::branch(machine), machine.cuda, DriverCuda::of_branch(*last)) {
        (Some(branch), ..) => branch > *last,
        // No driver of that branch supports more than the branch's CUDA.
        (None, Some(cuda), DriverCuda::Exactly(of_last)) => cuda > of_last,
        _ => false,
    };
    let last = known::last_branch(gpu).filter(dropped_by);
    if let Some(last) = last {
        let cause = format!("Drivers newer than {last} do not know sm_{gpu}.");
        return Answer::new(About::Gpu, "no, too old").with("predict.gpu-too-old", problem(cause));
    }
    match known::driver_knows(gpu, driver) {
        (Some(true), _) => Answer::new(About::Gpu, "yes"),
        (Some(false), Some((major, minor))) => Answer::new(About::Gpu, "no, too new").with(
            "predict.gpu-too-new",
            problem(format!("Drivers know sm_{gpu} since CUDA {major}.{minor}, not before.")),
        ),
        _ => Answer::new(About::Gpu, "?")
            .with("predict.unknown", problem(format!("Whether this driver knows sm_{gpu} is unknown."))),
    }
}

fn module(machine: &TargetMachine) -> Answer {
    let gpu = machine.gpu;
    let word = match machine.open_module {
        Some(true) => "open",
        Some(false) => "closed",
        None => "?",
    };
    let answer = Answer::new(About::Module, word);
    match machine.open_module {
        Some(false) if known::needs_open_module(gpu) => answer.with(
            "predict.closed-module",
            Problem::new(format!(
                "sm_{gpu} works with the open kernel module alone, and the closed one is loaded."
            )),
        ),
        Some(true) if known::needs_closed_module(gpu) => answer.with(
            "predict.open-module",
            Problem::new(format!("The open kernel module knows GPUs since sm_75, and sm_{gpu} is older.")),
        ),
        None if known::needs_open_module(gpu) => answer.with(
            "predict.module-not-said",
            Problem::new(format!("sm_{gpu} works with the open kernel module alone (open-module=yes|no).")),
        ),
        None => Answer::new(About::Module, "any"),
        _ => answer,
    }
}

/// What the image itself requires, as the container runtime will read it.
fn requirement(facts: &Facts, machine: &TargetMachine, driver: DriverCuda) -> Answer {
    let mut required: Vec<(&str, &str)> = match &facts.image {
        Some(image) => {
            image.requirements.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }
        None => {
            let all = facts.host.environment.iter().filter(|(name, _)| is_requirement(name));
            all.map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }
    };
    let disables = |value: &str| matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True");
    let disabled = required.iter().any(|(name, value)| *name == DISABLE && disables(value));
    // What is required of a Jetson is read on a Jetson alone.
    required.retain(|(name, _)| *name != DISABLE && !name.starts_with("NVIDIA_REQUIRE_JETPACK"));
    if required.is_empty() || disabled {
        return Answer::new(About::Requirement, "none");
    }
    let mut answer = Answer::new(About::Requirement, "met");
    for (name, value) in required {
        let problem = |cause: &str| {
            Problem::new(cause).evidence(format!("{name}={value}")).evidence(driver_text(machine, driver))
        };
        match require::met(value, machine, driver) {
            Some(true) => {}
            Some(false) => {
                answer.text = "not met".to_owned();
                answer = answer.with(
                    "predict.requirement",
                    problem("The machine does not meet what the image requires."),
                );
            }
            None => {
                if answer.text == "met" {
                    answer.text = "?".to_owned();
                }
                let cause = "Whether the machine meets what the image requires is unknown.";
                answer = answer.with("predict.unknown", problem(cause));
            }
        }
    }
    answer
}
