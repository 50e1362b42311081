//! How a world is made: the CRM, its certificate, and the configuration that `fieldgate init` writes, with changes.

use std::{net::TcpListener, sync::Arc};

use fieldgate::{
    cli::{Init, write_configuration},
    sandbox::{self, Crm},
    tls::{self, generate},
};
use tokio::sync::watch;

use super::{
    Fake, Fixtures, free_port,
    world::{Running, World},
};

/// The CRM's own credential.
pub(crate) const TOKEN: &str = "crm-credential-for-tests";

/// How a world is made.
pub struct Setup {
    crm: Crm,
    fixtures: Option<String>,
    map: String,
    edit: Vec<(String, String)>,
    files: Vec<(String, String)>,
    append: String,
    fake: Option<Arc<Fake>>,
}

impl Setup {
    /// Three hundred synthetic customers.
    pub fn new() -> Self {
        Self::of(Crm::generate(7, 300))
    }

    /// This CRM.
    pub fn of(crm: Crm) -> Self {
        Self {
            crm,
            fixtures: None,
            fake: None,
            map: "sandbox".to_owned(),
            edit: Vec::new(),
            files: Vec::new(),
            append: String::new(),
        }
    }

    /// This CRM answers instead of the sample one.
    pub fn answered_by(mut self, fake: &Arc<Fake>) -> Self {
        self.fake = Some(Arc::clone(fake));
        self
    }

    /// Takes the API map in this file of `tests/data`.
    pub fn map(mut self, file: &str) -> Self {
        self.map = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
        self
    }

    /// The recorded shapes of `world`, behind the map of that name that ships.
    pub fn recorded(world: &str) -> Self {
        Self { fixtures: Some(world.to_owned()), map: world.to_owned(), ..Self::of(Crm::generate(1, 1)) }
    }

    /// Replaces `from`, which has to be there, in the configuration.
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        self.edit.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Writes a file into the gateway's folder, over one that `fieldgate init` made.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Adds sections to the configuration.
    pub fn append(mut self, text: &str) -> Self {
        self.append.push_str(text);
        self
    }

    /// Starts CRM and gateway in this process.
    pub fn start(self) -> World {
        let mut world = self.world();
        world.start();
        world
    }

    /// Starts the CRM, and the gateway as a process of its own.
    pub fn spawn(self) -> World {
        let mut world = self.world();
        world.spawn();
        world
    }

    /// Starts the CRM, and writes the gateway's configuration.
    pub fn prepare(self) -> World {
        self.world()
    }

    fn world(self) -> World {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("crm-side");
        std::fs::create_dir(&folder).unwrap();
        let ca = generate::ca("test CRM", fieldgate::gateway::now()).unwrap();
        let server =
            generate::server(&ca, &["localhost".to_owned(), "127.0.0.1".to_owned()], fieldgate::gateway::now())
                .unwrap();
        std::fs::write(folder.join("ca.pem"), &ca.certificate).unwrap();
        std::fs::write(folder.join("server.pem"), &server.certificate).unwrap();
        std::fs::write(folder.join("server.key"), server.key.expose()).unwrap();
        std::fs::write(folder.join("token"), TOKEN).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let crm_address = socket.local_addr().unwrap();
        let origin = format!("https://localhost:{}", crm_address.port());
        let crm = Arc::new(self.crm.with_token(TOKEN.to_owned()).with_public_origin(origin.clone()));
        let settings = tls::ServerSettings {
            certificates: vec![tls::CertificateFiles { certificate: "server.pem".into(), key: "server.key".into() }],
            client_auth: tls::ClientAuthMode::None,
            client_ca: None,
            min_version: tls::MinVersion::Tls12,
        };
        let config = Arc::clone(&tls::server_config(&settings, &|path| folder.join(path), "test").unwrap().config);
        let (curtain, closing) = watch::channel(false);
        let fixtures = self.fixtures.map(|world| Arc::new(Fixtures::load(&world, &origin)));
        let (serving, recorded) = (Arc::clone(&crm), fixtures.clone());
        match self.fake {
            Some(fake) => fake.serve(socket, config),
            None => drop(std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                match recorded {
                    Some(recorded) => runtime.block_on(recorded.serve(socket, config, closing)),
                    None => runtime.block_on(sandbox::serve(socket, config, serving, closing)).unwrap(),
                }
            })),
        }
        let listen = free_port();
        let init = Init {
            upstream: origin,
            map: self.map,
            dir: dir.path().join("gate"),
            listen,
            public_url: None,
            admin: free_port(),
            upstream_ca: Some(folder.join("ca.pem")),
            upstream_server_name: None,
            alias: Vec::new(),
            credential_header: Some("X-Api-Token".to_owned()),
            credential: Some(folder.join("token")),
            pass_authorization: false,
        };
        let made = write_configuration(&init).unwrap();
        let mut text = std::fs::read_to_string(&made.config).unwrap();
        for (from, to) in &self.edit {
            assert!(text.contains(from.as_str()), "`{from}` is not in the configuration");
            text = text.replace(from, to);
        }
        text.push_str(&self.append);
        std::fs::write(&made.config, text).unwrap();
        for (path, text) in &self.files {
            std::fs::write(init.dir.join(path), text).unwrap();
        }
        World {
            crm,
            fixtures,
            made,
            address: listen,
            admin: init.admin,
            crm_address,
            crm_ca: folder.join("ca.pem"),
            running: Running::No,
            stderr: dir.path().join("stderr.log"),
            _curtain: curtain,
            dir,
        }
    }
}
