//! What each fuzz target claims, as plain functions of bytes: cargo-fuzz runs them for hours, `cargo test` for a bounded
//! number of inputs on the stable tool chain. A claim that does not hold panics.

use std::sync::{Arc, LazyLock};

use fieldgate::{
    audit,
    crm::{
        Api, graphql,
        search::{Clause, Dialect, Pattern, Query, SearchError, SearchFields},
    },
    crypto::{
        ClassPlan, Envelope, Kek, KeyFile, Keyset, Krk, Purpose, RootKey, Seal, Spelling, find_sealed, looks_sealed,
    },
    detect::{Detector, Sought},
    gateway::{self, CodingError},
    model::{
        BodyFormat, BodyMap, Class, ClassTable, Column, Delimiter, Entity, FieldRule, KeyScope, MaskStyle, Mode,
        Selector, Storage, Timestamp, TokenShape, Views,
    },
    protect::Protector,
    rewrite::{
        Layout, Limits, Plan, ResponseView, Tools, WriteBack, form, guard_request, mcp,
        multipart::{self, InnerRequest, InnerResponse, Parameters, write_request, write_response},
    },
};

/// Classes like those of a real configuration.
static CLASSES: LazyLock<Arc<ClassTable>> = LazyLock::new(|| {
    let class = |name: &str, mask, detects: &[Entity]| Class {
        name: name.into(),
        mask,
        storage: Storage::CLEAR,
        detects: detects.to_vec(),
    };
    let classes = vec![
        class("name", MaskStyle::Name, &[]),
        class("email", MaskStyle::Email, &[Entity::Email]),
        class("phone", MaskStyle::Phone, &[Entity::Phone]),
        class("address", MaskStyle::Address, &[]),
        class("birth_date", MaskStyle::Date, &[]),
        class("card_number", MaskStyle::Card, &[Entity::Card]),
        class("card_expiry", MaskStyle::Full, &[]),
        class("iban", MaskStyle::Iban, &[Entity::Iban]),
        class("ssn", MaskStyle::KeepLast(4), &[Entity::UsSsn]),
    ];
    Arc::new(ClassTable::new(classes).expect("a valid table"))
});

static SANDBOX: LazyLock<Api> = LazyLock::new(|| {
    Api::parse("sandbox.toml", include_str!("../config/crm/sandbox.toml"), &CLASSES).expect("a valid map")
});

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let field = |selector: &str, class: &str| FieldRule {
        selector: selector.parse().expect("a valid selector"),
        class: CLASSES.id(class).expect("a class"),
        base64: false,
        column: Column::default(),
    };
    let map = BodyMap {
        fields: vec![
            field("$.email", "email"),
            field("$..card", "card_number"),
            field("$.items[*].phone", "phone"),
            field("$.f[?@.name == 'Card'].values[*]", "card_number"),
            field("$.notes", "free_text"),
        ],
        record: Some("$.items[*]".parse().expect("a valid selector")),
        subject: Some("$.id".parse().expect("a valid selector")),
        ..BodyMap::default()
    };
    let layout = Layout::compile(&map, &CLASSES).expect("a layout");
    let key = RootKey::parse("fieldgate-root-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("a key");
    let tools = Tools {
        classes: Arc::clone(&CLASSES),
        protector: Protector::new(key.derive(Purpose::Pseudonym, "fuzz").expect("a derived key")),
        detector: Detector::new(),
        store: None,
    };
    Arc::new(Plan {
        layout: Arc::new(layout),
        views: Views::default(),
        tools: Arc::new(tools),
        links: None,
        known: Arc::new([]),
        subject: None,
        limits: Limits::default(),
    })
});

fn rewrite(chunks: &[&[u8]]) -> Option<Vec<u8>> {
    let (mut view, mut out) = (ResponseView::new(Arc::clone(&PLAN)), Vec::new());
    for chunk in chunks {
        view.push(chunk, &mut out).ok()?;
    }
    view.finish(&mut out).ok()?;
    Some(out)
}

/// Any chunking gives the same output or the same refusal; what is accepted is JSON before and after.
pub fn json_rewriter(data: &[u8]) {
    let Some((seed, text)) = data.split_first() else { return };
    let whole = rewrite(&[text]);
    let step = usize::from(*seed % 13) + 1;
    let parts = rewrite(&text.chunks(step).collect::<Vec<_>>());
    assert_eq!(whole, parts, "chunks of {step}");
    if let Some(out) = whole {
        assert!(std::str::from_utf8(&out).is_ok(), "the output is not UTF-8");
        let again = rewrite(&[&out]);
        assert!(again.is_some(), "what came out is not accepted again");
    }
    for rule in [WriteBack::Drop, WriteBack::Refuse] {
        if let Ok(guarded) = guard_request(&PLAN, text, rule) {
            assert!(rewrite(&[&guarded.body]).is_some(), "a guarded body is not JSON any more");
        }
    }
}

static FEEDS: LazyLock<[(BodyFormat, Arc<Plan>); 3]> = LazyLock::new(|| {
    let field = |selector: &str, class: &str| FieldRule {
        selector: selector.parse().expect("a valid selector"),
        class: CLASSES.id(class).expect("a class"),
        base64: false,
        column: Column::default(),
    };
    [BodyFormat::Ndjson, BodyFormat::Csv(Delimiter::Auto), BodyFormat::Sse].map(|format| {
        let map = BodyMap {
            format,
            fields: vec![field("$.email", "email"), field("$.phone", "phone"), field("$.notes", "free_text")],
            subject: Some("$.id".parse().expect("a valid selector")),
            ..BodyMap::default()
        };
        let layout = Layout::compile(&map, &CLASSES).expect("a layout");
        (format, Arc::new(Plan { layout: Arc::new(layout), ..(**PLAN).clone() }))
    })
});

fn feed(format: fn(BodyFormat) -> bool, data: &[u8]) {
    if let Some((known, plan)) = FEEDS.iter().find(|(known, _)| format(*known)) {
        rewriter(plan, data, *known != BodyFormat::Sse);
    }
}

fn rewriter(plan: &Arc<Plan>, data: &[u8], is_written: bool) {
    let Some((seed, text)) = data.split_first() else { return };
    let read = |chunks: &[&[u8]]| -> Option<(Vec<u8>, usize)> {
        let (mut view, mut out) = (ResponseView::new(Arc::clone(plan)), Vec::new());
        for chunk in chunks {
            view.push(chunk, &mut out).ok()?;
            assert!(view.releasable() <= out.len() as u64, "more is released than there is");
        }
        let seen = view.finish(&mut out).ok()?;
        Some((out, seen.len()))
    };
    let whole = read(&[text]);
    let step = usize::from(*seed % 13) + 1;
    assert_eq!(whole, read(&text.chunks(step).collect::<Vec<_>>()), "chunks of {step}");
    if let Some((out, _)) = whole {
        assert!(std::str::from_utf8(&out).is_ok(), "the output is not UTF-8");
        assert!(read(&[&out]).is_some(), "what came out is not accepted again");
    }
    if is_written {
        for rule in [WriteBack::Drop, WriteBack::Refuse] {
            if let Ok(guarded) = guard_request(plan, text, rule) {
                assert!(read(&[&guarded.body]).is_some(), "a guarded body is not one of its format any more");
            }
        }
    }
}

/// As [`json_rewriter`], line by line.
pub fn ndjson_rewriter(data: &[u8]) {
    feed(|format| format == BodyFormat::Ndjson, data);
}

/// Any chunking of a table gives the same output or the same refusal; what comes out is a table again.
pub fn csv_rewriter(data: &[u8]) {
    feed(|format| matches!(format, BodyFormat::Csv(_)), data);
}

/// Any chunking of a stream gives the same events or the same refusal; what comes out is a stream again.
pub fn sse_rewriter(data: &[u8]) {
    feed(|format| format == BodyFormat::Sse, data);
}

static XML: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let field = |selector: &str, class: &str| FieldRule {
        selector: selector.parse().expect("a valid selector"),
        class: CLASSES.id(class).expect("a class"),
        base64: false,
        column: Column::default(),
    };
    let map = BodyMap {
        format: BodyFormat::Xml,
        fields: vec![field("$..email", "email"), field("$.a['@phone']", "phone"), field("$.a.notes", "free_text")],
        record: Some("$.a.b".parse().expect("a valid selector")),
        subject: Some("$.id".parse().expect("a valid selector")),
        ..BodyMap::default()
    };
    let layout = Layout::compile(&map, &CLASSES).expect("a layout");
    Arc::new(Plan { layout: Arc::new(layout), ..(**PLAN).clone() })
});

/// Any chunking of XML gives the same output or the same refusal; what comes out is XML again.
pub fn xml_rewriter(data: &[u8]) {
    rewriter(&XML, data, true);
}

/// Findings are sorted, apart, on character boundaries and of a score that was asked for, and the same the second time.
pub fn detector(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let detector = Detector::of(Sought::these(&Entity::ALL));
    let (mut findings, mut again) = (Vec::new(), Vec::new());
    detector.scan(text, &mut findings);
    let mut end = 0;
    for finding in &findings {
        assert!(finding.start >= end && finding.end > finding.start, "out of order");
        assert!(text.get(finding.start..finding.end).is_some(), "inside a character");
        assert!((Sought::THRESHOLD..=100).contains(&finding.score), "a score of {}", finding.score);
        end = finding.end;
    }
    assert!(findings.is_empty() || detector.worth_scanning(text), "the gate and the scan disagree");
    detector.scan(text, &mut again);
    assert_eq!(findings, again, "twice the same text, and not the same findings");
}

/// A map is accepted or refused with diagnostics; it never panics, and what it accepts has routes that know their place.
pub fn api_map(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Api::parse("map.toml", text, &CLASSES) {
        Ok(api) => assert!(api.routes().iter().enumerate().all(|(index, route)| route.index == index)),
        Err(mistakes) => assert!(!mistakes.is_empty(), "refused without a reason"),
    }
}

/// A selector parses or says where it does not.
pub fn jsonpath(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = text.parse::<Selector>() {
        assert!(error.at <= text.len(), "the place is past the end");
    }
}

/// A segment that was not written by the log is never sound.
pub fn record_line(data: &[u8]) {
    const KEY: &str = "fieldgate.test/gw-1+00000000+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    if let Ok(report) = audit::verify_bytes(b"", b"{}", data, KEY) {
        assert!(!report.is_sound(), "an unsigned segment is called sound");
    }
    assert!(audit::parse_reference(&String::from_utf8_lossy(data)).is_none_or(|index| index < u64::MAX));
}

/// A target that reaches a route is canonical: it reaches the same route again, by itself.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for method in [http::Method::GET, http::Method::PATCH] {
        if let Ok(matched) = SANDBOX.matches(&method, text) {
            let again = SANDBOX.matches(&method, &matched.target).expect("a canonical target reaches a route");
            assert_eq!(again.route.index, matched.route.index);
            assert_eq!(again.target, matched.target, "canonicalising twice differs");
            for forbidden in ["//", "/../", "/./", "\\", "#"] {
                assert!(!matched.target.contains(forbidden), "the CRM would see `{forbidden}`");
            }
        }
    }
}

/// Keys that live as long as the process: what was not sealed below does not open with them.
static KEYS: LazyLock<Keyset> = LazyLock::new(|| {
    let class = |class, mode| ClassPlan { class, storage: Storage { mode, ..Storage::CLEAR } };
    let classes = [class("note", Mode::Seal(KeyScope::Class)), class("login", Mode::Det)];
    let kek = Kek { provider: "file".into(), uri: String::new(), context: Default::default() };
    let root = Krk::generate().expect("randomness");
    let file = KeyFile::new("fuzz", &classes, kek, Vec::new(), root, Timestamp::from_seconds(0)).expect("a key file");
    file.open().expect("keys")
});

/// Genuine values to start from.
pub static SEALED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut made = Vec::new();
    for spelling in [Spelling::Base64, Spelling::Base32] {
        for text in ["", "DE89370400440532013000"] {
            let value = Seal { class: "note", text, subject: None, normalised: None, spelling, padding: 0 };
            made.push(KEYS.seal(&value).expect("sealed"));
            made.extend(KEYS.det("login", text, spelling).expect("sealed"));
        }
    }
    made
});

/// A text is one envelope or none: what parses is found whole, looks like it, and opens only if it was sealed here.
pub fn envelope(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(place) = find_sealed(text) {
        assert!(Envelope::parse(&text[place]).is_ok(), "what was found does not parse");
    }
    let Ok(envelope) = Envelope::parse(text) else { return };
    assert!(looks_sealed(text) && envelope.length() == text.len());
    assert_eq!(find_sealed(text), Some(0..text.len()));
    if KEYS.open(&envelope, None).is_ok() {
        // Base32 is read in either case.
        let same = |known: &String| known == text || (known.starts_with("fg1_c") && known.eq_ignore_ascii_case(text));
        assert!(SEALED.iter().any(same), "a value opened that nobody sealed");
    }
}

const DIALECTS: [Dialect; 9] = [
    Dialect::Soql,
    Dialect::TicketSql,
    Dialect::Zendesk,
    Dialect::HubSpot,
    Dialect::OData(Clause::Filter),
    Dialect::OData(Clause::OrderBy),
    Dialect::OData(Clause::Select),
    Dialect::OData(Clause::Apply),
    Dialect::OData(Clause::Key),
];

static FIELDS: LazyLock<SearchFields> = LazyLock::new(|| {
    let class = |name: &str, mode, detects: &[Entity]| Class {
        name: name.into(),
        mask: MaskStyle::Full,
        storage: Storage { mode, ..Storage::CLEAR },
        detects: detects.to_vec(),
    };
    let classes = vec![
        class("email", Mode::Token(TokenShape::Email), &[Entity::Email]),
        class("iban", Mode::SealIndexed, &[Entity::Iban]),
        class("city", Mode::Clear, &[]),
    ];
    let classes = ClassTable::new(classes).expect("a valid table");
    let mut fields = SearchFields::default();
    for (name, class) in
        [("Email", "email"), ("Requestor", "email"), ("CF.{Card}", "iban"), ("IBAN__c", "iban"), ("City", "city")]
    {
        fields.insert(name, classes.id(class), &classes);
    }
    fields.insert("Owner.Email", None, &classes);
    fields.insert_free(classes.id("email").expect("a class"), &classes);
    fields
});

/// A query is refused with a place inside it, or: the same values give the same bytes, and what is written with other values is
/// accepted again and asks for exactly these.
pub fn search(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let dialect = DIALECTS.get(usize::from(*choice) % DIALECTS.len());
    let (Ok(text), Some(dialect)) = (std::str::from_utf8(text), dialect) else { return };
    let query = match Query::parse(*dialect, &FIELDS, text) {
        Ok(query) => query,
        Err(SearchError::Syntax { at, .. }) => return assert!(at <= text.len(), "the place is past the end"),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let same: Vec<_> = query.asks().iter().map(|ask| vec![Pattern::Equals(ask.value.expose().clone())]).collect();
    assert_eq!(query.rewrite(&same).as_deref(), Ok(text), "the same values give other bytes");
    let other: Vec<_> = query.asks().iter().map(|_| vec![Pattern::Equals("a#b@c".to_owned())]).collect();
    let out = query.rewrite(&other).expect("one form fits everywhere");
    let again = Query::parse(*dialect, &FIELDS, &out).expect("what is written is accepted");
    assert_eq!(again.asks().len(), query.asks().len());
    assert!(again.asks().iter().all(|ask| ask.value.expose() == "a#b@c"), "an old value stays");
}

/// A body is refused, or its parts are those that a reader finds who looks for nothing but delimiter lines; written again they
/// are the same, and so are the messages in them.
pub fn multipart(data: &[u8]) {
    const BOUNDARY: &str = "b1";
    if let Some(parameters) = std::str::from_utf8(data).ok().and_then(Parameters::parse) {
        assert!(parameters.names().all(|name| parameters.get(name).is_some_and(|value| !value.contains(['"', '\\']))));
    }
    let Ok(parts) = multipart::read(BOUNDARY, data, 64) else { return };
    let lines = data.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"--b1")).count();
    assert_eq!(lines, parts.len() + 1, "another reader finds other parts");
    let copy: Vec<_> = parts.iter().map(|part| (part.headers.clone(), part.body)).collect();
    let (boundary, body) = multipart::write(&copy);
    assert_eq!(multipart::read(&boundary, &body, 64).as_ref(), Ok(&parts), "written again it differs");
    for part in &parts {
        if let Some(request) = InnerRequest::parse(part.body) {
            let again = write_request(request.method, request.target, &request.headers, request.body);
            let again = InnerRequest::parse(&again);
            let fits = multipart::value_of(&request.headers, "content-length").is_none();
            assert!(!fits || again.as_ref() == Some(&request), "a request inside differs");
        }
        if let Some(answer) = InnerResponse::parse(part.body) {
            let again = write_response(answer.status, "", &answer.headers, answer.body);
            let fits = multipart::value_of(&answer.headers, "content-length").is_none();
            assert!(!fits || InnerResponse::parse(&again).as_ref() == Some(&answer), "an answer inside differs");
        }
    }
}

/// A form is refused with the number of a pair, or it is an object of texts; written again it says the same.
pub fn form(data: &[u8]) {
    let json = match form::to_json(data) {
        Ok(json) => json,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let pairs = form::pairs(&json).expect("an object of texts");
    assert!(pairs.iter().all(|(name, value)| !name.is_empty() && !name.contains('\0') && !value.contains('\0')));
    let pieces = data.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()).count();
    assert_eq!(pairs.len(), pieces, "another reader finds other pairs");
    assert_eq!(form::object(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))), json);
    let again = form::from_json(&json).expect("it was a form");
    assert!(again.is_ascii() && form::to_json(&again).as_ref() == Ok(&json), "written again it differs");
    assert_eq!(form::from_json(&json), Ok(again), "written twice it differs");
}

/// Any chunking of a coded body gives the same text or a refusal; a body that is cut short is refused, and nothing grows past the
/// bound.
pub fn content_coding(data: &[u8]) {
    const CODINGS: [&[u8]; 5] = [b"gzip", b"deflate", b"br", b"zstd", b"identity"];
    const EXPANSION: u64 = 20;
    let [choice, seed, body @ ..] = data else { return };
    let coding = CODINGS[usize::from(*choice) % CODINGS.len()];
    // What is free, and past it coded bytes counted in steps of 2 KiB.
    let bound = (body.len().next_multiple_of(2048) as u64 * EXPANSION).max(1024 * 1024);
    let read = |chunks: &mut dyn Iterator<Item = &[u8]>| -> (Vec<u8>, Result<(), CodingError>) {
        let mut out = Vec::new();
        let result = gateway::decode(coding, chunks, EXPANSION, |decoded| out.extend_from_slice(decoded));
        assert!(coding == b"identity" || out.len() as u64 <= bound, "{} bytes out of {}", out.len(), body.len());
        (out, result)
    };
    let (whole, ended) = read(&mut std::iter::once(body));
    let step = usize::from(*seed % 61) + 1;
    let (parts, result) = read(&mut body.chunks(step).flat_map(|chunk| [chunk, &[]]));
    assert_eq!(result.is_ok(), ended.is_ok(), "chunks of {step}: {result:?} and {ended:?}");
    if ended.is_ok() {
        assert!(whole == parts, "chunks of {step}");
        let short = body.split_last().map(|(_, short)| short).filter(|_| coding != b"identity");
        assert!(short.is_none_or(|short| read(&mut std::iter::once(short)).1.is_err()), "cut short it is a success");
    } else {
        assert!(
            whole.starts_with(&parts) || parts.starts_with(&whole),
            "chunks of {step}: other bytes before the error"
        );
    }
}

/// A document is refused with a reason, or every root it asks for is one that the map names, reached by names of its answer that
/// stand for exactly these fields.
pub fn graphql_document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(calls) = SANDBOX.routes().iter().find(|route| &*route.name == "graphql").map(|route| &route.calls) else {
        return;
    };
    let variables = serde_json::Map::new();
    let request = graphql::Request { query: text, operation: None, variables: &variables };
    let resolved = match graphql::resolve(&request, calls) {
        Ok(resolved) => resolved,
        Err(graphql::GraphQlError::Syntax { at, .. }) => return assert!(at <= text.len(), "the place is past the end"),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for root in &resolved.roots {
        let (mut selection, mut names) = (&resolved.selection, Vec::new());
        for key in &root.keys {
            let selected = selection.keys.get(key).expect("a key leads to a root");
            names.push(selected.field.as_str());
            selection = &selected.inner;
        }
        assert_eq!(names.join("."), *calls[root.call].name, "the names of a root");
        assert!(root.arguments.iter().all(serde_json::Value::is_object));
    }
}

/// A message is refused, or what is shown of it is JSON again in which no text is an address.
pub fn mcp_message(data: &[u8]) {
    let _ = mcp::Message::parse(data, Limits::default());
    let closed = BodyMap { closed: vec!["$".parse().expect("a valid selector")], ..BodyMap::default() };
    let tool =
        Arc::new(Plan { layout: Arc::new(Layout::compile(&closed, &CLASSES).expect("a layout")), ..(**PLAN).clone() });
    let other = Arc::new(Plan { layout: Arc::new(Layout::catch_all(&CLASSES)), ..(**PLAN).clone() });
    for expected in [mcp::Expected::Tool { id: "7", media: false }, mcp::Expected::Nothing] {
        let Ok(reply) = mcp::Reply::parse(data, Limits::default(), expected) else { continue };
        let seen = mcp::Seen {
            tool: &tool,
            other: &other,
            answers: &Default::default(),
            opened: &[],
            gate: None,
            finds: false,
            names: 0,
        };
        let Ok(answered) = reply.show(&seen) else { continue };
        let shown = std::str::from_utf8(&answered.bytes).expect("the output is UTF-8");
        serde_json::from_str::<serde::de::IgnoredAny>(shown).expect("the output is JSON");
        assert!(!shown.contains("\"canary@example.com\""), "an address is shown");
    }
}
