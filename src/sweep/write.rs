//! One record: what it becomes, and the write that loses nobody's update.
//!
//! A write goes out under the version that was read, where the CRM has versions; else the record is read again right
//! before. A field that no longer holds what was read is planned anew from what it holds now. Whether a write whose
//! answer never came took effect is asked, not guessed.

use std::sync::Arc;

use super::{
    Ask, Change, Clock, Edit, Fault, Outcome, Reading, Record, RecordId, Records, State, Sweep, SweepError, Tag, Value,
    Verb,
    engine::MAX_TRIES,
    entry::{Intended, IntendedField, Line, OutcomeField, Outcomes},
    inventory::{asks, in_scope},
};
use crate::model::{ClassId, Column, Sensitive};

/// A record with something to write.
pub(super) struct Work {
    record: Record,
    planned: Vec<Planned>,
}

/// A value and what it becomes.
struct Planned {
    place: Arc<str>,
    class: ClassId,
    column: Column,
    old: Sensitive<String>,
    new: Sensitive<String>,
    clear: Sensitive<String>,
}

/// A text of a record that is asked about.
struct Asked<'a> {
    place: Arc<str>,
    ask: Ask<'a>,
}

/// What planning gave for one text.
enum Plan {
    Write(Planned),
    Stay,
    Not(State),
}

impl<R: Records, C: Change, K: Clock> Sweep<'_, R, C, K> {
    /// What there is to write in `records`, and what cannot be.
    pub(super) async fn plan(&self, records: &[Record]) -> Result<(Vec<Work>, Vec<Outcomes>), SweepError> {
        let asked: Vec<Asked<'_>> = records.iter().flat_map(|record| self.texts(record)).collect();
        let mut plans = self.ask(&asked).await?.into_iter();
        let (mut work, mut outcomes) = (Vec::new(), Vec::new());
        for record in records {
            let (mut planned, mut not) = (Vec::new(), Vec::new());
            for (asked, plan) in self.texts(record).iter().zip(plans.by_ref()) {
                match plan {
                    Plan::Write(one) => planned.push(one),
                    Plan::Stay => {}
                    Plan::Not(state) => not.push(self.outcome(&asked.place, asked.ask.class, state)),
                }
            }
            if !not.is_empty() {
                outcomes.push(Outcomes { id: self.tag(&record.id), fields: not });
            }
            if !planned.is_empty() {
                work.push(Work { record: record.clone(), planned });
            }
        }
        Ok((work, outcomes))
    }

    fn texts<'r>(&self, record: &'r Record) -> Vec<Asked<'r>> {
        let places = in_scope(record, self.crm.settings).filter(|field| field.text().is_some());
        let asks = asks(record, self.crm.settings).into_iter();
        asks.zip(places).map(|(ask, field)| Asked { place: Arc::clone(&field.place), ask }).collect()
    }

    /// Makes the new texts, and opens each again before anything is written.
    async fn ask(&self, asked: &[Asked<'_>]) -> Result<Vec<Plan>, SweepError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let asks: Vec<Ask<'_>> = asked.iter().map(|asked| asked.ask).collect();
        let made = self.crm.change.change(&asks).await?;
        let before: Vec<Ask<'_>> =
            asks.iter().zip(&made).filter(|(_, made)| matches!(made, Outcome::New(_))).map(|(ask, _)| *ask).collect();
        let after = asks.iter().zip(&made).filter_map(|(ask, made)| match made {
            Outcome::New(text) => Some(Ask { text, ..*ask }),
            _ => None,
        });
        let after: Vec<Ask<'_>> = after.collect();
        let (mut before, mut after) = match before.is_empty() {
            true => (Vec::new().into_iter(), Vec::new().into_iter()),
            false => {
                (self.crm.change.clear(&before).await?.into_iter(), self.crm.change.clear(&after).await?.into_iter())
            }
        };
        let mut plans = Vec::with_capacity(asked.len());
        for (asked, made) in asked.iter().zip(made) {
            plans.push(match made {
                Outcome::Unchanged => Plan::Stay,
                Outcome::DoesNotFit => Plan::Not(State::DoesNotFit),
                Outcome::Unreadable(_) => Plan::Not(State::Unreadable),
                Outcome::New(new) => match (before.next(), after.next()) {
                    (Some(Reading::Text(clear)), Some(Reading::Text(again))) if clear == again => {
                        Plan::Write(asked.planned(new, clear))
                    }
                    (Some(Reading::Unreadable(_)), _) => Plan::Not(State::Unreadable),
                    _ => {
                        let class = self.crm.settings.classes.name(asked.ask.class).to_owned();
                        return Err(SweepError::Unsound { class });
                    }
                },
            });
        }
        Ok(plans)
    }

    /// The line of the journal that announces `work`.
    pub(super) fn intended(&self, work: &Work) -> Result<Intended, SweepError> {
        self.announced(&work.record.id, &work.planned)
    }

    fn announced(&self, record: &RecordId, planned: &[Planned]) -> Result<Intended, SweepError> {
        let (id, sealed) = (self.tag(record), self.journal.borrow().seal(record)?);
        let stored = |place: &str, text: &Sensitive<String>| Tag::of_stored(&*self.secrets, id, place, text);
        let field = |planned: &Planned| IntendedField {
            field: planned.place.to_string(),
            class: self.crm.settings.classes.name(planned.class).to_owned(),
            old: stored(&planned.place, &planned.old),
            new: stored(&planned.place, &planned.new),
            clear: Tag::of_clear(&*self.secrets, id, &planned.place, &planned.clear),
        };
        Ok(Intended { id, sealed, fields: planned.iter().map(field).collect() })
    }

    /// Writes `work`, whose intent is durable.
    pub(super) async fn write(&self, round: u32, page: u64, work: Work) -> Result<Outcomes, SweepError> {
        let Work { record, mut planned } = work;
        let id = record.id.clone();
        let mut outcomes = Outcomes { id: self.tag(&id), fields: Vec::new() };
        let mut known = record.version.is_some().then_some(record);
        let (mut sent, mut busy, mut last) = (Sent::Not, 0, State::Contended);
        let mut attempt = 0;
        if self.halted.get() {
            self.note(&mut outcomes, std::mem::take(&mut planned), State::Void);
        }
        while attempt < MAX_ATTEMPTS && !planned.is_empty() {
            // The write's turn is waited for before the record is read: nothing lies between the two.
            self.crm.budget.call().await;
            let current = match known.take() {
                Some(record) => record,
                None => match self.crm.read(&id).await? {
                    Ok(record) => record,
                    Err(fault) => {
                        self.crm.budget.give_back();
                        last = of_fault(fault)?;
                        break;
                    }
                },
            };
            planned = self.reconcile(round, page, &current, planned, sent, &mut outcomes).await?;
            if planned.is_empty() {
                self.crm.budget.give_back();
                break;
            }
            let edits: Vec<Edit<'_>> =
                planned.iter().map(|one| Edit { place: &one.place, text: one.new.expose() }).collect();
            match self.crm.records.patch(&current, &edits).await {
                Ok(shown) => {
                    sent = Sent::Yes;
                    attempt += 1;
                    if self.is_taken(shown.as_ref(), &planned) {
                        self.note(&mut outcomes, std::mem::take(&mut planned), State::Written);
                    }
                }
                Err(fault @ Fault::Busy { .. }) if busy + 1 < MAX_TRIES => {
                    self.crm.pause(fault, busy)?;
                    busy += 1;
                    sent = Sent::Yes;
                    // Under the same version a write cannot happen twice.
                    known = current.version.is_some().then_some(current);
                }
                Err(Fault::Conflict) => attempt += 1,
                Err(Fault::Unsure) => {
                    self.crm.pause(Fault::Unsure, attempt)?;
                    (sent, last) = (Sent::Yes, State::Failed);
                    attempt += 1;
                }
                Err(fault) => {
                    last = of_fault(fault)?;
                    break;
                }
            }
        }
        self.note(&mut outcomes, planned, last);
        Ok(outcomes)
    }

    /// Whether the write needs no reading back: its answer shows every new text. The first records of a run are read
    /// back in any case. What a CRM cuts off or changes would be lost, so nothing is taken on trust.
    fn is_taken(&self, shown: Option<&Record>, planned: &[Planned]) -> bool {
        let left = self.look_back.get();
        self.look_back.set(left.saturating_sub(1));
        let as_sent = |shown: &Record| planned.iter().all(|one| shown.text(&one.place) == Some(&one.new));
        left == 0 && shown.is_some_and(as_sent)
    }

    /// What is still to be written to `current`: what is there already is noted, what others wrote is planned anew.
    async fn reconcile(
        &self,
        round: u32,
        page: u64,
        current: &Record,
        planned: Vec<Planned>,
        sent: Sent,
        outcomes: &mut Outcomes,
    ) -> Result<Vec<Planned>, SweepError> {
        let verb = self.crm.settings.verb;
        let (mut keep, mut drifted, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for one in planned {
            match current.field(&one.place).map(|field| &field.value) {
                Some(Value::Text(text)) if *text == one.new => written.push(one),
                Some(Value::Text(text)) if *text == one.old => keep.push(one),
                Some(Value::Text(text)) => match (sent, Alteration::between(one.new.expose(), text.expose())) {
                    (Sent::Yes, Some(how)) if how.is_notation() && verb == Verb::Unprotect => {
                        self.note(outcomes, vec![one], State::Reformatted);
                    }
                    (Sent::Yes, Some(how)) => {
                        let place = one.place.to_string();
                        self.halted.set(true);
                        let restored = self.restore(current, &one).await;
                        return Err(SweepError::Altered { place, how: how.as_str(), restored });
                    }
                    _ => drifted.push((one, text)),
                },
                _ => self.note(outcomes, vec![one], State::Superseded),
            }
        }
        self.note(outcomes, written, State::Written);
        let asked: Vec<Asked<'_>> = drifted
            .iter()
            .map(|(one, text)| Asked {
                place: Arc::clone(&one.place),
                ask: Ask { record: &current.id, class: one.class, column: one.column, text },
            })
            .collect();
        let mut again = Vec::new();
        for (plan, asked) in self.ask(&asked).await?.into_iter().zip(&asked) {
            match plan {
                Plan::Write(one) => again.push(one),
                Plan::Stay => outcomes.fields.push(self.outcome(&asked.place, asked.ask.class, State::Superseded)),
                Plan::Not(state) => outcomes.fields.push(self.outcome(&asked.place, asked.ask.class, state)),
            }
        }
        if !again.is_empty() {
            let records = vec![self.announced(&current.id, &again)?];
            // As for a page: a crash before this line leaves the CRM as it was.
            self.journal.borrow_mut().append(&Line::Intent { round, page, records })?;
            keep.extend(again);
        }
        Ok(keep)
    }

    /// Puts the text of before back; says whether that worked.
    async fn restore(&self, current: &Record, one: &Planned) -> bool {
        for tries in 0..MAX_TRIES {
            self.crm.budget.call().await;
            let edit = [Edit { place: &one.place, text: one.old.expose() }];
            match self.crm.records.patch(current, &edit).await {
                Ok(_) => return true,
                Err(fault @ (Fault::Busy { .. } | Fault::Unsure)) if self.crm.pause(fault, tries).is_ok() => {}
                Err(_) => return false,
            }
        }
        false
    }

    fn note(&self, outcomes: &mut Outcomes, planned: Vec<Planned>, state: State) {
        for one in planned {
            let mut outcome = self.outcome(&one.place, one.class, state);
            if state == State::Written {
                outcome.new = Some(Tag::of_stored(&*self.secrets, outcomes.id, &one.place, &one.new));
                outcome.clear = Some(Tag::of_clear(&*self.secrets, outcomes.id, &one.place, &one.clear));
            }
            outcomes.fields.push(outcome);
        }
    }

    fn outcome(&self, place: &str, class: ClassId, state: State) -> OutcomeField {
        let class = self.crm.settings.classes.name(class).to_owned();
        OutcomeField { field: place.to_owned(), class, state, new: None, clear: None }
    }

    fn tag(&self, id: &RecordId) -> Tag {
        Tag::of_id(&*self.secrets, &self.crm.settings.object, id)
    }
}

impl Asked<'_> {
    fn planned(&self, new: Sensitive<String>, clear: Sensitive<String>) -> Planned {
        let Ask { class, column, text, .. } = self.ask;
        Planned { place: Arc::clone(&self.place), class, column, old: text.clone(), new, clear }
    }
}

/// Whether a write of this record may have taken effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Not,
    Yes,
}

/// What a fault that ends the tries makes of the values; one of the map ends the run.
fn of_fault(fault: Fault) -> Result<State, SweepError> {
    match fault {
        Fault::Gone => Ok(State::Gone),
        Fault::Refused { .. } => Ok(State::Refused),
        Fault::Conflict => Ok(State::Contended),
        Fault::Busy { .. } | Fault::Unsure => Ok(State::Failed),
        Fault::Broken(_) => Err(SweepError::Crm(fault)),
    }
}

/// What a CRM made of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alteration {
    Cut,
    Case,
    Separators,
    CutAndChanged,
}

impl Alteration {
    /// How `stored` comes from `sent`, when it does: what another client wrote does not.
    fn between(sent: &str, stored: &str) -> Option<Self> {
        let squash =
            |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
        if sent == stored || stored.is_empty() {
            None
        } else if sent.starts_with(stored) {
            Some(Self::Cut)
        } else if sent.to_lowercase() == stored.to_lowercase() {
            Some(Self::Case)
        } else if squash(sent) == squash(stored) {
            Some(Self::Separators)
        } else if squash(sent).starts_with(&squash(stored)) && stored.len() >= 8 {
            Some(Self::CutAndChanged)
        } else {
            None
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "it cuts it off",
            Self::Case => "it changes upper and lower case",
            Self::Separators => "it changes blanks or separators",
            Self::CutAndChanged => "it cuts it off and changes it",
        }
    }

    /// Whether a value that becomes clear again may be stored like this: it is how the CRM writes such values.
    fn is_notation(self) -> bool {
        matches!(self, Self::Case | Self::Separators)
    }
}

/// Writes of one record that meet a conflict or no answer.
const MAX_ATTEMPTS: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crm_makes_of_a_value_is_told_from_what_others_write() {
        for (sent, stored, how) in [
            ("fg1_AbCd", "fg1_AbCd", None),
            ("fg1_AbCdEfGh", "fg1_AbCd", Some(Alteration::Cut)),
            ("fg1_AbCd", "FG1_ABCD", Some(Alteration::Case)),
            ("+999123456789012", "+999 12 345678 9012", Some(Alteration::Separators)),
            (" a ", "a", Some(Alteration::Separators)),
            ("fg1_AbCdEfGhIj", "fg1_abcdefg", Some(Alteration::CutAndChanged)),
            ("fg1_AbCd", "anna@example.com", None),
            ("fg1_AbCd", "", None),
        ] {
            assert_eq!(Alteration::between(sent, stored), how, "{stored}");
        }
    }
}
