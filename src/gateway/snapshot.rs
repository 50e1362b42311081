//! What is in force: identity, policy, maps, views and TLS, built whole from a configuration or not at all.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;

use super::{budget, status::RouteStatus, stored::Resolver};
use crate::{
    config::{LimitSettings, TimeoutSettings},
    crm::Api,
    identity::Identity,
    listener,
    model::{Action, BodyFormat, ClassSet, ClassTable, Operation, Sensitive, SubjectId},
    policy::Policy,
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
    /// Keys of subjects and tokens; absent when every class is stored in clear.
    pub(super) vault: Option<Vault>,
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

    /// Who asks the vault for records of `route`; absent when every class is stored in clear.
    pub(super) fn resolver(&self, route: &RoutePlan) -> Option<Resolver> {
        let (vault, store) = self.vault.as_ref().zip(self.tools.store.as_ref())?;
        Some(Resolver::new(vault.clone(), store.clone(), &route.resource))
    }

    /// What the rewriter does with a response of `route`.
    pub(super) fn response_view(
        &self,
        site: &Site,
        route: &RoutePlan,
        plan: &super::plan::Plan,
        known: Vec<Sensitive<String>>,
        subject: Option<SubjectId>,
        success: bool,
    ) -> Arc<rewrite::Plan> {
        Arc::new(rewrite::Plan {
            layout: Arc::clone(if success { &route.response } else { &self.catch_all }),
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
