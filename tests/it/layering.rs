//! The module table is law: every import of `src/**/*.rs` is compared with it, with `file:line` for each breach.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Row by row: a module, and the rows above it that it may import.
const TABLE: [(&str, &[&str]); 21] = [
    ("model", &[]),
    ("crypto", &["model"]),
    ("formats", &["model"]),
    ("detect", &["model"]),
    ("protect", &["model", "crypto"]),
    ("rewrite", &["model", "formats", "detect", "protect"]),
    // Keyed hashes of API keys and of remembered tokens.
    ("identity", &["model", "crypto"]),
    ("crm", &["model"]),
    // Proposes maps: what values look like is the detectors' to say, what a map may say the loader's.
    ("discover", &["model", "detect", "crm"]),
    // The fingerprint of a policy bundle.
    ("policy", &["model", "crypto"]),
    ("tls", &["model"]),
    ("listener", &["model", "tls"]),
    ("upstream", &["model", "tls", "policy"]),
    // Key files and the providers that unwrap their root: files and, for a KMS, a TLS connection.
    ("keyring", &["model", "crypto", "tls"]),
    ("vault", &["model", "crypto"]),
    ("audit", &["model", "crypto"]),
    (
        "config",
        &[
            "model", "crypto", "formats", "detect", "protect", "rewrite", "identity", "crm", "policy", "tls",
            "listener", "upstream", "keyring", "vault", "audit",
        ],
    ),
    (
        "gateway",
        &[
            "model", "crypto", "detect", "protect", "rewrite", "identity", "crm", "policy", "tls", "listener",
            "upstream", "keyring", "vault", "audit", "config",
        ],
    ),
    // Probe, backfill and re-wrap: what changes the CRM's stored values outside of an exchange.
    (
        "sweep",
        &[
            "model", "crypto", "protect", "rewrite", "crm", "policy", "tls", "upstream", "keyring", "vault", "audit",
            "config", "gateway",
        ],
    ),
    ("sandbox", &["model"]),
    (
        "cli",
        &[
            "model", "crypto", "formats", "detect", "protect", "rewrite", "identity", "crm", "discover", "policy",
            "tls", "listener", "upstream", "keyring", "vault", "audit", "config", "gateway", "sweep", "sandbox",
        ],
    ),
];

/// Outside crates with an owner.
const OWNED: [(&str, &[&str]); 17] = [
    ("cedar_policy", &["policy"]),
    ("regex", &["detect"]),
    ("aws_lc_rs", &["crypto", "tls"]),
    ("jsonwebtoken", &["identity"]),
    ("rcgen", &["tls"]),
    ("x509_parser", &["tls"]),
    ("aes_gcm", &["crypto"]),
    ("aes_siv", &["crypto"]),
    ("getrandom", &["crypto"]),
    ("argon2", &["keyring"]),
    ("cryptoki", &["keyring"]),
    ("idna", &["protect"]),
    ("unicode_normalization", &["protect"]),
    ("clap", &["cli"]),
    ("redb", &["vault"]),
    ("tokio_postgres", &["vault"]),
    ("rustix", &["audit", "listener", "keyring", "vault", "cli"]),
];

/// Modules that know neither sockets nor files nor the clock.
const PURE: [&str; 7] = ["model", "crypto", "formats", "detect", "protect", "rewrite", "discover"];

/// What pure modules must not name.
const IMPURE: [&str; 6] = ["tokio::", "hyper::", "std::fs", "std::net::Tcp", "SystemTime::now", "Instant::now"];

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// The module a file belongs to; `None` for the crate's roots.
fn module(root: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
    (relative.components().count() > 1).then(|| first.to_owned())
}

/// First segments of the `crate::…` paths in one line, groups `crate::{a, b}` that start on it among them.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let line = text[..at].matches('\n').count() + 1;
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(top_level(group).into_iter().map(|name| (line, name))),
            None => found.push((line, identifier(rest))),
        }
    }
    found.retain(|(_, name)| name.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// Names at depth zero of a `use` group, up to its closing brace.
fn top_level(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut expecting) = (0usize, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expecting = true,
            c if expecting && depth == 0 && (c.is_ascii_alphabetic() || c == '_') => {
                names.push(identifier(&group[at..]));
                expecting = false;
            }
            _ => {}
        }
    }
    names
}

/// `text` without comments and strings' worth of doubt: whole-line comments only.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect::<Vec<_>>().join("\n")
}

fn breaches(root: &Path) -> Vec<String> {
    let table: BTreeMap<&str, &[&str]> = TABLE.into_iter().collect();
    let mut files = Vec::new();
    sources(root, &mut files);
    let mut breaches = Vec::new();
    for path in files {
        let raw = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root.parent().unwrap()).unwrap().display().to_string();
        if !raw.starts_with("//!") {
            breaches.push(format!("{shown}:1: no `//!` line"));
        }
        let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        if raw.lines().count() >= 500 {
            breaches.push(format!("{shown}:500: 500 lines or more; split by noun"));
        }
        let Some(module) = module(root, &path) else { continue };
        let Some(allowed) = table.get(module.as_str()) else {
            breaches.push(format!("{shown}:1: module `{module}` has no row"));
            continue;
        };
        let text = without_comments(&raw);
        for (line, name) in imports(&text) {
            if name != module && table.contains_key(name.as_str()) && !allowed.contains(&name.as_str()) {
                breaches.push(format!("{shown}:{line}: `{module}` imports `{name}`"));
            }
        }
        let code = if is_test { "" } else { text.split("#[cfg(test)]").next().unwrap_or_default() };
        for (number, line) in code.lines().enumerate() {
            for (outside, owners) in OWNED {
                if line.contains(&format!("{outside}::")) && !owners.contains(&module.as_str()) {
                    breaches.push(format!("{shown}:{}: `{outside}` belongs to {owners:?}", number + 1));
                }
            }
            if PURE.contains(&module.as_str()) {
                for impure in IMPURE {
                    if line.contains(impure) {
                        breaches.push(format!("{shown}:{}: `{module}` is pure and names `{impure}`", number + 1));
                    }
                }
            }
        }
    }
    breaches
}

#[test]
fn every_import_is_one_the_module_table_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let breaches = breaches(&root);
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

/// A permit that policy did not decide about exists for sweeps, which have no caller.
#[test]
fn only_a_sweep_asks_for_a_permit_without_a_decision() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let asking = files.iter().filter(|path| fs::read_to_string(path).unwrap().contains("for_maintenance"));
    let modules: std::collections::BTreeSet<String> = asking.filter_map(|path| module(&root, path)).collect();
    assert_eq!(modules.into_iter().collect::<Vec<_>>(), ["policy", "sweep"]);
}

#[test]
fn rows_name_only_rows_above_them() {
    for (index, (module, allowed)) in TABLE.iter().enumerate() {
        for name in *allowed {
            let at = TABLE.iter().position(|(row, _)| row == name);
            assert!(at.is_some_and(|at| at < index), "`{module}` names `{name}`, which is not above it");
        }
    }
}

#[test]
fn a_breach_is_found_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("src");
    fs::create_dir_all(root.join("model")).unwrap();
    fs::create_dir_all(root.join("stray")).unwrap();
    fs::write(root.join("model/mod.rs"), "//! Values.\nuse crate::{\n    audit::Log, // a\n    model::Peer,\n};\n")
        .unwrap();
    fs::write(root.join("model/regexes.rs"), "fn f() { regex::Regex::new(\"\"); std::fs::read(\"x\"); }\n").unwrap();
    fs::write(root.join("stray/mod.rs"), "//! Nothing.\n").unwrap();
    let found = breaches(&root).join("\n");
    for expected in [
        "src/model/mod.rs:2: `model` imports `audit`",
        "src/model/regexes.rs:1: no `//!` line",
        "src/model/regexes.rs:1: `regex` belongs to [\"detect\"]",
        "src/model/regexes.rs:1: `model` is pure and names `std::fs`",
        "src/stray/mod.rs:1: module `stray` has no row",
    ] {
        assert!(found.contains(expected), "{expected}\nnot in\n{found}");
    }
}
