//! Making a new share: `pcm site init`, with an example package and an instruction file where a machine is named. The
//! instruction file comes last: what triggers is written after what it needs.

use super::content::{FILES, write_content};
use super::ids::{JobId, MachineId, PackageId, RequestId, SiteCode};
use super::instruction::render::{quoted, render};
use super::instruction::{CommandLine, Entry, InstructionFile, Program, Request, Restarts, RunWhen};
use super::share::INS_FOLDER;
use super::site_file;
use crate::clock::{Wall, When};
use crate::error::{Exit, Failure};
use crate::host::perms::{self, Writers};
use crate::host::{durable, facts, open};
use crate::terms::Platform;
use crate::text::SafeText;
use chrono::{SubsecRound as _, TimeDelta};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folders of a share (FORMATS.md 1).
pub const FOLDERS: &[&str] = &[INS_FOLDER, "packages", "jobs", "machines", "despoolr.box"];
/// How soon the example's request becomes mandatory.
const MANDATORY_IN: TimeDelta = TimeDelta::minutes(2);
/// How long it may run at all.
const EXPIRES_IN: TimeDelta = TimeDelta::days(30);

/// A share that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where it is, as it was named.
    pub dir: PathBuf,
    /// Its site.
    pub site: SiteCode,
    /// What was published on it.
    pub example: Option<Example>,
    /// Why trust mode `permissions` would refuse this place, with the remedy.
    pub loose: Option<SafeText>,
}

/// The example on a new share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// For whom.
    pub machine: MachineId,
    /// The request.
    pub request: RequestId,
    /// When it runs by itself.
    pub mandatory_after: Wall,
}

/// Makes a share in an empty folder, or in a new one. Modes are those that trust mode `permissions` asks for, whatever
/// the umask. With `example` a package is published that prints a few facts and changes nothing.
///
/// # Errors
/// `folder-not-empty`, `other-site` where the machine's id is not of this site, `site-not-made` with the path that could
/// not be written.
pub fn site_init(dir: &Path, site: SiteCode, example: Option<MachineId>, now: Wall) -> Result<Made, Failure> {
    if let Some(machine) = example.filter(|machine| machine.site() != site) {
        return Err(Failure::new(
            Exit::Usage,
            "other-site",
            format!("machine {machine} is of site {}, and the share would be of site {site}", machine.site()),
            format!("Name a machine whose id begins with {site}, like {site}04000"),
        ));
    }
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(
            Exit::Failed,
            "folder-not-empty",
            format!("no site was made in {}: the folder is not empty", dir.display()),
            "Name an empty folder or a new one; nothing in this one was touched",
        ));
    }
    if !dir.is_dir() {
        make_folder(dir)?;
    }
    for folder in FOLDERS {
        make_folder(&dir.join(folder))?;
    }
    let name =
        format!("format = 1\nsite = {}\nname = {}\n", quoted(site.as_str()), quoted(&format!("Site {site}")));
    make_file(&dir.join(site_file::NAME), &name)?;
    let host = facts::host_name();
    let machines = example.map(|machine| format!("{machine} {host} the example's machine\n"));
    make_file(&dir.join("PCM.MACHINES"), &machines.unwrap_or_default())?;
    let example = example.map(|machine| publish_example(dir, site, machine, now)).transpose()?;
    let loose = perms::check_way_to(dir, &Writers::this_process()).err();
    let loose = loose.map(|loose| SafeText::new(&loose.to_string()));
    Ok(Made { dir: dir.to_owned(), site, example, loose })
}

fn publish_example(dir: &Path, site: SiteCode, machine: MachineId, now: Wall) -> Result<Example, Failure> {
    let issued = now.trunc_subsecs(0);
    let ids = ExampleIds::of(site)?;
    let package = dir.join("packages").join(ids.package.as_str());
    make_folder(&package)?;
    make_folder(&package.join(FILES))?;
    make_file(&package.join("package.toml"), &definition(ids.package))?;
    let setup = package.join(FILES).join("setup.sh");
    make_file(&setup, SETUP)?;
    open::make_enterable(&setup).map_err(|e| not_made(&setup, &e))?;
    let content = write_content(&package)?;
    let mandatory_after = issued + MANDATORY_IN;
    let request = Request {
        request_id: ids.request,
        job_id: ids.job,
        package_id: ids.package,
        package: "Acme Workstation 4.0".into(),
        command: "Typical".into(),
        command_line: CommandLine {
            program: Program::InPackage("setup.sh".into()),
            args: vec!["--silent".into()],
        },
        automated: true,
        background: true,
        offer_after: When::Instant(issued),
        mandatory_after: Some(When::Instant(mandatory_after)),
        expire_after: Some(When::Instant(issued + EXPIRES_IN)),
        platforms: vec![Platform::LinuxX86_64, Platform::LinuxAarch64],
        run_when: RunWhen::Any,
        max_run_time: Duration::from_secs(10 * 60),
        restarts: Restarts::No,
        ignore_windows: false,
        disk_space: None,
        depends_on: Vec::new(),
        suspended: false,
        content_sha256: Some(content.sha256),
        exit_codes: [].into(),
        line: 0,
    };
    let file = InstructionFile {
        site,
        machine,
        serial: 1,
        issued,
        valid_until: None,
        requests: vec![Entry::Good(Box::new(request))],
        warnings: Vec::new(),
    };
    let text = format!(
        "# Instruction file of {machine}. Each publication needs a higher serial, at both places.\n{}",
        render(&file)
    );
    make_file(&dir.join(INS_FOLDER).join(format!("{machine}.INS")), &text)?;
    Ok(Example { machine, request: ids.request, mandatory_after })
}

/// The ids of the original article, with the site's own code.
struct ExampleIds {
    request: RequestId,
    job: JobId,
    package: PackageId,
}

impl ExampleIds {
    fn of(site: SiteCode) -> Result<Self, Failure> {
        // A site code and five more of the alphabet are always an id.
        let bad = |e: super::ids::BadId| {
            Failure::new(Exit::Failed, "site-not-made", e.to_string(), "Choose another code")
        };
        Ok(Self {
            request: format!("{site}000Y").parse().map_err(bad)?,
            job: format!("{site}000AA").parse().map_err(bad)?,
            package: format!("{site}0000A").parse().map_err(bad)?,
        })
    }
}

fn definition(package: PackageId) -> String {
    format!("package_id = \"{package}\"\n{EXAMPLE}")
}

/// What the example's definition says, but for its id.
pub const EXAMPLE: &str = r#"name = "Acme Workstation 4.0"
version = "4.0"
publisher = "Acme"
language = "en"
comment = "An example: prints a few facts about the machine and changes nothing"

[[command]]
command = "Typical"
command_line = "setup.sh --silent"
automated = true
background = true
platforms = ["linux-x86_64", "linux-aarch64"]
max_run_time = "10m"
"#;

/// The example's program. It writes to nothing but its output and its status MIF.
pub const SETUP: &str = r#"#!/bin/sh
# An example of a package: it prints a few facts about this machine, reports its progress, and changes nothing.
# The Package Command Manager starts it without a shell, from a private copy, with these variables.
set -eu

echo "Acme Workstation 4.0 (example), arguments: $*"
echo "request $PCM_REQUEST_ID of job $PCM_JOB_ID on machine $PCM_MACHINE_ID, attempt $PCM_ATTEMPT"

steps=5
step=1
while [ "$step" -le "$steps" ]; do
    case "$step" in
        1) fact="system: $(uname -s) $(uname -r) on $(uname -m)" ;;
        2) fact="host: $(uname -n)" ;;
        3) fact="user: $(id -un 2>/dev/null || id -u)" ;;
        4) fact="folder: $PCM_PACKAGE_DIR" ;;
        5) fact="time: $(date -u '+%Y-%m-%d %H:%M:%S') UTC" ;;
    esac
    echo "step $step of $steps: $fact"
    step=$((step + 1))
    sleep 1
done

# The result in the package's own words. Without this file, the exit status decides.
cat > "$PCM_STATUS_MIF" <<'MIF'
START COMPONENT
    NAME = "WORKSTATION"
    START GROUP
        NAME = "InstallStatus"
        ID = 1
        CLASS = "MICROSOFT|JOBSTATUS|1.0"
        START ATTRIBUTE
            NAME = "Status"
            ID = 1
            ACCESS = READ-ONLY
            STORAGE = SPECIFIC
            TYPE = STRING(32)
            VALUE = "Success"
        END ATTRIBUTE
        START ATTRIBUTE
            NAME = "Description"
            ID = 2
            ACCESS = READ-ONLY
            STORAGE = SPECIFIC
            TYPE = STRING(128)
            VALUE = "example finished, nothing was changed"
        END ATTRIBUTE
    END GROUP
END COMPONENT
MIF

echo "done"
"#;

fn make_folder(path: &Path) -> Result<(), Failure> {
    let make = || {
        fs::create_dir(path)?;
        open::make_enterable(path)
    };
    make().map_err(|e| not_made(path, &e))
}

fn make_file(path: &Path, text: &str) -> Result<(), Failure> {
    durable::create_new(path, text.as_bytes()).map_err(|e| not_made(path, &e))
}

fn not_made(path: &Path, e: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "site-not-made",
        format!("the site was not made: {}: {e}", path.display()),
        "Choose a folder that can be written, and remove what was begun",
    )
}

#[cfg(test)]
mod tests;
