//! What `pcm rollout` says to whoever reads it, in the words of view 5 (UX.md 1), within 80 columns.

use crate::cli::App;
use crate::cli::page::{Page, Tone};
use crate::cli::table::{self, Table, fixed};
use crate::cli::time::Look;
use crate::rollout::count::{Age, SEVERAL, holder_words, taken_out_words};
use crate::rollout::doc::{JobDoc, MachineDoc, ReasonDoc, RolloutDoc};
use crate::rollout::words::{self, grouped};
use crate::text::{self, SafeText};
use std::time::Duration;

/// The most rows of each list; the document has all of them.
const MOST: usize = 8;
/// The most machines.
const MOST_MACHINES: usize = 100;
/// How wide a bar is.
const BAR: u64 = 8;

/// The page: all jobs, or one in full.
pub(super) fn page(app: &App, doc: &RolloutDoc, one: bool) -> Page {
    let look = app.look();
    let mut page = Page::new(app.out.width);
    head(&mut page, doc);
    if doc.jobs.is_empty() {
        page.line("No job is published: pcm job send");
    } else {
        jobs(&mut page, &look, doc);
    }
    if let ([job], true) = (doc.jobs.as_slice(), one) {
        page.blank();
        figures(&mut page, &look, job);
        lists(&mut page, &look, job);
        if doc.condition.is_some() {
            machines(&mut page, &look, job.machines.as_deref().unwrap_or_default());
        }
    }
    unusable(&mut page, doc);
    for group in doc.attention.groups().iter().take(MOST) {
        page.blank().item("! ", format!("{}. {} [{}]", group.message, group.remedy, group.code));
    }
    if let Some(condition) = &doc.condition {
        page.blank().line(format!("Only machines where {condition}."));
    }
    if doc.unsigned_reports {
        page.blank().line("Reports without a signature were counted (unsigned_reports = true in site.toml).");
    }
    for warning in &doc.warnings {
        page.item("! ", warning);
    }
    page
}

fn head(page: &mut Page, doc: &RolloutDoc) {
    let mut parts = vec![format!("read {}", grouped(doc.read))];
    if doc.unread > 0 {
        parts.push(format!("{} unusable", grouped(doc.unread)));
    }
    if doc.without_report > 0 {
        parts.push(format!("{} without a report", grouped(doc.without_report)));
    }
    let machines = if doc.machines == 1 { "machine" } else { "machines" };
    let many = grouped(doc.machines);
    page.line(format!("{} {}  {many} {machines}  {}", doc.site, doc.name, parts.join(", ")));
    if let Some(collected) = &doc.collected {
        let age = text::duration(Duration::from_secs(collected.age_s));
        page.line(format!("As the collector read it {age} ago; --fresh reads the reports themselves."));
    }
    if !doc.whole {
        page.strong("The share did not answer for every report: the figures are not whole.");
    }
}

fn jobs(page: &mut Page, look: &Look, doc: &RolloutDoc) {
    let columns = [
        fixed(""),
        fixed("JOB"),
        table::words("PACKAGE", 10),
        fixed("PHASE"),
        fixed("TARGETS"),
        fixed("DONE"),
        fixed("FAIL"),
        table::words("GATE", 9),
    ];
    let mut table = Table::new(0, &columns);
    let targets = width(doc.jobs.iter().map(|job| job.targets)).max("TARGETS".len());
    let failed = width(doc.jobs.iter().map(JobDoc::unsuccessful)).max("FAIL".len());
    for job in &doc.jobs {
        let tone = if job.halted { Tone::Strong } else { Tone::Plain };
        table.row(
            tone,
            [
                if job.halted { "!" } else { " " }.to_owned(),
                job.job_id.to_string(),
                job.package.to_string(),
                words::phase(job),
                format!("{:>targets$}", grouped(job.targets)),
                bar(job.done + job.not_needed, job.targets),
                format!("{:>failed$}", grouped(job.unsuccessful())),
                words::gate(job, &|at| look.time(at)),
            ],
        );
    }
    page.table(&table);
}

fn width(numbers: impl Iterator<Item = u64>) -> usize {
    numbers.map(|n| grouped(n).len()).max().unwrap_or(0)
}

/// `######.. 81%`: nothing is 100 % before all are.
fn bar(n: u64, of: u64) -> String {
    let (filled, percent) = words::bar(n, of, BAR);
    let marks: String = (0..BAR).map(|i| if i < filled { '#' } else { '.' }).collect();
    format!("{marks} {percent:>4}")
}

pub(super) fn figures(page: &mut Page, look: &Look, job: &JobDoc) {
    let mut parts = job.parts().map(|(part, n)| format!("{} {}", part.words(), grouped(n))).to_vec();
    let rest = parts.split_off(3);
    page.line(format!("{}: {}", job.command, job.state));
    if let Some(reason) = &job.reason {
        page.strong(format!("  {reason}"));
    }
    let moved = words::moved(job);
    page.line(format!("targets {}{moved} = {}", grouped(job.targets), parts.join("  ")));
    page.line(format!("        {}", rest.join("  ")));
    let out: Vec<String> = job
        .not_targets_because
        .iter()
        .map(|(why, n)| format!("{} {}", grouped(*n), taken_out_words(why)))
        .collect();
    if !out.is_empty() {
        page.line(format!("taken out {}: {}", grouped(job.not_targets), out.join(", ")));
    }
    if job.later > 0 {
        page.line(format!("in later phases {}", grouped(job.later)));
    }
    let tell = |at| look.time(at);
    if let Some(judged) = words::judged(job, &tell) {
        page.line(judged);
    }
    for lacking in words::lacking(job) {
        page.line(format!("  {lacking}"));
    }
    if let Some(forecast) = words::forecast(job, &tell) {
        page.line(forecast);
    }
    if let Some(yesterday) = words::yesterday(job) {
        page.line(yesterday);
    }
}

fn lists(page: &mut Page, look: &Look, job: &JobDoc) {
    if !job.reasons.is_empty() {
        page.blank();
        let titles = [
            fixed(" "),
            table::words("WHAT HOLDS THEM UP (ALONE)", 20),
            fixed("FREES IN A DAY"),
            table::words("", 8),
        ];
        let mut table = Table::new(2, &titles);
        let numbers = width(job.reasons.iter().map(|reason| reason.machines));
        let mut rows: Vec<&ReasonDoc> = job.reasons.iter().collect();
        rows.sort_by_key(|reason| (reason.machines == 0, reason.reason == SEVERAL));
        for reason in rows.into_iter().take(MOST + 1) {
            table.row(
                Tone::Plain,
                [
                    format!("{:>numbers$}", grouped(reason.machines)),
                    holder_words(reason.reason).to_owned(),
                    reason.frees_in_a_day.map_or_else(|| "-".to_owned(), grouped),
                    words::anyway(reason, &|at| look.time(at)).unwrap_or_default(),
                ],
            );
        }
        page.table(&table);
        more(page, job.reasons.len(), MOST + 1);
    }
    let by_result =
        job.by_result.iter().map(|result| (result.count, words::result(result.exit_code, &result.result)));
    list(page, "FAILED BY RESULT", by_result);
    let ages =
        Age::ALL.iter().filter_map(|age| Some((*job.by_silence.get(age.as_str())?, age.words().to_owned())));
    list(page, "SILENT", ages);
    list(page, "", job.silent_because.iter().map(|silent| (silent.machines, silent.reason.to_string())));
    if job.by_version.len() > 1 {
        list(page, "VERSIONS", job.by_version.iter().map(|(version, n)| (*n, version.to_string())));
    }
    if job.late.machines > 0 {
        let longest = text::duration(Duration::from_secs(job.late.longest_s));
        page.blank().line(format!("{} began late, the last one {longest}", grouped(job.late.machines)));
    }
    if job.undelivered > 0 {
        page.line(format!("{} have results that they could not deliver", grouped(job.undelivered)));
    }
}

fn list(page: &mut Page, title: &str, rows: impl Iterator<Item = (u64, String)>) {
    let rows: Vec<(u64, String)> = rows.collect();
    if rows.is_empty() {
        return;
    }
    if !title.is_empty() {
        page.blank().line(title);
    }
    let numbers = width(rows.iter().map(|(n, _)| *n));
    let mut table = Table::new(2, &[fixed(""), table::words("", 20)]);
    for (n, words) in rows.iter().take(MOST) {
        table.row(Tone::Plain, [format!("{:>numbers$}", grouped(*n)), words.clone()]);
    }
    page.table(&table);
    more(page, rows.len(), MOST);
}

fn more(page: &mut Page, rows: usize, shown: usize) {
    if rows > shown {
        page.line(format!("  and {} more rows: --json has them", rows - shown));
    }
}

fn machines(page: &mut Page, look: &Look, machines: &[MachineDoc]) {
    page.blank();
    let columns = [
        fixed("MACHINE"),
        table::words("HOST", 8),
        fixed("STATE"),
        table::words("WHY NOT / NEXT", 12),
        fixed("SEEN"),
    ];
    let mut table = Table::new(0, &columns);
    for machine in machines.iter().take(MOST_MACHINES) {
        table.row(
            Tone::Plain,
            [
                machine.machine.to_string(),
                machine.host.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
                words::state(machine).to_owned(),
                words::why(machine, &|at| look.time(at)),
                machine.last_seen.map_or_else(|| "never".to_owned(), |at| look.distance(at)),
            ],
        );
    }
    page.table(&table);
    more(page, machines.len(), MOST_MACHINES);
}

fn unusable(page: &mut Page, doc: &RolloutDoc) {
    if doc.unusable.is_empty() {
        return;
    }
    page.blank().line("REPORTS THAT CANNOT BE USED");
    let mut table = Table::new(2, &[table::words("", 13), table::words("", 30)]);
    for unusable in doc.unusable.iter().take(MOST) {
        let file = SafeText::new(&crate::fields::cut(unusable.file.as_str(), 40));
        table.row(Tone::Plain, [file.to_string(), unusable.reason.to_string()]);
    }
    page.table(&table);
    more(page, doc.unusable.len(), MOST);
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_not_full_before_all_are_done() {
        assert_eq!((bar(81, 100).as_str(), bar(0, 0).as_str()), ("######..  81%", "........    -"));
        assert_eq!(bar(999, 1_000), "#######.  99%");
    }
}
