//! A machine's life with pcm: installed, upgraded, removed, purged and installed again by the real package manager, where pcm
//! belongs. `life/machine.sh` makes the machine.

mod deb;
mod machine;
mod readme;
mod scripts;

use super::common::{self, *};
use super::signed::Signed;
use machine::Machine;
use std::process::{Command, Stdio};

/// Codes of what is wrong, as `pcm status` has them.
fn problems(machine: &Machine) -> Vec<String> {
    let status = machine.json(&["status"]);
    let problems = status["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem["code"].as_str().unwrap().to_owned()).collect()
}

/// A service that is started by hand, and the wait until it answers.
fn by_hand(machine: &Machine) -> std::process::Child {
    let mut command = machine.command(&["pcm", "service", "run"]);
    let service = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    machine.wait_service();
    service
}

fn end_by_hand(machine: &Machine, mut service: std::process::Child) {
    machine.did(&["kill", &machine.service().to_string()]);
    service.wait().unwrap();
}

#[test]
fn installed_configured_removed_purged_and_installed_again_a_machine_runs_nothing_twice() {
    let mut site = Site::bare("");
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("{hash:?}"))]);
    let Some(machine) = Machine::of(site) else { return };
    a_life(&machine, &["--trust", "permissions"]);
}

/// The same where keys are trusted, and not whoever can write to the share.
#[test]
fn a_machine_that_believes_keys_alone_has_the_same_life() {
    let Some(mut signed) = Signed::new() else { return };
    let request = signed.request();
    signed.publish(&[request], 3);
    // The lists that another machine has are what the next configuration brings with it.
    signed.init();
    let root = signed.root.clone();
    let Some(machine) = Machine::of(signed.site) else { return };
    a_life(&machine, &["--trust-key", &root, "--hand-made"]);
}

/// A mandatory package is on the share of this machine, whose `pcm init` takes these words.
fn a_life(machine: &Machine, trust: &[&str]) {
    let deb = deb::make(&machine.site.path(""), "0.1.0-1");

    // Nothing is asked, nothing is made up, and nothing is started; it says what comes next.
    let said = machine.install(&deb);
    assert!(said.contains("pcm init --share LOCATION"), "{said}");
    assert!(!machine.path("/etc/pcm").exists() && !machine.path("/var/lib/pcm").exists());
    let group = machine.did(&["getent", "group", "pcm-operators"]);
    // Nobody can log in as the account that listens to servers.
    let reader = machine.did(&["getent", "passwd", "pcm-reader"]);
    assert!(reader.trim_end().ends_with(":/:/usr/sbin/nologin") && !reader.contains(":0:"), "{reader}");
    for file in [
        "/usr/lib/systemd/system/pcm.service",
        "/usr/share/man/man1/pcm-site.1",
        "/usr/share/bash-completion/completions/pcm",
        "/usr/share/doc/pcm/examples/pcm.toml",
        "/usr/share/doc/pcm/docs/settings.md",
    ] {
        assert!(machine.path(file).is_file(), "{file}");
    }
    let share = machine.site.share().display().to_string();
    machine.did(&[&["pcm", "init", "--machine", MACHINE, "--share", &share], trust].concat());
    // The unit is the package's, and no copy is written that would stay behind at its upgrades.
    let said = machine.did(&["pcm", "service", "install"]);
    assert!(said.contains("pcm.service is of the installed package"), "{said}");
    assert!(!machine.path("/etc/systemd/system/pcm.service").exists());

    // The package runs. The countdown and the wait after a boot are not what this is about.
    machine.configure();
    let service = by_hand(machine);
    machine.wait_state("BP0000Y", "succeeded");
    let results = machine.site.share().join("despoolr.box").join(MACHINE);
    let delivered = || std::fs::read_dir(&results).is_ok_and(|entries| entries.flatten().count() > 0);
    wait_for("its result is on the share", delivered);
    end_by_hand(machine, service);

    // Removed and installed again it knows what it did.
    machine.dpkg(&["-r", "pcm"]);
    assert!(!machine.path("/usr/bin/pcm").exists());
    assert!(machine.path("/var/lib/pcm/history.db").is_file() && machine.path("/etc/pcm/pcm.toml").is_file());
    machine.install(&deb);
    let service = by_hand(machine);
    assert_eq!(machine.state_of("BP0000Y"), "succeeded");
    end_by_hand(machine, service);

    // Purged it is gone, but for the group, whose files may be anywhere.
    let said = machine.dpkg(&["-P", "pcm"]);
    assert!(said.contains("removed: /var/lib/pcm, /var/log/pcm, /etc/pcm"), "{said}");
    assert!(said.contains("kept: the group pcm-operators, the account pcm-reader"), "{said}");
    for folder in ["/etc/pcm", "/var/lib/pcm", "/var/log/pcm"] {
        assert!(!machine.path(folder).exists(), "{folder}");
    }
    assert_eq!(machine.did(&["getent", "group", "pcm-operators"]), group);
    assert_eq!(machine.did(&["getent", "passwd", "pcm-reader"]), reader);

    // The share knows that this machine had another life: installing is not refused, and nothing runs a second time.
    machine.configure();
    let said = machine.install(&deb);
    assert!(said.contains("this machine is not ready"), "{said}");
    let mut service = machine.command(&["pcm", "service", "run"]);
    let mut service = service.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("it says that its history is lost", || {
        let status = machine.run(&["pcm", "status", "--json"]);
        text(&status).contains("history-lost")
    });
    assert_eq!(machine.site.ran("ran"), 1, "{}", machine.log());
    machine.did(&["pcm", "init", "--adopt=done"]);
    wait_for("it goes on", || !problems(machine).contains(&"history-lost".to_owned()));
    machine.did(&["pcm", "poll"]);
    assert_eq!(machine.site.ran("ran"), 1, "{}", machine.log());
    let _ = service.kill();
    let _ = service.wait();
}

/// Lets the tables of a history that nobody has open be of another version; which.
fn tables(machine: &Machine, version: impl Fn(i64) -> i64) -> i64 {
    // SQLite looks for the real path of what it opens, and that is none outside of the machine.
    let (there, here) = (machine.path("/var/lib/pcm/history.db"), machine.site.path("history.db"));
    std::fs::write(&here, std::fs::read(&there).unwrap()).unwrap();
    let history = rusqlite::Connection::open(&here).unwrap();
    let version = version(history.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap());
    history.pragma_update(None, "user_version", version).unwrap();
    history.close().unwrap();
    std::fs::write(there, std::fs::read(here).unwrap()).unwrap();
    version
}

/// Where the configuration is there before, installing is all there is to do; and from there on nothing that the package
/// manager does ends a package that runs.
#[test]
fn upgraded_while_a_package_runs_it_goes_on_and_an_older_pcm_leaves_a_newer_history_alone() {
    let Some(mut machine) = Machine::new().map(Machine::with_systemd) else { return };
    let folder = machine.site.path("");
    let [older, newer] = ["0.1.0-1", "0.2.0-1"].map(|version| deb::make(&folder, version));
    machine.configure();
    let said = machine.install(&older);
    assert!(said.contains("history created"), "{said}");
    assert_eq!(machine.asked(), ["enable --quiet pcm.service", "daemon-reload", "restart pcm.service"]);
    machine.wait_service();
    let script =
        [machine.site.say("begun"), machine.site.waits_for_go(), machine.site.say("ended")].join("\n");
    let due = {
        let hash = machine.site.package("BP00000A", &script);
        move |id: &str| Request::due(id).set("content_sha256", format!("{hash:?}"))
    };
    machine.site.publish(&[due("BP0000Y")]);
    wait_for("it runs", || machine.site.ran("begun") == 1);

    let before = machine.service();
    machine.install(&newer);
    assert_eq!(machine.asked(), ["daemon-reload", "try-restart pcm.service"]);
    machine.wait_service();
    assert_ne!(machine.service(), before, "another process is the service");
    assert_eq!(machine.state_of("BP0000Y"), "running");
    // Whoever purges now would forget that it ran.
    let purged = machine.purge();
    assert!(text(&purged).contains("a package that pcm started still runs"), "{}", text(&purged));
    assert!(machine.path("/var/lib/pcm/history.db").is_file());
    assert_eq!(machine.asked(), ["stop pcm.service", "disable --quiet pcm.service", "daemon-reload"]);
    machine.install(&newer);
    assert_eq!(machine.asked(), ["enable --quiet pcm.service", "daemon-reload", "restart pcm.service"]);
    machine.wait_service();
    machine.site.go();
    machine.wait_state("BP0000Y", "succeeded");
    assert_eq!((machine.site.ran("begun"), machine.site.ran("ended")), (1, 1), "{}", machine.log());

    // A later version has made the tables over, and then somebody installs this one.
    machine.did(&["systemctl", "stop", "pcm.service"]);
    let known = tables(&machine, |version| version + 1) - 1;
    machine.site.publish(&[due("BP0000Y"), due("BP0000Z")]);
    machine.install(&older);
    let refused = machine.run(&["pcm", "init"]);
    assert!(
        !refused.status.success() && text(&refused).contains("was written by a newer pcm"),
        "{}",
        text(&refused)
    );
    machine.did(&["systemctl", "restart", "pcm.service"]);
    wait_for("it says why nothing runs", || problems(&machine).contains(&"state-unreadable".to_owned()));
    assert_eq!(machine.site.ran("begun"), 1, "{}", machine.log());
    machine.did(&["systemctl", "stop", "pcm.service"]);
    // Nothing of it was changed, and the newer one goes on where it was.
    tables(&machine, |_| known);
    machine.install(&newer);
    machine.did(&["systemctl", "restart", "pcm.service"]);
    machine.wait_service();
    machine.wait_state("BP0000Z", "succeeded");
    assert_eq!((machine.site.ran("begun"), machine.site.ran("ended")), (2, 2), "{}", machine.log());
}

/// dpkg, its scripts and the restart of the service are all part of a run of that service.
#[test]
fn pcm_is_upgraded_by_a_package_of_pcm() {
    let Some(mut machine) = Machine::new().map(Machine::with_systemd) else { return };
    let folder = machine.site.path("");
    let [older, newer] = ["0.1.0-1", "0.2.0-1"].map(|version| deb::make(&folder, version));
    machine.configure();
    machine.install(&older);
    machine.wait_service();
    let before = machine.service();
    machine.asked();
    machine.site.package("BP00000A", "");
    let files = machine.site.share().join("packages/BP00000A/files");
    std::fs::remove_file(files.join("setup.sh")).unwrap();
    std::fs::rename(&newer, files.join("pcm.deb")).unwrap();
    let bytes = std::fs::read(files.join("pcm.deb")).unwrap();
    mode(&files.join("pcm.deb"), 0o644);
    let content = format!("{} {} pcm.deb\n", sha256(&bytes), bytes.len());
    write(&files.with_file_name("CONTENT"), content.as_bytes());
    let hash = format!("{:?}", sha256(content.as_bytes()));
    let command = "\"dpkg --force-confold --force-unsafe-io --no-triggers -i pcm.deb\"";
    machine.site.publish(&[Request::due("BP0000Y").set("command_line", command).set("content_sha256", hash)]);
    machine.wait_state("BP0000Y", "succeeded");
    assert_eq!(machine.asked(), ["daemon-reload", "try-restart pcm.service"]);
    assert!(machine.did(&["dpkg-query", "-W", "pcm"]).contains("0.2.0-1"));
    assert_ne!(machine.service(), before, "another process is the service");
    let attempts = machine.json(&["history", "BP0000Y"]);
    assert_eq!(attempts["attempts"].as_array().map(Vec::len), Some(1), "{attempts}");
}

#[test]
fn packages_of_both_kinds_carry_the_same_and_each_file_is_there() {
    let manifest = deb::manifest();
    let of = |kind: &str| {
        let mut assets = deb::assets(&manifest, kind);
        // Each system has its own place for these, and only one says a licence as a file.
        assets.retain(|(source, ..)| source != "LICENSE");
        for (_, to, _) in &mut assets {
            *to = to.replace("zsh/vendor-completions", "zsh/site-functions");
        }
        assets
    };
    assert_eq!(of("deb"), of("generate-rpm"));
    for (source, ..) in of("deb") {
        if !source.starts_with("target/") {
            let files = deb::sources(&source, std::path::Path::new("made"));
            assert!(files.iter().all(|file| file.is_file()), "{files:?}");
        }
    }
    let group = std::fs::read_to_string(deb::repository().join(".packaging/pcm.sysusers")).unwrap();
    assert!(group.contains("\ng pcm-operators -") && group.contains("\nu pcm-reader -"), "{group}");
    let scripts = &manifest["package"]["metadata"]["generate-rpm"];
    for (key, script) in [
        ("pre_install_script", "preinst"),
        ("post_install_script", "postinst"),
        ("pre_uninstall_script", "prerm"),
        ("post_uninstall_script", "postrm"),
    ] {
        assert_eq!(scripts[key].as_str(), Some(format!(".packaging/{script}").as_str()));
    }
    for script in ["build", "preinst", "postinst", "prerm", "postrm"] {
        let shell = if script == "build" { "bash" } else { "sh" };
        let file = deb::repository().join(".packaging").join(script);
        let read = Command::new(shell).arg("-n").arg(file).output().unwrap();
        assert!(read.status.success(), "{}", text(&read));
    }
}

/// What `.packaging/build` makes, where its tools are installed: of this binary, so that nothing is built. The scripts of
/// both kinds are the same, and rpm calls them with other words.
#[test]
fn the_script_makes_a_deb_and_an_rpm_and_the_rpm_does_what_the_deb_does() {
    for tool in ["cargo-deb", "cargo-generate-rpm", "dpkg-deb", "rpm", "strip", "objcopy"] {
        if let Err(e) = Command::new(tool).arg("--version").output() {
            return skipped(format_args!("{tool}: {e}"));
        }
    }
    let _alone = scripts::building();
    let out = tempfile::tempdir().unwrap();
    let mut build = Command::new(deb::repository().join(".packaging/build"));
    build.args(["--fast", "--binary", env!("CARGO_BIN_EXE_pcm"), "--out"]).arg(out.path());
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
    let file = |end: &str| {
        let files = std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == end)).unwrap()
    };
    for (program, flags, end) in [("dpkg-deb", &["-c"][..], "deb"), ("rpm", &["-qpl"][..], "rpm")] {
        let list = text(&Command::new(program).args(flags).arg(file(end)).output().unwrap());
        for wanted in
            ["/usr/bin/pcm", "/usr/share/man/man1/pcm-site.1", "/usr/lib/systemd/system/pcm.service"]
        {
            assert!(list.contains(wanted), "{wanted} in {list}");
        }
    }

    let Some(machine) = Machine::new().map(Machine::with_systemd) else { return };
    // The next version, as the script would make it.
    make_dir(&machine.site.path("built/release"));
    let binary = machine.site.path("built/release/pcm");
    install_program(&binary);
    let [older, newer] = ["older.rpm", "newer.rpm"].map(|name| machine.site.path(name));
    std::fs::copy(file("rpm"), &older).unwrap();
    let mut next = Command::new("cargo-generate-rpm");
    next.args(["--payload-compress", "none", "-s", "version = \"99.0.0\"", "--target-dir"]);
    next.arg(machine.site.path("built")).arg("--output").arg(&newer).current_dir(deb::repository());
    let next = next.output().unwrap();
    assert!(next.status.success(), "{}", text(&next));
    machine.configure();
    let rpm = |flag: &str, what: &str| machine.did(&["rpm", "--nodeps", flag, what]);
    rpm("-i", &older.display().to_string());
    assert_eq!(machine.asked(), ["enable --quiet pcm.service", "daemon-reload", "restart pcm.service"]);
    machine.wait_service();
    let before = machine.service();
    machine.did(&["getent", "group", "pcm-operators"]);
    rpm("-U", &newer.display().to_string());
    assert_eq!(machine.asked(), ["daemon-reload", "try-restart pcm.service"]);
    machine.wait_service();
    assert_ne!(machine.service(), before, "another process is the service");
    rpm("-e", "pcm");
    assert_eq!(machine.asked(), ["stop pcm.service", "disable --quiet pcm.service", "daemon-reload"]);
    assert!(machine.path("/var/lib/pcm/history.db").is_file() && !machine.path("/usr/bin/pcm").exists());
}
