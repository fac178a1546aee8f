//! Tokens and security identifiers, behind `account` and `ipc`.

#![allow(unsafe_code)]

use super::{narrow, wide};
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW,
    GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT, SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, LookupAccountNameW, LookupAccountSidW, OWNER_SECURITY_INFORMATION, PSID,
    SECURITY_ATTRIBUTES, TOKEN_GROUPS, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER, TokenGroups,
    TokenUser,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
};

/// A group that counts: present in the token and not only to deny.
const SE_GROUP_ENABLED: u32 = 4;

/// The account and the enabled groups of a token, as `S-1-…` texts.
#[derive(Debug)]
pub struct Token {
    pub account: String,
    pub groups: Vec<String>,
}

/// Of this process.
pub fn own_token() -> io::Result<Token> {
    // SAFETY: the pseudo handle of this process needs no closing.
    token_of(unsafe { GetCurrentProcess() })
}

/// Of a running process.
pub fn token(pid: u32) -> io::Result<Token> {
    let process = open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION)?;
    token_of(process.as_raw_handle())
}

/// A handle of a running process.
pub fn open_process(pid: u32, rights: u32) -> io::Result<OwnedHandle> {
    // SAFETY: a handle that is not null is ours alone, and `OwnedHandle` closes it.
    unsafe {
        let handle = OpenProcess(rights, 0, pid);
        if handle.is_null() {
            Err(io::Error::last_os_error())
        } else {
            Ok(OwnedHandle::from_raw_handle(handle))
        }
    }
}

fn token_of(process: HANDLE) -> io::Result<Token> {
    let mut token: HANDLE = std::ptr::null_mut();
    // SAFETY: the system writes one handle, which `OwnedHandle` closes.
    let token = unsafe {
        if OpenProcessToken(process, TOKEN_QUERY, &raw mut token) == 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(token)
    };
    let user = information(&token, TokenUser)?;
    let groups = information(&token, TokenGroups)?;
    // SAFETY: the buffers hold what the system wrote for these classes, aligned for pointers; the identifiers that
    // they point at lie in the same buffers.
    unsafe {
        let user = &*user.as_ptr().cast::<TOKEN_USER>();
        let account = sid_text(user.User.Sid)?;
        let groups = groups.as_ptr().cast::<TOKEN_GROUPS>();
        let count = (*groups).GroupCount as usize;
        let list = std::slice::from_raw_parts(
            (&raw const (*groups).Groups).cast::<windows_sys::Win32::Security::SID_AND_ATTRIBUTES>(),
            count,
        );
        let enabled = list.iter().filter(|g| g.Attributes & SE_GROUP_ENABLED != 0);
        Ok(Token { account, groups: enabled.filter_map(|g| sid_text(g.Sid).ok()).collect() })
    }
}

/// A variable-length answer about a token, in a buffer that is aligned for pointers.
fn information(token: &OwnedHandle, class: TOKEN_INFORMATION_CLASS) -> io::Result<Vec<u64>> {
    let mut length = 0;
    // SAFETY: asking with no buffer only tells the length; then the buffer has that length.
    unsafe {
        GetTokenInformation(token.as_raw_handle(), class, std::ptr::null_mut(), 0, &raw mut length);
        let mut buffer = vec![0_u64; (length as usize).div_ceil(8).max(1)];
        let bytes = u32::try_from(buffer.len() * 8).map_err(io::Error::other)?;
        let done = GetTokenInformation(
            token.as_raw_handle(),
            class,
            buffer.as_mut_ptr().cast(),
            bytes,
            &raw mut length,
        );
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(buffer) }
    }
}

/// `S-1-…`
///
/// # Safety
/// `sid` must point at a valid identifier.
unsafe fn sid_text(sid: PSID) -> io::Result<String> {
    let mut text: *mut u16 = std::ptr::null_mut();
    // SAFETY: the system allocates a text with a closing zero, which is copied before it is given back.
    unsafe {
        if ConvertSidToStringSidW(sid, &raw mut text) == 0 {
            return Err(io::Error::last_os_error());
        }
        let mut length = 0;
        while *text.add(length) != 0 {
            length += 1;
        }
        let copy = narrow(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(copy)
    }
}

/// The identifier of an account or a group by its name.
pub fn sid_of_name(name: &str) -> Option<String> {
    let name = wide(name);
    let mut sid = [0_u64; 16];
    let mut domain = [0_u16; 256];
    let (mut sid_length, mut domain_length, mut kind) = (128, 256, 0);
    // SAFETY: both buffers have the lengths that are given with them.
    unsafe {
        let found = LookupAccountNameW(
            std::ptr::null(),
            name.as_ptr(),
            sid.as_mut_ptr().cast(),
            &raw mut sid_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        );
        if found == 0 { None } else { sid_text(sid.as_mut_ptr().cast()).ok() }
    }
}

/// `DOMAIN\name` of an identifier.
pub fn name_of_sid(text: &str) -> Option<String> {
    let sid = sid_from_text(text)?;
    let (mut name, mut domain) = ([0_u16; 256], [0_u16; 256]);
    let (mut name_length, mut domain_length, mut kind) = (256, 256, 0);
    // SAFETY: the identifier is valid, and both buffers have the lengths that are given with them.
    let found = unsafe {
        LookupAccountSidW(
            std::ptr::null(),
            sid.as_ptr().cast_mut().cast(),
            name.as_mut_ptr(),
            &raw mut name_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    };
    if found == 0 {
        return None;
    }
    let (name, domain) = (narrow(&name), narrow(&domain));
    Some(if domain.is_empty() { name } else { format!(r"{domain}\{name}") })
}

/// The binary form of `S-1-authority-sub-…`.
fn sid_from_text(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.strip_prefix("S-1-")?.split('-');
    let authority: u64 = parts.next()?.parse().ok()?;
    let subs: Vec<u32> = parts.map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let mut sid = vec![1, u8::try_from(subs.len()).ok().filter(|n| *n <= 15)?];
    sid.extend(&authority.to_be_bytes()[2..]);
    sid.extend(subs.iter().flat_map(|s| s.to_le_bytes()));
    Some(sid)
}

/// The owner of a file or folder.
pub fn owner_of(path: &Path) -> Option<String> {
    let path = wide(path);
    let mut owner: PSID = std::ptr::null_mut();
    let mut descriptor = std::ptr::null_mut();
    // SAFETY: the owner lies inside the descriptor, which is given back after it has been copied.
    unsafe {
        let result = GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut descriptor,
        );
        if result != 0 || owner.is_null() {
            return None;
        }
        let text = sid_text(owner).ok();
        LocalFree(descriptor);
        text
    }
}

/// The owner of an open pipe.
pub fn owner_of_pipe(pipe: &std::fs::File) -> io::Result<String> {
    let mut owner: PSID = std::ptr::null_mut();
    let mut descriptor = std::ptr::null_mut();
    // SAFETY: the pipe is open, and the owner lies inside the descriptor, which is given back after it has been copied.
    unsafe {
        let result = GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut descriptor,
        );
        if result != 0 || owner.is_null() {
            return Err(io::Error::other("who answers there cannot be known"));
        }
        let text = sid_text(owner);
        LocalFree(descriptor);
        text
    }
}

/// Calls `with` with security attributes made from their text form (SDDL).
pub fn with_attributes<T>(
    sddl: &str,
    with: impl FnOnce(&SECURITY_ATTRIBUTES) -> io::Result<T>,
) -> io::Result<T> {
    let sddl = wide(sddl);
    let mut descriptor = std::ptr::null_mut();
    // SAFETY: the system allocates the descriptor, which lives until it is given back after the call.
    unsafe {
        let made = ConvertStringSecurityDescriptorToSecurityDescriptorW(
            sddl.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            std::ptr::null_mut(),
        );
        if made == 0 {
            return Err(io::Error::last_os_error());
        }
        let attributes = SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(io::Error::other)?,
            lpSecurityDescriptor: descriptor,
            bInheritHandle: 0,
        };
        let result = with(&attributes);
        LocalFree(descriptor);
        result
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_identifier_has_one_binary_form() {
        let admins = sid_from_text("S-1-5-32-544").unwrap();
        assert_eq!(admins, [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        assert_eq!(sid_from_text("S-1-x"), None);
        assert_eq!(sid_from_text("administrators"), None);
    }

    #[test]
    fn this_process_has_an_account_and_groups() {
        let token = own_token().unwrap();
        assert!(token.account.starts_with("S-1-"));
        assert!(!token.groups.is_empty());
    }
}
