//! Metrics, in the two text formats that Prometheus reads. Each is a row of [`FAMILIES`]: its name, its meaning, and
//! where in the report it is found. docs/metrics.md is generated from the same rows.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::{Finding, GpuRef};
use crate::report::{Gpu, GpuState, Purpose, Report, Speed, StageTime, Verdict};

pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Prometheus,
    OpenMetrics,
}

/// What metrics are made from.
pub struct View<'a> {
    /// Of the last check that produced a report.
    pub report: Option<&'a Report>,
    /// When that was.
    pub clock: Option<SystemTime>,
    /// Set by `serve`.
    pub served: Option<&'a Served>,
}

/// What a server knows besides the report. Times in seconds.
pub struct Served {
    pub stale: bool,
    /// A check has passed since the start.
    pub started: bool,
    /// Checks by verdict, and those without a report.
    pub checks: Vec<(Verdict, u64)>,
    pub faults: u64,
    /// Since the current check started; 0 if none is running.
    pub running: f64,
    pub max_age: f64,
}

impl View<'_> {
    fn stale(&self) -> bool {
        self.served.is_some_and(|served| served.stale)
    }

    /// GPUs that were checked, unless the result is stale.
    fn gpus(&self) -> impl Iterator<Item = &Gpu> {
        let gpus = self.report.filter(|_| !self.stale()).map_or(&[][..], |report| &report.gpus);
        gpus.iter().filter(|gpu| gpu.state != GpuState::Seen)
    }
}

/// Values of the labels, and the value. Counts with the same labels are added up.
type Sample = (Vec<String>, f64);

struct Family {
    name: &'static str,
    counter: bool,
    labels: &'static [&'static str],
    /// One sentence.
    help: &'static str,
    samples: fn(&View) -> Vec<Sample>,
}

const FAMILIES: &[Family] = &[
    Family {
        name: "cudacheck_build_info",
        counter: false,
        labels: &["version"],
        help: "Always 1; carries the version of cudacheck.",
        samples: |_| vec![(vec![env!("CARGO_PKG_VERSION").to_owned()], 1.0)],
    },
    Family {
        name: "cudacheck_verdict",
        counter: false,
        labels: &["verdict"],
        help: "1 for the verdict of the last check, 0 for the others; stale if the check is too old.",
        samples: verdict,
    },
    Family {
        name: "cudacheck_probe_passing",
        counter: false,
        labels: &["probe"],
        help: "1 if this kind of probe passes, 0 if a finding fails it or the last check is stale.",
        samples: probes,
    },
    Family {
        name: "cudacheck_findings",
        counter: false,
        labels: &["id", "severity", "owner", "uuid"],
        help: "Number of active findings; `cudacheck explain ID` explains it. uuid is empty if the finding concerns no single GPU.",
        samples: findings,
    },
    Family {
        name: "cudacheck_gpus",
        counter: false,
        labels: &["state"],
        help: "GPUs by state; seen means hidden from CUDA or not selected.",
        samples: states,
    },
    Family {
        name: "cudacheck_gpu_info",
        counter: false,
        labels: &["uuid", "ordinal", "index", "name", "pci", "capability"],
        help: "Always 1; describes a GPU by its CUDA ordinal, its NVML index, name, PCI address and compute capability.",
        samples: info,
    },
    Family {
        name: "cudacheck_gpu_healthy",
        counter: false,
        labels: &["uuid"],
        help: "1 if a GPU was verified or is busy, 0 if it failed or is undecided.",
        samples: |view| {
            let healthy = |gpu: &Gpu| matches!(gpu.state, GpuState::Verified | GpuState::Busy);
            each(view, |gpu| Some(flag(healthy(gpu))))
        },
    },
    Family {
        name: "cudacheck_gpu_sms",
        counter: false,
        labels: &["uuid"],
        help: "SMs of a GPU; from level smoke on.",
        samples: |view| each(view, |gpu| gpu.smoke.as_ref().map(|smoke| f64::from(smoke.sms_present))),
    },
    Family {
        name: "cudacheck_gpu_sms_verified",
        counter: false,
        labels: &["uuid"],
        help: "SMs of a GPU that ran the kernel and returned the expected result.",
        samples: |view| each(view, |gpu| gpu.smoke.as_ref().map(|smoke| f64::from(smoke.sms_verified()))),
    },
    Family {
        name: "cudacheck_gpu_gemm_tflops",
        counter: false,
        labels: &["uuid", "format"],
        help: "Throughput of a large GEMM, in TFLOP/s; at level gemm.",
        samples: |view| speeds(view, |speed| Some(speed.tflops)),
    },
    Family {
        name: "cudacheck_gpu_gemm_peak_ratio",
        counter: false,
        labels: &["uuid", "format"],
        help: "GEMM throughput as a share of the GPU's peak at its maximum clock, from 0 to 1, if the peak is known.",
        samples: |view| speeds(view, |speed| speed.peak_share),
    },
    Family {
        name: "cudacheck_stage_duration_seconds",
        counter: false,
        labels: &["stage", "uuid"],
        help: "Duration of each stage of the last check; uuid is empty if the stage concerns no single GPU.",
        samples: stages,
    },
    Family {
        name: "cudacheck_redundant_bytes",
        counter: false,
        labels: &[],
        help: "Size of redundant copies of CUDA libraries, if the image was audited.",
        samples: |view| {
            let looked = view.report.filter(|report| report.image.entries > 0);
            looked.map(|report| (Vec::new(), report.image.redundant_bytes as f64)).into_iter().collect()
        },
    },
    Family {
        name: "cudacheck_check_duration_seconds",
        counter: false,
        labels: &[],
        help: "Duration of the last check.",
        samples: |view| view.report.map(|report| (Vec::new(), report.seconds)).into_iter().collect(),
    },
    Family {
        name: "cudacheck_last_check_timestamp_seconds",
        counter: false,
        labels: &[],
        help: "End of the last check, as Unix time.",
        samples: |view| {
            let since = view.clock.and_then(|clock| clock.duration_since(UNIX_EPOCH).ok());
            since.map(|since| (Vec::new(), since.as_secs_f64())).into_iter().collect()
        },
    },
    Family {
        name: "cudacheck_checks_total",
        counter: true,
        labels: &["verdict"],
        help: "Checks completed since the server started, by verdict; none counts checks without a report.",
        samples: |view| {
            let Some(served) = view.served else { return Vec::new() };
            let counts = VERDICTS.map(|verdict| {
                let count = served.checks.iter().find(|(known, _)| *known == verdict);
                (vec![lower(verdict)], count.map_or(0.0, |(_, count)| *count as f64))
            });
            counts.into_iter().chain([(vec!["none".to_owned()], served.faults as f64)]).collect()
        },
    },
    Family {
        name: "cudacheck_check_running_seconds",
        counter: false,
        labels: &[],
        help: "Time since the current check started, 0 if none is running; serve only.",
        samples: |view| view.served.map(|served| (Vec::new(), served.running)).into_iter().collect(),
    },
    Family {
        name: "cudacheck_max_age_seconds",
        counter: false,
        labels: &[],
        help: "Age at which the last check becomes stale, longer until one has passed; serve only.",
        samples: |view| view.served.map(|served| (Vec::new(), served.max_age)).into_iter().collect(),
    },
];

const VERDICTS: [Verdict; 4] = [Verdict::Verified, Verdict::Audited, Verdict::Failed, Verdict::Undecided];

pub fn render(view: &View, form: Form) -> String {
    let mut text = String::new();
    for family in FAMILIES {
        let samples = sum((family.samples)(view));
        if samples.is_empty() {
            continue;
        }
        // OpenMetrics names a counter without the ending of its sample.
        let name = match form {
            Form::OpenMetrics => family.name.trim_end_matches("_total"),
            Form::Prometheus => family.name,
        };
        let kind = if family.counter { "counter" } else { "gauge" };
        text += &format!("# HELP {name} {}\n# TYPE {name} {kind}\n", escaped(family.help));
        for (values, value) in samples {
            let pair = |(label, value): (&&str, &String)| format!("{label}=\"{}\"", escaped(value));
            let pairs: Vec<String> = family.labels.iter().zip(&values).map(pair).collect();
            let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
            text += &format!("{}{labels} {value}\n", family.name);
        }
    }
    if form == Form::OpenMetrics {
        text += "# EOF\n";
    }
    text
}

/// Samples with the same labels are added up; the order is that of the labels.
fn sum(samples: Vec<Sample>) -> BTreeMap<Vec<String>, f64> {
    let mut sums = BTreeMap::new();
    for (labels, value) in samples {
        *sums.entry(labels).or_insert(0.0) += value;
    }
    sums
}

/// As both formats require for label values; help texts may escape quotation marks too.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn lower(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Label of a GPU: its UUID, or its number if the UUID is unknown.
fn name(gpu: &GpuRef) -> String {
    let by_index = || gpu.index.map(|index| format!("nvml-{index}"));
    let by_ordinal = || gpu.ordinal.map(|ordinal| format!("cuda-{ordinal}"));
    gpu.uuid.clone().or_else(by_index).or_else(by_ordinal).unwrap_or_default()
}

fn verdict(view: &View) -> Vec<Sample> {
    if view.clock.is_none() && !view.stale() {
        return Vec::new();
    }
    let known = view.report.filter(|_| !view.stale()).map(|report| report.verdict);
    let verdicts = VERDICTS.map(|verdict| (vec![lower(verdict)], flag(known == Some(verdict))));
    verdicts.into_iter().chain([(vec!["stale".to_owned()], flag(view.stale()))]).collect()
}

fn probes(view: &View) -> Vec<Sample> {
    if view.clock.is_none() && !view.stale() {
        return Vec::new();
    }
    let started = view.served.is_some_and(|served| served.started);
    let passes = |purpose| {
        let finds_nothing = view.report.is_some_and(|report| report.failing(purpose).is_none());
        !view.stale() && (finds_nothing || purpose == Purpose::Startup && started && view.report.is_some())
    };
    Purpose::ALL.into_iter().map(|purpose| (vec![lower(purpose)], flag(passes(purpose)))).collect()
}

fn findings(view: &View) -> Vec<Sample> {
    let findings = view.report.filter(|_| !view.stale()).map_or(&[][..], |report| &report.findings);
    let labels = |finding: &Finding| {
        let uuid = finding.gpu.as_ref().map(name).unwrap_or_default();
        vec![finding.id.clone(), finding.severity.to_string(), finding.owner.to_string(), uuid]
    };
    findings.iter().map(|finding| (labels(finding), 1.0)).collect()
}

fn states(view: &View) -> Vec<Sample> {
    let Some(report) = view.report.filter(|_| !view.stale()) else { return Vec::new() };
    let states = [GpuState::Verified, GpuState::Busy, GpuState::Failed, GpuState::Undecided, GpuState::Seen];
    let count = |state| report.gpus.iter().filter(|gpu| gpu.state == state).count() as f64;
    states.into_iter().map(|state| (vec![lower(state)], count(state))).collect()
}

fn info(view: &View) -> Vec<Sample> {
    let gpus = view.report.map_or(&[][..], |report| &report.gpus);
    let sample = |gpu: &Gpu| {
        let labels = [
            Some(name(&gpu.id)),
            gpu.id.ordinal.map(|ordinal| ordinal.to_string()),
            gpu.id.index.map(|index| index.to_string()),
            Some(gpu.name.clone()),
            gpu.pci.clone(),
            gpu.capability.clone(),
        ];
        (labels.into_iter().map(Option::unwrap_or_default).collect(), 1.0)
    };
    gpus.iter().map(sample).collect()
}

fn each(view: &View, value: impl Fn(&Gpu) -> Option<f64>) -> Vec<Sample> {
    view.gpus().filter_map(|gpu| Some((vec![name(&gpu.id)], value(gpu)?))).collect()
}

fn speeds(view: &View, value: impl Fn(&Speed) -> Option<f64>) -> Vec<Sample> {
    let of = |gpu: &Gpu| {
        let sample = |speed: &Speed| Some((vec![name(&gpu.id), speed.format.clone()], value(speed)?));
        gpu.speed.iter().filter_map(sample).collect::<Vec<Sample>>()
    };
    view.gpus().flat_map(of).collect()
}

fn stages(view: &View) -> Vec<Sample> {
    let Some(report) = view.report else { return Vec::new() };
    let sample = |stage: &StageTime| {
        let of = |gpu: &GpuRef| {
            report.gpus.iter().find(|known| known.id.is_same(gpu)).map(|known| name(&known.id))
        };
        let uuid = stage.gpu.as_ref().and_then(of).unwrap_or_default();
        (vec![stage.name.to_string(), uuid], stage.seconds)
    };
    report.stages.iter().map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_table_of_metrics_is_current() {
        let mut text = "<!-- Generated from src/render/metrics.rs by CUDACHECK_BLESS=1 cargo test. -->\n\n\
            # Metrics\n\n\
            `cudacheck serve` exposes them at `/metrics`, as OpenMetrics 1.0 if the scraper prefers it, otherwise in the \
            Prometheus text format. `--textfile FILE`, of `serve` and of `cudacheck` itself, writes them for \
            node_exporter. A metric without a value is left out. All values come from the last check; a scrape \
            does not start one.\n\n\
            | name | type | labels | meaning |\n|---|---|---|---|\n"
            .to_owned();
        for family in FAMILIES {
            let kind = if family.counter { "counter" } else { "gauge" };
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            text += &format!("| `{}` | {kind} | {} | {} |\n", family.name, labels.join(", "), family.help);
        }
        crate::generated::check("docs/metrics.md", &text);
    }

    #[test]
    fn names_follow_prometheus_conventions() {
        for family in FAMILIES {
            assert!(family.name.starts_with("cudacheck_") && family.help.ends_with('.'), "{}", family.name);
            assert_eq!(family.counter, family.name.ends_with("_total"), "{}", family.name);
        }
    }

    #[test]
    fn nothing_is_healthy_before_the_first_check() {
        let served = Served {
            stale: true,
            started: false,
            checks: Vec::new(),
            faults: 0,
            running: 3.5,
            max_age: 100.0,
        };
        let view = View { report: None, clock: None, served: Some(&served) };
        let text = render(&view, Form::OpenMetrics);
        assert!(text.contains("cudacheck_verdict{verdict=\"stale\"} 1\n"), "{text}");
        assert!(text.contains("cudacheck_verdict{verdict=\"verified\"} 0\n"), "{text}");
        assert!(!text.contains("cudacheck_gpu_healthy") && text.ends_with("# EOF\n"), "{text}");
        assert!(
            text.contains("# TYPE cudacheck_checks counter\ncudacheck_checks_total{verdict=\"audited\"} 0"),
            "{text}"
        );
    }

    #[test]
    fn values_of_labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
