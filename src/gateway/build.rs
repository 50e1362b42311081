//! A configuration in, a snapshot or every mistake out. `check` and `serve` both come through here.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    budget::Rules,
    snapshot::{CallPlan, RoutePlan, Site, Snapshot},
    status::Status,
};
use crate::{
    config::{Config, ListenerSettings},
    crm::{self, Api},
    crypto::{self, Keyset, MacKey, Purpose, RootKey},
    detect::Detector,
    identity::Identity,
    keyring::Keyring,
    model::{BodyMap, ClassSet, ClassTable, Diagnostic, Operation, Problem},
    policy::Policy,
    protect::{Protector, Store},
    rewrite::{Layout, Links, Tools, WriteBack},
    tls, upstream,
    upstream::Upstream,
    vault::Vault,
};

/// Keys of the gateway, derived from its root key.
pub struct Keys {
    /// Hashes of API keys.
    pub api_key: MacKey,
    /// Subject references in records.
    pub subject_ref: MacKey,
    /// Pseudonyms.
    pub pseudonym: MacKey,
    /// Hashes in the journals of sweeps.
    pub sweep: MacKey,
}

/// Reads the root key.
///
/// # Errors
/// When the file cannot be read or is not a root key.
pub fn keys(config: &Config) -> Result<Keys, Vec<Diagnostic>> {
    let path = config.path(&config.gateway.root_key);
    let problem = |what: String| {
        vec![config.diagnose(&Problem::new(
            "gateway.root_key",
            what,
            "make keys with `fieldgate init`, or correct the path",
        ))]
    };
    let text =
        std::fs::read_to_string(&path).map_err(|error| problem(format!("the root key cannot be read: {error}")))?;
    let root = RootKey::parse(&text).map_err(|error| problem(error.to_string()))?;
    let tenant = &config.gateway.tenant;
    let derive = |purpose| root.derive(purpose, tenant).map_err(|error| problem(error.to_string()));
    Ok(Keys {
        api_key: derive(Purpose::ApiKey)?,
        subject_ref: derive(Purpose::SubjectRef)?,
        pseudonym: derive(Purpose::Pseudonym)?,
        sweep: derive(Purpose::Sweep)?,
    })
}

/// Builds the snapshot of `config`.
///
/// # Errors
/// Every mistake of every part.
pub fn build(
    config: &Config,
    generation: u64,
    status: &Status,
    vault: Option<&Vault>,
    watched: &mut Watched,
) -> Result<Snapshot, Vec<Diagnostic>> {
    watched.file(Path::new(config.file()));
    let mut builder = Builder {
        config,
        mistakes: Vec::new(),
        read: vec![config.text().as_bytes().to_vec()],
        watched: RefCell::new(watched),
    };
    let keys = builder.keep(keys(config));
    let identity = keys.as_ref().and_then(|keys| builder.identity(keys));
    let maps = builder.maps();
    let policy = builder.policy(&maps);
    let store = builder.store();
    let catch_all = Arc::new(Layout::catch_all(&config.classes));
    let sites: BTreeMap<_, _> = config
        .listeners
        .iter()
        .enumerate()
        .filter_map(|(index, listener)| builder.site(index, listener, &maps, &catch_all, status))
        .map(|site| (Arc::clone(&site.listener), Arc::new(site)))
        .collect();
    let (Some(keys), Some(identity), Some(policy), true) = (keys, identity, policy, builder.mistakes.is_empty()) else {
        return Err(builder.mistakes);
    };
    let read: Vec<&[u8]> = builder.read.iter().map(Vec::as_slice).collect();
    Ok(Snapshot {
        generation,
        fingerprint: format!("sha256:{}", crypto::hex(&crypto::sha256(&read))).into(),
        identity,
        policy,
        purposes: config.policy.codes().into_iter().map(Arc::from).collect(),
        classes: Arc::clone(&config.classes),
        tools: Arc::new(Tools {
            classes: Arc::clone(&config.classes),
            protector: Protector::new(keys.pseudonym),
            detector: Detector::of(config.sought),
            store,
        }),
        budget: Rules::new(&config.budget),
        limits: config.limits.clone(),
        timeouts: config.timeouts.clone(),
        sites,
        // A table without free text has none that a file could be.
        texts: Arc::new(Layout::of_texts(&config.classes).unwrap_or_else(|_| (*catch_all).clone())),
        catch_all,
        vault: vault.cloned(),
        folded: columns(&maps, true),
        unfolded: columns(&maps, false),
    })
}

/// The keys of stored values; `None` where every class is stored in clear.
///
/// # Errors
/// When the key file is missing, open to others, changed, or its provider refuses.
pub fn keyset(config: &Config) -> Result<Option<Arc<Keyset>>, Vec<Diagnostic>> {
    let stored = config.classes.iter().any(|(_, class)| class.storage.is_protected());
    let Some(settings) = config.keys.as_ref().filter(|_| stored) else { return Ok(None) };
    let keyring = Keyring::new(settings, config.base());
    let keyset = keyring
        .load()
        .map_err(|error| vec![config.diagnose(&Problem::new("keys.keyset", error.to_string(), error.help()))])?;
    if keyset.tenant() != config.gateway.tenant {
        let what = "the key file belongs to another tenant than `gateway.tenant`".to_owned();
        let help = "give this tenant's key file, or correct the tenant";
        return Err(vec![config.diagnose(&Problem::new("keys.keyset", what, help))]);
    }
    Ok(Some(Arc::new(keyset)))
}

/// The classes with a written or read column that folds case, or with one that does not.
fn columns(maps: &BTreeMap<String, Api>, folds_case: bool) -> ClassSet {
    let routes = maps.values().flat_map(|api| api.routes()).flat_map(crm::Route::with_calls);
    let fields = routes.flat_map(|route| route.request.fields.iter().chain(&route.response.fields));
    fields.filter(|field| field.column.folds_case == folds_case).map(|field| field.class).collect()
}

struct Builder<'c> {
    config: &'c Config,
    mistakes: Vec<Diagnostic>,
    /// Everything that was read, for the fingerprint.
    read: Vec<Vec<u8>>,
    watched: RefCell<&'c mut Watched>,
}

/// The files a configuration is made of: a change of one is a reason to reload.
#[derive(Debug, Clone, Default)]
pub struct Watched(BTreeSet<PathBuf>);

impl Watched {
    /// Adds a file or a folder.
    pub(super) fn file(&mut self, path: &Path) {
        self.0.insert(path.to_path_buf());
    }

    /// Adds what `other` holds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// Whether `path` is among them.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.0.contains(path)
    }

    /// Every path.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter()
    }
}

impl Builder<'_> {
    fn keep<T>(&mut self, result: Result<T, Vec<Diagnostic>>) -> Option<T> {
        result.map_err(|mistakes| self.mistakes.extend(mistakes)).ok()
    }

    fn problems<T>(&mut self, prefix: &str, result: Result<T, Vec<Problem>>) -> Option<T> {
        let located = |mut problem: Problem| {
            if !prefix.is_empty() {
                problem.path = format!("{prefix}.{}", problem.path);
            }
            self.config.diagnose(&problem)
        };
        let result = result.map_err(|problems| problems.into_iter().map(located).collect());
        self.keep(result)
    }

    /// A path of the configuration, which is watched from now on.
    fn path(&self, relative: &Path) -> PathBuf {
        let path = self.config.path(relative);
        self.watched.borrow_mut().file(&path);
        path
    }

    fn identity(&mut self, keys: &Keys) -> Option<Identity> {
        let mut read = Vec::new();
        let mut files = |path: &Path| {
            let bytes = std::fs::read(self.path(path)).map_err(|error| error.to_string())?;
            read.push(bytes.clone());
            Ok(bytes)
        };
        let (settings, principals) = (&self.config.identity, &self.config.principals);
        let identity = Identity::new(settings, principals, keys.api_key.clone(), &mut files);
        self.read.append(&mut read);
        self.problems("", identity)
    }

    fn store(&mut self) -> Option<Store> {
        let keyset = keyset(self.config);
        let keyset = self.keep(keyset)??;
        if let Some(settings) = &self.config.keys {
            for file in Keyring::new(settings, self.config.base()).files() {
                self.watched.borrow_mut().file(&file);
            }
        }
        let domain = self.config.vault.as_ref().and_then(|vault| vault.token_domain.as_deref()).unwrap_or_default();
        Some(Store::new(keyset, domain, self.config.gateway.region.as_deref()))
    }

    fn maps(&mut self) -> BTreeMap<String, Api> {
        let mut maps = BTreeMap::new();
        for (index, upstream) in self.config.upstreams.iter().enumerate() {
            let path = self.path(&upstream.map);
            let text = std::fs::read_to_string(&path).map_err(|error| {
                let what = format!("the API map cannot be read: {error}");
                let help = "give the path of a map, such as `crm/sandbox.toml`";
                vec![self.config.diagnose(&Problem::new(format!("upstream.{index}.map"), what, help))]
            });
            let Some(text) = self.keep(text) else { continue };
            let api = Api::parse(&path.display().to_string(), &text, &self.config.classes);
            self.read.push(text.into_bytes());
            if let Some(api) = self.keep(api) {
                maps.insert(upstream.name.clone(), api);
            }
        }
        maps
    }

    fn policy(&mut self, maps: &BTreeMap<String, Api>) -> Option<Policy> {
        self.path(&self.config.policy.dir);
        let problems = self.config.policy.problems();
        let sound = if problems.is_empty() { Ok(()) } else { Err(problems) };
        self.problems("policy", sound);
        let files = policy_files(self.config);
        let files = self.keep(files)?;
        for (name, _) in files.policies.iter().chain(&files.schema) {
            self.watched.borrow_mut().file(Path::new(name));
        }
        for (name, text) in &files.policies {
            self.read.extend([name.clone().into_bytes(), text.clone().into_bytes()]);
        }
        let mut resources: Vec<&str> = maps.values().flat_map(|api| api.resources()).collect();
        resources.sort_unstable();
        resources.dedup();
        let purposes = self.config.policy.codes();
        let policy = Policy::load(&files.policies, files.schema.as_ref(), &purposes, &self.config.classes, &resources);
        Some(self.keep(policy)?.with_utc_offset(self.config.policy.utc_offset_minutes))
    }

    fn site(
        &mut self,
        index: usize,
        listener: &ListenerSettings,
        maps: &BTreeMap<String, Api>,
        catch_all: &Layout,
        status: &Status,
    ) -> Option<Site> {
        let config = self.config;
        let at = config.upstreams.iter().position(|upstream| upstream.name == listener.upstream)?;
        let settings = config.upstreams.get(at)?;
        let api = maps.get(&settings.name)?.clone();
        let tls = tls::server_config(&listener.tls, &|path: &Path| self.path(path), &format!("listener.{index}.tls"));
        let tls = self.problems("", tls);
        let limits = self.problems("", listener.limits.limits(&format!("listener.{index}.limits")));
        let upstream = Upstream::new(settings, &|path: &Path| self.path(path), &format!("upstream.{at}"));
        let upstream = self.problems("", upstream);
        let inbound = upstream::headers::Inbound::new(&listener.public_url, &config.gateway.trusted_proxies, settings);
        let inbound = self.problems("", inbound);
        let upstream_name: Arc<str> = settings.name.as_str().into();
        let routes = self.routes(&api, &upstream_name, catch_all, status)?;
        let upstream = upstream?;
        let origins = upstream.origins();
        Some(Site {
            listener: listener.name.as_str().into(),
            public_url: listener.public_url.clone(),
            links: Arc::new(Links { upstream: origins.clone(), public: listener.public_url.clone() }),
            origins,
            upstream_name,
            secrets: upstream.secrets(),
            upstream: Arc::new(upstream),
            api,
            tls: tls?,
            limits: limits?,
            inbound: inbound?,
            routes,
        })
    }

    fn routes(
        &mut self,
        api: &Api,
        upstream: &Arc<str>,
        catch_all: &Layout,
        status: &Status,
    ) -> Option<Vec<Arc<RoutePlan>>> {
        let classes = &self.config.classes;
        let (mut routes, mut layouts) = (Vec::new(), Layouts::default());
        for route in api.routes() {
            match route_plan(route, upstream, classes, catch_all, status, &mut layouts) {
                Ok(plan) => routes.push(Arc::new(plan)),
                Err(what) => {
                    let help = "simplify the selectors of this route";
                    self.mistakes.push(Diagnostic::of_file(
                        api.file(),
                        format!("route `{}`: {what}", route.name),
                        help,
                    ));
                }
            }
        }
        (routes.len() == api.routes().len()).then_some(routes)
    }
}

/// The layouts of a site: routes that say the same of a body share one.
#[derive(Default)]
struct Layouts(Vec<(BodyMap, Arc<Layout>)>);

impl Layouts {
    fn of(&mut self, map: &BodyMap, classes: &ClassTable) -> Result<Arc<Layout>, String> {
        if let Some((_, known)) = self.0.iter().find(|(known, _)| known == map) {
            return Ok(Arc::clone(known));
        }
        let layout = Arc::new(Layout::compile(map, classes).map_err(|error| error.to_string())?);
        self.0.push((map.clone(), Arc::clone(&layout)));
        Ok(layout)
    }
}

fn route_plan(
    route: &crm::Route,
    upstream: &Arc<str>,
    classes: &ClassTable,
    catch_all: &Layout,
    status: &Status,
    layouts: &mut Layouts,
) -> Result<RoutePlan, String> {
    let request = layouts.of(&route.request, classes)?;
    let response = layouts.of(&route.response, classes)?;
    let mut response_classes = response.classes();
    if response.scans_text() {
        response_classes = response_classes.union(classes.detected());
    }
    let calls = route.calls.iter().map(|call| {
        let plan = route_plan(&call.route, upstream, classes, catch_all, status, layouts)?;
        Ok::<_, String>(CallPlan { call: call.clone(), plan: Arc::new(plan) })
    });
    let calls = calls.collect::<Result<Vec<_>, _>>()?;
    let all = response_classes.union(request.classes()).union(catch_all.classes()).union(classes.detected());
    Ok(RoutePlan {
        name: Arc::clone(&route.name),
        resource: Arc::clone(&route.resource),
        action: route.action,
        request,
        request_format: route.request.format,
        response,
        response_format: route.response.format,
        response_classes,
        classes: all,
        operation: Arc::new(Operation {
            action: Some(route.action),
            route: Some(Arc::clone(&route.name)),
            template: Some(Arc::clone(&route.template)),
            upstream: Some(Arc::clone(upstream)),
            method: "",
        }),
        status: status.route(upstream, &route.name),
        files: route.request.files,
        write_back: route.write_back.map(|rule| match rule {
            crm::WriteBackRule::Drop => WriteBack::Drop,
            crm::WriteBackRule::Refuse => WriteBack::Refuse,
        }),
        calls,
    })
}

/// Policy files of a configuration, as (name, text).
pub struct PolicyFiles {
    /// `*.cedar`, sorted by name.
    pub policies: Vec<(String, String)>,
    /// An own schema, when one is configured.
    pub schema: Option<(String, String)>,
}

/// Reads the policy files.
///
/// # Errors
/// When the directory or a file cannot be read, or holds no policy.
pub fn policy_files(config: &Config) -> Result<PolicyFiles, Vec<Diagnostic>> {
    let dir = config.path(&config.policy.dir);
    let wrong = |key: &str, what: String| {
        vec![config.diagnose(&Problem::new(format!("policy.{key}"), what, "give a folder with `*.cedar` files"))]
    };
    let listing =
        std::fs::read_dir(&dir).map_err(|error| wrong("dir", format!("the folder cannot be read: {error}")))?;
    let mut paths: Vec<_> = listing.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    paths.sort();
    if paths.is_empty() {
        return Err(wrong("dir", "the folder holds no `*.cedar` file, so nothing would be permitted".to_owned()));
    }
    let read = |path: &Path, key: &str| {
        let text =
            std::fs::read_to_string(path).map_err(|error| wrong(key, format!("a file cannot be read: {error}")))?;
        Ok::<_, Vec<Diagnostic>>((path.display().to_string(), text))
    };
    let policies = paths.iter().map(|path| read(path, "dir")).collect::<Result<_, _>>()?;
    let schema = config.policy.schema.as_ref().map(|path| read(&config.path(path), "schema")).transpose()?;
    Ok(PolicyFiles { policies, schema })
}
