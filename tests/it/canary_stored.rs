//! A CRM that holds stored forms, and everything that callers and operators do around it: no key, no stored form and no clear
//! value of one is found in logs of every level, problems, metrics, records, what commands print, or what a panic could say; and
//! no clear value and no key on the CRM's side or on the disk of keys and vault.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use fieldgate::{
    config::Config,
    crypto::{SubjectKey, WrapKey},
    keyring::Keyring,
    sandbox::{Crm, World as Records},
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    canary::spellings,
    harness::{Client, Setup, World, walk},
};

const COLUMNS: [&str; 6] = ["LastName", "Email", "Phone", "Card__c", "IBAN__c", "FirstName"];

/// The gateway as a process of its own that logs everything.
fn world() -> World {
    let classes = [
        ("name", "token"),
        ("email", "token:email"),
        ("phone", "token:phone"),
        ("card_number", "seal"),
        ("iban", "seal:indexed"),
        ("free_text", "seal:class"),
    ];
    let mut world = Setup::of(Crm::generate(7, 0).with_world(Records::empty().without_validators()))
        .map("world.toml")
        .storing(&classes, "enforced")
        .append("\n[log]\nlevel = \"trace\"\n")
        .provided();
    world.spawn();
    world.ready().unwrap();
    world
}

fn contact(at: usize) -> Value {
    json!({
        "FirstName": format!("Quirin{at}a"), "LastName": format!("Xylander{at}b Ypsilon"),
        "Email": format!("quirin{at}.xylander@canary.example"), "Phone": format!("+49 1555 77{at:05}"),
        "Card__c": format!("4929 3813 3266 {at:04}"), "IBAN__c": format!("DE753456789012{at:08}"),
        "Note__c": format!("rang twice about parcel zq{at}w and wants tea"), "ExternalId__c": format!("key-{at}"),
    })
}

/// Everything that callers do, with success and without; gives the text of all problems.
fn exercise(world: &World, records: &[(String, Value)]) -> Vec<String> {
    let mut problems = Vec::new();
    let (first, second) = (&records[0], &records[1]);
    let target = format!("/world/contacts/{}", first.0);
    let held = held(world, &second.0);
    let seeing = world.supervisor().with("fieldgate-purpose", "fraud_investigation").with("fieldgate-case", "CASE-1");
    for client in [world.agent(), seeing, world.ai(), world.stranger(), world.supervisor().h2()] {
        let mut note = |answer: crate::harness::Answer| {
            if answer.header("content-type") == "application/problem+json" {
                problems.push(answer.text());
            }
        };
        note(client.get(&target));
        note(client.get("/world/contacts?per_page=50"));
        for value in
            ["Email", "Phone", "IBAN__c", "Card__c", "LastName"].map(|column| first.1[column].as_str().unwrap())
        {
            let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            note(client.get(&format!("/world/contacts?Email={encoded}")));
            note(
                client.get(&format!(
                    "/world/query?q=SELECT%20Id%20FROM%20Contact%20WHERE%20IBAN__c%20LIKE%20'{encoded}'"
                )),
            );
            note(client.get(&format!("/world/odata/contacts?$filter=Phone%20eq%20'{encoded}'")));
            note(client.get(&format!("/world/unmapped/{encoded}")));
        }
        for column in COLUMNS {
            let (own, other) = (&first.1[column], &held[column]);
            note(client.send(Method::PATCH, &target, &json!({ column: other, "Note__c": own })));
            note(client.send(Method::PATCH, &target, &json!({ column: "x".repeat(300).as_str() })));
            note(client.send(Method::PUT, &target, &json!({ column: own, "Phone": "•••" })));
            note(client.call(Method::PATCH, &target, Some(format!("{{\"{column}\": {own}"))));
            let question =
                json!({ "route": "contact.read", "id": first.0, "field": format!("$.{column}"), "value": own });
            note(client.send(Method::POST, "/.fieldgate/verify", &question));
        }
        for quirk in ["truncated", "not-json", "html-error", "echo-error", "error-500", "partial", "text-plain"] {
            let client = client.clone().with("x-sandbox-quirk", quirk);
            note(client.get(&target));
            note(client.send(
                Method::PATCH,
                &target,
                &json!({ "Email": first.1["Email"], "IBAN__c": first.1["IBAN__c"] }),
            ));
        }
    }
    problems
}

/// What operators run beside the gateway, and what each run printed.
fn operate(world: &World, records: &[(String, Value)]) -> Vec<String> {
    let mut said = Vec::new();
    let mut run = |words: &str, succeeds: bool| {
        let done = world.run(words);
        assert_eq!(done.code == 0, succeeds, "{words}: {done:?}");
        said.push(format!("{} {}", done.out, done.err));
        done.out
    };
    let copy = world.dir.path().join("vault.copy");
    let receipt = world.dir.path().join("receipt.json");
    run("check", true);
    run("keys list", true);
    run("vault stats", true);
    run(&format!("vault backup {}", copy.display()), true);
    run(&format!("vault erase customer:{} --receipt {}", records[2].0, receipt.display()), true);
    let new = run("keys rotate --class iban --purpose seal", true).split('`').nth(1).unwrap().to_owned();
    run(&format!("keys promote {new} --confirmed"), true);
    run("keys destroy 00000000", false);
    run("rewrap --resource customer", false);
    said.push(std::fs::read_to_string(receipt).unwrap());
    said
}

fn held(world: &World, id: &str) -> Value {
    let (_, body) = world.crm.ask(Method::GET, &format!("/world/contacts/{id}"), "");
    serde_json::from_slice(&body).unwrap()
}

struct Length(usize);

impl aws_lc_rs::hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Every key of the world with its name: those in files, and those that the key file holds wrapped (docs/keys.md).
fn keys(world: &World) -> Vec<(String, Vec<u8>)> {
    let folder = world.made.config.parent().unwrap().join("keys");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut keys = Vec::new();
    for name in ["root.key", "kek", "audit.key"] {
        let text = read(name);
        let bytes = BASE64_STANDARD.decode(text.trim().rsplit(':').next().unwrap()).unwrap();
        assert!(bytes.len() >= 32, "{name}");
        keys.push((name.to_owned(), bytes));
    }
    let document: Value = serde_json::from_str(&read("keyset.json")).unwrap();
    let tenant = document["tenant"].as_str().unwrap();
    let wrapped = BASE64_STANDARD.decode(document["krk"]["wrapped"].as_str().unwrap()).unwrap();
    let root = WrapKey::parse(&read("kek")).unwrap().unwrap(&wrapped, tenant).unwrap();
    let info = [b"wrap\0", tenant.as_bytes()];
    let derived =
        aws_lc_rs::hkdf::Salt::new(aws_lc_rs::hkdf::HKDF_SHA256, b"fieldgate/keyset-1").extract(root.expose());
    let mut wrap = [0; 64];
    derived.expand(&info, Length(64)).unwrap().fill(&mut wrap).unwrap();
    for key in document["keys"].as_array().unwrap() {
        let Some(wrapped) = key["wrapped"].as_str() else { continue };
        let mut said = Vec::new();
        let names = ["id", "purpose", "class", "alg", "norm", "state", "created", "changed"];
        for part in
            ["fieldgate/keyset-entry", tenant].into_iter().chain(names.map(|name| key[name].as_str().unwrap_or("")))
        {
            said.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
            said.extend_from_slice(part.as_bytes());
        }
        let mut siv: aes_siv::siv::Aes256Siv = aes_siv::KeyInit::new(&wrap.into());
        let opened = siv.decrypt([&said], &BASE64_STANDARD.decode(wrapped).unwrap()).unwrap();
        keys.push((format!("{} key {}", key["purpose"], key["id"]), opened));
    }
    keys.push(("the wrapping key of the key file".to_owned(), wrap.to_vec()));
    keys.push(("the root of the key file".to_owned(), root.expose().to_vec()));
    keys
}

/// Every spelling that a run of 15 bytes of `key` could have: a part of a key is a leak too.
fn needles(key: &[u8]) -> Vec<Vec<u8>> {
    let mut needles = Vec::new();
    for part in key.chunks_exact(15) {
        let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{part:?}").trim_matches(['[', ']']).to_owned();
        needles.push(part.to_vec());
        let texts = [hex.to_uppercase(), hex, list.replace(' ', ""), list];
        needles.extend(texts.into_iter().map(String::into_bytes));
        needles.extend(
            [&BASE64_STANDARD, &BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD]
                .map(|code| code.encode(part).into_bytes()),
        );
    }
    needles
}

#[track_caller]
fn assert_absent(places: &[(String, Vec<u8>)], what: &str, needle: &[u8]) {
    for (place, bytes) in places {
        assert!(memchr::memmem::find(bytes, needle).is_none(), "{what} is found in {place}");
    }
}

#[test]
fn no_key_no_stored_form_and_no_clear_value_is_found_where_it_must_not_be() {
    let mut world = world();
    let maker: Client = world.supervisor();
    let records: Vec<(String, Value)> = (0..6)
        .map(|at| {
            let made = maker.send(Method::POST, "/world/contacts", &contact(at));
            assert_eq!(made.status, 201, "{}", made.text());
            (made.json()["id"].as_str().unwrap().to_owned(), contact(at))
        })
        .collect();
    let mut forms: Vec<String> = Vec::new();
    for (id, _) in &records {
        let held = held(&world, id);
        forms.extend(COLUMNS.iter().chain(&["Note__c"]).map(|column| held[*column].as_str().unwrap().to_owned()));
    }
    assert!(forms.iter().all(|form| form.starts_with("fg1") || form.starts_with("+999")), "{forms:?}");
    let before = keys(&world);
    let problems = exercise(&world, &records);
    assert!(problems.len() > 100, "only {} problems were seen", problems.len());
    let printed = operate(&world, &records);
    let metrics = world.admin("/metrics");
    assert!(metrics.contains("fieldgate_exchanges_total"), "{metrics}");
    let told: Vec<u8> = world
        .crm
        .received()
        .iter()
        .flat_map(|request| {
            format!("{} {:?} {}\n", request.target, request.headers, String::from_utf8_lossy(&request.body))
                .into_bytes()
        })
        .collect();
    let config = Config::load(&world.made.config).unwrap();
    let keyset = Keyring::new(config.keys.as_ref().unwrap(), config.base()).load().unwrap();
    let kek = WrapKey::parse(&std::fs::read_to_string(world.made.config.with_file_name("keys").join("kek")).unwrap())
        .unwrap();
    // What `unwrap` and `panic!("{…:?}")` could put into a message.
    let panics = format!("{keyset:?} {kek:?} {config:?} {:?}", SubjectKey::generate().unwrap());
    world.stop();
    world.verify();

    let mut said: Vec<(String, Vec<u8>)> = vec![
        ("standard error".to_owned(), world.stderr().into_bytes()),
        ("metrics".to_owned(), metrics.into_bytes()),
        ("problems".to_owned(), problems.join("\n").into_bytes()),
        ("what commands print".to_owned(), printed.join("\n").into_bytes()),
        ("what a panic says".to_owned(), panics.into_bytes()),
    ];
    let files = |dir: &std::path::Path| {
        walk(dir).into_iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
    };
    said.extend(files(&world.made.audit));
    let folder = world.made.config.parent().unwrap();
    let crm = vec![("what the CRM holds".to_owned(), world.crm.dump()), ("what the CRM was told".to_owned(), told)];
    let disk: Vec<_> = files(&folder.join("vault"))
        .chain([
            ("a backup of the vault".to_owned(), std::fs::read(world.dir.path().join("vault.copy")).unwrap()),
            ("the key file".to_owned(), std::fs::read(folder.join("keys/keyset.json")).unwrap()),
        ])
        .collect();
    assert!(said[0].1.len() > 10_000 && disk.len() >= 3, "{} bytes of log, {} files", said[0].1.len(), disk.len());

    for (_, record) in &records {
        for column in COLUMNS.iter().chain(&["Note__c"]) {
            for needle in spellings(record[*column].as_str().unwrap()) {
                for places in [&said, &crm, &disk] {
                    assert_absent(places, &format!("{column} in clear, as {needle}"), needle.as_bytes());
                }
            }
        }
    }
    for form in &forms {
        for needle in spellings(form) {
            assert_absent(&said, &format!("the stored form {needle}"), needle.as_bytes());
        }
        // The vault keeps hashes of tokens; an envelope is the CRM's alone.
        assert_absent(&disk, &format!("the stored form {form}"), form.as_bytes());
    }
    let mut all = keys(&world);
    all.extend(before);
    assert!(all.len() > 15, "{} keys", all.len());
    for (name, key) in &all {
        for needle in needles(key) {
            for places in [&said, &crm, &disk] {
                assert_absent(places, name, &needle);
            }
        }
    }
}

#[test]
fn the_search_for_keys_finds_one_that_is_there() {
    let key: Vec<u8> = (0..64).map(|byte| byte * 3).collect();
    let places = |text: String| text.into_bytes();
    for text in [
        places(format!("key {key:?}")),
        places(BASE64_STANDARD.encode(&key)),
        places(key.iter().map(|byte| format!("{byte:02X}")).collect()),
        key.clone(),
    ] {
        let found = needles(&key).iter().filter(|needle| memchr::memmem::find(&text, needle).is_some()).count();
        assert!(found >= 4, "{found} in {}", String::from_utf8_lossy(&text));
    }
}
