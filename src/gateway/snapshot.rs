//! What is in force: identity, policy, maps, views and TLS, built whole from a configuration or not at all.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;

use super::{budget, status::RouteStatus, stored::Resolver};
use crate::{
    config::{LimitSettings, TimeoutSettings},
    crm::{self, Api},
    crypto::Spelling,
    identity::Identity,
    listener,
    model::{Action, BodyFormat, ClassId, ClassSet, ClassTable, Files, Operation, Sensitive, SubjectId},
    policy::Policy,
    protect::Store,
    rewrite::{self, Layout, Links, Tools, WriteBack},
    tls,
    upstream::{self, Upstream},
    vault::Vault,
};

/// One loaded configuration.
pub struct Snapshot {
    /// Counts reloads; part of the key of cached plans.
    pub generation: u64,
    /// `sha256:…` of configuration, maps, policies and key files of issuers.
    pub fingerprint: Arc<str>,
    /// Who callers are.
    pub identity: Identity,
    /// What they may.
    pub policy: Policy,
    /// The purposes a caller may state.
    pub(super) purposes: Vec<Arc<str>>,
    /// The data classes.
    pub classes: Arc<ClassTable>,
    /// Detectors and stand-ins.
    pub tools: Arc<Tools>,
    /// How many people whom may see.
    pub(super) budget: budget::Rules,
    /// Bounds.
    pub limits: LimitSettings,
    /// Bounds in time.
    pub timeouts: TimeoutSettings,
    pub(super) sites: BTreeMap<Arc<str>, Arc<Site>>,
    pub(super) catch_all: Arc<Layout>,
    /// Of text files in forms that no field names.
    pub(super) texts: Arc<Layout>,
    /// Keys of subjects and tokens; absent when every class is stored in clear.
    pub(super) vault: Option<Vault>,
    /// Classes with a column that folds case, and classes with one that does not.
    pub(super) folded: ClassSet,
    pub(super) unfolded: ClassSet,
}

/// The spellings in which a class's sealed values may stand in the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spellings {
    base64: bool,
    base32: bool,
}

impl Spellings {
    /// What `forms` gives for each spelling.
    pub(super) fn each<T, E>(self, forms: impl Fn(Spelling) -> Result<Vec<T>, E>) -> Result<Vec<T>, E> {
        let mut all = Vec::new();
        for (there, spelling) in [(self.base64, Spelling::Base64), (self.base32, Spelling::Base32)] {
            if there {
                all.extend(forms(spelling)?);
            }
        }
        Ok(all)
    }
}

/// A listener and the CRM behind it.
pub struct Site {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The origin callers use.
    pub public_url: String,
    /// The CRM's origins, as its links spell them.
    pub origins: Vec<String>,
    /// The upstream's name.
    pub upstream_name: Arc<str>,
    /// The CRM.
    pub upstream: Arc<Upstream>,
    /// Its API.
    pub api: Api,
    /// The listener's TLS.
    pub tls: Arc<tls::Server>,
    /// The listener's limits.
    pub limits: listener::Limits,
    pub(super) inbound: upstream::headers::Inbound,
    pub(super) routes: Vec<Arc<RoutePlan>>,
    pub(super) links: Arc<Links>,
    /// The gateway's own credential for the CRM, which no answer may echo.
    pub(super) secrets: Vec<Sensitive<String>>,
}

/// A route, ready for use.
pub struct RoutePlan {
    pub(super) name: Arc<str>,
    pub(super) resource: Arc<str>,
    pub(super) action: Action,
    pub(super) request: Arc<Layout>,
    pub(super) request_format: BodyFormat,
    pub(super) response: Arc<Layout>,
    pub(super) response_format: BodyFormat,
    pub(super) response_classes: ClassSet,
    /// Every class whose view may be needed, those of error bodies among them.
    pub(super) classes: ClassSet,
    pub(super) operation: Arc<Operation>,
    pub(super) status: Arc<RouteStatus>,
    pub(super) write_back: Option<WriteBack>,
    /// What happens to files of its form that are no text.
    pub(super) files: Files,
    /// The calls that its body may carry.
    pub(super) calls: Vec<CallPlan>,
}

/// A call that a body carries, ready for use.
pub(super) struct CallPlan {
    pub(super) call: crm::Call,
    pub(super) plan: Arc<RoutePlan>,
}

impl RoutePlan {
    /// What happens to a stand-in in a body (field-protection.md §9): PATCH drops it, everything else refuses it.
    pub(super) fn write_back(&self, method: &Method) -> WriteBack {
        self.write_back.unwrap_or(if method == Method::PATCH { WriteBack::Drop } else { WriteBack::Refuse })
    }
}

impl Snapshot {
    /// The site of a listener.
    #[must_use]
    pub fn site(&self, listener: &str) -> Option<&Arc<Site>> {
        self.sites.get(listener)
    }

    /// Every site, by listener.
    pub fn sites(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.sites.values()
    }

    /// The keys and the vault; absent when every class is stored in clear.
    pub(super) fn storing(&self) -> Option<(&Store, &Vault)> {
        self.tools.store.as_ref().zip(self.vault.as_ref())
    }

    /// How the columns of `class` spell sealed values.
    pub(super) fn spellings(&self, class: ClassId) -> Spellings {
        let folded = self.folded.contains(class);
        Spellings { base32: folded, base64: !folded || self.unfolded.contains(class) }
    }

    /// Who asks the vault for records of `route`; absent when every class is stored in clear.
    pub(super) fn resolver(&self, route: &RoutePlan) -> Option<Resolver> {
        let (store, vault) = self.storing()?;
        Some(Resolver::new(vault.clone(), store.clone(), &route.resource))
    }

    /// What the rewriter does with a response of `route`; with an error of the CRM when that has a format.
    pub(super) fn response_view(
        &self,
        site: &Site,
        route: &RoutePlan,
        plan: &super::plan::Plan,
        known: Vec<Sensitive<String>>,
        subject: Option<SubjectId>,
        error: Option<BodyFormat>,
    ) -> Arc<rewrite::Plan> {
        let success = error.is_none();
        let layout = match error {
            None => Arc::clone(&route.response),
            Some(BodyFormat::Json) => Arc::clone(&self.catch_all),
            Some(format) => Arc::new(self.catch_all.read_as(format)),
        };
        Arc::new(rewrite::Plan {
            layout,
            views: plan.permit.views().clone(),
            tools: Arc::clone(&self.tools),
            links: Some(Arc::clone(&site.links)),
            known: if success { Arc::new([]) } else { known.into() },
            subject,
            limits: self.rewrite_limits(),
        })
    }

    /// What the rewriter does with a request body of `route`.
    pub(super) fn request_view(&self, route: &RoutePlan, plan: &super::plan::Plan) -> rewrite::Plan {
        rewrite::Plan {
            layout: Arc::clone(&route.request),
            views: plan.permit.views().clone(),
            tools: Arc::clone(&self.tools),
            links: None,
            known: Arc::new([]),
            subject: None,
            limits: self.rewrite_limits(),
        }
    }

    pub(super) fn rewrite_limits(&self) -> rewrite::Limits {
        rewrite::Limits {
            depth: self.limits.json_depth,
            value_bytes: self.limits.value_bytes,
            ..rewrite::Limits::default()
        }
    }
}

impl Site {
    /// The plan of the route with this index.
    pub(super) fn route(&self, index: usize) -> Option<&Arc<RoutePlan>> {
        self.routes.get(index)
    }

    /// The routes, in the order of the map.
    #[must_use]
    pub fn routes(&self) -> &[Arc<RoutePlan>] {
        &self.routes
    }

    /// The routes, each followed by the calls that its body may carry.
    pub fn all_routes(&self) -> impl Iterator<Item = &Arc<RoutePlan>> {
        self.routes.iter().flat_map(|route| std::iter::once(route).chain(route.calls.iter().map(|call| &call.plan)))
    }
}

impl RoutePlan {
    /// The route's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The resource policy knows it by.
    #[must_use]
    pub fn resource(&self) -> &Arc<str> {
        &self.resource
    }

    /// What it does.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The classes policy is asked about.
    #[must_use]
    pub fn classes(&self) -> ClassSet {
        self.classes
    }
}
