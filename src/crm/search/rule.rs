//! Search rules of a route: where a query stands, its dialect, its protected fields.

use super::{
    Dialect, Query, SearchError, SearchFields,
    fields::{Field, field},
};
use crate::model::{ClassId, ClassTable};

/// A rule of a route: what stands at a place is a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRule {
    /// Where it stands.
    pub place: SearchPlace,
    /// Its syntax.
    pub dialect: Dialect,
    /// Its protected fields.
    pub fields: SearchFields,
}

/// Where a query stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchPlace {
    /// In the query parameter of this name.
    Parameter(String),
    /// In the segment of the path variable of this number, in order of the template.
    Variable(usize),
    /// It is the request body.
    Body,
}

impl SearchRule {
    /// Parses what stands at the place, decoded.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn parse(&self, text: &str) -> Result<Query, SearchError> {
        Query::parse(self.dialect, &self.fields, text)
    }

    /// Whether the path `segment`, with or without a key, is of an entity set that a field names: another one would be
    /// answered with fields that this route does not protect.
    pub(in super::super) fn knows_set(&self, segment: &str) -> bool {
        let set = segment.split('(').next().unwrap_or_default();
        self.fields.sets().any(|known| known.eq_ignore_ascii_case(set))
    }
}

/// A whole value that the CRM compares: a query parameter or a path segment with a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Whole {
    pub(in super::super) field: Field,
    pub(in super::super) several: Several,
}

/// What becomes of a whole value that has several stored forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) enum Several {
    /// Refused: what a repeated parameter means is known for no server in general.
    #[default]
    Refused,
    /// The parameter is repeated; the CRM takes any of the values.
    Repeated,
    /// The values are written into one parameter, separated by commas.
    Commas,
}

impl Whole {
    pub(in super::super) fn new(name: &str, class: ClassId, several: Several, classes: &ClassTable) -> Self {
        Self { field: field(name, class, classes), several }
    }

    pub(in super::super) fn class(&self) -> ClassId {
        self.field.class
    }
}
