//! Normal shifts against the rule of the commented reference: it must not get into the way of people who work.

use super::{
    account::{Account, Room},
    account_tests::show,
};
use crate::{
    config::{BudgetRule, BudgetSettings},
    model::Timestamp,
};

/// SplitMix64 (Steele et al. 2014): the shifts are the same ones every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The rules for agents in `config/fieldgate.toml`.
fn documented() -> Vec<BudgetRule> {
    #[derive(serde::Deserialize)]
    struct File {
        budget: BudgetSettings,
    }
    let text = include_str!("../../../config/fieldgate.toml");
    let file: File = toml::from_str(text).unwrap();
    assert!(file.budget.problems().is_empty());
    let rules: Vec<_> = file.budget.rules.into_iter().filter(|rule| rule.roles == ["agent"]).collect();
    assert!(!rules.is_empty());
    rules
}

const CUSTOMERS: u64 = 50_000;

/// What an agent sees on one day, as (second, person), and when a look-up finds nobody.
///
/// 60 to 80 calls in eight hours, twice as many per hour around the peak; one call in six is from somebody who called before
/// that day. Nine look-ups of ten name one customer; the others are by name and list up to eight. A quarter of the calls
/// lead to a ticket or two, a fifth to up to three orders: each is a subject of its own. Twice an hour the queue of 25
/// tickets is looked at, of which five are new.
fn shift(dice: &mut Dice) -> (Vec<(i64, u32)>, Vec<i64>) {
    let (mut seen, mut missed, mut callers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..60 + dice.below(21) {
        let hour = if dice.chance(25) { 3 } else { dice.below(8) };
        let second = (hour * 3_600 + dice.below(3_600)) as i64;
        let caller = match callers.len() as u64 {
            known if known > 0 && dice.chance(17) => callers[dice.below(known) as usize],
            _ => dice.below(CUSTOMERS) as u32,
        };
        callers.push(caller);
        if dice.chance(8) {
            missed.push(second);
        }
        if dice.chance(10) {
            seen.extend((0..1 + dice.below(7)).map(|_| (second, dice.below(CUSTOMERS) as u32)));
        }
        seen.push((second, caller));
        if dice.chance(25) {
            seen.extend((0..1 + dice.below(2)).map(|at| (second + 60, 1_000_000 + caller * 4 + at as u32)));
        }
        if dice.chance(20) {
            seen.extend((0..1 + dice.below(3)).map(|at| (second + 90, 2_000_000 + caller * 4 + at as u32)));
        }
    }
    let start = 3_000_000 + dice.below(100_000) as u32 * 1_000;
    for look in 0..16_u32 {
        seen.extend((0..25).map(|at| (i64::from(look) * 1_800, start + look * 5 + at)));
    }
    seen.sort_unstable();
    missed.sort_unstable();
    (seen, missed)
}

#[test]
fn a_normal_shift_sees_at_most_one_record_in_a_thousand_wrongly_masked() {
    let mut dice = Dice(20_261_125);
    for rule in documented() {
        let (mut records, mut masked, mut most) = (0_u64, 0_u64, 0);
        let mut account = Account::new(&rule, Timestamp::from_seconds(0));
        for day in 0..400_i64 {
            let (seen, missed) = shift(&mut dice);
            for (second, person) in &seen {
                let room = show(&mut account, *person, Timestamp::from_seconds(day * 86_400 + second));
                records += 1;
                masked += u64::from(room != Room::Full);
            }
            let hour = |at: i64| seen.iter().filter(|(second, _)| (at..at + 3_600).contains(second)).count();
            most = most.max((0..8).map(|at| hour(at * 3_600)).max().unwrap_or_default());
            for second in missed {
                let now = Timestamp::from_seconds(day * 86_400 + 40_000 + second);
                assert_eq!(account.guess(now), Room::Full, "rule `{}` refused a look-up on day {day}", rule.name);
                account.guessed(super::Found::Nobody, now);
            }
        }
        println!("rule `{}`: {masked} of {records} records masked; at most {most} records in an hour", rule.name);
        assert!(masked * 1_000 <= records, "{masked} of {records}");
    }
}

#[test]
fn the_documented_rules_stop_who_collects_people() {
    for rule in documented() {
        let (mut account, mut seen) = (Account::new(&rule, Timestamp::from_seconds(0)), 0);
        // One every two minutes for a day, or a page of a hundred every minute: whatever the pace, the number is the number.
        for pull in 0..720_u32 {
            for person in 0..100 {
                let now = Timestamp::from_seconds(i64::from(pull) * 5);
                seen += u32::from(show(&mut account, pull * 100 + person, now) == Room::Full);
            }
        }
        assert_eq!(Some(seen), rule.mask_after, "rule `{}`", rule.name);
    }
}
