//! Power supplies as Linux lists them in `/sys/class/power_supply`, and the note that Debian's packages leave when they
//! want a restart. Behind `host::power`.

use crate::host::power::Power;
use crate::text::SafeText;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::time::SystemTime;

/// The longest value that is read; the kernel's are below a page.
const LONGEST: u64 = 4096;
/// More supplies than any machine has.
const MOST: usize = 256;

pub fn source() -> Power {
    source_in(Path::new("/sys/class/power_supply"))
}

pub fn restart_wanted() -> Option<SafeText> {
    restart_wanted_in(Path::new("/run"))
}

pub fn restart_note() -> Option<SystemTime> {
    restart_note_in(Path::new("/run"))
}

/// systemd where it is in charge, which knows of inhibitors; else what every system has.
pub fn restart_command() -> Vec<String> {
    let words: &[&str] = if Path::new("/run/systemd/system").is_dir() {
        &["/usr/bin/systemctl", "reboot"]
    } else {
        &["/sbin/shutdown", "-r", "now"]
    };
    words.iter().map(ToString::to_string).collect()
}

/// What one folder of supplies says. A machine without a battery of its own is on the mains, whatever else is listed.
fn source_in(folder: &Path) -> Power {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A kernel without supplies has no such folder.
        Err(e) if e.kind() == ErrorKind::NotFound => return Power::Mains,
        Err(e) => return unknown(folder, &e),
    };
    let (mut plugged, mut unplugged) = (false, false);
    let mut batteries = Vec::new();
    for entry in entries.take(MOST) {
        let supply = match entry {
            Ok(entry) => entry.path(),
            Err(e) => return unknown(folder, &e),
        };
        let kind = match value(&supply, "type") {
            Ok(Some(kind)) => kind,
            // It was taken away since it was listed.
            Ok(None) => continue,
            Err(e) => return unknown(&supply, &e),
        };
        match kind.as_str() {
            // The battery of a mouse says nothing about the machine.
            "Battery" | "UPS" if value(&supply, "scope").is_ok_and(|s| s.as_deref() == Some("Device")) => {}
            "Battery" | "UPS" => batteries.push(supply),
            _ => match value(&supply, "online") {
                Ok(Some(online)) if online == "0" => unplugged = true,
                Ok(Some(_)) => plugged = true,
                Ok(None) | Err(_) => {}
            },
        }
    }
    if plugged {
        return Power::Mains;
    }
    batteries.sort();
    let mut silent = None;
    for battery in &batteries {
        match value(battery, "status") {
            Ok(Some(status)) if status == "Discharging" => return discharging(battery),
            Ok(Some(status)) if matches!(status.as_str(), "Charging" | "Full" | "Not charging") => {}
            Ok(_) if unplugged => return discharging(battery),
            Ok(_) => silent = Some((battery, io::Error::other("its status is not known"))),
            Err(e) => silent = Some((battery, e)),
        }
    }
    silent.map_or(Power::Mains, |(battery, e)| unknown(battery, &e))
}

fn discharging(battery: &Path) -> Power {
    let name = battery.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let left = value(battery, "capacity").ok().flatten().filter(|c| c.parse::<u8>().is_ok());
    let left = left.map(|percent| format!(", {percent}%")).unwrap_or_default();
    Power::Battery(SafeText::new(&format!("{name} discharging{left}")))
}

fn unknown(path: &Path, e: &io::Error) -> Power {
    Power::Unknown(SafeText::new(&format!("{}: {e}", path.display())))
}

/// One value of a supply; None where it has no such.
fn value(supply: &Path, name: &str) -> io::Result<Option<String>> {
    let file = match fs::File::open(supply.join(name)) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut bytes = Vec::new();
    match file.take(LONGEST).read_to_end(&mut bytes) {
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        // What drivers answer for a value they do not have, or for a supply that is gone.
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENODATA | libc::ENODEV)) => Ok(None),
        Err(e) => Err(e),
    }
}

fn restart_note_in(run: &Path) -> Option<SystemTime> {
    fs::metadata(run.join("reboot-required")).and_then(|note| note.modified()).ok()
}

/// `/run/reboot-required`, and the packages beside it.
fn restart_wanted_in(run: &Path) -> Option<SafeText> {
    if !run.join("reboot-required").exists() {
        return None;
    }
    let mut packages = String::new();
    if let Ok(file) = fs::File::open(run.join("reboot-required.pkgs")) {
        // Names only for evidence: what cannot be read is left out.
        let _ = file.take(LONGEST).read_to_string(&mut packages);
    }
    let mut names: Vec<&str> = packages.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let names = match names.as_slice() {
        [] => String::new(),
        some if some.len() <= 3 => format!(" for {}", some.join(", ")),
        some => format!(" for {} and {} more", some[..3].join(", "), some.len() - 3),
    };
    Some(SafeText::new(&format!("the system wants one{names}: {}", run.join("reboot-required").display())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A folder of supplies: name, then values.
    fn supplies(list: &[(&str, &[(&str, &str)])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, values) in list {
            fs::create_dir(dir.path().join(name)).unwrap();
            for (key, value) in *values {
                fs::write(dir.path().join(name).join(key), format!("{value}\n")).unwrap();
            }
        }
        dir
    }

    fn of(list: &[(&str, &[(&str, &str)])]) -> Power {
        source_in(supplies(list).path())
    }

    const BATTERY: (&str, &str) = ("type", "Battery");
    const UNPLUGGED: (&str, &[(&str, &str)]) = ("AC", &[("type", "Mains"), ("online", "0")]);

    #[test]
    fn a_machine_without_a_battery_is_on_the_mains() {
        assert_eq!(source_in(Path::new("/nonexistent/power_supply")), Power::Mains);
        assert_eq!(of(&[]), Power::Mains);
        assert_eq!(of(&[UNPLUGGED]), Power::Mains);
        assert_eq!(of(&[("port0", &[("type", "USB"), ("online", "0")])]), Power::Mains);
    }

    #[test]
    fn a_laptop_is_on_battery_while_nothing_else_supplies_it() {
        let bat = |status| ("BAT0", [BATTERY, ("status", status), ("capacity", "41")]);
        let (name, values) = bat("Discharging");
        let on_battery = Power::Battery("BAT0 discharging, 41%".into());
        assert_eq!(of(&[(name, &values), UNPLUGGED]), on_battery);
        assert_eq!(of(&[(name, &values)]), on_battery);
        // Under load a battery may help out beside the mains.
        assert_eq!(of(&[(name, &values), ("AC", &[("type", "Mains"), ("online", "1")])]), Power::Mains);
        for status in ["Charging", "Full", "Not charging"] {
            let (name, values) = bat(status);
            assert_eq!(of(&[(name, &values)]), Power::Mains, "{status}");
        }
    }

    #[test]
    fn a_battery_that_does_not_say_is_unknown_unless_the_plug_is_out() {
        let silent: (&str, &[(&str, &str)]) = ("BAT0", &[BATTERY, ("status", "Unknown")]);
        assert!(matches!(of(&[silent]), Power::Unknown(why) if why.as_str().contains("BAT0")));
        assert_eq!(of(&[silent, UNPLUGGED]), Power::Battery("BAT0 discharging".into()));
        assert!(matches!(of(&[("BAT0", &[BATTERY])]), Power::Unknown(_)));
    }

    #[test]
    fn a_supply_that_cannot_be_read_is_unknown() {
        // A folder where a value should be: it opens and cannot be read, whoever asks.
        let dir = supplies(&[("BAT0", &[BATTERY])]);
        fs::create_dir(dir.path().join("BAT0/status")).unwrap();
        assert!(matches!(source_in(dir.path()), Power::Unknown(_)));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(source_in(file.path()), Power::Unknown(_)));
    }

    #[test]
    fn the_battery_of_a_mouse_does_not_count() {
        let mouse: &[(&str, &str)] = &[BATTERY, ("scope", "Device"), ("status", "Discharging")];
        assert_eq!(of(&[("hidpp_battery_0", mouse)]), Power::Mains);
    }

    #[test]
    fn what_debian_leaves_when_it_wants_a_restart_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(restart_wanted_in(dir.path()), None);
        assert_eq!(restart_note_in(dir.path()), None);
        fs::write(dir.path().join("reboot-required"), "*** System restart required ***\n").unwrap();
        let first = restart_note_in(dir.path()).unwrap();
        let note = fs::File::options().append(true).open(dir.path().join("reboot-required")).unwrap();
        note.set_modified(first + std::time::Duration::from_secs(1)).unwrap();
        assert_ne!(restart_note_in(dir.path()), Some(first), "written again is asked for again");
        let words = |dir: &Path| restart_wanted_in(dir).unwrap().into_string();
        assert!(words(dir.path()).starts_with("the system wants one: "));
        fs::write(dir.path().join("reboot-required.pkgs"), "linux-image\nlibc6\nlinux-image\ndbus\nzlib\n")
            .unwrap();
        assert!(
            words(dir.path()).starts_with("the system wants one for dbus, libc6, linux-image and 1 more: ")
        );
    }
}
