//! What a CRM's columns take: canaries are written into a scratch record and read back byte for byte; then the record is
//! put back as it was.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Budget, Canary, Clock, Edit, Fate, Fault, Record, RecordId, Records, SweepError, Value, engine::MAX_TRIES,
};
use crate::model::{ClassId, ClassSet, ClassTable, Sensitive};

/// Learns the columns behind the fields of one record.
pub struct Probe<'a, R, K> {
    /// The resource.
    pub records: &'a R,
    /// The calls that may be made.
    pub budget: &'a Budget<K>,
    /// The domain that e-mail tokens would have.
    pub token_domain: &'a str,
    /// The classes of the fields that are probed.
    pub scope: ClassSet,
}

/// What was learnt of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its place in the record.
    pub place: Arc<str>,
    /// Its class.
    pub class: ClassId,
    /// What became of each canary.
    pub fates: BTreeMap<Canary, Fate>,
    /// The longest text that is kept, in characters.
    pub length: Length,
    /// Whether the record could be put back as it was in this field.
    pub restored: Restored,
}

/// How long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// This many characters, and not one more.
    Exactly(usize),
    /// At least this many; longer ones were not tried.
    AtLeast(usize),
    /// No canary of any length is kept.
    Unknown,
}

/// Whether a field holds what it held before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// It does.
    Yes,
    /// It was not filled in, and now holds an empty text.
    Emptied,
    /// It does not: put it right by hand.
    No,
}

impl<R: Records, K: Clock> Probe<'_, R, K> {
    /// Probes every text field of record `id` that is in scope. Each is put back before the next one.
    ///
    /// # Errors
    /// When the CRM does not answer, or there is no such record.
    pub async fn run(&self, id: &RecordId) -> Result<Vec<Profile>, SweepError> {
        let record = self.read(id).await?;
        let fields = record.fields.iter().filter(|field| self.scope.contains(field.class));
        let mut profiles = Vec::new();
        for field in fields {
            if field.value == Value::NotText {
                continue;
            }
            let found = self.field(id, &field.place).await;
            // Whatever happened, what was there comes back.
            let before = field.text().map(|text| text.expose().as_str()).unwrap_or_default();
            let restored = match self.write(id, &field.place, before).await {
                Ok(Some(stored)) if stored.expose() == before => {
                    if before.is_empty() {
                        Restored::Emptied
                    } else {
                        Restored::Yes
                    }
                }
                Ok(None) if before.is_empty() => Restored::Emptied,
                _ => Restored::No,
            };
            let (fates, length) = match found {
                Ok(found) => found,
                Err(SweepError::Crm(_)) if restored == Restored::No => (BTreeMap::new(), Length::Unknown),
                Err(error) => return Err(error),
            };
            profiles.push(Profile { place: Arc::clone(&field.place), class: field.class, fates, length, restored });
        }
        Ok(profiles)
    }

    async fn field(&self, id: &RecordId, place: &str) -> Result<(BTreeMap<Canary, Fate>, Length), SweepError> {
        let mut fates = BTreeMap::new();
        for canary in Canary::ALL {
            fates.insert(canary, self.fate(id, place, &canary.text(self.token_domain)).await?);
        }
        let survives = |canary: &Canary| matches!(fates.get(canary), Some(Fate::Kept));
        let measure = [Canary::Opaque32, Canary::Token, Canary::Email].into_iter().find(survives);
        let cut = fates.get(&Canary::Opaque32) == Some(&Fate::Cut);
        let length = match measure {
            Some(canary) => self.length(id, place, canary).await?,
            None if cut => self.length(id, place, Canary::Token).await?,
            None => Length::Unknown,
        };
        Ok((fates, length))
    }

    /// The longest text of `canary`'s shape that is kept, by bisection.
    async fn length(&self, id: &RecordId, place: &str, canary: Canary) -> Result<Length, SweepError> {
        if self.keeps(id, place, canary, MAX_PROBE_CHARS).await? {
            return Ok(Length::AtLeast(MAX_PROBE_CHARS));
        }
        let (mut kept, mut lost) = (0, MAX_PROBE_CHARS);
        while lost - kept > 1 {
            let middle = kept + (lost - kept) / 2;
            if self.keeps(id, place, canary, middle).await? { kept = middle } else { lost = middle }
        }
        Ok(if kept == 0 { Length::Unknown } else { Length::Exactly(kept) })
    }

    /// Lengths that the shape does not have count as kept when they are shorter than its shortest text.
    async fn keeps(&self, id: &RecordId, place: &str, canary: Canary, chars: usize) -> Result<bool, SweepError> {
        let shortest = canary.text(self.token_domain).chars().count();
        match canary.long(chars, self.token_domain).or_else(|| canary.long(chars + 1, self.token_domain)) {
            Some(text) => Ok(self.fate(id, place, &text).await? == Fate::Kept),
            None => Ok(chars < shortest),
        }
    }

    async fn fate(&self, id: &RecordId, place: &str, text: &str) -> Result<Fate, SweepError> {
        match self.write(id, place, text).await {
            Ok(Some(stored)) => Ok(Fate::of(text, stored.expose())),
            Ok(None) => Ok(Fate::Refused),
            Err(SweepError::Crm(Fault::Refused { .. } | Fault::Conflict)) => Ok(Fate::Refused),
            Err(error) => Err(error),
        }
    }

    /// Writes `text` and returns what is stored then; nothing when the field is empty.
    async fn write(&self, id: &RecordId, place: &str, text: &str) -> Result<Option<Sensitive<String>>, SweepError> {
        let mut tries = 0;
        loop {
            let record = self.read(id).await?;
            self.budget.call().await;
            match self.records.patch(&record, &[Edit { place, text }]).await {
                Ok(_) => break,
                Err(fault @ Fault::Busy { .. }) if tries + 1 < MAX_TRIES => {
                    self.pause(fault, tries)?;
                    tries += 1;
                }
                // A CRM may answer 500 to what it does not like: after some tries it is a refusal.
                Err(fault @ (Fault::Unsure | Fault::Conflict)) if tries + 1 < MAX_WRITES => {
                    self.pause(fault, tries)?;
                    tries += 1;
                }
                Err(Fault::Unsure) => return Err(SweepError::Crm(Fault::Refused { status: 500 })),
                Err(fault) => return Err(SweepError::Crm(fault)),
            }
        }
        Ok(self.read(id).await?.text(place).cloned())
    }

    async fn read(&self, id: &RecordId) -> Result<Record, SweepError> {
        let mut tries = 0;
        loop {
            self.budget.call().await;
            match self.records.read(id).await {
                Ok(record) => return Ok(record),
                Err(fault @ (Fault::Busy { .. } | Fault::Unsure)) if tries + 1 < MAX_TRIES => {
                    self.pause(fault, tries)?;
                    tries += 1;
                }
                Err(fault) => return Err(SweepError::Crm(fault)),
            }
        }
    }

    fn pause(&self, fault: Fault, tries: u32) -> Result<(), SweepError> {
        self.budget.pause(fault, tries).map_err(|too_long| SweepError::TooLong(too_long.0))
    }
}

impl Profile {
    /// Whether the CRM changes the case of what it stores, so that sealed values have to be in lower case.
    #[must_use]
    pub fn folds_case(&self) -> bool {
        self.fates.get(&Canary::Opaque) == Some(&Fate::Folded)
    }

    /// The line of the map: `"$.Email" = { class = "email", max_chars = 80, folds_case = true }`.
    #[must_use]
    pub fn map_line(&self, classes: &ClassTable) -> String {
        let mut inner = format!("class = \"{}\"", classes.name(self.class));
        if let Length::Exactly(chars) = self.length {
            inner.push_str(&format!(", max_chars = {chars}"));
        }
        if self.folds_case() {
            inner.push_str(", folds_case = true");
        }
        format!("\"{}\" = {{ {inner} }}", self.place)
    }

    /// The storage modes whose values this column keeps, and how long a text they take.
    #[must_use]
    pub fn fitting(&self) -> Vec<String> {
        let kept = |canary| self.fates.get(&canary) == Some(&Fate::Kept);
        let spelled = kept(Canary::Opaque) || (self.folds_case() && kept(Canary::Opaque32));
        let room = match self.length {
            Length::Exactly(chars) => chars,
            Length::AtLeast(_) => usize::MAX,
            Length::Unknown => 0,
        };
        let mut modes = Vec::new();
        // Bytes of an envelope without its text (field-protection.md §2).
        for (mode, overhead) in [("seal:class", 54), ("seal", 62), ("seal:indexed", 82)] {
            let letters = room.saturating_sub(4);
            let bytes = if self.folds_case() {
                letters / 8 * 5 + letters % 8 * 5 / 8
            } else {
                letters / 4 * 3 + letters % 4 * 3 / 4
            };
            let text = bytes.saturating_sub(overhead);
            // From 128 bytes on, the length takes two.
            match text - usize::from(text >= 128) {
                _ if !spelled => {}
                text if text < MIN_TEXT_BYTES => {}
                text if room == usize::MAX || text > 4_096 => modes.push(mode.to_owned()),
                text => modes.push(format!("{mode} (texts up to {text} bytes)")),
            }
        }
        for (mode, canary) in [("token", Canary::Token), ("token:email", Canary::Email), ("token:phone", Canary::Phone)]
        {
            modes.extend(kept(canary).then(|| mode.to_owned()));
        }
        modes
    }
}

/// The longest text that is tried, in characters. Columns that take it are as good as unlimited for values.
const MAX_PROBE_CHARS: usize = 4_096;
/// A column that takes less sealed text than this is none for sealed values.
const MIN_TEXT_BYTES: usize = 16;
/// Tries of one canary.
const MAX_WRITES: u32 = 3;
