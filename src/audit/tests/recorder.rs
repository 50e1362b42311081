//! The exact shape of records, and what never enters one.

use std::sync::Arc;

use base64::{Engine, prelude::*};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{access, clock, outcome, principal, reveal, set, subject, subject_key};
use crate::{
    audit::{
        AuditError, case_reference,
        record::{LINE_BYTES, Lines, Recorder, SUBJECTS},
        subject_reference,
    },
    crypto::hex,
    model::{AccessEvent, AccessKind, Actor, Event, Lifecycle, Principal, Purpose},
};

fn recorder() -> Recorder {
    Recorder { subject_ref: Some(subject_key()), node: "gw-1".into() }
}

fn lines(event: &Event) -> Vec<String> {
    let mut out = Lines::default();
    recorder().event(event, &mut out).unwrap();
    let starts = std::iter::once(0).chain(out.ends.iter().copied());
    starts.zip(&out.ends).map(|(start, end)| String::from_utf8(out.bytes[start..*end].to_vec()).unwrap()).collect()
}

fn record(event: &Event) -> Value {
    let lines = lines(event);
    assert_eq!(lines.len(), 1);
    serde_json::from_str(&lines[0]).unwrap()
}

#[test]
fn a_record_of_a_call_in_a_batch_names_its_number_and_others_name_none() {
    let one = access(AccessKind::Intent, 1, Vec::new());
    assert_eq!(record(&Event::Access(one.clone()))["call"], Value::Null);
    let call = record(&Event::Access(AccessEvent { call: Some(17), ..one }));
    assert_eq!(call["call"], 17);
    assert!(crate::audit::summary(&call).contains("call 17"), "{}", crate::audit::summary(&call));
}

#[test]
fn a_reveal_is_written_member_by_member() {
    let mut record = record(&reveal(0x0193_9f6e_7c18_7d10_8f11_b02b_3a6f_9e01));
    let id = record["id"].take();
    let id = id.as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "7"));
    assert!("89ab".contains(&id[19..20]), "{id}");
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(record["n"].take().as_str().unwrap()).unwrap().len(), 16);
    let reference = subject_reference(&subject_key(), "customer", "crm", &"C-1001".to_owned().into());
    assert_eq!(
        record,
        json!({
            "v": 1, "kind": "access.reveal", "id": null, "ts": "2026-11-24T09:14:02.318224Z", "n": null,
            "req": "01939f6e-7c18-7d10-8f11-b02b3a6f9e01", "part": {"n": 1},
            "trace": "abababababababababababababababab",
            "actor": {
                "sub": "support-bot", "kind": "ai", "roles": ["ai_assistant", "reader"], "team": "second \"line\"",
                "via": "jwt:okta", "session": "s_77f1", "on_behalf_of": {"sub": "anna", "roles": ["agent"]},
                "ip": "10.4.2.17",
            },
            "purpose": {
                "code": "customer_request",
                "case": case_reference(&subject_key(), &"CASE-10234".to_owned().into()),
            },
            "op": {
                "verb": "read", "method": "GET", "route": "customers.get", "template": "GET /api/v1/customers/{id}",
                "upstream": "crm",
            },
            "subjects": [{
                "ref": reference, "type": "customer", "reveal": ["name"], "mask": ["email", "phone"],
                "redact": ["card_number"],
            }],
            "counts": {"subjects": 1, "reveal": 1, "mask": 2, "pseudonym": 0, "redact": 1},
            "decision": {
                "effect": "permit-protected", "rules": ["agent-reads"], "policy": "sha256:9f2c41d0",
                "notes": ["pass_cookies"],
            },
            "node": "gw-1",
        })
    );
}

#[test]
fn an_outcome_says_how_it_ended_and_names_nobody_seen() {
    let record = record(&outcome(1));
    assert_eq!(record["kind"], "access.outcome");
    assert_eq!(record["subjects"], Value::Null);
    let expected = json!({
        "status": 200, "upstream_status": 200, "released": true, "bytes": 612, "ms": 7, "client_abort": false,
    });
    assert_eq!(record["outcome"], expected);
}

#[test]
fn an_unknown_caller_without_a_purpose_is_said_to_be_so() {
    let mut event = access(AccessKind::Deny, 1, vec![]);
    event.actor = Arc::new(Actor { principal: None, address: "2001:db8::1".parse().unwrap() });
    event.purpose = Arc::new(Purpose::default());
    let record = record(&Event::Access(event));
    assert_eq!(record["actor"], json!({"unknown": true, "ip": "2001:db8::1"}));
    assert_eq!(record["purpose"], json!({"missing": true}));
}

#[test]
fn subjects_fill_a_line_to_the_limit_and_one_more_begins_another() {
    let event = |count: usize| {
        let subjects = (0..count).map(|number| subject(&format!("C-{number}"))).collect();
        Event::Access(access(AccessKind::Reveal { part: 3 }, 1, subjects))
    };
    assert_eq!(lines(&event(SUBJECTS)).len(), 1);
    let both = lines(&event(SUBJECTS + 1));
    let parsed: Vec<Value> = both.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parsed.len(), 2);
    assert_eq!(parsed[0]["part"], json!({"n": 3, "piece": 1}));
    assert_eq!(parsed[1]["part"], json!({"n": 3, "piece": 2}));
    assert_eq!(parsed[0]["counts"]["subjects"], SUBJECTS);
    assert_eq!(parsed[1]["subjects"].as_array().unwrap().len(), 1);
    let many = lines(&event(2000));
    let total: usize = many
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["subjects"].as_array().unwrap().len())
        .sum();
    assert_eq!(total, 2000);
    assert!(many.iter().all(|line| line.len() <= LINE_BYTES));
}

#[test]
fn a_record_that_cannot_fit_a_line_is_refused_whole() {
    let wide = "\u{1}".repeat(256);
    let roles = vec![wide.as_str().into(); 64];
    let human = Arc::new(Principal { roles: roles.clone(), ..principal() });
    let mut event = access(AccessKind::Deny, 1, vec![]);
    let actor = Principal { roles, on_behalf_of: Some(human), ..principal() };
    event.actor = Arc::new(Actor { principal: Some(Arc::new(actor)), ..(*event.actor).clone() });
    let mut out = Lines::default();
    let refused = recorder().event(&Event::Access(event), &mut out);
    assert!(matches!(refused, Err(AuditError::TooLong)));
    assert!(out.ends.is_empty());
}

#[test]
fn canaries_never_appear_in_clear_hex_base64_or_url_form() {
    let (id, case) = ("C-canary-7731@example.com", "CASE canary/99");
    let mut event = access(AccessKind::Reveal { part: 1 }, 1, vec![subject(id)]);
    event.purpose = Arc::new(Purpose { code: None, case: Some(case.to_owned().into()) });
    let text = lines(&Event::Access(event)).concat();
    let attribute = "attribute-never-written";
    for canary in [id, case, attribute] {
        let encoded = [
            canary.to_owned(),
            hex(canary.as_bytes()),
            BASE64_STANDARD.encode(canary).trim_end_matches('=').to_owned(),
            BASE64_URL_SAFE_NO_PAD.encode(canary),
            canary.replace('@', "%40").replace(' ', "%20").replace('/', "%2F"),
        ];
        assert!(encoded.iter().all(|form| !text.contains(form.as_str())), "{canary}");
    }
    assert!(text.contains("\"ref\":\"s1:"));
}

#[test]
fn two_records_of_one_event_differ_by_their_nonce() {
    assert_ne!(lines(&reveal(1)), lines(&reveal(1)));
}

#[test]
fn what_happens_to_the_gateway_is_recorded_too() {
    let event = |what| record(&Event::Lifecycle { at: clock(), what });
    assert_eq!(event(Lifecycle::PolicyLoaded { policy: "sha256:1".into() })["policy"], "sha256:1");
    let reload = event(Lifecycle::Reloaded { outcome: "refused", config: "sha256:2".into() });
    assert_eq!((&reload["kind"], &reload["outcome"]), (&json!("admin.reload"), &json!("refused")));
    let review = event(Lifecycle::Reviewed { reviewer: "eve".into(), verb: "show" });
    assert_eq!((&review["kind"], &review["reviewer"]), (&json!("review.query"), &json!("eve")));
}

proptest! {
    #[test]
    fn a_subject_reads_among_others_as_it_does_alone(
        shapes in prop::collection::vec((0_u8..3, any::<bool>(), 0_u8..2, prop::collection::vec(0_usize..4, 5)), 1..12)
    ) {
        let one = |at: usize, (kind, named, id, sets): &(u8, bool, u8, Vec<usize>)| {
            let set = |at: usize| set(&[vec![], vec![0], vec![1, 2], vec![3]][sets[at]]);
            let mut subject = subject(&format!("C-{at}-{id}"));
            subject.kind = ["customer", "ticket", "customer\""][usize::from(*kind)].into();
            let seen = &mut subject.seen;
            if !named {
                seen.subject = None;
            }
            (seen.reveal, seen.mask, seen.pseudonym, seen.redact, seen.capped) = (set(0), set(1), set(2), set(3), set(4));
            subject
        };
        let subjects: Vec<_> = shapes.iter().enumerate().map(|(at, shape)| one(at, shape)).collect();
        let of = |subjects| record(&Event::Access(access(AccessKind::Reveal { part: 1 }, 1, subjects)))["subjects"].take();
        let alone: Vec<Value> = subjects.iter().map(|subject| of(vec![subject.clone()])[0].take()).collect();
        prop_assert_eq!(of(subjects), Value::Array(alone));
    }

    #[test]
    fn any_names_make_one_line_of_json_that_holds_them(id in "\\PC{1,80}", role in any::<String>(), session in any::<String>()) {
        let mut event = access(AccessKind::Deny, 1, vec![]);
        let actor = Principal {
            id: id.as_str().into(),
            roles: vec![role.as_str().into()],
            session: Some(session.as_str().into()),
            ..principal()
        };
        event.actor = Arc::new(Actor { principal: Some(Arc::new(actor)), ..(*event.actor).clone() });
        let line = lines(&Event::Access(event)).concat();
        prop_assert!(!line.contains('\n'));
        let record: Value = serde_json::from_str(&line).unwrap();
        if id.len() <= 256 {
            prop_assert_eq!(&record["actor"]["sub"], &json!(id));
        }
        if role.len() <= 256 {
            prop_assert_eq!(&record["actor"]["roles"][0], &json!(role));
        }
        if session.len() <= 256 {
            prop_assert_eq!(&record["actor"]["session"], &json!(session));
        }
    }
}
