//! One message of the server in; the same as the caller may see it, on record, out.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;

use crate::{
    gateway::{
        body::{Clearance, Held, Nothing},
        budget::Meter,
        ending::Ending,
        exchange::Exchange,
        parts::PartError,
        plan::Plan,
        snapshot::{RoutePlan, Site},
        stand_ins::{Place, Scope},
        stored::Resolver,
    },
    model::{BodyFormat, Sensitive, Subject, SubjectRef},
    rewrite::{
        self, Gate,
        mcp::{Answered, Expected, MessageError, Reply, Seen},
    },
};

/// What the messages of an answer may be.
pub(super) enum What {
    /// The result of a call.
    Tool {
        /// The id of its request, as it was spelled.
        id: String,
        /// Pictures, sounds and blobs are shown.
        media: bool,
        /// How its records are shown.
        plan: Arc<rewrite::Plan>,
    },
    /// A list of tools.
    List {
        /// The id of its request, as it was spelled.
        id: String,
        /// Those that the caller may call.
        tools: HashSet<Arc<str>>,
    },
    /// The answer to another request, or to none.
    Other {
        /// The id of the request, as it was spelled.
        id: Option<String>,
    },
    /// What the server sends on its own.
    Nothing,
    /// The end of a session: no message at all.
    End,
}

/// Shows the messages of one answer.
pub(super) struct Show {
    pub(super) what: What,
    /// For what no map describes; withholds what the caller sent, too.
    pub(super) other: Arc<rewrite::Plan>,
    pub(super) opened: Vec<(Sensitive<String>, String)>,
    pub(super) unnamed: Vec<SubjectRef>,
    pub(super) scope: Option<Scope>,
    resolver: Option<Resolver>,
    meter: Option<Arc<Meter>>,
    resource: Arc<str>,
    finds: bool,
    recorded: u32,
    pub(super) hidden: u64,
}

impl Show {
    pub(super) fn new(
        exchange: &Exchange<'_>,
        site: &Site,
        route: &RoutePlan,
        plan: &Plan,
        what: What,
        known: Vec<Sensitive<String>>,
    ) -> Self {
        Self {
            what,
            other: exchange.snapshot.response_view(site, route, plan, known, None, Some(BodyFormat::Json)),
            opened: Vec::new(),
            unnamed: Vec::new(),
            scope: None,
            resolver: exchange.snapshot.resolver(route),
            meter: exchange.meter.clone(),
            resource: Arc::clone(&route.resource),
            finds: !exchange.ending.searched.is_empty(),
            recorded: 0,
            hidden: 0,
        }
    }

    fn expected<'e>(&'e self, shows: &'e dyn Fn(&str) -> bool) -> Expected<'e> {
        match &self.what {
            What::Tool { id, media, .. } => Expected::Tool { id, media: *media },
            What::List { id, .. } => Expected::List { id, shows },
            What::Other { id } => Expected::Other { id: id.as_deref() },
            What::Nothing | What::End => Expected::Nothing,
        }
    }

    /// Shows one complete message; the second value is the reference of its record.
    pub(super) async fn message(
        &mut self,
        bytes: &[u8],
        ending: &Ending,
    ) -> Result<(Bytes, Option<String>), PartError> {
        ending.shared().status.rewritten_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let shows = |name: &str| matches!(&self.what, What::List { tools, .. } if tools.contains(name));
        let reply = Reply::parse(bytes, self.other.limits, self.expected(&shows))?;
        let tool = match &self.what {
            What::Tool { plan, .. } => plan,
            _ => &self.other,
        };
        let needs = reply.needs(tool).map_err(MessageError::from)?;
        let answers = match &self.resolver {
            Some(resolver) => resolver.answers(&needs).await?,
            None => Default::default(),
        };
        let seen = Seen {
            tool,
            other: &self.other,
            answers: &answers,
            opened: &self.opened,
            gate: self.meter.as_ref().map(|meter| Arc::clone(meter) as Arc<dyn Gate>),
            finds: self.finds,
            names: self.unnamed.len(),
        };
        let answered = reply.show(&seen).map_err(MessageError::from)?;
        self.release(answered, ending).await
    }

    /// Records what `answered` shows; only then it goes.
    async fn release(&mut self, answered: Answered, ending: &Ending) -> Result<(Bytes, Option<String>), PartError> {
        let Answered { bytes, sightings, notes, drift, protected, pseudonyms, named } = answered;
        let status = &ending.shared().status;
        if let Some(resolver) = &self.resolver {
            for notes in notes {
                self.hidden += notes.hidden();
                resolver.noted(notes, status, &ending.classes).await;
            }
            resolver.name(&std::mem::take(&mut self.unnamed), &named).await;
        }
        if let Some(route) = &ending.route {
            route.leaves.fetch_add(protected, Ordering::Relaxed);
        }
        ending.drifted(drift);
        let searched = self.finds && self.recorded == 0 && matches!(self.what, What::Tool { .. });
        let found = !sightings.is_empty();
        let subject = |seen| Subject { kind: Arc::clone(&self.resource), seen };
        let subjects = sightings.into_iter().map(subject).collect();
        let clearance = Clearance::of(ending, subjects, &mut self.recorded, Nothing::found(searched)).await?;
        let now = ending.shared().now();
        if let Some(meter) = &self.meter {
            meter.settle(now);
            if found {
                meter.found_somebody();
            }
        }
        if let Some(scope) = &self.scope {
            for pseudonym in &pseudonyms {
                let Some(class) = ending.classes.get(pseudonym.class) else { continue };
                let (field, record, shown) = (&*pseudonym.field, &pseudonym.record, &*pseudonym.shown);
                let place = Place { class: &class.name, field, record, shown };
                ending.shared().stand_ins.remember(scope, place, &pseudonym.value, now);
            }
        }
        Ok((Held::new(bytes).release(&clearance), clearance.reference()))
    }

    /// The answer is complete.
    pub(super) fn end(&self) {
        if let Some(meter) = &self.meter {
            meter.end_find();
        }
    }

    pub(super) fn meter(&self) -> Option<&Arc<Meter>> {
        self.meter.as_ref()
    }
}
