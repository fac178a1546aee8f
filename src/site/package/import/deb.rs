//! A Debian package (deb(5)): an `ar` archive whose member `control.tar` says what it is. Of what it installs nothing is
//! read.

use super::{MAX_NAME, Said, command, fill, listed, within};
use crate::fields::cut;
use crate::site::package::{InstalledIf, Named};
use crate::terms::Platform;
use std::collections::BTreeSet;
use std::io::{self, Read};

/// The largest `control.tar`, packed or not. That of the largest packages of Debian has 3 MB.
const MAX_CONTROL_TAR: u64 = 16 << 20;
/// The most files in it.
const MAX_ENTRIES: usize = 10_000;
/// The largest `control`.
const MAX_CONTROL: u64 = 256 << 10;
/// The most fields of it; those of Debian know about fifty.
const MAX_FIELDS: usize = 1_000;
/// The most members that stand before it.
const MAX_MEMBERS: usize = 16;
/// The memory that unpacking may take, in KiB.
const MEMORY_KIB: u32 = 128 << 10;

/// What a package says of itself. `name` is what the file is called in the package.
pub(crate) fn read(file: impl Read, name: &str) -> Result<Said, String> {
    let control = control(file)?;
    let field = |key: &str| control.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.trim());
    let need = |key: &str| {
        field(key).filter(|v| !v.is_empty()).ok_or_else(|| format!("its control file has no {key}"))
    };
    let (package, version, arch) = (need("Package")?, need("Version")?, need("Architecture")?);
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if package.len() > MAX_NAME || version.len() > MAX_NAME {
        return Err(format!("its control file has a Package or Version of more than {MAX_NAME} characters"));
    }
    if !package.starts_with(|c: char| c.is_ascii_alphanumeric()) || !package.chars().all(plain) {
        return Err(format!("its control file has a Package that is no name: {:?}", cut(package, 60)));
    }
    if !version.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !version.chars().all(|c| plain(c) || "~:".contains(c))
    {
        return Err(format!("its control file has a Version that is none: {:?}", cut(version, 60)));
    }
    let platforms = match arch {
        "amd64" => vec![Platform::LinuxX86_64],
        "arm64" => vec![Platform::LinuxAarch64],
        "all" => vec![Platform::LinuxX86_64, Platform::LinuxAarch64],
        _ => Vec::new(),
    };
    let needs_others = ["Depends", "Pre-Depends"].iter().any(|key| field(key).is_some_and(|v| !v.is_empty()));
    let file = format!("./{name}");
    // Both keep configuration files that somebody changed; without that dpkg asks, and fails since nobody answers.
    let install = if needs_others {
        let args = [
            "-y",
            "--no-remove",
            "-o",
            "DPkg::Lock::Timeout=600",
            "-o",
            "Dpkg::Options::=--force-confdef",
            "-o",
            "Dpkg::Options::=--force-confold",
            "install",
            &file,
        ];
        listed("apt-get", &args)
    } else {
        listed("dpkg", &["--force-confdef", "--force-confold", "-i", &file])
    };
    let mut install = command("Install", install);
    let mut remove = command("Uninstall", listed("dpkg", &["-r", package]));
    remove.removes = true;
    for command in [&mut install, &mut remove] {
        command.how.platforms.clone_from(&platforms);
    }
    Ok(Said {
        name: Some(package.to_owned()),
        version: Some(version.to_owned()),
        publisher: field("Maintainer").map(str::to_owned),
        comment: field("Description").and_then(|d| d.lines().next()).map(str::to_owned),
        other_platform: platforms.is_empty().then(|| arch.to_owned()),
        installed_if: Some(InstalledIf::Dpkg(Named {
            name: package.to_owned(),
            version: Some(version.to_owned()),
        })),
        commands: vec![install, remove],
        ..Said::default()
    })
}

/// The fields of the control file, in its order.
fn control(mut file: impl Read) -> Result<Vec<(String, String)>, String> {
    let words = |e: io::Error| e.to_string();
    let mut magic = [0; 8];
    if fill(&mut file, &mut magic).map_err(words)? != 8 || &magic != b"!<arch>\n" {
        return Err("it is no Debian package: it does not begin with !<arch>".into());
    }
    for number in 0..MAX_MEMBERS {
        let mut header = [0; 60];
        if fill(&mut file, &mut header).map_err(words)? != 60 {
            return Err("it has no control.tar, or is cut off".into());
        }
        let (name, size) = member(&header)?;
        if number == 0 && name != "debian-binary" {
            return Err("it is an archive, but no Debian package: debian-binary is not first in it".into());
        }
        if let Some(packing) = name.strip_prefix("control.tar") {
            if size > MAX_CONTROL_TAR {
                return Err(format!("its {name} is larger than {MAX_CONTROL_TAR} bytes"));
            }
            return unpacked(file.take(size), packing).map_err(|why| format!("its {name}: {why}"));
        }
        if size > MAX_CONTROL {
            return Err(format!("it has {:?} where control.tar is wanted", cut(&name, 20)));
        }
        // Members begin at even places.
        let padded = size + size % 2;
        let bytes = within((&mut file).take(padded), MAX_CONTROL + 1)?;
        if number == 0 && !bytes.starts_with(b"2.") {
            return Err("it is a Debian package of another format than 2".into());
        }
    }
    Err(format!("it has no control.tar among its first {MAX_MEMBERS} members"))
}

/// Name and size of a member of an `ar` archive.
fn member(header: &[u8; 60]) -> Result<(String, u64), String> {
    let bad = || "it is damaged: a member's header cannot be read".to_owned();
    if &header[58..] != b"`\n" {
        return Err(bad());
    }
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(|t| t.trim_end().to_owned()).map_err(|_| bad());
    let name = text(&header[..16])?;
    let size = text(&header[48..58])?;
    let size = Some(size).filter(|s| s.bytes().all(|b| b.is_ascii_digit())).and_then(|s| s.parse().ok());
    // The trailing slash is how some write a name.
    Ok((name.trim_end_matches('/').to_owned(), size.ok_or_else(bad)?))
}

fn unpacked(packed: impl Read, packing: &str) -> Result<Vec<(String, String)>, String> {
    match packing {
        "" => tar_of(packed),
        ".gz" => tar_of(flate2::read::GzDecoder::new(packed)),
        ".xz" => tar_of(lzma_rust2::XzReader::new_mem_limit(packed, true, MEMORY_KIB)),
        ".zst" => match ruzstd::decoding::StreamingDecoder::new(packed) {
            Ok(decoder) => tar_of(decoder),
            Err(e) => Err(format!("it cannot be unpacked: {e}")),
        },
        other => Err(format!("it is packed as {other:?}, which pcm does not know")),
    }
}

/// Finds `control` in what was unpacked.
fn tar_of(from: impl Read) -> Result<Vec<(String, String)>, String> {
    let words = |e: io::Error| format!("it cannot be unpacked: {e}");
    let mut archive = tar::Archive::new(Limited { from, left: MAX_CONTROL_TAR });
    for (number, entry) in archive.entries().map_err(words)?.enumerate() {
        if number >= MAX_ENTRIES {
            return Err(format!("it holds more than {MAX_ENTRIES} files"));
        }
        let entry = entry.map_err(words)?;
        let path = entry.path_bytes();
        if path.as_ref() != b"control" && path.as_ref() != b"./control" {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err("control is no plain file".into());
        }
        let bytes = within(entry, MAX_CONTROL).map_err(|why| format!("control: {why}"))?;
        let text = String::from_utf8(bytes).map_err(|_| "control is not UTF-8".to_owned())?;
        return fields(&text);
    }
    Err("there is no control in it".into())
}

/// Ends with an error after so many bytes: a few packed bytes may stand for any number of them.
struct Limited<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(format!("it is larger than {MAX_CONTROL_TAR} bytes unpacked")))?;
        Ok(read)
    }
}

/// `Key: value` lines; what begins with a blank goes on.
fn fields(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut known = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            if fields.is_empty() { continue } else { break }
        }
        if line.starts_with([' ', '\t']) {
            match fields.last_mut() {
                Some((_, value)) => {
                    value.push('\n');
                    value.push_str(line.trim());
                }
                None => return Err(format!("control, line {number}: it continues nothing")),
            }
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            return Err(format!("control, line {number}: wanted a key, a colon and a value"));
        };
        if fields.len() == MAX_FIELDS {
            return Err(format!("control, line {number}: it has more than {MAX_FIELDS} fields"));
        }
        if !known.insert(key.to_ascii_lowercase()) {
            return Err(format!("control, line {number}: {:?} is there twice", cut(key, 40)));
        }
        fields.push((key.to_owned(), value.trim().to_owned()));
    }
    Ok(fields)
}
