//! `pcm log --hosts`: the logs of many machines in one order. `names` says which, `one` asks each in a thread of its own,
//! `together` puts in order what comes. Of each machine the last lines are asked for, so that the last of all are among them.

mod names;
mod one;
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
use crate::log::far::words::{MOST_LINES, PAGE, Query};
use crate::log::search::joined;
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
/// On a terminal, what has come is shown after so long, if nothing more came for a moment.
const PATIENCE: Duration = Duration::from_millis(700);
const MOMENT: Duration = Duration::from_millis(250);
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
        show: Show::new(app, &hosts),
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
    // The pcm over there may be one that knows no more.
    if let Some(flag) = several(args) {
        return Err(wrong(format!("--hosts takes one {flag}"), "Name one, or put all into --grep"));
    }
    let program =
        ssh::program().map_err(|why| wrong(why, "Set it to a program and its options, or to nothing"))?;
    let words = one::words(&args.files, args.rotated)
        .map_err(|why| wrong(format!("{why} and cannot be sent"), "Write it in UTF-8"))?;
    let usual = if args.follow { BEFORE } else { PAGE };
    let query = Query {
        grep: joined(&args.grep),
        invert: args.invert,
        level: args.level.map(|level| match level {
            LevelArg::Verbose => Level::Verbose,
            LevelArg::Info => Level::Info,
            LevelArg::Warning => Level::Warning,
            LevelArg::Error => Level::Error,
        }),
        component: args.component.first().cloned(),
        request: args.request.first().map(ToString::to_string),
        since: filter.since,
        until: filter.until,
        lines: if args.count { 0 } else { args.lines.unwrap_or(usual) },
        counts: args.count,
        follow: args.follow,
        ..Query::default()
    };
    Ok(How { program, words, query })
}

/// The flag that is given several times and may be given once.
fn several(args: &LogArgs) -> Option<&'static str> {
    let given = [("--component", args.component.len()), ("--request", args.request.len())];
    given.into_iter().find(|(_, times)| *times > 1).map(|(flag, _)| flag)
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
    /// That it does not greet was said.
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
        let began = Instant::now();
        let (mut newest, mut is_shown) = (began, false);
        while self.states.iter().any(|state| !state.is_over) {
            match told.recv_timeout(MOMENT) {
                Ok((host, news)) => {
                    newest = Instant::now();
                    self.hear(host, news)?;
                    self.together.keep(last);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.name_the_late();
            // Somebody looks at it: those that are late hold nobody up. In a pipe the order of all counts.
            let is_time = is_shown || began.elapsed() >= PATIENCE && newest.elapsed() >= MOMENT;
            if self.app.out.width.is_some() && !self.app.out.json && is_time && !self.together.is_empty() {
                if is_shown {
                    self.app.out.text("-- later --\n")?;
                } else {
                    self.say_clocks();
                }
                is_shown = true;
                self.print(Some(last))?;
            }
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
                self.states[host].greeted = true;
            }
            News::GivenUp(why) => {
                self.states[host].is_over = true;
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

    /// Those that have not greeted for so long that somebody may wonder.
    fn name_the_late(&mut self) {
        self.name_the_unread();
        let is_late = |state: &State| {
            !state.greeted
                && !state.named
                && !state.is_over
                && state.begun.is_some_and(|begun| begun.elapsed() >= NAMED_AFTER)
        };
        let late: Vec<usize> = (0..self.hosts.len()).filter(|host| is_late(&self.states[*host])).collect();
        if late.is_empty() {
            return;
        }
        for host in &late {
            self.states[*host].named = true;
        }
        self.show.note(&self.names(late.into_iter()), "no answer yet");
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
