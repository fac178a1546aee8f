//! Facts of a Linux machine, behind `host::facts`.

use super::mounts;
use crate::clock::{Zone, ZoneError};
use rustix::fs::{statfs, statvfs};
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where distributions keep zone data.
const ZONE_FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"];
/// The largest zone file that is read; real ones are below 4 KiB.
const ZONE_LIMIT: u64 = 256 << 10;

pub fn boot_id() -> String {
    match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(id) => id.trim().to_owned(),
        // The second in which the machine started stays the same within a boot and is all that is left without it.
        Err(_) => {
            let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
            let started = stat.lines().find_map(|l| l.strip_prefix("btime ")).unwrap_or("unknown");
            format!("btime-{}", started.trim())
        }
    }
}

pub fn since_boot() -> Duration {
    let t = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// Every time service for Linux tells the kernel, which forgets it again some hours after the last word.
#[allow(unsafe_code)]
pub fn clock_synchronised() -> Option<bool> {
    // SAFETY: all zero asks and changes nothing, and the kernel fills the structure it is given.
    let (state, status) = unsafe {
        let mut asked: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut asked), asked.status)
    };
    (state >= 0).then_some(status & libc::STA_UNSYNC == 0)
}

pub fn disk_free(path: &Path) -> Option<u64> {
    let v = statvfs(path).ok()?;
    v.f_bavail.checked_mul(v.f_frsize)
}

pub fn may_execute(path: &Path) -> Option<bool> {
    let flags = statvfs(path).ok()?.f_flag;
    Some(!flags.contains(rustix::fs::StatVfsMountFlags::NOEXEC))
}

/// What cannot be known is tried.
pub fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Name and version of the distribution, as `os-release` has them for programs.
pub fn system() -> (Option<String>, Option<String>) {
    let files = ["/etc/os-release", "/usr/lib/os-release"];
    files
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
        .map_or((None, None), |text| release(&text))
}

fn release(text: &str) -> (Option<String>, Option<String>) {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned())
    };
    (value("ID"), value("VERSION_ID"))
}

pub fn local_zone() -> Result<Zone, ZoneError> {
    local_zone_from(std::env::var_os("TZ").as_deref(), Path::new("/etc/localtime"))
}

pub fn machine_zone(name: &str) -> Result<Zone, ZoneError> {
    let localtime = Path::new("/etc/localtime");
    match name {
        "local" => zone_of_link(localtime),
        name => local_zone_from(Some(OsStr::new(name)), localtime),
    }
}

/// As the C library reads it: `TZ` first (a name, a path, or a rule; empty means UTC), then `/etc/localtime`, and a
/// machine that has neither is on UTC. What the C library would silently take for UTC is an error here.
fn local_zone_from(tz: Option<&OsStr>, localtime: &Path) -> Result<Zone, ZoneError> {
    let Some(tz) = tz else { return zone_of_link(localtime) };
    let Some(tz) = tz.to_str() else { return Err(ZoneError::Unknown(tz.to_string_lossy().into_owned())) };
    let (name, may_be_rule) = match tz.strip_prefix(':') {
        Some(rest) => (rest, false),
        None => (tz, true),
    };
    if name.is_empty() {
        return Ok(Zone::utc());
    }
    if name.starts_with('/') {
        return from_file(name, Path::new(name));
    }
    match zone(name) {
        Err(ZoneError::Unknown(_)) if may_be_rule => {
            Zone::from_posix(name, name).map_err(|_| ZoneError::Unknown(name.to_owned()))
        }
        other => other,
    }
}

fn zone_of_link(localtime: &Path) -> Result<Zone, ZoneError> {
    if !localtime.exists() && localtime.symlink_metadata().is_err() {
        return Ok(Zone::utc());
    }
    // The link's target names the zone; a copied file has no name of its own, but Debian keeps one beside it.
    let target = std::fs::read_link(localtime).unwrap_or_default();
    let target = target.to_string_lossy();
    let name = match target.split_once("zoneinfo/") {
        Some((_, name)) => name.trim_start_matches("posix/").to_owned(),
        None => std::fs::read_to_string(localtime.with_file_name("timezone"))
            .map(|s| s.trim().to_owned())
            .unwrap_or_else(|_| "local".to_owned()),
    };
    from_file(&name, localtime)
}

pub fn zone(name: &str) -> Result<Zone, ZoneError> {
    let unknown = || ZoneError::Unknown(name.to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if name.is_empty() || name.len() > 64 || name.starts_with('/') || !name.chars().all(plain) {
        return Err(unknown());
    }
    let found: Option<PathBuf> = ZONE_FOLDERS.iter().map(|f| Path::new(f).join(name)).find(|p| p.is_file());
    match found {
        Some(file) => from_file(name, &file),
        None if matches!(name, "UTC" | "Etc/UTC" | "GMT" | "Z") => Ok(Zone::utc()),
        None => Err(unknown()),
    }
}

fn from_file(name: &str, path: &Path) -> Result<Zone, ZoneError> {
    let damaged = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => ZoneError::Unknown(name.to_owned()),
        _ => ZoneError::Damaged(name.to_owned(), e.to_string()),
    };
    let mut bytes = Vec::new();
    File::open(path).map_err(damaged)?.take(ZONE_LIMIT).read_to_end(&mut bytes).map_err(damaged)?;
    Zone::from_tzif(name, &bytes)
}

pub fn network_fs(path: &Path) -> Option<String> {
    // Magic numbers of statfs(2).
    const FUSE: u64 = 0x6573_5546;
    let magic = u64::from(statfs(path).ok()?.f_type as u32);
    let name = match magic {
        0x6969 => "nfs",
        0xff53_4d42 => "cifs",
        0xfe53_4d42 => "smb2",
        0x517b => "smb",
        0x0102_1997 => "9p",
        0x00c3_6400 => "ceph",
        0x5346_414f => "afs",
        0x7375_7245 => "coda",
        0x0bd0_0bd0 => "lustre",
        0x564c => "ncp",
        FUSE => {
            let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            let path = path.canonicalize().ok()?;
            let kind =
                mounts::parse(&table).into_iter().rfind(|m| path.starts_with(&m.point) && m.is_fuse())?.kind;
            // Block devices and container layers are local although a process serves them.
            return (kind != "fuseblk" && kind != "fuse.fuse-overlayfs").then_some(kind);
        }
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::{TimeZone as _, Utc};

    fn zone_from(tz: Option<&str>, localtime: &Path) -> Result<Zone, ZoneError> {
        local_zone_from(tz.map(OsStr::new), localtime)
    }

    #[test]
    fn tz_may_be_a_rule_a_name_a_path_or_empty() {
        let none = Path::new("/nonexistent/localtime");
        let winter = Utc.with_ymd_and_hms(2026, 1, 15, 12, 0, 0).unwrap();
        let summer = Utc.with_ymd_and_hms(2026, 7, 15, 12, 0, 0).unwrap();
        let rule = zone_from(Some("CET-1CEST,M3.5.0,M10.5.0/3"), none).unwrap();
        assert_eq!((rule.offset_at(winter), rule.offset_at(summer)), (3600, 7200));
        assert_eq!(zone_from(Some(""), none).unwrap().offset_at(summer), 0);
        assert_eq!(zone_from(None, none).unwrap().offset_at(summer), 0);
        if Path::new("/usr/share/zoneinfo/Europe/Paris").exists() {
            for tz in ["Europe/Paris", ":Europe/Paris", ":/usr/share/zoneinfo/Europe/Paris"] {
                assert_eq!(zone_from(Some(tz), none).unwrap().offset_at(summer), 7200, "{tz}");
            }
        } else {
            crate::skipped("this system has no zone data");
        }
    }

    #[test]
    fn a_tz_that_means_nothing_is_an_error() {
        let none = Path::new("/nonexistent/localtime");
        assert!(zone_from(Some("Nowhere/Land"), none).is_err());
        assert!(zone_from(Some(":CET-1CEST"), none).is_err());
        assert!(zone_from(Some("/etc/passwd"), none).is_err());
    }

    #[test]
    fn a_dangling_localtime_is_an_error_and_its_zone_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("localtime");
        std::os::unix::fs::symlink("/usr/share/zoneinfo/Gone/City", &link).unwrap();
        assert!(matches!(zone_from(None, &link), Err(ZoneError::Unknown(name)) if name == "Gone/City"));
    }
}
