//! A body's leaves in, what a map says about the body out: fields, links, records, and what is not decided.

use super::{
    Options,
    judge::{Judgement, judge},
    leaf::{Concept, Kind, Leaf, Seg, selector},
    operation::Content,
    report::Field,
    words::{Meaning as M, Words},
};
use crate::model::ClassTable;

/// A proposed body.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    pub(super) format: &'static str,
    pub(super) fields: Vec<Field>,
    pub(super) links: Vec<String>,
    pub(super) record: Option<String>,
    pub(super) subject: Option<String>,
    /// Places that hold nothing personal.
    pub(super) plain: Vec<Field>,
    /// Places nobody can tell about, or not surely enough.
    pub(super) undecided: Vec<Field>,
    /// The root is an array.
    pub(super) array: bool,
}

/// Proposes what a map says about `content`.
pub(super) fn propose(content: &Content, options: &Options, classes: &ClassTable) -> Result<Body, String> {
    let (format, leaves) = match content {
        Content::Empty => return Ok(Body { format: "empty", ..Body::default() }),
        Content::Unmapped(why) => return Err(why.clone()),
        Content::Known(format, body) => (*format, &body.leaves),
    };
    let mut body = Body {
        format,
        array: leaves.first().is_some_and(|leaf| leaf.path.first() == Some(&Seg::Each)),
        ..Body::default()
    };
    if format == "form" && leaves.iter().any(|leaf| leaf.path.len() != 1) {
        return Err("a form with members inside of members has no selectors".to_owned());
    }
    // A body that is one text, or an object of which nobody says what is inside: every value in it would be shown.
    let shapeless = |leaf: &Leaf| {
        leaf.path.iter().all(|seg| *seg == Seg::Each)
            && (leaf.kind == Kind::Open || leaf.kind == Kind::Text && !leaf.enumerated)
    };
    if leaves.iter().any(shapeless) {
        return Err("nobody says what is in it: discover it from recorded traffic".to_owned());
    }
    for leaf in leaves {
        if is_link(leaf) {
            body.links.push(selector(&leaf.path));
            continue;
        }
        match judged(leaf, options, classes) {
            Some(field) if field.class.is_some() => body.fields.push(field),
            Some(field) if field.guess.is_none() && field.confidence >= PLAIN_CONFIDENCE => body.plain.push(field),
            Some(field) => body.undecided.push(field),
            None => {}
        }
    }
    Ok(body)
}

/// What is proposed for one leaf.
pub(super) fn judged(leaf: &Leaf, options: &Options, classes: &ClassTable) -> Option<Field> {
    let Judgement { concept, confidence, mut reason } = judge(leaf);
    let class = concept.map(|concept| {
        let (class, exact) = class_of(concept, classes);
        if !exact {
            reason.push_str("; the configuration has no class for it");
        }
        class
    });
    let sure = confidence >= options.min_confidence;
    Some(Field {
        path: leaf.path.clone(),
        selector: selector(&leaf.path),
        class: class.clone().filter(|_| sure),
        guess: class.filter(|_| !sure),
        confidence,
        reason,
        schema: leaf.schema.to_string(),
        property: if leaf.property.is_empty() { ".".to_owned() } else { leaf.property.clone() },
    })
}

/// The class that `concept` has in this configuration, and whether it is meant for it.
pub(super) fn class_of(concept: Concept, classes: &ClassTable) -> (String, bool) {
    let named = concept.classes().iter().find(|name| classes.id(name).is_some()).map(|name| (*name).to_owned());
    let detecting = || {
        let found = crate::model::Entity::ALL.into_iter().find(|entity| Concept::of(*entity) == Some(concept))?;
        let id = classes.of_entity(found).filter(|id| classes.free_text() != Some(*id))?;
        Some(classes.name(id).to_owned())
    };
    match named.or_else(detecting) {
        Some(class) => (class, true),
        None => (crate::model::FREE_TEXT.to_owned(), false),
    }
}

/// The records of a list and the member that names each: of the array with the most below it.
pub(super) fn records(body: &mut Body, leaves: &[Leaf], resource: &str) {
    let arrays = leaves.iter().filter_map(|leaf| {
        let at = leaf.path.iter().position(|seg| *seg == Seg::Each)?;
        let array = leaf.path.get(..=at)?;
        (at <= 2 && matches!(leaf.path.get(at + 1), Some(Seg::Name(_))) && !array.contains(&Seg::Deep)).then_some(array)
    });
    let mut counted: Vec<(&[Seg], usize)> = Vec::new();
    for array in arrays {
        match counted.iter_mut().find(|(known, _)| *known == array) {
            Some((_, count)) => *count += 1,
            None => counted.push((array, 1)),
        }
    }
    let Some((array, _)) = counted.into_iter().max_by_key(|(_, count)| *count) else { return };
    body.record = Some(selector(array));
    body.subject = identifier(leaves, array, resource).map(|name| selector(&[Seg::Name(name.into())]));
}

/// Where the id of a single record stands: at the root, or below a wrapper.
pub(super) fn subject(leaves: &[Leaf], resource: &str) -> Option<String> {
    let wrapped = leaves.iter().filter_map(|leaf| match leaf.path.as_slice() {
        [first @ Seg::Name(name), Seg::Name(_), ..]
            if Words::of(name).noun().is_none() || super::path::name_of(name) == resource =>
        {
            Some(vec![first.clone()])
        }
        _ => None,
    });
    std::iter::once(Vec::new()).chain(wrapped.take(1)).find_map(|prefix| {
        let name = identifier(leaves, &prefix, resource)?;
        let mut path = prefix;
        path.push(Seg::Name(name.into()));
        Some(selector(&path))
    })
}

/// The member of the object at `prefix` that names the record.
fn identifier<'l>(leaves: &'l [Leaf], prefix: &[Seg], resource: &str) -> Option<&'l str> {
    let own = format!("{resource}_id");
    let ranked = |name: &str| {
        let spelled = Words::of(name).0.iter().map(|(word, _)| word.clone()).collect::<Vec<_>>().join("_");
        ["id", own.as_str(), "uuid", "guid", "key"].iter().position(|known| *known == spelled)
    };
    let members = leaves.iter().filter(|leaf| matches!(leaf.kind, Kind::Text | Kind::Number)).filter_map(|leaf| {
        match leaf.path.strip_prefix(prefix)? {
            [Seg::Name(name)] => Some(&**name),
            _ => None,
        }
    });
    members.filter_map(|name| Some((ranked(name)?, name))).min().map(|(_, name)| name)
}

/// Whether the leaf is a link of the CRM to itself: a page, or the record.
fn is_link(leaf: &Leaf) -> bool {
    let words = Words::of(leaf.name());
    let pages =
        |word: &str| matches!(word, "next" | "prev" | "previous" | "self" | "href" | "first" | "last" | "current");
    let named = words.0.iter().any(|(word, _)| pages(word))
        && words
            .0
            .iter()
            .all(|(word, m)| m.is(M::LINK | M::WRAPPER) || matches!(word.as_str(), "odata" | "page" | "link"));
    let uri = matches!(leaf.format.as_deref(), Some("uri" | "url" | "uri-reference"));
    let among = leaf.around.first().is_some_and(|level| {
        ["links", "paging", "pagination"].contains(&level.property.trim_start_matches('_').to_lowercase().as_str())
    });
    let spelled = words.has("url") || words.has("link") || words.has("href") || words.has("uri");
    leaf.kind == Kind::Text && named && (uri || among || leaf.links || spelled)
}

/// From which confidence a place counts as plain.
const PLAIN_CONFIDENCE: u8 = 60;
