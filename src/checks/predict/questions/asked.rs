//! One installation of an image, or several with the same CUDA, and one machine: what every question starts from.

use super::compat_driver::Compat;
use super::runtime::{self, Runtime};
use crate::checks::Problem;
use crate::checks::code::own::{OwnCode, named};
use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;
use crate::facts::target_machine::known::DriverCuda;
use crate::model::Question;
use image_audit::census::Framework;

pub struct Asked<'a> {
    pub facts: &'a Facts,
    pub machine: &'a TargetMachine,
    /// The installations that the question is about; none if the image has no program with device code.
    pub frameworks: Vec<&'a Framework>,
    /// The newest CUDA that the machine's driver supports.
    pub driver: DriverCuda,
    /// The CUDA runtime that the installations use.
    pub runtime: Option<Runtime<'a>>,
    /// The compatibility driver in the image.
    pub compat: Option<Compat<'a>>,
    /// The device code of the first installation.
    pub code: Option<OwnCode<'a>>,
}

impl<'a> Asked<'a> {
    /// What a question is asked about on one machine: each installation for itself, or all that use the same runtime.
    /// Questions about the machine alone are asked once.
    pub fn all(facts: &'a Facts, machine: &'a TargetMachine, question: Question) -> Vec<Asked<'a>> {
        let frameworks = &facts.census.frameworks;
        let mut sets: Vec<Vec<&Framework>> = Vec::new();
        match question {
            Question::Gpu | Question::Module | Question::Requirement => {}
            Question::Code | Question::Libraries => {
                sets.extend(frameworks.iter().map(|framework| vec![framework]));
            }
            Question::Cuda => {
                let mut runtimes: Vec<Runtime> = Vec::new();
                let (known, unknown): (Vec<_>, Vec<_>) = frameworks
                    .iter()
                    .map(|framework| (runtime::of(facts, Some(framework)), framework))
                    .partition(|(runtime, _)| runtime.is_some());
                for (runtime, framework) in known {
                    let Some(runtime) = runtime else { continue };
                    match runtimes.iter().position(|other| *other == runtime) {
                        Some(same) => sets[same].push(framework),
                        None => {
                            runtimes.push(runtime);
                            sets.push(vec![framework]);
                        }
                    }
                }
                // Those with an unknown runtime need not have the same.
                sets.extend(unknown.into_iter().map(|(_, framework)| vec![framework]));
            }
        }
        if sets.is_empty() {
            sets.push(Vec::new());
        }
        sets.into_iter().map(|set| Asked::new(facts, machine, set)).collect()
    }

    fn new(facts: &'a Facts, machine: &'a TargetMachine, frameworks: Vec<&'a Framework>) -> Asked<'a> {
        let first = frameworks.first().copied();
        Asked {
            facts,
            machine,
            driver: DriverCuda::of(machine),
            runtime: runtime::of(facts, first),
            compat: Compat::find(facts),
            code: first.map(|framework| OwnCode::of(facts, framework)),
            frameworks,
        }
    }

    /// Of the installations, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.frameworks.iter().copied().map(named) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// `CUDA 12.8 of torch 2.9.0 and xformers 0.0.33`.
    pub fn whose(&self, runtime: &Runtime) -> String {
        let cuda = runtime.text();
        match self.names().as_slice() {
            [] => format!("The image's CUDA {cuda}"),
            [name] => format!("CUDA {cuda} of {name}"),
            [all @ .., last] => format!("CUDA {cuda} of {} and {last}", all.join(", ")),
        }
    }

    /// A problem with the driver as evidence.
    pub fn problem(&self, cause: impl Into<String>) -> Problem {
        Problem::new(cause).evidence(self.driver_text())
    }

    pub fn driver_text(&self) -> String {
        let cuda = match self.driver.text() {
            Some(cuda) => format!("supports CUDA {cuda}"),
            None => "supports an unknown CUDA version".to_owned(),
        };
        match &self.machine.driver {
            Some(version) => format!("driver {version} {cuda}"),
            None => format!("the driver {cuda}"),
        }
    }
}
