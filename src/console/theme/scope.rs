//! The scopes that a theme may give a style to. A name in a theme file covers all scopes that begin with it; the
//! longest name wins.

use crate::terms::{State, Verdict};

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// One kind of thing on the screen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Scope { $($(#[$doc])* $variant),* }

        impl Scope {
            /// All of them.
            pub const ALL: &'static [Scope] = &[$(Scope::$variant),*];

            /// As it stands in a theme file.
            pub const fn name(self) -> &'static str {
                match self { $(Scope::$variant => $name),* }
            }
        }
    };
}

scopes! {
    /// Ordinary text.
    Text = "ui.text",
    /// Everything behind the text.
    Background = "ui.background",
    /// Text of less weight.
    Dim = "ui.dim",
    /// What stands out without being alarming.
    Strong = "ui.strong",
    /// The first line.
    Header = "ui.header",
    /// The machine and its host.
    HeaderMachine = "ui.header.machine",
    /// Its role.
    HeaderRole = "ui.header.role",
    /// Something in order.
    HeaderOk = "ui.header.ok",
    /// Held, frozen, stopped.
    HeaderAlarm = "ui.header.alarm",
    /// Standing marks: read-only, unsigned.
    HeaderMark = "ui.header.mark",
    /// A group and its count.
    Group = "ui.group",
    /// The group of the selected row.
    GroupActive = "ui.group.active",
    /// Groups that want attention.
    GroupAlarm = "ui.group.alarm",
    /// Lines between panes.
    Rule = "ui.rule",
    /// The one of the pane that has the keys.
    RuleFocus = "ui.rule.focus",
    /// A pane's name.
    Title = "ui.title",
    /// The name of the pane that has the keys.
    TitleFocus = "ui.title.focus",
    /// Heads of columns.
    Column = "ui.column",
    /// The selected row.
    Selection = "ui.selection",
    /// The selected row of a pane that has not the keys.
    SelectionIdle = "ui.selection.idle",
    /// Old data.
    Stale = "ui.stale",
    /// The last line.
    Footer = "ui.footer",
    /// A key's name.
    Key = "ui.key",
    /// A key that does nothing now.
    KeyOff = "ui.key.off",
    /// A message that something was done.
    MessageInfo = "ui.message.info",
    /// A message that something was not done.
    MessageError = "ui.message.error",
    /// Where one types.
    Input = "ui.input",
    /// Where one types, with the keys.
    InputFocus = "ui.input.focus",
    /// A dialog's inside.
    Dialog = "ui.dialog",
    /// Its frame.
    DialogBorder = "ui.dialog.border",
    /// Its name.
    DialogTitle = "ui.dialog.title",
    /// What may do harm.
    DialogDanger = "ui.dialog.danger",
    /// A word that says in which mode a pane is.
    Mark = "ui.mark",
    /// The same where that is the ordinary one.
    MarkOk = "ui.mark.ok",
    /// What a search found.
    Match = "ui.match",
    /// Scheduled.
    StateScheduled = "state.scheduled",
    /// Offered.
    StateOffered = "state.offered",
    /// Deferred.
    StateDeferred = "state.deferred",
    /// Another attempt is due later.
    StateRetryWait = "state.retry-wait",
    /// Waiting.
    StateWaiting = "state.waiting",
    /// Queued.
    StateQueued = "state.queued",
    /// Due.
    StateDue = "state.due",
    /// Countdown.
    StateCountdown = "state.countdown",
    /// Running.
    StateRunning = "state.running",
    /// Stopping.
    StateStopping = "state.stopping",
    /// Succeeded.
    StateSucceeded = "state.succeeded",
    /// Succeeded, restart pending.
    StateSucceededRestart = "state.succeeded-restart",
    /// Failed.
    StateFailed = "state.failed",
    /// Timed out.
    StateTimedOut = "state.timed-out",
    /// Stopped.
    StateStopped = "state.stopped",
    /// Interrupted.
    StateInterrupted = "state.interrupted",
    /// Expired.
    StateExpired = "state.expired",
    /// Not applicable.
    StateNotApplicable = "state.not-applicable",
    /// Rejected.
    StateRejected = "state.rejected",
    /// A gate that passes.
    GatePass = "gate.pass",
    /// One that blocks.
    GateBlock = "gate.block",
    /// One that cannot be known.
    GateUnknown = "gate.unknown",
    /// The life bar where a request is not yet offered.
    LifeBefore = "life.before",
    /// Where it may run by choice.
    LifeOffered = "life.offered",
    /// Where it runs by itself.
    LifeMandatory = "life.mandatory",
    /// After its expiry.
    LifeExpired = "life.expired",
    /// Now.
    LifeNow = "life.now",
    /// A record's time.
    LogTime = "log.time",
    /// A record's component.
    LogComponent = "log.component",
    /// Ordinary records.
    LogInfo = "log.info",
    /// Verbose ones.
    LogVerbose = "log.verbose",
    /// Warnings.
    LogWarning = "log.warning",
    /// Errors.
    LogError = "log.error",
    /// Somebody at work.
    UserActive = "user.active",
    /// Somebody who is away.
    UserIdle = "user.idle",
}

impl Scope {
    /// The scope of a request's state.
    pub fn of_state(state: State) -> Scope {
        match state {
            State::Scheduled => Scope::StateScheduled,
            State::Offered => Scope::StateOffered,
            State::Deferred => Scope::StateDeferred,
            State::RetryWait => Scope::StateRetryWait,
            State::Waiting => Scope::StateWaiting,
            State::Queued => Scope::StateQueued,
            State::Due => Scope::StateDue,
            State::Countdown => Scope::StateCountdown,
            State::Running => Scope::StateRunning,
            State::Stopping => Scope::StateStopping,
            State::Succeeded => Scope::StateSucceeded,
            State::SucceededRestart => Scope::StateSucceededRestart,
            State::Failed => Scope::StateFailed,
            State::TimedOut => Scope::StateTimedOut,
            State::Stopped => Scope::StateStopped,
            State::Interrupted => Scope::StateInterrupted,
            State::Expired => Scope::StateExpired,
            State::NotApplicable | State::NotNeeded => Scope::StateNotApplicable,
            State::Rejected => Scope::StateRejected,
        }
    }

    /// The scope of a gate's verdict.
    pub fn of_verdict(verdict: Verdict) -> Scope {
        match verdict {
            Verdict::Pass => Scope::GatePass,
            Verdict::Block => Scope::GateBlock,
            Verdict::Unknown => Scope::GateUnknown,
        }
    }
}
