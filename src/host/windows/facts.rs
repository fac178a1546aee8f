//! Facts of a Windows machine, behind `host::facts`.

#![allow(unsafe_code)]

use super::{narrow, wide};
use std::path::Path;
use std::time::Duration;
use windows_sys::Win32::Storage::FileSystem::{GetDiskFreeSpaceExW, GetDriveTypeW, GetVolumePathNameW};
use windows_sys::Win32::System::SystemInformation::{
    ComputerNameDnsHostname, GetComputerNameExW, GetTickCount64,
};

pub use super::zone::{local_zone, machine_zone, zone};

/// What `GetDriveTypeW` answers for a network drive.
const DRIVE_REMOTE: u32 = 4;

/// `SYSTEM_TIMEOFDAY_INFORMATION`: the time of the start, and how far it was moved when the clock was set since.
#[repr(C)]
#[derive(Default)]
struct TimeOfDay {
    boot_time: i64,
    current_time: i64,
    zone_bias: i64,
    zone_id: u32,
    reserved: u32,
    boot_time_bias: u64,
    sleep_time_bias: u64,
}

#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtQuerySystemInformation(class: i32, to: *mut TimeOfDay, length: u32, written: *mut u32) -> i32;
}

/// The instant of the start, corrected for every later setting of the clock, so that it stays one within a boot.
pub fn boot_id() -> String {
    const SYSTEM_TIME_OF_DAY: i32 = 3;
    let mut time = TimeOfDay::default();
    // SAFETY: the system writes at most the length that it is given.
    let status = unsafe {
        NtQuerySystemInformation(
            SYSTEM_TIME_OF_DAY,
            &raw mut time,
            size_of::<TimeOfDay>() as u32,
            std::ptr::null_mut(),
        )
    };
    if status < 0 {
        return "boot-unknown".to_owned();
    }
    format!("boot-{:x}", time.boot_time.wrapping_sub_unsigned(time.boot_time_bias))
}

pub fn since_boot() -> Duration {
    // SAFETY: it takes nothing and cannot fail.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// Windows keeps no such word for others to read.
pub fn clock_synchronised() -> Option<bool> {
    None
}

pub fn disk_free(path: &Path) -> Option<u64> {
    let path = wide(path);
    let mut free = 0;
    // SAFETY: the text ends with a zero, and the system writes one number.
    let done = unsafe {
        GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free, std::ptr::null_mut(), std::ptr::null_mut())
    };
    (done != 0).then_some(free)
}

/// No file system of Windows is mounted so.
pub fn may_execute(_path: &Path) -> Option<bool> {
    Some(true)
}

/// What it says is met when something is written.
pub fn is_read_only(_path: &Path) -> bool {
    false
}

/// The version that Windows gives an unmarked program is not its own, so none is said.
pub fn system() -> (Option<String>, Option<String>) {
    (Some("windows".to_owned()), None)
}

pub fn host_name() -> String {
    let mut name = [0_u16; 256];
    let mut length = 256;
    // SAFETY: the buffer has the length that is given with it.
    let done = unsafe { GetComputerNameExW(ComputerNameDnsHostname, name.as_mut_ptr(), &raw mut length) };
    if done == 0 { std::env::var("COMPUTERNAME").unwrap_or_default() } else { narrow(&name) }
}

pub fn network_fs(path: &Path) -> Option<String> {
    let path = wide(std::path::absolute(path).ok()?);
    let mut root = [0_u16; 1024];
    // SAFETY: both texts end with a zero, and the buffer has the length that is given with it.
    let kind = unsafe {
        if GetVolumePathNameW(path.as_ptr(), root.as_mut_ptr(), 1024) == 0 {
            return None;
        }
        GetDriveTypeW(root.as_ptr())
    };
    (kind == DRIVE_REMOTE).then(|| format!("a network drive ({})", narrow(&root)))
}
