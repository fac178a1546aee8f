//! One look at all reports, or at what a collector has read of them, and everything counted from it.

use super::doc::{self, CollectedDoc, JobDoc, MachineDoc, RolloutDoc};
use super::ground::Ground;
use super::{Asked, progress};
use crate::cli::App;
use crate::cli::args::RolloutArgs;
use crate::error::{Exit, Failure, Result};
use crate::rollout::attention::Attention;
use crate::rollout::cache::Cache;
use crate::rollout::collected::{self, Asks, NAME, Taken};
use crate::rollout::figures::figures;
use crate::rollout::refresh::{Look, refresh};
use crate::site::ids::{MachineId, RequestId};
use crate::text::SafeText;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A share that gives no report for so long gives none.
const PATIENCE: Duration = Duration::from_secs(60);
/// So few reports are read as quickly as what a collector has written, and are newer.
const FEW: usize = 2_000;

/// What is kept between two looks.
#[derive(Default)]
pub(super) struct Session {
    cache: Option<(PathBuf, Cache)>,
    /// What was read of a collector, and for whom.
    collected: Option<(PathBuf, Asks, Taken)>,
}

impl Session {
    /// Counts, as things stand now.
    pub(super) fn look(&mut self, app: &App, args: &RolloutArgs, asked: &Asked) -> Result<RolloutDoc> {
        let ground = Ground::of(app, args)?;
        let share = ground.share.clone();
        let (_, mut cache) = match self.cache.take() {
            Some((at, cache)) if at == share => (at, cache),
            _ => (share.clone(), Cache::of(&share)),
        };
        let machines: BTreeSet<MachineId> = ground.members.iter().map(|member| member.machine).collect();
        let machines = Arc::new(machines);
        // A condition may ask for any request.
        let requests: BTreeSet<RequestId> = ground.jobs.iter().map(|(job, _)| job.request_id).collect();
        let asks = Asks {
            site_id: ground.site_id.clone(),
            machines: Arc::clone(&machines),
            requests: asked.condition.is_none().then(|| requests.clone()),
            signed: ground.verifies(),
        };
        let mut warnings = std::mem::take(&mut cache.said);
        let newer = match !args.fresh && machines.len() > FEW {
            true => self.newer(app, &ground, &cache, asks, &mut warnings),
            false => None,
        };
        let (look, collected): (Look, Option<CollectedDoc>) = match newer {
            Some(taken) => (taken.look.clone(), Some(CollectedDoc::of(taken.at, app.now))),
            None => {
                self.collected = None;
                let look = refresh(&share, &machines, &mut cache, PATIENCE, app.now, progress(app));
                let gone = |why: SafeText| {
                    let remedy = "Bring the share back, then try again";
                    Failure::new(Exit::Share, "share-missing", why.as_str(), remedy)
                };
                (look.map_err(gone)?, None)
            }
        };
        let from = self.collected.as_ref().map_or(&cache, |(_, _, taken)| &taken.cache);
        let stands = ground.stands(app.now);
        let wanted = asked.condition.is_none().then(|| from.wanted(requests));
        let heard = |machine| match &wanted {
            Some(wanted) => look.heard_of(from, machine, wanted),
            None => look.heard(from, machine),
        };
        let mut rows: Vec<MachineDoc> = Vec::new();
        let attention = RefCell::new(Attention::default());
        let counted = figures(
            &stands,
            &ground.members,
            |machine| {
                let said = heard(machine);
                attention.borrow_mut().look(machine, &said, ground.whose());
                ground.hear(machine, said)
            },
            |machine| asked.condition.as_ref().is_none_or(|condition| condition.lets_pass(machine)),
            |_, place| {
                if args.job.is_some() {
                    rows.extend(MachineDoc::of_place(place, app.now));
                }
            },
        );
        let mut faults: BTreeMap<MachineId, SafeText> = look.faults.clone();
        faults.extend(from.bad());
        let mut rows = args.job.is_some().then_some(rows);
        let jobs = stands.iter().zip(&counted);
        let doc = RolloutDoc {
            site: ground.site,
            name: ground.name.clone(),
            at: app.now,
            age_s: collected.as_ref().map_or(0, |collected| collected.age_s),
            collected,
            machines: machines.len() as u64,
            read: look.read,
            unread: look.unread,
            without_report: look.without,
            whole: look.whole,
            condition: args.condition.clone(),
            unsigned_reports: ground.counts_unsigned(),
            jobs: jobs.map(|(stand, figures)| JobDoc::of(&ground, stand, figures, rows.take())).collect(),
            unusable: doc::unusable(&look, faults),
            strangers: look.strangers,
            attention: attention.into_inner(),
            warnings,
        };
        let mut doc = doc;
        // A part of the machines is another thing than all of them.
        if doc.condition.is_none() && doc.whole {
            for job in &mut doc.jobs {
                job.foretold = cache.forecasts.yesterday(job.job_id, app.now).map(Into::into);
                if let Some(forecast) = job.forecast(app.now) {
                    cache.forecasts.keep(forecast);
                }
            }
        }
        self.cache = Some((share, cache));
        Ok(doc)
    }

    /// What a collector has read, where that is newer than what this account has looked at itself.
    fn newer(
        &mut self,
        app: &App,
        ground: &Ground,
        cache: &Cache,
        asks: Asks,
        warnings: &mut Vec<SafeText>,
    ) -> Option<&Taken> {
        let mut not_used = |why: &SafeText| {
            let words = format!("{NAME} is not used, and the reports are read instead: {why}");
            warnings.push(SafeText::new(&words));
        };
        let found = match collected::find(&ground.share, &ground.site_id, app.now, PATIENCE) {
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
        let before = self.collected.take();
        let same = before
            .filter(|(share, before, taken)| *share == ground.share && *before == asks && taken.at == at);
        let taken = match same {
            Some((_, _, taken)) => taken,
            None => match found.take(&asks, PATIENCE) {
                Ok(taken) => taken,
                Err(why) => {
                    not_used(&why);
                    return None;
                }
            },
        };
        Some(&self.collected.insert((ground.share.clone(), asks, taken)).2)
    }

    /// Keeps what was read.
    pub(super) fn save(&mut self, app: &App) {
        if let Some((_, cache)) = &mut self.cache {
            cache.save();
            cache.said.drain(..).for_each(|said| app.out.note(said));
        }
    }
}
