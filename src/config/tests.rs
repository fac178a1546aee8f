//! The key table of FORMATS.md 9.
#![allow(clippy::unwrap_used)]

use super::{Config, Counts, LoadError, PollingBy, Starter};
use crate::clock::When;
use crate::log::write::LogFormat;
use crate::site::trust::TrustMode;
use std::path::PathBuf;
use std::time::Duration;

/// Every key with a value that is not its default.
const ALL: &str = r#"
machine = "bp004000"
shares = ["/mnt/a", "/mnt/b"]
polling_interval = "90s"
role = "production"
[run]
max_run_time = "1h"
countdown = "0s"
after_boot = "1m"
retries = 1
retry_after = "2m"
run_as = "deploy"
[execute]
programs = ["zypper", "snap"]
[windows]
weekly = ["Sat 22:00-06:00"]
zone = "Europe/Berlin"
[[freeze]]
from = 2026-12-20T00:00:00
until = 2027-01-04T00:00:00
reason = "end of year"
[[freeze]]
from = 2027-12-20T00:00:00Z
until = 2028-01-04T00:00:00+01:00
[deferral]
max_count = 1
max_total = "1d"
never_within = "2h"
[users]
ignore = ["backup"]
busy_within = "5m"
[restart]
allow = true
countdown = "1m"
[share]
stale_after = "2d"
timeout = "3s"
[report]
sign = true
facts = { rack = "b7", "Row.2-x_" = "links \"a*\"" }
[trust]
mode = "permissions"
dir = "/etc/pcm/keys"
publish_signatures = 2
package_ignore_windows = true
[operators]
group = "wheel"
[notify]
command = ["/usr/local/bin/page-someone", "now"]
[check]
backup = ["/usr/local/bin/backup-is-fresh"]
backup_marker = "/var/backups/last"
backup_within = "2d"
[retention]
transcripts = "10d"
transcripts_size = "20 MB"
stage = "3d"
stage_size = "700 MB"
results = "400d"
[log]
dir = "/srv/log"
format = "classic"
max_size = "1MB"
keep = 9
files = ["/var/log/x/*.LOG"]
[console]
theme = "night"
keymap = "/etc/pcm/keymap.toml"
roles = { production = "red", test = "green" }
"#;

/// Lines and fields of all errors.
fn errors(text: &str) -> Vec<(u32, String)> {
    let problems = Config::parse(text, "pcm.toml").unwrap_err();
    assert!(problems.iter().all(|p| p.code == "policy-unreadable" && p.file.as_str() == "pcm.toml"));
    let field = |f: &Option<crate::text::SafeText>| f.as_ref().map(ToString::to_string).unwrap_or_default();
    problems.iter().map(|p| (p.line.unwrap(), field(&p.field))).collect()
}

#[test]
fn an_empty_file_is_the_defaults() {
    let config = Config::parse("", "pcm.toml").unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    assert_eq!(config.trust.mode, TrustMode::Signed);
    assert_eq!(config.log.dir, None);
}

#[test]
fn every_key_of_the_table_is_read() {
    let c = Config::parse(ALL, "pcm.toml").unwrap();
    assert!(c.signs_reports(), "in mode permissions, too");
    let s = Duration::from_secs;
    assert_eq!(c.machine.unwrap().as_str(), "BP004000");
    assert_eq!(c.shares, [PathBuf::from("/mnt/a"), PathBuf::from("/mnt/b")]);
    assert_eq!((c.polling_interval, c.role.as_str()), (s(90), "production"));
    assert_eq!((c.run.max_run_time, c.run.countdown, c.run.after_boot), (s(3_600), s(0), s(60)));
    assert_eq!((c.run.retries, c.run.retry_after, c.run.run_as.as_deref()), (1, s(120), Some("deploy")));
    assert_eq!(c.execute.programs, ["zypper", "snap"]);
    assert!(c.all_programs().ends_with(&["zypper".to_owned(), "snap".to_owned()]));
    assert_eq!(
        (c.windows.weekly, c.windows.zone.as_str()),
        (vec!["Sat 22:00-06:00".to_owned()], "Europe/Berlin")
    );
    assert_eq!(c.freezes.len(), 2);
    assert!(matches!(c.freezes[0].from, When::Local(_)) && matches!(c.freezes[1].until, When::Instant(_)));
    assert_eq!((c.freezes[0].reason.as_str(), c.freezes[1].reason.as_str()), ("end of year", ""));
    assert_eq!(
        (c.deferral.max_count, c.deferral.max_total, c.deferral.never_within),
        (1, s(86_400), s(7_200))
    );
    assert_eq!((c.users.ignore, c.users.busy_within), (vec!["backup".to_owned()], s(300)));
    assert_eq!((c.restart.allow, c.restart.countdown), (true, s(60)));
    assert_eq!((c.share.stale_after, c.share.timeout), (s(172_800), s(3)));
    assert_eq!((c.trust.publish_signatures, c.trust.package_ignore_windows), (2, true));
    assert_eq!((c.trust.mode, c.trust.dir), (TrustMode::Permissions, Some("/etc/pcm/keys".into())));
    assert_eq!(c.operators.group, "wheel");
    assert_eq!(c.notify.command, ["/usr/local/bin/page-someone", "now"]);
    assert_eq!(c.check.backup, ["/usr/local/bin/backup-is-fresh"]);
    assert_eq!(c.check.backup_marker.as_deref(), Some(std::path::Path::new("/var/backups/last")));
    assert_eq!(c.check.backup_within, s(2 * 86_400));
    assert_eq!((c.retention.transcripts, c.retention.stage), (s(864_000), s(259_200)));
    assert_eq!(c.retention.transcripts_size, 20 << 20);
    assert_eq!((c.retention.stage_size, c.retention.results), (700 << 20, s(400 * 86_400)));
    assert_eq!((c.log.dir, c.log.format), (Some("/srv/log".into()), LogFormat::Classic));
    assert_eq!((c.log.max_size, c.log.keep), (1 << 20, 9));
    assert_eq!(c.log.files, ["/var/log/x/*.LOG"]);
    assert_eq!((c.console.theme.as_str(), c.console.keymap), ("night", Some("/etc/pcm/keymap.toml".into())));
    let facts = [("rack", "b7"), ("Row.2-x_", "links \"a*\"")];
    let mut read: Vec<_> = c.report.facts.iter().map(|(name, text)| (&**name, &**text)).collect();
    read.sort_by_key(|(name, _)| *name != "rack");
    assert_eq!(read, facts);
    let roles = [("production".to_owned(), "red".to_owned()), ("test".to_owned(), "green".to_owned())];
    assert_eq!(c.console.roles, roles);
}

#[test]
fn the_original_line_ends_and_a_byte_order_mark_make_no_difference() {
    let plain = format!("{:?}", Config::parse(ALL, "f").unwrap());
    let windows = format!("\u{feff}{}", ALL.replace('\n', "\r\n"));
    assert_eq!(format!("{:?}", Config::parse(&windows, "f").unwrap()), plain);
}

#[test]
fn all_errors_are_told_at_once_with_their_lines() {
    let text = "machine = \"BP\"\nshares = [\"relative\", 5]\ncolour = 1\n[run]\nretries = -1\nspeed = 2\n[nothing]\na = 1\n[log]\nformat = \"html\"\n";
    let expected = [
        (1, "machine"),
        (2, "shares[1]"),
        (2, "shares[2]"),
        (3, "colour"),
        (5, "run.retries"),
        (6, "run.speed"),
        (7, "nothing"),
        (10, "log.format"),
    ];
    assert_eq!(errors(text), expected.map(|(l, f)| (l, f.to_owned())));
}

#[test]
fn a_syntax_error_does_not_hide_the_other_errors() {
    assert_eq!(
        errors("machine = = 5\n[run]\nretries = \"three\"\n[users\nignore = 1\n")
            .iter()
            .map(|e| e.0)
            .collect::<Vec<_>>(),
        [1, 3, 4, 5]
    );
}

#[test]
fn each_wrong_value_is_an_error_at_its_line() {
    for (text, field) in [
        ("machine = 4000", "machine"),
        ("shares = \"/mnt\"", "shares"),
        ("polling_interval = \"0m\"", "polling_interval"),
        ("polling_interval = 60", "polling_interval"),
        ("polling_interval = \"1w\"", "polling_interval"),
        ("run.max_run_time = \"25h\"", "run.max_run_time"),
        ("run.retries = 5000000000", "run.retries"),
        ("run = 5", "run"),
        ("execute.programs = [\"/bin/x\"]", "execute.programs[1]"),
        ("execute.programs = [\"x y\"]", "execute.programs[1]"),
        ("windows.weekly = [5]", "windows.weekly[1]"),
        ("windows.zone = \"\"", "windows.zone"),
        ("freeze = [{ from = 2026-01-01T00:00:00 }]", "freeze[1].until"),
        ("freeze = [{ from = 2026-01-01T00:00:00, until = 2026-01-01T00:00:00 }]", "freeze[1].until"),
        ("restart.allow = \"yes\"", "restart.allow"),
        ("trust.mode = \"none\"", "trust.mode"),
        ("trust.dir = \"keys\"", "trust.dir"),
        ("trust.publish_signatures = 0", "trust.publish_signatures"),
        ("trust.publish_signatures = 9", "trust.publish_signatures"),
        ("notify.command = \"mail\"", "notify.command"),
        ("notify.command = [\"mail\"]", "notify.command"),
        ("log.max_size = \"1 B\"", "log.max_size"),
        ("log.max_size = 10", "log.max_size"),
        ("console.roles = { a = 1 }", "console.roles.a"),
        ("report.facts = \"rack=b7\"", "report.facts"),
        ("report.facts = { rack = 7 }", "report.facts.rack"),
        ("report.facts = { rack = \"\" }", "report.facts.rack"),
        ("report.facts = { \"the rack\" = \"b7\" }", "report.facts.the rack"),
    ] {
        assert_eq!(errors(&format!("\n{text}\n")), [(2, field.to_owned())], "{text}");
    }
}

#[test]
fn a_share_may_be_an_address_in_mode_signed() {
    let text = "shares = [\"/mnt/a\", \"s3://pcm-site/bp0/\", \"https://cdn.example.com/bp0\"]\n[share]\n\
                report = \"s3://pcm-site/bp0\"\nendpoint = \"https://s3.example.com\"\nbandwidth = \"2MB\"\n";
    let config = Config::parse(text, "pcm.toml").unwrap();
    let shares = ["/mnt/a", "s3://pcm-site/bp0", "https://cdn.example.com/bp0"].map(PathBuf::from);
    assert_eq!(config.shares, shares);
    assert_eq!(config.share.bandwidth, 2 << 20);
    assert_eq!(config.share.access().endpoint.as_deref(), Some("https://s3.example.com"));
    let said = |text: &str| Config::parse(text, "pcm.toml").unwrap_err()[0].message.to_string();
    let why = said(&format!("{text}[trust]\nmode = \"permissions\"\n"));
    assert!(why.contains("s3://pcm-site/bp0 is no folder"), "{why}");
    let reports = "[share]\nreport = \"s3://pcm-site/own\"\n[trust]\nmode = \"permissions\"\n";
    assert!(said(reports).contains("s3://pcm-site/own is no folder"), "{}", said(reports));
    for (wrong, why) in [
        ("shares = [\"s3://A\"]\n", "the name of a bucket"),
        ("shares = [\"http://cdn.example.com\"]\n", "without https"),
        ("[share]\nreport = \"https://cdn.example.com\"\n", "nobody can write there"),
        ("[share]\nendpoint = \"s3.example.com\"\n", "begins with https://"),
    ] {
        assert!(said(wrong).contains(why), "{wrong}: {}", said(wrong));
    }
}

#[test]
fn facts_are_few_and_short() {
    let facts = |n: usize, name: usize, text: usize| {
        let each = (0..n).map(|i| format!("{i:0>name$} = {:?}\n", "x".repeat(text)));
        format!("[report.facts]\n{}", each.collect::<String>())
    };
    let read = Config::parse(&facts(32, 32, 128), "f").unwrap().report.facts;
    assert_eq!((read.len(), read[31].0.len(), read[31].1.len()), (32, 32, 128));
    assert_eq!(errors(&facts(40, 2, 1)), [(34, "report.facts.32".to_owned())]);
    assert_eq!(errors(&facts(1, 33, 1)).len(), 1);
    assert_eq!(errors(&facts(1, 2, 129)), [(2, "report.facts.00".to_owned())]);
}

#[test]
fn a_shell_is_refused_on_the_list_of_programs() {
    for shell in
        ["sh", "bash", "cmd.exe", "CMD.EXE", "cmd", "powershell", "PowerShell.exe", "pwsh", "zsh", "env"]
    {
        let text = format!("[execute]\nprograms = [\"zypper\", \"{shell}\"]\n");
        assert_eq!(errors(&text), [(2, "execute.programs[2]".to_owned())], "{shell}");
    }
}

#[test]
fn a_missing_file_is_told_apart_from_a_bad_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pcm.toml");
    assert_eq!(Config::load(&path).unwrap_err(), LoadError::Missing(path.clone()));
    std::fs::write(&path, "machine = 5\n").unwrap();
    let Err(LoadError::Bad(problems)) = Config::load(&path) else { panic!() };
    assert_eq!(problems[0].line, Some(1));
    std::fs::write(&path, b"role = \"\xff\"\n").unwrap();
    assert!(matches!(Config::load(&path), Err(LoadError::Bad(_))));
    std::fs::write(&path, ALL).unwrap();
    assert!(Config::load(&path).is_ok());
    assert!(matches!(Config::load(dir.path()), Err(LoadError::Bad(_))));
}

#[test]
fn a_new_configuration_says_what_was_asked_for_and_nothing_else() {
    let machine = "BP004000".parse().unwrap();
    let plain = Starter::new(machine, vec!["/mnt/a \"b\"".into(), "/c\\d".into()], TrustMode::Permissions);
    let config = Config::parse(&plain.text(), "pcm.toml").unwrap();
    assert_eq!(config.machine, Some(machine));
    assert_eq!(config.shares, plain.shares);
    assert_eq!(config.trust.mode, TrustMode::Permissions);
    let expected = Config {
        machine: Some(machine),
        shares: plain.shares.clone(),
        trust: super::Trust { mode: TrustMode::Permissions, ..super::Trust::default() },
        ..Config::default()
    };
    assert_eq!(format!("{config:?}"), format!("{expected:?}"));

    let full = Starter {
        log_dir: Some("/tmp/log".into()),
        polling_interval: Some("5s".into()),
        role: "test".into(),
        trust: TrustMode::Signed,
        ..plain
    };
    let config = Config::parse(&full.text(), "pcm.toml").unwrap();
    assert_eq!((config.log.dir, config.role.as_str()), (Some("/tmp/log".into()), "test"));
    assert_eq!((config.polling_interval, config.trust.mode), (Duration::from_secs(5), TrustMode::Signed));
}

#[test]
fn the_default_of_every_row_is_read_as_such_and_every_example_is_read() {
    for section in Config::sections() {
        let head = match (section.name, section.repeated) {
            ("", _) => String::new(),
            (name, true) => format!("[[{name}]]\n"),
            (name, false) => format!("[{name}]\n"),
        };
        for setting in &section.settings {
            let read = |written: &str| {
                // A freeze is read as a whole, below.
                let text = format!("{head}{} = {written}\n", setting.key);
                Config::parse(&text, "f").unwrap_or_else(|e| panic!("{text}: {e:?}"))
            };
            if let Some(default) = &setting.default {
                let mut config = read(default);
                // Who says it is all that differs.
                config.polling_by = PollingBy::Default;
                assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()), "{setting:?}");
            }
            if let Some(example) = setting.example.filter(|_| !section.repeated) {
                assert_ne!(format!("{:?}", read(example)), format!("{:?}", Config::default()), "{setting:?}");
            }
            assert!(setting.default.is_some() || setting.example.is_some(), "{setting:?}");
        }
    }
}

/// A row that is marked is what a service compares; one that is not is read anew wherever it is used.
#[test]
fn every_setting_counts_soon_or_is_compared_with_what_it_was_at_the_start() {
    let at_start = Config::default().at_start();
    let mut marked = Vec::new();
    for section in Config::sections() {
        for setting in section.settings.iter().filter(|setting| setting.counts == Counts::AtStart) {
            let top = section.name.is_empty();
            let name =
                if top { setting.key.to_owned() } else { format!("[{}] {}", section.name, setting.key) };
            let (Some(written), None) = (setting.example, &setting.default) else {
                unreachable!("{name}: it has a default, and the test needs another value for it")
            };
            let header = if top { String::new() } else { format!("[{}]\n", section.name) };
            let changed = Config::parse(&format!("{header}{} = {written}\n", setting.key), "f");
            let changed = changed.unwrap().at_start();
            let differs: Vec<_> =
                at_start.iter().zip(&changed).filter(|(was, is)| was != is).map(|(was, _)| &was.0).collect();
            assert_eq!(differs, [&name]);
            marked.push(name);
        }
    }
    assert_eq!(at_start.iter().map(|(name, _)| name).collect::<Vec<_>>(), marked.iter().collect::<Vec<_>>());
    // Whatever a service reads once has to be marked: which machine it is, its folders, and nothing else.
    assert_eq!(marked, ["machine", "[log] dir"]);
}

#[test]
fn a_new_configuration_shows_every_setting_and_all_of_it_can_be_put_in_force() {
    let text = Starter::new("BP004000".parse().unwrap(), vec![], TrustMode::Signed).text();
    let is_setting = |line: &str| line.starts_with("[[") || line.split(' ').nth(1) == Some("=");
    let uncommented = |line: &str| match line.strip_prefix("# ").filter(|bare| is_setting(bare)) {
        Some(bare) => format!("{bare}\n"),
        None => format!("{line}\n"),
    };
    let in_force: String = text.lines().map(uncommented).collect();
    let config = Config::parse(&in_force, "f").unwrap_or_else(|e| panic!("{in_force}\n{e:?}"));
    assert_eq!(config.freezes.len(), 1);
    for section in Config::sections() {
        for setting in section.settings {
            let line = format!("{} = ", setting.key);
            let lines = in_force.lines().filter(|l| l.starts_with(&line)).count();
            assert!(lines > 0, "{}.{}", section.name, setting.key);
        }
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_setting_that_takes_a_word_names_all_that_there_are() {
    let said = |name: &str, key: &str| {
        let sections = Config::sections();
        let section = sections.into_iter().find(|section| section.name == name).unwrap();
        section.settings.into_iter().find(|setting| setting.key == key).unwrap().words
    };
    let trust: Vec<&str> = TrustMode::ALL.iter().map(|mode| mode.as_str()).collect();
    let format: Vec<&str> = LogFormat::ALL.iter().map(|format| format.as_str()).collect();
    assert_eq!((said("trust", "mode"), said("log", "format")), (&*trust.join(" | "), &*format.join(" | ")));
}

/// What stands in backquotes as a section in brackets and a key is a setting.
#[test]
fn no_text_names_a_setting_that_there_is_not() {
    let known: Vec<(String, String)> = Config::sections()
        .into_iter()
        .flat_map(|s| s.settings.into_iter().map(move |key| (s.name.to_owned(), key.key.to_owned())))
        .collect();
    let named = regex::Regex::new(r"`\[([a-z]+)\]\s+([a-z_]+)`").unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![root.join("README.md")];
    let mut folders = vec![root.join("src"), root.join(".github")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|e| e.to_str()) {
                None if path.is_dir() => folders.push(path),
                Some("rs" | "md") => texts.push(path),
                _ => {}
            }
        }
    }
    let mut seen = 0;
    for path in texts {
        let text = std::fs::read_to_string(&path).unwrap();
        for found in named.captures_iter(&text) {
            let setting = (found[1].to_owned(), found[2].to_owned());
            assert!(known.contains(&setting), "{}: {}", path.display(), &found[0]);
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = super::read::parse(&bytes, "f");
        let _ = crate::site::site_file::parse(&bytes, "f");
    }

    #[test]
    fn damage_to_a_whole_configuration_is_an_error_or_another_configuration_and_never_a_panic(
        at in 0..ALL.len(), byte in proptest::prelude::any::<u8>(), cut in 0..60usize
    ) {
        let mut bytes = ALL.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = super::read::parse(&bytes, "f");
        bytes.drain(at..(at + cut).min(bytes.len()));
        if let Err(problems) = super::read::parse(&bytes, "f") {
            proptest::prop_assert!(problems.iter().all(|p| p.line.is_some()));
        }
    }
}
