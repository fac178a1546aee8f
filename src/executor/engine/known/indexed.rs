//! An index (SITE.md 2): its bytes and parts come from a share or from the state folder, and what they come to is found out
//! here, by the trust folder and the clock as they are at that moment.

use super::Known;
use super::share::Keep;
use crate::clock::Wall;
use crate::config::{Config, PollingBy};
use crate::decision::{GroupPolicy, GroupWindows, Instructions};
use crate::executor::share::job::HeldIndex;
use crate::site::content::hash_bytes;
use crate::site::ids::JobId;
use crate::site::index::policy::Rules;
use crate::site::index::{self, Index};
use crate::site::indexed::compose::{Asked, Composed, compose};
use crate::site::indexed::parts::{Brought, MAX_FILE};
use crate::site::indexed::read::AtHand;
use crate::site::indexed::{GroupRules, Membership, store, verify};
use crate::site::publication::Publication;
use crate::site::share::{Found, Tag};
use crate::site::signed::Distrust;
use crate::site::signed::published::{SignedBy, Standing};
use crate::site::signed::publishers::Publishers;
use crate::site::signed::store::Trusted;
use crate::site::trust::{TrustMode, TrustVerdict};
use crate::terms::{Code, Problem};
use crate::text::{SafeText, bytes};
use std::time::Duration;

/// The index in force as bytes: verified again at each start and before each launch.
#[derive(Clone)]
pub(super) struct InBytes {
    /// `PCM.INDEX`
    pub index: Vec<u8>,
    /// What this machine has got of it; why the rest cannot be had.
    pub brought: Brought,
}

/// What the configuration says where policies of groups may say more.
#[derive(Clone)]
pub(super) struct Configured {
    countdown: Duration,
    spread: Duration,
    polling: Duration,
    by: PollingBy,
}

impl Configured {
    /// Of a configuration as it was read.
    pub fn of(config: &Config) -> Self {
        Self {
            countdown: config.run.countdown,
            spread: config.run.spread,
            polling: config.polling_interval,
            by: config.polling_by,
        }
    }

    /// As it was read.
    pub fn restore(&self, config: &mut Config) {
        (config.polling_interval, config.polling_by) = (self.polling, self.by);
    }

    /// Takes over what the site file says of polling.
    pub fn obey(&mut self, config: &Config) {
        (self.polling, self.by) = (config.polling_interval, config.polling_by);
    }
}

impl Known {
    /// This machine has accepted an index, now or ever: it reads no instruction file any more.
    pub(in super::super) fn is_indexed(&self) -> bool {
        let recorded = self.snapshot.highest.as_ref().is_some_and(|highest| highest.index);
        let folder = || self.world.held_folder().is_some_and(|dir| store::is_there(&dir));
        recorded || self.held.as_ref().is_some_and(|held| held.index) || folder()
    }

    /// What it has got of an index, for whoever reads shares.
    pub(super) fn held_index(&self) -> HeldIndex {
        // Some of the deadline is left for the index itself and for the way back.
        let patience = self.policy.config.share.timeout.checked_mul(3).map(|three| three / 5);
        let wanted = self.indexed.as_ref().map(|held| held.brought.missing.clone()).unwrap_or_default();
        let index = self.indexed.as_ref().map(|held| hash_bytes(&held.index));
        let tags = self.tags.iter().filter(|tag| Some(&tag.sha256) == index.as_ref()).cloned().collect();
        HeldIndex { dir: self.world.held_folder(), only: self.is_indexed(), patience, wanted, tags }
    }

    /// Remembers what servers call the indexes that they offer.
    pub(super) fn see_tags(&mut self, offers: &[Found]) {
        for found in offers {
            self.tags.retain(|tag| tag.place != found.share);
            if let Some(tag) = found.tag.clone() {
                self.tags.push(Tag { place: found.share.clone(), tag, sha256: hash_bytes(&found.bytes) });
            }
        }
    }

    /// What the bytes of an index come to.
    ///
    /// # Errors
    /// Why nothing of it is believed.
    fn composed(
        &self,
        bytes: &[u8],
        brought: &Brought,
        trusted: Option<&Trusted>,
        standing: Standing,
        now: Wall,
    ) -> Result<(Index, Option<Publishers>, Composed), Distrust> {
        let machine = self.policy.config.machine;
        let machine = machine.ok_or_else(|| Distrust::new(Code::Unsigned, "this machine has no id"))?;
        let (index, publishers) = match trusted {
            Some(trusted) => {
                let (index, publishers) = verify::index(bytes, trusted, now, standing)?;
                (index, Some(publishers))
            }
            None => (verify::unsigned(bytes, now, standing)?, None),
        };
        if index.site != machine.site() {
            return Err(Distrust::new(Code::Malformed, format!("it is of site {}", index.site)));
        }
        let defaults = self.policy.config.request_defaults();
        let before = self.instructions.file.as_ref().zip(self.instructions.index.as_ref());
        let earlier = || {
            let text = brought.parts.earlier.as_ref()?.as_bytes();
            let earlier = match trusted {
                Some(trusted) => verify::index(text, trusted, now, Standing::InForce).ok()?.0,
                None => verify::unsigned(text, now, Standing::InForce).ok()?,
            };
            earlier.members.filter(|_| earlier.site_id == index.site_id)
        };
        let told = &brought.parts.told;
        let asked = Asked { machine, defaults: &defaults, trusted, before, earlier: &earlier, told };
        let composed = compose(&index, &asked, &mut AtHand { parts: &brought.parts, brought: Some(brought) });
        Ok((index, publishers, composed))
    }

    /// An index that a share offers, with what this machine has got of it already.
    ///
    /// # Errors
    /// Why nothing of it is believed.
    pub(super) fn offered_index(
        &self,
        mut found: Found,
        trusted: Option<&Trusted>,
        now: Wall,
    ) -> Result<Found, Distrust> {
        let mut brought = found.brought.take().unwrap_or_default();
        let held = self.indexed.as_ref();
        let mut parts = held.map(|held| held.brought.parts.clone()).unwrap_or_default();
        if parts.earlier.is_none() {
            // What is in force gave the line of this machine itself.
            parts.earlier = held.and_then(|held| String::from_utf8(held.index.clone()).ok());
        }
        parts.add(brought.parts);
        brought.parts = parts;
        let compose =
            |brought: &Brought| self.composed(&found.bytes, brought, trusted, Standing::Offered, now);
        let (index, publishers, mut composed) = compose(&brought)?;
        brought.parts.keep(&composed.named);
        brought.parts.earlier.take_if(|_| !composed.by_earlier);
        // What could not be kept counts as if it were not there: a restart finds the same.
        let too_much = brought.parts.fit(std::mem::take(&mut composed.told));
        if !too_much.is_empty() {
            let why = format!("the parts of this index take more than {} together", bytes(MAX_FILE));
            brought.faults.extend(too_much.into_iter().map(|hash| (hash, SafeText::new(&why))));
            composed = compose(&brought)?.2;
        }
        brought.missing = std::mem::take(&mut composed.missing);
        let sha256 = hash_bytes(verify::signed_bytes(&found.bytes));
        let packages = composed.packages;
        let signed =
            publishers.map(|publishers| SignedBy { epoch: index.epoch, sha256, publishers, packages });
        Ok(Found {
            file: composed.file,
            trust: signed.as_ref().map_or(found.trust, |by| TrustVerdict::Trusted(by.words())),
            signed,
            brought: Some(brought),
            index: Some(composed.index),
            ..found
        })
    }

    /// Takes the bytes of an index that is in force from now on; what is to be kept of it, where that is news.
    pub(super) fn take_index(
        &mut self,
        publication: &Publication,
        bytes: Vec<u8>,
        brought: Brought,
    ) -> Option<Keep> {
        let same = self.indexed.as_ref().is_some_and(|held| {
            held.index == bytes
                && held.brought.parts == brought.parts
                && self.held.as_ref() == Some(publication)
        });
        let keep = (!same).then(|| Keep::Index {
            name: publication.folder(),
            index: bytes.clone(),
            parts: brought.parts.clone(),
        });
        self.signed = None;
        self.indexed = Some(InBytes { index: bytes, brought });
        keep
    }

    /// The state from which the site lets this machine go on, and the index that says so: one that the newest look found in
    /// force, that counts now, and of which nothing is still to be read, as all that it lists counts as done.
    pub(in super::super) fn replaced(&self, now: Wall) -> Option<(String, Publication)> {
        let instructions = &self.instructions;
        let Membership::Listed(member) = &instructions.index.as_ref()?.member else { return None };
        let believed = matches!(instructions.trust, TrustVerdict::Trusted(_)) && instructions.fault.is_none();
        let counts = instructions.file.as_ref()?.valid_until.is_none_or(|until| now < until);
        let whole = self.indexed.as_ref().is_some_and(|held| held.brought.missing.is_empty());
        let state = member.adopt.clone().filter(|_| believed && counts && whole)?;
        Some((state, self.held.clone()?))
    }

    /// What the index in force calls cancelled is final, whatever a later one says: from now on for every decision, and for
    /// good once the history has it.
    pub(super) fn see_cancelled(&mut self) {
        let Some(index) = &self.instructions.index else { return };
        let known = &self.snapshot.view.cancelled;
        let news: Vec<JobId> = index.cancelled.keys().filter(|job| !known.contains(job)).copied().collect();
        if !news.is_empty() {
            self.snapshot.view.cancelled.extend(&news);
            self.cancelled.extend(news);
        }
    }

    /// Lets the policies of its groups close what they close on this machine: whatever is the tighter counts.
    pub(super) fn obey_groups(&mut self) {
        let all = self.instructions.index.as_ref().map(|index| index.policies.clone()).unwrap_or_default();
        let (mut groups, mut config) = (Vec::new(), self.configured.clone());
        for GroupRules { group, rules } in all {
            let (rules, unreadable) = match rules {
                Ok(rules) => (rules, None),
                Err(why) => (Rules::default(), Some(why)),
            };
            config.countdown = config.countdown.max(rules.countdown.unwrap_or_default());
            config.spread = config.spread.max(rules.spread.unwrap_or_default());
            if let Some(interval) = rules.polling_interval.filter(|interval| *interval < config.polling) {
                (config.polling, config.by) = (interval, PollingBy::Site);
            }
            let windows = rules.windows.map(|windows| {
                let zone = match windows.zone.as_str() {
                    "local" => Ok(self.zone.clone()),
                    name => self.world.zone(name).map_err(|e| SafeText::new(&e.to_string())),
                };
                GroupWindows { weekly: windows.weekly, zone }
            });
            groups.push(GroupPolicy { group, unreadable, freezes: rules.freezes, windows });
        }
        let policy = &mut *self.policy;
        policy.groups = groups;
        (policy.config.run.countdown, policy.config.run.spread) = (config.countdown, config.spread);
        (policy.config.polling_interval, policy.config.polling_by) = (config.polling, config.by);
    }

    /// Verifies the index in force, with the trust folder as it is now.
    pub(super) fn judge_index(&self, now: Wall) -> Result<(Composed, Option<SignedBy>), Distrust> {
        let held = self.indexed.as_ref();
        let held = held.ok_or_else(|| Distrust::new(Code::Unsigned, "no index is held"))?;
        let trusted = match self.policy.config.trust.mode {
            TrustMode::Permissions => None,
            TrustMode::Signed => Some(self.needed_trust()?),
        };
        let (index, publishers, composed) =
            self.composed(&held.index, &held.brought, trusted.as_ref(), Standing::InForce, now)?;
        let packages = composed.packages.clone();
        let sha256 = hash_bytes(verify::signed_bytes(&held.index));
        let by = publishers.map(|publishers| SignedBy { epoch: index.epoch, sha256, publishers, packages });
        Ok((composed, by))
    }

    /// Takes up the index that was held when this process started; whether there was one.
    pub(super) fn load_index(&mut self) -> bool {
        let Some(held) = self.world.held_index() else {
            if self.is_indexed() {
                let path = self.layout.held_folder().join(index::NAME).display().to_string();
                let message = "the index that was in force is not held any more: nothing is in force before a share gives it";
                self.notes = vec![Problem::of_file(Code::ShareMissing.as_str(), path, message)];
                return true;
            }
            return false;
        };
        let brought = Brought { parts: held.parts, ..Brought::default() };
        self.indexed = Some(InBytes { index: held.index, brought });
        match self.judge_index(self.world.now()) {
            Ok((composed, signed)) => {
                if let Some(held) = &mut self.indexed {
                    held.brought.missing = composed.missing;
                }
                let bytes = self.indexed.as_ref().map(|held| held.index.clone()).unwrap_or_default();
                let publication = Publication::of_index(composed.index.epoch, composed.file.serial, &bytes);
                *self.instructions = Instructions {
                    file: Some(composed.file),
                    share_seen: held.seen,
                    trust: match &signed {
                        Some(by) => TrustVerdict::Trusted(by.words()),
                        None => TrustVerdict::Trusted("permissions, when it was taken from the share".into()),
                    },
                    signed,
                    index: Some(composed.index),
                    ..Instructions::default()
                };
                self.held = Some(publication);
                if let Some(file) = &self.instructions.file {
                    self.clock.issued_at(file.issued);
                }
                self.obey_groups();
                self.see_cancelled();
                self.drop_older();
            }
            Err(distrust) => {
                let path = self.layout.held_folder().join(index::NAME).display().to_string();
                self.notes = vec![distrust.problem(path)];
            }
        }
        true
    }
}
