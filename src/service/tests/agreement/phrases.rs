//! The phrases of the original that pcm keeps (FORMATS.md 8), as a service says them: whoever looks for one in a log of
//! thirty years finds it here, too. `The desktop version already has the mutex.` comes before there is an executor:
//! `e2e::service` has it.

use super::site::Mood;
use super::verifying::{AS_IT_IS, on_stage_of, plan_of};
use crate::site::instruction::Entry;

/// Whether a line says it. What ends without a stop is followed by what a machine of today adds.
fn says(line: &str, phrase: &str) -> bool {
    if phrase.ends_with('.') {
        line == phrase || line.starts_with(&format!("{phrase} "))
    } else {
        line.starts_with(phrase)
    }
}

#[test]
fn the_log_says_each_phrase_as_the_original_did() {
    let mut plan = plan_of(-1);
    plan.runs_take = crate::decision::simulate::RunTime::Longest;
    let Some(Entry::Good(first)) = plan.file.requests.first().cloned() else { panic!("the plan has one") };
    let mut second = first;
    second.request_id = "BP0000Z".parse().unwrap();
    second.background = false;
    plan.file.requests.push(Entry::Good(second));
    on_stage_of(
        plan,
        |shared| Box::new(shared),
        |stage| {
            stage.answer(Ok(AS_IT_IS));
            stage.pass(90);
            let said = stage.world.lock().said.clone();
            for phrase in [
                "Looking for instruction file: /share/pcmins.box/BP004000.INS",
                "Packages before filter: 2",
                "Packages after filter: 2",
                "New packages found.",
                "No new packages found.",
                "Package (Request ID) BP0000Z is not marked for service-only execution, skipping it.",
                "Executing command line: setup.sh",
                "Job still running",
                "Job completed.",
                "Reporting job status.",
            ] {
                assert!(said.iter().any(|line| says(line, phrase)), "{phrase}: {said:#?}");
            }
            let sleeps = |line: &String| {
                let minutes = line.strip_prefix("sleeping ").and_then(|rest| rest.strip_suffix(" minutes"));
                minutes.is_some_and(|minutes| minutes.parse::<u32>().is_ok())
            };
            assert!(said.iter().any(sleeps), "{said:#?}");
            let running = said.iter().filter(|line| line.starts_with("Job still running")).count();
            assert!((2..=31).contains(&running), "at most once a minute: {running}");
        },
    );
}

#[test]
fn a_share_without_a_file_for_this_machine_is_said_as_the_original_did() {
    let mut plan = plan_of(-1);
    plan.mood = Mood::NoFile;
    on_stage_of(
        plan,
        |shared| Box::new(shared),
        |stage| {
            stage.pass(1);
            let said = stage.world.lock().said.clone();
            assert!(said.iter().any(|line| says(line, "No instruction file.")), "{said:#?}");
        },
    );
}
