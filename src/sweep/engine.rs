//! A run: page after page is planned, announced in the journal, written and noted as done; then everything is read
//! again.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{
    Budget, Change, Checked, Clock, Cursor, Extent, Fault, Index, Inventory, Journal, JournalError, JournalReader,
    Page, Progress, Record, RecordId, Records, Report, Resume, Settings, Shown, Stage, State, Tag, Unavailable, Watch,
    concurrent,
    entry::{Counts, Intended, Line, OutcomeField, Outcomes},
};

/// Why a run ended early. What was written until then is in the journal, and the run can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The journal cannot be written: nothing more is changed.
    #[error("the journal: {0}")]
    Journal(#[from] JournalError),
    /// The CRM does not do what is asked, at every try.
    #[error("{0}")]
    Crm(Fault),
    /// It asks for a pause longer than a run waits.
    #[error("the CRM asks for a pause of {} s, which is longer than a run waits", .0.as_secs())]
    TooLong(Duration),
    /// Keys or vault are not there.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// What was made does not open to what it was made of: nothing of the page was written.
    #[error(
        "a protected value of class `{class}` did not open to the text it was made of; nothing of its page was written"
    )]
    Unsound {
        /// Its class.
        class: String,
    },
    /// The CRM stored something else than it was sent; the text of before was put back.
    #[error("the CRM alters what is written to `{place}`: {how}; the text of before {}", put_back(*.restored))]
    Altered {
        /// Where.
        place: String,
        /// In which way.
        how: &'static str,
        /// Whether the text of before is there again.
        restored: bool,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// To its end.
    Finished,
    /// It was asked to stop, after a whole page; it can be resumed.
    Stopped,
}

/// Asks a run to stop after the page in flight.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Asks.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What every part of a run works with.
pub struct Crm<'a, R, C, K> {
    /// The resource.
    pub records: &'a R,
    /// The direction.
    pub change: &'a C,
    /// The calls that may be made.
    pub budget: &'a Budget<K>,
    /// What is asked for.
    pub settings: &'a Settings,
    /// Who looks on.
    pub watch: &'a dyn Watch,
    /// Whether to stop.
    pub stop: &'a Stop,
}

impl<R: Records, C: Change, K: Clock> Crm<'_, R, C, K> {
    /// Counts what there is, and changes nothing. Nothing when it was asked to stop.
    ///
    /// # Errors
    /// When the CRM or the vault does not answer.
    pub async fn inventory(&self) -> Result<Option<Inventory>, SweepError> {
        let listed = self.listing(&Index::default(), None, None).await?;
        Ok(listed.and_then(|(checked, _)| checked.inventory))
    }

    /// Counts what there is, and compares what an earlier run wrote. Changes nothing.
    ///
    /// # Errors
    /// When the CRM or the vault does not answer.
    pub async fn check(&self, journal: &JournalReader, index: &Index) -> Result<Option<Checked>, SweepError> {
        let secrets = &*journal.secrets;
        let Some((mut checked, unseen)) = self.listing(index, Some(secrets), None).await? else { return Ok(None) };
        let ids = journal.ids(&|id| unseen.contains(&id.short()))?;
        self.readings(&ids, index, secrets, &mut checked).await?;
        Ok(Some(checked))
    }

    /// One call that may be repeated, until it is answered or has failed [`MAX_TRIES`] times.
    async fn call<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<Result<T, Fault>, SweepError> {
        let mut tries = 0;
        loop {
            self.budget.call().await;
            match ask().await {
                Err(fault @ (Fault::Busy { .. } | Fault::Unsure)) if tries + 1 < MAX_TRIES => {
                    self.pause(fault, tries)?;
                    tries += 1;
                }
                answer => return Ok(answer),
            }
        }
    }

    pub(super) fn pause(&self, fault: Fault, tries: u32) -> Result<(), SweepError> {
        self.budget.pause(fault, tries).map_err(|too_long| SweepError::TooLong(too_long.0))
    }

    pub(super) async fn page(&self, cursor: Option<&Cursor>) -> Result<Page, SweepError> {
        let mut page = self.call(|| self.records.list(cursor)).await?.map_err(SweepError::Crm)?;
        // A listing that goes in circles would never end.
        if page.next.is_some() && page.next.as_ref() == cursor {
            return Err(SweepError::Crm(Fault::Broken("the next page is the page itself")));
        }
        if page.records.iter().any(|record| record.shown == Shown::IdOnly) {
            page.records = self.whole(&page.records).await?;
        }
        Ok(page)
    }

    /// The records of a page that shows ids; those that are gone by now are left out.
    async fn whole(&self, listed: &[Record]) -> Result<Vec<Record>, SweepError> {
        let reads = listed.iter().map(|record| self.read(&record.id));
        let mut records = Vec::with_capacity(listed.len());
        for read in concurrent::each(self.settings.concurrency.clamp(1, MAX_CONCURRENCY), reads).await {
            match read? {
                Ok(record) => records.push(record),
                Err(Fault::Gone) => {}
                Err(fault) => return Err(SweepError::Crm(fault)),
            }
        }
        Ok(records)
    }

    pub(super) async fn read(&self, id: &RecordId) -> Result<Result<Record, Fault>, SweepError> {
        self.call(|| self.records.read(id)).await
    }
}

/// A run that writes.
pub struct Sweep<'a, R, C, K> {
    pub(super) crm: Crm<'a, R, C, K>,
    pub(super) journal: RefCell<Journal>,
    pub(super) secrets: Rc<dyn super::Secrets>,
    /// Records whose stored form is still read back, whatever the CRM's answer shows.
    pub(super) look_back: Cell<u32>,
    /// The CRM alters what it stores: the writes of the page that have not begun do not begin.
    pub(super) halted: Cell<bool>,
    begun: Duration,
}

/// Where a round is.
struct Round {
    number: u32,
    page: u64,
    seen: u64,
    seen_here: u64,
    total: Option<u64>,
    cursor: Option<Cursor>,
    begun: Duration,
}

/// How a round ended.
enum Turn {
    /// The listing is through.
    Through,
    /// Asked to stop.
    Stopped,
    /// The pilot has its records.
    Enough,
}

impl<'a, R: Records, C: Change, K: Clock> Sweep<'a, R, C, K> {
    /// A run whose steps go into `journal`.
    pub fn new(crm: Crm<'a, R, C, K>, journal: Journal) -> Self {
        let begun = crm.budget.clock().now();
        let secrets = journal.reader().secrets;
        let (look_back, halted) = (Cell::new(LOOK_BACK_RECORDS), Cell::new(false));
        Self { crm, journal: RefCell::new(journal), secrets, look_back, halted, begun }
    }

    /// Runs from `resume` (the default for a new run) to the end; `at` tells the time for the journal's last line.
    ///
    /// # Errors
    /// Why it ended early.
    pub async fn run(self, resume: Resume, at: impl Fn() -> String) -> Result<Report, SweepError> {
        let Resume { round, page, cursor, seen, outstanding, mut counts, mut index, .. } = resume;
        self.settle(outstanding, &mut counts, &mut index).await?;
        let mut round = Round {
            number: round.max(1),
            page,
            seen,
            seen_here: 0,
            total: None,
            cursor,
            begun: self.crm.budget.clock().now(),
        };
        let checked = loop {
            match self.round(&mut round, &mut counts, &mut index).await? {
                Turn::Stopped => return Ok(self.report(Ended::Stopped, &round, counts, None)),
                Turn::Enough => break self.check_written(&index).await?,
                Turn::Through => {}
            }
            let Some(checked) = self.crm.check(&self.reader(), &index).await? else {
                return Ok(self.report(Ended::Stopped, &round, counts, None));
            };
            let left = checked.inventory.as_ref().map_or(0, Inventory::to_do);
            // Records came in, or moved between pages, while the listing ran.
            if left == 0 || round.number >= MAX_ROUNDS || checked.damaged > 0 {
                break checked;
            }
            let total = checked.inventory.map(|inventory| inventory.records);
            let begun = self.crm.budget.clock().now();
            round = Round { number: round.number + 1, page: 0, seen: 0, seen_here: 0, total, cursor: None, begun };
        };
        self.journal.borrow_mut().append(&Line::End { at: at() })?;
        Ok(self.report(Ended::Finished, &round, counts, Some(checked)))
    }

    /// After a pilot: what was written, one by one.
    async fn check_written(&self, index: &Index) -> Result<Checked, SweepError> {
        let mut checked = Checked::default();
        let ids = self.reader().ids(&|id| index.has_record(id))?;
        self.crm.readings(&ids, index, &*self.secrets, &mut checked).await?;
        Ok(checked)
    }

    async fn round(&self, round: &mut Round, counts: &mut Counts, index: &mut Index) -> Result<Turn, SweepError> {
        loop {
            if self.crm.stop.is_set() {
                return Ok(Turn::Stopped);
            }
            let room = match self.crm.settings.extent {
                Extent::All => u64::MAX,
                Extent::Pilot(records) => records.saturating_sub(index.record_count()),
            };
            if room == 0 {
                return Ok(Turn::Enough);
            }
            let page = self.crm.page(round.cursor.as_ref()).await?;
            let outcomes = self.write_page(round.number, round.page, &page, room).await?;
            let next = page.next.as_ref().map(|next| self.journal.borrow().seal(&next.0)).transpose()?;
            let is_last = next.is_none();
            let seen = page.records.len() as u64;
            let line = Line::Page { round: round.number, page: round.page + 1, seen, next, records: outcomes };
            // A crash before this line leaves intents without outcomes: `settle` asks the CRM which took effect, and
            // the page is done again, where what is protected already stays as it is.
            self.journal.borrow_mut().append(&line)?;
            line.count(counts);
            if let Line::Page { records, .. } = &line {
                index.learn(records);
            }
            round.page += 1;
            round.seen += seen;
            round.seen_here += seen;
            round.total = page.total.or(round.total);
            self.watch(round, index);
            if is_last {
                return Ok(Turn::Through);
            }
            round.cursor = page.next;
        }
    }

    async fn write_page(&self, round: u32, number: u64, page: &Page, room: u64) -> Result<Vec<Outcomes>, SweepError> {
        let (mut work, mut outcomes) = self.plan(&page.records).await?;
        work.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        if !work.is_empty() {
            let records = work.iter().map(|work| self.intended(work)).collect::<Result<Vec<_>, _>>()?;
            // A crash before this line leaves the CRM as it was: no write of the page has left.
            self.journal.borrow_mut().append(&Line::Intent { round, page: number, records })?;
        }
        let writes = work.into_iter().map(|work| self.write(round, number, work));
        for written in concurrent::each(self.crm.settings.concurrency.clamp(1, MAX_CONCURRENCY), writes).await {
            outcomes.push(written?);
        }
        Ok(outcomes)
    }

    /// Asks the CRM which writes of before a crash took effect.
    async fn settle(
        &self,
        outstanding: Vec<Intended>,
        counts: &mut Counts,
        index: &mut Index,
    ) -> Result<(), SweepError> {
        if outstanding.is_empty() {
            return Ok(());
        }
        let mut records = Vec::new();
        for intended in outstanding {
            let id = self.journal.borrow().id_of(&intended)?;
            let record = match self.crm.read(&id).await? {
                Ok(record) => Some(record),
                Err(Fault::Gone) => None,
                Err(fault) => return Err(SweepError::Crm(fault)),
            };
            let fields = intended.fields.into_iter().map(|field| {
                let stored = record.as_ref().and_then(|record| record.text(&field.field));
                let stored = stored.map(|text| Tag::of_stored(&*self.secrets, intended.id, &field.field, text));
                let state = match stored {
                    Some(stored) if stored == field.new => State::Written,
                    _ => State::Void,
                };
                let written = state == State::Written;
                let (new, clear) = (written.then_some(field.new), written.then_some(field.clear));
                OutcomeField { field: field.field, class: field.class, state, new, clear }
            });
            records.push(Outcomes { id: intended.id, fields: fields.collect() });
        }
        let line = Line::Settled { records };
        // A crash before this line leaves the question open: it is asked again.
        self.journal.borrow_mut().append(&line)?;
        line.count(counts);
        if let Line::Settled { records } = &line {
            index.learn(records);
        }
        Ok(())
    }

    fn reader(&self) -> JournalReader {
        self.journal.borrow().reader()
    }

    fn watch(&self, round: &Round, index: &Index) {
        self.crm.watch.page(&Progress {
            stage: Stage::Writing,
            records: round.seen,
            records_here: round.seen_here,
            total: round.total,
            written: index.len() as u64,
            elapsed: self.crm.budget.clock().now().saturating_sub(round.begun),
        });
    }

    fn report(&self, ended: Ended, round: &Round, counts: Counts, checked: Option<Checked>) -> Report {
        let (calls, pauses) = self.crm.budget.spent();
        Report {
            object: self.crm.settings.object.clone(),
            verb: self.crm.settings.verb,
            classes: self.crm.settings.class_names(),
            journal: self.journal.borrow().path().display().to_string(),
            ended,
            rounds: round.number,
            records: round.seen,
            values: counts,
            checked,
            calls,
            pauses,
            seconds: self.crm.budget.clock().now().saturating_sub(self.begun).as_secs(),
        }
    }
}

fn put_back(restored: bool) -> &'static str {
    if restored { "was put back" } else { "could NOT be put back" }
}

/// Tries of one call before a run gives up: with pauses that double from half a second, a minute and a half in all.
pub(super) const MAX_TRIES: u32 = 8;
/// Passes over the listing.
const MAX_ROUNDS: u32 = 3;
/// Records written at once.
const MAX_CONCURRENCY: usize = 64;
/// Records at the start of a run that are read back after they were written: a CRM that alters what it stores is found
/// before it has altered much.
const LOOK_BACK_RECORDS: u32 = 25;
