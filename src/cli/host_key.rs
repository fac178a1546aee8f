//! The key that a machine signs its reports with, as `pcm init` leaves it: its SSH host key, or one that is made here where the
//! service could not read that.

use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::executor::as_owner;
use crate::host::account;
use crate::host::paths::Layout;
use crate::site::report::seal::{HostKey, PUBLIC};
use crate::site::signed::signers::Key;

/// Its public half; None: this machine signs no reports. Without one that the service can read one is made.
///
/// # Errors
/// None can be made, or the one that is named cannot be read.
pub fn ready(layout: &Layout, config: &Config) -> Result<Option<Key>> {
    let named = config.trust.host_key.as_deref();
    if !config.signs_reports() {
        return Ok(None);
    }
    let folder = layout.trust_folder(config.trust.dir.as_deref());
    let failed = |why: String| {
        let message = format!("the reports of this machine cannot be signed: {why}");
        let remedy =
            "Name a key of the machine that the service can read as `[trust] host_key`, and run init again";
        Failure::new(Exit::Failed, "host-key", message, remedy)
    };
    // What root may read the service may not where it has an account of its own.
    let Some(owner) = as_owner::needed(layout).filter(|_| named.is_none()) else {
        return match HostKey::find(named, &folder) {
            Ok(found) => Ok(Some(found.key().clone())),
            Err(why) if named.is_some() => Err(failed(why.into_string())),
            Err(why) => match HostKey::make(&folder) {
                Ok(made) => Ok(Some(made.key().clone())),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(failed(why.into_string())),
                Err(e) => Err(failed(format!("{}: {e}", folder.display()))),
            },
        };
    };
    match HostKey::make(&folder) {
        Ok(made) => {
            account::give(made.file(), &owner)
                .map_err(|e| failed(format!("{}: {e}", made.file().display())))?;
            Ok(Some(made.key().clone()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let public = folder.join(PUBLIC);
            let text =
                std::fs::read_to_string(&public).map_err(|e| failed(format!("{}: {e}", public.display())))?;
            Key::read(&text)
                .map(Some)
                .map_err(|distrust| failed(format!("{}: {}", public.display(), distrust.why)))
        }
        Err(e) => Err(failed(format!("{}: {e}", folder.display()))),
    }
}
