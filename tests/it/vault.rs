//! `fieldgate vault` as an operator uses it, alone and beside a process that has the vault open.

use std::{
    fs,
    future::Future,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fieldgate::{
    config::Config,
    crypto::{Keyset, SigningKey},
    gateway::now,
    keyring::Keyring,
    tls::generate,
    vault::{Control, RecordState, Settings, Vault},
};
use serde_json::Value;

use crate::harness::{Said, fieldgate};

const SECTIONS: &str = "[keys]\nkeyset = 'keys/keyset.json'\nkek = { provider = 'file', path = 'keys/kek' }\n\
    [vault]\ndir = 'vault'\n";

/// A configuration with keys and a vault.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (made, ca) = (dir.path().join("made"), dir.path().join("ca.pem"));
        fs::write(&ca, generate::ca("CRM", now()).unwrap().certificate).unwrap();
        let (made, ca) = (made.to_str().unwrap(), ca.to_str().unwrap());
        let upstream = "https://crm.example.com";
        let said = fieldgate(["init", "--upstream", upstream, "--map", "sandbox", "--dir", made, "--upstream-ca", ca]);
        assert_eq!(said.code, 0, "{said:?}");
        let folder = Self(dir);
        let text = fs::read_to_string(folder.path("fieldgate.toml")).unwrap();
        fs::write(folder.path("fieldgate.toml"), format!("{text}\n{SECTIONS}")).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("made").join(name)
    }

    /// `fieldgate WORDS --config …`; `@` stands for the folder.
    fn run(&self, words: &str) -> Said {
        let config = self.path("fieldgate.toml").to_str().unwrap().to_owned();
        let words = words.split(' ').map(|word| word.replace('@', self.path("").to_str().unwrap()));
        fieldgate(words.chain(["--config".to_owned(), config]))
    }

    #[track_caller]
    fn done(&self, words: &str) -> String {
        let said = self.run(words);
        assert_eq!(said.code, 0, "{words}: {said:?}");
        said.out
    }

    #[track_caller]
    fn refused(&self, words: &str, what: &str) {
        let said = self.run(words);
        assert!(said.code != 0 && said.err.contains(what), "{words}: {said:?}");
        assert!(said.err.trim_end().lines().last().is_some_and(|line| line.starts_with("  help: ")), "{said:?}");
    }

    fn keyset(&self) -> Arc<Keyset> {
        let config = Config::load(&self.path("fieldgate.toml")).unwrap();
        Arc::new(Keyring::new(config.keys.as_ref().unwrap(), &self.path("")).load().unwrap())
    }

    fn open(&self) -> Vault {
        Vault::open(&Settings::embedded(self.path("vault")), self.keyset()).unwrap()
    }

    fn signer(&self) -> Arc<SigningKey> {
        let config = Config::load(&self.path("fieldgate.toml")).unwrap();
        let text = fs::read_to_string(config.path(&config.audit.signing_key)).unwrap();
        SigningKey::parse(&text).unwrap().into()
    }

    /// The public key that `init` wrote for auditors.
    fn verification_key(&self) -> String {
        self.path("keys/audit.vkey").to_str().unwrap().to_owned()
    }
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn person(vault: &Vault, record: &str) {
    let subject = block(vault.mint_subject()).unwrap().reference();
    block(vault.link(&[(subject, "customer", record)])).unwrap();
}

#[test]
fn people_are_erased_with_a_receipt_that_verifies() {
    let folder = Folder::new();
    folder.refused("vault stats", "keyset.json");
    folder.done("keys new");
    folder.refused("vault stats", "there is no vault");
    assert!(folder.done("vault init").contains("an empty vault"));
    folder.refused("vault init", "already");
    let vault = folder.open();
    person(&vault, "C-1");
    person(&vault, "C-2");
    drop(vault);
    let before = fs::read_dir(folder.path("keys")).unwrap().count();

    folder.refused("vault erase C-1", "`resource:id`");
    folder.refused("vault erase customer:C-9", "no data");
    let said = folder.run("vault erase customer:C-1 --receipt @/receipt.json");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("1 subjects, 0 tokens") && !said.err.contains("C-1"), "{said:?}");
    let receipt: Value = serde_json::from_str(&fs::read_to_string(folder.path("receipt.json")).unwrap()).unwrap();
    assert_eq!(receipt["erasure"]["subjects"], 1);
    assert!(!receipt.to_string().contains("C-1"));
    let key = folder.verification_key();
    let valid = fieldgate(["vault", "verify-receipt", folder.path("receipt.json").to_str().unwrap(), "--key", &key]);
    assert!(valid.code == 0 && valid.out.starts_with("valid: 1 subjects"), "{valid:?}");
    let text = fs::read_to_string(folder.path("receipt.json")).unwrap().replace("\"subjects\":1", "\"subjects\":0");
    fs::write(folder.path("forged.json"), text).unwrap();
    folder.refused(&format!("vault verify-receipt @/forged.json --key {key}"), "not valid");
    folder.refused("vault erase customer:C-2 --receipt @/receipt.json", "already");

    // Asked again: the same receipt, and the others still open.
    let again: Value = serde_json::from_str(&folder.done("vault erase customer:C-1")).unwrap();
    assert_eq!(again, receipt);
    folder.done("vault roll");
    let vault = folder.open();
    assert!(matches!(block(vault.subject_of("customer", "C-1")).unwrap(), RecordState::Erased));
    assert!(matches!(block(vault.subject_of("customer", "C-2")).unwrap(), RecordState::Linked(_)));
    drop(vault);
    assert!(folder.done("vault stats").lines().any(|line| line.split_whitespace().eq(["erasures", "1"])));
    let listed = folder.done("keys list");
    let living = listed.lines().filter(|line| line.contains(" swk ") && !line.contains("destroyed")).count();
    assert_eq!(living, 1, "{listed}");
    // Older generations of the key file would still hold the destroyed keys.
    assert!(fs::read_dir(folder.path("keys")).unwrap().count() <= before + 1);
}

#[test]
fn backups_come_back_and_forget_nobody_who_was_erased() {
    let folder = Folder::new();
    folder.done("keys new");
    folder.done("vault init");
    let vault = folder.open();
    person(&vault, "C-1");
    person(&vault, "C-2");
    drop(vault);
    folder.done("vault backup @/backup");
    folder.refused("vault backup @/backup", "already");
    assert_eq!(fs::metadata(folder.path("backup")).unwrap().permissions().mode() & 0o777, 0o600);
    fs::copy(folder.path("keys/keyset.json"), folder.path("keyset.then")).unwrap();
    folder.done("vault erase customer:C-1");
    folder.refused("vault restore @/backup", "already");
    // The key file of now cannot open the backup of then: that is what an erasure is.
    folder.refused("vault restore @/backup --force", "cannot unwrap");
    fs::copy(folder.path("keyset.then"), folder.path("keys/keyset.json")).unwrap();
    folder.refused("vault restore @/backup --force", "epoch");
    let said = folder.done("vault restore @/backup --force --accept-rollback");
    assert!(said.contains("1 later erasures repeated") && said.contains("vault roll"), "{said}");
    folder.done("vault roll");
    let vault = folder.open();
    assert!(matches!(block(vault.subject_of("customer", "C-1")).unwrap(), RecordState::Erased));
    assert!(matches!(block(vault.subject_of("customer", "C-2")).unwrap(), RecordState::Linked(_)));
}

#[test]
fn a_process_that_has_the_vault_open_is_asked() {
    let folder = Folder::new();
    folder.done("keys new");
    folder.done("vault init");
    let vault = folder.open();
    person(&vault, "C-1");
    folder.refused("vault stats", "another process");
    let control = Control::start(&folder.path("vault"), vault.clone(), folder.signer(), now).unwrap();
    let ending = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A gateway that watches its key file.
        scope.spawn(|| {
            while !ending.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                block(vault.with_keyset(folder.keyset())).unwrap();
            }
        });
        assert!(folder.done("vault stats").contains("subjects"));
        folder.done("vault backup @/backup");
        let receipt: Value = serde_json::from_str(&folder.done("vault erase customer:C-1")).unwrap();
        assert_eq!(receipt["erasure"]["subjects"], 1);
        assert!(matches!(block(vault.subject_of("customer", "C-1")).unwrap(), RecordState::Erased));
        folder.done("vault roll");
        assert!(folder.done("vault reindex").starts_with("0 tokens"));
        ending.store(true, Ordering::Relaxed);
    });
    folder.refused("vault erase customer:C-1 --wait 0", "has not loaded");
    drop((control, vault));
    folder.done("vault erase customer:C-1");
}
