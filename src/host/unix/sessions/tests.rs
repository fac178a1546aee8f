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
    let watch = logind::Watch::start(logind::Bus::At(format!("unix:path={}", path.display()))).unwrap();
    let start = Instant::now();
    assert!(watch.sessions().is_err());
    assert!(start.elapsed() < Duration::from_secs(5));
    // Nobody waits a second time for what has not answered once.
    wait_until("an answer", || watch.sessions().is_err_and(|why| !why.is_empty()));
    let start = Instant::now();
    assert!((0..100).all(|_| watch.sessions().is_err()));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
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

/// A bus of the test's own.
struct PrivateBus {
    address: String,
    _daemon: Running,
}

impl PrivateBus {
    /// None, and said so, where what it takes is not installed.
    fn start(folder: &Path) -> Option<PrivateBus> {
        let path = folder.join("bus");
        // What an earlier one left.
        let _ = std::fs::remove_file(&path);
        let address = format!("unix:path={}", path.display());
        let mut daemon =
            quiet("dbus-daemon", &["--session", "--nofork", "--print-address", "--address", &address]);
        let installed = quiet("/usr/bin/python3", &["-c", "import dbusmock"]).status();
        let (Ok(mut daemon), true) =
            (daemon.stdout(Stdio::piped()).spawn(), installed.is_ok_and(|status| status.success()))
        else {
            println!("SKIPPED: python3-dbusmock or dbus-daemon is not installed");
            return None;
        };
        let mut first = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut first).unwrap();
        Some(PrivateBus { address, _daemon: Running(daemon) })
    }

    fn logind(&self) -> Running {
        let mut mock = quiet("/usr/bin/python3", &["-m", "dbusmock", "--system", "--template", "logind"]);
        mock.env("DBUS_SYSTEM_BUS_ADDRESS", &self.address).stdout(Stdio::null());
        Running(mock.spawn().unwrap())
    }

    /// Something is done with the imitation; what that prints.
    fn with(&self, what: &str) -> String {
        let script = format!(
            "import dbus,sys; b=dbus.bus.BusConnection(sys.argv[1]); P='/org/freedesktop/login1'; \
             N='org.freedesktop.login1'; M=N+'.Manager'; X='org.freedesktop.DBus.Mock'; {what}"
        );
        let output = quiet("/usr/bin/python3", &["-c", &script, &self.address]).output().unwrap();
        assert!(output.status.success(), "{what}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Logs on as the real one tells it: with a signal.
    fn log_on(&self, session: &str, user: &str) {
        self.with(&format!(
            "o=b.get_object(N,P); o.AddSession('{session}','seat0',dbus.UInt32(1000),'{user}',True,dbus_interface=X); \
             o.EmitSignal(M,'SessionNew','so',['{session}',P+'/session/{session}'],dbus_interface=X)"
        ));
    }

    fn log_off(&self, session: &str) {
        self.with(&format!(
            "o=b.get_object(N,P); o.RemoveObject(P+'/session/{session}',dbus_interface=X); \
             o.EmitSignal(M,'SessionRemoved','so',['{session}',P+'/session/{session}'],dbus_interface=X)"
        ));
    }

    /// How many connections there are, without the one that asks.
    fn connections(&self) -> usize {
        self.with("print(sum(n.startswith(':') for n in b.list_names())-1)").trim().parse().unwrap()
    }
}

/// Much less than the time after which everything is asked again without a signal.
const SOON: Duration = Duration::from_secs(15);

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "it never came to: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn users(watch: &logind::Watch) -> Option<Vec<String>> {
    watch.sessions().ok().map(|all| all.into_iter().map(|session| session.name).collect())
}

#[test]
fn logind_is_heard_on_one_connection_that_its_signals_wake() {
    let dir = tempfile::tempdir().unwrap();
    let Some(bus) = PrivateBus::start(dir.path()) else { return };
    let _logind = bus.logind();
    let watch = logind::Watch::start(logind::Bus::At(bus.address.clone())).unwrap();
    wait_until("nobody is logged on", || users(&watch) == Some(Vec::new()));
    let before = bus.connections();
    bus.log_on("c1", "alice");
    wait_until("alice is logged on", || users(&watch).is_some_and(|users| users == ["alice"]));
    assert!(choose(watch.sessions(), &[]).known().is_some());
    bus.with(
        "b.get_object(N,P+'/session/c1').UpdateProperties(N+'.Session',{'LockedHint':True},dbus_interface=X)",
    );
    wait_until("her session is locked", || watch.sessions().is_ok_and(|all| all.iter().all(|s| s.locked)));
    bus.log_off("c1");
    wait_until("she is logged off", || users(&watch) == Some(Vec::new()));
    for _ in 0..1000 {
        assert_eq!(users(&watch), Some(Vec::new()));
    }
    assert_eq!(bus.connections(), before, "asking takes no connection");
}

#[test]
fn a_logind_or_a_bus_that_goes_away_is_an_error_until_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let Some(bus) = PrivateBus::start(dir.path()) else { return };
    let logind = bus.logind();
    let watch = logind::Watch::start(logind::Bus::At(bus.address.clone())).unwrap();
    wait_until("nobody is logged on", || users(&watch) == Some(Vec::new()));
    drop(logind);
    wait_until("logind is away", || watch.sessions().is_err());
    let logind = bus.logind();
    wait_until("logind is there again", || users(&watch) == Some(Vec::new()));
    drop((logind, bus));
    wait_until("the bus is away", || watch.sessions().is_err());
    assert_eq!(choose(watch.sessions(), &[]).known(), None, "nobody is not what that means");
    let Some(bus) = PrivateBus::start(dir.path()) else { return };
    let _logind = bus.logind();
    bus.with("pass");
    wait_until("the imitation has started", || bus.with("print(N in b.list_names())").trim() == "True");
    bus.log_on("c2", "bob");
    wait_until("bob is heard of", || users(&watch).is_some_and(|users| users == ["bob"]));
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
