//! A package from what others deliver: `.deb`, `.rpm`, `.msi`, the package definition files of Systems Management Server
//! (`*.pdf`, `*.sms`), or a folder. Only what such a file says of itself is taken; what it does not say is asked for, and
//! never invented. All of it is hostile: bounded in bytes, entries and unpacked bytes, and opened without following links.

use super::shelf::Brought;
use super::{InstalledIf, Package, PackageCommand};
use crate::error::{Exit, Failure};
use crate::fields::cut;
use crate::host::open::OpenError;
use crate::site::ids::PackageId;
use crate::site::instruction::parse::how::How;
use crate::site::instruction::{CommandLine, Program};
use crate::terms::Platform;
use crate::text::SafeText;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};

mod deb;
pub mod folder;
mod ini;
mod msi;
mod rpm;
mod sms;

#[cfg(any(test, fuzzing))]
pub(crate) use self::{
    deb::read as read_deb, msi::read as read_msi, rpm::read as read_rpm, sms::read as read_sms,
};

/// What the publisher says, where a file does not, or says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The package's name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Where it can run; empty: not said.
    pub platforms: Vec<Platform>,
    /// How it is installed.
    pub command_line: Option<String>,
    /// What a package definition file is about.
    pub files: Option<PathBuf>,
    /// The bare names that may be started.
    pub programs: Vec<String>,
}

/// What was read, ready to be placed.
#[derive(Debug)]
pub struct Imported {
    /// Its definition.
    pub package: Package,
    /// What is copied into it.
    pub files: Vec<Brought>,
    /// What is kept beside its definition, by name.
    pub beside: Vec<(String, Vec<u8>)>,
    /// What was read and is not used, and what else is worth knowing.
    pub notes: Vec<SafeText>,
}

/// The longest name or version that is taken of a package's format.
const MAX_NAME: usize = 200;

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub name: Option<String>,
    pub version: Option<String>,
    pub publisher: Option<String>,
    pub language: Option<String>,
    pub comment: Option<String>,
    /// What it says of where it can run, where that is no platform of ours.
    pub other_platform: Option<String>,
    pub installed_if: Option<InstalledIf>,
    pub commands: Vec<PackageCommand>,
    pub notes: Vec<String>,
}

/// What a file is, by its first bytes, then by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Deb,
    Rpm,
    Msi,
    Sms,
}

impl Kind {
    fn of(path: &Path, start: &[u8]) -> Result<Kind, String> {
        let ends = |with: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(with));
        match start {
            [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => Ok(Kind::Deb),
            [0xed, 0xab, 0xee, 0xdb, ..] => Ok(Kind::Rpm),
            [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Ok(Kind::Msi),
            [b'%', b'P', b'D', b'F', b'-', ..] => Err("it is a document, no package definition file".into()),
            _ if ends("deb") => Err("it is no Debian package: it does not begin with !<arch>".into()),
            _ if ends("rpm") => Err("it is no rpm package: it does not begin as one".into()),
            _ if ends("msi") => Err("it is no Windows Installer package: it does not begin as one".into()),
            _ if ends("pdf") || ends("sms") => Ok(Kind::Sms),
            _ => Err("it is none of .deb, .rpm, .msi, *.pdf, *.sms".into()),
        }
    }
}

/// Reads a file or a folder.
///
/// # Errors
/// `no-such-file`, `unreadable`; `not-imported`: what is wrong with it; or what it does not say, with the flag that says
/// it.
pub fn import(path: &Path, id: PackageId, wishes: &Wishes) -> Result<Imported, Failure> {
    let shown = path.display().to_string();
    let cannot = |why: String| not_imported(&shown, &why);
    // What the publisher names may be a link; below a folder none is followed.
    let real = real(path)?;
    let too_many = || {
        let why = format!("{shown} was not imported: it is all that is copied, and --files names others");
        Failure::new(Exit::Usage, "usage", why, "Leave --files out; it goes with *.pdf and *.sms files")
    };
    if real.is_dir() {
        if wishes.files.is_some() {
            return Err(too_many());
        }
        let files = folder::files(&real).map_err(cannot)?;
        let one = match folder::the_one(&files) {
            Ok(one) => one,
            // The publisher says it.
            Err(_) if wishes.command_line.is_some() => None,
            Err(several) => return Err(several_say_it(&shown, &several)),
        };
        let Some(one) = one else { return finish(&shown, id, wishes, Said::default(), files, Vec::new()) };
        let (said, kind) = said(one, id, wishes)?;
        let beside = if kind == Kind::Sms { vec![kept(one)?] } else { Vec::new() };
        return finish(&shown, id, wishes, said, files, beside);
    }
    let file = folder::file(&real, path).map_err(cannot)?;
    let (said, kind) = said(&file, id, wishes)?;
    match (kind, &wishes.files) {
        (Kind::Sms, named) => {
            let beside = vec![kept(&file)?];
            let files = named.as_deref().map_or_else(|| Ok(Vec::new()), beside_definition)?;
            finish(&shown, id, wishes, said, files, beside)
        }
        (Kind::Deb | Kind::Rpm | Kind::Msi, None) => finish(&shown, id, wishes, said, vec![file], Vec::new()),
        (Kind::Deb | Kind::Rpm | Kind::Msi, Some(_)) => Err(too_many()),
    }
}

/// What `--files` names.
fn beside_definition(path: &Path) -> Result<Vec<Brought>, Failure> {
    let shown = path.display().to_string();
    let real = real(path)?;
    if !real.is_dir() {
        let why = format!("nothing was imported: --files names {shown}, which is no folder");
        return Err(Failure::new(Exit::Usage, "usage", why, "Name the folder whose files are copied"));
    }
    folder::files(&real).map_err(|why| not_imported(&shown, &why))
}

/// Where what the publisher names really is.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|e| unread(path, &e.into()))
}

/// What cannot be opened.
fn unread(path: &Path, e: &OpenError) -> Failure {
    let shown = path.display();
    match e {
        OpenError::Missing | OpenError::NotFolder => {
            let remedy = "Name a .deb, .rpm, .msi, *.pdf or *.sms file, or a folder";
            Failure::new(Exit::NotFound, "no-such-file", format!("there is no {shown}"), remedy)
        }
        OpenError::Denied => {
            let remedy = "Import it as an account that may read it, or let this one: `ls -l` shows who may";
            Failure::new(Exit::Failed, "unreadable", format!("{shown} cannot be read: {e}"), remedy)
        }
        OpenError::NotRegular
        | OpenError::Linked
        | OpenError::TooLarge(_)
        | OpenError::TooMany(_)
        | OpenError::Loose(_)
        | OpenError::KeyRefused(_)
        | OpenError::Io(..) => not_imported(&shown.to_string(), &e.to_string()),
    }
}

fn not_imported(shown: &str, why: &str) -> Failure {
    let linked = why.contains(&OpenError::Linked.to_string());
    let remedy = if linked {
        "Copy it, and import the copy: what has one name cannot be changed under another. `cp -rL` copies what links lead to"
    } else {
        "Name a .deb, .rpm, .msi, *.pdf or *.sms file that is whole, or a folder of plain files"
    };
    Failure::new(Exit::Failed, "not-imported", format!("{shown} was not imported: {why}"), remedy)
}

fn several_say_it(shown: &str, several: &[&str]) -> Failure {
    let names = several.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let why = format!("{shown} was not imported: it holds several that say what it is ({names})");
    let remedy = "Import each for itself; or say with --command-line and --name how all of it is installed and what it is called";
    Failure::new(Exit::Usage, "not-imported", why, remedy)
}

/// Asks a file what it is, by the name that it was given.
fn said(file: &Brought, id: PackageId, wishes: &Wishes) -> Result<(Said, Kind), Failure> {
    let path = file.base.join(&file.below);
    let mut open = file.open().map_err(|e| unread(&path, &e))?;
    let read = || -> Result<(Said, Kind), String> {
        let mut start = [0; 8];
        let read = fill(&mut open.file, &mut start).map_err(|e| e.to_string())?;
        let kind = Kind::of(Path::new(&file.to), &start[..read])?;
        open.file.rewind().map_err(|e| e.to_string())?;
        let said = match kind {
            Kind::Deb => deb::read(open.file, &file.to),
            Kind::Rpm => rpm::read(open.file, &file.to),
            Kind::Msi => msi::read(open.file, &file.to, id),
            Kind::Sms => sms::read(&within(open.file, sms::MAX_BYTES)?, &wishes.programs),
        };
        Ok((said?, kind))
    };
    read().map_err(|why| not_imported(&path.display().to_string(), &why))
}

/// A definition file, as it is kept beside ours.
fn kept(file: &Brought) -> Result<(String, Vec<u8>), Failure> {
    let path = file.base.join(&file.below);
    let open = file.open().map_err(|e| unread(&path, &e))?;
    let bytes = within(open.file, sms::MAX_BYTES);
    let bytes = bytes.map_err(|why| not_imported(&path.display().to_string(), &why))?;
    Ok((file.to.clone(), bytes))
}

/// Puts together what a file says and what the publisher says; the publisher's words count.
fn finish(
    shown: &str,
    id: PackageId,
    wishes: &Wishes,
    mut said: Said,
    files: Vec<Brought>,
    beside: Vec<(String, Vec<u8>)>,
) -> Result<Imported, Failure> {
    let missing = |what: String, flag: &str| {
        let why = format!("{shown} was not imported: {what}");
        Err(Failure::new(Exit::Usage, "not-imported", why, format!("Say it with {flag}")))
    };
    let text = |text: Option<String>| text.map(|t| short(&t)).filter(|t| !t.is_empty());
    let Some(name) = text(wishes.name.clone().or(said.name.take())) else {
        return missing("it does not say what it is called".into(), "--name");
    };
    if let Some(line) = &wishes.command_line {
        let words = crate::text::split(line);
        let line = words.and_then(|w| crate::site::instruction::command::command_line(w, &wishes.programs));
        match line {
            // What installs it; what removes it stays.
            Ok(line) => match said.commands.iter_mut().find(|c| !c.removes) {
                Some(first) => first.command_line = line,
                None => said.commands.push(command("Install", line)),
            },
            Err(why) => return missing(format!("the command line: {why}"), "another --command-line"),
        }
    }
    if said.commands.is_empty() {
        let why = if said.notes.is_empty() {
            "it does not say how it is installed"
        } else {
            "no command of it can be used"
        };
        let why = said.notes.iter().fold(why.to_owned(), |why, note| format!("{why}; {note}"));
        return missing(cut(&why, 1_000), "--command-line");
    }
    if !wishes.platforms.is_empty() {
        said.commands.iter_mut().for_each(|c| c.how.platforms.clone_from(&wishes.platforms));
    } else if let Some(other) = &said.other_platform {
        return missing(format!("it is for {:?}, which is no platform of pcm", cut(other, 60)), "--platform");
    }
    let package = Package {
        package_id: id,
        name,
        version: text(wishes.version.clone().or(said.version)),
        publisher: text(said.publisher),
        language: text(said.language),
        comment: text(said.comment),
        readme: None,
        release: None,
        sites: Vec::new(),
        content_sha256: None,
        installed_if: said.installed_if,
        commands: said.commands,
    };
    let notes = said.notes.iter().map(|note| SafeText::new(&cut(note, 300))).collect();
    Ok(Imported { package, files, beside, notes })
}

/// The same without files.
///
/// # Errors
/// As [`import`].
#[cfg(any(test, fuzzing))]
pub(crate) fn finish_package(
    shown: &str,
    id: PackageId,
    wishes: &Wishes,
    said: Said,
) -> Result<Package, Failure> {
    finish(shown, id, wishes, said, Vec::new(), Vec::new()).map(|imported| imported.package)
}

/// Words as a definition has them: safe, and of a bounded length.
fn short(text: &str) -> SafeText {
    const MOST: usize = 199;
    SafeText::new(&cut(SafeText::new(text.trim()).as_str(), MOST))
}

/// A command that needs nobody.
fn command(name: &str, command_line: CommandLine) -> PackageCommand {
    PackageCommand {
        name: short(name),
        command_line,
        how: How { automated: true, background: true, ..How::default() },
        removes: false,
        bound: None,
        depends_on: Vec::new(),
        line: 0,
    }
}

/// A command line of a program that machines have.
fn listed(program: &str, args: &[&str]) -> CommandLine {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    CommandLine { program: Program::Listed(program.to_owned()), args }
}

/// Everything that is there to read, at most so many bytes.
fn within(from: impl Read, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > most { Err(format!("it is larger than {most} bytes")) } else { Ok(bytes) }
}

/// As much of a buffer as there is.
fn fill(from: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match from.read(&mut to[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
