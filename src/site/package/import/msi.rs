//! A Windows Installer package: a compound file whose streams are the columns of a database. Three of its tables' streams
//! and its summary are read; what it installs is not.

use super::{MAX_NAME, Said, command, listed, within};
use crate::fields::cut;
use crate::site::ids::PackageId;
use crate::site::instruction::Outcome;
use crate::site::package::{InstalledIf, Is};
use crate::terms::Platform;
use cfb::CompoundFile;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

/// The largest streams that are read: lengths and texts of all strings, and the properties.
const MAX_POOL: u64 = 16 << 20;
const MAX_TEXTS: u64 = 64 << 20;
const MAX_PROPERTIES: u64 = 4 << 20;
const MAX_SUMMARY: u64 = 1 << 20;
/// The longest property that is taken, in bytes.
const MAX_TEXT: usize = 4_096;
/// The properties that are used. Any other one is not even decoded: a million rows may name one long text.
const USED: [&str; 5] = ["ProductCode", "ProductVersion", "ProductName", "Manufacturer", "ALLUSERS"];

/// What a package says of itself. `name` is what the file is called in the package.
pub(crate) fn read(file: impl Read + Seek, name: &str, id: PackageId) -> Result<Said, String> {
    let damaged = |e: std::io::Error| format!("it is no Windows Installer package, or damaged: {e}");
    let mut file = CompoundFile::open(file).map_err(damaged)?;
    let properties = properties(&mut file)?;
    let property =
        |key: &str| properties.get(key).and_then(Option::as_deref).filter(|v| !v.trim().is_empty());
    let code = property("ProductCode").ok_or("its properties have no ProductCode that can be read")?;
    if !is_guid(code) {
        return Err(format!("its ProductCode is none: {:?}", cut(code, 60)));
    }
    let version = property("ProductVersion");
    if let Some(version) =
        version.filter(|v| v.len() > MAX_NAME || !v.chars().all(|c| c.is_ascii_digit() || c == '.'))
    {
        return Err(format!("its ProductVersion is none: {:?}", cut(version, 60)));
    }
    let template = template(&mut file)?;
    let platforms = match template.split([';', ',']).next().unwrap_or_default().trim() {
        // One for 32 bits runs on both.
        "" | "Intel" => vec![Platform::WindowsX86, Platform::WindowsX86_64],
        "x64" | "AMD64" => vec![Platform::WindowsX86_64],
        _ => Vec::new(),
    };
    let log = |what: &str| format!(r"C:\Windows\Temp\pcm-{id}-{what}.log");
    let install = ["/i", name, "/qn", "/norestart", "/l*v", &log("install")];
    let mut install = command("Install", listed("msiexec.exe", &install));
    let remove = ["/x", code, "/qn", "/norestart", "/l*v", &log("uninstall")];
    let mut remove = command("Uninstall", listed("msiexec.exe", &remove));
    remove.removes = true;
    // This product is not installed: there is nothing to take away.
    remove.how.exit_codes.insert(1605, Outcome::Success);
    for command in [&mut install, &mut remove] {
        command.how.platforms.clone_from(&platforms);
    }
    let mut notes = Vec::new();
    if property("ALLUSERS").is_none() {
        notes.push(
            "it sets no ALLUSERS: it installs for the one account that runs it; add ALLUSERS=1 to its command line where \
             everybody is to have it"
                .to_owned(),
        );
    }
    Ok(Said {
        name: property("ProductName").map(str::to_owned),
        version: version.map(str::to_owned),
        publisher: property("Manufacturer").map(str::to_owned),
        other_platform: platforms.is_empty().then_some(template),
        installed_if: Some(InstalledIf::Registry {
            key: format!(r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\{code}"),
            value: version.map(|_| "DisplayVersion".to_owned()),
            is: version.map_or(Is::There, |version| Is::AtLeast(version.to_owned())),
        }),
        commands: vec![install, remove],
        notes,
        ..Said::default()
    })
}

/// `{12345678-1234-1234-1234-123456789ABC}`
fn is_guid(text: &str) -> bool {
    text.len() == 38
        && text.bytes().enumerate().all(|(at, byte)| match at {
            0 => byte == b'{',
            37 => byte == b'}',
            9 | 14 | 19 | 24 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn stream<F: Read + Seek>(file: &mut CompoundFile<F>, path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let shown = path.display().to_string();
    let open = file.open_stream(path).map_err(|e| format!("its stream {shown:?} cannot be read: {e}"))?;
    within(open, most).map_err(|why| format!("its stream {shown:?}: {why}"))
}

/// The path of a table's stream: the database writes two characters of a name as one, from a range that nothing else uses.
fn table(name: &str) -> PathBuf {
    let value = |c: char| match c {
        '0'..='9' => Some(u32::from(c) - u32::from('0')),
        'A'..='Z' => Some(u32::from(c) - u32::from('A') + 10),
        'a'..='z' => Some(u32::from(c) - u32::from('a') + 36),
        '.' => Some(62),
        '_' => Some(63),
        _ => None,
    };
    let mut out = String::from("/\u{4840}");
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let coded = match (value(c), chars.peek().and_then(|next| value(*next))) {
            (None, _) => None,
            (Some(one), None) => char::from_u32(0x4800 + one),
            (Some(one), Some(two)) => {
                chars.next();
                char::from_u32(0x3800 + one + (two << 6))
            }
        };
        out.push(coded.unwrap_or(c));
    }
    PathBuf::from(out)
}

/// A little-endian number of two or four bytes.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let part = bytes.get(at..at.checked_add(N)?)?;
    Some(part.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte)))
}

/// Each of [`USED`] that is there; None: its text is of a code page that is not known.
type Properties = BTreeMap<&'static str, Option<String>>;

fn properties<F: Read + Seek>(file: &mut CompoundFile<F>) -> Result<Properties, String> {
    let pool = stream(file, &table("_StringPool"), MAX_POOL)?;
    let texts = stream(file, &table("_StringData"), MAX_TEXTS)?;
    let rows = stream(file, &table("Property"), MAX_PROPERTIES)?;
    used(&pool, &texts, &rows)
}

/// Of the table `Property` (two columns of references to strings, one column after the other) what is used.
pub(super) fn used(pool: &[u8], texts: &[u8], rows: &[u8]) -> Result<Properties, String> {
    let damaged = || "its table of strings is damaged".to_owned();
    let head = number::<4>(pool, 0).ok_or_else(damaged)?;
    // The highest bit says that references have three bytes.
    let (code_page, long) = (head & 0x7fff_ffff, head & 0x8000_0000 != 0);
    let places = places(pool, texts.len()).ok_or_else(damaged)?;
    let text = |reference: usize| -> Option<&[u8]> {
        let (at, length) = *places.get(reference.checked_sub(1)?)?;
        texts.get(at..at.checked_add(length)?)
    };
    let width = if long { 3 } else { 2 };
    let reference = |at: usize| if long { number::<3>(rows, at) } else { number::<2>(rows, at) };
    let count = rows.len() / (2 * width);
    let mut properties = BTreeMap::new();
    for row in 0..count {
        // The names that are used are the same bytes in every code page.
        let Some(key) = reference(row * width).and_then(text) else { continue };
        let Some(key) = USED.into_iter().find(|used| used.as_bytes() == key) else { continue };
        // Each is decoded once, however many rows name it.
        if let Entry::Vacant(first) = properties.entry(key) {
            let value = reference((count + row) * width).and_then(text);
            // A text of a code page that is not known is none; what needs it asks for it.
            first.insert(value.and_then(|value| decode(&value[..value.len().min(MAX_TEXT)], code_page)));
        }
        if properties.len() == USED.len() {
            break;
        }
    }
    Ok(properties)
}

/// Where each string is: start and length. None: it does not fit.
fn places(pool: &[u8], bytes: usize) -> Option<Vec<(usize, usize)>> {
    let mut places = Vec::new();
    let (mut at, mut start) = (4, 0_usize);
    while at + 4 <= pool.len() {
        let (mut length, used) = (number::<2>(pool, at)?, number::<2>(pool, at + 2)?);
        at += 4;
        // A length that needs more than two bytes stands in an entry of its own.
        if length == 0 && used != 0 {
            length = number::<4>(pool, at)?;
            at += 4;
        }
        let end = start.checked_add(length).filter(|end| *end <= bytes)?;
        places.push((start, length));
        start = end;
    }
    Some(places)
}

/// Text of a code page, where this needs no table that pcm does not have.
fn decode(bytes: &[u8], code_page: usize) -> Option<String> {
    match code_page {
        65001 => String::from_utf8(bytes.to_vec()).ok(),
        0 | 1252 => Some(super::ini::windows_1252(bytes)),
        _ => bytes.is_ascii().then(|| String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// The template of the summary: platform and languages, as `x64;1033`.
fn template<F: Read + Seek>(file: &mut CompoundFile<F>) -> Result<String, String> {
    const TEMPLATE: usize = 7;
    const TEXT: usize = 30;
    let bytes = stream(file, Path::new("/\u{5}SummaryInformation"), MAX_SUMMARY)?;
    let found = || {
        let section = number::<4>(&bytes, 44)?;
        let count = number::<4>(&bytes, section.checked_add(4)?)?;
        // The list ends with the bytes, whatever its count says.
        for n in 0..count.min(bytes.len() / 8) {
            let entry = section.checked_add(8 + n * 8)?;
            if number::<4>(&bytes, entry)? != TEMPLATE {
                continue;
            }
            let at = section.checked_add(number::<4>(&bytes, entry + 4)?)?;
            if number::<4>(&bytes, at)? != TEXT {
                return None;
            }
            let length = number::<4>(&bytes, at.checked_add(4)?)?.min(MAX_TEXT);
            let text = bytes.get(at + 8..(at + 8).checked_add(length)?)?;
            return decode(text.split(|b| *b == 0).next()?, 1252);
        }
        None
    };
    found().ok_or_else(|| "its summary does not say for which platform it is".to_owned())
}
