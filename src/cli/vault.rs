//! `fieldgate vault`: the store of subject keys and tokens. Works beside a running gateway, which has the embedded
//! store open and then does what is asked itself.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Subcommand;

use super::{Failure, init::write_private};
use crate::{
    audit,
    config::Config,
    crypto::{Keyset, SigningKey},
    gateway::now,
    keyring::{History, Keyring, KeyringError},
    vault::{Answer, Ask, Overwrite, Receipt, Rollback, Settings, Stats, Vault, VaultError, ask},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, short, default_value = "fieldgate/fieldgate.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make an empty vault: the folder of `vault.dir`, or the tables behind `vault.url`.
    Init,
    /// How much is in it.
    Stats,
    /// Copy one moment of the embedded vault to a new file. Back up the key file at the same time.
    Backup {
        /// The file to write, mode 0600; never overwritten.
        path: PathBuf,
    },
    /// Put a backup in the place of the embedded vault; the gateway must not run. Later erasures are repeated.
    Restore {
        /// The backup.
        path: PathBuf,
        /// Replace the vault that is there.
        #[arg(long)]
        force: bool,
        /// Take a key file that is older than the newest one this vault was used with.
        #[arg(long)]
        accept_rollback: bool,
    },
    /// Erase data subjects for good, and destroy the keys with which copies of the vault could be opened.
    Erase {
        /// Records, each as `resource:id`, such as `contact:17`: whoever is linked to one is erased.
        #[arg(required = true)]
        subjects: Vec<String>,
        /// Write the signed receipt to this new file; default: standard output.
        #[arg(long)]
        receipt: Option<PathBuf>,
        /// Seconds to wait until a running gateway has loaded the key file.
        #[arg(long, default_value_t = 60)]
        wait: u64,
    },
    /// Give the vault's keys a new wrapping key and destroy the older ones. Due monthly, and after a restore.
    Roll {
        /// Seconds to wait until a running gateway has loaded the key file.
        #[arg(long, default_value_t = 60)]
        wait: u64,
    },
    /// After a new token key was promoted: give every token its look-up hash under that key.
    Reindex,
    /// Check a receipt of erasure.
    VerifyReceipt {
        /// The receipt.
        file: PathBuf,
        /// A file with the verification key, as `init` wrote it.
        #[arg(long)]
        key: PathBuf,
    },
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Verb::VerifyReceipt { file, key } = &arguments.verb {
        return verify(file, key);
    }
    let place = Place::of(&arguments.config)?;
    match arguments.verb {
        Verb::Init => place.init(),
        Verb::Stats => place.stats(),
        Verb::Backup { path } => place.backup(&path),
        Verb::Restore { path, force, accept_rollback } => {
            let overwrite = if force { Overwrite::Allowed } else { Overwrite::Refused };
            let rollback = if accept_rollback { Rollback::Accepted } else { Rollback::Refused };
            place.restore(&path, overwrite, rollback)
        }
        Verb::Erase { subjects, receipt, wait } => {
            place.erase(&subjects, receipt.as_deref(), Duration::from_secs(wait))
        }
        Verb::Roll { wait } => place.roll(Duration::from_secs(wait)),
        Verb::Reindex => place.reindex(),
        Verb::VerifyReceipt { .. } => Ok(()),
    }
}

/// Where the vault and its keys are.
struct Place {
    config: Config,
    settings: Settings,
    ring: Keyring,
}

impl Place {
    fn of(path: &Path) -> Result<Self, Failure> {
        let config = Config::load(path)?;
        let missing = |section: &str, help: &str| {
            Failure::usage(format!("`{}` has no `[{section}]` section", config.file()), help)
        };
        let settings = config.vault.as_ref().ok_or_else(|| missing("vault", "add `[vault]` with `dir = \"vault\"`"))?;
        let settings = settings.at(&config.path("".as_ref()));
        let keys = config.keys.as_ref().ok_or_else(|| missing("keys", "see `[keys]` in `config/fieldgate.toml`"))?;
        let ring = Keyring::new(keys, &config.path("".as_ref()));
        Ok(Self { config, settings, ring })
    }

    fn keyset(&self) -> Result<Arc<Keyset>, Failure> {
        self.ring.load().map(Arc::new).map_err(unkeyed)
    }

    fn signer(&self) -> Result<Arc<SigningKey>, Failure> {
        let path = self.config.path(&self.config.audit.signing_key);
        let help = "receipts are signed with the key of the access log; make it with `fieldgate audit init`";
        let wrong = |error: String| Failure::usage(format!("`{}`: {error}", path.display()), help);
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        SigningKey::parse(&text).map(Arc::new).map_err(|error| wrong(error.to_string()))
    }

    fn init(&self) -> Result<(), Failure> {
        Vault::init(&self.settings, self.keyset()?).map_err(refused)?;
        println!("{}: an empty vault", self.settings.place());
        println!("Back it up together with the key file: without both, nothing that is sealed opens again.");
        Ok(())
    }

    /// Does it here, or lets the process do it that has the vault open.
    fn ask(&self, what: &Ask) -> Result<Answer, Failure> {
        match Vault::open(&self.settings, self.keyset()?) {
            Ok(vault) => block(vault.answer(what.clone(), self.signer()?, now())),
            Err(VaultError::Locked(_)) => ask(&self.settings.dir, what).map_err(refused),
            Err(error) => Err(refused(error)),
        }
    }

    /// As [`Self::ask`]; waits for a gateway that has not loaded the key file yet.
    fn ask_until(&self, what: &Ask, wait: Duration) -> Result<Answer, Failure> {
        let started = Instant::now();
        loop {
            match self.ask(what)? {
                Answer::NotYet if started.elapsed() < wait => std::thread::sleep(Duration::from_millis(200)),
                Answer::NotYet => {
                    return Err(Failure::system(
                        "the gateway has not loaded the new key file in time; nothing was erased",
                        "look at its log, or give a longer `--wait`",
                    ));
                }
                Answer::Refused { what, help } => return Err(Failure::system(what, help)),
                answer => return Ok(answer),
            }
        }
    }

    fn stats(&self) -> Result<(), Failure> {
        let Answer::Stats(Stats { subjects, links, tokens, erasures, bytes }) = self.ask_until(&Ask::Stats, NOW)?
        else {
            return Err(unexpected());
        };
        println!("subjects  {subjects:>12}");
        println!("links     {links:>12}");
        println!("tokens    {tokens:>12}");
        println!("erasures  {erasures:>12}");
        println!("bytes     {bytes:>12}");
        Ok(())
    }

    fn backup(&self, path: &Path) -> Result<(), Failure> {
        let path = std::path::absolute(path).map_err(|error| Failure::usage(error, "name a file"))?;
        let Answer::Rows { rows } = self.ask_until(&Ask::Backup { path: path.clone() }, NOW)? else {
            return Err(unexpected());
        };
        println!("{}: {rows} rows", path.display());
        println!("Keep it with the key file of now ({}).", self.ring.path().display());
        Ok(())
    }

    fn restore(&self, path: &Path, overwrite: Overwrite, rollback: Rollback) -> Result<(), Failure> {
        let restored = Vault::restore(&self.settings, self.keyset()?, path, overwrite, rollback).map_err(refused)?;
        println!("{}: restored, {} later erasures repeated", self.settings.dir.display(), restored.repeated);
        if restored.repeated > 0 {
            println!("Run `fieldgate vault roll` now: until then the backup still opens with this key file.");
        }
        Ok(())
    }

    fn reindex(&self) -> Result<(), Failure> {
        let Answer::Rows { rows } = self.ask_until(&Ask::Reindex, NOW)? else { return Err(unexpected()) };
        println!("{rows} tokens have new look-up hashes");
        Ok(())
    }

    /// The order matters. A crash after any step leaves more keys than needed, never fewer; running the command again
    /// ends it.
    fn erase(&self, subjects: &[String], file: Option<&Path>, wait: Duration) -> Result<(), Failure> {
        let records = subjects.iter().map(|text| record(text)).collect::<Result<Vec<_>, _>>()?;
        if let Some(file) = file.filter(|file| file.exists()) {
            return Err(Failure::usage(format!("`{}` is there already", file.display()), "name a new file"));
        }
        self.signer()?;
        let epoch = self.new_wrapping_key()?;
        let Answer::Erased { receipt, epoch } = self.ask_until(&Ask::Erase { records, epoch }, wait)? else {
            return Err(unexpected());
        };
        self.destroy_older(epoch, wait)?;
        let text = receipt.to_json().map_err(refused)?;
        match file {
            Some(file) => write_private(file, &format!("{text}\n"))?,
            None => println!("{text}"),
        }
        eprintln!("erased: {} subjects, {} tokens", receipt.erasure.subjects, receipt.erasure.tokens);
        eprintln!("Backups of vault and key file taken before now can still be opened together; see docs/vault.md.");
        Ok(())
    }

    fn roll(&self, wait: Duration) -> Result<(), Failure> {
        let epoch = self.new_wrapping_key()?;
        let Answer::Rolled { epoch } = self.ask_until(&Ask::Roll { epoch }, wait)? else { return Err(unexpected()) };
        self.destroy_older(epoch, wait)?;
        println!("the vault has a new wrapping key; the older ones are destroyed");
        Ok(())
    }

    fn new_wrapping_key(&self) -> Result<u64, Failure> {
        let mut editing = self.ring.edit().map_err(unkeyed)?;
        editing.file.roll_subject_wrap(now()).map_err(|error| unkeyed(KeyringError::Mistake(error)))?;
        Ok(editing.save(History::Keep).map_err(unkeyed)?.epoch())
    }

    /// Destroys the wrapping keys that the vault, as of `epoch`, does not need. A key file that went on since may
    /// have another active key than the one the vault is wrapped under: then the vault follows first.
    fn destroy_older(&self, mut epoch: u64, wait: Duration) -> Result<(), Failure> {
        for _ in 0..ROLL_TRIES {
            let mut editing = self.ring.edit().map_err(unkeyed)?;
            if editing.file.epoch() == epoch {
                editing.file.destroy_old_subject_wraps(now());
                editing.save(History::Forget).map_err(unkeyed)?;
                return Ok(());
            }
            let newest = editing.file.epoch();
            drop(editing);
            let Answer::Rolled { epoch: rolled } = self.ask_until(&Ask::Roll { epoch: newest }, wait)? else {
                return Err(unexpected());
            };
            epoch = rolled;
        }
        Err(Failure::system(
            "the key file is edited all the time; older keys are not destroyed yet",
            "run `fieldgate vault roll`",
        ))
    }
}

fn verify(file: &Path, key: &Path) -> Result<(), Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("`{}`: {error}", path.display()), "name a file that is there"))
    };
    let trust = audit::Trust::parse(read(key)?.trim())
        .map_err(|error| Failure::usage(format!("`{}`: {error}", key.display()), "give the file that `init` wrote"))?;
    let receipt = Receipt::verify(&read(file)?, &trust.key()).map_err(|error| {
        let help = error.help();
        Failure::System { what: error.to_string(), help: help.into(), code: 65 }
    })?;
    let erasure = receipt.erasure;
    println!("valid: {} subjects and {} tokens of tenant `{}`", erasure.subjects, erasure.tokens, erasure.tenant);
    println!("erased {} under epoch {} in vault {}", erasure.time, erasure.epoch, erasure.vault);
    erasure.records.iter().for_each(|record| println!("record {record}"));
    Ok(())
}

fn record(text: &str) -> Result<(String, String), Failure> {
    match text.split_once(':') {
        Some((resource, id)) if !resource.is_empty() && !id.is_empty() => Ok((resource.to_owned(), id.to_owned())),
        _ => Err(Failure::usage(
            "a subject is not written as `resource:id`",
            "write it as the API map calls it: `contact:17`",
        )),
    }
}

fn block<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::system(error, "look at the limits of this process"))?;
    Ok(runtime.block_on(future))
}

fn refused(error: VaultError) -> Failure {
    let help = error.help();
    Failure::system(error, help)
}

fn unkeyed(error: KeyringError) -> Failure {
    let help = error.help();
    Failure::system(error, help)
}

fn unexpected() -> Failure {
    Failure::system("the gateway answered something else", "use the release that the gateway runs")
}

/// For commands that do not wait for the key file.
const NOW: Duration = Duration::ZERO;
/// Edits of the key file by others that an erasure follows.
const ROLL_TRIES: usize = 5;
