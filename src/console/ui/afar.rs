//! Machines of the site: the question before something is done to them, and what became of it on each.

use super::asking::{self, HEAD, fact, question, typed};
use super::canvas::{Canvas, centred, dialog_width};
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::afar::{Afar, Asked, Deed, Fate, Kind, Row};
use crate::console::app::dialog::{AfarAsk, AfarField};
use crate::console::app::layout::Pane;
use crate::console::app::{App, until, words};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::rollout::words::grouped;
use crate::safe;
use crate::text::{SafeText, gathered};
use ratatui::layout::Rect;

/// So many lines names of hosts take at most.
const NAMES: usize = 3;
/// From this width on a row has all of what it says.
const ROOMY: usize = 56;

/// Names of hosts, in as few words as they can be told.
fn hosts<'a>(of: impl Iterator<Item = &'a SafeText>) -> SafeText {
    SafeText::new(&gathered(of.map(SafeText::as_str)).join(", "))
}

/// At most so many lines; the last one says how that goes on.
fn at_most(mut lines: Vec<Line>, most: usize, width: usize, cut: &'static str) -> Vec<Line> {
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.pop() {
            let end = Line::of(cut, Scope::Dim).add(" and more", Scope::Dim);
            let room = width.saturating_sub(end.width());
            let mut kept = last.wrap(room, 0);
            kept.truncate(1);
            lines.extend(kept.pop().map(|kept| kept.join(end)));
        }
    }
    lines
}

/// Draws the question.
pub fn ask(app: &App, ask: &AfarAsk, now: Wall, canvas: &mut Canvas, area: Rect) {
    let width = dialog_width(area, 76);
    let inner = usize::from(width).saturating_sub(4);
    let fact = |name: &'static str, line: Line| fact(name, line, inner);
    let zone = app.options.of_site();
    let many = ask.machines.len();
    let counted = safe!("{} {}", grouped(many as u64), if many == 1 { "machine" } else { "machines" });
    let what = match (ask.deed, ask.deed.is_of_request()) {
        (Deed::SendAgain, _) => safe!("SEND {} AGAIN", ask.job),
        (deed, true) => safe!("{} {}", deed.word().to_uppercase(), ask.request),
        (deed, false) => safe!("{}", deed.word().to_uppercase()),
    };
    let title = Line::of(what, Scope::DialogTitle)
        .add(safe!(" on {counted} at "), Scope::DialogBorder)
        .add(safe!("{} {}", ask.site, ask.name.fit_ascii(20)), Scope::HeaderMachine);
    let mut lines = Vec::new();
    if ask.deed.is_of_request() {
        lines.extend(fact("package", Line::of(&ask.package, Scope::Strong)));
    }
    lines.extend(fact("does", Line::of(does(ask.deed), Scope::Text)));
    let names = hosts(ask.machines.iter().map(|(_, host)| host));
    let names = Line::of(safe!("{counted}: "), Scope::DialogDanger).add(names, Scope::Strong);
    lines.extend(at_most(fact("on", names), NAMES, inner, canvas.glyphs.cut));
    let states: Vec<String> = ask.states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    if ask.deed.is_of_request() && !states.is_empty() {
        lines.extend(fact("they say", Line::of(SafeText::new(&states.join(", ")), Scope::Text)));
    }
    if !ask.nameless.is_empty() {
        let ids: Vec<String> = ask.nameless.iter().map(ToString::to_string).collect();
        let said = safe!(
            "{} without a host name: {}; name each with pcm site machine add SMSID --host NAME",
            ids.len(),
            gathered(ids.iter().map(String::as_str)).join(", ")
        );
        let said = fact("not asked", Line::of(said, Scope::MessageError));
        lines.extend(at_most(said, NAMES, inner, canvas.glyphs.cut));
    }
    let account = if ask.deed.is_there() { "; over there as the account of ssh" } else { "" };
    lines.extend(fact("as", Line::of(&app.options.account, Scope::Text).add(account, Scope::Text)));
    lines.push(Line::new());
    for field in ask.fields() {
        let focus = ask.focus == field;
        match field {
            AfarField::Number => lines.push(typed("number", &ask.number, focus, inner)),
            AfarField::Folder => {
                lines.push(typed("folder", &ask.folder, focus, inner));
                let on = app.data.host();
                let on = if on.is_empty() { on } else { safe!("on {on}; ") };
                let said = safe!("{on}made where it is not there; no file in it is replaced");
                lines.extend(Line::new().pad_to(HEAD).add(said, Scope::Dim).wrap(inner, HEAD));
            }
            AfarField::Until => {
                lines.push(typed("until", &ask.until, focus, inner));
                let read = match until::parse(ask.until.text(), now, zone) {
                    Ok(at) => {
                        let when = words::when_and_far(at, now, zone);
                        Line::of(safe!("= {when} {}", words::offset(at, zone)), Scope::MessageInfo)
                    }
                    Err(_) => Line::of(safe!("e.g. {}", until::hint(now, zone)), Scope::Dim),
                };
                lines.extend(Line::new().pad_to(HEAD).join(read).wrap(inner, HEAD).into_iter().take(1));
            }
            AfarField::Reason => lines.push(typed("reason", &ask.reason, focus, inner)),
            AfarField::Question => {
                lines.push(Line::new());
                lines.extend(question(focus).wrap(inner, 2));
            }
        }
    }
    asking::draw(canvas, area, (width, &title), lines, (ask.complaint, ask.obstacle(now, zone)));
}

fn does(deed: Deed) -> &'static str {
    match deed {
        Deed::Run => "runs it now on each, through ssh; where a gate is closed the machine refuses",
        Deed::Defer => "postpones it on each until a time, through ssh",
        Deed::Undefer => "ends its deferral on each, through ssh",
        Deed::Hold => "nothing starts by itself on each until a time, through ssh; what runs goes on",
        Deed::Unhold => "ends the hold of each, through ssh: packages start by themselves again",
        Deed::Evidence => {
            "makes a file here of everything about it on each, through ssh; changes nothing there"
        }
        Deed::SendAgain => {
            "publishes a new job for these alone, with a new request id: it may run there once more"
        }
    }
}

/// How what became of it looks.
fn scope(kind: Kind) -> Scope {
    match kind {
        Kind::Unknown | Kind::Unreached | Kind::Failed | Kind::Refused => Scope::MessageError,
        Kind::Asked | Kind::Waits => Scope::Dim,
        Kind::Dropped => Scope::Mark,
        Kind::Done => Scope::GatePass,
    }
}

/// Draws what became of it, equal answers together, the worst first; below them the selected one in full.
pub fn answers(app: &App, canvas: &mut Canvas, body: Rect) {
    let Some(afar) = &app.afar else { return };
    let width = dialog_width(body, 110);
    let rows = afar.rows();
    let at = afar.at(&rows);
    let inner = usize::from(width).saturating_sub(4);
    let mut below = rows.get(at).map_or_else(Vec::new, |row| whole(afar, row, inner));
    let room = usize::from(body.height).saturating_sub(2);
    let mut head = Line::of(afar.summary(), Scope::Strong).wrap(inner, 2);
    head.truncate(3);
    // The list gets half of the room at least.
    let most = (room.saturating_sub(head.len()) / 2).saturating_sub(1).clamp(1, 6);
    below = at_most(below, most, inner, canvas.glyphs.cut);
    let height = (head.len() + rows.len().max(1) + 1 + below.len()).min(room);
    let dialog = centred(body, width, height as u16 + 2);
    let stopped = if afar.stopped { ", CANCELLED" } else { "" };
    let name =
        safe!("{} ON {} MACHINES{stopped}", afar.title().as_str().to_uppercase(), grouped(afar.len() as u64));
    let inside = canvas.frame(dialog, &Line::of(name, Scope::DialogTitle));
    let taken = canvas.lines(inside, &head);
    let foot = (below.len() as u16 + 1).min(inside.height.saturating_sub(taken));
    let list = Rect { y: inside.y + taken, height: inside.height - taken - foot, ..inside };
    let window = afar.window(&rows, usize::from(list.height));
    let layer = canvas.layer;
    canvas.layout.window(Pane::Layer(layer), &window, usize::from(list.height), rows.len());
    let digits = grouped(afar.len() as u64).len();
    for (y, n) in (list.y..).zip(window) {
        let Some(row) = rows.get(n) else { break };
        let mut line = listed(afar, row, (inner, digits), if n == at { ">" } else { " " }, canvas.glyphs.cut);
        if n == at {
            line.over = Some(Scope::Selection);
        }
        canvas.line(Rect { y, height: 1, ..list }, &line);
    }
    let rest =
        Rect { y: list.bottom() + 1, height: inside.bottom().saturating_sub(list.bottom() + 1), ..inside };
    canvas.lines(rest, &below);
}

/// A row, in one line.
fn listed(
    afar: &Afar,
    row: &Row,
    (width, digits): (usize, usize),
    lead: &'static str,
    cut: &'static str,
) -> Line {
    let line = Line::of(lead, Scope::Text).add(" ", Scope::Text);
    match row {
        Row::Fate(fate) => {
            let n = afar.members(fate).count();
            let line = line.add(safe!("{:>digits$}  ", grouped(n as u64)), Scope::Text);
            let line = line.column(fate.kind.words(), 17, "", scope(fate.kind));
            if width < ROOMY {
                return line;
            }
            let names = hosts(afar.members(fate).map(|asked| &asked.host)).fit_ascii(width / 2);
            let line = line.add(safe!("{names}: "), Scope::Strong);
            let room = width.saturating_sub(line.width());
            line.cell(fate.words.clone(), room, cut, Scope::Text)
        }
        Row::Machine(at) => {
            let Some(Asked { machine, host, fate }) = afar.machine(*at) else { return line };
            let line = line.add(safe!("{:digits$}  {machine} ", ""), Scope::Text);
            let line = line.add(host.fit_ascii(width / 2), Scope::Strong);
            let room = width.saturating_sub(line.width());
            line.cell(safe!(": {}", fate.words), room, cut, Scope::Text)
        }
    }
}

/// The same in full.
fn whole(afar: &Afar, row: &Row, width: usize) -> Vec<Line> {
    let told = |fate: &Fate, names: SafeText| {
        Line::of(safe!("{names}: "), Scope::Strong)
            .add(safe!("{}: ", fate.kind.words()), scope(fate.kind))
            .add(fate.words.clone(), Scope::Text)
            .wrap(width, 2)
    };
    match row {
        Row::Fate(fate) => told(fate, hosts(afar.members(fate).map(|asked| &asked.host))),
        Row::Machine(at) => afar
            .machine(*at)
            .map_or_else(Vec::new, |asked| told(&asked.fate, safe!("{} {}", asked.machine, asked.host))),
    }
}

/// The keys that mean something over the answers.
pub fn keys(app: &App, afar: &Afar) -> Line {
    let key = |id| app.key_of(id);
    let mut line = Line::of("  ", Scope::Footer);
    let waits = afar.of(Kind::Waits);
    if waits > 0 {
        line.push(
            safe!("{} cancels the {} not asked yet  ", key(Id::Stop), grouped(waits as u64)),
            Scope::Footer,
        );
    }
    line.add(
        safe!("{} opens  {} copies  {} closes", key(Id::Details), key(Id::Copy), key(Id::Back)),
        Scope::Footer,
    )
}
