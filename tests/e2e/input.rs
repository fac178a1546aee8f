//! A package that waits for somebody who never comes is reported while it runs, and its time limit ends it
//! (DEFECTS Q214448). What only takes its time is not.

use super::common::*;

/// Runs this with a time limit of `limit` seconds; what waits is said after a quarter of that.
fn running(script: &str, limit: u32) -> (Site, Service) {
    let mut site = Site::new();
    let hash =
        site.package("BP00000A", &format!("cd \"${{PCM_STATUS_MIF%/*}}\"; {}; {script}", site.say("ran")));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("max_run_time", format!("\"{limit}s\""))]);
    let service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1);
    (site, service)
}

/// It is reported while it runs: in the list, in detail with its process, and in the log once.
fn is_reported(site: &Site, words: &str) {
    wait_for("it is reported", || {
        let request = site.request("BP0000Y").unwrap();
        assert_eq!(request["state"], "running", "it ended before it was reported\n{}", site.log());
        request["why"].as_str().unwrap().contains("appears to wait for input")
    });
    let show = site.json(&["show", "BP0000Y"]);
    let what = show["run"]["waits_for_input"].as_str().unwrap();
    assert!(what.contains(words), "{what}");
    for args in [&["list"][..], &["show", "BP0000Y"]] {
        let said = text(&site.pcm(args));
        assert!(said.contains("appears to wait for input"), "pcm {args:?}: {said}");
    }
    site.wait_log("appears to wait for input");
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
    assert_eq!(site.log().matches("appears to wait for input").count(), 1, "{}", site.log());
}

#[test]
fn one_that_reads_a_pipe_that_nobody_writes_is_reported_while_it_runs_and_ended_by_its_limit() {
    // Opened for both ways, the pipe has a writer: the reader itself.
    let (site, _service) = running("mkfifo answer; exec 3<>answer; read line <&3", 16);
    is_reported(&site, "setup.sh");
    site.wait_state("BP0000Y", "timed-out");
}

#[test]
fn one_whose_answer_comes_after_all_is_not_reported_any_more_and_ends_as_it_should() {
    let (site, _service) = running("mkfifo answer; read line <answer; sleep 6; exit 4", 40);
    is_reported(&site, "opens a named pipe");
    let answer = site.state().join("runs/BP0000Y-1/out/answer");
    std::fs::write(answer, "yes\n").unwrap();
    wait_for("it is not reported any more", || {
        !site.request("BP0000Y").unwrap()["why"].as_str().unwrap().contains("appears")
    });
    assert_eq!(site.state_of("BP0000Y"), "running");
    site.wait_state("BP0000Y", "failed");
    assert_eq!(site.json(&["history"])["attempts"][0]["exit_code"], 4);
}

#[test]
fn one_that_asks_at_a_terminal_is_reported() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        skipped("no python3, which makes a terminal here");
        return;
    }
    let ask = "exec /usr/bin/python3 -c 'import os, time\nmaster, slave = os.openpty()\nos.read(slave, 1)'";
    let (site, _service) = running(ask, 20);
    is_reported(&site, "reads the terminal /dev/pts/");
}

#[test]
fn one_that_only_takes_its_time_is_never_reported() {
    // A sleeper; a reader whose writer is at work elsewhere in the package; one that computes while another reads.
    for script in [
        "sleep 5",
        "(sleep 5; echo done) | cat >/dev/null",
        "mkfifo f; (exec 3<>f; read -r x <&3) & end=$(($(date +%s) + 5)); \
         while [ $(date +%s) -lt $end ]; do :; done; kill $!",
    ] {
        let (site, _service) = running(script, 12);
        site.wait_state("BP0000Y", "succeeded");
        assert!(!site.log().contains("appears to wait"), "{script}\n{}", site.log());
    }
}
