//! docs/checks.md and docs/probes.md. Tests compare them with the program, and write them on request.

use super::error_code::lists;
use super::ownership;
use crate::checks::{Check, FAMILIES, PREDICTIONS, all};
use crate::codes;
use crate::model::Severity;
use crate::report::Purpose;

/// docs/probes.md: which finding fails which probe.
fn probes_markdown() -> String {
    let mut text =
        "<!-- Generated from src/report/purpose.rs and src/checks/ by CUDACHECK_BLESS=1 cargo test. -->\n\n\
         # Which finding fails which probe\n\n\
         `cudacheck health --for liveness|readiness|startup`, and `/livez`, `/readyz`, `/startupz` of `cudacheck \
         serve`. Without `--for`, `health` fails like readiness.\n\n\
         - **liveness** fails only if killing and recreating the container fixes the problem. That does not fix a \
         broken node, image or launch, and would lose work that still runs.\n\
         - **readiness** and **startup** fail on every error and every unknown. `--level` decides what is checked: \
         kernels need `smoke`, matrix products need `gemm`.\n\
         - Warnings and notes fail no probe: a GPU that is busy, exclusive or full, one of several MIG instances, \
         throttled clocks.\n\
         - Only GPUs that the container's programs would get count: those that CUDA_VISIBLE_DEVICES leaves visible, \
         and of those the ones that `--gpus` names by number, GPU-UUID or MIG-UUID. Numbers are CUDA's. Level nvml \
         does not call CUDA, so cudacheck applies CUDA's rules: entries in order, up to the first that \
         names no GPU or one that was named before.\n\
         - An invalid command line exits with 1 for every purpose.\n\
         - A result that is too old (`serve`, `--max-age`) fails all three, and is reported as stale.\n\n\
         | finding | severity | fix | liveness | readiness | startup |\n|---|---|---|---|---|---|\n"
            .to_owned();
    let of_probes = FAMILIES.iter().filter(|family| family.name != PREDICTIONS);
    let checks = of_probes.flat_map(|family| family.checks);
    for check in checks.filter(|check| check.severity >= Severity::Unknown) {
        let fails = Purpose::ALL.map(|purpose| match purpose.fails(check.severity, check.fix) {
            true => "fails",
            false => "",
        });
        text += &format!(
            "| [{0}](checks.md#{1}) | {2} | {3} | {4} |\n",
            check.id,
            anchor(check),
            check.severity,
            check.fix,
            fails.join(" | ")
        );
    }
    text
}

/// docs/checks.md.
fn markdown() -> String {
    let mut text = "# Findings\n\nGenerated from src/checks/ by `CUDACHECK_BLESS=1 cargo test`. [Error codes](#error-codes) \
         are listed at the end.\n"
        .to_owned();
    for family in FAMILIES {
        text += &format!("\n{}:\n\n| id | severity | title |\n|---|---|---|\n", family.heading);
        for check in family.checks {
            text += &format!(
                "| [{0}](#{1}) | {2} | {3} |\n",
                check.id,
                anchor(check),
                check.severity,
                check.title
            );
        }
    }
    for check in all() {
        text += &section(check);
    }
    text + &codes_section()
}

fn anchor(check: &Check) -> String {
    check.id.replace('.', "")
}

fn section(check: &Check) -> String {
    let explains = if check.explains.is_empty() {
        String::new()
    } else {
        format!(
            "\nExplains: {}\n",
            check.explains.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
        )
    };
    format!(
        "\n## {}\n\n**{}** ({})\n\n{}\n\nRemedy: {}\n\n{}\n{explains}",
        check.id,
        check.title,
        check.severity,
        check.why,
        check.remedy,
        ownership(check)
    )
}

/// The error codes that findings list. The others have only a meaning, which `explain` shows.
fn codes_section() -> String {
    let mut text = format!(
        "\n## Error codes\n\nError codes that findings list, causes first. `cudacheck explain CODE` gives their \
         meaning; it knows {} codes of {} libraries.\n\n| code | library | name | findings |\n|---|---|---|---|\n",
        codes::Library::ALL.into_iter().map(|library| library.codes().count()).sum::<usize>(),
        codes::Library::ALL.len()
    );
    let mut rows: Vec<(i64, codes::Library)> =
        all().flat_map(|check| check.codes).map(|(library, number)| (*number, *library)).collect();
    rows.sort();
    rows.dedup();
    for (number, library) in rows {
        let code = codes::named(library, number).expect("a test below checks it");
        let findings: Vec<String> = all()
            .filter(|check| lists(check, library, &code))
            .map(|check| format!("[{}](#{})", check.id, anchor(check)))
            .collect();
        text += &format!("| {number} | {} | {} | {} |\n", library.label(), code.name, findings.join(", "));
    }
    text
}

#[test]
fn the_list_of_findings_is_current() {
    crate::generated::check("docs/checks.md", &markdown());
}

#[test]
fn the_table_of_probes_is_current() {
    crate::generated::check("docs/probes.md", &probes_markdown());
}
