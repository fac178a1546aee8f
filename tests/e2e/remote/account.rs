//! Where pcm is root, whoever talks to a server has no rights of this machine; and where that cannot be, nobody is asked.

use super::super::common::publisher::Machine;
use super::super::common::web::Fault;
use super::super::common::{Service, skipped, text, wait_for};
use super::{mirrored, polls};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `/proc` says of a process in a file of this name, or nothing.
fn of(pid: u32, name: &str) -> String {
    fs::read(format!("/proc/{pid}/{name}"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

fn field(pid: u32, name: &str) -> String {
    let status = of(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

/// The processes with this verb whose parent is that one.
fn children(parent: u32, verb: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is = |pid: &u32| of(*pid, "cmdline").contains(verb) && field(*pid, "PPid") == parent.to_string();
    pids.filter(is).collect()
}

fn is_root() -> bool {
    let is = field(std::process::id(), "Uid").starts_with("0\t");
    if !is {
        skipped("not root");
    }
    is
}

#[test]
fn who_listens_to_a_server_has_no_rights_of_this_machine() {
    let Some((publisher, web)) = mirrored().filter(|_| is_root()) else { return };
    let machine = publisher.machine(0, &[&web.url()], "timeout = \"20s\"\n");
    // A file of root's is open in the service, and a secret of somebody's in its environment.
    let mut service = Command::new("sh");
    service.args(["-c", "exec 9</etc/shadow; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_pcm")]);
    service.args(machine.site.command(&["service", "run"]).get_args());
    service.env("TZ", "UTC").env("AWS_SECRET_ACCESS_KEY", "somebody's");
    let child = service.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let service = Service { child };
    machine.site.wait_service();
    let request = publisher.send();
    machine.succeeds(&request);
    let checked = text(&machine.site.pcm(&["check"]));
    assert!(checked.contains("nobody listens to servers, without rights of root"), "{checked}");
    web.fail("PCM.INDEX", Fault::Hang);
    web.asked().clear();
    let nobody =
        String::from_utf8(Command::new("id").args(["-u", "nobody"]).output().unwrap().stdout).unwrap();
    let found = std::cell::Cell::new(None);
    wait_for("somebody waits for the server", || {
        if !web.asked().iter().any(|one| one.status == 0 && one.path.contains("PCM.INDEX")) {
            return false;
        }
        let readers = children(service.child.id(), "share-reader");
        let both =
            readers.iter().find_map(|reader| Some((*reader, *children(*reader, "share-talker").first()?)));
        // It is there before it has given up its rights.
        found.set(both.filter(|(_, talker)| field(*talker, "NoNewPrivs") == "1"));
        found.get().is_some()
    });
    let (reader, talker) = found.get().unwrap();
    assert_eq!(field(reader, "Uid"), "0\t0\t0\t0");
    let ids: Vec<String> = field(talker, "Uid").split_whitespace().map(str::to_owned).collect();
    assert_eq!(ids, [nobody.trim(); 4]);
    assert_eq!(field(talker, "Groups"), "");
    // A session of its own has no terminal.
    let stat = of(talker, "stat");
    let session = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(3));
    assert_eq!(session, Some(&*talker.to_string()), "{stat}");
    assert!(of(reader, "environ").contains("somebody's") && !of(talker, "environ").contains("somebody's"));
    assert_eq!(fs::read_link(format!("/proc/{reader}/fd/9")).unwrap(), Path::new("/etc/shadow"));
    for rights in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(talker, rights).trim_start_matches('0'), "", "{rights}");
    }
    for limit in ["Max file size", "Max core file size"] {
        let limits = of(talker, "limits");
        let line = limits.lines().find_map(|line| line.strip_prefix(limit)).unwrap_or_default();
        assert_eq!(line.split_whitespace().next(), Some("0"), "{limits}");
    }
    // Nothing of this machine is open in it.
    for entry in fs::read_dir(format!("/proc/{talker}/fd")).unwrap().flatten() {
        let open = fs::read_link(entry.path()).unwrap_or_default().display().to_string();
        let of_its_own = ["pipe:", "socket:", "anon_inode:", "/dev/null"];
        assert!(of_its_own.iter().any(|kind| open.starts_with(kind)), "{open}");
    }
    // It ends with whoever it talks for, whatever the server does.
    assert!(Command::new("kill").args(["-9", &reader.to_string()]).status().unwrap().success());
    wait_for("it has ended", || !of(talker, "cmdline").contains("share-talker"));
    web.mend();
    machine.wait("it polls again", polls);
    assert_eq!(publisher.ran(), 1);
}

fn with_account(machine: &Machine, name: &str) {
    let config = fs::read_to_string(machine.site.config()).unwrap();
    let line = config.lines().find(|line| line.starts_with("account = ")).unwrap();
    fs::write(machine.site.config(), config.replace(line, &format!("account = {name:?}"))).unwrap();
}

#[test]
fn nobody_is_asked_where_no_one_without_rights_can_ask() {
    let Some((publisher, web)) = mirrored().filter(|_| is_root()) else { return };
    let machine = publisher.machine(0, &[&web.url()], "");
    for (name, said) in [("no-such-account", "is not known here"), ("root", "has rights of root")] {
        with_account(&machine, name);
        web.asked().clear();
        let poll = machine.site.pcm(&["poll"]);
        assert!(!poll.status.success());
        let words = format!("the account {name:?} of [share] account {said}");
        assert!(text(&poll).contains(&words), "{}", text(&poll));
        assert!(machine.has("share-missing") && machine.problems().contains(said), "{}", machine.problems());
        let checked = text(&machine.site.pcm(&["check"]));
        assert!(checked.contains(said) && checked.contains("useradd --system"), "{checked}");
        assert_eq!(web.asked().len(), 0, "{:?}", web.asked());
    }
    with_account(&machine, "nobody");
    // Root without these capabilities, as in some containers, can become nobody at all.
    web.asked().clear();
    for verb in ["poll", "check"] {
        let mut confined = Command::new("setpriv");
        confined.args(["--bounding-set=-setuid,-setgid", env!("CARGO_BIN_EXE_pcm")]);
        confined.args(machine.site.command(&[verb]).get_args());
        let said = text(&confined.output().unwrap());
        let words = "pcm cannot become the account \"nobody\" of [share] account to listen to servers";
        assert!(said.contains(words), "{said}");
        assert!(verb == "poll" || said.contains("CAP_SETUID"), "{said}");
    }
    assert_eq!(web.asked().len(), 0, "{:?}", web.asked());
    machine.wait("it polls", polls);
}
