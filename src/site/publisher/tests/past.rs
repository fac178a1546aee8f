//! The way back to an earlier publication.

use super::*;
use crate::site::folder::PAST;
use crate::site::publisher::past::{Back, back_to};

impl Site {
    fn back_to(&self, serial: u64) -> Result<Vec<Edit>> {
        self.way_back(serial).map(|back| back.edits)
    }

    fn way_back(&self, serial: u64) -> Result<Back> {
        back_to(&self.folder(), &self.folder().read(&[]).unwrap(), serial, &[], now())
    }

    fn kept(&self, ending: &str) -> usize {
        let names = fs::read_dir(self.folder().dir.join(PAST)).unwrap().flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().ends_with(ending)).count()
    }
}

#[test]
fn so_many_steps_back_are_kept_and_each_long_text_once() {
    let site = Site::new();
    site.machines(0..2_000);
    site.publish().unwrap();
    for n in 0..54_u32 {
        if n == 2 {
            site.machines(0..2_001);
        }
        site.edit(|_, word| word.percent = 100 + n);
        site.publish().unwrap();
    }
    assert_eq!(
        (site.kept(".json"), site.kept(".text")),
        (51, 1),
        "the list as it is now; nobody means the other"
    );
    assert_eq!(code(site.back_to(4)), "no-such-publication");
    assert_eq!(code(site.back_to(56)), "no-such-publication");
    assert_eq!(code(site.back_to(55)), "no-change");
    let edits = site.back_to(5).unwrap();
    let [Edit::Job(_, word)] = edits.as_slice() else { panic!("{edits:?}") };
    assert_eq!(word.percent, 103);
    // A list of before.
    site.machines(0..2_002);
    site.publish().unwrap();
    assert_eq!(site.kept(".text"), 2);
    let edits = site.back_to(55).unwrap();
    let [Edit::Machines(machines)] = edits.as_slice() else { panic!("{}", edits.len()) };
    assert_eq!(machines.len(), 2_001);
}

#[test]
fn what_is_not_kept_is_said_as_it_is() {
    let site = Site::new();
    let said = |serial: u64| site.back_to(serial).unwrap_err().message.to_string();
    assert!(said(1).contains("no publication is kept here"), "{}", said(1));
    site.machines(0..2_000);
    site.publish().unwrap();
    site.machines(0..2_001);
    site.publish_as(|how| how.serial = Some(50)).unwrap();
    assert!(said(51).contains("the newest that was made from here is 50"), "{}", said(51));
    assert!(said(30).contains("1 comes before 50"), "{}", said(30));
    assert_eq!(site.back_to(1).unwrap().len(), 1);
    // Both lists are long: the one of before is lost.
    let names = fs::read_dir(site.folder().dir.join(PAST)).unwrap().flatten();
    for name in names.filter(|entry| entry.file_name().to_string_lossy().ends_with(".text")) {
        fs::write(name.path(), "damaged").unwrap();
    }
    assert!(said(1).contains("the text that machines.csv had then is damaged or gone"), "{}", said(1));
    fs::remove_file(site.folder().dir.join(PAST).join("50.json")).unwrap();
    assert!(said(1).contains("the oldest that is kept is 50"), "{}", said(1));
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_made_in_a_site_folder_is_its_groups_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    let dir = site.folder().dir;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o2775)).unwrap();
    fs::remove_dir(dir.join("policy")).unwrap();
    let rules = policy::Rules { spread: Some(std::time::Duration::from_secs(9)), ..Default::default() };
    site.folder().write_policy("all", &rules).unwrap();
    site.publish().unwrap();
    for name in ["policy", PAST] {
        let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o2775, "{name}");
    }
}

#[test]
fn the_way_back_is_no_way_to_what_somebody_else_wrote() {
    let site = Site::new();
    assert_eq!(code(site.back_to(1)), "no-such-publication");
    site.publish().unwrap();
    site.edit(|_, word| word.percent = 100);
    site.publish().unwrap();
    site.edit(|_, word| word.percent = 200);
    assert_eq!(code(site.back_to(1)), "unpublished");
    site.publish().unwrap();
    assert_eq!(site.back_to(1).unwrap().len(), 1);
    let step = site.folder().dir.join(PAST).join("3.json");
    let good = fs::read(&step).unwrap();
    for bad in [
        "",
        "{}",
        "{\"to\": 3, \"before\": {}}",
        "{\"to\": 2, \"before\": {\"jobs/BP0000AA.toml\": {\"here\": \"x\"}}}",
    ] {
        fs::write(&step, bad).unwrap();
        assert!(site.back_to(1).is_err() || bad.contains("here"), "{bad}");
    }
    // The step below says again what that file was; nothing of the damaged one counts.
    fs::write(&step, good).unwrap();
    assert_eq!(site.back_to(2).unwrap().len(), 1);
    // Without it there is no way back, and publishing goes on.
    fs::remove_dir_all(site.folder().dir.join(PAST)).unwrap();
    site.edit(|_, word| word.percent = 300);
    site.publish().unwrap();
    assert_eq!(code(site.back_to(3)), "no-such-publication");
}

#[test]
fn the_way_back_starts_nothing_that_was_stopped_since() {
    let site = Site::new();
    let reached = Some(now() - TimeDelta::days(1));
    site.edit(|_, word| (word.percent, word.reached) = (5_000, reached));
    site.publish().unwrap();
    site.machines([4_000, 4_001]);
    site.publish().unwrap();
    // A gate halts it, and somebody freezes the site.
    let halted = Word {
        state: JobState::Suspended,
        percent: 500,
        reason: Some("halted: 9 % of 30 failed, limit 5 %".into()),
        since: Some(now()),
        reached: Some(now()),
        ..site.job().1
    };
    site.edit(|job, word| {
        *word = halted.clone();
        job.spread = Some(std::time::Duration::from_secs(6));
    });
    let freeze = |until| policy::Rules {
        freezes: vec![crate::site::site_file::Freeze {
            from: When::Instant(until - TimeDelta::days(1)),
            until: When::Instant(until),
            reason: "look".into(),
        }],
        ..Default::default()
    };
    site.folder().write_policy("all", &freeze(now() + TimeDelta::hours(1))).unwrap();
    site.publish().unwrap();
    let back = site.way_back(1).unwrap();
    let [Edit::Job(job, word), Edit::Machines(machines)] = back.edits.as_slice() else { panic!("{back:?}") };
    assert_eq!((job.spread, machines.len()), (None, 1), "what went out of hand goes back");
    assert_eq!(*word, halted, "and stays suspended, at no greater share");
    let says = back.left.join("; ");
    assert!(says.contains("BP0000AA stays suspended") && says.contains("policy/all.toml stays"), "{says}");
    // Where nothing else is different it says what stays.
    let failure = site.back_to(2).map(|edits| edits.len());
    assert_eq!(failure.unwrap(), 1, "the spread of the job");
    site.edit(|job, _| job.spread = None);
    site.publish().unwrap();
    let failure = site.back_to(2).unwrap_err();
    assert!(
        failure.code == "no-change" && failure.message.as_str().contains("stays suspended"),
        "{failure:?}"
    );
    // A freeze that is over holds nobody up.
    site.folder().write_policy("all", &freeze(now() - TimeDelta::hours(1))).unwrap();
    site.publish().unwrap();
    let back = site.way_back(2).unwrap();
    assert!(matches!(back.edits.as_slice(), [Edit::PolicyText(..)]), "{back:?}");
}

#[test]
fn the_way_back_brings_no_cancelled_job_again() {
    let site = Site::new();
    site.publish().unwrap();
    site.edit(|_, word| (word.state, word.since) = (JobState::Cancelled, Some(now())));
    site.publish().unwrap();
    fs::remove_file(site.folder().job_path("BP0000AA".parse().unwrap())).unwrap();
    site.machines([4_000, 4_001]);
    site.publish().unwrap();
    let back = site.way_back(1).unwrap();
    assert!(matches!(back.edits.as_slice(), [Edit::Machines(_)]), "{back:?}");
    assert_eq!(back.left, ["BP0000AA stays cancelled, which is final"]);
}
