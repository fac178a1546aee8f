//! What is written is read back to the same.
#![allow(clippy::unwrap_used)]

use super::render;
use crate::clock::When;
use crate::site::instruction::parse::{Defaults, parse};
use crate::site::instruction::{
    CommandLine, Entry, InstructionFile, Outcome, Program, Request, Restarts, RunWhen,
};
use crate::terms::Platform;
use crate::text::SafeText;
use chrono::{DateTime, TimeDelta};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use std::time::Duration;

const ISSUED: i64 = 1_763_798_400;

fn id(prefix: &'static str, digits: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[0-9A-Z]{{{digits}}}"))
        .unwrap()
        .prop_map(move |s| format!("{prefix}{s}"))
}

fn any_text() -> impl Strategy<Value = SafeText> {
    "[^\\p{Cc}]{1,20}".prop_map(|s| SafeText::new(&s)).prop_filter("empty", |s| !s.is_empty())
}

fn at(seconds: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// Offer, mandatory and expire in their order, all of one kind.
fn times() -> impl Strategy<Value = (When, Option<When>, Option<When>)> {
    (any::<bool>(), 0..1_000_000i64, of(0..1_000_000i64), of(1..1_000_000i64)).prop_map(|(local, o, m, e)| {
        let when = |s: i64| {
            let at = at(ISSUED + s) + TimeDelta::milliseconds(s % 3 * 250);
            if local { When::Local(at.naive_utc()) } else { When::Instant(at) }
        };
        let mandatory = m.map(|m| o + m);
        (when(o), mandatory.map(when), e.map(|e| when(mandatory.unwrap_or(o) + e)))
    })
}

fn program() -> impl Strategy<Value = Program> {
    prop_oneof![
        Just(Program::Listed("dpkg".into())),
        Just(Program::Listed("msiexec.exe".into())),
        Just(Program::InPackage("dpkg".into())),
        Just(Program::InPackage("my setup.sh".into())),
        "[a-z]{1,6}(/[a-z \"]{1,5}[a-z]){0,3}(\\.sh)?".prop_map(Program::InPackage),
    ]
}

prop_compose! {
    fn request()(
        ids in (id("BP0", 4), id("BP0", 5), id("BP0", 5)),
        names in (any_text(), any_text()),
        program in program(),
        args in vec("[^\\p{Cc}]{0,12}", 0..5),
        flags in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        times in times(),
        platforms in proptest::sample::subsequence(
            vec![Platform::LinuxX86_64, Platform::LinuxAarch64, Platform::WindowsX86, Platform::WindowsX86_64], 0..4),
        words in (prop_oneof![Just(RunWhen::Any), Just(RunWhen::NoUser), Just(RunWhen::User)],
            prop_oneof![Just(Restarts::No), Just(Restarts::Program), Just(Restarts::Pcm)]),
        numbers in (1..86_400u64, of(0..1u64 << 50)),
        depends in vec(id("XY1", 4), 0..3),
        content in of("[0-9a-f]{64}"),
        exit_codes in btree_map(any::<i64>(), prop_oneof![
            Just(Outcome::Success), Just(Outcome::Restart), Just(Outcome::Retry), Just(Outcome::Failure)], 0..4),
    ) -> Request {
        let (offer_after, mandatory_after, expire_after) = times;
        let mut depends_on: Vec<_> = depends.iter().map(|d| d.parse().unwrap()).collect();
        depends_on.sort();
        depends_on.dedup();
        Request {
            request_id: ids.0.parse().unwrap(),
            job_id: ids.1.parse().unwrap(),
            package_id: ids.2.parse().unwrap(),
            package: names.0,
            command: names.1,
            command_line: CommandLine { program, args },
            automated: flags.0 || flags.1,
            background: flags.1,
            offer_after,
            mandatory_after,
            expire_after,
            platforms,
            run_when: words.0,
            max_run_time: Duration::from_secs(numbers.0),
            restarts: words.1,
            ignore_windows: flags.2,
            disk_space: numbers.1,
            depends_on,
            suspended: flags.3,
            content_sha256: content.map(|c| c.try_into().unwrap()),
            exit_codes,
            line: 0,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_to_the_same(
        mut requests in vec(request(), 0..6),
        serial in 0..i64::MAX as u64,
        valid in of(1..1_000_000i64),
    ) {
        requests.sort_by_key(|r| r.request_id);
        requests.dedup_by_key(|r| r.request_id);
        let file = InstructionFile {
            site: "BP0".parse().unwrap(),
            machine: "BP004000".parse().unwrap(),
            serial,
            issued: at(ISSUED),
            valid_until: valid.map(|v| at(ISSUED + v)),
            requests: requests.into_iter().map(|r| Entry::Good(Box::new(r))).collect(),
            warnings: vec![],
        };
        let text = render(&file);
        let defaults = Defaults {
            max_run_time: Duration::from_secs(60),
            ignore_windows: false,
            programs: vec!["dpkg".into(), "msiexec.exe".into()],
        };
        let mut read = parse(text.as_bytes(), file.machine, "f", &defaults).unwrap();
        // Some of these programs are not copied; that is not what is tested here.
        read.warnings.clear();
        for entry in &mut read.requests {
            match entry {
                Entry::Good(request) => request.line = 0,
                Entry::Rejected(rejected) => prop_assert!(false, "{:?}\n{text}", rejected.problems),
            }
        }
        prop_assert_eq!(&read, &file, "{}", text);
        let cut = text.len() - 3;
        prop_assert!(parse(&text.as_bytes()[..cut], file.machine, "f", &defaults).is_err());
    }
}
