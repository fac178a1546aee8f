//! What of a publication is refused unless somebody expects it, and what is said then.

use super::colleagues::{self, Own};
use super::refusals::{self, Changes, Of, Refusal};
use super::{Expect, Publication};
use crate::error::Result;
use crate::site::ids::JobId;

impl Publication<'_> {
    /// Refuses what wants to be expected, and is not. `changes`: compared with the publication before; `wanted`:
    /// what else wants to be expected, as machines that a job is for from now on.
    pub(super) fn refuse_unless_expected(
        &self,
        changes: Option<Changes<'_>>,
        own: Option<&Own>,
        wanted: Vec<Refusal>,
    ) -> Result<()> {
        let otherwise =
            changes.map(|changes| refusals::run_otherwise(changes.ran, self.source)).unwrap_or_default();
        if !otherwise.is_empty() {
            // Sending that once more would send a colleague's job once more.
            let others = |id: &JobId| {
                let ran = changes.is_some_and(|changes| changes.ran.contains_key(id));
                own.is_some_and(|own| ran && !own.knows(*id))
            };
            let remedy = match otherwise.iter().any(|(id, _)| others(id)) {
                true => {
                    "Another folder published a job of that id: remove this folder's, take the other one's files (git pull), \
                     then send yours as a new job: pcm job send"
                }
                false => "Give it a request id of its own: pcm job send --again JOB",
            };
            let words: Vec<String> = otherwise.into_iter().map(|(_, words)| words).collect();
            return Err(self.refuse("same-request-id", &words.join("; "), remedy));
        }
        let taken_back = own.zip(changes).map(|(own, changes)| colleagues::taken_back(own, changes));
        let taken_back = taken_back.unwrap_or_default();
        let correct = match (taken_back.is_empty(), wanted.iter().any(|refusal| refusal.of == Of::Fewer)) {
            (false, _) => "Take the other folder's edits into this one (git pull), then publish again",
            (true, true) => "Name one --key for each person who signs",
            (true, false) => "Correct it",
        };
        let mut refusals = changes.map(refusals::refusals).unwrap_or_default();
        refusals.extend(taken_back);
        refusals.extend(wanted);
        // What the verb lets pass is asked for again where publishing follows by itself.
        let without: usize = refusals.iter().map(|refusal| refusal.count).sum();
        if let Expect::Job(id) = self.how.expect {
            refusals.retain(|refusal| refusal.of != Of::Met(id));
        }
        if self.how.expect == Expect::Unfreeze {
            refusals.retain(|refusal| refusal.of != Of::Everybody);
        }
        let count = |is: fn(Of) -> bool| -> usize {
            let of_these = refusals.iter().filter(|refusal| is(refusal.of));
            of_these.map(|refusal| refusal.count).sum()
        };
        let (gone, come) = (count(|of| of == Of::Gone), count(|of| of == Of::Come));
        let all = gone + come + count(|of| of != Of::Gone && of != Of::Come);
        let remedy = match self.how.expect {
            Expect::Changes(n) if all <= n => return Ok(()),
            Expect::Comes(n) if come == all && come <= n => return Ok(()),
            Expect::Goes(n) if gone == all && gone <= n => return Ok(()),
            _ if all == 0 => return Ok(()),
            Expect::Changes(_) => format!("{correct}; if all of that is meant, add --expect {all}"),
            Expect::Comes(_) if come == all => {
                format!("{correct}; if so many machines are to come, add --expect {come}")
            }
            Expect::Goes(_) if gone == all => {
                format!("{correct}; if so many machines are to go, add --expect {gone}")
            }
            Expect::Comes(_) | Expect::Goes(_) | Expect::Job(_) | Expect::Unfreeze | Expect::Nothing => {
                format!(
                    "{correct}; here --expect counts machines, and lets nothing else of that pass: if all of it is meant, edit with \
                 --no-publish, then publish with pcm site publish --expect {without}"
                )
            }
        };
        let words: Vec<String> = refusals.into_iter().map(|refusal| refusal.words).collect();
        Err(self.refuse("not-expected", &words.join("; "), &remedy))
    }
}
