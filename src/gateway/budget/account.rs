//! One rule's count of one principal: people and times in, whether there is room out. Pure: the time is an argument.

use std::collections::VecDeque;

use hashbrown::{HashMap, hash_map::Entry};

use crate::{
    config::{BudgetRule, Period},
    model::Timestamp,
};

/// A keyed reference to a person, as the access record makes it. Never an id of the CRM.
pub(super) type Ref = [u8; 16];

/// How far somebody may be seen; ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// Not at all: as many people as the rule allows were counted.
    None,
    /// Masked.
    Mask,
    /// As far as policy says.
    Full,
}

/// Whether what was counted was shown already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not yet, by any of so many exchanges.
    Claimed(u32),
    /// Shown, and on record.
    Settled,
}

#[derive(Debug, Clone, Copy)]
struct Person {
    room: Room,
    standing: Standing,
    /// The step in which they were last seen.
    last: i64,
}

/// People counted within the window, and guesses. At most `stop_after` people (without one, `mask_after`).
#[derive(Debug)]
pub(super) struct Account {
    mask: usize,
    stop: usize,
    guesses: u64,
    period: Period,
    /// The current step.
    step: i64,
    people: HashMap<Ref, Person>,
    /// Those of `people` that are seen in full.
    full: usize,
    /// Guesses by step.
    missed: VecDeque<(i64, u64)>,
    /// Finds and comparisons under way: each may turn out a guess.
    guessing: u64,
}

impl Account {
    pub(super) fn new(rule: &BudgetRule, now: Timestamp) -> Self {
        let mut account = Self {
            mask: usize::MAX,
            stop: usize::MAX,
            guesses: u64::MAX,
            period: rule.per,
            step: step(rule.per, now),
            people: HashMap::new(),
            full: 0,
            missed: VecDeque::new(),
            guessing: 0,
        };
        account.adopt(rule);
        account
    }

    /// Whether it counts what `rule` asks for: a reload may have changed the window.
    pub(super) fn is_of(&self, rule: &BudgetRule) -> bool {
        self.period == rule.per
    }

    /// Takes the limits of `rule`, which a reload may have changed; what was counted stays.
    pub(super) fn adopt(&mut self, rule: &BudgetRule) {
        let people = |limit: Option<u32>| limit.map_or(usize::MAX, |limit| limit as usize);
        self.mask = people(rule.mask_after.or(rule.stop_after));
        self.stop = people(rule.stop_after);
        self.guesses = rule.guess_after.map_or(u64::MAX, u64::from);
    }

    /// How far `who` may be seen at `now`. Whoever is counted stays as they are; a masked person moves up when there is room.
    pub(super) fn room(&mut self, who: &Ref, now: Timestamp) -> Room {
        self.roll(now);
        match self.people.get(who) {
            Some(Person { room: Room::Full, .. }) => Room::Full,
            _ if self.full < self.mask && (self.people.len() < self.stop || self.people.contains_key(who)) => {
                Room::Full
            }
            Some(_) => Room::Mask,
            None if self.people.len() < self.stop => Room::Mask,
            None => Room::None,
        }
    }

    /// Counts `who` as seen at `room` from `now` on; whether this exchange is now one that has to settle or to release it.
    #[must_use]
    pub(super) fn claim(&mut self, who: Ref, room: Room, now: Timestamp) -> Claim {
        self.roll(now);
        // Without a limit that they bear on, people are not kept.
        let kept = if room == Room::Full { self.mask } else { self.stop };
        if room == Room::None || kept == usize::MAX {
            return Claim::Nothing;
        }
        match self.people.entry(who) {
            Entry::Vacant(place) => {
                place.insert(Person { room, standing: Standing::Claimed(1), last: self.step });
                self.full += usize::from(room == Room::Full);
                Claim::Pending
            }
            Entry::Occupied(mut place) => {
                let person = place.get_mut();
                person.last = self.step;
                if person.room < room {
                    person.room = room;
                    self.full += 1;
                }
                match &mut person.standing {
                    Standing::Settled => Claim::Nothing,
                    Standing::Claimed(claims) => {
                        *claims = claims.saturating_add(1);
                        Claim::Pending
                    }
                }
            }
        }
    }

    /// What was claimed was shown.
    pub(super) fn settle(&mut self, who: &Ref, now: Timestamp) {
        self.roll(now);
        if let Some(person) = self.people.get_mut(who) {
            person.standing = Standing::Settled;
            person.last = self.step;
        }
    }

    /// What was claimed was not shown after all.
    pub(super) fn release(&mut self, who: &Ref) {
        let Some(person) = self.people.get_mut(who) else { return };
        let Standing::Claimed(claims) = &mut person.standing else { return };
        *claims = claims.saturating_sub(1);
        if *claims == 0 {
            self.full -= usize::from(person.room == Room::Full);
            self.people.remove(who);
        }
    }

    /// Makes room for one guess, which [`Account::guessed`] ends.
    #[must_use]
    pub(super) fn guess(&mut self, now: Timestamp) -> Room {
        self.roll(now);
        let missed: u64 = self.missed.iter().map(|(_, count)| count).sum();
        if missed.saturating_add(self.guessing) >= self.guesses {
            return Room::None;
        }
        self.guessing += 1;
        Room::Full
    }

    /// A guess for which there was room ended.
    pub(super) fn guessed(&mut self, found: Found, now: Timestamp) {
        self.guessing = self.guessing.saturating_sub(1);
        if found == Found::Nobody {
            self.missed(now);
        }
    }

    /// Counts a miss.
    pub(super) fn missed(&mut self, now: Timestamp) {
        self.roll(now);
        if self.guesses == u64::MAX {
            return;
        }
        match self.missed.back_mut() {
            Some((step, count)) if *step == self.step => *count = count.saturating_add(1),
            _ => self.missed.push_back((self.step, 1)),
        }
    }

    /// Seconds from `now` until the oldest of what was counted leaves the window; at least 1.
    pub(super) fn seconds_until_room(&self, what: Oldest, now: Timestamp) -> u64 {
        let (seconds, steps) = self.period.steps();
        let oldest = match what {
            Oldest::Person => self.people.values().map(|person| person.last).min(),
            Oldest::Guess => self.missed.front().map(|(step, _)| *step),
        };
        let until = (oldest.unwrap_or(self.step) + steps + 1) * seconds - now.seconds();
        u64::try_from(until).unwrap_or(1).max(1)
    }

    /// What it is up to at `now`.
    pub(super) fn state(&mut self, now: Timestamp) -> State {
        self.roll(now);
        let (people, missed) = (self.people.len(), self.missed.iter().map(|(_, count)| count).sum::<u64>());
        if people == 0 && missed == 0 && self.guessing == 0 {
            State::Empty
        } else if people >= self.stop || missed >= self.guesses {
            State::Stopping
        } else if self.full >= self.mask {
            State::Masking
        } else if people.saturating_mul(2) >= self.mask.min(self.stop) || missed.saturating_mul(2) >= self.guesses {
            State::Near
        } else {
            State::Counting
        }
    }

    /// Moves on to `now`; a clock that goes back stands still here. The window is the whole steps before the current one
    /// and this one, so that it is never shorter than the period.
    fn roll(&mut self, now: Timestamp) {
        let step = step(self.period, now);
        if step <= self.step {
            return;
        }
        self.step = step;
        let first = step - self.period.steps().1;
        self.people.retain(|_, person| person.last >= first || matches!(person.standing, Standing::Claimed(_)));
        self.full = self.people.values().filter(|person| person.room == Room::Full).count();
        self.missed.retain(|(step, _)| *step >= first);
    }
}

fn step(period: Period, now: Timestamp) -> i64 {
    now.seconds().div_euclid(period.steps().0)
}

/// What a claim left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nothing: the person was counted before, or is not kept.
    Nothing,
    /// To settle it, or to release it.
    Pending,
}

/// How a find or a comparison ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Found {
    /// With somebody.
    Somebody,
    /// With nobody: a guess.
    Nobody,
    /// It is not known: the CRM did not answer.
    Unknown,
}

/// What the caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oldest {
    Person,
    Guess,
}

/// How much of a budget is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is counted within the window.
    Empty,
    /// Less than half.
    Counting,
    /// Half or more.
    Near,
    /// New people are masked.
    Masking,
    /// New people, or guesses, are refused.
    Stopping,
}
