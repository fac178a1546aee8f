//! systemd, behind `host::supervisor`.

use crate::host::supervisor::Registration;
use sd_notify::NotifyState;
use std::path::{Path, PathBuf};
use std::time::Duration;

const UNIT: &str = "pcm.service";
/// A step is at most 30 s away, and nothing in it takes long.
const WATCHDOG_S: u32 = 300;

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

pub fn registration(command: &[String]) -> Option<Registration> {
    let systemctl = |words: &[&str]| -> Vec<String> {
        std::iter::once("systemctl").chain(words.iter().copied()).map(str::to_owned).collect()
    };
    Some(Registration {
        file: PathBuf::from("/etc/systemd/system").join(UNIT),
        text: unit(command),
        enable: vec![systemctl(&["daemon-reload"]), systemctl(&["enable", "--now", UNIT])],
        disable: vec![systemctl(&["disable", "--now", UNIT]), systemctl(&["daemon-reload"])],
    })
}

/// What `systemctl enable` makes of `WantedBy=multi-user.target`.
pub fn is_enabled(unit: &Path) -> bool {
    let link = unit.with_file_name("multi-user.target.wants").join(UNIT);
    link.symlink_metadata().is_ok()
}

/// `KillMode=process` is what lets a package outlive the service: run hosts and packages stay when it is restarted.
/// `Delegate` lets each run have a control group below the service's own.
fn unit(command: &[String]) -> String {
    let command: Vec<String> = command.iter().map(|word| quote(word)).collect();
    format!(
        "[Unit]\n\
         Description=Package Command Manager\n\
         After=network-online.target remote-fs.target\n\
         Wants=network-online.target\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={}\n\
         Restart=always\n\
         RestartSec=5\n\
         WatchdogSec={WATCHDOG_S}\n\
         KillMode=process\n\
         Delegate=yes\n\
         UMask=0022\n\
         RuntimeDirectory=pcm\n\
         RuntimeDirectoryMode=0755\n\
         RuntimeDirectoryPreserve=yes\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        command.join(" ")
    )
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
        for line in
            ["Type=notify", "KillMode=process", "Restart=always", "ExecStart=/usr/local/bin/pcm service run"]
        {
            assert!(unit.lines().any(|l| l == line), "{line} in\n{unit}");
        }
    }

    /// systemd's own reading of it, where its tools are installed.
    #[test]
    fn systemd_finds_nothing_wrong_with_the_unit() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(UNIT);
        let command = ["/bin/true", "--config", "/etc/my site/pcm.toml", "service", "run"].map(str::to_owned);
        std::fs::write(&file, registration(&command).unwrap().text).unwrap();
        match std::process::Command::new("systemd-analyze").arg("verify").arg(&file).output() {
            Err(e) => crate::skipped(format_args!("systemd-analyze cannot be started: {e}")),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let about: Vec<_> = said.lines().filter(|line| line.contains("pcm.service")).collect();
                assert!(about.is_empty(), "{about:?}");
            }
        }
    }
}
