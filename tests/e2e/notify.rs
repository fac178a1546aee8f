//! `[notify] command`: what it is told, that it is told once, and what is seen where it fails.

use super::common::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A site whose command writes each document as a line of this file, if it is there to be written to.
fn site() -> (Site, PathBuf) {
    let mut site = Site::bare("");
    let told = site.path("told");
    write(&told, b"");
    command(&site, &format!("[ -w '{0}' ] && jq -c . >> '{0}'", told.display()));
    assert!(site.pcm(&["init"]).status.success());
    let hash = site.package("BP00000A", "exit 17");
    let other = site.package("BP00000B", "exit 0");
    let files = site.share().join("packages/BP00000B/files/setup.sh");
    write(&files, b"#!/bin/sh\nexit 1\n");
    let due = |id: &str, hash: &str| Request::due(id).set("content_sha256", format!("\"{hash}\""));
    site.publish(&[due("BP0000Y", &hash), due("BP0000Z", &other).set("package_id", "\"BP00000B\"")]);
    (site, told)
}

fn command(site: &Site, script: &str) {
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = config.split("[notify]").next().unwrap();
    write(
        &site.config(),
        format!("{config}[notify]\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n").as_bytes(),
    );
}

fn events(told: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(told).unwrap_or_default();
    let documents = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let each = |doc: Value| doc["events"].as_array().unwrap().clone();
    let mut all: Vec<String> =
        documents.flat_map(each).map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

#[test]
fn each_event_is_told_once_however_often_the_service_looks_and_starts_again() {
    if !Path::new("/usr/bin/jq").exists() {
        return skipped("no jq");
    }
    let (mut site, told) = site();
    let service = site.service();
    wait_for("both are told", || events(&told).len() == 2);
    assert!(events(&told)[0].starts_with("BP004000 content-mismatch BP00000B "), "{:?}", events(&told));
    assert_eq!(events(&told)[1], "BP004000 failed BP0000Y-1");
    assert!(site.pcm(&["poll"]).status.success());
    service.terminate();
    let again = site.service();
    assert!(site.pcm(&["poll"]).status.success());
    again.kill();
    let _third = site.service();
    let hash = site.package("BP00000A", "exit 17");
    let due = |id: &str| Request::due(id).set("content_sha256", format!("\"{hash}\""));
    site.publish(&[due("BP0000Y"), due("BP0000X")]);
    assert!(site.pcm(&["poll"]).status.success());
    let is_told = |id: &str| events(&told).iter().any(|event| event == id);
    wait_for("another one is told", || is_told("BP004000 failed BP0000X-1"));
    assert_eq!(events(&told).len(), 3, "{:?}", events(&told));
}

#[test]
fn a_command_that_fails_or_is_not_there_is_shown_by_status_and_check() {
    let (site, _) = site();
    command(&site, "exit 9");
    let _service = site.service();
    let problem = || {
        let status = site.json_of(&["status"]);
        let all = status["problems"].as_array().unwrap().clone();
        all.into_iter().find(|problem| problem["code"] == "notify-failed")
    };
    wait_for("status shows it", || problem().is_some());
    assert!(problem().unwrap()["message"].as_str().unwrap().contains("it ended with exit 9"));
    site.wait_log("told nobody: it ended with exit 9");
    let item = || {
        let check = site.json_of(&["check"]);
        let items = check["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["item"] == "notifications").unwrap()
    };
    assert_eq!(item()["verdict"], "block", "{}", item());
    let config = std::fs::read_to_string(site.config()).unwrap().replace("/bin/sh", "/nowhere/page");
    write(&site.config(), config.as_bytes());
    assert!(item()["evidence"].as_str().unwrap().contains("/nowhere/page"), "{}", item());
}

/// It runs as the service does, so that whoever may change it would be the service.
#[cfg(unix)]
#[test]
fn a_command_that_others_may_change_is_not_started() {
    let (site, told) = site();
    let page = site.path("page");
    write(&page, format!("#!/bin/sh\necho ran >> '{}'\n", told.display()).as_bytes());
    mode(&page, 0o777);
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = config.split("[notify]").next().unwrap().to_owned();
    write(&site.config(), format!("{config}[notify]\ncommand = [\"{}\"]\n", page.display()).as_bytes());
    let _service = site.service();
    site.wait_log("told nobody: it cannot be started: ");
    assert_eq!(std::fs::read_to_string(&told).unwrap(), "");
}

/// The program under this heading of the documentation, with other paths.
fn program(heading: &str, paths: &[(&str, &Path)]) -> String {
    let page = include_str!("../../.github/docs/notifications.md");
    let section = page.split_once(&format!("\n### {heading}\n")).unwrap().1;
    let script = section.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    let other = |script: String, (from, to): &(&str, &Path)| {
        assert!(script.contains(from), "{from}");
        script.replace(from, &to.display().to_string())
    };
    paths.iter().fold(script.to_owned(), other)
}

/// No document is longer (`executor::notices`).
const MOST: usize = 4_000_000;

/// Runs it as it is told these two events, of which one has foreign text that means something to shells and monitors.
fn runs(script: &str, folder: &Path) {
    assert!(says_that_somebody_was_told(script, folder, None), "{script}");
}

/// The same with what it reads in the place of that.
fn says_that_somebody_was_told(script: &str, folder: &Path, reads: Option<&str>) -> bool {
    let event = |event: &str, message: &str| {
        serde_json::json!({"event": event, "id": event, "at": "2026-11-22T13:00:00Z", "request_id": "BP0000Y",
            "job_id": null, "package_id": null, "package": "Acme $(touch owned)", "attempt": 1, "state": "failed", "message": message})
    };
    let events = [event("failed", "exit 17; `touch owned`"), event("missed", "it | \"expired\"")];
    let document = serde_json::json!({"format": 1, "event": "digest", "id": "x", "machine": "BP004000", "host": "pc-17",
        "at": "2026-11-22T13:00:00Z", "message": "2 events; 1 failed, 1 missed", "count": 2, "dropped": {"failed": 3}, "events": events});
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut child = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let document = reads.map_or_else(|| document.to_string(), str::to_owned);
    // One that has read enough reads no more.
    if let Err(e) = std::io::Write::write_all(&mut child.stdin.take().unwrap(), document.as_bytes()) {
        assert!(e.kind() == std::io::ErrorKind::BrokenPipe && document.len() > MOST, "{e}");
    }
    let told = child.wait().unwrap().success();
    assert!(!folder.join("owned").exists(), "foreign text is run by nothing");
    told
}

#[cfg(unix)]
#[test]
fn the_programs_of_the_documentation_tell_what_they_are_told() {
    if ["/usr/bin/jq", "/usr/bin/curl"].iter().any(|program| !Path::new(program).exists()) {
        return skipped("no jq, or no curl");
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();

    install_script(&at("sendmail"), "#!/bin/sh\necho \"$@\" > to; cat > mail\n");
    // Who is not root can be nobody else.
    install_script(&at("runuser"), "#!/bin/sh\nshift 3\nexec \"$@\"\n");
    let endless = format!(
        "{{\"event\":\"failed\",\"host\":\"pc-17\",\"message\":\"{}\",\"count\":0,\"dropped\":{{}},\"events\":[]}}",
        "x".repeat(MOST)
    );
    let fails = |script: &str| {
        for damaged in ["{damaged", &endless] {
            let told = says_that_somebody_was_told(script, folder.path(), Some(damaged));
            assert!(!told, "who was told nothing is told again: {script}");
        }
    };
    fails(&program("Mail", &[]));
    assert!(!at("mail").exists(), "a damaged document is no mail");
    runs(&program("Mail", &[]), folder.path());
    assert_eq!(read("to"), "-i admins@example.org\n");
    let mail = read("mail");
    assert!(mail.starts_with("Subject: pcm: digest on pc-17\n\n2 events; 1 failed, 1 missed\n"), "{mail}");
    assert!(mail.contains("failed BP0000Y Acme $(touch owned)\n    exit 17; `touch owned`"), "{mail}");

    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "url = \"http://{}/\"\nheader = \"Authorization: Bearer tk_x\"\n",
        server.local_addr().unwrap()
    );
    write(&at("notify.curl"), url.as_bytes());
    let serves = std::thread::spawn(move || {
        use std::io::{BufRead as _, Read as _, Write as _};
        let (stream, _) = server.accept().unwrap();
        let mut from = std::io::BufReader::new(stream);
        let (mut headers, mut length) = (String::new(), 0);
        while from.read_line(&mut headers).unwrap() > 2 {
            let last = headers.lines().next_back().unwrap_or_default().to_ascii_lowercase();
            length = last.strip_prefix("content-length: ").map_or(length, |n| n.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body).unwrap();
        from.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        (headers, serde_json::from_slice::<Value>(&body).unwrap())
    });
    let web = program(
        "ntfy, and other services with a web address",
        &[("/etc/pcm/notify.curl", at("notify.curl").as_path())],
    );
    fails(&web);
    runs(&web, folder.path());
    let (headers, body) = serves.join().unwrap();
    assert!(headers.contains("Authorization: Bearer tk_x"), "{headers}");
    assert_eq!(
        (&body["topic"], &body["title"], &body["priority"]),
        (&"pcm".into(), &"pc-17: digest".into(), &4.into())
    );

    let pipe = at("nagios.cmd");
    let nagios = program("Nagios or Icinga", &[("/var/lib/nagios4/rw/nagios.cmd", pipe.as_path())]);
    let told = || says_that_somebody_was_told(&nagios, folder.path(), None);
    assert!(!told() && !pipe.exists(), "without the monitor there is no pipe");
    write(&pipe, b"");
    assert!(!told() && read("nagios.cmd").is_empty(), "what is no pipe reaches no monitor");
    std::fs::remove_file(&pipe).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Nobody reads, and nothing is written for what is damaged: with a writer this would wait for ever.
    fails(&nagios);
    let monitor = std::thread::spawn(move || std::fs::read_to_string(&pipe).unwrap());
    runs(&nagios, folder.path());
    let line = monitor.join().unwrap();
    assert!(
        line.starts_with('[')
            && line.ends_with("] PROCESS_SERVICE_CHECK_RESULT;pc-17;pcm;2;2 events, 1 failed, 1 missed\n"),
        "{line}"
    );

    let prometheus = program(
        "Prometheus",
        &[("/var/lib/prometheus/node-exporter/pcm_notices.prom", at("pcm_notices.prom").as_path())],
    );
    runs(&prometheus, folder.path());
    runs(&prometheus, folder.path());
    fails(&prometheus);
    let metrics = read("pcm_notices.prom");
    let parts = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert_eq!(parts.filter(|name| name.starts_with("pcm_notices")).count(), 1, "nothing is left behind");
    for line in [
        "# TYPE pcm_notices_total counter",
        "pcm_notices_total{event=\"failed\"} 8",
        "pcm_notices_total{event=\"missed\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
}
