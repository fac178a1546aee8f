//! `pcm job`: jobs are files of the site folder; each verb edits one and publishes.

use super::App;
use super::args::{JobVerb, SendArgs, StateArgs};
use super::foretold::CourseDoc;
use super::job_package::{command_of, read_package};
use super::jobs::{bounded, met, no_such_job, reason};
use super::page::Page;
use super::view::count;
use super::{advance, folder, foretold, jobs, lint, renew, standing};
use crate::clock::{When, Zone};
use crate::error::{Exit, Failure, Result};
use crate::fields::parse_duration;
use crate::rollout::gate;
use crate::site::expression::Expression;
use crate::site::folder::edit::Edit;
use crate::site::folder::{Folder, Source, ids, malformed};
use crate::site::ids::{JobId, MachineId, RequestId};
use crate::site::index::JobState;
use crate::site::index::audience::is_for;
use crate::site::index::job::{Job, Phase, Times, Word};
use crate::site::index::render::job_source;
use crate::site::index::target::{self, MAX_TARGETS, Target};
use crate::site::publisher::met::FEW;
use crate::site::publisher::record;
use crate::site::publisher::standing::Standing;
use crate::site::{content, index};
use crate::terms::Problem;
use crate::text::{self, Side};
use serde::Serialize;
use std::time::Duration;

/// Launches on more than a few machines are spread so far, since a halt reaches nobody who has launched.
const SPREAD: Duration = Duration::from_secs(3_600);

/// `job send --json`, and what comes of a change.
#[derive(Debug, Serialize)]
struct SentDoc {
    /// Which job.
    job_id: JobId,
    /// The request that machines make of it.
    request_id: RequestId,
    /// Its state from now on.
    state: JobState,
    /// How many machines its targets meet.
    targets: usize,
    /// For so many of them only they themselves know whether its condition holds.
    undecided: usize,
    /// The publication of it; None: `--no-publish`.
    published: Option<folder::PublishDoc>,
    /// Nothing was changed: it is what would be done.
    dry_run: bool,
    /// Absent but for `pcm job send`.
    #[serde(flatten)]
    course: Option<CourseDoc>,
    #[serde(skip)]
    notes: Vec<String>,
}

/// `pcm job …`
pub fn run(app: &App, verb: &JobVerb) -> Result<Exit> {
    match verb {
        JobVerb::Send(args) => send(app, args),
        JobVerb::List { folder } => jobs::list(app, folder),
        JobVerb::Show { job, folder } => jobs::show(app, *job, folder),
        JobVerb::Suspend(args) => state(app, args, JobState::Suspended),
        JobVerb::Resume(args) => state(app, args, JobState::Active),
        JobVerb::Cancel(args) => state(app, args, JobState::Cancelled),
        JobVerb::Advance(args) => advance::run(app, args),
    }
}

fn usage(message: impl AsRef<str>, remedy: impl AsRef<str>) -> Failure {
    Failure::new(Exit::Usage, "usage", message, remedy)
}

fn state(app: &App, args: &StateArgs, state: JobState) -> Result<Exit> {
    let (folder, _alone) = folder::open_alone(app, &args.then.folder)?;
    // What is wrong with another file keeps nobody from stopping this job.
    let stops = matches!(state, JobState::Suspended | JobState::Cancelled) && !args.then.no_publish;
    let (source, wrong) = match folder.read(&lint::programs(app)) {
        Ok(source) => (source, None),
        Err(wrong) if stops => (renew::beside(app, &folder, args.job, &wrong)?, Some(wrong)),
        Err(wrong) => return Err(wrong),
    };
    let (job, word) = source.jobs.get(&args.job).ok_or_else(|| no_such_job(args.job))?;
    let reason = args.reason.as_deref().map(reason).transpose()?;
    let refuse = |message: String| {
        Err(Failure::new(
            Exit::Refused,
            "no-change",
            message,
            "Nothing has to be done, or send it anew: pcm job send",
        ))
    };
    match (word.state, state) {
        (JobState::Cancelled, JobState::Cancelled) => {
            return refuse(format!("{} is cancelled already", args.job));
        }
        (JobState::Cancelled, _) => return refuse(format!("{} is cancelled, and that is final", args.job)),
        (JobState::Active, JobState::Active) => return refuse(format!("{} is not suspended", args.job)),
        // Without a reason nothing is said anew, and the one it was suspended for stays.
        (JobState::Suspended, JobState::Suspended) if reason.is_none() || reason == word.reason => {
            return refuse(format!("{} is suspended already", args.job));
        }
        (JobState::Suspended, _) | (JobState::Active, _) => {}
    }
    let halt = word.reason.as_ref().filter(|_| word.state == JobState::Suspended && state == word.state);
    let reason = match (halt, reason) {
        (Some(halt), Some(given)) => {
            Some(bounded(gate::with_halt(halt, &given), "--reason, behind the reason it was suspended for,")?)
        }
        (_, given) => given,
    };
    let (targets, undecided) = met(job, &source);
    folder::expect(targets, &args.then)?;
    let word = Word { state, reason, since: Some(app.now), ..word.clone() };
    let what = match state {
        JobState::Active => "job resume",
        JobState::Suspended => "job suspend",
        JobState::Cancelled => "job cancel",
    };
    let what = format!("{what} {}", args.job);
    let published = match wrong {
        None => {
            let edit = Edit::job(job, word.clone());
            match folder::edit(app, &folder, &args.then, what.clone(), &edit, Some(&source)) {
                Err(refused) if stops => {
                    let Word { state, reason, since, .. } = word;
                    let on = |base: &Source| {
                        let (job, said) = base.jobs.get(&args.job)?;
                        Some(Edit::job(job, Word { state, reason, since, ..said.clone() }))
                    };
                    renew::alone(app, &folder, (&args.then, what), refused, &edit, on)?
                }
                done => done?,
            }
        }
        Some(wrong) => {
            let published = renew::step(app, &folder, &args.then, what, (job, &word), &source, true)?;
            tracing::warn!(
                "no other edit of the folder was published, as one of its files is wrong: {}",
                wrong.message
            );
            published
        }
    };
    let notes = match state {
        JobState::Active => Vec::new(),
        JobState::Suspended | JobState::Cancelled => {
            vec!["What runs already goes on: pcm stop ends it on its machine.".to_owned()]
        }
    };
    say(
        app,
        SentDoc {
            job_id: job.job_id,
            request_id: job.request_id,
            state,
            targets,
            undecided,
            published: published.map(|published| folder::doc(app, &published)),
            dry_run: app.dry_run,
            course: None,
            notes,
        },
    )
}

fn send(app: &App, args: &SendArgs) -> Result<Exit> {
    let (folder, _alone) = folder::open_alone(app, &args.then.folder)?;
    let source = folder.read(&lint::programs(app))?;
    let mut notes = Vec::new();
    let (job, word) = job(app, args, &folder, &source, &mut notes)?;
    let (targets, undecided) = met(&job, &source);
    if targets == 0 {
        let message = format!("{} of its {} is meant", "none", count(source.machines.len(), "machine"));
        let remedy = "Correct --to and --exclude, or add the machines: pcm site machine add";
        return Err(Failure::new(
            Exit::Refused,
            "no-targets",
            format!("nothing was sent: {message}"),
            remedy,
        ));
    }
    folder::expect(targets, &args.then)?;
    let job = match (job.spread.is_none(), targets > FEW) {
        (true, true) => {
            notes.push(
                "Launches are spread over 1h, since a halt reaches nobody who has launched (--spread)."
                    .into(),
            );
            Job { spread: Some(SPREAD), ..job }
        }
        _ => job,
    };
    if word.is_canary() {
        let first = count(word.canary.len(), "machine");
        notes.push(format!("It is for {first} alone until pcm job advance lets it reach others (--canary)."));
    }
    let course = foretold::of(app, &folder, &source, &job, &word);
    let what = format!("job send {}", job.job_id);
    let edit = Edit::job(&job, word.clone());
    let published = folder::edit(app, &folder, &args.then, what, &edit, Some(&source))?;
    say(
        app,
        SentDoc {
            job_id: job.job_id,
            request_id: job.request_id,
            state: word.state,
            targets,
            undecided,
            published: published.map(|published| folder::doc(app, &published)),
            dry_run: app.dry_run,
            course: Some(course),
            notes,
        },
    )
}

/// The job that is meant, and the publisher's word on it.
fn job(
    app: &App,
    args: &SendArgs,
    folder: &Folder,
    source: &Source,
    notes: &mut Vec<String>,
) -> Result<(Job, Word)> {
    let again = match args.again {
        None => None,
        Some(id) => match source.jobs.get(&id) {
            None => return Err(no_such_job(id)),
            Some((_, word)) if word.state == JobState::Cancelled => {
                let message = format!("{id} is cancelled, and that is final");
                return Err(Failure::new(Exit::Refused, "no-change", message, "Send it as a new job"));
            }
            Some((job, _)) => Some(job),
        },
    };
    let package_id = args.package.or(again.map(|job| job.package_id));
    let package_id = package_id.ok_or_else(|| usage("no package is named", "Name it with --package"))?;
    let (package, bytes) = read_package(app, folder, package_id)?;
    let named = args.command.as_deref().or(again.map(|job| job.command.as_str()));
    let command = command_of(&package, named)?;
    if let (Some(bound), Some(_)) = (&command.bound, &args.condition) {
        notes.push(format!("The package itself runs only where {bound}."));
    }
    if package.release.unwrap_or(0) == 0 {
        let message = format!("{package_id} has no release yet");
        let remedy = format!(
            "Sign it: pcm package sign {package_id} --key KEY; where nothing is signed: pcm package content {package_id}"
        );
        return Err(Failure::new(Exit::Refused, "unsigned", message, remedy));
    }
    let targets = |texts: &[String], flag: &str| {
        let all: std::result::Result<Vec<Target>, String> =
            texts.iter().map(|text| text.trim().parse::<Target>()).collect();
        match all {
            Ok(all) if all.len() > MAX_TARGETS => Err(usage(
                format!("{flag} has more than {MAX_TARGETS} entries"),
                "Make a group of the machines",
            )),
            Ok(all) => Ok(all),
            Err(why) => {
                Err(usage(format!("{flag}: {why}"), "Name ids, patterns like BP0040*, groups like @web"))
            }
        }
    };
    let (to, exclude) = (targets(&args.to, "--to")?, targets(&args.exclude, "--exclude")?);
    known(&to, source)?;
    known(&exclude, source)?;
    let condition = match &args.condition {
        None => again.and_then(|job| job.condition.clone()),
        Some(text) => Some(Expression::parse(text).map_err(|e| {
            usage(format!("--where: {e}"), "Write e.g. 'os_version >= 12 && host != \"db-*\"'")
        })?),
    };
    let times = times(app, args, again, notes)?;
    let spread = match &args.spread {
        None => again.and_then(|job| job.spread),
        Some(text) => {
            Some(parse_duration(text).map_err(|why| usage(format!("--spread: {why}"), "Write e.g. 1h"))?)
        }
    };
    let kept = record::read(&folder.dir, &folder.settings.site_id);
    let all = source.jobs.values();
    let requests = all.clone().map(|(job, _)| ids::number(job.request_id.as_str()));
    let requests = requests.chain(kept.iter().map(|record| record.highest_request));
    let jobs = all.map(|(job, _)| ids::number(job.job_id.as_str()));
    let jobs = jobs.chain(kept.iter().map(|record| record.highest_job));
    let published = published(app, args, folder, notes);
    let requests = requests.chain(published.iter().map(|standing| standing.highest_request));
    let jobs = jobs.chain(published.iter().map(|standing| standing.highest_job));
    let site = folder.settings.site;
    let or_again = |list: Vec<Target>, own: fn(&Job) -> &Vec<Target>| match again {
        Some(job) if list.is_empty() => own(job).clone(),
        _ => list,
    };
    let job_id = match again {
        Some(job) => job.job_id,
        None => ids::next(site, 5, jobs, "job")?,
    };
    let request_id = ids::next(site, 4, requests, "request")?;
    let ids = (folder.settings.site_id.clone(), job_id, request_id);
    let job = Job {
        times,
        targets: or_again(to, |job| &job.targets),
        exclude: or_again(exclude, |job| &job.exclude),
        condition,
        phases: match args.phases.is_empty() {
            true => again.map(|job| job.phases.clone()).unwrap_or_default(),
            false => phases(&args.phases)?,
        },
        spread,
        supersedes: again.map(|job| job.supersedes.clone()).unwrap_or_default(),
        depends_on: again.map(|job| job.depends_on.clone()).unwrap_or_default(),
        offer_to: args.offer_to.or_else(|| again.and_then(|job| job.offer_to)),
        ..Job::of(ids, (&package, content::hash_bytes(&bytes)), command)
    };
    // What is written has to be what is read: of what fits into no file nothing is sent.
    let text = job_source(&job, &Word::default());
    let programs = lint::programs(app);
    let shown = folder.job_path(job.job_id).display().to_string();
    index::job::parse_source(text.as_bytes(), job.job_id, &job.site_id, &shown, &programs)
        .map_err(|problems| contradiction(&problems).unwrap_or_else(|| malformed(&problems)))?;
    let before = args.again.and_then(|id| source.jobs.get(&id)).map(|(_, word)| word.clone());
    let Word { limits, canary, percent, .. } =
        before.map_or_else(Word::default, |before| Word { percent: target::WHOLE, ..before });
    let canary = if args.canary.is_empty() { canary } else { args.canary.clone() };
    first(&canary, &job, source)?;
    let percent = match job.phases.first() {
        _ if !canary.is_empty() => 0,
        first => first.map_or(percent, |phase| phase.percent),
    };
    if percent > 0 && !job.phases.is_empty() {
        notes.push(format!(
            "It begins with {} % of them; more follow only by pcm job advance {}.",
            target::percent(percent),
            job.job_id
        ));
    }
    Ok((job, Word { reached: Some(app.now), percent, canary, limits, ..Word::default() }))
}

/// What is published, whoever published it: other folders give ids, too. Where it cannot be read, publishing says why.
fn published(app: &App, args: &SendArgs, folder: &Folder, notes: &mut Vec<String>) -> Option<Standing> {
    standing::of(app, folder).unwrap_or_else(|failure| {
        let share = folder.share();
        // The share of a folder that has published nothing yet is in it, and is not there.
        let may_be_there = || app.reaches(&share).is_err() || share.exists();
        if args.then.no_publish && (!share.starts_with(&folder.dir) || may_be_there()) {
            notes.push(format!("Another folder may have given these ids, as {}.", failure.message));
        }
        None
    })
}

/// The machines that come first are some of those that it is for.
fn first(canary: &[MachineId], job: &Job, source: &Source) -> Result<()> {
    let is_meant = |id: &&MachineId| {
        let member = source.machines.get(id).map(|machine| machine.member());
        member.is_some_and(|member| {
            is_for(&job.targets, &job.exclude, job.condition.as_ref(), &member) != Some(false)
        })
    };
    if let Some(other) = canary.iter().find(|id| !is_meant(id)) {
        let message = format!("nothing was sent: {other} of --canary is none of the machines that it is for");
        return Err(Failure::new(Exit::Refused, "no-targets", message, "Correct --canary or --to"));
    }
    match canary.len() {
        n if n > MAX_TARGETS => Err(usage(
            format!("--canary has more than {MAX_TARGETS} machines"),
            "Name a few, and let phases follow",
        )),
        _ => Ok(()),
    }
}

/// Times that were named and cannot all hold.
fn contradiction(problems: &[Problem]) -> Option<Failure> {
    let problem = problems.iter().find(|problem| problem.code == "contradiction")?;
    let field = problem.field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default();
    let remedy = "Correct --offer, --mandatory and --expire; nothing was sent";
    Some(usage(format!("{field}{}", problem.message), remedy))
}

/// Phases end with all machines: what comes after the last one would never be reached.
fn phases(texts: &[String]) -> Result<Vec<Phase>> {
    let bad = |why: String| usage(format!("--phases: {why}"), "Write e.g. 5%,50%,100%");
    let phases: std::result::Result<Vec<Phase>, String> =
        texts.iter().map(|text| text.trim().parse()).collect();
    let phases = phases.map_err(bad)?;
    match phases.last() {
        Some(last) if last.percent == target::WHOLE => Ok(phases),
        _ => Err(bad("the last phase has to be 100%".into())),
    }
}

/// A target that means nobody is a slip of the pen.
fn known(targets: &[Target], source: &Source) -> Result<()> {
    for target in targets {
        let known = match target {
            Target::Machine(id) => source.machines.contains_key(id),
            Target::Group(group) => {
                group == "all" || source.machines.values().any(|machine| machine.groups.contains(group))
            }
            Target::Pattern(_) => true,
        };
        if !known {
            let message = format!("nothing was sent: {target} is not in the list of machines");
            let remedy = "Correct it, or add the machine: pcm site machine add SMSID --group G";
            return Err(Failure::new(Exit::Refused, "no-targets", message, remedy));
        }
    }
    Ok(())
}

fn times(app: &App, args: &SendArgs, again: Option<&Job>, notes: &mut Vec<String>) -> Result<Times> {
    let one = |text: &Option<String>, flag: &str| {
        text.as_ref()
            .map(|text| when(app, text).map_err(|why| usage(format!("{flag}: {why}"), "Correct that")))
            .transpose()
    };
    let old = again.map(|job| job.times).unwrap_or_default();
    let mandatory = one(&args.mandatory, "--mandatory")?.or(old.mandatory);
    // At once is a time, too: without one it would begin anew with each publication.
    let now = When::Instant(chrono::SubsecRound::trunc_subsecs(app.now, 0));
    let at_once = mandatory.filter(|at| is_over(app, *at)).unwrap_or(now);
    let times = Times {
        offer: one(&args.offer, "--offer")?.or(old.offer).or(Some(at_once)),
        mandatory,
        expire: one(&args.expire, "--expire")?.or(old.expire),
    };
    if times.expire.is_some_and(|at| is_over(app, at)) {
        let remedy = match args.expire {
            Some(_) => "Name a later time, like 30d",
            None => "The job that is sent once more has expired: name a later time with --expire, like 30d",
        };
        return Err(usage("--expire is a time that is over", remedy));
    }
    if [times.offer, times.mandatory, times.expire].iter().flatten().any(|at| matches!(at, When::Local(_))) {
        notes.push(
            "A time without a zone is each machine's own wall clock; Z or an offset makes it one instant."
                .into(),
        );
    }
    if times.mandatory.is_none() {
        notes.push("Without --mandatory it runs on no machine by itself.".into());
    }
    Ok(times)
}

/// Whether a time is over where this is said.
pub fn is_over(app: &App, at: When) -> bool {
    match at {
        When::Instant(at) => at <= app.now,
        When::Local(at) => at <= app.zone.to_local(app.now),
    }
}

/// A time as it is meant for machines: a distance or a time with its zone is one instant, any other their own wall clock's.
pub fn when(app: &App, text: &str) -> std::result::Result<When, String> {
    let at = text::parse_time(text, Side::Next, app.now, &app.zone)?;
    // What names no wall clock is the same in any zone.
    let elsewhere = Zone::from_posix("elsewhere", "XXX-7:30").map_err(|e| e.to_string())?;
    let there = text::parse_time(text, Side::Next, app.now, &elsewhere)?;
    let seconds = |at: crate::clock::Wall| chrono::SubsecRound::trunc_subsecs(at, 0);
    Ok(match at == there {
        true => When::Instant(seconds(at)),
        false => When::Local(app.zone.to_local(seconds(at))),
    })
}

fn say(app: &App, doc: SentDoc) -> Result<Exit> {
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        let machines = count(doc.targets, "machine");
        page.line(format!(
            "Job {}, request {}, {} {} for {machines}.",
            doc.job_id,
            doc.request_id,
            if doc.dry_run { "would be" } else { "is" },
            doc.state
        ));
        if doc.undecided > 0 {
            let n = count(doc.undecided, "machine");
            page.line(format!("Whether its condition holds on {n} only they know."));
        }
        if let Some(course) = &doc.course {
            foretold::page(app, course, &mut page);
        }
        for note in &doc.notes {
            page.line(note);
        }
        match &doc.published {
            Some(published) => folder::page(app, published, &mut page),
            None => folder::unpublished(app, &mut page),
        }
        page
    })?;
    Ok(Exit::Done)
}
