//! What a job repeats of its package (SITE.md 2 and 4): every field that only the package says. One table for whoever makes a
//! job, for the publisher, for lint, and for the machine that compares before it believes. Pure.

use super::job::{Job, Times};
use crate::site::ids::{JobId, RequestId, SiteId};
use crate::site::instruction::ContentHash;
use crate::site::instruction::parse::how::How;
use crate::site::package::{MAX_RUN_TIME, Package, PackageCommand};

impl Job {
    /// A job that runs this command of a package, `sha256` being of its `package.toml`: offered to nobody yet, and at no time.
    pub fn of(
        (site_id, job_id, request_id): (SiteId, JobId, RequestId),
        (package, sha256): (&Package, ContentHash),
        command: &PackageCommand,
    ) -> Self {
        Self {
            site_id,
            job_id,
            request_id,
            revision: 0,
            package_id: package.package_id,
            release: package.release.unwrap_or(0),
            package_sha256: sha256,
            package: package.name.clone(),
            version: package.version.clone().unwrap_or_default(),
            command: command.name.clone(),
            command_line: command.command_line.clone(),
            how: command.copied(),
            removes: command.removes,
            content_sha256: package.content_sha256.clone(),
            times: Times::default(),
            targets: Vec::new(),
            exclude: Vec::new(),
            condition: None,
            phases: Vec::new(),
            spread: None,
            supersedes: Vec::new(),
            depends_on: Vec::new(),
            offer_to: None,
        }
    }
}

/// The command of a package that a job runs.
pub fn command<'a>(job: &Job, package: &'a Package) -> Option<&'a PackageCommand> {
    package.commands.iter().find(|command| command.name == job.command)
}

/// The first field in which a job differs from its package.
pub fn differs(job: &Job, package: &Package) -> Option<&'static str> {
    let Some(command) = command(job, package) else { return Some("command") };
    // Taken apart, so that a field that is new is not forgotten. Whether windows are ignored only the package says.
    let How {
        automated,
        background,
        platforms,
        run_when,
        max_run_time,
        restarts,
        ignore_windows: _,
        disk_space,
        exit_codes,
    } = command.copied();
    let own = &job.how;
    let equal = [
        ("package_id", package.package_id == job.package_id),
        ("release", package.release.unwrap_or(0) == job.release),
        ("package", package.name == job.package),
        ("version", package.version.clone().unwrap_or_default() == job.version),
        ("command_line", command.command_line == job.command_line),
        ("content_sha256", package.content_sha256 == job.content_sha256),
        ("removes", command.removes == job.removes),
        ("automated", automated == own.automated),
        ("background", background == own.background),
        ("platforms", platforms == own.platforms),
        ("run_when", run_when == own.run_when),
        ("max_run_time", max_run_time == Some(own.max_run_time.unwrap_or(MAX_RUN_TIME))),
        ("restarts", restarts == own.restarts),
        ("disk_space", disk_space == own.disk_space.filter(|bytes| *bytes > 0)),
        ("exit_codes", exit_codes == own.exit_codes),
    ];
    equal.iter().find(|(_, equal)| !equal).map(|(what, _)| *what)
}
