//! Whether a package's program can be started, seen from its first bytes: a script with an interpreter, or a program of
//! the platform. What cannot would only fail, and use up its first attempt. Called before a launch and by the lint.

use crate::host::open::{Folder, OpenError};
use crate::terms::Platform;
use std::io::Read as _;

/// So much of a program is looked at; the kernel itself reads less of a script.
const START: u64 = 4096;

/// Says why an interpreter, by its path, or a bare name that `env` looks for, cannot be had on a system.
pub type Interpreters<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// Where it is to be started.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Its platform; None: not known, so that only what fits no platform is refused.
    pub platform: Option<Platform>,
    /// Its interpreters. None: not known either.
    pub system: Option<Interpreters<'a>>,
}

/// Why this program of a package cannot be started, with its name. `files` holds the package's files.
///
/// # Errors
/// The reason, as a sentence.
pub fn startable(files: &Folder, path: &str, target: Target<'_>) -> Result<(), String> {
    let words = |why: String| format!("{path}: {why}");
    match start_of(files, path) {
        Ok(start) => judge(&start, path, target).map_err(words),
        // A disk that fails says nothing of the program.
        Err(OpenError::Io(..)) => Ok(()),
        Err(OpenError::Missing) => Err(words("it is not among the files of the package".to_owned())),
        Err(other) => Err(words(other.to_string())),
    }
}

/// The first bytes of a file of the package.
fn start_of(files: &Folder, path: &str) -> Result<Vec<u8>, OpenError> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut inner: Option<Folder> = None;
    for folder in folders.split('/').filter(|name| !name.is_empty()) {
        inner = Some(inner.as_ref().unwrap_or(files).folder(folder)?);
    }
    let file = inner.as_ref().unwrap_or(files).file(name)?;
    let mut start = Vec::new();
    file.file.take(START).read_to_end(&mut start)?;
    Ok(start)
}

fn judge(start: &[u8], path: &str, target: Target<'_>) -> Result<(), String> {
    match start {
        [] => Err("it is empty".into()),
        [0xef, 0xbb, 0xbf, b'#', b'!', ..] => {
            Err("a byte order mark stands before its #!, and no system looks behind it: save it without one"
                .into())
        }
        [b'#', b'!', line @ ..] => script(line, target),
        [0x7f, b'E', b'L', b'F', ..] => elf(start, target),
        [b'M', b'Z', ..] => windows_program(start, target),
        _ => match target.platform {
            Some(Platform::LinuxX86_64 | Platform::LinuxAarch64) => {
                Err("it is neither a program for Linux nor a script that begins with #!".into())
            }
            Some(Platform::WindowsX86 | Platform::WindowsX86_64) if !is_batch(path) => {
                Err("it is neither a program for Windows nor a batch file (.bat, .cmd)".into())
            }
            Some(Platform::WindowsX86 | Platform::WindowsX86_64) | None => Ok(()),
        },
    }
}

/// What Windows gives to its command interpreter, by the end of its name.
fn is_batch(path: &str) -> bool {
    let end = path.rsplit_once('.').map(|(_, end)| end).unwrap_or_default();
    ["bat", "cmd"].iter().any(|batch| end.eq_ignore_ascii_case(batch))
}

/// What stands behind `#!`.
fn script(start: &[u8], target: Target<'_>) -> Result<(), String> {
    if let Some(platform @ (Platform::WindowsX86 | Platform::WindowsX86_64)) = target.platform {
        return Err(format!("it is a script that begins with #!, which {} does not start", platform));
    }
    let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    if text.ends_with('\r') {
        return Err(format!(
            "its lines end with CR LF, so its interpreter would be {:?}: save it with LF",
            text.trim_start()
        ));
    }
    let mut words = text.split_ascii_whitespace();
    let Some(interpreter) = words.next() else { return Err("it names no interpreter behind #!".into()) };
    if !interpreter.starts_with('/') {
        return Err(format!("its interpreter {interpreter:?} is not an absolute path"));
    }
    let Some(system) = target.system else { return Ok(()) };
    system(interpreter).map_err(|why| format!("its interpreter {interpreter}: {why}"))?;
    match words.next() {
        // `env` looks for this one, and would use up the attempt where it finds none.
        Some(program)
            if interpreter.ends_with("/env") && !program.starts_with('-') && !program.contains('=') =>
        {
            system(program).map_err(|why| format!("its interpreter {program}: {why}"))
        }
        _ => Ok(()),
    }
}

/// The Executable and Linkable Format of Linux: elf(5).
fn elf(start: &[u8], target: Target<'_>) -> Result<(), String> {
    const EXECUTABLE: u64 = 2;
    const SHARED: u64 = 3;
    if let Some(platform @ (Platform::WindowsX86 | Platform::WindowsX86_64)) = target.platform {
        return Err(format!("it is a program for Linux, and the platform is {}", platform));
    }
    let wide = start.get(4) == Some(&2);
    let (Some(kind), Some(machine), Some(1)) = (number(start, 16, 2), number(start, 18, 2), start.get(5))
    else {
        return Err("it is a program for another processor, or cut off".into());
    };
    if kind != EXECUTABLE && kind != SHARED {
        return Err("it is an object file or a memory dump, which cannot be started".into());
    }
    let made_for = match machine {
        3 => "32-bit x86",
        40 => "32-bit ARM",
        62 => "x86-64",
        183 => "aarch64",
        _ => "another processor",
    };
    let fits = match target.platform {
        Some(Platform::LinuxX86_64) => matches!(machine, 3 | 62),
        Some(Platform::LinuxAarch64) => matches!(machine, 40 | 183),
        Some(Platform::WindowsX86 | Platform::WindowsX86_64) | None => true,
    };
    if let Some(platform) = target.platform.filter(|_| !fits) {
        return Err(format!("it is a program for {made_for}, and the platform is {}", platform));
    }
    match (loader(start, wide), target.system) {
        (Some(loader), Some(system)) => system(&loader).map_err(|why| format!("its loader {loader}: {why}")),
        _ => Ok(()),
    }
}

/// The program that loads a dynamic one, as far as that stands in its first bytes.
fn loader(start: &[u8], wide: bool) -> Option<String> {
    const PT_INTERP: u64 = 3;
    let at = |narrow_at: usize, wide_at: usize, narrow: usize, long: usize| {
        if wide { number(start, wide_at, long) } else { number(start, narrow_at, narrow) }
    };
    let (table, size, count) = (at(28, 32, 4, 8)?, at(42, 54, 2, 2)?, at(44, 56, 2, 2)?);
    for entry in 0..count {
        let header = usize::try_from(table.checked_add(entry.checked_mul(size)?)?).ok()?;
        if number(start, header, 4)? != PT_INTERP {
            continue;
        }
        let field = |narrow: usize, long: usize| {
            let (offset, size) = if wide { (long, 8) } else { (narrow, 4) };
            usize::try_from(number(start, header.checked_add(offset)?, size)?).ok()
        };
        let (from, length) = (field(4, 8)?, field(16, 32)?);
        let text = start.get(from..from.checked_add(length)?)?;
        return Some(String::from_utf8_lossy(text.split(|b| *b == 0).next()?).into_owned());
    }
    None
}

/// The Portable Executable format of Windows.
fn windows_program(start: &[u8], target: Target<'_>) -> Result<(), String> {
    let Some(platform) = target.platform else { return Ok(()) };
    let header = number(start, 60, 4).and_then(|at| usize::try_from(at).ok());
    let machine = header.and_then(|at| number(start, at.checked_add(4)?, 2));
    match (platform, machine) {
        (Platform::LinuxX86_64 | Platform::LinuxAarch64, _) => {
            Err(format!("it is a program for Windows, and the platform is {}", platform))
        }
        (Platform::WindowsX86, Some(0x14c)) | (Platform::WindowsX86_64, Some(0x14c | 0x8664)) => Ok(()),
        // Its header is further down, or it is of the old kind that has none.
        (Platform::WindowsX86 | Platform::WindowsX86_64, None) => Ok(()),
        (Platform::WindowsX86 | Platform::WindowsX86_64, Some(_)) => {
            Err(format!("it is a program for another processor than that of {}", platform))
        }
    }
}

/// A number of so many bytes, the lowest first.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HERE: Platform = Platform::LinuxX86_64;

    fn has(path: &str) -> Result<(), String> {
        let known = ["/bin/sh", "/usr/bin/env", "python3", "/lib64/ld-linux-x86-64.so.2"].contains(&path);
        if known { Ok(()) } else { Err("it does not exist".into()) }
    }

    fn on(platform: Platform, start: &[u8]) -> Result<(), String> {
        judge(start, "setup.bat", Target { platform: Some(platform), system: Some(&has) })
    }

    /// A 64-bit program for a processor, with a loader.
    fn program(machine: u8, loader: &str) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        (bytes[16], bytes[18], bytes[32], bytes[54], bytes[56]) = (3, machine, 64, 56, 1);
        let mut header = vec![0; 56];
        (header[0], header[8], header[32]) = (3, 120, u8::try_from(loader.len() + 1).unwrap());
        bytes.extend(header);
        bytes.extend(loader.bytes());
        bytes.push(0);
        bytes
    }

    #[track_caller]
    fn refused(platform: Platform, start: &[u8], why: &str) {
        let said = on(platform, start).unwrap_err();
        assert!(said.contains(why), "{said}");
    }

    #[test]
    fn a_script_needs_an_interpreter_that_is_there_and_line_ends_of_unix() {
        for good in [
            "#!/bin/sh\nexit\n",
            "#! /bin/sh -e\n",
            "#!/bin/sh",
            "#!/usr/bin/env python3\n",
            "#!/usr/bin/env -S x\n",
        ] {
            assert_eq!(on(HERE, good.as_bytes()), Ok(()), "{good}");
        }
        refused(HERE, b"#!/bin/sh\r\nexit\r\n", r#""/bin/sh\r": save it with LF"#);
        refused(HERE, b"#!/bin/sh -e\r\n", "CR LF");
        refused(HERE, b"#!/opt/perl\n", "/opt/perl: it does not exist");
        refused(HERE, b"#!/usr/bin/env ruby\n", "ruby: it does not exist");
        refused(HERE, b"#!sh\n", "not an absolute path");
        refused(HERE, b"#!\n", "names no interpreter");
        refused(HERE, b"", "empty");
        refused(HERE, b"echo hello\n", "neither");
    }

    #[test]
    fn a_program_is_for_this_processor_and_its_loader_is_there() {
        let glibc = "/lib64/ld-linux-x86-64.so.2";
        assert_eq!(on(HERE, &program(62, glibc)), Ok(()));
        assert_eq!(on(Platform::LinuxAarch64, &program(183, "/bin/sh")), Ok(()));
        refused(HERE, &program(183, glibc), "for aarch64, and the platform is linux-x86_64");
        refused(Platform::LinuxAarch64, &program(62, glibc), "for x86-64");
        refused(HERE, &program(62, "/lib/ld-musl-x86_64.so.1"), "its loader /lib/ld-musl-x86_64.so.1");
        refused(HERE, b"MZ\x90\0", "for Windows");
        refused(Platform::WindowsX86_64, &program(62, glibc), "for Linux");
    }

    #[test]
    fn a_program_for_windows_is_for_its_processor() {
        let made = |machine: u16| {
            let mut bytes = vec![0; 72];
            bytes[..2].copy_from_slice(b"MZ");
            bytes[60] = 64;
            bytes[68..70].copy_from_slice(&machine.to_le_bytes());
            bytes
        };
        assert_eq!(on(Platform::WindowsX86_64, &made(0x8664)), Ok(()));
        assert_eq!(on(Platform::WindowsX86_64, &made(0x14c)), Ok(()));
        assert_eq!(on(Platform::WindowsX86, &made(0x14c)), Ok(()));
        refused(Platform::WindowsX86, &made(0x8664), "another processor");
        refused(Platform::WindowsX86_64, &made(0xaa64), "another processor");
        refused(Platform::WindowsX86, b"#!/bin/sh\n", "does not start");
        assert_eq!(on(Platform::WindowsX86, b"@echo off\r\n"), Ok(()));
    }

    #[test]
    fn without_a_platform_only_what_fits_none_is_refused() {
        let anywhere = |start: &[u8]| judge(start, "setup", Target { platform: None, system: None });
        assert_eq!(anywhere(b"MZ"), Ok(()));
        assert_eq!(anywhere(b"anything"), Ok(()));
        assert_eq!(anywhere(&program(62, "/nowhere")), Ok(()));
        assert!(anywhere(b"#!/bin/sh\r\n").is_err());
        assert!(anywhere(b"").is_err());
        assert!(anywhere(b"\xef\xbb\xbf#!/bin/sh\n").unwrap_err().contains("byte order mark"));
    }

    #[test]
    fn text_is_a_batch_file_by_its_name_alone_and_nothing_else() {
        let windows = Target { platform: Some(Platform::WindowsX86_64), system: None };
        for (name, good) in [("a/SETUP.BAT", true), ("x.cmd", true), ("setup.sh", false), ("cmd", false)] {
            assert_eq!(judge(b"echo hello\r\n", name, windows).is_ok(), good, "{name}");
        }
        refused(HERE, b"echo hello\r\n", "neither a program for Linux");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let whole = program(62, "/lib64/ld-linux-x86-64.so.2");
        for length in 0..whole.len() {
            let _ = on(HERE, &whole[..length]);
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] = 0xff;
            let _ = on(HERE, &bytes);
        }
    }
}
