//! A site on a real file server: a signed site folder is published over SMB, and five machines, each with a mount of its own,
//! run it. The server is killed and comes back, one line hangs, a replica lags behind, and the server is restored from
//! yesterday: nothing runs twice, nothing older is taken, and every machine says what is wrong.

mod phases;

use super::common::publisher::{MACHINES, Machine, Publisher};
use super::common::smb::{Mount, Server};
use super::common::{Service, now, seconds, stamp, text, wait_for, wait_for_or};
use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A machine of the site with a mount of its own.
struct Client {
    machine: Machine,
    mount: Mount,
}

impl Deref for Client {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

struct World {
    // In the order in which they end: no mount outlives its server, and the folder of all of it goes last.
    machines: Vec<Client>,
    /// Of the publisher.
    _mount: Mount,
    server: Server,
    publisher: Publisher,
}

impl Deref for World {
    type Target = Publisher;

    fn deref(&self) -> &Publisher {
        &self.publisher
    }
}

impl World {
    /// A signed site whose share is on the server, published, with a package that leaves a line in `ran` and fails while there
    /// is a file `fails`; and its machines.
    fn new() -> Option<Self> {
        let (mut server, mut mount) = (None, None);
        let publisher = Publisher::new(
            |dir| {
                server = Server::start(dir);
                mount = server.as_ref().map(|server| server.mount("publisher"));
                mount.as_ref().map_or(dir.join("none"), |mount| mount.share("site")).display().to_string()
            },
            |_| String::new(),
        )?;
        let (server, mount) = (server?, mount?);
        let (ran, fails) = (publisher.path("ran"), publisher.path("fails"));
        publisher.files(&format!("#!/bin/sh\necho ran >> {}\n[ ! -e {} ]\n", ran.display(), fails.display()));
        publisher.done(&["site", "publish"]);
        restore(&server.folder("site"), &server.folder("copy"));
        let machines = (0..MACHINES).map(|n| client(&publisher, &server, n)).collect();
        Some(Self { machines, _mount: mount, server, publisher })
    }

    fn services(&self) -> Vec<Service> {
        let services: Vec<Service> =
            self.machines.iter().map(|machine| machine.site.service_begun()).collect();
        self.machines.iter().for_each(|machine| machine.site.wait_service());
        services
    }
}

/// The last one reads a replica as well.
fn client(publisher: &Publisher, server: &Server, n: usize) -> Client {
    let mount = server.mount(&format!("machine{n}"));
    let mut shares = vec![mount.share("site").display().to_string()];
    if n == MACHINES - 1 {
        shares.push(mount.share("copy").display().to_string());
    }
    let shares: Vec<&str> = shares.iter().map(String::as_str).collect();
    Client { machine: publisher.machine(n, &shares, ""), mount }
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
    // What a machine was just writing may have its own name by the time that it is copied.
    wait_for("it is copied", || {
        Command::new("cp").args(["-a"]).arg(from.join(".")).arg(to).status().unwrap().success()
    });
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
    let refused = world.pcm(&["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", &at]);
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused));
    assert_eq!(world.done(&["job", "list"])["jobs"].as_array().unwrap().len(), 1, "it was not sent");
    world.server.begin();
    // A client needs a moment to find it again.
    wait_for_or(Duration::from_secs(60), || world.pcm(&["site", "publish"]).status.success())
        .unwrap_or_else(|()| panic!("{}", text(&world.pcm(&["site", "publish"]))));
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
    let sent = world.done(&["job", "send", "--package", "BP00000A", "--to", "BP004004", "--mandatory", &at]);
    let (job, cancelled) = (sent["job_id"].as_str().unwrap(), sent["request_id"].as_str().unwrap());
    let last = &world.machines[4];
    last.wait("it knows the job", |machine| machine.site.state_of(cancelled) != "absent");
    restore(&world.server.folder("site"), &world.server.folder("copy"));
    world.done(&["job", "cancel", job, "--reason", "a mistake"]);
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
