//! The command line as scripts and newcomers meet it: the README's five minutes, the demo, and the contract of exit
//! statuses and error documents.

#[cfg(unix)]
use crate::common;

#[cfg(unix)]
mod afar;
#[cfg(unix)]
mod collect;
mod contract;
mod demo;
#[cfg(unix)]
mod documents;
#[cfg(unix)]
mod hand_made;
#[cfg(unix)]
mod host;
#[cfg(unix)]
mod keys;
#[cfg(unix)]
mod lint;
mod log;
#[cfg(unix)]
mod log_flags;
#[cfg(unix)]
mod log_hostile;
#[cfg(unix)]
mod log_hosts;
#[cfg(unix)]
mod meant;
mod newcomer;
#[cfg(unix)]
mod package;
#[cfg(unix)]
mod readme;
#[cfg(unix)]
mod remedies;
#[cfg(unix)]
mod rollout;
#[cfg(unix)]
mod rollout_figures;
#[cfg(unix)]
mod rollout_view;
#[cfg(unix)]
mod site;
#[cfg(unix)]
mod site_status;
#[cfg(unix)]
mod token;
#[cfg(unix)]
mod twins;

use std::path::Path;
use std::process::{Command, Output};

/// `pcm` with folders of its own.
pub fn pcm(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().unwrap()
}

/// The same, not yet started.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pcm"));
    command.args(args).current_dir(dir);
    command.env("PCM_CONFIG", dir.join("pcm.toml")).env("PCM_STATE", dir.join("state")).env("TZ", "UTC");
    command.env("XDG_CACHE_HOME", dir.join("cache"));
    command
}

/// What it printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A site with the example and a machine that is enrolled on it, by pcm's own verbs.
pub fn enrolled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["site", "init", "share", "--hand-made", "--site", "BP0", "--example", "BP004000"][..],
        &["init", "--machine", "BP004000", "--share", "share", "--trust", "permissions"],
    ] {
        let done = pcm(dir.path(), args);
        assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
    }
    dir
}
