//! Selectors of an API map on a whole document: which leaves they select, and how such a leaf is set.

use serde_json::Value;

use crate::model::Step;

/// One step from a value to a value inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A member of an object.
    Member(String),
    /// An element of an array.
    Element(usize),
}

/// The way from a document to a value inside.
pub(super) type Path = Vec<Part>;

/// Everything that `steps` select in `root`, each with the way to it, in document order.
pub(super) fn select<'a>(root: &'a Value, steps: &[Step]) -> Vec<(Path, &'a Value)> {
    let mut found = Vec::new();
    follow(root, steps, &mut Vec::new(), &mut found);
    found
}

/// The first value that `steps` select.
pub(super) fn first<'a>(root: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    select(root, steps).into_iter().next().map(|(_, value)| value)
}

fn follow<'a>(value: &'a Value, steps: &[Step], path: &mut Path, found: &mut Vec<(Path, &'a Value)>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push((path.clone(), value));
        return;
    };
    let (step, deep) = match step {
        Step::Descendant(inner) => (&**inner, true),
        step => (step, false),
    };
    for (part, inner) in children(value) {
        path.push(part.clone());
        if selects(step, &part, inner) {
            follow(inner, rest, path, found);
        }
        if deep {
            follow(inner, steps, path, found);
        }
        path.pop();
    }
}

fn selects(step: &Step, part: &Part, value: &Value) -> bool {
    match (step, part) {
        (Step::Name(name), Part::Member(member)) => name == member,
        (Step::Index(index), Part::Element(element)) => usize::try_from(*index).is_ok_and(|index| index == *element),
        (Step::Wildcard, _) => true,
        (Step::WhereEquals { member, value: wanted }, _) => value.get(member).and_then(Value::as_str) == Some(wanted),
        _ => false,
    }
}

fn children(value: &Value) -> Vec<(Part, &Value)> {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (Part::Member(name.clone()), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (Part::Element(at), value)).collect(),
        _ => Vec::new(),
    }
}

/// The leaves of `value`, which stands at `path`: itself when it is one.
pub(super) fn leaves<'a>(path: Path, value: &'a Value, found: &mut Vec<(Path, &'a Value)>) {
    match value {
        Value::Object(_) | Value::Array(_) => {
            for (part, inner) in children(value) {
                let mut path = path.clone();
                path.push(part);
                leaves(path, inner, found);
            }
        }
        leaf => found.push((path, leaf)),
    }
}

/// The place as people read it (RFC 9535 normalised, with the short form for plain names): `$.card.number`.
pub(super) fn place(path: &[Part]) -> String {
    let plain = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    path.iter().fold("$".to_owned(), |place, part| match part {
        Part::Member(name) if plain(name) => format!("{place}.{name}"),
        Part::Member(name) => format!("{place}['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
        Part::Element(at) => format!("{place}[{at}]"),
    })
}

/// Sets the existing value at `path` to `text`; says whether it was there.
pub(super) fn set(root: &mut Value, path: &[Part], text: &str) -> bool {
    let target = path.iter().try_fold(root, |value, part| match part {
        Part::Member(name) => value.get_mut(name.as_str()),
        Part::Element(at) => value.get_mut(*at),
    });
    target.map(|value| *value = Value::String(text.to_owned())).is_some()
}

/// Puts `value` at the end of the members `names`, making objects on the way.
pub(super) fn put(root: &mut Value, names: &[String], value: Value) {
    let Some((first, rest)) = names.split_first() else {
        *root = value;
        return;
    };
    if !root.is_object() {
        *root = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(members) = root {
        put(members.entry(first.clone()).or_insert(Value::Null), rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Selector;

    fn places(document: &Value, selector: &str) -> Vec<String> {
        let selector: Selector = selector.parse().unwrap();
        select(document, selector.steps()).iter().map(|(path, _)| place(path)).collect()
    }

    #[test]
    fn selectors_find_what_they_name() {
        let document = json!({
            "a": { "b": 1, "c d": [2, { "b": 3 }] },
            "cf": [{ "name": "Card", "values": ["x", "y"] }, { "name": "Other", "values": ["z"] }],
        });
        for (selector, expected) in [
            ("$", vec!["$"]),
            ("$.a.b", vec!["$.a.b"]),
            ("$..b", vec!["$.a.b", "$.a['c d'][1].b"]),
            ("$.a.*", vec!["$.a.b", "$.a['c d']"]),
            ("$.cf[?@.name == 'Card'].values[*]", vec!["$.cf[0].values[0]", "$.cf[0].values[1]"]),
            ("$.cf[1].values[0]", vec!["$.cf[1].values[0]"]),
            ("$.nothing", vec![]),
            ("$.a.b.c", vec![]),
        ] {
            assert_eq!(places(&document, selector), expected, "{selector}");
        }
    }

    #[test]
    fn leaves_are_found_and_set() {
        let mut document = json!({ "a": { "b": [1, null, "x"] } });
        let mut found = Vec::new();
        leaves(Vec::new(), &document, &mut found);
        let paths: Vec<Path> = found.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(paths.iter().map(|path| place(path)).collect::<Vec<_>>(), ["$.a.b[0]", "$.a.b[1]", "$.a.b[2]"]);
        assert!(set(&mut document, &paths[2], "y"));
        assert!(!set(&mut document, &[Part::Element(0)], "y"));
        assert_eq!(document["a"]["b"][2], "y");
        put(&mut document, &["c".to_owned(), "d".to_owned()], json!(1));
        assert_eq!(document["c"], json!({ "d": 1 }));
    }
}
