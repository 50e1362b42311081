//! Events in, exact JSON lines out (schema 1). Classes, counts, names and keyed references are written; a value, a raw path
//! or a token has no way in, because no field of an event carries one but the ids that become references here.

use std::{io::Write, net::IpAddr, ops::Range};

use super::{
    error::AuditError,
    json::{Json, push_base64, push_hex, push_number},
    lifecycle::{self, LogEvent},
    reference,
};
use crate::{
    crypto::{MacKey, nonce},
    model::{
        AccessEvent, AccessKind, Actor, ClassSet, ClassTable, Effect, Event, EventDecision, Operation, Outcome,
        Principal, Purpose, Sighting, Subject, Timestamp, Verified, Via,
    },
};

/// Bytes of a line (C2SP `tlog-tiles`: an entry of a bundle is at most 65,535 bytes).
pub(super) const LINE_BYTES: usize = 65_535;
/// Subjects of one line; further ones go into a continuation.
pub(super) const SUBJECTS: usize = 250;
/// Bytes at which no further subject is added to a line.
const SOFT_BYTES: usize = 32 * 1024;
/// Names of one list (roles, rules, notes).
const NAMES: usize = 64;

/// Lines, each without its line feed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The lines, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Where each ends in `bytes`.
    pub(super) ends: Vec<usize>,
}

impl Lines {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn start(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn end(&mut self) -> Result<(), AuditError> {
        if self.bytes.len() - self.start() > LINE_BYTES {
            return Err(AuditError::TooLong);
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }
}

/// Writes events as lines.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    /// Absent only while a log is made, before there is anything to refer to.
    pub(super) subject_ref: Option<MacKey>,
    pub(super) node: String,
}

impl Recorder {
    /// The line of `event`, or its lines when it has more subjects than a line may carry. All or nothing.
    pub(super) fn event(&self, event: &Event, out: &mut Lines) -> Result<(), AuditError> {
        match event {
            Event::Access(access) => self.access(access, out),
            Event::Lifecycle { at, what } => {
                self.short(lifecycle::kind(what), *at, out, |json| lifecycle::members(what, json))
            }
        }
    }

    /// The line of something that happened to the log itself.
    pub(super) fn log(&self, at: Timestamp, what: &LogEvent, out: &mut Lines) -> Result<(), AuditError> {
        self.short(what.kind(), at, out, |json| what.members(json))
    }

    fn short(
        &self,
        kind: &'static str,
        at: Timestamp,
        out: &mut Lines,
        members: impl FnOnce(&mut Json<'_>),
    ) -> Result<(), AuditError> {
        let mut json = Json::new(&mut out.bytes);
        head(&mut json, kind, at)?;
        members(&mut json);
        json.member("node", &self.node);
        json.close(b'}');
        out.end()
    }

    fn access(&self, event: &AccessEvent, out: &mut Lines) -> Result<(), AuditError> {
        let mut rest = event.subjects.as_slice();
        let mut piece = 1;
        loop {
            rest = self.piece(event, rest, piece, out)?;
            out.end()?;
            if rest.is_empty() {
                return Ok(());
            }
            piece += 1;
        }
    }

    /// One line with as many of `subjects` as it may carry; returns the others.
    fn piece<'s>(
        &self,
        event: &AccessEvent,
        subjects: &'s [Subject],
        piece: u64,
        out: &mut Lines,
    ) -> Result<&'s [Subject], AuditError> {
        let start = out.start();
        let mut json = Json::new(&mut out.bytes);
        head(&mut json, kind(&event.kind), event.at)?;
        json.plain("req", |out| push_uuid(out, event.request));
        if let Some(call) = event.call {
            json.count("call", u64::from(call));
        }
        if let AccessKind::Reveal { part } = event.kind {
            json.object("part");
            json.count("n", u64::from(part));
            if piece > 1 || subjects.len() > SUBJECTS {
                json.count("piece", piece);
            }
            json.close(b'}');
        }
        if let Some(trace) = &event.trace {
            json.plain("trace", |out| push_hex(out, trace));
        }
        self.actor(&mut json, &event.actor);
        self.purpose(&mut json, &event.purpose);
        operation(&mut json, event);
        let mut rest = subjects;
        if !subjects.is_empty() {
            json.name("subjects");
            json.open(b'[');
            let mut counts = Counts::default();
            let mut before = None;
            while let Some((subject, others)) = rest.split_first() {
                if counts.subjects as usize == SUBJECTS || (counts.subjects > 0 && json.len() - start > SOFT_BYTES) {
                    break;
                }
                self.subject(&mut json, event, subject, &mut before);
                counts.add(subject);
                rest = others;
            }
            json.close(b']');
            counts.write(&mut json);
        }
        classes(&mut json, "written", event.written, &event.classes);
        classes(&mut json, "searched", event.searched, &event.classes);
        if let AccessKind::Verify(verified) = event.kind {
            json.flag("match", verified == Verified::Match);
        }
        decision(&mut json, &event.decision);
        if let AccessKind::Outcome(outcome) = &event.kind {
            outcome_members(&mut json, outcome);
        }
        json.member("node", &self.node);
        json.close(b'}');
        Ok(rest)
    }

    fn actor(&self, json: &mut Json<'_>, actor: &Actor) {
        json.object("actor");
        match &actor.principal {
            Some(principal) => person(json, principal),
            None => json.flag("unknown", true),
        }
        json.plain("ip", |out| push_address(out, actor.address));
        json.close(b'}');
    }

    fn purpose(&self, json: &mut Json<'_>, purpose: &Purpose) {
        json.object("purpose");
        json.optional("code", purpose.code.as_deref());
        if let (Some(case), Some(key)) = (&purpose.case, &self.subject_ref) {
            json.base64("case", reference::CASE, &reference::case(key, case.expose()));
        }
        if purpose.code.is_none() && purpose.case.is_none() {
            json.flag("missing", true);
        }
        json.close(b'}');
    }

    /// `before` is the subject before it, and where the text behind its reference stands: in a list it is the same for nearly all.
    fn subject<'s>(
        &self,
        json: &mut Json<'_>,
        event: &AccessEvent,
        subject: &'s Subject,
        before: &mut Option<(&'s Subject, Range<usize>)>,
    ) {
        json.item();
        json.open(b'{');
        if let (Some(id), Some(key)) = (&subject.seen.subject, &self.subject_ref) {
            let upstream = event.operation.upstream.as_deref().unwrap_or_default();
            let bytes = reference::subject(key, &subject.kind, upstream, id.expose());
            json.base64("ref", reference::SUBJECT, &bytes);
        }
        let start = json.len();
        match before {
            Some((before, text)) if is_seen_alike(before, subject) => json.again(text.clone()),
            _ => seen(json, event, subject),
        }
        *before = Some((subject, start..json.len()));
        json.close(b'}');
    }
}

/// Whether only the ids of two subjects differ.
fn is_seen_alike(one: &Subject, other: &Subject) -> bool {
    let named = |subject: &Subject| subject.seen.subject.is_some();
    one.kind == other.kind && named(one) == named(other) && sets(&one.seen) == sets(&other.seen)
}

fn seen(json: &mut Json<'_>, event: &AccessEvent, subject: &Subject) {
    json.member("type", &subject.kind);
    for (name, set) in SETS.into_iter().zip(sets(&subject.seen)) {
        classes(json, name, set, &event.classes);
    }
}

/// The classes that were seen of a subject, as [`SETS`] names them.
fn sets(seen: &Sighting) -> [ClassSet; SETS.len()] {
    [seen.reveal, seen.mask, seen.pseudonym, seen.redact, seen.capped]
}

const SETS: [&str; 5] = ["reveal", "mask", "pseudonym", "redact", "capped"];

#[derive(Default)]
struct Counts {
    subjects: u64,
    reveal: u64,
    mask: u64,
    pseudonym: u64,
    redact: u64,
}

impl Counts {
    fn add(&mut self, subject: &Subject) {
        let seen = &subject.seen;
        self.subjects += 1;
        self.reveal += seen.reveal.len() as u64;
        self.mask += seen.mask.len() as u64;
        self.pseudonym += seen.pseudonym.len() as u64;
        self.redact += seen.redact.len() as u64;
    }

    fn write(&self, json: &mut Json<'_>) {
        json.object("counts");
        json.count("subjects", self.subjects);
        json.count("reveal", self.reveal);
        json.count("mask", self.mask);
        json.count("pseudonym", self.pseudonym);
        json.count("redact", self.redact);
        json.close(b'}');
    }
}

/// How every record begins; readers and the tests of damage rely on it.
pub(super) const PREFIX: &[u8] = b"{\"v\":1,\"kind\":\"";

fn head(json: &mut Json<'_>, kind: &'static str, at: Timestamp) -> Result<(), AuditError> {
    let unique: [u8; 26] = nonce()?;
    let (nonce, random) = unique.split_at(16);
    let nonce: [u8; 16] = nonce.first_chunk().copied().unwrap_or_default();
    json.open(b'{');
    json.count("v", 1);
    json.member("kind", kind);
    json.plain("id", |out| push_uuid(out, uuid_v7(at, random)));
    json.plain("ts", |out| drop(write!(out, "{at}")));
    // 128 random bits make the leaf hash a hiding commitment: what was erased cannot be guessed back from the tree.
    json.plain("n", |out| push_base64(out, &nonce));
    Ok(())
}

/// RFC 9562 §5.7: 48 bits of milliseconds, then randomness around the version and variant bits.
fn uuid_v7(at: Timestamp, random: &[u8]) -> u128 {
    let millis = (at.micros().max(0) / 1000) as u128 & 0xffff_ffff_ffff;
    let random = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let (high, low) = (random >> 62 & 0xfff, random & ((1 << 62) - 1));
    millis << 80 | 7 << 76 | high << 64 | 2 << 62 | low
}

fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (at, octet) in v4.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                push_number(out, u64::from(octet));
            }
        }
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

fn push_uuid(out: &mut Vec<u8>, id: u128) {
    let mut rest = &id.to_be_bytes()[..];
    for length in [4, 2, 2, 2, 6] {
        let (group, others) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        push_hex(out, group);
        if !others.is_empty() {
            out.push(b'-');
        }
        rest = others;
    }
}

fn kind(kind: &AccessKind) -> &'static str {
    match kind {
        AccessKind::Intent => "access.intent",
        AccessKind::Reveal { .. } => "access.reveal",
        AccessKind::Verify(_) => "access.verify",
        AccessKind::Deny => "access.deny",
        AccessKind::Outcome(_) => "access.outcome",
    }
}

fn person(json: &mut Json<'_>, principal: &Principal) {
    json.member("sub", &principal.id);
    json.member("kind", principal.kind.as_str());
    json.strings("roles", NAMES, principal.roles.iter().map(AsRef::as_ref));
    json.optional("team", principal.team.as_deref());
    match &principal.via {
        Via::Certificate(name) => via(json, "certificate:", name),
        Via::Jwt(name) => via(json, "jwt:", name),
        Via::ApiKey(name) => via(json, "api_key:", name),
        Via::Configured => json.member("via", "configured"),
    }
    json.optional("session", principal.session.as_deref());
    if let Some(human) = &principal.on_behalf_of {
        json.object("on_behalf_of");
        json.member("sub", &human.id);
        json.strings("roles", NAMES, human.roles.iter().map(AsRef::as_ref));
        json.close(b'}');
    }
}

fn via(json: &mut Json<'_>, how: &str, name: &str) {
    json.member("via", &[how, name].concat());
}

fn operation(json: &mut Json<'_>, event: &AccessEvent) {
    let operation: &Operation = &event.operation;
    let verb = match event.kind {
        // The route is a reading one, and nothing that it reads is shown.
        AccessKind::Verify(_) => Some("verify"),
        _ => operation.action.map(crate::model::Action::as_str),
    };
    json.object("op");
    json.optional("verb", verb);
    json.member("method", operation.method);
    json.optional("route", operation.route.as_deref());
    json.optional("template", operation.template.as_deref());
    json.optional("upstream", operation.upstream.as_deref());
    json.close(b'}');
}

fn decision(json: &mut Json<'_>, decision: &EventDecision) {
    json.object("decision");
    let effect = match decision.effect {
        Effect::Permit => "permit",
        Effect::PermitProtected => "permit-protected",
        Effect::Deny => "deny",
    };
    json.member("effect", effect);
    json.strings("rules", NAMES, decision.rules.iter().map(AsRef::as_ref));
    json.member("policy", &decision.policy);
    json.optional("why", decision.why);
    json.strings("notes", NAMES, decision.notes.iter().copied());
    json.close(b'}');
}

fn outcome_members(json: &mut Json<'_>, outcome: &Outcome) {
    json.object("outcome");
    if let Some(status) = outcome.status {
        json.count("status", u64::from(status));
    }
    if let Some(status) = outcome.upstream_status {
        json.count("upstream_status", u64::from(status));
    }
    json.flag("released", outcome.released);
    json.count("bytes", outcome.bytes);
    json.count("ms", outcome.millis);
    json.flag("client_abort", outcome.client_abort);
    if outcome.drift > 0 {
        json.count("drift", outcome.drift);
    }
    json.optional("why", outcome.why);
    json.close(b'}');
}

fn classes(json: &mut Json<'_>, name: &'static str, set: ClassSet, table: &ClassTable) {
    if !set.is_empty() {
        json.strings(name, usize::MAX, set.iter().map(|class| table.name(class)));
    }
}
