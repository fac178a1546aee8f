//! A folder that is behind takes nothing back of what another one published.

use super::*;

/// The refusal of a folder, which names all of these; so many changes have to be expected.
fn refused(folder: &Folder, words: &[&str], count: usize) {
    let failure = publish(folder, &wishes()).unwrap_err();
    assert_eq!(failure.code, "not-expected", "{failure:?}");
    for word in words {
        assert!(failure.message.as_str().contains(word), "{word}: {failure:?}");
    }
    assert!(failure.remedy.as_str().contains("git pull"), "{failure:?}");
    assert!(failure.remedy.as_str().contains(&format!("--expect {count}")), "{failure:?}");
    let fewer = How { expect: Expect::Changes(count - 1), ..wishes() };
    assert_eq!(code(publish(folder, &fewer)), "not-expected");
}

/// The files of a folder that its colleagues edit.
fn pull(from: &Folder, to: &Folder) {
    for name in ["jobs", "policy"] {
        let _ = fs::remove_dir_all(to.dir.join(name));
        fs::create_dir_all(to.dir.join(name)).unwrap();
        for entry in fs::read_dir(from.dir.join(name)).into_iter().flatten().flatten() {
            fs::copy(entry.path(), to.dir.join(name).join(entry.file_name())).unwrap();
        }
    }
    fs::copy(from.dir.join("machines.csv"), to.dir.join("machines.csv")).unwrap();
}

fn freeze() -> policy::Rules {
    let (from, until) = (When::Instant(now()), When::Instant(now() + TimeDelta::hours(9)));
    let freeze = crate::site::site_file::Freeze { from, until, reason: "look".into() };
    policy::Rules { freezes: vec![freeze], ..Default::default() }
}

#[test]
fn a_folder_that_is_behind_lifts_no_halt_and_no_freeze() {
    let site = Site::new();
    let rules = policy::Rules { spread: Some(std::time::Duration::from_secs(9)), ..Default::default() };
    site.folder().write_policy("all", &rules).unwrap();
    site.edit(|_, word| word.percent = 500);
    site.publish().unwrap();
    let copy = Copy::of(&site);
    let copy = copy.folder();
    // The timer goes on and halts, a colleague freezes the site and adds a machine.
    site.edit(|_, word| word.percent = 5_000);
    site.publish().unwrap();
    site.edit(|_, word| (word.state, word.reason) = (JobState::Suspended, Some("halted: 9 %".into())));
    site.folder().write_policy("all", &freeze()).unwrap();
    site.machines([4_000, 4_001]);
    site.publish().unwrap();
    // Somebody else publishes anything at all.
    copy.write_policy("web", &rules).unwrap();
    let words = [
        "BP0000AA was suspended from another folder (halted: 9 %) and would be active",
        "BP0000AA has reached 50 % from another folder and would fall to 5 %",
        "policy/all.2.toml was published from another folder and would be replaced",
        "members/all.2 was published from another folder and would be replaced",
    ];
    refused(&copy, &words, 5);
    let record = fs::read(record::path(&copy.dir)).unwrap();
    fs::remove_file(record::path(&copy.dir)).unwrap();
    refused(&copy, &words, 5);
    fs::write(record::path(&copy.dir), record).unwrap();
    // With the colleague's edits there is nothing to refuse, and from then on they are this folder's.
    pull(&site.folder(), &copy);
    assert!(publish(&copy, &wishes()).unwrap().nothing);
    let (job, word) = copy.read(&[]).unwrap().jobs.into_values().next().unwrap();
    copy.write_job(&job, &Word { state: JobState::Active, percent: 100, reason: None, ..word }).unwrap();
    fs::remove_file(copy.policy_path("all")).unwrap();
    assert_eq!(publish(&copy, &wishes()).unwrap().index.serial, 4);
    // What is meant passes with its number.
    site.edit(|_, word| word.percent = 50);
    refused(&site.folder(), &["BP0000AA has reached 1 %"], 1);
    assert_eq!(site.publish_as(|how| how.expect = Expect::Changes(1)).unwrap().index.serial, 5);
}

#[test]
fn a_colleagues_job_is_not_replaced_by_one_of_the_same_id() {
    let site = Site::new();
    site.publish().unwrap();
    let copy = Copy::of(&site);
    let copy = copy.folder();
    let (example, word) = site.job();
    let with = |folder: &Folder, request: &str, machine: usize, word: &Word| {
        let mut job = example.clone();
        (job.job_id, job.request_id) = ("BP0000AB".parse().unwrap(), request.parse().unwrap());
        job.targets = vec![Target::Machine(format!("BP0{machine:05}").parse().unwrap())];
        folder.write_job(&job, word).unwrap();
        job
    };
    let first = Word { percent: 0, canary: vec!["BP004000".parse().unwrap()], ..word.clone() };
    let theirs = with(&site.folder(), "BP0000Z", 4_002, &first);
    site.publish().unwrap();
    // The same request, or another one: neither is that job.
    for request in ["BP0000Z", "BP00010"] {
        with(&copy, request, 4_001, &word);
        refused(&copy, &["BP0000AB is a job that another folder published"], 1);
    }
    // What runs under one request never changes; sending a colleague's job once more is no way out.
    let mut other = with(&copy, "BP0000Z", 4_001, &word);
    let path = copy.package_dir(other.package_id).join("package.toml");
    let text = fs::read_to_string(&path).unwrap();
    let second = text.replace("release = 1", "release = 2");
    fs::write(&path, &second).unwrap();
    (other.release, other.package_sha256) = (2, crate::site::content::hash_bytes(second.as_bytes()));
    copy.write_job(&other, &word).unwrap();
    let failure = publish(&copy, &wishes()).unwrap_err();
    assert_eq!(failure.code, "same-request-id", "{failure:?}");
    assert!(!failure.remedy.as_str().contains("--again"), "{failure:?}");
    fs::write(&path, text).unwrap();
    // Taken from the colleague it is the same job, whatever it has reached.
    copy.write_job(&theirs, &Word { percent: 500, ..first }).unwrap();
    assert_eq!(publish(&copy, &wishes()).unwrap().index.serial, 3);
}
