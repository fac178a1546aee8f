//! Indexes and lists of members: what is read, and what refuses all of it.
#![allow(clippy::unwrap_used)]

use super::members::{Member, digits, parse_list, parse_part, part, render_part};
use super::*;
use crate::site::ids::MachineId;
use proptest::prelude::*;

const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn index() -> String {
    format!(
        "kind = \"index\"\nformat = 1\nsite = \"BP0\"\nsite_id = \"abcdefgh12345678\"\nepoch = 2\nserial = 41\n\
         issued = 2026-11-22T08:00:00Z\nvalid_until = 2026-12-22T08:00:00Z\n\
         [[job]]\njob_id = \"BP0000AA\"\nrevision = 3\nsha256 = \"{HASH}\"\nstate = \"active\"\npercent = 12.5\n\
         [[job]]\njob_id = \"BP0000AB\"\nrevision = 1\nsha256 = \"{HASH}\"\nstate = \"suspended\"\npercent = 100\n\
         reason = \"halted\"\n\
         [[policy]]\ngroup = \"web\"\nrevision = 1\nsha256 = \"{HASH}\"\n\
         [members]\nparts = 1\nrevision = 7\nsha256 = \"{HASH}\"\n\
         [end]\nserial = 41\n"
    )
}

fn refused(text: &str) -> String {
    let problems = parse(text.as_bytes(), "PCM.INDEX").unwrap_err();
    assert!(!problems.is_empty(), "{text}");
    problems.iter().map(|p| format!("{:?} {}\n", p.line, p.message)).collect()
}

#[test]
fn an_index_says_what_is_published() {
    let index = parse(index().as_bytes(), "PCM.INDEX").unwrap();
    assert_eq!((index.epoch, index.serial, index.jobs.len()), (2, 41, 2));
    assert_eq!(index.jobs[0].percent, 1_250);
    assert_eq!(index.jobs[1].state, JobState::Suspended);
    assert_eq!(index.jobs[1].reason.as_ref().unwrap().as_str(), "halted");
    assert_eq!(index.members.unwrap().digits, 1);
    assert_eq!(index.policies[0].group, "web");
}

#[test]
fn what_is_wrong_anywhere_refuses_all_of_it() {
    let good = index();
    for (from, to, says) in [
        ("kind = \"index\"", "kind = \"job\"", "wanted \"index\""),
        ("format = 1", "format = 3", "newer pcm"),
        ("epoch = 2", "epoch = -2", "whole number"),
        ("abcdefgh12345678", "abc/../def", "16 of a-z and 0-9"),
        ("BP0000AB", "BP0000AA", "twice"),
        ("BP0000AB", "XX0000AB", "not of site BP0"),
        ("percent = 12.5", "percent = 100.5", "percentage"),
        ("percent = 12.5", "percent = 1e1", "percentage"),
        ("percent = 12.5", "percent = \"12\"", "percentage"),
        ("state = \"active\"", "state = \"on\"", "wanted \"active\""),
        ("revision = 3", "revision = 0", "1 or more"),
        ("parts = 1", "parts = 4", "0 to 3"),
        ("group = \"web\"", "group = \"../web\"", "wanted a group"),
        ("reason = ", "motive = ", "newer pcm"),
        ("epoch = 2", "epoch = 2\ntomorrow = 1", "newer pcm"),
        ("2026-12-22T08:00:00Z", "2026-11-22T08:00:00Z", "not after issued"),
        ("[end]\nserial = 41", "[end]\nserial = 42", "cut off"),
        ("[end]\nserial = 41", "[end]\nserial = 41\nmore = 1", "newer pcm"),
    ] {
        assert!(good.contains(from), "{from}");
        let said = refused(&good.replacen(from, to, 1));
        assert!(said.contains(says), "{from} -> {to}: {said}");
    }
    let many = good.replace("[[policy]]", &format!("{}[[policy]]", "[[job]]\n".repeat(1_001)));
    assert!(refused(&many).contains("at most 1000"));
}

#[test]
fn no_prefix_of_an_index_is_one() {
    let text = index();
    for end in 0..text.trim_end().len() - 1 {
        assert!(parse(&text.as_bytes()[..end], "PCM.INDEX").is_err(), "the first {end} bytes are taken");
    }
}

#[test]
fn an_index_is_written_as_it_is_read() {
    let unplaced = |mut index: Index| {
        index.jobs.iter_mut().for_each(|job| job.line = 0);
        index
    };
    let read = parse(index().as_bytes(), "PCM.INDEX").unwrap();
    let text = render::index(&read);
    assert_eq!(parse(text.as_bytes(), "PCM.INDEX").map(unplaced), Ok(unplaced(read)));
    let bare = Index {
        valid_until: None,
        jobs: vec![],
        policies: vec![],
        members: None,
        ..parse(index().as_bytes(), "x").unwrap()
    };
    assert_eq!(parse(render::index(&bare).as_bytes(), "PCM.INDEX"), Ok(bare));
}

/// A job with every field.
fn job() -> String {
    let corpus = include_str!("../../../tests/fuzz/corpus/job/full");
    corpus.to_owned()
}

fn read_job(text: &str) -> Result<job::Job, String> {
    let id = "BP0000AA".parse().unwrap();
    job::parse(text.as_bytes(), id, "f", &["dpkg".to_owned()])
        .map_err(|problems| problems.iter().map(|p| format!("{:?} {}\n", p.line, p.message)).collect())
}

#[test]
fn a_job_is_written_as_it_is_read_and_leaves_nothing_to_a_default() {
    let read = read_job(&job()).unwrap();
    assert_eq!(render::job(&read), job());
    assert_eq!((read.targets.len(), read.phases.len(), read.how.disk_space), (3, 3, Some(200 << 20)));
    let none = job().replace("\"200 MB\"", "\"0 B\"").replace("version = \"4.0\"", "version = \"\"");
    let none = read_job(&none).unwrap();
    assert_eq!((none.how.disk_space, none.version.as_str()), (None, ""));
    assert_eq!(read.offer_to, Some(job::OfferTo::Users));
    let listed = read_job(&job().replace("offer_to = \"users\"", "offer_to = [\"users\"]"));
    assert_eq!(listed.unwrap(), read, "one word in an array is that word");
    assert_eq!(read_job(&render::job(&none)).unwrap(), none);
    for key in [
        "automated",
        "background",
        "disk_space",
        "max_run_time",
        "platforms",
        "removes",
        "restarts",
        "run_when",
        "version",
    ] {
        let without: String =
            job().lines().filter(|l| !l.starts_with(&format!("{key} ="))).map(|l| format!("{l}\n")).collect();
        assert!(read_job(&without).unwrap_err().contains(&format!("{key} is missing")), "{key}");
    }
    assert!(read_job(job().split("\n[exit").next().unwrap()).unwrap_err().contains("exit_codes is missing"));
}

#[test]
fn a_job_that_is_wrong_anywhere_runs_nowhere() {
    for (from, to, says) in [
        ("kind = \"job\"", "kind = \"index\"", "wanted \"job\""),
        ("format = 1", "format = 2", "newer pcm"),
        ("job_id = \"BP0000AA\"", "job_id = \"BP0000AB\"", "this file is of BP0000AB"),
        ("request_id = \"BP0", "request_id = \"XX0", "another site's code"),
        ("release = 3", "release = 0", "1 or more"),
        ("removes = false", "removes = 0", "true or false"),
        ("targets = [\"@web\", \"BP0040*\", \"BP004000\"]", "targets = []", "it is for no machine"),
        ("\"@web\"", "\"@Web\"", "is no group"),
        ("host !=", "shell !=", "not known here"),
        ("\"50%+1d\"", "\"4%+1d\"", "more machines than the one before"),
        ("\"50%+1d\"", "\"50%1d\"", "wanted + and a duration"),
        ("\"BP0000AB\"", "\"BP0000AA\"", "supersedes itself"),
        ("\"BP0000X\"", "\"BP0000Y\"", "depends on itself"),
        ("expire_after = 2026-12-22", "expire_after = 2026-11-20", "not after mandatory_after"),
        ("setup.sh --silent", "/bin/sh -c x", "inside the package"),
        ("run_when", "ignore_windows = true\nrun_when", "only a package can say"),
        ("spread = ", "scatter = ", "newer pcm"),
        ("offer_to = \"users\"", "offer_to = \"everybody\"", "Some(33) wanted \"users\", found"),
        ("offer_to = \"users\"", "offer_to = [\"anna\"]", "wanted \"users\", found"),
        ("offer_to = \"users\"", "offer_to = [\"users\", \"anna\"]", "wanted \"users\", found"),
        ("offer_to = \"users\"", "offer_to = []", "wanted \"users\", found"),
        ("offer_to = \"users\"", "offer_to = true", "wanted"),
    ] {
        assert!(job().contains(from), "{from}");
        let said = read_job(&job().replacen(from, to, 1)).unwrap_err();
        assert!(said.contains(says), "{from} -> {to}: {said}");
    }
    let many = format!("targets = [{}]", "\"BP004000\", ".repeat(1_001));
    let many = job().replace("targets = [\"@web\", \"BP0040*\", \"BP004000\"]", &many);
    assert!(read_job(&many).unwrap_err().contains("make a group"));
}

#[test]
fn parts_are_as_large_as_the_site_needs() {
    assert_eq!([500, 501, 8_000, 8_001, 130_000, 130_001].map(digits), [0, 1, 1, 2, 2, 3]);
    let machine: MachineId = "BP004000".parse().unwrap();
    assert_eq!(part(machine, 0), "all");
    let longest = part(machine, 3);
    assert!(longest.starts_with(&part(machine, 2)) && longest.len() == 3);
}

#[test]
fn a_list_is_sorted_and_of_one_division() {
    let list = format!("0 3 {HASH}\na 12 {HASH}\n");
    let parts = parse_list(list.as_bytes(), "LIST").unwrap();
    assert_eq!((parts[1].name.as_str(), parts[1].revision), ("a", 12));
    assert_eq!(parse_list(b"", "LIST").unwrap(), [], "nobody is in it");
    for (text, says) in [
        ("\n".to_owned(), "wanted a part"),
        (format!("a 1 {HASH}"), "cut off"),
        (format!("a 1 {HASH}\n0 1 {HASH}\n"), "not sorted"),
        (format!("a 1 {HASH}\na 1 {HASH}\n"), "not sorted"),
        (format!("a 01 {HASH}\n"), "no revision"),
        (format!("A 1 {HASH}\n"), "no part"),
        (format!("a 1 {HASH} more\n"), "wanted a part"),
        (format!("0 1 {HASH}\n00 1 {HASH}\n"), "two divisions"),
        ("a 1 abc\n".to_owned(), "64 lower-case"),
    ] {
        let problems = parse_list(text.as_bytes(), "LIST").unwrap_err();
        assert!(problems[0].message.as_str().contains(says), "{text:?}: {problems:?}");
    }
}

#[test]
fn a_part_has_its_own_machines_sorted() {
    let text =
        "BP004000 web-01 - paris web\nBP004001 - 00f100f100f100f100f100f100f100f1\nBP004002 10.0.0.1 -\n";
    let members = parse_part(text.as_bytes(), "all", "all.1").unwrap();
    assert!(members[0].is_in("web") && members[0].is_in("all") && !members[0].is_in("db"));
    assert_eq!(members[1].adopt.as_deref(), Some("00f100f100f100f100f100f100f100f1"));
    assert_eq!(render_part(&members), text);
    for (text, says) in [
        ("BP004001 - -\nBP004000 - -\n", "not sorted"),
        ("bp004000 - -\n", "upper case"),
        ("BP004000 -\n", "adopted"),
        ("BP004000 - abc\n", "no state"),
        ("BP004000  - -\n", "host name"),
        ("BP004000 -oProxyCommand=x -\n", "no host name"),
        ("BP004000 - - web paris\n", "not sorted"),
        ("BP004000 - - Web\n", "no name of a group"),
        ("BP004000 - - all\n", "no name of a group"),
        ("BP004000 - - \n", "no name of a group"),
        ("BP004000 - -\n\n", "machine id"),
    ] {
        let problems = parse_part(text.as_bytes(), "all", "all.1").unwrap_err();
        assert!(problems[0].message.as_str().contains(says), "{text:?}: {problems:?}");
    }
    let elsewhere = parse_part(b"BP004000 - -\n", "zz", "zz.1").unwrap_err();
    assert!(elsewhere[0].message.as_str().contains("belongs into part"), "{elsewhere:?}");
}

proptest! {
    /// What is written of any machines is read back as the same, part by part, and no machine is lost.
    #[test]
    fn members_are_read_as_they_are_written(ids in prop::collection::btree_set("BP0[0-9A-Z]{5}", 1..40), digits in 0..4u32) {
        let members: Vec<Member> = ids.iter().map(|id| Member {
            machine: id.parse().unwrap(),
            host: (id.len() % 2 == 0).then(|| format!("host-{id}")),
            adopt: None,
            groups: vec!["a".into(), format!("g{}", &id[7..].to_lowercase())],
        }).collect();
        let mut read = 0;
        let names: std::collections::BTreeSet<String> = members.iter().map(|m| part(m.machine, digits)).collect();
        for name in names {
            let own: Vec<Member> = members.iter().filter(|m| part(m.machine, digits) == name).cloned().collect();
            prop_assert_eq!(parse_part(render_part(&own).as_bytes(), &name, "x"), Ok(own.clone()));
            read += own.len();
        }
        prop_assert_eq!(read, members.len());
    }
}
