//! For any site and at every moment of reading, the sum of SITE.md 6 holds in each view, and each figure is a number of rows.
#![allow(clippy::unwrap_used)]

use super::{export, shown};
use crate::cli::page::Page;
use crate::cli::time::Look;
use crate::clock::Zone;
use crate::rollout::account::{Account, Said};
use crate::rollout::attention::Attention;
use crate::rollout::count::Place;
use crate::rollout::count::tests::{heard, job, member, now};
use crate::rollout::doc::{JobDoc, MachineDoc, RolloutDoc};
use crate::rollout::figures::figures;
use crate::rollout::ground::Ground;
use crate::rollout::reports::NOT_YET;
use crate::rollout::select::Figure;
use crate::rollout::shared::Texts;
use crate::site::ids::MachineId;
use crate::terms::{Code, State};
use crate::text::SafeText;
use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

const PARTS: [&str; 7] = ["done", "not_needed", "running", "waiting", "failed", "interrupted", "silent"];

type Reports = Vec<Option<Result<Account, SafeText>>>;

/// The document where so many of the reports were read.
pub(super) fn document(ground: &Ground, reports: &Reports, read: usize, rows: bool) -> RolloutDoc {
    let by_machine: BTreeMap<MachineId, &Option<Result<Account, SafeText>>> =
        ground.members.iter().map(|member| member.machine).zip(reports).take(read).collect();
    let said = |machine: MachineId| match by_machine.get(&machine) {
        Some(Some(said)) => (*said).clone(),
        Some(None) | None => Err(NOT_YET.into()),
    };
    let stands = ground.stands(now());
    let (mut machines, mut texts) = (Vec::new(), Texts::default());
    let counted = figures(
        &stands,
        &ground.members,
        said,
        |_| true,
        |_, place| {
            machines.extend(MachineDoc::of_place(place, now(), &mut texts));
        },
    );
    let mut machines = rows.then_some(machines);
    let jobs = stands.iter().zip(&counted);
    RolloutDoc {
        site: ground.site,
        name: ground.name.clone(),
        at: now(),
        age_s: 0,
        collected: None,
        machines: ground.members.len() as u64,
        read: by_machine.values().filter(|said| matches!(said, Some(Ok(_)))).count() as u64,
        unread: 0,
        without_report: 0,
        whole: read == reports.len(),
        condition: None,
        unsigned_reports: false,
        jobs: jobs
            .map(|(stand, figures)| JobDoc::of(ground, stand, figures, machines.take(), None))
            .collect(),
        unusable: Vec::new(),
        strangers: 0,
        attention: Attention::default(),
        warnings: Vec::new(),
    }
}

/// The values of comma-separated lines, by the names of the first one. No cell here has a comma.
fn lines(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap();
    lines.map(|line| names.iter().cloned().zip(line).collect()).collect()
}

/// A gauge: its labels and its value.
fn gauge<'a>(metrics: &'a str, name: &str) -> Vec<(&'a str, u64)> {
    let of = format!("pcm_rollout_{name}{{");
    let values = metrics.lines().filter_map(|line| line.strip_prefix(of.as_str())?.rsplit_once(' '));
    values.map(|(labels, value)| (labels, value.parse().unwrap())).collect()
}

/// The numbers of the sum as the page has it: the targets and their parts.
fn sum_of_page(job: &JobDoc) -> Vec<u64> {
    let look = Look { width: Some(80), now: now(), zone: Zone::utc(), pcm: "pcm".into() };
    let mut page = Page::new(look.width);
    shown::figures(&mut page, &look, job);
    let text = page.to_text();
    let text: Vec<&str> = text.lines().collect();
    let at = text.iter().position(|line| line.starts_with("targets ")).unwrap();
    let words = |line: &str| line.replace(',', "").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    // What came and went stands in brackets.
    let numbers = [words(text[at]), words(text[at + 1])].concat();
    numbers.iter().filter_map(|word| word.parse().ok()).collect()
}

/// Each figure that opens a list, and how many machines are in it.
fn behind(ground: &Ground, reports: &Reports, read: usize, job: &JobDoc) -> Vec<(Figure, u64)> {
    let parts = job.parts().map(|(part, _)| Figure::Part(part));
    let held = job.by_reason.keys().copied().map(Figure::Held);
    let results = job.by_result.iter().map(|of| Figure::Result(of.exit_code, of.result.clone()));
    let silent = job.silent_because.iter().map(|of| Figure::Silent(of.reason.clone()));
    let all = parts.into_iter().chain([Figure::Unsuccessful]).chain(held).chain(results).chain(silent);
    let mut all: Vec<(Figure, u64)> = all.map(|figure| (figure, 0)).collect();
    let by_machine: BTreeMap<MachineId, &Option<Result<Account, SafeText>>> =
        ground.members.iter().map(|member| member.machine).zip(reports).take(read).collect();
    let said = |machine: MachineId| match by_machine.get(&machine) {
        Some(Some(said)) => (*said).clone(),
        Some(None) | None => Err(NOT_YET.into()),
    };
    figures(
        &ground.stands(now()),
        &ground.members,
        said,
        |_| true,
        |_, place| {
            let Place::Target(row) = place else { return };
            for (figure, behind) in &mut all {
                *behind += u64::from(figure.has(row, job));
            }
        },
    );
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn at_every_moment_of_reading_each_view_has_the_same_sum(
        which in 0..6_usize,
        reports in prop::collection::vec(heard(), 3..40),
        moments in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let ground = Ground::of_test(vec![job(which)], (0..reports.len()).map(member).collect());
        for read in moments.iter().map(|moment| moment.index(reports.len())).chain([0, reports.len()]) {
            let doc = document(&ground, &reports, read, true);
            let json: Value = serde_json::to_value(&doc).unwrap();
            let job = &json["jobs"][0];
            let n = |key: &str| job[key].as_u64().unwrap();
            let rows = job["machines"].as_array().unwrap();
            prop_assert_eq!(PARTS.iter().map(|part| n(part)).sum::<u64>(), n("targets"));
            prop_assert_eq!(rows.len() as u64, n("targets"));
            let csv = lines(&export::csv(&doc));
            let jobs = lines(&export::csv(&document(&ground, &reports, read, false)));
            let metrics = export::metrics(&doc);
            let machines = gauge(&metrics, "machines");
            prop_assert_eq!(machines.iter().map(|(_, n)| n).sum::<u64>(), gauge(&metrics, "targets")[0].1);
            for part in PARTS {
                let word = part.replace('_', "-");
                let is = |row: &Value| row["part"] == word.as_str();
                prop_assert_eq!(n(part), rows.iter().filter(|row| is(row)).count() as u64);
                prop_assert_eq!(n(part), csv.iter().filter(|row| row["part"] == word).count() as u64);
                prop_assert_eq!(n(part).to_string(), jobs[0][part].as_str());
                let label = format!("part=\"{word}\"");
                let value = machines.iter().find(|(labels, _)| labels.contains(&label));
                prop_assert_eq!(Some(n(part)), value.map(|(_, n)| *n));
            }
            // Reasons, results and silence add up to their figures, and each is a number of rows.
            let reasons = job["reasons"].as_array().unwrap();
            prop_assert_eq!(reasons.iter().map(|row| row["machines"].as_u64().unwrap()).sum::<u64>(), n("waiting"));
            for reason in reasons {
                let is = |row: &&Value| row["part"] == "waiting" && row["reason"] == reason["reason"];
                prop_assert_eq!(reason["machines"].as_u64(), Some(rows.iter().filter(is).count() as u64));
                let frees = reason["frees_in_a_day"].as_u64();
                prop_assert!(frees.is_none_or(|frees| frees <= n("waiting")));
            }
            prop_assert_eq!(gauge(&metrics, "waiting").iter().map(|(_, n)| n).sum::<u64>(), n("waiting"));
            let of = |list: &str, key: &str| {
                job[list].as_array().unwrap().iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>()
            };
            prop_assert_eq!(of("by_result", "count"), n("failed") + n("interrupted"));
            prop_assert_eq!(of("silent_because", "machines"), n("silent"));
            let rows_where = |is: &dyn Fn(&Value) -> bool| rows.iter().filter(|row| is(row)).count() as u64;
            for result in job["by_result"].as_array().unwrap() {
                let words = |row: &Value| match row["result"].as_str() {
                    None | Some("") => row["state"].as_str().map(str::to_owned),
                    Some(words) => Some(words.to_owned()),
                };
                let ended = |row: &Value| ["failed", "interrupted"].contains(&row["part"].as_str().unwrap());
                let is = |row: &Value| {
                    ended(row) && row["exit_code"] == result["exit_code"] && words(row).as_deref() == result["result"].as_str()
                };
                prop_assert_eq!(result["count"].as_u64(), Some(rows_where(&is)), "{}", result);
            }
            for silent in job["silent_because"].as_array().unwrap() {
                let is = |row: &Value| row["part"] == "silent" && row["reason"] == silent["reason"];
                prop_assert_eq!(silent["machines"].as_u64(), Some(rows_where(&is)), "{}", silent);
            }
            for (figures, column) in [("by_state", "state"), ("by_version", "pcm_version")] {
                let figures = job[figures].as_object().unwrap();
                for (word, figure) in figures {
                    let is = |row: &Value| row[column] == word.as_str();
                    prop_assert_eq!(figure.as_u64(), Some(rows_where(&is)), "{} {}", column, word);
                }
                let said = figures.values().map(|n| n.as_u64().unwrap()).sum::<u64>();
                prop_assert_eq!(said, rows_where(&|row| !row[column].is_null()));
            }
            let is_never = |row: &Value| row["part"] == "waiting" && row["never"] == true;
            prop_assert_eq!(n("never"), rows_where(&is_never));
            prop_assert_eq!(job["late"]["machines"].as_u64(), Some(rows_where(&|row| row["started_late_s"].as_u64() > Some(0))));

            // The page, and what Enter lists behind each figure of the view.
            prop_assert_eq!(sum_of_page(&doc.jobs[0]), [vec![n("targets")], PARTS.map(n).to_vec()].concat());
            for (figure, behind) in behind(&ground, &reports, read, &doc.jobs[0]) {
                prop_assert_eq!(figure.number(&doc.jobs[0]), behind, "{:?}", figure);
            }
        }
    }
}

/// Each waits for its window, which opens tonight, and for its user: only that somebody logs off would free them.
#[test]
fn a_reason_that_frees_machines_has_a_row_although_it_holds_none_alone() {
    let ground = Ground::of_test(vec![job(0)], (0..3).map(member).collect());
    let said = Said {
        blocked_by: vec![Code::WindowClosed, Code::UserLoggedOn],
        next_change: Some(now() + TimeDelta::hours(8)),
        ..Said::of("BP0000Y".parse().unwrap(), State::Waiting)
    };
    let account = Account {
        publication: (1, 2),
        written: now(),
        next_window: Some(now() + TimeDelta::hours(8)),
        requests: vec![said],
        ..Account::default()
    };
    let doc = document(&ground, &vec![Some(Ok(account)); 3], 3, true);
    let rows: Vec<(&str, u64, Option<u64>)> = doc.jobs[0]
        .reasons
        .iter()
        .map(|reason| (reason.reason, reason.machines, reason.frees_in_a_day))
        .collect();
    assert_eq!(rows, [("several", 3, None), ("user-logged-on", 0, Some(3))]);
    assert_eq!((doc.jobs[0].waiting, doc.jobs[0].by_reason.len()), (3, 1));
    let metrics = export::metrics(&doc);
    let waiting = gauge(&metrics, "waiting");
    assert!(waiting.len() == 1 && waiting[0].1 == 3, "{waiting:?}");
}
