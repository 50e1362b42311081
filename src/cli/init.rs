//! `fieldgate init`: writes a working configuration, certificates, keys and an empty log for one CRM. Overwrites nothing.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{Failure, files, tls};
use crate::{
    audit,
    crypto::{Purpose, RootKey, SigningKey},
    gateway::now,
    identity,
    model::Sensitive,
    tls::generate,
};

/// What to put the gateway in front of.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The CRM's origin, such as `https://crm.example.com`.
    #[arg(long)]
    pub upstream: String,
    /// A built-in API map (`salesforce`, `hubspot`, `zendesk`, `dynamics`, `zoho`, `request-tracker`, `sandbox`), or the path of one.
    #[arg(long)]
    pub map: String,
    /// The folder to write to; nothing in it is overwritten.
    #[arg(long, default_value = "fieldgate")]
    pub dir: PathBuf,
    /// Address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// The origin callers use; default: `https://localhost:PORT`.
    #[arg(long)]
    pub public_url: Option<String>,
    /// Address and port of the admin listener (loopback).
    #[arg(long, default_value = "127.0.0.1:9464")]
    pub admin: SocketAddr,
    /// Root certificates (PEM) the CRM's certificate is checked with; default: those of the system.
    #[arg(long)]
    pub upstream_ca: Option<PathBuf>,
    /// The CRM's certificate is for this name, when the URL has another.
    #[arg(long)]
    pub upstream_server_name: Option<String>,
    /// Other origins under which the CRM writes links to itself.
    #[arg(long)]
    pub alias: Vec<String>,
    /// A header the gateway sends to the CRM as its own credential, such as `Authorization`.
    #[arg(long, requires = "credential")]
    pub credential_header: Option<String>,
    /// A file with that header's value; it is copied.
    #[arg(long, requires = "credential_header")]
    pub credential: Option<PathBuf>,
    /// The caller's own `Authorization` goes on to the CRM (callers identify by `Fieldgate-Key` then).
    #[arg(long)]
    pub pass_authorization: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// The configuration.
    pub config: PathBuf,
    /// The certificate of the authority that signed the gateway's.
    pub ca: PathBuf,
    /// The folder of the log.
    pub audit: PathBuf,
    /// The key to verify the log with.
    pub verification_key: PathBuf,
    /// Callers' keys by principal.
    pub callers: Vec<(&'static str, Sensitive<String>)>,
}

/// The callers that `init` makes: principal, the entry of the configuration, and the variable its key goes by.
const CALLERS: [(&str, &str, &str); 3] = [
    ("agent-anna", "kind = \"human\"\nroles = [\"agent\"]\nteam = \"support\"", "FG_AGENT_KEY"),
    ("supervisor-sam", "kind = \"human\"\nroles = [\"supervisor\"]\nteam = \"support\"", "FG_SUPERVISOR_KEY"),
    ("ai-aria", "kind = \"ai\"\nroles = [\"ai_assistant\"]\non_behalf_of = \"agent-anna\"", "FG_AI_KEY"),
];

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let made = write(arguments)?;
    let env = arguments.dir.join("callers.env");
    write_private(&env, &environment(arguments, &made))?;
    println!("{}: a configuration in front of {}", made.config.display(), arguments.upstream);
    println!(
        "{}: keys of three callers (agent, supervisor, AI agent); hand them out, then delete the file",
        env.display()
    );
    println!("{}: give this to callers, so that they trust the gateway's certificate", made.ca.display());
    println!("\nNext:\n  fieldgate check --config {0}\n  fieldgate serve --config {0}", made.config.display());
    Ok(())
}

/// The lines of an environment file for callers of `made`.
pub(super) fn environment(arguments: &Arguments, made: &Made) -> String {
    let absolute = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string();
    let mut lines = format!("FG_URL={}\nFG_CA={}\n", public_url(arguments), absolute(&made.ca));
    for (principal, key) in &made.callers {
        if let Some((_, _, variable)) = CALLERS.iter().find(|(id, _, _)| id == principal) {
            lines.push_str(&format!("{variable}={}\n", key.expose()));
        }
    }
    lines.push_str(&format!("FG_ADMIN_URL=http://{}\nFG_AUDIT_DIR={}\n", arguments.admin, absolute(&made.audit)));
    lines.push_str(&format!("FG_AUDIT_KEY={}\n", absolute(&made.verification_key)));
    lines
}

/// The origin callers use.
pub(super) fn public_url(arguments: &Arguments) -> String {
    arguments.public_url.clone().unwrap_or_else(|| format!("https://localhost:{}", arguments.listen.port()))
}

/// Writes everything: configuration, certificates, keys, an empty log.
///
/// # Errors
/// When the folder holds something already, or a file cannot be written; nothing that exists is overwritten.
pub fn write(arguments: &Arguments) -> Result<Made, Failure> {
    let dir = &arguments.dir;
    if let Some(taken) = OURS.iter().find(|name| dir.join(name).exists()) {
        return Err(Failure::usage(
            format!("`{}` exists already; nothing was written", dir.join(taken).display()),
            "choose another folder with `--dir`; keys that are overwritten cannot be made again",
        ));
    }
    // Read before anything is made, so that a corrected command finds an empty folder.
    let (map_name, map) = map(&arguments.map)?;
    let ca_for_crm = arguments.upstream_ca.as_deref().map(read).transpose()?;
    let credential = arguments.credential.as_deref().map(read).transpose()?;
    for folder in FOLDERS {
        make_folder(&dir.join(folder))?;
    }

    certificates(arguments)?;
    let root = RootKey::generate().map_err(random)?;
    write_private(&dir.join("keys/root.key"), root.to_text().expose())?;
    let signing = SigningKey::generate().map_err(random)?;
    write_private(&dir.join("keys/audit.key"), signing.to_text().expose())?;
    let log = dir.join("audit");
    let origin = format!("fieldgate.local/{NODE}");
    audit::init(&log, &origin, &signing, now())
        .map_err(|error| Failure::system(format!("the log in `{}`: {error}", log.display()), "check the folder"))?;
    let verification_key = dir.join("keys/audit.vkey");
    write_new(&verification_key, &format!("{}\n", audit::verification_key(&origin, &signing.verifying_key())))?;

    write_new(&dir.join(format!("crm/{map_name}.toml")), &map)?;
    for (name, text) in files::POLICIES {
        write_new(&dir.join("policies").join(name), text)?;
    }
    if let Some(text) = &ca_for_crm {
        write_new(&dir.join("certs/crm-ca.pem"), text)?;
    }
    if let Some(text) = &credential {
        write_private(&dir.join("keys/crm-credential"), text)?;
    }
    let hashes = root.derive(Purpose::ApiKey, TENANT).map_err(random)?;
    let mut callers = Vec::new();
    let mut entries = String::new();
    for (principal, settings, _) in CALLERS {
        let made = identity::new_api_key(&hashes, principal).map_err(random)?;
        entries.push_str(&format!(
            "\n[[principal]]\nid = \"{principal}\"\n{settings}\n\n[[identity.api_key]]\nid = \"{principal}\"\nhash = \"{}\"\nprincipal = \"{principal}\"\n",
            made.hash
        ));
        callers.push((principal, made.key));
    }
    let config = dir.join("fieldgate.toml");
    let text = configuration(arguments, &map_name, &origin, ca_for_crm.is_some(), credential.is_some(), &entries);
    write_new(&config, &text)?;
    Ok(Made { config, ca: dir.join("certs/ca.pem"), audit: log, verification_key, callers })
}

const FOLDERS: [&str; 4] = ["certs", "keys", "crm", "policies"];
const OURS: [&str; 6] = ["fieldgate.toml", "certs", "keys", "crm", "policies", "audit"];
const NODE: &str = "gw-1";
const TENANT: &str = "default";

fn configuration(
    arguments: &Arguments,
    map_name: &str,
    origin: &str,
    own_ca: bool,
    credential: bool,
    principals: &str,
) -> String {
    let text = toml_string;
    let mut upstream = format!("name = \"crm\"\nurl = {}\nmap = \"crm/{map_name}.toml\"\n", text(&arguments.upstream));
    if own_ca {
        upstream.push_str("ca = \"certs/crm-ca.pem\"\n");
    }
    if let Some(name) = &arguments.upstream_server_name {
        upstream.push_str(&format!("server_name = {}\n", text(name)));
    }
    if !arguments.alias.is_empty() {
        let aliases: Vec<_> = arguments.alias.iter().map(|alias| text(alias)).collect();
        upstream.push_str(&format!("aliases = [{}]\n", aliases.join(", ")));
    }
    if let (true, Some(header)) = (credential, &arguments.credential_header) {
        upstream
            .push_str(&format!("credential_header = {}\ncredential_file = \"keys/crm-credential\"\n", text(header)));
    }
    if arguments.pass_authorization {
        upstream.push_str("pass_authorization = true\n");
    }
    files::CONFIGURATION
        .replace("@NODE@", NODE)
        .replace("@LISTEN@", &arguments.listen.to_string())
        .replace("@PUBLIC_URL@", &public_url(arguments))
        .replace("@ADMIN@", &arguments.admin.to_string())
        .replace("@ORIGIN@", origin)
        .replace("@UPSTREAM@", &upstream)
        .replace("@CLASSES@", files::CLASSES)
        .replace("@PRINCIPALS@", principals)
}

fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn map(name: &str) -> Result<(String, String), Failure> {
    if let Some((_, text)) = files::MAPS.iter().find(|(known, _)| *known == name) {
        return Ok((name.to_owned(), (*text).to_owned()));
    }
    let path = Path::new(name);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    match (stem, fs::read_to_string(path)) {
        (Some(stem), Ok(text)) => Ok((stem.to_owned(), text)),
        _ => {
            let known: Vec<_> = files::MAPS.iter().map(|(known, _)| format!("`{known}`")).collect();
            let help = format!("use one of {}, or give the path of a map file", known.join(", "));
            Err(Failure::usage(format!("there is no API map `{name}`"), help))
        }
    }
}

fn certificates(arguments: &Arguments) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::system(error, "check the clock and the names");
    let ca = generate::ca("Fieldgate local authority", now()).map_err(|error| wrong(&error))?;
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let public = public_url(arguments);
    if let Some(host) = public.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned))
        && !hosts.contains(&host)
    {
        hosts.push(host);
    }
    let gateway = generate::server(&ca, &hosts, now()).map_err(|error| wrong(&error))?;
    let certs = arguments.dir.join("certs");
    tls::write(&certs, "ca", &ca)?;
    tls::write(&certs, "gateway", &gateway)
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        Failure::system(format!("`{}` cannot be made: {error}", path.display()), "check the permissions of its parent")
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("`{}` cannot be read: {error}", path.display()), "give the path of a file")
    })
}

fn random(error: impl std::fmt::Display) -> Failure {
    Failure::system(error.to_string(), "the system has to provide randomness; try again")
}

/// Writes a file only its owner may read; refuses to overwrite.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    create(path, text, 0o600)
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    create(path, text, 0o644)
}

fn create(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let written = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        // A crash before this line can leave an empty key file, which is refused when it is read.
        file.sync_all()
    });
    written.map_err(|error| {
        Failure::system(
            format!("`{}` cannot be written: {error}", path.display()),
            "an existing file is never overwritten; move it away or choose another folder",
        )
    })
}
