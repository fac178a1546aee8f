//! The package definition files of Systems Management Server (FORMATS.md 4): version 1 (1.x, `*.pdf`) and version 2 (2.0
//! and after it, `*.sms`).

use super::ini::{Ini, Section};
use super::{Said, command};
use crate::fields::cut;
use crate::site::instruction::command::command_line;
use crate::site::instruction::parse::how::LONGEST_RUN;
use crate::site::instruction::{CommandLine, Restarts, RunWhen};
use crate::site::package::{MAX_COMMANDS, PackageCommand};
use crate::terms::Platform;
use crate::text::split;
use std::time::Duration;

/// The largest that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 256 << 10;

/// What a definition says. `programs` are the bare names that may be started.
pub(crate) fn read(bytes: &[u8], programs: &[String]) -> Result<Said, String> {
    let ini = Ini::parse(bytes)?;
    let about = ini.section("Package Definition").ok_or("it has no section [Package Definition]")?;
    let version = ini.section("PDF").and_then(|s| s.get("Version"));
    let mut said = match version.map(|v| v.split('.').next().unwrap_or(v).trim()) {
        Some("1") => first(&ini, about, programs)?,
        Some("2") => second(&ini, about, programs)?,
        // The entry may be left out.
        None if about.get("Programs").is_some() => second(&ini, about, programs)?,
        None if about.get("SetupVariations").is_some() => first(&ini, about, programs)?,
        None => return Err("it does not say of which version it is: [PDF] Version".into()),
        Some(_) => {
            let found = cut(version.unwrap_or_default(), 20);
            return Err(format!("it is of version {found}; pcm reads versions 1.0 and 2.0"));
        }
    };
    let owned = |key: &str| about.get(key).map(str::to_owned);
    said.version = owned("Version");
    said.comment = owned("Comment");
    unused(about, ABOUT, &mut said);
    Ok(said)
}

/// The keys that are used: of the definition, in both versions, and of a command in each of them.
const ABOUT: &[&str] =
    &["Product", "Name", "Version", "Publisher", "Language", "Comment", "SetupVariations", "Programs"];
const OF_SETUP: &[&str] = &[
    "CommandLine",
    "CommandName",
    "UserInputRequired",
    "SystemTask",
    "SynchronousSystemExitRequired",
    "SupportedPlatforms",
];
const OF_PROGRAM: &[&str] = &[
    "Name",
    "CommandLine",
    "Disabled",
    "UserInputRequired",
    "CanRunWhen",
    "AfterRunning",
    "EstimatedDiskSpace",
    "EstimatedRunTime",
    "SupportedClients",
];

/// Says which keys of a section say something that is not used: a bound that is lost has to be seen.
fn unused(section: &Section, used: &[&str], said: &mut Said) {
    let others = section.others(used);
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(|key| cut(key, 40)).collect();
        note(said, &section.name, some(&names));
    }
}

/// `not used: a, b and 3 more`
fn some(names: &[String]) -> String {
    const MOST: usize = 10;
    let shown = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(MOST);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("not used: {shown}{more}")
}

/// Where a definition stands, as its messages begin.
fn note(said: &mut Said, section: &str, what: impl AsRef<str>) {
    said.notes.push(format!("[{}]: {}", cut(section, 60), what.as_ref()));
}

/// A command line as pcm starts it, or why it does not.
fn line_of(text: Option<&str>, programs: &[String]) -> Result<CommandLine, String> {
    let mut words = split(text.ok_or("it has no CommandLine")?)?;
    // What everybody wrote for the one program of Windows that pcm starts.
    if let Some(first) = words.first_mut().filter(|w| w.eq_ignore_ascii_case("msiexec")) {
        *first = "msiexec.exe".into();
    }
    command_line(words, programs)
}

/// Reads each section that is named, once.
fn each<'i>(
    ini: &'i Ini,
    names: &[&str],
    suffix: &str,
    said: &mut Said,
    mut read: impl FnMut(&'i Section, &mut Said) -> Result<PackageCommand, String>,
) -> Result<Vec<&'i str>, String> {
    if names.len() > MAX_COMMANDS {
        return Err(format!("it names {} commands; at most {MAX_COMMANDS} are read", names.len()));
    }
    let mut used = Vec::new();
    for name in names {
        let section = format!("{name}{suffix}");
        let read = match ini.section(&section) {
            Some(found) => {
                used.push(found.name.as_str());
                read(found, said)
            }
            None => Err("there is no such section".into()),
        };
        match read {
            Ok(command) if said.commands.iter().any(|c| same(c, &command)) => {
                note(
                    said,
                    &section,
                    format!("a second command of the name {:?} is left out", command.name.as_str()),
                );
            }
            Ok(command) => said.commands.push(command),
            Err(why) => note(said, &section, format!("this command is left out: {why}")),
        }
    }
    Ok(used)
}

fn same(a: &PackageCommand, b: &PackageCommand) -> bool {
    a.name.as_str().to_lowercase() == b.name.as_str().to_lowercase()
}

/// Says which sections were not used.
fn others(ini: &Ini, used: &[&str], said: &mut Said) {
    let known = |s: &&Section| {
        ["PDF", "Package Definition"].iter().chain(used).any(|name| s.name.eq_ignore_ascii_case(name))
    };
    let names: Vec<String> =
        ini.sections().filter(|s| !known(s)).map(|s| format!("[{}]", cut(&s.name, 60))).collect();
    if !names.is_empty() {
        said.notes.push(some(&names));
    }
}

fn first(ini: &Ini, about: &Section, programs: &[String]) -> Result<Said, String> {
    let mut said = Said { name: about.get("Product").map(str::to_owned), ..Said::default() };
    let variations = about.list("SetupVariations");
    let used = each(ini, &variations, " Setup", &mut said, |section, said| {
        let line = line_of(section.get("CommandLine"), programs)?;
        let own = section.name.strip_suffix(" Setup").unwrap_or(&section.name);
        let mut command = command(section.get("CommandName").unwrap_or(own), line);
        command.how.automated = !section.flag("UserInputRequired", false);
        command.how.background = section.flag("SystemTask", false) && command.how.automated;
        if section.flag("SystemTask", false) && !command.how.automated {
            note(said, &section.name, "SystemTask is not used: the command needs input");
        }
        if section.flag("SynchronousSystemExitRequired", false) {
            command.how.restarts = Restarts::Program;
        }
        let names = section.list("SupportedPlatforms");
        let (mut fits, mut not) = (Vec::new(), Vec::new());
        for name in &names {
            let lower = name.to_ascii_lowercase();
            let ours = lower.contains("windows nt") && lower.contains("x86") || lower.contains("windows 95");
            if ours { fits.push(Platform::WindowsX86) } else { not.push(cut(name, 40)) }
        }
        platforms(&mut command, fits, &not, &section.name, said)?;
        unused(section, OF_SETUP, said);
        Ok(command)
    })?;
    others(ini, &used, &mut said);
    Ok(said)
}

/// Takes over the platforms that pcm knows; a command for none of them is left out.
fn platforms(
    command: &mut PackageCommand,
    mut fits: Vec<Platform>,
    not: &[String],
    section: &str,
    said: &mut Said,
) -> Result<(), String> {
    fits.dedup();
    if fits.is_empty() && !not.is_empty() {
        return Err(format!("it is for {}, which is no platform of pcm", not.join(", ")));
    }
    if !not.is_empty() {
        note(said, section, format!("not used: {}, which is no platform of pcm", not.join(", ")));
    }
    command.how.platforms = fits;
    Ok(())
}

fn second(ini: &Ini, about: &Section, programs: &[String]) -> Result<Said, String> {
    let mut said = Said {
        name: about.get("Name").map(str::to_owned),
        publisher: about.get("Publisher").map(str::to_owned),
        language: about.get("Language").map(str::to_owned),
        ..Said::default()
    };
    let names = about.list("Programs");
    let used = each(ini, &names, "", &mut said, |section, said| program(section, programs, said))?;
    others(ini, &used, &mut said);
    Ok(said)
}

fn program(section: &Section, programs: &[String], said: &mut Said) -> Result<PackageCommand, String> {
    if section.flag("Disabled", false) {
        return Err("Disabled says so".into());
    }
    let line = line_of(section.get("CommandLine"), programs)?;
    let mut command = command(section.get("Name").unwrap_or(&section.name), line);
    command.how.automated = !section.flag("UserInputRequired", true);
    // Its client ran both by itself; what needs nobody is what the service may run.
    command.how.background = command.how.automated;
    let when = section.get("CanRunWhen").unwrap_or("UserLoggedOn");
    command.how.run_when = match when.to_ascii_lowercase().as_str() {
        "userloggedon" => RunWhen::User,
        "nouserloggedon" => RunWhen::NoUser,
        "anyuserstatus" => RunWhen::Any,
        _ => return Err(format!("CanRunWhen is {:?}, which is not known", cut(when, 40))),
    };
    match section.get("AfterRunning").map(str::to_ascii_lowercase).as_deref() {
        None => {}
        Some("smsrestart") => command.how.restarts = Restarts::Pcm,
        Some("programrestart") => command.how.restarts = Restarts::Program,
        Some(other) => {
            note(
                said,
                &section.name,
                format!("AfterRunning = {:?} is not used: pcm logs nobody off", cut(other, 40)),
            );
        }
    }
    command.how.disk_space = section.get("EstimatedDiskSpace").and_then(disk_space);
    // An estimate is no limit: only where the usual limit would be too short is there another, of twice as long.
    let minutes =
        section.get("EstimatedRunTime").and_then(|t| t.split_whitespace().next()?.parse::<u64>().ok());
    if let Some(minutes) = minutes.filter(|minutes| *minutes >= 60) {
        command.how.max_run_time = Some(Duration::from_secs(minutes.saturating_mul(120)).min(LONGEST_RUN));
    }
    let (mut fits, mut not) = (Vec::new(), Vec::new());
    for name in section.list("SupportedClients") {
        match name.replace(' ', "").to_ascii_lowercase().as_str() {
            "winnt(i386)" => fits.push(Platform::WindowsX86),
            "winnt(x64)" => fits.push(Platform::WindowsX86_64),
            _ => not.push(cut(name, 40)),
        }
    }
    platforms(&mut command, fits, &not, &section.name, said)?;
    unused(section, OF_PROGRAM, said);
    Ok(command)
}

/// `20MB`, `512 KB`; a bare number counts MB. `Unknown` is none.
fn disk_space(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let shift = match text[digits..].trim().to_ascii_uppercase().as_str() {
        "KB" => 10,
        "" | "MB" => 20,
        "GB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift).filter(|n| *n > 0 && i64::try_from(*n).is_ok())
}
