//! The figures of a rollout for other programs: comma-separated values, and a file of metrics. Neither ever names a figure
//! that the document does not have.

use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::rollout::doc::{JobDoc, MachineDoc, RolloutDoc};
use chrono::SecondsFormat;
use std::fmt::{Display, Write as _};
use std::path::Path;

/// One line a machine where one job was asked for, one line a job otherwise.
pub(super) fn csv(doc: &RolloutDoc) -> String {
    match doc.jobs.as_slice() {
        [JobDoc { machines: Some(machines), job_id, .. }] => of_machines(&job_id.to_string(), machines),
        jobs => of_jobs(jobs),
    }
}

fn of_jobs(jobs: &[JobDoc]) -> String {
    let mut out = line(
        &[
            "job_id",
            "request_id",
            "package",
            "command",
            "state",
            "percent",
            "targets",
            "done",
            "not_needed",
            "running",
            "waiting",
            "failed",
            "interrupted",
            "silent",
            "not_targets",
            "later",
            "never",
            "undelivered",
            "gate",
        ]
        .map(ToString::to_string),
    );
    for job in jobs {
        let gate = job.answer.map(|answer| answer.to_string()).unwrap_or_default();
        let head = [
            job.job_id.to_string(),
            job.request_id.to_string(),
            cell(&job.package),
            cell(&job.command),
            job.state.to_string(),
            job.percent.to_string(),
            job.targets.to_string(),
        ];
        let parts = job.parts().map(|(_, n)| n.to_string());
        let tail = [job.not_targets, job.later, job.never, job.undelivered].map(|n| n.to_string());
        out.push_str(&line(&[&head[..], &parts, &tail, &[gate]].concat()));
    }
    out
}

fn of_machines(job: &str, machines: &[MachineDoc]) -> String {
    let mut out = line(
        &[
            "job_id",
            "machine",
            "host",
            "part",
            "state",
            "reason",
            "attempt",
            "exit_code",
            "result",
            "started_at",
            "ended_at",
            "started_late_s",
            "next_run",
            "latest",
            "last_seen",
            "pcm_version",
        ]
        .map(ToString::to_string),
    );
    let time =
        |at: Option<Wall>| at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default();
    for m in machines {
        out.push_str(&line(&[
            job.to_owned(),
            m.machine.to_string(),
            maybe(m.host.as_ref()),
            m.part.to_string(),
            m.state.map(|state| state.to_string()).unwrap_or_default(),
            maybe(m.reason.as_ref()),
            m.attempt.map(|n| n.to_string()).unwrap_or_default(),
            m.exit_code.map(|n| n.to_string()).unwrap_or_default(),
            maybe(m.result.as_ref()),
            time(m.started_at),
            time(m.ended_at),
            m.started_late_s.map(|n| n.to_string()).unwrap_or_default(),
            time(m.next_run),
            time(m.latest),
            time(m.last_seen),
            maybe(m.pcm_version.as_ref()),
        ]));
    }
    out
}

fn maybe(text: Option<&impl Display>) -> String {
    text.map(|text| cell(text)).unwrap_or_default()
}

/// A text in quotes where it needs them. What a spreadsheet would take for a formula is text there, too: machines wrote it.
fn cell(text: &impl Display) -> String {
    let text = text.to_string();
    let formula = text.starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text };
    match text.contains([',', '"', '\n', '\r', '\'']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn line(cells: &[String]) -> String {
    cells.join(",") + "\r\n"
}

/// Writes the metrics, whole or not at all.
///
/// # Errors
/// The file cannot be written; the old one stays.
pub(super) fn write_metrics(doc: &RolloutDoc, file: &Path) -> Result<()> {
    let metrics = metrics(doc);
    durable::write(file, metrics.as_bytes()).map_err(|e| {
        let message = format!("the metrics were not written: {}: {e}", file.display());
        Failure::new(Exit::Failed, "not-written", message, "Name a file in a folder that you may write")
    })
}

/// Gauges in the text of OpenMetrics, which Prometheus and its node exporter read as well: no times, since they are when it
/// is read; no machine in a label, since every machine would be a series.
pub(super) fn metrics(doc: &RolloutDoc) -> String {
    let mut out = String::new();
    let mut gauge = |name: &str,
                     help: &str,
                     values: &mut dyn Iterator<Item = (Vec<(&str, String)>, String)>| {
        // Writing into a String cannot fail.
        let _ = write!(out, "# HELP pcm_rollout_{name} {help}\n# TYPE pcm_rollout_{name} gauge\n");
        for (labels, value) in values {
            let labels: Vec<String> =
                labels.into_iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(&value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(out, "pcm_rollout_{name}{labels} {value}");
        }
    };
    let site = |n: u64| (Vec::new(), n.to_string());
    // Of what a collector has read, also where that is all there is: nothing else here tells it from what is so now.
    gauge("age_seconds", "How old what was counted is.", &mut [site(doc.age_s)].into_iter());
    gauge("reports_read", "Machines whose report was read.", &mut [site(doc.read)].into_iter());
    gauge("reports_unread", "Machines whose report could not be used.", &mut [site(doc.unread)].into_iter());
    gauge("reports_none", "Machines without a report.", &mut [site(doc.without_report)].into_iter());
    let of = |job: &JobDoc| vec![("job_id", job.job_id.to_string())];
    let per_job = |value: fn(&JobDoc) -> String| doc.jobs.iter().map(move |job| (of(job), value(job)));
    gauge("targets", "Machines that a job has reached.", &mut per_job(|job| job.targets.to_string()));
    gauge(
        "machines",
        "Targets of a job by what they are to it; together they are all targets.",
        &mut doc.jobs.iter().flat_map(|job| {
            job.parts().map(|(part, n)| ([of(job), vec![("part", part.to_string())]].concat(), n.to_string()))
        }),
    );
    gauge(
        "waiting",
        "Targets that wait, by what alone holds them up; together they are all that wait.",
        &mut doc.jobs.iter().flat_map(|job| {
            let row = |(reason, n): (&&str, &u64)| {
                ([of(job), vec![("reason", (*reason).to_owned())]].concat(), n.to_string())
            };
            job.by_reason.iter().map(row)
        }),
    );
    gauge(
        "never",
        "Targets that wait and never run by themselves.",
        &mut per_job(|job| job.never.to_string()),
    );
    gauge("not_targets", "Machines that were taken out.", &mut per_job(|job| job.not_targets.to_string()));
    gauge("later", "Machines whose phase has not come.", &mut per_job(|job| job.later.to_string()));
    let undelivered = &mut per_job(|job| job.undelivered.to_string());
    gauge("undelivered", "Targets with results that could not be delivered.", undelivered);
    // What only the site folder knows is no figure of a share alone.
    let known = |value: fn(&JobDoc) -> Option<String>| {
        doc.jobs.iter().filter_map(move |job| Some((of(job), value(job)?)))
    };
    let reached = &mut known(|job| job.phase.map(|_| (job.percent / 100.0).to_string()));
    gauge("reached_ratio", "The share of its machines that a job has reached.", reached);
    gauge("halted", "1 where a job is halted.", &mut per_job(|job| u8::from(job.halted).to_string()));
    gauge(
        "over",
        "1 where nothing is left to wait for.",
        &mut known(|job| job.over.map(|over| u8::from(over).to_string())),
    );
    out.push_str("# EOF\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
