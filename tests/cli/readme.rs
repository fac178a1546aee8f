//! README's commands, run as they stand there.

use super::{pcm, text};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../README.md");
/// The section whose commands make a site of two machines.
const SITE: &str = "A signed site in ten minutes";
/// The sections whose commands are for a machine and a site that there are.
const DAILY: [&str; 3] = ["Daily use", "Operators", "Monitoring"];

/// Why some of them do not run here.
const ON_ANOTHER: &str = "it changes this machine; tests/e2e/life/readme.rs has one of its own for it";

/// Commands that cannot run in a test, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo run --release -- demo", "tests/cli/demo.rs and tests/pty run the demo"),
    ("cargo test", "it is what runs this"),
    (
        "cargo install --locked --path . --root /usr/local",
        "it compiles everything anew, and changes this machine",
    ),
    ("cargo build --release", "it compiles everything anew"),
    (
        "dpkg -i target/packages/pcm_0.1.0-1_amd64.deb",
        "it changes this machine; a scratch root has it installed when packages are tested",
    ),
    ("rpm -i target/packages/pcm-0.1.0-1.x86_64.rpm", "it changes this machine"),
    ("install -m 0755 target/release/pcm /usr/local/bin/pcm", ON_ANOTHER),
    ("systemctl restart pcm", ON_ANOTHER),
    ("pcm service uninstall", ON_ANOTHER),
    ("rm /usr/local/bin/pcm", ON_ANOTHER),
    (
        "groupadd -f --system pcm-operators && usermod -aG pcm-operators anna",
        "it changes this machine's accounts",
    ),
    ("pcm log -f --level warning", "it ends with Ctrl-C; tests/cli/log.rs follows logs"),
    (
        "pcm log --hosts web-01,web-02 --since 2h --grep timeout",
        "it needs machines; tests/ssh/logs.rs has some",
    ),
];

/// Commands that may end with another status than 0 on the machine of a test, and why.
const MAY_END: &[(&str, &[i32], &str)] = &[
    ("pcm log --request BP00001", &[1], "nothing of it is in the log yet"),
    ("pcm log --explain-codes ", &[1], "no error is in the log"),
    ("pcm stop BP00001 ", &[3], "it does not run"),
    ("pcm offers", &[3], "nobody is logged on, or that cannot be known"),
    ("pcm install ", &[3, 4], "nobody is logged on, or that cannot be known"),
    ("pcm notice ", &[3], "nobody is logged on, or that cannot be known"),
    ("pcm site status", &[10], "the second job may want attention"),
    ("pcm status --json", &[10], "no service runs"),
    ("pcm rollout --check ", &[1, 2], "no machine has reported yet"),
];

/// The text of a section.
fn section(name: &str) -> &'static str {
    let section = README.split_once(&format!("\n## {name}\n")).unwrap().1;
    section.split_once("\n## ").map_or(section, |(section, _)| section)
}

/// The commands of a text of README, as they stand there.
fn commands(section: &str) -> String {
    let typed = section.lines().filter_map(|line| line.strip_prefix("    "));
    typed.fold(String::new(), |all, line| all + line + "\n")
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
    let typed = commands(section(SITE));
    let typed = typed.replace("/srv/pcm", "$T/share").replace("/srv/samba/pcm", "$T/share");
    let typed = typed.replace("/etc/fstab", "$T/fstab");
    let script = format!(
        r#"set -e
        mount() {{ :; }}; scp() {{ :; }}
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

/// What README says to type day by day is typed here, in its order, on the machine of a site that there is.
#[test]
fn the_commands_of_daily_use_do_what_the_readme_says() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let tree = dir.join("tree");
    std::fs::create_dir_all(dir.join("share")).unwrap();
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("setup.sh"), "#!/bin/sh\necho installed\n").unwrap();
    std::fs::set_permissions(tree.join("setup.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let typed = |line: &str| {
        let mut bash = Command::new("sh");
        bash.args(["-c", &format!("pcm() {{ \"$PCM\" \"$@\"; }}\n{line}")]);
        bash.env("T", dir).env("HOME", dir).env("TZ", "UTC").env("PCM", env!("CARGO_BIN_EXE_pcm"));
        bash.env("PCM_CONFIG", dir.join("pcm.toml")).env("PCM_STATE", dir.join("state"));
        bash.env_remove("PCM_SITE_FOLDER");
        let site = dir.join("site");
        bash.current_dir(if site.exists() { &site } else { dir });
        let done = bash.output().unwrap();
        let said = format!("{line}\n{}{}", text(&done.stdout), text(&done.stderr));
        (done.status.code().unwrap(), said)
    };
    for line in [
        "pcm site init site --site BP0 --share $T/share",
        "pcm package import $T/tree --name Hello --version 1 --command-line setup.sh",
        "pcm package content BP000001",
        "pcm site machine add BP004000 --host \"$(uname -n)\" --group web",
        "pcm job send --package BP000001 --to @web --mandatory 'Sat 22:00'",
        "pcm init --share $T/share --trust permissions",
        "pcm poll",
    ] {
        let (status, said) = typed(line);
        assert_eq!(status, 0, "{said}");
    }
    let mut ran = 0;
    for name in DAILY {
        for line in commands(section(name)).lines().filter(|line| !is_not_run(line)) {
            // What the system would do by itself from then on is only said.
            let line = line.replace("install-timer", "install-timer --dry-run");
            let line = line.replace("/var/lib/node_exporter", "$T");
            let (status, said) = typed(&line);
            let known = MAY_END.iter().find(|(begins, ..)| line.starts_with(begins));
            let may = known.map_or(&[][..], |(_, statuses, _)| *statuses);
            assert!(status == 0 || may.contains(&status), "{status}: {said}");
            ran += 1;
        }
    }
    assert!(ran >= 30, "{ran}");
    // It did something: two runs, a deferral that has ended, and nothing that keeps the site from going on.
    let (_, history) = typed("pcm history BP00001 --json");
    assert_eq!(history.matches("\"state\": \"succeeded\"").count(), 2, "{history}");
    assert!(dir.join("site/BP00001.tar.zst").is_file() && dir.join("pcm.prom").is_file());
}

fn is_not_run(line: &str) -> bool {
    NOT_RUN.iter().any(|(command, _)| *command == line)
}

/// No command of README is in no test: it is in a section that is run, or in the list with the reason.
#[test]
fn every_command_of_the_readme_is_run_or_has_its_reason() {
    let run = [&[SITE][..], &DAILY[..]].concat();
    let run: String = run.iter().map(|name| commands(section(name))).collect();
    let all = commands(README);
    for line in all.lines() {
        assert!(is_not_run(line) || run.lines().any(|known| known == line), "no test runs `{line}`");
    }
    for (command, _) in NOT_RUN {
        assert!(all.lines().any(|line| line == *command), "README does not say `{command}` any more");
    }
    for (begins, ..) in MAY_END {
        assert!(all.lines().any(|line| line.starts_with(begins)), "README does not say `{begins}` any more");
    }
    assert!(README.lines().count() < 491, "half of what it was, or less");
}

/// Where the links of a page lead, without those to other sites.
fn links(page: &str) -> Vec<&str> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.filter(|link| !link.starts_with("http")).collect()
}

/// The headings of a page, as links name them.
fn anchors(page: &str) -> Vec<String> {
    let headings =
        page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let plain =
        |c: char| (c.is_alphanumeric() || "-_ ".contains(c)).then_some(if c == ' ' { '-' } else { c });
    headings.map(|heading| heading.to_lowercase().chars().filter_map(plain).collect()).collect()
}

/// A link leads to a file, and to a heading of it, that are there, in the repository and where a package has its pages.
#[test]
fn links_lead_to_what_is_there_also_in_the_pages_of_packages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir().unwrap();
    let mut write = Command::new(env!("CARGO_BIN_EXE_pcm"));
    let written = write.arg("package-files").arg(made.path()).arg("--pages").arg(root).output().unwrap();
    assert!(written.status.success(), "{}", text(&written.stderr));
    let doc = made.path().join("doc");
    for (root, folders) in [(root, &["", ".github", ".github/docs"][..]), (&doc, &["", "docs"])] {
        let mut pages = Vec::new();
        for folder in folders {
            let files = std::fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().file_name());
            let files = files.map(|name| Path::new(folder).join(name));
            pages.extend(files.filter(|file| file.extension().is_some_and(|ending| ending == "md")));
        }
        let mut seen = 0;
        for page in &pages {
            let words = std::fs::read_to_string(root.join(page)).unwrap();
            for link in links(&words) {
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                let to = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
                let there = std::fs::read(root.join(&to));
                let there = there.unwrap_or_else(|e| panic!("{}: {link}: {e}", page.display()));
                let has = || anchors(&text(&there)).iter().any(|heading| heading == anchor);
                assert!(anchor.is_empty() || has(), "{}: {link}: no such heading", page.display());
                // What a package does not bring is not looked for beside it.
                assert!(root.join(&to).canonicalize().unwrap().starts_with(root.canonicalize().unwrap()));
                seen += 1;
            }
        }
        assert!(seen > 60, "{seen}");
    }
    assert!(doc.join("README.md").is_file() && doc.join("docs/settings.md").is_file());
    // All of them are in the packages, where a folder that is hidden is no place to look.
    let assets = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (from, to) in [("doc/*.md", ""), ("doc/*.png", ""), ("doc/docs/*.md", "docs/")] {
        let deb = format!("[\"target/packaging/{from}\", \"usr/share/doc/pcm/{to}\", \"644\"]");
        let rpm = format!("{{ source = \"target/packaging/{from}\", dest = \"/usr/share/doc/pcm/{to}\"");
        assert!(assets.contains(&deb) && assets.contains(&rpm), "Cargo.toml: no asset {from}");
    }
    assert!(!assets.contains("doc/pcm/.github"));
}
