//! The site of `pcm demo --site`: 2,000 machines that do not exist, and three jobs on their way to them. A thread writes what
//! those machines would report, from minute to minute (`life`), and obeys what is published, as they would.

mod life;

use super::site::{cannot, file_at, folder_at, publishing};
use crate::clock::{System, Wall, When, earlier};
use crate::error::{Exit, Failure, Result};
use crate::host::{durable, open, threads};
use crate::rollout::gate::{self, Counts};
use crate::rollout::phase::reaches;
use crate::site::content::{FILES, hash_bytes, write_content};
use crate::site::folder::machines::{self, Machine};
use crate::site::folder::{Folder, made};
use crate::site::ids::{MachineId, PackageId, SiteCode};
use crate::site::index::job::{Job, Phase, Times, Word};
use crate::site::index::members::Member;
use crate::site::index::target::Target;
use crate::site::index::{self, JobState};
use crate::site::package;
use crate::site::publish::SETUP;
use crate::site::publisher::{self, Expect};
use crate::site::report::{self, MachineReport};
use chrono::{SubsecRound as _, TimeDelta};
use life::{Plan, Says};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// So many machines.
const MACHINES: usize = 2_000;
const SITE: &str = "HQ0";
/// What they do is looked at so often.
const STEP: Duration = Duration::from_secs(1);
/// What is published reaches the last of them after so long.
const POLL_S: u64 = 20;

/// One job.
struct Course {
    package: &'static str,
    phases: &'static [u32],
    percent: u32,
    /// So long before the start this phase was reached.
    ago: TimeDelta,
    /// Those that nothing holds up run within so long.
    span: TimeDelta,
    /// So many of a hundred fail.
    failing: u64,
    halted: bool,
}

const COURSES: [Course; 3] = [
    Course {
        package: "Acme Workstation",
        phases: &[1_000, 5_000, 10_000],
        percent: 5_000,
        ago: TimeDelta::minutes(50),
        span: TimeDelta::minutes(70),
        failing: 2,
        halted: false,
    },
    Course {
        package: "Printer driver",
        phases: &[500, 10_000],
        percent: 500,
        ago: TimeDelta::hours(5),
        span: TimeDelta::minutes(50),
        failing: 30,
        halted: true,
    },
    Course {
        package: "Fonts",
        phases: &[200, 10_000],
        percent: 200,
        ago: TimeDelta::minutes(2),
        span: TimeDelta::minutes(12),
        failing: 0,
        halted: false,
    },
];

/// Makes the site in a folder, and starts its machines, which end with this process.
pub fn start(folder: &Path, start: Wall) -> Result<PathBuf> {
    let dir = folder.join("rollout");
    let site = made::make(&dir, parsed::<SiteCode>(SITE)?, None, None, start)?.folder;
    let members = members()?;
    let list: Vec<Machine> = members.iter().map(listed).collect();
    let path = dir.join(machines::NAME);
    durable::write(&path, machines::render(&list).as_bytes()).map_err(|e| cannot(&path, &e))?;
    let mut jobs = Vec::new();
    for (n, course) in COURSES.iter().enumerate() {
        jobs.push(send(&site, n, course, start)?);
    }
    let expect = Expect::Changes(COURSES.len() * MACHINES);
    publisher::publish(&site, &publishing(Vec::new(), expect, start))?;
    let mut fleet = Fleet::new(&site, members, jobs, start);
    fleet.step(start)?;
    let live = move || loop {
        std::thread::sleep(STEP);
        // The folder goes before this process does.
        if fleet.step(System::now()).is_err() {
            return;
        }
    };
    threads::start("fleet", live).map(drop).map_err(|e| wrong(&e.to_string()))?;
    Ok(dir)
}

/// The machines, each in a group or two.
fn members() -> Result<Vec<Member>> {
    const ROLES: [(&str, &str); 4] = [("desk", "office"), ("till", "shop"), ("web", "web"), ("lab", "lab")];
    let one = |n: usize| {
        let (host, group) = ROLES[n % ROLES.len()];
        let mut groups = vec![group.to_owned()];
        if n.is_multiple_of(10) {
            groups.push("pilot".to_owned());
        }
        groups.sort();
        let machine: MachineId = parsed(&format!("{SITE}{n:05}"))?;
        Ok(Member { machine, host: Some(format!("{host}-{n:04}")), adopt: None, groups })
    };
    (0..MACHINES).map(one).collect()
}

fn listed(member: &Member) -> Machine {
    Machine { host: member.host.clone(), groups: member.groups.clone(), ..Machine::new(member.machine) }
}

/// A package, and the job that delivers it to all of them.
fn send(site: &Folder, n: usize, course: &Course, start: Wall) -> Result<(Job, Word)> {
    let key = ["A", "B", "C"][n];
    let id: PackageId = parsed(&format!("{SITE}0000{key}"))?;
    let dir = site.package_dir(id);
    folder_at(&dir.join(FILES))?;
    let setup = dir.join(FILES).join("setup.sh");
    file_at(&setup, SETUP)?;
    open::make_enterable(&setup).map_err(|e| cannot(&setup, &e))?;
    let content = write_content(&dir)?;
    let definition = format!(
        "kind = \"package\"\nrelease = 1\nsites = [\"{}\"]\ncontent_sha256 = \"{}\"\npackage_id = \"{id}\"\nname = \"{}\"\nversion = \"4.0\"\ncomment = \"A package of the demo\"\n\n[[command]]\n\
         command = \"Typical\"\ncommand_line = \"setup.sh\"\nautomated = true\nbackground = true\n",
        site.settings.site_id,
        content.sha256.as_str(),
        course.package
    );
    file_at(&dir.join(package::NAME), &definition)?;
    let bytes = definition.as_bytes();
    let read = package::parse(bytes, package::NAME, &[]).map_err(|_| wrong("a package is malformed"))?;
    let command = read.commands.first().ok_or_else(|| wrong("a package has no command"))?;
    let job = parsed(&format!("{SITE}000A{key}"))?;
    let request = parsed(&format!("{SITE}000{key}"))?;
    let ids = (site.settings.site_id.clone(), job, request);
    let reached = earlier(start, course.ago.to_std().unwrap_or_default()).trunc_subsecs(0);
    let phase = |percent: &u32| Phase { percent: *percent, after: Duration::from_secs(2 * 3_600) };
    let job = Job {
        times: Times {
            offer: Some(When::Instant(reached)),
            mandatory: Some(When::Instant(reached)),
            expire: Some(When::Instant(start.trunc_subsecs(0) + TimeDelta::days(30))),
        },
        targets: vec![Target::Group("all".into())],
        phases: course.phases.iter().map(phase).collect(),
        ..Job::of(ids, (&read, hash_bytes(bytes)), command)
    };
    let mut word = Word { percent: course.percent, reached: Some(reached), ..Word::default() };
    if course.halted {
        // As many as its machines report.
        let counts = Counts { n: 56, f: 14, ..Counts::default() };
        word.state = JobState::Suspended;
        word.reason = Some(gate::halted(&counts, &word.limits).as_str().into());
        word.since = Some(reached + course.span);
    }
    site.write_job(&job, &word)?;
    Ok((job, word))
}

/// Which share a job reached when, and since when it is suspended.
type Reached = (Vec<(u32, Wall)>, Option<Wall>);

/// The machines, and what they have reported.
struct Fleet {
    share: PathBuf,
    members: Vec<Member>,
    jobs: Vec<(Job, Word)>,
    /// Of each job.
    reached: Vec<Reached>,
    serial: (u64, Wall),
    told: BTreeMap<usize, (u64, Vec<Option<Says>>)>,
    start: Wall,
}

impl Fleet {
    fn new(site: &Folder, members: Vec<Member>, jobs: Vec<(Job, Word)>, start: Wall) -> Fleet {
        let since =
            |(_, word): &(Job, Word)| (vec![(word.percent, word.reached.unwrap_or(start))], word.since);
        let reached = jobs.iter().map(since).collect();
        let share = site.share();
        Fleet { share, members, reached, jobs, serial: (0, start), told: BTreeMap::new(), start }
    }

    /// What each machine reports now, where that is something new.
    fn step(&mut self, now: Wall) -> Result<()> {
        self.obey(now)?;
        for n in 0..self.members.len() {
            let dice = life::dice(n as u64);
            let silent = dice % 100 >= 97;
            // What is published reaches one after the other.
            let polled = (now - self.serial.1).num_seconds() >= (dice % POLL_S) as i64;
            let serial = if polled || self.serial.0 < 2 { self.serial.0 } else { self.serial.0 - 1 };
            if silent && (dice.is_multiple_of(2) || self.told.contains_key(&n)) {
                continue;
            }
            let says: Vec<Option<Says>> = (0..self.jobs.len()).map(|job| self.says(job, n, now)).collect();
            let new = (serial, says);
            if self.told.get(&n) != Some(&new) {
                self.write(n, &new, now, silent)?;
                self.told.insert(n, new);
            }
        }
        Ok(())
    }

    /// Looks at what is published.
    fn obey(&mut self, now: Wall) -> Result<()> {
        let path = self.share.join(index::NAME);
        let bytes = std::fs::read(&path).map_err(|e| cannot(&path, &e))?;
        let Ok(index) = index::parse(&bytes, index::NAME) else { return Ok(()) };
        if index.serial == self.serial.0 {
            return Ok(());
        }
        // Its first machines knew of the first publication long before the demo began.
        self.serial = (index.serial, if self.serial.0 == 0 { self.start - TimeDelta::days(1) } else { now });
        for ((job, _), (reached, suspended)) in self.jobs.iter().zip(&mut self.reached) {
            let Some(entry) = index.jobs.iter().find(|entry| entry.job_id == job.job_id) else { continue };
            if reached.iter().all(|(percent, _)| *percent < entry.percent) {
                reached.push((entry.percent, now));
            }
            *suspended = (entry.state != JobState::Active).then(|| suspended.unwrap_or(now));
        }
        Ok(())
    }

    /// What a machine says of a job; None: it is not in its phase yet.
    fn says(&self, job: usize, n: usize, now: Wall) -> Option<Says> {
        let ((of, word), (reached, suspended)) = (&self.jobs[job], &self.reached[job]);
        let member = &self.members[n];
        let (_, since) = reached.iter().find(|(percent, _)| reaches(of, word, *percent, member))?;
        let course = &COURSES[job];
        let plan =
            Plan { reached: *since, span: course.span, failing: course.failing, suspended: *suspended };
        Some(life::says(life::dice((n * COURSES.len() + job + MACHINES) as u64), &plan, now, self.start))
    }

    fn write(
        &self,
        n: usize,
        (serial, says): &(u64, Vec<Option<Says>>),
        now: Wall,
        silent: bool,
    ) -> Result<()> {
        let member = &self.members[n];
        let at = if silent { self.start - TimeDelta::days(5) } else { now };
        let request = |((job, _), says): (&(Job, Word), &Option<Says>)| {
            let mut request = json!({
                "request_id": job.request_id, "job_id": job.job_id, "package_id": job.package_id, "since": at,
                "state": "scheduled", "attempt": 0, "blocked_by": ["phase-not-reached"], "next_change": null,
                "exit_code": null, "result": null, "started_at": null, "ended_at": null,
            });
            if let (Some(says), Some(request)) = (says, request.as_object_mut()) {
                request.extend(says.fields());
            }
            request
        };
        let requests: Vec<Value> = self.jobs.iter().zip(says).map(request).collect();
        let users = u32::from(says.iter().flatten().any(Says::is_about_users));
        let report = json!({
            "summary": {
                "format": report::FORMAT, "machine": member.machine, "site": SITE, "site_id": self.jobs[0].0.site_id,
                "host": member.host, "report": 1, "epoch": 0, "serial": serial, "reported_at": at, "heartbeat_s": 21_600,
            },
            "rest": {
                "platform": "linux-x86_64", "pcm_version": env!("CARGO_PKG_VERSION"), "polled_at": at,
                "polling_interval_s": POLL_S, "source": null, "users": users, "restart_pending": false, "clock_ok": true,
                "os": "debian", "os_version": if n.is_multiple_of(4) { "12" } else { "13" },
                "disk_free": (life::dice(n as u64) % 60 + 1) << 30, "hours_on_7d": life::dice(n as u64) % 129 + 40,
                "audit_head": null, "requests": requests,
            },
        });
        let report: MachineReport = serde_json::from_value(report).map_err(|e| wrong(&e.to_string()))?;
        let bytes = report.to_bytes().map_err(|e| wrong(&e.to_string()))?;
        let folder = self.share.join(report::FOLDER);
        let path = folder.join(report::report_name(member.machine));
        let new = folder.join(format!(".{}.tmp", member.machine));
        // Two thousand of them at once: what a power cut does to a demo matters to nobody.
        let placed = std::fs::write(&new, bytes).and_then(|()| {
            let file = std::fs::OpenOptions::new().write(true).open(&new)?;
            if silent {
                file.set_modified(at.into())?;
            }
            std::fs::rename(&new, &path)
        });
        placed.map_err(|e| cannot(&path, &e))
    }
}

fn parsed<T: FromStr>(text: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| wrong(&e.to_string()))
}

fn wrong(why: &str) -> Failure {
    Failure::new(Exit::Failed, "demo", why, "Report this")
}
