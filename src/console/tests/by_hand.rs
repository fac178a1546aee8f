//! The console on the fake executor in a real terminal, to be looked at:
//! `PCM_CONSOLE_BY_HAND=1 cargo test --lib console_by_hand -- --nocapture`

use super::fake::Fake;
use crate::clock::System;
use crate::config::Config;
use crate::console::{Options, run};
use crate::host::paths::Layout;
use std::io::IsTerminal;
use std::sync::Arc;

#[test]
fn console_by_hand() {
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    if var("PCM_CONSOLE_BY_HAND").is_none() || !std::io::stdin().is_terminal() {
        crate::skipped("set PCM_CONSOLE_BY_HAND and run it in a terminal");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let layout = Layout { config: at("pcm.toml"), state: at("state"), log: at("log"), socket: at("sock") };
    std::fs::create_dir_all(layout.log.join("runs")).unwrap();
    let output: String = (1..200).map(|n| format!("unpacking file {n} of 300\n")).collect();
    std::fs::write(layout.transcript("BP00010-1"), output).unwrap();
    std::fs::write(layout.transcript("BP00007-1"), "looking for printers\nno printer found\n").unwrap();
    let log: String = super::stage::log_lines()
        .iter()
        .map(|line| {
            format!(
                "[{}] Package Command Manager ==> {}\n",
                line.time.unwrap().format("%m/%d/%y %H:%M:%S"),
                line.text
            )
        })
        .collect();
    std::fs::write(layout.pacman_log(), log).unwrap();
    let options = Options {
        read_only: var("PCM_RO").is_some(),
        theme: var("PCM_THEME"),
        ascii: var("PCM_ASCII").is_some(),
        ..Options::default()
    };
    run(options, Arc::new(Fake::around(System::now())), Arc::new(NoSite), &layout, &Config::default())
        .unwrap();
}

/// No site is named.
struct NoSite;

impl crate::rollout::select::Site for NoSite {
    fn ground(
        &self,
        _: Option<&crate::rollout::ground::Ground>,
    ) -> crate::error::Result<crate::rollout::ground::Ground> {
        let (exit, remedy) = (crate::error::Exit::Usage, "Name it with --folder DIR");
        Err(crate::error::Failure::new(exit, "no-site-folder", "no site folder is named", remedy))
    }

    fn reach(
        &self,
        _: &[crate::site::ids::MachineId],
    ) -> crate::error::Result<Vec<Result<crate::host::ssh::Reach, crate::text::SafeText>>> {
        self.ground(None).map(|_| Vec::new())
    }

    fn verb(&self, _words: &[String]) -> Option<std::process::Command> {
        None
    }
}
