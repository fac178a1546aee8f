//! The one table of commands: footer, help and palette show it, the keymap reads its default keys from it, and
//! [`enabled`] says of each whether it would do something now, with the core's own reason if not.

use super::marks::MAX_MARKED;
use super::overlay::Overlay;
use super::{App, Focus, View};
use crate::executor::talk::view::{AllowedDoc, ServiceState};
use crate::safe;
use crate::terms::{Group, VerbKind};
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
    /// The checklist has the keys.
    Readiness,
    /// Those who are logged on have the keys.
    Who,
    /// The attempts or the audit have the keys.
    History,
    /// Any other pane.
    Other,
}

/// A command's kind, as help groups them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What is done to a request or the machine.
    Actions,
    /// Screens.
    Views,
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
    pub const ALL: [Section; 6] =
        [Section::Actions, Section::Views, Section::Lists, Section::Logs, Section::Console, Section::Moving];

    /// As help shows it.
    pub fn title(self) -> &'static str {
        match self {
            Section::Actions => "Actions",
            Section::Views => "Views",
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
    Restart "restart" [] "restart" "restart the machine now, where a package wants that" Actions [Everywhere] 0;
    CancelRestart "cancel-restart" [] "cancel restart" "pcm does not restart the machine by itself; it stays pending" Actions [Everywhere] 0;
    Check "check" ["c"] "check again" "go through the readiness checklist again" Actions [Readiness] 9;
    Notice "notice" ["T"] "tell them" "tell everybody who is logged on something, on their terminals" Actions [Who] 9;
    Poll "poll" ["p"] "poll" "read the instruction file now" Actions [Everywhere] 6;
    Filter "filter" ["/"] "find" "show only rows with these words (!words: only rows without)" Lists [Requests History] 6;
    Sort "sort" ["s"] "sort" "by the next order: as published, by state, by name, by time" Lists [Requests] 0;
    Mark "mark" ["Space"] "mark" "mark this row, or not; actions are for all marked rows" Lists [Requests] 2;
    InvertMarks "invert-marks" ["*"] "invert marks" "mark what is not marked, and the reverse" Lists [Requests] 0;
    Seen "seen" ["v"] "seen" "expired and failed: seen, the overview lets them go; view 2 keeps them" Lists [Requests] 0;
    Search "search" ["/"] "find" "search the log, a regular expression" Logs [Log] 9;
    NextMatch "next-match" ["n"] "next" "the next match" Logs [Log] 5;
    PrevMatch "previous-match" ["N"] "previous" "the match before" Logs [Log] 0;
    OnlyMatches "only-matches" ["&"] "only matches" "show only what the search finds" Logs [Log] 7;
    Follow "follow" ["f"] "follow" "follow the log, or stay where you are" Logs [Log] 8;
    NextError "next-error" [">"] "next error" "the next error or warning" Logs [Log] 6;
    PrevError "previous-error" ["<"] "previous error" "the error or warning before" Logs [Log] 4;
    Level "level" ["l"] "level" "the least level that is shown" Logs [Log] 5;
    Component "component" ["c"] "component" "only what the next component wrote, at last all again" Logs [Log] 1;
    LogMark "log-mark" ["m"] "mark" "mark this line, or not" Logs [Log] 3;
    NextMark "next-mark" ["u"] "next mark" "the next marked line" Logs [Log] 0;
    PrevMark "previous-mark" ["U"] "previous mark" "the marked line before" Logs [Log] 0;
    Wrap "wrap" ["z"] "wrap" "wrap long lines, or cut them" Logs [Log] 3;
    TimeDisplay "time" ["t"] "time" "time with or without the date, or none" Logs [Log] 2;
    Save "save" ["S"] "save" "save what is shown to a file; never over one that exists" Logs [Log Other] 4;
    Louder "more-traces" ["+"] "more" "collect one level more of the chosen module (view 8)" Logs [Other] 0;
    Quieter "fewer-traces" ["-"] "fewer" "collect one level less of the chosen module (view 8)" Logs [Other] 0;
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
    Week "week" ["t"] "timeline" "what runs when in the week to come, if nothing but time changes" Views [Requests Other] 0;
    LogAt "log-of-run" ["l"] "log of its run" "the log at the moment its newest run started; Esc comes back" Views [Requests Other] 0;
    PrevPane "previous-pane" ["Shift-Tab"] "pane" "the pane before has the keys" Moving [Everywhere] 0;
    Back "back" ["Esc"] "back" "one step back; never quits" Moving [Everywhere] 0;
    Overview "overview" ["1"] "overview" "view 1: everything at a glance" Views [Everywhere] 0;
    Packages "packages" ["2"] "packages" "view 2: all requests by group" Views [Everywhere] 0;
    Log "log" ["3"] "log" "view 3: the log" Views [Everywhere] 0;
    Who "who" ["4"] "logged on" "view 4: who is logged on" Views [Everywhere] 0;
    History "history" ["6"] "history" "view 6: attempts and audit" Views [Everywhere] 0;
    Readiness "readiness" ["7"] "readiness" "view 7: is this machine ready, item by item" Views [Everywhere] 0;
    Diagnostics "diagnostics" ["8"] "diagnostics" "view 8: pcm's own traces" Views [Everywhere] 0;
    Problems "problems" ["w"] "what is wrong" "every problem of share, instructions, history and configuration" Console [Everywhere] 0;
    Palette "palette" [":"] "all" "every command by name" Console [Everywhere] 5;
    Help "help" ["?"] "help" "the keys of this view, and why some do nothing now" Console [Everywhere] 10;
    Copy "copy" ["y"] "copy" "to the terminal's clipboard (OSC 52): what is marked, else selected" Console [Everywhere] 0;
    Plain "plain" ["Y"] "plain" "the same on the bare terminal, to select by hand; any key comes back" Console [Everywhere] 0;
    Mouse "mouse" ["M"] "mouse" "click and wheel, or the terminal's own selecting" Console [Everywhere] 0;
    Results "results" [] "results" "what became of the newest action on several requests" Console [Everywhere] 0;
    KeyFile "key-file" [] "key file" "save all keys as a file for `[console] keymap`, to be changed there" Console [Everywhere] 0;
    Redraw "redraw" ["Ctrl-l"] "redraw" "draw the screen anew" Console [Everywhere] 0;
    Suspend "suspend" ["Ctrl-z"] "suspend" "back to the shell for a while; fg returns" Console [Everywhere] 0;
    Quit "quit" ["q"] "quit" "close what is open, else leave (exit); packages go on running" Console [Everywhere] 1;
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
            Id::Readiness => View::Readiness,
            Id::Diagnostics => View::Diagnostics,
            _ => return None,
        })
    }

    /// Whether it changes something on the machine.
    pub fn operates(self) -> bool {
        self.verb().is_some()
            || matches!(self, Id::Hold | Id::Unhold | Id::Poll | Id::Restart | Id::CancelRestart | Id::Notice)
    }

    /// The core's word for it, where it is something done to a request.
    pub fn verb(self) -> Option<VerbKind> {
        Some(match self {
            Id::Run => VerbKind::Run,
            Id::Rerun => VerbKind::Rerun,
            Id::Defer => VerbKind::Defer,
            Id::Undefer => VerbKind::Undefer,
            Id::Stop => VerbKind::Stop,
            _ => return None,
        })
    }
}

/// The contexts in which keys are read now.
pub fn contexts(app: &App) -> &'static [Context] {
    if app.overlays.is_empty() { contexts_below(app) } else { &[Context::Other] }
}

/// The same as if help and palette, which only tell of them, were not there.
pub fn contexts_below(app: &App) -> &'static [Context] {
    let covered = app.overlays.iter().any(|layer| !matches!(layer, Overlay::Help(_) | Overlay::Palette(_)));
    match (covered, app.view, app.focus()) {
        (true, ..) => &[Context::Other],
        (false, _, Focus::Log) => &[Context::Log],
        (false, View::History, _) => &[Context::History, Context::Other],
        (false, View::Readiness, _) => &[Context::Readiness],
        (false, View::Overview | View::Packages, Focus::List) => &[Context::Requests],
        (false, View::Who, _) | (false, View::Overview, Focus::Second) => &[Context::Who, Context::Other],
        _ => &[Context::Other],
    }
}

impl Command {
    /// Whether it means something in one of these contexts.
    pub fn is_of(&self, here: &[Context]) -> bool {
        self.contexts.iter().any(|c| *c == Context::Everywhere || here.contains(c))
    }

    /// Where it would mean something, when it does not here.
    fn elsewhere(&self) -> &'static str {
        match self.contexts {
            [Context::Log, ..] => "only in a log; 3 shows it",
            [Context::Who] => "only where those who are logged on have the keys; 4 shows them",
            [Context::Requests, Context::History] => "only in a list of requests, the attempts or the audit",
            [Context::Requests] => "only in a list of requests; 1 and 2 have one",
            _ => "not in this pane",
        }
    }
}

/// Whether a command would do something now; if not, why.
///
/// # Errors
/// The reason, in the core's own words where it is the core that would refuse.
pub fn enabled(app: &App, id: Id) -> Result<(), SafeText> {
    if !id.command().is_of(contexts_below(app)) {
        return Err(id.command().elsewhere().into());
    }
    if id.operates() {
        may_operate(app)?;
    }
    if let Some(verb) = id.verb() {
        // Of several rows each is told of in the confirmation.
        match app.subjects()[..] {
            [_, _, ..] if app.subjects().len() > MAX_MARKED => {
                return Err(safe!("more than {MAX_MARKED} rows are marked; fewer at once"));
            }
            [_, _, ..] => return Ok(()),
            _ => {}
        }
        let subject =
            app.subjects().first().copied().ok_or_else(|| SafeText::from("no request is selected"))?;
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
        Id::Restart | Id::CancelRestart if app.data.restart().is_none() => {
            Err("no restart is pending".into())
        }
        Id::Notice if app.data.users().is_some_and(|users| users.is_empty()) => {
            Err("nobody is logged on".into())
        }
        Id::Unhold if app.data.held_until().is_none() => Err("there is no hold".into()),
        Id::NextMatch | Id::PrevMatch | Id::OnlyMatches if !app.log_pane().has_search() => {
            Err("nothing is searched for; / searches".into())
        }
        Id::NextMark | Id::PrevMark if app.log_pane().marked() == 0 => {
            Err("no line is marked; m marks one".into())
        }
        Id::Mark if app.selected_row().is_none_or(|row| row.request_id.is_none()) => {
            Err("no row with a request id is selected".into())
        }
        Id::Seen => {
            let mut rows = app.subjects().into_iter().filter_map(|id| app.data.request(id));
            match rows.any(|row| app.data.seen_key(row).is_some()) {
                true => Ok(()),
                false => Err("only what expired or failed is there to be seen".into()),
            }
        }
        Id::LogAt if app.started().is_none() => Err("it has not run".into()),
        Id::Copy if !app.options.clipboard => {
            Err("this terminal has no clipboard; Y shows it to be selected".into())
        }
        Id::Copy | Id::Plain if app.copied().is_empty() => Err("there is nothing to copy here".into()),
        Id::Save if !app.can_save() => Err("there is nothing to save here".into()),
        Id::Results if app.results.is_none() => Err("nothing was done to several requests yet".into()),
        Id::Louder | Id::Quieter if app.view != View::Diagnostics => Err("only in view 8".into()),
        Id::Problems if !app.data.has_problems() => Err("nothing is wrong".into()),
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
