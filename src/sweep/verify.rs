//! Reading everything again: is what was written still there, does it open to what was there before, what is left.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::Serialize;

use super::{
    Ask, Change, Clock, Fault, Field, Form, Inventory, Progress, Reading, Record, RecordId, Records, Secrets, Seen,
    Stage, SweepError, Tag, Value,
    engine::Crm,
    entry::Outcomes,
    inventory::{in_scope, look},
};

/// What a run wrote, by record and place, as short hashes: about 64 bytes per value (1 million records with 6 fields:
/// 400 MB). A hash of 8 keyed bytes passes by chance once in 2^64 values.
#[derive(Debug, Clone, Default)]
pub struct Index {
    places: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
    written: HashMap<(u64, u32), (u64, u64)>,
    records: HashSet<u64>,
}

impl Index {
    /// Values that were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.written.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Takes in what `records` say was written.
    pub(super) fn learn(&mut self, records: &[Outcomes]) {
        for record in records {
            for field in &record.fields {
                if let (Some(new), Some(clear)) = (field.new, field.clear) {
                    let place = self.number(&field.field);
                    self.records.insert(record.id.short());
                    self.written.insert((record.id.short(), place), (new.short(), clear.short()));
                }
            }
        }
    }

    /// Records with something written.
    pub(super) fn record_count(&self) -> u64 {
        self.records.len() as u64
    }

    pub(super) fn has_record(&self, id: Tag) -> bool {
        self.records.contains(&id.short())
    }

    fn number(&mut self, place: &str) -> u32 {
        if let Some(number) = self.numbers.get(place) {
            return *number;
        }
        let (number, place) = (self.places.len() as u32, Arc::<str>::from(place));
        self.places.push(Arc::clone(&place));
        self.numbers.insert(place, number);
        number
    }

    fn get(&self, id: Tag, place: &str) -> Option<(u64, u64)> {
        self.written.get(&(id.short(), *self.numbers.get(place)?)).copied()
    }
}

/// What reading again found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Values that are as they were written and open to the text of before.
    pub same: u64,
    /// Values that somebody changed since.
    pub changed_since: u64,
    /// Values that do not open, or to another text: the run did harm. The places of the first ones are named.
    pub damaged: u64,
    /// `record hash place` of up to 100 of them.
    pub damaged_places: Vec<String>,
    /// Records that were deleted since.
    pub gone: u64,
    /// What the CRM holds now; nothing after a pilot, which does not list everything.
    pub inventory: Option<Inventory>,
}

impl<R: Records, C: Change, K: Clock> Crm<'_, R, C, K> {
    /// Lists everything; compares what stands in `index`, and counts. Nothing when it was asked to stop.
    ///
    /// # Errors
    /// When the CRM or the vault does not answer.
    pub(super) async fn listing(
        &self,
        index: &Index,
        secrets: Option<&dyn Secrets>,
        mut total: Option<u64>,
    ) -> Result<Option<(Checked, HashSet<u64>)>, SweepError> {
        let (mut checked, mut inventory) = (Checked::default(), Inventory::default());
        let mut unseen = index.records.clone();
        let (mut cursor, begun) = (None, self.budget.clock().now());
        let stage = if index.is_empty() { Stage::Inventory } else { Stage::Verifying };
        loop {
            if self.stop.is_set() {
                return Ok(None);
            }
            let page = self.page(cursor.as_ref()).await?;
            total = page.total.or(total);
            let seen = look(self.change, &page.records, self.settings).await?;
            for (record, seen) in page.records.iter().zip(&seen) {
                inventory.add(record, seen, self.settings);
                if let Some(secrets) = secrets {
                    let id = Tag::of_id(secrets, &self.settings.object, &record.id);
                    unseen.remove(&id.short());
                    self.compare(record, id, seen, index, secrets, &mut checked).await?;
                }
            }
            self.watch.page(&Progress {
                stage,
                records: inventory.records,
                records_here: inventory.records,
                total,
                written: 0,
                elapsed: self.budget.clock().now().saturating_sub(begun),
            });
            match page.next {
                None => break,
                next => cursor = next,
            }
        }
        checked.inventory = Some(inventory);
        Ok(Some((checked, unseen)))
    }

    /// Reads `ids` one by one and compares them.
    pub(super) async fn readings(
        &self,
        ids: &[RecordId],
        index: &Index,
        secrets: &dyn Secrets,
        checked: &mut Checked,
    ) -> Result<(), SweepError> {
        for id in ids {
            let record = match self.read(id).await? {
                Ok(record) => record,
                Err(Fault::Gone) => {
                    checked.gone += 1;
                    continue;
                }
                Err(fault) => return Err(SweepError::Crm(fault)),
            };
            let seen = look(self.change, std::slice::from_ref(&record), self.settings).await?;
            let tag = Tag::of_id(secrets, &self.settings.object, id);
            self.compare(&record, tag, &seen.concat(), index, secrets, checked).await?;
        }
        Ok(())
    }

    async fn compare(
        &self,
        record: &Record,
        id: Tag,
        seen: &[Seen],
        index: &Index,
        secrets: &dyn Secrets,
        checked: &mut Checked,
    ) -> Result<(), SweepError> {
        let mut seen = seen.iter();
        let mut untouched = Vec::new();
        for field in in_scope(record, self.settings) {
            let form = field.text().and_then(|_| seen.next()).map(|seen| seen.form);
            let Some((new, clear)) = index.get(id, &field.place) else { continue };
            match (&field.value, form) {
                (Value::Text(text), _) if Tag::of_stored(secrets, id, &field.place, text).short() == new => {
                    untouched.push((field, text, clear));
                }
                (_, Some(Form::Unreadable(_))) => checked.harm(id, field),
                _ => checked.changed_since += 1,
            }
        }
        let asks: Vec<Ask<'_>> = untouched
            .iter()
            .map(|(field, text, _)| Ask { record: &record.id, class: field.class, column: field.column, text })
            .collect();
        if asks.is_empty() {
            return Ok(());
        }
        for (reading, (field, _, clear)) in self.change.clear(&asks).await?.iter().zip(&untouched) {
            match reading {
                Reading::Text(text) if Tag::of_clear(secrets, id, &field.place, text).short() == *clear => {
                    checked.same += 1;
                }
                _ => checked.harm(id, field),
            }
        }
        Ok(())
    }
}

impl Checked {
    fn harm(&mut self, id: Tag, field: &Field) {
        self.damaged += 1;
        if self.damaged_places.len() < MAX_PLACES {
            self.damaged_places.push(format!("{id} {}", field.place));
        }
    }
}

/// Damaged places that a report names.
const MAX_PLACES: usize = 100;
