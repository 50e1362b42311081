//! What was counted before a restart, read back from the access log: a restart is no way around a budget.

use std::{path::Path, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{
    Budgets, Rules,
    account::{Claim, Ref, Room},
    lock,
};
use crate::{
    audit::{self, Tail},
    config::{BudgetRule, Counted},
    model::{Kind, Timestamp},
};

/// Bytes of the log that a start reads at most: about 350,000 records, which take a few seconds.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

const REVEAL: &str = "access.reveal";
const VERIFY: &str = "access.verify";

impl Budgets {
    /// Counts what the log in `dir` says of the windows of `rules` that are open at `now`. Reads as far back as the longest
    /// window and at most `MAX_BYTES`; past that the newest records count, and a warning says so.
    ///
    /// Where nothing is configured only comparisons are looked for, and no other record is parsed.
    pub(in crate::gateway) fn restore(&self, rules: &Rules, dir: &Path, now: Timestamp) {
        let kinds: &[&str] = if rules.configured.is_empty() { &[VERIFY] } else { &[REVEAL, VERIFY] };
        let rules: Vec<_> = rules.configured.iter().chain([&rules.built_in]).collect();
        let window = |rule: &&Arc<BudgetRule>| {
            let (seconds, steps) = rule.per.steps();
            seconds * (steps + 1)
        };
        let Some(longest) = rules.iter().map(window).max() else { return };
        let mut records = 0_u64;
        let read = audit::tail(dir, now.plus_seconds(-longest), MAX_BYTES, kinds, |record| {
            records += 1;
            self.restore_record(&rules, record);
        });
        match read {
            Ok(Tail::Whole) => tracing::info!(records, "budgets counted from the access log"),
            Ok(Tail::Cut) => tracing::warn!(
                records,
                "budgets counted from the newest records only: the log holds more than is read at a start"
            ),
            // The log was opened a moment ago, so this is a disk that fails: what was counted is then unknown.
            Err(error) => tracing::error!(error = %error, "budgets start at zero: the access log cannot be read"),
        }
    }

    fn restore_record(&self, rules: &[&Arc<BudgetRule>], record: &Value) {
        let Some(at) = record["ts"].as_str().and_then(time) else { return };
        let actor = &record["actor"];
        let human = &actor["on_behalf_of"];
        for party in [actor, human] {
            let Some(id) = party["sub"].as_str().map(Arc::<str>::from) else { continue };
            let kind = party["kind"].as_str().and_then(|kind| kind.parse().ok()).unwrap_or(Kind::Human);
            for rule in rules {
                if rule.is_about_roles(kind, names(&party["roles"])) {
                    self.restore_party(rule, &id, record, at);
                }
            }
        }
    }

    fn restore_party(&self, rule: &Arc<BudgetRule>, id: &Arc<str>, record: &Value, at: Timestamp) {
        let Some(tally) = self.tally(rule, id, at) else { return };
        let mut account = lock(&tally);
        let verify = record["kind"] == VERIFY;
        let find = !verify && record["searched"].is_array();
        let mut people = record["subjects"].as_array().into_iter().flatten().peekable();
        let first_part = record.pointer("/part/n").and_then(Value::as_u64) == Some(1);
        if (verify && rule.counts(Counted::Verify) && record["match"] == false)
            || (find && rule.counts(Counted::Find) && first_part && people.peek().is_none())
        {
            account.missed(at);
        }
        for person in people {
            let capped = person["capped"].is_array();
            let counted = (verify && rule.counts(Counted::Verify))
                || (find && rule.counts(Counted::Find))
                || (rule.counts(Counted::Reveal) && (capped || person["reveal"].is_array()));
            let Some(who) = reference(person, record).filter(|_| counted) else { continue };
            let room = account.room(&who, at).min(if capped { Room::Mask } else { Room::Full });
            // Past a limit that is now lower than it was there is nothing to add: nobody new is shown.
            if account.claim(who, room, at) == Claim::Pending {
                account.settle(&who, at);
            }
        }
    }
}

/// The 128 bits of `s1:…`; of a person without an id, those of the exchange.
fn reference(person: &Value, record: &Value) -> Option<Ref> {
    match person["ref"].as_str() {
        Some(text) => {
            let bits = BASE64_URL_SAFE_NO_PAD.decode(text.split_once(':')?.1).ok()?;
            bits.try_into().ok()
        }
        None => record["req"].as_str()?.parse::<uuid::Uuid>().ok().map(|id| id.as_u128().to_be_bytes()),
    }
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// RFC 3339 in UTC, as records spell it.
fn time(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}
