//! A job at several places as one job at each: a place that hangs keeps nobody from the others, and costs no more than its
//! own part of the deadline (PROMISES.md 4, P8). Looks are made at the same time; results go to the first place that takes
//! them.

use super::installed;
use super::job::{Looked, ShareJob, ShareNews};
use crate::host::account::Account;
use crate::host::{helper, threads};
use crate::site::content::ContentFact;
use crate::site::past::Past;
use crate::site::share::Look;
use crate::text::SafeText;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

impl ShareJob {
    /// Carries it out in a process of its own, for at most `deadline`.
    ///
    /// # Errors
    /// Why there is no answer: the share hangs, or no process can be had. Nothing may be concluded from it.
    pub fn run(&self, deadline: Duration) -> Result<ShareNews, SafeText> {
        self.run_as(None, deadline)
    }

    /// The same as another account, to see the share as the service does. Each place has a process and its part of the
    /// deadline for itself: one that hangs keeps nobody from the others.
    ///
    /// # Errors
    /// As [`ShareJob::run`]; or this account may not act as that one. Of several places: none of them answers.
    pub fn run_as(&self, account: Option<&Account>, deadline: Duration) -> Result<ShareNews, SafeText> {
        run(self, account, deadline)
    }
}

/// Carries a job out, place by place.
///
/// # Errors
/// No place has answered: what the first one gave.
fn run(job: &ShareJob, account: Option<&Account>, deadline: Duration) -> Result<ShareNews, SafeText> {
    match job {
        ShareJob::Look { .. } => {
            let parts = parts(job);
            if parts.len() < 2 {
                return job.run_whole(account, deadline);
            }
            Ok(ShareNews::Looked(Box::new(look(parts, account, deadline)?)))
        }
        ShareJob::Deliver { places, trust, machine, known, report, own_key, outbox } if places.len() > 1 => {
            let each = deadline / u32::try_from(places.len()).unwrap_or(u32::MAX);
            first_that_takes_it(places, |place| {
                let job = ShareJob::Deliver {
                    places: vec![place.clone()],
                    trust: trust.clone(),
                    machine: *machine,
                    known: known.clone(),
                    report: report.clone(),
                    own_key: own_key.clone(),
                    outbox: outbox.clone(),
                };
                job.run_whole(account, each)
            })
        }
        ShareJob::Stage { shares, bandwidth, at, hash, stage, trust, unless, .. } if shares.len() > 1 => {
            first_that_has_it(shares, |share, hurry| {
                let job = ShareJob::Stage {
                    shares: vec![share.clone()],
                    bandwidth: *bandwidth,
                    hurry,
                    at: *at,
                    hash: hash.clone(),
                    stage: stage.clone(),
                    trust: *trust,
                    unless: unless.clone(),
                };
                job.run_whole(account, deadline)
            })
        }
        ShareJob::RemoveResults { places, trust, machine, before } => {
            let removed = places.iter().map(|place| {
                let (trust, machine, before) = (trust.clone(), *machine, *before);
                let job = ShareJob::RemoveResults { places: vec![place.clone()], trust, machine, before };
                job.run_whole(account, deadline.min(REMOVAL))
            });
            Ok(ShareNews::ResultsRemoved(all_removed(removed.collect())))
        }
        ShareJob::Installed { tests } if tests.len() > 1 => {
            let ask = |job: &ShareJob| job.run_whole(account, deadline);
            Ok(ShareNews::Installed(installed::apart(tests, helper::hangs, ask)))
        }
        ShareJob::Deliver { .. }
        | ShareJob::Installed { .. }
        | ShareJob::Stage { .. }
        | ShareJob::Tidy(_)
        | ShareJob::Verify { .. }
        | ShareJob::Report { .. }
        | ShareJob::Try(_) => job.run_whole(account, deadline),
    }
}

/// How many were removed from all places, or why not from the first of those where that failed. Each was tried.
fn all_removed(removed: Vec<Result<ShareNews, SafeText>>) -> Result<usize, SafeText> {
    let count = |news| match news? {
        ShareNews::ResultsRemoved(removed) => removed,
        ShareNews::Looked(_)
        | ShareNews::Staged(..)
        | ShareNews::Unchanged
        | ShareNews::Verified(_)
        | ShareNews::Delivered(_)
        | ShareNews::Tidied(_)
        | ShareNews::Installed(_)
        | ShareNews::Reported(_)
        | ShareNews::Tried(_) => Err("the share reader answered something else".into()),
    };
    removed.into_iter().map(count).sum()
}

/// Delivers to one place after the other until one takes everything, or has news; where there is none, what the first one
/// that took something gave, else what the first one gave.
fn first_that_takes_it(
    places: &[PathBuf],
    deliver: impl Fn(&PathBuf) -> Result<ShareNews, SafeText>,
) -> Result<ShareNews, SafeText> {
    let (mut first, mut in_part) = (None, None);
    for place in places {
        let news = deliver(place);
        match &news {
            Ok(ShareNews::Delivered(done)) if done.place.is_some() || done.found.is_some() => return news,
            Ok(ShareNews::Delivered(done))
                if done.stands.is_some() || done.results.as_ref().is_ok_and(|n| *n > 0) =>
            {
                in_part.get_or_insert(news);
            }
            _ => {
                first.get_or_insert(news);
            }
        }
    }
    in_part.or(first).unwrap_or_else(|| Err("there is no share that may be written".into()))
}

/// Copies content from one share after the other until one had it whole; where none has, what the first one gave that said
/// something new. `copy` is told whether another share is left.
fn first_that_has_it(
    shares: &[PathBuf],
    copy: impl Fn(&PathBuf, bool) -> Result<ShareNews, SafeText>,
) -> Result<ShareNews, SafeText> {
    let mut first = None;
    for (n, share) in shares.iter().enumerate() {
        let news = copy(share, n + 1 < shares.len());
        match &news {
            Ok(ShareNews::Staged(_, ContentFact::Staged, _)) => return news,
            Ok(ShareNews::Unchanged) => {}
            _ => drop(first.get_or_insert(news)),
        }
    }
    first.unwrap_or(Ok(ShareNews::Unchanged))
}

/// New results wait for the removal of old ones. What is not removed by then is removed another day.
const REMOVAL: Duration = Duration::from_secs(20);

/// The look at one place.
struct Part {
    place: PathBuf,
    /// Its instruction file is asked for.
    is_share: bool,
    /// What it has of an earlier life of the machine is asked for.
    asks_past: bool,
    job: ShareJob,
}

/// The looks at each place of a look. Empty: it is another job.
fn parts(job: &ShareJob) -> Vec<Part> {
    let ShareJob::Look { shares, machine, trust, max_run_time, programs, past, reports, trusted, index } =
        job
    else {
        return Vec::new();
    };
    let mut places: Vec<&PathBuf> = Vec::new();
    for place in shares.iter().chain(past).chain(reports.iter().map(|(place, _)| place)) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let part = |place: &PathBuf| {
        let (is_share, asks_past) = (shares.contains(place), past.contains(place));
        let only = |asked: bool| if asked { vec![place.clone()] } else { Vec::new() };
        let job = ShareJob::Look {
            shares: only(is_share),
            machine: *machine,
            trust: *trust,
            max_run_time: *max_run_time,
            programs: programs.clone(),
            past: only(asks_past),
            reports: reports.iter().filter(|(report, _)| report == place).take(1).cloned().collect(),
            trusted: trusted.clone(),
            index: index.clone(),
        };
        Part { place: place.clone(), is_share, asks_past, job }
    };
    places.into_iter().map(part).collect()
}

/// Carries them out side by side, each for its part of the deadline, and puts together what they brought.
///
/// # Errors
/// None of the places has answered: what the first one gave.
fn look(parts: Vec<Part>, account: Option<&Account>, deadline: Duration) -> Result<Looked, SafeText> {
    let each = deadline / u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let asked: Vec<(Part, Asked)> = parts.into_iter().map(|part| ask(part, account, each)).collect();
    together(asked.into_iter().map(|(part, asked)| (part, asked.answer())).collect())
}

/// An answer that is on its way, or that is there because no thread could be had for it.
enum Asked {
    Soon(Receiver<Result<ShareNews, SafeText>>),
    Now(Result<ShareNews, SafeText>),
}

fn ask(part: Part, account: Option<&Account>, deadline: Duration) -> (Part, Asked) {
    let (tell, told) = mpsc::channel();
    let (job, account) = (part.job.clone(), account.cloned());
    let asked = threads::start("look", move || drop(tell.send(job.run_whole(account.as_ref(), deadline))));
    let asked = asked.map_err(|e| SafeText::new(&format!("the share reader failed: {e}")));
    (part, asked.map_or_else(|why| Asked::Now(Err(why)), |_| Asked::Soon(told)))
}

impl Asked {
    fn answer(self) -> Result<Looked, SafeText> {
        let news = match self {
            Asked::Now(news) => news,
            Asked::Soon(told) => {
                told.recv().unwrap_or_else(|_| Err("the share reader gave no answer".into()))
            }
        };
        match news? {
            ShareNews::Looked(looked) => Ok(*looked),
            ShareNews::Staged(..)
            | ShareNews::Unchanged
            | ShareNews::Verified(_)
            | ShareNews::Delivered(_)
            | ShareNews::ResultsRemoved(_)
            | ShareNews::Tidied(_)
            | ShareNews::Installed(_)
            | ShareNews::Reported(_)
            | ShareNews::Tried(_) => Err("the share reader answered something else".into()),
        }
    }
}

fn together(answers: Vec<(Part, Result<Looked, SafeText>)>) -> Result<Looked, SafeText> {
    if answers.iter().all(|(_, looked)| looked.is_err()) {
        let first = answers.into_iter().find_map(|(_, looked)| looked.err());
        return Err(first.unwrap_or_else(|| "there is no place to look at".into()));
    }
    let (mut looks, mut past, mut reports, mut stood) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (part, looked) in answers {
        let look: Result<Look, SafeText> = match looked {
            Ok(looked) => {
                past.extend(looked.past);
                reports.extend(looked.reports);
                stood.extend(looked.stood);
                Ok(looked.look)
            }
            Err(why) => {
                // Unknown is not none.
                if part.asks_past {
                    past.push((part.place.clone(), Past::Unknown(why.clone())));
                }
                Err(why)
            }
        };
        if part.is_share {
            looks.push((part.place, look));
        }
    }
    Ok(Looked { look: Look::together(looks), past, reports, stood })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::deliver::Delivery;
    use super::*;
    use crate::host::helper::Limits;
    use crate::site::content::Shelf;
    use crate::site::trust::TrustMode;
    use crate::terms::Code;
    use std::path::Path;

    fn job(shares: &[&Path], past: &[&Path], reports: &[&Path]) -> ShareJob {
        let paths = |all: &[&Path]| all.iter().map(|path| path.to_path_buf()).collect::<Vec<_>>();
        ShareJob::Look {
            shares: paths(shares),
            machine: "BP004000".parse().unwrap(),
            trust: TrustMode::Permissions,
            max_run_time: Duration::from_secs(60),
            programs: Vec::new(),
            past: paths(past),
            reports: paths(reports).into_iter().map(|place| (place, None)).collect(),
            trusted: None,
            index: super::super::job::HeldIndex::default(),
        }
    }

    /// Carries out those of the good places and lets the others hang.
    fn looked(job: &ShareJob, hangs: &Path) -> Result<Looked, SafeText> {
        let answer = |part: Part| {
            let news = match part.place == hangs {
                true => Err("it does not answer within 20s".into()),
                false => Ok(part.job.carry_out()),
            };
            (part, Asked::Now(news).answer())
        };
        together(parts(job).into_iter().map(answer).collect())
    }

    fn share(dir: &Path, serial: u64) {
        std::fs::create_dir_all(dir.join("pcmins.box")).unwrap();
        std::fs::write(dir.join("PCM.SITE"), "format = 1\nsite = \"BP0\"\nname = \"x\"\n").unwrap();
        let ins = format!(
            "format = 1\nsite = \"BP0\"\nmachine = \"BP004000\"\nserial = {serial}\n\
             issued = 2026-11-22T08:00:00Z\n[end]\nserial = {serial}\n"
        );
        std::fs::write(dir.join("pcmins.box/BP004000.INS"), ins).unwrap();
    }

    #[test]
    fn apart_and_together_is_the_same_as_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second, away] = ["first", "second", "away"].map(|name| dir.path().join(name));
        share(&first, 3);
        share(&second, 5);
        for shares in [vec![&first, &second, &away], vec![&away, &second], vec![&away, &first, &away]] {
            let shares: Vec<&Path> = shares.into_iter().map(|path| path.as_path()).collect();
            let job = job(&shares, &[&first, &away], &[&first]);
            let ShareNews::Looked(whole) = job.carry_out() else { unreachable!() };
            let parts = looked(&job, Path::new("none hangs")).unwrap();
            let serial = |looked: &Looked| looked.look.found.as_ref().map(|found| found.file.serial);
            assert_eq!(serial(&parts), serial(&whole));
            assert_eq!(parts.look.others.len(), whole.look.others.len());
            assert_eq!(parts.look.fault, whole.look.fault);
            assert_eq!(parts.look.answered, whole.look.answered);
            let by_place = |mut past: Vec<(PathBuf, Past)>| {
                past.sort_by(|(a, _), (b, _)| a.cmp(b));
                past
            };
            assert_eq!(by_place(parts.past), by_place(whole.past));
            assert_eq!(parts.reports, whole.reports);
            // A place that is named twice is looked at once.
            let mut once = whole.look.problems.clone();
            once.dedup();
            assert_eq!(parts.look.problems, once);
        }
    }

    #[test]
    fn what_a_place_that_hangs_does_not_take_goes_to_the_next() {
        let places = ["hangs", "refuses", "takes", "never asked"].map(PathBuf::from);
        let asked = std::cell::RefCell::new(Vec::new());
        let deliver = |place: &PathBuf| {
            asked.borrow_mut().push(place.display().to_string());
            let refused = Delivery::failed(&"read-only".into());
            match place.to_str().unwrap() {
                "hangs" => Err("it does not answer within 20s".into()),
                "refuses" => Ok(ShareNews::Delivered(refused)),
                _ => Ok(ShareNews::Delivered(Delivery { place: Some(place.clone()), ..refused })),
            }
        };
        let Ok(ShareNews::Delivered(done)) = first_that_takes_it(&places, deliver) else { unreachable!() };
        assert_eq!(done.place, Some("takes".into()));
        assert_eq!(asked.take(), ["hangs", "refuses", "takes"]);
        assert!(first_that_takes_it(&places[..2], deliver).is_err_and(|why| why.as_str().contains("20s")));
        // What arrived in part is not forgotten.
        let in_part = |place: &PathBuf| match place.to_str().unwrap() {
            "hangs" => Err("it does not answer within 20s".into()),
            _ => Ok(ShareNews::Delivered(Delivery { results: Ok(3), ..Delivery::failed(&"full".into()) })),
        };
        let Ok(ShareNews::Delivered(done)) = first_that_takes_it(&places[..2], in_part) else {
            unreachable!()
        };
        assert_eq!(done.results, Ok(3));
    }

    #[test]
    fn content_comes_from_the_first_share_that_has_it_whole() {
        let shares = ["hangs", "lacks", "has", "never asked"].map(PathBuf::from);
        let hash = crate::site::content::hash_bytes(b"content");
        let asked = std::cell::RefCell::new(Vec::new());
        let staged = |fact| Ok(ShareNews::Staged(hash.clone(), fact, None));
        let copy = |share: &PathBuf, hurry: bool| {
            asked.borrow_mut().push((share.display().to_string(), hurry));
            match share.to_str().unwrap() {
                "hangs" => Err("it does not answer within 1h".into()),
                "lacks" => staged(ContentFact::Missing("it does not exist".into())),
                "damaged" => Ok(ShareNews::Unchanged),
                _ => staged(ContentFact::Staged),
            }
        };
        assert!(matches!(first_that_has_it(&shares, copy), Ok(ShareNews::Staged(_, ContentFact::Staged, _))));
        let asked = asked.take();
        assert_eq!(asked, [("hangs".into(), true), ("lacks".into(), true), ("has".into(), true)]);
        let copy = |share: &PathBuf, hurry: bool| match share.to_str().unwrap() {
            "last" => {
                assert!(!hurry, "there is no other");
                staged(ContentFact::Missing("it does not exist".into()))
            }
            _ => Ok(ShareNews::Unchanged),
        };
        let both = ["damaged", "last"].map(PathBuf::from);
        let lacks = first_that_has_it(&both, copy);
        assert!(matches!(lacks, Ok(ShareNews::Staged(_, ContentFact::Missing(_), _))), "{lacks:?}");
        assert!(matches!(first_that_has_it(&both[..1], copy), Ok(ShareNews::Unchanged)));
    }

    #[test]
    fn a_copy_has_a_day_while_bytes_come_and_an_hour_without() {
        let hour = Duration::from_secs(3_600);
        let copy = ShareJob::Stage {
            shares: vec!["/srv/pcm".into()],
            bandwidth: 200 << 10,
            hurry: false,
            at: Shelf::Content,
            hash: crate::site::content::hash_bytes(b"content"),
            stage: "/var/lib/pcm/stage".into(),
            trust: TrustMode::Signed,
            unless: None,
        };
        assert_eq!(copy.limits(hour), Limits { silence: hour, whole: 24 * hour });
        let look = job(&[Path::new("/srv/pcm")], &[], &[]);
        assert_eq!(look.limits(hour), Limits { silence: hour, whole: hour });
    }

    #[test]
    fn a_place_that_hangs_says_nothing_of_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let [good, hangs] = ["good", "hangs"].map(|name| dir.path().join(name));
        share(&good, 3);
        for shares in [[good.as_path(), &hangs], [&hangs, good.as_path()]] {
            let news = looked(&job(&shares, &[&hangs], &[]), &hangs).unwrap();
            assert_eq!(news.look.found.unwrap().file.serial, 3);
            let [problem] = &news.look.problems[..] else { panic!("{:?}", news.look.problems) };
            assert!(problem.file.as_str().ends_with("hangs"), "{problem:?}");
            assert_eq!(news.past, [(hangs.clone(), Past::Unknown("it does not answer within 20s".into()))]);
        }
        // One that answers without a file says that, and of the other one that it is not known.
        let away = dir.path().join("away");
        let news = looked(&job(&[&away, &hangs], &[], &[]), &hangs).unwrap();
        assert_eq!(news.look.fault.unwrap().code, Code::ShareMissing);
        assert_eq!(news.look.problems.len(), 1);
        assert!(looked(&job(&[&hangs], &[], &[]), &hangs).is_err());
    }
}
