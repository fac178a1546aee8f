//! `pcm seen`: an operator has seen what expired or failed. It is recorded with who and when, and alarms nobody any more.

use super::Executor;
use crate::clock::Wall;
use crate::decision::Decision;
use crate::executor::history::Acknowledged;
use crate::executor::talk::protocol::{Answer, Reply};
use crate::executor::talk::view::SeenDoc;
use crate::host::account::Actor;
use crate::site::ids::RequestId;

impl Executor {
    /// Records that they are seen. Who saw one first stays who saw it.
    pub(super) fn see(&mut self, request: Option<RequestId>, actor: &Actor, now: Wall) -> Reply {
        let about = self.known.to_be_seen(request, now)?;
        if let (Some(id), [decision]) = (request, about.as_slice())
            && let Some(seen) = self.known.seen(decision)
        {
            return Ok(Answer::Seen(SeenDoc { request_ids: vec![id], by: seen.by.clone(), at: seen.at }));
        }
        let news: Vec<RequestId> = about.iter().filter_map(|decision| decision.request_id).collect();
        if !news.is_empty() {
            let mut all = self.known.snapshot.acknowledged.clone();
            let decisions = self.known.decide(now);
            let stands = |id: &RequestId| {
                decisions.iter().any(|d| d.request_id == Some(*id) && self.known.seen(d).is_some())
            };
            all.retain(|id, _| stands(id));
            all.extend(about.iter().filter_map(|decision| {
                let Decision { state, attempt, .. } = *decision;
                Some((decision.request_id?, Acknowledged { state, attempt, by: actor.name.clone(), at: now }))
            }));
            self.change(|history| history.acknowledge(now, &actor.name, &news, all))?;
            let ids: Vec<String> = news.iter().map(ToString::to_string).collect();
            self.journal.info(now, &format!("{} has seen how {} ended.", actor.name, ids.join(", ")));
        }
        Ok(Answer::Seen(SeenDoc { request_ids: news, by: actor.name.clone(), at: now }))
    }
}
