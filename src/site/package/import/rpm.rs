//! An rpm package: a lead, a header of signatures, and the header that says what it is. Of what it installs nothing is
//! read, and no signature is judged: the machine's own rpm does that.

use super::{MAX_NAME, Said, command, fill, listed};
use crate::fields::cut;
use crate::site::package::{InstalledIf, Named};
use crate::terms::Platform;
use std::io::{self, Read};

/// The largest header, of an index and what it points at. That of a package of 100,000 files has 20 MB.
const MAX_HEADER: u64 = 64 << 20;
/// The bytes of one entry of an index.
const ENTRY: u64 = 16;
/// The longest text that is taken.
const MAX_TEXT: usize = 4_096;

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const SUMMARY: u32 = 1004;
const VENDOR: u32 = 1011;
const OS: u32 = 1021;
const ARCH: u32 = 1022;

/// What a package says of itself. `name` is what the file is called in the package.
pub(crate) fn read(file: impl Read, name: &str) -> Result<Said, String> {
    let header = header(file)?;
    let need = |tag: u32, what: &str| {
        let text = header.text(tag).filter(|t| !t.is_empty());
        text.ok_or_else(|| format!("its header has no {what}, or none that can be read"))
    };
    let package = need(NAME, "name")?;
    let (version, release) = (need(VERSION, "version")?, need(RELEASE, "release")?);
    let (os, arch) = (need(OS, "system")?, need(ARCH, "architecture")?);
    let plain = |text: &str, more: &str| {
        text.len() <= MAX_NAME
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c) || more.contains(c))
    };
    if !plain(&package, "") {
        return Err(format!("its header has a name that is none: {:?}", cut(&package, 60)));
    }
    let epoch = header.number(EPOCH).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let full = format!("{epoch}{version}-{release}");
    if !plain(&full, "~^:") {
        return Err(format!("its header has a version that is none: {:?}", cut(&full, 60)));
    }
    let platforms = match (os.as_str(), arch.as_str()) {
        ("linux", "x86_64") => vec![Platform::LinuxX86_64],
        ("linux", "aarch64") => vec![Platform::LinuxAarch64],
        ("linux", "noarch") => vec![Platform::LinuxX86_64, Platform::LinuxAarch64],
        _ => Vec::new(),
    };
    let mut install = command("Install", listed("rpm", &["-U", &format!("./{name}")]));
    let mut remove = command("Uninstall", listed("rpm", &["-e", &package]));
    remove.removes = true;
    for command in [&mut install, &mut remove] {
        command.how.platforms.clone_from(&platforms);
    }
    Ok(Said {
        name: Some(package.clone()),
        version: Some(full.clone()),
        publisher: header.text(VENDOR),
        comment: header.text(SUMMARY),
        other_platform: platforms.is_empty().then(|| format!("{os} {arch}")),
        installed_if: Some(InstalledIf::Rpm(Named { name: package, version: Some(full) })),
        commands: vec![install, remove],
        ..Said::default()
    })
}

/// An index and the bytes that it points into.
struct Header {
    index: Vec<u8>,
    store: Vec<u8>,
}

impl Header {
    /// Kind and place of a tag.
    fn find(&self, tag: u32) -> Option<(u32, usize)> {
        let entry = self.index.chunks_exact(ENTRY as usize).find(|entry| word(entry, 0) == Some(tag))?;
        Some((word(entry, 4)?, usize::try_from(word(entry, 8)?).ok()?))
    }

    fn text(&self, tag: u32) -> Option<String> {
        // A string, the first of several, or the first of its translations.
        let (_, at) = self.find(tag).filter(|(kind, _)| matches!(kind, 6 | 8 | 9))?;
        let bytes = self.store.get(at..)?;
        let end = bytes.iter().take(MAX_TEXT).position(|b| *b == 0)?;
        String::from_utf8(bytes[..end].to_vec()).ok()
    }

    fn number(&self, tag: u32) -> Option<u32> {
        let (_, at) = self.find(tag).filter(|(kind, _)| *kind == 4)?;
        word(&self.store, at)
    }
}

/// Four bytes, the highest first.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

fn header(mut file: impl Read) -> Result<Header, String> {
    let mut lead = [0; 96];
    exactly(&mut file, &mut lead)?;
    match lead {
        [0xed, 0xab, 0xee, 0xdb, 3 | 4, _, 0, 0, ..] => {}
        [0xed, 0xab, 0xee, 0xdb, 3 | 4, _, 0, 1, ..] => {
            return Err("it is a source package: it is built, not installed".into());
        }
        _ => return Err("it is no rpm package: it does not begin as one".into()),
    }
    let (entries, bytes) = counts(&mut file)?;
    // The signatures end at a multiple of eight.
    let size = entries * ENTRY + bytes;
    skip(&mut file, size + (8 - size % 8) % 8)?;
    let (entries, bytes) = counts(&mut file)?;
    Ok(Header { index: taken(&mut file, entries * ENTRY)?, store: taken(&mut file, bytes)? })
}

/// How many entries, and how many bytes behind them.
fn counts(file: &mut impl Read) -> Result<(u64, u64), String> {
    let mut intro = [0; 16];
    exactly(file, &mut intro)?;
    if intro[..4] != [0x8e, 0xad, 0xe8, 0x01] {
        return Err("it is damaged: a header does not begin as one".into());
    }
    let both = word(&intro, 8).zip(word(&intro, 12)).map(|(n, bytes)| (u64::from(n), u64::from(bytes)));
    both.filter(|(n, bytes)| n * ENTRY + bytes <= MAX_HEADER)
        .ok_or_else(|| format!("it has a header of more than {MAX_HEADER} bytes"))
}

fn exactly(file: &mut impl Read, to: &mut [u8]) -> Result<(), String> {
    match fill(file, to) {
        Ok(n) if n == to.len() => Ok(()),
        Ok(_) => Err("it is cut off".into()),
        Err(e) => Err(e.to_string()),
    }
}

fn skip(file: &mut impl Read, bytes: u64) -> Result<(), String> {
    match io::copy(&mut file.take(bytes), &mut io::sink()) {
        Ok(n) if n == bytes => Ok(()),
        Ok(_) => Err("it is cut off".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// So many bytes; memory is taken as they come, not as they are announced.
fn taken(file: &mut impl Read, bytes: u64) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    match file.take(bytes).read_to_end(&mut all) {
        Ok(n) if n as u64 == bytes => Ok(all),
        Ok(_) => Err("it is cut off".into()),
        Err(e) => Err(e.to_string()),
    }
}
