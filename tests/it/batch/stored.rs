//! Batches whose values are stored in another form.

use super::*;
use crate::harness::fieldgate;

/// A CRM that stores one contact: what a batch creates, and what it then reads.
fn storing() -> (Arc<Fake>, World) {
    let held = Mutex::new(String::from("{}"));
    let fake = Fake::new(move |asked: &Asked| {
        let mut held = held.lock().unwrap();
        let parts: Vec<String> = asked
            .body
            .split("Content-Type: application/http")
            .skip(1)
            .map(|part| {
                if let Some(body) = part.lines().find(|line| line.starts_with('{')) {
                    let mut contact: Value = serde_json::from_str(body).unwrap();
                    contact["contactid"] = "c-1".into();
                    *held = contact.to_string();
                    let reply = reply("1", "201 Created", JSON, &held);
                    return set("made", &[reply]);
                }
                let list = part.contains("filter");
                reply("", "200 OK", JSON, &if list { format!("{{\"value\":[{held}]}}") } else { held.clone() })
            })
            .collect();
        (200, "multipart/mixed; boundary=answer".to_owned(), mixed("answer", &parts).into_bytes())
    });
    let mut setup = Setup::new().map("batch.toml").answered_by(&fake);
    for (class, storage) in [("email", "token:email"), ("phone", "token:phone"), ("card_number", "seal")] {
        let name = format!("name = \"{class}\"");
        setup = setup.edit(&name, &format!("{name}\nstorage = \"{storage}\"\nphase = \"enforced\""));
    }
    let keys = "\n[keys]\nkeyset = \"keys/keyset.json\"\nkek = { provider = \"file\", path = \"keys/kek\" }\n\n[vault]\ntoken_domain = \"fg.example.com\"\n";
    let mut world = setup.append(keys).prepare();
    let said = fieldgate(["keys", "new", "--config", world.made.config.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let config = fieldgate::config::Config::load(&world.made.config).unwrap();
    let keys = fieldgate::gateway::keyset(&config).unwrap().unwrap();
    let vault = config.vault.clone().unwrap();
    let settings = fieldgate::vault::Settings { dir: config.path(&vault.dir), ..vault };
    fieldgate::vault::Vault::init(&settings, keys).unwrap();
    world.start();
    (fake, world)
}

#[test]
fn values_are_stored_searched_and_opened_in_each_call_of_a_batch() {
    let (fake, world) = storing();
    let body = json!({"emailaddress1": "nadia@mail.test", "telephone1": "+49 30 5550123", "card": "4111111111111111"});
    let create = set("ours", &[part("1", "POST contacts", &body.to_string())]);
    let read = part("", "GET contacts(00000000-0000-0000-0000-000000000001)", "");
    let search = part("", "GET contacts?$filter=emailaddress1%20eq%20%27nadia@mail.test%27", "");
    let answer = send(&world.supervisor(), &[create, read.clone()]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let asked = fake.received().remove(0).body;
    for clear in ["nadia", "5550123", "4111111111111111"] {
        assert!(!asked.contains(clear), "{clear} in clear: {asked}");
    }
    assert!(asked.contains("@fg.example.com") && asked.contains("fg1_"), "{asked}");
    assert_eq!(answer.text().matches("nadia@mail.test").count(), 2, "{}", answer.text());
    for (client, shown, hidden) in [
        (world.supervisor(), "nadia@mail.test", "4111111111111111"),
        (world.agent(), "n\u{2022}\u{2022}\u{2022}@mail.test", "nadia@"),
    ] {
        let answer = send(&client, &[read.clone(), search.clone()]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        assert!(text.matches(shown).count() == 2 && !text.contains(hidden), "{text}");
        assert!(!text.contains("fg1_") && !text.contains("fg.example.com"), "{text}");
        let asked = fake.received().remove(0).body;
        assert!(!asked.contains("nadia") && asked.contains("fg.example.com"), "{asked}");
    }
}

#[test]
fn a_stored_form_of_another_record_is_refused_inside_of_a_batch() {
    let (fake, world) = storing();
    let body = json!({"emailaddress1": "nadia@mail.test", "card": "4111111111111111"}).to_string();
    assert_eq!(send(&world.supervisor(), &[set("ours", &[part("1", "POST contacts", &body)])]).status, 200);
    let asked = fake.received().remove(0).body;
    let sealed = asked.split('"').find(|text| text.starts_with("fg1_")).unwrap().to_owned();
    let stolen = part("1", "PATCH contacts(other)", &json!({"card": sealed}).to_string());
    let answer = send(&world.supervisor(), &[stolen]);
    assert_eq!(
        (answer.code().as_str(), &answer.json()["position"]),
        ("injected_value", &json!(1)),
        "{}",
        answer.text()
    );
    assert!(fake.received().is_empty());
}
