//! Looking: at the share through its reader, at the executor through the client, at the machine, all at once. Whatever
//! hangs ends at its own deadline and is reported as not known.

use super::facts::{Facts, Folders, Service, Views};
use super::in_force::{self, Sources};
use super::probe::{self, Tried};
use super::{ConfigRead, Subject, backup, publisher};
use crate::clock::Zone;
use crate::config::Config;
use crate::error::{Exit, Failure};
use crate::executor::ask::Ask;
use crate::executor::client::Client;
use crate::executor::footing::{self, Footing};
use crate::executor::share::deliver::Believed;
use crate::executor::share::job::{
    DELIVER_DEADLINE, HeldIndex, Reported, ShareJob, ShareNews, look_deadline, look_job,
};
use crate::executor::share::tries::Tries;
use crate::executor::talk::protocol::{Answer, View, unexpected_answer};
use crate::host::account::{self, Account};
use crate::host::open::remote;
use crate::host::perms;
use crate::host::{facts, lock, process, sessions, supervisor};
use crate::site::content::{self, Shelf};
use crate::site::ids::SiteId;
use crate::site::index;
use crate::site::indexed::store;
use crate::site::instruction::InstructionFile;
use crate::site::share::{self, Found, Look, SourceFault};
use crate::site::signed::published::{self, Judging, Standing};
use crate::site::signed::store::{Material, Trusted, Wanted};
use crate::site::trust::TrustMode;
use crate::terms::{Code, Problem};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread::{self, Scope, ScopedJoinHandle};

pub(super) fn gather(subject: &Subject) -> Facts {
    let now = facts::now();
    let (layout, config) = (&subject.layout, &subject.config);
    let me = account::current();
    let administrator = account::is_administrator();
    let owner = account::owner(&layout.state);
    // The service's account where it is another one and this process may act as it.
    let other = owner.clone().filter(|owner| administrator && !same(owner, &me));
    let loose = loose(subject);
    let refuse = loose.first().filter(|_| administrator).map(|(why, _)| why.clone());
    let (views, look, report, users, tried, backup, publisher) = thread::scope(|s| {
        let views = beside(s, || views(subject));
        let look = beside(s, || look(subject, other.as_ref()));
        let report = beside(s, || report(subject, other.as_ref()));
        let users = beside(s, sessions::logged_on);
        let tried = beside(s, || tried(subject, owner.as_ref(), other.as_ref(), &me, administrator));
        let publisher = beside(s, || publisher::look(subject, now));
        let backup = beside(s, || backup::ask(&config.check, now, refuse, other.as_ref()));
        (
            joined(views).unwrap_or_else(|why| Views::failed(&why)),
            joined(look).unwrap_or_else(|why| Some(Err(why))),
            joined(report).unwrap_or_else(|why| Some(Err(why))),
            joined(users).unwrap_or_else(|why| sessions::LoggedOn::unknown(why.as_str())),
            joined(tried).unwrap_or_else(Err),
            joined(backup).unwrap_or_else(|why| super::facts::Backup::NotAsked(why.into_string())),
            joined(publisher).unwrap_or(None),
        )
    });
    let trusted = match config.trust.mode {
        TrustMode::Permissions => None,
        TrustMode::Signed => Some(trusted(subject)),
    };
    let held = store::read(&layout.held_folder());
    let under_an_index = under_an_index(subject, &views, held.is_some());
    let mut look = look;
    if let Some(Ok(look)) = look.as_mut().filter(|_| under_an_index) {
        no_instruction_file(look);
    }
    let status = views.status.as_ref().ok();
    let sources = Sources {
        subject,
        now,
        held: held.as_ref(),
        hidden: held.is_none() && store::is_there(&layout.held_folder()),
        found: look.as_ref().and_then(|look| look.as_ref().ok()?.found.as_ref()),
        trusted: trusted.as_ref(),
        said: status.and_then(|status| Some((status.trust.epoch?, status.trust.serial?))),
    };
    let (indexed, in_force) = (in_force::offered(&sources), in_force::find(&sources));
    let (in_force, of_index) = match in_force {
        Some(Ok(it)) => (Some(Ok(it.index)), Some((it.file, it.is_held))),
        Some(Err(why)) => (Some(Err(why)), None),
        None => (None, None),
    };
    let (file, file_from) = match of_index {
        Some((file, true)) => (Some(file), SafeText::new(&layout.held_folder().display().to_string())),
        Some((file, false)) => (Some(file), instructions(subject, look.as_ref()).1),
        None => instructions(subject, look.as_ref()),
    };
    let mut facts = Facts {
        subject: subject.clone(),
        now,
        zone: facts::local_zone().unwrap_or_else(|_| Zone::utc()),
        service: service(subject),
        folders: folders(subject),
        modes_are_real: perms::ARE_REAL,
        platform: facts::platform(),
        host: facts::host_name(),
        run_as: config.run.run_as.as_deref().and_then(account::by_name),
        listens: listens(config, owner.as_ref()),
        me,
        administrator,
        views,
        look,
        report,
        file,
        file_from,
        indexed,
        in_force,
        under_an_index,
        trusted,
        users,
        tried,
        backup,
        pager: config.notify.command.first().and_then(|program| pager(Path::new(program))),
        loose,
        tries: Vec::new(),
        contents: (0, 0),
        publisher,
    };
    tries(&mut facts, other.as_ref());
    facts
}

/// Who may not look there says nothing.
fn pager(program: &Path) -> Option<SafeText> {
    match std::fs::metadata(program) {
        Ok(found) if !found.is_file() => Some("it is no file".into()),
        Ok(_) => None,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Some("it is not there".into()),
        Err(_) => None,
    }
}

/// Tries what the service does at the shares, once it is known what is wanted of them. One that did not answer is not asked
/// again.
fn tries(facts: &mut Facts, other: Option<&Account>) {
    let config = &facts.subject.config;
    let (Some(machine), Some(Ok(look))) = (config.machine, &facts.look) else { return };
    let found = look.found.as_ref();
    let indexed = found.is_some_and(|found| found.brought.is_some());
    let stage = facts.subject.layout.stage();
    let open = facts.open_requests();
    let contents = open.iter().filter_map(|request| {
        let hash = request.content_sha256.clone()?;
        Some((if indexed { Shelf::Content } else { Shelf::Package(request.package_id) }, hash))
    });
    let (mut seen, mut staged, mut wanted) = (BTreeSet::new(), 0, Vec::new());
    for (at, hash) in contents {
        if !seen.insert(hash.clone()) {
            continue;
        }
        match content::is_staged(&stage, &hash) {
            true => staged += 1,
            false => wanted.push((at, hash)),
        }
    }
    // What was tried as the service's account says what that account may.
    let may = facts.tried.is_ok();
    let named = config.share.report.as_ref();
    let mut places: Vec<&PathBuf> = named.map_or_else(|| config.shares.iter().collect(), |place| vec![place]);
    places.extend(found.map(|found| &found.share).filter(|share| named.is_some_and(|place| place != *share)));
    let site_id = followed(&facts.subject);
    let jobs = places.into_iter().map(|share| {
        let goes_there = named.is_none_or(|place| place == share) && !remote::is_read_only(share);
        let believed = Believed { mode: config.trust.mode, site_id: site_id.clone() };
        let believed = (named != Some(share)).then_some(believed);
        let has_content = found.is_some_and(|found| found.share == *share);
        Tries {
            share: share.clone(),
            machine,
            write: may && goes_there,
            believed,
            trust: config.trust.mode,
            contents: if has_content { wanted.clone() } else { Vec::new() },
        }
    });
    let jobs: Vec<Tries> = jobs.collect();
    let (timeout, silent) = (config.share.timeout, &look.silent);
    let tried = thread::scope(|s| {
        let tried = jobs.into_iter().map(|tries| {
            let share = tries.share.clone();
            let silent = silent.iter().find(|(place, _)| *place == share).map(|(_, why)| why.clone());
            let asked = beside(s, move || {
                match silent.map_or_else(|| ShareJob::Try(tries).run_as(other, timeout), Err) {
                    Ok(ShareNews::Tried(tried)) => Ok(tried),
                    Ok(_) => Err("the share reader gave another answer than was asked for".into()),
                    Err(why) => Err(why),
                }
            });
            (share, asked)
        });
        let tried: Vec<_> = tried.collect();
        tried.into_iter().map(|(share, asked)| (share, joined(asked).and_then(|tried| tried))).collect()
    });
    (facts.tries, facts.contents) = (tried, (staged, wanted.len()));
}

/// Looks in a thread of its own.
fn beside<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    look: impl FnOnce() -> T + Send + 's,
) -> std::io::Result<ScopedJoinHandle<'s, T>> {
    thread::Builder::new().spawn_scoped(scope, look)
}

/// What it saw, or why there is nothing.
fn joined<T>(look: std::io::Result<ScopedJoinHandle<'_, T>>) -> std::result::Result<T, SafeText> {
    let look = look.map_err(|e| SafeText::new(&format!("it was not looked at: {e}")))?;
    look.join().map_err(|_| "looking at it failed: report this".into())
}

fn same(a: &Account, b: &Account) -> bool {
    (a.uid, &a.sid) == (b.uid, &b.sid)
}

impl Views {
    fn failed(why: &SafeText) -> Views {
        let why = || Failure::new(Exit::Failed, "view-failed", why.as_str(), "Try again");
        Views { list: Err(why()), status: Err(why()) }
    }
}

/// What the executor says. Where the configuration cannot be used, only a service that runs is asked: what this process
/// would decide by defaults is nothing to judge by.
fn views(subject: &Subject) -> Views {
    let client = Client::new(subject.layout.clone(), subject.config.clone());
    let usable = subject.read == ConfigRead::Good && subject.config.machine.is_some();
    let ask = |view: &View| if usable { client.view(view) } else { client.ask_service(view) };
    let status = ask(&View::Status).and_then(|answer| match answer {
        Answer::Status(doc) => Ok(doc),
        _ => Err(unexpected_answer()),
    });
    let list = ask(&View::List).and_then(|answer| match answer {
        Answer::List(doc) => Ok(doc),
        _ => Err(unexpected_answer()),
    });
    Views { list, status }
}

fn trust_folder(subject: &Subject) -> PathBuf {
    subject.layout.trust_folder(subject.config.trust.dir.as_deref())
}

/// Whose signatures count here, and how many of them a publication needs.
fn trusted(subject: &Subject) -> std::result::Result<Trusted, SafeText> {
    let wanted = Wanted::Exactly(subject.config.trust.publish_signatures);
    Trusted::read(&trust_folder(subject)).map(|trusted| trusted.wanting(wanted))
}

fn look(subject: &Subject, other: Option<&Account>) -> Option<std::result::Result<Look, SafeText>> {
    let config = &subject.config;
    if config.shares.is_empty() {
        return None;
    }
    let trusted = match config.trust.mode {
        TrustMode::Permissions => None,
        TrustMode::Signed => {
            let material = Material::read(&trust_folder(subject)).ok().flatten();
            material.map(|material| material.wanting(config.trust.publish_signatures))
        }
    };
    let held = subject.layout.held_folder();
    let index = HeldIndex { only: store::is_there(&held), ..HeldIndex::default() };
    let (job, deadline) = look_job(config, false, Vec::new(), trusted, index)?;
    Some(match job.run_as(other, deadline) {
        Ok(ShareNews::Looked(looked)) => Ok(looked.look),
        Ok(_) => Err("the share reader gave another answer than was asked for".into()),
        Err(why) => Err(why),
    })
}

/// This machine has accepted an index: by what it holds, or, for who may not see that, by what the executor says.
pub(super) fn under_an_index(subject: &Subject, views: &Views, holds: bool) -> bool {
    let held = subject.layout.held_folder();
    // Of the one that is held, or that it is gone: a first one that is refused leaves the share filled by hand.
    let of_index = |problem: &Problem| {
        let file = Path::new(problem.file.as_str());
        let of_own = file.starts_with(&held) || problem.code == Code::ShareMissing.as_str();
        of_own && file.ends_with(index::NAME)
    };
    let in_list = views.list.as_ref().is_ok_and(|list| list.of_index.index_issued.is_some());
    let in_status = views.status.as_ref().is_ok_and(|status| status.problems.iter().any(of_index));
    holds || in_list || in_status || store::is_there(&held)
}

/// Who listens to servers, as far as this process may know: an account that cannot be used is what the look says of it.
fn listens(config: &Config, owner: Option<&Account>) -> Option<Option<Account>> {
    let places = config.shares.iter().chain(&config.share.report);
    let is_asked = cfg!(all(unix, feature = "remote")) && places.into_iter().any(|at| remote::is_remote(at));
    if !is_asked || !account::is_administrator() || owner.is_none_or(|owner| owner.uid != Some(0)) {
        return None;
    }
    account::without_rights(config.share.account.as_deref()).ok()
}

/// Such a machine takes no instruction file, whatever is there.
fn no_instruction_file(look: &mut Look) {
    let is_one = |found: &Found| found.brought.is_none();
    look.others.retain(|found| !is_one(found));
    if let Some(found) = look.found.take_if(|found| is_one(found)) {
        let file = found.share.join(index::NAME).display().to_string();
        let message = "the index is gone: this machine takes no instruction file any more";
        let problems = vec![Problem::of_file(Code::ShareMissing.as_str(), file, message)];
        look.fault = Some(SourceFault { code: Code::ShareMissing, problems });
    }
    if look.found.is_none() && !look.others.is_empty() {
        (look.found, look.fault) = (Some(look.others.remove(0)), None);
    }
}

/// Whose publication is in force; None: the share is filled by hand, or this account may not see it.
fn followed(subject: &Subject) -> Option<SiteId> {
    store::read(&subject.layout.held_folder()).and_then(|held| index::site_of(&held.index))
}

fn report(subject: &Subject, other: Option<&Account>) -> Option<std::result::Result<Reported, SafeText>> {
    let config = &subject.config;
    let machine = config.machine?;
    if config.shares.is_empty() {
        return None;
    }
    // Where reports go, by `[share] report`; else whichever share has one.
    let shares = config.share.report.clone().map_or_else(|| config.shares.clone(), |place| vec![place]);
    let job = ShareJob::Report { shares, machine };
    let deadline = look_deadline(config.shares.len(), config.share.timeout).min(DELIVER_DEADLINE);
    Some(match job.run_as(other, deadline) {
        Ok(ShareNews::Reported(reported)) => Ok(*reported),
        Ok(_) => Err("the share reader gave another answer than was asked for".into()),
        Err(why) => Err(why),
    })
}

/// The instruction file as the share has it, else the one that is held.
fn instructions(
    subject: &Subject,
    look: Option<&std::result::Result<Look, SafeText>>,
) -> (Option<InstructionFile>, SafeText) {
    if let Some(Ok(Look { found: Some(found), .. })) = look {
        return (Some(found.file.clone()), SafeText::new(&found.share.display().to_string()));
    }
    let held = subject.layout.held();
    let read = || {
        let (config, machine) = (&subject.config, subject.config.machine?);
        let bytes = share::open_bounded(&held, crate::site::instruction::MAX_BYTES).ok()?;
        let defaults = &config.request_defaults();
        match config.trust.mode {
            TrustMode::Permissions => share::parse_held(&bytes, machine, defaults).ok(),
            TrustMode::Signed => {
                let trusted = &trusted(subject).ok()?;
                let judging =
                    Judging { machine, defaults, trusted, at: facts::now(), standing: Standing::InForce };
                published::instructions(&bytes, &judging).ok().map(|(file, _)| file)
            }
        }
    };
    (read(), SafeText::new(&held.display().to_string()))
}

fn service(subject: &Subject) -> Service {
    let layout = &subject.layout;
    let holder = lock::holder(&layout.lock());
    let installed = process::own_executable().ok();
    let command = installed.as_ref().map(|exe| {
        let mut command = vec![exe.display().to_string()];
        command.extend(layout.naming_flags());
        command.extend(["service".to_owned(), "run".to_owned()]);
        command
    });
    Service {
        acts_as: holder.as_ref().and_then(|h| process::account_of(h.pid)),
        image: holder.as_ref().map(|h| process::image(h.pid).map_err(|e| e.to_string())),
        holder,
        installed_at: installed
            .as_deref()
            .and_then(|exe| Some(std::fs::metadata(exe).ok()?.modified().ok()?.into())),
        registered: command
            .and_then(|command| supervisor::registration(&command))
            .map(|wanted| supervisor::registered(&wanted)),
        supervised: supervisor::is_running(),
        installed,
    }
}

fn folders(subject: &Subject) -> Folders {
    let layout = &subject.layout;
    let kind = |e: std::io::Error| e.kind();
    let log_written = std::fs::metadata(layout.pacman_log()).and_then(|m| m.modified()).map(Into::into);
    Folders {
        state: match std::fs::metadata(&layout.state) {
            Ok(meta) if !meta.is_dir() => Err(std::io::ErrorKind::NotADirectory),
            Ok(_) => account::owner(&layout.state).ok_or(std::io::ErrorKind::PermissionDenied),
            Err(e) => Err(e.kind()),
        },
        network: facts::is_network_fs(&layout.state),
        free: facts::disk_free(&layout.state),
        log_free: facts::disk_free(&layout.log),
        log_written: log_written.map_err(kind),
    }
}

/// Program, configuration, mark and trust folder: whoever may change one of them decides what runs here.
fn loose(subject: &Subject) -> Vec<(String, String)> {
    if !perms::ARE_REAL {
        return Vec::new();
    }
    let (layout, config) = (&subject.layout, &subject.config);
    let writers = footing::writers(layout);
    let footing = Footing::of(layout, config);
    let stands_on = footing.refused.into_iter().chain(footing.warned);
    let mut found: Vec<(String, String)> = stands_on.map(|loose| (loose.why, loose.remedy)).collect();
    let holder =
        lock::holder(&layout.lock()).and_then(|h| process::image(h.pid).ok()).map(|image| image.path);
    let mut paths: Vec<PathBuf> = holder.into_iter().chain([layout.mark()]).collect();
    paths.extend(config.check.backup.first().map(PathBuf::from));
    paths.extend(config.notify.command.first().map(PathBuf::from));
    for path in paths.iter().filter(|path| Path::exists(path)) {
        if let Err(loose) = perms::check_way_to(path, &writers) {
            let one = (loose.why, loose.remedy);
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}

fn tried(
    subject: &Subject,
    owner: Option<&Account>,
    other: Option<&Account>,
    me: &Account,
    administrator: bool,
) -> std::result::Result<Tried, SafeText> {
    let layout = &subject.layout;
    let Some(owner) = owner else {
        return Err(SafeText::new(&format!("there is no state folder {} yet", layout.state.display())));
    };
    if !administrator && !same(owner, me) {
        return Err(SafeText::new(&format!(
            "only root or the service's account, {}, can try it",
            owner.name
        )));
    }
    let job = probe::Job {
        state: vec![layout.state.clone(), layout.runs(), layout.outbox()],
        log: vec![layout.log.clone(), layout.log.join("runs")],
        stage: layout.stage(),
        run_as: subject.config.run.run_as.clone(),
        host_key: subject.config.trust.host_key.clone(),
        trust_folder: trust_folder(subject),
    };
    probe::ask(&job, other)
}
