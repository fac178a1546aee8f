//! What a machine's owner says of it (`[report] facts`), and jobs that ask for it: published by pcm's own publisher.

use super::*;

/// A machine in mode `permissions` on the share of a site folder, whose package says that it ran.
struct Owned {
    site: Site,
    folder: String,
}

impl Owned {
    fn new() -> Self {
        let site = Site::bare("");
        let folder = site.path("folder").display().to_string();
        site.json(&["site", "init", &folder, "--site", "BP0", "--example", MACHINE]);
        let owned = Self { site, folder };
        let setup = owned.site.path("folder/packages/BP00000A/files/setup.sh");
        fs::write(setup, format!("#!/bin/sh\n{}\n", owned.site.say("ran"))).unwrap();
        owned.publisher(&["package", "content", "BP00000A"]);
        // The example's job is of the files before.
        fs::remove_file(owned.site.path("folder/jobs/BP0000AA.toml")).unwrap();
        owned.publisher(&["site", "publish"]);
        let config = fs::read_to_string(owned.site.config()).unwrap();
        let shares = format!("{:?}", owned.site.path("folder/share"));
        let config = config.replace(&format!("{:?}", owned.site.share()), &shares);
        write(&owned.site.config(), format!("{config}[report]\nfacts = {{ rack = \"b7\" }}\n").as_bytes());
        owned.site.json(&["init"]);
        owned
    }

    fn publisher(&self, args: &[&str]) -> Value {
        self.site.json(&[args, &["--folder", &self.folder]].concat())
    }

    /// Sends a job to all machines where this holds, mandatory now; its job and its request.
    fn send(&self, condition: &str) -> (String, String) {
        let at = stamp(now());
        let send = ["job", "send", "--package", "BP00000A", "--to", "@all", "--where", condition];
        let sent = self.publisher(&[&send[..], &["--mandatory", &at]].concat());
        let id = |key: &str| sent[key].as_str().unwrap().to_owned();
        (id("job_id"), id("request_id"))
    }

    fn target(&self, job: &str) -> (Value, Value, String) {
        self.site.json(&["poll"]);
        let doc = self.site.json(&["explain", job]);
        let gate = doc["gates"].as_array().unwrap().iter().find(|g| g["gate"] == "target").unwrap().clone();
        (gate["verdict"].clone(), gate["code"].clone(), gate["evidence"].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_job_that_asks_for_a_fact_is_for_the_machines_whose_owner_says_so() {
    let owned = Owned::new();
    let (job, request) = owned.send("fact(\"rack\") == \"a3\"");
    let (other, waits) = owned.send("fact(\"row\") != \"1\"");
    let (verdict, code, evidence) = owned.target(&job);
    assert_eq!((verdict, code), ("block".into(), "not-targeted".into()));
    let says = "only for machines where fact(\"rack\") == \"a3\"; rack is \"b7\" here ([report] facts)";
    assert!(evidence.ends_with(says), "{evidence}");
    // What nobody says of it closes, also where the opposite is asked for.
    let (verdict, code, evidence) = owned.target(&other);
    assert_eq!((verdict, code), ("unknown".into(), "not-targeted".into()));
    assert!(
        evidence.ends_with("cannot be known here; this machine names no row ([report] facts)"),
        "{evidence}"
    );
    let service = owned.site.service();
    owned.site.wait_state(&waits, "waiting");
    assert!(owned.site.request(&request).is_none(), "it is no request of this machine");
    service.terminate();
    assert_eq!(owned.site.ran("ran"), 0);
    // The machine moves.
    let config = fs::read_to_string(owned.site.config()).unwrap().replace("rack = \"b7\"", "rack = \"A3\"");
    write(&owned.site.config(), config.as_bytes());
    let (verdict, _, evidence) = owned.target(&job);
    assert_eq!((verdict, evidence.contains("where fact(\"rack\") == \"a3\"")), ("pass".into(), true));
    let _service = owned.site.service();
    owned.site.wait_state(&request, "succeeded");
    let report = owned.site.path("folder/share/machines").join(format!("{MACHINE}.json"));
    wait_for("its report", || report_at(&report)["facts"] == serde_json::json!({ "rack": "A3" }));
    assert_eq!(owned.site.ran("ran"), 1);
    owned.site.wait_state(&waits, "waiting");
}
