//! `--on`, and the machines of a configuration: parses descriptions of machines, and refuses invalid ones.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::values::architecture;
use crate::facts::target_machine::known::{self, DriverCuda};
use crate::facts::target_machine::{Cuda, TargetMachine, is_driver};

/// The value of one `--on`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    Machine(TargetMachine),
    /// A machine of the configuration, or all of them.
    Named(String),
}

/// The description of a machine, key by key. `--on` and the configuration have the same keys.
#[derive(Clone, Debug, Default)]
pub struct Described {
    gpu: Option<String>,
    driver: Option<String>,
    cuda: Option<String>,
    open_module: Option<bool>,
    datacenter: Option<bool>,
}

const FORM: &str = "a machine is gpu=sm_90,driver=535.104.05 (or cuda=12.2; and open-module=yes|no, \
                    datacenter=yes|no), or the name of a machine in the configuration, or all";

/// The value of `--on`. A word without `=` is the name of a machine, which `resolve` looks up.
pub fn on(text: &str) -> Result<On, String> {
    if text.trim().is_empty() {
        return Err(FORM.into());
    }
    if !text.contains('=') {
        return Ok(On::Named(text.to_owned()));
    }
    let mut described = Described::default();
    for part in text.split(',') {
        let Some((key, value)) = part.split_once('=') else {
            return Err(format!("'{part}' has no value; {FORM}"));
        };
        described.set(key.trim(), value.trim())?;
    }
    described.machine(None).map(On::Machine)
}

impl Described {
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = || Some(value.to_owned());
        let twice = match key {
            "gpu" => std::mem::replace(&mut self.gpu, text()).is_some(),
            "driver" => std::mem::replace(&mut self.driver, text()).is_some(),
            "cuda" => std::mem::replace(&mut self.cuda, text()).is_some(),
            "open-module" => self.open_module.replace(yes(value)?).is_some(),
            "datacenter" => self.datacenter.replace(yes(value)?).is_some(),
            key => return Err(format!("unknown key '{key}'; {FORM}")),
        };
        if twice {
            Err(format!("'{key}' is given twice; use a separate --on for each machine"))
        } else {
            Ok(())
        }
    }

    /// Without a name, one is composed from the values.
    pub fn machine(&self, name: Option<&str>) -> Result<TargetMachine, String> {
        let Some(gpu_text) = &self.gpu else { return Err(format!("the GPU is missing; {FORM}")) };
        let (gpu, by_name) = gpu(gpu_text)?;
        let driver = self.driver.as_deref().map(driver).transpose()?;
        let cuda = self.cuda.as_deref().map(cuda).transpose()?;
        if driver.is_none() && cuda.is_none() {
            return Err(format!("the driver is missing; {FORM}"));
        }
        if let (Some(driver), Some(cuda)) = (&driver, cuda) {
            agree(driver, cuda)?;
        }
        let named = || {
            let mut name = format!("{gpu_text}/{}", self.driver.as_deref().unwrap_or_default());
            if let Some((major, minor)) = cuda {
                name = format!("{}/CUDA-{major}.{minor}", name.trim_end_matches('/'));
            }
            let mut flag = |value: Option<bool>, yes: &str, no: &str| {
                name += value.map_or("", |value| if value { yes } else { no });
            };
            flag(self.open_module, "/open", "/closed");
            flag(self.datacenter, "/datacenter", "/no-datacenter");
            name
        };
        let name = name.map_or_else(named, str::to_owned);
        if name.contains(char::is_control) {
            return Err("a name is a line of text, without tabs and line breaks".to_owned());
        }
        Ok(TargetMachine {
            name,
            gpu,
            driver,
            cuda,
            open_module: self.open_module,
            datacenter: self.datacenter.or(by_name),
        })
    }
}

/// The requested machines, each once, in the order given.
pub fn resolve(wanted: &[On], fleet: &BTreeMap<String, TargetMachine>) -> Result<Vec<TargetMachine>> {
    let mut machines: Vec<TargetMachine> = Vec::new();
    for on in wanted {
        let found: Vec<&TargetMachine> = match on {
            On::Machine(machine) => vec![machine],
            On::Named(name) if fleet.contains_key(name) => vec![&fleet[name]],
            On::Named(name) if name == "all" && !fleet.is_empty() => fleet.values().collect(),
            On::Named(name) => bail!("--on {name}: {}", no_such(name, fleet)),
        };
        for machine in found {
            if !machines.iter().any(|known| known.name == machine.name) {
                machines.push(machine.clone());
            }
        }
    }
    Ok(machines)
}

/// What to write in place of an unknown name.
fn no_such(name: &str, fleet: &BTreeMap<String, TargetMachine>) -> String {
    if gpu(name).is_ok() {
        return format!("a GPU alone is not enough: --on gpu={name},driver=535.104.05 (or cuda=12.2)");
    }
    if fleet.is_empty() {
        let machine = if name == "all" { "h100-pool" } else { name };
        return format!(
            "no machines are configured; write {{\"machines\": {{\"{machine}\": \
             {{\"gpu\": \"H100\", \"driver\": \"535.104.05\"}}}}}} into a file for --config; {FORM}"
        );
    }
    let known: Vec<&str> = fleet.keys().map(String::as_str).collect();
    format!("the configuration has no such machine; it has {}", known.join(", "))
}

/// Refuses a driver together with a CUDA version that it does not support: one of them may be another machine's.
fn agree(driver: &str, said: Cuda) -> Result<(), String> {
    let branch = driver.split('.').next().and_then(|branch| branch.parse().ok()).unwrap_or_default();
    let supports = DriverCuda::of_branch(branch);
    let contradicts = match supports {
        DriverCuda::Exactly(cuda) => cuda != said,
        DriverCuda::AtLeast(cuda) => cuda > said,
        DriverCuda::Unknown => false,
    };
    match supports.text().filter(|_| contradicts) {
        Some(cuda) => Err(format!(
            "driver {driver} supports CUDA {cuda}, not {}.{}; nvidia-smi shows such a pair in a container with a \
             compatibility driver: give the host's driver alone",
            said.0, said.1
        )),
        None => Ok(()),
    }
}

fn yes(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("'{text}' must be yes or no")),
    }
}

/// Compute capability, and whether the GPU is one for data centers.
fn gpu(text: &str) -> Result<(u32, Option<bool>), String> {
    if let Ok(number) = architecture(text) {
        return Ok((number, None));
    }
    let upper = text.to_ascii_uppercase();
    let words: Vec<&str> = upper
        .split([' ', '-', '_'])
        .filter(|word| !matches!(*word, "" | "NVIDIA" | "TESLA" | "GEFORCE"))
        .collect();
    let fits = |name: &str| {
        let name = name.to_ascii_uppercase();
        let parts: Vec<&str> = name.split(' ').collect();
        words.starts_with(&parts) || words.concat() == parts.concat()
    };
    // The longest name first: RTX 2080 Ti is not an RTX 2080.
    let found = known::names().filter(|gpu| fits(&gpu.name)).max_by_key(|gpu| gpu.name.len());
    match found {
        Some(gpu) => Ok((gpu.arch, gpu.datacenter)),
        None => Err(format!(
            "unknown GPU name '{text}'; give the compute capability, such as gpu=sm_90 or gpu=9.0"
        )),
    }
}

fn driver(text: &str) -> Result<String, String> {
    if is_driver(text) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is not a driver version; give it as nvidia-smi prints it, such as 535.104.05"))
}

fn cuda(text: &str) -> Result<Cuda, String> {
    let number = |text: &str| text.parse().ok().filter(|number| *number < 100);
    let parsed = text.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
    parsed.ok_or_else(|| format!("'{text}' is not a CUDA version; nvidia-smi prints it, such as 12.2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(text: &str) -> TargetMachine {
        match on(text) {
            Ok(On::Machine(machine)) => machine,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn machines_in_words() {
        let plain = machine("gpu=sm_90,driver=535.104.05");
        assert_eq!((plain.gpu, plain.driver.as_deref(), plain.datacenter), (90, Some("535.104.05"), None));
        assert_eq!(plain.name, "sm_90/535.104.05");
        let all = machine("gpu=RTX 4090, cuda=12.4, open-module=no, datacenter=yes");
        assert_eq!((all.gpu, all.cuda, all.open_module), (89, Some((12, 4)), Some(false)));
        assert_eq!(all.datacenter, Some(true), "an explicit value overrides the GPU's name");
        assert_eq!(all.name, "RTX 4090/CUDA-12.4/closed/datacenter");
        for agreed in ["driver=535.104.05,cuda=12.2", "driver=700.10,cuda=14.0", "driver=390.10,cuda=9.1"] {
            assert!(on(&format!("gpu=sm_61,{agreed}")).is_ok(), "{agreed}");
        }
        assert_eq!(on("a100-pool"), Ok(On::Named("a100-pool".into())));
        for (text, words) in [
            ("", "a machine is gpu=sm_90,driver=535.104.05"),
            ("gpu=sm_90", "the driver is missing"),
            ("driver=535.104.05", "the GPU is missing"),
            ("gpu=sm_90,driver=new", "such as 535.104.05"),
            ("gpu=sm_90,driver=12.2", "such as 535.104.05"),
            ("gpu=hopper,driver=535.1", "gpu=sm_90 or gpu=9.0"),
            ("gpu=sm_90,cuda=12", "such as 12.2"),
            ("gpu=sm_90,driver=535.1,open-module=maybe", "must be yes or no"),
            ("gpu=sm_90,driver=535.1,color=red", "unknown key 'color'"),
            ("gpu=sm_90,535.104.05", "'535.104.05' has no value"),
            ("gpu=sm_90,driver=535.1,gpu=sm_80", "'gpu' is given twice"),
            ("gpu=sm_90,cuda=12.2,datacenter=yes,datacenter=no", "'datacenter' is given twice"),
            (
                "gpu=sm_90,driver=535.104.05,cuda=12.4",
                "driver 535.104.05 supports CUDA 12.2, not 12.4; nvidia-smi",
            ),
            ("gpu=sm_90,driver=700.10,cuda=12.4", "supports CUDA at least 13.5, not 12.4"),
            ("gpu=RTX\n4090,cuda=12.4", "unknown GPU name"),
        ] {
            let error = on(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn gpus_by_name() {
        let cases = [
            ("9.0", 90, None),
            ("90", 90, None),
            ("h100", 90, Some(true)),
            ("NVIDIA H100 80GB HBM3", 90, Some(true)),
            ("A100-SXM4-40GB", 80, Some(true)),
            ("Tesla T4", 75, Some(true)),
            ("A10", 86, Some(true)),
            ("rtx4090", 89, Some(false)),
            ("NVIDIA GeForce RTX 2080 Ti", 75, Some(false)),
            ("NVIDIA RTX 6000 Ada Generation", 89, None),
            ("RTX-PRO-6000", 120, None),
            ("NVIDIA GB10", 121, None),
            ("NVIDIA Thor", 110, None),
            ("NVIDIA RTX A6000", 86, None),
            ("A6000", 86, None),
            ("NVIDIA DGX Spark", 121, None),
            ("VR200", 107, Some(true)),
            ("NVIDIA GeForce RTX 5060 Ti", 120, Some(false)),
            ("NVIDIA RTX PRO 4500 Blackwell", 120, None),
            ("NVIDIA H20", 90, Some(true)),
        ];
        for (text, number, datacenter) in cases {
            assert_eq!(gpu(text), Ok((number, datacenter)), "{text}");
        }
        // Without a suffix this is Turing's Quadro RTX 6000.
        for text in ["RTX 6000", "H1000", "GPU", ""] {
            assert!(gpu(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nodes_of_the_configuration() {
        let named = |name: &str| On::Named(name.to_owned());
        let fleet: BTreeMap<String, TargetMachine> = ["b", "a"]
            .map(|name| {
                let mut described = Described::default();
                described.set("gpu", "T4").unwrap();
                described.set("driver", "550.54").unwrap();
                (name.to_owned(), described.machine(Some(name)).unwrap())
            })
            .into();
        let names = |wanted: &[On]| -> Vec<String> {
            resolve(wanted, &fleet).unwrap().into_iter().map(|machine| machine.name).collect()
        };
        assert_eq!(names(&[named("all")]), ["a", "b"]);
        assert_eq!(
            names(&[named("b"), named("all"), on("gpu=T4,cuda=12.4").unwrap()]),
            ["b", "a", "T4/CUDA-12.4"]
        );
        let error = resolve(&[named("c")], &fleet).unwrap_err().to_string();
        assert!(error.ends_with("it has a, b"), "{error}");
        for (name, fleet, words) in [
            ("all", &BTreeMap::new(), "no machines are configured; write {\"machines\": {\"h100-pool\": {"),
            ("pool", &BTreeMap::new(), "no machines are configured; write {\"machines\": {\"pool\": {"),
            ("H100", &BTreeMap::new(), "--on gpu=H100,driver=535.104.05 (or cuda=12.2)"),
            ("RTX 4090", &fleet, "--on gpu=RTX 4090,driver=535.104.05"),
        ] {
            let error = resolve(&[named(name)], fleet).unwrap_err().to_string();
            assert!(error.contains(words), "{name}: {error}");
        }
        let mut lines = Described::default();
        lines.set("gpu", "T4").unwrap();
        lines.set("cuda", "12.4").unwrap();
        assert!(lines.machine(Some("a\nb")).unwrap_err().contains("line breaks"));
    }
}
