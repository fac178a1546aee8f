//! What stands around the parts of a publication: the file that marks the share, trust lists, the folders of the machines, and
//! the index, which comes last.

use super::place::Share;
use super::{Expect, Publication};
use crate::error::{Exit, Failure, Result};
use crate::site::instruction::render::{line, quoted};
use crate::site::signed::list::{Keys, TrustList};
use crate::site::signed::signers::Role;
use crate::site::{index, report, share, signed, site_file};

/// What the share says of whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marked {
    /// All that the folder says.
    AsHere,
    /// Of this site, and something else of its name, whom to call, or what it is filled by.
    Otherwise,
    /// Nothing.
    Not,
}

impl Publication<'_> {
    /// Whether the share says already that it is this site's and under an index.
    pub(super) fn site_file(&self, share: &Share) -> Result<Marked> {
        let Some(bytes) = share.read(&[], site_file::NAME, site_file::MAX_BYTES)? else {
            return Ok(Marked::Not);
        };
        let site = site_file::parse_any(&bytes, site_file::NAME).map_err(|problems| {
            let words = problems.first().map(|p| p.message.to_string()).unwrap_or_default();
            let message = format!("{} of the share cannot be read: {words}", site_file::NAME);
            self.refuse(
                "other-site",
                &message,
                "Name another share, or remove that file if it is this site's",
            )
        })?;
        if site.site != self.folder.settings.site {
            let message =
                format!("the share is of site {}, and this is site {}", site.site, self.folder.settings.site);
            return Err(self.refuse("other-site", &message, "Correct `share` in site.toml"));
        }
        if bytes == self.site_text().as_bytes() {
            return Ok(Marked::AsHere);
        }
        let indexed = share.read(&[], index::NAME, index::MAX_BYTES)?.is_some();
        let by_hand = share.names(share::INS_FOLDER)?;
        let by_hand = by_hand.iter().filter(|name| name.to_ascii_uppercase().ends_with(".INS")).count();
        let expected = match self.how.expect {
            Expect::Changes(n) => n,
            Expect::Comes(_) | Expect::Goes(_) | Expect::Job(_) | Expect::Unfreeze | Expect::Nothing => 0,
        };
        if !indexed && expected < by_hand {
            let message = format!(
                "{} is filled by hand: {by_hand} instruction files would never be read again",
                share.root().path().display()
            );
            let remedy = format!("Send their requests as jobs, then pcm site publish --expect {by_hand}");
            return Err(self.refuse("hand-made", &message, &remedy));
        }
        Ok(Marked::Otherwise)
    }

    pub(super) fn site_text(&self) -> String {
        let settings = &self.folder.settings;
        let mut text = String::from("format = 2\n");
        line(&mut text, "site", &quoted(settings.site.as_str()));
        line(&mut text, "name", &quoted(settings.name.as_str()));
        if let Some(contact) = &settings.contact {
            line(&mut text, "contact", &quoted(contact.as_str()));
        }
        text
    }

    /// Everything that comes after the parts: trust lists, the folders of the machines, the site file, and the index.
    pub(super) fn commit(&self, share: &mut Share, finished: &str) -> Result<()> {
        for (name, bytes) in self.lists(share)? {
            share.write(&[signed::list::FOLDER], &name, &bytes)?;
        }
        for folder in [report::FOLDER, report::RESULTS] {
            share.make_folder(folder)?;
        }
        let text = self.site_text();
        let there = share.read(&[], site_file::NAME, site_file::MAX_BYTES)?;
        if there.as_deref() != Some(text.as_bytes()) {
            share.write(&[], site_file::NAME, text.as_bytes())?;
        }
        share.commit(index::NAME, finished.as_bytes())
    }

    /// The trust lists of the folder that the share does not have, or has otherwise: one that is damaged keeps every machine
    /// from all that come after it.
    pub(super) fn lists(&self, share: &Share) -> Result<Vec<(String, Vec<u8>)>> {
        let mut lists = Vec::new();
        let Some(newest) = self.list else { return Ok(lists) };
        for version in 1..=newest.version {
            let name = TrustList::file_name(version);
            let path = self.folder.trust().list_path(version);
            let bytes = crate::host::open::open_bounded(&path, signed::list::MAX_BYTES).map_err(|e| {
                let message = format!("{} cannot be read: {e}", path.display());
                Failure::new(
                    Exit::Failed,
                    "malformed",
                    message,
                    "Put it back from a backup or your repository",
                )
            })?;
            let there = share.read_any(&[signed::list::FOLDER], &name, signed::list::MAX_BYTES)?;
            match there {
                Some(there) if there == bytes => {}
                Some(there) if self.is_another_list(version, &there) => {
                    let message = format!(
                        "the share has another trust list {version}, signed by a key that this folder trusts"
                    );
                    let remedy = "Somebody else changes trust, too: bring the site folders together before you publish";
                    return Err(self.refuse("other-publisher", &message, remedy));
                }
                Some(_) | None => lists.push((name, bytes)),
            }
        }
        Ok(lists)
    }

    /// Whether somebody whom this folder trusts made this version of the list otherwise.
    fn is_another_list(&self, version: u64, bytes: &[u8]) -> bool {
        let Ok((list, key)) = TrustList::whole(bytes) else { return false };
        let own = self.folder.trust().list(version.saturating_sub(1).max(1)).ok().flatten();
        list.version == version
            && list.site_id == self.folder.settings.site_id
            && own.is_some_and(|own| Keys::of(&own, &[]).known(&key, Role::Trust).is_ok())
    }

    /// A share that was published to, and has nothing any more, is not the share but the place where it is mounted.
    pub(super) fn check_mounted(&self, share: &Share, before: Option<u64>, index: bool) -> Result<()> {
        let unmounted = before.filter(|_| !index && self.how.serial.is_none());
        let unmounted = unmounted.map(|serial| self.unmounted(share, serial)).transpose()?.flatten();
        unmounted.map_or(Ok(()), |failure| Err(self.refused(failure)))
    }

    /// What is said of a share without an index on which this was published; None: it is the share, and its index is put back.
    pub(super) fn unmounted(&self, share: &Share, serial: u64) -> Result<Option<Failure>> {
        let path = share.root().path();
        let own = path.starts_with(&self.folder.dir);
        if own || share.read_any(&[], site_file::NAME, site_file::MAX_BYTES)?.is_some() {
            return Ok(None);
        }
        let message = format!(
            "the share {} has neither {} nor {}, and publication {serial} was published to it: is it mounted?",
            path.display(),
            site_file::NAME,
            index::NAME
        );
        let remedy =
            format!("Mount it; to begin on a new, empty share: pcm site publish --serial {}", serial + 1);
        Ok(Some(Failure::new(Exit::Share, "share-missing", message, remedy)))
    }
}
