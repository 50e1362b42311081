//! What was proposed and why, as data.

use serde::Serialize;

use super::{body::Body, leaf::Seg, query::Classed, route::Route};

/// Everything `discover` has to say.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// What was read.
    pub source: String,
    /// The proposed routes.
    pub routes: Vec<RouteReport>,
    /// Operations without a route.
    pub left_out: Vec<LeftOut>,
    /// What was not read at all.
    pub notes: Vec<String>,
}

/// An operation that the map does not hold, which the gateway refuses therefore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Method and path.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A proposed route.
#[derive(Debug, Clone, Serialize)]
pub struct RouteReport {
    /// Its name.
    pub name: String,
    /// Method and template.
    #[serde(rename = "match")]
    pub target: String,
    /// What is acted on.
    pub resource: String,
    /// What is done.
    pub action: &'static str,
    /// Path variables and query parameters with a class.
    pub parameters: Vec<Field>,
    /// Places of the request body.
    pub request: Vec<Field>,
    /// Places of the response body.
    pub response: Vec<Field>,
    /// Places that hold nothing personal, in both bodies.
    pub plain: Vec<Field>,
}

/// A place and its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    #[serde(skip)]
    pub(super) path: Vec<Seg>,
    /// The selector, or the parameter's name.
    pub selector: String,
    /// The proposed class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// A class that is not sure enough to be proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guess: Option<String>,
    /// 0–100: how sure the class is, or that there is none.
    pub confidence: u8,
    /// Why.
    pub reason: String,
    /// The named schema the place belongs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// The place in that schema; `.` is the schema itself.
    pub property: String,
}

/// Routes before the loader has read them.
#[derive(Debug)]
pub(super) struct Draft<R> {
    pub(super) routes: Vec<R>,
    pub(super) report: Report,
}

impl<R> Default for Draft<R> {
    fn default() -> Self {
        Self { routes: Vec::new(), report: Report::default() }
    }
}

impl Report {
    /// The report with the routes that were kept.
    pub(super) fn finish(mut self, routes: &[Route], source: String) -> Self {
        self.source = source;
        self.routes = routes.iter().map(RouteReport::of).collect();
        self
    }

    /// Proposed classes: how many places, over all routes.
    #[must_use]
    pub fn fields(&self) -> usize {
        let count = |fields: &[Field]| fields.iter().filter(|field| field.class.is_some()).count();
        self.routes.iter().map(|route| count(&route.request) + count(&route.response) + count(&route.parameters)).sum()
    }

    /// Places that nobody could tell about.
    #[must_use]
    pub fn undecided(&self) -> usize {
        let count = |fields: &[Field]| fields.iter().filter(|field| field.class.is_none()).count();
        self.routes.iter().map(|route| count(&route.request) + count(&route.response)).sum()
    }
}

impl RouteReport {
    fn of(route: &Route) -> Self {
        let all = |body: &Body| body.fields.iter().chain(&body.undecided).cloned().collect();
        let parameter = |classed: &Classed| Field {
            path: Vec::new(),
            selector: classed.name.clone(),
            class: Some(classed.class.clone()),
            guess: None,
            confidence: classed.confidence,
            reason: classed.reason.clone(),
            schema: String::new(),
            property: classed.name.clone(),
        };
        Self {
            name: route.name.clone(),
            target: route.target.clone(),
            resource: route.resource.clone(),
            action: route.action.as_str(),
            parameters: route.path.iter().chain(&route.query.classed).map(parameter).collect(),
            request: all(&route.request),
            response: all(&route.response),
            plain: route.request.plain.iter().chain(&route.response.plain).cloned().collect(),
        }
    }
}
