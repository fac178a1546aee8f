//! Power as Windows says it, and what of Windows itself wants a restart. Behind `host::power`.

#![allow(unsafe_code)]

use super::wide;
use crate::host::power::Power;
use crate::text::SafeText;
use std::time::SystemTime;
use windows_sys::Win32::System::Power::{GetSystemPowerStatus, SYSTEM_POWER_STATUS};
use windows_sys::Win32::System::Registry::{
    HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_64KEY, RegCloseKey, RegOpenKeyExW,
};

/// Keys that exist while a restart is wanted, and whose they are.
const RESTART: [(&str, &str); 2] = [
    (
        "Windows Update",
        "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired",
    ),
    (
        "component servicing",
        "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending",
    ),
];

pub fn source() -> Power {
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut status: SYSTEM_POWER_STATUS = unsafe { std::mem::zeroed() };
    // SAFETY: the system fills the structure it is given.
    if unsafe { GetSystemPowerStatus(&raw mut status) } == 0 {
        return Power::Unknown(SafeText::new(&std::io::Error::last_os_error().to_string()));
    }
    judge(status.ACLineStatus, status.BatteryFlag, status.BatteryLifePercent)
}

/// The numbers of `SYSTEM_POWER_STATUS`.
fn judge(line: u8, flag: u8, percent: u8) -> Power {
    const NO_BATTERY: u8 = 128;
    const UNKNOWN: u8 = 255;
    match line {
        1 => Power::Mains,
        _ if flag != UNKNOWN && flag & NO_BATTERY != 0 => Power::Mains,
        0 if percent <= 100 => Power::Battery(SafeText::new(&format!("battery discharging, {percent}%"))),
        0 => Power::Battery("battery discharging".into()),
        _ => Power::Unknown("Windows does not know".into()),
    }
}

pub fn restart_wanted() -> Option<SafeText> {
    RESTART.iter().find(|(_, key)| exists(key)).map(|(whose, _)| SafeText::new(&format!("{whose} wants one")))
}

/// Packages say it by their exit codes here.
pub fn restart_note() -> Option<SystemTime> {
    None
}

/// Planned, by an installation.
pub fn restart_command() -> Vec<String> {
    let root = std::env::var("SystemRoot").unwrap_or_else(|_| "C:\\Windows".to_owned());
    let program = format!("{root}\\System32\\shutdown.exe");
    [program.as_str(), "/r", "/t", "0", "/d", "p:4:2"].map(str::to_owned).to_vec()
}

fn exists(key: &str) -> bool {
    let key = wide(key);
    let mut opened = std::ptr::null_mut();
    // SAFETY: the name ends with a zero; what was opened is closed again.
    unsafe {
        let found =
            RegOpenKeyExW(HKEY_LOCAL_MACHINE, key.as_ptr(), 0, KEY_READ | KEY_WOW64_64KEY, &raw mut opened);
        if found == 0 {
            RegCloseKey(opened);
        }
        found == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_machine_with_a_battery_and_without_the_mains_is_on_battery() {
        assert_eq!(judge(1, 8, 80), Power::Mains);
        assert_eq!(judge(0, 128, 255), Power::Mains);
        assert_eq!(judge(255, 128, 255), Power::Mains);
        assert_eq!(judge(0, 1, 41), Power::Battery("battery discharging, 41%".into()));
        assert_eq!(judge(0, 1, 255), Power::Battery("battery discharging".into()));
        assert!(matches!(judge(255, 255, 255), Power::Unknown(_)));
    }
}
