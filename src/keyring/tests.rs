//! Key files on disk: made, read, edited, kept, refused.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;
use crate::{
    crypto::{KeyPurpose, KeyState, Residual, Seal, Spelling},
    model::{KeyScope, Mode, Storage},
};

const PLANS: [ClassPlan<'static>; 1] =
    [ClassPlan { class: "note", storage: Storage { mode: Mode::Seal(KeyScope::Class), ..Storage::CLEAR } }];

fn settings(kek: &str) -> Settings {
    toml::from_str(&format!("keyset = 'keyset.json'\n{kek}")).unwrap()
}

fn ring(dir: &Path) -> Keyring {
    Keyring::new(&settings("kek = { provider = 'file', path = 'kek' }"), dir)
}

fn made(dir: &Path) -> Keyring {
    let ring = ring(dir);
    ring.create("acme", &PLANS, Timestamp::from_seconds(1_795_000_000)).unwrap();
    ring
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_100)
}

fn seal(keys: &Keyset) -> String {
    let value =
        Seal { class: "note", text: "x", subject: None, normalised: None, spelling: Spelling::Base64, padding: 0 };
    keys.seal(&value).unwrap()
}

#[test]
fn a_new_key_file_is_private_and_loads() {
    let dir = tempfile::tempdir().unwrap();
    let ring = made(dir.path());
    for name in ["keyset.json", "kek"] {
        assert_eq!(fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let keys = ring.load().unwrap();
    assert_eq!((keys.tenant(), keys.epoch()), ("acme", 1));
    seal(&keys);
    assert_eq!(load(ring.path(), &KekSettings::File { path: dir.path().join("kek") }).unwrap().epoch(), 1);
    let text = fs::read_to_string(ring.path()).unwrap();
    assert!(text.contains("\"provider\": \"file\"") && !text.contains(" 0x"));
    assert!(matches!(ring.create("acme", &PLANS, now()), Err(KeyringError::Exists(_))));
}

#[test]
fn files_that_others_can_read_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ring = made(dir.path());
    for (name, mode) in [("keyset.json", 0o640), ("keyset.json", 0o604), ("keyset.json", 0o620), ("kek", 0o644)] {
        let path = dir.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = ring.load().unwrap_err();
        assert!(refused.to_string().contains("others may read or change it"), "{refused}");
        assert!(refused.help().contains("600") || refused.help().contains("this user alone"), "{}", refused.help());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(ring.path(), fs::Permissions::from_mode(0o400)).unwrap();
    assert!(ring.load().is_ok());
    fs::remove_file(ring.path()).unwrap();
    fs::create_dir(ring.path()).unwrap();
    assert!(ring.load().unwrap_err().to_string().contains("is not a file"));
}

#[test]
fn a_missing_or_foreign_kek_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let ring = made(dir.path());
    fs::remove_file(dir.path().join("kek")).unwrap();
    assert!(matches!(ring.load(), Err(KeyringError::Kek { error: KekError::Secret(_), .. })));
    provider::prepare(&ring.kek).unwrap();
    assert!(matches!(ring.load(), Err(KeyringError::Kek { error: KekError::Wrong, .. })));
    fs::write(dir.path().join("kek"), "something else").unwrap();
    assert!(matches!(ring.load(), Err(KeyringError::Kek { error: KekError::NotAKek, .. })));
    let other = Keyring::new(&settings("kek = { provider = 'systemd', credential = 'kek' }"), dir.path());
    assert!(matches!(other.load(), Err(KeyringError::Provider { configured: "systemd", .. })));
}

#[test]
fn only_one_edits_and_five_generations_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let ring = made(dir.path());
    let editing = ring.edit().unwrap();
    assert!(matches!(ring.edit(), Err(KeyringError::Locked(_))));
    assert!(ring.load().is_ok());
    drop(editing);
    for round in 0..7 {
        let mut editing = ring.edit().unwrap();
        let id = editing.file.keys().find(|key| key.purpose == KeyPurpose::Seal).unwrap().id;
        editing.file.record_use(id, 1 << 20, now()).unwrap();
        editing.save(History::Keep).unwrap();
        let kept = store::generations(ring.path()).unwrap();
        assert_eq!(kept.len(), GENERATIONS.min(round + 2) - 1);
        // Each of them is a whole key file of an earlier epoch.
        let older = Keyring { path: kept[0].clone(), kek: ring.kek.clone(), next_kek: None }.read().unwrap();
        assert!(older.epoch() < ring.read().unwrap().epoch());
    }
    ring.edit().unwrap().save(History::Forget).unwrap();
    assert!(store::generations(ring.path()).unwrap().is_empty());
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["kek", "keyset.json", "keyset.json.lock"]);
}

#[test]
fn what_a_crash_leaves_beside_the_key_file_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let ring = made(dir.path());
    let before = fs::read(ring.path()).unwrap();
    // Partial `.new`; then a generation linked and not yet replaced.
    fs::write(dir.path().join("keyset.json.new"), "{ \"fieldgate_key").unwrap();
    fs::hard_link(ring.path(), dir.path().join(format!("keyset.json.before-{:020}", 2))).unwrap();
    assert_eq!(ring.load().unwrap().epoch(), 1);
    let mut editing = ring.edit().unwrap();
    editing.file.rotate("note", None, now()).unwrap();
    editing.save(History::Keep).unwrap();
    assert_eq!(ring.load().unwrap().epoch(), 2);
    let kept = store::generations(ring.path()).unwrap();
    assert_eq!(kept.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), [before]);
    assert!(!dir.path().join("keyset.json.new").exists());
}

#[test]
fn values_open_through_a_life_of_keys_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let ring = made(dir.path());
    let sealed = crate::crypto::Envelope::parse(&seal(&ring.load().unwrap())).unwrap();
    let mut editing = ring.edit().unwrap();
    let id = editing.file.rotate("note", None, now()).unwrap();
    editing.file.promote(id, crate::crypto::Propagation::Confirmed, now()).unwrap();
    editing.file.retire(sealed.key_id(), Residual::Counted(0), now()).unwrap();
    editing.file.destroy(sealed.key_id(), 0, now()).unwrap();
    let file = editing.save(History::Forget).unwrap();
    assert!(file.keys().any(|key| key.id == sealed.key_id() && key.state == KeyState::Destroyed));
    let refused = ring.load().unwrap().open(&sealed, None).unwrap_err();
    assert_eq!(refused, crate::crypto::OpenError::Destroyed);
}

#[test]
fn the_kek_changes_while_both_are_configured() {
    let dir = tempfile::tempdir().unwrap();
    let ring = made(dir.path());
    fs::write(dir.path().join("phrase"), "correct horse battery staple\n").unwrap();
    fs::set_permissions(dir.path().join("phrase"), fs::Permissions::from_mode(0o600)).unwrap();
    let sealed = crate::crypto::Envelope::parse(&seal(&ring.load().unwrap())).unwrap();
    let (old, new) = ("{ provider = 'file', path = 'kek' }", "{ provider = 'passphrase', file = 'phrase' }");
    let both = Keyring::new(&settings(&format!("kek = {old}\nnext_kek = {new}")), dir.path());
    assert!(both.load().is_ok());
    let mut editing = both.edit().unwrap();
    both.rewrap(&mut editing, now()).unwrap();
    editing.save(History::Keep).unwrap();
    assert!(ring.load().is_err());
    for settings in [settings(&format!("kek = {old}\nnext_kek = {new}")), settings(&format!("kek = {new}"))] {
        let keys = Keyring::new(&settings, dir.path()).load().unwrap();
        assert_eq!(keys.open(&sealed, None).unwrap().text.expose(), "x");
    }
}

#[test]
fn an_escrow_copy_opens_with_its_own_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let ring = made(dir.path());
    let phrase = dir.path().join("phrase");
    private::create(&phrase, "six random words are good enough").unwrap();
    let kek = KekSettings::Passphrase { env: None, file: Some(phrase), fd: None };
    let copy = dir.path().join("escrow.json");
    private::create(&copy, &ring.escrow(&kek, now()).unwrap()).unwrap();
    let sealed = crate::crypto::Envelope::parse(&seal(&ring.load().unwrap())).unwrap();
    assert_eq!(load(&copy, &kek).unwrap().open(&sealed, None).unwrap().text.expose(), "x");
    assert_eq!(ring.read().unwrap().kek().provider, "file");
}

#[test]
fn a_passphrase_comes_from_a_descriptor_too() {
    use std::os::fd::AsRawFd;
    let dir = tempfile::tempdir().unwrap();
    private::create(&dir.path().join("phrase"), "correct horse battery staple").unwrap();
    let file = fs::File::open(dir.path().join("phrase")).unwrap();
    let kek = format!("kek = {{ provider = 'passphrase', fd = {} }}", file.as_raw_fd());
    let ring = Keyring::new(&settings(&kek), dir.path());
    ring.create("acme", &PLANS, now()).unwrap();
    assert!(ring.load().is_ok());
    let unset = Keyring::new(&settings("kek = { provider = 'passphrase', env = 'FIELDGATE_NOT_SET' }"), dir.path());
    let refused = unset.load().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "KEK provider `passphrase`: the environment variable `FIELDGATE_NOT_SET` is not set"
    );
}
