//! Nobody else's hands (PROMISES.md 4): an account that may write a folder which pcm works on gains nothing by what it puts
//! there, and what others may change is not used.

use super::common::*;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const NOBODY: u32 = 65_534;

/// A machine whose service is to run as `nobody`; None, with the skip printed, where that cannot be tried.
fn of_nobody() -> Option<Site> {
    let site = Site::new();
    mode(&site.path(""), 0o755);
    write(&site.witness(), b"");
    let paths = [site.state(), site.path("etc"), site.witness()];
    let given = Command::new("chown").arg("-R").arg("65534:65534").args(&paths).status();
    let starts = {
        use std::os::unix::process::CommandExt;
        Command::new(env!("CARGO_BIN_EXE_pcm")).arg("--version").uid(NOBODY).gid(NOBODY).output()
    };
    if given.is_ok_and(|s| s.success()) && starts.is_ok_and(|o| o.status.success()) {
        return Some(site);
    }
    skipped("needs root, and a binary that other accounts may start");
    None
}

/// One optional request that says who it runs as.
fn optional(site: &mut Site) {
    let script = format!("echo ran as $(id -u) >> '{}'", site.witness().display());
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
}

/// A command that has to end by itself at once.
fn at_once(site: &Site, args: &[&str]) -> Output {
    let begun = Instant::now();
    let mut child = site.command(args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let ended = wait_for_or(Duration::from_secs(20), || child.try_wait().unwrap().is_some());
    let _ = child.kill();
    ended.unwrap_or_else(|()| panic!("pcm {args:?} hangs, {:?}", begun.elapsed()));
    child.wait_with_output().unwrap()
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Everything below a folder, itself included.
fn all_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match fs::symlink_metadata(&path).unwrap().is_dir() {
            true => found.extend(all_below(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn root_works_on_the_state_of_another_account_as_that_account_and_is_named_in_the_audit() {
    let Some(mut site) = of_nobody() else { return };
    optional(&mut site);
    site.json(&["hold", "--for", "1h", "--reason", "the service is down"]);
    assert!(site.pcm(&["unhold"]).status.success());
    let run = site.pcm(&["run", "BP0000Y", "--wait"]);
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(site.ran("ran as 65534"), 1, "{}", fs::read_to_string(site.witness()).unwrap());
    let audit = site.json(&["audit"]);
    assert!(audit["entries"].as_array().unwrap().iter().all(|e| e["uid"] == 0), "{audit}");
    let roots: Vec<_> = all_below(&site.state())
        .into_iter()
        .filter(|path| fs::symlink_metadata(path).unwrap().uid() != NOBODY)
        .collect();
    assert!(roots.is_empty(), "{roots:?}");
}

#[test]
fn what_a_service_account_plants_in_its_state_leads_root_nowhere() {
    for planted in ["lock", "log/PACMAN.LOG", "held.INS", "history.db", "init.lock"] {
        let Some(mut site) = of_nobody() else { return };
        optional(&mut site);
        let victim = site.path("victim");
        write(&victim, b"root's own\n");
        mode(&victim, 0o600);
        let at = site.state().join(planted);
        let _ = fs::remove_file(&at);
        symlink(&victim, &at).unwrap();
        for args in
            [&["hold", "--for", "1h", "--reason", "x"][..], &["run", "BP0000Y"], &["init"], &["status"]]
        {
            at_once(&site, args);
            assert_eq!(fs::read(&victim).unwrap(), b"root's own\n", "{planted}: {args:?}");
        }
    }
}

#[test]
fn root_is_no_service_for_the_state_of_another_account() {
    let Some(site) = of_nobody() else { return };
    let error = site.refused(&["service", "run"], 6);
    assert_eq!(error["code"], "state-of-another", "{error}");
}

#[test]
fn what_others_may_change_is_not_used_and_a_view_says_so() {
    for (loose, wrong, right) in [
        ("state", 0o777, 0o711),
        ("state/runs", 0o777, 0o711),
        ("etc/pcm.toml", 0o666, 0o644),
        ("etc", 0o777, 0o755),
    ] {
        let site = Site::new();
        mode(&site.path(loose), wrong);
        for args in [&["service", "run"][..], &["hold", "--for", "1h", "--reason", "x"], &["init"]] {
            let error = site.refused(args, 6);
            assert_eq!(error["code"], "loose-permissions", "{loose}: {args:?}: {error}");
            let said = error["message"].as_str().unwrap();
            assert!(said.contains(site.path(loose).to_str().unwrap()), "{said}");
        }
        let status = site.json_of(&["status"]);
        let problems: Vec<&Value> = status["problems"].as_array().unwrap().iter().collect();
        assert!(problems.iter().any(|p| p["code"] == "loose-permissions"), "{status}");
        mode(&site.path(loose), right);
        site.json(&["hold", "--for", "1h", "--reason", "x"]);
    }
}

#[test]
fn what_others_may_change_while_the_service_runs_is_not_used_either() {
    let mut site = Site::new();
    mode(&site.path(""), 0o755);
    optional(&mut site);
    let _service = site.service();
    site.wait_state("BP0000Y", "offered");
    let hold = ["hold", "--for", "1h", "--reason", "x"];
    for (loose, wrong, right) in
        [("etc/pcm.toml", 0o666, 0o644), ("state", 0o777, 0o711), ("etc", 0o777, 0o755)]
    {
        let written = fs::read(site.config()).unwrap();
        mode(&site.path(loose), wrong);
        // A group that whoever could write the file has put there.
        let own = String::from_utf8(written.clone()).unwrap() + "\n[operators]\ngroup = \"nogroup\"\n";
        fs::write(site.config(), own).unwrap();
        let mut theirs = site.command(&["run", "BP0000Y"]);
        std::os::unix::process::CommandExt::uid(&mut theirs, NOBODY);
        std::os::unix::process::CommandExt::gid(&mut theirs, NOBODY);
        let theirs = theirs.output();
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            let status = theirs.unwrap().status.code();
            assert!(matches!(status, Some(3 | 6)), "{loose}: an operator by a group of its own: {status:?}");
        }
        let told = || site.json_of(&["status"])["problems"].as_array().unwrap().clone();
        wait_for("the service notices", || told().iter().any(|p| p["code"] == "loose-permissions"));
        assert_eq!(site.refused(&hold, 6)["code"], "loose-permissions", "{loose}");
        assert_eq!(site.pcm(&["status"]).status.code(), Some(10));
        let status = site.json_of(&["status"]);
        assert!(!status["standstill"].as_array().unwrap().is_empty(), "{loose}: {status}");
        fs::write(site.config(), written).unwrap();
        mode(&site.path(loose), right);
        wait_for("it is mended", || told().is_empty());
        site.json(&hold);
        site.json(&["unhold"]);
    }
    assert_eq!(site.ran("ran"), 0);
}

/// A log folder that others may write has no say in where root's transcripts are made.
#[test]
fn a_link_in_a_loose_log_folder_leads_no_transcript_anywhere() {
    let mut site = Site::new();
    let log = site.state().join("log");
    let victim = site.path("victim");
    make_dir(&victim);
    make_dir(&log);
    let _ = fs::remove_dir_all(log.join("runs"));
    symlink(&victim, log.join("runs")).unwrap();
    mode(&log, 0o777);
    optional(&mut site);
    let _service = site.service();
    site.wait_blocked("BP0000Y", &["optional"]);
    site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "something was written through the link");
    let status = site.json_of(&["status"]);
    let problem = status["problems"].as_array().unwrap().iter().find(|p| p["code"] == "log-unwritable");
    assert!(problem.is_some(), "{status}");
}

#[test]
fn a_loose_trust_folder_is_refused_where_it_counts_and_a_warning_elsewhere() {
    let site = Site::new();
    make_dir(&site.path("etc/trust.d"));
    mode(&site.path("etc/trust.d"), 0o777);
    site.json(&["hold", "--for", "1h", "--reason", "x"]);
    let service = site.service();
    site.wait_log("loose-permissions");
    service.terminate();
    let config = fs::read_to_string(site.config()).unwrap();
    write(&site.config(), config.replace("\"permissions\"", "\"signed\"").as_bytes());
    assert_eq!(site.refused(&["service", "run"], 6)["code"], "loose-permissions");
}

#[test]
fn whatever_the_umask_init_makes_what_others_can_reach_and_not_change() {
    for umask in ["000", "077"] {
        let site = Site::bare("");
        fs::remove_dir_all(site.path("etc")).unwrap();
        let init = format!(
            "umask {umask}; exec {} --config {} --state {} init --machine {MACHINE} --share {} --trust permissions",
            env!("CARGO_BIN_EXE_pcm"),
            site.config().display(),
            site.state().display(),
            site.share().display()
        );
        let done = Command::new("sh").arg("-c").arg(init).output().unwrap();
        assert!(done.status.success(), "{}", text(&done));
        for path in all_below(&site.state()).into_iter().chain(all_below(&site.path("etc"))) {
            assert_eq!(mode_of(&path) & 0o022, 0, "{}", path.display());
        }
        assert_eq!((mode_of(&site.state()), mode_of(&site.path("etc"))), (0o711, 0o755));
        assert_eq!((mode_of(&site.config()), mode_of(&site.state().join("history.db"))), (0o644, 0o600));
        site.json(&["hold", "--for", "1h", "--reason", "x"]);
    }
}

#[test]
fn no_link_on_the_share_leads_what_pcm_writes_somewhere_else() {
    for (replaced, inside) in [("machines", ""), ("despoolr.box", MACHINE), ("despoolr.box/BP004000", "")] {
        let mut site = Site::new();
        let elsewhere = site.path("elsewhere");
        make_dir(&elsewhere.join(inside));
        let at = site.share().join(replaced);
        let _ = fs::remove_dir_all(&at);
        symlink(&elsewhere, &at).unwrap();
        let hash = site.package("BP00000A", &site.say("ran"));
        site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
        let _service = site.service();
        site.wait_state("BP0000Y", "succeeded");
        site.wait_log("did not reach the share");
        let put: Vec<_> = all_below(&elsewhere).into_iter().filter(|path| path.is_file()).collect();
        assert!(put.is_empty(), "{replaced}: {put:?}");
    }
}

/// A service below strace, to which the system says that it has no `openat2`, or that a container forbids it.
struct WithoutOpenat2(std::process::Child);

impl WithoutOpenat2 {
    fn start(site: &Site, error: &str) -> Self {
        let pcm = site.command(&["service", "run"]);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(site.path("trace"));
        strace.args(["-e", "trace=openat2", "-e", &format!("inject=openat2:error={error}")]);
        strace.arg(pcm.get_program()).args(pcm.get_args()).stdout(std::process::Stdio::null());
        strace.stderr(std::process::Stdio::null()).env("TZ", "UTC");
        let service = Self(strace.spawn().unwrap());
        site.wait_service();
        service
    }
}

impl Drop for WithoutOpenat2 {
    /// Strace that is killed would let go of the service.
    fn drop(&mut self) {
        let children = format!("/proc/{0}/task/{0}/children", self.0.id());
        for pid in fs::read_to_string(children).unwrap_or_default().split_whitespace() {
            let _ = Command::new("kill").args(["-9", pid]).status();
        }
        let _ = self.0.wait();
    }
}

#[test]
fn where_openat2_is_missing_or_forbidden_no_link_leads_anywhere_either() {
    if !crate::harness::trace::possible() {
        return;
    }
    for (replaced, inside, error) in
        [("", "", "ENOSYS"), ("machines", "", "ENOSYS"), ("despoolr.box", MACHINE, "EPERM")]
    {
        let mut site = Site::new();
        let elsewhere = site.path("elsewhere");
        make_dir(&elsewhere.join(inside));
        if !replaced.is_empty() {
            let at = site.share().join(replaced);
            let _ = fs::remove_dir_all(&at);
            symlink(&elsewhere, &at).unwrap();
        }
        let hash = site.package("BP00000A", &site.say("ran"));
        site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
        let _service = WithoutOpenat2::start(&site, error);
        site.wait_state("BP0000Y", "succeeded");
        let trace = || fs::read_to_string(site.path("trace")).unwrap_or_default();
        assert!(trace().contains("(INJECTED)"), "nothing asked for openat2: {}", trace());
        if replaced.is_empty() {
            let result = site.share().join(format!("despoolr.box/{MACHINE}/BP0000Y-1.MIF"));
            wait_for("the result is delivered", || result.is_file());
            continue;
        }
        site.wait_log("did not reach the share");
        let put: Vec<_> = all_below(&elsewhere).into_iter().filter(|path| path.is_file()).collect();
        assert!(put.is_empty(), "{replaced}: {put:?}");
    }
}

#[test]
fn nothing_is_written_to_a_share_that_is_not_trusted() {
    let mut site = Site::new();
    optional(&mut site);
    mode(&site.share(), 0o777);
    let service = site.service();
    site.wait_log("is refused: loose-permissions");
    site.json_of(&["poll"]);
    assert!(!site.share().join("machines/BP004000.json").exists());
    service.terminate();
    mode(&site.share(), 0o755);
    let _service = site.service();
    wait_for("the machine reports", || site.share().join("machines/BP004000.json").is_file());
}

#[test]
fn a_pipe_or_a_folder_in_the_place_of_a_file_is_an_error_and_holds_up_nobody() {
    for file in [
        "state/lock",
        "state/held.INS",
        "state/history.db",
        "state/history.db-journal",
        "etc/pcm.mark",
        "etc/pcm.toml",
    ] {
        for folder in [false, true] {
            let site = Site::new();
            let at = site.path(file);
            let _ = fs::remove_file(&at);
            match folder {
                true => fs::create_dir(&at).unwrap(),
                false => assert!(Command::new("mkfifo").arg(&at).status().unwrap().success()),
            }
            for args in [&["hold", "--for", "1h", "--reason", "x"][..], &["status"], &["init"]] {
                at_once(&site, args);
            }
        }
    }
}

#[test]
fn a_program_that_cannot_be_started_is_refused_before_its_only_attempt() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("setup.sh", b"#!/bin/sh\r\nexit 0\r\n", "CR LF"),
        ("setup.sh", b"#!/opt/no/such/perl\n", "/opt/no/such/perl"),
        ("setup.sh", b"no program at all\n", "neither"),
        ("setup.sh", b"MZ\x90\0 a program of Windows", "Windows"),
        ("other.sh", b"#!/bin/sh\n", "not among the files"),
    ];
    for (name, content, why) in cases {
        let mut site = Site::new();
        let files = site.share().join("packages/BP00000A/files");
        make_dir(&files);
        write(&files.join(name), content);
        let list = format!("{} {} {name}\n", sha256(content), content.len());
        write(&site.share().join("packages/BP00000A/CONTENT"), list.as_bytes());
        site.publish(&[Request::due("BP0000Y")
            .set("content_sha256", format!("\"{}\"", sha256(list.as_bytes())))
            .set("platforms", "[\"linux-x86_64\", \"linux-aarch64\"]")]);
        let service = site.service();
        site.wait_state("BP0000Y", "rejected");
        let explain = site.json(&["explain", "BP0000Y"]);
        let gate =
            explain["gates"].as_array().unwrap().iter().find(|g| g["gate"] == "record").unwrap().clone();
        assert_eq!(
            (gate["verdict"].as_str(), gate["code"].as_str()),
            (Some("block"), Some("command-refused"))
        );
        let evidence = gate["evidence"].as_str().unwrap();
        assert!(evidence.contains("setup.sh") && evidence.contains(why), "{evidence}");
        assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "command-refused");
        assert_eq!(site.json(&["history"])["attempts"].as_array().map(Vec::len), Some(0));
        service.terminate();
        // What only the machine can know, the lint cannot.
        if !why.contains("/opt") {
            let lint = site.pcm(&["site", "lint", site.share().to_str().unwrap()]);
            assert!(text(&lint).contains("the program ") && text(&lint).contains(why), "{}", text(&lint));
        }
    }
}

#[test]
fn what_anybody_puts_into_the_folder_of_results_does_not_keep_a_machine_from_being_enrolled() {
    let site = Site::bare("");
    let results = site.share().join("despoolr.box").join(MACHINE);
    make_dir(&results.join("BP0000X-1.MIF"));
    write(&results.join("note.txt"), b"planted");
    symlink("/etc/passwd", results.join("BP0000Z-1.MIF")).unwrap();
    let init = site.pcm(&["init"]);
    assert!(init.status.success(), "{}", text(&init));
}
