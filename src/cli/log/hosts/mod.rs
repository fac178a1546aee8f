//! `pcm log --hosts`: the logs of many machines in one order. `names` says which, `one` asks each in a thread of its own,
//! `together` puts in order what comes. Of each machine the last lines are asked for, so that the last of all are among them.

mod names;
mod one;
mod patience;
mod show;
mod together;

use super::{filter, is_input, wrong};
use crate::cli::App;
use crate::cli::args::{LevelArg, LogArgs, LogShape};
use crate::error::{Exit, Failure, Result};
use crate::host::ssh::{self, AT_ONCE};
use crate::host::threads;
use crate::log::Level;
use crate::log::far::hear::Heard;
use crate::log::far::minutes::Minutes;
use crate::log::far::words::{MOST_LINES, More, PAGE, Query};
use crate::log::search::joined;
use crate::site::ids::RequestId;
use crate::text::{SafeText, gathered};
use names::Host;
use one::{How, NAMED_AFTER, News};
use show::Show;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use together::Together;

/// How many records `-f` begins with where nothing says otherwise.
const BEFORE: usize = 20;
/// What comes within so long is put in order.
const STEP: Duration = Duration::from_millis(250);
/// On a terminal, what has come is shown after so long, if no lines came for a moment; and after [`AT_LAST`] whoever may come next.
const PATIENCE: Duration = Duration::from_millis(600);
const MOMENT: Duration = Duration::from_millis(200);
const AT_LAST: Duration = Duration::from_millis(900);
/// What cannot be read is said after so long, with all that is the same.
const GATHERED: Duration = Duration::from_millis(500);
/// So many different reasons of one host are told.
const MOST_PROBLEMS: usize = 20;
/// So much news waits at most; then those who tell wait.
const WAITING: usize = 64;

/// `pcm log --hosts`. It ends as `pcm log` does: 2 where a host cannot be read, and says which.
pub fn run(app: &App, args: &LogArgs) -> Result<Exit> {
    if args.format == LogShape::Raw {
        return Err(wrong("--hosts prints rows, not --format raw".into(), "Leave out --format raw"));
    }
    if args.files.iter().any(|file| is_input(file)) {
        return Err(wrong("--hosts reads files, not standard input".into(), "Leave out -, or --hosts"));
    }
    let hosts = names::hosts(app, &args.hosts, &args.folder)?;
    if args.follow && hosts.len() > AT_ONCE {
        let why = format!("-f follows at most {AT_ONCE} hosts at once, and --hosts names {}", hosts.len());
        return Err(wrong(why, "Name fewer"));
    }
    if args.lines.is_some_and(|lines| lines > MOST_LINES) {
        let why = format!("-n with --hosts shows at most the last {MOST_LINES} records");
        return Err(wrong(why, "Ask for fewer, or for a shorter time with --since and --until"));
    }
    let how = how(app, args)?;
    let told = start(&hosts, how)?;
    let all = All {
        app,
        show: Show::new(app, &hosts, args.explain_codes),
        together: Together::new(hosts.len()),
        states: hosts.iter().map(|_| State::default()).collect(),
        hosts,
        unread: BTreeMap::new(),
        unsaid: BTreeMap::new(),
        unsaid_since: None,
        found: false,
    };
    if args.follow { all.follow(&told) } else { all.once(&told, args) }
}

fn how(app: &App, args: &LogArgs) -> Result<How> {
    let filter = filter(app, args)?;
    let program =
        ssh::program().map_err(|why| wrong(why, "Set it to a program and its options, or to nothing"))?;
    let words = one::words(&args.files, args.rotated)
        .map_err(|why| wrong(format!("{why} and cannot be sent"), "Write it in UTF-8"))?;
    let usual = if args.follow { BEFORE } else { PAGE };
    let texts = |ids: &[RequestId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let ((component, components), (request, requests)) =
        (one_or_more(args.component.clone()), one_or_more(texts(&args.request)));
    let query = Query {
        grep: joined(&args.grep),
        invert: args.invert,
        level: args.level.map(|level| match level {
            LevelArg::Verbose => Level::Verbose,
            LevelArg::Info => Level::Info,
            LevelArg::Warning => Level::Warning,
            LevelArg::Error => Level::Error,
        }),
        component,
        request,
        more: More {
            not_grep: args.not_grep.clone(),
            components,
            not_components: args.not_component.clone(),
            threads: args.thread.clone(),
            not_threads: args.not_thread.clone(),
            requests,
            not_requests: texts(&args.not_request),
        },
        since: filter.since,
        until: filter.until,
        // Where none is shown, one says whether there are any.
        lines: if args.count { 0 } else { args.lines.unwrap_or(usual).max(usize::from(!args.follow)) },
        counts: args.count,
        follow: args.follow,
        ..Query::default()
    };
    Ok(How { program, words, query })
}

/// One alone is said as any pcm knows it.
fn one_or_more(mut given: Vec<String>) -> (Option<String>, Vec<String>) {
    if given.len() > 1 { (None, given) } else { (given.pop(), Vec::new()) }
}

/// Asks all of them, so many at once.
fn start(hosts: &[Host], how: How) -> Result<Receiver<(usize, News)>> {
    let (tell, told) = mpsc::sync_channel(WAITING);
    let (hosts, how, next) = (Arc::new(hosts.to_vec()), Arc::new(how), Arc::new(AtomicUsize::new(0)));
    for _ in 0..hosts.len().min(AT_ONCE) {
        let (hosts, how, next, tell) =
            (Arc::clone(&hosts), Arc::clone(&how), Arc::clone(&next), tell.clone());
        let work = move || {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                let Some(host) = hosts.get(number) else { return };
                if tell.send((number, News::Begun)).is_err() {
                    return;
                }
                one::ask(number, host, &how, &tell);
            }
        };
        threads::start("log of a host", work).map_err(|e| {
            Failure::new(
                Exit::Failed,
                "threads",
                format!("no thread can be started: {e}"),
                "Name fewer hosts",
            )
        })?;
    }
    Ok(told)
}

/// What is known of one host.
#[derive(Default)]
struct State {
    begun: Option<Instant>,
    greeted: bool,
    /// Something of what was asked came.
    told: bool,
    /// That it is late was said.
    named: bool,
    /// Its connection was cut, which was said.
    cut: bool,
    is_over: bool,
    /// There may be older lines that were not asked for.
    older: bool,
    counts: Option<Minutes>,
    /// So much of it could not be read.
    problems: usize,
}

/// When what has come is shown to somebody who looks at it.
struct Page {
    began: Instant,
    /// When lines came last.
    newest: Instant,
    /// When those that have come and were not shown are shown at last; None: there are none.
    due: Option<Instant>,
    is_shown: bool,
}

impl Page {
    fn new(now: Instant) -> Page {
        Page { began: now, newest: now, due: None, is_shown: false }
    }

    fn take(&mut self, now: Instant) {
        self.newest = now;
        let first = (self.began + AT_LAST).max(now + MOMENT);
        self.due.get_or_insert(if self.is_shown { now + AT_LAST } else { first });
    }

    fn shown(&mut self) {
        (self.due, self.is_shown) = (None, true);
    }

    /// Whether what there is makes a page: more may come, but not at once, or it was waited for long enough. Only lines count: a
    /// host that says that it is looking holds nobody up.
    fn is_time(&self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.newest) >= MOMENT;
        let may = self.is_shown || now.saturating_duration_since(self.began) >= PATIENCE;
        self.due.is_some_and(|due| now >= due || quiet && may)
    }

    /// How long what comes is waited for until that is looked at again.
    fn step(&self, now: Instant) -> Duration {
        self.due
            .map_or(MOMENT, |due| due.saturating_duration_since(now).clamp(Duration::from_millis(1), MOMENT))
    }
}

struct All<'a> {
    app: &'a App,
    hosts: Vec<Host>,
    states: Vec<State>,
    together: Together,
    show: Show<'a>,
    /// What could not be read, by what is said of it: the hosts.
    unread: BTreeMap<SafeText, Vec<usize>>,
    /// What of that was not said yet, and since when.
    unsaid: BTreeMap<SafeText, Vec<usize>>,
    unsaid_since: Option<Instant>,
    found: bool,
}

impl All<'_> {
    fn once(mut self, told: &Receiver<(usize, News)>, args: &LogArgs) -> Result<Exit> {
        let last = args.lines.unwrap_or(PAGE);
        // Where none is wanted, no page of them comes.
        let pages = self.app.out.width.is_some() && !self.app.out.json && last > 0;
        let mut page = Page::new(Instant::now());
        while self.states.iter().any(|state| !state.is_over) {
            match told.recv_timeout(page.step(Instant::now())) {
                Ok((host, news)) => {
                    let lines = matches!(&news, News::Heard(Heard::Lines(records)) if !records.is_empty());
                    self.hear(host, news)?;
                    self.together.keep(last);
                    if lines {
                        page.take(Instant::now());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.name_the_late();
            // Somebody looks at it: those that are late hold nobody up. In a pipe the order of all counts.
            if pages && page.is_time(Instant::now()) && !self.together.is_empty() {
                if page.is_shown {
                    self.app.out.text("-- later --\n")?;
                } else {
                    self.say_clocks();
                }
                page.shown();
                self.print(Some(last))?;
            }
        }
        let is_shown = page.is_shown;
        if is_shown && !self.together.is_empty() {
            self.app.out.text("-- later --\n")?;
        }
        if !is_shown {
            self.say_clocks();
        }
        self.print(Some(last))?;
        if args.count {
            self.count()?;
        }
        if args.lines.is_none() && !args.count {
            self.say_older();
        }
        self.end()
    }

    fn follow(mut self, told: &Receiver<(usize, News)>) -> Result<Exit> {
        let mut shown = Instant::now();
        while self.states.iter().any(|state| !state.is_over) {
            match told.recv_timeout(STEP.saturating_sub(shown.elapsed())) {
                Ok((host, news)) => self.hear(host, news)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.name_the_late();
            if shown.elapsed() >= STEP {
                self.print(None)?;
                shown = Instant::now();
            }
        }
        self.print(None)?;
        self.end()
    }

    fn hear(&mut self, host: usize, news: News) -> Result<()> {
        match news {
            News::Begun => self.states[host].begun = Some(Instant::now()),
            News::There(fast) => {
                let before = self.together.clocks()[host];
                self.together.clock(host, fast);
                self.states[host].greeted = true;
                if std::mem::take(&mut self.states[host].cut) {
                    self.say(host, "it is connected again");
                }
                if self.states[host].named || fast != before && self.show.has_begun() {
                    self.say_clock(host);
                }
            }
            News::Heard(Heard::Lines(records)) => {
                self.states[host].told = true;
                self.found |= !records.is_empty();
                self.together.take(host, records);
            }
            News::Heard(Heard::Counts(minutes)) => {
                self.found |= minutes.sum().total > 0;
                self.states[host].counts = Some(minutes);
            }
            News::Heard(Heard::Gap(file, message)) => {
                // What came before it stands before it.
                self.print(None)?;
                self.show.gap(&self.hosts[host].name, &file, &message)?;
            }
            News::Heard(Heard::Problem(file, message)) => {
                self.is_unread(host, SafeText::of(format!("{file}: {message}")));
            }
            News::Heard(Heard::Done(older)) => {
                self.states[host].older = older;
                self.states[host].is_over = true;
            }
            News::Heard(Heard::Hello(_) | Heard::Busy | Heard::Refused(_)) => {}
            News::Cut(why) => {
                if !std::mem::replace(&mut self.states[host].cut, true) {
                    self.say(host, &format!("{why}; it is tried again"));
                }
                (self.states[host].greeted, self.states[host].told) = (true, true);
            }
            News::GivenUp(why) => {
                // However much it said before, this is said.
                (self.states[host].is_over, self.states[host].problems) = (true, 0);
                self.is_unread(host, why);
            }
        }
        Ok(())
    }

    fn is_unread(&mut self, host: usize, why: SafeText) {
        self.states[host].problems += 1;
        // A host may say as many different things as it likes.
        let why = match self.states[host].problems {
            ..=MOST_PROBLEMS => why,
            _ => "more could not be read".into(),
        };
        let hosts = self.unread.entry(why.clone()).or_default();
        if !hosts.contains(&host) {
            hosts.push(host);
            self.unsaid.entry(why).or_default().push(host);
            self.unsaid_since.get_or_insert_with(Instant::now);
        }
    }

    fn print(&mut self, last: Option<usize>) -> Result<()> {
        let placed = self.together.drain(last);
        self.show.lines(&self.hosts, &placed)
    }

    /// Hosts together, as `web-[01-17,19]`.
    fn names(&self, hosts: impl Iterator<Item = usize>) -> String {
        gathered(hosts.map(|host| self.hosts[host].name.as_str())).join(", ")
    }

    fn say(&self, host: usize, what: &str) {
        self.show.note(&self.hosts[host].name, what);
    }

    /// Says what could not be read while others go on, equal answers together.
    fn name_the_unread(&mut self) {
        if self.unsaid_since.is_none_or(|since| since.elapsed() < GATHERED) {
            return;
        }
        self.unsaid_since = None;
        for (why, hosts) in std::mem::take(&mut self.unsaid) {
            self.show.note(&self.names(hosts.into_iter()), why.as_str());
        }
    }

    /// Those of which nothing came for so long that somebody may wonder.
    fn name_the_late(&mut self) {
        self.name_the_unread();
        let is_late = |state: &State| {
            !state.told
                && !state.named
                && !state.is_over
                && state.begun.is_some_and(|begun| begun.elapsed() >= NAMED_AFTER)
        };
        let late = (0..self.hosts.len()).filter(|host| is_late(&self.states[*host]));
        let (busy, silent): (Vec<_>, Vec<_>) = late.partition(|host| self.states[*host].greeted);
        for (hosts, what) in
            [(silent, "no answer yet"), (busy, "it is there, and nothing of its logs came yet")]
        {
            hosts.iter().for_each(|host| self.states[*host].named = true);
            if !hosts.is_empty() {
                self.show.note(&self.names(hosts.into_iter()), what);
            }
        }
    }

    fn say_clock(&self, host: usize) {
        let fast = self.together.clocks()[host];
        if fast != 0 {
            self.show.note(&self.hosts[host].name, &clock_words(fast));
        }
    }

    /// Clocks that differ, those that differ alike together.
    fn say_clocks(&self) {
        let mut by: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (host, fast) in self.together.clocks().iter().enumerate().filter(|(_, fast)| **fast != 0) {
            by.entry(*fast).or_default().push(host);
        }
        for (fast, hosts) in by {
            self.show.note(&self.names(hosts.into_iter()), &clock_words(fast));
        }
    }

    fn say_older(&self) {
        let older = (0..self.hosts.len()).filter(|host| self.states[*host].older);
        let names = self.names(older);
        if !names.is_empty() {
            self.show.note(
                &names,
                &format!("older lines are there; these are the last {PAGE} of all, -n N shows more"),
            );
        }
    }

    fn count(&self) -> Result<()> {
        let each = self.states.iter().zip(&self.hosts);
        let counted: Vec<(&str, &Minutes)> =
            each.filter_map(|(state, host)| Some((host.name.as_str(), state.counts.as_ref()?))).collect();
        let mut all = Minutes::default();
        for (state, fast) in self.states.iter().zip(self.together.clocks()) {
            if let Some(minutes) = &state.counts {
                all.join(minutes, *fast);
            }
        }
        self.show.counts(&counted, &all)
    }

    fn end(self) -> Result<Exit> {
        if self.unread.is_empty() {
            return Ok(if self.found { Exit::Done } else { Exit::Failed });
        }
        let each =
            self.unread.iter().map(|(why, hosts)| format!("{}: {why}", self.names(hosts.iter().copied())));
        let all = each.collect::<Vec<_>>().join("; ");
        let remedy = "See whether `ssh HOST pcm log` works for one of them";
        Err(Failure::new(Exit::Usage, "hosts-unread", format!("not everything was read: {all}"), remedy))
    }
}

fn clock_words(fast: i64) -> String {
    let by = crate::text::duration(Duration::from_secs(fast.unsigned_abs()));
    let how = if fast > 0 { "fast" } else { "slow" };
    format!("its clock is {by} {how}; rows show its times by the clock here")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_page_is_shown_within_a_second_whoever_is_still_to_come() {
        let began = Instant::now();
        // All have come, and nobody else for a moment.
        let mut page = Page::new(began);
        page.take(began + ms(300));
        assert!(!page.is_time(began + ms(599)) && page.is_time(began + ms(600)));
        // One after the other.
        let mut page = Page::new(began);
        (1..=8).for_each(|n| page.take(began + ms(n * 100)));
        assert!(!page.is_time(began + ms(850)) && page.is_time(began + ms(900)));
        assert_eq!((page.step(began), page.step(began + ms(850))), (MOMENT, ms(50)));
        // Those that are late stand together where they come together.
        page.shown();
        assert!(!page.is_time(began + ms(9_000)));
        page.take(began + ms(10_000));
        page.take(began + ms(10_050));
        assert!(!page.is_time(began + ms(10_200)) && page.is_time(began + ms(10_250)));
        (1..=9).for_each(|n| page.take(began + ms(10_000 + n * 100)));
        assert!(page.is_time(began + ms(10_900)), "those that come without a pause do not keep the others");
        // Where the first ones are late, too.
        let mut page = Page::new(began);
        assert!(!page.is_time(began + ms(3_000)));
        page.take(began + ms(3_000));
        assert!(!page.is_time(began + ms(3_100)) && page.is_time(began + ms(3_200)));
    }
}
