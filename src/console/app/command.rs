//! The one table of commands: footer, help and palette show it, the keymap reads its default keys from it, and
//! [`enabled`] says of each whether it would do something now, with the core's own reason if not.

use super::{App, Focus, View};
use crate::decision::Group;
use crate::executor::view::{AllowedDoc, ServiceState};
use crate::safe;
use crate::text::SafeText;

/// Where a command means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Always, except while text is typed.
    Everywhere,
    /// A list of requests has the keys.
    Requests,
    /// A log has the keys.
    Log,
    /// Any other pane.
    Other,
}

/// A command's kind, as help groups them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What is done to a request or the machine.
    Actions,
    /// Getting about.
    Moving,
    /// Lists.
    Lists,
    /// Logs.
    Logs,
    /// The console itself.
    Console,
}

impl Section {
    /// All, in the order of the help.
    pub const ALL: [Section; 5] =
        [Section::Actions, Section::Moving, Section::Lists, Section::Logs, Section::Console];

    /// As help shows it.
    pub fn title(self) -> &'static str {
        match self {
            Section::Actions => "Actions",
            Section::Moving => "Moving",
            Section::Lists => "Lists",
            Section::Logs => "Logs",
            Section::Console => "Console",
        }
    }
}

/// One command.
#[derive(Debug)]
pub struct Command {
    /// What it is.
    pub id: Id,
    /// Its name in the palette and in keymap files.
    pub name: &'static str,
    /// Its keys, unless a keymap says otherwise; the first is shown.
    pub keys: &'static [&'static str],
    /// One or two words for the footer.
    pub short: &'static str,
    /// A sentence for help and palette.
    pub words: &'static str,
    /// Where it means something.
    pub contexts: &'static [Context],
    /// Where help lists it.
    pub section: Section,
    /// How much it wants to stand in the footer; 0: not at all.
    pub footer: u8,
}

macro_rules! commands {
    ($($id:ident $name:literal [$($key:literal)*] $short:literal $words:literal $section:ident [$($context:ident)*] $footer:literal;)*) => {
        /// What can be done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Id { $($id),* }

        /// All commands, in the order of help and footer.
        pub const COMMANDS: &[Command] = &[$(Command {
            id: Id::$id, name: $name, keys: &[$($key),*], short: $short, words: $words,
            section: Section::$section, contexts: &[$(Context::$context),*], footer: $footer,
        }),*];
    };
}

commands! {
    NextPane "next-pane" ["Tab"] "pane" "the next pane has the keys" Moving [Everywhere] 5;
    Run "run" ["r"] "run" "run this request now" Actions [Everywhere] 9;
    Defer "defer" ["d"] "defer" "postpone it until a time" Actions [Everywhere] 9;
    Undefer "undefer" ["D"] "undefer" "end its deferral" Actions [Everywhere] 3;
    Stop "stop" ["x"] "stop" "stop its run, the whole process tree" Actions [Everywhere] 8;
    Rerun "rerun" ["R"] "rerun" "run again what has been attempted" Actions [Everywhere] 3;
    Explain "explain" ["e"] "explain" "why it has or has not run, and what would change that" Actions [Everywhere] 8;
    Details "details" ["Enter"] "details" "gates, life, attempts and transcript" Actions [Requests Other] 4;
    Hold "hold" ["h"] "hold" "no automatic runs on this machine until a time" Actions [Everywhere] 7;
    Unhold "unhold" ["H"] "unhold" "automatic runs again" Actions [Everywhere] 2;
    Poll "poll" ["p"] "poll" "read the instruction file now" Actions [Everywhere] 6;
    Filter "filter" ["/"] "find" "show only rows with these words (!words: only rows without)" Lists [Requests] 6;
    Sort "sort" ["s"] "sort" "by the next order: as published, by state, by name, by time" Lists [Requests] 0;
    Search "search" ["/"] "find" "search the log, a regular expression" Logs [Log] 9;
    NextMatch "next-match" ["n"] "next" "the next match" Logs [Log] 5;
    PrevMatch "previous-match" ["N"] "previous" "the match before" Logs [Log] 0;
    OnlyMatches "only-matches" ["&"] "only matches" "show only what the search finds" Logs [Log] 7;
    Follow "follow" ["f"] "follow" "follow the log, or stay where you are" Logs [Log] 8;
    NextError "next-error" [">"] "next error" "the next error or warning" Logs [Log] 6;
    PrevError "previous-error" ["<"] "previous error" "the error or warning before" Logs [Log] 4;
    Level "level" ["l"] "level" "the least level that is shown" Logs [Log] 5;
    Wrap "wrap" ["z"] "wrap" "wrap long lines, or cut them" Logs [Log] 3;
    TimeDisplay "time" ["t"] "time" "time with or without the date, or none" Logs [Log] 2;
    Down "down" ["j" "Down"] "down" "one row down" Moving [Everywhere] 0;
    Up "up" ["k" "Up"] "up" "one row up" Moving [Everywhere] 0;
    PageDown "page-down" ["PgDn"] "page down" "a page down" Moving [Everywhere] 0;
    PageUp "page-up" ["PgUp"] "page up" "a page up" Moving [Everywhere] 0;
    HalfDown "half-down" ["Ctrl-d"] "half down" "half a page down" Moving [Everywhere] 0;
    HalfUp "half-up" ["Ctrl-u"] "half up" "half a page up" Moving [Everywhere] 0;
    Top "top" ["g" "Home"] "top" "to the first row" Moving [Everywhere] 0;
    Bottom "bottom" ["G" "End"] "bottom" "to the last row; in a log this follows again" Moving [Everywhere] 0;
    Left "left" ["Left"] "left" "to the left in long lines" Moving [Everywhere] 0;
    Right "right" ["Right"] "right" "to the right in long lines" Moving [Everywhere] 0;
    PrevPane "previous-pane" ["Shift-Tab"] "pane" "the pane before has the keys" Moving [Everywhere] 0;
    Back "back" ["Esc"] "back" "one step back; never quits" Moving [Everywhere] 0;
    Overview "overview" ["1"] "overview" "view 1: everything at a glance" Moving [Everywhere] 0;
    Packages "packages" ["2"] "packages" "view 2: all requests by group" Moving [Everywhere] 0;
    Log "log" ["3"] "log" "view 3: the log" Moving [Everywhere] 0;
    Who "who" ["4"] "who" "view 4: who is logged on" Moving [Everywhere] 0;
    History "history" ["6"] "history" "view 6: attempts and audit" Moving [Everywhere] 0;
    Diagnostics "diagnostics" ["8"] "diagnostics" "view 8: pcm's own traces" Moving [Everywhere] 0;
    Problems "problems" ["w"] "what is wrong" "every problem of share, instructions, history and configuration" Console [Everywhere] 0;
    Palette "palette" [":"] "all" "every command by name" Console [Everywhere] 5;
    Help "help" ["?"] "help" "the keys of this view" Console [Everywhere] 10;
    Redraw "redraw" ["Ctrl-l"] "redraw" "draw the screen anew" Console [Everywhere] 0;
    Suspend "suspend" ["Ctrl-z"] "suspend" "back to the shell for a while; fg returns" Console [Everywhere] 0;
    Quit "quit" ["q"] "quit" "close what is open, else quit; packages go on running" Console [Everywhere] 1;
    Interrupt "interrupt" ["Ctrl-c"] "cancel" "cancel an input, else quit" Console [Everywhere] 0;
}

impl Id {
    /// Its row of the table.
    pub fn command(self) -> &'static Command {
        &COMMANDS[self as usize]
    }

    /// The view that it shows, if that is what it does.
    pub fn view(self) -> Option<View> {
        Some(match self {
            Id::Overview => View::Overview,
            Id::Packages => View::Packages,
            Id::Log => View::Log,
            Id::Who => View::Who,
            Id::History => View::History,
            Id::Diagnostics => View::Diagnostics,
            _ => return None,
        })
    }

    /// Whether it changes something on the machine.
    pub fn operates(self) -> bool {
        self.verb().is_some() || matches!(self, Id::Hold | Id::Unhold | Id::Poll)
    }

    /// The core's word for it, where it is something done to a request.
    pub fn verb(self) -> Option<&'static str> {
        Some(match self {
            Id::Run => "run",
            Id::Rerun => "rerun",
            Id::Defer => "defer",
            Id::Undefer => "undefer",
            Id::Stop => "stop",
            _ => return None,
        })
    }
}

/// The contexts in which keys are read now.
pub fn contexts(app: &App) -> &'static [Context] {
    match (app.overlays.last(), app.view, app.focus()) {
        (Some(_), ..) => &[Context::Other],
        (None, _, Focus::Log) => &[Context::Log],
        (None, View::Overview | View::Packages, Focus::List) => &[Context::Requests],
        _ => &[Context::Other],
    }
}

/// Whether a command would do something now; if not, why.
///
/// # Errors
/// The reason, in the core's own words where it is the core that would refuse.
pub fn enabled(app: &App, id: Id) -> Result<(), SafeText> {
    if id.operates() {
        may_operate(app)?;
    }
    if let Some(verb) = id.verb() {
        let subject = app.subject().ok_or_else(|| SafeText::from("no request is selected"))?;
        let Some(show) = app.data.shown(subject) else { return Ok(()) };
        return match show.allowed.iter().find(|a| a.verb == verb) {
            Some(allowed) => permits(allowed),
            None => Err("the executor does not offer this".into()),
        };
    }
    match id {
        Id::Explain | Id::Details if app.subject().is_none() => {
            Err(match app.selected_row().map(|row| row.group) {
                Some(Group::Rejected) if id == Id::Details => return Ok(()),
                Some(_) => "the record has no valid request id; Enter shows where it is wrong".into(),
                None => "no request is selected".into(),
            })
        }
        Id::Unhold if app.data.held_until().is_none() => Err("there is no hold".into()),
        Id::NextMatch | Id::PrevMatch | Id::OnlyMatches if !app.log_pane().has_search() => {
            Err("nothing is searched for; / searches".into())
        }
        Id::Problems if app.data.problems().is_empty() => Err("nothing is wrong".into()),
        _ => Ok(()),
    }
}

/// A verb is possible when the core carries it out as it stands, or once gates are overridden by name.
fn permits(allowed: &AllowedDoc) -> Result<(), SafeText> {
    if allowed.ok || !allowed.overrides.is_empty() {
        return Ok(());
    }
    Err(match (&allowed.code, allowed.why.is_empty()) {
        (Some(code), true) => safe!("{code}"),
        _ => allowed.why.clone(),
    })
}

fn may_operate(app: &App) -> Result<(), SafeText> {
    if app.options.read_only {
        return Err("this console was started with --read-only".into());
    }
    match app.data.status.value.as_ref() {
        Some(status) if !status.may_operate => {
            let who = if status.service == ServiceState::Running { "the service" } else { "the core" };
            Err(safe!("{who} lets you look, not operate: not root, nor in the operators' group"))
        }
        _ => Ok(()),
    }
}
