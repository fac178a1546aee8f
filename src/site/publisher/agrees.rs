//! Whether jobs say what their package says: a job holds a copy of every field that only the package says (SITE.md 2).

use super::trouble::Trouble;
use crate::site::index::copies::differs;
use crate::site::index::job::Job;
use crate::site::instruction::Program;
use crate::site::package;
use crate::site::package::shelf::FOLDER;

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
