//! The key of a bucket is nowhere but in its file: not in a log, a transcript, a package's environment, an audit trail, a view, an
//! archive of evidence, an error, what `RUST_LOG` shows, or what is left of a process that crashed.

use super::super::common::publisher::Machine;
use super::super::common::web::Fault;
use super::super::common::{mode, text, write};
use super::{SECRET, in_a_bucket};
use std::cell::RefCell;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ID: &str = "AKIDEXAMPLE";
const TOKEN: &str = "FwoGZXIvYXdzE-token";

/// Whether one of the two that are secret is in these bytes.
fn tells(bytes: &[u8]) -> bool {
    [SECRET, TOKEN].iter().any(|word| bytes.windows(word.len()).any(|some| some == word.as_bytes()))
}

/// Every file below a folder but the key itself; what is packed is looked into.
fn files_tell(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let (at, name) = (entry.path(), entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_tell(&at));
        } else if entry.file_type().unwrap().is_file() && name != "bucket.key" {
            let bytes = fs::read(&at).unwrap_or_default();
            let mut plain = Vec::new();
            if name.to_string_lossy().ends_with(".zst") {
                let mut tar = ruzstd::decoding::StreamingDecoder::new(&bytes[..]).unwrap();
                tar.read_to_end(&mut plain).unwrap();
                assert!(!plain.is_empty(), "{}", at.display());
            }
            if tells(&bytes) || tells(&plain) {
                found.push(at.display().to_string());
            }
        }
    }
    found
}

fn says_nothing(what: &str, output: &Output) {
    assert!(!tells(&output.stdout) && !tells(&output.stderr), "{what}: {}", text(output));
}

/// A verb with all that there is to say said.
fn loud(machine: &Machine, args: &[&str]) -> Output {
    let mut verb = machine.site.command(args);
    verb.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").output().unwrap()
}

#[test]
fn the_key_of_a_bucket_is_nowhere_but_in_its_file() {
    let Some((publisher, _bucket, web)) = in_a_bucket() else { return };
    let key = publisher.path("bucket.key");
    let whole =
        format!("access_key_id = {ID:?}\nsecret_access_key = {SECRET:?}\nsession_token = {TOKEN:?}\n");
    write(&key, whole.as_bytes());
    mode(&key, 0o600);
    // The package looks around as far as it may.
    let seen = publisher.path("seen");
    publisher.files(&format!(
        "#!/bin/sh\nenv > {0}\ntr '\\0' '\\n' < /proc/$PPID/environ >> {0}\ntr '\\0' ' ' < /proc/$PPID/cmdline >> {0}\n\
         ls -l /proc/$PPID/fd /proc/self/fd >> {0}\necho ran >> {1}\n",
        seen.display(),
        publisher.path("ran").display()
    ));
    let loud_publisher = |args: &[&str]| {
        let mut verb = publisher.verb(args);
        verb.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").output().unwrap()
    };
    let published = loud_publisher(&["site", "publish"]);
    assert!(published.status.success(), "{}", text(&published));
    says_nothing("site publish", &published);
    let share = format!("endpoint = {:?}\ncredentials = {key:?}\ntimeout = \"2s\"\n", web.url());
    let machine = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &share);
    let out = machine.site.path("service.err");
    let pcm = machine.site.command(&["service", "run"]);
    let mut service = Command::new("sh");
    service
        .args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""])
        .arg(pcm.get_program())
        .args(pcm.get_args());
    service.env("RUST_LOG", "trace").env("TZ", "UTC").stdin(Stdio::null()).stdout(Stdio::null());
    service.env_remove("PCM_CONFIG").env_remove("PCM_STATE");
    let mut service = service.stderr(fs::File::create(&out).unwrap()).spawn().unwrap();
    machine.site.wait_service();
    let request = publisher.send();
    machine.succeeds(&request);
    machine.wait("its report is there", |_| {
        web.asked().iter().any(|one| one.method == "PUT" && one.path.contains("machines/BP004000.json"))
    });
    // That it was sent is sure: the token stands in each request.
    assert!(web.asked().iter().any(|one| one.headers.contains(&TOKEN.to_lowercase())));

    let archive = machine.site.path("evidence.tar.zst").display().to_string();
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["check"],
        &["check", "--json"],
        &["list"],
        &["explain", &request],
        &["history", &request],
        &["audit"],
        &["poll"],
        &["log", "-n", "1000"],
        &["evidence", &request, "--out", &archive],
    ] {
        says_nothing(&args.join(" "), &loud(&machine, args));
    }
    assert!(Path::new(&archive).exists(), "an archive of evidence was made");
    for args in [&["rollout"][..], &["site", "status"], &["site", "collect"], &["job", "list"]] {
        says_nothing(&args.join(" "), &loud_publisher(args));
    }
    assert!(published.stderr.len() > 1_000, "RUST_LOG=trace says something");

    // What is wrong with the key, or with the server, is said without it.
    for (fault, args) in [
        (Fault::Code(403, String::new(), "SignatureDoesNotMatch"), "poll"),
        (Fault::Status(500, String::new()), "poll"),
        (Fault::Hang, "check"),
        (Fault::Cut(20), "poll"),
    ] {
        web.fail("PCM.INDEX", fault.clone());
        says_nothing(&format!("{fault:?}"), &loud(&machine, &[args]));
        says_nothing(&format!("{fault:?}"), &loud_publisher(&["site", "status"]));
        web.mend();
    }
    for (bytes, rights) in [
        (whole.replace('=', ":"), 0o600),
        (format!("{whole}more = \"{SECRET}\"\n"), 0o600),
        (format!("secret_access_key = {SECRET:?}\n"), 0o600),
        (format!("{SECRET}\n{TOKEN}\n"), 0o600),
        (whole.clone(), 0o644),
    ] {
        write(&key, bytes.as_bytes());
        mode(&key, rights);
        let said = loud(&machine, &["check", "--json"]);
        says_nothing("a key file that is wrong", &said);
        let doc: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        let share = doc["items"].as_array().unwrap().iter().find(|item| item["item"] == "share").unwrap();
        assert!(share["remedy"].as_str().unwrap().contains("See that the key file"), "{share:#}");
        says_nothing("a key file that is wrong", &loud(&machine, &["poll"]));
        let refused = loud_publisher(&["rollout"]);
        says_nothing("a key file that is wrong", &refused);
        assert!(text(&refused).contains("bucket.key"), "it names the file: {}", text(&refused));
    }
    write(&key, whole.as_bytes());
    mode(&key, 0o600);
    machine.wait("it is back", |machine| machine.site.pcm(&["poll"]).status.success());

    // Who talks to the server crashes while it does: nothing of its memory is kept.
    web.asked().clear();
    web.fail("PCM.INDEX", Fault::Hang);
    let mut poll = machine.site.command(&["poll"]);
    let mut poll = poll.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let limits = RefCell::new(String::new());
    machine.wait("a reader hangs at the server", |_| {
        // It asks, so it knows the key.
        let asks = web.asked().iter().any(|one| one.status == 0 && one.path.contains("PCM.INDEX"));
        let Some(pid) = readers(service.id()).first().copied().filter(|_| asks) else { return false };
        let read = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        // One that has just gone is another one's to come.
        let kill = || Command::new("kill").args(["-ABRT", &pid.to_string()]).status();
        let is_there = !read.is_empty() && kill().is_ok_and(|status| status.success());
        limits.replace(read);
        is_there
    });
    let limits = limits.into_inner();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "it leaves no core file: {core}");
    web.mend();
    let _ = poll.wait();
    service.kill().unwrap();
    service.wait().unwrap();

    for folder in [machine.site.path(""), publisher.path("")] {
        let found = files_tell(&folder);
        assert!(found.is_empty(), "{found:?}");
    }
    assert!(fs::read_to_string(&seen).unwrap().contains("PATH="), "the package looked around");
}

/// The processes that talk to the server for this service.
fn readers(service: u32) -> Vec<u32> {
    let is_its = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        parent == Some(service) && String::from_utf8_lossy(&line).contains("share-reader")
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_its).collect()
}
