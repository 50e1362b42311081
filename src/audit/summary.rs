//! A record as one line for people.

use std::fmt::Write;

use serde_json::Value;

/// Time, kind, who (for whom), what, what was seen of whom, why not, how it ended.
#[must_use]
pub fn summary(record: &Value) -> String {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let mut out = String::new();
    // `2026-11-24T09:14:02.318224Z` is cut to milliseconds.
    let _ =
        write!(out, "{}  {:<14}", text("/ts").and_then(|ts| ts.get(..23)).unwrap_or("-"), text("/kind").unwrap_or("-"));
    if record.get("actor").is_some() {
        let _ = write!(out, "  {}", text("/actor/sub").or(text("/actor/ip")).unwrap_or("-"));
    }
    if let Some(human) = text("/actor/on_behalf_of/sub") {
        let _ = write!(out, " for {human}");
    }
    if record.get("op").is_some() {
        let _ = write!(out, "  {}", text("/op/template").or(text("/op/method")).unwrap_or("-"));
    }
    if let Some(call) = record.get("call") {
        let _ = write!(out, "  call {call}");
    }
    if let Some(code) = text("/purpose/code") {
        let _ = write!(out, "  purpose {code}");
    }
    if let Some(subjects) = record["subjects"].as_array() {
        let count = if subjects.len() == 1 { String::new() } else { format!("s {}", subjects.len()) };
        let _ = write!(out, "  subject{count}");
        for view in ["reveal", "mask", "pseudonym", "redact", "capped"] {
            let names = names(subjects, view);
            if !names.is_empty() {
                let _ = write!(out, "  {view} {}", names.join(","));
            }
        }
    }
    for key in ["written", "searched"] {
        if let Some(classes) = record[key].as_array() {
            let names: Vec<&str> = classes.iter().filter_map(Value::as_str).collect();
            let _ = write!(out, "  {key} {}", names.join(","));
        }
    }
    if let Some(outcome) = record.get("outcome").filter(|outcome| outcome.is_object()) {
        let _ = write!(out, "  status {}  {} bytes  {} ms", outcome["status"], outcome["bytes"], outcome["ms"]);
        let _ = write!(out, "{}", if outcome["client_abort"] == true { "  client gone" } else { "" });
        if let Some(drift) = outcome["drift"].as_u64() {
            let _ = write!(out, "  drift {drift}");
        }
    }
    if let Some(why) = text("/outcome/why").or(text("/decision/why")) {
        let _ = write!(out, "  {why}");
    }
    for key in ["size", "policy", "config", "verb", "reviewer"] {
        if let Some(value) = record.get(key) {
            let _ = write!(out, "  {key} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    out
}

fn names<'r>(subjects: &'r [Value], view: &str) -> Vec<&'r str> {
    let mut names = Vec::new();
    for name in subjects.iter().filter_map(|subject| subject[view].as_array()).flatten().filter_map(Value::as_str) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reveal_names_actor_route_and_classes_once() {
        let record = json!({
            "ts": "2026-11-24T09:14:02.318224Z", "kind": "access.reveal",
            "actor": {"sub": "bot", "on_behalf_of": {"sub": "anna"}}, "op": {"template": "GET /c/{id}"}, "purpose": {},
            "subjects": [{"reveal": ["name"], "mask": ["email"]}, {"reveal": ["name"]}],
        });
        assert_eq!(
            summary(&record),
            "2026-11-24T09:14:02.318  access.reveal   bot for anna  GET /c/{id}  subjects 2  reveal name  mask email"
        );
    }
}
