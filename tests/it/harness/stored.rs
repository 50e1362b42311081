//! Worlds whose CRM holds stored forms: classes with another storage than `clear`, new keys and an empty vault.

use fieldgate::{
    crypto::{Purpose, RootKey},
    identity::new_api_key,
};

use super::{Said, Setup, World, fieldgate};

/// Sections that name keys and an embedded vault, as `fieldgate keys new` and `vault init` make them.
const SECTIONS: &str = "\n[keys]\nkeyset = \"keys/keyset.json\"\nkek = { provider = \"file\", path = \"keys/kek\" }\n\
    \n[vault]\ntoken_domain = \"fg.example.com\"\n";

impl Setup {
    /// Stores each class in its form; `phase` is `mixed` or `enforced`.
    pub fn storing(mut self, classes: &[(&str, &str)], phase: &str) -> Self {
        for (class, storage) in classes {
            let name = format!("name = \"{class}\"\n");
            self = self.edit(&name, &format!("{name}storage = \"{storage}\"\nphase = \"{phase}\"\n"));
        }
        self.append(SECTIONS)
    }

    /// Starts the CRM, and makes keys and vault; the gateway does not run yet.
    pub fn provided(self) -> World {
        self.prepare().provide()
    }

    /// The same with the gateway started in this process.
    pub fn stored(self) -> World {
        let mut world = self.provided();
        world.start();
        world
    }
}

impl World {
    /// Makes keys and an empty vault.
    pub fn provide(self) -> Self {
        self.done("keys new");
        self.done("vault init");
        self
    }

    /// Makes a gateway that never ran one of this tenant. API keys are hashed for a tenant, so callers get new ones.
    pub fn of_tenant(mut self, tenant: &str) -> Self {
        let mut text = std::fs::read_to_string(&self.made.config).unwrap();
        text = text.replace("[gateway]\n", &format!("[gateway]\ntenant = \"{tenant}\"\n"));
        let root = std::fs::read_to_string(self.made.config.with_file_name("keys").join("root.key")).unwrap();
        let hashes = RootKey::parse(&root).unwrap().derive(Purpose::ApiKey, tenant).unwrap();
        for (principal, key) in &mut self.made.callers {
            let made = new_api_key(&hashes, principal).unwrap();
            let (before, rest) = text.split_once(&format!("id = \"{principal}\"\nhash = \"")).unwrap();
            let (_, after) = rest.split_once('"').unwrap();
            text = format!("{before}id = \"{principal}\"\nhash = \"{}\"{after}", made.hash);
            *key = made.key;
        }
        std::fs::write(&self.made.config, text).unwrap();
        self
    }

    /// `fieldgate WORDS --config …`, beside the gateway.
    pub fn run(&self, words: &str) -> Said {
        let config = self.made.config.to_str().unwrap().to_owned();
        fieldgate(words.split(' ').map(str::to_owned).chain(["--config".to_owned(), config]))
    }

    /// The same, which has to succeed; what it printed.
    #[track_caller]
    pub fn done(&self, words: &str) -> String {
        let said = self.run(words);
        assert_eq!(said.code, 0, "{words}: {said:?}");
        said.out
    }
}
