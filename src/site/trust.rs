//! Who could have published what is on a share (PROMISES.md 4). Mode `permissions` looks at owners and mode bits of the
//! very files and folders that were opened; mode `signed` refuses everything here: what is signed is judged by `signed`.

use crate::host::open::{Folder, RegularFile};
use crate::host::perms::{self, Loose, Writers};
use crate::terms::{Code, words};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::path::Path;

words!(
    /// What makes a publication believable (PROMISES.md 4), by the words of `[trust] mode`.
    TrustMode {
        /// A signature by a key in the trust folder.
        Signed = "signed",
        /// Owner and mode bits of the share.
        Permissions = "permissions",
    }
);

/// How the trust check ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TrustVerdict {
    /// Believable, and by what.
    Trusted(SafeText),
    /// Not, with the code and the evidence.
    Refused(Code, SafeText),
    /// Not looked at yet.
    #[default]
    Unchecked,
}

/// Why nothing is believed in mode `signed` before the first trust list is taken.
pub const NO_LIST: &str = "mode \"signed\" needs a trust list, and this machine has taken none yet, so it cannot check any \
                           signature: pcm init --trust-key SHA256:…";

/// The rule of one machine.
#[derive(Debug, Clone)]
pub struct Judge {
    /// `[trust] mode`
    pub mode: TrustMode,
    /// Who may write what is trusted in mode `permissions`.
    pub writers: Writers,
}

impl Judge {
    /// The mode, with root and the account of this process as the writers.
    pub fn of(mode: TrustMode) -> Self {
        Self { mode, writers: Writers::this_process() }
    }

    /// Judges an instruction file: it and the site file beside it, the folders they were opened through from the share's
    /// own on, and all above.
    pub fn publication(&self, share: &Path, folders: &[&Folder], files: &[&RegularFile]) -> TrustVerdict {
        match self.mode {
            TrustMode::Signed => TrustVerdict::Refused(Code::Unsigned, NO_LIST.into()),
            TrustMode::Permissions => match self.loose(share, folders, files) {
                None => TrustVerdict::Trusted(
                    "permissions: only root and the service's account can write it".into(),
                ),
                Some(loose) => TrustVerdict::Refused(Code::LoosePermissions, loose.to_string().into()),
            },
        }
    }

    /// The first thing of a package that somebody else could have written. In mode `signed` the signature binds the
    /// content by its hash, so owners and modes do not matter.
    pub fn loose(&self, share: &Path, folders: &[&Folder], files: &[&RegularFile]) -> Option<Loose> {
        if self.mode == TrustMode::Signed {
            return None;
        }
        let check = || {
            perms::check_way_to(share, &self.writers)?;
            folders.iter().try_for_each(|folder| perms::check_folder(folder, &self.writers))?;
            files.iter().try_for_each(|file| perms::check_file(file, &self.writers))
        };
        check().err()
    }

    /// The same for a folder and a file whose way from the root was checked before.
    pub fn loose_below(&self, folder: &Folder, file: Option<&RegularFile>) -> Option<Loose> {
        if self.mode == TrustMode::Signed {
            return None;
        }
        let check = || {
            perms::check_folder(folder, &self.writers)?;
            file.map_or(Ok(()), |file| perms::check_file(file, &self.writers))
        };
        check().err()
    }
}
