//! A job that would be for many machines from now on is published by somebody who says how many they are.

use super::*;

fn to(group: &str) -> Vec<Target> {
    vec![group.parse().unwrap()]
}

/// A number of machines has to be said; then it is published.
fn asked(site: &Site, machines: usize) {
    let failure = site.publish().unwrap_err();
    assert_eq!(failure.code, "not-expected", "{failure:?}");
    let words = format!("BP0000AA would be for {machines} machines");
    assert!(failure.message.as_str().contains(&words), "{failure:?}");
    assert!(failure.remedy.as_str().contains(&format!("--expect {machines}")), "{failure:?}");
    for expect in
        [Expect::Changes(machines - 1), Expect::Comes(999), Expect::Job("BP0000AB".parse().unwrap())]
    {
        assert_eq!(code(site.publish_as(|how| how.expect = expect)), "not-expected", "{expect:?}");
    }
    assert_eq!(code(site.publish_as(|how| how.dry_run = true)), "not-expected");
    site.publish_as(|how| how.expect = Expect::Changes(machines)).unwrap();
    assert!(site.publish().unwrap().nothing);
}

#[test]
fn a_file_that_is_for_many_machines_from_now_on_wants_their_number() {
    let site = Site::new();
    site.machines(0..300);
    // The first publication is one like any other.
    site.edit(|job, word| (job.targets, word.state) = (to("@all"), JobState::Active));
    asked(&site, 300);
    // What is suspended or for few machines needs none; what is added to many, as long as that is little.
    site.edit(|_, word| word.state = JobState::Suspended);
    site.publish().unwrap();
    site.edit(|_, word| word.state = JobState::Active);
    asked(&site, 300);
    site.edit(|job, _| job.targets = to("BP0000*"));
    site.publish().unwrap();
    site.edit(|job, _| job.targets = to("BP00010*"));
    site.publish().unwrap();
    site.edit(|job, _| job.targets = to("BP0001*"));
    site.publish().unwrap();
    site.edit(|job, _| job.targets = ["BP0001*", "BP000200"].map(|text| text.parse().unwrap()).to_vec());
    asked(&site, 101);
    site.edit(|job, _| job.targets = ["BP0001*", "BP000201"].map(|text| text.parse().unwrap()).to_vec());
    site.publish().unwrap();
    // As many as before, and others.
    site.edit(|job, _| job.targets = ["BP0000*", "BP0002*"].map(|text| text.parse().unwrap()).to_vec());
    asked(&site, 200);
    site.edit(|_, word| word.state = JobState::Cancelled);
    site.publish().unwrap();
}

/// The number counts the machines that a job's targets meet (SITE.md 3), whatever share of them comes first: who published
/// its phases has said it for all of them, and `job advance` follows them without anybody being there to say it again.
#[test]
fn phases_of_what_was_published_with_its_number_need_none() {
    let site = Site::new();
    site.machines(0..300);
    let first: Vec<_> = vec!["BP000001".parse().unwrap()];
    site.edit(|job, word| {
        job.targets = to("@all");
        (word.canary, word.percent) = (first.clone(), 0);
    });
    asked(&site, 300);
    // Another folder of the site knows only what the share has: the machines that come first.
    let copy = Copy::of(&site);
    fs::remove_file(copy.folder().dir.join(record::NAME)).unwrap();
    let (job, word) = copy.folder().read(&[]).unwrap().jobs.into_values().next().unwrap();
    copy.folder().write_job(&job, &Word { percent: 500, ..word }).unwrap();
    publish(&copy.folder(), &wishes()).unwrap();
    fs::copy(copy.folder().job_path(job.job_id), site.folder().job_path(job.job_id)).unwrap();
    site.publish().unwrap();
    site.edit(|_, word| word.percent = 10_000);
    site.publish().unwrap();
    // Its targets are its own while it is for a few machines first.
    site.edit(|_, word| word.percent = 0);
    site.publish().unwrap();
    site.machines(0..400);
    site.publish().unwrap();
    site.edit(|job, _| job.targets = to("BP0003*"));
    site.edit(|_, word| word.percent = 5_000);
    site.publish().unwrap();
    site.edit(|job, _| job.targets = to("@all"));
    asked(&site, 400);
}

#[test]
fn who_widens_a_job_that_is_for_few_first_says_the_number_whoever_published_since() {
    let site = Site::new();
    site.machines(0..300);
    site.edit(|job, word| {
        job.targets = to("BP0000*");
        (word.canary, word.percent) = (vec!["BP000001".parse().unwrap()], 0);
    });
    site.publish().unwrap();
    let rules = policy::Rules { spread: Some(std::time::Duration::from_secs(9)), ..Default::default() };
    let copy = Copy::of(&site);
    for folder in [copy.folder(), site.folder()] {
        folder.write_policy("web", &rules).unwrap();
    }
    publish(&copy.folder(), &wishes()).unwrap();
    site.edit(|job, _| job.targets = to("@all"));
    asked(&site, 300);
}

#[test]
fn what_was_over_begins_anew_with_a_number() {
    let site = Site::new();
    site.machines(0..300);
    let until = |at: When| {
        site.edit(|job, _| {
            let mandatory = Some(When::Instant(now() - TimeDelta::days(2)));
            job.targets = to("@all");
            job.times = job::Times { mandatory, expire: Some(at), ..Default::default() };
        });
    };
    let local = |delta: TimeDelta| When::Local((now() + delta).naive_utc());
    // What is over is for nobody.
    until(When::Instant(now() - TimeDelta::hours(1)));
    site.publish().unwrap();
    until(When::Instant(now() + TimeDelta::hours(1)));
    asked(&site, 300);
    until(local(TimeDelta::hours(9)));
    site.publish().unwrap();
    // Far in the east that is over already.
    until(local(TimeDelta::days(5)));
    asked(&site, 300);
    until(local(TimeDelta::days(6)));
    site.publish().unwrap();
}

#[test]
fn who_opens_what_a_policy_closes_for_many_machines_says_how_many_they_are() {
    let site = Site::new();
    site.machines(0..300);
    let start = now();
    let at = |hours: i64| When::Instant(start + TimeDelta::hours(hours));
    let freeze =
        |from: i64, until: i64| site_file::Freeze { from: at(from), until: at(until), reason: "year".into() };
    let says = |freezes: Vec<site_file::Freeze>, windows: bool| {
        let weekly = vec!["Sat 22:00-06:00".to_owned()];
        let windows = windows.then(|| policy::Windows { weekly, zone: "local".into() });
        let spread = Some(std::time::Duration::from_secs(9));
        let rules = policy::Rules { freezes, windows, spread, ..Default::default() };
        site.folder().write_policy("all", &rules).unwrap();
    };
    let lost = |says: &str| {
        let failure = site.publish().unwrap_err();
        assert_eq!(failure.code, "not-expected", "{failure:?}");
        assert!(failure.message.as_str().contains(&format!("300 machines would lose {says}")), "{failure:?}");
        assert!(failure.remedy.as_str().contains("--expect 300"), "{failure:?}");
        for expect in [Expect::Changes(299), Expect::Comes(300), Expect::Job("BP0000AA".parse().unwrap())] {
            assert_eq!(code(site.publish_as(|how| how.expect = expect)), "not-expected", "{expect:?}");
        }
        let published = site.publish_as(|how| how.expect = Expect::Changes(300)).unwrap();
        assert!(published.opened.concat().contains(says), "{published:?}");
        assert_eq!(published.policies, 1);
    };
    says(vec![freeze(-1, 9)], true);
    site.publish().unwrap();
    // What closes as much or more needs no number, nor does what is over.
    says(vec![freeze(-2, 9)], true);
    site.publish().unwrap();
    says(vec![freeze(-1, 12), freeze(-9, -8)], true);
    site.publish().unwrap();
    says(vec![freeze(-1, 12)], true);
    assert_eq!(site.publish().unwrap().opened, Vec::<String>::new());
    // It ends earlier, begins later, or vanishes; and so do windows.
    says(vec![freeze(-1, 11)], true);
    lost("the freeze until");
    says(vec![freeze(1, 11)], true);
    lost("the freeze until");
    says(vec![freeze(1, 11)], false);
    lost("the windows of policy/all.toml");
    says(vec![], false);
    lost("the freeze until");
    says(vec![freeze(-1, 9)], false);
    site.publish().unwrap();
    fs::remove_file(site.folder().dir.join("policy/all.toml")).unwrap();
    assert_eq!(code(site.publish_as(|how| how.expect = Expect::Nothing)), "not-expected");
    lost("policy/all.toml, the freeze until");
    // Whoever unfreezes all machines has said so.
    says(vec![freeze(-1, 9)], false);
    site.publish().unwrap();
    says(vec![], false);
    site.publish_as(|how| how.expect = Expect::Unfreeze).unwrap();
    // What the share lost is not taken for a policy that closed nothing.
    says(vec![freeze(-1, 9)], true);
    let revision = site.publish().unwrap().index.policies[0].revision;
    site.edit(|_, word| word.percent = 500);
    site.publish().unwrap();
    fs::remove_file(site.share().join(format!("policy/all.{revision}.toml"))).unwrap();
    fs::remove_file(site.folder().dir.join("policy/all.toml")).unwrap();
    lost(&format!("what policy/all.{revision}.toml kept them from"));
    // A policy of few machines is edited without a word, and it is said what goes.
    site.machines(0..100);
    site.publish_as(|how| how.expect = Expect::Changes(200)).unwrap();
    says(vec![freeze(-1, 9)], true);
    site.publish().unwrap();
    says(vec![], false);
    assert_eq!(site.publish().unwrap().opened.len(), 1);
}

/// Targets and phases are as they were published: it is the list that grows.
#[test]
fn a_list_that_brings_many_machines_to_published_jobs_wants_their_number() {
    let site = Site::new();
    let line = |n: usize, group: &str| {
        let id: crate::site::ids::MachineId = format!("BP0{n:05}").parse().unwrap();
        (id, Machine { groups: vec![group.to_owned()], ..Machine::new(id) })
    };
    let list = |web: std::ops::Range<usize>, db: std::ops::Range<usize>| {
        let machines = web.map(|n| line(n, "web")).chain(db.map(|n| line(n, "db"))).collect();
        site.folder().write_machines(&machines).unwrap();
    };
    list(0..50, 0..0);
    site.edit(|job, word| (job.targets, word.state) = (to("@web"), JobState::Active));
    site.publish().unwrap();
    // 99 more, or 100, are few; machines of another group come to no job.
    list(0..149, 10_000..10_300);
    site.publish().unwrap();
    list(0..249, 10_000..10_300);
    site.publish().unwrap();
    let asked = |machines: usize, to: &str| {
        let failure = site.publish().unwrap_err();
        assert_eq!(failure.code, "not-expected", "{failure:?}");
        let words = format!("would bring {machines} more machines to {to}");
        assert!(failure.message.as_str().contains(&words), "{failure:?}");
        assert!(failure.remedy.as_str().ends_with(&format!("--expect {machines}")), "{failure:?}");
        for expect in [Expect::Changes(machines - 1), Expect::Comes(machines - 1), Expect::Unfreeze] {
            assert_eq!(code(site.publish_as(|how| how.expect = expect)), "not-expected", "{expect:?}");
        }
        assert_eq!(
            code(site.publish_as(|how| how.expect = Expect::Job(site.job().0.job_id))),
            "not-expected"
        );
        assert_eq!(code(site.publish_as(|how| how.dry_run = true)), "not-expected");
        site.publish_as(|how| how.expect = Expect::Comes(machines)).unwrap();
        assert!(site.publish().unwrap().nothing);
    };
    list(0..350, 10_000..10_300);
    // A number of machines that go lets none come.
    assert_eq!(code(site.publish_as(|how| how.expect = Expect::Goes(999))), "not-expected");
    asked(101, "BP0000AA");
    // A machine that changes its group comes, too; its other job has it already.
    let (mut other, word) = site.job();
    (other.job_id, other.request_id) = ("BP0000AB".parse().unwrap(), "BP09999".parse().unwrap());
    other.targets = to("BP0*");
    site.folder().write_job(&other, &word).unwrap();
    site.publish_as(|how| how.expect = Expect::Changes(650)).unwrap();
    let machines = (0..350).map(|n| line(n, "web")).chain((10_000..10_300).map(|n| line(n, "web"))).collect();
    site.folder().write_machines(&machines).unwrap();
    asked(300, "BP0000AA");
    // Each machine is counted once, however many jobs it comes to.
    list(0..350, 10_000..10_300);
    site.publish().unwrap();
    list(0..500, 10_000..10_300);
    asked(150, "BP0000AA and one more job");
    // Few to each of two jobs are many together.
    let (mut third, word) = site.job();
    (third.job_id, third.request_id) = ("BP0000AC".parse().unwrap(), "BP09998".parse().unwrap());
    third.targets = to("@db");
    let source = site.folder().read(&[]).unwrap();
    let (second, its_word) = source.jobs.get(&"BP0000AB".parse().unwrap()).unwrap();
    site.folder().write_job(second, &Word { state: JobState::Suspended, ..its_word.clone() }).unwrap();
    site.folder().write_job(&third, &word).unwrap();
    site.publish_as(|how| how.expect = Expect::Changes(300)).unwrap();
    list(0..560, 10_000..10_340);
    site.publish().unwrap();
    list(0..620, 10_000..10_400);
    asked(120, "BP0000AA and one more job");
    // What is suspended brings nothing to anybody until it is resumed, which says a number of its own.
    for id in ["BP0000AA", "BP0000AC"] {
        let source = site.folder().read(&[]).unwrap();
        let (job, word) = source.jobs.get(&id.parse().unwrap()).unwrap();
        site.folder().write_job(job, &Word { state: JobState::Suspended, ..word.clone() }).unwrap();
    }
    list(0..900, 10_000..10_900);
    site.publish().unwrap();
}

/// A greater share than the phase that comes next was not expected with the job.
#[test]
fn who_lets_a_job_reach_many_machines_earlier_than_its_phases_say_says_a_number() {
    let site = Site::new();
    site.machines(0..400);
    let phases = |all: &[&str]| all.iter().map(|text| text.parse().unwrap()).collect::<Vec<job::Phase>>();
    site.edit(|job, word| {
        job.targets = to("@all");
        (job.phases, word.percent) = (phases(&["10%", "50%+1d", "100%+1d"]), 1_000);
    });
    asked(&site, 400);
    // It jumps over a phase.
    site.edit(|_, word| word.percent = 10_000);
    asked(&site, 400);
    site.edit(|_, word| word.percent = 1_000);
    site.publish().unwrap();
    // Its phases are taken out, at once or before it goes on.
    site.edit(|job, _| job.phases = phases(&["100%"]));
    asked(&site, 400);
    site.edit(|job, word| (job.phases, word.percent) = (phases(&["10%", "20%", "100%"]), 1_000));
    site.publish().unwrap();
    site.edit(|job, word| (job.phases, word.percent) = (Vec::new(), 10_000));
    asked(&site, 400);
    // So that it takes longer, or goes on as it was published, nobody has to be asked.
    site.edit(|job, word| (job.phases, word.percent) = (phases(&["10%", "30%", "100%"]), 1_000));
    site.publish().unwrap();
    site.edit(|job, _| job.phases = phases(&["10%", "20%+1d", "30%", "100%"]));
    site.publish().unwrap();
    for percent in [2_000, 3_000, 10_000] {
        site.edit(|_, word| word.percent = percent);
        site.publish().unwrap();
    }
    // A few machines more are few, whatever the phases say.
    site.edit(|job, word| (job.phases, word.percent) = (phases(&["30%", "100%"]), 3_000));
    site.publish().unwrap();
    site.edit(|job, word| (job.phases, word.percent) = (phases(&["40%", "50%", "100%"]), 4_000));
    site.publish().unwrap();
}

/// With another request id it is another delivery: it runs once more wherever it ran.
#[test]
fn who_gives_a_job_another_request_id_by_hand_says_the_number() {
    let site = Site::new();
    site.machines(0..150);
    site.edit(|job, _| job.targets = to("@all"));
    asked(&site, 150);
    site.edit(|job, _| job.request_id = "BP09999".parse().unwrap());
    asked(&site, 150);
}
