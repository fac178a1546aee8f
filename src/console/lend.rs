//! The terminal is lent: to verbs of pcm on the site folder, to the console of another machine, to the log of many.

use super::app::Event;
use super::app::words::count;
use super::term;
use super::turn::Console;
use crate::host::ssh::{self, For, Meaning, Ready};
use crate::host::terminal::Ended;
use crate::host::{signals, terminal};
use crate::safe;
use crate::site::ids::MachineId;
use crate::text::SafeText;
use std::io::Write as _;
use std::process::Command;

/// What is done once a program that had the terminal has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// What it says stays until Enter is pressed.
    Wait,
    /// It was a console of another machine: the same where it ended badly, else this one is back at once.
    BackAtOnce,
}

impl Console {
    /// Gives the terminal to a verb of pcm until it has ended and somebody has read what it says.
    pub(super) fn verb(&mut self, words: &[String]) -> std::io::Result<Event> {
        let said = SafeText::new(&words.join(" "));
        let Some(mut command) = self.site.verb(words) else {
            return Ok(Event::Said { text: safe!("{said}: there is no site folder"), error: true });
        };
        let ended = self.lend(&safe!("pcm {said}"), &mut command, Then::Wait)?;
        let said = said.fit_ascii(72);
        let (text, error) = match ended.and_then(|ended| ended.code) {
            Some(0) => (safe!("{said}: done"), false),
            Some(code) => (safe!("{said}: it ended with exit status {code}"), true),
            None => (safe!("{said}: it could not be started, or was ended"), true),
        };
        Ok(Event::Said { text, error })
    }

    /// Gives the terminal to the merged log of these machines until it has ended, which Ctrl-C does.
    pub(super) fn logs(&mut self, of: Vec<(MachineId, Option<SafeText>)>) -> std::io::Result<Event> {
        let machines: Vec<MachineId> = of.iter().map(|(machine, _)| *machine).collect();
        // Those of a demo do not exist, and their names may be those of others.
        if let Err(failure) = self.site.reach(&machines) {
            return Ok(Event::Said { text: safe!("{failure}"), error: true });
        }
        let hosts: Vec<SafeText> = of.into_iter().filter_map(|(_, host)| host).collect();
        let nameless = machines.len() - hosts.len();
        let hosts: Vec<&str> = hosts.iter().map(SafeText::as_str).collect();
        let words = ["log", "--hosts", &hosts.join(","), "-f"].map(str::to_owned);
        let Some(mut command) = self.site.verb(&words) else {
            return Ok(Event::Said { text: "there is no site folder".into(), error: true });
        };
        let ended = self.lend(&log_title(hosts, nameless), &mut command, Then::Wait)?;
        let (text, error) = match ended {
            Some(_) => ("the log is closed".into(), false),
            None => ("the log could not be started".into(), true),
        };
        Ok(Event::Said { text, error })
    }

    /// Gives the terminal to the console of a machine of the site until that has ended. The machine there has to be this one.
    pub(super) fn visit(&mut self, machine: MachineId) -> std::io::Result<Event> {
        let wrong = |why: SafeText| Event::Said { text: safe!("{machine}: {why}"), error: true };
        let mut words = vec!["--expect-machine".to_owned(), machine.to_string()];
        if self.app.options.read_only {
            words.push("--read-only".to_owned());
        }
        let mut ready = match self.call(machine, &words) {
            Ok(ready) => ready,
            Err(why) => return Ok(wrong(why)),
        };
        let title = safe!("the console of {machine}, through ssh");
        let Some(ended) = self.lend(&title, &mut ready.command, Then::BackAtOnce)? else {
            return Ok(wrong("ssh could not be started".into()));
        };
        let last = ssh::last_said(&ended);
        Ok(match ssh::meaning(&ended) {
            Meaning::Answered(0) => {
                Event::Said { text: safe!("the console of {machine} has ended"), error: false }
            }
            Meaning::Answered(code) => wrong(safe!("its console ended with exit status {code}: {last}")),
            Meaning::NoPcm => wrong("no pcm is in the PATH of commands that come through ssh".into()),
            Meaning::NeverThere => wrong(safe!("not reached: {last}")),
            Meaning::Lost => wrong(safe!("the connection ended: {last}; packages that run there go on")),
        })
    }

    /// The call of ssh for this.
    fn call(&self, machine: MachineId, words: &[String]) -> Result<Ready, SafeText> {
        let program = ssh::program().map_err(|why| SafeText::new(&why))?;
        let mut reached = self.site.reach(&[machine]).map_err(|failure| safe!("{failure}"))?;
        let reach = reached.pop().unwrap_or_else(|| Err("the site does not know it".into()))?;
        let ready = reach.command(&program, For::Terminal { asks: true }, words);
        ready.map_err(|e| safe!("its known hosts cannot be written: {e}"))
    }

    /// Lends the terminal; None: the program could not be started.
    fn lend(
        &mut self,
        title: &SafeText,
        command: &mut Command,
        then: Then,
    ) -> std::io::Result<Option<Ended>> {
        let mut ended = None;
        let (guard, keys) = (&mut self.guard, self.keys.as_ref());
        let mut away = || guard.away(|| ended = signals::lent(|| lent(title, command, then)));
        match keys {
            Some(keys) => keys.lend(away)?,
            None => away()?,
        }
        self.cleared();
        Ok(ended)
    }
}

/// What stands above a log of these hosts; so many machines are not in it, for they have no host name.
fn log_title<'a>(hosts: impl IntoIterator<Item = &'a str>, nameless: usize) -> SafeText {
    let without = match nameless {
        0 => String::new(),
        n => format!(", without {} that the site has no host name of", count(n, "machine")),
    };
    safe!("log of {}{without}; Ctrl-C ends it", crate::text::gathered(hosts).join(", "))
}

/// Runs a program in the terminal, which is given back.
fn lent(title: &SafeText, command: &mut Command, then: Then) -> Option<Ended> {
    let mut out = std::io::stdout().lock();
    // A terminal that is gone wants no words.
    let _ = writeln!(out, "{title}");
    let _ = out.flush();
    let ended = terminal::lend(command);
    let good = matches!(&ended, Ok(Ended { code: Some(0), .. }));
    let is_lost = ended.as_ref().is_ok_and(|ended| ssh::meaning(ended) == Meaning::Lost);
    if then == Then::BackAtOnce && is_lost {
        // Nobody is left over there to take its screen away.
        term::leave_after_another();
    }
    match &ended {
        Ok(ended) => {
            for line in String::from_utf8_lossy(&ended.said).lines() {
                let _ = writeln!(out, "{}", SafeText::new(line));
            }
        }
        Err(e) => {
            let _ = writeln!(out, "it cannot be started: {e}");
        }
    }
    if then == Then::Wait || !good {
        let _ = write!(out, "-- Enter goes back to the console --");
        let _ = out.flush();
        let _ = std::io::stdin().read_line(&mut String::new());
    }
    ended.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_that_are_not_in_a_log_are_said_above_it() {
        assert_eq!(log_title(["web-01", "web-02"], 0).as_str(), "log of web-[01,02]; Ctrl-C ends it");
        assert_eq!(
            log_title(["web-01"], 2).as_str(),
            "log of web-01, without 2 machines that the site has no host name of; Ctrl-C ends it"
        );
    }
}
