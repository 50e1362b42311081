//! Data classes: what kind of value a field holds, and how it is stored and masked.

use std::{fmt, sync::Arc};

use super::{entity::Entity, storage::Storage};

/// The class whose fields are scanned by the detectors.
pub const FREE_TEXT: &str = "free_text";

/// Index of a class in its [`ClassTable`], below [`ClassId::LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(u8);

impl ClassId {
    /// Classes per configuration: a set of classes is one 128-bit word.
    pub const LIMIT: usize = 128;

    /// The id `index`, when below the limit.
    #[must_use]
    pub fn new(index: usize) -> Option<Self> {
        u8::try_from(index).ok().filter(|index| usize::from(*index) < Self::LIMIT).map(Self)
    }

    /// The index.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ClassSet(u128);

impl ClassSet {
    /// No class.
    pub const EMPTY: Self = Self(0);

    /// Adds `class`.
    pub fn insert(&mut self, class: ClassId) {
        self.0 |= 1 << class.0;
    }

    /// Whether `class` is in the set.
    #[must_use]
    pub fn contains(self, class: ClassId) -> bool {
        self.0 >> class.0 & 1 == 1
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many classes there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The classes in order of their ids.
    pub fn iter(self) -> impl Iterator<Item = ClassId> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = ClassId::new(rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(next)
        })
    }
}

impl FromIterator<ClassId> for ClassSet {
    fn from_iter<I: IntoIterator<Item = ClassId>>(classes: I) -> Self {
        let mut set = Self::EMPTY;
        for class in classes {
            set.insert(class);
        }
        set
    }
}

impl fmt::Debug for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(ClassId::index)).finish()
    }
}

/// The partial form a class is shown in; every mask carries U+2022 (•).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaskStyle {
    /// `j•••@example.com`.
    Email,
    /// `••• ••• 4567`: last four digits.
    Phone,
    /// `•••• •••• •••• 1111`: last four digits (PCI DSS 4.0.1 §3.4.1 allows at most BIN and last four).
    Card,
    /// `DE•• •••• 3000`: country and last four.
    Iban,
    /// `J••• D•••`: first letter of each word.
    Name,
    /// Everything hidden but the last word (town, or country).
    Address,
    /// The year only: `1984-••-••`.
    Date,
    /// The first `n` characters.
    KeepFirst(u8),
    /// The last `n` characters.
    KeepLast(u8),
    /// `•••`.
    Full,
}

/// A data class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The name: lower-case letters, digits and `_`.
    pub name: Arc<str>,
    /// How it is masked; pseudonyms take the same shape.
    pub mask: MaskStyle,
    /// What the CRM holds, and how it is found again.
    pub storage: Storage,
    /// The detector findings that count as this class.
    pub detects: Vec<Entity>,
}

/// More than [`ClassId::LIMIT`] classes, or two of one name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TooManyClasses {
    /// Past the limit.
    #[error("more than 128 classes; merge classes that are shown alike")]
    Limit,
    /// Two classes share a name.
    #[error("class `{0}` is defined twice; remove one")]
    Duplicate(String),
}

/// The classes of a configuration. `free_text` is always among them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassTable {
    classes: Vec<Class>,
    by_entity: Vec<Option<ClassId>>,
    free_text: Option<ClassId>,
}

impl ClassTable {
    /// A table of `classes`, plus `free_text` when it is not listed.
    ///
    /// # Errors
    /// Past the limit, or when two classes share a name.
    pub fn new(mut classes: Vec<Class>) -> Result<Self, TooManyClasses> {
        if !classes.iter().any(|class| &*class.name == FREE_TEXT) {
            classes.push(Class {
                name: FREE_TEXT.into(),
                mask: MaskStyle::Full,
                storage: Storage::CLEAR,
                detects: Vec::new(),
            });
        }
        let mut table = Self { by_entity: vec![None; Entity::ALL.len()], ..Self::default() };
        for class in classes {
            if table.id(&class.name).is_some() {
                return Err(TooManyClasses::Duplicate(class.name.to_string()));
            }
            let id = ClassId::new(table.classes.len()).ok_or(TooManyClasses::Limit)?;
            for entity in &class.detects {
                if let Some(slot) = table.by_entity.get_mut(*entity as usize) {
                    slot.get_or_insert(id);
                }
            }
            if &*class.name == FREE_TEXT {
                table.free_text = Some(id);
            }
            table.classes.push(class);
        }
        Ok(table)
    }

    /// The id of the class called `name`.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<ClassId> {
        self.classes.iter().position(|class| &*class.name == name).and_then(ClassId::new)
    }

    /// The class with `id`.
    #[must_use]
    pub fn get(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(id.index())
    }

    /// The name of `id`, or `?` for an id of another table.
    #[must_use]
    pub fn name(&self, id: ClassId) -> &str {
        self.get(id).map_or("?", |class| &class.name)
    }

    /// The class of a finding; a finding that no class claims counts as `free_text`.
    #[must_use]
    pub fn of_entity(&self, entity: Entity) -> Option<ClassId> {
        self.by_entity.get(entity as usize).copied().flatten().or(self.free_text)
    }

    /// The class `free_text`.
    #[must_use]
    pub fn free_text(&self) -> Option<ClassId> {
        self.free_text
    }

    /// Every class with its id.
    pub fn iter(&self) -> impl Iterator<Item = (ClassId, &Class)> {
        self.classes.iter().enumerate().filter_map(|(index, class)| Some((ClassId::new(index)?, class)))
    }

    /// The classes that detectors may find.
    #[must_use]
    pub fn detected(&self) -> ClassSet {
        let claimed = self.by_entity.iter().flatten().copied();
        claimed.chain(Entity::ALWAYS.into_iter().filter_map(|entity| self.of_entity(entity))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str) -> Class {
        Class { name: name.into(), mask: MaskStyle::Full, storage: Storage::CLEAR, detects: vec![] }
    }

    #[test]
    fn a_table_holds_the_limit_and_not_one_more() {
        let names = |n: usize| (0..n).map(|i| class(&format!("c{i}"))).collect::<Vec<_>>();
        assert!(ClassTable::new(names(ClassId::LIMIT - 1)).is_ok());
        assert_eq!(ClassTable::new(names(ClassId::LIMIT)), Err(TooManyClasses::Limit));
    }

    #[test]
    fn sets_iterate_in_order() {
        let set: ClassSet = [127, 0, 64].into_iter().filter_map(ClassId::new).collect();
        assert_eq!(set.iter().map(ClassId::index).collect::<Vec<_>>(), [0, 64, 127]);
        assert_eq!(set.len(), 3);
    }
}
