//! What somebody damaged, changed or lost: on the share, and in the site folder.

use super::*;
use crate::site::ids::PackageId;

fn id() -> PackageId {
    "BP00000A".parse().unwrap()
}

fn sha(text: &str) -> crate::site::instruction::ContentHash {
    crate::site::content::hash_bytes(text.as_bytes())
}

/// The definition of the example as another release, with a line more.
fn release(site: &Site, number: u64) -> String {
    let path = site.folder().package_dir(id()).join("package.toml");
    let text = fs::read_to_string(&path).unwrap();
    let old = text.lines().find(|line| line.starts_with("release = ")).unwrap().to_owned();
    let text = text.replace(&old, &format!("release = {number}"));
    fs::write(&path, &text).unwrap();
    text
}

#[test]
fn what_is_damaged_on_the_share_is_put_back() {
    let site = Site::new();
    site.machines(0..600);
    let rules = policy::Rules { spread: Some(std::time::Duration::from_secs(9)), ..Default::default() };
    site.folder().write_policy("all", &rules).unwrap();
    site.publish().unwrap();
    let good = site.files();
    let hash = site.job().0.content_sha256.unwrap();
    let damaged = [
        "jobs/BP0000AA.1.toml".to_owned(),
        "policy/all.1.toml".into(),
        "members/LIST.1".into(),
        "members/0.1".into(),
        "packages/BP00000A/1/package.toml".into(),
        format!("content/{}/CONTENT", hash.as_str()),
    ];
    for (round, path) in damaged.iter().enumerate() {
        fs::write(site.share().join(path), format!("damage {round}")).unwrap();
        // A verb that changes something else does not look.
        let published = site.publish().unwrap();
        assert!(published.written.iter().any(|(written, _)| written == path), "{path}: {published:?}");
        assert_eq!(site.files()[path], good[path], "{path}");
        assert!(site.publish().unwrap().nothing);
    }
    // One that is too long, or no file at all, is put back as well.
    fs::write(site.share().join(&damaged[1]), vec![b'x'; 1 << 20]).unwrap();
    site.publish().unwrap();
    assert_eq!(site.files()[&damaged[1]], good[&damaged[1]]);
    // Without the list in the site folder nobody can put it back, and it is said what is wrong.
    fs::write(site.share().join(&damaged[5]), "damage").unwrap();
    fs::remove_file(site.folder().package_dir(id()).join("CONTENT")).unwrap();
    let failure = site.publish().unwrap_err();
    assert!(failure.code == "content-missing" && failure.message.as_str().contains("damaged"), "{failure:?}");
}

#[test]
fn how_many_machines_are_gone_is_not_guessed() {
    let site = Site::new();
    site.machines(0..40);
    site.publish().unwrap();
    let part = site.share().join("members/all.1");
    let bytes = fs::read(&part).unwrap();
    // The record has what was published last.
    fs::write(&part, "damage").unwrap();
    site.machines(0..30);
    let failure = site.publish().unwrap_err();
    assert!(failure.message.as_str().contains("10 of 40 machines would be gone"), "{failure:?}");
    // Without it nobody has.
    fs::remove_file(record::path(&site.folder().dir)).unwrap();
    let unknown = |path: &str| {
        let failure = site.publish_as(|how| how.expect = Expect::Goes(99)).unwrap_err();
        assert_eq!(failure.code, "not-expected", "{failure:?}");
        assert!(failure.message.as_str().contains(&format!("{path} cannot be read")), "{failure:?}");
    };
    unknown("members/all.1");
    fs::write(&part, bytes).unwrap();
    fs::remove_file(site.share().join("members/LIST.1")).unwrap();
    unknown("members/LIST.1");
    site.publish_as(|how| how.expect = Expect::Changes(1)).unwrap();
    assert_eq!(site.seen(), 2);
}

#[test]
fn a_part_that_is_lost_hides_nobody_who_comes() {
    let site = Site::new();
    site.machines(0..50);
    site.edit(|job, word| {
        (job.targets, word.state) = (vec!["@all".parse().unwrap()], JobState::Active);
    });
    site.publish().unwrap();
    fs::remove_file(record::path(&site.folder().dir)).unwrap();
    fs::remove_file(site.share().join("members/all.1")).unwrap();
    site.machines(0..250);
    let failure = site.publish_as(|how| how.expect = Expect::Changes(1)).unwrap_err();
    let words = failure.message.as_str();
    assert!(words.contains("would bring up to 250 more machines to BP0000AA"), "{failure:?}");
    site.publish_as(|how| how.expect = Expect::Changes(252)).unwrap();
}

#[test]
fn what_a_job_ran_is_not_guessed() {
    let site = Site::new();
    site.publish().unwrap();
    fs::remove_file(record::path(&site.folder().dir)).unwrap();
    fs::write(site.share().join("jobs/BP0000AA.1.toml"), "damage").unwrap();
    // The same as before is the same, whatever became of its file.
    site.publish().unwrap();
    fs::remove_file(record::path(&site.folder().dir)).unwrap();
    fs::write(site.share().join("jobs/BP0000AA.1.toml"), "damage").unwrap();
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(6)));
    let failure = site.publish().unwrap_err();
    assert!(failure.message.as_str().contains("jobs/BP0000AA.1.toml, which says what it ran"), "{failure:?}");
    site.publish_as(|how| how.expect = Expect::Changes(1)).unwrap();
}

#[test]
fn what_changed_under_a_published_release_is_refused_whatever_is_expected() {
    let site = Site::new();
    site.publish().unwrap();
    let dir = site.folder().package_dir(id());
    let refused = |what: &str| {
        let failure = site.publish_as(|how| how.expect = Expect::Changes(99)).unwrap_err();
        assert_eq!(failure.code, "release-changed", "{failure:?}");
        assert!(failure.message.as_str().contains(what), "{failure:?}");
        // Whatever else there is to publish.
        site.edit(|_, word| word.percent -= 1);
        assert_eq!(code(site.publish()), "release-changed");
        // A verb that leaves the job as it was says so and goes on: a cancellation does not wait for a package.
        let published = site.publish_as(|how| how.thorough = false).unwrap();
        assert!(published.faults.is_empty() || published.faults[0].code == "release-changed");
    };
    for (name, other) in [("files/setup.sh", None), ("files/more.txt", Some("more")), ("CONTENT", Some("x"))]
    {
        let path = dir.join(name);
        let good = fs::read(&path).ok();
        let other = other.map_or_else(
            // As many bytes as before.
            || good.clone().unwrap().iter().rev().copied().collect(),
            |text| text.as_bytes().to_vec(),
        );
        fs::write(&path, other).unwrap();
        refused(name);
        match good {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        assert!(site.publish().unwrap().nothing, "{name}");
    }
    let definition = dir.join("package.toml");
    let good = fs::read_to_string(&definition).unwrap();
    fs::write(&definition, good.replace("\"Acme\"", "\"Other\"")).unwrap();
    refused("package.toml");
    let published = {
        site.edit(|_, word| word.percent -= 1);
        site.publish_as(|how| how.thorough = false).unwrap()
    };
    assert_eq!(published.faults[0].code, "release-changed");
    assert!(!published.faults[0].message.as_str().contains("nothing was published"), "{published:?}");
    // The next release is being made.
    release(&site, 2);
    site.publish().unwrap();
}

#[test]
fn files_are_proven_before_the_first_byte_is_written() {
    let site = Site::new();
    let setup = site.folder().package_dir(id()).join("files/setup.sh");
    let good = fs::read(&setup).unwrap();
    fs::write(&setup, good.iter().rev().copied().collect::<Vec<_>>()).unwrap();
    let failure = site.publish().unwrap_err();
    assert!(
        failure.code == "content-differs" && failure.message.as_str().contains("files/setup.sh"),
        "{failure:?}"
    );
    assert!(site.files().is_empty(), "{:?}", site.files().keys());
    assert!(!record::path(&site.folder().dir).exists());
    fs::remove_file(&setup).unwrap();
    assert_eq!(code(site.publish()), "content-differs");
    fs::write(&setup, good).unwrap();
    site.publish().unwrap();
}

#[test]
fn a_release_never_falls_under_a_new_request_id_either() {
    let site = Site::new();
    let first = site.folder().package_dir(id()).join("package.toml");
    let first = (first.clone(), fs::read_to_string(first).unwrap());
    site.publish().unwrap();
    let second = release(&site, 2);
    site.edit(|job, _| {
        (job.release, job.package_sha256) = (2, sha(&second));
        job.request_id = "BP0000Z".parse().unwrap();
    });
    site.publish().unwrap();
    fs::write(&first.0, &first.1).unwrap();
    site.edit(|job, _| {
        (job.release, job.package_sha256) = (1, sha(&first.1));
        job.request_id = "BP00010".parse().unwrap();
    });
    let failure = site.publish().unwrap_err();
    assert_eq!(failure.code, "not-expected", "{failure:?}");
    assert!(failure.message.as_str().contains("BP0000AA runs release 1 of BP00000A"), "{failure:?}");
    site.publish_as(|how| how.expect = Expect::Changes(1)).unwrap();
}

#[test]
fn of_two_jobs_the_one_that_is_wrong_is_named() {
    let site = Site::new();
    let (job, word) = site.job();
    let mut other = job.clone();
    (other.job_id, other.request_id) = ("BP0000AB".parse().unwrap(), "BP0000Z".parse().unwrap());
    other.command = "Atypical".into();
    site.folder().write_job(&other, &word).unwrap();
    let failure = site.publish().unwrap_err();
    assert_eq!(failure.code, "package-mismatch");
    assert!(!failure.to_string().contains("BP0000AA"), "{failure:?}");
    assert!(failure.remedy.as_str().contains("--again BP0000AB"), "{failure:?}");
    // One release has one content, whichever job is read first.
    (other.command, other.package_sha256) = (job.command, sha("x"));
    site.folder().write_job(&other, &word).unwrap();
    let failure = site.publish().unwrap_err();
    assert!(
        failure.code == "release-changed" && failure.message.as_str().contains("BP0000AB"),
        "{failure:?}"
    );
}

#[test]
fn with_a_higher_number_the_other_publisher_is_taken_over_and_no_id_is_given_twice() {
    let site = Site::new();
    site.publish().unwrap();
    let copy = Copy::of(&site);
    let send = |folder: &Folder, job: &str, request: &str| {
        let (mut new, word) = site.job();
        (new.job_id, new.request_id) = (job.parse().unwrap(), request.parse().unwrap());
        folder.write_job(&new, &word).unwrap();
    };
    // Both publish number 2, each without the other: the second share is a copy of the first.
    send(&copy.folder(), "BP0000AX", "BP00020");
    publish(&copy.folder(), &wishes()).unwrap();
    let theirs = site.files();
    fs::remove_dir_all(site.share()).unwrap();
    fs::create_dir(site.share()).unwrap();
    send(&site.folder(), "BP0000AY", "BP00010");
    assert_eq!(site.publish().unwrap().index.serial, 2);
    for (path, bytes) in theirs {
        fs::create_dir_all(site.share().join(&path).parent().unwrap()).unwrap();
        fs::write(site.share().join(path), bytes).unwrap();
    }
    let failure = site.publish().unwrap_err();
    assert_eq!(failure.code, "other-publisher", "{failure:?}");
    assert!(failure.remedy.as_str().contains("--serial 3"), "{failure:?}");
    assert_eq!(code(site.publish_as(|how| how.serial = Some(2))), "other-publisher");
    // The other's job is not lost without a word.
    let failure = site.publish_as(|how| how.serial = Some(3)).unwrap_err();
    assert!(failure.message.as_str().contains("BP0000AX is published and its file is gone"), "{failure:?}");
    let both = |how: &mut How<'_>| (how.serial, how.expect) = (Some(3), Expect::Changes(1));
    assert_eq!(site.publish_as(both).unwrap().index.serial, 3);
    let record = record::read(&site.folder().dir, &site.folder().settings.site_id).unwrap();
    assert_eq!(record.highest_request, ids::number("BP00020"), "an id is never given twice");
    assert_eq!(record.highest_job, ids::number("BP0000AY"));
}

#[test]
fn what_was_completed_is_said_where_nothing_else_is_published() {
    let site = Site::new();
    site.machines(0..40);
    site.publish().unwrap();
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(6)));
    fault::die_at(Some(1));
    assert_eq!(code(site.publish()), "killed");
    fault::die_at(None);
    site.machines(0..30);
    let failure = site.publish().unwrap_err();
    assert!(
        failure
            .message
            .as_str()
            .starts_with("publication 2, which had been begun, was completed; nothing else")
    );
    assert_eq!(site.seen(), 2);
}

#[cfg(unix)]
#[test]
fn what_everybody_may_write_is_not_published() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    let dir = site.folder().dir;
    fs::create_dir_all(dir.join("trust")).unwrap();
    let names = [
        "",
        "site.toml",
        "machines.csv",
        "jobs",
        "jobs/BP0000AA.toml",
        "policy",
        "trust",
        "packages",
        "packages/BP00000A",
        "packages/BP00000A/package.toml",
        "packages/BP00000A/CONTENT",
    ];
    for name in names {
        let path = dir.join(name);
        let mode = |mode: u32| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let before = fs::metadata(&path).unwrap().permissions().mode();
        mode(before | 0o002);
        let failure = site.publish().unwrap_err();
        assert_eq!((failure.code.as_str(), failure.exit), ("loose-permissions", Exit::Refused as u8));
        assert!(
            failure.message.as_str().contains(path.to_str().unwrap().trim_end_matches('/')),
            "{name}: {failure:?}"
        );
        assert!(failure.remedy.as_str().contains("chmod o-w"), "{failure:?}");
        assert!(site.files().is_empty());
        // Several administrators are a group.
        mode(before | 0o020);
    }
    site.publish().unwrap();
    // What was published last, and the way back, say what is published next.
    for name in ["publications.db", "past", "past/now.json"] {
        let path = dir.join(name);
        let before = fs::metadata(&path).unwrap().permissions().mode();
        fs::set_permissions(&path, fs::Permissions::from_mode(before | 0o002)).unwrap();
        assert_eq!(code(site.publish()), "loose-permissions", "{name}");
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
    }
    // Whoever writes the folder above puts another one in its place; where only its owner can do so it is fine.
    for (mode, good) in [(0o777, false), (0o1777, true), (0o775, true), (0o700, true)] {
        fs::set_permissions(site.dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(site.publish().is_ok(), good, "{mode:o}");
    }
}

/// As root: whose a file is. A team's folder has files of its members, which are its group's.
#[cfg(unix)]
#[test]
fn what_a_stranger_owns_is_not_published() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    let site = Site::new();
    let dir = site.folder().dir;
    let job = dir.join("jobs/BP0000AA.toml");
    if fs::metadata(&job).unwrap().uid() != 0 {
        return;
    }
    let group = fs::metadata(&dir).unwrap().gid();
    chown(&job, Some(4_242), Some(4_343)).unwrap();
    let failure = site.publish().unwrap_err();
    assert!(
        failure.code == "loose-permissions" && failure.message.as_str().contains("BP0000AA.toml belongs to"),
        "{failure:?}"
    );
    chown(&job, None, Some(group)).unwrap();
    assert_eq!(code(site.publish()), "loose-permissions", "nobody but its owner writes this folder");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o770)).unwrap();
    site.publish().unwrap();
    chown(&job, None, Some(4_343)).unwrap();
    assert_eq!(code(site.publish()), "loose-permissions");
    // Whoever the folder belongs to may own what is in it.
    chown(&dir, Some(4_242), None).unwrap();
    assert!(site.publish().unwrap().nothing);
    chown(site.dir.path(), Some(4_343), None).unwrap();
    assert_eq!(code(site.publish()), "loose-permissions");
    chown(site.dir.path(), Some(0), None).unwrap();
}

#[test]
fn a_note_of_nobody_is_taken_away_also_where_there_is_nothing_to_publish() {
    let site = Site::new();
    site.publish().unwrap();
    let note = site.share().join(PUBLISHING);
    let dir = site.folder().dir.canonicalize().unwrap();
    let ours = format!("anna since 2026-11-22T08:00:00Z at {}:{}\n", facts::host_name(), dir.display());
    fs::write(&note, &ours).unwrap();
    assert!(site.publish_as(|how| how.dry_run = true).unwrap().nothing);
    assert!(note.exists(), "what is only thought about leaves it");
    assert!(site.publish().unwrap().nothing);
    assert!(!note.exists());
    fs::write(&note, "anna@far since 2026-11-22T08:00:00Z at far:/srv/site\n").unwrap();
    assert!(site.publish().unwrap().nothing);
    assert!(note.exists(), "somebody may be at work");
    assert!(site.publish_as(|how| how.break_lock = true).unwrap().nothing);
    assert!(!note.exists());
    // The same folder by another way is the same folder.
    #[cfg(unix)]
    {
        fs::write(&note, &ours).unwrap();
        let link = site.dir.path().join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(8)));
        assert_eq!(publish(&Folder::open(&link).unwrap(), &wishes()).unwrap().index.serial, 2);
        assert!(!note.exists());
    }
}

#[test]
fn revisions_that_no_index_names_leave_after_two_days_and_nothing_else_does() {
    let site = Site::new();
    let rules =
        |n: u64| policy::Rules { spread: Some(std::time::Duration::from_secs(n)), ..Default::default() };
    let at = |hours: i64| now() + TimeDelta::hours(hours);
    let change = |n: u64, hours: i64| {
        site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(n)));
        site.folder().write_policy("all", &rules(n)).unwrap();
        site.machines(0..n as usize);
        let how = |how: &mut How<'_>| (how.now, how.expect) = (at(hours), Expect::Changes(99));
        site.publish_as(how).unwrap().removed
    };
    assert_eq!(change(40, 0), 0);
    for own in ["jobs/notes.txt", "jobs/BP0000AA.1.toml.bak", "members/LIST.old", "jobs/BP0000ZZ.old.toml"] {
        fs::write(site.share().join(own), "mine").unwrap();
    }
    assert_eq!(change(41, 1), 0, "they are no longer named from now on");
    let before = site.files();
    assert_eq!(change(42, 48), 0, "not two days yet");
    assert_eq!(change(43, 49), 4, "job, policy, LIST and all of the first");
    let after = site.files();
    let gone: Vec<&String> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    assert_eq!(gone, ["jobs/BP0000AA.1.toml", "members/LIST.1", "members/all.1", "policy/all.1.toml"]);
    assert_eq!(site.seen(), 4);
    // The policy goes; its name is not given twice, and so its last revision stays.
    site.folder().write_policy("all", &policy::Rules::default()).unwrap();
    site.publish_as(|how| how.now = at(50)).unwrap();
    assert_eq!(change(44, 200), 8, "revisions 2 and 3 of each");
    assert!(site.files().contains_key("policy/all.5.toml"), "{:?}", site.files().keys());
    assert_eq!(site.seen(), 6);
}

#[test]
fn what_the_share_named_until_now_stays_for_two_days_from_now() {
    let at = |days: i64| move |how: &mut How<'_>| how.now = now() + TimeDelta::days(days);
    // Begun and not ended: the first index stays in force, until it is completed, or given up.
    for given_up in [false, true] {
        let site = Site::new();
        site.edit(|job, _| job.times.expire = None);
        site.publish().unwrap();
        site.machines([4_000, 4_001]);
        site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(6)));
        fault::die_at(Some(1));
        assert_eq!(code(site.publish()), "killed");
        fault::die_at(None);
        if given_up {
            // A part of it cannot be had any more.
            let mut record = record::read(&site.folder().dir, &site.folder().settings.site_id).unwrap();
            record.files.clear();
            record::keep(&site.folder().dir, &record).unwrap();
            site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(7)));
            let _ = fs::remove_file(site.share().join("jobs/BP0000AA.2.toml"));
        }
        let next = site.publish_as(at(3)).unwrap();
        assert_eq!(next.completed.is_some(), !given_up, "{next:?}");
        site.edit(|_, word| word.percent = 500);
        assert_eq!(site.publish_as(at(4)).unwrap().removed, 0, "given up: {given_up}");
        assert!(site.files().contains_key("members/all.1"));
        site.edit(|_, word| word.percent = 600);
        assert!(site.publish_as(at(6)).unwrap().removed > 0);
        assert!(!site.files().contains_key("members/all.1"));
    }
}

#[test]
fn the_log_of_publications_is_a_file_of_lines_and_nobodys_link() {
    let site = Site::new();
    let log = site.folder().dir.join(LOG);
    site.publish_as(|how| {
        (how.who, how.what) = ("anna\n2026-01-01".into(), "job advance (a\u{1b}[2Jb\r\nc)".into())
    })
    .unwrap();
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(!text.trim_end().contains(char::is_control), "{text:?}");
    #[cfg(unix)]
    {
        let elsewhere = site.dir.path().join("elsewhere");
        fs::write(&elsewhere, "mine\n").unwrap();
        fs::remove_file(&log).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &log).unwrap();
        site.edit(|_, word| word.state = JobState::Suspended);
        assert_eq!(site.publish().unwrap().index.serial, 2, "what is published is published");
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine\n");
    }
}

#[test]
fn the_record_of_a_pcm_from_before_is_read_under_its_old_name() {
    let site = Site::new();
    site.publish().unwrap();
    let (dir, new) = (site.folder().dir, record::path(&site.folder().dir));
    let old = dir.join(crate::site::folder::OLD_RECORD);
    fs::rename(&new, &old).unwrap();
    // Only the record knows what was cancelled and is on the share no more.
    assert_eq!(record::read(&dir, &site.folder().settings.site_id).unwrap().machines, 1);
    assert!(site.publish().unwrap().nothing);
    site.edit(|_, word| word.state = JobState::Suspended);
    assert_eq!(site.publish().unwrap().index.serial, 2);
    assert!(new.exists() && !old.exists());
}
