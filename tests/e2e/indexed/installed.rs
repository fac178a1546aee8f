//! What is installed already does not run (SITE.md 2, `installed_if`), what is not there is not removed, and a success after
//! which nothing is installed is none. With real files, the real databases of packages, and a file system that hangs.

use super::super::common::hanging::Hang;
use super::super::common::text;
use super::super::reboot::{PCM, another_boot, service_of};
use super::*;
use std::time::{Duration, Instant};

impl Indexed {
    /// A job of a release (not the first, which others are of) whose definition has these lines, in its command and below.
    fn job_of(&self, release: u64, lines: &str) -> Job {
        let package = self.package(release, lines);
        let job = self.job().set("release", release.to_string());
        job.set("package_sha256", format!("\"{package}\""))
    }

    /// One that removes what it is about.
    fn removal(&self, lines: &str) -> Job {
        self.job_of(2, &format!("removes = true\n{lines}")).set("removes", "true")
    }

    /// The file that its package's test asks for.
    fn acme(&self) -> PathBuf {
        self.site.path("acme")
    }

    fn by_file(&self) -> String {
        format!("[installed_if]\nfile = \"{}\"\n", self.acme().display())
    }

    /// What explains the gate of the history.
    fn history(&self, id: &str) -> (Value, String) {
        let doc = self.site.json(&["explain", id]);
        let gate = doc["gates"].as_array().unwrap().iter().find(|g| g["gate"] == "history").unwrap().clone();
        (gate["code"].clone(), gate["evidence"].as_str().unwrap().to_owned())
    }

    fn result(&self, id: &str) -> String {
        let shown = self.site.json(&["show", id]);
        shown["attempts"][0]["result"].as_str().unwrap().to_owned()
    }
}

/// In both trust modes.
fn both() -> impl Iterator<Item = Indexed> {
    [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten().map(|mut share| {
        if share.signed {
            let job = share.other().later();
            share.publish(&[job]);
            share.enrol();
        }
        share
    })
}

#[test]
fn what_is_installed_does_not_run_and_what_is_not_does() {
    for mut share in both() {
        let acme = share.acme();
        write(&acme, b"4.0\n");
        share.does = format!("echo 4.0 > '{}'", acme.display());
        let job = share.job_of(3, &share.by_file());
        let after = share.other().set("depends_on", format!("[\"{ID}\"]")).later();
        share.publish(&[job, after]);
        let service = share.site.service();
        share.site.wait_state(ID, "not-needed");
        let (code, evidence) = share.history(ID);
        assert_eq!(code, "already-installed");
        assert!(evidence.contains("is there"), "{evidence}");
        let listed = share.site.request(ID).unwrap();
        assert_eq!((&listed["group"], &listed["never"]), (&"skipped".into(), &false.into()));
        assert_eq!(listed["why"], "installed already");
        assert_eq!(share.site.refused(&["run", ID], 3)["code"], "already-installed");
        assert_eq!(share.site.state_of(OTHER_ID), "offered", "what waits for it does not wait any more");
        let text = text(&share.site.pcm(&["list", "--all"]));
        assert!(text.contains("not-needed") && text.contains("installed already"), "{text}");
        assert_eq!(share.site.ran("ran"), 0);
        // Somebody removes it: the next poll sees that.
        fs::remove_file(&acme).unwrap();
        share.site.wait_state(ID, "succeeded");
        assert_eq!(share.site.ran("ran"), 1);
        assert!(acme.exists());
        service.kill();
    }
}

#[test]
fn what_was_installed_since_the_last_look_is_seen_before_the_claim() {
    let mut share = Indexed::by_permissions();
    // A poll a day: nothing else looks.
    let config = fs::read_to_string(share.site.config()).unwrap();
    let config = config.replace("polling_interval = \"1s\"", "polling_interval = \"1d\"");
    write(&share.site.config(), config.as_bytes());
    let job = share.job_of(3, &share.by_file());
    let due = stamp(now() + seconds(12));
    share.publish(&[job.set("mandatory_after", &due)]);
    let service = share.site.service();
    wait_for("it looked", || share.history(ID).1.contains("there is no"));
    write(&share.acme(), b"by hand\n");
    share.site.wait_state(ID, "not-needed");
    assert_eq!(share.site.ran("ran"), 0);
    // An operator is told the same, however old the newest look is.
    fs::remove_file(share.acme()).unwrap();
    // By that look it is due by itself again, and the service may be the one that starts it.
    let done = share.site.pcm(&["run", ID, "--wait"]);
    assert!(!text(&done).contains("already-installed"), "{}", text(&done));
    wait_for("it ran", || share.site.ran("ran") == 1);
    assert!(!share.site.json(&["show", ID])["attempts"].as_array().unwrap().is_empty());
    service.kill();
}

#[test]
fn a_success_after_which_it_is_not_installed_is_a_failure_and_a_failure_is_no_success() {
    let mut share = Indexed::by_permissions();
    let job = share.job_of(3, &share.by_file());
    share.publish(&[job]);
    let service = share.site.service();
    share.site.wait_state(ID, "failed");
    let result = share.result(ID);
    assert!(
        result.starts_with("not installed, exit 0 after ") && result.contains("there is no "),
        "{result}"
    );
    let listed = share.site.request(ID).unwrap();
    assert!(listed["why"].as_str().unwrap().starts_with("not installed, exit 0"), "{listed}");
    let mif = share.site.share().join(format!("despoolr.box/{MACHINE}/{ID}-1.MIF"));
    wait_for("its result is on the share", || mif.exists());
    let mif = fs::read_to_string(&mif).unwrap();
    assert!(mif.contains("Failed") && mif.contains("not installed, exit 0"), "{mif}");
    wait_for("its report says so", || {
        let report = fs::read_to_string(share.site.share().join(format!("machines/{MACHINE}.json")));
        report.is_ok_and(|report| report.contains("not installed, exit 0"))
    });
    service.kill();
    // It installs and fails: a failure.
    let mut share = Indexed::by_permissions();
    share.does = format!("touch '{}'; exit 17", share.acme().display());
    let job = share.job_of(3, &share.by_file());
    share.publish(&[job]);
    let service = share.site.service();
    share.site.wait_state(ID, "failed");
    assert!(share.result(ID).starts_with("exit 17"), "{}", share.result(ID));
    service.kill();
}

/// A package that succeeds, installs nothing and wants a restart in this way.
fn wants_restart(wants: &str, does: &str) -> Indexed {
    let mut share = Indexed::by_permissions();
    share.does = does.replace("GO", &share.site.path("go").display().to_string());
    let (name, value) = wants.split_once(" = ").unwrap();
    let job = share.job_of(3, &format!("{wants}\n{}", share.by_file()));
    // A job writes them as a table of their own.
    let value = if name == "exit_codes" { value.trim_matches(['{', ' ', '}']) } else { value };
    share.publish(&[job.set(name, value)]);
    share
}

const BY_EXIT_CODE: &str = "exit_codes = { \"194\" = \"restart\" }";

#[test]
fn what_a_restart_may_finish_is_no_failure_before_it_and_the_restart_stays_pending() {
    for (wants, does) in
        [(BY_EXIT_CODE, "exit 194"), ("restarts = \"pcm\"", "true"), ("restarts = \"program\"", "true")]
    {
        let share = wants_restart(wants, does);
        let service = share.site.service();
        share.site.wait_state(ID, "succeeded-restart");
        let says = |text: &str| text.contains("not installed before the restart and not judged, exit ");
        let result = share.result(ID);
        assert!(says(&result) && result.contains(": there is no "), "{wants}: {result}");
        assert_eq!(share.site.json(&["status"])["restart_pending"], true, "{wants}");
        let mif = share.site.share().join(format!("despoolr.box/{MACHINE}/{ID}-1.MIF"));
        wait_for("its result is on the share", || mif.exists());
        let mif = fs::read_to_string(&mif).unwrap();
        assert!(mif.contains("Success") && says(&mif), "{mif}");
        service.kill();
        if wants == BY_EXIT_CODE {
            let Some(boot) = another_boot(&share.site) else { continue };
            let _service = service_of(&share.site, &boot, Path::new(PCM));
            share.site.wait_state(ID, "succeeded");
            assert!(says(&share.result(ID)), "it still says so");
            assert_eq!(share.site.json(&["show", ID])["attempts"].as_array().unwrap().len(), 1);
        }
    }
}

#[test]
fn what_is_recorded_only_after_the_restart_is_judged_by_what_is_installed_then() {
    for (installs, state) in [(true, "succeeded"), (false, "failed")] {
        let share = wants_restart(BY_EXIT_CODE, "until [ -e 'GO' ]; do sleep 0.1; done; exit 194");
        let Some(boot) = another_boot(&share.site) else { return };
        let service = share.site.service();
        share.site.wait_state(ID, "running");
        service.kill();
        write(&share.site.path("go"), b"");
        let exit = share.site.state().join(format!("runs/{ID}-1/exit"));
        wait_for("its exit record is written", || exit.is_file());
        if installs {
            write(&share.acme(), b"4.0\n");
        }
        let _service = service_of(&share.site, &boot, Path::new(PCM));
        share.site.wait_state(ID, state);
        assert_eq!(share.result(ID).starts_with("not installed, exit 194"), !installs);
    }
}

#[test]
fn what_removes_runs_only_where_there_is_something_and_has_to_have_removed_it() {
    for (there, does, state, says) in [
        (false, "", "not-needed", ""),
        (true, "rm 'ACME'", "succeeded", "exit 0"),
        (true, "true", "failed", "still installed, exit 0 after "),
    ] {
        let mut share = Indexed::by_permissions();
        let acme = share.acme();
        if there {
            write(&acme, b"4.0\n");
        }
        share.does = does.replace("ACME", &acme.display().to_string());
        let job = share.removal(&share.by_file());
        share.publish(&[job]);
        let service = share.site.service();
        share.site.wait_state(ID, state);
        assert_eq!(share.site.ran("ran"), usize::from(there), "{state}");
        if there {
            assert!(share.result(ID).starts_with(says), "{}", share.result(ID));
        } else {
            let (code, evidence) = share.history(ID);
            assert_eq!(code, "already-installed");
            assert!(evidence.starts_with("there is nothing to remove: there is no "), "{evidence}");
        }
        service.kill();
    }
}

#[test]
fn what_needs_a_package_waits_again_where_it_was_removed_also_once_nothing_published_says_so() {
    let named = |job: Job, id: &str, request: &str| {
        let job = job.set("job_id", format!("\"{id}\"")).set("request_id", format!("\"{request}\""));
        Job { id: id.into(), ..job }
    };
    let mut share = Indexed::by_permissions();
    let puts = share.job();
    share.publish(&[puts]);
    let service = share.site.service();
    share.site.wait_state(ID, "succeeded");
    // No test of what is installed, and no name of the command, tells that it removes.
    let removes = named(share.removal(""), OTHER_JOB, OTHER_ID);
    share.publish(&[removes]);
    share.site.wait_state(OTHER_ID, "succeeded");
    let needs = named(share.job_of(3, ""), "BP0000AC", "BP0000X").set("depends_on", "[\"BP00000A\"]");
    share.publish(&[needs]);
    share.site.wait_blocked("BP0000X", &["dependency"]);
    let evidence = share.evidence("BP0000AC", "job");
    assert!(evidence.ends_with(&format!("{OTHER_ID} has removed it, and none has since")), "{evidence}");
    assert_eq!(share.site.ran("ran"), 2);
    service.kill();
}

#[test]
fn the_system_s_own_database_of_packages_says_what_is_installed() {
    let database = |tool: &str| Path::new("/usr/bin").join(tool).exists();
    let mut rows = Vec::new();
    match database("dpkg-query") {
        true => rows.extend([
            ("dpkg = \"dpkg\"", "not-needed", "dpkg has dpkg "),
            ("dpkg = \"dpkg\"\nversion = \"1.0\"", "not-needed", "dpkg has dpkg "),
            ("dpkg = \"dpkg\"\nversion = \"999:1\"", "failed", "and 999:1 or newer is wanted"),
            ("dpkg = \"pcm-test-is-not-there\"", "failed", "dpkg does not have pcm-test-is-not-there"),
        ]),
        false => skipped("there is no dpkg-query"),
    }
    match database("rpm") {
        true => rows.push((
            "rpm = \"pcm-test-is-not-there\"",
            "failed",
            "rpm does not have pcm-test-is-not-there",
        )),
        false => rows.push(("rpm = \"acme\"", "waiting", "there is no rpm on this machine")),
    }
    rows.push(("registry = 'HKLM\\SOFTWARE\\Acme'", "waiting", "this machine has no registry"));
    for (lines, state, says) in rows {
        let mut share = Indexed::by_permissions();
        let job = share.job_of(3, &format!("[installed_if]\n{lines}\n"));
        share.publish(&[job]);
        let service = share.site.service();
        share.site.wait_state(ID, state);
        // A run after which it is not there either has failed, and says that.
        match state {
            "failed" => assert!(share.result(ID).contains(&says[..20]), "{lines}: {}", share.result(ID)),
            _ => wait_for("it says why", || share.history(ID).1.contains(says)),
        }
        service.kill();
    }
}

#[test]
fn what_is_no_file_of_this_machine_is_not_known_and_holds_up_nothing() {
    let mut share = Indexed::by_permissions();
    let hangs = share.site.path("hangs");
    make_dir(&hangs);
    let pipe = share.site.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = share.site.path("link");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    let large = share.site.path("large");
    fs::File::create(&large).unwrap().set_len((256 << 20) + 1).unwrap();
    let mut rows = vec![
        (pipe, "it is not a regular file"),
        (link, "it is a link"),
        (large, "it is larger than"),
        (PathBuf::from("/dev/zero"), "it is not a regular file"),
    ];
    let hanging = Hang::over(&hangs);
    if hanging.is_some() {
        rows.push((hangs.join("file"), "does not answer"));
    }
    let mut jobs = vec![share.other()];
    for (n, (path, _)) in rows.iter().enumerate() {
        let release = u64::try_from(n).unwrap() + 10;
        let lines = format!("[installed_if]\nfile = \"{}\"\n", path.display());
        let job = share.job_of(release, &lines).set("job_id", format!("\"BP000{n:03}\""));
        jobs.push(Job { id: format!("BP000{n:03}"), ..job.set("request_id", format!("\"BP00{n:03}\"")) });
    }
    share.publish(&jobs);
    let service = share.site.service();
    share.site.wait_state(OTHER_ID, "succeeded");
    for (n, (path, says)) in rows.iter().enumerate() {
        let id = format!("BP00{n:03}");
        wait_for(&format!("{} is not known", path.display()), || {
            let asked = Instant::now();
            let (code, evidence) = share.history(&id);
            assert!(asked.elapsed() < Duration::from_secs(10), "the service answers");
            assert_eq!(code, "installed-unknown");
            evidence.contains(says)
        });
        assert_eq!(share.site.state_of(&id), "waiting");
    }
    assert_eq!(share.site.ran("ran"), 1);
    service.kill();
}

#[test]
fn nobody_but_the_package_says_what_is_installed() {
    for mut share in both() {
        let job = share.job_of(3, &share.by_file()).later();
        share.publish(std::slice::from_ref(&job));
        assert_eq!(share.polled(JOB), "good");
        // A job cannot bring a test of its own.
        let own = job.clone().revision(2).set("installed_if", "{ file = \"/etc/passwd\" }");
        share.publish(&[own]);
        assert_eq!(share.polled(JOB), "malformed");
        // Whoever changes the package without its key changes nothing.
        share.publish(&[job.revision(3)]);
        assert_eq!(share.polled(JOB), "good");
        let definition = share.site.share().join("packages/BP00000A/3/package.toml");
        let text = fs::read_to_string(&definition).unwrap();
        let acme = share.acme().display().to_string();
        write(&definition, text.replace(&acme, "/etc/passwd").as_bytes());
        assert_eq!(share.polled(JOB), "good", "what was verified is held");
        assert!(share.history(ID).1.contains("there is no "), "{:?}", share.history(ID));
    }
}

#[test]
fn without_a_service_a_command_looks_itself_before_it_starts_and_when_a_run_has_ended() {
    for (does, state) in [("touch", "succeeded"), ("true", "failed")] {
        let mut share = Indexed::by_permissions();
        let acme = share.acme();
        write(&acme, b"4.0\n");
        share.does = format!("{does} '{}'", acme.display());
        let job = share.job_of(3, &share.by_file());
        share.publish(&[job]);
        assert_eq!(share.site.state_of(ID), "not-needed");
        assert_eq!(share.site.refused(&["run", ID], 3)["code"], "already-installed");
        assert_eq!(share.site.ran("ran"), 0);
        fs::remove_file(&acme).unwrap();
        let done = share.site.pcm(&["run", ID, "--wait"]);
        assert_eq!(done.status.code(), Some(if state == "succeeded" { 0 } else { 7 }), "{}", text(&done));
        assert_eq!(share.site.state_of(ID), state);
        assert_eq!(share.site.ran("ran"), 1);
    }
}

/// Its files are copied once it is known that there is something to do, which is looked at after the poll.
#[test]
fn a_run_that_is_waited_for_directly_after_a_poll_waits_until_it_is_known_whether_files_are_copied() {
    let mut share = Indexed::by_permissions();
    share.publish(&[]);
    let _service = share.site.service();
    let mut jobs = Vec::new();
    for n in 1..=20 {
        let acme = share.site.path(&format!("acme-{n}"));
        share.does = format!("echo {n} > '{}'", acme.display());
        let job = share.job_of(n + 2, &format!("[installed_if]\nfile = \"{}\"\n", acme.display()));
        let id = format!("BP00{n:03}");
        let job = job.set("request_id", format!("\"{id}\"")).set("mandatory_after", "");
        let name = format!("BP0000{n:02}");
        jobs.push(Job { id: name.clone(), ..job.set("job_id", format!("\"{name}\"")) });
        share.publish(&jobs);
        share.site.json(&["poll"]);
        let ran = share.site.pcm(&["run", &id, "--wait", "--json"]);
        assert!(ran.status.success(), "{n}: {}", text(&ran));
        assert_eq!(share.site.ran("ran"), n as usize);
    }
}
