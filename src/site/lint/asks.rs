//! Whether a program of a package asks somebody: installers by what made them, scripts by what they call.

use super::Found;
use crate::host::open::{Folder, OpenError};
use crate::site::content::FILES;
use crate::site::instruction::CommandLine;
use crate::terms::Verdict;
use std::io::Read as _;

/// So much of a program is looked at: what made it stands in its resources, or begins what it carries.
const START: u64 = 4 << 20;
/// So much of a script.
const SCRIPT: usize = 256 << 10;

/// What makes installers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Inno,
    Nsis,
    InstallShield,
    Burn,
}

/// Judges a program of a package that is said to need nobody.
pub(super) fn judge(package: &Folder, path: &str, line: &CommandLine, here: &str, found: &mut Found) {
    // What cannot be read is told by the look at the package.
    let Ok(Start { bytes, answers }) = start_of(package, path) else { return };
    if let Some(maker) = maker(&bytes)
        && let Some((verdict, why, remedy)) = doubt(maker, &line.args, answers)
    {
        found.add("silent", verdict, format!("{here}: {path} {why}"), format!("Publish it with {remedy}"));
    }
    if let Some((number, what)) = question(path, &bytes[..bytes.len().min(SCRIPT)]) {
        found.block(
            "silent",
            format!("{here}: {path}, line {number}: {what} waits for somebody, and nobody answers"),
            "Take the question out, or let an argument answer it",
        );
    }
}

/// Of any bytes: what asks in them, for the fuzz targets.
#[cfg(any(test, fuzzing))]
pub(crate) fn look(path: &str, bytes: &[u8]) -> (bool, Option<usize>) {
    (maker(bytes).is_some(), question(path, bytes).map(|(line, _)| line))
}

/// How a program begins, and whether answers for InstallShield lie beside it.
struct Start {
    bytes: Vec<u8>,
    answers: bool,
}

fn start_of(package: &Folder, path: &str) -> Result<Start, OpenError> {
    let mut folder = package.folder(FILES)?;
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for inner in folders.split('/').filter(|inner| !inner.is_empty()) {
        folder = folder.folder(inner)?;
    }
    let mut bytes = Vec::new();
    folder.file(name)?.file.take(START).read_to_end(&mut bytes)?;
    let answers = |name: &&str| !matches!(folder.file(name), Err(OpenError::Missing));
    Ok(Start { bytes, answers: ["setup.iss", "Setup.iss", "SETUP.ISS"].iter().any(answers) })
}

fn maker(start: &[u8]) -> Option<Maker> {
    const INSTALLSHIELD: &str = "InstallShield";
    if !start.starts_with(b"MZ") {
        return None;
    }
    let has = |what: &[u8]| memchr::memmem::find(start, what).is_some();
    let wide: Vec<u8> = INSTALLSHIELD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    if has(b"JR.Inno.Setup") || has(b"Inno Setup Setup Data") {
        Some(Maker::Inno)
    } else if has(b"Nullsoft.NSIS.exehead") || has(b"NullsoftInst") {
        Some(Maker::Nsis)
    // The name of a section.
    } else if has(b".wixburn") {
        Some(Maker::Burn)
    } else if has(INSTALLSHIELD.as_bytes()) || has(&wide) {
        Some(Maker::InstallShield)
    } else {
        None
    }
}

/// What an installer's arguments lack. `answers`: a file of answers for InstallShield lies beside it.
fn doubt(maker: Maker, args: &[String], answers: bool) -> Option<(Verdict, &'static str, &'static str)> {
    let has = |wanted: &[&str]| args.iter().any(|arg| wanted.iter().any(|w| w.eq_ignore_ascii_case(arg)));
    let begins = |wanted: &[&str], with: &str| {
        args.iter()
            .map(|arg| arg.to_ascii_lowercase())
            .any(|arg| wanted.iter().any(|w| arg.strip_prefix(w).is_some_and(|rest| rest.contains(with))))
    };
    let (block, unknown) = (Verdict::Block, Verdict::Unknown);
    match maker {
        Maker::Inno if !has(&["/silent", "/verysilent"]) => Some((
            block,
            "was made by Inno Setup, and without /VERYSILENT shows windows and waits for a user",
            "/VERYSILENT /SUPPRESSMSGBOXES /NORESTART among its arguments",
        )),
        Maker::Inno if !has(&["/suppressmsgboxes"]) => Some((
            block,
            "was made by Inno Setup, and without /SUPPRESSMSGBOXES waits in its message boxes",
            "/SUPPRESSMSGBOXES among its arguments",
        )),
        // The only one that looks at the case.
        Maker::Nsis if !args.iter().any(|arg| arg == "/S") => Some((
            block,
            "was made by NSIS, and without /S (in upper case) shows windows and waits for a user",
            "/S among its arguments",
        )),
        Maker::InstallShield if !has(&["/s", "-s", "/silent", "-silent"]) => Some((
            block,
            "was made by InstallShield, and without /s shows windows and waits for a user",
            "/s among its arguments, with its response file, or /v\"/qn\" where it carries an .msi",
        )),
        Maker::InstallShield
            if !(answers
                || has(&["/silent", "-silent"])
                || begins(&["/f1", "-f1"], "")
                || begins(&["/v", "-v"], "/q")) =>
        {
            Some((
                unknown,
                "was made by InstallShield, and has neither answers (setup.iss beside it, or /f1) nor /v\"/qn\" for \
                 an .msi in it",
                "setup.iss beside it, which `setup.exe /r` records, or /v\"/qn\" among its arguments",
            ))
        }
        Maker::Burn
            if !has(&[
                "/quiet", "-quiet", "/q", "-q", "/silent", "-silent", "/s", "-s", "/passive", "-passive",
            ]) =>
        {
            Some((
                block,
                "is a bundle of the WiX toolset, and without /quiet shows windows and waits for a user",
                "/quiet /norestart among its arguments",
            ))
        }
        Maker::Inno | Maker::Nsis | Maker::InstallShield | Maker::Burn => None,
    }
}

/// Whether a shell reads it: what another language calls by the same names asks nobody.
fn is_shell(start: &[u8]) -> bool {
    const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"];
    let Some(line) = start.strip_prefix(b"#!").and_then(|rest| rest.split(|b| *b == b'\n').next()) else {
        return false;
    };
    let line = String::from_utf8_lossy(line);
    line.split_ascii_whitespace().any(|word| SHELLS.contains(&word.rsplit('/').next().unwrap_or(word)))
}

/// The first line of a script that asks somebody, and what it calls for that.
fn question(path: &str, start: &[u8]) -> Option<(usize, &'static str)> {
    let end = path.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    let batch = matches!(end.as_str(), "bat" | "cmd");
    let power = end == "ps1";
    let shell = is_shell(start);
    if !(batch || power || shell) {
        return None;
    }
    let text = String::from_utf8_lossy(start);
    (1..).zip(text.lines()).find_map(|(number, line)| {
        let line = line.trim();
        if line.starts_with('#')
            || batch && (line.starts_with("::") || line.to_ascii_lowercase().starts_with("rem "))
        {
            return None;
        }
        let commands = line.split([';', '|', '&', '(', ')', '`']);
        let asked = commands.map(str::trim).find_map(|command| {
            let mut words = command.split_ascii_whitespace();
            // What stands before a command of a shell.
            let word = words.find(|w| {
                !matches!(*w, "if" | "then" | "else" | "do" | "while" | "until" | "!" | "{" | "@")
            })?;
            let word = word.trim_start_matches('@').to_ascii_lowercase();
            let rest: Vec<&str> = words.collect();
            let prompts = |w: &&str| w.starts_with('-') && !w.starts_with("--") && w.contains('p');
            match word.as_str() {
                "read" if shell && rest.iter().any(prompts) => Some("read -p"),
                "whiptail" | "dialog" if shell => Some("a dialog"),
                "zenity" | "kdialog" if shell => Some("a window"),
                "pause" if batch => Some("pause"),
                "set" if batch && rest.first().is_some_and(|w| w.eq_ignore_ascii_case("/p")) => {
                    Some("set /p")
                }
                "choice" if batch && !rest.iter().any(|w| w.eq_ignore_ascii_case("/t")) => Some("choice"),
                _ => None,
            }
        });
        let asked = asked.or_else(|| {
            let reads = power && line.to_ascii_lowercase().contains("read-host");
            reads.then_some("Read-Host")
        });
        asked.map(|what| (number, what))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn installers_are_known_by_what_made_them_and_by_what_their_arguments_lack() {
        let made = |what: &[u8]| maker(&[b"MZ some code ".as_slice(), what, b" and more"].concat());
        let wide: Vec<u8> = "InstallShield".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(made(b"JR.Inno.Setup"), Some(Maker::Inno));
        assert_eq!(made(b"Nullsoft.NSIS.exehead"), Some(Maker::Nsis));
        assert_eq!(made(&wide), Some(Maker::InstallShield));
        assert_eq!(made(b".wixburn"), Some(Maker::Burn));
        assert_eq!(made(b"something else"), None);
        assert_eq!(maker(b"#!/bin/sh\n# JR.Inno.Setup"), None);
        for (maker, asks) in [
            (Maker::Inno, "/NORESTART"),
            (Maker::Inno, "/VERYSILENT"),
            (Maker::Nsis, "/s"),
            (Maker::InstallShield, "/v/qn"),
            (Maker::Burn, "/norestart"),
        ] {
            let verdict = doubt(maker, &args(asks), false).map(|(verdict, ..)| verdict);
            assert_eq!(verdict, Some(Verdict::Block), "{maker:?} {asks}");
        }
        let unanswered = doubt(Maker::InstallShield, &args("/s"), false).map(|(verdict, ..)| verdict);
        assert_eq!(unanswered, Some(Verdict::Unknown));
        assert_eq!(doubt(Maker::InstallShield, &args("/s"), true), None);
        for (maker, silent) in [
            (Maker::Inno, "/verysilent /SuppressMsgBoxes"),
            (Maker::Nsis, "/S /D=C:\\Acme"),
            (Maker::InstallShield, "-s -f1setup.iss"),
            (Maker::InstallShield, "/s /v\"/qn REBOOT=R\""),
            (Maker::InstallShield, "/silent"),
            (Maker::Burn, "-Quiet /norestart"),
        ] {
            assert_eq!(doubt(maker, &args(silent), false), None, "{maker:?} {silent}");
        }
    }

    #[test]
    fn scripts_that_ask_are_known_by_what_they_call() {
        for (path, text, line) in [
            ("setup.sh", "#!/bin/sh\nread -p 'Sure? ' answer\n", 2),
            ("setup.sh", "#!/bin/sh\nset -eu\nif read -rp x y; then :; fi\n", 3),
            ("setup", "#!/usr/bin/env bash\n\nx=$(whiptail --yesno Sure 8 40)\n", 3),
            ("setup.cmd", "echo hello\r\n@pause\r\n", 2),
            ("setup.bat", "set /P answer=Sure?\r\n", 1),
            ("setup.ps1", "$x = Read-Host 'Sure?'\n", 1),
        ] {
            assert_eq!(question(path, text.as_bytes()).map(|(n, _)| n), Some(line), "{text}");
        }
        for (path, text) in [
            (
                "setup.sh",
                "#!/bin/sh\n# read -p is not for us\nwhile read -r line; do echo \"$line\"; done < list\n",
            ),
            ("setup.sh", "#!/bin/sh\necho dialog; mkdir -p x\n"),
            ("setup.cmd", "rem pause\r\nset PATH=x\r\nchoice /t 5 /d y\r\n"),
            ("read.txt", "read -p x"),
            ("setup.py", "#!/usr/bin/env python3\ndialog(1); read(2)\n"),
        ] {
            assert_eq!(question(path, text.as_bytes()), None, "{text}");
        }
    }
}
