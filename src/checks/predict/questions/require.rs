//! The language of NVIDIA_REQUIRE_CUDA and its like: alternatives separated by blanks, each a list of constraints
//! separated by commas, all of which must hold.

use std::cmp::Ordering;

use crate::facts::target_machine::TargetMachine;
use crate::facts::target_machine::known::{DriverCuda, numbers};

/// Whether the machine meets it; None if unknown.
pub fn met(text: &str, machine: &TargetMachine) -> Option<bool> {
    let cuda = DriverCuda::of(machine);
    let mut result = Some(false);
    for alternative in text.split_whitespace() {
        // Templates write `cuda>=12.4,,driver>=535,`.
        let parts = alternative.split(',').filter(|part| !part.is_empty());
        let holds = parts.map(|part| constraint(part, machine, cuda)).fold(Some(true), and);
        result = or(result, holds);
    }
    if text.trim().is_empty() { Some(true) } else { result }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    and(a.map(|a| !a), b.map(|b| !b)).map(|neither| !neither)
}

/// Longest first.
const OPERATORS: [&str; 6] = [">=", "<=", "!=", "=", ">", "<"];

fn constraint(text: &str, machine: &TargetMachine, cuda: DriverCuda) -> Option<bool> {
    let at = text.find(['<', '>', '!', '='])?;
    let (name, rest) = text.split_at(at);
    let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator))?;
    let value = &rest[operator.len()..];
    let holds = |order: Ordering| match operator {
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        "!=" => order.is_ne(),
        "=" => order.is_eq(),
        ">" => order.is_gt(),
        _ => order.is_lt(),
    };
    let wanted = numbers(value);
    match name.to_ascii_lowercase().as_str() {
        "cuda" => {
            let wanted = (*wanted.first()?, wanted.get(1).copied().unwrap_or(0));
            match cuda {
                DriverCuda::Exactly(cuda) => Some(holds(cuda.cmp(&wanted))),
                DriverCuda::AtLeast(cuda) => {
                    // A newer driver is still greater.
                    (cuda > wanted || operator == ">=" && cuda == wanted).then(|| holds(Ordering::Greater))
                }
                DriverCuda::Unknown => None,
            }
        }
        // The shorter version is padded with 0: 470.256 is not below 470, but below 471.
        "driver" => {
            let mut has = numbers(machine.driver.as_deref()?);
            wanted.first()?;
            has.resize(has.len().max(wanted.len()), 0);
            let mut wanted = wanted;
            wanted.resize(has.len(), 0);
            Some(holds(has.cmp(&wanted)))
        }
        "arch" => {
            let wanted = (*wanted.first()?, wanted.get(1).copied().unwrap_or(0));
            Some(holds((machine.gpu / 10, machine.gpu % 10).cmp(&wanted)))
        }
        // NVML's brand does not follow from the name of a GPU, except that consumer GPUs are not Tesla.
        "brand" if value.eq_ignore_ascii_case("tesla") && machine.datacenter == Some(false) => {
            Some(operator == "!=")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements() {
        let machine = |driver: &str, datacenter| TargetMachine {
            name: String::new(),
            gpu: 90,
            driver: Some(driver.to_owned()),
            cuda: None,
            open_module: None,
            datacenter,
        };
        let usual = "cuda>=12.4 brand=tesla,driver>=470,driver<471 brand=unknown,driver>=535,driver<536";
        let cases = [
            (usual, "550.54.15", None, Some(true)),
            (usual, "545.23", Some(true), Some(false)),
            // One of the alternatives is about the brand.
            (usual, "535.104.05", Some(true), None),
            (usual, "470.256.02", Some(false), Some(false)),
            (usual, "470.256.02", Some(true), None),
            ("cuda>=13.9", "700.10", None, None),
            ("cuda>=13.2", "595.10", None, Some(true)),
            ("cuda>=13.1", "595.10", None, Some(true)),
            ("cuda<13", "595.10", None, Some(false)),
            ("arch>=9.0,driver>=535.104", "535.104.05", None, Some(true)),
            ("arch>9.0", "535.104.05", None, Some(false)),
            ("driver!=535.104.05", "535.104.05", None, Some(false)),
            ("driver=535", "535.104.05", None, Some(false)),
            ("CUDA>=12.2,,Driver>=535,", "535.104.05", None, Some(true)),
            ("brand=Tesla", "535.104.05", Some(false), Some(false)),
            ("moon>=1", "535.104.05", None, None),
            ("moon>=1 cuda>=12.0", "535.104.05", None, Some(true)),
            ("", "535.104.05", None, Some(true)),
        ];
        for (text, driver, datacenter, expected) in cases {
            let machine = machine(driver, datacenter);
            assert_eq!(met(text, &machine), expected, "{text} on {driver}");
        }
    }
}
