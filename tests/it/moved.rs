//! A stored form that is moved, through the gateway or past it, to another field, class, record or tenant shows nobody what he may
//! not see.

use http::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Line, World},
    write_back::{CASE, CONTACT, callers, create, held, named, setup},
};

/// A stored form of the CRM: where it stands, its class, its clear value.
struct Form {
    target: String,
    column: &'static str,
    class: &'static str,
    raw: Value,
    clear: String,
}

impl Form {
    /// Whether anybody can be told whose it is: what is sealed for a class or deterministic belongs to nobody.
    fn owned(&self) -> bool {
        !["address", "ssn"].contains(&self.class)
    }

    /// Whether policy is asked about the class where this form stands: about those of the kind's own fields, and about what
    /// is looked for in texts, those of errors among them.
    fn asks(&self, class: &str) -> bool {
        let found = ["free_text", "card_number", "iban", "email", "phone", "ssn", "birth_date"].contains(&class);
        let kind = if self.target.contains(CASE.path) { &CASE } else { &CONTACT };
        found || kind.columns.iter().any(|(_, own)| *own == class)
    }

    /// Asserts that `answer` to a write of this form refuses it. Tokens of telephones look like pseudonyms of telephones, which a
    /// PATCH leaves out.
    #[track_caller]
    fn assert_refused(&self, answer: &Answer, what: &dyn Fn() -> String) {
        if self.class == "phone" {
            assert!(answer.status.is_success(), "{}", what());
        } else {
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "injected_value"), "{}", what());
        }
    }
}

/// Two contacts and two cases, and all their stored forms.
fn forms(world: &World, supervisor: &mut Line) -> Vec<Form> {
    let mut forms = Vec::new();
    for at in 0..2 {
        let contact = [
            format!("Anna{at}bel"),
            format!("Berta{at} Clausen"),
            format!("dora{at}.emil@example.com"),
            format!("+49 151 2345670{at}"),
            format!("4111 1111 1111 111{at}"),
            format!("DE8937040044053201300{at}"),
            format!("{at}7 Foxtrot Street, Golfville"),
        ];
        let case = [
            format!("1984-03-1{at}"),
            format!("write to hotel{at}.india@example.com soon"),
            // As it is compared: that is all a deterministic value keeps.
            format!("21909999{at}"),
            format!("0{}/31", at + 1),
            format!("juliett{at}@example.com"),
            format!("030 7654321{at}"),
        ];
        for (kind, record) in [(&CONTACT, named(&CONTACT, contact)), (&CASE, named(&CASE, case))] {
            let target = format!("/world/{}/{}", kind.path, create(supervisor, kind, &record));
            let raw = held(world, &target);
            forms.extend(kind.columns.iter().map(|(column, class)| Form {
                target: target.clone(),
                column,
                class,
                raw: raw[*column].clone(),
                clear: record[*column].as_str().unwrap().to_owned(),
            }));
        }
    }
    assert_eq!(forms.len(), 26);
    forms
}

#[test]
fn a_stored_form_sent_through_the_gateway_goes_to_its_own_place_or_nowhere() {
    let world = setup().stored();
    let mut callers = callers(&world);
    let forms = forms(&world, &mut callers.last_mut().unwrap().1);
    let mut taken = 0;
    for (from, form) in forms.iter().enumerate() {
        for (to, place) in forms.iter().enumerate() {
            let (who, line) = &mut callers[(from + to) % 4];
            let before = held(&world, &place.target);
            let body = json!({ place.column: form.raw });
            let answer = line.call(Method::PATCH, &place.target, &body.to_string());
            let what = || format!("{who}: {} into {}: {} {}", form.class, place.column, answer.status, answer.text());
            if form.owned() && form.target == place.target && form.class == place.class {
                assert!(answer.status.is_success(), "{}", what());
                taken += 1;
            } else {
                form.assert_refused(&answer, &what);
            }
            assert_eq!(held(&world, &place.target)[place.column], before[place.column], "{}", what());
        }
    }
    assert_eq!(taken, 22, "each form may go where it is, but those that are nobody's");
}

/// What `line` sees of each place.
fn shown(line: &mut Line, places: &[Form]) -> Vec<String> {
    let mut records: Vec<&str> = places.iter().map(|place| place.target.as_str()).collect();
    records.dedup();
    let records: Vec<(&str, Value)> = records
        .into_iter()
        .map(|target| {
            let answer = line.call(Method::GET, target, "");
            assert_eq!(answer.status, 200, "{}", answer.text());
            (target, answer.json())
        })
        .collect();
    let of = |place: &Form| &records.iter().find(|(target, _)| *target == place.target).unwrap().1[place.column];
    places.iter().map(|place| of(place).as_str().unwrap().to_owned()).collect()
}

const UNAVAILABLE: &str = "⟦fg:unavailable⟧";

#[test]
fn a_stored_form_moved_past_the_gateway_shows_what_both_classes_allow() {
    let world = setup().stored();
    let mut callers = callers(&world);
    let forms = forms(&world, &mut callers.last_mut().unwrap().1);
    let (mut opened, mut hidden) = (0, 0);
    for shift in 0..forms.len() {
        // Columns of 40 and 80 characters do not take every form; the CRM refuses those, and the move does not happen.
        let fits = |place: &Form, form: &Form| {
            let limit = match place.column {
                "FirstName" | "Phone" | "SuppliedPhone" => 40,
                "LastName" | "Email" | "SuppliedEmail" | "SuppliedName" => 80,
                _ => 255,
            };
            form.raw.as_str().unwrap().len() <= limit
        };
        let placed: Vec<&Form> = (0..forms.len()).map(|at| &forms[(at + shift) % forms.len()]).collect();
        for (place, form) in forms.iter().zip(&placed) {
            let body = json!({ place.column: form.raw }).to_string();
            let (status, _) = world.crm.ask(Method::PATCH, &place.target, &body);
            assert_eq!(status == 204, fits(place, form), "{} into {}", form.class, place.column);
        }
        for (who, line) in &mut callers {
            for ((place, form), text) in forms.iter().zip(&placed).zip(shown(line, &forms)) {
                if !fits(place, form) {
                    continue;
                }
                let what = || {
                    format!("{who}: {} of {} in {} of {}: {text}", form.class, form.target, place.column, place.target)
                };
                assert!(!text.contains("fg1") && !text.contains(form.raw.as_str().unwrap()), "{}", what());
                let strict = form.class == "iban" && form.target != place.target;
                let sees = *who == "supervisor" && !strict && place.asks(form.class);
                assert_eq!(text == form.clear, sees, "{}", what());
                assert_eq!(text == UNAVAILABLE, strict, "{}", what());
                let secret = form.clear.split(' ').find(|word| word.contains('@')).unwrap_or(&form.clear);
                assert!(sees || !text.contains(secret), "{}", what());
                opened += usize::from(sees);
                hidden += usize::from(!sees);
            }
        }
    }
    eprintln!("{opened} opened, {hidden} hidden");
    assert!(opened > 150 && hidden > 1_000, "{opened} {hidden}");
    world.verify();
}

#[test]
fn a_stored_form_of_another_tenant_is_opened_for_nobody() {
    let of = |tenant: &str| {
        let mut world = setup().prepare().of_tenant(tenant).provide();
        world.start();
        world
    };
    let acme = of("acme");
    let theirs = forms(&acme, &mut callers(&acme).last_mut().unwrap().1);
    for tenant in ["globex", "acme"] {
        let world = of(tenant);
        let mut callers = callers(&world);
        let ours = forms(&world, &mut callers.last_mut().unwrap().1);
        for (place, form) in ours.iter().zip(&theirs) {
            let body = json!({ place.column: form.raw }).to_string();
            assert_eq!(world.crm.ask(Method::PATCH, &place.target, &body).0, 204, "{}", form.class);
        }
        for (who, line) in &mut callers {
            for ((place, form), text) in ours.iter().zip(&theirs).zip(shown(line, &ours)) {
                assert_eq!(text, UNAVAILABLE, "{who}: {} in {}", form.class, place.column);
            }
            for (place, form) in ours.iter().zip(&theirs) {
                let body = json!({ place.column: form.raw }).to_string();
                let answer = line.call(Method::PATCH, &place.target, &body);
                form.assert_refused(&answer, &|| format!("{}: {}", form.class, answer.status));
                assert_eq!(held(&world, &place.target)[place.column], form.raw, "{} stays as it was found", form.class);
            }
        }
    }
    // Nor does the key file of one tenant serve another.
    let text = std::fs::read_to_string(&acme.made.config).unwrap();
    std::fs::write(&acme.made.config, text.replace("tenant = \"acme\"", "tenant = \"globex\"")).unwrap();
    let said = acme.run("check");
    assert!(said.code != 0 && said.err.contains("tenant"), "{said:?}");
}
