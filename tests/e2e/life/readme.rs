//! Upgrading and removing by the words of README, without packages and then over to one.

use super::common::*;
use super::deb;
use super::machine::Machine;

const README: &str = include_str!("../../../README.md");

/// The blocks of commands in README's part about it.
fn blocks() -> Vec<String> {
    let part = README.split_once("\n## Upgrading and removing\n").expect("README has that part").1;
    let part = part.split("\n## ").next().unwrap();
    let mut blocks = vec![String::new()];
    for line in part.lines() {
        match line.strip_prefix("    ") {
            Some(command) => *blocks.last_mut().unwrap() += &format!("{command}\n"),
            None if blocks.last().is_some_and(|block| !block.is_empty()) => blocks.push(String::new()),
            None => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// What README says of it in a sentence.
fn said(words: &str) -> &str {
    assert!(README.contains(&format!("`{words}`")), "README does not say `{words}` any more");
    words
}

#[test]
fn upgraded_removed_and_changed_over_by_the_words_of_the_readme_nothing_runs_twice() {
    let [upgrade, remove] = &blocks()[..] else { panic!("{:?}", blocks()) };
    let mut site = Site::bare("");
    let script = [site.say("begun"), site.waits_for_go(), site.say("ended")].join("\n");
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("{hash:?}"))]);
    make_dir(&site.path("target"));
    make_dir(&site.path("target/release"));
    install_program(&site.path("target/release/pcm"));
    let Some(machine) = Machine::of(site).map(Machine::with_systemd) else { return };
    let deb = deb::make(&machine.site.path(""), "0.1.0-1");
    let here = machine.site.path("").display().to_string();
    let typed = |lines: &str| machine.did(&["bash", "-ec", &format!("cd '{here}'\n{lines}")]);
    let there = |path: &str| machine.path(path).exists();
    let knows = |what: &str| {
        machine.wait_service();
        machine.wait_state("BP0000Y", "succeeded");
        assert_eq!((machine.site.ran("begun"), machine.site.ran("ended")), (1, 1), "{what}");
    };

    // As it is installed for the first time, but for the history.
    machine.configure();
    typed(upgrade.lines().next().unwrap());
    typed("pcm init");
    typed(upgrade);
    machine.wait_service();
    wait_for("it runs", || machine.site.ran("begun") == 1);
    let before = machine.service();
    typed(upgrade);
    machine.wait_service();
    assert_ne!(machine.service(), before, "another process is the service");
    assert_eq!(machine.state_of("BP0000Y"), "running");
    machine.site.go();
    knows("the new service took it over");

    typed(remove);
    assert!(!there("/usr/local/bin/pcm") && !there("/etc/systemd/system/pcm.service"));
    assert!(there("/etc/pcm/pcm.toml") && there("/var/lib/pcm/history.db") && there("/var/log/pcm"));
    typed(upgrade);
    knows("what was kept counts when it is installed again");

    machine.install(&deb);
    typed(said("pcm service uninstall"));
    typed(said("systemctl enable --now pcm.service"));
    assert!(README.contains("then remove `/usr/local/bin/pcm`"));
    typed("rm /usr/local/bin/pcm");
    knows("the service of the package goes on with it");
    assert!(machine.did(&["bash", "-c", "command -v pcm"]).trim().ends_with("/usr/bin/pcm"));
    assert!(!there("/etc/systemd/system/pcm.service"));

    let dpkg = |words: &str| typed(&words.replacen("dpkg ", "dpkg --force-unsafe-io --no-triggers ", 1));
    dpkg(said("dpkg -r pcm"));
    assert!(!there("/usr/bin/pcm") && there("/var/lib/pcm/history.db") && there("/etc/pcm"));
    machine.install(&deb);
    knows("what was kept counts when the package is installed again");
    dpkg(said("dpkg -P pcm"));
    for folder in ["/etc/pcm", "/var/lib/pcm", "/var/log/pcm"] {
        assert!(!there(folder), "{folder}");
    }

    // The share knows that this machine had another life.
    machine.configure();
    machine.install(&deb);
    let status = || text(&machine.run(&["pcm", "status", "--json"]));
    wait_for("it says that its history is lost", || status().contains("history-lost"));
    typed(said("pcm init --adopt=done"));
    wait_for("it goes on", || !status().contains("history-lost"));
    machine.did(&["pcm", "poll"]);
    assert_eq!(machine.site.ran("begun"), 1, "{}", machine.log());
}
