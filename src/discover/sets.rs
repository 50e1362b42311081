//! Bodies in, the sets of fields that several of them share out: a record is the same in every list, answer and request.

use std::collections::BTreeMap;

use super::{
    body::Body,
    leaf::{Seg, selector},
    path::name_of,
    report::Field,
    route::Route,
};

/// A set: its name, and its fields relative to where it is included.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

/// Selectors and classes.
type Key = Vec<(String, String)>;

/// The sets of a map, and where bodies include them.
#[derive(Debug, Default)]
pub(super) struct Sets {
    pub(super) sets: Vec<Set>,
    known: BTreeMap<Key, usize>,
}

impl Sets {
    /// The fields that at least two bodies of `routes` have in the same object.
    pub(super) fn of(routes: &[Route]) -> Self {
        let mut counts: BTreeMap<Key, (usize, &Route, Vec<Field>)> = BTreeMap::new();
        for route in routes {
            for body in [&route.request, &route.response] {
                if let Some((_, fields)) = relative(body) {
                    counts.entry(key(&fields)).or_insert((0, route, fields)).0 += 1;
                }
            }
        }
        let mut sets = Self::default();
        for (key, (count, route, fields)) in counts {
            if count < 2 {
                continue;
            }
            let schema = fields
                .first()
                .map(|field| field.schema.clone())
                .filter(|schema| !schema.is_empty() && fields.iter().all(|field| field.schema == *schema));
            let base = name_of(&schema.unwrap_or_else(|| route.resource.clone()));
            let taken = |name: &str| sets.sets.iter().any(|set| set.name == name);
            let name = if taken(&base) {
                (2..).map(|number| format!("{base}_{number}")).find(|name| !taken(name))
            } else {
                None
            };
            sets.known.insert(key, sets.sets.len());
            sets.sets.push(Set { name: name.unwrap_or(base), fields });
        }
        sets
    }

    /// Where `body` includes a set, and which.
    pub(super) fn include(&self, body: &Body) -> Option<(String, &str)> {
        let (prefix, fields) = relative(body)?;
        let set = self.sets.get(*self.known.get(&key(&fields))?)?;
        Some((selector(&prefix), &set.name))
    }
}

fn key(fields: &[Field]) -> Key {
    fields.iter().map(|field| (field.selector.clone(), field.class.clone().unwrap_or_default())).collect()
}

/// The object that all fields of `body` are in, and the fields as seen from there. At least two.
fn relative(body: &Body) -> Option<(Vec<Seg>, Vec<Field>)> {
    let (first, rest) = body.fields.split_first()?;
    if rest.is_empty() || body.format != "json" {
        return None;
    }
    let mut common = first.path.split_last()?.1;
    for field in rest {
        let own = field.path.split_last()?.1;
        let same = common.iter().zip(own).take_while(|(a, b)| a == b).count();
        common = common.get(..same)?;
    }
    let wild = |seg: &Seg| matches!(seg, Seg::Deep);
    let end = common.iter().position(wild).unwrap_or(common.len());
    let common = common.get(..end)?;
    let relative = |field: &Field| {
        let path = field.path.get(common.len()..)?.to_vec();
        Some(Field { selector: selector(&path), path, ..field.clone() })
    };
    Some((common.to_vec(), body.fields.iter().map(relative).collect::<Option<_>>()?))
}
