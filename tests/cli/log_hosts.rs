//! `pcm log --hosts` and `pcm log --serve`: many machines, some of them dead, slow or strange. The client here is a script that
//! runs pcm in a folder of each host; tests/ssh has the real one.

use super::common::*;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// What a page of 250 lines of one host may take on the wire, with all that is said around it.
const WIRE: u64 = 60 * 1024;

/// A client that reaches hosts that are folders: what is in `answers` of one is a script, and takes the place of pcm there.
pub struct Hosts {
    pub dir: tempfile::TempDir,
}

impl Hosts {
    pub fn new(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hosts = Self { dir };
        for name in names {
            fs::create_dir(hosts.at(name)).unwrap();
        }
        let script = format!(
            "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\ncd '{}'/\"$2\" || exit 255\nshift 3\n\
             echo $$ > pid\n[ -e answers ] && exec sh ./answers\n\
             export PCM_CONFIG=$PWD/pcm.toml PCM_STATE=$PWD/state TZ=UTC\n\
             [ -e measured ] && {{ eval \"'{pcm}' $*\" | tee wire; exit; }}\n\
             eval \"exec '{pcm}' $*\"\n",
            hosts.dir.path().display(),
            pcm = env!("CARGO_BIN_EXE_pcm")
        );
        let client = hosts.dir.path().join("client");
        install_script(&client, &script);
        hosts
    }

    pub fn at(&self, host: &str) -> PathBuf {
        self.dir.path().join(host)
    }

    fn log(&self, host: &str) -> PathBuf {
        self.at(host).join("x.log")
    }

    pub fn append(&self, host: &str, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(self.log(host)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut pcm = Command::new(env!("CARGO_BIN_EXE_pcm"));
        pcm.env("PCM_SSH", format!("\"{}\"", self.dir.path().join("client").display()));
        pcm.env("PCM_CONFIG", "/nowhere/pcm.toml").env("PCM_STATE", "/nowhere/state").env("TZ", "UTC");
        pcm.current_dir(self.dir.path()).arg("log").args(args).stdin(Stdio::null());
        pcm
    }

    pub fn pcm(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

pub fn line(second: usize, text: &str) -> String {
    format!("[11/24/13 {:02}:{:02}:{:02}] {text}\n", second / 3600, second / 60 % 60, second % 60)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn logs_of_twenty_hosts_are_one_and_three_that_do_not_answer_are_named() {
    let names: Vec<String> = (1..=20).map(|n| format!("web-{n:02}")).collect();
    let hosts = Hosts::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (n, name) in names.iter().enumerate() {
        let text: String = (0..2_000)
            .map(|i| {
                line(
                    i * 20 + n,
                    &format!("pcmsvc: request BP{i:05} of {name} waits for a window, as it has to"),
                )
            })
            .collect();
        hosts.append(name, &text);
        fs::write(hosts.at(name).join("measured"), "").unwrap();
    }
    // One hangs, one is not there, one says something else first.
    fs::write(hosts.at("web-07").join("answers"), "exec sleep 600").unwrap();
    let dead = "echo 'ssh: connect to host web-08 port 22: Connection timed out' >&2; exit 255";
    fs::write(hosts.at("web-08").join("answers"), dead).unwrap();
    fs::write(hosts.at("web-09").join("answers"), "echo 'Welcome to web-09'; exec sleep 600").unwrap();
    let list = names.join("\n");
    fs::write(hosts.dir.path().join("list.txt"), format!("# all of them\n{list}\nweb-01\n")).unwrap();
    let output = hosts.pcm(&["--hosts", "list.txt", "x.log"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let (rows, said) = (out(&output), err(&output));
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows.len(), 250, "{said}");
    assert!(rows.is_sorted(), "by time");
    // The last of all are those of the last seconds of each of the seventeen.
    for name in names.iter().filter(|name| !["web-07", "web-08", "web-09"].contains(&name.as_str())) {
        let of = rows.iter().filter(|row| row.contains(&format!(" {name} "))).count();
        assert!((14..=15).contains(&of), "{of} of {name}");
    }
    for words in [
        "web-07: no answer yet",
        "web-07: nothing came within 10s",
        "web-08: ssh: connect to host web-08 port 22: Connection timed out",
        "web-09: it said \"Welcome to web-09\"",
        "web-[01-06,10-20]: older lines are there",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let sizes: Vec<u64> =
        names.iter().filter_map(|name| Some(fs::metadata(hosts.at(name).join("wire")).ok()?.len())).collect();
    assert_eq!(sizes.len(), 17);
    println!(
        "250 lines of a host: {} to {} bytes on the wire",
        sizes.iter().min().unwrap(),
        sizes.iter().max().unwrap()
    );
    assert!(sizes.iter().all(|bytes| *bytes <= WIRE), "{sizes:?}");
}

#[test]
fn it_ends_as_grep_does_and_a_document_names_the_host_of_each_line() {
    let hosts = Hosts::new(&["a", "b"]);
    hosts.append("a", &(line(1, "error one") + &line(3, "three") + "more of three\n"));
    hosts.append("b", &line(2, "two"));
    let json = hosts.pcm(&["--hosts", "a,b", "x.log", "--json"]);
    assert_eq!(json.status.code(), Some(0), "{}", text(&json));
    let docs: Vec<Value> = out(&json).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |key: &str| docs.iter().map(|doc| doc[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("host"), ["a", "b", "a"]);
    assert_eq!(of("text"), ["error one", "two", "three\nmore of three"]);
    assert_eq!(of("skew_s"), [0, 0, 0]);
    assert_eq!(docs[2]["at"], line(1, "error one").len());
    let none = hosts.pcm(&["--hosts", "a,b", "x.log", "--grep", "four"]);
    assert_eq!((none.status.code(), out(&none).as_str()), (Some(1), ""), "{}", text(&none));
    let some = hosts.pcm(&["--hosts", "a,b", "x.log", "--level", "error", "-n", "5"]);
    assert_eq!((some.status.code(), out(&some).lines().count()), (Some(0), 1), "{}", text(&some));
    let absent = hosts.pcm(&["--hosts", "a,b", "y.log", "--json"]);
    assert_eq!(absent.status.code(), Some(2), "{}", text(&absent));
    let said = err(&absent);
    assert!(said.contains("hosts-unread") && said.contains("a, b: "), "equal answers are gathered: {said}");
    let strange = hosts.pcm(&["--hosts", "a,c,x y", "x.log"]);
    assert_eq!(strange.status.code(), Some(2));
    assert!(err(&strange).contains("is no host"), "{}", text(&strange));
    for args in [
        &["--hosts", "a", "-"][..],
        &["--hosts", "a", "--format", "raw"],
        &["--hosts", "a", "-C", "2"],
        &["--hosts", ","],
        &["--hosts", "./none"],
        &["--folder", "."],
        &["--serve", "--grep", "x"],
        &["--serve", "--folder", "."],
    ] {
        let refused = hosts.pcm(args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {}", text(&refused));
    }
}

/// What is late is set off only where it is shown.
#[test]
fn on_a_terminal_nothing_is_shown_where_no_lines_are_wanted() {
    let hosts = Hosts::new(&["a", "late"]);
    hosts.append("a", &line(1, "one of a."));
    hosts.append("late", &line(2, "one of the late."));
    let late = format!(
        "sleep 2; PCM_CONFIG=$PWD/pcm.toml PCM_STATE=$PWD/state TZ=UTC exec '{}' log --serve -- x.log\n",
        env!("CARGO_BIN_EXE_pcm")
    );
    fs::write(hosts.at("late").join("answers"), late).unwrap();
    let shown = |lines: &str| {
        let args = ["--hosts", "a,late", "x.log", "-n", lines];
        let mut terminal = pty::Terminal::start(&hosts.command(&args), 120, 20);
        assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
        terminal.wait_end();
        String::from_utf8_lossy(&terminal.bytes()).into_owned()
    };
    let one = shown("1");
    assert!(one.contains("one of the late."), "{one}");
    let none = shown("0");
    assert!(!none.contains("later") && !none.contains("one of"), "{none}");
}

#[test]
fn counts_are_those_of_all_hosts_by_minutes() {
    let hosts = Hosts::new(&["a", "b"]);
    for host in ["a", "b"] {
        let text: String = (0..300).map(|n| line(n, if n % 100 == 0 { "failed" } else { "done" })).collect();
        hosts.append(host, &text);
    }
    let counted = hosts.pcm(&["--hosts", "a,b", "x.log", "-c"]);
    assert_eq!((counted.status.code(), out(&counted).as_str()), (Some(0), "a: 300\nb: 300\n600\n"));
    let json = hosts.pcm(&["--hosts", "a,b", "x.log", "-c", "--json", "--since", "2013-11-24 00:01"]);
    let doc: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(
        (&doc["count"], &doc["step_s"], &doc["widened"]),
        (&480.into(), &60.into(), &false.into()),
        "{doc}"
    );
    assert_eq!(doc["hosts"][1], serde_json::json!({"host": "b", "count": 240, "errors": 2, "warnings": 0}));
    let minutes = doc["minutes"].as_array().unwrap();
    assert_eq!(minutes.len(), 4);
    assert_eq!(minutes[0]["from"], "2013-11-24T00:01:00Z");
    assert!(minutes.iter().all(|minute| minute["count"] == 120));
}

/// Somebody who pages: what comes before the first line that is shown is asked for by its time.
#[test]
fn pages_of_many_hosts_join_and_a_dead_one_holds_up_no_page() {
    let hosts = Hosts::new(&["a", "b", "dead"]);
    for (n, host) in [(0, "a"), (1, "b")] {
        hosts.append(host, &(0..20).map(|i| line(2 * i + n, &format!("{host}-{i:02}"))).collect::<String>());
    }
    let refuses = "echo 'ssh: connect to host dead port 22: Connection refused' >&2; exit 255";
    fs::write(hosts.at("dead").join("answers"), refuses).unwrap();
    let (mut until, mut pages, mut found) = ("2013-11-24T01:00:00Z".to_owned(), 0, Vec::new());
    loop {
        let page = hosts.pcm(&["--hosts", "a,b,dead", "x.log", "--json", "-n", "7", "--until", &until]);
        assert_eq!(page.status.code(), Some(2), "{}", text(&page));
        assert!(err(&page).contains("Connection refused"), "each page says who is missing: {}", text(&page));
        let rows = out(&page);
        let rows: Vec<Value> = rows
            .lines()
            .map(|row| serde_json::from_str::<Value>(row).unwrap())
            .filter(|row| row["text"].is_string())
            .collect();
        let Some(first) = rows.first() else { break };
        assert!(rows.len() <= 7);
        until = first["time"].as_str().unwrap().to_owned();
        let texts: Vec<String> = rows.iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect();
        found.splice(0..0, texts);
        pages += 1;
    }
    let all: Vec<String> = (0..20).flat_map(|i| ["a", "b"].map(|host| format!("{host}-{i:02}"))).collect();
    assert_eq!((pages, found), (6, all), "nothing twice, and nothing lost");
}

/// One that never answers.
#[test]
fn a_dead_host_holds_up_neither_what_is_followed_nor_what_is_counted() {
    let hosts = Hosts::new(&["a", "dead"]);
    fs::write(hosts.at("dead").join("answers"), "exec sleep 600").unwrap();
    hosts.append("a", &(0..90).map(|n| line(n, &format!("a-{n:03}."))).collect::<String>());
    let following = Following::start(&hosts, &["--hosts", "dead,a", "x.log", "-f"]);
    following.wait("a-089.");
    hosts.append("a", &line(91, "a-090."));
    following.wait("a-090.");
    drop(following);
    let counted = hosts.pcm(&["--hosts", "dead,a", "x.log", "-c", "--json"]);
    assert_eq!(counted.status.code(), Some(2), "{}", text(&counted));
    let doc: Value = serde_json::from_str(&out(&counted)).unwrap();
    assert_eq!(doc["count"], 91, "{doc}");
    let by_minute: Vec<_> =
        doc["minutes"].as_array().unwrap().iter().map(|minute| &minute["count"]).collect();
    assert_eq!(by_minute, [60, 31]);
    assert!(err(&counted).contains("dead: nothing came within 10s"), "{}", text(&counted));
}

/// A `pcm log --hosts -f` that writes into a file.
struct Following {
    child: Child,
    rows: PathBuf,
    said: PathBuf,
}

impl Following {
    fn start(hosts: &Hosts, args: &[&str]) -> Self {
        let (rows, said) = (hosts.dir.path().join("rows"), hosts.dir.path().join("said"));
        let mut command = hosts.command(args);
        command.stdout(fs::File::create(&rows).unwrap()).stderr(fs::File::create(&said).unwrap());
        Self { child: command.spawn().unwrap(), rows, said }
    }

    fn rows(&self) -> String {
        fs::read_to_string(&self.rows).unwrap()
    }

    fn wait(&self, what: &str) {
        wait_for(what, || self.rows().contains(what));
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cut(hosts: &Hosts, host: &str) {
    let pid = fs::read_to_string(hosts.at(host).join("pid")).unwrap();
    fs::remove_file(hosts.at(host).join("pid")).unwrap();
    assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
}

#[test]
fn a_followed_host_that_was_cut_off_goes_on_where_it_was_and_nothing_comes_twice() {
    let hosts = Hosts::new(&["a", "b"]);
    hosts.append("a", &(0..30).map(|n| line(n, &format!("a-{n:03}."))).collect::<String>());
    hosts.append("b", &line(5, "b-000."));
    let following = Following::start(&hosts, &["--hosts", "a,b", "x.log", "-f"]);
    following.wait("a-029.");
    following.wait("b-000.");
    assert!(!following.rows().contains("a-009."), "-f begins with the last twenty");
    hosts.append("a", &line(40, "a-030."));
    following.wait("a-030.");
    cut(&hosts, "a");
    hosts.append("a", &line(41, "a-031."));
    fs::rename(hosts.log("a"), hosts.at("a").join("x.log.1")).unwrap();
    hosts.append("a", &line(42, "a-032."));
    hosts.append("b", &line(43, "b-001."));
    following.wait("b-001.");
    following.wait("a-032.");
    hosts.append("a", &line(44, "a-033."));
    following.wait("a-033.");
    let rows = following.rows();
    for n in 10..34 {
        assert_eq!(rows.matches(&format!("a-{n:03}.")).count(), 1, "{n}: {rows}");
    }
    assert!(!rows.contains("missing"), "{rows}");
    let said = fs::read_to_string(&following.said).unwrap();
    assert!(said.contains("a: the connection ended") && said.contains("a: it is connected again"), "{said}");
}

#[test]
fn what_is_gone_after_a_cut_is_a_line_that_says_so() {
    let hosts = Hosts::new(&["a"]);
    hosts.append("a", &(0..30).map(|n| line(n, &format!("a-{n:03}."))).collect::<String>());
    let following = Following::start(&hosts, &["--hosts", "a", "x.log", "-f", "--json"]);
    following.wait("a-029.");
    cut(&hosts, "a");
    fs::write(hosts.log("a"), line(50, "a-100.")).unwrap();
    following.wait("a-100.");
    let rows = following.rows();
    let gap = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap())
        .find(|row| row["gap"].is_string());
    let gap = gap.unwrap_or_else(|| panic!("no gap: {rows}"));
    assert_eq!((&gap["host"], &gap["file"]), (&"a".into(), &"x.log".into()), "{gap}");
    assert!(gap["gap"].as_str().unwrap().contains("may be missing"), "{gap}");
}

/// `pcm log --serve` as somebody else would talk to it.
struct Serve {
    child: Child,
    bytes: Vec<u8>,
}

impl Serve {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let mut pcm = Command::new(env!("CARGO_BIN_EXE_pcm"));
        pcm.current_dir(dir).args(["log", "--serve"]).args(args).env("TZ", "UTC");
        pcm.env("PCM_CONFIG", dir.join("pcm.toml")).env("PCM_STATE", dir.join("state"));
        let child = pcm.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut serve = Self { child, bytes: Vec::new() };
        serve.fill(10);
        assert_eq!(serve.bytes.drain(..10).collect::<Vec<u8>>(), b"pcm-log 1\n");
        serve
    }

    fn send(&mut self, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    fn query(&mut self, query: &Value) {
        let json = serde_json::json!({ "query": query }).to_string();
        let length = u32::try_from(json.len()).unwrap().to_be_bytes();
        self.send(&[b"j", &length[..], json.as_bytes()].concat());
    }

    fn fill(&mut self, wanted: usize) {
        let mut piece = [0; 4096];
        while self.bytes.len() < wanted {
            let n = self.child.stdout.as_mut().unwrap().read(&mut piece).unwrap();
            assert!(n > 0, "it ended: {:?}", self.child.wait());
            self.bytes.extend_from_slice(&piece[..n]);
        }
    }

    fn told(&mut self) -> Value {
        self.fill(5);
        let length = u32::from_be_bytes(self.bytes[1..5].try_into().unwrap()) as usize;
        self.fill(5 + length);
        let frame: Vec<u8> = self.bytes.drain(..5 + length).collect();
        let mut json = Vec::new();
        match frame[0] {
            b'z' => drop(flate2::read::ZlibDecoder::new(&frame[5..]).read_to_end(&mut json).unwrap()),
            _ => json.extend_from_slice(&frame[5..]),
        }
        serde_json::from_slice(&json).unwrap()
    }

    /// Everything that is told up to this message.
    fn until(&mut self, what: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            all.push(self.told());
            if all[all.len() - 1].get(what).is_some() {
                return all;
            }
        }
    }

    fn end(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}

fn texts(told: &[Value]) -> Vec<String> {
    let lines = told.iter().filter_map(|told| told["lines"]["lines"].as_array()).flatten();
    lines.map(|line| line["x"][0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn pages_go_back_from_where_the_last_one_began() {
    let dir = tempfile::tempdir().unwrap();
    let log: String = (0..100).map(|n| line(n, &format!("{n}"))).collect();
    fs::write(dir.path().join("x.log"), log).unwrap();
    let mut serve = Serve::start(dir.path(), &["x.log"]);
    let hello = serve.told();
    assert_eq!(hello["hello"]["files"][0][0], "x.log", "{hello}");
    let (mut from, mut all) = (serde_json::json!([]), Vec::new());
    for id in 1.. {
        let back = id > 1;
        serve.query(&serde_json::json!({"id": id, "lines": 30, "from": from, "back": back}));
        let told = serve.until("done");
        let page = texts(&told);
        all.splice(0..0, page);
        let done = &told[told.len() - 1]["done"];
        from = done["cursors"].clone();
        if done["older"] == false {
            break;
        }
    }
    assert_eq!(all, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(serve.end(), Some(0));
}

#[test]
fn a_gap_comes_behind_what_was_read_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("x.log");
    // Long enough for its copy to be recognised.
    let zero = "zero ".repeat(20);
    fs::write(&log, line(0, &zero)).unwrap();
    let mut serve = Serve::start(dir.path(), &["x.log"]);
    serve.told();
    serve.query(&serde_json::json!({"id": 1, "lines": 1, "follow": true}));
    let told = serve.until("lines");
    let from = &told[told.len() - 1]["lines"]["cursors"];
    serve.query(&serde_json::json!({"id": 2, "lines": 0, "grep": "nothing"}));
    serve.until("done");
    // What was copied is read to its end, and then the log was cut.
    let text: String = (0..9).map(|n| line(n, if n == 0 { &zero } else { "more" })).collect();
    fs::write(dir.path().join("x.log.1"), text).unwrap();
    fs::write(&log, line(30, "last")).unwrap();
    serve.query(&serde_json::json!({"id": 3, "lines": 1, "follow": true, "from": from}));
    let mut told = serve.until("gap");
    while texts(&told).last().is_none_or(|last| last != "last") {
        told.extend(serve.until("lines"));
    }
    let gap = told.iter().position(|told| told.get("gap").is_some()).unwrap();
    assert_eq!(texts(&told[..gap]), vec!["more"; 8], "{told:?}");
    assert_eq!(texts(&told[gap..]), ["last"], "{told:?}");
    assert_eq!(serve.end(), Some(0));
}

#[test]
fn a_query_that_comes_meanwhile_takes_the_place_of_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let log: String = (0..20_000).map(|n| line(n % 80_000, &format!("{n} and words"))).collect();
    fs::write(dir.path().join("x.log"), log).unwrap();
    let mut serve = Serve::start(dir.path(), &["x.log"]);
    serve.told();
    serve.query(&serde_json::json!({"id": 1, "lines": 1, "follow": true}));
    assert_eq!(texts(&serve.until("lines")), ["19999 and words"]);
    serve.query(&serde_json::json!({"id": 2, "lines": 2, "grep": "7 and"}));
    let told = serve.until("done");
    assert_eq!(texts(&told), ["19987 and words", "19997 and words"]);
    assert_eq!(told[told.len() - 1]["done"]["id"], 2);
    serve.query(&serde_json::json!({"id": 3, "grep": "("}));
    let refused = serve.until("refused");
    assert!(refused[0]["refused"][1].as_str().unwrap().contains("cannot be used"), "{refused:?}");
    assert_eq!(serve.end(), Some(0));
}

#[test]
fn whoever_asks_in_no_words_of_pcm_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x.log"), line(1, "one")).unwrap();
    for (bytes, why) in [
        (&b"garbage"[..], "not pcm's"),
        (b"j\xFF\xFF\xFF\xFF", "4294967295 bytes"),
        (b"j\0\0\0\x03{}}", "does not know"),
        (b"z\0\0\0\x02ab", "cannot be unpacked"),
    ] {
        let mut serve = Serve::start(dir.path(), &["x.log"]);
        serve.told();
        serve.send(bytes);
        let refused = serve.until("refused");
        assert!(refused[0]["refused"][1].as_str().unwrap().contains(why), "{refused:?}");
        assert_eq!(serve.child.wait().unwrap().code(), Some(2));
    }
}
