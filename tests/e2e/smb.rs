//! A site on a real file server: a signed site folder is published over SMB, and five machines, each with a mount of its own,
//! run it. The server is killed and comes back, one line hangs, a replica lags behind, and the server is restored from
//! yesterday: nothing runs twice, nothing older is taken, and every machine says what is wrong.

use super::common::smb::{Mount, Server};
use super::common::{
    MACHINE, Service, Site, now, seconds, skipped, stamp, text, wait_for, wait_for_or, write,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// A machine of the site.
struct Machine {
    site: Site,
    mount: Mount,
}

struct World {
    server: Server,
    /// Of the publisher.
    mount: Mount,
    machines: Vec<Machine>,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Option<Self> {
        if !Path::new("/usr/bin/ssh-keygen").exists() {
            skipped("there is no ssh-keygen");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("pcm-test-").tempdir().unwrap();
        let server = Server::start(dir.path())?;
        let mount = server.mount("publisher");
        let mut world = Self { server, mount, machines: Vec::new(), dir };
        world.make_site();
        restore(&world.server.folder("site"), &world.server.folder("copy"));
        for n in 0..5 {
            world.machines.push(world.machine(n));
        }
        Some(world)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A verb of the publisher, who has a site folder and keys.
    fn publisher(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcm"));
        command.args(args).arg("--json").current_dir(self.path("folder")).env("TZ", "UTC");
        command.env("PCM_CONFIG", self.path("none.toml")).env("PCM_STATE", self.path("none"));
        command.output().unwrap()
    }

    fn publish(&self, args: &[&str]) -> Value {
        let done = self.publisher(args);
        assert!(done.status.success(), "{args:?}: {}", text(&done));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// A signed site whose share is on the server, with a package that leaves a line in `ran`, and five machines.
    fn make_site(&self) {
        fs::create_dir(self.path("folder")).unwrap();
        fs::create_dir(self.path("keys")).unwrap();
        let share = self.mount.share("site").display().to_string();
        self.publish(&["site", "init", ".", "--site", "BP0", "--share", &share, "--example", MACHINE]);
        for (name, role) in [("root", "trust"), ("package", "package"), ("publish", "publish")] {
            let key = format!("../keys/{name}");
            self.publish(&["key", "generate", &key]);
            let public = format!("{key}.pub");
            self.publish(&[
                "key",
                "trust",
                &public,
                "--role",
                role,
                "--principal",
                name,
                "--key",
                "../keys/root",
            ]);
        }
        let toml = self.path("folder/site.toml");
        let settings = fs::read_to_string(&toml).unwrap();
        fs::write(toml, format!("{settings}key = \"../keys/publish\"\n")).unwrap();
        let script = format!("#!/bin/sh\necho ran >> {}\n", self.path("ran").display());
        let setup = self.path("folder/packages/BP00000A/files/setup.sh");
        fs::write(setup, script).unwrap();
        self.publish(&["package", "sign", "BP00000A", "--key", "../keys/package"]);
        // The example's job is of the files before.
        fs::remove_file(self.path("folder/jobs/BP0000AA.toml")).unwrap();
        let machines: String = (0..5).map(|n| format!("BP00400{n},,web\n")).collect();
        fs::write(self.path("folder/machines.csv"), machines).unwrap();
        self.publish(&["site", "publish"]);
    }

    fn machine(&self, n: usize) -> Machine {
        let (id, mount) = (format!("BP00400{n}"), self.server.mount(&format!("machine{n}")));
        let site = Site::bare("");
        let mut shares = format!("{:?}", mount.share("site"));
        if n == 4 {
            shares += &format!(", {:?}", mount.share("copy"));
        }
        let config = fs::read_to_string(site.config()).unwrap();
        let config = config.replace("\"permissions\"", "\"signed\"").replace(MACHINE, &id);
        let config = config.replace(&format!("{:?}", site.share()), &shares);
        write(&site.config(), config.as_bytes());
        let keys = self.publish(&["key", "list"]);
        let root = keys["keys"].as_array().unwrap().iter().find(|key| key["role"] == "trust").unwrap();
        site.json(&["init", "--trust-key", root["fingerprint"].as_str().unwrap()]);
        Machine { site, mount }
    }

    /// A job for all of them, mandatory now; its request.
    fn send(&self) -> String {
        let at = stamp(now());
        let sent =
            self.publish(&["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", &at]);
        assert_eq!(sent["targets"], 5, "{sent}");
        sent["request_id"].as_str().unwrap().to_owned()
    }

    /// How often it ran on all machines together.
    fn ran(&self) -> usize {
        fs::read_to_string(self.path("ran")).unwrap_or_default().lines().count()
    }

    fn services(&self) -> Vec<Service> {
        let services: Vec<Service> =
            self.machines.iter().map(|machine| machine.site.service_begun()).collect();
        self.machines.iter().for_each(|machine| machine.site.wait_service());
        services
    }
}

impl Machine {
    fn wait(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let done = wait_for_or(Duration::from_secs(90), || condition(self));
        done.unwrap_or_else(|()| {
            let status = self.site.json_of(&["status"]);
            let log = self.site.log();
            let end: Vec<&str> = log.lines().rev().take(20).collect();
            panic!("it never happened: {what}\n{status:#}\n{end:#?}")
        });
    }

    fn has(&self, problem: &str) -> bool {
        let status = self.site.json_of(&["status"]);
        status["problems"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == problem))
    }

    fn succeeds(&self, request: &str) {
        self.wait(&format!("{request} succeeds"), |machine| machine.site.state_of(request) == "succeeded");
    }
}

/// Copies a folder as it is over what another holds.
fn restore(from: &Path, to: &Path) {
    for entry in fs::read_dir(to).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            fs::remove_file(path).unwrap();
            continue;
        }
        // A machine may write its report there meanwhile.
        wait_for("its folders are removed", || match fs::remove_dir_all(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::DirectoryNotEmpty => false,
            done => done.map(|()| true).unwrap(),
        });
    }
    let done = Command::new("cp").args(["-a"]).arg(from.join(".")).arg(to).status();
    assert!(done.unwrap().success());
}

#[test]
fn five_machines_of_a_site_on_a_file_server_that_fails_in_every_way() {
    let Some(mut world) = World::new() else { return };
    let _services = world.services();

    // Everywhere, once, and every result is on the server.
    let first = world.send();
    world.machines.iter().for_each(|machine| machine.succeeds(&first));
    assert_eq!(world.ran(), 5);
    for n in 0..5 {
        let result = world.server.folder("site").join(format!("despoolr.box/BP00400{n}/{first}-1.MIF"));
        world.machines[n].wait("the result is on the server", |_| result.exists());
    }
    let yesterday = world.path("yesterday");
    fs::create_dir(&yesterday).unwrap();
    restore(&world.server.folder("site"), &yesterday);

    // The server dies: each machine says so, the publisher too, and nothing is half published.
    world.server.kill();
    for machine in &world.machines {
        machine.wait("it says that its share is away", |machine| {
            let status = machine.site.json_of(&["status"]);
            let problems = status["problems"].as_array().cloned().unwrap_or_default();
            problems.iter().any(|one| one["code"].as_str().is_some_and(|code| code.starts_with("share-")))
        });
    }
    let at = stamp(now());
    let refused =
        world.publisher(&["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", &at]);
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused));
    assert_eq!(world.publish(&["job", "list"])["jobs"].as_array().unwrap().len(), 1, "it was not sent");
    world.server.begin();
    // A client needs a moment to find it again.
    wait_for_or(Duration::from_secs(60), || world.publisher(&["site", "publish"]).status.success())
        .unwrap_or_else(|()| panic!("{}", text(&world.publisher(&["site", "publish"]))));
    let second = world.send();
    world.machines.iter().for_each(|machine| machine.succeeds(&second));
    assert_eq!(world.ran(), 10);

    // One line hangs: the others go on, that machine says so and comes later, once.
    world.machines[3].mount.hangs(true);
    let third = world.send();
    for (n, machine) in world.machines.iter().enumerate().filter(|(n, _)| *n != 3) {
        machine.succeeds(&third);
        assert_ne!(n, 3);
    }
    assert_eq!(world.ran(), 14);
    world.machines[3].wait("it says that its share hangs", |machine| {
        machine.site.json_of(&["status"])["problems"].to_string().contains("it does not answer")
    });
    world.machines[3].mount.hangs(false);
    world.machines[3].succeeds(&third);
    assert_eq!(world.ran(), 15);

    // A replica keeps a job that was cancelled since. The last machine reads both; then the replica alone.
    let at = stamp(now() + seconds(3_600));
    let sent =
        world.publish(&["job", "send", "--package", "BP00000A", "--to", "BP004004", "--mandatory", &at]);
    let (job, cancelled) = (sent["job_id"].as_str().unwrap(), sent["request_id"].as_str().unwrap());
    let last = &world.machines[4];
    last.wait("it knows the job", |machine| machine.site.state_of(cancelled) != "absent");
    restore(&world.server.folder("site"), &world.server.folder("copy"));
    world.publish(&["job", "cancel", job, "--reason", "a mistake"]);
    let is_cancelled = |machine: &Machine| {
        let explained = machine.site.json_of(&["explain", cancelled]).to_string();
        explained.contains("\"cancelled\"")
    };
    last.wait("it takes the cancellation", is_cancelled);
    assert!(!last.has("rollback"), "a replica that lags is no rollback while another share has the highest");
    let away = world.path("away");
    fs::rename(world.server.folder("site"), &away).unwrap();
    last.wait("only the replica is left, and it is behind", |machine| machine.has("rollback"));
    assert!(is_cancelled(last));
    let run = last.site.pcm(&["run", cancelled, "--wait"]);
    assert!(!run.status.success(), "{}", text(&run));
    fs::rename(&away, world.server.folder("site")).unwrap();
    last.wait("its share is back", |machine| !machine.has("rollback"));

    // The server is restored from yesterday: nothing older is taken, and the next publication mends it.
    restore(&yesterday, &world.server.folder("site"));
    for machine in &world.machines {
        machine.wait("it says that the share is behind", |machine| machine.has("rollback"));
    }
    assert_eq!(world.ran(), 15, "nothing ran again");
    let fourth = world.send();
    world.machines.iter().for_each(|machine| machine.succeeds(&fourth));
    assert_eq!(world.ran(), 20);
    for machine in &world.machines {
        machine.wait("nothing is behind any more", |machine| !machine.has("rollback"));
    }
}
