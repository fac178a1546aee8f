//! The README's way from nothing to a package that has run.

use super::{enrolled, pcm, text};
use std::process::Command;

#[test]
fn from_an_empty_folder_to_a_package_that_has_run() {
    let dir = enrolled();
    let list = pcm(dir.path(), &["list"]);
    assert!(text(&list.stdout).contains("BP0000Y"), "{}", text(&list.stdout));

    let run = pcm(dir.path(), &["run", "BP0000Y", "--follow"]);
    let said = text(&run.stdout);
    assert_eq!(run.status.code(), Some(0), "{said}{}", text(&run.stderr));
    assert!(said.contains("step 1 of") && said.contains("attempt 1 succeeded"), "{said}");

    let history = pcm(dir.path(), &["history", "--json"]);
    let history: serde_json::Value = serde_json::from_slice(&history.stdout).unwrap();
    assert_eq!(history["attempts"][0]["state"], "succeeded");
}

#[test]
fn init_on_healthy_state_changes_nothing() {
    let dir = enrolled();
    let files = ["pcm.toml", "pcm.mark", "state/history.db"];
    let before: Vec<_> = files.iter().map(|f| std::fs::read(dir.path().join(f)).unwrap()).collect();
    assert!(pcm(dir.path(), &["init"]).status.success());
    let after: Vec<_> = files.iter().map(|f| std::fs::read(dir.path().join(f)).unwrap()).collect();
    assert!(before == after);
}

#[test]
fn the_hash_of_a_package_is_the_one_in_the_instruction_file() {
    let dir = enrolled();
    let content = pcm(dir.path(), &["package", "content", "BP00000A", "--json"]);
    let content: serde_json::Value = serde_json::from_slice(&content.stdout).unwrap();
    let ins = std::fs::read_to_string(dir.path().join("share/pcmins.box/BP004000.INS")).unwrap();
    assert!(ins.contains(content["content_sha256"].as_str().unwrap()));
}

#[test]
fn an_init_that_failed_halfway_is_repeated_with_any_flags_and_after_it_another_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made =
        pcm(dir.path(), &["site", "init", "share", "--hand-made", "--site", "BP0", "--example", "BP004000"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let init = ["init", "--machine", "BP004000", "--share", "share", "--trust", "permissions"];
    // A file is where the state folder has to be: the configuration is written, the history is not.
    std::fs::write(dir.path().join("state"), "in the way").unwrap();
    assert_eq!(pcm(dir.path(), &init).status.code(), Some(6));
    assert!(dir.path().join("pcm.toml").exists());
    // Nothing was enrolled yet: what was named wrongly is named anew, and what is not named stays.
    let other = ["init", "--machine", "BP004001", "--trust", "signed"];
    assert_eq!(pcm(dir.path(), &other).status.code(), Some(6));
    let written = std::fs::read_to_string(dir.path().join("pcm.toml")).unwrap();
    assert!(written.contains("machine = \"BP004001\"") && written.contains("mode = \"signed\""), "{written}");
    assert!(written.lines().any(|line| line.starts_with("shares = ") && line.contains("share")), "{written}");
    std::fs::remove_file(dir.path().join("state")).unwrap();
    let again = pcm(dir.path(), &init);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert!(pcm(dir.path(), &init).status.success(), "and again");
    for (flag, value, status) in
        [("--machine", "BP004001", 3), ("--share", "other", 3), ("--trust", "signed", 2)]
    {
        assert_eq!(pcm(dir.path(), &["init", flag, value]).status.code(), Some(status), "{flag}");
    }
}

/// The commands of a section of README, as they stand there. What a machine's user data says is no command.
fn commands(section: &str) -> String {
    let readme = include_str!("../../README.md");
    let section = readme.split_once(&format!("\n## {section}\n")).unwrap().1;
    let section = section.split_once("\n## ").unwrap().0;
    let mut blocks: Vec<Vec<&str>> = vec![Vec::new()];
    for line in section.lines() {
        match (line.strip_prefix("    "), line.is_empty(), blocks.last_mut()) {
            (Some(command), _, Some(block)) => block.push(command),
            (None, true, _) => {}
            (None, false, _) | (Some(_), _, None) => blocks.push(Vec::new()),
        }
    }
    let typed = blocks.into_iter().filter(|block| block.first().is_none_or(|line| !line.starts_with('#')));
    typed.flatten().fold(String::new(), |all, line| all + line + "\n")
}

/// Every command of README stands where it works. What needs root, a file server or another machine is played: the share is
/// a folder, `ssh` acts for a second machine with folders of its own, and nothing is installed.
#[cfg(unix)]
#[test]
fn the_readme_leads_from_an_empty_folder_to_a_signed_package_on_a_second_machine() {
    let there = |program: &str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        found.is_ok_and(|output| output.status.success())
    };
    if let Some(missing) = ["bash", "ssh-keygen", "dpkg-deb"].into_iter().find(|program| !there(program)) {
        return crate::common::skipped(format_args!("{missing} is not installed"));
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let control = dir.join("tree/DEBIAN/control");
    std::fs::create_dir_all(control.parent().unwrap()).unwrap();
    let words = "Package: hello\nVersion: 2.10-3\nArchitecture: all\nMaintainer: A <a@acme.example>\nDescription: Hello\n";
    std::fs::write(control, words).unwrap();
    let typed = commands("From an empty folder to a `.deb` on two machines");
    let typed = typed.replace("/srv/pcm", "$T/share").replace("/etc/fstab", "$T/fstab");
    let script = format!(
        r#"set -e
        cargo() {{ :; }}; install() {{ :; }}; mount() {{ :; }}; scp() {{ :; }}
        hostname() {{ uname -n; }}
        apt-get() {{ dpkg-deb --root-owner-group -b "$T/tree" hello_2.10-3_amd64.deb; }}
        pcm() {{
          case "$*" in
            "service install" | --host\ *\ run\ *) ;;
            check) "$PCM" check || [ $? = 10 ] ;;
            --host\ *) shift 2; (second; "$PCM" "$@") ;;
            *) "$PCM" "$@" ;;
          esac
        }}
        second() {{ export PCM_CONFIG="$T/second/pcm.toml" PCM_STATE="$T/second/state"; }}
        ssh() {{ (second; mkdir -p "$T/second"; eval "${{2/pcm init/pcm init --machine BP004001}}"); }}
        cd "$T"
        {typed}"#
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).env("T", dir).env("HOME", dir.join("home")).env("TZ", "UTC");
    bash.env("PCM", env!("CARGO_BIN_EXE_pcm")).env_remove("PCM_SITE_FOLDER");
    bash.env("PCM_CONFIG", dir.join("pcm.toml")).env("PCM_STATE", dir.join("state"));
    std::fs::create_dir(dir.join("home")).unwrap();
    let done = bash.output().unwrap();
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", text(&done.stderr));
    assert!(said.contains("BP004000: configuration") && said.contains("BP004001: configuration"), "{said}");
    // What is sent is believed and waits there for its time, or for an operator.
    let explain = ["explain", "BP00001", "--json"];
    let explained = pcm(&dir.join("second"), &explain);
    let explained: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
    let gate =
        |name: &str| explained["gates"].as_array().unwrap().iter().find(|g| g["gate"] == name).unwrap();
    for name in ["source", "target", "trust"] {
        assert_eq!(gate(name)["verdict"], "pass", "{}", gate(name));
    }
    assert!(explained["allowed"][0]["ok"].as_bool().unwrap(), "{explained}");
}
