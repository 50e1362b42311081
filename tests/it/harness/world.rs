//! A CRM and a gateway: start, stop, callers, records.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use fieldgate::{cli::Made, config::Config, gateway::Gateway, sandbox::Crm};
use serde_json::Value;
use tokio::sync::watch;

use super::{Client, Fixtures, TOKEN, raw};

pub(super) enum Running {
    No,
    Here(Box<Gateway>),
    Process(Child),
}

/// A CRM and a gateway.
pub struct World {
    pub crm: Arc<Crm>,
    /// The recorded shapes, where those are served instead.
    pub fixtures: Option<Arc<Fixtures>>,
    pub made: Made,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub crm_address: SocketAddr,
    pub(super) crm_ca: PathBuf,
    pub(super) running: Running,
    pub stderr: PathBuf,
    pub(super) _curtain: watch::Sender<bool>,
    #[allow(dead_code, reason = "kept until the world ends")]
    pub dir: tempfile::TempDir,
}

impl World {
    /// Puts the API map `text` in place of the one that was set up; takes effect with the start.
    pub fn map(&self, text: &str) {
        std::fs::write(self.made.config.with_file_name("own.toml"), text).unwrap();
        let config = std::fs::read_to_string(&self.made.config).unwrap();
        let line = config.lines().find(|line| line.starts_with("map = ")).unwrap();
        std::fs::write(&self.made.config, config.replace(line, "map = \"own.toml\"")).unwrap();
    }

    pub fn start(&mut self) {
        let gateway = Gateway::start(&Config::load(&self.made.config).unwrap()).unwrap();
        self.running = Running::Here(Box::new(gateway));
    }

    pub fn spawn(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.stderr).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_fieldgate"))
            .args(["serve", "--config"])
            .arg(&self.made.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running = Running::Process(child);
    }

    /// Waits until a process answers `/readyz`, or gives its exit code.
    pub fn ready(&mut self) -> Result<(), i32> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Running::Process(child) = &mut self.running
                && let Some(status) = child.try_wait().unwrap()
            {
                return Err(status.code().unwrap_or(-1));
            }
            if self.admin("/readyz").starts_with("HTTP/1.1 200") {
                return Ok(());
            }
            assert!(Instant::now() < until, "the gateway is not ready: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn gateway(&self) -> &Gateway {
        match &self.running {
            Running::Here(gateway) => gateway,
            _ => panic!("the gateway does not run in this process"),
        }
    }

    pub fn pid(&self) -> u32 {
        match &self.running {
            Running::Process(child) => child.id(),
            _ => panic!("the gateway is not a process"),
        }
    }

    /// Stops the gateway as an operator would.
    pub fn stop(&mut self) {
        match std::mem::replace(&mut self.running, Running::No) {
            Running::No => {}
            Running::Here(gateway) => gateway.stop().unwrap(),
            Running::Process(mut child) => {
                Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
                let status = child.wait().unwrap();
                assert!(status.success(), "{status}: {}", self.stderr());
            }
        }
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        if let Running::Process(child) = &mut self.running {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.running = Running::No;
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// `GET target` of the admin listener, raw.
    pub fn admin(&self, target: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(self.admin) else { return String::new() };
        let _ = write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    }

    /// The API key of a principal.
    pub fn key(&self, principal: &str) -> String {
        let found = self.made.callers.iter().find(|(id, _)| *id == principal);
        found.unwrap_or_else(|| panic!("no caller {principal}")).1.expose().clone()
    }

    fn client(&self, principal: &str) -> Client {
        let mut client = Client::new(self.address, &self.made.ca);
        if let Some((_, key)) = self.made.callers.iter().find(|(id, _)| *id == principal) {
            client.headers.push(("fieldgate-key".to_owned(), key.expose().clone()));
        }
        client
    }

    pub fn agent(&self) -> Client {
        self.client("agent-anna")
    }

    pub fn supervisor(&self) -> Client {
        self.client("supervisor-sam")
    }

    pub fn ai(&self) -> Client {
        self.client("ai-aria")
    }

    pub fn stranger(&self) -> Client {
        self.client("")
    }

    /// Past the gateway, with the CRM's credential.
    pub fn direct(&self) -> Client {
        Client::new(self.crm_address, &self.crm_ca).with("x-api-token", TOKEN)
    }

    /// The records of the log, each with its index as `idx`.
    pub fn records(&self) -> Vec<Value> {
        let rows = fieldgate::audit::query(&self.made.audit, &fieldgate::audit::Query::default()).unwrap();
        let record = |row: &fieldgate::audit::Row| {
            let mut record = row.record();
            assert!(record.is_object(), "{}", row.line);
            record["idx"] = row.index.into();
            record
        };
        rows.iter().map(record).collect()
    }

    /// Waits until the log holds `count` records of `kind`.
    pub fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let mut found = self.records();
            found.retain(|record| record["kind"] == kind);
            if found.len() >= count || Instant::now() > until {
                assert_eq!(found.len(), count, "records of {kind}");
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asserts that the log verifies.
    pub fn verify(&self) {
        let key = std::fs::read_to_string(&self.made.verification_key).unwrap();
        let report = fieldgate::audit::verify(&self.made.audit, key.trim()).unwrap();
        assert!(report.is_sound(), "{}", report.to_text());
    }

    /// TLS bytes in, everything that comes back out, until the gateway closes or is silent for `patience`.
    pub fn raw(&self, bytes: &[u8]) -> String {
        raw(self.address, &self.made.ca, bytes)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Running::Process(child) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
