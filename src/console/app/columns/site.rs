//! The columns of view 5: jobs, and machines of a job.

use super::{Column, Order, Rank, Width};
use crate::console::app::words;
use crate::console::theme::Scope;
use crate::rollout::count::Part;
use crate::rollout::doc::{JobDoc, MachineDoc};
use crate::rollout::words as told;
use crate::safe;
use crate::site::index::JobState;
use crate::terms::State;
use crate::text::SafeText;

/// How many cells a bar has.
const BAR: u64 = 8;

/// Jobs.
pub const JOBS: &[Column<JobDoc>] = &[
    Column {
        title: "JOB",
        width: Width::Fixed(9, 9),
        from: 0,
        text: |job, _| safe!("{}", job.job_id),
        style: of_job,
        order: None,
    },
    Column {
        title: "PACKAGE",
        width: Width::Fits(8, 16, 40, |job| job.package.width()),
        from: 60,
        text: |job, _| job.package.clone(),
        style: of_job,
        order: None,
    },
    Column {
        title: "PHASE",
        width: Width::Fits(5, 9, 12, |job| told::phase(job).len()),
        from: 70,
        text: |job, _| safe!("{}", told::phase(job)),
        style: of_job,
        order: None,
    },
    Column {
        title: "TARGETS",
        width: Width::Fixed(8, 10),
        from: 50,
        text: |job, moment| safe!("{:>1$}", told::grouped(job.targets), if moment.wide { 9 } else { 7 }),
        style: of_job,
        order: None,
    },
    Column {
        title: "DONE",
        width: Width::Fixed(14, 14),
        from: 70,
        text: |job, _| {
            let (filled, percent) = told::bar(job.done + job.not_needed, job.targets, BAR);
            let marks: String = (0..BAR).map(|i| if i < filled { '#' } else { '.' }).collect();
            safe!("{marks} {percent:>4}")
        },
        style: of_job,
        order: None,
    },
    Column {
        title: "FAIL",
        width: Width::Fixed(7, 8),
        from: 0,
        text: |job, _| safe!("{:>6}", told::grouped(job.unsuccessful())),
        style: |job| if job.unsuccessful() > 0 { Scope::StateFailed } else { of_job(job) },
        order: None,
    },
    Column {
        title: "GATE",
        width: Width::Rest,
        from: 0,
        text: |job, moment| {
            let gate = told::gate(job, &|at| words::when(at, moment.now, moment.zone));
            safe!("{}", SafeText::new(&gate))
        },
        style: |job| if job.halted { Scope::GroupAlarm } else { of_job(job) },
        order: None,
    },
];

/// Machines of a job.
pub const MACHINES: &[Column<MachineDoc>] = &[
    Column {
        title: "SMSID",
        width: Width::Fixed(9, 9),
        from: 0,
        text: |row, _| safe!("{}", row.machine),
        style: |_| Scope::Text,
        order: None,
    },
    Column {
        title: "HOST",
        width: Width::Fixed(13, 25),
        from: 50,
        text: |row, _| row.host.clone().unwrap_or_else(|| "-".into()),
        style: |_| Scope::Text,
        order: Some(Order {
            word: "host",
            rank: |row| {
                Rank::Words(row.host.as_ref().map(|host| host.as_str().to_lowercase()).unwrap_or_default())
            },
        }),
    },
    Column {
        title: "STATE",
        width: Width::Fixed(12, 18),
        from: 0,
        text: |row, _| told::state(row).into(),
        style: state_of,
        order: Some(Order { word: "state", rank: |row| Rank::Part(row.part, row.state) }),
    },
    Column {
        title: "WHY NOT / NEXT",
        width: Width::Rest,
        from: 0,
        text: |row, moment| {
            let why = told::why(row, &|at| words::when(at, moment.now, moment.zone));
            SafeText::new(&why)
        },
        style: |row| if row.part == Part::Silent { Scope::Stale } else { Scope::Text },
        order: Some(Order {
            word: "next",
            rank: |row| Rank::Time(row.next_run.is_none(), row.next_run.or(row.started_at)),
        }),
    },
    Column {
        title: "SEEN",
        width: Width::Fixed(6, 6),
        from: 60,
        text: |row, moment| match row.last_seen {
            Some(at) => safe!("{}", words::age((moment.now - at).num_seconds())),
            None => "never".into(),
        },
        style: |row| if row.part == Part::Silent { Scope::Stale } else { Scope::Text },
        order: Some(Order { word: "seen", rank: |row| Rank::Time(false, row.last_seen) }),
    },
];

fn of_job(job: &JobDoc) -> Scope {
    if job.state == JobState::Cancelled { Scope::Dim } else { Scope::Text }
}

/// The style of what a machine is counted as.
fn state_of(row: &MachineDoc) -> Scope {
    match (row.part, row.state) {
        (Part::Silent, _) | (_, None) => Scope::Stale,
        (_, Some(state)) => Scope::of_state(state),
    }
}

/// The same of a part of the sum.
pub fn part_of(part: Part) -> Scope {
    match part {
        Part::Done => Scope::of_state(State::Succeeded),
        Part::NotNeeded => Scope::of_state(State::NotNeeded),
        Part::Running => Scope::of_state(State::Running),
        Part::Waiting => Scope::of_state(State::Waiting),
        Part::Failed => Scope::of_state(State::Failed),
        Part::Interrupted => Scope::of_state(State::Interrupted),
        Part::Silent => Scope::Stale,
    }
}
