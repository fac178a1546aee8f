//! What each role may do in a bucket, by the policies of `.github/docs/shares.md`: an S3 server looks at keys, signatures and
//! rights. Whoever may only read sees everything, and whatever would write says that it may not.

use super::super::common::publisher::{Machine, Publisher};
use super::super::common::web::{Asked, Bucket, Web};
use super::super::common::{mode, text, wait_for_or, write};
use super::requests::of_key;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SHARE: &str = "s3://pcm-site/bp0";
const SHARES: &str = include_str!("../../../.github/docs/shares.md");

/// The policy that the page has below a line that begins with this.
fn policy(role: &str) -> String {
    let (_, after) =
        SHARES.split_once(&format!("\n{role}")).unwrap_or_else(|| panic!("shares.md has no {role}"));
    let lines = after.lines().skip_while(|line| !line.starts_with("    {"));
    let policy: String = lines.take_while(|line| line.starts_with("    ")).collect();
    let parsed: Value = serde_json::from_str(&policy).unwrap_or_else(|e| panic!("{role}: {e}: {policy}"));
    assert!(parsed["Statement"].is_array());
    policy
}

/// The file with the key of somebody with this policy, and how the key is called.
fn key(dir: &Path, bucket: &Bucket, name: &str, policy: &str) -> (String, PathBuf) {
    let (id, secret) = bucket.user(name, policy);
    let key = dir.join(format!("{name}.key"));
    write(&key, format!("access_key_id = {id:?}\nsecret_access_key = {secret:?}\n").as_bytes());
    mode(&key, 0o600);
    (id, key)
}

/// The lines of `[share]` of somebody with this policy.
fn access(dir: &Path, bucket: &Bucket, web: &Web, name: &str, policy: &str) -> String {
    let (_, key) = key(dir, bucket, name, policy);
    format!("endpoint = {:?}\ncredentials = {key:?}\n", web.url())
}

struct World {
    publisher: Publisher,
    /// The server: the bucket of the shares, and another one, `pcm-reports`, that takes only reports.
    bucket: Bucket,
    web: Web,
}

impl World {
    fn new() -> Option<Self> {
        let mut made = None;
        let publisher = Publisher::new(
            |_| SHARE.to_owned(),
            |dir| {
                let Some(bucket) = Bucket::start(dir) else { return String::new() };
                for name in ["/pcm-reports", "/pcm-reports/r/PCM.SITE"] {
                    assert_eq!(bucket.ask("PUT", name, b"").unwrap().0, 200, "{name}");
                }
                let web = Web::before(bucket.port);
                let lines = access(dir, &bucket, &web, "publisher", &policy("A publisher"));
                if !bucket.looks_at_rights() {
                    return String::new();
                }
                made = Some((bucket, web));
                format!("[share]\n{lines}")
            },
        )?;
        let (bucket, web) = made?;
        Some(Self { publisher, bucket, web })
    }

    fn access(&self, name: &str, policy: &str) -> String {
        access(self.publisher.dir.path(), &self.bucket, &self.web, name, policy)
    }

    /// A verb of somebody else who has the site folder.
    fn as_one(&self, name: &str, lines: &str, args: &[&str]) -> std::process::Output {
        let config = self.publisher.path(&format!("{name}.toml"));
        write(&config, format!("[share]\n{lines}").as_bytes());
        let mut verb = self.publisher.verb(args);
        verb.env("PCM_CONFIG", config).env("XDG_CACHE_HOME", self.publisher.path(name)).output().unwrap()
    }

    /// Whether a request with this in it was answered so.
    fn was(&self, method: &str, path: &str, status: u16) -> bool {
        self.web
            .asked()
            .iter()
            .any(|one| one.method == method && one.path.contains(path) && one.status == status)
    }
}

#[test]
fn each_role_does_its_own_with_its_policy_and_nothing_else() {
    let Some(world) = World::new() else { return };
    let publisher = &world.publisher;
    publisher.done(&["site", "publish"]);

    // All keys are made before anybody uses one: while one is made the server looks at no rights.
    let own = policy("A machine");
    let [machine, other] = ["machine", "other"].map(|name| world.access(name, &own));
    let reader = world.access("reader", &policy("An operator who only looks"));
    let collector = world.access("collector", &policy("A collector"));

    // A machine reads all, and writes its own report and results.
    let first = publisher.machine(0, &[SHARE], &machine);
    let _service = first.site.service();
    let request = publisher.send();
    first.succeeds(&request);
    let result = format!("despoolr.box/BP004000/{request}-1.MIF");
    first.wait("its report and its result are there", |_| {
        world.was("PUT", "machines/BP004000.json", 200) && world.was("PUT", &result, 200)
    });
    assert!(!first.problems().contains("denied"), "{}", first.problems());
    assert!(!world.web.asked().iter().any(|one| one.path.contains("list-type") && one.status != 200));

    // With the key of another machine it runs, and says that nobody hears of it.
    let second = publisher.machine(1, &[SHARE], &other);
    let _other = second.site.service();
    second.succeeds(&request);
    second.wait("it may not write another one's report", |machine| {
        world.was("PUT", "machines/BP004001.json", 403) && undelivered(machine).contains("access is denied")
    });

    // Who only looks sees what the publisher sees.
    let look = |args: &[&str]| world.as_one("reader", &reader, args);
    let counted = || -> Value { serde_json::from_slice(&look(&["rollout"]).stdout).unwrap_or_default() };
    wait_for_or(Duration::from_secs(60), || counted()["jobs"][0]["done"] == 1)
        .unwrap_or_else(|()| panic!("{:#}", counted()));
    assert_eq!(counted()["jobs"][0]["targets"], 5);
    let job = counted()["jobs"][0]["job_id"].as_str().unwrap().to_owned();
    for args in [
        &["rollout", &job][..],
        &["rollout", "--fresh"],
        &["site", "status"],
        &["job", "list"],
        &["job", "show", &job],
        &["site", "publish", "--dry-run"],
    ] {
        // What needs somebody's attention is exit status 10, also to who only looks.
        let seen = look(args);
        assert!(matches!(seen.status.code(), Some(0 | 10)), "{args:?}: {}", text(&seen));
        assert!(!text(&seen).contains("denied"), "{args:?}: {}", text(&seen));
    }
    // Whatever would write says that it may not, and has written nothing.
    let jobs = || fs::read_dir(publisher.path("folder/jobs")).unwrap().count();
    let (before, puts) = (jobs(), writes(&world.web));
    let list = fs::read_to_string(publisher.path("folder/machines.csv")).unwrap();
    write(&publisher.path("folder/machines.csv"), format!("{list}BP004100,,web\n").as_bytes());
    for args in [
        &["site", "publish"][..],
        &["site", "collect"],
        &["job", "suspend", &job, "--reason", "stop"],
        &["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", "22:00"],
    ] {
        let refused = look(args);
        let said = text(&refused);
        assert!(!refused.status.success(), "{args:?}: {said}");
        assert!(said.contains("access is denied"), "{args:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("Report this"), "{args:?}: {said}");
    }
    assert_eq!(writes(&world.web), puts, "nothing was written for it");
    println!("job files of the folder: {before} before, {} after the refused ones", jobs());
    write(&publisher.path("folder/machines.csv"), list.as_bytes());

    // A collector writes what it has collected and nothing else.
    let done = world.as_one("collector", &collector, &["site", "collect"]);
    assert!(done.status.success(), "{}", text(&done));
    assert!(world.was("PUT", "machines.collected", 200));
    // The publisher goes on with what stands in the folder.
    publisher.done(&["site", "publish", "--expect", "99"]);
}

/// What is published is read by a key that changes nothing, and what is reported is written by another one; `pcm check` tries both.
#[test]
fn a_key_that_only_reads_and_one_that_reports_do_together_what_one_does() {
    let Some(world) = World::new() else { return };
    let (publisher, web) = (&world.publisher, &world.web);
    publisher.done(&["site", "publish"]);
    let made = |name: &str, policy: &str| key(publisher.dir.path(), &world.bucket, name, policy);
    let (reads, reading) = made("reads", &policy("A key that only reads"));
    let own = policy("A key for the reports of `BP004000`");
    let (reports, reporting) = made("reports", &own);
    // One for reports that may not see what is published.
    let blind = own.replace("BP004000", "BP004002").replace("\"arn:aws:s3:::pcm-site/bp0/PCM.*\", ", "");
    assert!(!blind.contains("PCM.*"), "{blind}");
    let (_, blind) = made("blind", &blind);
    let share = format!("endpoint = {:?}\ncredentials = {reading:?}\n", web.url());
    let both = format!("{share}report_credentials = {reporting:?}\n");

    let first = publisher.machine(0, &[SHARE], &both);
    let service = first.site.service();
    let request = publisher.send();
    first.succeeds(&request);
    let result = format!("despoolr.box/BP004000/{request}-1.MIF");
    first.wait("its report and its result are there", |_| {
        world.was("PUT", "machines/BP004000.json", 200) && world.was("PUT", &result, 200)
    });
    let found = |machine: &Machine, name: &str| -> Value {
        let check = machine.site.json_of(&["check"]);
        let items = check["items"].as_array().unwrap_or_else(|| panic!("{check:#}"));
        items.iter().find(|item| item["item"] == name).cloned().unwrap_or_else(|| panic!("{check:#}"))
    };
    for item in ["share", "report-location", "machine-report", "content-source"] {
        let row = found(&first, item);
        assert_eq!(row["verdict"], "pass", "{row:#}");
    }
    assert!(!first.problems().contains("denied"), "{}", first.problems());
    drop(service);
    // Each key did its own, and was denied nothing.
    let (by_reader, by_reporter) = (of_key(web, 0, &reads), of_key(web, 0, &reports));
    let written = ["machines/BP004000.json", "despoolr.box/BP004000/"];
    assert!(by_reader.iter().all(|one| matches!(one.method.as_str(), "GET" | "HEAD")), "{by_reader:#?}");
    assert!(by_reader.iter().all(|one| !written.iter().any(|own| one.path.contains(own))), "{by_reader:#?}");
    let by = |kind: &str| by_reporter.iter().any(|one| one.path.contains(kind));
    assert!(
        !["/jobs/", "/packages/", "/content/", "/members/"].iter().any(|kind| by(kind)),
        "{by_reporter:#?}"
    );
    // But for two that ask: whether a share answers is asked by the report of a machine that nobody is, and a check removes what it
    // wrote where it may.
    let asks =
        |one: &Asked| matches!(one.method.as_str(), "POST" | "DELETE") || one.path.contains("PCM00000");
    let denied = |one: &Asked| one.status == 403 && !asks(one);
    let refused: Vec<&Asked> = by_reader.iter().chain(&by_reporter).filter(|one| denied(one)).collect();
    assert!(refused.is_empty(), "{refused:#?}");

    // One that has only the key which reads cannot know what it wrote there before, and says which key has to be allowed what.
    let second = publisher.machine_bare(1, &[SHARE], &share);
    second.site.pcm(&["init", "--trust-key", &publisher.root()]);
    let refused = found(&second, "report-location");
    assert_eq!(refused["verdict"], "block", "{refused:#}");
    let remedy = refused["remedy"].as_str().unwrap();
    for word in ["reads.key", "machines/BP004001.json", "despoolr.box/BP004001/", "report_credentials"] {
        assert!(remedy.contains(word), "{word}: {remedy}");
    }
    assert_eq!(found(&second, "share")["verdict"], "pass");

    let third = publisher.machine_bare(2, &[SHARE], &format!("{share}report_credentials = {blind:?}\n"));
    third.site.pcm(&["init", "--trust-key", &publisher.root()]);
    // Once it follows a site it writes to no other one, and looks.
    third.site.pcm(&["poll"]);
    let refused = found(&third, "report-location");
    assert_eq!(refused["verdict"], "block", "{refused:#}");
    let remedy = refused["remedy"].as_str().unwrap();
    for word in ["blind.key", "PCM.* and trust/*", "list the bucket"] {
        assert!(remedy.contains(word), "{word}: {remedy}");
    }
}

/// The key for a bucket that takes only reports is also asked by a new machine at its shares, where it may have reported before.
#[test]
fn a_key_for_reports_in_another_bucket_sees_at_the_shares_what_a_new_machine_has_to_know() {
    let Some(world) = World::new() else { return };
    let (publisher, web) = (&world.publisher, &world.web);
    publisher.done(&["site", "publish"]);
    let (_, reading) =
        key(publisher.dir.path(), &world.bucket, "reads", &policy("A key that only reads what"));
    // The rights of machine `n`, without the one of this number at the shares.
    let made = |n: usize, without: Option<usize>| {
        let own = policy("A key for the reports of `BP004000`").replace("BP004000", &format!("BP00400{n}"));
        let own = own.replace("pcm-site/bp0", "pcm-reports/r").replace("pcm-site", "pcm-reports");
        let mut all: Value = serde_json::from_str(&own).unwrap();
        let at = "arn:aws:s3:::pcm-site";
        let shares = [
            ("s3:GetObject", format!("{at}/bp0/PCM.*")),
            ("s3:GetObject", format!("{at}/bp0/machines/BP00400{n}.json")),
            ("s3:ListBucket", at.to_owned()),
        ];
        let shares = shares.iter().enumerate().filter(|(number, _)| Some(*number) != without);
        let shares = shares.map(|(_, (action, resource))| {
            serde_json::json!({"Effect": "Allow", "Action": action, "Resource": resource})
        });
        all["Statement"].as_array_mut().unwrap().extend(shares);
        let (id, file) = key(publisher.dir.path(), &world.bucket, &format!("reports{n}"), &all.to_string());
        let lines = format!("endpoint = {:?}\ncredentials = {reading:?}\n", web.url());
        (id, format!("{lines}report_credentials = {file:?}\nreport = \"s3://pcm-reports/r\"\n"))
    };
    let [(by, lines), (_, no_index), (_, no_report)] =
        [(0, None), (1, Some(0)), (2, Some(1))].map(|(n, without)| made(n, without));

    let first = publisher.machine_bare(0, &[SHARE], &lines);
    let init = first.site.json(&["init", "--trust-key", &publisher.root()]);
    assert_eq!(init["unseen"], serde_json::json!([]), "{init:#}");
    let _service = first.site.service();
    let request = publisher.send();
    first.succeeds(&request);
    first.wait("its report and its result are in the other bucket", |_| {
        world.was("PUT", "/pcm-reports/r/machines/BP004000.json", 200)
            && world.was("PUT", &format!("/pcm-reports/r/despoolr.box/BP004000/{request}-1.MIF"), 200)
    });
    let asked = of_key(web, 0, &by);
    let at_shares: Vec<&Asked> = asked.iter().filter(|one| one.path.contains("/pcm-site/")).collect();
    assert!(!at_shares.is_empty() && at_shares.iter().all(|one| one.method != "PUT"), "{at_shares:#?}");
    // Whether the share answers is asked by the report of a machine that nobody is.
    let refused = |one: &&&Asked| one.status == 403 && !one.path.contains("PCM00000");
    let refused: Vec<&&Asked> = at_shares.iter().filter(refused).collect();
    assert!(refused.is_empty(), "{refused:#?}");

    // This server says of itself what is not there, also where nobody may list.
    for (n, lines) in [(1, no_index), (2, no_report)] {
        let other = publisher.machine_bare(n, &[SHARE], &lines);
        let init = other.site.json_of(&["init", "--trust-key", &publisher.root()]);
        assert_eq!(init["unseen"], serde_json::json!([SHARE]), "{n}: {init:#}");
    }
}

/// What could not be delivered, and why.
fn undelivered(machine: &Machine) -> String {
    let status = machine.site.json_of(&["status"]);
    format!("{} {}", status["undelivered"], status["problems"])
}

/// How many writes were done.
fn writes(web: &Web) -> usize {
    let asked = web.asked();
    asked
        .iter()
        .filter(|one| matches!(one.method.as_str(), "PUT" | "DELETE" | "POST") && one.status < 400)
        .count()
}
