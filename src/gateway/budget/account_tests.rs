//! What an account allows, second by second.

use super::account::{Account, Claim, Found, Oldest, Ref, Room, State};
use crate::{config::BudgetRule, model::Timestamp};

pub(super) fn rule(text: &str) -> BudgetRule {
    toml::from_str(&format!("name = \"r\"\n{text}\n")).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    // The start of a step of either window.
    Timestamp::from_seconds(1_795_500_000 / 900 * 900 + seconds)
}

fn who(number: u32) -> Ref {
    u128::from(number).to_be_bytes()
}

/// Shows `number` as far as there is room, and puts it on record.
pub(super) fn show(account: &mut Account, number: u32, now: Timestamp) -> Room {
    let room = account.room(&who(number), now);
    if account.claim(who(number), room, now) == Claim::Pending {
        account.settle(&who(number), now);
    }
    room
}

#[test]
fn the_first_are_shown_the_next_masked_and_all_others_refused_at_the_configured_numbers() {
    let mut account = Account::new(&rule("per = \"hour\"\nmask_after = 3\nstop_after = 5"), at(0));
    let rooms: Vec<Room> = (0..7).map(|number| show(&mut account, number, at(0))).collect();
    assert_eq!(rooms, [Room::Full, Room::Full, Room::Full, Room::Mask, Room::Mask, Room::None, Room::None]);
    for number in 0..3 {
        assert_eq!(show(&mut account, number, at(10)), Room::Full, "who was seen stays seen");
    }
    assert_eq!(show(&mut account, 3, at(10)), Room::Mask);
    assert_eq!(account.state(at(10)), State::Stopping);
}

#[test]
fn one_more_customer_every_two_minutes_ends_at_the_limit() {
    // 30 an hour, which is no rate that anybody would notice: it is the day's rule that ends it.
    let mut account = Account::new(&rule("per = \"day\"\nmask_after = 100\nstop_after = 150"), at(0));
    let mut seen = [0; 3];
    for call in 0..700_u32 {
        let room = show(&mut account, call, at(i64::from(call) * 120));
        seen[match room {
            Room::Full => 0,
            Room::Mask => 1,
            Room::None => 2,
        }] += 1;
    }
    assert_eq!(seen, [100, 50, 550]);
}

#[test]
fn the_window_slides_and_is_never_shorter_than_its_period() {
    let mut account = Account::new(&rule("per = \"hour\"\nstop_after = 2"), at(0));
    assert_eq!(show(&mut account, 1, at(299)), Room::Full);
    assert_eq!(show(&mut account, 2, at(301)), Room::Full);
    assert_eq!(show(&mut account, 3, at(3_899)), Room::None, "an hour and a step after the first");
    assert_eq!(account.seconds_until_room(Oldest::Person, at(3_600)), 300);
    assert_eq!(show(&mut account, 3, at(3_900)), Room::Full);
    assert_eq!(show(&mut account, 4, at(3_900)), Room::None, "the second is in the window still");
    assert_eq!(show(&mut account, 4, at(4_200)), Room::Full);
}

#[test]
fn seeing_somebody_again_keeps_them_counted() {
    let mut account = Account::new(&rule("per = \"hour\"\nstop_after = 1"), at(0));
    for step in 0..20 {
        assert_eq!(show(&mut account, 1, at(step * 1_800)), Room::Full);
        assert_eq!(show(&mut account, 2, at(step * 1_800 + 5)), Room::None);
    }
}

#[test]
fn a_masked_person_is_shown_once_there_is_room_again() {
    let mut account = Account::new(&rule("per = \"hour\"\nmask_after = 1\nstop_after = 3"), at(0));
    assert_eq!(show(&mut account, 1, at(0)), Room::Full);
    assert_eq!(show(&mut account, 2, at(600)), Room::Mask);
    assert_eq!(show(&mut account, 2, at(3_600)), Room::Mask);
    assert_eq!(show(&mut account, 2, at(3_900)), Room::Full);
    assert_eq!(show(&mut account, 3, at(3_900)), Room::Mask, "that took the one place");
}

#[test]
fn what_was_not_shown_after_all_is_given_back_unless_another_exchange_showed_it() {
    let mut account = Account::new(&rule("per = \"hour\"\nstop_after = 1"), at(0));
    assert_eq!(account.claim(who(1), Room::Full, at(0)), Claim::Pending);
    assert_eq!(account.room(&who(2), at(0)), Room::None, "a claim counts at once");
    account.release(&who(1));
    assert_eq!(account.room(&who(2), at(0)), Room::Full);
    assert_eq!(account.claim(who(2), Room::Full, at(0)), Claim::Pending);
    assert_eq!(
        account.claim(who(2), Room::Full, at(0)),
        Claim::Pending,
        "a second exchange, before the first is on record"
    );
    account.settle(&who(2), at(0));
    account.release(&who(2));
    assert_eq!(account.room(&who(3), at(0)), Room::None);
    assert_eq!(account.claim(who(2), Room::Full, at(0)), Claim::Nothing);
    let mut both = Account::new(&rule("per = \"hour\"\nstop_after = 1"), at(0));
    let claims = [both.claim(who(1), Room::Full, at(0)), both.claim(who(1), Room::Full, at(0))];
    assert_eq!(claims, [Claim::Pending; 2]);
    both.release(&who(1));
    assert_eq!(both.room(&who(2), at(0)), Room::None, "the other one still holds it");
    both.release(&who(1));
    assert_eq!(both.room(&who(2), at(0)), Room::Full);
}

#[test]
fn a_clock_that_goes_back_makes_no_room() {
    let mut account = Account::new(&rule("per = \"hour\"\nstop_after = 1"), at(7_200));
    assert_eq!(show(&mut account, 1, at(7_200)), Room::Full);
    assert_eq!(show(&mut account, 2, at(0)), Room::None);
    assert_eq!(show(&mut account, 2, at(7_200 + 3_600)), Room::None);
    assert_eq!(show(&mut account, 2, at(7_200 + 3_900)), Room::Full);
}

#[test]
fn guesses_end_at_their_number_and_those_under_way_count() {
    let mut account = Account::new(&rule("per = \"hour\"\nguess_after = 2"), at(0));
    assert_eq!(account.guess(at(0)), Room::Full);
    account.guessed(Found::Somebody, at(0));
    assert_eq!(
        [account.guess(at(0)), account.guess(at(0)), account.guess(at(0))],
        [Room::Full, Room::Full, Room::None]
    );
    account.guessed(Found::Unknown, at(0));
    account.guessed(Found::Nobody, at(0));
    assert_eq!(account.guess(at(0)), Room::Full, "one missed, none under way");
    account.guessed(Found::Nobody, at(600));
    assert_eq!(account.guess(at(700)), Room::None);
    assert_eq!(account.seconds_until_room(Oldest::Guess, at(700)), 3_900 - 700);
    assert_eq!(account.guess(at(3_900)), Room::Full);
}

#[test]
fn without_a_limit_that_it_bears_on_nobody_is_kept() {
    let mut guesses = Account::new(&rule("per = \"hour\"\nguess_after = 5"), at(0));
    let mut masks = Account::new(&rule("per = \"hour\"\nmask_after = 2"), at(0));
    for number in 0..1_000 {
        assert_eq!(show(&mut guesses, number, at(0)), Room::Full);
        assert_eq!(show(&mut masks, number, at(0)), if number < 2 { Room::Full } else { Room::Mask });
    }
    assert_eq!(guesses.state(at(0)), State::Empty);
    assert_eq!(masks.state(at(0)), State::Masking);
    assert_eq!(show(&mut masks, 1, at(0)), Room::Full);
}

#[test]
fn a_reload_changes_the_limits_and_keeps_the_count() {
    let mut account = Account::new(&rule("per = \"hour\"\nstop_after = 2"), at(0));
    show(&mut account, 1, at(0));
    account.adopt(&rule("per = \"hour\"\nstop_after = 1"));
    assert_eq!(show(&mut account, 2, at(0)), Room::None);
    account.adopt(&rule("per = \"hour\"\nmask_after = 1\nstop_after = 2"));
    assert_eq!(show(&mut account, 2, at(0)), Room::Mask);
    assert!(!account.is_of(&rule("per = \"day\"\nstop_after = 2")));
}
