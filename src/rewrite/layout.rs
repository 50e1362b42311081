//! A body map, compiled.

use std::sync::Arc;

use crate::{
    formats::{
        Limits, Reader,
        path::{PathError, Paths, Walker},
    },
    model::{BodyFormat, BodyMap, ClassId, ClassSet, ClassTable, Column, FieldRule, Step},
};

/// A body map cannot be followed.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum LayoutError {
    /// Its selectors.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A class of another table.
    #[error("the map names a class that is not configured")]
    UnknownClass,
    /// A `subject` is given, and the format has no fields.
    #[error("an opaque or empty body cannot have protected fields")]
    NotJson,
}

/// A field's class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) class: ClassId,
    pub(super) base64: bool,
    pub(super) free_text: bool,
    /// The CRM holds something else than the value.
    pub(super) stored: bool,
    pub(super) column: Column,
}

/// What a map says of one place of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafPlace {
    /// A field with a class, or below one.
    Protected,
    /// The id of a record, and nothing else.
    Record,
    /// It says nothing.
    Plain,
    /// It depends on what stands next to it.
    Unknown,
}

/// What is where in a body.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(super) format: BodyFormat,
    pub(super) paths: Arc<Paths>,
    pub(super) rules: Box<[Rule]>,
    classes: ClassSet,
    links: bool,
    /// Some of its objects are closed.
    closed: bool,
    /// Sightings wait for a record's id.
    pub(super) has_subject: bool,
    pub(super) everything: bool,
    /// What text is that stands in no document: the data of an event.
    pub(super) prose: Option<Rule>,
    /// Parts of a form that are documents with fields of their own.
    parts: Arc<[(String, Arc<Layout>)]>,
}

impl Layout {
    /// The layout of `map`.
    ///
    /// # Errors
    /// When its selectors are too many, or a class is not in `classes`.
    pub fn compile(map: &BodyMap, classes: &ClassTable) -> Result<Self, LayoutError> {
        if !(map.format.has_fields() || map.fields.is_empty() && map.links.is_empty() && map.closed.is_empty()) {
            return Err(LayoutError::NotJson);
        }
        let mut rules = Vec::with_capacity(map.fields.len());
        let mut present = ClassSet::EMPTY;
        for field in &map.fields {
            let stored = classes.get(field.class).ok_or(LayoutError::UnknownClass)?.storage.is_protected();
            let free_text = classes.free_text() == Some(field.class);
            present.insert(field.class);
            if free_text {
                present = present.union(classes.detected());
            }
            rules.push(Rule { class: field.class, base64: field.base64, free_text, stored, column: field.column });
        }
        let prose = classes.free_text().filter(|_| map.format == BodyFormat::Sse).map(|class| {
            present.insert(class);
            present = present.union(classes.detected());
            Rule { class, base64: false, free_text: true, stored: false, column: Column::default() }
        });
        let mut parts = Vec::new();
        for (name, part) in &map.parts {
            let part = Self::compile(part, classes)?;
            present = present.union(part.classes);
            parts.push((name.clone(), Arc::new(part)));
        }
        if map.format == BodyFormat::Multipart {
            // Its files are searched.
            present = present.union(classes.free_text().into_iter().collect()).union(classes.detected());
        }
        Ok(Self {
            format: map.format,
            paths: Arc::new(Paths::compile(map)?),
            rules: rules.into(),
            parts: parts.into(),
            classes: present,
            links: !map.links.is_empty(),
            closed: !map.closed.is_empty(),
            has_subject: map.subject.is_some(),
            everything: false,
            prose,
        })
    }

    /// The layout for bodies that no map describes (errors): every string and every member name is searched.
    #[must_use]
    pub fn catch_all(classes: &ClassTable) -> Self {
        let text: ClassSet = classes.free_text().into_iter().collect();
        Self {
            format: BodyFormat::Json,
            paths: Arc::new(Paths::everything()),
            rules: Box::default(),
            parts: Arc::default(),
            classes: classes.detected().union(text),
            links: true,
            closed: false,
            has_subject: false,
            everything: true,
            prose: None,
        }
    }

    /// The same layout for bodies of another format.
    #[must_use]
    pub fn read_as(&self, format: BodyFormat) -> Self {
        Self { format, ..self.clone() }
    }

    /// A reader of one body.
    pub(super) fn reader(&self, limits: Limits) -> Reader {
        Reader::new(self.format, Arc::clone(&self.paths), limits)
    }

    /// The layout of an object each member of which is free text: of files that no field names.
    ///
    /// # Errors
    /// Never, where `classes` is the table of the snapshot.
    pub fn of_texts(classes: &ClassTable) -> Result<Self, LayoutError> {
        let selector = "$.*".parse().map_err(|_| LayoutError::UnknownClass)?;
        let class = classes.free_text().ok_or(LayoutError::UnknownClass)?;
        let field = FieldRule { selector, class, base64: false, column: Column::default() };
        Self::compile(&BodyMap { fields: vec![field], ..BodyMap::default() }, classes)
    }

    /// Whether a field selects the member `name` of the document.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.place(&[Step::Name(name.to_owned())]) != LeafPlace::Plain
    }

    /// The layout of the part `name`, when it is a document with fields of its own.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Arc<Self>> {
        self.parts.iter().find(|(known, _)| known == name).map(|(_, part)| part)
    }

    /// The classes that may be met.
    #[must_use]
    pub fn classes(&self) -> ClassSet {
        self.classes
    }

    /// Whether its records name their own subject.
    #[must_use]
    pub fn names_subjects(&self) -> bool {
        self.has_subject
    }

    /// What is at `path`: names and indices from the root. Where a filter decides, or no map describes the body, nothing is
    /// known.
    #[must_use]
    pub fn place(&self, path: &[Step]) -> LeafPlace {
        if self.everything {
            return LeafPlace::Unknown;
        }
        let mut walker = Walker::new(Arc::clone(&self.paths));
        let mut at = walker.root();
        for step in path {
            if walker.filters(at).next().is_some() {
                return LeafPlace::Unknown;
            }
            at = match step {
                Step::Name(name) => walker.member(at, name.as_bytes()),
                Step::Index(index) => walker.element(at, *index),
                Step::Wildcard | Step::Descendant(_) | Step::WhereEquals { .. } => return LeafPlace::Unknown,
            };
        }
        match walker.node(at) {
            _ if walker.filters(at).next().is_some() => LeafPlace::Unknown,
            Some(node) if !node.fields().is_empty() => LeafPlace::Protected,
            Some(node) if node.is_subject() => LeafPlace::Record,
            _ => LeafPlace::Plain,
        }
    }

    /// Whether text is searched by the detectors.
    #[must_use]
    pub fn scans_text(&self) -> bool {
        self.everything || self.closed || self.prose.is_some() || self.rules.iter().any(|rule| rule.free_text)
    }

    /// Whether nothing is protected and nothing rewritten: the body may be relayed unread.
    #[must_use]
    pub fn is_pass_through(&self) -> bool {
        !self.everything
            && self.format != BodyFormat::Multipart
            && !self.closed
            && self.rules.is_empty()
            && !self.links
            && self.prose.is_none()
    }
}
