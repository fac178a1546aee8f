//! Publications: the same folder gives the same bytes; killed anywhere, the share is as before or as after.
#![allow(clippy::unwrap_used)]

mod bring;
mod cancelled;
mod colleagues;
mod damage;
mod met;
mod past;
mod reads;
mod replaced;

use super::place::fault;
use super::*;
use crate::clock::When;
use crate::host::facts;
use crate::site::folder::edit::Edit;
use crate::site::folder::machines::Machine;
use crate::site::folder::made;
use crate::site::index::{JobState, job::Word, members, policy, target::Target};
use crate::site::site_file;
use chrono::TimeDelta;
use std::fs;
use std::path::Path;

fn now() -> Wall {
    facts::now().trunc_subsecs(0)
}

fn wishes() -> How<'static> {
    How {
        keys: Vec::new(),
        serial: None,
        expect: Expect::Nothing,
        break_lock: false,
        dry_run: false,
        only_asked: false,
        thorough: true,
        watch: None,
        programs: &[],
        who: "tester".into(),
        what: "publish".into(),
        now: now(),
    }
}

/// A copy of a site folder that publishes on the same share.
struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    fn of(site: &Site) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let from = site.folder().dir;
        let entries = walkdir::WalkDir::new(&from).into_iter();
        for entry in entries.filter_entry(|entry| entry.file_name() != "share").flatten() {
            let to = dir.path().join("copy").join(entry.path().strip_prefix(&from).unwrap());
            if entry.file_type().is_dir() {
                fs::create_dir_all(to).unwrap()
            } else {
                assert!(fs::copy(entry.path(), to).is_ok());
            }
        }
        let toml = dir.path().join("copy/site.toml");
        let text = fs::read_to_string(&toml).unwrap();
        fs::write(&toml, text.replace("share = \"share\"", &format!("share = {:?}", site.share()))).unwrap();
        Self { dir }
    }

    fn folder(&self) -> Folder {
        Folder::open(&self.dir.path().join("copy")).unwrap()
    }
}

/// A site folder with the example, and its share.
struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        crate::host::open::usual_umask();
        let dir = tempfile::tempdir().unwrap();
        let site = "BP0".parse().unwrap();
        made::make(&dir.path().join("site"), site, None, Some("BP004000".parse().unwrap()), now()).unwrap();
        Self { dir }
    }

    fn folder(&self) -> Folder {
        Folder::open(&self.dir.path().join("site")).unwrap()
    }

    fn share(&self) -> std::path::PathBuf {
        self.folder().share()
    }

    fn publish_as(&self, how: impl FnOnce(&mut How<'_>)) -> Result<Published> {
        let mut wishes = wishes();
        how(&mut wishes);
        publish(&self.folder(), &wishes)
    }

    fn publish(&self) -> Result<Published> {
        self.publish_as(|_| {})
    }

    fn job(&self) -> (job::Job, Word) {
        let source = self.folder().read(&[]).unwrap();
        source.jobs.into_values().next().unwrap()
    }

    fn edit(&self, edit: impl FnOnce(&mut job::Job, &mut Word)) {
        let (mut job, mut word) = self.job();
        edit(&mut job, &mut word);
        self.folder().write_job(&job, &word).unwrap();
    }

    fn machines(&self, machines: impl IntoIterator<Item = usize>) {
        let machines = machines.into_iter().map(|n| format!("BP0{n:05}").parse().unwrap());
        let machines = machines.map(|id| (id, Machine::new(id))).collect();
        self.folder().write_machines(&machines).unwrap();
    }

    /// Every file of the share with its bytes, but for notes and unfinished ones.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let root = self.share();
        let files = walkdir::WalkDir::new(&root).into_iter().flatten().filter(|e| e.file_type().is_file());
        let files = files.map(|entry| {
            let path = entry.path().strip_prefix(&root).unwrap().display().to_string();
            (path, fs::read(entry.path()).unwrap())
        });
        files.filter(|(path, _)| path != PUBLISHING && !path.ends_with(".tmp")).collect()
    }

    /// What a machine makes of the share: the serial of an index of which every part is there, by its hash; 0 without one.
    fn seen(&self) -> u64 {
        let files = self.files();
        let Some(bytes) = files.get(index::NAME) else { return 0 };
        let index = index::parse(bytes, index::NAME).unwrap();
        let part = |path: String, sha256: &super::super::instruction::ContentHash| {
            let bytes = files.get(&path).unwrap_or_else(|| panic!("{path} is named and not there"));
            assert_eq!(crate::site::content::hash_bytes(bytes), *sha256, "{path}");
            bytes.clone()
        };
        for named in &index.jobs {
            let bytes = part(format!("jobs/{}.{}.toml", named.job_id, named.revision), &named.sha256);
            let job = job::parse(&bytes, named.job_id, "f", &[]).unwrap();
            if named.state == JobState::Cancelled {
                continue;
            }
            let release = format!("packages/{}/{}/package.toml", job.package_id, job.release);
            part(release, &job.package_sha256);
            let hash = job.content_sha256.unwrap();
            let list = part(format!("content/{}/CONTENT", hash.as_str()), &hash);
            for file in crate::site::content::parse_content(&list).unwrap().files {
                part(format!("content/{}/files/{}", hash.as_str(), file.path), &file.sha256);
            }
        }
        for named in &index.policies {
            part(
                policy::Policy::file_name(&named.group, named.revision).replacen("", "policy/", 1),
                &named.sha256,
            );
        }
        if let Some(members) = &index.members {
            let list = part(format!("members/LIST.{}", members.revision), &members.sha256);
            for named in members::parse_list(&list, "LIST").unwrap() {
                let bytes = part(format!("members/{}.{}", named.name, named.revision), &named.sha256);
                members::parse_part(&bytes, &named.name, "f").unwrap();
            }
        }
        index.serial
    }
}

/// Everything in a folder, its subfolders and the bytes and times of its files.
fn state(dir: &Path) -> BTreeMap<String, (Option<std::time::SystemTime>, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(dir).into_iter().flatten();
    let entries = entries.map(|entry| {
        let modified = entry.metadata().ok().and_then(|meta| meta.modified().ok());
        (entry.path().display().to_string(), (modified, fs::read(entry.path()).unwrap_or_default()))
    });
    entries.collect()
}

fn code<T: std::fmt::Debug>(done: Result<T>) -> String {
    done.unwrap_err().code
}

#[test]
fn a_folder_is_published_once_and_then_there_is_nothing_to_do() {
    let site = Site::new();
    let first = site.publish().unwrap();
    assert_eq!((first.index.serial, first.jobs.len(), first.packages.len(), first.parts), (1, 1, 1, 2));
    assert_eq!(site.seen(), 1);
    let files = site.files();
    assert_eq!(files[site_file::NAME], b"format = 2\nsite = \"BP0\"\nname = \"Site BP0\"\n");
    let again = site.publish().unwrap();
    assert!(again.nothing && again.written.is_empty(), "{again:?}");
    assert_eq!(site.files(), files);
    assert!(!site.share().join(PUBLISHING).exists());
    let log = fs::read_to_string(site.folder().dir.join(LOG)).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    // Without its record it knows the same from the share.
    fs::remove_file(record::path(&site.folder().dir)).unwrap();
    assert!(site.publish().unwrap().nothing);
    site.edit(|_, word| word.state = JobState::Suspended);
    assert_eq!(site.publish().unwrap().index.serial, 2);
}

#[test]
fn a_job_is_suspended_by_the_index_alone_and_changed_by_one_file_more() {
    let site = Site::new();
    site.machines(0..2_000);
    site.edit(|job, _| job.targets = vec![Target::Group("all".into())]);
    site.publish_as(|how| how.expect = Expect::Job("BP0000AA".parse().unwrap())).unwrap();
    site.edit(|_, word| word.state = JobState::Suspended);
    let suspended = site.publish().unwrap();
    let paths =
        |published: &Published| published.written.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&suspended), [index::NAME]);
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(60)));
    let changed = site.publish().unwrap();
    assert_eq!(paths(&changed), ["jobs/BP0000AA.2.toml", index::NAME]);
    site.machines(0..2_001);
    let added = site.publish().unwrap();
    // One part, the list of parts, and the index.
    assert_eq!((added.written.len(), added.gone), (3, 0), "{added:?}");
    assert_eq!(site.seen(), 4);
}

#[test]
fn killed_anywhere_the_share_is_as_before_or_as_after_and_the_next_publication_completes() {
    let site = Site::new();
    site.machines(0..600);
    let (mut serial, mut killed) = (0, 0);
    for round in 0..40_usize {
        // Something else changes in each round: a job, a policy, machines.
        match round % 3 {
            0 => site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(60 + round as u64))),
            1 => site.machines(0..600 + round),
            _ => {
                let rules = policy::Rules {
                    spread: Some(std::time::Duration::from_secs(round as u64)),
                    ..policy::Rules::default()
                };
                site.folder().write_policy("all", &rules).unwrap();
            }
        }
        fault::die_at(Some(round / 3));
        let done = site.publish();
        fault::die_at(None);
        let seen = site.seen();
        match done {
            Ok(published) => {
                assert_eq!(seen, published.index.serial);
            }
            Err(failure) => {
                assert_eq!(failure.code, "killed");
                killed += 1;
                assert!(seen == serial || seen == serial + 1, "{seen} after {serial}");
            }
        }
        // Sometimes the folder changes before anybody looks.
        if round % 4 == 0 {
            site.edit(|_, word| word.percent = 100 + round as u32);
        }
        let next = site.publish().unwrap();
        assert_eq!(site.seen(), next.index.serial, "{next:?}");
        serial = next.index.serial;
        assert!(site.publish().unwrap().nothing);
    }
    assert!(killed > 10, "{killed}");
}

#[test]
fn a_share_that_was_restored_from_yesterday_is_completed() {
    let site = Site::new();
    site.publish().unwrap();
    let yesterday = site.files();
    site.machines([4_000, 4_001]);
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(60)));
    assert_eq!(site.publish().unwrap().index.serial, 2);
    fs::remove_dir_all(site.share()).unwrap();
    for (path, bytes) in yesterday {
        let path = site.share().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let completed = site.publish().unwrap();
    assert_eq!((completed.completed, site.seen()), (Some(2), 2), "{completed:?}");
    // Everything lost, too.
    fs::remove_dir_all(site.share()).unwrap();
    let completed = site.publish().unwrap();
    assert_eq!(site.seen(), completed.index.serial, "{completed:?}");
}

#[test]
fn changes_that_are_a_slip_of_the_pen_want_to_be_expected() {
    let site = Site::new();
    site.machines(0..40);
    site.edit(|_, word| word.state = JobState::Cancelled);
    site.publish().unwrap();
    let refused = |site: &Site, says: &str, count: usize| {
        let failure = site.publish().unwrap_err();
        assert_eq!(failure.code, "not-expected");
        assert!(failure.message.as_str().contains(says), "{failure:?}");
        assert!(failure.remedy.as_str().contains(&format!("--expect {count}")), "{failure:?}");
        assert_eq!(code(site.publish_as(|how| how.expect = Expect::Changes(count - 1))), "not-expected");
        let before = site.seen();
        assert_eq!(site.publish_as(|how| how.dry_run = true).unwrap_err().code, "not-expected");
        site.publish_as(|how| how.expect = Expect::Changes(count)).unwrap();
        assert_eq!(site.seen(), before + 1);
    };
    site.edit(|_, word| word.state = JobState::Active);
    refused(&site, "was cancelled and would be active", 1);
    site.machines(0..30);
    refused(&site, "10 of 40 machines would be gone", 10);
    fs::remove_file(site.folder().job_path("BP0000AA".parse().unwrap())).unwrap();
    refused(&site, "its file is gone", 1);
}

#[test]
fn what_runs_under_an_id_never_changes() {
    let site = Site::new();
    site.publish().unwrap();
    let (good, _) = site.job();
    // Another command of the same package.
    let path = site.folder().package_dir(good.package_id).join("package.toml");
    let text = fs::read_to_string(&path).unwrap();
    let second = text.split("[[command]]").nth(1).unwrap().replace("Typical", "Other");
    let text = format!("{text}\n[[command]]{second}").replace("release = 1", "release = 2");
    fs::write(&path, &text).unwrap();
    let sha256 = crate::site::content::hash_bytes(text.as_bytes());
    site.edit(|job, _| {
        job.command = "Other".into();
        job.release = 2;
        job.package_sha256 = sha256.clone();
    });
    assert_eq!(code(site.publish()), "same-request-id");
    assert_eq!(code(site.publish_as(|how| how.expect = Expect::Changes(99))), "same-request-id");
    site.edit(|job, _| job.request_id = "BP0000Z".parse().unwrap());
    site.publish().unwrap();
    assert_eq!(site.seen(), 2);
}

#[test]
fn what_a_job_runs_has_to_be_what_its_package_says_and_has_to_be_there() {
    let site = Site::new();
    let (good, word) = site.job();
    let with = |edit: &dyn Fn(&mut job::Job)| {
        let mut job = good.clone();
        edit(&mut job);
        site.folder().write_job(&job, &word).unwrap();
        let failure = site.publish().unwrap_err();
        assert!(site.files().is_empty(), "nothing is written: {:?}", site.files().keys());
        failure.code
    };
    assert_eq!(with(&|job| job.command = "Atypical".into()), "package-mismatch");
    assert_eq!(with(&|job| job.how.background = false), "package-mismatch");
    assert_eq!(with(&|job| job.content_sha256 = None), "package-mismatch");
    assert_eq!(with(&|job| job.package_sha256 = crate::site::content::hash_bytes(b"x")), "package-missing");
    fs::remove_dir_all(site.folder().package_dir(good.package_id).join("files")).unwrap();
    assert_eq!(with(&|_| {}), "content-missing");
}

#[test]
fn a_release_that_is_published_never_changes() {
    let site = Site::new();
    site.publish().unwrap();
    let path = site.folder().package_dir("BP00000A".parse().unwrap()).join("package.toml");
    let text = fs::read_to_string(&path).unwrap().replace("\"Acme\"", "\"Other\"");
    fs::write(&path, &text).unwrap();
    site.edit(|job, _| {
        job.request_id = "BP0000Z".parse().unwrap();
        job.package_sha256 = crate::site::content::hash_bytes(text.as_bytes());
    });
    assert_eq!(code(site.publish_as(|how| how.expect = Expect::Changes(99))), "release-changed");
    // Without its files a second clone publishes what the share has already.
    let other = Site::new();
    other.publish().unwrap();
    fs::remove_dir_all(other.folder().package_dir("BP00000A".parse().unwrap()).join("files")).unwrap();
    other.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(60)));
    other.publish().unwrap();
}

#[test]
fn two_publishers_do_not_mix() {
    let site = Site::new();
    site.publish().unwrap();
    let copy = Copy::of(&site);
    let (copy, how) = (copy.folder(), wishes());
    let (mut job, word) = copy.read(&[]).unwrap().jobs.into_values().next().unwrap();
    job.spread = Some(std::time::Duration::from_secs(5));
    copy.write_job(&job, &word).unwrap();
    assert_eq!(publish(&copy, &how).unwrap().index.serial, 2);
    // The first is behind: it takes the second's number from the share and goes on from there.
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(6)));
    assert_eq!(site.publish().unwrap().index.serial, 3);
    // A note of somebody else keeps it away; one of a dead publisher of this folder does not.
    fs::write(site.share().join(PUBLISHING), "anna@far since 2026-11-22T08:00:00Z at far:/srv/site\n")
        .unwrap();
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(7)));
    assert_eq!(code(site.publish()), "publishing");
    assert_eq!(site.publish_as(|how| how.break_lock = true).unwrap().index.serial, 4);
    let ours = format!("{}:{}", facts::host_name(), site.folder().dir.display());
    fs::write(site.share().join(PUBLISHING), format!("anna since 2026-11-22T08:00:00Z at {ours}\n")).unwrap();
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(8)));
    assert_eq!(site.publish().unwrap().index.serial, 5);
    // The lock of the folder is the system's own.
    let _held = ExclusiveLock::try_take(&site.folder().dir.join(LOCK), "anna").unwrap().unwrap();
    assert_eq!(code(site.publish()), "publishing");
}

#[test]
fn whoever_is_overtaken_while_he_reads_thinks_again() {
    let site = Site::new();
    site.machines(0..40);
    site.publish().unwrap();
    let copy = Copy::of(&site);
    // The second publishes after the first has read the share and before it says so.
    let (overtaking, there) = (copy.folder(), copy.folder());
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(6)));
    fault::at_note(move || {
        let (mut job, word) = overtaking.read(&[]).unwrap().jobs.into_values().next().unwrap();
        job.spread = Some(std::time::Duration::from_secs(5));
        overtaking.write_job(&job, &word).unwrap();
        assert_eq!(publish(&overtaking, &wishes()).unwrap().index.serial, 2);
    });
    let published = site.publish().unwrap();
    assert_eq!((published.index.serial, site.seen()), (3, 3), "{published:?}");
    // What the other one did is judged, too: here it cancels the job.
    site.edit(|job, _| job.spread = Some(std::time::Duration::from_secs(7)));
    fault::at_note(move || {
        let (job, _) = there.read(&[]).unwrap().jobs.into_values().next().unwrap();
        let word = Word { state: JobState::Cancelled, since: Some(now()), ..Word::default() };
        there.write_job(&job, &word).unwrap();
        publish(&there, &wishes()).unwrap();
    });
    assert_eq!(code(site.publish()), "not-expected");
    assert_eq!(site.seen(), 4);
    assert!(!site.share().join(PUBLISHING).exists());
    // A publication that was begun and is overtaken is not completed over the newer one.
    site.edit(|_, word| word.state = JobState::Cancelled);
    site.machines(0..41);
    fault::die_at(Some(1));
    assert_eq!(code(site.publish()), "killed");
    fault::die_at(None);
    fs::remove_file(site.share().join(PUBLISHING)).unwrap();
    let there = copy.folder();
    fault::at_note(move || {
        let machines = (0..42).map(|n| format!("BP0{n:05}").parse().unwrap());
        there.write_machines(&machines.map(|id| (id, Machine::new(id))).collect()).unwrap();
        publish(&there, &wishes()).unwrap();
    });
    let failure = site.publish().unwrap_err();
    assert_eq!(failure.code, "other-publisher", "{failure:?}");
}

#[test]
fn what_is_only_thought_about_changes_nothing_anywhere() {
    let site = Site::new();
    site.publish().unwrap();
    let source = site.folder().read(&[]).unwrap();
    let (job, word) = site.job();
    let before = state(site.dir.path());
    let edits = [
        Edit::job(&job, Word { state: JobState::Cancelled, since: Some(now()), ..word }),
        Edit::Policy(
            "all".into(),
            policy::Rules { spread: Some(std::time::Duration::from_secs(9)), ..Default::default() },
        ),
        Edit::Machines(
            (0..3).map(|n| format!("BP0{n:05}").parse().unwrap()).map(|id| (id, Machine::new(id))).collect(),
        ),
    ];
    for edit in edits {
        let how = How { expect: Expect::Goes(1), ..wishes() };
        let thought = would(&site.folder(), &edit.applied(&source), &how).unwrap();
        assert_eq!(state(site.dir.path()), before, "{edit:?}");
        // What comes of it is the same.
        let copy = Copy::of(&site);
        edit.write(&copy.folder()).unwrap();
        let how = How { dry_run: true, ..how };
        let done = publish(&copy.folder(), &how).unwrap();
        assert_eq!((done.index, done.written), (thought.index, thought.written), "{edit:?}");
    }
}

#[test]
fn a_number_of_machines_lets_nothing_else_pass() {
    let site = Site::new();
    site.machines(0..40);
    site.publish().unwrap();
    site.machines(0..30);
    assert_eq!(code(site.publish_as(|how| how.expect = Expect::Goes(9))), "not-expected");
    assert_eq!(code(site.publish_as(|how| how.expect = Expect::Comes(99))), "not-expected");
    fs::remove_file(site.folder().job_path("BP0000AA".parse().unwrap())).unwrap();
    let failure = site.publish_as(|how| how.expect = Expect::Goes(99)).unwrap_err();
    assert_eq!(failure.code, "not-expected");
    assert!(failure.remedy.as_str().contains("pcm site publish --expect 11"), "{failure:?}");
    assert_eq!(code(site.publish_as(|how| how.expect = Expect::Nothing)), "not-expected");
    site.publish_as(|how| how.expect = Expect::Changes(11)).unwrap();
}

#[test]
fn a_share_that_is_filled_by_hand_or_anothers_is_not_taken_over() {
    let site = Site::new();
    fs::create_dir_all(site.share().join("pcmins.box")).unwrap();
    fs::write(site.share().join("pcmins.box/BP004000.INS"), "").unwrap();
    fs::write(site.share().join(site_file::NAME), "format = 1\nsite = \"BP0\"\nname = \"x\"\n").unwrap();
    assert_eq!(code(site.publish()), "hand-made");
    fs::write(site.share().join(site_file::NAME), "format = 1\nsite = \"BP1\"\nname = \"x\"\n").unwrap();
    assert_eq!(code(site.publish()), "other-site");
    fs::write(site.share().join(site_file::NAME), "format = 1\nsite = \"BP0\"\nname = \"x\"\n").unwrap();
    site.publish_as(|how| how.expect = Expect::Changes(1)).unwrap();
    assert_eq!(site.seen(), 1);
    let foreign = fs::read_to_string(site.share().join(index::NAME)).unwrap();
    let foreign = foreign.replace(site.folder().settings.site_id.as_str(), "abcdefgh12345678");
    fs::write(site.share().join(index::NAME), foreign).unwrap();
    assert_eq!(code(site.publish()), "not-ours");
    assert_eq!(site.publish_as(|how| how.serial = Some(7)).unwrap().index.serial, 7);
}

#[test]
fn everything_that_is_wrong_with_a_folder_is_said_at_once_and_nothing_is_published() {
    let site = Site::new();
    let dir = site.folder().dir;
    fs::write(dir.join("machines.csv"), "BP004\nXX004000\n").unwrap();
    fs::write(dir.join("jobs/BP0000AB.toml"), "state = \"on\"\n").unwrap();
    fs::write(dir.join("jobs/notes.txt"), "").unwrap();
    fs::write(dir.join("policy/Web.toml"), "").unwrap();
    fs::write(dir.join("policy/web.toml"), "spread = 3\n").unwrap();
    let failure = site.publish().unwrap_err();
    for words in
        ["machines.csv, line 1", "line 2", "BP0000AB.toml", "notes.txt", "Web.toml", "web.toml, line 1"]
    {
        assert!(failure.message.as_str().contains(words), "{words}: {failure:?}");
    }
    assert!(site.files().is_empty());
    assert!(!Path::new(&dir).join(record::NAME).exists());
}

#[test]
fn the_thousandth_job_gets_its_place_and_jobs_that_ended_leave() {
    let site = Site::new();
    let (job, word) = site.job();
    for n in 0..1_000_u32 {
        let mut job = job.clone();
        job.job_id = format!("BP0J{n:04}").parse().unwrap();
        job.request_id = format!("BP0{n:04}").parse().unwrap();
        let old =
            Word { state: JobState::Cancelled, since: Some(now() - TimeDelta::days(31)), ..word.clone() };
        site.folder().write_job(&job, if n < 10 { &old } else { &word }).unwrap();
    }
    let published = site.publish().unwrap();
    assert_eq!(published.index.jobs.len(), 991);
    assert_eq!(site.seen(), 1);
    for n in 2_000..2_010_u32 {
        let mut job = job.clone();
        job.job_id = format!("BP0J{n:04}").parse().unwrap();
        job.request_id = format!("BP0{n:04}").parse().unwrap();
        site.folder().write_job(&job, &word).unwrap();
    }
    let failure = site.publish().unwrap_err();
    assert!(failure.code == "too-large" && failure.message.as_str().contains("1001 jobs"), "{failure:?}");
}

#[test]
fn a_release_is_raised_when_something_changed_and_only_then() {
    let site = Site::new();
    let id = "BP00000A".parse().unwrap();
    let fill = |again| release::fill(&site.folder(), id, again, None, &[]);
    let first = fill(false).unwrap();
    assert!((first.release, first.same) == (1, true), "it was made with all of it: {first:?}");
    site.publish().unwrap();
    assert!(fill(false).unwrap().same);
    fs::write(site.folder().package_dir(id).join("files/more.txt"), "more").unwrap();
    let second = fill(false).unwrap();
    assert_eq!((second.release, second.same, second.files.as_ref().unwrap().files), (2, false, 2));
    assert!(second.changes.iter().any(|line| line == "+ release = 2"), "{:?}", second.changes);
    assert!(second.changes.iter().all(|line| line.contains("release") || line.contains("content_sha256")));
    assert_eq!(fill(true).unwrap_err().code, "release-changed");
    release::write(&site.folder(), &second).unwrap();
    assert_eq!(fill(false).unwrap().text, second.text);
    let path = site.folder().package_dir(id).join("package.toml");
    let text = fs::read_to_string(&path).unwrap();
    let bare: String = text
        .lines()
        .filter(|line| {
            !["kind", "sites", "release", "content_sha256"].iter().any(|key| line.starts_with(key))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&path, format!("# mine\n{bare}")).unwrap();
    let filled = fill(false).unwrap();
    assert!(filled.text.starts_with("# mine\n") && filled.release == 2, "{filled:?}");
    assert_eq!(filled.package.sites[0].as_str(), site.folder().settings.site_id.as_str());
}
