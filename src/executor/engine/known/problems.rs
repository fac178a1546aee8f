//! Everything that is wrong with a machine and not about one request.

use super::super::history_lost;
use super::Known;
use super::views::Views;
use crate::clock::between;
use crate::decision::{self, Decision};
use crate::site::content::ContentFact;
use crate::site::instruction::{ContentHash, Entry};
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, Problem, Severity, State};
use crate::text::{self, SafeText};
use std::collections::BTreeMap;
use std::path::Path;

/// How many mandatory requests that never run are named one by one.
const MOST_HOPELESS: usize = 20;

impl Views<'_> {
    /// Everything that is wrong and not about one request.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let known = self.known;
        let mut problems = Vec::new();
        for loose in &known.loose {
            problems.push(Problem::of_file("loose-permissions", "", loose.to_string()));
        }
        if let Some(lost) = &known.lost {
            let failure = history_lost(lost);
            problems.push(problem(&failure.code, &known.layout.history(), failure.to_string()));
        }
        if let Some(why) = &known.snapshot.view.two_machines {
            let message = format!("{why}; nothing runs by itself. {}", Code::TwoMachines.row().remedy);
            problems.push(problem(Code::TwoMachines.as_str(), Path::new("machine report"), message));
        }
        if let Some(why) = known.policy.unreadable.as_ref().filter(|_| known.loose.is_empty()) {
            let places = known.config_problems.iter();
            problems.extend(
                places.map(|p| Problem { code: Code::PolicyUnreadable.as_str().into(), ..p.clone() }),
            );
            if known.config_problems.is_empty() {
                problems.push(problem("policy-unreadable", &known.layout.config, why.as_str()));
            }
        }
        if let Err(why) = &known.policy.window_zone {
            problems.push(problem("policy-unreadable", &known.layout.config, why.as_str()));
        }
        if !known.not_yet.is_empty() {
            let message = format!(
                "{} was changed since the service started, and counts when it starts again: systemctl restart pcm",
                known.not_yet.join(", ")
            );
            problems.push(problem("needs-restart", &known.layout.config, message));
        }
        if let Some(fault) = &known.instructions.fault {
            problems.extend(fault.problems.clone());
            if fault.problems.is_empty() {
                problems.push(problem(fault.code.as_str(), Path::new("share"), "nothing valid was found"));
            }
        }
        if let TrustVerdict::Refused(code, why) = &known.instructions.trust {
            let already = problems.iter().any(|p| p.code == code.as_str());
            if !already {
                problems.push(problem(code.as_str(), Path::new("share"), why.as_str()));
            }
        }
        if let Some(why) = known.clock.suspect_why() {
            problems.push(problem(Code::ClockSuspect.as_str(), Path::new("clock"), why.as_str()));
        }
        if let Some(why) = &known.unusable {
            let message = format!("{why}. Nothing runs by itself until that is put right");
            problems.push(problem(Code::StateUnwritable.as_str(), &known.layout.state, message));
        }
        let open = self.standing.is_some_and(|standing| standing.history.is_some());
        if let Some((what, _)) = known.unwritten.as_ref().filter(|_| open && known.unusable.is_none()) {
            let message = format!("{what}; nothing runs by itself until the history can be written again");
            problems.push(problem("state-unwritable", &known.layout.history(), message));
        }
        if let Some(why) = self.standing.and_then(|standing| standing.log_fault) {
            problems.push(problem("log-unwritable", &known.layout.pacman_log(), why.as_str()));
        }
        if let Some((run, why)) = &known.unrecorded {
            problems.push(problem("end-unrecorded", Path::new(run.as_str()), why.as_str()));
        }
        problems.extend(self.standing_still(&problems));
        problems.extend(self.announced());
        problems.extend(self.hopeless());
        problems.extend(self.closed_for_long());
        problems.extend(self.soon_over());
        problems.extend(self.undelivered());
        problems.extend(self.unsigned());
        problems.extend(self.nobody_told());
        problems.extend(self.differing_content());
        problems.extend(self.not_copied());
        problems.extend(self.large_stage());
        problems.extend(known.notes.iter().cloned());
        if let Some(file) = &known.instructions.file {
            problems.extend(file.warnings.iter().cloned());
        }
        problems
    }

    /// What keeps everything from starting by itself and was not said yet. That nothing runs where somebody or something
    /// wants it so is no fault.
    fn standing_still(&self, said: &[Problem]) -> Vec<Problem> {
        let all = self.known.with_inputs(self.now, decision::standstill);
        let new = all.into_iter().filter(|s| !said.iter().any(|p| p.code == s.code.as_str()));
        new.map(|s| {
            let why = self.known.named_here(Some(s.code), &s.why);
            let wanted = matches!(
                s.code,
                Code::Held | Code::Frozen | Code::RestartPending | Code::Booting | Code::OnBattery
            );
            let severity = if wanted { Severity::Warning } else { Severity::Error };
            Problem { severity, ..Problem::of_file(s.code.as_str(), "", why) }
        })
        .collect()
    }

    /// What starts soon, as users were told.
    fn announced(&self) -> Option<Problem> {
        let announced = self.known.announced()?;
        let (id, ends) = (announced.request, self.known.local(announced.ends));
        let message =
            format!("{id} starts {ends}, as users were told. pcm stop {id} --reason WHY ends the countdown");
        let severity = Severity::Warning;
        Some(Problem { severity, ..Problem::of_file(State::Countdown.as_str(), "", message) })
    }

    /// Mandatory requests that will never run by themselves.
    fn hopeless(&self) -> Vec<Problem> {
        let verdicts = self.known.verdicts(self.now);
        let all = verdicts.iter().filter_map(|d| Some((d.request_id?, decision::hopeless(d)?, d)));
        let mut problems: Vec<Problem> = all
            .clone()
            .take(MOST_HOPELESS)
            .map(|(id, code, d)| match code {
                Code::WindowNeverFits => {
                    let message = format!("{id} is mandatory and never runs by itself. {}", code.row().remedy);
                    let config = self.known.layout.config.display().to_string();
                    let field = Some("windows.weekly".into());
                    Problem { field, ..Problem::of_file(code.as_str(), config, message) }
                }
                code => {
                    let expires = d.expire_after.map(|at| self.known.local(at)).unwrap_or_default();
                    let message = format!(
                        "{id} is mandatory and expires {expires}, before it may run by itself. pcm explain {id} says \
                         why; pcm run {id} --override GATES --reason WHY runs it all the same"
                    );
                    Problem::of_file(code.as_str(), "", message)
                }
            })
            .collect();
        let more = all.count().saturating_sub(MOST_HOPELESS);
        if more > 0 {
            let message =
                format!("{more} more mandatory requests never run by themselves. pcm simulate names them");
            problems.push(Problem::of_file(Code::WindowNeverFits.as_str(), "", message));
        }
        problems
    }

    /// A site may keep its machines from everything; that it does so for good, nobody would notice by themselves.
    fn closed_for_long(&self) -> Option<Problem> {
        let why = self.known.with_inputs(self.now, decision::closed_for_long)?;
        Some(Problem::of_file("closed-for-long", "", why))
    }

    /// What is in force counts for less than a quarter of its time: whoever publishes has not renewed it (SITE.md 4). Once it is
    /// over, what keeps everything from starting says so.
    fn soon_over(&self) -> Option<Problem> {
        let file = self.known.instructions.file.as_ref()?;
        let until = file.valid_until.filter(|until| self.now < *until)?;
        let (left, whole) = (between(self.now, until), between(file.issued, until));
        (left < whole / 4).then(|| {
            let message = format!(
                "what is in force counts only until {}, in {}, and nothing of it starts then. At the site: pcm site publish",
                self.known.local(until),
                text::duration(left)
            );
            let source = self.known.instructions.source.as_ref().map(ToString::to_string).unwrap_or_default();
            problem("validity-left", Path::new(&source), message)
        })
    }

    /// Results or report that have not reached the share for two polling intervals; at once where the place refuses them, which
    /// no time mends. A share that is away says so by itself.
    pub(in super::super) fn undelivered(&self) -> Option<Problem> {
        let undelivered = self.standing.and_then(|standing| standing.undelivered)?;
        let patience = self.known.policy.config.polling_interval.saturating_mul(2);
        let waits = between(undelivered.since, self.now);
        if !undelivered.refused && waits < patience {
            return None;
        }
        let message = format!(
            "results or report have not reached the share since {} ({}): {}; they are kept and tried again, results for {}",
            self.known.local(undelivered.since),
            crate::text::duration(waits),
            undelivered.cause,
            crate::text::duration(self.known.policy.config.retention.results)
        );
        Some(problem("undelivered", &self.known.layout.outbox(), message))
    }

    /// Whoever is to be told of what goes wrong is not.
    fn nobody_told(&self) -> Option<Problem> {
        let fault = self.standing.and_then(|standing| standing.notify_fault)?;
        let message = format!(
            "[notify] command has told nobody since {}: {}. Nobody hears of failures until it works again",
            self.known.local(fault.since),
            fault.why
        );
        let problem = problem("notify-failed", &self.known.layout.config, message);
        Some(Problem { field: Some("notify.command".into()), ..problem })
    }

    /// A report that nobody signed counts nowhere at a site that signs.
    fn unsigned(&self) -> Option<Problem> {
        let why = self.standing.and_then(|standing| standing.unsigned)?;
        let message = format!(
            "this machine's reports are not signed, so its site does not count them: {why}. pcm init makes a key where there \
             is none"
        );
        let file = self.known.trust_folder();
        Some(Problem { severity: Severity::Warning, ..problem("host-key", &file, message) })
    }

    /// What may yet run here takes more room than the stage may have: nothing of that is removed.
    fn large_stage(&self) -> Option<Problem> {
        let most = self.known.policy.config.retention.stage_size;
        let needed =
            self.standing.and_then(|standing| standing.needed_bytes).filter(|needed| *needed > most)?;
        let message = format!(
            "the files of what may yet run here take {}, more than {} ([retention] stage_size); nothing of them is \
             removed. Allow more, or withdraw requests",
            text::bytes(needed),
            text::bytes(most)
        );
        let problem = problem("stage-size", &self.known.layout.stage(), message);
        Some(Problem { severity: Severity::Warning, field: Some("retention.stage_size".into()), ..problem })
    }

    /// Packages whose files could not be copied although something of them is due by itself.
    fn not_copied(&self) -> Vec<Problem> {
        let known = self.known;
        let verdicts = known.verdicts(self.now);
        let only_its_files = |d: &&Decision| {
            d.state == State::Waiting && d.blocked_by().iter().all(|c| *c == Code::ContentMissing)
        };
        let due = verdicts.iter().filter(only_its_files);
        let mut missing: BTreeMap<&ContentHash, Problem> = BTreeMap::new();
        for request in due.filter_map(|d| known.find_request(d.request_id?)) {
            let Some(hash) = &request.content_sha256 else { continue };
            let Some(ContentFact::Missing(why)) = known.content.get(hash) else { continue };
            let message = format!(
                "{} is due and does not run: the files of package {} could not be copied: {why}. That is tried again \
                 at each look at the share",
                request.request_id, request.package_id
            );
            let file = Path::new("packages").join(request.package_id.as_str());
            missing.entry(hash).or_insert_with(|| problem(Code::ContentMissing.as_str(), &file, message));
        }
        let more = missing.len().saturating_sub(MOST_HOPELESS);
        let mut problems: Vec<Problem> = missing.into_values().take(MOST_HOPELESS).collect();
        if more > 0 {
            let message =
                format!("the files of {more} more packages could not be copied. pcm list names them");
            problems.push(problem(Code::ContentMissing.as_str(), Path::new("packages"), message));
        }
        problems
    }

    /// Packages whose files are not those that were published.
    fn differing_content(&self) -> Vec<Problem> {
        let known = self.known;
        let mut differing: BTreeMap<&ContentHash, Problem> = BTreeMap::new();
        for entry in known.instructions.file.iter().flat_map(|file| &file.requests) {
            let Entry::Good(request) = entry else { continue };
            let Some(hash) = &request.content_sha256 else { continue };
            let Some(ContentFact::Mismatch(why)) = known.content.get(hash) else { continue };
            let again = known.again.next_at(hash).map_or_else(
                || "the next look at the share".to_owned(),
                |at| format!("{}, and as soon as it changes on the share", known.local(at)),
            );
            let message = format!(
                "package {} is not the one that was published: {why}; copied again at {again}",
                request.package_id
            );
            let file = Path::new("packages").join(request.package_id.as_str());
            differing.insert(hash, problem(Code::ContentMismatch.as_str(), &file, message));
        }
        differing.into_values().collect()
    }
}

impl Known {
    /// The same words, with the command that starts the service of this very installation.
    pub(super) fn named_here(&self, code: Option<Code>, words: &SafeText) -> SafeText {
        let flags = self.layout.naming_flags();
        if code != Some(Code::NoService) || flags.is_empty() {
            return words.clone();
        }
        let own = format!("pcm {} service run", flags.join(" "));
        let general = Code::NoService.row().remedy.trim_start_matches("Start the service: ");
        SafeText::new(&words.as_str().replace(general, &own))
    }
}

fn problem(code: &str, file: &Path, message: impl AsRef<str>) -> Problem {
    Problem::of_file(code, file.display().to_string(), message.as_ref())
}
