//! The machine restarts in the middle of a run; a package replaces or deletes pcm's own program; pcm is upgraded while a
//! package runs. All end as they should.

use super::common::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) const PCM: &str = env!("CARGO_BIN_EXE_pcm");

fn due(site: &Site, id: &str, package: &str, script: &str) -> Request {
    let hash = site.package(package, script);
    Request::due(id).set("package_id", format!("\"{package}\"")).set("content_sha256", format!("\"{hash}\""))
}

/// Words before a command that give it another boot id: the machine has restarted. None, with the skip printed, where
/// that cannot be done.
pub(super) fn another_boot(site: &Site) -> Option<Vec<String>> {
    let id = site.path("boot_id");
    write(&id, b"5ca1ab1e-0000-4000-8000-000000000000\n");
    let script =
        format!("mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$0\" \"$@\"", id.display());
    let words: Vec<String> =
        ["unshare", "--mount", "--", "sh", "-c", &script].map(str::to_owned).into_iter().collect();
    let tried = Command::new(&words[0])
        .args(&words[1..])
        .args(["cat", "/proc/sys/kernel/random/boot_id"])
        .stdin(Stdio::null())
        .output();
    if tried.is_ok_and(|tried| tried.stdout.starts_with(b"5ca1ab1e")) {
        Some(words)
    } else {
        skipped("no mount namespace can be made here, so the boot stays the same");
        None
    }
}

/// `pcm service run` behind these words, and of this program.
pub(super) fn service_of(site: &Site, before: &[String], program: &Path) -> Service {
    let plain = site.command(&["service", "run"]);
    let mut words: Vec<&std::ffi::OsStr> = before.iter().map(AsRef::as_ref).collect();
    words.push(program.as_ref());
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(plain.get_args()).env_remove("PCM_CONFIG").env_remove("PCM_STATE");
    command.env("TZ", "UTC").stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(fs::File::create(site.path("service.err")).unwrap());
    let service = Service { child: command.spawn().unwrap() };
    site.wait_service();
    service
}

fn host_of(site: &Site, run: &str) -> String {
    let text = fs::read(site.state().join("runs").join(run).join("started")).unwrap();
    serde_json::from_slice::<serde_json::Value>(&text).unwrap()["host"]["pid"].to_string()
}

fn attempts(site: &Site, id: &str) -> Vec<serde_json::Value> {
    site.json(&["history", id])["attempts"].as_array().unwrap().clone()
}

fn two_polls(site: &Site) {
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
}

#[test]
fn a_run_that_a_restart_of_the_machine_broke_off_is_interrupted_and_not_repeated() {
    let mut site = Site::new();
    let Some(boot) = another_boot(&site) else { return };
    let request = due(
        &site,
        "BP0000Y",
        "BP00000A",
        &format!("{}; echo $$ >{}; exec sleep 295", site.say("ran"), site.path("pid").display()),
    );
    site.publish(&[request]);
    let service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1);
    let package = site.path("pid");
    wait_for("it says its number", || fs::read_to_string(&package).is_ok_and(|text| text.ends_with('\n')));
    // A restart takes them all at once.
    let package = fs::read_to_string(&package).unwrap();
    let pids = [service.child.id().to_string(), host_of(&site, "BP0000Y-1"), package.trim().to_owned()];
    assert!(Command::new("kill").arg("-9").args(&pids).status().unwrap().success());
    drop(service);
    let _service = service_of(&site, &boot, Path::new(PCM));
    site.wait_state("BP0000Y", "interrupted");
    let newest = attempts(&site, "BP0000Y")[0].clone();
    assert!(newest["result"].as_str().unwrap().contains("the machine restarted"), "{newest}");
    two_polls(&site);
    assert_eq!((site.ran("ran"), attempts(&site, "BP0000Y").len()), (1, 1));
}

#[test]
fn a_process_of_another_boot_with_the_number_of_the_run_host_is_left_alone() {
    let mut site = Site::new();
    let Some(boot) = another_boot(&site) else { return };
    let request = due(&site, "BP0000Y", "BP00000A", &format!("{}; exec sleep 294", site.say("ran")));
    site.publish(&[request]);
    let service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1);
    service.kill();
    let host = host_of(&site, "BP0000Y-1");
    // Its numbers live on, as they would with strangers behind them.
    assert!(Command::new("kill").args(["-STOP", &host]).status().unwrap().success());
    let session = |host: &str| {
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| {
                let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
                let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
                fields.get(3) == Some(&host) && fields[0] != "Z"
            })
            .count()
    };
    // What told of the package's beginning may still be there for a moment: it syncs.
    wait_for("run host and package are alone", || session(&host) == 2);
    // No lock survives a restart: it is held by a file that is not the run's any more.
    let lock = site.state().join("runs/BP0000Y-1/lock");
    fs::remove_file(&lock).unwrap();
    fs::File::create(&lock).unwrap();
    let _service = service_of(&site, &boot, Path::new(PCM));
    site.wait_state("BP0000Y", "interrupted");
    assert_eq!(session(&host), 2, "what has the number of another boot's run host was touched");
    Command::new("kill").args(["-9", &host]).status().unwrap();
}

#[test]
fn a_package_that_wants_a_restart_and_ended_before_it_is_judged_by_its_exit_record_afterwards() {
    let mut site = Site::new();
    let Some(boot) = another_boot(&site) else { return };
    let request = due(&site, "BP0000Y", "BP00000A", &format!("{}; sleep 1; exit 17", site.say("ran")));
    site.publish(&[request.set("exit_codes", "{ \"17\" = \"restart\" }")]);
    let service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1);
    service.kill();
    let exit = site.state().join("runs/BP0000Y-1/exit");
    wait_for("its exit record is written", || exit.is_file());
    let _service = service_of(&site, &boot, Path::new(PCM));
    wait_for("its end is recorded", || attempts(&site, "BP0000Y")[0]["exit_code"] == 17);
    assert!(site.state_of("BP0000Y").starts_with("succeeded"), "{}", site.state_of("BP0000Y"));
    two_polls(&site);
    assert_eq!((site.ran("ran"), attempts(&site, "BP0000Y").len()), (1, 1));
}

/// pcm's own program, where a package can get at it, and a newer version of it that says each time what it is called
/// for.
struct Program {
    dir: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let program = Self { dir };
        program.restore();
        let newer =
            format!("#!/bin/sh\necho \"$*\" >>'{}'\nexec '{PCM}' \"$@\"\n", program.calls().display());
        install_script(&program.newer(), &newer);
        program
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("pcm")
    }

    fn newer(&self) -> PathBuf {
        self.dir.path().join("newer")
    }

    fn calls(&self) -> PathBuf {
        self.dir.path().join("calls")
    }

    /// What the newer version was called for.
    fn called_for(&self, what: &str) -> bool {
        fs::read_to_string(self.calls()).unwrap_or_default().contains(what)
    }

    fn restore(&self) {
        if fs::hard_link(PCM, self.path()).is_err() {
            install_program(&self.path());
        }
    }
}

#[test]
fn a_package_that_replaces_pcms_own_program_ends_as_it_should_and_what_follows_is_run_by_the_new_one() {
    let mut site = Site::new();
    let program = Program::new();
    let replace =
        format!("mv {} {}; {}; exit 4", program.newer().display(), program.path().display(), site.say("ran"));
    let requests = [
        due(&site, "BP00001", "BP00000A", &replace),
        due(&site, "BP00002", "BP00000B", &site.say("ran")).mandatory(now()),
    ];
    site.publish(&requests);
    let _service = service_of(&site, &[], &program.path());
    site.wait_state("BP00001", "failed");
    assert_eq!(attempts(&site, "BP00001")[0]["exit_code"], 4);
    site.wait_state("BP00002", "succeeded");
    assert!(program.called_for("run-host"), "the new one runs the next package");
    assert_eq!((site.ran("ran BP00001"), site.ran("ran BP00002")), (1, 1));
}

#[test]
fn a_package_that_deletes_pcms_own_program_ends_as_it_should_and_nothing_starts_until_it_is_there_again() {
    let mut site = Site::with_config("[run]\nretry_after = \"1s\"\n");
    let program = Program::new();
    let delete = format!("rm {}; {}", program.path().display(), site.say("ran"));
    let first = due(&site, "BP00001", "BP00000A", &delete);
    // Without content: nothing of it has to be fetched, so that only its launch can fail.
    let second = Request::due("BP00002").set("command_line", "\"true\"").set("depends_on", "[\"BP00001\"]");
    let config = fs::read_to_string(site.config()).unwrap() + "[execute]\nprograms = [\"true\"]\n";
    write(&site.config(), config.as_bytes());
    site.publish(&[first, second]);
    let _service = service_of(&site, &[], &program.path());
    site.wait_state("BP00001", "succeeded");
    site.wait_log("pcm's own program is gone");
    assert_ne!(site.state_of("BP00002"), "succeeded");
    program.restore();
    site.wait_state("BP00002", "succeeded");
    assert_eq!(site.ran("ran"), 1);
    let runs = attempts(&site, "BP00002");
    assert!(runs[1..].iter().all(|a| a["result"].as_str().unwrap().contains("not launched")), "{runs:?}");
}

#[test]
fn an_upgrade_of_pcm_while_a_package_runs_adopts_the_run_and_records_its_true_end() {
    let mut site = Site::new();
    let program = Program::new();
    let script = format!("{}; {}; {}; exit 6", site.say("begin"), site.waits_for_go(), site.say("end"));
    let request = due(&site, "BP0000Y", "BP00000A", &script);
    site.publish(&[request]);
    let old = service_of(&site, &[], &program.path());
    wait_for("the package has begun", || site.ran("begin") == 1);
    // As a package manager does it: the new file takes the old one's place, then the service is restarted.
    fs::rename(program.newer(), program.path()).unwrap();
    old.terminate();
    let _new = service_of(&site, &[], &program.path());
    assert!(program.called_for("service run"));
    assert_eq!(site.state_of("BP0000Y"), "running", "it is adopted");
    site.go();
    site.wait_state("BP0000Y", "failed");
    assert_eq!(attempts(&site, "BP0000Y")[0]["exit_code"], 6);
    assert_eq!((site.ran("begin"), site.ran("end"), attempts(&site, "BP0000Y").len()), (1, 1, 1));
}

#[test]
fn a_run_that_an_older_version_started_is_adopted_and_recorded() {
    let mut site = Site::new();
    let script = format!("{}; {}; exit 6", site.say("begin"), site.waits_for_go());
    let request = due(&site, "BP0000Y", "BP00000A", &script);
    site.publish(&[request]);
    let service = site.service();
    wait_for("the package has begun", || site.ran("begin") == 1);
    service.kill();
    // The first version wrote no more than this.
    let path = site.state().join("runs/BP0000Y-1/started");
    let mut started: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    started.as_object_mut().unwrap().retain(|key, _| key == "host");
    fs::write(&path, started.to_string()).unwrap();
    let _service = site.service();
    assert_eq!(site.state_of("BP0000Y"), "running", "it is adopted");
    site.go();
    site.wait_state("BP0000Y", "failed");
    assert_eq!(attempts(&site, "BP0000Y")[0]["exit_code"], 6);
}
