//! systemd, behind `host::supervisor`.

use crate::host::supervisor::{Registration, Timer};
use sd_notify::NotifyState;
use std::path::{Path, PathBuf};
use std::time::Duration;

const UNIT: &str = "pcm.service";
/// Its text, as packages carry it: this very file.
const UNIT_TEXT: &str = include_str!("pcm.service");
const SYSTEM_UNITS: &str = "/etc/systemd/system";
/// What counts until the next boot.
const RUNTIME_UNITS: &str = "/run/systemd/system";
/// Where packages put theirs, and before them what counts until the next boot; the one first that counts before the others.
const PACKAGED_UNITS: [&str; 4] =
    [RUNTIME_UNITS, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

pub fn notify_ready() {
    tell(&[NotifyState::Ready]);
}

pub fn notify_alive() {
    tell(&[NotifyState::Watchdog]);
}

pub fn notify_stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState]) {
    // Nobody listening is the ordinary case, and a supervisor that cannot be told will act by itself.
    let _ = sd_notify::notify(states);
}

pub fn patience() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

pub fn is_running() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// systemctl undoes only what it makes, and of the two kinds that it makes only the one that it is asked for.
pub fn unmask(mask: &Path) -> String {
    let is_in = |folder: &str| mask == Path::new(folder).join(UNIT);
    if is_in(SYSTEM_UNITS) {
        format!("systemctl unmask {UNIT}")
    } else if is_in(RUNTIME_UNITS) {
        format!("systemctl unmask --runtime {UNIT}")
    } else {
        format!("rm {}", quote(&mask.display().to_string()))
    }
}

pub fn registration(command: &[String]) -> Option<Registration> {
    let systemctl = |words: &[&str]| -> Vec<String> {
        std::iter::once("systemctl").chain(words.iter().copied()).map(str::to_owned).collect()
    };
    Some(Registration {
        file: PathBuf::from(SYSTEM_UNITS).join(UNIT),
        text: unit(command),
        packaged: PACKAGED_UNITS.iter().map(|folder| Path::new(folder).join(UNIT)).collect(),
        enabled: Path::new(SYSTEM_UNITS).join("multi-user.target.wants").join(UNIT),
        enable: vec![systemctl(&["daemon-reload"]), systemctl(&["enable", "--now", UNIT])],
        disable: vec![systemctl(&["disable", "--now", UNIT]), systemctl(&["daemon-reload"])],
    })
}

/// The units of the system where root asks, those of the account otherwise.
pub fn timer(name: &str, minutes: u32, commands: &[Vec<String>], needs: &[&Path]) -> Option<Timer> {
    if rustix::process::geteuid().is_root() {
        let folder = Path::new(SYSTEM_UNITS);
        return Some(timer_in(folder, &["systemctl"], (name, minutes), commands, needs, is_running()));
    }
    let env = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let folder = units_of(env("XDG_CONFIG_HOME"), env("HOME"))?;
    let runs = env("XDG_RUNTIME_DIR").is_some_and(|run| run.join("systemd").is_dir());
    let note = "It runs while you are logged on; for the rest of the time: loginctl enable-linger";
    let timer = timer_in(&folder, &["systemctl", "--user"], (name, minutes), commands, needs, runs);
    Some(Timer { note: Some(note.to_owned()), ..timer })
}

/// The folder of an account's own units, by what its environment says.
fn units_of(config: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let whole = |path: &PathBuf| path.is_absolute();
    let config = config.filter(whole).or_else(|| Some(home.filter(whole)?.join(".config")))?;
    Some(config.join("systemd/user"))
}

pub fn timers(name: &str, home: Option<&Path>) -> Option<Vec<PathBuf>> {
    let env = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let own = units_of(env("XDG_CONFIG_HOME"), env("HOME"));
    let of_home = units_of(None, home.map(Path::to_owned));
    let mut folders: Vec<PathBuf> =
        [Some(PathBuf::from(SYSTEM_UNITS)), own, of_home].into_iter().flatten().collect();
    folders.dedup();
    let unit = format!("{name}.timer");
    let runs = |folder: &PathBuf| {
        let enabled = folder.join("timers.target.wants").join(&unit);
        folder.join(&unit).is_file() && enabled.symlink_metadata().is_ok()
    };
    Some(folders.into_iter().filter(runs).map(|folder| folder.join(&unit)).collect())
}

fn timer_in(
    folder: &Path,
    systemctl: &[&str],
    (name, minutes): (&str, u32),
    commands: &[Vec<String>],
    needs: &[&Path],
    runs: bool,
) -> Timer {
    let (service, unit) = (format!("{name}.service"), format!("{name}.timer"));
    let words = |words: &[&str]| -> Vec<String> {
        systemctl.iter().chain(words).map(|word| (*word).to_owned()).collect()
    };
    // What comes after the first runs whatever became of it, and the unit has failed all the same.
    let lines = commands.iter().enumerate().map(|(n, command)| {
        let command: Vec<String> = command.iter().map(|word| quote(word)).collect();
        let key = if n == 0 { "ExecStart" } else { "ExecStopPost" };
        format!("{key}={}\n", command.join(" "))
    });
    let starts = format!(
        "[Unit]\nDescription=Package Command Manager, {name}\nAfter=network-online.target remote-fs.target\n\
         Wants=network-online.target\nRequiresMountsFor={}\n\n\
         [Service]\nType=oneshot\nTimeoutStartSec=10min\nTimeoutStopSec=10min\n{}",
        needs.iter().map(|path| quote(&path.display().to_string())).collect::<Vec<_>>().join(" "),
        lines.collect::<String>()
    );
    let when = format!(
        "[Unit]\nDescription=Package Command Manager, {name}\n\n[Timer]\nOnCalendar=*:0/{minutes}\nRandomizedDelaySec=60\n\
         Persistent=true\n\n[Install]\nWantedBy=timers.target\n"
    );
    Timer {
        files: vec![(folder.join(&service), starts), (folder.join(&unit), when)],
        enable: vec![words(&["daemon-reload"]), words(&["enable", "--now", &unit])],
        disable: vec![words(&["disable", "--now", &unit])],
        runs,
        note: None,
    }
}

/// The unit of packages, for another program or another installation where `command` says so.
fn unit(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| quote(word)).collect();
    let start = format!("ExecStart={}", words.join(" "));
    // The folder of the system's own history is none of an installation that has its state elsewhere.
    let elsewhere = command.iter().any(|word| word == "--state");
    let lines = UNIT_TEXT.lines().filter(|line| !(elsewhere && line.starts_with("StateDirectory")));
    lines.map(|line| if line.starts_with("ExecStart=") { &start } else { line }.to_owned() + "\n").collect()
}

/// A word of `ExecStart`: quotes, backslashes, `%` and `$` mean something there.
fn quote(word: &str) -> String {
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+=:,@".contains(&b));
    if plain && !word.is_empty() {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_of_the_unit_are_quoted_where_they_have_to_be() {
        assert_eq!(quote("/usr/local/bin/pcm"), "/usr/local/bin/pcm");
        assert_eq!(quote("/opt/my site/100%$x\"\\"), "\"/opt/my site/100%%$$x\\\"\\\\\"");
        assert_eq!(quote(""), "\"\"");
    }

    #[test]
    fn the_unit_keeps_packages_alive_over_a_restart_and_is_watched() {
        let command = ["/usr/local/bin/pcm", "service", "run"].map(str::to_owned);
        let unit = registration(&command).unwrap().text;
        for line in [
            "Type=notify",
            "KillMode=process",
            "Restart=always",
            "WatchdogSec=300",
            "OOMPolicy=continue",
            "ExecStart=/usr/local/bin/pcm service run",
        ] {
            assert!(unit.lines().any(|l| l == line), "{line} in\n{unit}");
        }
    }

    /// What an installer needs stays allowed: each of these would forbid some of it to every package.
    #[test]
    fn the_unit_forbids_packages_nothing_that_they_need() {
        let set: Vec<&str> = UNIT_TEXT
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(key, _)| key)
            .collect();
        assert!(set.contains(&"KillMode"), "{set:?}");
        for start in
            ["Protect", "Private", "SystemCall", "Capability", "Device", "NoNew", "Read", "Root", "Restrict"]
        {
            assert!(set.iter().all(|key| !key.starts_with(start)), "{start} in {set:?}");
        }
    }

    #[test]
    fn what_is_installed_by_hand_has_the_text_of_the_packages() {
        let command = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(unit(&command(&["/usr/bin/pcm", "service", "run"])), UNIT_TEXT);
        // Another installation differs in what is started, and has nothing in the system's own state folder.
        let other = unit(&command(&["/opt/pcm", "--config", "/c", "--state", "/s", "service", "run"]));
        let (only_there, only_here): (Vec<&str>, Vec<&str>) = (
            UNIT_TEXT.lines().filter(|line| !other.lines().any(|l| l == *line)).collect(),
            other.lines().filter(|line| !UNIT_TEXT.lines().any(|l| l == *line)).collect(),
        );
        assert_eq!(
            only_there,
            ["ExecStart=/usr/bin/pcm service run", "StateDirectory=pcm", "StateDirectoryMode=0711"]
        );
        assert_eq!(only_here, ["ExecStart=/opt/pcm --config /c --state /s service run"]);
    }

    #[test]
    fn a_mask_is_undone_as_it_was_made() {
        let of = |folder: &str| unmask(&Path::new(folder).join(UNIT));
        assert_eq!(of("/etc/systemd/system"), "systemctl unmask pcm.service");
        assert_eq!(of("/run/systemd/system"), "systemctl unmask --runtime pcm.service");
        // systemctl does not look there.
        assert_eq!(of("/usr/local/lib/systemd/system"), "rm /usr/local/lib/systemd/system/pcm.service");
    }

    #[test]
    fn without_a_home_nothing_says_where_the_units_of_an_account_belong() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(units_of(path("/c"), path("/h")), path("/c/systemd/user"));
        for config in [None, path(""), path("c")] {
            assert_eq!(units_of(config.clone(), path("/h")), path("/h/.config/systemd/user"));
            for home in [None, path(""), path("h")] {
                assert_eq!(units_of(config.clone(), home), None);
            }
        }
    }

    #[test]
    fn a_timer_starts_its_commands_in_their_order() {
        let commands =
            [["/opt/my site/pcm", "job"], ["/bin/pcm", "site"]].map(|c| c.map(str::to_owned).to_vec());
        let timer = timer_in(
            Path::new("/units"),
            &["systemctl", "--user"],
            ("pcm-site-BP0", 5),
            &commands,
            &[Path::new("/srv/a b")],
            true,
        );
        let [(service, starts), (unit, when)] = &timer.files[..] else { panic!("{timer:?}") };
        assert_eq!(
            (service.as_path(), unit.as_path()),
            (Path::new("/units/pcm-site-BP0.service"), Path::new("/units/pcm-site-BP0.timer"))
        );
        assert!(starts.contains("RequiresMountsFor=\"/srv/a b\"\n"), "{starts}");
        let lines: Vec<&str> = starts.lines().filter(|line| line.starts_with("ExecSt")).collect();
        // A job that cannot be advanced is no reason to let a publication run out.
        assert_eq!(lines, ["ExecStart=\"/opt/my site/pcm\" job", "ExecStopPost=/bin/pcm site"]);
        assert!(when.contains("OnCalendar=*:0/5\n") && when.contains("WantedBy=timers.target"), "{when}");
        assert_eq!(timer.enable[1].join(" "), "systemctl --user enable --now pcm-site-BP0.timer");
    }

    /// systemd's own reading of it, where its tools are installed.
    #[test]
    fn systemd_finds_nothing_wrong_with_the_unit() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(UNIT);
        let command = ["/bin/true", "--config", "/etc/my site/pcm.toml", "service", "run"].map(str::to_owned);
        std::fs::write(&file, registration(&command).unwrap().text).unwrap();
        let timer = timer_in(dir.path(), &["systemctl"], ("pcm.site", 15), &[command.to_vec()], &[], true);
        for (file, text) in &timer.files {
            std::fs::write(file, text).unwrap();
        }
        let mut verify = std::process::Command::new("systemd-analyze");
        verify.args(["verify", "--man=no"]).arg(&file).args(timer.files.iter().map(|(file, _)| file));
        match verify.output() {
            Err(e) => crate::skipped(format_args!("systemd-analyze cannot be started: {e}")),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let about: Vec<_> = said.lines().filter(|line| line.contains("pcm.s")).collect();
                assert!(about.is_empty(), "{about:?}");
            }
        }
    }
}
