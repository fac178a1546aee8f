//! Writing `package.toml`: what `parse` reads back to the same package; and what of a command goes into an instruction
//! file.

use super::{InstalledIf, Is, Package, PackageCommand};
use crate::site::instruction::parse::how::How;
use crate::site::instruction::render::{command_line, duration, line, quoted, size};
use crate::site::instruction::{ContentHash, Restarts, RunWhen};
use crate::text::SafeText;

/// The text of a package definition. `remarks` become comments at its top, one a line.
pub fn render(package: &Package, remarks: &[SafeText]) -> String {
    let mut out = String::new();
    for remark in remarks {
        // Safe text has no line breaks: a remark cannot become a key.
        out.push_str(&format!("# {remark}\n"));
    }
    line(&mut out, "package_id", &quoted(package.package_id.as_str()));
    line(&mut out, "name", &quoted(package.name.as_str()));
    let texts = [
        ("version", &package.version),
        ("publisher", &package.publisher),
        ("language", &package.language),
        ("comment", &package.comment),
        ("readme", &package.readme),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            line(&mut out, key, &quoted(text.as_str()));
        }
    }
    if let Some(release) = package.release {
        line(&mut out, "release", &release.to_string());
    }
    if !package.sites.is_empty() {
        line(&mut out, "sites", &list(package.sites.iter().map(SafeText::as_str)));
    }
    if let Some(hash) = &package.content_sha256 {
        line(&mut out, "content_sha256", &quoted(hash.as_str()));
    }
    if let Some(test) = &package.installed_if {
        installed_if(&mut out, test);
    }
    for command in &package.commands {
        out.push_str("\n[[command]]\n");
        line(&mut out, "command", &quoted(command.name.as_str()));
        line(&mut out, "command_line", &command_line(&command.command_line));
        how(&mut out, &command.how);
        if command.removes {
            line(&mut out, "removes", "true");
        }
        if let Some(bound) = &command.bound {
            line(&mut out, "where", &quoted(bound.as_str()));
        }
        if !command.depends_on.is_empty() {
            line(&mut out, "depends_on", &list(command.depends_on.iter().map(SafeText::as_str)));
        }
        exit_codes(&mut out, &command.how, "command");
    }
    out
}

fn installed_if(out: &mut String, test: &InstalledIf) {
    out.push_str("\n[installed_if]\n");
    match test {
        InstalledIf::Dpkg(named) | InstalledIf::Rpm(named) => {
            let key = if matches!(test, InstalledIf::Dpkg(_)) { "dpkg" } else { "rpm" };
            line(out, key, &quoted(&named.name));
            if let Some(version) = &named.version {
                line(out, "version", &quoted(version));
            }
        }
        InstalledIf::File { path, is: wanted } => {
            line(out, "file", &quoted(path));
            is(out, wanted);
        }
        InstalledIf::Registry { key, value, is: wanted } => {
            line(out, "registry", &quoted(key));
            if let Some(value) = value {
                line(out, "value", &quoted(value));
            }
            is(out, wanted);
        }
    }
}

fn is(out: &mut String, is: &Is) {
    match is {
        Is::There => {}
        Is::AtLeast(version) => line(out, "version", &quoted(version)),
        Is::Sha256(hash) => line(out, "sha256", &quoted(hash.as_str())),
        Is::Equal(text) => line(out, "equals", &quoted(text)),
    }
}

/// What differs from how a command runs anyway, but for its exit codes.
fn how(out: &mut String, how: &How) {
    line(out, "automated", if how.automated { "true" } else { "false" });
    line(out, "background", if how.background { "true" } else { "false" });
    if !how.platforms.is_empty() {
        line(out, "platforms", &list(how.platforms.iter().map(|p| p.as_str())));
    }
    if how.run_when != RunWhen::Any {
        line(out, "run_when", &quoted(how.run_when.as_str()));
    }
    if let Some(time) = how.max_run_time {
        line(out, "max_run_time", &quoted(&duration(time)));
    }
    if how.restarts != Restarts::No {
        line(out, "restarts", &quoted(how.restarts.as_str()));
    }
    if how.ignore_windows {
        line(out, "ignore_windows", "true");
    }
    if let Some(bytes) = how.disk_space {
        line(out, "disk_space", &quoted(&size(bytes)));
    }
}

/// The last of a table, since it is one of its own.
fn exit_codes(out: &mut String, how: &How, table: &str) {
    if how.exit_codes.is_empty() {
        return;
    }
    out.push_str(&format!("[{table}.exit_codes]\n"));
    for (code, outcome) in &how.exit_codes {
        line(out, &quoted(&code.to_string()), &quoted(outcome.as_str()));
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", words.map(quoted).collect::<Vec<_>>().join(", "))
}

/// What an instruction file says of a command: everything but what is the delivery's own, the ids of request and job and
/// the times.
pub fn request_lines(package: &Package, command: &PackageCommand, content: Option<&ContentHash>) -> String {
    let mut out = String::new();
    line(&mut out, "package_id", &quoted(package.package_id.as_str()));
    line(&mut out, "package", &quoted(package.name.as_str()));
    line(&mut out, "command", &quoted(command.name.as_str()));
    line(&mut out, "command_line", &command_line(&command.command_line));
    how(&mut out, &command.how);
    if let Some(hash) = content {
        line(&mut out, "content_sha256", &quoted(hash.as_str()));
    }
    exit_codes(&mut out, &command.how, "request");
    out
}
