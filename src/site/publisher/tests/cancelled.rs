//! Cancelled is final, whatever becomes of the file of a job.

use super::*;

impl Site {
    fn job_file(&self) -> std::path::PathBuf {
        self.folder().job_path("BP0000AA".parse().unwrap())
    }

    fn entries(&self) -> Vec<(String, JobState, u64)> {
        let index = index::parse(&self.files()[index::NAME], index::NAME).unwrap();
        index.jobs.iter().map(|job| (job.job_id.to_string(), job.state, job.revision)).collect()
    }

    fn publish_after(&self, days: i64, expect: usize) -> Result<Published> {
        self.publish_as(|how| {
            (how.now, how.expect) = (now() + TimeDelta::days(days), Expect::Changes(expect))
        })
    }
}

#[test]
fn a_cancelled_job_without_its_file_stays_cancelled_for_machines_that_were_away() {
    let site = Site::new();
    site.edit(|job, _| job.times.expire = None);
    site.publish().unwrap();
    let active = fs::read(site.job_file()).unwrap();
    site.edit(|_, word| (word.state, word.since) = (JobState::Cancelled, Some(now())));
    site.publish().unwrap();
    fs::remove_file(site.job_file()).unwrap();
    let cancelled = [("BP0000AA".to_owned(), JobState::Cancelled, 1)];
    assert!(site.publish().unwrap().nothing, "nothing that a machine could see changed");
    site.machines([4_000, 4_001]);
    let published = site.publish_after(3, 0).unwrap();
    assert!(published.withdrawn.is_empty() && published.removed == 0, "{published:?}");
    assert_eq!(site.entries(), cancelled);
    assert_eq!(site.seen(), 3, "its part is there as long as it is named");
    // Somebody takes the file back from his repository: with the record, and without it.
    fs::write(site.job_file(), &active).unwrap();
    let refused = |days: i64| {
        let failure = site.publish_after(days, 0).unwrap_err();
        assert_eq!(failure.code, "not-expected", "{failure:?}");
        assert!(
            failure.message.as_str().contains("BP0000AA was cancelled and would be active"),
            "{failure:?}"
        );
    };
    refused(3);
    let kept = fs::read(record::path(&site.folder().dir)).unwrap();
    fs::remove_file(record::path(&site.folder().dir)).unwrap();
    refused(3);
    fs::write(record::path(&site.folder().dir), kept).unwrap();
    // After its 30 days it leaves; that it was cancelled stays known.
    fs::remove_file(site.job_file()).unwrap();
    let published = site.publish_after(31, 0).unwrap();
    assert_eq!((published.withdrawn.len(), site.entries()), (1, Vec::new()));
    site.machines([4_000]);
    assert!(site.publish_after(33, 99).unwrap().removed > 0);
    assert!(!site.files().contains_key("jobs/BP0000AA.1.toml"));
    fs::write(site.job_file(), &active).unwrap();
    refused(400);
    // A name on the share never gets other bytes.
    site.publish_after(400, 1).unwrap();
    assert_eq!(site.entries(), [("BP0000AA".to_owned(), JobState::Active, 2)]);
    site.edit(|_, word| word.percent = 500);
    site.publish_after(400, 0).unwrap();
}

#[test]
fn where_an_index_is_full_those_that_ended_first_leave_it_early() {
    let site = Site::new();
    let (job, word) = site.job();
    let send = |n: usize, word: &Word| {
        let mut job = job.clone();
        job.times.expire = None;
        (job.job_id, job.request_id) =
            (format!("BP0J{n:04}").parse().unwrap(), format!("BP0{n:04}").parse().unwrap());
        site.folder().write_job(&job, word).unwrap();
    };
    let cancelled = |days: i64| Word {
        state: JobState::Cancelled,
        since: Some(now() - TimeDelta::days(days)),
        ..word.clone()
    };
    for n in 0..999 {
        send(n, &if n < 3 { cancelled(3 + n as i64) } else { word.clone() });
    }
    assert_eq!(site.publish().unwrap().index.jobs.len(), 1_000);
    // The oldest of the three is the last, and its file is gone besides.
    fs::remove_file(site.folder().job_path("BP0J0002".parse().unwrap())).unwrap();
    (2_000..2_002).for_each(|n| send(n, &word));
    let published = site.publish().unwrap();
    let left: Vec<String> = published.withdrawn.iter().map(ToString::to_string).collect();
    assert_eq!((published.index.jobs.len(), left), (1_000, vec!["BP0J0001".into(), "BP0J0002".into()]));
    assert!(site.publish().unwrap().nothing);
    send(2_002, &word);
    send(2_003, &word);
    let failure = site.publish().unwrap_err();
    assert!(failure.code == "too-large" && failure.message.as_str().contains("1001 jobs"), "{failure:?}");
    // What it says helps: one that is cancelled makes room at once.
    send(5, &cancelled(0));
    assert_eq!(site.publish().unwrap().index.jobs.len(), 1_000);
}

#[test]
fn a_share_that_lost_the_part_of_a_cancelled_job_names_it_no_more() {
    let site = Site::new();
    site.edit(|_, word| (word.state, word.since) = (JobState::Cancelled, Some(now())));
    site.publish().unwrap();
    fs::remove_file(site.job_file()).unwrap();
    site.machines([4_000, 4_001]);
    site.publish().unwrap();
    assert_eq!(site.entries().len(), 1);
    fs::remove_dir_all(site.share()).unwrap();
    let published = site.publish().unwrap();
    assert_eq!(published.completed, Some(2), "{published:?}");
    assert_eq!((site.seen(), site.entries()), (3, Vec::new()));
}
