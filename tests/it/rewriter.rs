//! Plans and bodies for the tests of the rewriter.

use std::sync::Arc;

use fieldgate::{
    crypto::{Purpose, RootKey},
    detect::Detector,
    model::{
        BodyMap, Class, ClassId, ClassTable, Column, Entity, FieldRule, MaskStyle, Sensitive, Sighting, Storage,
        SubjectId, View, Views,
    },
    protect::Protector,
    rewrite::{Layout, Limits, Links, Plan, ResponseView, RewriteError, Tools},
};

pub(crate) struct Fixture {
    pub(crate) map: BodyMap,
    pub(crate) views: Views,
    pub(crate) classes: ClassTable,
    pub(crate) links: Option<Arc<Links>>,
    pub(crate) known: Vec<Sensitive<String>>,
    pub(crate) subject: Option<SubjectId>,
    pub(crate) limits: Limits,
    pub(crate) catch_all: bool,
}

/// Fields as `selector = class`; a class that ends in `+base64` is base64.
pub(crate) fn fields(fields: &[(&str, &str)]) -> Fixture {
    let class = |name: &str, mask, detects: &[Entity]| Class {
        name: name.into(),
        mask,
        storage: Storage::CLEAR,
        detects: detects.to_vec(),
    };
    let classes = ClassTable::new(vec![
        class("name", MaskStyle::Name, &[]),
        class("email", MaskStyle::Email, &[Entity::Email]),
        class("card_number", MaskStyle::Card, &[Entity::Card]),
        class("note", MaskStyle::Full, &[]),
    ])
    .unwrap();
    let rule = |(selector, class): &(&str, &str)| FieldRule {
        selector: selector.parse().unwrap(),
        class: classes.id(class.trim_end_matches("+base64")).unwrap(),
        base64: class.ends_with("+base64"),
        column: Column::default(),
    };
    let map = BodyMap { fields: fields.iter().map(rule).collect(), ..BodyMap::default() };
    let mut views = Views::default();
    if let Some(text) = classes.free_text() {
        views.set(text, View::Reveal);
    }
    Fixture {
        map,
        views,
        classes,
        links: None,
        known: vec![],
        subject: None,
        limits: Limits::default(),
        catch_all: false,
    }
}

pub(crate) fn catch_all() -> Fixture {
    Fixture { catch_all: true, ..fields(&[]) }
}

impl Fixture {
    pub(crate) fn see(mut self, class: &str, view: View) -> Self {
        self.views.set(self.class(class), view);
        self
    }

    pub(crate) fn records(mut self, record: &str, subject: &str) -> Self {
        self.map.record = (!record.is_empty()).then(|| record.parse().unwrap());
        self.map.subject = Some(subject.parse().unwrap());
        self
    }

    /// Closed objects, and the leaves of them that are plain.
    pub(crate) fn closed(mut self, closed: &[&str], plain: &[&str]) -> Self {
        self.map.closed = closed.iter().map(|text| text.parse().unwrap()).collect();
        self.map.plain = plain.iter().map(|text| text.parse().unwrap()).collect();
        self
    }

    pub(crate) fn link(mut self, selectors: &[&str]) -> Self {
        self.map.links = selectors.iter().map(|text| text.parse().unwrap()).collect();
        self.links = Some(Arc::new(Links {
            upstream: vec!["https://crm.internal:8443".into(), "https://crm".into()],
            public: "https://gate.example/crm".into(),
        }));
        self
    }

    pub(crate) fn know(mut self, values: &[&str]) -> Self {
        self.known = values.iter().map(|value| Sensitive::new((*value).to_owned())).collect();
        self
    }

    pub(crate) fn path_subject(mut self, id: &str) -> Self {
        self.subject = Some(Sensitive::new(id.to_owned()));
        self
    }

    pub(crate) fn class(&self, name: &str) -> ClassId {
        self.classes.id(name).unwrap()
    }

    pub(crate) fn plan(&self) -> Arc<Plan> {
        let layout = if self.catch_all {
            Layout::catch_all(&self.classes)
        } else {
            Layout::compile(&self.map, &self.classes).unwrap()
        };
        let key = RootKey::generate().unwrap().derive(Purpose::Pseudonym, "").unwrap();
        Arc::new(Plan {
            layout: Arc::new(layout),
            views: self.views.clone(),
            tools: Arc::new(Tools {
                classes: Arc::new(self.classes.clone()),
                protector: Protector::new(key),
                detector: Detector::new(),
                store: None,
            }),
            links: self.links.clone(),
            known: self.known.clone().into(),
            subject: self.subject.clone(),
            limits: self.limits,
        })
    }

    pub(crate) fn shown(&self, text: &str) -> String {
        self.both(text).0
    }

    pub(crate) fn both(&self, text: &str) -> (String, Vec<Sighting>) {
        let (out, seen) = view(&self.plan(), [text.as_bytes()]).unwrap();
        (String::from_utf8(out).unwrap(), seen)
    }
}

/// The output and all sightings, sorted by subject.
pub(crate) fn view<'a>(
    plan: &Arc<Plan>,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Vec<Sighting>), RewriteError> {
    let mut view = ResponseView::new(Arc::clone(plan));
    let mut out = Vec::new();
    for chunk in chunks {
        view.push(chunk, &mut out)?;
        assert!(view.releasable() <= out.len() as u64);
    }
    let mut seen = view.finish(&mut out)?;
    seen.sort_by_key(|sighting| sighting.subject.as_ref().map(|id| id.expose().clone()));
    Ok((out, seen))
}
