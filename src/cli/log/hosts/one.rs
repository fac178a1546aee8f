//! One host: its connection, what is asked there and what comes, in a thread of its own. What is told and not taken yet is
//! waited for, so that whoever reads slowly slows down who writes.

use super::names::Host;
use super::patience::{Patience, is_greeting};
use crate::clock::Wall;
use crate::error::Result;
use crate::host::ssh::{self, For, Meaning};
use crate::host::terminal::Ended;
use crate::host::{facts, threads};
use crate::log::far::hear::{Heard, Hearing};
use crate::log::far::words::Query;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::io::{Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// A host that has not greeted after so long is named; ssh itself gives up sooner where nobody takes the connection.
pub const NAMED_AFTER: Duration = Duration::from_millis(4_500);
/// After a cut it is tried again after so long, then after longer and longer.
const FIRST_AGAIN: Duration = Duration::from_secs(1);
const LAST_AGAIN: Duration = Duration::from_secs(30);
/// A difference of clocks below this is that of the way.
const SAME_CLOCK: TimeDelta = TimeDelta::seconds(2);
const PIECE: usize = 64 << 10;

/// How all are asked.
pub struct How {
    /// The program that connects ([`ssh::program`]).
    pub program: Vec<String>,
    /// Words after `pcm log --serve`.
    pub words: Vec<String>,
    /// What is asked, its times by the clock here.
    pub query: Query,
}

/// What there is to say of one host.
#[derive(Debug)]
pub enum News {
    /// It is its turn.
    Begun,
    /// It has greeted; its clock is so many seconds fast.
    There(i64),
    /// It told something.
    Heard(Heard),
    /// The connection ended, or none came about; it is tried again.
    Cut(SafeText),
    /// It is given up.
    GivenUp(SafeText),
}

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// All was told.
    Done,
    /// Nobody listens here any more.
    Unheard,
    /// It may be better next time.
    Cut(SafeText),
    /// It will be the same next time.
    Never(SafeText),
}

/// Asks one host, until all is told or nobody listens.
pub fn ask(number: usize, host: &Host, how: &How, tell: &SyncSender<(usize, News)>) {
    let mut asking = Asking { number, host, how, tell, hearing: Hearing::new(), asked: false };
    let mut wait = FIRST_AGAIN;
    loop {
        let began = Instant::now();
        let last = match asking.connection() {
            End::Done | End::Unheard => return,
            End::Cut(why) if how.query.follow => News::Cut(why),
            End::Cut(why) | End::Never(why) => News::GivenUp(why),
        };
        let is_over = matches!(last, News::GivenUp(_));
        if tell.send((number, last)).is_err() || is_over {
            return;
        }
        if began.elapsed() > LAST_AGAIN {
            wait = FIRST_AGAIN;
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(LAST_AGAIN);
        asking.hearing.connected_again();
    }
}

struct Asking<'a> {
    number: usize,
    host: &'a Host,
    how: &'a How,
    tell: &'a SyncSender<(usize, News)>,
    hearing: Hearing,
    /// It was asked over a connection before.
    asked: bool,
}

impl Asking<'_> {
    /// The words for pcm over there.
    fn words(&self) -> Vec<String> {
        let check = self.host.machine.map(|id| ["--expect-machine".to_owned(), id.to_string()]);
        let own = ["log", "--serve"].map(str::to_owned);
        check.into_iter().flatten().chain(own).chain(self.how.words.iter().cloned()).collect()
    }

    fn connection(&mut self) -> End {
        let cannot = |e: std::io::Error| {
            End::Never(SafeText::of(format!("{} cannot be started: {e}", self.how.program.join(" "))))
        };
        let ready = match self.host.reach.command(&self.how.program, For::Many, &self.words()) {
            Ok(ready) => ready,
            Err(e) => return cannot(e),
        };
        let (mut talk, mut stdin, mut stdout) = match ready.start() {
            Ok(started) => started,
            Err(e) => return cannot(e),
        };
        let (give, pieces) = mpsc::sync_channel::<Vec<u8>>(2);
        let reading = threads::start("ssh reads", move || {
            let mut piece = vec![0; PIECE];
            while let Ok(n @ 1..) = stdout.read(&mut piece) {
                if give.send(piece[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        if let Err(e) = reading {
            return cannot(e);
        }
        let patience = Patience::new(self.how.query.follow, Instant::now());
        self.listen(&pieces, patience, &mut stdin).unwrap_or_else(|| self.ended(&talk.finish()))
    }

    /// Hears what comes in pieces, until there is an end; None: the connection has ended.
    fn listen(
        &mut self,
        pieces: &Receiver<Vec<u8>>,
        mut patience: Patience,
        stdin: &mut impl Write,
    ) -> Option<End> {
        loop {
            loop {
                let heard = match self.hearing.next() {
                    Ok(Some(heard)) => heard,
                    Ok(None) => break,
                    Err(bad) => return Some(End::Never(SafeText::new(&bad.to_string()))),
                };
                let greets = is_greeting(&heard);
                if let Some(end) = self.on(heard, stdin) {
                    return Some(end);
                }
                // Whoever shows it may have made it wait.
                patience.hear(greets, Instant::now());
            }
            let now = Instant::now();
            let left = patience.left(now);
            // A piece that waits would be taken even then, and of a host that floods there is always one.
            if left.is_zero() {
                return Some(End::Cut(patience.words(now)));
            }
            match pieces.recv_timeout(left) {
                Ok(piece) => {
                    self.hearing.push(&piece);
                    patience.spoke();
                }
                Err(RecvTimeoutError::Timeout) => return Some(End::Cut(patience.words(Instant::now()))),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn on(&mut self, heard: Heard, stdin: &mut impl Write) -> Option<End> {
        let told = match heard {
            Heard::Hello(hello) => {
                let unknown = hello.unknown(&self.how.query);
                if !unknown.is_empty() {
                    let flags = unknown.join(", ");
                    return Some(End::Never(SafeText::of(format!(
                        "pcm {} there does not know {flags}: use the same version on both, or leave it out",
                        hello.pcm
                    ))));
                }
                let fast = fast(hello.now, facts::now());
                if self.tell.send((self.number, News::There(fast))).is_err() {
                    return Some(End::Unheard);
                }
                let question = self.question(fast);
                return match question.and_then(|bytes| stdin.write_all(&bytes).and_then(|()| stdin.flush())) {
                    Ok(()) => None,
                    Err(e) => Some(End::Cut(SafeText::of(format!("the question cannot be sent: {e}")))),
                };
            }
            Heard::Refused(why) => return Some(End::Never(why)),
            other => other,
        };
        let done = matches!(told, Heard::Done(_)) && !self.how.query.follow;
        match self.tell.send((self.number, News::Heard(told))) {
            Err(_) => Some(End::Unheard),
            Ok(()) if done => Some(End::Done),
            Ok(()) => None,
        }
    }

    /// The query by the clock there; after a cut the rest of it.
    fn question(&mut self, fast: i64) -> std::io::Result<Vec<u8>> {
        if std::mem::replace(&mut self.asked, true) {
            return self.hearing.ask_again();
        }
        let there = |at: Option<Wall>| at.and_then(|at| at.checked_add_signed(TimeDelta::seconds(fast)));
        let mut query = self.how.query.clone();
        (query.since, query.until) = (there(query.since), there(query.until));
        self.hearing.ask(query)
    }

    /// Why a connection ended.
    fn ended(&self, ended: &Ended) -> End {
        let last = ssh::last_said(ended);
        let said = self.hearing.unfinished();
        if !said.is_empty() {
            return End::Never(SafeText::of(format!("it said \"{said}\" and nothing else")));
        }
        match ssh::meaning(ended) {
            Meaning::NoPcm => End::Never(SafeText::of(format!("there is no pcm there: {last}"))),
            Meaning::NeverThere if ssh::is_refused(ended) => End::Never(last),
            Meaning::NeverThere => End::Cut(last),
            Meaning::Lost => End::Cut(SafeText::of(format!("the connection ended: {last}"))),
            Meaning::Answered(0) => End::Cut("pcm there ended before it had answered".into()),
            Meaning::Answered(code) => {
                End::Never(SafeText::of(format!("pcm there ended with exit status {code}: {last}")))
            }
        }
    }
}

/// By how many seconds a clock there is fast; what may as well be the time that its words took is none.
fn fast(there: Wall, here: Wall) -> i64 {
    let difference = there.signed_duration_since(here);
    if difference.abs() < SAME_CLOCK { 0 } else { difference.num_seconds() }
}

/// The words that name files and what was rotated away, for the pcm over there.
pub fn words(files: &[std::path::PathBuf], rotated: bool) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = rotated.then(|| "--rotated".to_owned()).into_iter().collect();
    if !files.is_empty() {
        words.push("--".to_owned());
    }
    for file in files {
        words.push(file.to_str().ok_or_else(|| format!("{} is not UTF-8", file.display()))?.to_owned());
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::System;
    use crate::host::ssh::Reach;
    use crate::log::far::frame::{GREETING, frame};
    use crate::log::far::words::{Hello, Tell};

    /// However much it sends, what is no message of the answer is none, and an answer has an end.
    #[test]
    fn a_host_that_floods_is_given_up_as_one_that_says_nothing() {
        let hello = Tell::Hello(Hello {
            pcm: "1.2".into(),
            host: "h".into(),
            now: System::now(),
            zone: "UTC".into(),
            files: Vec::new(),
            filters: 1,
        });
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(600));
        // Of another question; and of this one, without an end.
        for (follow, id, limits, words) in [
            (true, 99, [short, long], "nothing came within 1s"),
            (false, 99, [short, long], "nothing came within 1s"),
            (false, 1, [long, short], "it did not end its answer within 1s"),
        ] {
            let name = "h".to_owned();
            let reach = Reach { host: name.parse().unwrap(), host_key: None };
            let host = Host { name, reach, machine: None };
            let query = Query { follow, ..Query::default() };
            let how = How { program: Vec::new(), words: Vec::new(), query };
            let (tell, told) = mpsc::sync_channel(64);
            std::thread::spawn(move || told.iter().for_each(drop));
            let mut hearing = Hearing::new();
            hearing.push(&[GREETING, &frame(&hello).unwrap()].concat());
            assert!(matches!(hearing.next(), Ok(Some(Heard::Hello(_)))));
            hearing.ask(how.query.clone()).unwrap();
            let mut asking = Asking { number: 0, host: &host, how: &how, tell: &tell, hearing, asked: true };
            let (give, pieces) = mpsc::sync_channel(2);
            let flood = frame(&Tell::Busy(id)).unwrap().repeat(100);
            let began = Instant::now();
            let flooding = std::thread::spawn(move || {
                while began.elapsed() < Duration::from_secs(20) && give.send(flood.clone()).is_ok() {}
            });
            let mut patience = Patience::of(follow, began, limits);
            patience.hear(true, began);
            let end = asking.listen(&pieces, patience, &mut Vec::new());
            drop(pieces);
            flooding.join().unwrap();
            assert!(matches!(&end, Some(End::Cut(why)) if why.as_str() == words), "{words}: {end:?}");
        }
    }

    #[test]
    fn a_difference_of_clocks_counts_from_two_seconds_on() {
        let here = System::now();
        let of = |milliseconds| fast(here + TimeDelta::milliseconds(milliseconds), here);
        assert_eq!((of(0), of(1_999), of(-1_999)), (0, 0, 0));
        assert_eq!((of(2_000), of(-93_400), of(7_200_000)), (2, -93, 7_200));
    }

    #[test]
    fn files_are_named_behind_dashes() {
        let of = |files: &[&str], rotated| {
            words(&files.iter().map(Into::into).collect::<Vec<std::path::PathBuf>>(), rotated).unwrap()
        };
        assert_eq!(of(&[], false), [""; 0]);
        assert_eq!(of(&["-x", "a b"], true), ["--rotated", "--", "-x", "a b"]);
    }
}
