//! The one table of commands: footer, help and palette show it, and the key map reads its default keys from it. Whether
//! a command would do something now says `app::enabled`; what it does, `app::act`.

use crate::terms::VerbKind;

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
    /// The rollout is shown.
    Rollout,
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
    NextPane "next-pane" ["Tab"] "pane" "move the keys to the next pane" Moving [Everywhere] 9;
    Run "run" ["r"] "run" "run this request now" Actions [Everywhere] 9;
    Defer "defer" ["d"] "defer" "postpone it until a time" Actions [Everywhere] 9;
    Undefer "undefer" ["D"] "undefer" "end its deferral" Actions [Everywhere] 10;
    Stop "stop" ["x"] "stop" "stop its whole run, or take it out of the queue" Actions [Everywhere] 9;
    Rerun "rerun" ["R"] "rerun" "run it again after an attempt" Actions [Everywhere] 9;
    Explain "explain" ["e"] "explain" "why it has or has not run, and what would change that" Actions [Everywhere] 8;
    Details "details" ["Enter"] "open" "its gates, life, attempts and transcript" Actions [Requests Other] 8;
    Open "open" ["Enter"] "open" "what is behind this row: figures, machines, one machine" Views [Rollout] 9;
    Evidence "evidence" [] "evidence" "for a ticket: everything about this request, as one new file" Actions [Requests Rollout Other] 0;
    Hold "hold" ["h"] "hold" "no automatic runs on this machine until a time" Actions [Everywhere] 6;
    Unhold "unhold" ["H"] "unhold" "automatic runs again" Actions [Everywhere] 10;
    Restart "restart" [] "restart" "restart the machine now, if a package wants a restart" Actions [Everywhere] 0;
    DeferRestart "defer-restart" [] "defer restart" "postpone the restart that a package wants until a time" Actions [Everywhere] 0;
    CancelRestart "cancel-restart" [] "cancel restart" "cancel the restart that pcm has announced; the restart stays pending" Actions [Everywhere] 0;
    Check "check" ["c"] "check again" "go through the readiness checklist again" Actions [Readiness] 9;
    Notice "notice" ["T"] "notice" "send a message to everybody who is logged on" Actions [Who] 9;
    Poll "poll" ["p"] "poll" "look at the share now" Actions [Everywhere] 4;
    Reasons "reasons" ["b"] "reasons" "what holds the machines of the job up" Lists [Rollout] 8;
    OnlyFailed "failed" ["o"] "failed" "the machines on which the job failed" Lists [Rollout] 7;
    OnlySilent "silent" ["i"] "silent" "the machines of the job that say nothing" Lists [Rollout] 7;
    Advance "advance" ["A"] "advance" "let the job reach its next machines, where its gate lets it" Actions [Rollout] 6;
    SendAgain "send-again" ["S"] "send again" "send the job once more, to the marked machines or the selected one" Actions [Rollout] 0;
    SuspendJob "suspend-job" ["P"] "suspend" "suspend the job: nothing of it starts on a machine from its next poll on" Actions [Rollout] 6;
    Filter "filter" ["/"] "filter" "show only rows with these words (!words: only rows without them)" Lists [Requests History] 7;
    Where "where" ["/"] "where" "show only machines for which this holds, as with `pcm rollout --where`" Lists [Rollout] 7;
    Sort "sort" ["s"] "sort" "cycle the sort order" Lists [Requests Rollout] 0;
    Mark "mark" ["Space"] "mark" "mark or unmark this row; actions apply to all marked rows" Lists [Requests Rollout] 2;
    InvertMarks "invert-marks" ["*"] "invert marks" "mark the unmarked rows and unmark the marked ones" Lists [Requests Rollout] 0;
    Seen "seen" ["v"] "acknowledge" "expired or failed: you have seen it; only the packages view keeps it" Lists [Requests] 0;
    Search "search" ["/"] "search" "search the log for a regular expression" Logs [Log] 9;
    NextMatch "next-match" ["n"] "next" "the next match of a search, or row of a filter" Logs [Log Requests History] 5;
    PrevMatch "previous-match" ["N"] "previous" "the previous match, or row" Logs [Log Requests History] 0;
    OnlyMatches "only-matches" ["&"] "only matches" "show only matching lines" Logs [Log] 7;
    Follow "follow" ["f"] "follow" "follow new lines, or stay here" Logs [Log] 8;
    NextError "next-error" [">"] "error" "the next error or warning" Logs [Log] 6;
    PrevError "previous-error" ["<"] "error" "the previous error or warning" Logs [Log] 4;
    Level "level" ["l"] "level" "cycle the minimum level" Logs [Log] 5;
    Filters "filters" ["="] "filters" "list the filters of the log, add one or take one away: text, component, thread, request, level" Logs [Log] 0;
    Component "component" ["c"] "component" "cycle through components, then all" Logs [Log] 1;
    Polls "polls" ["i"] "polls" "show or hide lines that only say that a poll was made" Logs [Log] 1;
    GoTo "go-to" ["@"] "go to" "go to a time, a line or a part of the file: 14:05, -2h, yesterday, 1200, 50%" Logs [Log] 0;
    Bars "bars" ["b"] "bars" "choose a stretch of time among the bars above the log, and go to it" Logs [Log] 0;
    WholeFile "whole-file" ["o"] "whole file" "show the file of this line alone and whole, or the newest lines again" Logs [Log] 0;
    LogMark "log-mark" ["m"] "mark" "mark or unmark this line" Logs [Log] 3;
    NextMark "next-mark" ["u"] "next mark" "the next marked line" Logs [Log] 0;
    PrevMark "previous-mark" ["U"] "previous mark" "the previous marked line" Logs [Log] 0;
    Record "record" ["Enter"] "record" "this record in full, and what the codes in it mean" Logs [Log] 0;
    Wrap "wrap" ["z"] "wrap" "wrap or cut long lines" Logs [Log] 3;
    TimeDisplay "time" ["t"] "time" "show the time, with the date, the time since the line above, or none" Logs [Log] 2;
    Save "save" ["S"] "save" "save this text to a new file" Logs [Log Other] 4;
    Louder "more-traces" ["+"] "more" "collect one more level of traces of the selected module" Logs [Other] 0;
    Quieter "fewer-traces" ["-"] "fewer" "collect one level fewer of traces of the selected module" Logs [Other] 0;
    Down "down" ["j" "Down"] "down" "one row down" Moving [Everywhere] 0;
    Up "up" ["k" "Up"] "up" "one row up" Moving [Everywhere] 0;
    PageDown "page-down" ["PgDn" "Ctrl-f"] "page down" "a page down" Moving [Everywhere] 0;
    PageUp "page-up" ["PgUp" "Ctrl-b"] "page up" "a page up" Moving [Everywhere] 0;
    HalfDown "half-down" ["Ctrl-d"] "half down" "half a page down" Moving [Everywhere] 0;
    HalfUp "half-up" ["Ctrl-u"] "half up" "half a page up" Moving [Everywhere] 0;
    Top "top" ["g" "Home"] "top" "to the first row" Moving [Everywhere] 0;
    Bottom "bottom" ["G" "End"] "bottom" "to the last row; a log then follows again" Moving [Everywhere] 0;
    Left "left" ["Left"] "left" "scroll long lines to the left" Moving [Everywhere] 0;
    Right "right" ["Right"] "right" "scroll long lines to the right" Moving [Everywhere] 0;
    Week "week" ["t"] "week" "the week ahead: when each request runs, if only time changes" Views [Requests Other] 8;
    LogAt "log-of-run" ["l"] "log of its run" "the log at the moment its newest run started" Views [Requests Other] 0;
    MachineConsole "machine-console" ["c"] "console" "the console of the selected machine, through ssh" Views [Rollout] 7;
    MachineLog "machine-log" ["l"] "log" "the logs of the marked machines, or the selected one, merged by time, through ssh" Views [Rollout] 7;
    PrevPane "previous-pane" ["Shift-Tab"] "pane" "move the keys to the previous pane" Moving [Everywhere] 0;
    Back "back" ["Esc"] "back" "one step back; never quits" Moving [Everywhere] 0;
    Overview "overview" ["1"] "overview" "everything at a glance" Views [Everywhere] 0;
    Packages "packages" ["2"] "packages" "all requests by group" Views [Everywhere] 0;
    Log "log" ["3"] "log" "the log files, merged by time" Views [Everywhere] 0;
    Who "who" ["4"] "logged on" "who is logged on" Views [Everywhere] 0;
    Rollout "rollout" ["5"] "rollout" "how far the jobs of the site are, and what holds them up" Views [Everywhere] 0;
    History "history" ["6"] "history" "attempts and audit" Views [Everywhere] 0;
    Readiness "readiness" ["7"] "readiness" "the checklist: is this machine ready" Views [Everywhere] 0;
    Diagnostics "diagnostics" ["8"] "diagnostics" "the traces of pcm itself" Views [Everywhere] 0;
    Problems "problems" ["w"] "problems" "every problem of share, instructions, history and configuration" Console [Everywhere] 0;
    Palette "commands" [":"] "all" "every command by name" Console [Everywhere] 9;
    Help "help" ["?" "F1"] "help" "the keys of this view, and why some commands are disabled" Console [Everywhere] 10;
    Copy "copy" ["y"] "copy" "copy the marked rows, or the selected one, to the terminal's clipboard (OSC 52)" Console [Everywhere] 0;
    Plain "plain" ["Y"] "plain" "show the same text without the console, to select it by hand; any key returns" Console [Everywhere] 0;
    Mouse "mouse" ["M"] "mouse" "use the mouse here, or leave it to the terminal for selecting text" Console [Everywhere] 0;
    Results "results" [] "results" "the results of the newest action on several requests" Console [Everywhere] 0;
    KeyFile "key-file" [] "key file" "save all keys as a file for `[console] keymap`" Console [Everywhere] 0;
    Refresh "refresh" ["F5"] "refresh" "ask for everything on the screen anew, and draw it" Console [Everywhere] 0;
    Redraw "redraw" ["Ctrl-l"] "redraw" "draw the screen anew" Console [Everywhere] 0;
    Suspend "suspend" ["Ctrl-z"] "suspend" "back to the shell for a while; fg returns" Console [Everywhere] 0;
    Quit "quit" ["q"] "quit" "close the topmost layer, else leave (exit); packages go on running" Console [Everywhere] 9;
    Interrupt "interrupt" ["Ctrl-c"] "cancel" "cancel an input, else quit" Console [Everywhere] 0;
}

impl Id {
    /// Its row of the table.
    pub fn command(self) -> &'static Command {
        &COMMANDS[self as usize]
    }

    /// Whether it changes something on the machine.
    pub fn operates(self) -> bool {
        self.verb().is_some()
            || matches!(
                self,
                Id::Hold
                    | Id::Unhold
                    | Id::Poll
                    | Id::Seen
                    | Id::Restart
                    | Id::DeferRestart
                    | Id::CancelRestart
                    | Id::Notice
            )
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

impl Command {
    /// Whether it means something in one of these contexts.
    pub fn is_of(&self, here: &[Context]) -> bool {
        self.contexts.iter().any(|c| *c == Context::Everywhere || here.contains(c))
    }
}
