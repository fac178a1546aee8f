//! A logind of the test's own on a private bus (python3-dbusmock), so that it is known who is logged on.

use super::{skipped, wait_for_or};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ended when dropped.
pub struct Logind {
    pub address: String,
    daemon: Child,
    mock: Child,
}

impl Logind {
    /// Nobody is logged on. None, and said so, where the imitation is not installed.
    pub fn start(folder: &Path) -> Option<Logind> {
        let python = |args: &[&str]| {
            let mut command = Command::new("/usr/bin/python3");
            command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        if !python(&["-c", "import dbusmock"]).status().is_ok_and(|status| status.success()) {
            skipped("python3-dbusmock is not installed");
            return None;
        }
        let address = format!("unix:path={}", folder.join("bus").display());
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address", "--address", &address])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut daemon) = daemon else {
            skipped("dbus-daemon is not installed");
            return None;
        };
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut mock = python(&["-m", "dbusmock", "--system", "--template", "logind"]);
        let mock = mock.env("DBUS_SYSTEM_BUS_ADDRESS", &address).spawn().unwrap();
        let logind = Logind { address, daemon, mock };
        wait_for_or(Duration::from_secs(60), || logind.ask("o.ListSessions(dbus_interface=M)").is_some())
            .expect("the imitated logind does not start");
        Some(logind)
    }

    /// Somebody logs on at this terminal.
    pub fn log_on(&self, session: &str, user: &str, terminal: &str) {
        let add = format!(
            "o.AddSession('{session}','seat0',dbus.UInt32(1000),'{user}',True,dbus_interface=X); \
             s=b.get_object(N,P+'/session/{session}'); \
             s.UpdateProperties('org.freedesktop.login1.Session',{{'TTY':'{terminal}'}},dbus_interface=X); \
             o.EmitSignal(M,'SessionNew','so',['{session}',P+'/session/{session}'],dbus_interface=X)"
        );
        assert!(self.ask(&add).is_some(), "{user} could not be logged on");
    }

    /// And off.
    pub fn log_off(&self, session: &str) {
        let remove = format!(
            "o.RemoveObject(P+'/session/{session}',dbus_interface=X); \
             o.EmitSignal(M,'SessionRemoved','so',['{session}',P+'/session/{session}'],dbus_interface=X)"
        );
        assert!(self.ask(&remove).is_some());
    }

    /// What is inhibited, as it is printed.
    pub fn inhibitors(&self) -> String {
        self.ask("print(o.ListInhibitors(dbus_interface=M))").unwrap_or_default()
    }

    /// Who ever asked to inhibit anything; the last one is this question itself, which shows that they are counted.
    pub fn asked_to_inhibit(&self) -> Vec<String> {
        let said = self.ask(
            "o.Inhibit('sleep','the test','','delay',dbus_interface=M); \
             print('\\n'.join(c[2][1] for c in o.GetCalls(dbus_interface=X) if c[1]=='Inhibit'))",
        );
        said.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn ask(&self, what: &str) -> Option<String> {
        let script = format!(
            "import dbus,sys; N='org.freedesktop.login1'; P='/org/freedesktop/login1'; \
             M=N+'.Manager'; X='org.freedesktop.DBus.Mock'; b=dbus.bus.BusConnection(sys.argv[1]); \
             o=b.get_object(N,P); {what}"
        );
        let output = Command::new("/usr/bin/python3")
            .args(["-c", &script, &self.address])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Logind {
    fn drop(&mut self) {
        for child in [&mut self.mock, &mut self.daemon] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
