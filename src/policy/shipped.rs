//! Tests of the policies in `config/policies`: what each role gets, and that nothing else does.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::model::{Action, Class, ClassSet, Kind, MaskStyle, Principal, Storage, Timestamp, Training, Via, View};

const CLASSES: [&str; 10] =
    ["name", "email", "phone", "address", "birth_date", "card_number", "card_expiry", "iban", "ssn", "free_text"];
const RESOURCES: [&str; 4] = ["customer", "order", "ticket", "comment"];
const PURPOSES: [&str; 3] = ["customer_request", "fraud_investigation", "data_subject_request"];

pub(super) fn classes() -> ClassTable {
    let class =
        |name: &&str| Class { name: (*name).into(), mask: MaskStyle::Full, storage: Storage::CLEAR, detects: vec![] };
    ClassTable::new(CLASSES.iter().map(class).collect()).unwrap()
}

pub(super) fn every_class() -> ClassSet {
    classes().iter().map(|(id, _)| id).collect()
}

fn purposes() -> Vec<String> {
    PURPOSES.iter().map(|code| (*code).to_owned()).collect()
}

pub(super) fn load(files: &[(&str, &str)], schema: Option<&str>) -> Result<Policy, Vec<Diagnostic>> {
    let files: Vec<_> = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    let schema = schema.map(|text| ("own.cedarschema".to_owned(), text.to_owned()));
    Policy::load(&files, schema.as_ref(), &purposes(), &classes(), &RESOURCES)
}

const SHIPPED: [(&str, &str); 4] = [
    ("agent.cedar", include_str!("../../config/policies/agent.cedar")),
    ("ai_assistant.cedar", include_str!("../../config/policies/ai_assistant.cedar")),
    ("auditor.cedar", include_str!("../../config/policies/auditor.cedar")),
    ("supervisor.cedar", include_str!("../../config/policies/supervisor.cedar")),
];

pub(super) fn shipped() -> Policy {
    load(&SHIPPED, Some(include_str!("../../config/policies/schema.cedarschema"))).unwrap()
}

pub(super) fn person(roles: &[&str]) -> Principal {
    Principal {
        id: "ada".into(),
        kind: Kind::Human,
        roles: roles.iter().map(|role| (*role).into()).collect(),
        team: None,
        attributes: BTreeMap::new(),
        training: Vec::new(),
        via: Via::Configured,
        session: None,
        on_behalf_of: None,
        expires: None,
    }
}

pub(super) fn assistant(roles: &[&str], human: Principal) -> Principal {
    Principal { id: "bot".into(), kind: Kind::Ai, on_behalf_of: Some(Arc::new(human)), ..person(roles) }
}

pub(super) fn question<'a>(principal: &'a Principal, action: Action, resource: &'a str) -> Question<'a> {
    Question {
        principal,
        action,
        resource,
        route: "GET /customers/{id}",
        upstream: "crm",
        classes: every_class(),
        purpose: None,
        case: false,
        now: Timestamp::from_seconds(1_795_500_000),
        network: Ipv4Addr::new(10, 0, 0, 7).into(),
    }
}

/// The views of `question` in the order of `CLASSES`, one letter each (reveal, mask, pseudonym, `-`), or the refusal.
pub(super) fn letters(policy: &Policy, question: &Question<'_>) -> String {
    let letter = |view| match view {
        View::Reveal => 'R',
        View::Mask => 'M',
        View::Pseudonym => 'P',
        View::Redact => '-',
    };
    match policy.decide(question) {
        Ok(permit) => every_class().iter().map(|class| letter(permit.views().get(class))).collect(),
        Err(Denied::PurposeRequired { codes, needs_case, .. }) => {
            format!("{}{}", codes.join("|"), if needs_case { "+case" } else { "" })
        }
        Err(denied) => denied.code().to_owned(),
    }
}

#[test]
fn the_shipped_policies_give_each_role_what_their_comments_say() {
    use Action::{Create, Delete, Export, List, Read, Update};
    const AGENT: &str = "RMMMMM-MMR";
    const SUPERVISOR: &str = "RRRRRM-RMR";
    const IN_FRAUD_CASE: &str = "RRRRRR-RMR";
    const AUDITOR: &str = "MMM--M-M--";
    const EXPORT: &str = "fraud_investigation|data_subject_request";
    let policy = shipped();
    let fraud = Some("fraud_investigation");
    let request = Some("customer_request");
    for (role, action, resource, purpose, case, expected) in [
        ("agent", Read, "customer", None, false, AGENT),
        ("agent", List, "order", None, false, AGENT),
        ("agent", Read, "ticket", fraud, true, AGENT),
        ("agent", Update, "customer", None, false, AGENT),
        ("agent", Create, "customer", None, false, "forbidden"),
        ("agent", Create, "ticket", None, false, AGENT),
        ("agent", Create, "comment", None, false, AGENT),
        ("agent", Update, "ticket", request, false, AGENT),
        ("agent", Update, "order", None, false, "forbidden"),
        ("agent", Delete, "ticket", None, false, "forbidden"),
        ("agent", Delete, "ticket", fraud, true, "forbidden"),
        ("agent", Export, "customer", None, false, "forbidden"),
        ("agent", Export, "customer", fraud, true, "forbidden"),
        ("supervisor", Read, "customer", None, false, SUPERVISOR),
        ("supervisor", Read, "customer", fraud, false, SUPERVISOR),
        ("supervisor", Read, "customer", request, true, SUPERVISOR),
        ("supervisor", Read, "customer", fraud, true, IN_FRAUD_CASE),
        ("supervisor", List, "order", fraud, true, IN_FRAUD_CASE),
        ("supervisor", Create, "customer", None, false, SUPERVISOR),
        ("supervisor", Delete, "customer", None, false, SUPERVISOR),
        ("supervisor", Export, "customer", None, false, EXPORT),
        ("supervisor", Export, "customer", request, true, EXPORT),
        ("supervisor", Export, "customer", Some("data_subject_request"), false, SUPERVISOR),
        ("supervisor", Export, "customer", fraud, true, IN_FRAUD_CASE),
        ("supervisor", Export, "customer", Some("curiosity"), true, "unknown_purpose"),
        ("auditor", Read, "customer", None, false, AUDITOR),
        ("auditor", List, "ticket", fraud, true, AUDITOR),
        ("auditor", Update, "customer", None, false, "forbidden"),
        ("auditor", Export, "customer", fraud, true, "forbidden"),
        ("ai_assistant", Read, "customer", None, false, "forbidden"),
        ("visitor", Read, "customer", None, false, "forbidden"),
        ("", List, "ticket", fraud, true, "forbidden"),
    ] {
        let principal = person(&[role]);
        let asked = Question { purpose, case, ..question(&principal, action, resource) };
        assert_eq!(letters(&policy, &asked), expected, "{role} {action} {resource} {purpose:?} {case}");
    }
}

#[test]
fn an_ai_gets_the_lower_view_of_itself_and_its_human() {
    use Action::{Create, Delete, Export, List, Read, Update};
    let policy = shipped();
    let fraud = Some("fraud_investigation");
    for (roles, human, action, purpose, expected) in [
        (&["ai_assistant"][..], "agent", Read, None, "PPP--P-P-R"),
        (&["ai_assistant"], "supervisor", List, None, "PPP--P-P-R"),
        (&["ai_assistant"], "supervisor", Read, fraud, "PPP--P-P-R"),
        (&["ai_assistant"], "auditor", Read, None, "PPP--P-P--"),
        (&["ai_assistant"], "visitor", Read, None, "forbidden"),
        (&["ai_assistant"], "supervisor", Export, fraud, "forbidden"),
        (&["ai_assistant"], "agent", Create, None, "forbidden"),
        (&["supervisor"], "supervisor", Update, None, "forbidden"),
        (&["supervisor"], "supervisor", Delete, fraud, "forbidden"),
        (&["supervisor"], "supervisor", Read, fraud, "---------R"),
        (&["supervisor", "ai_assistant"], "supervisor", Read, None, "PPP--P-P-R"),
    ] {
        let principal = assistant(roles, person(&[human]));
        let asked = Question { purpose, case: true, ..question(&principal, action, "ticket") };
        assert_eq!(letters(&policy, &asked), expected, "{roles:?} for {human}: {action} {purpose:?}");
    }
}

#[test]
fn nobody_acts_for_nobody_an_ai_or_itself() {
    let policy = shipped();
    let alone = Principal { on_behalf_of: None, ..assistant(&["ai_assistant"], person(&["agent"])) };
    let chain = Principal {
        id: "second".into(),
        ..assistant(&["ai_assistant"], assistant(&["supervisor"], person(&["supervisor"])))
    };
    let itself = Principal { id: "ada".into(), ..assistant(&["ai_assistant"], person(&["agent"])) };
    let human_for_service = Principal {
        id: "eve".into(),
        on_behalf_of: Some(Arc::new(Principal { kind: Kind::Service, ..person(&["agent"]) })),
        ..person(&["agent"])
    };
    for principal in [alone, chain, itself, human_for_service] {
        assert_eq!(letters(&policy, &question(&principal, Action::Read, "ticket")), "forbidden", "{principal:?}");
    }
}

#[test]
fn records_name_the_policies_that_decided() {
    let policy = shipped();
    let agent = person(&["agent"]);
    let permit = policy.decide(&question(&agent, Action::Read, "customer")).unwrap();
    let rules: Vec<_> = permit.rules().iter().map(|rule| &**rule).collect();
    assert_eq!(rules, ["agent-reads", "agent-sees-names-and-texts", "agent-sees-partly"]);
    let both = person(&["agent", "auditor"]);
    let denied = policy.decide(&question(&both, Action::Update, "ticket")).unwrap_err();
    assert_eq!(denied.rules().iter().map(|rule| &**rule).collect::<Vec<_>>(), ["auditor-never-writes"]);
}

#[test]
fn the_context_reaches_the_policies() {
    let text = r#"
        @id("all") permit (principal, action == Action::"read", resource) when {
            context.training.contains("gdpr") && context.network.isInRange(ip("10.0.0.0/8")) &&
            context.time.weekday == 2 && context.time.hour == 7 && context.time.minute == 420 &&
            context.upstream == "crm" && context.route == "GET /customers/{id}" &&
            principal has team && principal.team == "north" &&
            principal.hasTag("region") && principal.getTag("region") == "eu" && principal.id == "ada"
        };
        @id("see") permit (principal, action == Action::"reveal", resource == Class::"name") when {
            context.action == Verb::"read" && context.resource == Resource::"customer"
        };"#;
    let policy = load(&[("a.cedar", text)], None).unwrap().with_utc_offset(60);
    let now = Timestamp::from_seconds(1_795_500_000);
    assert_eq!(now.to_string(), "2026-11-24T06:00:00.000000Z");
    let course = |until| Training { course: "gdpr".to_owned(), valid_until: Some(until) };
    let fit = Principal {
        team: Some("north".into()),
        attributes: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
        training: vec![course(now.plus_seconds(1))],
        ..person(&[])
    };
    assert_eq!(letters(&policy, &question(&fit, Action::Read, "customer")), "R---------");
    assert_eq!(letters(&policy, &question(&fit, Action::Read, "order")), "----------");
    let expired = Principal { training: vec![course(now)], ..fit.clone() };
    let elsewhere = Principal { team: None, ..fit.clone() };
    let abroad = Principal { attributes: BTreeMap::new(), ..fit.clone() };
    for principal in [expired, elsewhere, abroad] {
        assert_eq!(letters(&policy, &question(&principal, Action::Read, "customer")), "forbidden");
    }
    let outside = Question { network: Ipv4Addr::new(11, 0, 0, 1).into(), ..question(&fit, Action::Read, "customer") };
    assert_eq!(letters(&policy, &outside), "forbidden");
    let mapped = Question { network: "::ffff:10.0.0.7".parse().unwrap(), ..outside };
    assert_eq!(letters(&policy, &mapped), "R---------", "an IPv4 caller of an IPv6 socket");
}

#[test]
fn a_policy_that_fails_to_evaluate_refuses() {
    let text = r#"
        @id("all") permit (principal, action == Action::"read", resource);
        @id("see") permit (principal, action in [Action::"reveal", Action::"mask"], resource);
        @id("late") forbid (principal, action in [Action::"read", Action::"reveal"], resource) when {
            context.route == "night" && context.time.minute * 9223372036854775807 > 0 };"#;
    let policy = load(&[("a.cedar", text)], None).unwrap();
    let ada = person(&[]);
    let day = question(&ada, Action::Read, "customer");
    assert_eq!(letters(&policy, &day), "RRRRRRRRRR");
    let denied = policy.decide(&Question { route: "night", ..day }).unwrap_err();
    assert_eq!((denied.code(), &*denied.rules()[0]), ("forbidden", "late"));
}

#[test]
fn a_needed_case_is_asked_for_only_when_no_purpose_does_without() {
    let text = r#"
        @id("a") permit (principal, action == Action::"read", resource)
            when { context has purpose && context.purpose == Purpose::"fraud_investigation" && context.case };
        @id("b") permit (principal, action == Action::"list", resource)
            when { context has purpose && (context.case || context.purpose == Purpose::"customer_request") };"#;
    let policy = load(&[("a.cedar", text)], None).unwrap();
    let ada = person(&[]);
    assert_eq!(letters(&policy, &question(&ada, Action::Read, "order")), "fraud_investigation+case");
    assert_eq!(letters(&policy, &question(&ada, Action::List, "order")), "customer_request");
    let with_case = Question { case: true, ..question(&ada, Action::Read, "order") };
    assert_eq!(letters(&policy, &with_case), "fraud_investigation");
}

#[test]
fn the_fingerprint_changes_with_every_byte_of_policy_and_not_with_the_order() {
    let (one, two) = (("a.cedar", "@id(\"a\") permit (principal, action, resource);"), ("b.cedar", "// b"));
    let print = |files: &[(&str, &str)], schema| load(files, schema).unwrap().fingerprint().to_string();
    let base = print(&[one, two], None);
    assert!(base.starts_with("sha256:") && base.len() == 71);
    assert_eq!(base, print(&[two, one], None));
    assert_ne!(base, print(&[one, ("b.cedar", "// c")], None));
    assert_ne!(base, print(&[one, ("c.cedar", "// b")], None));
    assert_ne!(base, print(&[one, two], Some("entity Role enum [\"a\"];")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Few names, so that random policies meet often: of the action, of both roles, of the classes.
    #[test]
    fn an_ai_never_gets_above_its_human(
        chosen in proptest::collection::vec((0..8u8, 0..4usize, 0..2usize, 0..2usize, 0..3usize), 4..32),
        (mine, theirs) in (0..2usize, 0..2usize),
        purpose in 0..2usize,
        case in any::<bool>(),
    ) {
        const ROLES: [&str; 2] = ["agent", "ai_assistant"];
        let mut text = String::new();
        for (index, (effect, action, role, class, when)) in chosen.into_iter().enumerate() {
            let effect = if effect == 0 { "forbid" } else { "permit" };
            let action = ["read", "reveal", "mask", "pseudonym"][action];
            let resource = if action == "read" { "Resource::\"ticket\"" } else { ["Class::\"name\"", "Class::\"email\""][class] };
            let when = ["true", "context.case", "principal.kind == Kind::\"ai\" || context has purpose"][when];
            let (role, scope) = (ROLES[role], format!("action == Action::\"{action}\", resource == {resource}"));
            text += &format!("@id(\"r{index}\") {effect} (principal in Role::\"{role}\", {scope}) when {{ {when} }};\n");
        }
        let policy = load(&[("random.cedar", &text)], None).unwrap();
        let human = person(&[ROLES[theirs]]);
        let ai = assistant(&[ROLES[mine]], human.clone());
        let purpose = [None, Some("customer_request")][purpose];
        let asked = Question { purpose, case, ..question(&ai, Action::Read, "ticket") };
        if let Ok(permit) = policy.decide(&asked) {
            let human = policy.decide(&Question { principal: &human, ..asked });
            prop_assert!(human.is_ok(), "the agent may and its human may not");
            for class in every_class().iter() {
                prop_assert!(permit.views().get(class) <= human.as_ref().unwrap().views().get(class));
            }
        }
    }
}

/// `cargo test --release --lib policy:: -- --ignored --nocapture cost`; wall time, so on a machine that is otherwise idle.
#[test]
#[ignore = "measures"]
fn cost_of_a_decision() {
    let policy = shipped();
    let (agent, ai) = (person(&["agent"]), assistant(&["ai_assistant"], person(&["agent"])));
    for (who, principal) in [("agent", &agent), ("ai for agent", &ai)] {
        let asked = question(principal, Action::Read, "customer");
        let mut times: Vec<_> = (0..2000)
            .map(|_| {
                let started = std::time::Instant::now();
                std::hint::black_box(policy.decide(&asked)).unwrap();
                started.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!("{who}: least {:?}, median {:?}, {} classes", times[0], times[1000], asked.classes.len());
    }
}
