//! Whether this machine is the only one with its id: by the reports that stand on the shares (SITE.md 5).

use super::lone::Lone;
use super::stands::Stands;
use super::{Executor, NOT_WRITTEN_SAID};
use crate::clock::Wall;
use crate::executor::history::{By, Reported, Whose};
use crate::executor::share::outgoing::Outgoing;
use crate::executor::talk::protocol::{Answer, Reply};
use crate::site::ids::RequestId;
use crate::site::own_report::{OwnReport, Stood};
use crate::site::publication::Publication;
use crate::site::report::MachineReport;
use crate::site::report::seal::HostKey;
use crate::site::signed::signers::Key;
use crate::site::trust::TrustMode;
use crate::text::SafeText;
use std::borrow::Cow;
use std::path::PathBuf;

impl Executor {
    /// Takes what was found of this machine's own report where it does not stand as it was known. Where the report has to be
    /// written anew.
    pub fn take_own_reports(&mut self, found: &[OwnReport], now: Wall) -> Vec<PathBuf> {
        let mut reported = self.known.snapshot.reported.clone();
        // A report that was written while the look was under way is known better already.
        let found = self.believed(found);
        if self.known.reports_without_history() {
            let state = self.world.lost_state();
            let state = state.as_ref().map(SafeText::as_str);
            let again = found.iter().filter(|found| self.lone.see(found, state));
            let again = again.map(|found| found.place.clone()).collect();
            self.known.uncounted.clone_from(self.lone.stands());
            return again;
        }
        let news: Vec<&OwnReport> =
            found.iter().filter(|found| reported.stands.get(&found.place) == found.known.as_ref()).collect();
        if news.is_empty() || self.history.is_err() {
            return Vec::new();
        }
        let mut again = Vec::new();
        for found in news {
            let whose = reported.see(found);
            if whose != Whose::Own {
                self.stands = None;
            }
            let told = reported.other.as_ref().is_some_and(|other| other.told);
            if matches!(whose, Whose::Older | Whose::Earlier) || whose == Whose::Other && !told {
                again.push(found.place.clone());
            }
        }
        let why = |reported: &Reported| reported.other.as_ref().map(|other| other.why.clone());
        let before = why(&self.known.snapshot.reported);
        let new = why(&reported).filter(|now| before.as_ref() != Some(now));
        let kept = match &new {
            None => self.transition(|history| history.note_reported(&reported)),
            Some(_) => self.transition(|history| history.note_other_machine(now, &reported)),
        };
        if let Err(why) = kept {
            // It is found again with the next look.
            self.say_not_kept(&why, now);
            return Vec::new();
        }
        if let Some(why) = new {
            let line = format!("two-machines: nothing runs by itself: {why}");
            self.journal.error(now, &line);
        }
        again
    }

    /// There is a history that keeps how its reports stand.
    pub(super) fn forget_lone(&mut self) {
        self.lone = Lone::default();
        self.known.uncounted.clear();
    }

    /// In mode `signed` a report says something of this machine only where it verifies with the machine's own key. Without
    /// a key none could: then whatever stands there keeps automatic runs back, as whoever may write there can in any case.
    fn believed<'a>(&self, found: &'a [OwnReport]) -> Cow<'a, [OwnReport]> {
        let (Some(machine), false) = (self.known.config().machine, found.is_empty()) else {
            return Cow::Borrowed(found);
        };
        match self.own_key() {
            None => Cow::Borrowed(found),
            Some(key) => found.iter().map(|found| found.believed(machine, &key)).collect(),
        }
    }

    /// In mode `signed`, the public half of the key that signs this machine's reports.
    pub fn own_key(&self) -> Option<Key> {
        let config = self.known.config();
        let signed = config.trust.mode == TrustMode::Signed && config.signs_reports();
        signed.then(|| self.host_key().ok())?.map(|key| key.key().clone())
    }

    fn host_key(&self) -> std::result::Result<HostKey, SafeText> {
        let named = self.known.config().trust.host_key.as_deref();
        self.world.host_key(named, &self.known.trust_folder())
    }

    /// A report that is about to be written, signed where reports are. One without a number cannot be told from an older
    /// one, and is not.
    pub fn outgoing(&mut self, report: MachineReport) -> Outgoing {
        if !self.known.config().signs_reports() || report.summary.report.is_none() {
            return Outgoing::unsigned(report);
        }
        let signed = self
            .host_key()
            .and_then(|key| Outgoing::signed(report.clone(), self.world.results_waiting(), &key));
        self.unsigned = signed.as_ref().err().cloned();
        signed.unwrap_or_else(|_| Outgoing::unsigned(report))
    }

    /// The number of the next report, which is made now, kept before it is written; None: without a history there is none.
    ///
    /// # Errors
    /// It could not be kept: the report must not be written.
    pub fn number_report(&mut self, now: Wall) -> std::result::Result<Option<u64>, SafeText> {
        let Ok(history) = &self.history else { return Ok(None) };
        let before = &self.known.snapshot.reported;
        let reported = Reported {
            number: before.number.saturating_add(1),
            boot_id: SafeText::new(&self.world.boot_id()),
            state_id: SafeText::new(history.generation()),
            history: SafeText::new(history.generation()),
            at: now,
            ..before.clone()
        };
        let kept = self.transition(|history| history.note_reported(&reported));
        kept.map_err(|why| SafeText::new(&format!("the report's number could not be kept: {why}")))?;
        Ok(Some(reported.number))
    }

    /// This report was written there, and stood like that; nobody knows how where another one has taken its place, or where
    /// it was gone at once.
    pub fn report_stands(
        &mut self,
        place: PathBuf,
        stood: Option<Stood>,
        report: Option<&MachineReport>,
        now: Wall,
    ) {
        let order =
            |report: &MachineReport| (report.summary.epoch.unwrap_or_default(), report.summary.serial);
        if self.known.reports_without_history() {
            if let Some(report) = report.filter(|report| report.summary.report.is_none()) {
                self.lone.wrote(place, stood, order(report));
                self.known.uncounted.clone_from(self.lone.stands());
            }
            return;
        }
        // What was under way when a history was adopted is of the one before it.
        let of_this = |report: &MachineReport| {
            let own = self.history.as_ref().map(|history| history.generation()).ok();
            let said = &report.summary;
            said.report.is_some() && said.state_id.as_ref().map(SafeText::as_str) == own
        };
        if report.is_some_and(|report| !of_this(report)) {
            return;
        }
        if let Some(named) = report.filter(|_| stood.is_some()).map(order) {
            self.stands = Some(Stands::next(self.stands.take(), place.clone(), named));
        }
        let mut reported = self.known.snapshot.reported.clone();
        reported.written = true;
        reported.stands.insert(place, stood.unwrap_or(Stood::UNSEEN));
        if let Some(other) = &mut reported.other {
            // One that was under way when the other machine was found has not said so.
            let says_so = |report: &MachineReport| {
                let said = &report.summary;
                said.two_machines && said.report == Some(reported.number) && stood.is_some()
            };
            other.told |= report.is_some_and(says_so);
            other.ours = stood.is_some();
        }
        if self.history.is_ok()
            && let Err(why) = self.transition(|history| history.note_reported(&reported))
        {
            self.say_not_kept(&why, now);
        }
    }

    /// At these places its own report was looked at again, and nobody else had written.
    pub fn own_report_stands(&mut self, places: &[PathBuf]) {
        if let Some(stands) = &mut self.stands {
            stands.stood(places);
        }
        self.lone.stood(places);
    }

    /// Whether it is this machine whose report stands, since it says that this publication is in force here: of several with
    /// one id and one state it is one at most.
    pub(super) fn is_the_one_that_reports(&self, publication: &Publication) -> bool {
        self.stands.as_ref().is_some_and(|stands| stands.is_settled(publication))
    }

    /// Another machine reports as this one, and what stands on the share says so. Where the site has named this machine's
    /// state, the one whose report stands says that it has heard of it.
    pub fn is_silent(&self, now: Wall) -> bool {
        if self.known.reports_without_history() {
            return self.lone.is_silent();
        }
        self.known.is_silent() && !self.answers_the_site(now)
    }

    fn answers_the_site(&self, now: Wall) -> bool {
        let (Some((state, publication)), Ok(history)) = (self.known.replaced(now), &self.history) else {
            return false;
        };
        let other = self.known.snapshot.reported.other.as_ref().filter(|other| other.ours && !other.decided);
        let stands = self.stands.as_ref().is_some_and(|stands| stands.names(&publication));
        other.is_some() && history.generation() == state && !stands
    }

    /// The report is read again at each look until it can be kept.
    fn say_not_kept(&mut self, why: &SafeText, now: Wall) {
        let line = format!("How this machine's report stands on the share was not kept: {why}");
        if self.journal.once_in(NOT_WRITTEN_SAID, &line, now) {
            self.journal.error(now, &line);
        }
    }

    /// `pcm init --adopt` where another machine has this id: an operator decides that this one is the machine. `done`: what
    /// is listed and was not attempted here counts as done. So does the site, with `pcm site machine replace`.
    pub(super) fn keep_id(&mut self, done: bool, by: &By, now: Wall) -> Reply {
        let before = &self.known.snapshot.reported;
        let kept_id = before.number.saturating_add(1);
        let reported = Reported { other: None, kept_id, ..before.clone() };
        let snapshot = &self.known.snapshot;
        let mut listed: Vec<RequestId> = if done { self.known.listed() } else { Vec::new() };
        listed.retain(|id| {
            snapshot.attempts_of(*id).next().is_none() && !snapshot.view.adopted.contains_key(id)
        });
        listed.sort_unstable();
        listed.dedup();
        let count = listed.len();
        self.change(|history| history.keep_id(now, &reported, by, listed))?;
        self.journal.warning(now, &format!("{} decided that this machine keeps its id.", by.name()));
        Ok(Answer::Adopted(count))
    }
}
