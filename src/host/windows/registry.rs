//! The registry, and the version resource of program files. Behind `host::registry`.

#![allow(unsafe_code)]

use super::{narrow, wide};
use crate::host::registry::Found;
use std::ffi::c_void;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, ERROR_PATH_NOT_FOUND, ERROR_SUCCESS,
};
use windows_sys::Win32::Storage::FileSystem::{
    GetFileVersionInfoSizeW, GetFileVersionInfoW, VS_FIXEDFILEINFO, VerQueryValueW,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_QUERY_VALUE, KEY_WOW64_32KEY, KEY_WOW64_64KEY, REG_DWORD, REG_EXPAND_SZ,
    REG_QWORD, REG_SZ, RegCloseKey, RegOpenKeyExW, RegQueryValueExW,
};

/// The longest value that is read, in bytes.
const MOST: u32 = 64 << 10;

/// An open key.
struct Key(HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by `open` and is closed once.
        unsafe { RegCloseKey(self.0) };
    }
}

pub fn value(key: &str, value: Option<&str>) -> Result<Found, String> {
    let Some(key) = key.strip_prefix("HKLM\\") else { return Err("it is not below HKLM".to_owned()) };
    for view in [KEY_WOW64_64KEY, KEY_WOW64_32KEY] {
        match in_view(key, value, view)? {
            Found::Nothing => {}
            found => return Ok(found),
        }
    }
    Ok(Found::Nothing)
}

fn in_view(key: &str, value: Option<&str>, view: u32) -> Result<Found, String> {
    let Some(key) = open(key, view)? else { return Ok(Found::Nothing) };
    match value {
        None => Ok(Found::Key),
        Some(value) => read(&key, value),
    }
}

fn open(key: &str, view: u32) -> Result<Option<Key>, String> {
    let name = wide(key);
    let mut handle: HKEY = std::ptr::null_mut();
    // SAFETY: the name ends with a zero, and the system fills the handle it is given.
    let code = unsafe {
        RegOpenKeyExW(HKEY_LOCAL_MACHINE, name.as_ptr(), 0, KEY_QUERY_VALUE | view, &raw mut handle)
    };
    match code {
        ERROR_SUCCESS => Ok(Some(Key(handle))),
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => Ok(None),
        code => Err(failed(code)),
    }
}

fn read(key: &Key, value: &str) -> Result<Found, String> {
    let name = wide(value);
    let mut data = vec![0_u8; MOST as usize];
    let (mut kind, mut size) = (0_u32, MOST);
    // SAFETY: the name ends with a zero, and the buffer has the size that is given with it.
    let code = unsafe {
        RegQueryValueExW(
            key.0,
            name.as_ptr(),
            std::ptr::null(),
            &raw mut kind,
            data.as_mut_ptr(),
            &raw mut size,
        )
    };
    match code {
        ERROR_SUCCESS => {}
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => return Ok(Found::Nothing),
        ERROR_MORE_DATA => return Err(format!("the value is larger than {MOST} bytes")),
        code => return Err(failed(code)),
    }
    data.truncate(size as usize);
    let found = match (kind, data.as_slice()) {
        (REG_SZ | REG_EXPAND_SZ, bytes) => {
            let units: Vec<u16> =
                bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            Found::Text(narrow(&units))
        }
        (REG_DWORD, [a, b, c, d]) => Found::Text(u32::from_le_bytes([*a, *b, *c, *d]).to_string()),
        (REG_QWORD, bytes) => match <[u8; 8]>::try_from(bytes) {
            Ok(bytes) => Found::Text(u64::from_le_bytes(bytes).to_string()),
            Err(_) => Found::Other,
        },
        _ => Found::Other,
    };
    Ok(found)
}

fn failed(code: u32) -> String {
    std::io::Error::from_raw_os_error(code.cast_signed()).to_string()
}

pub fn version_of(path: &Path, mut file: &File) -> Option<String> {
    let mut magic = [0_u8; 2];
    let is_program = file.read_exact(&mut magic).is_ok() && magic == *b"MZ";
    file.seek(SeekFrom::Start(0)).ok()?;
    if !is_program {
        return None;
    }
    let path = wide(path);
    let mut ignored = 0_u32;
    // SAFETY: the path ends with a zero.
    let size = unsafe { GetFileVersionInfoSizeW(path.as_ptr(), &raw mut ignored) };
    if size == 0 || size > MOST * 16 {
        return None;
    }
    let mut block = vec![0_u8; size as usize];
    // SAFETY: the path ends with a zero, and the buffer has the size that is given with it.
    if unsafe { GetFileVersionInfoW(path.as_ptr(), 0, size, block.as_mut_ptr().cast::<c_void>()) } == 0 {
        return None;
    }
    let root = wide("\\");
    let mut fixed: *mut c_void = std::ptr::null_mut();
    let mut length = 0_u32;
    // SAFETY: the block is one that the system has filled, and outlives what is found in it.
    let found =
        unsafe { VerQueryValueW(block.as_ptr().cast(), root.as_ptr(), &raw mut fixed, &raw mut length) };
    if found == 0 || (length as usize) < size_of::<VS_FIXEDFILEINFO>() || fixed.is_null() {
        return None;
    }
    // SAFETY: the system says that a whole structure stands there; it may stand at any address.
    let info: VS_FIXEDFILEINFO = unsafe { fixed.cast::<VS_FIXEDFILEINFO>().read_unaligned() };
    let (ms, ls) = (info.dwFileVersionMS, info.dwFileVersionLS);
    Some(format!("{}.{}.{}.{}", ms >> 16, ms & 0xffff, ls >> 16, ls & 0xffff))
}
