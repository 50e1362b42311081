//! The maps that ship, each in front of a CRM that answers with recorded shapes: what a role's policy does not show is
//! nowhere in what it is sent, what policy shows is there, and what the map does not know is refused or withheld.

use std::collections::{BTreeMap, BTreeSet};

use fieldgate::{
    config::Config,
    crm::Api,
    gateway::{Status, Watched, build},
    model::{Action, BodyMap},
    policy::MatrixSettings,
};
use http::Method;
use percent_encoding::percent_decode;
use serde_json::Value;

use crate::{
    canary::spellings,
    drift,
    harness::{Answer, Canary, Client, Line, Recorded, Setup, World, fieldgate},
};

/// A caller, and the name of its seat in the policy matrix.
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    seat: &'static str,
    client: Client,
    purpose: Option<&'static str>,
}

/// A world that runs, with its callers and what policy says of each.
pub(crate) struct Stage {
    pub(crate) world: World,
    api: Api,
    pub(crate) callers: Vec<Caller>,
    /// By purpose.
    matrices: BTreeMap<Option<&'static str>, Value>,
}

const FRAUD: &str = "fraud_investigation";

impl Stage {
    pub(crate) fn new(name: &str) -> Self {
        let mut world = Setup::recorded(name).prepare();
        let config = world.made.config.display().to_string();
        let said = fieldgate(["identity", "new-key", "--config", &config, "--id", "auditor", "auditor-olga"]);
        assert_eq!(said.code, 0, "{}", said.err);
        let key = said.out.lines().nth(1).unwrap().to_owned();
        let entry = said.out.split_once("toml:\n").unwrap().1.replace("roles = [\"agent\"]", "roles = [\"auditor\"]");
        let text = std::fs::read_to_string(&world.made.config).unwrap();
        std::fs::write(&world.made.config, format!("{text}\n{entry}")).unwrap();
        world.start();
        let loaded = Config::load(&world.made.config).unwrap();
        let map = format!("{}/config/crm/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let api = Api::parse(&map, &std::fs::read_to_string(&map).unwrap(), &loaded.classes);
        let api = api.unwrap_or_else(|found| panic!("{found:#?}"));
        let caller = |name, seat, client: Client| Caller { name, seat, client, purpose: None };
        let fraud = world.supervisor().with("fieldgate-purpose", FRAUD).with("fieldgate-case", "CASE-1");
        let callers = vec![
            caller("agent", "agent", world.agent()),
            caller("supervisor", "supervisor", world.supervisor()),
            Caller { purpose: Some(FRAUD), ..caller("supervisor in a fraud case", "supervisor", fraud) },
            caller("ai assistant", "ai_assistant (ai) for agent", world.ai()),
            caller("auditor", "auditor", world.stranger().with("fieldgate-key", &key)),
        ];
        let snapshot = build(&loaded, 0, &Status::default(), None, &mut Watched::default()).unwrap();
        let matrix = |purpose: Option<&str>| {
            let settings = MatrixSettings {
                classes: snapshot.classes.iter().map(|(id, _)| id).collect(),
                resources: api.resources(),
                actions: Action::ALL.to_vec(),
                purpose,
                case: purpose.is_some(),
                route: "",
                upstream: "",
                now: fieldgate::gateway::now(),
                network: [127, 0, 0, 1].into(),
            };
            serde_json::from_str(&snapshot.policy.matrix(&settings, &snapshot.policy.seats()).to_json()).unwrap()
        };
        let matrices = [None, Some(FRAUD)].into_iter().map(|purpose| (purpose, matrix(purpose))).collect();
        Self { world, api, callers, matrices }
    }

    /// The view of each class that policy gives `caller` on the route of `recorded`; absent when it is refused.
    pub(crate) fn views(&self, caller: &Caller, recorded: &Recorded) -> Option<BTreeMap<String, String>> {
        let method = Method::from_bytes(recorded.method.as_bytes()).unwrap();
        let matched = self.api.matches(&method, &recorded.target);
        let matched = matched.unwrap_or_else(|error| panic!("{} {}: {error}", recorded.method, recorded.target));
        let matrix = &self.matrices[&caller.purpose];
        let is_row = |row: &&Value| {
            row["seat"] == caller.seat
                && row["resource"] == *matched.route.resource
                && row["action"] == matched.route.action.as_str()
        };
        let row = matrix["rows"].as_array().unwrap().iter().find(is_row);
        let row = row.unwrap_or_else(|| panic!("no row of {} for {}: {matrix}", caller.seat, matched.route.name));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let views = || row["views"].as_array().unwrap().iter().map(text);
        let classes = || matrix["classes"].as_array().unwrap().iter().map(text);
        (row["decision"] == "permit").then(|| classes().zip(views()).collect())
    }

    /// What the map says of the answer to `recorded`.
    pub(crate) fn response_map(&self, recorded: &Recorded) -> BodyMap {
        let method = Method::from_bytes(recorded.method.as_bytes()).unwrap();
        self.api.matches(&method, &recorded.target).unwrap().route.response.clone()
    }

    /// Asks as `caller` does; a connection for each caller is kept in `lines`.
    pub(crate) fn ask(&self, caller: &Caller, recorded: &Recorded, lines: &mut BTreeMap<&'static str, Line>) -> Answer {
        let line = lines.entry(caller.name).or_insert_with(|| Line::new(caller.client.clone()));
        let method = Method::from_bytes(recorded.method.as_bytes()).unwrap();
        line.call(method, &recorded.target, recorded.send.as_deref().unwrap_or_default())
    }
}

/// Whether a value of `class` is to be seen as it is under `views`.
pub(crate) fn is_shown(class: &str, views: Option<&BTreeMap<String, String>>) -> bool {
    let Some(views) = views else { return false };
    let reveals = |class: &str| views.get(class).is_some_and(|view| view == "reveal");
    match class.split_once('.') {
        Some((_, found)) => reveals("free_text") && reveals(found),
        None if class == "text" => reveals("free_text"),
        None => reveals(class),
    }
}

/// Everything that `answer` says: head and body, as they are, and with percent and JSON escapes undone.
pub(crate) fn said(answer: &Answer) -> String {
    let mut text = answer.text();
    for (name, value) in &answer.headers {
        text.push_str(&format!("\n{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    let decoded = percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned();
    let mut strings = Vec::new();
    if let Ok(value) = serde_json::from_slice::<Value>(&answer.bytes) {
        self::strings(&value, &mut strings);
    }
    format!("{text}\n{decoded}\n{}", strings.join("\n"))
}

pub(crate) fn strings(value: &Value, strings: &mut Vec<String>) {
    match value {
        Value::String(text) => strings.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| self::strings(item, strings)),
        Value::Object(members) => members.iter().for_each(|(name, item)| {
            strings.push(name.clone());
            self::strings(item, strings);
        }),
        Value::Number(number) => strings.push(number.to_string()),
        Value::Bool(_) | Value::Null => {}
    }
}

/// The spelling in `said` of a value that must not be there.
pub(crate) fn leaked(said: &str, canary: &Canary) -> Option<String> {
    let mut spelt = spellings(&canary.value);
    if canary.class.ends_with("phone") {
        spelt.push(canary.value.trim_start_matches("+1").to_owned());
    }
    spelt.into_iter().find(|spelling| spelling.len() >= 6 && said.contains(spelling.as_str()))
}

/// Every exchange of the world by every caller.
fn show_each_role_its_own(name: &str, stage: &Stage) {
    let (mut lines, mut wrong) = (BTreeMap::new(), Vec::new());
    let (mut shown, mut hidden) = (0, 0);
    let everything: BTreeSet<Canary> =
        stage.world.fixtures.as_ref().unwrap().all().iter().flat_map(|one| one.canaries.clone()).collect();
    for recorded in stage.world.fixtures.as_ref().unwrap().all() {
        for caller in &stage.callers {
            let views = stage.views(caller, &recorded);
            let answer = stage.ask(caller, &recorded, &mut lines);
            let status = if views.is_some() { recorded.status } else { 403 };
            let what = format!("{}: {} {} by {}", recorded.file, recorded.method, recorded.target, caller.name);
            if answer.status != status {
                wrong.push(format!("{what}: {} instead of {status}: {}", answer.status, answer.text()));
                continue;
            }
            let said = said(&answer);
            // Of an error nothing is shown that a detector knows, whoever asks.
            let views = views.filter(|_| recorded.status < 400);
            for canary in &recorded.canaries {
                let in_head = recorded.headers.values().any(|value| percent(value).contains(&canary.value));
                match (is_shown(&canary.class, views.as_ref()), leaked(&said, canary)) {
                    (true, _) if in_head => {}
                    (true, None) => wrong.push(format!("{what}: {canary:?} is not shown: {}", answer.text())),
                    (false, Some(spelling)) => wrong.push(format!("{what}: {canary:?} is shown as {spelling}")),
                    (true, Some(_)) => shown += 1,
                    (false, None) => hidden += 1,
                }
            }
            // Links lead to the gateway, not past it.
            let origin = format!("localhost:{}", stage.world.crm_address.port());
            if said.contains(&origin) {
                wrong.push(format!("{what}: a link leads past the gateway: {}", answer.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), shown + hidden, wrong.join("\n"));
    assert!(shown > 50 && hidden > 50 && everything.len() > 50, "{shown} shown, {hidden} hidden");
    println!("{name}: {} values, {shown} times shown, {hidden} times hidden", everything.len());
}

fn percent(text: &str) -> String {
    percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned()
}

/// Everything there is to say about the map of one world.
fn world(name: &str, seed: u64) {
    let stage = Stage::new(name);
    show_each_role_its_own(name, &stage);
    let unmapped = UNMAPPED.iter().find(|(world, _)| *world == name).unwrap().1;
    refuse_what_is_unmapped(name, &stage, unmapped);
    drift::leaks_nothing(name, &stage, seed);
    stage.world.verify();
}

#[test]
fn salesforce_shows_each_role_what_policy_shows_and_drifts_without_a_leak() {
    world("salesforce", 11);
}

#[test]
fn hubspot_shows_each_role_what_policy_shows_and_drifts_without_a_leak() {
    world("hubspot", 12);
}

#[test]
fn zendesk_shows_each_role_what_policy_shows_and_drifts_without_a_leak() {
    world("zendesk", 13);
}

#[test]
fn dynamics_shows_each_role_what_policy_shows_and_drifts_without_a_leak() {
    world("dynamics", 14);
}

#[test]
fn zoho_shows_each_role_what_policy_shows_and_drifts_without_a_leak() {
    world("zoho", 15);
}

/// By world: requests that no route names, parameters that none takes, queries that would rename.
const UNMAPPED: [(&str, &[&str]); 5] = [
    (
        "salesforce",
        &[
            "GET /services/data/v60.0/search?q=FIND+%7Bjane%7D",
            "GET /services/data/v60.0/sobjects/Custom__c/a005g00000A0001AAA",
            "GET /services/data/v60.0/sobjects/Contact/0035g00000A0001AAA?debug=1",
            "GET /services/data/v60.0/query?q=SELECT+Secret__c+Id,COUNT(Id)+FROM+Contact+GROUP+BY+Secret__c",
            "GET /services/data/v60.0/query?q=SELECT+MAX(Secret__c)+Status+FROM+Contact",
            "GET /services/data/v60.0/query?q=SELECT+MAX(Email)+x+FROM+Contact",
            "GET /services/data/v60.0/analytics/reports/00O5g00000A0001AAA",
            "PATCH /services/data/v60.0/sobjects/Contact/0035g00000A0001AAA {\"Secret__c\":\"x\"}",
        ],
    ),
    (
        "hubspot",
        &[
            "GET /crm/v3/objects/2-3456/1",
            "GET /crm/v3/objects/contacts/1?debug=1",
            "GET /contacts/v1/contact/email/jane%40example.com/profile",
            "POST /crm/v3/objects/contacts/merge {}",
            "POST /crm/v3/objects/contacts {\"properties\":{\"own_property\":\"x\"}}",
        ],
    ),
    (
        "zendesk",
        &[
            "GET /api/v2/attachments/1.json",
            "GET /attachments/token/abc/?name=scan.pdf",
            "GET /api/v2/tickets/35.json?debug=1",
            "GET /api/v2/views/1/execute.json",
            "PUT /api/v2/users/1.json {\"user\":{\"user_fields\":{\"loyalty\":\"x\"}}}",
        ],
    ),
    (
        "dynamics",
        &[
            "GET /api/data/v9.2/contacts?fetchXml=%3Cfetch%3E",
            "GET /api/data/v9.2/contacts?$apply=aggregate(emailaddress1+with+max+as+statecode)",
            "GET /api/data/v9.2/contacts?$orderby=emailaddress1",
            "GET /api/data/v9.2/opportunities(00000000-0000-0000-0000-000000000001)",
            "GET /api/data/v9.2/new_patients",
            "POST /api/data/v9.2/contacts {\"new_card\":\"x\"}",
        ],
    ),
    (
        "zoho",
        &[
            "POST /crm/v8/coql {\"select_query\":\"select Email from Contacts\"}",
            "POST /crm/bulk/v8/read {}",
            "GET /crm/v8/Patients/1",
            "GET /crm/v8/Contacts/search?email=jane%40example.com&debug=1",
            "PUT /crm/v8/Contacts/1 {\"data\":[{\"Own_Field\":\"x\"}]}",
        ],
    ),
];

/// What the map does not name is refused before the CRM is asked.
fn refuse_what_is_unmapped(name: &str, stage: &Stage, requests: &[&str]) {
    let hits = || stage.world.fixtures.as_ref().unwrap().hits.load(std::sync::atomic::Ordering::SeqCst);
    let before = hits();
    for request in requests {
        let mut words = request.splitn(3, ' ');
        let (method, target, body) = (words.next().unwrap(), words.next().unwrap(), words.next());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = stage.world.supervisor().call(method, target, body.map(str::to_owned));
        let code = answer.code();
        let expected = ["unmapped_route", "unmapped_parameter", "unmapped_member", "aliased", "bad_target"];
        assert!(expected.contains(&code.as_str()), "{request}: {} {}", answer.status, answer.text());
    }
    assert_eq!(hits(), before, "{name}: a refused request reached the CRM");
}
