//! Two handles stand for two gateways in front of one real PostgreSQL server; `tests/real/postgres-vault.sh` starts
//! it and names it in the environment.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::*;

/// The server of the environment: its address, and commands that stop and start it.
struct Server {
    settings: Settings,
    stop: String,
    start: String,
}

impl Server {
    fn of_environment() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set"));
        let settings = Settings {
            url: Some(variable("FIELDGATE_VAULT_URL")),
            password_file: Some(variable("FIELDGATE_VAULT_PASSWORD_FILE").into()),
            token_domain: Some("fg.example.com".into()),
            statement_millis: 1_000,
            connections: 3,
            ..Settings::default()
        };
        Self { settings, stop: variable("FIELDGATE_VAULT_STOP"), start: variable("FIELDGATE_VAULT_START") }
    }

    fn run(command: &str) {
        assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
    }
}

/// Two gateways with one key file.
struct Pair {
    server: Server,
    file: KeyFile,
    a: Vault,
    b: Vault,
}

impl Pair {
    fn new() -> Self {
        let (server, file) = (Server::of_environment(), key_file("acme"));
        let keyset: Arc<Keyset> = file.open().unwrap().into();
        let missing = Vault::open(&server.settings, Arc::clone(&keyset));
        assert!(matches!(missing, Err(VaultError::Missing(_))), "{missing:?}");
        Vault::init(&server.settings, Arc::clone(&keyset)).unwrap();
        let again = Vault::init(&server.settings, Arc::clone(&keyset));
        assert!(matches!(again, Err(VaultError::Exists(_))), "{again:?}");
        let open = || Vault::open(&server.settings, Arc::clone(&keyset)).unwrap();
        let (a, b) = (open(), open());
        Self { server, file, a, b }
    }

    fn keyset(&self) -> Arc<Keyset> {
        self.file.open().unwrap().into()
    }

    fn reload(&self) {
        block(self.a.with_keyset(self.keyset())).unwrap();
        block(self.b.with_keyset(self.keyset())).unwrap();
    }
}

#[test]
#[ignore = "needs a server: tests/real/postgres-vault.sh"]
fn two_gateways_share_one_vault() {
    let mut pair = Pair::new();
    what_one_does_the_other_sees(&pair);
    callers_at_once_get_one_token(&pair);
    bounds_hold(&pair);
    erasures_are_seen_at_once(&mut pair);
    values_are_found_through_a_new_look_up_key(&mut pair);
    older_keysets_are_refused(&mut pair);
    a_stopped_server_shows_nothing_and_comes_back(&pair);
}

fn what_one_does_the_other_sees(pair: &Pair) {
    let (a, b) = (&pair.a, &pair.b);
    let subject = person(a, "1");
    let RecordState::Linked(key) = block(b.subject_of("contact", "1")).unwrap() else { panic!("not linked") };
    assert_eq!(key.reference(), subject);
    assert!(matches!(block(b.subject_of("contact", "2")).unwrap(), RecordState::Unknown));
    let states = block(b.subjects(&[subject, SubjectRef([9; 8])])).unwrap();
    let [SubjectState::Live { links, .. }, SubjectState::Unknown] = states.as_slice() else { panic!("{states:?}") };
    assert_eq!(links[0].record, a.record_ref("contact", "1"));
    let token = block(a.tokens(&[email("Ada@x.example", Some(subject))])).unwrap().remove(0);
    let opened = block(b.open_tokens(&[&token.to_uppercase(), "fg1tunknown"])).unwrap();
    assert_eq!(value(&opened[0]), "Ada@x.example");
    assert!(matches!(&opened[0], TokenState::Value { holders, .. } if holders == &[subject]));
    assert!(matches!(opened[1], TokenState::Unknown));
    assert_eq!(block(b.holds(&[(&token, subject), (&token, SubjectRef([9; 8]))])).unwrap(), [true, false]);
    assert_eq!(block(b.find_tokens(&[("email", "Ada@x.example"), ("email", "-")])).unwrap(), [vec![token], vec![]]);
    let stranger = block(b.link(&[(SubjectRef([9; 8]), "contact", "2")]));
    assert!(matches!(stranger, Err(VaultError::SubjectUnknown)), "{stranger:?}");
    assert!(matches!(a.backup(Path::new("/nowhere")), Err(VaultError::Unsupported(_))));
}

fn callers_at_once_get_one_token(pair: &Pair) {
    let texts: Vec<_> = (0..40).map(|index| format!("user{}@x.example", index % 10)).collect();
    let before = block(pair.a.stats()).unwrap().tokens;
    let answers: Vec<Vec<String>> = std::thread::scope(|scope| {
        let ask = |vault: &Vault| block(vault.tokens(&texts.iter().map(|text| email(text, None)).collect::<Vec<_>>()));
        let vaults = [&pair.a, &pair.b, &pair.a, &pair.b, &pair.a, &pair.b];
        let threads: Vec<_> = vaults.into_iter().map(|vault| scope.spawn(move || ask(vault).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(block(pair.b.stats()).unwrap().tokens, before + 10);
}

fn bounds_hold(pair: &Pair) {
    let texts: Vec<_> = (0..=MAX_SPELLINGS).map(|index| format!("{}1", " ".repeat(index))).collect();
    let ask = |text| TokenAsk { class: "phone", text, normalised: "1", shape: TokenShape::Phone, subject: None };
    let asks: Vec<_> = texts.iter().map(|text| ask(text.as_str())).collect();
    block(pair.a.tokens(&asks[..MAX_SPELLINGS])).unwrap();
    let past = block(pair.b.tokens(&asks[MAX_SPELLINGS..]));
    assert!(matches!(past, Err(VaultError::TooManySpellings(MAX_SPELLINGS))), "{past:?}");
    assert_eq!(block(pair.b.find_tokens(&[("phone", "1")])).unwrap()[0].len(), MAX_SPELLINGS);
}

fn erasures_are_seen_at_once(pair: &mut Pair) {
    let people: Vec<_> = (10..40).map(|index| person(&pair.a, &index.to_string())).collect();
    let texts: Vec<_> = (0..people.len()).map(|index| format!("person{index}@x.example")).collect();
    let mut asks: Vec<_> = people.iter().zip(&texts).map(|(subject, text)| email(text, Some(*subject))).collect();
    asks.extend(people.iter().take(2).map(|subject| email("shared@x.example", Some(*subject))));
    let tokens = block(pair.a.tokens(&asks)).unwrap();
    let names: Vec<_> = tokens.iter().map(String::as_str).collect();
    let signer: Arc<SigningKey> = SigningKey::generate().unwrap().into();
    let early = block(pair.a.erase(&[("contact", "10")], Arc::clone(&signer), now()));
    assert!(matches!(early, Err(VaultError::NotRolled)), "{early:?}");

    pair.file.roll_subject_wrap(now()).unwrap();
    block(pair.a.with_keyset(pair.keyset())).unwrap();
    let erased = block(pair.a.erase(&[("contact", "10")], Arc::clone(&signer), now())).unwrap();
    assert_eq!((erased.receipt.erasure.subjects, erased.receipt.erasure.tokens), (1, 1));
    Receipt::verify(&erased.receipt.to_json().unwrap(), &signer.verifying_key()).unwrap();
    // The other gateway has not read the key file yet, and sees the erasure all the same.
    assert!(matches!(block(pair.b.open_tokens(&names[..1])).unwrap()[0], TokenState::Erased));
    assert!(matches!(block(pair.b.subjects(&people[..1])).unwrap()[0], SubjectState::Erased));
    assert!(matches!(block(pair.b.subject_of("contact", "10")).unwrap(), RecordState::Erased));
    assert_eq!(block(pair.b.find_tokens(&[("email", &texts[0])])).unwrap(), [Vec::<String>::new()]);
    let late = block(pair.b.tokens(&[email("late@x.example", Some(people[0]))]));
    assert!(matches!(late, Err(VaultError::SubjectErased)), "{late:?}");

    pair.file.destroy_old_subject_wraps(now());
    pair.reload();
    for vault in [&pair.a, &pair.b] {
        let opened = block(vault.open_tokens(&names)).unwrap();
        assert!(opened[1..30].iter().zip(&texts[1..]).all(|(state, text)| value(state) == text));
        assert!(matches!(&opened[31], TokenState::Value { holders, .. } if holders == &people[1..2]));
    }
    let again = block(pair.b.erase(&[("contact", "10")], signer, now())).unwrap();
    assert_eq!(again.receipt, erased.receipt);
    assert_eq!(block(pair.b.receipts()).unwrap(), [erased.receipt]);
}

fn values_are_found_through_a_new_look_up_key(pair: &mut Pair) {
    let token = block(pair.a.tokens(&[email("rotated@x.example", None)])).unwrap().remove(0);
    rotate_tokens(&mut pair.file, "email");
    pair.reload();
    let found = |vault: &Vault| block(vault.find_tokens(&[("email", "rotated@x.example")])).unwrap().remove(0);
    assert_eq!(found(&pair.b), [token.as_str()]);
    assert!(block(pair.a.reindex_tokens()).unwrap() > 40);
    assert_eq!(block(pair.b.reindex_tokens()).unwrap(), 0);
    assert_eq!(found(&pair.b), [token.as_str()]);
    assert_eq!(block(pair.b.tokens(&[email("rotated@x.example", None)])).unwrap(), [token]);
}

fn older_keysets_are_refused(pair: &mut Pair) {
    let old = pair.keyset();
    pair.file.roll_subject_wrap(now()).unwrap();
    pair.reload();
    let _ = block(pair.b.roll()).unwrap();
    let back = Vault::open(&pair.server.settings, old);
    assert!(matches!(back, Err(VaultError::Rollback { .. })), "{back:?}");
    let strange = Vault::open(&pair.server.settings, key_file("other").open().unwrap().into());
    assert!(matches!(strange, Err(VaultError::OtherTenant)), "{strange:?}");
}

fn a_stopped_server_shows_nothing_and_comes_back(pair: &Pair) {
    let subject = person(&pair.a, "last");
    let token = block(pair.a.tokens(&[email("last@x.example", Some(subject))])).unwrap().remove(0);
    let (ending, failures, answers) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for vault in [&pair.a, &pair.b] {
            let (ending, failures, answers, token) = (&ending, &failures, &answers, &token);
            scope.spawn(move || {
                while !ending.load(Ordering::Relaxed) {
                    match block(vault.open_tokens(&[token])) {
                        Ok(states) => {
                            assert_eq!(value(&states[0]), "last@x.example");
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(VaultError::Unavailable(_)) => drop(failures.fetch_add(1, Ordering::Relaxed)),
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
        while answers.load(Ordering::Relaxed) < 20 {
            std::thread::yield_now();
        }
        Server::run(&pair.server.stop);
        for vault in [&pair.a, &pair.b] {
            let closed = [
                block(vault.subjects(&[subject])).err(),
                block(vault.subject_of("contact", "last")).err(),
                block(vault.mint_subject()).err(),
                block(vault.tokens(&[email("new@x.example", None)])).err(),
                block(vault.find_tokens(&[("email", "last@x.example")])).err(),
            ];
            assert!(closed.iter().all(|error| matches!(error, Some(VaultError::Unavailable(_)))), "{closed:?}");
        }
        assert!(failures.load(Ordering::Relaxed) > 0);
        Server::run(&pair.server.start);
        let before = answers.load(Ordering::Relaxed);
        for vault in [&pair.a, &pair.b] {
            assert_eq!(value(&block(vault.open_tokens(&[&token])).unwrap()[0]), "last@x.example");
            assert_eq!(block(vault.tokens(&[email("last@x.example", Some(subject))])).unwrap(), [token.as_str()]);
        }
        while answers.load(Ordering::Relaxed) < before + 20 {
            std::thread::yield_now();
        }
        ending.store(true, Ordering::Relaxed);
    });
}

#[test]
#[ignore = "needs a server: tests/real/postgres-vault.sh"]
fn the_servers_certificate_is_checked() {
    let (server, keyset) = (Server::of_environment(), Arc::new(key_file("acme").open().unwrap()));
    let url = format!("{}?sslmode=require", server.settings.url.as_deref().unwrap());
    let ca_file = std::env::var("FIELDGATE_VAULT_CA").unwrap().into();
    let trusting = Settings { url: Some(url.clone()), ca_file: Some(ca_file), ..server.settings.clone() };
    // Past the handshake: whatever is in there was written with other keys, or nothing is there yet.
    let reached = Vault::open(&trusting, Arc::clone(&keyset));
    assert!(matches!(reached, Err(VaultError::Missing(_) | VaultError::KeysetMismatch)), "{reached:?}");
    let strict = Settings { url: Some(url), ..server.settings };
    let refused = Vault::open(&strict, keyset);
    assert!(matches!(refused, Err(VaultError::Unavailable(_))), "{refused:?}");
}
