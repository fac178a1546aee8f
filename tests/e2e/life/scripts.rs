//! What the scripts of the packages leave as an administrator wants it, what they refuse, and that they say so.

use super::by_hand;
use super::common::*;
use super::deb;
use super::machine::Machine;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `.packaging/build` makes what packages carry in one folder of the repository: held by whoever has it do that.
pub fn building() -> MutexGuard<'static, ()> {
    static BUILDING: Mutex<()> = Mutex::new(());
    BUILDING.lock().unwrap_or_else(PoisonError::into_inner)
}

const UNIT: &str = "/etc/systemd/system/pcm.service";
/// The same until the next boot.
const RUNTIME_UNIT: &str = "/run/systemd/system/pcm.service";

fn masked(machine: &Machine) -> bool {
    std::fs::read_link(machine.path(UNIT)).is_ok_and(|to| to == Path::new("/dev/null"))
}

fn remedy_of_installed(machine: &Machine) -> String {
    let check: serde_json::Value =
        serde_json::from_slice(&machine.run(&["pcm", "check", "--json"]).stdout).unwrap();
    let item =
        check["items"].as_array().unwrap().iter().find(|item| item["item"] == "service-installed").unwrap();
    assert!(item["evidence"].as_str().unwrap().contains("is masked by"), "{item}");
    item["remedy"].as_str().unwrap().to_owned()
}

#[test]
fn a_masked_service_stays_masked_and_a_unit_of_ones_own_counts_and_both_are_said() {
    let Some(machine) = Machine::new().map(Machine::with_systemd) else { return };
    let folder = machine.site.path("");
    let [older, newer] = ["0.1.0-1", "0.2.0-1"].map(|version| deb::make(&folder, version));
    machine.configure();
    machine.did(&["ln", "-s", "/dev/null", UNIT]);
    let said = machine.install(&older);
    assert!(said.contains(&format!("pcm.service is masked by {UNIT} and stays so")), "{said}");
    assert_eq!(machine.asked(), ["daemon-reload"]);
    // Nor do commands lift it.
    let refused = machine.run(&["pcm", "service", "install"]);
    assert!(!refused.status.success() && text(&refused).contains("systemctl unmask"), "{}", text(&refused));
    for verb in ["uninstall", "status"] {
        let said = machine.did(&["pcm", "service", verb]);
        assert!(said.contains("The service is masked by"), "{said}");
    }
    assert_eq!(machine.json(&["service", "status"])["installed"], false);
    assert!(
        remedy_of_installed(&machine).ends_with("systemctl unmask pcm.service, then pcm service install")
    );
    assert!(masked(&machine) && machine.asked().is_empty());
    let said = machine.install(&newer);
    assert!(said.contains("is masked by") && masked(&machine), "{said}");
    assert_eq!(machine.asked(), ["daemon-reload"]);

    std::fs::remove_file(machine.path(UNIT)).unwrap();
    std::fs::write(machine.path(UNIT), "[Service]\nExecStart=/usr/local/bin/pcm service run\n").unwrap();
    let said = machine.install(&older);
    assert!(said.contains(&format!("{UNIT} counts in place of the unit of this package")), "{said}");
    assert_eq!(machine.asked(), ["daemon-reload"]);
    machine.did(&["rm", UNIT]);
    let said = machine.install(&newer);
    assert!(!said.contains("counts in place") && !said.contains("masked"), "{said}");
    assert_eq!(machine.asked(), ["daemon-reload", "try-restart pcm.service"]);
}

/// Each says the command that ends it; systemctl undoes the one kind of mask only where it is asked for that.
#[test]
fn a_mask_that_ends_with_the_next_boot_is_undone_as_it_was_made_and_then_the_service_is_installed() {
    let Some(machine) = Machine::new().map(Machine::with_systemd) else { return };
    let deb = deb::make(&machine.site.path(""), "0.1.0-1");
    machine.configure();
    machine.did(&["ln", "-s", "/dev/null", RUNTIME_UNIT]);
    let unmask = "systemctl unmask --runtime pcm.service";
    let said = machine.install(&deb);
    assert!(said.contains(&format!("masked by {RUNTIME_UNIT}")), "{said}");
    assert!(said.contains(&format!("{unmask}; pcm service install")), "{said}");
    let refused = text(&machine.run(&["pcm", "service", "install"]));
    assert!(refused.contains(&format!("{unmask}, and run this again")), "{refused}");
    let status = machine.did(&["pcm", "service", "status"]);
    assert!(status.contains(&format!("{unmask}, then pcm service install")), "{status}");
    assert_eq!(machine.json(&["service", "status"])["installed"], false);
    let remedy = remedy_of_installed(&machine);
    assert!(remedy.ends_with(&format!("{unmask}, then pcm service install")), "{remedy}");
    assert_eq!(machine.asked(), ["daemon-reload"]);
    // As it says.
    machine.did(&["systemctl", "unmask", "--runtime", "pcm.service"]);
    let said = machine.did(&["pcm", "service", "install"]);
    assert!(said.contains("is of the installed package, and the service is started"), "{said}");
    assert_eq!(machine.json(&["service", "status"])["installed"], true);
}

/// One that starts the program that goes goes, too.
#[test]
fn removing_the_package_ends_no_service_of_another_pcm_that_was_installed_by_hand() {
    let Some(machine) = Machine::new().map(Machine::with_systemd) else { return };
    let deb = deb::make(&machine.site.path(""), "0.1.0-1");
    machine.configure();
    install_program(&machine.path("/usr/local/bin/pcm"));
    machine.did(&["/usr/local/bin/pcm", "init"]);
    machine.did(&["/usr/local/bin/pcm", "service", "install"]);
    machine.asked();
    // It was enabled, started and perhaps stopped by hand, and is none of the package's business.
    machine.install(&deb);
    assert_eq!(machine.asked(), ["daemon-reload"]);
    let said = machine.dpkg(&["-r", "pcm"]);
    assert!(said.contains(&format!("{UNIT} starts another pcm")), "{said}");
    assert_eq!(machine.asked(), ["daemon-reload"]);
    assert_eq!(machine.json(&["service", "status"])["installed"], true);
    for start in
        ["/usr/bin/pcm service run", "-/usr/bin/pcm --config /c service run", "\"/usr/bin/pcm\" service run"]
    {
        machine.install(&deb);
        std::fs::write(machine.path(UNIT), format!("[Service]\nExecStart={start}\n")).unwrap();
        machine.asked();
        machine.dpkg(&["-r", "pcm"]);
        assert_eq!(
            machine.asked(),
            ["stop pcm.service", "disable --quiet pcm.service", "daemon-reload"],
            "{start}"
        );
    }
}

#[test]
fn the_policy_of_the_system_says_whether_the_service_is_started_and_stopped() {
    let Some(machine) = Machine::new().map(Machine::with_systemd) else { return };
    let deb = deb::make(&machine.site.path(""), "0.1.0-1");
    let policy = machine.path("/usr/sbin/policy-rc.d");
    install_script(&policy, "#!/bin/sh\necho \"$*\" >>/run/policy\nexit 101\n");
    machine.configure();
    let said = machine.install(&deb);
    assert!(said.contains("policy-rc.d returned 101"), "{said}");
    assert_eq!(machine.asked(), ["enable --quiet pcm.service", "daemon-reload"]);
    machine.dpkg(&["-r", "pcm"]);
    assert_eq!(machine.asked(), ["disable --quiet pcm.service", "daemon-reload"]);
    let asked = std::fs::read_to_string(machine.path("/run/policy")).unwrap();
    assert_eq!(asked, "pcm.service restart\npcm.service stop\n");
}

/// The mark is beside the configuration, and the history may be on a file system that is not mounted yet, or elsewhere.
#[test]
fn where_a_mark_remembers_a_history_none_is_made() {
    let Some(machine) = Machine::new() else { return };
    let deb = deb::make(&machine.site.path(""), "0.1.0-1");
    machine.configure();
    write(&machine.path("/etc/pcm/pcm.mark"), b"");
    let said = machine.install(&deb);
    assert!(said.contains("remembers a history of this machine"), "{said}");
    assert!(!machine.path("/var/lib/pcm").exists());
    // Nothing starts it here, which is said, too.
    assert!(said.contains("systemd does not run here"), "{said}");
    assert_eq!(machine.asked(), ["enable --quiet pcm.service"]);
}

#[test]
fn without_systemd_installing_says_what_starts_the_service() {
    let Some(machine) = Machine::new() else { return };
    let deb = deb::make(&machine.site.path(""), "0.1.0-1");
    machine.did(&["rm", "/usr/bin/systemctl"]);
    let said = machine.install(&deb);
    assert!(said.contains("pcm init --share LOCATION") && !said.contains("pcm service install"), "{said}");
    assert!(said.contains("there is no systemd here") && said.contains("pcm service run"), "{said}");
}

/// Which of them it is, dpkg says; a file that another installation left says nothing.
#[test]
fn what_is_installed_anew_and_what_is_upgraded_is_told_by_the_package_manager() {
    let Some(machine) = Machine::new().map(Machine::with_systemd) else { return };
    let folder = machine.site.path("");
    let [older, newer] = ["0.1.0-1", "0.2.0-1"].map(|version| deb::make(&folder, version));
    machine.configure();
    // Between its two steps the machine was restarted.
    machine.dpkg(&["--unpack", &older.display().to_string()]);
    machine.did(&["rm", "-f", "/run/pcm.install"]);
    machine.dpkg(&["--configure", "pcm"]);
    assert_eq!(machine.asked(), ["enable --quiet pcm.service", "daemon-reload", "restart pcm.service"]);
    // An administrator does not want it to start with the machine.
    machine.did(&["systemctl", "disable", "pcm.service"]);
    machine.did(&["touch", "/run/pcm.install"]);
    machine.asked();
    machine.install(&newer);
    assert_eq!(machine.asked(), ["daemon-reload", "try-restart pcm.service"]);
    // Removed and installed again it is an installation.
    machine.dpkg(&["-r", "pcm"]);
    machine.asked();
    machine.install(&newer);
    assert_eq!(machine.asked(), ["enable --quiet pcm.service", "daemon-reload", "restart pcm.service"]);
    assert!(!machine.path("/run/pcm.install").exists());
}

#[test]
fn purging_is_refused_while_a_service_lives_and_no_strangers_process_is_in_the_way() {
    let Some(machine) = Machine::new() else { return };
    let deb = deb::make(&machine.site.path(""), "0.1.0-1");
    machine.configure();
    machine.install(&deb);
    let mut service = by_hand(&machine);
    let pid = machine.service();
    let refused = machine.purge();
    let words =
        format!("a service of pcm still runs (process {pid}): end it, and purge pcm again. Nothing of");
    assert!(text(&refused).contains(&words), "{}", text(&refused));
    for file in ["/var/lib/pcm/history.db", "/etc/pcm/pcm.toml", "/var/log/pcm/PACMAN.LOG"] {
        assert!(machine.path(file).is_file(), "{file}");
    }
    machine.did(&["kill", &pid.to_string()]);
    service.wait().unwrap();

    // Whoever may start processes may call them as pcm calls its own; only root's are believed.
    let named = |before: &[&str]| {
        let words = ["sh", "-c", "echo; read -r end", "pcm", "run-host", "/var/lib/pcm/runs/1"];
        let mut command = machine.command(&[before, &words[..]].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        child
    };
    let mut stranger = named(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    let mut own = named(&[]);
    let refused = machine.purge();
    assert!(text(&refused).contains("a package that pcm started still runs (process "), "{}", text(&refused));
    assert!(machine.path("/var/lib/pcm/history.db").is_file());
    drop(own.stdin.take());
    own.wait().unwrap();
    // A folder that leads elsewhere, and what is mounted, are said to stay.
    machine.did(&["mv", "/var/log/pcm", "/srv/logs"]);
    machine.did(&["ln", "-s", "/srv/logs", "/var/log/pcm"]);
    machine.did(&["mkdir", "-p", "/var/lib/pcm/mounted"]);
    machine.did(&["mount", "-t", "tmpfs", "tmpfs", "/var/lib/pcm/mounted"]);
    machine.did(&["touch", "/var/lib/pcm/mounted/file"]);
    let purged = machine.purge();
    let said = text(&purged);
    assert!(purged.status.success(), "{said}");
    assert!(said.contains("removed: /var/log/pcm, /etc/pcm"), "{said}");
    let kept = "kept: /var/lib/pcm (mounted, or not to be removed), /srv/logs (/var/log/pcm led there), the group pcm-operators, the account pcm-reader\n";
    assert!(said.contains(kept), "{said}");
    assert!(machine.path("/var/lib/pcm/mounted/file").is_file());
    assert!(machine.path("/srv/logs/PACMAN.LOG").is_file());
    assert!(!machine.path("/var/lib/pcm/history.db").exists() && !machine.path("/etc/pcm").exists());
    drop(stranger.stdin.take());
    stranger.wait().unwrap();

    // Where nothing is left but what nobody made, it says no more than that.
    machine.did(&["umount", "/var/lib/pcm/mounted"]);
    machine.install(&deb);
    machine.did(&["groupdel", "pcm-operators"]);
    machine.did(&["userdel", "pcm-reader"]);
    let said = text(&machine.purge());
    assert!(said.contains("removed: /var/lib/pcm\n") && !said.contains("kept:"), "{said}");
    assert!(said.contains("what the configuration put into other folders stays there\n"), "{said}");
}

/// The tools that make the packages are played: what they are given is what counts.
#[test]
fn what_the_build_is_told_is_found_from_where_it_is_called_and_what_has_grown_is_not_packed() {
    let _alone = building();
    let dir = tempfile::tempdir().unwrap();
    let tools = dir.path().join("tools");
    make_dir(&tools);
    for (tool, does) in [
        ("strip", "[ \"$1\" = -o ]; cp \"$3\" \"$2\""),
        ("objcopy", "[ \"$1\" = --only-keep-debug ]; : >\"$3\""),
        ("cargo", "mkdir -p \"$CARGO_TARGET_DIR/dist\"; truncate -s 1G \"$CARGO_TARGET_DIR/dist/pcm\""),
        ("cargo-deb", "[ -x \"$CARGO_TARGET_DIR/release/pcm\" ]; : >\"$last/played.deb\""),
        ("cargo-generate-rpm", "[ -f target/packaging/man/pcm.1 ]; : >\"$last/played.rpm\""),
    ] {
        let file = tools.join(tool);
        install_script(&file, &format!("#!/bin/sh\nset -e\nfor last; do :; done\n{does}\n"));
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pcm"), dir.path().join("pcm")).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut build = Command::new(deb::repository().join(".packaging/build"));
    build.args(["--fast", "--binary", "pcm", "--out", "a folder"]).current_dir(dir.path()).env("PATH", &path);
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
    // What packages do not carry lies beside them.
    let symbols = format!("pcm-{}-{}.symbols", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    for played in ["played.deb", "played.rpm", &symbols] {
        assert!(dir.path().join("a folder").join(played).is_file(), "{played}");
    }
    // What it builds itself is handed out.
    let mut build = Command::new(deb::repository().join(".packaging/build"));
    build.args(["--fast", "--out", "too large"]).current_dir(dir.path()).env("PATH", &path);
    let refused = build.env("CARGO_TARGET_DIR", dir.path().join("target")).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("the program has 1073741824 bytes, and "), "{}", text(&refused));
    assert!(!dir.path().join("too large").exists());
}
