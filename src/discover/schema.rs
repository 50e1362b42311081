//! JSON schemas in, the leaves of the bodies they describe out. References, compositions and cycles are followed; what is
//! too large to be followed to its end is said, never cut in silence.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::{
    beside,
    leaf::{Kind, Leaf, Level, Seg},
    observe,
};
use crate::detect::Detector;

/// How much of a document is looked at.
#[derive(Debug)]
pub(super) struct Budget {
    /// Schemas that may still be visited, over all bodies.
    pub(super) visits: usize,
}

/// The leaves of a body.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    pub(super) leaves: Vec<Leaf>,
    /// Why these are not all leaves.
    pub(super) incomplete: Option<String>,
}

/// The leaves of a value that `schema` describes; `around` is what it is called where the schema does not say.
pub(super) fn leaves(root: &Value, schema: &Value, around: &str, budget: &mut Budget) -> Body {
    let mut walk = Walk {
        root,
        budget,
        body: Body::default(),
        ancestors: Vec::new(),
        cycles: Vec::new(),
        detector: Detector::new(),
        here: 0,
    };
    let place = Place { around: vec![Level { property: around.into(), schema: Rc::default() }], ..Place::default() };
    walk.value(&[schema], &place);
    walk.unroll();
    walk.body
}

/// Where the walk is.
#[derive(Debug, Clone, Default)]
struct Place {
    path: Vec<Seg>,
    around: Vec<Level>,
    schema: Rc<str>,
    property: String,
    /// The last named step.
    name: Rc<str>,
    beside: super::leaf::Beside,
}

impl Place {
    fn step(&self, seg: Seg) -> Self {
        let mut next = self.clone();
        match &seg {
            Seg::Name(name) => {
                if !next.property.is_empty() {
                    next.property.push('.');
                }
                next.property.push_str(name);
                next.name = name.clone();
            }
            Seg::Each => next.property.push_str("[]"),
            Seg::Any => next.property.push_str(if next.property.is_empty() { "*" } else { ".*" }),
            Seg::Deep => {}
        }
        next.path.push(seg);
        next
    }
}

/// A named schema that the walk is inside of.
struct Ancestor<'d> {
    reference: &'d str,
    depth: usize,
}

struct Walk<'d, 'b> {
    root: &'d Value,
    budget: &'b mut Budget,
    body: Body,
    ancestors: Vec<Ancestor<'d>>,
    /// Paths at which a schema that contains itself stands for the first time.
    cycles: Vec<Vec<Seg>>,
    detector: Detector,
    /// Schemas visited for this body.
    here: usize,
}

/// Everything that one value's schemas say together.
#[derive(Default)]
struct Facts<'d> {
    properties: Vec<(&'d str, Vec<&'d Value>)>,
    items: Vec<&'d Value>,
    maps: Vec<&'d Value>,
    text: bool,
    number: bool,
    bool: bool,
    object: bool,
    array: bool,
    /// Something was said at all.
    typed: bool,
    format: Option<&'d str>,
    pattern: Option<&'d str>,
    description: Option<&'d str>,
    enumerated: bool,
    examples: Vec<&'d Value>,
    /// References followed, in order.
    references: Vec<&'d str>,
    broken: Option<String>,
}

impl<'d> Walk<'d, '_> {
    fn value(&mut self, schemas: &[&'d Value], place: &Place) {
        let mut facts = Facts::default();
        for schema in schemas {
            self.gather(schema, &mut facts, 0);
        }
        if let Some(broken) = facts.broken.take() {
            self.incomplete(broken);
        }
        if self.body.incomplete.is_some() {
            return;
        }
        if place.path.len() > MAX_DEPTH {
            return self.incomplete(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        let composed = !facts.properties.is_empty() || !facts.maps.is_empty() || !facts.items.is_empty();
        if composed {
            let again = self
                .ancestors
                .iter()
                .find(|known| facts.references.contains(&known.reference))
                .map(|known| known.depth);
            if let Some(depth) = again {
                self.cycles.push(place.path.get(..depth).unwrap_or_default().to_vec());
                return;
            }
        }
        let inside = self.ancestors.len();
        if composed {
            self.ancestors
                .extend(facts.references.iter().map(|reference| Ancestor { reference, depth: place.path.len() }));
        }
        self.members(&facts, place);
        self.ancestors.truncate(inside);
        let scalar = facts.text || facts.number || facts.bool;
        let open =
            (facts.object && facts.properties.is_empty() && facts.maps.is_empty()) || (!facts.typed && !composed);
        if scalar || open {
            self.leaf(&facts, place, open);
        }
    }

    fn members(&mut self, facts: &Facts<'d>, place: &Place) {
        if !facts.properties.is_empty() || !facts.maps.is_empty() {
            let mut inner = place.clone();
            let named = facts.references.first().map(|reference| name_of(reference));
            if let Some(name) = &named {
                (inner.schema, inner.property) = (name.clone(), String::new());
            }
            inner.around.insert(0, Level { property: place.name.clone(), schema: named.unwrap_or_default() });
            inner.beside = beside::of(facts.properties.iter().map(|(name, _)| *name));
            for (name, schemas) in &facts.properties {
                if name.len() > MAX_NAME_BYTES {
                    return self.incomplete(format!("a member's name is longer than {MAX_NAME_BYTES} bytes"));
                }
                self.value(schemas, &inner.step(Seg::Name((*name).into())));
            }
            if !facts.maps.is_empty() {
                let mut any = inner.step(Seg::Any);
                any.name = place.name.clone();
                self.value(&facts.maps, &any);
            }
        }
        if facts.array {
            let each = place.step(Seg::Each);
            if facts.items.is_empty() {
                self.leaf(&Facts { description: facts.description, ..Facts::default() }, &each, true);
            } else {
                self.value(&facts.items, &each);
            }
        }
    }

    fn leaf(&mut self, facts: &Facts<'d>, place: &Place, open: bool) {
        if self.body.leaves.len() == MAX_LEAVES {
            return self.incomplete(format!("it has more than {MAX_LEAVES} places"));
        }
        let kind = match facts {
            _ if open => Kind::Open,
            facts if facts.text => Kind::Text,
            facts if facts.number => Kind::Number,
            _ => Kind::Bool,
        };
        let mut leaf = Leaf {
            path: place.path.clone(),
            kind,
            format: facts.format.map(|format| cut(format, 40).to_lowercase()),
            pattern: facts.pattern.map(|pattern| cut(pattern, 400)),
            description: facts.description.map(|text| cut(text, 300)).unwrap_or_default(),
            enumerated: facts.enumerated && !open,
            schema: place.schema.clone(),
            property: place.property.clone(),
            around: place.around.clone(),
            beside: place.beside,
            examples: true,
            ..Leaf::default()
        };
        for example in facts.examples.iter().take(MAX_EXAMPLES) {
            leaf.links |= example.as_str().is_some_and(|text| text.starts_with("http") || text.starts_with('/'));
            observe::value(example, &self.detector, &mut leaf.seen);
        }
        self.body.leaves.push(leaf);
    }

    /// Adds what `schema`, and everything it refers to or is composed of, says about one value.
    fn gather(&mut self, schema: &'d Value, facts: &mut Facts<'d>, depth: usize) {
        self.here += 1;
        let spent = self.here > MAX_VISITS || self.budget.visits == 0;
        self.budget.visits = self.budget.visits.saturating_sub(1);
        if spent || depth > MAX_DEPTH {
            facts.broken.get_or_insert_with(|| {
                "it is too large, or refers to itself too often, to be followed to its end".to_owned()
            });
            return;
        }
        let Value::Object(schema) = schema else { return };
        self.keywords(schema, facts);
        if let Some(reference) = schema.get("$ref").or_else(|| schema.get("$dynamicRef")).and_then(Value::as_str) {
            facts.typed = true;
            if !facts.references.contains(&reference) {
                facts.references.push(reference);
                match resolve(self.root, reference) {
                    Some(target) => self.gather(target, facts, depth + 1),
                    None => {
                        facts.broken = Some(OUTSIDE.to_owned());
                    }
                }
            }
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            for part in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
                facts.typed = true;
                self.gather(part, facts, depth + 1);
            }
        }
        for part in ["if", "then", "else"].iter().filter_map(|key| schema.get(*key)) {
            self.gather(part, facts, depth + 1);
        }
    }

    fn keywords(&mut self, schema: &'d Map<String, Value>, facts: &mut Facts<'d>) {
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let types = match schema.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for name in types {
            facts.typed = true;
            match name {
                "string" => facts.text = true,
                "number" | "integer" => facts.number = true,
                "boolean" => facts.bool = true,
                "object" => facts.object = true,
                "array" => facts.array = true,
                _ => {}
            }
        }
        facts.format = facts.format.or(text("format"));
        facts.pattern = facts.pattern.or(text("pattern"));
        facts.description = facts.description.or(text("description")).or(text("title"));
        let fixed = schema.get("enum").and_then(Value::as_array);
        facts.enumerated |= fixed.is_some_and(|values| !values.is_empty()) || schema.contains_key("const");
        if fixed.is_some() && !facts.typed {
            (facts.typed, facts.text) = (true, true);
        }
        facts.examples.extend(["example", "default"].iter().filter_map(|key| schema.get(*key)));
        facts.examples.extend(schema.get("examples").and_then(Value::as_array).into_iter().flatten());
        for (name, property) in ["properties", "dependentSchemas"]
            .iter()
            .filter_map(|key| schema.get(*key))
            .filter_map(Value::as_object)
            .flatten()
        {
            facts.typed = true;
            if facts.properties.len() > MAX_LEAVES {
                facts.broken = Some(format!("an object has more than {MAX_LEAVES} members"));
                break;
            }
            match facts.properties.iter_mut().find(|(known, _)| known == name) {
                Some((_, schemas)) => schemas.push(property),
                None => facts.properties.push((name, vec![property])),
            }
        }
        facts.maps.extend(
            schema.get("additionalProperties").filter(|value| value.as_object().is_some_and(|map| !map.is_empty())),
        );
        facts.maps.extend(
            schema.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(|map| map.values()),
        );
        let items = schema.get("items").into_iter().chain(schema.get("prefixItems")).flat_map(|items| match items {
            Value::Array(several) => several.iter().collect(),
            one => vec![one],
        });
        facts.items.extend(items.chain(schema.get("contains")));
        if !facts.items.is_empty() {
            (facts.typed, facts.array) = (true, true);
        }
    }

    /// A schema that contains itself: each of its leaves may stand at any depth below the first one.
    fn unroll(&mut self) {
        self.cycles.sort();
        self.cycles.dedup();
        let mut more = Vec::new();
        for start in &self.cycles {
            for leaf in &self.body.leaves {
                let Some(rest) = leaf.path.strip_prefix(start.as_slice()) else { continue };
                let rest =
                    rest.iter().position(|seg| *seg != Seg::Each).and_then(|at| rest.get(at..)).unwrap_or_default();
                if rest.is_empty() || rest.first() == Some(&Seg::Any) || leaf.path.contains(&Seg::Deep) {
                    continue;
                }
                let mut path = start.clone();
                path.push(Seg::Deep);
                path.extend_from_slice(rest);
                more.push(Leaf { path, ..leaf.clone() });
            }
        }
        self.body.leaves.extend(more);
        self.body.leaves.sort_by(|a, b| a.path.cmp(&b.path));
        self.body.leaves.dedup_by(|a, b| a.path == b.path);
    }

    fn incomplete(&mut self, why: String) {
        self.body.incomplete.get_or_insert(why);
    }
}

/// The value at `reference`, a fragment of the document itself; references to references are followed.
pub(super) fn resolve<'d>(root: &'d Value, reference: &str) -> Option<&'d Value> {
    let pointer = reference.strip_prefix('#')?;
    let decoded = percent_encoding::percent_decode_str(pointer).decode_utf8().ok()?;
    root.pointer(&decoded)
}

/// The last part of a reference: `Contact` of `#/components/schemas/Contact`.
fn name_of(reference: &str) -> Rc<str> {
    cut(reference.rsplit('/').next().unwrap_or_default(), 100).into()
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

/// What to say of a reference that leads nowhere.
const OUTSIDE: &str = "it refers to a schema outside of the document: bundle the document first";
/// Steps of a selector, with some left for what includes it.
const MAX_DEPTH: usize = 26;
/// Places of one body.
const MAX_LEAVES: usize = 4_000;
/// Schemas visited for one body.
const MAX_VISITS: usize = 40_000;
/// A member's name.
const MAX_NAME_BYTES: usize = 256;
/// Examples of one place that are looked at.
const MAX_EXAMPLES: usize = 8;
