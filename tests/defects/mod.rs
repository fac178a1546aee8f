//! What broke in the original, each as a test named after its article (DEFECTS.md). They run the real binary on a real
//! share.
#![cfg(unix)]

use crate::common::{self, hanging, logind, pty};

mod console;
mod countdown;
mod lost;
mod order;
mod proof;
mod repeat;
mod service;
mod share;
mod skipped;
mod time;
mod tree;

/// The rows of time, expiry, order, skip and countdown, and the tests that check each: by the service from outside here,
/// and in the core, where every second can be looked at. One line an article or a group of them.
const CHECKED: &[(&str, &[&str])] = &[
    (
        "Q163488",
        &[
            "tests/defects/time.rs::q163488_a_mandatory_time_that_passes_between_polls_starts_the_package",
            "src/decision/tests/states.rs::q163488_a_time_that_passes_is_noticed_without_any_other_change",
            "src/decision/tests/worlds.rs::nothing_changes_by_time_before_the_next_instant",
        ],
    ),
    (
        "Q189305 Q169474 Q186132",
        &[
            "tests/defects/time.rs::q189305_q169474_q186132_local_times_over_a_clock_change_mean_one_instant_by_rule",
            "src/decision/tests/zones.rs::a_mandatory_time_in_a_gap_or_fold_is_due_at_its_instant_and_not_a_second_before",
            "src/decision/tests/zones.rs::an_expiry_in_a_gap_or_fold_closes_at_its_instant_and_not_a_second_before",
            "src/decision/tests/zones.rs::a_window_over_the_change_is_as_long_as_that_night_and_a_run_must_fit_into_what_is_left",
            "src/clock/tests.rs::resolving_agrees_with_a_search_of_every_minute",
        ],
    ),
    ("Q172899", &["tests/defects/time.rs::q172899_clocks_of_others_in_the_future_hold_nothing_back"]),
    (
        "Q255284 Q225056",
        &[
            "tests/defects/time.rs::q255284_a_request_first_seen_after_its_expiry_never_runs",
            "tests/defects/time.rs::q255284_a_request_that_expires_while_it_waits_its_turn_never_runs",
            "tests/defects/countdown.rs::q225056_a_request_that_is_about_to_expire_has_a_shorter_countdown_and_never_starts_late",
            "src/decision/tests/states.rs::q255284_a_job_first_seen_after_its_expiry_never_runs",
        ],
    ),
    (
        "Q152229",
        &["tests/defects/time.rs::q152229_what_was_attempted_keeps_its_result_when_its_expiry_comes"],
    ),
    ("Q188042", &["tests/defects/time.rs::q188042_an_expired_request_is_recorded_once_and_writes_no_result"]),
    (
        "Q173388",
        &[
            "tests/defects/order.rs::q173388_overdue_requests_run_by_mandatory_time_and_then_by_id",
            "src/decision/tests/states.rs::q173388_overdue_jobs_run_by_mandatory_time_and_then_by_request_id",
            "src/service/tests/agreement/mod.rs::what_simulate_says_of_every_first_run_is_what_the_service_does",
        ],
    ),
    (
        "Q149683",
        &[
            "tests/defects/skipped.rs::q149683_a_request_that_is_not_offered_yet_is_so_for_the_list_the_log_the_operator_and_the_service",
        ],
    ),
    (
        "Q154931",
        &["tests/defects/skipped.rs::q154931_a_constraint_that_cannot_be_enforced_refuses_the_request"],
    ),
    (
        "Q174933",
        &[
            "tests/defects/skipped.rs::q174933_a_background_request_that_is_not_mandatory_says_why_it_does_not_run",
            "src/decision/tests/states.rs::q174933_a_background_job_that_is_not_mandatory_says_that_it_never_runs_by_itself",
        ],
    ),
    (
        "Q165147",
        &[
            "tests/defects/skipped.rs::q165147_a_request_that_is_not_for_the_service_is_skipped_in_words_and_can_be_triggered",
            "src/decision/tests/states.rs::q165147_what_is_not_for_the_service_is_shown_and_skipped_in_words",
        ],
    ),
    ("Q187287", &["tests/defects/skipped.rs::q187287_what_is_pending_is_shown_every_time"]),
    (
        "Q160853",
        &[
            "tests/defects/console.rs::q160853_open_details_and_an_open_confirmation_do_not_block_a_mandatory_run",
        ],
    ),
    (
        "Q122202",
        &[
            "tests/defects/countdown.rs::q122202_what_is_taken_back_during_the_countdown_is_not_started_and_leaves_no_attempt",
        ],
    ),
    ("Q171070", &["tests/defects/countdown.rs::q171070_a_restart_that_nobody_carries_out_stays_in_sight"]),
];

#[test]
fn every_test_that_is_named_for_an_article_exists() {
    for (articles, tests) in CHECKED.iter().chain(proof::CHECKED) {
        for test in *tests {
            let (file, name) = test.split_once("::").unwrap();
            let text =
                std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            let (before, _) = text
                .split_once(&format!("fn {name}("))
                .unwrap_or_else(|| panic!("{articles}: there is no {name} in {file}"));
            // Attributes and comments may stand between; nothing else does.
            assert!(before.rfind("#[test]") > before.rfind("\n}"), "{articles}: {name} in {file} is no test");
        }
    }
}
