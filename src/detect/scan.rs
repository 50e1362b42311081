//! One pass over folded bytes: from sign to sign, each offered to the recognisers that start from it. What was read as one
//! word or token is not read again, so that the time is linear in the text.

use super::{
    Spot, at, card,
    chain::{self, Group},
    context::Text,
    document, email, first,
    fold::LETTER,
    iban, ids, machine, phone, secret,
    sought::Sought,
    ssn,
};
use crate::model::Entity;

/// The pass.
pub(super) struct Scan<'b> {
    text: &'b Text<'b>,
    bytes: &'b [u8],
    sought: &'b Sought,
    spots: Vec<Spot>,
    groups: Vec<Group>,
    offers: Vec<ids::Offer>,
    wants: Wants,
    /// Where the last word with letters and digits ended, and the last token, and the last run of an address.
    word: usize,
    token: usize,
    run: usize,
}

/// What of [`Sought`] decides which texts and signs are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wants {
    secrets: bool,
    machines: bool,
    words: bool,
    ids: bool,
    kinds: ids::Kinds,
    documents: bool,
    /// How many digits must be near each other for anything to be found that has no other sign.
    pub(super) least_digits: u8,
}

impl Wants {
    pub(super) fn of(sought: &Sought) -> Self {
        let has = |entities: &[Entity]| entities.iter().any(|entity| sought.has(*entity));
        let documents = has(&[Entity::Passport, Entity::DrivingLicence, Entity::BirthDate, Entity::BankAccount]);
        let ids = Entity::ALL
            .into_iter()
            .any(|entity| entity.is_national_id() && sought.has(entity) && entity != Entity::UsSsn);
        Self {
            secrets: has(&[Entity::Secret]),
            machines: has(&[Entity::Ip, Entity::Mac]),
            words: ids || documents,
            ids,
            kinds: ids::Kinds::sought(sought),
            documents,
            least_digits: sought.least_digits(),
        }
    }

    /// Whether a `:` or `=` is a sign.
    pub(super) fn named(&self) -> bool {
        self.secrets || self.machines
    }
}

impl<'b> Scan<'b> {
    pub(super) fn new(text: &'b Text<'b>, sought: &'b Sought, wants: Wants) -> Self {
        Self {
            text,
            bytes: text.bytes(),
            sought,
            spots: Vec::new(),
            groups: Vec::new(),
            offers: Vec::new(),
            wants,
            word: 0,
            token: 0,
            run: 0,
        }
    }

    /// Everything found, in no order and with overlaps.
    pub(super) fn run(mut self) -> Vec<Spot> {
        if self.wants.secrets {
            self.private_keys();
        }
        let named = self.wants.named();
        let mut from = 0;
        while let Some(next) = self.bytes.get(from..).and_then(|rest| next_sign(rest, named)) {
            // Whatever was found around a sign, what comes next is behind it: an address may end before its last colon.
            from = self.sign(from + next).max(from + next + 1);
        }
        self.spots.retain(|spot| self.sought.wants(spot.entity, spot.score));
        self.spots
    }

    /// Looks at the sign at `here`; returns where to go on.
    fn sign(&mut self, here: usize) -> usize {
        let bytes = self.bytes;
        match at(bytes, here) {
            b'@' => {
                self.spots.extend(email::around(bytes, here, 1));
                here + 1
            }
            b'%' if bytes.get(here..).is_some_and(|rest| rest.starts_with(b"%40")) => {
                self.spots.extend(email::around(bytes, here, 3));
                here + 3
            }
            // The digits of an escaped byte (`%20`) belong to no number.
            b'%' if at(bytes, here + 1).is_ascii_hexdigit() && at(bytes, here + 2).is_ascii_hexdigit() => here + 3,
            b'%' => here + 1,
            b'[' | b'(' => {
                self.spots.extend(email::spelled(bytes, here));
                here + 1
            }
            b':' | b'=' => self.named(here),
            _ => self.digit(here),
        }
    }

    /// A `:` or `=`: a name before it, or hexadecimal digits around it.
    fn named(&mut self, here: usize) -> usize {
        let bytes = self.bytes;
        if self.wants.secrets
            && let Some(found) = secret::assigned(bytes, here)
        {
            self.spots.push(found);
        }
        if self.wants.machines && at(bytes, here) == b':' && here >= self.run {
            let mac = here.checked_sub(2).and_then(|start| machine::mac(bytes, start));
            let (ipv6, end) = match mac {
                Some(_) => (None, here + 1),
                None => machine::ipv6(bytes, here, self.run),
            };
            self.run = mac.or(ipv6).map_or(end, |found| found.end);
            if let Some(found) = mac.or(ipv6).filter(|found| self.sought.wants(found.entity, found.score)) {
                self.spots.push(found);
                return found.end;
            }
        }
        here + 1
    }

    /// A digit: an IBAN, a word with letters, a chain of groups.
    fn digit(&mut self, here: usize) -> usize {
        let bytes = self.bytes;
        if let Some(end) = sealed(bytes, here) {
            return end;
        }
        if self.wants.machines
            && let Some(found) = self.hardware(here)
        {
            self.spots.push(found);
            return found.end;
        }
        if let Some(found) = iban::around(bytes, here) {
            self.spots.push(found);
            return found.end;
        }
        if here >= self.word
            && let Some(end) = self.glued(here)
        {
            return end;
        }
        let end = chain::read(bytes, here, &mut self.groups);
        if let Some(last) =
            self.groups.last().copied().filter(|last| last.start > here && is_letter(at(bytes, last.end)))
        {
            self.glued(last.start);
        }
        let disguised =
            ssn::disguised(self.text, &self.groups).filter(|found| self.sought.wants(Entity::UsSsn, found.score));
        if let Some(found) = disguised {
            take(&mut self.groups, found);
            self.spots.push(found);
        }
        self.numbers();
        disguised.map_or(end, |found| found.end.max(end))
    }

    /// The MAC address whose first digits are at `here`.
    fn hardware(&self, here: usize) -> Option<Spot> {
        let signed = |position: usize| b":-.".contains(&at(self.bytes, position));
        let found = if signed(here + 2) || signed(here + 4) { machine::mac(self.bytes, here) } else { None };
        found.filter(|found| self.sought.wants(Entity::Mac, found.score))
    }

    /// Looks at the word around the digit at `here` when it has letters; where to go on when nothing else is in it.
    fn glued(&mut self, here: usize) -> Option<usize> {
        let bytes = self.bytes;
        let digits = bytes.get(here..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let lettered = here > 0 && is_letter(at(bytes, here - 1));
        if !lettered && !is_letter(at(bytes, here + digits)) {
            return None;
        }
        let before = bytes.get(self.word.min(here)..here)?;
        let start = here - before.iter().rev().take_while(|byte| is_word(**byte)).count();
        let end = here + bytes.get(here..)?.iter().take_while(|byte| is_word(**byte)).count();
        self.word = end;
        if self.wants.secrets && start >= self.token {
            let (found, token_end) = secret::token(bytes, start, self.token);
            self.token = token_end;
            if let Some(found) = found.or_else(|| secret::said(bytes, start)) {
                self.spots.push(found);
            }
        }
        if self.wants.machines
            && matches!(end - start, 2 | 4)
            && let Some(found) = machine::mac(bytes, start).filter(|found| self.sought.wants(Entity::Mac, found.score))
        {
            self.spots.push(found);
            return Some(found.end);
        }
        let found = if self.wants.words { self.word(start, end) } else { None }?;
        self.spots.push(found);
        Some(found.end)
    }

    fn word(&self, start: usize, end: usize) -> Option<Spot> {
        let id = if self.wants.ids { ids::claim_word(self.text, start, end, self.sought) } else { None };
        id.or_else(|| if self.wants.documents { document::word(self.text, start, end, self.sought) } else { None })
    }

    /// Offers the groups to every numeric recogniser; who is surest of them takes them.
    fn numbers(&mut self) {
        let Self { text, sought, spots, groups, offers, wants, .. } = self;
        let digits: usize = groups.iter().map(Group::len).sum();
        if wants.machines && groups.len() >= 4 {
            machine::ipv4(text, groups, sought, spots);
        }
        if wants.ids {
            if digits >= LEAST_ID_DIGITS {
                ids::offers(text, groups, wants.kinds, sought, offers);
                ids::claim(offers, ids::SURE, groups, spots);
            }
            if digits >= LEAST_APART_DIGITS
                && let Some(found) = ids::written_apart(text, groups, sought)
            {
                take(groups, found);
                spots.push(found);
            }
        }
        if digits >= LEAST_DIGITS {
            card::claim(text, groups, spots);
            ssn::claim(text, groups, sought, spots);
        }
        if wants.ids && digits >= LEAST_ID_DIGITS {
            ids::claim(offers, 0, groups, spots);
        }
        if wants.documents && digits >= LEAST_DOCUMENT_DIGITS {
            document::claim(text, groups, sought, spots);
        }
        if digits >= LEAST_PHONE_DIGITS && !is_reference(text, groups, digits) {
            phone::claim(text, groups, spots);
        }
    }

    fn private_keys(&mut self) {
        let mut from = 0;
        while let Some(found) = self.bytes.get(from..).and_then(secret::header) {
            let header = from + found;
            let key = secret::private_key(self.bytes, header);
            from = key.map_or(header + 1, |key| key.end);
            self.spots.extend(key);
        }
    }
}

/// Whether a long chain as a whole is called a reference: `tracking 9400 1136 0389 0940 6067 92`.
fn is_reference(text: &Text<'_>, groups: &[Group], digits: usize) -> bool {
    let chain = groups.first().filter(|_| digits >= LONG_DIGITS && groups.len() > 3);
    chain.is_some_and(|first| text.before(first.start).reference())
}

/// Where the sealed value (`fg1_…`, base64url or base32) with its `1` at `here` ends: nothing is cut out of one.
fn sealed(bytes: &[u8], here: usize) -> Option<usize> {
    let head = bytes.get(here.checked_sub(2)?..here + 2)?;
    if !head.eq_ignore_ascii_case(b"fg1_") {
        return None;
    }
    let run =
        bytes.get(here + 2..)?.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)).count();
    (run >= LEAST_SEALED_BYTES).then_some(here + 2 + run)
}

fn take(groups: &mut [Group], found: Spot) {
    for group in groups.iter_mut().filter(|group| group.start < found.end && group.end > found.start) {
        group.taken = true;
    }
}

/// The first byte a recogniser starts from.
fn next_sign(bytes: &[u8], named: bool) -> Option<usize> {
    let names = u8::from(named);
    // The same twice: the first in a form that becomes vector code, the second in one that is quick for one byte.
    let in_chunk = |byte: u8| {
        u8::from(byte.is_ascii_digit())
            | u8::from(byte == b'@')
            | u8::from(byte == b'%')
            | u8::from(byte == b'(')
            | u8::from(byte == b'[')
            | (names & (u8::from(byte == b':') | u8::from(byte == b'=')))
    };
    let is_sign = |byte: u8| match byte {
        b'0'..=b'9' | b'@' | b'%' | b'(' | b'[' => true,
        b':' | b'=' => named,
        _ => false,
    };
    first(bytes, in_chunk, is_sign)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == LETTER
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == LETTER
}

/// More than any telephone number has.
const LONG_DIGITS: usize = 18;
/// The head and the tag of an envelope.
const LEAST_SEALED_BYTES: usize = 64;
/// No card or social security number has fewer.
const LEAST_DIGITS: usize = 9;
/// `12 34 56` next to the word.
const LEAST_PHONE_DIGITS: usize = 6;
const LEAST_ID_DIGITS: usize = 8;
/// The check digits of a Brazilian firm: the rest may be letters.
const LEAST_APART_DIGITS: usize = 2;
/// A year.
const LEAST_DOCUMENT_DIGITS: usize = 4;
