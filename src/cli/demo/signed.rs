//! The demo's site as a publisher makes one: a key for each role, a site folder, signed packages, one publication, and the
//! machine's own trust folder. The keys are made for this demo alone and go with its folder.

use super::packages::{BROKEN, ITEMS, Item, MACHINE, SITE};
use super::site::{cannot, file_at, folder_at, publishing};
use crate::cli::key;
use crate::clock::{Wall, When};
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::site::content::{FILES, hash_bytes};
use crate::site::folder::machines::{self, Machine};
use crate::site::folder::{Folder, made};
use crate::site::ids::{MachineId, PackageId, SiteCode};
use crate::site::index::job::{Job, Times, Word};
use crate::site::index::target::Target;
use crate::site::package;
use crate::site::package::shelf;
use crate::site::publisher::packages::SIGNATURE;
use crate::site::publisher::{self, Expect, release};
use crate::site::signed::folder::{Change, SiteFolder};
use crate::site::signed::list::TrustList;
use crate::site::signed::signers::{Role, Signer};
use crate::site::signed::store;
use chrono::{SubsecRound as _, TimeDelta};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;

/// So many packages are made at the same time.
const AT_ONCE: usize = 7;
/// How long the demo's keys count.
const COUNT_FOR: TimeDelta = TimeDelta::days(30);

/// The key that the machine signs its reports with: its SSH host key has no part in a demo.
pub fn report_key(folder: &Path) -> PathBuf {
    folder.join("keys").join("report")
}

/// Makes site folder, share and trust folder; the share.
pub fn publish(folder: &Path, trust: &Path, start: Wall) -> Result<PathBuf> {
    let keys = folder.join("keys");
    durable::make_private_dir(&keys).map_err(|e| cannot(&keys, &e))?;
    let site = made::make(&folder.join("site"), parsed::<SiteCode>(SITE)?, None, None, start)?.folder;
    let list = trust_keys(&site, &keys, start)?;
    let machine: MachineId = parsed(MACHINE)?;
    let line = Machine {
        host: Some("localhost".into()),
        host_key: Some(key::make_pair(&report_key(folder))?.text()),
        words: "the demo's only machine".into(),
        ..Machine::new(machine)
    };
    let machines = site.dir.join(machines::NAME);
    durable::write(&machines, machines::render([&line]).as_bytes()).map_err(|e| cannot(&machines, &e))?;
    let key = keys.join(Role::Package.as_str());
    let one = &|item: &Item| deliver(item, &site, &key, &list, machine, start);
    // Each of them waits for the disk and for ssh-keygen most of the time: whoever starts the demo waits less.
    thread::scope(|scope| {
        let at_once = ITEMS
            .chunks(ITEMS.len().div_ceil(AT_ONCE))
            .map(|items| thread::Builder::new().spawn_scoped(scope, move || items.iter().try_for_each(one)));
        at_once.collect::<Vec<_>>().into_iter().try_for_each(|made| {
            let made = made.map_err(|e| wrong(&e.to_string()))?;
            made.join().map_err(|_| wrong("a package was not made"))?
        })
    })?;
    let signs = vec![keys.join(Role::Publish.as_str())];
    publisher::publish(&site, &publishing(signs, Expect::Nothing, start))?;
    for item in ITEMS.iter().filter(|item| item.is_over()) {
        left_over(item, &site)?;
    }
    spoil(&site.share())?;
    let path = site.trust().list_path(list.version);
    let bytes = std::fs::read(&path).map_err(|e| cannot(&path, &e))?;
    store::place(trust, &bytes, &list).map_err(|e| cannot(trust, &e))?;
    Ok(site.share())
}

/// A key for each role, and the trust list that says so.
fn trust_keys(site: &Folder, keys: &Path, start: Wall) -> Result<TrustList> {
    let folder: SiteFolder = site.trust();
    let mut newest = None;
    // The first list has to hold the key that signs it.
    for role in [Role::Trust, Role::Package, Role::Publish] {
        let signer = Signer {
            principal: format!("demo-{role}"),
            role,
            after: None,
            before: Some((start + COUNT_FOR).trunc_subsecs(0)),
            key: key::make_pair(&keys.join(role.as_str()))?,
        };
        newest =
            Some(folder.change(Change::Trust(signer), &keys.join(Role::Trust.as_str()), start, false)?);
    }
    newest.ok_or_else(|| wrong("no trust list was made"))
}

/// One package, signed, and the job that delivers it.
fn deliver(
    item: &Item,
    site: &Folder,
    key: &Path,
    list: &TrustList,
    machine: MachineId,
    start: Wall,
) -> Result<()> {
    let id: PackageId = parsed(&item.package_id())?;
    let dir = site.package_dir(id);
    folder_at(&dir.join(FILES))?;
    file_at(&dir.join(package::NAME), &item.definition())?;
    file_at(&dir.join(FILES).join("setup.sh"), &item.script())?;
    let release = release::fill(site, id, false, Some(list), &[])?;
    release::sign(site, &release, key, list, start)?;
    let command = release.package.commands.first().ok_or_else(|| wrong("a package has no command"))?;
    let ids = (site.settings.site_id.clone(), parsed(&item.job_id())?, parsed(&item.request_id())?);
    let (offer, mandatory, expire) = item.times(start.trunc_subsecs(0));
    let job = Job {
        times: Times {
            offer: Some(When::Instant(offer)),
            mandatory: mandatory.map(When::Instant),
            expire: expire.map(When::Instant),
        },
        targets: vec![Target::Machine(machine)],
        ..Job::of(ids, (&release.package, hash_bytes(release.text.as_bytes())), command)
    };
    site.write_job(&job, &Word::default())
}

/// The package of a job that has expired, as the publication left it that brought the job: the first one of this site is of
/// now, and publishes no package that nothing can run any more.
fn left_over(item: &Item, site: &Folder) -> Result<()> {
    let id: PackageId = parsed(&item.package_id())?;
    let to = site.share().join(shelf::FOLDER).join(id.as_str()).join("1");
    folder_at(&to)?;
    for name in [package::NAME, SIGNATURE] {
        let to = to.join(name);
        std::fs::copy(site.package_dir(id).join(name), &to).map(drop).map_err(|e| cannot(&to, &e))?;
    }
    Ok(())
}

/// Somebody who can write the share puts another signature beside a package: so the demo shows what is not believed.
fn spoil(share: &Path) -> Result<()> {
    let signature =
        |key: &str| share.join(shelf::FOLDER).join(format!("{SITE}00P{key}")).join("1").join(SIGNATURE);
    let (from, to) = (signature("0D"), signature(BROKEN));
    std::fs::copy(&from, &to).map(drop).map_err(|e| cannot(&to, &e))
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
