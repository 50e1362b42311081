//! `discover`: what it proposes for a real CRM's document that was labelled by hand, and for documents that mean harm.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path, time::Instant};

use fieldgate::{
    crm::Api,
    discover::{DiscoverError, Field, MAX_OPERATIONS, Options, Proposal, discover, schemas},
    model::{Class, ClassTable, Entity, MaskStyle, Storage},
};

fn options() -> Options {
    Options { name: "proposed".to_owned(), min_confidence: Options::MIN_CONFIDENCE }
}

fn classes() -> ClassTable {
    let class = |(name, detects): (&str, &[Entity])| Class {
        name: name.into(),
        mask: MaskStyle::Full,
        storage: Storage::CLEAR,
        detects: detects.to_vec(),
    };
    let all: [(&str, &[Entity]); 10] = [
        ("name", &[]),
        ("email", &[Entity::Email]),
        ("phone", &[Entity::Phone]),
        ("address", &[]),
        ("birth_date", &[]),
        ("card_number", &[Entity::Card]),
        ("card_expiry", &[]),
        ("iban", &[Entity::Iban]),
        ("ssn", &[Entity::UsSsn]),
        ("free_text", &[]),
    ];
    ClassTable::new(all.into_iter().map(class).collect()).unwrap()
}

fn data(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/discover").join(name)).unwrap()
}

fn proposed(document: &[u8]) -> Proposal {
    let proposal = discover(document, &options(), &classes()).unwrap();
    Api::parse("proposed.toml", &proposal.map, &classes()).unwrap();
    proposal
}

/// (schema, property) → the classes that are right, `none` among them.
type Labels = BTreeMap<(String, String), Vec<String>>;

fn labels(name: &str) -> Labels {
    let text = String::from_utf8(data(name)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let cells = lines.map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    cells
        .map(|cells| ((cells[0].clone(), cells[1].clone()), cells[2].split('|').map(str::to_owned).collect()))
        .collect()
}

/// How well proposals fit labels.
#[derive(Debug, Default)]
struct Score {
    wanted: usize,
    found: usize,
    proposed: usize,
    wrong: usize,
    mistakes: String,
}

impl Score {
    fn recall(&self) -> f64 {
        self.found as f64 / self.wanted as f64
    }

    fn false_proposals(&self) -> f64 {
        self.wrong as f64 / self.proposed as f64
    }
}

/// FNV-1a, so that the halves never move: the first was looked at while the rules were made, the second was not.
fn held_out(schema: &str) -> bool {
    let hash = schema
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    hash >> 32 & 1 == 1
}

/// Every place a document's proposals and its schemas by themselves speak of; each must be right everywhere.
fn score(document: &[u8], labels: &Labels, of: impl Fn(&str) -> bool) -> Score {
    const ASKED: [&str; 5] = ["email", "phone", "name", "address", "card_number"];
    let proposal = proposed(document);
    let mut said: BTreeMap<(String, String), Vec<Field>> = BTreeMap::new();
    let routes =
        proposal.report.routes.iter().flat_map(|route| route.request.iter().chain(&route.response).chain(&route.plain));
    for field in routes.cloned().chain(schemas(document, &options(), &classes()).unwrap()) {
        said.entry((field.schema.clone(), field.property.clone())).or_default().push(field);
    }
    let mut score = Score::default();
    for (place, right) in labels.iter().filter(|((schema, _), _)| of(schema)) {
        let none = vec![];
        let fields = said.get(place).unwrap_or(&none);
        let fits = |field: &Field| right.contains(&field.class.clone().unwrap_or("none".to_owned()));
        let mistake = fields.iter().find(|field| !fits(field));
        let wanted =
            right.iter().any(|class| ASKED.contains(&class.as_str())) && !right.iter().any(|class| class == "none");
        let class = fields.iter().any(|field| field.class.is_some());
        score.wanted += usize::from(wanted);
        score.found += usize::from(wanted && !fields.is_empty() && mistake.is_none());
        score.proposed += usize::from(class);
        score.wrong += usize::from(class && fields.iter().any(|field| field.class.is_some() && !fits(field)));
        if let Some(field) = mistake.filter(|_| wanted || class) {
            let _ = writeln!(
                score.mistakes,
                "{}.{}: {right:?}, said {:?} {} ({})",
                place.0, place.1, field.class, field.confidence, field.reason
            );
        } else if wanted && fields.is_empty() {
            let _ = writeln!(score.mistakes, "{}.{}: {right:?}, never met", place.0, place.1);
        }
    }
    score
}

#[test]
fn a_real_crm_document_gets_the_classes_a_person_gave_it() {
    let (document, labels) = (data("apideck-crm.json"), labels("apideck-crm.labels.tsv"));
    let mut good = true;
    for (half, of) in [("tuned on", false), ("held out", true)] {
        let score = score(&document, &labels, |schema| held_out(schema) == of);
        let fits = score.recall() >= 0.95 && score.false_proposals() <= 0.05;
        println!(
            "{half}: {} of {} found, {} of {} proposals wrong",
            score.found, score.wanted, score.wrong, score.proposed
        );
        if !of || std::env::var_os("FIELDGATE_DISCOVER_HELD").is_some() {
            println!("{}", score.mistakes);
        }
        good &= fits;
    }
    assert!(good);
}

/// Measured by `tests/real/discover.sh`.
#[test]
#[ignore = "needs a document that is not stored here"]
fn an_unseen_document() {
    let path = std::env::var("FIELDGATE_DISCOVER_AWS").expect("FIELDGATE_DISCOVER_AWS names the document");
    let score = score(&fs::read(path).unwrap(), &labels("aws-customer-profiles.labels.tsv"), |_| true);
    println!(
        "{} of {} found, {} of {} proposals wrong\n{}",
        score.found, score.wanted, score.wrong, score.proposed, score.mistakes
    );
}

/// One schema `Thing` with these properties, in one read route.
fn document(schemas: &serde_json::Value, schema: &str) -> Vec<u8> {
    let reference = serde_json::json!({ "$ref": format!("#/components/schemas/{schema}") });
    serde_json::to_vec(&serde_json::json!({
        "openapi": "3.1.0",
        "paths": { "/things/{id}": { "get": { "responses": { "200": { "content": { "application/json": { "schema": reference } } } } } } },
        "components": { "schemas": schemas },
    }))
    .unwrap()
}

/// The class of each place of `schema`.
fn classes_in(schemas: &serde_json::Value, schema: &str) -> BTreeMap<String, String> {
    let proposal = proposed(&document(schemas, schema));
    let response = &proposal.report.routes[0].response;
    response.iter().filter_map(|field| Some((field.selector.clone(), field.class.clone()?))).collect()
}

#[test]
fn names_in_seven_languages_mean_the_same_and_lookalikes_mean_nothing() {
    let string = || serde_json::json!({ "type": "string" });
    for (class, names) in [
        (
            "email",
            "email e-mail EMailAddress contactEmail adresse_email correo_electronico courriel emailadres work_email_2 Email__c",
        ),
        (
            "phone",
            "phone MobilePhone telefon Telefonnummer handy_nr téléphone teléfono cellulare telefone faxNumber mobiele_telefoon",
        ),
        (
            "name",
            "firstName last_name Vorname nachname nom_de_famille prénom apellidos nombre_completo cognome achternaam sobrenome \
             ownerName customer_name middle_name maidenName salutation cardholder_name",
        ),
        (
            "address",
            "street StreetAddress strasse hausnummer plz postleitzahl code_postal ville calle ciudad indirizzo cidade straat woonplaats \
             postcode zipCode BillingStreet shipping_city",
        ),
        ("card_number", "cardNumber credit_card_number kreditkartennummer numero_tarjeta card_no"),
        ("birth_date", "birthDate date_of_birth dob geburtsdatum fecha_nacimiento data_di_nascita geboortedatum"),
        ("iban", "iban IBAN kontonummer"),
        ("free_text", "description notes bemerkung comentario opmerking email_subject commentaire"),
    ] {
        for name in names.split_whitespace() {
            let schemas = serde_json::json!({ "Record": { "type": "object", "properties": { name: string() } } });
            let found = classes_in(&schemas, "Record");
            assert_eq!(found.values().collect::<Vec<_>>(), [class], "{name}: {found:?}");
        }
    }
    for name in "emailOptOut phoneTypeId email_domain fileName company_name product_name ip_address mac_address created_at status card_type \
                 businessName connectorProfileName card_last4_type emailCount phone_verified_at host_name name_format street_view_url account_id"
        .split_whitespace()
    {
        let schemas = serde_json::json!({ "Record": { "type": "object", "properties": { name: string() } } });
        assert_eq!(classes_in(&schemas, "Record"), BTreeMap::new(), "{name}");
    }
}

#[test]
fn what_stands_around_a_name_says_whose_it_is() {
    let string = || serde_json::json!({ "type": "string" });
    let named = |more: serde_json::Value| {
        let mut properties = serde_json::json!({ "name": string() });
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::json!({ "type": "object", "properties": properties })
    };
    let nothing = || serde_json::json!({});
    let schemas = serde_json::json!({ "Record": { "type": "object", "properties": {
        "owner": named(nothing()), "product": named(nothing()), "company": named(nothing()), "stage": named(nothing()),
        "somebody": named(serde_json::json!({ "email": string(), "birthday": string() })),
        "billingAddress": { "type": "object", "properties": { "line1": string(), "state": string(), "country": string() } },
        "workflow": { "type": "object", "properties": { "state": string() } },
        "phones": { "type": "array", "items": { "type": "object", "properties": { "value": string(), "type": string() } } },
        "emailAddresses": { "type": "array", "items": { "type": "object", "properties": { "value": string() } } },
        "emailOptOut": { "type": "boolean" }, "emailBouncedDate": { "type": "string", "format": "date" },
        "odd": { "type": "string", "pattern": "^[a-z!@#.-]+$" }, "asked": { "type": "string", "pattern": "^[^ ]+@[^ ]+$" },
        "contactable": { "type": "string", "format": "email" }, "reach": { "type": "string", "examples": ["jane@example.com"] },
        "extra": { "type": "object" }, "labels": { "type": "object", "additionalProperties": { "type": "integer" } },
    } } });
    let found = classes_in(&schemas, "Record");
    let expected = [
        ("$.asked", "email"),
        ("$.billingAddress.country", "address"),
        ("$.billingAddress.line1", "address"),
        ("$.billingAddress.state", "address"),
        ("$.contactable", "email"),
        ("$.emailAddresses[*].value", "email"),
        ("$.extra", "free_text"),
        ("$.owner.name", "name"),
        ("$.phones[*].value", "phone"),
        ("$.reach", "email"),
        ("$.somebody.birthday", "birth_date"),
        ("$.somebody.email", "email"),
        ("$.somebody.name", "name"),
    ];
    let expected: BTreeMap<String, String> = expected.map(|(place, class)| (place.to_owned(), class.to_owned())).into();
    assert_eq!(found, expected);
}

#[test]
fn a_proposed_map_serves_its_routes() {
    let proposal = proposed(&data("apideck-crm.json"));
    let api = Api::parse("proposed.toml", &proposal.map, &classes()).unwrap();
    let route = |method: http::Method, target: &str| {
        let matched = api.matches(&method, target).unwrap();
        (matched.route.resource.to_string(), matched.route.action.as_str(), matched.subject.is_some())
    };
    assert_eq!(route(http::Method::GET, "/crm/contacts/42"), ("contact".into(), "read", true));
    assert_eq!(route(http::Method::GET, "/crm/companies?limit=5"), ("company".into(), "list", false));
    assert_eq!(route(http::Method::PATCH, "/crm/leads/7"), ("lead".into(), "update", true));
    assert_eq!(route(http::Method::POST, "/crm/notes"), ("note".into(), "create", false));
    assert_eq!(route(http::Method::DELETE, "/crm/users/1"), ("user".into(), "delete", true));
    assert!(api.matches(&http::Method::GET, "/crm/contacts?unknown=1").is_err());
    let contact = proposal.report.routes.iter().find(|route| route.target == "GET /crm/contacts/{id}").unwrap();
    assert!(
        contact
            .response
            .iter()
            .any(|field| field.selector == "$.data.emails[*].email" && field.class.as_deref() == Some("email"))
    );
    assert_eq!(proposal.report.left_out, []);
}

#[test]
fn what_no_map_reads_is_left_out_with_its_reason() {
    let get =
        |content: serde_json::Value| serde_json::json!({ "get": { "responses": { "200": { "content": content } } } });
    let text = serde_json::json!({ "type": "object", "properties": { "email": { "type": "string" } } });
    let document = serde_json::json!({ "openapi": "3.0.0", "paths": {
        "/good": get(serde_json::json!({ "application/json": { "schema": text } })),
        "/photo": get(serde_json::json!({ "image/png": {} })),
        "/file.{ext}": get(serde_json::json!({ "application/json": { "schema": text } })),
        "/outside": get(serde_json::json!({ "application/json": { "schema": { "$ref": "other.json#/A" } } })),
        "/bare": get(serde_json::json!({ "application/json": {} })),
        "/GOOD": get(serde_json::json!({ "application/json": { "schema": text } })),
    } });
    let proposal = proposed(&serde_json::to_vec(&document).unwrap());
    let left: Vec<String> =
        proposal.report.left_out.iter().map(|left| format!("{}: {}", left.what, left.why)).collect();
    for (what, why) in [
        ("/photo", "image/png"),
        ("/file", "part of a segment"),
        ("/outside", "outside"),
        ("/bare", "no schema"),
        ("/good", "case"),
    ] {
        assert!(left.iter().any(|left| left.contains(what) && left.contains(why)), "{what}: {left:?}");
    }
    assert_eq!(proposal.report.routes.len(), 1);
}

/// Values of people that must not come out again.
const CANARIES: [&str; 7] = [
    "jane.canary@example.com",
    "canary@path.example",
    "+49 151 12345678",
    "4111 1111 1111 1111",
    "Canary",
    "Hauptstrasse",
    "jcanary",
];

fn recorded() -> String {
    let mut lines = String::new();
    for number in 0..4 {
        let contact = serde_json::json!({
            "id": 1000 + number, "display": "jane.canary@example.com", "vorname": "Canary", "reach_me": "+49 151 12345678",
            "secret_field": "4111 1111 1111 1111", "remark_field": format!("{number}: she wrote to jane.canary@example.com again and again"),
            "byMail": { "jane.canary@example.com": { "seen": true } }, "address": { "street": "Hauptstrasse 5", "city": "Berlin" },
        });
        let line = serde_json::json!({ "method": "GET", "url": format!("https://crm.example.com/api/contacts/{}?email=jane.canary@example.com", 1000 + number),
            "status": 200, "response": contact });
        let _ = writeln!(lines, "{line}");
        let line = serde_json::json!({ "method": "GET", "url": "https://crm.example.com/api/users/jcanary/by/canary@path.example", "status": 200,
            "response": { "items": [{ "id": 1, "email": "jane.canary@example.com" }] } });
        let _ = writeln!(lines, "{line}");
    }
    let failed = serde_json::json!({ "method": "GET", "url": "/api/broken", "status": 500, "response": { "message": "Canary" } });
    lines + &failed.to_string() + "\n"
}

#[test]
fn recorded_traffic_gives_classes_and_none_of_its_values() {
    let proposal = proposed(recorded().as_bytes());
    let report = serde_json::to_string(&proposal.report).unwrap();
    for canary in CANARIES {
        assert!(!proposal.map.contains(canary) && !report.contains(canary), "{canary}:\n{}", proposal.map);
    }
    let route = proposal.report.routes.iter().find(|route| route.target == "GET /api/contacts/{contact_id}").unwrap();
    let class = |selector: &str| {
        route.response.iter().find(|field| field.selector == selector).and_then(|field| field.class.clone())
    };
    for (selector, expected) in [
        ("$.display", "email"),
        ("$.vorname", "name"),
        ("$.reach_me", "phone"),
        ("$.secret_field", "card_number"),
        ("$.remark_field", "free_text"),
        ("$.address.street", "address"),
    ] {
        assert_eq!(class(selector).as_deref(), Some(expected), "{selector}\n{}", proposal.map);
    }
    assert!(route.parameters.iter().any(|field| field.selector == "email" && field.class.as_deref() == Some("email")));
    assert!(proposal.map.contains("$.byMail.*.seen") || !proposal.map.contains("byMail"), "{}", proposal.map);
}

#[test]
fn a_har_file_is_read_like_lines_and_other_hosts_are_not() {
    let entry = |url: &str, body: &str| {
        serde_json::json!({ "request": { "method": "GET", "url": url }, "response": { "status": 200,
        "content": { "mimeType": "application/json", "text": body } } })
    };
    let mut entries = vec![entry("https://ads.example/track", "{\"email\":\"x@y.example\"}")];
    entries.extend((0..3).map(|id| {
        entry(
            &format!("https://crm.example/tickets/{id}{id}{id}"),
            "{\"id\":1,\"subject\":\"Help\",\"requester\":{\"email\":\"a@b.example\"}}",
        )
    }));
    let har = serde_json::json!({ "log": { "version": "1.2", "entries": entries } });
    let proposal = proposed(&serde_json::to_vec(&har).unwrap());
    assert_eq!(proposal.report.routes.len(), 1);
    assert_eq!(proposal.report.routes[0].target, "GET /tickets/{ticket_id}");
    let fields: Vec<_> = proposal.report.routes[0]
        .response
        .iter()
        .filter_map(|field| Some((field.selector.as_str(), field.class.as_deref()?)))
        .collect();
    assert_eq!(fields, [("$.requester.email", "email"), ("$.subject", "free_text")]);
    assert_eq!(proposal.report.notes, ["1 exchanges with other hosts were not read"]);
}

#[test]
fn a_schema_that_contains_itself_is_mapped_at_every_depth() {
    let node = serde_json::json!({ "Node": { "type": "object", "properties": {
        "email": { "type": "string" }, "children": { "type": "array", "items": { "$ref": "#/components/schemas/Node" } } } },
        "Loop": { "allOf": [{ "$ref": "#/components/schemas/Loop" }] } });
    let found = classes_in(&node, "Node");
    assert_eq!(found.keys().collect::<Vec<_>>(), ["$..email", "$.email"]);
    // Nothing but itself: read, and open.
    assert!(matches!(
        discover(&document(&node, "Loop"), &options(), &classes()),
        Ok(_) | Err(DiscoverError::Nothing(_))
    ));
}

#[test]
fn a_document_in_yaml_is_the_same_document_in_json() {
    let yaml = r##"
%YAML 1.2
---
# As vendors write them: numbers as names, anchors, folded texts, words that other versions take for truths.
openapi: 3.0.3
info:
  title: "CRM"
  description: >-
    several
    lines
paths:
  /contacts/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: string, enum: [no, on, 1.0] } }
    get:
      responses:
        200: &shown
          description: |
            one record
          content:
            application/json:
              schema: { $ref: '#/components/schemas/Contact' }
        "201": *shown
components:
  schemas:
    Contact:
      type: object
      properties:
        id: { type: string }
        email: { type: string, format: email }
        phone: { type: string }
        no: { type: boolean, nullable: yes }
"##;
    let contact = serde_json::json!({ "type": "object", "properties": {
        "id": { "type": "string" }, "email": { "type": "string", "format": "email" }, "phone": { "type": "string" },
        "no": { "type": "boolean", "nullable": "yes" } } });
    let shown = serde_json::json!({ "description": "one record\n", "content": { "application/json": {
        "schema": { "$ref": "#/components/schemas/Contact" } } } });
    let json = serde_json::json!({ "openapi": "3.0.3", "info": { "title": "CRM", "description": "several lines" },
        "paths": { "/contacts/{id}": {
            "parameters": [{ "name": "id", "in": "path", "required": true,
                "schema": { "type": "string", "enum": ["no", "on", 1.0] } }],
            "get": { "responses": { "200": shown, "201": shown } } } },
        "components": { "schemas": { "Contact": contact } } });
    let (one, other) = (proposed(yaml.trim_start().as_bytes()), proposed(&serde_json::to_vec(&json).unwrap()));
    assert_eq!(one.map, other.map);
    assert!(one.map.contains("\"$.email\" = \"email\"") && one.map.contains("\"$.phone\" = \"phone\""), "{}", one.map);
    assert_eq!(one.report.routes.len(), other.report.routes.len());
}

#[test]
fn hostile_documents_end_soon_with_a_reason() {
    let started = Instant::now();
    let tried = |bytes: &[u8]| discover(bytes, &options(), &classes()).unwrap_err();
    assert!(matches!(tried(b"\xff\xfe{\0"), DiscoverError::NotUtf8(0)));
    assert!(matches!(tried(b"openapi: 3.0.0\ninfo:\n  title: x\n"), DiscoverError::NoPaths));
    for (yaml, line) in [
        ("openapi: 3.0.0\npaths: {\n", 3),
        ("openapi: 3.0.0\nopenapi: 3.1.0\n", 2),
        ("openapi: 3.0.0\n---\nopenapi: 3.0.0\n", 2),
        ("openapi: *nobody\n", 1),
    ] {
        let refused = tried(yaml.as_bytes());
        assert!(
            matches!(refused, DiscoverError::NotYaml { line: at, .. } if at.abs_diff(line) <= 1),
            "{yaml}: {refused}"
        );
    }
    let nested: String = (0..200).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    let refused = tried(format!("openapi: 3.0.0\n{nested}").as_bytes());
    assert!(refused.to_string().contains("nested deeper"), "{refused}");
    let flow = format!("openapi: 3.0.0\npaths: {}{}\n", "[".repeat(200), "]".repeat(200));
    assert!(matches!(tried(flow.as_bytes()), DiscoverError::NotYaml { line: 2, .. }));
    // 10^9 words from 10 lines.
    let mut laughs = "openapi: 3.0.0\ninfo:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        laughs += &format!("  a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    assert!(matches!(tried(laughs.as_bytes()), DiscoverError::NotYaml { .. }));
    assert!(matches!(tried(b"{\"openapi\": \"3.0.0\""), DiscoverError::NotJson { line: 1, .. }));
    assert!(matches!(tried(b"{\"swagger\": \"2.0\", \"paths\": {}}"), DiscoverError::Swagger));
    assert!(matches!(tried(b"{\"openapi\": \"3.0.0\"}"), DiscoverError::NoPaths));
    assert!(matches!(tried(b"{\"openapi\": \"3.0.0\", \"paths\": {}}"), DiscoverError::Nothing(_)));
    assert!(matches!(tried(b"[]"), DiscoverError::UnknownKind));
    assert!(matches!(tried(b""), DiscoverError::NotJson { .. }));
    assert!(matches!(
        tried(b"{\"method\":\"GET\",\"url\":\"/a\",\"status\":200}\n{\"method\":1}\n"),
        DiscoverError::Line { number: 2, .. }
    ));
    let deep = "[".repeat(100_000);
    assert!(tried(deep.as_bytes()).to_string().contains("nested too deep"));
    // 2^40 ways through, each short.
    let mut doubling: serde_json::Map<String, serde_json::Value> = (0..40)
        .map(|n| {
            let next = serde_json::json!({ "$ref": format!("#/components/schemas/S{}", n + 1) });
            (format!("S{n}"), serde_json::json!({ "type": "object", "properties": { "a": next, "b": next } }))
        })
        .collect();
    doubling.insert("S40".to_owned(), serde_json::json!({ "type": "string" }));
    let left = tried(&document(&doubling.into(), "S0"));
    assert!(matches!(&left, DiscoverError::Nothing(why) if why.contains("cannot be described")), "{left}");
    // Long strings everywhere, and members with names from elsewhere.
    let long = "x".repeat(1 << 20);
    let schema = serde_json::json!({ "R": { "type": "object", "properties": {
        "email": { "type": "string", "description": long, "pattern": long, "example": long, "format": long },
        "a\nb\u{7}\"'] # = [[route]]": { "type": "string", "format": "email" } } } });
    let map = proposed(&document(&schema, "R")).map;
    assert!(map.len() < 4_000, "{}", map.len());
    let many = serde_json::json!({ "R": { "type": "object", "properties": { long: { "type": "string" } } } });
    assert!(matches!(tried(&document(&many, "R")), DiscoverError::Nothing(_)));
    println!("{:?}", started.elapsed());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn ten_thousand_paths_are_mapped_and_one_operation_past_the_limit_is_refused() {
    let operation = serde_json::json!({ "get": { "responses": { "204": {} } } });
    let of = |count: usize| {
        let paths: serde_json::Map<_, _> = (0..count).map(|n| (format!("/p{n}/{{id}}"), operation.clone())).collect();
        serde_json::to_vec(&serde_json::json!({ "openapi": "3.0.3", "paths": paths })).unwrap()
    };
    let paths = std::env::var("FIELDGATE_DISCOVER_PATHS").ok().and_then(|paths| paths.parse().ok()).unwrap_or(1_000);
    let started = Instant::now();
    assert_eq!(proposed(&of(paths)).report.routes.len(), paths);
    println!("{paths} paths: {:?}", started.elapsed());
    let refused = discover(&of(MAX_OPERATIONS + 1), &options(), &classes()).unwrap_err();
    assert!(matches!(refused, DiscoverError::TooManyOperations) && !refused.help().is_empty());
}
