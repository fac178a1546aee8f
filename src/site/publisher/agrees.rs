//! Whether jobs say what their package says: a job holds a copy of every field that only the package says (SITE.md 2).

use super::trouble::Trouble;
use crate::site::index::job::Job;
use crate::site::instruction::Program;
use crate::site::package::shelf::FOLDER;
use crate::site::package::{self, Package};

/// Whether every job says what the package says.
pub(super) fn judge(definition: &[u8], jobs: &[Job]) -> Result<(), Trouble> {
    let Some(first) = jobs.first() else { return Ok(()) };
    // Whatever some machine may start: it judges by its own list.
    let programs: Vec<String> = jobs
        .iter()
        .filter_map(|job| match &job.command_line.program {
            Program::Listed(name) => Some(name.clone()),
            Program::InPackage(_) => None,
        })
        .collect();
    let shown = format!("{FOLDER}/{}/{}", first.package_id, package::NAME);
    let package = package::parse(definition, &shown, &programs).map_err(|problems| {
        let words = problems.first().map(|p| p.message.to_string()).unwrap_or_default();
        let remedy = format!(
            "Correct it, make a new release with pcm package sign {}, and send that",
            first.package_id
        );
        Trouble::of(first, "malformed", format!("{shown}: {words}"), remedy)
    })?;
    for job in jobs {
        if let Some(what) = differs(job, &package) {
            let id = job.job_id;
            let message =
                format!("{what} of job {id} is not what release {} of {} says", job.release, job.package_id);
            let remedy = format!("Correct jobs/{id}.toml, or send it once more: pcm job send --again {id}");
            return Err(Trouble::new("package-mismatch", message, remedy));
        }
    }
    Ok(())
}

/// The first field in which a job differs from its package.
pub fn differs(job: &Job, package: &Package) -> Option<&'static str> {
    let Some(command) = package.commands.iter().find(|command| command.name == job.command) else {
        return Some("command");
    };
    let copy = command.copied();
    let equal = [
        ("package_id", package.package_id == job.package_id),
        ("release", package.release.unwrap_or(0) == job.release),
        ("package", package.name == job.package),
        ("version", package.version.clone().unwrap_or_default() == job.version),
        ("command_line", command.command_line == job.command_line),
        ("content_sha256", package.content_sha256 == job.content_sha256),
        ("removes", command.removes == job.removes),
        ("automated", copy.automated == job.how.automated),
        ("background", copy.background == job.how.background),
        ("platforms", copy.platforms == job.how.platforms),
        ("run_when", copy.run_when == job.how.run_when),
        ("max_run_time", copy.max_run_time == job.how.max_run_time),
        ("restarts", copy.restarts == job.how.restarts),
        ("disk_space", copy.disk_space == job.how.disk_space),
        ("exit_codes", copy.exit_codes == job.how.exit_codes),
    ];
    equal.iter().find(|(_, equal)| !equal).map(|(what, _)| *what)
}
