//! What the CRM holds, per class: counts and lengths, never values.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Ask, Change, Field, Form, Record, Seen, Settings, Unavailable, Value, Wants};

/// The values of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Texts, numbers and truth values.
    pub values: u64,
    /// Fields nobody filled in; they stay empty.
    pub empty: u64,
    /// Numbers and truth values: nothing protected fits into such a column.
    pub not_text: u64,
    /// Clear texts.
    pub clear: u64,
    /// Protected as configured, under the active keys.
    pub current: u64,
    /// Protected under another key or in another form.
    pub stale: u64,
    /// Protected and not to be opened, by cause.
    pub unreadable: BTreeMap<&'static str, u64>,
    /// What a run would change.
    pub to_do: u64,
    /// What a run would have to change and whose column is too short.
    pub does_not_fit: u64,
    /// The longest clear text, in characters.
    pub longest_chars: u64,
    /// Places with clear texts whose map gives no `max_chars`, so that nothing can be said about what fits.
    pub unprobed: u64,
}

/// The values of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Records that were listed.
    pub records: u64,
    /// By class.
    pub classes: BTreeMap<String, Tally>,
    /// Protected values by the key they are under: what `keys retire` asks for.
    pub keys: BTreeMap<String, u64>,
}

impl Inventory {
    /// Values that a run would change.
    #[must_use]
    pub fn to_do(&self) -> u64 {
        self.classes.values().map(|tally| tally.to_do).sum()
    }

    /// Values whose column is too short for what a run would make of them.
    #[must_use]
    pub fn does_not_fit(&self) -> u64 {
        self.classes.values().map(|tally| tally.does_not_fit).sum()
    }

    /// Clear values, of whatever reason.
    #[must_use]
    pub fn clear(&self) -> u64 {
        self.classes.values().map(|tally| tally.clear + tally.not_text).sum()
    }

    /// Adds one record with what was seen of its texts, in their order.
    pub(super) fn add(&mut self, record: &Record, seen: &[Seen], settings: &Settings) {
        self.records += 1;
        let mut seen = seen.iter();
        for field in in_scope(record, settings) {
            let tally = self.classes.entry(settings.classes.name(field.class).to_owned()).or_default();
            match &field.value {
                Value::Empty => tally.empty += 1,
                Value::NotText => {
                    tally.values += 1;
                    tally.not_text += 1;
                }
                Value::Text(text) => {
                    let Some(seen) = seen.next() else { continue };
                    tally.add(seen, text.expose().chars().count() as u64, field);
                    for key in &seen.keys {
                        *self.keys.entry(key.to_string()).or_default() += 1;
                    }
                }
            }
        }
    }
}

impl Tally {
    fn add(&mut self, seen: &Seen, chars: u64, field: &Field) {
        self.values += 1;
        match seen.form {
            Form::Clear => {
                self.clear += 1;
                self.longest_chars = self.longest_chars.max(chars);
                self.unprobed += u64::from(field.column.max_chars.is_none());
            }
            Form::Current => self.current += 1,
            Form::Stale => self.stale += 1,
            Form::Unreadable(why) => *self.unreadable.entry(why.as_str()).or_default() += 1,
        }
        match seen.wants {
            Wants::Nothing => {}
            Wants::Another => self.to_do += 1,
            Wants::DoesNotFit => self.does_not_fit += 1,
        }
    }
}

/// The fields a run is about.
pub(super) fn in_scope<'a>(record: &'a Record, settings: &Settings) -> impl Iterator<Item = &'a Field> {
    let scope = settings.scope;
    record.fields.iter().filter(move |field| scope.contains(field.class))
}

/// Questions about the texts of `record` that are in scope, in order.
pub(super) fn asks<'a>(record: &'a Record, settings: &Settings) -> Vec<Ask<'a>> {
    let texts = in_scope(record, settings).filter_map(|field| Some((field, field.text()?)));
    texts.map(|(field, text)| Ask { record: &record.id, class: field.class, column: field.column, text }).collect()
}

/// Looks at every text of `records`, in one question.
pub(super) async fn look(
    change: &impl Change,
    records: &[Record],
    settings: &Settings,
) -> Result<Vec<Vec<Seen>>, Unavailable> {
    let asked: Vec<Vec<Ask<'_>>> = records.iter().map(|record| asks(record, settings)).collect();
    let mut seen = change.look(&asked.concat()).await?.into_iter();
    Ok(asked.iter().map(|asked| seen.by_ref().take(asked.len()).collect()).collect())
}
