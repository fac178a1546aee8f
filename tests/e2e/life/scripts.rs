//! What the scripts of the packages leave as an administrator wants it, what they refuse, and that they say so.

use super::by_hand;
use super::common::*;
use super::deb;
use super::machine::Machine;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `.packaging/build` makes what packages carry in one folder of the repository: held by whoever has it do that.
pub fn building() -> MutexGuard<'static, ()> {
    static BUILDING: Mutex<()> = Mutex::new(());
    BUILDING.lock().unwrap_or_else(PoisonError::into_inner)
}

const UNIT: &str = "/etc/systemd/system/pcm.service";

fn masked(machine: &Machine) -> bool {
    std::fs::read_link(machine.path(UNIT)).is_ok_and(|to| to == Path::new("/dev/null"))
}

#[test]
fn what_the_build_is_told_is_found_from_where_it_is_called_and_functions_keep_their_names() {
    let _alone = building();
    let dir = tempfile::tempdir().unwrap();
    let tools = dir.path().join("tools");
    make_dir(&tools);
    for (tool, does) in [
        ("strip", "[ \"$1 $2\" = '--strip-debug -o' ]; cp \"$4\" \"$3\""),
        ("cargo-deb", "[ -x \"$CARGO_TARGET_DIR/release/pcm\" ]; : >\"$last/played.deb\""),
        ("cargo-generate-rpm", "[ -f target/packaging/man/pcm.1 ]; : >\"$last/played.rpm\""),
    ] {
        let file = tools.join(tool);
        write(&file, format!("#!/bin/sh\nset -e\nfor last; do :; done\n{does}\n").as_bytes());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pcm"), dir.path().join("pcm")).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut build = Command::new(deb::repository().join(".packaging/build"));
    build.args(["--fast", "--binary", "pcm", "--out", "a folder"]).current_dir(dir.path()).env("PATH", path);
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
    for played in ["played.deb", "played.rpm"] {
        assert!(dir.path().join("a folder").join(played).is_file(), "{played}");
    }
}
