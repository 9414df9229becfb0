//! Facts of older schemas, brought to the present one, so that an attached file stays useful.
//!
//! It works on the tree of JSON values, before any type sees it, and ignores what it does not find. The types refuse
//! what is still wrong.

use serde_json::{Value, json};

/// From schema 1, before fields and families were renamed.
pub fn from_1(facts: &mut Value) {
    with(facts, "request", request);
    with(facts, "census", census);
    each(facts, "probes", |run| {
        lock_taken(run);
        each(run, "events", |event| {
            if let Some(skipped) = event.pointer_mut("/left/outcome/skipped") {
                skip(skipped);
            }
        });
    });
}

/// From schema 2, which had one framework: torch, with the library that has its kernels. Without one, the code of the
/// whole image counted; it does not show which programs have code of their own.
pub fn from_2(facts: &mut Value) {
    with(facts, "census", |census| {
        let framework = census.as_object_mut().and_then(|census| census.remove("framework"));
        let frameworks: Vec<Value> = framework.iter().filter_map(|former| torch(former, census)).collect();
        if let Some(fields) = census.as_object_mut() {
            fields.insert("frameworks".to_owned(), frameworks.into());
        }
    });
}

/// An installation, if the library has code. What any object in its directory used, it used.
fn torch(former: &Value, census: &Value) -> Option<Value> {
    let path = former.get("path")?.as_str()?;
    former.get("device_code")?.as_array().filter(|code| !code.is_empty())?;
    let directory = &path[..=path.rfind('/')?];
    let copies = census.get("copies").and_then(Value::as_array).into_iter().flatten();
    let is_used = |copy: &&Value| {
        let mut users = copy.get("users").and_then(Value::as_array).into_iter().flatten();
        users.any(|user| {
            user.get("path").and_then(Value::as_str).is_some_and(|path| path.starts_with(directory))
        })
    };
    let uses: Vec<&Value> = copies.filter(is_used).filter_map(|copy| copy.get("path")).collect();
    Some(json!({ "name": "torch", "version": null, "objects": [former], "uses": uses }))
}

/// A probe that found its lock taken exited with status 75 (EX_TEMPFAIL) before it reported anything.
fn lock_taken(run: &mut Value) {
    let silent = run.get("events").and_then(Value::as_array).is_some_and(Vec::is_empty);
    with(run, "ending", |ending| {
        if silent && *ending == json!({ "exited": { "code": 75 } }) {
            *ending = "lock-taken".into();
        }
    });
}

fn census(census: &mut Value) {
    each(census, "copies", |copy| {
        with(copy, "library", library);
        rename(copy, "owner", "package");
        rename(copy, "held", "kept");
        if let Some(fields) = copy.as_object_mut() {
            // Decided again after loading.
            fields.insert("verdict".to_owned(), "unreferenced".into());
        }
    });
    each(census, "tools", |tool| rename(tool, "owner", "package"));
    each(census, "packages", |package| rename(package, "owner", "id"));
    each(census, "leftovers", |leftover| rename(leftover, "owner", "package"));
    rename(census, "wished", "missing_optional");
    rename(census, "flavour", "flavor");
    for needs in ["missing", "missing_optional"] {
        each(census, needs, |need| with(need, "library", library));
    }
    with(census, "distribution", |distribution| {
        let Some(text) = distribution.as_str() else { return };
        let (id, version) = text.split_once(' ').map_or((text, None), |(id, version)| (id, Some(version)));
        *distribution = json!({ "id": id, "version": version });
    });
    coverage(census);
}

/// How much was read was a flag, and what could not be read a line: `PATH: REASON`, also for the root.
fn coverage(census: &mut Value) {
    let mut root = false;
    each(census, "unreadable", |unreadable| {
        let Some(line) = unreadable.as_str() else { return };
        let (path, reason) = match line.split_once(": ").filter(|(path, _)| path.starts_with('/')) {
            Some((path, reason)) => (Some(path), reason),
            None => (None, line),
        };
        root |= path == Some("/");
        *unreadable = json!({ "path": path, "reason": reason });
    });
    rename(census, "incomplete", "coverage");
    with(census, "coverage", |coverage| match coverage {
        _ if root => *coverage = "interrupted".into(),
        Value::Bool(true) => *coverage = "partial".into(),
        Value::Bool(false) => *coverage = "complete".into(),
        _ => {}
    });
}

fn request(request: &mut Value) {
    rename(request, "nodes", "machines");
    // No level meant an audit, no date a command that accepts nothing.
    with(request, "level", |level| {
        if level == "" {
            *level = "image".into();
        }
    });
    with(request, "today", |today| {
        if today == "" {
            *today = Value::Null;
        }
    });
    each(request, "accepted", |accepted| {
        with(accepted, "id", |id| {
            if let Some(renamed) = id.as_str().and_then(finding) {
                *id = renamed.into();
            }
        });
    });
}

/// The id of a finding, if it was renamed.
fn finding(id: &str) -> Option<String> {
    if let Some((_, renamed)) = FINDINGS.iter().find(|(former, _)| *former == id) {
        return Some((*renamed).to_owned());
    }
    let (family, name) = id.split_once('.')?;
    let (_, family) = FAMILIES.iter().find(|(former, _)| *former == family)?;
    Some(format!("{family}.{name}"))
}

const FAMILIES: [(&str, &str); 2] = [("contents", "leftovers"), ("on", "predict")];

const FINDINGS: [(&str, &str); 4] = [
    ("contents.leftovers", "leftovers.build-files"),
    ("math.not-looked", "math.audit-incomplete"),
    ("node.vgpu-licence", "node.vgpu-license"),
    ("on.module-not-said", "predict.module-unspecified"),
];

/// Libraries have the names of their files; most names only lacked `lib`.
fn library(name: &mut Value) {
    let Some(former) = name.as_str() else { return };
    *name = match former {
        "nvml" => "libnvidia-ml".into(),
        "nvjitlink" => "libnvJitLink".into(),
        "nvtx" => "libnvToolsExt".into(),
        known if known.starts_with("lib") => return,
        other => format!("lib{other}").into(),
    };
}

/// The reason for a skipped stage was a sentence.
fn skip(skipped: &mut Value) {
    let Some(why) = skipped.as_str() else { return };
    let numbers: Vec<u64> =
        why.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect();
    let bytes = |mib: &u64| mib.saturating_mul(1 << 20);
    *skipped = match (why, numbers.as_slice()) {
        (why, _) if why.starts_with("prohibited") => json!("prohibited"),
        (_, [free, .., needed]) => json!({ "low-memory": { "free": bytes(free), "needed": bytes(needed) } }),
        _ => json!("exclusive"),
    };
}

fn rename(value: &mut Value, former: &str, name: &str) {
    if let Some(fields) = value.as_object_mut()
        && let Some(moved) = fields.remove(former)
    {
        fields.insert(name.to_owned(), moved);
    }
}

fn with(value: &mut Value, key: &str, change: impl FnOnce(&mut Value)) {
    value.get_mut(key).map(change);
}

fn each(value: &mut Value, key: &str, change: impl FnMut(&mut Value)) {
    value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(change);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_become_types() {
        for (why, skip) in [
            ("prohibited: compute mode allows no context", json!("prohibited")),
            ("busy: compute mode is exclusive, a context would lock the application out", json!("exclusive")),
            (
                "busy: 10 MiB of GPU memory are free, a context may take 640",
                json!({ "low-memory": { "free": 10 << 20, "needed": 640 << 20 } }),
            ),
        ] {
            let mut facts = json!({ "probes": [{ "events": [
                { "left": { "stage": "context", "outcome": { "skipped": why } } }, "done",
            ] }] });
            from_1(&mut facts);
            assert_eq!(facts.pointer("/probes/0/events/0/left/outcome/skipped"), Some(&skip));
        }
    }

    #[test]
    fn only_a_silent_probe_found_its_lock_taken() {
        let ending = |events: Value, code: i32| {
            let mut facts =
                json!({ "probes": [{ "events": events, "ending": { "exited": { "code": code } } }] });
            from_1(&mut facts);
            facts["probes"][0]["ending"].clone()
        };
        assert_eq!(ending(json!([]), 75), "lock-taken");
        assert_eq!(ending(json!([]), 1), json!({ "exited": { "code": 1 } }));
        assert_eq!(ending(json!(["done"]), 75), json!({ "exited": { "code": 75 } }));
    }

    #[test]
    fn lines_about_what_was_not_read_become_fields() {
        let upgraded = |unreadable: &[&str], incomplete: bool| {
            let mut facts =
                json!({ "census": { "incomplete": incomplete, "unreadable": unreadable, "wished": [] } });
            from_1(&mut facts);
            facts["census"].clone()
        };
        let lines = ["/secret: Permission denied", "layer 0 (ab) /x: unknown entry type"];
        assert_eq!(
            upgraded(&lines, true),
            json!({ "coverage": "partial", "missing_optional": [], "unreadable": [
                { "path": "/secret", "reason": "Permission denied" },
                { "path": null, "reason": "layer 0 (ab) /x: unknown entry type" },
            ] })
        );
        assert_eq!(upgraded(&[], false)["coverage"], "complete");
        assert_eq!(upgraded(&["/: 2 directories were not reached"], true)["coverage"], "interrupted");
    }

    #[test]
    fn findings_that_were_renamed_exist() {
        for (_, renamed) in FINDINGS {
            assert!(crate::checks::all().any(|check| check.id == renamed), "{renamed}");
        }
        assert_eq!(finding("math.not-looked").as_deref(), Some("math.audit-incomplete"));
        assert_eq!(finding("contents.caches").as_deref(), Some("leftovers.caches"));
        assert_eq!(finding("device.pcie"), None);
    }

    #[test]
    fn names_become_those_of_today() {
        let mut facts = json!({
            "request": { "level": "", "today": "", "nodes": [{ "name": "a" }],
                         "accepted": [{ "id": "contents.caches" }, { "id": "on.no-code" }, { "id": "device.pcie" }] },
            "census": {
                "copies": [{ "library": "cublasLt", "owner": { "name": "x" }, "held": true }, { "library": "libcuda" }],
                "missing": [{ "library": "nvml" }],
                "distribution": "debian 12",
            },
        });
        from_1(&mut facts);
        let request = &facts["request"];
        assert_eq!((&request["level"], &request["today"]), (&json!("image"), &Value::Null));
        assert_eq!(request["machines"], json!([{ "name": "a" }]));
        let ids: Vec<&Value> =
            request["accepted"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
        assert_eq!(ids, ["leftovers.caches", "predict.no-code", "device.pcie"]);
        let copies = &facts["census"]["copies"];
        let first = json!({
            "library": "libcublasLt", "package": { "name": "x" }, "kept": true, "verdict": "unreferenced",
        });
        assert_eq!(copies[0], first);
        assert_eq!(copies[1]["library"], "libcuda");
        assert_eq!(facts["census"]["missing"][0]["library"], "libnvidia-ml");
        assert_eq!(facts["census"]["distribution"], json!({ "id": "debian", "version": "12" }));
    }

    #[test]
    fn the_framework_becomes_an_installation() {
        let upgraded = |framework: Value| {
            let user = |path: &str| json!([{ "path": path, "how": "needed" }]);
            let mut facts = json!({ "census": { "framework": framework, "copies": [
                { "path": "/a/libcudart.so.12", "users": user("/site/torch/lib/libc10_cuda.so") },
                { "path": "/b/libcudart.so.13", "users": user("/usr/bin/app") },
            ] } });
            from_2(&mut facts);
            assert_eq!(facts["census"].get("framework"), None);
            facts["census"]["frameworks"].clone()
        };
        let library =
            json!({ "path": "/site/torch/lib/libtorch_cuda.so", "device_code": [{ "arch": "sm_90" }] });
        assert_eq!(
            upgraded(library.clone()),
            json!([{ "name": "torch", "version": null, "objects": [library], "uses": ["/a/libcudart.so.12"] }])
        );
        assert_eq!(upgraded(json!({ "path": "/x/y", "device_code": [] })), json!([]));
        assert_eq!(upgraded(Value::Null), json!([]));
    }

    #[test]
    fn what_is_no_facts_is_left_alone() {
        for value in [json!(null), json!([1]), json!({ "request": 3, "census": "x", "probes": {} })] {
            let mut upgraded = value.clone();
            from_1(&mut upgraded);
            from_2(&mut upgraded);
            assert_eq!(upgraded, value);
        }
    }
}
