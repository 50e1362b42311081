//! Which names of a query are protected: the fields of a search rule in, the class of a path out.

use std::{collections::BTreeSet, sync::Arc};

use crate::model::{ClassId, ClassTable, Entity, Storage};

/// The protected fields of a search rule.
///
/// A name is a path of components (`Account.Email`) and matches every path that ends with it, in any case, so that a field
/// is found through a relationship too; the longest name that matches wins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchFields {
    names: Vec<(Vec<String>, Option<Field>)>,
    /// Classes of free search terms, and what values of them look like.
    pub(super) free: Vec<(Field, Vec<Entity>)>,
    /// Names, in lower case, that the answer's map knows: what is renamed to one of them would be taken for it.
    meant: BTreeSet<String>,
}

/// A protected field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Field {
    /// As the map spells it.
    pub(in super::super) name: Arc<str>,
    pub(in super::super) class: ClassId,
    pub(in super::super) finds: Finds,
}

/// How values of a field are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Finds {
    /// The CRM holds clear values: everything works.
    InClear,
    /// By equality of whole values.
    ByEquality,
    /// Not at all: equal values are stored differently.
    NotAtAll,
}

impl Finds {
    fn of(storage: Storage) -> Self {
        match (storage.is_protected(), storage.is_searchable()) {
            (false, _) => Self::InClear,
            (true, true) => Self::ByEquality,
            (true, false) => Self::NotAtAll,
        }
    }
}

impl SearchFields {
    /// Adds the field `name`; `class` is absent where a longer name is an exception from a shorter one.
    pub fn insert(&mut self, name: &str, class: Option<ClassId>, classes: &ClassTable) {
        let field = class.map(|class| field(name, class, classes));
        let components = components(name);
        match self.names.iter_mut().find(|(known, _)| *known == components) {
            Some((_, slot)) => *slot = field,
            None => self.names.push((components, field)),
        }
    }

    /// Adds a class of free search terms: those that look like what detectors find as this class.
    pub fn insert_free(&mut self, class: ClassId, classes: &ClassTable) {
        let entities = classes.get(class).map(|class| class.detects.clone()).unwrap_or_default();
        self.free.push((field(classes.name(class), class, classes), entities));
    }

    /// Adds a name that the answer's map knows.
    pub fn insert_meant(&mut self, name: &str) {
        self.meant.insert(name.to_lowercase());
    }

    /// Whether something that is renamed to `alias` would be taken for another member of the answer.
    pub(super) fn is_meant(&self, alias: &str) -> bool {
        self.meant.contains(alias) || self.ends_with(alias)
    }

    /// Whether `name` is listed, be it as an exception.
    #[must_use]
    pub fn lists(&self, name: &str) -> bool {
        self.lists_path(&components(name))
    }

    pub(super) fn lists_path(&self, components: &[String]) -> bool {
        self.names.iter().any(|(known, _)| *known == components)
    }

    /// Whether some listed name ends with the component `name`.
    pub(super) fn ends_with(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.names.iter().any(|(known, _)| known.last() == Some(&name))
    }

    /// The first components of the names that have several: entity sets, where names belong to one.
    pub(super) fn sets(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|(name, _)| name.len() > 1).filter_map(|(name, _)| name.first()).map(String::as_str)
    }

    /// The classes of the fields and of free terms.
    pub fn classes(&self) -> impl Iterator<Item = ClassId> {
        self.all().map(|field| field.class)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Field> {
        let named = self.names.iter().filter_map(|(_, field)| field.as_ref());
        named.chain(self.free.iter().map(|(field, _)| field))
    }

    /// The same fields, stored in clear.
    #[cfg(test)]
    pub(super) fn in_clear(&self) -> Self {
        let mut fields = self.clone();
        let named = fields.names.iter_mut().filter_map(|(_, field)| field.as_mut());
        named.chain(fields.free.iter_mut().map(|(field, _)| field)).for_each(|field| field.finds = Finds::InClear);
        fields
    }

    /// The field that the path of `components`, in lower case, ends with.
    pub(super) fn of_path<S: AsRef<str>>(&self, components: &[S]) -> Option<&Field> {
        let ends_with = |name: &[String]| {
            let tail = components.len().checked_sub(name.len()).and_then(|start| components.get(start..));
            tail.is_some_and(|tail| tail.iter().map(AsRef::as_ref).eq(name.iter().map(String::as_str)))
        };
        let matching = self.names.iter().filter(|(name, _)| ends_with(name));
        matching.max_by_key(|(name, _)| name.len()).and_then(|(_, field)| field.as_ref())
    }

    /// The field that the dotted `path` ends with.
    pub(super) fn of(&self, path: &str) -> Option<&Field> {
        self.of_path(&components(path))
    }
}

pub(super) fn field(name: &str, class: ClassId, classes: &ClassTable) -> Field {
    let storage = classes.get(class).map_or(Storage::CLEAR, |class| class.storage);
    Field { name: name.into(), class, finds: Finds::of(storage) }
}

/// `CF.{Customer Email}` and `Account/Owner.Email` as components in lower case. A dot inside `{…}` does not separate.
pub(super) fn components(name: &str) -> Vec<String> {
    let (mut components, mut current, mut braces) = (Vec::new(), String::new(), 0_usize);
    for c in name.chars() {
        match c {
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            '.' | '/' if braces == 0 => components.push(std::mem::take(&mut current)),
            _ => current.extend(c.to_lowercase()),
        }
    }
    components.push(current);
    components
}
