//! Finds image archives with damaged or truncated layers.

use crate::checks::shared::coverage;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::leftovers::layer_name;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.damaged",
    severity: Severity::Unknown,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image archive is damaged or truncated",
    why: "A layer ends early, or its size differs from the manifest. The audit reports what could be read; the rest is \
          unknown.",
    remedy: "Save the image again, with enough free disk space: `docker save IMAGE -o image.tar`",
    explains: &["library.unreadable"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(image) = &facts.image else { return Outcome::Skip("no image archive was read") };
    let damaged = image.layers.iter().position(|layer| !layer.whole);
    let problem = damaged.map(|number| {
        let problem = Problem::new(format!("{} is incomplete.", layer_name(image, number)));
        facts
            .census
            .unreadable
            .iter()
            .fold(problem, |problem, line| problem.evidence(coverage::evidence(line)))
    });
    problem.into()
}

#[cfg(test)]
mod tests {
    use image_audit::config::{Image, Layer};

    use super::*;
    use crate::facts::sample::Sample;
    use image_audit::census::Unreadable;

    #[test]
    fn a_layer_that_ends_early() {
        let outcome = |whole: &[bool]| {
            let layers = whole.iter().map(|whole| Layer {
                digest: "sha256:0".into(),
                instruction: Some("COPY . /app".into()),
                stored_bytes: 1000,
                bytes: 1000,
                whole: *whole,
            });
            let image = Image { layers: layers.collect(), ..Image::default() };
            let sample = Sample::image().with(|facts| {
                facts.image = Some(image);
                facts.census.unreadable = vec![Unreadable::new("layer.tar", "it ends early")];
            });
            judge(&sample.facts())
        };
        let problems = outcome(&[true, false]).problems();
        assert_eq!(problems[0].cause, "layer 1 (COPY . /app) is incomplete.");
        assert_eq!(problems[0].evidence[0].text, "layer.tar: it ends early");
        assert!(outcome(&[true, true]).causes().is_empty());
        assert!(matches!(judge(&Sample::image().facts()), Outcome::Skip(_)));
    }
}
