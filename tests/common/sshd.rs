//! A real sshd on a loopback port with keys and folders of its own, so that pcm is used as operators use it: over SSH, in
//! a terminal that sshd made. For `pty::Terminal`; nothing of the account's own SSH configuration is read.

use super::{skipped, wait_for_or};
use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where distributions keep it: rarely in PATH, and it wants to be called by its whole path.
const PLACES: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];

/// The server; it and every session of it end when it is dropped.
pub struct Sshd {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
    account: String,
}

impl Sshd {
    /// None, with the skip printed, where OpenSSH is missing or does not let this account in.
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with further lines of configuration.
    pub fn start_with(extra: &str) -> Option<Self> {
        let mut last = String::new();
        // A port is free when it is looked for; somebody else may have it a moment later.
        for _ in 0..3 {
            match Self::listen(extra) {
                Ok(server) => return Some(server),
                Err(why) => last = why,
            }
        }
        skipped(format_args!("no SSH here: {last}"));
        None
    }

    fn listen(extra: &str) -> Result<Self, String> {
        let sshd = PLACES.iter().find(|path| Path::new(path).exists()).ok_or("no sshd")?;
        let account = said("id", &["-un"])?;
        let dir = tempfile::Builder::new().prefix("pcm-sshd-").tempdir().map_err(|e| e.to_string())?;
        let at = dir.path().display();
        for key in ["host", "user"] {
            said("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &format!("{at}/{key}")])?;
        }
        // As root it wants this folder, which its start script makes where it is a service.
        if account == "root" {
            fs::create_dir_all("/run/sshd").map_err(|e| format!("/run/sshd: {e}"))?;
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = free.map_err(|e| e.to_string())?.port();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/user.pub\n\
             PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPrintMotd no\nPrintLastLog no\nMaxStartups 100\n{extra}\n"
        );
        fs::write(dir.path().join("config"), config).map_err(|e| e.to_string())?;
        let log = fs::File::create(dir.path().join("log")).map_err(|e| e.to_string())?;
        let child = Command::new(sshd)
            .args(["-D", "-e", "-f", &format!("{at}/config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| e.to_string())?;
        let mut server = Self { child, dir, port, account };
        let up = wait_for_or(Duration::from_secs(20), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() || !server.lives()
        });
        if up.is_err() || !server.lives() {
            return Err(server.log());
        }
        let tried = server.ssh(&[]).arg("true").output().map_err(|e| e.to_string())?;
        if tried.status.success() {
            Ok(server)
        } else {
            Err(format!("{}{}", String::from_utf8_lossy(&tried.stderr), server.log()))
        }
    }

    /// An SSH client with a terminal, in which `remote` runs with its arguments and environment: for
    /// `Terminal::start`.
    pub fn terminal(&self, remote: &Command) -> Command {
        let mut client = self.ssh(&["-tt"]);
        client.arg(line(remote));
        client
    }

    /// An SSH client without a terminal, in which `remote` runs.
    pub fn command(&self, remote: &Command) -> Command {
        let mut client = self.ssh(&["-T"]);
        client.arg(line(remote));
        client
    }

    fn ssh(&self, options: &[&str]) -> Command {
        let mut words = self.client().into_iter();
        let mut client = Command::new(words.next().unwrap());
        client.args(words).args(options).arg(self.account()).env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        client
    }

    /// The client with the options that it needs to get here.
    pub fn client(&self) -> Vec<String> {
        let key = self.dir.path().join("user").display().to_string();
        let mut words: Vec<String> = ["ssh", "-F", "/dev/null", "-i", &key].map(str::to_owned).to_vec();
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
            "BatchMode=yes",
        ] {
            words.extend(["-o".to_owned(), option.to_owned()]);
        }
        words.extend(["-p".to_owned(), self.port.to_string()]);
        words
    }

    /// The same without known hosts of its own: those that pcm names count.
    pub fn client_of_site(&self) -> Vec<String> {
        let key = self.dir.path().join("user").display().to_string();
        let port = self.port.to_string();
        ["ssh", "-F", "/dev/null", "-i", &key, "-o", "IdentitiesOnly=yes", "-p", &port]
            .map(str::to_owned)
            .to_vec()
    }

    /// The public half of its host key, without its comment.
    pub fn host_key(&self) -> String {
        let line = fs::read_to_string(self.dir.path().join("host.pub")).unwrap();
        line.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// Who it lets in, and where it is.
    pub fn account(&self) -> String {
        format!("{}@127.0.0.1", self.account)
    }

    /// Every process of its sessions: sshd's own ones, what runs in them, and what that has started.
    pub fn processes(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            let children = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
                let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
                let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
                let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(1);
                (fields.next()?.parse() == Ok(parent)).then_some(pid)
            });
            found.extend(children);
            next += 1;
        }
        found.split_off(1)
    }

    /// Those of them whose command line, with blanks between its words, is so.
    pub fn processes_with(&self, condition: impl Fn(&str) -> bool) -> Vec<u32> {
        let fits = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            condition(String::from_utf8_lossy(&line).replace('\0', " ").trim_end())
        };
        self.processes().into_iter().filter(fits).collect()
    }

    /// What the server has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let sessions = self.processes();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in sessions {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }
}

/// The command for the shell at the other end: every word quoted, the environment set before it.
fn line(command: &Command) -> String {
    let quoted = |word: &OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
    let mut words = vec!["exec".to_owned(), "env".to_owned()];
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => words.push(format!("{}={}", key.to_str().unwrap(), quoted(value))),
            None => words.extend(["-u".to_owned(), quoted(key)]),
        }
    }
    words.push(quoted(command.get_program()));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

fn said(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
