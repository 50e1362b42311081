//! `fieldgate demo`: a sample CRM, the gateway, and what four callers each get. Composes the same commands a user runs.

mod caller;
mod expect;
mod show;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

use http::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Failure, init, serve};
use crate::{
    config::{Config, LogFormat, LogSettings},
    crypto,
    gateway::{Gateway, now},
    model::Sensitive,
    sandbox::{self, Crm},
    tls::{self, generate},
};
use caller::{Answer, Call, Caller};
use show::{Paint, Tone};

/// How to run it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Make the calls, compare with what must be seen, and exit with 0 or 1.
    #[arg(long)]
    check: bool,
    /// The folder for everything that is made. An earlier demo's folder is replaced.
    #[arg(long, default_value = "fieldgate-demo")]
    dir: PathBuf,
    /// Address and port of the gateway; default `127.0.0.1:8443`, or any free port when it is taken or with `--check`.
    #[arg(long)]
    listen: Option<SocketAddr>,
}

/// Customers of the sample CRM.
const CUSTOMERS: usize = 300;

/// The sample's seed: the demo shows the same people each time.
const SEED: u64 = 20_261_124;

/// Fields of the table, as JSON pointers.
const FIELDS: [&str; 9] = [
    "/name",
    "/email",
    "/phone",
    "/birth_date",
    "/address/street",
    "/card/number",
    "/card/expiry",
    "/iban",
    "/loyalty_points",
];

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let quiet = LogSettings { format: LogFormat::Text, level: "warn".to_owned() };
    serve::log_to_stderr(&quiet)?;
    let stage = Stage::set(arguments)?;
    let paint = Paint::new();
    let runtime = runtime()?;
    if arguments.check {
        let outcome = runtime.block_on(expect::all(&stage, paint));
        stage.strike()?;
        return outcome;
    }
    runtime.block_on(tell(&stage, paint))?;
    println!("\nServing until Ctrl-C.");
    let waited = runtime.block_on(tokio::signal::ctrl_c());
    stage.strike()?;
    waited.map_err(|error| Failure::system(error, "stop the demo with its terminal"))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system(error, "free system resources and start again"))
}

/// Everything that runs.
struct Stage {
    gateway: Gateway,
    made: init::Made,
    dir: PathBuf,
    url: String,
    through: Caller,
    direct: Caller,
    token: String,
    /// The path of the customer everybody asks for.
    customer: String,
    curtain: watch::Sender<bool>,
    crm: std::thread::JoinHandle<()>,
}

impl Stage {
    fn set(arguments: &Arguments) -> Result<Self, Failure> {
        let dir = &arguments.dir;
        clear(dir)?;
        let (curtain, closing) = watch::channel(false);
        let token = crypto::hex(&crypto::random::<16>().map_err(|error| Failure::system(error, "try again"))?);
        let (crm_address, crm_ca, customer, crm) = sample_crm(dir, &token, closing)?;
        let listen = arguments.listen.unwrap_or_else(|| free_port(arguments.check, 8443));
        let credential = dir.join("sandbox/token");
        init::write_private(&credential, &token)?;
        let init = init::Arguments {
            upstream: format!("https://localhost:{}", crm_address.port()),
            map: "sandbox".to_owned(),
            dir: dir.clone(),
            listen,
            public_url: None,
            admin: free_port(arguments.check, 9464),
            upstream_ca: Some(crm_ca.clone()),
            upstream_server_name: None,
            alias: Vec::new(),
            credential_header: Some("X-Api-Token".to_owned()),
            credential: Some(credential),
            pass_authorization: false,
        };
        let made = init::write(&init)?;
        let env = dir.join("demo.env");
        init::write_private(&env, &init::environment(&init, &made))?;
        let gateway = Gateway::start(&Config::load(&made.config)?).map_err(serve::failure)?;
        Ok(Self {
            through: Caller::new(listen, client(&made.ca)?),
            direct: Caller::new(crm_address, client(&crm_ca)?),
            url: init::public_url(&init),
            dir: dir.clone(),
            gateway,
            made,
            token,
            customer,
            curtain,
            crm,
        })
    }

    fn key(&self, principal: &str) -> String {
        let key = self.made.callers.iter().find(|(id, _)| *id == principal);
        key.map_or_else(String::new, |(_, key): &(_, Sensitive<String>)| key.expose().clone())
    }

    /// `call` through the gateway, as `principal`; an empty name is a stranger.
    async fn call_as(&self, principal: &str, call: Call) -> Result<Answer, Failure> {
        let call = if principal.is_empty() { call } else { call.header("fieldgate-key", self.key(principal)) };
        self.through.call(&call).await
    }

    /// `call` past the gateway, with the CRM's own credential.
    async fn call_crm(&self, call: Call) -> Result<Answer, Failure> {
        self.direct.call(&call.header("x-api-token", self.token.clone())).await
    }

    fn strike(self) -> Result<(), Failure> {
        self.gateway.stop().map_err(serve::failure)?;
        self.curtain.send_replace(true);
        let _ = self.crm.join();
        Ok(())
    }
}

/// Removes what an earlier demo left; refuses a folder that is something else.
fn clear(dir: &Path) -> Result<(), Failure> {
    if !dir.exists() {
        return Ok(());
    }
    let empty = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    if !empty && !dir.join("sandbox").is_dir() {
        return Err(Failure::usage(
            format!("`{}` is not a demo's folder, so it is left alone", dir.display()),
            "choose another folder with `--dir`",
        ));
    }
    fs::remove_dir_all(dir)
        .map_err(|error| Failure::system(format!("`{}`: {error}", dir.display()), "remove it yourself"))
}

fn free_port(any: bool, preferred: u16) -> SocketAddr {
    let try_port = |port| TcpListener::bind(("127.0.0.1", port)).and_then(|socket| socket.local_addr()).ok();
    let wanted = if any { None } else { try_port(preferred) };
    wanted.or_else(|| try_port(0)).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], preferred)))
}

fn client(ca: &Path) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let settings = tls::ClientSettings { ca: Some(ca.to_path_buf()), ..tls::ClientSettings::default() };
    tls::client_config(&settings, &|path| path.to_path_buf(), "demo")
        .map_err(|problems| Failure::system(format!("{problems:?}"), "remove the demo's folder and start again"))
}

type SampleCrm = (SocketAddr, PathBuf, String, std::thread::JoinHandle<()>);

fn sample_crm(dir: &Path, token: &str, closing: watch::Receiver<bool>) -> Result<SampleCrm, Failure> {
    let folder = dir.join("sandbox");
    let failed = |error: &dyn std::fmt::Display| {
        Failure::system(format!("the sample CRM: {error}"), "free port and space, try again")
    };
    fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
    let ca = generate::ca("Sample CRM authority", now()).map_err(|error| failed(&error))?;
    let server = generate::server(&ca, &["localhost".to_owned(), "127.0.0.1".to_owned()], now())
        .map_err(|error| failed(&error))?;
    super::tls::write(&folder, "ca", &ca)?;
    super::tls::write(&folder, "server", &server)?;
    let settings = tls::ServerSettings {
        certificates: vec![tls::CertificateFiles { certificate: "server.pem".into(), key: "server.key".into() }],
        client_auth: tls::ClientAuthMode::None,
        client_ca: None,
        min_version: tls::MinVersion::Tls12,
    };
    let server = tls::server_config(&settings, &|path| folder.join(path), "demo")
        .map_err(|problems| failed(&format!("{problems:?}")))?;
    let socket = TcpListener::bind("127.0.0.1:0").map_err(|error| failed(&error))?;
    let address = socket.local_addr().map_err(|error| failed(&error))?;
    let crm = Crm::generate(SEED, CUSTOMERS)
        .with_token(token.to_owned())
        .with_public_origin(format!("https://localhost:{}", address.port()));
    let customer = format!("/api/v1/customers/{}", model_customer(&crm));
    let runtime = runtime()?;
    let run = move || {
        runtime.block_on(async {
            if let Err(error) = sandbox::serve(socket, Arc::clone(&server.config), Arc::new(crm), closing).await {
                tracing::error!(error = %error, "the sample CRM stopped");
            }
        });
    };
    let thread =
        std::thread::Builder::new().name("sample-crm".to_owned()).spawn(run).map_err(|error| failed(&error))?;
    Ok((address, folder.join("ca.pem"), customer, thread))
}

/// A customer with a value in every field, whose notes spell neither name nor expiry: detectors do not know those.
fn model_customer(crm: &Crm) -> String {
    let ids = crm.customer_ids();
    let text =
        |record: &Value, field: &str| record.pointer(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let whole = |id: &&String| {
        crm.stored(id).is_some_and(|record| {
            let name = text(&record, "/name");
            FIELDS.iter().all(|field| record.pointer(field).is_some_and(|value| !value.is_null() && value != ""))
                && !name.split(' ').any(|word| text(&record, "/notes").contains(word))
                && !text(&record, "/notes").contains(&text(&record, "/card/expiry"))
                && text(&record, "/notes").chars().any(|c| c.is_ascii_digit())
        })
    };
    ids.iter().find(whole).or(ids.first()).cloned().unwrap_or_default()
}

/// The story the demo tells.
async fn tell(stage: &Stage, paint: Paint) -> Result<(), Failure> {
    let customer = stage.customer.as_str();
    let truth = stage.call_crm(Call::get(customer)).await?.json();
    println!("Fieldgate stands at {} in front of a sample CRM with {CUSTOMERS} customers.", stage.url);
    println!("Everything it made is in {}; `demo.env` there holds URL, keys and paths.", stage.dir.display());

    paint.title(&format!("One call, GET {customer}, four callers"));
    let mut seen = Vec::new();
    for principal in ["agent-anna", "supervisor-sam", "ai-aria"] {
        seen.push(stage.call_as(principal, Call::get(customer)).await?.json());
    }
    paint.table(&["agent", "supervisor", "AI agent (for the agent)"], &truth, &seen, &FIELDS);
    println!("  {}", paint.paint(Tone::Dim, "green: what the CRM holds · yellow: a stand-in"));
    for (who, answer) in ["agent", "supervisor", "AI agent"].iter().zip(&seen) {
        let notes = answer.get("notes").and_then(Value::as_str).unwrap_or_default();
        println!("  {} {notes}", paint.paint(Tone::Strong, &format!("notes, {who}:")));
    }
    let stranger = stage.call_as("", Call::get(customer)).await?;
    println!("  {} {} {}", paint.paint(Tone::Strong, "stranger:"), stranger.status, stranger.text.trim());

    paint.title("The agent still finds her customer, and a mask written back destroys nothing");
    let email = truth.get("email").and_then(Value::as_str).unwrap_or_default();
    let found =
        stage.call_as("agent-anna", Call::get(format!("/api/v1/customers?email={}", percent(email)))).await?.json();
    println!("  GET /api/v1/customers?email={email} -> {}", found.pointer("/items/0/id").unwrap_or(&Value::Null));
    let mut record = seen.first().cloned().unwrap_or_default();
    if let Some(object) = record.as_object_mut() {
        object.insert("tags".to_owned(), json!(["vip", "called-back"]));
    }
    let put = stage.call_as("agent-anna", Call::send(Method::PUT, customer, record.clone())).await?;
    println!(
        "  PUT  the masked record -> {} {}",
        put.status.as_u16(),
        put.json().get("fields").unwrap_or(&Value::Null)
    );
    let patch = stage.call_as("agent-anna", Call::send(Method::PATCH, customer, record)).await?;
    let after = stage.call_crm(Call::get(customer)).await?.json();
    println!(
        "  PATCH the same        -> {}; in the CRM tags are {}, the e-mail is {}",
        patch.status.as_u16(),
        after.get("tags").unwrap_or(&Value::Null),
        if after.get("email") == truth.get("email") { "untouched" } else { "DESTROYED" }
    );

    paint.title("The supervisor says why, and sees the card");
    let fraud =
        Call::get(customer).header("fieldgate-purpose", "fraud_investigation").header("fieldgate-case", "CASE-4711");
    let fraud = stage.call_as("supervisor-sam", fraud).await?;
    println!("  card.number -> {}", fraud.json().pointer("/card/number").unwrap_or(&Value::Null));
    let reference = fraud.headers.get("fieldgate-audit-ref").and_then(|value| value.to_str().ok()).unwrap_or("none");
    println!("  Fieldgate-Audit-Ref: {reference}");

    paint.title("What the log says of these calls");
    expect::print_log(stage, paint)?;
    paint.title("Try it");
    curl_lines(stage);
    Ok(())
}

fn curl_lines(stage: &Stage) {
    let customer = &stage.customer;
    let env = stage.dir.join("demo.env");
    println!("  source {}", env.display());
    for (who, variable) in [("agent", "FG_AGENT_KEY"), ("supervisor", "FG_SUPERVISOR_KEY"), ("AI agent", "FG_AI_KEY")] {
        println!("  curl -s --cacert $FG_CA -H \"Fieldgate-Key: ${variable}\" $FG_URL{customer}   # {who}");
    }
    println!("  curl -s --cacert $FG_CA $FG_URL{customer}   # stranger");
    println!("  curl -s $FG_ADMIN_URL/metrics");
    println!("  fieldgate audit verify --dir $FG_AUDIT_DIR --key $FG_AUDIT_KEY");
}

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
