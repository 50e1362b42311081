//! `fieldgate keys`: the life of the keys that values are sealed under. A gateway reads the result at its next reload;
//! each verb prints what it did and never a key.

use std::path::PathBuf;

use clap::Subcommand;

use super::Failure;
use crate::{
    config::Config,
    crypto::{Budget, ClassPlan, KeyFile, KeyId, KeyInfo, KeyMistake, KeyPurpose, Propagation, Residual},
    gateway::now,
    keyring::{Editing, History, KekSettings, Keyring, KeyringError, Settings},
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
    /// Make the key file, with active keys for the protected classes of the configuration.
    New,
    /// Add active keys for classes that have none yet.
    Provide,
    /// Show every key and its state.
    List,
    /// Add a pending key, which every gateway learns before any seals with it.
    Rotate {
        /// The class; none for the tenant's own keys.
        #[arg(long, default_value = "")]
        class: String,
        /// seal, det, bi (index), tok (tokens), swk or row. Default: what the class seals with.
        #[arg(long)]
        purpose: Option<String>,
    },
    /// Seal with a pending key from now on; the one before it still opens.
    Promote {
        /// The key.
        id: String,
        /// Every running gateway reports the epoch that the key came with.
        #[arg(long)]
        confirmed: bool,
        /// Nobody asked the gateways; go on if `keys.propagation_seconds` have passed.
        #[arg(long, conflicts_with = "confirmed")]
        force: bool,
    },
    /// Disable a key that nothing is stored under any more.
    Retire {
        /// The key.
        id: String,
        /// What the last `fieldgate rewrap` counted under it.
        #[arg(long)]
        residual: Option<u64>,
    },
    /// Stop a key at once, whatever is stored under it.
    Disable {
        /// The key.
        id: String,
        /// Take a disabled key back: it opens again.
        #[arg(long)]
        undo: bool,
    },
    /// Destroy a disabled key for good, once no backup needs it (`keys.backup_days`).
    Destroy {
        /// The key.
        id: String,
        /// Do not wait for backups.
        #[arg(long)]
        force: bool,
    },
    /// Wrap the root again: with `next_kek` if there is one, else anew with the same provider.
    Rewrap,
    /// Write a copy of the key file for the safe, wrapped with a passphrase instead of the KEK.
    Export {
        /// The file to write, mode 0600; never overwritten.
        #[arg(long)]
        escrow: PathBuf,
        /// The environment variable with the passphrase.
        #[arg(long, required_unless_present = "passphrase_file")]
        passphrase_env: Option<String>,
        /// The file with the passphrase, mode 0600.
        #[arg(long, conflicts_with = "passphrase_env")]
        passphrase_file: Option<PathBuf>,
    },
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = Config::load(&arguments.config)?;
    let settings = config.keys.as_ref().ok_or_else(|| {
        Failure::usage(
            format!("`{}` has no `[keys]` section", config.file()),
            "add `[keys]` with `keyset = \"keys/keyset.json\"`, `kek = { provider = \"file\", path = \"keys/kek\" }`",
        )
    })?;
    let ring = Keyring::new(settings, &config.path("".as_ref()));
    match arguments.verb {
        Verb::New => new(&config, &ring),
        Verb::List => list(&ring.read().map_err(failure)?),
        Verb::Export { escrow, passphrase_env, passphrase_file } => {
            let kek = KekSettings::Passphrase { env: passphrase_env, file: passphrase_file, fd: None };
            let text = ring.escrow(&kek, now()).map_err(failure)?;
            super::init::write_private(&escrow, &text)?;
            println!("{}: a copy of the keys, wrapped with the passphrase", escrow.display());
            println!("Keep file and passphrase apart. It opens every value sealed up to now, erased people's as well,");
            println!("as long as the vault's copy of that time exists; see docs/keys.md.");
            Ok(())
        }
        verb => edit(verb, &config, settings, &ring),
    }
}

fn new(config: &Config, ring: &Keyring) -> Result<(), Failure> {
    let file = ring.create(&config.gateway.tenant, &plans(config), now()).map_err(failure)?;
    println!("{}: {} keys for tenant `{}`", ring.path().display(), file.keys().count(), file.tenant());
    println!("Back it up together with what wraps it: without both, nothing that is sealed opens again.");
    list(&file)
}

/// Every class that is stored in another form than clear.
fn plans(config: &Config) -> Vec<ClassPlan<'_>> {
    let classes = config.classes.iter().filter(|(_, class)| class.storage.is_protected());
    classes.map(|(_, class)| ClassPlan { class: &class.name, storage: class.storage }).collect()
}

fn edit(verb: Verb, config: &Config, settings: &Settings, ring: &Keyring) -> Result<(), Failure> {
    let mut editing = ring.edit().map_err(failure)?;
    let (said, history) = apply(verb, config, settings, ring, &mut editing)?;
    let before = ring.path().display();
    let file = editing.save(history).map_err(failure)?;
    println!("{said}");
    println!("{before}: epoch {}; gateways use it after their next reload", file.epoch());
    Ok(())
}

/// What the verb did, in a line, and what becomes of older generations.
fn apply(
    verb: Verb,
    config: &Config,
    settings: &Settings,
    ring: &Keyring,
    editing: &mut Editing,
) -> Result<(String, History), Failure> {
    let (file, mut history) = (&mut editing.file, History::Keep);
    let said = match verb {
        Verb::Provide => {
            let added = file.provide(&plans(config), now()).map_err(mistake)?;
            format!("{} keys added", added.len())
        }
        Verb::Rotate { class, purpose } => {
            let purpose = purpose.as_deref().map(named).transpose()?;
            let key = file.rotate(&class, purpose, now()).map_err(mistake)?;
            format!("key `{key}` is pending; promote it when every gateway has loaded epoch {}", file.epoch())
        }
        Verb::Promote { id, confirmed, force } => {
            let propagation = match (confirmed, force) {
                (true, _) => Propagation::Confirmed,
                (false, true) => Propagation::Waited { needed: i64::from(settings.propagation_seconds) },
                (false, false) => Propagation::Unknown,
            };
            file.promote(key(&id)?, propagation, now()).map_err(mistake)?;
            format!("key `{id}` seals from now on; run `fieldgate rewrap` to move what is stored")
        }
        Verb::Retire { id, residual } => {
            let residual = residual.map_or(Residual::Unknown, Residual::Counted);
            file.retire(key(&id)?, residual, now()).map_err(mistake)?;
            format!("key `{id}` is disabled; destroy it in {} days", settings.backup_days)
        }
        Verb::Disable { id, undo: false } => {
            file.disable(key(&id)?, now()).map_err(mistake)?;
            format!("key `{id}` is disabled: values under it show a placeholder; `--undo` takes it back")
        }
        Verb::Disable { id, undo: true } => {
            file.enable(key(&id)?, now()).map_err(mistake)?;
            format!("key `{id}` opens again")
        }
        Verb::Destroy { id, force } => {
            let needed = if force { 0 } else { i64::from(settings.backup_days) * 86_400 };
            file.destroy(key(&id)?, needed, now()).map_err(mistake)?;
            history = History::Forget;
            format!("key `{id}` is destroyed, here and in the older generations; backups and escrow copies may have it")
        }
        Verb::Rewrap => {
            ring.rewrap(editing, now()).map_err(failure)?;
            let provider = &editing.file.kek().provider;
            format!("the root is wrapped by `{provider}`; older generations and backups still open with what it was")
        }
        Verb::New | Verb::List | Verb::Export { .. } => String::new(),
    };
    Ok((said, history))
}

fn list(file: &KeyFile) -> Result<(), Failure> {
    println!("tenant `{}`, epoch {}, root wrapped by `{}`", file.tenant(), file.epoch(), file.kek().provider);
    println!("{:<8}  {:<7}  {:<20}  {:<9}  {:<10}  {:>14}  check", "id", "purpose", "class", "state", "since", "used");
    for key in file.keys() {
        println!("{}", row(file, key));
    }
    Ok(())
}

fn row(file: &KeyFile, key: &KeyInfo) -> String {
    let since: String = key.changed.to_string().chars().take(10).collect();
    let class = if key.class.is_empty() { "-" } else { &*key.class };
    let check = file.check_value(key.id).unwrap_or_else(|| "-".into());
    let due = match Budget::after(key.used) {
        Budget::Within => "",
        Budget::Alarm => "  rotate now",
        Budget::Spent => "  spent: seals nothing more",
    };
    let (purpose, state) = (key.purpose.as_str(), key.state.as_str());
    format!("{}  {purpose:<7}  {class:<20}  {state:<9}  {since}  {:>14}  {check}{due}", key.id, key.used)
}

fn key(text: &str) -> Result<KeyId, Failure> {
    let help = "`fieldgate keys list` shows them: eight hex digits";
    KeyId::parse(text).ok_or_else(|| Failure::usage(format!("`{text}` is not the id of a key"), help))
}

fn named(text: &str) -> Result<KeyPurpose, Failure> {
    let help = "write one of seal, det, bi, tok, swk, row";
    KeyPurpose::named(text).ok_or_else(|| Failure::usage(format!("there is no purpose `{text}`"), help))
}

fn failure(error: KeyringError) -> Failure {
    let help = error.help();
    Failure::system(error, help)
}

fn mistake(error: KeyMistake) -> Failure {
    let error = KeyringError::Mistake(error);
    let help = error.help();
    Failure::usage(error, help)
}
