//! What took the place of a job stays in the index as long as that one is in force: without it the old one would run again
//! where the new one has run.

use super::*;

impl Site {
    fn here(&self) -> Vec<String> {
        let index = index::parse(&self.files()[index::NAME], index::NAME).unwrap();
        index.jobs.iter().map(|job| job.job_id.to_string()).collect()
    }

    /// Something else is published after so many days.
    fn after(&self, days: i64) -> Result<Published> {
        self.machines(4_000..4_000 + days as usize);
        self.publish_as(|how| how.now = now() + TimeDelta::days(days))
    }
}

/// A job without an end, and one that takes its place and ends at once.
fn replaced() -> (Site, job::Job) {
    let site = Site::new();
    site.edit(|job, _| job.times.expire = None);
    let (old, word) = site.job();
    let mut newer = job::Job {
        job_id: "BP0000AB".parse().unwrap(),
        request_id: "BP0000Z".parse().unwrap(),
        supersedes: vec![old.job_id],
        ..old
    };
    newer.times.expire = Some(When::Instant(now() + TimeDelta::hours(1)));
    site.folder().write_job(&newer, &word).unwrap();
    site.publish().unwrap();
    (site, newer)
}

#[test]
fn what_replaced_a_job_leaves_the_index_with_it_and_not_before() {
    let (site, newer) = replaced();
    let both = ["BP0000AA", "BP0000AB"];
    site.after(40).unwrap();
    assert_eq!(site.here(), both);
    let cancelled = Word { state: JobState::Cancelled, since: Some(now()), ..Word::default() };
    site.folder().write_job(&newer, &cancelled).unwrap();
    site.after(41).unwrap();
    assert_eq!(site.here(), both, "where it ran, it ran");
    // Without its file, too.
    fs::remove_file(site.folder().job_path(newer.job_id)).unwrap();
    site.after(42).unwrap();
    assert_eq!(site.here(), both);
    site.edit(|_, word| (word.state, word.since) = (JobState::Cancelled, Some(now())));
    site.after(43).unwrap();
    assert_eq!(site.here(), Vec::<String>::new(), "nothing of them is in force");
}

#[test]
fn a_file_that_goes_and_would_bring_back_what_its_job_replaced_wants_to_be_expected() {
    let (site, newer) = replaced();
    fs::remove_file(site.folder().job_path(newer.job_id)).unwrap();
    for forgotten in [false, true] {
        if forgotten {
            fs::remove_file(record::path(&site.folder().dir)).unwrap();
        }
        let refused = site.after(2).unwrap_err();
        assert_eq!(refused.code, "not-expected", "{refused:?}");
        let says = "BP0000AB took the place of BP0000AA, which is in force, and its file is gone";
        assert!(refused.message.as_str().contains(says), "{refused:?}");
    }
    assert_eq!(site.here(), ["BP0000AA", "BP0000AB"]);
    // Without the record, what the share has may be of another folder.
    site.publish_as(|how| (how.now, how.expect) = (now() + TimeDelta::days(2), Expect::Changes(2))).unwrap();
    assert_eq!(site.here(), ["BP0000AA"]);
}

#[test]
fn a_cancelled_job_that_the_share_lost_as_well_brings_nothing_back_unasked() {
    let (site, newer) = replaced();
    let cancelled = Word { state: JobState::Cancelled, since: Some(now()), ..Word::default() };
    site.folder().write_job(&newer, &cancelled).unwrap();
    site.after(1).unwrap();
    fs::remove_file(site.folder().job_path(newer.job_id)).unwrap();
    let lost: Vec<String> =
        site.files().into_keys().filter(|name| name.starts_with("jobs/BP0000AB.")).collect();
    lost.iter().for_each(|name| fs::remove_file(site.share().join(name)).unwrap());
    let refused = site.after(2).unwrap_err();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(refused.code, "not-expected", "{refused:?}");
    assert!(refused.message.as_str().contains("BP0000AB took the place of BP0000AA"), "{refused:?}");
    // What it has replaced is over: nothing comes back.
    site.edit(|_, word| (word.state, word.since) = (JobState::Cancelled, Some(now())));
    site.after(3).unwrap();
    assert_eq!(site.here(), ["BP0000AA"]);
}

#[test]
fn what_a_job_depends_on_may_have_ended() {
    let site = Site::new();
    let (first, word) = site.job();
    let mut second = job::Job {
        job_id: "BP0000AB".parse().unwrap(),
        request_id: "BP0000Z".parse().unwrap(),
        depends_on: vec![job::Needed::Request(first.request_id)],
        ..first.clone()
    };
    second.times.expire = None;
    site.folder().write_job(&second, &word).unwrap();
    site.publish().unwrap();
    // The first expires: machines that have run it go on with the second.
    site.after(31).unwrap();
    site.edit(|_, word| (word.state, word.since) = (JobState::Cancelled, Some(now())));
    site.after(32).unwrap();
    // It is nobody's.
    second.depends_on = vec![job::Needed::Request("BP0000X".parse().unwrap())];
    site.folder().write_job(&second, &word).unwrap();
    assert_eq!(code(site.after(33)), "dependencies");
}
