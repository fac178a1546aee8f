//! README's commands, run as they stand there.

use super::{pcm, text};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

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
    let words = "Package: hello\nVersion: 999.2.10-3\nArchitecture: all\nMaintainer: A <a@acme.example>\nDescription: Hello\n";
    std::fs::write(control, words).unwrap();
    let typed = commands("From an empty folder to a `.deb` on two machines");
    let typed = typed.replace("/srv/pcm", "$T/share").replace("/srv/samba/pcm", "$T/share");
    let typed = typed.replace("/etc/fstab", "$T/fstab");
    let script = format!(
        r#"set -e
        cargo() {{ :; }}; mount() {{ :; }}; scp() {{ :; }}
        install() {{ case "$*" in "-d -m 1775 -g pcm-machines "*) shift 5; mkdir "$@"; chmod 1775 "$@" ;; esac; }}
        hostname() {{ uname -n; }}
        apt-get() {{ dpkg-deb --root-owner-group -b "$T/tree" hello_2.10-3_amd64.deb; }}
        pcm() {{
          case "$*" in
            "service install" | --host\ *\ run\ *) ;;
            check) "$PCM" check || [ $? = 10 ] ;;
            --host\ *\ check) (second; "$PCM" check || [ $? = 10 ]) ;;
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
    assert!(said.contains("BP004000: configuration"), "{said}");
    assert!(dir.join("second/pcm.toml").is_file(), "{said}");
    // Reports of both can be verified: each line has the key that its machine signs with.
    let machines = std::fs::read_to_string(dir.join("home/site/machines.csv")).unwrap();
    for line in ["BP004000,", "BP004001,"] {
        let machine = machines.lines().find(|machine| machine.starts_with(line)).unwrap();
        assert!(machine.contains(",ssh-ed25519 AAAA"), "{machines}");
    }
    // What the file server lets the machines write is as it was made there, and enough.
    for folder in ["machines", "despoolr.box"] {
        let mode = std::fs::metadata(dir.join("share").join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o1775, "{folder}");
    }
    let checked = pcm(&dir.join("second"), &["check", "--json"]);
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let mut items = checked["items"].as_array().unwrap().iter();
    let report = items.find(|item| item["item"] == "report-location").unwrap();
    assert_eq!(report["verdict"], "pass", "{report}");
    // The site sees the job, and that nobody has run it yet.
    let rollout = said.rsplit_once("BP0 ").unwrap().1;
    assert!(
        rollout.contains("BP000001") && rollout.contains(" 2 machines") && rollout.contains(" 0%"),
        "{rollout}"
    );
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
