//! What programs ask for and do not get: one problem for each program, however many libraries it lacks.

use std::collections::BTreeSet;

use crate::checks::Problem;
use crate::checks::code::needs::{self, cuda_of};
use crate::facts::Facts;
use image_audit::Verdict;
use image_audit::catalogue::{LIBRARIES, wheel};
use image_audit::census::{Copy, Framework, Missing};

/// Evidence lists no more users than this.
const USERS: usize = 5;

/// What one program lacks; never empty.
pub struct Lacking<'a> {
    pub by: &'a str,
    pub libraries: Vec<&'a Missing>,
}

/// Grouped by the first program that asks. The driver's libraries come with the GPU; other checks report them.
pub fn by_program<'a>(missing: impl Iterator<Item = &'a Missing>) -> Vec<Lacking<'a>> {
    let driver = |library: &str| LIBRARIES.iter().any(|known| known.name == library && known.driver);
    let mut programs: Vec<Lacking> = Vec::new();
    for missing in missing.filter(|missing| !driver(&missing.library)) {
        let Some(by) = missing.by.first() else { continue };
        match programs.iter_mut().find(|known| known.by == by) {
            Some(known) => known.libraries.push(missing),
            None => programs.push(Lacking { by, libraries: vec![missing] }),
        }
    }
    programs
}

/// What the objects with device code of each framework lack, where the image has no copy that a program could load first.
pub fn of_frameworks(facts: &Facts) -> impl Iterator<Item = (&Framework, Lacking<'_>)> {
    facts.census.frameworks.iter().filter_map(|framework| {
        let missing = needs::missing(facts, framework).into_iter();
        let is_nowhere =
            |missing: &Missing| missing.copies.is_empty() && !needs::is_elsewhere(facts, missing);
        let absent: Vec<(&Missing, &str)> = missing.filter(|(missing, _)| is_nowhere(missing)).collect();
        let by = absent.first()?.1;
        let libraries = absent.into_iter().map(|(missing, _)| missing).collect();
        Some((framework, Lacking { by, libraries }))
    })
}

/// NVRTC opens its builtins by name and compiles nothing without them.
pub fn builtins(facts: &Facts) -> impl Iterator<Item = &Missing> {
    facts.census.missing_optional.iter().filter(|missing| missing.soname.starts_with("libnvrtc-builtins.so."))
}

impl Lacking<'_> {
    /// A problem about the first library, with the others and the other programs as evidence. `verb` is `needs` or
    /// `opens`.
    pub fn problem(&self, verb: &str, rest: &str) -> Problem {
        let (first, more) = (self.libraries[0], &self.libraries[1..]);
        let problem = Problem::new(format!("{} {verb} {}{rest}", self.by, first.soname)).at(self.by);
        let others = first.by.iter().filter(|by| *by != self.by).take(USERS);
        let problem = others.fold(problem, |problem, other| problem.file(other, &format!(" {verb} it too")));
        more.iter().fold(problem, |mut problem, missing| {
            let is_own = missing.by.iter().any(|by| by == self.by);
            if is_own {
                problem = problem.evidence(format!("it also {verb} {}", missing.soname));
            }
            // Who lacks both is named above.
            let others = missing.by.iter().filter(|by| *by != self.by && !(is_own && first.by.contains(by)));
            let line = format!(" {verb} {}", missing.soname);
            others.take(USERS).fold(problem, |problem, other| problem.file(other, &line))
        })
    }

    /// Adds the remedy: what to install, or a build for the CUDA release that the image uses if that is another one.
    /// `cuda` is the release of the program, if it is known.
    pub fn remedied(&self, facts: &Facts, program: &str, cuda: Option<u32>, problem: Problem) -> Problem {
        let first = self.libraries[0];
        let other =
            |copy: &&Copy| copy.library == first.library && copy.soname.as_ref() != Some(&first.soname);
        let used = facts.census.copies_with(Verdict::Used).find(other);
        let install = match cuda {
            Some(cuda) => self.install_for(Some(cuda)),
            None => self.install(facts),
        };
        match (used, install) {
            (Some(used), install) => {
                let soname = used.soname.as_deref().unwrap_or_default();
                let add = install.map_or(String::new(), |pip| format!(", or add what it needs: {pip}"));
                problem
                    .file(&used.path, &format!(": the image uses {soname}"))
                    .remedy(format!("Install a build of {program} for the CUDA release of {soname}{add}"))
            }
            (None, Some(pip)) => {
                problem.remedy(format!("Install what contains it: {pip} (apt: the CUDA runtime packages)"))
            }
            (None, None) => problem,
        }
    }

    /// `pip install` of what contains the libraries: as metadata requires it, else the wheels of the CUDA release in the
    /// image.
    pub fn install(&self, facts: &Facts) -> Option<String> {
        self.install_for(cuda_major(facts))
    }

    fn install_for(&self, cuda: Option<u32>) -> Option<String> {
        let own = self.libraries.iter().find_map(|missing| cuda_of(&missing.library, &missing.soname));
        let cuda = own.or(cuda);
        let package =
            |missing: &&Missing| missing.requirement.clone().or_else(|| wheel(&missing.soname, cuda));
        let packages: Option<BTreeSet<String>> = self.libraries.iter().map(package).collect();
        let quoted = |name: String| if name.contains(['<', '>', '*']) { format!("\"{name}\"") } else { name };
        let packages: Vec<String> = packages?.into_iter().map(quoted).collect();
        Some(format!("`pip install {}`", packages.join(" ")))
    }

    /// `ENV LD_LIBRARY_PATH=...` with the directories of the copies that the image has, before those of today.
    pub fn library_path(&self, facts: &Facts) -> String {
        let copies = self.libraries.iter().filter_map(|missing| missing.copies.first());
        let directories: BTreeSet<&str> = copies.filter_map(|copy| Some(copy.rsplit_once('/')?.0)).collect();
        let present = facts.census.library_path.as_deref().filter(|path| !path.is_empty());
        let directories: Vec<&str> = directories.into_iter().chain(present).collect();
        format!("`ENV LD_LIBRARY_PATH={}`", directories.join(":"))
    }
}

/// The CUDA release of the libraries in the image, if it is one.
fn cuda_major(facts: &Facts) -> Option<u32> {
    let release = |copy: &Copy| cuda_of(&copy.library, copy.soname.as_deref()?);
    let mut majors = facts.census.copies.iter().filter_map(release);
    let first = majors.next()?;
    majors.all(|other| other == first).then_some(first)
}
