//! Tables and buses made by hand; logind is imitated on a private bus where python3-dbusmock is installed.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A record as a program would write it on this machine.
fn record(kind: i16, pid: i32, line: &str, user: &[u8], host: &str) -> Vec<u8> {
    let mut bytes = vec![0; utmp::RECORD];
    bytes[0..2].copy_from_slice(&kind.to_ne_bytes());
    bytes[4..8].copy_from_slice(&pid.to_ne_bytes());
    bytes[8..8 + line.len()].copy_from_slice(line.as_bytes());
    bytes[44..44 + user.len()].copy_from_slice(user);
    bytes[76..76 + host.len()].copy_from_slice(host.as_bytes());
    let time = if utmp::RECORD == 384 { 340 } else { 344 };
    bytes[time..time + 4].copy_from_slice(&1_790_000_000_u32.to_ne_bytes());
    bytes
}

fn me() -> i32 {
    i32::try_from(std::process::id()).unwrap()
}

fn names(table: &[Vec<u8>]) -> Vec<String> {
    let sessions = utmp::sessions(&table.concat(), SystemTime::now());
    sessions.iter().map(|s| s.user.as_str().to_owned()).collect()
}

#[test]
fn utmp_lists_users_and_where_they_come_from() {
    let table = [
        record(2, 0, "~", b"reboot", "6.1.0"),
        record(7, me(), "tty1", b"root", ""),
        record(7, me(), "pts/4", b"alice", "192.0.2.9"),
        record(7, me(), ":0", b"bob", ":0"),
        record(6, me(), "tty2", b"LOGIN", ""),
        record(8, me(), "pts/9", b"gone", "192.0.2.9"),
    ];
    let sessions = utmp::sessions(&table.concat(), SystemTime::now());
    let seen: Vec<(&str, &str, &str)> =
        sessions.iter().map(|s| (s.user.as_str(), s.from.as_str(), s.kind.as_str())).collect();
    let expected =
        [("root", "console", "console"), ("alice", "192.0.2.9", "remote"), ("bob", "console", "console")];
    assert_eq!(seen, expected);
    assert_eq!(sessions[0].since.unwrap().timestamp(), 1_790_000_000);
}

#[test]
fn an_entry_whose_process_is_dead_is_no_user() {
    let mut child = Command::new("true").spawn().unwrap();
    let dead = i32::try_from(child.id()).unwrap();
    child.wait().unwrap();
    assert!(names(&[record(7, dead, "pts/1", b"ghost", "")]).is_empty());
}

#[test]
fn windows_of_tmux_and_screen_are_no_further_users() {
    let table = [
        record(7, me(), "pts/0", b"alice", "192.0.2.9"),
        record(7, me(), "pts/1", b"alice", "tmux(4711).%0"),
        record(7, me(), "pts/2", b"alice", ":pts/0:S.0"),
    ];
    assert_eq!(names(&table), ["alice"]);
}

#[test]
fn hostile_names_are_made_safe_and_hostile_lines_open_nothing() {
    let name = b"\x1b[2J\x07\xff\xe2\x80\xae evil";
    let table = [record(7, me(), "../etc/passwd", name, "h\x1b]0;x\x07")].concat();
    let sessions = utmp::sessions(&table, SystemTime::now());
    assert!(!sessions[0].user.as_str().chars().any(char::is_control));
    assert!(!sessions[0].from.as_str().chars().any(char::is_control));
    assert_eq!(sessions[0].idle_s, None);
    assert_eq!(idle_of("null/../null", SystemTime::now()), None);
    assert!(idle_of("null", SystemTime::now()).is_some());
}

proptest! {
    #[test]
    fn no_table_whatever_breaks_the_reader(table in proptest::collection::vec(any::<u8>(), 0..2000)) {
        utmp::sessions(&table, SystemTime::now());
    }
}

#[test]
fn a_missing_utmp_is_unknown_and_an_empty_one_is_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("utmp");
    let no_logind = || Err("not there".to_owned());
    let unknown = choose(no_logind(), &[&path]);
    assert_eq!((unknown.source, unknown.known()), ("unknown", None));
    assert!(unknown.note.unwrap().as_str().contains("not there"));
    std::fs::write(&path, b"").unwrap();
    let nobody = choose(no_logind(), &[&path]);
    assert_eq!((nobody.source, nobody.known()), ("utmp", Some(&[][..])));
    std::fs::write(&path, record(7, me(), "pts/0", b"alice", "")).unwrap();
    assert_eq!(choose(no_logind(), &[&path]).sessions.len(), 1);
}

#[test]
fn only_users_are_taken_from_logind() {
    let session = |class: &str, state: &str| logind::LogindSession {
        name: class.to_owned(),
        class: class.to_owned(),
        state: state.to_owned(),
        ..Default::default()
    };
    let all = [
        ("user", "active"),
        ("user", "closing"),
        ("user-early", "online"),
        ("manager", "active"),
        ("greeter", "active"),
        ("background", "online"),
        ("lock-screen", "active"),
    ];
    let found = choose(Ok(all.map(|(c, s)| session(c, s)).to_vec()), &[]);
    let users: Vec<&str> = found.sessions.iter().map(|s| s.user.as_str()).collect();
    assert_eq!((found.source, users), ("logind", vec!["user", "user-early"]));
}

#[test]
fn a_remote_idle_and_locked_session_says_so() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    let session = logind::LogindSession {
        name: "alice".into(),
        class: "user".into(),
        remote: true,
        remote_host: "192.0.2.9".into(),
        idle: true,
        idle_since: (2_000_000_000 - 90) * 1_000_000,
        locked: true,
        since: 1_999_000_000 * 1_000_000,
        ..Default::default()
    };
    let doc = session.log_on(now).unwrap();
    assert_eq!((doc.from.as_str(), doc.kind.as_str()), ("192.0.2.9", "remote"));
    assert_eq!((doc.idle_s, doc.locked), (Some(90), Some(true)));
    assert_eq!(doc.since.unwrap().timestamp(), 1_999_000_000);
}

#[test]
fn a_bus_that_says_nothing_is_given_up_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bus");
    // The system accepts into its queue, and nobody ever answers.
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let start = Instant::now();
    let bus = logind::Bus::At(format!("unix:path={}", path.display()));
    assert!(logind::sessions(bus, Duration::from_millis(200)).is_err());
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn quiet(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn sessions_are_read_from_a_logind_on_a_bus() {
    let installed = quiet("/usr/bin/python3", &["-c", "import dbusmock"]).status().is_ok_and(|s| s.success());
    let dir = tempfile::tempdir().unwrap();
    let address = format!("unix:path={}", dir.path().join("bus").display());
    let mut daemon =
        quiet("dbus-daemon", &["--session", "--nofork", "--print-address", "--address", &address]);
    let (true, Ok(mut daemon)) = (installed, daemon.stdout(Stdio::piped()).spawn()) else {
        return crate::skipped("python3-dbusmock or dbus-daemon is not installed");
    };
    let mut first = String::new();
    BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let _daemon = Running(daemon);
    let mut mock = quiet("/usr/bin/python3", &["-m", "dbusmock", "--system", "--template", "logind"]);
    let _mock = Running(mock.env("DBUS_SYSTEM_BUS_ADDRESS", &address).stdout(Stdio::null()).spawn().unwrap());

    let bus = logind::Bus::At(address.clone());
    let end = Instant::now() + Duration::from_secs(20);
    while logind::sessions(bus.clone(), PATIENCE) != Ok(vec![]) {
        assert!(Instant::now() < end, "the imitated logind did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(add_session(&address, ["c1", "seat0", "1000", "alice"]), "the session could not be added");
    let sessions = logind::sessions(bus, PATIENCE).unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].name, "alice");
    assert!(choose(Ok(sessions), &[]).known().is_some());
}

/// `AddSession` of the imitation: session, seat, uid, user.
fn add_session(address: &str, args: [&str; 4]) -> bool {
    let script = "import dbus,sys; a=sys.argv; b=dbus.bus.BusConnection(a[1]); \
        o=b.get_object('org.freedesktop.login1','/org/freedesktop/login1'); \
        o.AddSession(a[2],a[3],dbus.UInt32(int(a[4])),a[5],True,dbus_interface='org.freedesktop.DBus.Mock')";
    let mut all = vec!["-c", script, address];
    all.extend(args);
    quiet("/usr/bin/python3", &all).status().is_ok_and(|s| s.success())
}

#[test]
fn samba_connections_are_listed_as_such() {
    let text = r#"{"sessions":{"1":{"username":"alice","remote_machine":"192.0.2.9"},"2":{}}}"#;
    let list = samba::parse(text);
    assert_eq!(list.len(), 2);
    assert_eq!((list[0].user.as_str(), list[0].kind.as_str()), ("alice", "network"));
    assert!(samba::parse("not json").is_empty());
    assert!(samba::parse("[]").is_empty());
}
