//! API maps: a method and a raw request target in, a route with its protected fields and the canonical target out.
//!
//! Never guesses: what no route maps is refused, and a target that is not canonical is refused before any route is looked up.

mod calls;
mod document;
mod fields;
pub mod graphql;
mod link;
mod load;
#[cfg(test)]
mod mistakes;
mod query;
mod routes;
pub mod search;
#[cfg(test)]
mod searches;
mod sweep;
mod target;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Method;

pub use calls::{Call, Media};
pub use link::{LinkOutcome, rewrite_link, rewrite_location};
pub use sweep::{CallLimit, Members, Paging, Shows, SweepRoute, SweepRule, VersionSource};
pub use target::{MAX_PARAMETERS, MAX_SEGMENTS, MAX_TARGET_BYTES, TargetError};

use crate::model::{Action, BodyMap, ClassId, ClassSet, ClassTable, Diagnostic, Sensitive, SubjectId};
use query::QueryRule;
use routes::RouteTable;
use search::{
    SearchError, SearchPlace, SearchRule, TargetSearch,
    rule::Whole,
    target::{Meaning, Part},
};
use target::{Query, RawPath};

/// One API map: the routes of one CRM, precompiled. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: String,
    name: String,
    /// `/a/` is mapped as `/a` is.
    trailing_slash: bool,
    /// Resources that `[map]` declares; policies may speak of them before a route does.
    declared: Vec<String>,
    routes: Vec<Arc<Route>>,
    rules: Vec<RouteRule>,
    table: RouteTable,
    limit: CallLimit,
    sweeps: Vec<SweepRule>,
}

/// A route of a map: what the exchange needs to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The name, unique in the map.
    pub name: Arc<str>,
    /// Position in [`Api::routes`].
    pub index: usize,
    /// Method and template as the map spells them: `GET /tickets/{id}`.
    pub template: Arc<str>,
    /// What is acted on.
    pub resource: Arc<str>,
    /// What is done.
    pub action: Action,
    /// The request body.
    pub request: BodyMap,
    /// The body of a successful response; others are read with the catch-all.
    pub response: BodyMap,
    /// What happens to a stand-in that the client writes back; absent where the method's default holds
    /// (`PATCH` drops, the rest refuse).
    pub write_back: Option<WriteBackRule>,
    /// Classes of the path and query values this route takes, and of the fields its searches know.
    pub target_classes: ClassSet,
    /// Where the request carries queries.
    pub search: Vec<SearchRule>,
    /// The calls that its body may carry: tools of an MCP server, roots of a GraphQL schema.
    pub calls: Vec<Call>,
}

/// What happens to a masked or redacted stand-in in a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteBackRule {
    /// The member is left out: the CRM takes partial updates.
    Drop,
    /// The request is refused with `masked_value`.
    Refuse,
}

/// A request target that a route maps.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The route.
    pub route: Arc<Route>,
    /// The record the path names.
    pub subject: Option<SubjectId>,
    /// The canonical target, rebuilt from the parsed parts: what the CRM is sent.
    pub target: String,
    /// Decoded values of the target that carry a class, in order of appearance.
    pub protected: Vec<(ClassId, Sensitive<String>)>,
    /// The parts of the target, decoded; none where nothing in it is looked for.
    parts: Vec<Part>,
}

impl Matched {
    /// A call that the body carries, of the record `subject`.
    #[must_use]
    pub fn call(route: &Arc<Route>, subject: Option<SubjectId>) -> Self {
        let route = Arc::clone(route);
        Self { route, subject, target: String::new(), protected: Vec::new(), parts: Vec::new() }
    }

    /// What the path and the query look for in protected fields, to be answered and written again.
    ///
    /// The values that [`Matched::protected`] lists are among the asks; nothing is asked where the target has no search, no
    /// class and no query, and [`Matched::target`] is what the CRM is sent.
    ///
    /// # Errors
    /// A query is not understood, or asks what stored values cannot answer.
    pub fn search(&self) -> Result<TargetSearch, SearchError> {
        TargetSearch::parse(&self.parts, &self.route.search)
    }
}

/// How the target of a route is read; index as in [`Api::routes`].
#[derive(Debug)]
struct RouteRule {
    /// What each variable with a class means, in order of the template.
    variables: Vec<Option<Whole>>,
    /// Which variable is the subject.
    subject: Option<usize>,
    query: QueryRule,
}

impl Api {
    /// Reads the map `text`; `file` is what diagnostics call it.
    ///
    /// # Errors
    /// Every mistake of the file, in order of its position.
    pub fn parse(file: &str, text: &str, classes: &ClassTable) -> Result<Self, Vec<Diagnostic>> {
        load::load(file, text, classes).map(|inner| Self(Arc::new(inner)))
    }

    /// The routes, in order of the file.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.0.routes
    }

    /// The file's name as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The map's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The resources the routes act on and those `[map]` declares, sorted, each once.
    #[must_use]
    pub fn resources(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.routes.iter().map(|route| &*route.resource).collect();
        for route in &self.0.routes {
            names.extend(route.calls.iter().map(|call| &*call.route.resource));
        }
        names.extend(self.0.declared.iter().map(String::as_str));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How fast a sweep may call the CRM.
    #[must_use]
    pub fn limit(&self) -> CallLimit {
        self.0.limit
    }

    /// How all records of `resource` are reached, when the map says so.
    #[must_use]
    pub fn sweep(&self, resource: &str) -> Option<&SweepRule> {
        self.0.sweeps.iter().find(|rule| &*rule.resource == resource)
    }

    /// Every rule of [`Api::sweep`].
    #[must_use]
    pub fn sweeps(&self) -> &[SweepRule] {
        &self.0.sweeps
    }

    /// Every class that a field, a path segment or a query parameter of the map carries.
    #[must_use]
    pub fn classes(&self) -> ClassSet {
        self.0.routes.iter().fold(ClassSet::EMPTY, |set, route| set.union(route.classes()))
    }

    /// The route for `method` and the raw request target in origin form (RFC 9112 §3.2.1).
    ///
    /// `HEAD` takes the rule of `GET` where the map has none of its own.
    ///
    /// # Errors
    /// The target is not in canonical form, no route maps it, or it has a parameter the route does not name.
    pub fn matches(&self, method: &Method, target: &str) -> Result<Matched, TargetError> {
        let (path, query) = target::split(target)?;
        let (path, slash) = match path.strip_suffix('/') {
            Some(without) if self.0.trailing_slash && !(without.is_empty() || without.ends_with('/')) => {
                (without, true)
            }
            _ => (path, false),
        };
        let path = RawPath::parse(path)?;
        let index = self.0.table.find(method, &path)?;
        let (Some(route), Some(rule)) = (self.0.routes.get(index), self.0.rules.get(index)) else {
            return Err(TargetError::Unmapped);
        };
        let query = Query::parse(query)?;
        let mut protected = Vec::new();
        let (mut subject, mut canonical) = (None, String::with_capacity(target.len() + 16));
        let mut parts = rule.looks_for_something(route).then(Vec::new);
        let mut variables = rule.variables.iter().enumerate();
        for (segment, is_variable) in path.segments().iter().zip(self.0.table.shape(index)) {
            canonical.push('/');
            segment.write_canonical(&mut canonical);
            let mut meaning = Meaning::Plain;
            if let Some((at, whole)) = is_variable.then(|| variables.next()).flatten() {
                if rule.subject == Some(at) {
                    subject = Some(Sensitive::new(segment.decoded().to_owned()));
                }
                if let Some(whole) = whole {
                    protected.push((whole.class(), Sensitive::new(segment.decoded().to_owned())));
                    meaning = Meaning::Whole(whole.clone());
                }
                if let Some(number) = route.search_in_variable(at, segment.decoded())? {
                    meaning = Meaning::Query(number);
                }
            }
            if let Some(parts) = &mut parts {
                parts.push(Part::Segment(Sensitive::new(segment.decoded().to_owned()), meaning));
            }
        }
        if canonical.is_empty() || slash {
            canonical.push('/');
        }
        if let Some(parts) = parts.as_mut().filter(|_| slash) {
            parts.push(Part::Segment(Sensitive::new(String::new()), Meaning::Plain));
        }
        rule.query.apply(query, &mut canonical, &mut protected, parts.as_mut())?;
        let parts = parts.unwrap_or_default();
        Ok(Matched { route: Arc::clone(route), subject, target: canonical, protected, parts })
    }
}

impl Route {
    /// Every class of the route: request, response and target.
    #[must_use]
    pub fn classes(&self) -> ClassSet {
        let fields = self.request.fields.iter().chain(&self.response.fields);
        let own = fields.map(|field| field.class).collect::<ClassSet>().union(self.target_classes);
        self.calls.iter().fold(own, |set, call| set.union(call.route.classes()))
    }

    /// The route, and the calls that its body may carry.
    pub fn with_calls(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        std::iter::once(self).chain(self.calls.iter().map(|call| &call.route))
    }

    /// The search rule for the variable of number `at`; refused when the segment is of an entity set that the rule does not know.
    fn search_in_variable(&self, at: usize, segment: &str) -> Result<Option<usize>, TargetError> {
        let Some(number) = self.search.iter().position(|rule| rule.place == SearchPlace::Variable(at)) else {
            return Ok(None);
        };
        let known = self.search.get(number).is_some_and(|rule| rule.knows_set(segment));
        if known { Ok(Some(number)) } else { Err(TargetError::Unmapped) }
    }
}

impl RouteRule {
    fn looks_for_something(&self, route: &Route) -> bool {
        !route.search.is_empty() || !self.query.protected.is_empty() || self.variables.iter().any(Option::is_some)
    }
}
