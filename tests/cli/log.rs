//! `pcm log` over files of every kind: what is printed, and how it ends.

use super::{command, enrolled, pcm, text};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

fn run(dir: &Path, args: &[&str]) -> (i32, String) {
    let done = pcm(dir, &[&["log"], args].concat());
    (done.status.code().unwrap(), text(&done.stdout))
}

/// With this on its standard input.
fn pcm_with(dir: &Path, args: &[&str], input: &str) -> Output {
    let mut pcm = command(dir, args);
    pcm.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut pcm = pcm.spawn().unwrap();
    pcm.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    pcm.wait_with_output().unwrap()
}

fn e(n: usize, kind: u8, words: &str) -> String {
    format!(
        "<![LOG[{words}]LOG]!><time=\"09:{:02}:{:02}.000+000\" date=\"10-14-2013\" component=\"c{}\" context=\"\" type=\"{kind}\" thread=\"1\" file=\"\">\n",
        n / 60,
        n % 60,
        n % 2
    )
}

#[test]
fn records_are_chosen_counted_and_shown_with_their_neighbours() {
    let dir = enrolled();
    let log: String =
        (0..100).map(|n| e(n, if n % 10 == 5 { 3 } else { 1 }, &format!("record {n:02}"))).collect();
    fs::write(dir.path().join("a.log"), log).unwrap();
    let rows = |args: &[&str]| {
        let (status, out) = run(dir.path(), &[&["a.log"], args].concat());
        let ends = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
        (status, out.lines().map(ends).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(rows(&["-n", "3"]), (0, "97 98 99".into()));
    assert_eq!(rows(&["--level", "error", "-n", "2"]), (0, "85 95".into()));
    assert_eq!(rows(&["--grep", "record 4", "-A", "1"]), (0, "40 41 42 43 44 45 46 47 48 49 50".into()));
    assert_eq!(rows(&["--grep", "record [27]3", "-C", "1"]), (0, "22 23 24 -- 72 73 74".into()));
    assert_eq!(rows(&["--grep", "record [27]3", "-B", "2"]), (0, "21 22 23 -- 71 72 73".into()));
    assert_eq!(
        rows(&["--grep", "record (20|21|24)", "-A", "1", "-B", "1"]),
        (0, "19 20 21 22 23 24 25".into())
    );
    assert_eq!(rows(&["-v", "--grep", "record [1-9]", "-c"]), (0, "10".into()));
    assert_eq!(rows(&["-c", "--level", "error"]), (0, "10".into()));
    assert_eq!(rows(&["-c", "--grep", "nowhere"]), (1, "0".into()));
    assert_eq!(rows(&["-c", "--component", "C1"]), (0, "50".into()));
    assert_eq!(
        rows(&["--since", "2013-10-14T09:00:10Z", "--until", "2013-10-14T09:00:13Z"]),
        (0, "10 11 12".into())
    );
    assert_eq!(run(dir.path(), &["a.log", "-n", "1", "--format", "raw"]).1, e(99, 1, "record 99"));
    let counted = pcm(dir.path(), &["--json", "log", "a.log", "-c"]);
    assert_eq!(text(&counted.stdout), "{\"count\":100}\n");
    let json = pcm(dir.path(), &["--json", "log", "a.log", "--grep", "record 50"]);
    assert!(text(&json.stdout).contains("\"line\":51,"));
    assert_eq!(run(dir.path(), &["a.log", "-f", "-c"]).0, 2, "a count has an end");
}

#[test]
fn a_request_is_found_where_it_is_named() {
    let dir = enrolled();
    let log = [
        e(1, 1, "Package (Request ID) BP0000Y is skipped"),
        e(2, 1, "BP0000Z failed"),
        e(3, 1, "BP0000Y ended"),
    ];
    fs::write(dir.path().join("a.log"), log.concat()).unwrap();
    assert_eq!(run(dir.path(), &["a.log", "--request", "BP0000Y", "-c"]).1, "2\n");
    assert_eq!(run(dir.path(), &["a.log", "--request", "BP0000Y", "--grep", "ended", "-c"]).1, "1\n");
    assert_eq!(run(dir.path(), &["a.log", "--request", "BP0000Y", "--grep", "ended", "-v", "-c"]).1, "1\n");
}

#[test]
fn several_filters_of_each_kind_are_given_at_once() {
    let dir = enrolled();
    let log: String = (0..60)
        .map(|n| e(n, if n % 10 == 5 { 3 } else { 1 }, &format!("record {n:02} of BP0000{}", n % 3)))
        .collect();
    fs::write(dir.path().join("a.log"), log.replace("thread=\"1\"", "thread=\"12\"")).unwrap();
    let count = |args: &[&str]| run(dir.path(), &[&["a.log", "-c"], args].concat()).1.trim().to_owned();
    assert_eq!(count(&["--grep", "record 1", "--grep", "RECORD 2", "--grep", "record 3"]), "20");
    assert_eq!(count(&["--grep", "record 1", "--grep", "record 3", "-v"]), "40");
    assert_eq!(count(&["--grep", "record 1", "--not-grep", "[0-4] of", "--not-grep", "9 of"]), "4");
    assert_eq!(count(&["--component", "c0", "--component", "c1"]), "60");
    assert_eq!(count(&["--not-component", "c0", "--level", "error"]), "6");
    assert_eq!((count(&["--thread", "12"]), count(&["--not-thread", "12"])), ("60".into(), "0".into()));
    assert_eq!(count(&["--request", "BP00001", "--request", "BP00002", "--grep", "record [0-2]"]), "20");
    assert_eq!(count(&["--not-request", "BP00001", "--grep", "record [0-2]", "-v"]), "20");
    assert_eq!(run(dir.path(), &["a.log", "--not-grep", "(", "-c"]).0, 2);
}

#[test]
fn standard_input_is_a_log_as_well() {
    let dir = enrolled();
    let done =
        pcm_with(dir.path(), &["log", "-", "--level", "error"], &(e(1, 1, "fine") + &e(2, 3, "broken")));
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(text(&done.stdout), "2013-10-14 09:00:02 E [c0] broken\n");
    assert_eq!(pcm_with(dir.path(), &["log", "-"], "").status.code(), Some(1));
}

#[test]
fn what_was_rotated_away_is_one_log_with_the_rest() {
    let dir = enrolled();
    let part = |from: usize| (from..from + 10).map(|n| e(n, 1, &format!("record {n}"))).collect::<String>();
    fs::write(dir.path().join("a.log"), part(40)).unwrap();
    fs::write(dir.path().join("a.lo_"), part(30)).unwrap();
    fs::write(dir.path().join("a-20131014-090000.log"), part(20)).unwrap();
    fs::write(dir.path().join("a.log.1"), part(10)).unwrap();
    let packed = fs::File::create(dir.path().join("a.log.2.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packed.write_all(part(0).as_bytes()).unwrap();
    packed.finish().unwrap();
    fs::write(dir.path().join("alone.log"), part(0)).unwrap();
    let (status, out) = run(dir.path(), &["a.log", "--rotated"]);
    assert_eq!(status, 0);
    let numbers: Vec<_> = out.lines().map(|l| l.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(numbers, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(run(dir.path(), &["a.log", "--rotated", "-c"]).1, "50\n");
    fs::write(dir.path().join("a.log.3.gz"), "this is none").unwrap();
    assert_eq!(run(dir.path(), &["a.log", "--rotated", "-c"]).0, 2, "what cannot be unpacked");
}

#[test]
fn several_files_are_merged_by_time_each_in_its_own_order() {
    let dir = enrolled();
    let of = |numbers: &[usize]| numbers.iter().map(|n| e(*n, 1, &format!("record {n}"))).collect::<String>();
    fs::write(dir.path().join("a.log"), of(&[1, 5, 3, 9])).unwrap();
    fs::write(dir.path().join("b.log"), of(&[2, 4, 6]) + "without a time\n").unwrap();
    let (_, out) = run(dir.path(), &["a.log", "b.log"]);
    let last: Vec<_> = out.lines().map(|l| l.rsplit(' ').next().unwrap()).collect();
    assert_eq!(last, ["1", "2", "4", "5", "3", "6", "time", "9"]);
    assert!(out.lines().next().unwrap().contains(" a.log: [c1] "));
    assert_eq!(run(dir.path(), &["a.log", "./a.log", "-c"]).1, "4\n", "under two names it is one log");
}

#[test]
fn codes_are_explained_below_their_records() {
    let dir = enrolled();
    fs::write(dir.path().join("a.log"), "MSI returned 1603\nall is well, 1603 files\nhr = 0x80070005\n")
        .unwrap();
    let (status, out) = run(dir.path(), &["a.log", "--explain-codes"]);
    let rows: Vec<_> = out.lines().map(str::trim).collect();
    assert_eq!((status, rows.len()), (0, 5), "{out}");
    assert!(rows[1].starts_with("= 1603 ERROR_INSTALL_FAILURE: the installation failed"), "{out}");
    assert_eq!(rows[4], "= 0x80070005 ERROR_ACCESS_DENIED: access is denied");
    assert_eq!(run(dir.path(), &["a.log"]).1.lines().count(), 3);
    let json = pcm(dir.path(), &["--json", "log", "a.log", "--explain-codes", "-n", "1"]);
    let record: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(record["codes"][0]["name"], "ERROR_ACCESS_DENIED");
    assert_eq!(run(dir.path(), &["a.log", "--explain-codes", "--format", "raw"]).0, 2);
}

/// `pcm --json log -f`, one object after the other.
struct Following(std::process::Child, std::io::Lines<std::io::BufReader<std::process::ChildStdout>>);

impl Following {
    fn start(dir: &Path, args: &[&str]) -> Following {
        use std::io::BufRead;
        let mut pcm = command(dir, &[&["--json", "log", "-f"], args].concat());
        let mut child = pcm.stdout(Stdio::piped()).spawn().unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        Following(child, lines)
    }

    fn next(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.1.next().expect("it goes on").unwrap()).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn who_follows_begins_with_the_last_of_those_asked_for_and_is_told_where_some_may_be_missing() {
    let dir = enrolled();
    let path = dir.path().join("a.log");
    let append = |n: usize, kind: u8, words: &str| {
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(e(n, kind, words).as_bytes()).unwrap();
    };
    let log: String = (0..100).map(|n| e(n, if n % 10 == 5 { 3 } else { 1 }, &format!("r{n:02}"))).collect();
    fs::write(&path, &log).unwrap();
    let mut following = Following::start(dir.path(), &["a.log", "-n", "2", "--level", "error"]);
    assert_eq!([following.next(), following.next()].map(|record| record["text"].clone()), ["r85", "r95"]);
    append(100, 1, "no");
    append(101, 3, "yes");
    assert_eq!(following.next()["text"], "yes");
    fs::write(&path, e(102, 3, "another")).unwrap();
    let gap = following.next();
    assert_eq!(gap["file"], "a.log");
    assert!(gap["gap"].as_str().unwrap().contains("was cut"), "{gap}");
    assert_eq!(following.next()["text"], "another");
    let refused = pcm(dir.path(), &["log", "a.log", "-f", "-n", "100001", "--level", "error"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("at most 100000 records"), "{}", text(&refused.stderr));
}
