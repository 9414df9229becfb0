//! Finds Python packages with libraries that the image's glibc refuses, because they need an executable stack.

use std::collections::BTreeMap;

use image_audit::census::Object;

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::target_machine::known::numbers;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.executable-stack",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "glibc refuses a library that needs an executable stack",
    why: "Since glibc 2.41, dlopen does not make the stack of a running process executable: importing a library whose \
          PT_GNU_STACK header asks for it fails with 'cannot enable executable stack as shared object requires'. Older \
          releases changed the stack without a word. Such libraries rarely need it: one assembly file without a \
          .note.GNU-stack section is enough.",
    remedy: "Install a newer build of the package, or clear the flag with `patchelf --clear-execstack FILE`",
    explains: &[],
    codes: &[],
    judge,
};

/// The first glibc that refuses them.
const REFUSES: [u32; 2] = [2, 41];

/// Packages, with the first release whose libraries no longer ask for it.
const MENDED: [(&str, &str); 1] = [("ctranslate2", "4.6.0")];

fn judge(facts: &Facts) -> Outcome {
    let census = &facts.census;
    let Some(glibc) =
        census.glibc_version.as_ref().filter(|version| numbers(version).as_slice() >= REFUSES.as_slice())
    else {
        return Outcome::Pass;
    };
    if stack_is_executable(facts) {
        return Outcome::Pass;
    }
    let mut of_packages: BTreeMap<Option<String>, Vec<&Object>> = BTreeMap::new();
    for object in &census.executable_stacks {
        let package = object.package.as_ref().map(|package| format!("{} {}", package.name, package.version));
        of_packages.entry(package).or_default().push(object);
    }
    let problems = of_packages.iter().map(|(package, objects)| problem(glibc, package.as_deref(), objects));
    problems.collect::<Vec<_>>().into()
}

/// glibc.rtld.execstack=2 gives every process an executable stack from the start.
fn stack_is_executable(facts: &Facts) -> bool {
    let tunables = match &facts.image {
        Some(image) => image.tunables.as_ref(),
        None => facts.host.environment.get("GLIBC_TUNABLES"),
    };
    tunables.is_some_and(|value| value.split(':').any(|tunable| tunable == "glibc.rtld.execstack=2"))
}

fn problem(glibc: &str, package: Option<&str>, objects: &[&Object]) -> Problem {
    let first = &objects[0].path;
    let of = package.map_or(String::new(), |package| format!(" of {package}"));
    let cause = format!("{first}{of} needs an executable stack, which glibc {glibc} refuses.");
    let name = objects[0].package.as_ref().map(|package| package.name.as_str());
    let mended = MENDED.iter().find(|(known, _)| name == Some(known));
    let install = match (mended, name) {
        (Some((name, version)), _) => format!("`pip install \"{name}>={version}\"`"),
        (None, Some(name)) => format!("Install a newer build of {name}"),
        (None, None) => "Install a newer build of it".to_owned(),
    };
    let clear: Vec<&str> = objects.iter().map(|object| object.path.as_str()).collect();
    let problem = Problem::new(cause).at(first).remedy(format!(
        "{install}; or clear the flag: `RUN patchelf --clear-execstack {}`",
        clear.join(" ")
    ));
    clear.iter().fold(problem, |problem, path| problem.file(path, ": PT_GNU_STACK is executable"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{passes, problem};
    use crate::facts::sample::Sample;
    use image_audit::config::Image;
    use image_audit::packages::{Manager, PackageId};

    const LIBRARY: &str = "/site-packages/ctranslate2.libs/libctranslate2-bc15bf3f.so.4.5.0";

    fn with(glibc: &str, package: Option<&str>) -> Sample {
        let owner = |name: &str| PackageId {
            manager: Manager::Pip,
            name: name.to_owned(),
            version: "4.5.0".to_owned(),
        };
        let object = Object { path: LIBRARY.into(), package: package.map(owner) };
        Sample::image().with(|facts| {
            facts.census.glibc_version = Some(glibc.into());
            facts.census.executable_stacks = vec![object];
        })
    }

    #[test]
    fn glibc_2_41_is_the_first_that_refuses() {
        for (glibc, refused) in [("2.36", false), ("2.40", false), ("2.41", true), ("2.42", true)] {
            let causes = judge(&with(glibc, None).facts()).causes();
            let cause = format!("{LIBRARY} needs an executable stack, which glibc {glibc} refuses.");
            assert_eq!(causes, if refused { vec![cause] } else { vec![] });
        }
    }

    #[test]
    fn the_remedy_names_the_mended_release() {
        let remedy = |package| problem(judge(&with("2.41", package).facts())).remedy.unwrap_or_default();
        let clear = format!("or clear the flag: `RUN patchelf --clear-execstack {LIBRARY}`");
        assert_eq!(remedy(Some("ctranslate2")), format!("`pip install \"ctranslate2>=4.6.0\"`; {clear}"));
        assert_eq!(remedy(Some("other")), format!("Install a newer build of other; {clear}"));
    }

    #[test]
    fn one_finding_for_each_package() {
        let two = with("2.41", Some("ctranslate2")).with(|facts| {
            let stacks = &mut facts.census.executable_stacks;
            stacks.push(Object { path: "/site-packages/ctranslate2/_ext.so".into(), ..stacks[0].clone() });
        });
        assert_eq!(problem(judge(&two.facts())).evidence.len(), 2);
    }

    #[test]
    fn a_tunable_allows_it() {
        let with_tunables = |value: &str| {
            let image = Image { tunables: Some(value.into()), ..Image::default() };
            judge(&with("2.41", None).with(|facts| facts.image = Some(image)).facts())
        };
        assert!(passes(with_tunables("glibc.malloc.check=1:glibc.rtld.execstack=2")));
        assert!(!passes(with_tunables("glibc.rtld.execstack=1")));
        assert!(passes(judge(&with("2.41", None).env("GLIBC_TUNABLES", "glibc.rtld.execstack=2").facts())));
    }
}
