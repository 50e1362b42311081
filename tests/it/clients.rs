//! Real CRM clients, unchanged, with their base URL pointed at the gateway in front of the recorded shapes. Needs what
//! `tests/real/clients.sh` installs, so it is not among the tests that always run.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::maps::{Stage, is_shown, leaked, strings};

/// Runs `client` as the agent; gives what it says it was given.
fn run(stage: &Stage, host: &str, command: &mut Command) -> Value {
    let mut environment = vec![("FG_HOST", format!("{host}:{}", stage.world.address.port()))];
    environment.push(("FG_KEY", stage.world.key("agent-anna")));
    let ca = stage.world.made.ca.display().to_string();
    for name in ["FG_CA", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
        environment.push((name, ca.clone()));
    }
    let done = command.envs(environment).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// What the client printed holds no value that policy does not show the agent, and many that it does.
fn sees_what_policy_shows(stage: &Stage, client: &str, seen: &Value) {
    let mut said = Vec::new();
    strings(seen, &mut said);
    let said = said.join("\n");
    let agent = stage.callers.iter().find(|caller| caller.name == "agent").unwrap();
    let (mut visible, mut all) = (BTreeSet::new(), BTreeSet::new());
    for recorded in stage.world.fixtures.as_ref().unwrap().all() {
        let views = stage.views(agent, &recorded);
        visible.extend(recorded.canaries.iter().filter(|canary| is_shown(&canary.class, views.as_ref())).cloned());
        all.extend(recorded.canaries);
    }
    let values: BTreeSet<&str> = visible.iter().map(|canary| canary.value.as_str()).collect();
    let shown = values.iter().filter(|value| said.contains(**value)).count();
    let mut hidden = 0;
    for canary in all.iter().filter(|canary| !values.contains(canary.value.as_str())) {
        assert_eq!(leaked(&said, canary), None, "{client} was given {canary:?}");
        hidden += 1;
    }
    let masks = said.matches('•').count();
    println!("{client}: {shown} values shown, {hidden} that are not were looked for, {masks} marks of masks");
    assert!(shown > 10 && hidden > 50 && masks > 50, "{client}: {seen}");
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var("FIELDGATE_CLIENTS").expect("run tests/real/clients.sh"))
}

fn script(name: &str) -> String {
    format!("{}/tests/real/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn python(world: &str, host: &str) {
    let stage = Stage::new(world);
    let mut command = Command::new(folder().join("venv/bin/python"));
    command.arg(script("clients.py")).arg(world);
    sees_what_policy_shows(&stage, world, &run(&stage, host, &mut command));
}

#[test]
#[ignore = "needs what tests/real/clients.sh installs"]
fn simple_salesforce_works_unchanged() {
    python("salesforce", "localhost");
}

#[test]
#[ignore = "needs what tests/real/clients.sh installs"]
fn the_hubspot_client_works_unchanged() {
    python("hubspot", "localhost");
}

#[test]
#[ignore = "needs what tests/real/clients.sh installs"]
fn zenpy_works_unchanged() {
    python("zendesk", "127.0.0.1");
}

#[test]
#[ignore = "needs what tests/real/clients.sh installs"]
fn jsforce_works_unchanged() {
    let stage = Stage::new("salesforce");
    let mut command = Command::new("node");
    command.arg(script("clients.mjs")).env("FG_MODULES", folder().join("js"));
    sees_what_policy_shows(&stage, "jsforce", &run(&stage, "localhost", &mut command));
}
