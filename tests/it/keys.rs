//! Keys as an operator handles them: the verbs, what they refuse, and values that open without Fieldgate.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use fieldgate::{
    crypto::{ClassPlan, Keyset, Seal, Spelling, SubjectKey, hex},
    keyring::{Keyring, Settings},
    model::{KeyScope, Mode, Storage, Timestamp},
    tls::generate,
};

use crate::harness::{Said, Setup, fieldgate};

/// A configuration with `[keys]`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(keys: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (made, ca) = (dir.path().join("made"), dir.path().join("ca.pem"));
        fs::write(&ca, generate::ca("CRM", fieldgate::gateway::now()).unwrap().certificate).unwrap();
        let (made, ca) = (made.to_str().unwrap(), ca.to_str().unwrap());
        let upstream = "https://crm.example.com";
        let said = fieldgate(["init", "--upstream", upstream, "--map", "sandbox", "--dir", made, "--upstream-ca", ca]);
        assert_eq!(said.code, 0, "{said:?}");
        let folder = Self(dir);
        let text = fs::read_to_string(folder.path("fieldgate.toml")).unwrap();
        fs::write(folder.path("fieldgate.toml"), format!("{text}\n{keys}")).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("made").join(name)
    }

    fn keys(&self, arguments: &str) -> Said {
        let config = self.path("fieldgate.toml");
        let words = arguments.split_whitespace().map(|word| word.replace("@", self.0.path().to_str().unwrap()));
        let all = ["keys", "--config", config.to_str().unwrap()].map(str::to_owned).into_iter().chain(words);
        fieldgate(all)
    }

    #[track_caller]
    fn done(&self, arguments: &str) -> String {
        let said = self.keys(arguments);
        assert_eq!(said.code, 0, "{arguments}: {said:?}");
        said.out
    }

    #[track_caller]
    fn refused(&self, arguments: &str, what: &str) {
        let said = self.keys(arguments);
        assert!(said.code != 0 && said.err.contains(what), "{arguments}: {said:?}");
        assert!(said.err.trim_end().lines().last().is_some_and(|line| line.starts_with("  help: ")), "{said:?}");
    }
}

const FILE_KEK: &str = "[keys]\nkeyset = 'keys/keyset.json'\nkek = { provider = 'file', path = 'keys/kek' }\n";

/// The ids that `keys list` shows for keys of `purpose` in `state`.
fn ids(listed: &str, purpose: &str, state: &str) -> Vec<String> {
    let rows = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&purpose) && row.get(3) == Some(&state)).map(|row| row[0].to_owned()).collect()
}

#[test]
fn a_key_goes_through_its_life_on_the_command_line() {
    let folder = Folder::new(FILE_KEK);
    folder.refused("list", "cannot be opened");
    assert!(folder.done("new").contains("keys for tenant `default`"));
    folder.refused("new", "exists already");
    assert!(folder.done("provide").contains("0 keys added"));
    let old = ids(&folder.done("list"), "row", "active").remove(0);
    folder.refused(&format!("disable {old}"), "is active");
    folder.refused("rotate --class nothing", "has no single kind of key");
    folder.refused("rotate --purpose magic", "there is no purpose");
    folder.done("rotate --purpose row");
    folder.refused("rotate --purpose row", "is pending for that class already");
    let new = ids(&folder.done("list"), "row", "pending").remove(0);
    folder.refused(&format!("promote {new}"), "nobody confirmed");
    folder.refused(&format!("promote {new} --force"), "gateways may not know it");
    folder.refused("promote 00000000", "is not the id of a key");
    folder.refused("promote 7f3a09c1 --confirmed", "there is no key");
    folder.done(&format!("promote {new} --confirmed"));
    assert_eq!(ids(&folder.done("list"), "row", "retiring"), [old.as_str()]);
    folder.refused(&format!("retire {old}"), "nobody counted");
    folder.refused(&format!("retire {old} --residual 3"), "3 values are still stored");
    folder.refused(&format!("destroy {old} --force"), "is retiring");
    folder.done(&format!("retire {old} --residual 0"));
    folder.done(&format!("disable {old} --undo"));
    folder.done(&format!("disable {old}"));
    folder.refused(&format!("destroy {old}"), "backups may need it");
    folder.done(&format!("destroy {old} --force"));
    let listed = folder.done("list");
    assert_eq!(ids(&listed, "row", "destroyed"), [old.as_str()]);
    let names: Vec<_> = fs::read_dir(folder.path("keys")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("before")), "{names:?}");
}

#[test]
fn without_its_section_or_with_a_wrong_one_it_says_what_to_write() {
    Folder::new("").refused("list", "has no `[keys]` section");
    let wrong = "[keys]\nkeyset = 'k'\nkek = { provider = 'passphrase' }\n";
    let said = Folder::new(wrong).keys("list");
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.err.contains("exactly one of `env`, `file` and `fd`"), "{said:?}");
}

#[test]
fn the_kek_is_changed_and_an_escrow_copy_made() {
    let folder = Folder::new(&(FILE_KEK.to_owned() + "next_kek = { provider = 'passphrase', file = 'keys/phrase' }\n"));
    private(&folder.path("keys/phrase"), "correct horse battery staple\n");
    folder.done("new");
    assert!(folder.done("rewrap").contains("`passphrase`"));
    assert!(folder.done("list").contains("root wrapped by `passphrase`"));
    private(&folder.0.path().join("short"), "too short");
    folder.refused("export --escrow @/copy.json --passphrase-file @/short", "fewer than 12 characters");
    private(&folder.0.path().join("safe"), "six random words are good enough");
    folder.done("export --escrow @/copy.json --passphrase-file @/safe");
    let copy = folder.0.path().join("copy.json");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    folder.refused("export --escrow @/copy.json --passphrase-file @/safe", "cannot be written");
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs `docs/open-sealed.py`; `None`, said aloud, where Python or `cryptography` with these algorithms is missing.
fn python(arguments: &[&str], phrase: &str) -> Option<String> {
    let probe = "import cryptography.hazmat.primitives.kdf.argon2";
    let there = Command::new("python3").args(["-c", probe]).output().is_ok_and(|out| out.status.success());
    if !there {
        eprintln!("SKIPPED: python3 with `cryptography` 44 or newer is not installed");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/open-sealed.py");
    let done = Command::new("python3").arg(script).args(arguments).env("FG_PASSPHRASE", phrase).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(String::from_utf8(done.stdout).unwrap())
}

fn values(keys: &Keyset, subject: &SubjectKey, text: &str) -> Vec<String> {
    let mut sealed = Vec::new();
    for (spelling, padding) in [(Spelling::Base64, 0), (Spelling::Base32, 16)] {
        let value = Seal { class: "email", text, subject: None, normalised: None, spelling, padding };
        let owned = Seal { subject: Some(subject), ..value };
        for one in [value, owned, Seal { normalised: Some("ada@example.com"), ..owned }] {
            sealed.push(keys.seal(&one).unwrap());
        }
        sealed.extend(keys.det("login", text, spelling).unwrap());
    }
    sealed
}

#[test]
fn values_open_with_python_alone() {
    let dir = tempfile::tempdir().unwrap();
    let class = |class, mode| ClassPlan { class, storage: Storage { mode, ..Storage::CLEAR } };
    let plans = [class("email", Mode::SealIndexed), class("login", Mode::Det), class("x", Mode::Seal(KeyScope::Class))];
    private(&dir.path().join("phrase"), "six random words are good enough");
    for (kek, phrase) in [
        ("{ provider = 'file', path = 'kek' }", ""),
        ("{ provider = 'passphrase', file = 'phrase' }", "six random words are good enough"),
    ] {
        let settings = format!("keyset = '{}.json'\nkek = {kek}", phrase.len());
        let settings: Settings = toml::from_str(&settings).unwrap();
        let ring = Keyring::new(&settings, dir.path());
        ring.create("acme", &plans, Timestamp::from_seconds(1_795_000_000)).unwrap();
        let (keys, subject) = (ring.load().unwrap(), SubjectKey::generate().unwrap());
        let wrapped = hex(&keys.wrap_subject(&subject).unwrap());
        let (keyset, kek) = (ring.path().to_str().unwrap(), dir.path().join("kek"));
        let text = "Žoë, 株式会社 <ada@example.com>";
        for value in values(&keys, &subject, text) {
            let given = ["--keyset", keyset, "--kek", kek.to_str().unwrap(), "--subject", &wrapped, &value];
            let Some(opened) = python(&given, phrase) else { return };
            assert_eq!(opened, format!("{text}\n"));
        }
    }
}

#[test]
fn a_running_gateway_leaves_no_core() {
    let mut world = Setup::new().spawn();
    world.ready().unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", world.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<_> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    let status = fs::read_to_string(format!("/proc/{}/status", world.pid())).unwrap();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).map(|rest| rest.trim() != "0 kB");
    assert!(locked == Some(true) || world.stderr().contains("keys may be swapped out"), "neither locked nor said");
}
