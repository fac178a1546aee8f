//! A real file server: `smbd` in a network of its own, and its shares mounted over SMB with `smbnetfs`, one mount a machine.

use super::{skipped, wait_for_or};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SMBD: &str = "/usr/sbin/smbd";
const SMBNETFS: &str = "/usr/bin/smbnetfs";

/// A file server whose shares `site` and `copy` are folders of these names.
pub struct Server {
    dir: PathBuf,
    /// Keeps the network.
    network: Child,
    smbd: Option<Child>,
}

/// A mount of all its shares; unmounted when dropped.
pub struct Mount {
    at: PathBuf,
    child: Child,
}

impl Server {
    /// Starts it in this folder. None, with the skip printed, where something that it needs is missing.
    pub fn start(dir: &Path) -> Option<Self> {
        if let Some(missing) = [SMBD, SMBNETFS, "/dev/fuse"].iter().find(|path| !Path::new(path).exists()) {
            skipped(format!("no file server over SMB: there is no {missing}"));
            return None;
        }
        for name in ["site", "copy", "run", "log", "home"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        let at = dir.display();
        let share = |name: &str| {
            format!("[{name}]\npath = {at}/{name}\nguest ok = yes\nread only = no\nforce user = root\n")
        };
        let config = format!(
            "[global]\nserver role = standalone server\ninterfaces = lo\nbind interfaces only = yes\nsmb ports = 445\n\
             disable netbios = yes\nmap to guest = bad user\nguest account = root\nload printers = no\n\
             server min protocol = SMB2\nlog file = {at}/log/smbd\nstate directory = {at}/run\n\
             cache directory = {at}/run\nprivate dir = {at}/run\nlock directory = {at}/run\npid directory = {at}/run\n\
             ncalrpc dir = {at}/run/rpc\n{}{}",
            share("site"),
            share("copy")
        );
        fs::write(dir.join("smbd.conf"), config).unwrap();
        let network = Command::new("unshare")
            .args(["-n", "sh", "-c", "ip link set lo up && echo up && exec sleep 3600"])
            .stdin(Stdio::null())
            .stdout(fs::File::create(dir.join("network")).unwrap())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .ok()?;
        let mut server = Self { dir: dir.to_owned(), network, smbd: None };
        let up = || fs::read_to_string(dir.join("network")).is_ok_and(|said| said.contains("up"));
        let mut gone = || !matches!(server.network.try_wait(), Ok(None));
        if wait_for_or(Duration::from_secs(10), || up() || gone()).is_err() || !up() {
            skipped("no network namespaces here");
            return None;
        }
        server.begin();
        Some(server)
    }

    /// Starts the server, and waits until it answers.
    pub fn begin(&mut self) {
        let smbd = self
            .inside(SMBD)
            .args(["-F", "--no-process-group", "-s"])
            .arg(self.dir.join("smbd.conf"))
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        self.smbd = Some(smbd);
        wait_for_or(Duration::from_secs(30), || {
            let mut probe = self.inside("bash");
            probe.args(["-c", "exec 3<>/dev/tcp/127.0.0.1/445"]).status().is_ok_and(|status| status.success())
        })
        .unwrap_or_else(|()| {
            panic!("smbd does not answer: {:?}", fs::read_to_string(self.dir.join("log/smbd")))
        });
    }

    /// `kill -9` of the server and of all that serves its clients.
    pub fn kill(&mut self) {
        if let Some(mut smbd) = self.smbd.take() {
            let _ = Command::new("kill").args(["-9", "--", &format!("-{}", smbd.id())]).status();
            let _ = smbd.wait();
        }
    }

    /// A command in the network of the server.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-n", "-t", &self.network.id().to_string(), program]);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Mounts its shares for one machine.
    pub fn mount(&self, name: &str) -> Mount {
        let (at, home) = (self.dir.join(name), self.dir.join("home").join(name));
        fs::create_dir_all(&at).unwrap();
        fs::create_dir_all(home.join(".smb")).unwrap();
        for (file, text) in [
            ("smb.conf", "[global]\nclient min protocol = SMB2\n"),
            ("smbnetfs.conf", "smb_query_browsers false\nsmb_timeout 3000\n"),
        ] {
            let file = home.join(".smb").join(file);
            fs::write(&file, text).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let child = self
            .inside(SMBNETFS)
            .arg(&at)
            .args(["-f", "-o"])
            .arg(format!("config={}", home.join(".smb/smbnetfs.conf").display()))
            .env("HOME", home)
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mount = Mount { at, child };
        let there = || fs::read_dir(mount.share("site")).is_ok();
        wait_for_or(Duration::from_secs(30), there)
            .unwrap_or_else(|()| panic!("nothing is mounted at {name}"));
        mount
    }

    /// What the server has.
    pub fn folder(&self, share: &str) -> PathBuf {
        self.dir.join(share)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = Command::new("kill").args(["-9", "--", &format!("-{}", self.network.id())]).status();
        let _ = self.network.wait();
    }
}

impl Mount {
    /// Where a share is.
    pub fn share(&self, name: &str) -> PathBuf {
        self.at.join("127.0.0.1").join(name)
    }

    /// The line to the server hangs, or no longer.
    pub fn hangs(&self, hangs: bool) {
        let signal = if hangs { "-STOP" } else { "-CONT" };
        let done = Command::new("kill").args([signal, "--", &format!("-{}", self.child.id())]).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-9", "--", &format!("-{}", self.child.id())]).status();
        let _ = Command::new("umount").arg("-l").arg(&self.at).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}
