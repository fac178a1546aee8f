//! The rows of repeated runs, lost histories and results, process trees, restarts, locks and reports, and the tests that
//! check each; see `CHECKED` in `main.rs`.

pub const CHECKED: &[(&str, &[&str])] = &[
    (
        "Q166765",
        &[
            "tests/defects/repeat.rs::q166765_polling_each_second_with_reporting_dead_runs_a_mandatory_package_once",
            "tests/defects/repeat.rs::q166765_a_result_that_could_not_be_reported_is_delivered_later",
            "tests/harness/points.rs::kill_at_every_system_call_and_it_runs_once_or_says_that_it_is_interrupted",
        ],
    ),
    (
        "Q229809",
        &[
            "tests/defects/lost.rs::q229809_a_history_that_was_deleted_damaged_or_purged_installs_nothing_again",
            "tests/e2e/history.rs::yesterdays_history_runs_nothing_until_it_is_adopted",
            "tests/e2e/idle.rs::an_idle_service_notices_that_its_history_was_replaced_overwritten_or_deleted",
            "tests/harness/nasty_state.rs::one_that_deletes_all_of_the_state_stops_everything_and_nothing_is_repeated",
            "src/executor/history/tests.rs::no_mutilation_of_the_file_makes_an_attempt_disappear",
        ],
    ),
    (
        "Q175652 Q158644 Q164887 Q191348",
        &[
            "tests/defects/lost.rs::q175652_q158644_q164887_q191348_a_package_that_restarts_the_machine_is_never_repeated",
            "tests/defects/lost.rs::q175652_a_package_that_asks_for_a_restart_has_succeeded_and_is_never_repeated",
            "tests/e2e/reboot.rs::a_run_that_a_restart_of_the_machine_broke_off_is_interrupted_and_not_repeated",
            "tests/e2e/reboot.rs::a_package_that_wants_a_restart_and_ended_before_it_is_judged_by_its_exit_record_afterwards",
        ],
    ),
    (
        "Q193784",
        &[
            "tests/defects/tree.rs::q193784_what_runs_ends_by_an_operator_and_the_next_one_runs",
            "tests/defects/tree.rs::q214448_q201764_a_hung_installer_is_reported_ended_whole_and_blocks_nothing_afterwards",
        ],
    ),
    (
        "Q164657 Q173073 Q231378",
        &[
            "tests/defects/service.rs::q164657_q173073_q231378_a_second_service_waits_and_takes_over_and_a_command_talks_to_the_first",
            "tests/e2e/service.rs::a_starting_service_waits_for_the_one_that_holds_the_executor",
        ],
    ),
    (
        "Q214448 Q201764",
        &[
            "tests/defects/tree.rs::q214448_q201764_a_hung_installer_is_reported_ended_whole_and_blocks_nothing_afterwards",
            "tests/e2e/input.rs::one_that_asks_at_a_terminal_is_reported",
            "tests/harness/nasty.rs::one_that_ignores_sigterm_is_timed_out",
        ],
    ),
    (
        "Q156271 Q128612 Q158734 Q274592",
        &[
            "tests/defects/tree.rs::q156271_q128612_q158734_q274592_a_run_ends_when_its_whole_tree_has_and_needs_no_share",
            "tests/harness/nasty.rs::one_that_leaves_without_a_trace_is_ended_by_the_limit_all_the_same",
        ],
    ),
    (
        "Q149672",
        &[
            "tests/defects/tree.rs::q149672_an_exit_code_means_what_the_table_says",
            "src/executor/run/outcome.rs::the_default_table_holds_for_every_code",
        ],
    ),
    (
        "Q164877 Q166833",
        &["tests/defects/lost.rs::q164877_q166833_every_end_has_a_result_on_the_share_without_a_status_mif"],
    ),
    (
        "Q190135 Q140810 Q122178",
        &[
            "tests/defects/share.rs::q190135_q140810_q122178_a_malformed_status_mif_is_a_failure_with_its_reason",
            "tests/harness/nasty_files.rs::a_status_mif_that_is_nonsense_is_a_failure_with_its_reason",
        ],
    ),
    ("Q138241", &["tests/defects/lost.rs::q138241_the_report_speaks_of_a_result_only_when_that_is_there"]),
    (
        "Q140389",
        &["tests/defects/service.rs::q140389_a_machine_with_a_thousand_requests_has_one_small_report"],
    ),
    (
        "Q230242",
        &["src/service/schedule.rs::faults_are_looked_at_again_sooner_and_ever_later_up_to_the_interval"],
    ),
    (
        "Q178662",
        &[
            "tests/defects/service.rs::q178662_a_service_answers_before_the_share_does",
            "tests/e2e/supervisor.rs::a_share_that_hangs_keeps_it_neither_from_being_ready_nor_from_being_alive",
        ],
    ),
    ("Q241656", &["tests/defects/service.rs::q241656_hundreds_of_polls_take_no_more_memory_than_a_few"]),
];
