//! Which commands mean something where the keys are now, and of each whether it would do something, with the core's own
//! reason if not.

use super::marks::MAX_MARKED;
use super::overlay::Overlay;
use super::state::App;
use super::view::{Focus, Level, View};
use crate::console::keymap::commands::{Command, Context, Id};
use crate::executor::talk::view::{AllowedDoc, RequestDoc, ServiceState};
use crate::safe;
use crate::terms::{Group, VerbKind};
use crate::text::SafeText;

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
        (false, View::Rollout, _) => &[Context::Rollout],
        (false, View::Readiness, _) => &[Context::Readiness],
        (false, View::Overview | View::Packages, Focus::List) => &[Context::Requests],
        (false, View::Who, _) | (false, View::Overview, Focus::Second) => &[Context::Who, Context::Other],
        _ => &[Context::Other],
    }
}

/// Where it would mean something, when it does not here.
fn elsewhere(app: &App, command: &Command) -> SafeText {
    let key = |id| app.key_of(id);
    match command.contexts {
        [Context::Log, ..] => safe!("only in a log; {} shows it", key(Id::Log)),
        [Context::Who] => safe!("only in the list of those logged on; {} shows it", key(Id::Who)),
        [Context::Requests, Context::History] => {
            "only in a list of requests, the attempts or the audit".into()
        }
        [Context::Rollout] => safe!("only in the rollout; {} shows it", key(Id::Rollout)),
        [Context::Requests, Context::Rollout] => safe!(
            "only in a list of requests or machines; {} and {} have one",
            key(Id::Overview),
            key(Id::Rollout)
        ),
        [Context::Requests] => {
            safe!("only in a list of requests; {} and {} have one", key(Id::Overview), key(Id::Packages))
        }
        _ => "not in this pane".into(),
    }
}

/// Whether a command would do something now; if not, why.
///
/// # Errors
/// The reason, in the core's own words where it is the core that would refuse.
pub fn enabled(app: &App, id: Id) -> Result<(), SafeText> {
    if !id.command().is_of(contexts_below(app)) {
        return Err(elsewhere(app, id.command()));
    }
    if let Some(answer) = app.may_afar(id, contexts_below(app) == [Context::Rollout]) {
        return answer;
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
    if contexts_below(app) == [Context::Rollout] {
        return of_site(app, id);
    }
    match id {
        Id::Explain | Id::Details | Id::Evidence if app.subject().is_none() => {
            Err(match app.selected_row().map(|row| row.group) {
                Some(Group::Rejected) if id == Id::Details => return Ok(()),
                Some(_) => safe!(
                    "the record has no valid request id; {} shows where it is wrong",
                    app.key_of(Id::Details)
                ),
                None => "no request is selected".into(),
            })
        }
        Id::Restart | Id::DeferRestart | Id::CancelRestart if app.data.restart().is_none() => {
            Err("no restart is pending".into())
        }
        Id::Notice if app.data.users().is_some_and(|users| users.is_empty()) => {
            Err("nobody is logged on".into())
        }
        Id::Unhold if app.data.held_until().is_none() => Err("there is no hold".into()),
        Id::NextMatch | Id::PrevMatch | Id::OnlyMatches if app.focus() == Focus::Log => {
            match app.log_pane().has_search() {
                true => Ok(()),
                false => Err(safe!("nothing is searched for; {} searches", app.key_of(Id::Search))),
            }
        }
        Id::NextMatch | Id::PrevMatch if !app.is_filtered() => {
            Err(safe!("nothing is filtered; {} filters", app.key_of(Id::Filter)))
        }
        Id::NextError | Id::PrevError if app.log_pane().whole.is_some() => Ok(()),
        Id::GoTo | Id::WholeFile | Id::Bars if app.view != View::Log => {
            Err(safe!("only in the log view; {} shows it", app.key_of(Id::Log)))
        }
        Id::NextError | Id::PrevError if !app.log_pane().has_fault(id == Id::NextError) => {
            Err(safe!("no error or warning {}", if id == Id::NextError { "below" } else { "above" }))
        }
        Id::Bars if !app.has_room_for_bars() => Err("the terminal is too small".into()),
        Id::Bars if !app.has_bars() => Err("no errors or warnings are here, or no time between lines".into()),
        Id::Record if app.log_pane().counts().1 == 0 => Err("no record is shown".into()),
        Id::NextMark | Id::PrevMark if app.log_pane().marked() == 0 => {
            Err(safe!("no line is marked; {} marks one", app.key_of(Id::LogMark)))
        }
        Id::Mark if app.selected_row().is_none_or(|row| row.request_id.is_none()) => {
            Err("no row with a request id is selected".into())
        }
        Id::Seen => {
            let subjects = app.subjects();
            let mut rows = subjects.iter().filter_map(|id| app.data.request(*id));
            let seen = rows.clone().find_map(|row| row.seen.as_ref());
            match (rows.any(RequestDoc::is_unseen), seen) {
                (true, _) => Ok(()),
                (false, Some(seen)) => Err(safe!("{} has seen it", seen.by)),
                (false, None) => Err("only what expired or failed can be acknowledged".into()),
            }
        }
        Id::LogAt if app.started().is_none() => Err("it has not run".into()),
        Id::Copy if !app.options.clipboard => {
            Err(safe!("this terminal has no clipboard; {} shows the text to select", app.key_of(Id::Plain)))
        }
        Id::Copy | Id::Plain if app.copied().is_empty() => Err("there is nothing to copy here".into()),
        Id::Save if !app.can_save() => Err("there is nothing to save here".into()),
        Id::Results if app.results.is_none() => Err("nothing was done to several requests yet".into()),
        Id::Louder | Id::Quieter if app.view != View::Diagnostics => {
            Err(safe!("only in the traces; {} shows them", app.key_of(Id::Diagnostics)))
        }
        Id::Problems if !app.data.has_problems() => Err("nothing is wrong".into()),
        _ => Ok(()),
    }
}

/// The same in view 5.
fn of_site(app: &App, id: Id) -> Result<(), SafeText> {
    let rollout = &app.rollout;
    match id {
        Id::Advance | Id::SuspendJob => app.may_change_job(id),
        Id::Open | Id::Reasons | Id::OnlyFailed | Id::OnlySilent if rollout.job().is_none() => {
            Err("no job is selected".into())
        }
        Id::Open if rollout.level == Level::Machine => Err("this is all there is of it".into()),
        Id::Open | Id::Mark if rollout.level == Level::Machines && rollout.machine().is_none() => {
            Err(rollout.list.gone().map_or_else(
                || "no machine is selected".into(),
                |machine| safe!("{machine}, which was selected, left the list"),
            ))
        }
        Id::Mark | Id::InvertMarks | Id::Where if rollout.level != Level::Machines => {
            Err(safe!("only in a list of machines; {} opens one", app.key_of(Id::Open)))
        }
        Id::Explain | Id::Seen | Id::LogAt => Err("only in a list of requests".into()),
        Id::Copy if !app.options.clipboard => {
            Err(safe!("this terminal has no clipboard; {} shows the text to select", app.key_of(Id::Plain)))
        }
        Id::Copy | Id::Plain if app.copied().is_empty() => Err("there is nothing to copy here".into()),
        Id::Results if app.afar.is_none() => Err("nothing was done to machines of the site yet".into()),
        Id::Problems if !app.data.has_problems() => Err("nothing is wrong".into()),
        // Nobody takes them to be of the machine that is selected.
        Id::Hold | Id::Unhold | Id::Poll | Id::Restart | Id::DeferRestart | Id::CancelRestart => {
            let host = app.data.host();
            let host = if host.is_empty() { host } else { safe!(", {host}") };
            Err(safe!("only of this machine{host}; {} shows it", app.key_of(Id::Overview)))
        }
        _ => Ok(()),
    }
}

/// Whether a command would do something now, as far as that is known before the core has been asked about the row.
pub fn matters(app: &App, id: Id) -> bool {
    let row = app.subject().and_then(|subject| app.data.request(subject));
    let unknown = row.and_then(|row| row.request_id).is_some_and(|id| app.data.shown(id).is_none());
    let fits = match (id.verb(), row) {
        (Some(verb), Some(row)) if unknown => match verb {
            VerbKind::Run | VerbKind::Defer => row.group == Group::Pending,
            VerbKind::Undefer => row.deferred_until.is_some(),
            VerbKind::Stop => row.group == Group::Running || row.queue_position.is_some(),
            VerbKind::Rerun => row.group == Group::Executed,
        },
        _ => true,
    };
    fits && enabled(app, id).is_ok()
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

/// Whether anything may be changed from here at all.
///
/// # Errors
/// Why not.
pub fn may_operate(app: &App) -> Result<(), SafeText> {
    if app.options.read_only {
        return Err("this console was started with --read-only".into());
    }
    match app.data.status.value.as_ref() {
        Some(status) if !status.may_operate => {
            let who = if status.service == ServiceState::Running { "the service" } else { "the core" };
            Err(match &status.join {
                Some(how) => safe!(
                    "{who} lets you view only: you are not in the group {}; root adds you with `{how}`, then log on \
                     again",
                    status.operators
                ),
                None => safe!("{who} lets you view only: you are neither root nor in the operators' group"),
            })
        }
        _ => Ok(()),
    }
}
