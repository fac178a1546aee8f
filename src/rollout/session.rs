//! One look after another at what the machines of a site report (SITE.md 6): what was read before is kept, and what was read
//! so far can be counted and listed while the rest still comes. `pcm rollout` and the console both look through this.

use super::account::Account;
use super::attention::Attention;
use super::cache::{Cache, Heard};
use super::collected::{self, Asks, Before, NAME, Taken};
use super::count::{Place, Row};
use super::doc::{self, CollectedDoc, JobDoc, MachineDoc, RolloutDoc};
use super::figures::figures;
use super::ground::Ground;
use super::packed::Wanted;
use super::phase::{self, Stand};
use super::refresh::{Look, refresh};
use super::shared::Texts;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::threads;
use crate::site::expression::Expression;
use crate::site::expression::filter::Filter;
use crate::site::ids::{JobId, MachineId, RequestId};
use crate::text::SafeText;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A share that gives no report for so long gives none.
const PATIENCE: Duration = Duration::from_secs(60);
/// So few reports are read as quickly as what a collector has written, and are newer.
const FEW: usize = 2_000;

/// What was read of a collector, and for whom.
type Collected = (PathBuf, Asks, Taken);

/// What is kept between two looks.
#[derive(Debug, Default)]
pub struct Session {
    kept: Option<(PathBuf, Cache)>,
    /// What was kept is being read.
    coming: Option<(PathBuf, JoinHandle<Cache>)>,
    look: Look,
    /// None: the reports themselves were looked at last.
    collected: Option<Collected>,
    said: Vec<SafeText>,
}

/// How reports are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Now.
    pub now: Wall,
    /// The reports themselves, whatever a collector has read.
    pub fresh: bool,
    /// Whatever machines say, not only of the jobs of the ground.
    pub everything: bool,
}

/// What was read, as it can be counted.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    look: &'a Look,
    cache: &'a Cache,
    /// When a collector began to read it; None: the reports themselves were looked at.
    collected: Option<Wall>,
    /// More comes.
    under_way: bool,
}

/// Which machines are counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Only<'a> {
    /// Those that match.
    pub condition: Option<&'a Expression<Filter>>,
    /// The same as it was written.
    pub written: Option<&'a str>,
}

impl Session {
    /// Begins to read what is kept of the reports on this share, so that it is there when they are looked at: what they are
    /// counted from takes as long to read.
    pub fn begin(&mut self, share: &Path) {
        if self.kept.is_some() || self.coming.is_some() {
            return;
        }
        let of = share.to_owned();
        let coming = threads::start("kept", move || Cache::of(&of));
        // Without a thread it is read when it is wanted.
        self.coming = coming.ok().map(|coming| (share.to_owned(), coming));
    }

    fn begun(&mut self) -> Option<(PathBuf, Cache)> {
        let (share, coming) = self.coming.take()?;
        Some((share, coming.join().ok()?))
    }

    /// Looks at what the machines report now, or at what a collector has read of it. `tell`: so many of so many reports were
    /// looked at, and what there is so far.
    ///
    /// # Errors
    /// `share-missing`: nothing can be had of the share. What was read before is kept.
    pub fn read(
        &mut self,
        ground: &Ground,
        ask: Ask,
        mut tell: impl FnMut(&Read<'_>, usize, usize),
    ) -> Result<Read<'_>> {
        let share = &ground.share;
        let begun = self.begun();
        let (_, mut cache) = match self.kept.take().or(begun) {
            Some((at, cache)) if at == *share => (at, cache),
            _ => (share.clone(), Cache::of(share)),
        };
        let machines: BTreeSet<MachineId> = ground.members.iter().map(|member| member.machine).collect();
        let machines = Arc::new(machines);
        self.said.append(&mut cache.said);
        let asks = Asks {
            site_id: ground.site_id.clone(),
            machines: Arc::clone(&machines),
            requests: (!ask.everything).then(|| requests(ground)),
            signed: ground.verifies(),
        };
        let mut before = self.collected.take();
        if !ask.fresh && machines.len() > FEW {
            self.collected = self.newer(ground, &cache, asks, &mut before, ask.now, &mut tell);
        }
        // What was verified is kept with what was read.
        if let Some(seals) = self.collected.as_mut().and_then(|(.., taken)| taken.seals.take()) {
            cache.verified(seals);
        }
        let looked = match self.collected {
            Some(_) => Ok(()),
            None => {
                let look =
                    refresh(share, &machines, &mut cache, PATIENCE, ask.now, |look, cache, done, of| {
                        // Figures stay those of before until this is over, and so do the machines behind them.
                        let before = before.as_ref().map(|(.., taken)| Read::collected(taken));
                        let so_far = Read { look, cache, collected: None, under_way: true };
                        tell(&before.unwrap_or(so_far), done, of);
                    });
                if look.is_err() {
                    self.collected = before;
                }
                look.map(|look| self.look = look)
            }
        };
        self.said.append(&mut cache.said);
        self.kept = Some((share.clone(), cache));
        let failed = |why: SafeText| {
            let remedy = "Bring the share back, then try again";
            Failure::new(Exit::Share, "share-missing", why.as_str(), remedy)
        };
        looked.map_err(failed)?;
        self.last().ok_or_else(|| failed("nothing was read".into()))
    }

    /// What the newest look gave.
    pub fn last(&self) -> Option<Read<'_>> {
        Some(match &self.collected {
            Some((.., taken)) => Read::collected(taken),
            None => {
                Read { look: &self.look, cache: &self.kept.as_ref()?.1, collected: None, under_way: false }
            }
        })
    }

    /// Puts what was foretold a day ago beside the figures of all machines, and keeps what is foretold now.
    pub fn foretell(&mut self, doc: &mut RolloutDoc) {
        let Some((_, cache)) = &mut self.kept else { return };
        // A part of the machines is another thing than all of them.
        if doc.condition.is_some() || !doc.whole {
            return;
        }
        for job in &mut doc.jobs {
            job.foretold = cache.forecasts.yesterday(job.foretells(), doc.at).map(Into::into);
            if let Some(forecast) = job.forecast(doc.at) {
                cache.forecasts.keep(forecast);
            }
        }
    }

    /// What a collector has read, where that is newer than what this account has looked at itself.
    fn newer(
        &mut self,
        ground: &Ground,
        cache: &Cache,
        asks: Asks,
        before: &mut Option<Collected>,
        now: Wall,
        tell: &mut impl FnMut(&Read<'_>, usize, usize),
    ) -> Option<Collected> {
        let mut not_used = |why: &SafeText| {
            let words = format!("{NAME} is not used, and the reports are read instead: {why}");
            self.said.push(SafeText::new(&words));
        };
        let found = match collected::find(&ground.share, &ground.site_id, now, PATIENCE) {
            Ok(found) => found?,
            Err(why) => {
                not_used(&why);
                return None;
            }
        };
        let at = found.header.at;
        if cache.looked().is_some_and(|looked| looked >= at) {
            return None;
        }
        let same = before
            .take_if(|(share, asked, taken)| *share == ground.share && *asked == asks && taken.at == at);
        let taken = match same {
            Some((.., taken)) => taken,
            None => {
                let nothing = Look::default();
                let so_far = Read { look: &nothing, cache, collected: None, under_way: true };
                let read = before.as_ref().map_or(so_far, |(.., taken)| Read::collected(taken));
                let whose = ground.whose().filter(|_| asks.signed).cloned();
                let verified = Before { whose, seals: cache.seals() };
                match found.take(&asks, &verified, PATIENCE, |done, of| tell(&read, done, of)) {
                    Ok(taken) => taken,
                    Err(why) => {
                        not_used(&why);
                        return None;
                    }
                }
            }
        };
        Some((ground.share.clone(), asks, taken))
    }

    /// Keeps what was read.
    pub fn save(&mut self) {
        if let Some((_, cache)) = &mut self.kept {
            cache.save();
            self.said.append(&mut cache.said);
        }
    }

    /// What went wrong beside since this was last asked.
    pub fn said(&mut self) -> Vec<SafeText> {
        std::mem::take(&mut self.said)
    }
}

/// Those of the jobs that are counted.
fn requests(ground: &Ground) -> BTreeSet<RequestId> {
    ground.jobs.iter().map(|(job, _)| job.request_id).collect()
}

impl<'a> Read<'a> {
    /// What a collector has read.
    fn collected(taken: &'a Taken) -> Self {
        Self { look: &taken.look, cache: &taken.cache, collected: Some(taken.at), under_way: false }
    }

    /// What was read, for tests.
    #[cfg(test)]
    pub fn of(look: &'a Look, cache: &'a Cache) -> Self {
        Self { look, cache, collected: None, under_way: false }
    }
}

impl Read<'_> {
    /// What a machine says, or why it says nothing.
    pub fn heard(&self, ground: &Ground, machine: MachineId) -> Heard {
        ground.hear(machine, self.told(machine, self.cache.heard(machine)))
    }

    /// What it says, whether that counts or not.
    fn told(&self, machine: MachineId, said: Option<Heard>) -> Heard {
        match said {
            None if self.under_way => Err(phase::NOT_READ.into()),
            said => self.look.heard_as(machine, said),
        }
    }

    /// What a machine says, whether it counts or not; None: nothing that was read.
    pub fn said(&self, machine: MachineId) -> Option<Account> {
        self.cache.heard(machine)?.ok()
    }

    /// Nothing at all was read yet.
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    /// What is wanted where no condition may ask for more.
    fn wanted(&self, ground: &Ground, only: Only<'_>) -> Option<Wanted> {
        only.condition.is_none().then(|| self.cache.wanted(requests(ground)))
    }

    /// What each job is counted by. What a collector has read is as old as it is: whatever came since is not in it, and a
    /// machine is not late for that.
    fn stands<'g>(&self, ground: &'g Ground, now: Wall) -> Vec<Stand<'g>> {
        let as_of = self.collected.map_or(now, |at| at.min(now));
        ground.stands(now).into_iter().map(|stand| Stand { as_of, ..stand }).collect()
    }

    /// The figures of all jobs of the ground; `machines`: with the rows of the first one.
    pub fn doc(&self, ground: &Ground, only: Only<'_>, machines: bool, now: Wall) -> RolloutDoc {
        let stands = self.stands(ground, now);
        let wanted = self.wanted(ground, only);
        // Before there are rows: what was published then is as large as they are.
        let first = stands.first().filter(|_| machines);
        let mut moved = first.and_then(|stand| ground.came_and_went(stand));
        let mut rows: Vec<MachineDoc> = Vec::new();
        let mut texts = Texts::default();
        let attention = RefCell::new(Attention::default());
        let kept = RefCell::new(self.cache.in_order());
        let counted = figures(
            &stands,
            &ground.members,
            |machine| {
                let said = self.told(machine, kept.borrow_mut().heard(machine, wanted.as_ref()));
                attention.borrow_mut().look(machine, &said, ground.whose().map(Arc::as_ref));
                ground.hear(machine, said)
            },
            |machine| only.condition.is_none_or(|condition| condition.lets_pass(machine)),
            |job, place| {
                if machines && job == 0 {
                    rows.extend(MachineDoc::of_place(place, now, &mut texts));
                }
            },
        );
        let mut rows = machines.then_some(rows);
        let jobs = stands.iter().zip(&counted);
        let look = self.look;
        let collected = self.collected.map(|at| CollectedDoc::of(at, now));
        let mut faults = look.faults.clone();
        faults.extend(self.cache.bad());
        RolloutDoc {
            site: ground.site,
            name: ground.name.clone(),
            at: now,
            age_s: collected.as_ref().map_or(0, |collected| collected.age_s),
            collected,
            machines: ground.members.len() as u64,
            read: look.read,
            unread: look.unread,
            without_report: look.without,
            whole: look.whole,
            condition: only.written.map(ToOwned::to_owned),
            unsigned_reports: ground.counts_unsigned(),
            jobs: jobs
                .map(|(stand, figures)| JobDoc::of(ground, stand, figures, rows.take(), moved.take()))
                .collect(),
            unusable: doc::unusable(look, faults),
            strangers: look.strangers,
            attention: attention.into_inner(),
            warnings: Vec::new(),
        }
    }

    /// Each target of one job that is counted.
    pub fn targets(
        &self,
        ground: &Ground,
        job: JobId,
        only: Only<'_>,
        now: Wall,
        mut target: impl FnMut(&Row<'_>),
    ) {
        let mut stands = self.stands(ground, now);
        let (wanted, kept) = (self.wanted(ground, only), RefCell::new(self.cache.in_order()));
        stands.retain(|stand| stand.job.job_id == job);
        figures(
            &stands,
            &ground.members,
            |machine| {
                let said = kept.borrow_mut().heard(machine, wanted.as_ref());
                ground.hear(machine, self.told(machine, said))
            },
            |machine| only.condition.is_none_or(|condition| condition.lets_pass(machine)),
            |_, place| {
                if let Place::Target(row) = place {
                    target(row);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::open::Looked;
    use crate::rollout::account::Said;
    use crate::rollout::collect::collect;
    use crate::rollout::count::Part;
    use crate::rollout::count::tests::{job, member, now};
    use crate::site::report::tests::report;
    use crate::site::report::{FOLDER, report_name};
    use crate::terms::State;
    use chrono::TimeDelta;
    use std::fs;

    /// The file is 20 minutes old, and machines report every five: by now each of them would be late.
    #[test]
    fn what_a_collector_read_is_judged_as_of_the_time_at_which_it_read() {
        let before = |minutes: i64| now() - TimeDelta::minutes(minutes);
        let says = |state: State, written: Wall| Account {
            publication: (1, 2),
            reported_at: written,
            written,
            interval: Duration::from_secs(300),
            heartbeat: Duration::from_secs(300),
            requests: vec![Said {
                started_at: Some(before(45)),
                ..Said::of("BP0000Y".parse().unwrap(), state)
            }],
            ..Account::default()
        };
        let ground = Ground::of_test(vec![job(0)], (0..3).map(member).collect());
        let mut cache = Cache::nowhere();
        let accounts = [
            says(State::Waiting, before(24)),
            says(State::Running, before(24)),
            // A day ago by the clock of now, and not by that of the collector.
            says(State::Waiting, before(24 * 60 + 10)),
        ];
        for (n, account) in accounts.into_iter().enumerate() {
            let looked = Looked { size: 1, changed: 1, number: n as u64 };
            cache.put(member(n).machine, looked, &Ok(account));
        }
        let look = Look { read: 3, whole: true, ..Look::default() };
        let as_of = |collected: Option<Wall>| Read { collected, ..Read::of(&look, &cache) };
        let figures_of = |read: &Read<'_>| {
            let doc = read.doc(&ground, Only::default(), false, now());
            let [job] = doc.jobs.as_slice() else { panic!("{:?}", doc.jobs.len()) };
            let heard = |machine| read.heard(&ground, machine);
            let stands = read.stands(&ground, now());
            let counts = figures(&stands, &ground.members, heard, |_| true, |_, _| {})[0].phase.counts;
            let by_silence: Vec<(&str, u64)> = job.by_silence.iter().map(|(age, n)| (*age, *n)).collect();
            let mut listed = Vec::new();
            read.targets(&ground, job.job_id, Only::default(), now(), |row| listed.push(row.part));
            let silent = listed.iter().filter(|part| **part == Part::Silent).count();
            assert_eq!(silent as u64, job.silent, "the rows are those of the figure");
            (job.waiting, job.running, by_silence, counts.f, counts.silent)
        };
        let collected = as_of(Some(before(20)));
        assert_eq!(figures_of(&collected), (1, 1, vec![("under-1d", 1)], 0, 1));
        let condition = Expression::filter("last_seen > 1d").unwrap();
        let only = Only { condition: Some(&condition), written: None };
        assert_eq!(collected.doc(&ground, only, false, now()).jobs[0].targets, 0);
        // The same reports, looked at now.
        let own = as_of(None);
        assert_eq!(figures_of(&own), (0, 0, vec![("under-1d", 2), ("under-3d", 1)], 1, 2));
        assert_eq!(own.doc(&ground, only, false, now()).jobs[0].targets, 1);
        // A collector whose clock goes before this one's makes nothing later.
        assert_eq!(figures_of(&as_of(Some(before(-4)))), figures_of(&own));
    }

    #[test]
    fn what_a_collector_has_read_is_listed_until_there_is_a_newer_look() {
        let dir = tempfile::tempdir().unwrap();
        let share = dir.path().join("share");
        fs::create_dir_all(share.join(FOLDER)).unwrap();
        let members: Vec<_> = (0..=FEW).map(member).collect();
        let mut ground = Ground::shown(vec![job(0)], members, (1, 3));
        ground.share.clone_from(&share);
        let machine = ground.members[0].machine;
        let mut said = report(3);
        (said.summary.machine, said.summary.site_id) = (machine, Some(ground.site_id.clone()));
        fs::write(share.join(FOLDER).join(report_name(machine)), said.to_bytes().unwrap()).unwrap();
        let machines = ground.members.iter().map(|member| member.machine).collect();
        let site = (ground.site, ground.site_id.clone());
        let (_, bytes) = collect(&share, site, &machines, PATIENCE, now(), |_, _| {}).unwrap();
        fs::write(share.join(NAME), bytes).unwrap();

        let kept = Some((share.clone(), Cache::nowhere()));
        let mut session = Session { kept, ..Session::default() };
        let ask = Ask { now: now(), fresh: false, everything: true };
        let requests = |read: &Read<'_>| read.said(machine).map(|account| account.requests.len());
        assert_eq!(requests(&session.read(&ground, ask, |_, _, _| {}).unwrap()), Some(3));
        assert!(session.last().unwrap().collected.is_some());

        // It cannot be used any more, and the reports are not there for a moment: the figures are those from before.
        fs::write(share.join(NAME), "torn").unwrap();
        fs::rename(&share, dir.path().join("away")).unwrap();
        assert_eq!(session.read(&ground, ask, |_, _, _| {}).unwrap_err().code, "share-missing");
        assert_eq!(requests(&session.last().unwrap()), Some(3));

        // While they are read, what is asked for is answered with that, too.
        fs::rename(dir.path().join("away"), &share).unwrap();
        let mut told = Vec::new();
        let read = session.read(&ground, ask, |read, _, _| told.push(requests(read))).unwrap();
        assert!(read.collected.is_none() && requests(&read) == Some(3));
        assert!(!told.is_empty() && told.iter().all(|told| *told == Some(3)), "{told:?}");
    }

    #[test]
    fn what_was_begun_to_be_read_of_a_share_is_what_its_reports_are_compared_with() {
        let dir = tempfile::tempdir().unwrap();
        let share = dir.path().join("share");
        fs::create_dir_all(share.join(FOLDER)).unwrap();
        let mut ground = Ground::shown(vec![job(0)], (0..3).map(member).collect(), (1, 3));
        ground.share.clone_from(&share);
        for member in ground.members.iter() {
            let mut said = report(3);
            (said.summary.machine, said.summary.site_id) = (member.machine, Some(ground.site_id.clone()));
            fs::write(share.join(FOLDER).join(report_name(member.machine)), said.to_bytes().unwrap())
                .unwrap();
        }
        // Later than what was written can be written again.
        let ask = Ask { now: now() + TimeDelta::days(36_500), fresh: true, everything: true };
        let home = dir.path().join("home");
        let open = move || Cache::open(&home, "kept.db");
        let read = |session: &mut Session| {
            session.read(&ground, ask, |_, _, _| {}).unwrap();
            let cache = &session.kept.as_ref().unwrap().1;
            (session.look.anew, session.look.read, cache.is_empty())
        };
        let mut first = Session { kept: Some((share.clone(), open())), ..Session::default() };
        assert_eq!(read(&mut first), (3, 3, false));
        first.save();
        let begun = |share: &Path| {
            let coming = threads::start("kept", open.clone()).unwrap();
            Session { coming: Some((share.to_owned(), coming)), ..Session::default() }
        };
        let mut second = begun(&share);
        // What is being read is not read twice.
        second.begin(&share);
        assert_eq!(read(&mut second), (0, 3, false));
        assert!(second.coming.is_none());
        second.begin(&share);
        assert!(second.coming.is_none(), "it has what is kept");
        // That of another share is none of this one.
        let mut other = begun(dir.path());
        let (_, taken) = other.begun().unwrap();
        assert!(!taken.is_empty());
        let mut none = threads::tests::without(|| {
            let mut none = Session::default();
            none.begin(&share);
            none
        });
        assert!(none.begun().is_none());
    }
}
