//! How many machines came to each job and went from it since it is published as it is, for whoever looks again and again: what
//! was counted is kept as long as neither the job nor the list of machines changes.

use super::doc::RolloutDoc;
use super::ground::Ground;
use crate::clock::Wall;
use crate::site::ids::JobId;
use crate::site::index::job::{Job, Word};
use crate::site::index::members::Member;
use crate::site::instruction::ContentHash;
use std::collections::BTreeMap;

/// So many older lists are read for one look; the others for the next ones.
const MOST: usize = 4;

/// What was counted.
#[derive(Debug, Default)]
pub struct Moved {
    known: BTreeMap<JobId, (Of, Option<(u64, u64)>)>,
}

/// What it was counted of.
#[derive(Debug, PartialEq)]
struct Of {
    job: Job,
    word: Word,
    published: (u64, u64),
    list: ContentHash,
}

/// The machines of a publication; None: that is not kept.
type Then = ((u64, u64), Option<Vec<Member>>);

impl Moved {
    /// Says of each job what is known of it, after having counted some of which nothing is.
    pub fn tell(&mut self, ground: &Ground, doc: &mut RolloutDoc, now: Wall) {
        let Some(list) = ground.list() else { return };
        let mut stands = ground.stands(now);
        self.known.retain(|id, _| stands.iter().any(|stand| stand.job.job_id == *id));
        stands.sort_by_key(|stand| stand.published);
        let (mut then, mut read): (Option<Then>, usize) = (None, 0);
        for stand in &stands {
            let (job, word) = (stand.job.clone(), stand.word.clone());
            let of = Of { job, word, published: stand.published, list: list.clone() };
            let id = of.job.job_id;
            if self.known.get(&id).is_some_and(|(known, _)| *known == of) {
                continue;
            }
            self.known.remove(&id);
            if then.as_ref().is_none_or(|(published, _)| *published != stand.published) {
                if read == MOST {
                    continue;
                }
                read += 1;
                then = Some((stand.published, ground.members_then(stand.published)));
            }
            let members = then.as_ref().and_then(|(_, members)| members.as_ref());
            self.known.insert(id, (of, members.map(|members| ground.moved(stand, members))));
        }
        for job in &mut doc.jobs {
            if let Some((_, Some((came, went)))) = self.known.get(&job.job_id) {
                (job.came, job.went) = (Some(*came), Some(*went));
            }
        }
    }
}
