//! The embedded vault, end to end: what it acknowledges stays, what it erases is gone, what others altered is refused.

mod control;
mod damage;
mod erasure;
mod kill;
#[cfg(feature = "postgres")]
mod postgres;
mod tokens;

use std::{
    future::Future,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;
use crate::{
    crypto::{ClassPlan, Kek, KeyFile, KeyPurpose, KeyState, Krk, Propagation},
    model::{KeyScope, Mode, Normaliser, Storage, TokenShape},
};

fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000)
}

fn key_file(tenant: &str) -> KeyFile {
    let plan =
        |class, mode| ClassPlan { class, storage: Storage { mode, normaliser: Normaliser::Email, ..Storage::CLEAR } };
    let plans = [
        plan("email", Mode::Token(TokenShape::Email)),
        plan("phone", Mode::Token(TokenShape::Phone)),
        plan("iban", Mode::Seal(KeyScope::Subject)),
    ];
    let kek = Kek { provider: "file".into(), uri: String::new(), context: Default::default() };
    KeyFile::new(tenant, &plans, kek, vec![1, 2, 3], Krk::generate().unwrap(), now()).unwrap()
}

/// A vault in a folder of its own, with its key file.
struct World {
    folder: TempDir,
    file: KeyFile,
    signer: Arc<SigningKey>,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            file: key_file("acme"),
            signer: SigningKey::generate().unwrap().into(),
        };
        Vault::init(&world.settings(), world.keyset()).unwrap();
        world
    }

    fn dir(&self) -> std::path::PathBuf {
        self.folder.path().join("vault")
    }

    fn settings(&self) -> Settings {
        settings(&self.dir())
    }

    fn keyset(&self) -> Arc<Keyset> {
        self.file.open().unwrap().into()
    }

    fn open(&self) -> Vault {
        Vault::open(&self.settings(), self.keyset()).unwrap()
    }

    /// Erases as `fieldgate vault erase` does.
    fn erase(&mut self, vault: &Vault, record: &str) -> Receipt {
        self.file.roll_subject_wrap(now()).unwrap();
        block(vault.with_keyset(self.keyset())).unwrap();
        let erased = block(vault.erase(&[("contact", record)], Arc::clone(&self.signer), now())).unwrap();
        assert_eq!(erased.roll.epoch, self.file.epoch());
        self.file.destroy_old_subject_wraps(now());
        block(vault.with_keyset(self.keyset())).unwrap();
        erased.receipt
    }
}

fn settings(dir: &Path) -> Settings {
    Settings { token_domain: Some("fg.example.com".into()), cache_mib: 8, ..Settings::embedded(dir) }
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn email(text: &str, subject: Option<SubjectRef>) -> TokenAsk<'_> {
    TokenAsk { class: "email", text, normalised: text, shape: TokenShape::Email, subject }
}

fn value(state: &TokenState) -> &str {
    match state {
        TokenState::Value { text, .. } => text.expose(),
        other => panic!("{other:?}"),
    }
}

/// A subject linked to the contact `record`.
fn person(vault: &Vault, record: &str) -> SubjectRef {
    let subject = block(vault.mint_subject()).unwrap().reference();
    block(vault.link(&[(subject, "contact", record)])).unwrap();
    subject
}

#[test]
fn readers_do_not_notice_that_the_wrapping_key_is_rolled() {
    let mut world = World::new();
    let vault = world.open();
    let subject = person(&vault, "17");
    let token = block(vault.tokens(&[email("a@x.example", Some(subject))])).unwrap();
    let (ended, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let end = Instant::now() + Duration::from_secs(60);
                while !ended.load(Ordering::Relaxed) && Instant::now() < end {
                    assert!(matches!(block(vault.subject_of("contact", "17")).unwrap(), RecordState::Linked(_)));
                    assert_eq!(value(&block(vault.open_tokens(&[token[0].as_str()])).unwrap()[0]), "a@x.example");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..60 {
            world.file.roll_subject_wrap(now()).unwrap();
            block(vault.with_keyset(world.keyset())).unwrap();
            assert_eq!(block(vault.roll()).unwrap().epoch, world.file.epoch());
            world.file.destroy_old_subject_wraps(now());
            block(vault.with_keyset(world.keyset())).unwrap();
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(asked.into_inner() > 60);
}

#[test]
fn subjects_and_links_survive_a_restart() {
    let world = World::new();
    let vault = world.open();
    let key = block(vault.mint_subject()).unwrap();
    let subject = key.reference();
    assert!(matches!(block(vault.subject_of("contact", "17")).unwrap(), RecordState::Unknown));
    block(vault.link(&[(subject, "contact", "17"), (subject, "ticket", "4")])).unwrap();
    drop(vault);
    let vault = world.open();
    let RecordState::Linked(again) = block(vault.subject_of("ticket", "4")).unwrap() else { panic!("not linked") };
    assert_eq!(again.reference(), subject);
    let sealed = |key: &SubjectKey| world.file.open().unwrap().wrap_subject(key).unwrap();
    assert_eq!(sealed(&again), sealed(&key), "the same key bytes");
    let states = block(vault.subjects(&[subject, SubjectRef([9; 8])])).unwrap();
    let [SubjectState::Live { links, .. }, SubjectState::Unknown] = states.as_slice() else { panic!("{states:?}") };
    let mut links: Vec<_> = links.iter().map(|link| (&*link.resource, link.record)).collect();
    links.sort();
    assert_eq!(links, [("contact", vault.record_ref("contact", "17")), ("ticket", vault.record_ref("ticket", "4"))]);
    let stats = block(vault.stats()).unwrap();
    assert_eq!((stats.subjects, stats.links, stats.tokens, stats.erasures), (1, 2, 0, 0));
}

#[test]
fn links_are_for_known_and_living_subjects() {
    let mut world = World::new();
    let vault = world.open();
    let stranger = block(vault.link(&[(SubjectRef([5; 8]), "contact", "1")]));
    assert!(matches!(stranger, Err(VaultError::SubjectUnknown)), "{stranger:?}");
    let subject = person(&vault, "1");
    world.erase(&vault, "1");
    let late = block(vault.link(&[(subject, "contact", "2")]));
    assert!(matches!(late, Err(VaultError::SubjectErased)), "{late:?}");
}

#[test]
fn a_second_process_or_handle_is_refused() {
    let world = World::new();
    let _vault = world.open();
    let second = Vault::open(&world.settings(), world.keyset());
    assert!(matches!(second, Err(VaultError::Locked(_))), "{second:?}");
}

#[test]
fn init_makes_a_private_folder_once() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&world.dir()), 0o700);
    assert_eq!(mode(&world.dir().join("vault.redb")), 0o600);
    let again = Vault::init(&world.settings(), world.keyset());
    assert!(matches!(again, Err(VaultError::Exists(_))), "{again:?}");
    std::fs::set_permissions(world.dir(), std::fs::Permissions::from_mode(0o750)).unwrap();
    let open = Vault::open(&world.settings(), world.keyset());
    assert!(matches!(open, Err(VaultError::NotPrivate { .. })), "{open:?}");
    let missing = Vault::open(&settings(&world.folder.path().join("other")), world.keyset());
    assert!(matches!(missing, Err(VaultError::Missing(_))), "{missing:?}");
}

#[test]
fn a_keyset_of_before_or_of_others_is_refused() {
    let mut world = World::new();
    let old = world.keyset();
    world.file.rotate("phone", None, now()).unwrap();
    drop(world.open());
    let back = Vault::open(&world.settings(), Arc::clone(&old));
    let expected = (world.file.epoch(), old.epoch());
    assert!(matches!(back, Err(VaultError::Rollback { seen, given }) if (seen, given) == expected), "{back:?}");
    let accepted = Vault::open_with(&world.settings(), Arc::clone(&old), Rollback::Accepted).unwrap();
    assert!(block(accepted.with_keyset(world.keyset())).is_ok());
    let back = block(accepted.with_keyset(old));
    assert!(matches!(back, Err(VaultError::Rollback { .. })), "{back:?}");
    drop(accepted);
    let strange = Vault::open(&world.settings(), key_file("other").open().unwrap().into());
    assert!(matches!(strange, Err(VaultError::OtherTenant)), "{strange:?}");
    let strange = Vault::open(&world.settings(), key_file("acme").open().unwrap().into());
    assert!(matches!(strange, Err(VaultError::KeysetMismatch)), "{strange:?}");
}

/// Rotates the token key of `class` to its end.
fn rotate_tokens(file: &mut KeyFile, class: &str) {
    let id = file.rotate(class, None, now()).unwrap();
    file.promote(id, Propagation::Confirmed, now()).unwrap();
    let key = file.keys().find(|key| key.id == id).unwrap();
    assert_eq!((key.purpose, key.state), (KeyPurpose::Token, KeyState::Active));
}
