//! The gate as a judge of thousands of phases: how often it halts what is good, and how often it lets pass what is bad.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::service::tests::random::Random;
use proptest::prelude::*;

fn limits(rate: u32) -> Limits {
    Limits { max_failure_rate: rate, ..Limits::default() }
}

fn counts(machines: u64, n: u64, f: u64) -> Counts {
    Counts { machines, ended: n, n, f, ..Counts::default() }
}

/// A phase in which each machine fails with this probability, in millionths, looked at after every result; how many had ended.
fn phase(random: &mut Random, limits: &Limits, machines: u64, fails: u64) -> (Answer, u64) {
    let mut counts = Counts { machines, ..Counts::default() };
    while counts.ended < machines {
        counts.ended += 1;
        counts.n += 1;
        counts.f += u64::from(random.below(1_000_000) < fails);
        let answer = judge(&counts, limits, true).answer;
        if answer != Answer::Undecided {
            return (answer, counts.n);
        }
    }
    (Answer::Undecided, machines)
}

/// Ten thousand phases of each kind; `PCM_GATE_PHASES` simulates another number of them.
#[test]
fn what_is_good_is_seldom_halted_and_what_is_bad_seldom_goes_on() {
    let phases = std::env::var("PCM_GATE_PHASES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000_u64);
    let share = |n: u64| n * 1_000 / phases;
    for (seed, limit) in [100, 200, 500, 1_000].into_iter().enumerate() {
        let limits = limits(limit);
        let random = &mut Random::new(seed as u64);
        // In millionths, and enough machines to prove it by half of them, by far more, and by all of them only.
        let rate = u64::from(limit) * 100;
        let least = provable_from(&limits).unwrap();
        for machines in [least, 2 * least, 5 * least] {
            let mut count = |fails: u64, what: Answer| {
                (0..phases).filter(|_| phase(random, &limits, machines, fails).0 == what).count() as u64
            };
            let halted = share(count(rate / 2, Answer::Halt));
            let passed = share(count(rate * 2, Answer::GoOn));
            println!("gate: limit {limit}, {machines} machines: {halted} of 1000 halted, {passed} passed");
            assert!(halted <= 60, "half of limit {limit}: {halted} of 1000 halted, {machines} machines");
            assert!(passed <= 50, "twice limit {limit}: {passed} of 1000 went on, {machines} machines");
        }
        let ended: u64 = (0..phases)
            .map(|_| phase(random, &limits, 5 * least, 500_000))
            .map(|(answer, ended)| if answer == Answer::Halt { ended } else { 1_000 })
            .sum();
        assert!(ended <= 8 * phases, "limit {limit}: {ended} ended in {phases} phases of which half fails");
    }
}

#[test]
fn every_answer_has_its_numbers() {
    let five = limits(500);
    let halted = Counts { machines: 1_000, ended: 454, n: 454, f: 41, ..Counts::default() };
    assert_eq!(judge(&halted, &five, false).answer, Answer::Halt);
    assert_eq!(super::halted(&halted, &five), "halted: 9 % of 454 failed, limit 5 %");
    let some = counts(100, 18, 0);
    assert_eq!(known(&some), "0 of 18 failed, could be 15 %");
    let judged = judge(&some, &five, true);
    assert_eq!(judged.lacks, [Lacks::Proof(22), Lacks::Ended(50)]);
    assert_eq!(missing(judged.lacks[0], &some, &five), "22 more without a failure");
    assert_eq!(judge(&counts(80, 40, 0), &five, true).answer, Answer::GoOn);
    assert_eq!(judge(&counts(80, 40, 0), &five, false).lacks, [Lacks::Time]);
    // What runs may fail, and who is silent may have failed.
    let runs = Counts { running: 1, ..counts(80, 40, 0) };
    assert_eq!(judge(&runs, &five, true).lacks, [Lacks::Proof(19)]);
    let silent = Counts { silent: 5, ..counts(80, 40, 0) };
    assert_eq!(judge(&silent, &five, true).lacks, [Lacks::Silent(5)]);
    assert_eq!(judge(&Counts { silent: 4, ..silent }, &five, true).answer, Answer::GoOn);
    // So few cannot prove it.
    assert_eq!(judge(&counts(5, 5, 0), &five, true).answer, Answer::AsSeen);
    assert_eq!(judge(&counts(5, 4, 0), &five, true).lacks, [Lacks::All]);
    assert_eq!(judge(&counts(5, 5, 1), &five, true).lacks, [Lacks::Rate]);
    assert_eq!(judge(&counts(5, 5, 3), &five, true).answer, Answer::Halt);
    assert_eq!(judge(&counts(0, 0, 0), &five, true).answer, Answer::AsSeen);
    // Not one failure is allowed.
    assert_eq!(judge(&counts(9, 4, 1), &limits(0), true).answer, Answer::Halt);
    assert_eq!(judge(&counts(9, 9, 0), &limits(0), true).answer, Answer::AsSeen);
    // All of it ended before the job was resumed: nothing says that it is any better now.
    let before = Counts { n: 0, f: 0, ..counts(80, 80, 0) };
    assert_eq!(judge(&before, &five, true).lacks, [Lacks::Results]);
}

#[test]
fn few_machines_are_as_seen_only_where_all_that_have_something_to_do_have_done_it() {
    let five = limits(500);
    // One of five that ran, and the others were stopped, or ended before the job was resumed.
    let one = |stopped: u64| Counts { machines: 5, ended: 5, n: 1, stopped, ..Counts::default() };
    let judged = judge(&one(4), &five, true);
    assert_eq!((judged.answer, &judged.lacks[..]), (Answer::Undecided, &[Lacks::Stopped(4)][..]));
    assert!(missing(judged.lacks[0], &one(4), &five).starts_with("4 of 5 were stopped by an operator"));
    let judged = judge(&one(0), &five, true);
    assert_eq!((judged.answer, &judged.lacks[..]), (Answer::Undecided, &[Lacks::Before(4)][..]));
    assert!(missing(judged.lacks[0], &one(0), &five).starts_with("4 of 5 ended before the job was resumed"));
    assert_eq!(judge(&one(3), &five, true).lacks, [Lacks::Stopped(3), Lacks::Before(1)]);
    // Where nothing is to be done it is done.
    let idle = Counts { nothing: 4, ..one(0) };
    assert_eq!(judge(&idle, &five, true).answer, Answer::AsSeen);
    let idle = Counts { machines: 5, ended: 5, nothing: 5, ..Counts::default() };
    assert_eq!(judge(&idle, &five, true).answer, Answer::AsSeen);
    assert_eq!(judge(&idle, &five, false).lacks, [Lacks::Time]);
    assert_eq!(judge(&idle, &limits(0), true).answer, Answer::AsSeen);
    // One of them says nothing yet, was stopped, or failed.
    let waits = Counts { ended: 4, nothing: 4, ..idle };
    assert_eq!(judge(&waits, &five, true).lacks, [Lacks::Results, Lacks::All]);
    let stopped = Counts { nothing: 4, stopped: 1, ..idle };
    assert_eq!(judge(&stopped, &five, true).lacks, [Lacks::Results, Lacks::Stopped(1)]);
    let failed = Counts { nothing: 4, n: 1, f: 1, ..idle };
    assert_eq!(judge(&failed, &five, true).lacks, [Lacks::Rate]);
}

#[test]
fn a_phase_goes_on_by_the_machines_that_it_adds() {
    let five = limits(500);
    // 50 of 5 %, which prove it for all phases, and 40 that 9 % add.
    let phase = |new: u64| Counts { machines: 90, earlier: 50, earlier_ended: 50, ..counts(90, 50 + new, 0) };
    let judged = judge(&phase(0), &five, true);
    assert_eq!((judged.answer, &judged.lacks[..]), (Answer::Undecided, &[Lacks::Ended(20)][..]));
    assert_eq!(
        missing(judged.lacks[0], &phase(0), &five),
        "0 of the 40 that this phase adds have ended, and 20 have to"
    );
    assert_eq!(judge(&phase(19), &five, true).answer, Answer::Undecided);
    assert_eq!(judge(&phase(20), &five, true).answer, Answer::GoOn);
}

#[test]
fn the_bound_is_the_exact_one() {
    for (f, n, percent) in [(0, 18, 15.3), (0, 59, 5.0), (1, 10, 39.4), (5, 100, 10.2), (3, 3, 100.0)] {
        let bound = could_be(f, n) * 100.0;
        assert!((bound - percent).abs() < 0.1, "{f} of {n}: {bound}");
    }
    assert!((could_be(5_000, 100_000) * 100.0 - 5.11).abs() < 0.02);
}

fn goes_on(counts: &Counts, limits: &Limits) -> bool {
    matches!(judge(counts, limits, true).answer, Answer::GoOn | Answer::AsSeen)
}

proptest! {
    /// What is missing of some machines never lets the others go on that would not with it.
    #[test]
    fn what_is_missing_never_decides_for_going_on(
        rate in 0..2_000_u32,
        ok in 0..300_u64,
        f in 0..20_u64,
        before in 0..20_u64,
        running in 0..20_u64,
        waiting in 0..300_u64,
        silent in 0..20_u64,
        gone in 1..10_u64,
        kind in 0..4,
    ) {
        let limits = limits(rate);
        let whole = Counts {
            machines: ok + f + before + running + waiting + silent,
            ended: ok + f + before,
            n: ok + f,
            f,
            running,
            silent,
            ..Counts::default()
        };
        // Successes, runs, or waiting machines of which nothing is heard any more; or failures that all others overlook.
        let mut less = whole;
        match kind {
            0 => {
                let gone = gone.min(ok);
                (less.ended, less.n, less.silent) = (whole.ended - gone, whole.n - gone, silent + gone);
            }
            1 => less.silent += gone.min(waiting),
            2 => {
                let gone = gone.min(ok);
                (less.ended, less.n) = (whole.ended - gone, whole.n - gone);
            }
            // It ended, and that was before the job was resumed.
            _ => less.n -= gone.min(ok),
        }
        prop_assert!(goes_on(&whole, &limits) || !goes_on(&less, &limits), "{whole:?} {less:?}");
    }

    /// The numbers of any share, however wrong, come to some answer.
    #[test]
    fn any_numbers_come_to_an_answer(
        machines in 0..1_000_000_u64,
        ended in 0..1_000_000_u64,
        n in 0..1_000_000_u64,
        f in 0..1_000_000_u64,
        rate in 0..=WHOLE,
        due: bool,
    ) {
        let limits = limits(rate);
        let counts =
            Counts { machines, ended, n, f, running: f, silent: n, ..Counts::default() };
        let judged = judge(&counts, &limits, due);
        let lacks = judged.lacks.iter().map(|lacks| missing(*lacks, &counts, &limits).len()).sum::<usize>();
        prop_assert_eq!(judged.answer == Answer::Undecided, lacks > 0);
        prop_assert!(f > 1_000 || !known(&counts).is_empty());
    }
}

/// Not all numbers are summed, and what is left out adds nothing.
#[test]
fn what_is_summed_is_what_all_numbers_give() {
    let plain = |f: u64, n: u64, rate: f64| {
        let (mut term, odds) = (n as f64 * (-rate).ln_1p(), (rate / (1.0 - rate)).ln());
        let mut sum = term.exp();
        for i in 0..f {
            term += ((n - i) as f64 / (i + 1) as f64).ln() + odds;
            sum += term.exp();
        }
        sum
    };
    for n in [1, 2, 10, 97, 1_000, 20_000_u64] {
        for f in [0, 1, n / 50, n / 3, n / 2, n * 9 / 10, n - 1] {
            for rate in [1e-9, 0.001, 0.02, 1.0 / 3.0, 0.333, 0.5, 0.75, 0.9, 0.999, 1.0 - 1e-9] {
                let (is, all) =
                    (at_most(f, n, ways(f, n), rate), if f < n { plain(f, n, rate) } else { 1.0 });
                assert!((is - all).abs() < 1e-8, "{f} of {n} at {rate}: {is}, and {all} all of them");
            }
        }
    }
    // Near what the normal approximation gives: 0.3, and 1.645 times the root of 0.3 * 0.7 / 100,000.
    let (least, most) = bounds(30_000, 100_000);
    assert!((least - 0.2976).abs() < 0.000_1 && (most - 0.3024).abs() < 0.000_1, "{least} to {most}");
}

#[test]
fn bounds_are_those_of_the_tables_and_hold_what_was_seen() {
    // As R's binom.test(f, n, conf.level = 0.9) prints them.
    for (f, n, low, high) in [
        (0, 10, 0.0, 0.2589),
        (1, 10, 0.0051, 0.3942),
        (5, 10, 0.2224, 0.7776),
        (10, 10, 0.7411, 1.0),
        (188, 40_778, 0.0041, 0.0052),
    ] {
        let (least, most) = bounds(f, n);
        assert!(
            (least - low).abs() < 0.000_06 && (most - high).abs() < 0.000_06,
            "{f} of {n}: {least} to {most}"
        );
    }
    assert_eq!(bounds(0, 0), (0.0, 1.0));
    for n in 1..60 {
        for f in 0..=n {
            let (least, most) = bounds(f, n);
            let seen = f as f64 / n as f64;
            assert!((0.0..=seen).contains(&least) && (seen..=1.0).contains(&most), "{f} of {n}");
        }
    }
}
