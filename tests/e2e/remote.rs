//! Shares that are no folder (SITE.md 7): machines that read a bucket, or what a web server gives, from servers that fail in
//! every way. The bucket is on a real S3 server, where there is one.

mod account;
mod faults;
mod places;
mod requests;
mod roles;
mod secrets;

use super::common::publisher::{Machine, Publisher};
use super::common::web::{Bucket, Fault, Web};
use super::common::{mode, now, seconds, stamp, text, wait_for_or, write};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A site that is published into a folder, which a web server gives.
fn mirrored() -> Option<(Publisher, Web)> {
    let publisher = Publisher::new(|dir| dir.join("share").display().to_string(), |_| String::new())?;
    publisher.done(&["site", "publish"]);
    let web = Web::of_folder(&publisher.path("share"));
    Some((publisher, web))
}

const SECRET: &str = "wJalrXUtnFEMI-secret";

/// The lines of `[share]` for the bucket behind this server; the key is in a file of this folder.
fn access(dir: &Path, web: &Web) -> String {
    let key = dir.join("bucket.key");
    write(&key, format!("access_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = \"{SECRET}\"\n").as_bytes());
    mode(&key, 0o600);
    format!("endpoint = {:?}\ncredentials = {key:?}\n", web.url())
}

/// No log, no transcript, no environment, no state of any kind holds the key.
fn is_secret(path: &Path) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten().filter(|entry| entry.file_name() != "bucket.key") {
            is_secret(&entry.path());
        }
    } else if path.is_file() {
        let bytes = fs::read(path).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|some| some == SECRET.as_bytes()), "{}", path.display());
    }
}

fn polls(machine: &Machine) -> bool {
    machine.site.pcm(&["poll", "--json"]).status.success()
}

#[test]
fn a_machine_runs_what_a_web_server_gives() {
    let Some((publisher, web)) = mirrored() else { return };
    let machine = publisher.machine(0, &[&web.url()], "");
    let _service = machine.site.service();
    let request = publisher.send();
    machine.succeeds(&request);
    assert_eq!(publisher.ran(), 1);
    // Nobody writes there, nothing is listed, and an index that is known is not sent again.
    machine.wait("an idle poll", |_| {
        web.asked().iter().rev().take_while(|asked| asked.path.ends_with("PCM.INDEX")).count() > 0
            || web.asked().iter().any(|asked| asked.status == 304)
    });
    assert!(web.asked().iter().all(|asked| matches!(asked.method.as_str(), "GET" | "HEAD")));
    machine.says("set [share] report");
}

#[test]
fn a_machine_runs_what_is_in_a_bucket() {
    let Some((publisher, _)) = mirrored() else { return };
    let Some(bucket) = Bucket::start(publisher.dir.path()) else { return };
    let request = publisher.send();
    bucket.fill(&publisher.path("share"), "pcm/bp0");
    let web = Web::before(bucket.port);
    let share = access(publisher.dir.path(), &web);
    let machine = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &share);
    let _service = machine.site.service();
    machine.succeeds(&request);
    assert_eq!(publisher.ran(), 1);
    let asked = web.asked().clone();
    assert!(
        asked
            .iter()
            .all(|asked| asked.headers.contains("authorization: aws4-hmac-sha256 credential=akidexample"))
    );
    assert!(asked.iter().all(|asked| !asked.path.contains("list-type")), "a machine lists nothing");
    // Its report and its result are there.
    machine.wait("its report is there", |_| bucket.object("pcm/bp0/machines/BP004000.json").is_some());
    machine.wait("its result is there", |_| {
        bucket.object(&format!("pcm/bp0/despoolr.box/BP004000/{request}-1.MIF")).is_some()
    });
    is_secret(machine.site.path("").as_path());
    is_secret(&publisher.path("ran.env"));
}

/// What `.github/GROWTH.md` says of requests.
#[test]
fn what_a_machine_asks_of_a_bucket_while_nothing_changes_is_three_small_requests_a_poll() {
    let Some((publisher, _)) = mirrored() else { return };
    let Some(bucket) = Bucket::start(publisher.dir.path()) else { return };
    bucket.fill(&publisher.path("share"), "pcm/bp0");
    let web = Web::before(bucket.port);
    let share = access(publisher.dir.path(), &web);
    let machine = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &share);
    let _service = machine.site.service();
    let report = "machines/BP004000.json";
    machine.wait("its report is there", |_| bucket.object(&format!("pcm/bp0/{report}")).is_some());
    let kinds = |from: usize| {
        let mut kinds: BTreeMap<(String, String, u16), usize> = BTreeMap::new();
        for asked in web.asked().iter().skip(from) {
            let path = asked.path.split("pcm/bp0/").nth(1).unwrap_or(&asked.path);
            *kinds.entry((asked.method.clone(), path.to_owned(), asked.status)).or_default() += 1;
        }
        kinds
    };
    let polls = |from: usize| web.asked().iter().skip(from).filter(|a| a.path.ends_with("PCM.INDEX")).count();
    // The first polls bring the index, and the report as it stands after them: counting begins when two in a row brought nothing.
    machine.wait("two polls that change nothing", |_| requests::is_idle(&web, 0, "AKIDEXAMPLE"));
    let from = web.asked().len();
    machine.wait("some idle polls", |_| polls(from) >= 8);
    let idle = kinds(from);
    println!("{} idle polls: {idle:?}", polls(from));
    // Whether the index is another one, whether there is a newer trust list, whether another machine wrote this one's report:
    // none of the answers carries a file. What was on its way when counting began may come along.
    let of = |method: &str, path: &str, status: u16| -> usize {
        let asked = idle.iter().filter(|((m, p, s), _)| m == method && p.starts_with(path) && *s == status);
        asked.map(|(_, n)| n).sum()
    };
    assert!(of("GET", "PCM.INDEX", 304) >= 6, "{idle:?}");
    assert!(of("HEAD", report, 200) >= 4 && of("GET", "trust/", 404) >= 5, "{idle:?}");
    let all: usize = idle.values().sum();
    assert!(all <= 3 * (polls(from) + 1) + 3, "{idle:?}");
    assert_eq!(of("PUT", "", 200), 0, "{idle:?}");
    let from = web.asked().len();
    let request = publisher.send();
    bucket.fill(&publisher.path("share"), "pcm/bp0");
    machine.succeeds(&request);
    machine.wait("its result is there", |_| {
        bucket.object(&format!("pcm/bp0/despoolr.box/BP004000/{request}-1.MIF")).is_some()
    });
    let run = kinds(from);
    println!("a run, with {} polls: {run:?}", polls(from));
    let written: usize = run.iter().filter(|((method, ..), _)| method == "PUT").map(|(_, n)| n).sum();
    assert!((2..=6).contains(&written), "{run:?}");
}

#[test]
fn a_server_that_fails_is_a_share_that_is_away_and_says_why() {
    let Some((publisher, web)) = mirrored() else { return };
    let machine = publisher.machine(0, &[&web.url()], "timeout = \"2s\"\n");
    let _service = machine.site.service();
    assert!(polls(&machine));
    let faults: [(Fault, &str); 9] = [
        (Fault::Hang, "it does not answer"),
        (Fault::Status(403, String::new()), "access is denied"),
        (Fault::Status(404, String::new()), "its index is gone"),
        (Fault::Status(500, String::new()), "status 500"),
        (Fault::Status(503, "retry-after: 7200\r\n".into()), "come back in 2h"),
        (Fault::Status(302, "location: http://127.0.0.1:1/PCM.INDEX\r\n".into()), "sends elsewhere (302)"),
        (Fault::Cut(100), "cut"),
        (Fault::Endless(5_000_000_000), "larger than 1048576 bytes"),
        (Fault::Other(b"<html>not what you asked for</html>\n".to_vec()), "signature"),
    ];
    for (fault, words) in faults {
        web.fail("PCM.INDEX", fault);
        machine.wait(&format!("it says {words:?}"), |machine| {
            polls(machine);
            machine.problems().contains(words)
        });
        web.mend();
        machine.wait("it is back", |machine| polls(machine) && !machine.problems().contains(words));
    }
    // A server that lies about its tags costs a read and nothing else.
    web.fail("PCM.INDEX", Fault::WrongTag);
    assert!(polls(&machine));
    web.mend();
    // One that asks for a moment of patience gets it.
    let request = publisher.send();
    web.fail("files/setup.sh", Fault::CutOnce(20));
    machine.succeeds(&request);
    assert_eq!(publisher.ran(), 1);
}

#[test]
fn what_a_bucket_says_of_key_clock_and_region_reaches_whoever_can_mend_it() {
    let Some((publisher, _)) = mirrored() else { return };
    fs::create_dir_all(publisher.path("objects/pcm-site/pcm")).unwrap();
    copy(&publisher.path("share"), &publisher.path("objects/pcm-site/pcm/bp0"));
    let server = Web::of_folder(&publisher.path("objects"));
    let share = access(publisher.dir.path(), &server);
    let machine = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &share);
    let _service = machine.site.service();
    assert!(polls(&machine));
    let elsewhere = "x-amz-bucket-region: eu-central-1\r\n";
    for (status, fields, code, words) in [
        (403, "", "RequestTimeTooSkewed", "access is denied (RequestTimeTooSkewed): this machine's clock"),
        (403, "", "SignatureDoesNotMatch", "access is denied (SignatureDoesNotMatch): correct"),
        (403, "", "AccessDenied", "access is denied"),
        (301, elsewhere, "PermanentRedirect", "is in eu-central-1, and [share] region is us-east-1"),
        (400, "", "AuthorizationHeaderMalformed", "is [share] region (us-east-1) the one of the bucket?"),
    ] {
        server.fail("PCM.INDEX", Fault::Code(status, fields.to_owned(), code));
        machine.wait(&format!("it says {words:?}"), |machine| {
            polls(machine);
            let problems = machine.problems();
            problems.contains(words) && problems.contains("share-denied") == (status == 403)
        });
        server.mend();
        machine.wait("it is back", |machine| polls(machine) && !machine.problems().contains(words));
    }
}

#[test]
fn a_new_machine_asks_where_it_may_have_written_whether_it_ran_before() {
    let Some((publisher, web)) = mirrored() else { return };
    // The files of the share as objects, and a bucket that does not exist.
    let objects = publisher.path("objects/pcm-site/pcm/bp0");
    fs::create_dir_all(publisher.path("objects/pcm-site/pcm")).unwrap();
    copy(&publisher.path("share"), &objects);
    let server = Web::of_folder(&publisher.path("objects"));
    let share = access(publisher.dir.path(), &server);
    let root = publisher.root();
    let init = |n: usize, location: &str, share: &str| {
        text(&publisher.machine_bare(n, &[location], share).site.pcm(&[
            "init",
            "--json",
            "--trust-key",
            &root,
        ]))
    };
    let bucket = "s3://pcm-site/pcm/bp0";
    let said = init(1, bucket, &share);
    assert!(said.contains("history created at"), "{said}");
    let said = init(1, bucket, &format!("{share}report = \"s3://no-such-bucket\"\n"));
    assert!(said.contains("neither PCM.SITE nor PCM.INDEX in it"), "{said}");
    server.fail("/machines/", Fault::Status(403, String::new()));
    let said = init(1, bucket, &share);
    assert!(said.contains("allow s3:ListBucket"), "{said}");
    server.mend();
    // What can be read of an earlier life counts wherever it is.
    fs::create_dir_all(objects.join("machines")).unwrap();
    fs::create_dir_all(publisher.path("share/machines")).unwrap();
    for machines in [objects.join("machines"), publisher.path("share/machines")] {
        write(&machines.join("BP004002.json"), b"{");
    }
    for location in [bucket, &web.url()] {
        let said = init(2, location, &share);
        assert!(said.contains("earlier report of BP004002"), "{said}");
    }
    // A server that only gives may deny what is not there.
    web.fail("/machines/", Fault::Status(403, String::new()));
    let machine = publisher.machine(0, &[&web.url()], "");
    let _service = machine.site.service();
    machine.succeeds(&publisher.send());
}

/// A site that is published into a bucket, before which a server stands that can fail.
fn in_a_bucket() -> Option<(Publisher, Bucket, Web)> {
    let mut bucket = None;
    let mut web = None;
    let publisher = Publisher::new(
        |_| "s3://pcm-site/pcm/bp0".to_owned(),
        |dir| {
            bucket = Bucket::start(dir);
            web = bucket.as_ref().map(|bucket| Web::before(bucket.port));
            web.as_ref().map_or(String::new(), |web| format!("[share]\n{}", access(dir, web)))
        },
    )?;
    Some((publisher, bucket?, web?))
}

#[test]
fn a_site_in_a_bucket_is_published_run_and_watched() {
    let Some((publisher, bucket, web)) = in_a_bucket() else { return };
    publisher.done(&["site", "publish"]);
    let share = access(publisher.dir.path(), &web);
    let machines: Vec<Machine> =
        (0..5).map(|n| publisher.machine(n, &["s3://pcm-site/pcm/bp0"], &share)).collect();
    let _services: Vec<_> = machines.iter().map(|machine| machine.site.service()).collect();
    let request = publisher.send();
    machines.iter().for_each(|machine| machine.succeeds(&request));
    assert_eq!(publisher.ran(), 5);
    for (n, machine) in machines.iter().enumerate() {
        let result = format!("pcm/bp0/despoolr.box/BP00400{n}/{request}-1.MIF");
        machine.wait("its result is there", |_| bucket.object(&result).is_some());
    }
    let all_done = || {
        let rollout = publisher.done(&["rollout"]);
        rollout["jobs"].as_array().unwrap().iter().any(|job| job["request_id"] == request && job["done"] == 5)
    };
    wait_for_or(Duration::from_secs(60), all_done)
        .unwrap_or_else(|()| panic!("{:#}", publisher.done(&["rollout"])));
    // What is known already is not read again: the list says how it stands.
    let reads = || {
        let asked = web.asked();
        asked.iter().filter(|asked| asked.method == "GET" && asked.path.contains("/machines/BP00400")).count()
    };
    let status = publisher.done(&["site", "status"]);
    assert!(!status["unpublished"].to_string().contains("true"), "{status:#}");
    let before = reads();
    publisher.done(&["rollout"]);
    assert!(reads() - before <= 10, "{} reports were read again", reads() - before);
    for machine in &machines {
        is_secret(&machine.site.path(""));
    }
    is_secret(&publisher.path(""));
}

/// What the first machines of a job report in a bucket halts it there, and what a collector writes there is what is counted.
#[test]
fn a_job_in_a_bucket_is_halted_resumed_collected_cancelled_and_frozen() {
    let Some((publisher, bucket, web)) = in_a_bucket() else { return };
    let (ran, fails) = (publisher.path("ran"), publisher.path("fails"));
    publisher.files(&format!("#!/bin/sh\necho ran >> {}\n[ ! -e {} ]\n", ran.display(), fails.display()));
    fs::write(&fails, "").unwrap();
    publisher.done(&["site", "publish"]);
    let share = access(publisher.dir.path(), &web);
    let machines: Vec<Machine> =
        (0..5).map(|n| publisher.machine(n, &["s3://pcm-site/pcm/bp0"], &share)).collect();
    let _services: Vec<_> = machines.iter().map(|machine| machine.site.service()).collect();
    let at = stamp(now());
    let send = ["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", &at];
    let sent = publisher.done(&[&send[..], &["--canary", "BP004000,BP004001,BP004002"]].concat());
    let (job, request) = (sent["job_id"].as_str().unwrap(), sent["request_id"].as_str().unwrap());
    machines[..3].iter().for_each(|machine| machine.ends(request, "failed"));
    let mut told = text(&publisher.pcm(&["rollout", job]));
    let halted = wait_for_or(Duration::from_secs(60), || {
        let advanced = publisher.pcm(&["job", "advance"]);
        told = text(&advanced);
        advanced.status.code() == Some(10)
    });
    halted.unwrap_or_else(|()| panic!("it does not halt: {told}"));
    assert_eq!(publisher.pcm(&["rollout", job]).status.code(), Some(10));
    machines[0].wait("it hears of the halt", |machine| {
        machine.site.json_of(&["explain", request]).to_string().contains("halted: ")
    });

    fs::remove_file(&fails).unwrap();
    publisher.done(&["job", "resume", job, "--reason", "mended"]);
    publisher.done(&["job", "advance", job, "--now", "--reason", "seen by hand"]);
    machines[3..].iter().for_each(|machine| machine.succeeds(request));
    assert_eq!(publisher.ran(), 5);
    let count = |args: &[&str]| {
        let counted = publisher.done(&[&["rollout", job], args].concat());
        let figures = ["targets", "done", "failed"].map(|key| counted["jobs"][0][key].clone());
        (counted["collected"].clone(), figures, counted["warnings"].clone())
    };
    let mut last = count(&[]);
    wait_for_or(Duration::from_secs(60), || {
        last = count(&[]);
        last.1 == [5, 2, 3].map(Value::from)
    })
    .unwrap_or_else(|()| panic!("{last:?}"));
    let did = |state: &str| {
        let has = |machine: &&Machine| {
            let history = machine.site.json_of(&["history", request]);
            history["attempts"].as_array().unwrap().iter().any(|attempt| attempt["state"] == state)
        };
        machines.iter().filter(has).count()
    };
    assert_eq!((did("succeeded"), did("failed")), (2, 3), "the machines' own histories say the same");
    // Few reports are read themselves: the site gets machines that nobody has installed yet.
    let list = fs::read_to_string(publisher.path("folder/machines.csv")).unwrap();
    let more: String = (0..2_000).map(|n| format!("BP05{n:04}\n")).collect();
    write(&publisher.path("folder/machines.csv"), (list + &more).as_bytes());
    publisher.done(&["site", "publish", "--expect", "2000"]);
    publisher.done(&["site", "collect"]);
    assert!(bucket.object("pcm/bp0/machines.collected").is_some());
    // Another machine of an operator has read nothing itself.
    fs::remove_dir_all(publisher.path("cache")).unwrap();
    let (collected, figures, warnings) = count(&[]);
    assert!(collected.is_object(), "{warnings}");
    assert_eq!(figures, count(&["--fresh"]).1);

    // What is taken back or stopped counts at once.
    let at = stamp(now() + seconds(3_600));
    let sent =
        publisher.done(&["job", "send", "--package", "BP00000A", "--to", "BP004004", "--mandatory", &at]);
    let (job, request) = (sent["job_id"].as_str().unwrap(), sent["request_id"].as_str().unwrap());
    machines[4].wait("it knows the job", |machine| machine.site.state_of(request) != "absent");
    publisher.done(&["site", "freeze", "--expect", "2005", "--until", "1h", "--reason", "an outage"]);
    let explained = |machine: &Machine| machine.site.json_of(&["explain", request]).to_string();
    machines[4].wait("it hears of the freeze", |machine| explained(machine).contains("an outage"));
    publisher.done(&["site", "unfreeze", "--expect", "2005"]);
    publisher.done(&["job", "cancel", job, "--reason", "a mistake"]);
    machines[4].wait("it hears that it is cancelled", |machine| explained(machine).contains("\"cancelled\""));
}

#[test]
fn a_publisher_that_dies_leaves_the_bucket_as_it_was_or_as_it_will_be() {
    let Some((publisher, bucket, web)) = in_a_bucket() else { return };
    publisher.done(&["site", "publish"]);
    let index = || bucket.object("pcm/bp0/PCM.INDEX").unwrap();
    for step in [
        "PUT /pcm-site/pcm/bp0/PCM.PUBLISHING",
        "PUT /pcm-site/pcm/bp0/members",
        "PUT /pcm-site/pcm/bp0/PCM.INDEX",
    ] {
        let before = index();
        let machines = fs::read_to_string(publisher.path("folder/machines.csv")).unwrap();
        write(
            &publisher.path("folder/machines.csv"),
            format!("{machines}BP0041{:02},,web\n", machines.len() % 97).as_bytes(),
        );
        web.fail(step, Fault::Hang);
        let mut dies = publisher.verb(&["site", "publish"]);
        let mut child =
            dies.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let hangs = || web.asked().iter().any(|asked| asked.status == 0);
        wait_for_or(Duration::from_secs(60), hangs).unwrap_or_else(|()| panic!("{step} never came"));
        child.kill().unwrap();
        child.wait().unwrap();
        web.mend();
        web.asked().clear();
        assert_eq!(index(), before, "{step}");
        publisher.done(&["site", "publish"]);
        assert_ne!(index(), before, "{step}");
        assert!(bucket.object("pcm/bp0/PCM.PUBLISHING").is_none());
    }
    // A connection that is cut when the index is there already is not somebody else's publication.
    fs::write(publisher.path("folder/machines.csv"), "BP004000,,web\nBP004001,,web\nBP004002,,web\n")
        .unwrap();
    web.fail("PUT /pcm-site/pcm/bp0/PCM.INDEX", Fault::Swallow);
    let before = index();
    publisher.done(&["site", "publish", "--expect", "99"]);
    assert_ne!(index(), before);
    // One that answers byte by byte is given up by whoever waits in a terminal, too.
    let own = publisher.path("publisher.toml");
    let config = fs::read_to_string(&own).unwrap();
    write(&own, format!("{config}timeout = \"1s\"\n").as_bytes());
    web.fail("GET /pcm-site/pcm/bp0/PCM.INDEX", Fault::Trickle);
    let given_up = publisher.pcm(&["site", "publish"]);
    assert_eq!(given_up.status.code(), Some(5), "{}", text(&given_up));
    assert!(text(&given_up).contains("the server does not answer in time"), "{}", text(&given_up));
    web.mend();
    write(&own, config.as_bytes());
    // Somebody else publishes meanwhile: one of them hears of it, and nothing is lost.
    bucket
        .ask("PUT", "/pcm-site/pcm/bp0/PCM.PUBLISHING", b"anna since 2026-11-22T08:00:00Z at far:/srv/site\n")
        .unwrap();
    write(
        &publisher.path("folder/machines.csv"),
        b"BP004000,,web\nBP004001,,web\nBP004002,,web\nBP004003,,web\nBP004004,,web\n",
    );
    let refused = publisher.pcm(&["site", "publish", "--expect", "9"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("anna"), "{}", text(&refused));
    publisher.done(&["site", "publish", "--expect", "9", "--break-lock"]);
}

/// Copies a folder as it is over what another holds.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let done = std::process::Command::new("cp").args(["-a"]).arg(from).arg(to).status();
    assert!(done.unwrap().success());
}

#[test]
fn of_several_locations_the_highest_counts_and_content_comes_from_the_nearest() {
    let Some((publisher, web)) = mirrored() else { return };
    publisher.send();
    let lags: PathBuf = publisher.path("lags");
    copy(&publisher.path("share"), &lags);
    let near = Web::of_folder(&lags);
    let share = publisher.path("share").display().to_string();
    let machine = publisher.machine(0, &[&near.url(), &web.url(), &share], "");
    let _service = machine.site.service();
    let first = publisher.send();
    // The nearest lags: what is in force comes from the others, its files, which have not changed, from the nearest.
    machine.succeeds(&first);
    let files = |web: &Web| web.asked().iter().filter(|asked| asked.path.ends_with("setup.sh")).count();
    assert!(files(&near) > 0 && files(&web) == 0);
    assert!(!machine.problems().contains("rollback"));
    let check = machine.site.json_of(&["check"]).to_string();
    assert!(check.contains("lags: serial"), "{check}");
    // New files are only where they were published.
    publisher.files(&format!("#!/bin/sh\necho ran >> {}\n", publisher.path("ran").display()));
    let second = publisher.send();
    machine.succeeds(&second);
    assert!(files(&web) > 0);
    assert_eq!(publisher.ran(), 3);
    // Reports go where somebody can write: to the folder.
    machine.wait("its report is in the folder", |_| publisher.path("share/machines/BP004000.json").exists());
    // The nearest is all that is left, and it is behind.
    web.give(&publisher.path("nothing"));
    fs::rename(publisher.path("share"), publisher.path("away")).unwrap();
    machine.says("rollback");
}
