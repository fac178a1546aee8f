//! Everything that is wrong with a machine and not about one request.

use super::super::history_lost;
use super::views::Views;
use crate::site::content::ContentFact;
use crate::site::instruction::{ContentHash, Entry};
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, Problem};
use std::collections::BTreeMap;
use std::path::Path;

impl Views<'_> {
    /// Everything that is wrong and not about one request.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let known = self.known;
        let mut problems = Vec::new();
        for loose in &known.loose {
            problems.push(problem("loose-permissions", &known.layout.state, loose.to_string()));
        }
        if let Some(lost) = &known.lost {
            let failure = history_lost(lost);
            problems.push(problem(&failure.code, &known.layout.history(), failure.to_string()));
        }
        if let Some(why) = &known.policy.unreadable {
            problems.push(problem("policy-unreadable", &known.layout.config, why.as_str()));
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
        if let Some(what) = self.standing.and_then(|s| s.unwritten.filter(|_| s.history.is_some())) {
            let message = format!("{what}; nothing runs by itself until the history can be written again");
            problems.push(problem("state-unwritable", &known.layout.history(), message));
        }
        if let Some(why) = self.standing.and_then(|standing| standing.log_fault) {
            problems.push(problem("log-unwritable", &known.layout.pacman_log(), why.as_str()));
        }
        problems.extend(self.undelivered());
        problems.extend(self.differing_content());
        problems.extend(known.notes.iter().cloned());
        if let Some(file) = &known.instructions.file {
            problems.extend(file.warnings.iter().cloned());
        }
        problems
    }

    /// Results or report that have not reached the share for two polling intervals.
    fn undelivered(&self) -> Option<Problem> {
        let undelivered = self.standing.and_then(|standing| standing.undelivered)?;
        let patience = self.known.policy.config.polling_interval.saturating_mul(2);
        let waits = (self.now - undelivered.since).to_std().ok().filter(|waits| *waits >= patience)?;
        let message = format!(
            "results or report have not reached the share since {} ({}): {}; they are kept and tried again",
            self.known.local(undelivered.since),
            crate::text::duration(waits),
            undelivered.cause
        );
        Some(problem("undelivered", &self.known.layout.outbox(), message))
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

fn problem(code: &str, file: &Path, message: impl AsRef<str>) -> Problem {
    Problem::of_file(code, file.display().to_string(), message.as_ref())
}
