//! `pcm simulate` from outside: the machine's own requests, and an instruction file before it is published.

use super::common::*;
use serde_json::Value;

fn find<'a>(doc: &'a Value, id: &str) -> &'a Value {
    let requests = doc["requests"].as_array().unwrap();
    requests.iter().find(|r| r["request_id"] == id).unwrap_or_else(|| panic!("{id} is not in {doc}"))
}

fn hours(n: i64) -> chrono::TimeDelta {
    chrono::TimeDelta::hours(n)
}

#[test]
fn it_says_what_runs_when_what_never_will_and_why() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let request = |id: &str| Request::due(id).set("content_sha256", hash.clone());
    let soon = now() + hours(2);
    site.publish(&[
        request("BP00001").mandatory(soon).set("max_run_time", "\"30m\""),
        request("BP00002").mandatory(soon),
        request("BP00003").set("mandatory_after", ""),
        request("BP00004").set("platforms", "[\"windows-x86\"]"),
        request("BP00005").mandatory(now() + hours(24 * 30)),
        request("BP00006").set("depends_on", "[\"BP00002\"]"),
    ]);
    let doc = site.json(&["simulate", "--assume", "service=running"]);
    assert_eq!(find(&doc, "BP00001")["at"], stamp(soon));
    assert_eq!(find(&doc, "BP00001")["why"], "its mandatory time comes");
    let pair = |doc: &Value, id: &str| (find(doc, id)["at"].clone(), find(doc, id)["latest"].clone());
    let times = |at, latest| (Value::from(stamp(at)), Value::from(stamp(latest)));
    assert_eq!(pair(&doc, "BP00001"), times(soon, soon));
    assert_eq!(pair(&doc, "BP00002"), times(soon, soon + seconds(1800)), "what ran never may take no time");
    let third = soon + seconds(1800) + hours(2);
    assert_eq!(pair(&doc, "BP00006"), times(soon, third), "after what it depends on");
    let longest = site.json(&["simulate", "--assume", "service=running", "--assume", "runs=longest"]);
    assert_eq!(pair(&longest, "BP00006"), times(third, third), "one after the other");
    for (id, never) in [("BP00003", true), ("BP00004", true), ("BP00005", false)] {
        assert_eq!(
            (&find(&doc, id)["at"], find(&doc, id)["never"].as_bool()),
            (&Value::Null, Some(never)),
            "{id}"
        );
        assert_ne!(find(&doc, id)["why"], "", "{id}");
    }
    let steps: Vec<_> =
        find(&doc, "BP00001")["changes"].as_array().unwrap().iter().map(|s| &s["state"]).collect();
    assert_eq!(steps, ["offered", "due", "running", "succeeded"]);
    assert_eq!(find(&doc, "BP00001")["changes"][0]["code"], "not-mandatory-yet");
    let longer = site.json(&["simulate", "BP00005", "--until", "60d", "--assume", "service=running"]);
    assert_eq!(longer["requests"].as_array().unwrap().len(), 1);
    assert!(find(&longer, "BP00005")["at"].is_string());
    assert_eq!(site.ran("ran"), 0, "nothing was started");
    let text = String::from_utf8(site.pcm(&["simulate", "--assume", "service=running"]).stdout).unwrap();
    for wanted in
        ["3 requests will run:", "Never by themselves:", "for windows-x86", "as long as its time limit"]
    {
        assert!(text.contains(wanted), "{wanted}:\n{text}");
    }
}

#[test]
fn a_service_that_runs_answers_and_assumptions_open_what_is_closed() {
    let other = (now() + chrono::TimeDelta::days(3)).format("%a").to_string();
    let mut site =
        Site::with_config(&format!("[windows]\nweekly = [\"{other} 03:00-05:00\"]\nzone = \"local\"\n"));
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    site.wait_state("BP0000Y", "waiting");
    wait_for("its files are copied", || site.request("BP0000Y").unwrap()["next_run"].is_string());
    let list = site.request("BP0000Y").unwrap();
    let doc = site.json(&["simulate"]);
    assert_eq!(find(&doc, "BP0000Y")["at"], list["next_run"], "the same as the list says");
    assert_eq!(find(&doc, "BP0000Y")["why"], "the maintenance window opens");
    let from = stamp(now() + hours(1));
    let open = site.json(&["simulate", "BP0000Y", "--from", &from, "--assume", "window=none"]);
    assert_eq!((&open["from"], &find(&open, "BP0000Y")["at"]), (&from.clone().into(), &from.into()));
    let assumed = open["assumed"].as_array().unwrap();
    assert!(assumed.iter().any(|a| a == "there are no maintenance windows"), "{open}");
    assert_eq!(site.state_of("BP0000Y"), "waiting", "nothing was changed");
}

#[test]
fn wrong_assumptions_times_and_ids_are_refused_with_what_is_possible() {
    let mut site = Site::new();
    site.publish(&[Request::due("BP0000Y")]);
    for bad in ["moon=full", "users", "window=Sat", "hold=2h"] {
        let error = site.refused(&["simulate", "--assume", bad], 2);
        let said = error["message"].as_str().unwrap();
        assert!(said.contains("possible is ") || said.contains("What can be assumed: users=none"), "{error}");
    }
    assert_eq!(site.refused(&["simulate", "--until", "2001-01-01"], 2)["code"], "usage");
    assert_eq!(site.refused(&["simulate", "--until", "900d"], 2)["code"], "usage");
    assert_eq!(site.refused(&["simulate", "--from", "noon"], 2)["code"], "usage");
    assert_eq!(site.refused(&["simulate", "BP0ZZZZ"], 4)["code"], "no-such-request");
    assert_eq!(site.refused(&["simulate", "--file", "/no/such.INS"], 4)["code"], "no-such-file");
}

#[test]
fn an_instruction_file_is_simulated_before_it_is_published_and_without_any_configuration() {
    let mut site = Site::new();
    let soon = now() + hours(2);
    let text = site.instructions(&[Request::due("BP0000Y")
        .mandatory(soon)
        .set("content_sha256", format!("\"{}\"", "ab".repeat(32)))
        .set("run_when", "\"no-user\"")
        .set("platforms", "[\"windows-x86\"]")]);
    let file = site.path("draft.INS");
    write(&file, text.as_bytes());
    let alone = tempfile::tempdir().unwrap();
    let pcm = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
        command.args(args).env("PCM_CONFIG", alone.path().join("none.toml")).env("PCM_STATE", alone.path());
        command.env("TZ", "UTC").output().unwrap()
    };
    let output = pcm(&["simulate", "--json", "--file", file.to_str().unwrap()]);
    let doc: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_eq!(find(&doc, "BP0000Y")["at"], stamp(soon));
    assert_eq!((doc["machine"].as_str(), doc["serial"].as_u64()), (Some(MACHINE), Some(1)));
    assert!(doc["assumed"][1].as_str().unwrap().contains("BP004000 is another machine"), "{doc}");
    // A truncated file is refused as a whole, with the place.
    write(&file, &text.as_bytes()[..text.len() - 5]);
    let output = pcm(&["simulate", "--file", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("draft.INS, line"), "{said}");
    assert!(alone.path().read_dir().unwrap().next().is_none(), "nothing is written");
}

#[test]
fn a_draft_for_this_machine_knows_what_it_has_behind_it() {
    let mut site = Site::with_config("[windows]\nweekly = []\n");
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let done = Request::due("BP00001").set("content_sha256", hash.clone());
    site.publish(std::slice::from_ref(&done));
    site.json(&["run", "BP00001", "--wait"]);
    site.json(&["hold", "--for", "3h", "--reason", "move"]);
    let later = Request::due("BP00002").set("content_sha256", hash).set("depends_on", "[\"BP00001\"]");
    let draft = site.instructions(&[done, later]);
    let file = site.path("draft.INS");
    write(&file, draft.as_bytes());
    let doc = site.json(&["simulate", "--file", file.to_str().unwrap()]);
    assert_eq!(find(&doc, "BP00001")["at"], Value::Null, "it has run: {doc}");
    assert_eq!(find(&doc, "BP00002")["why"], "the hold ends");
    let free = site.json(&["simulate", "--file", file.to_str().unwrap(), "--assume", "hold=none"]);
    assert_eq!(find(&free, "BP00002")["why"], "nothing is in its way");
}
