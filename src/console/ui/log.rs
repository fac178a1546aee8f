//! The log: as a pane of the overview, and as a view of its own. What is cut off says so.

use super::canvas::Canvas;
use super::glyphs::Glyphs;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::bars::BEFORE;
use crate::console::app::layout::{Pane, Spot};
use crate::console::app::logpane::{LogPane, TimeDisplay};
use crate::console::app::whole::{Looking, Stats, What};
use crate::console::app::{App, Focus, LogLine, View, words};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::log::Level;
use crate::log::codes;
use crate::log::histogram::Bucket;
use crate::safe;
use crate::text::SafeText;
use chrono::TimeDelta;
use ratatui::layout::Rect;

/// Errors and warnings by time, counted once for a width as long as nothing comes.
#[derive(Default)]
pub struct Bars {
    of: Option<(bool, u64, usize)>,
    buckets: Vec<Bucket>,
}

impl Bars {
    fn of(&mut self, app: &App) -> &[Bucket] {
        let of = Some(app.bars_of());
        if self.of != of {
            *self = Bars { of, buckets: app.bars() };
        }
        &self.buckets
    }
}

/// Draws the pane with its rule.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, bars: &mut Bars, area: Rect, focus: bool) {
    if area.height < 2 {
        return;
    }
    let focus = focus && app.overlays.is_empty();
    let pane = app.log_pane();
    canvas.layout.spot(area, Spot::Pane(Focus::Log));
    let (title, rights) = titles(app, pane, focus, area.width);
    // What is on the right is drawn whole or not at all: rather less of it.
    let fits = |right: &&Line| title.width() + right.width() + 10 <= usize::from(area.width);
    let right = rights.iter().find(fits).or(rights.last()).cloned().unwrap_or_default();
    canvas.rule(area, &title, &right, focus);
    let mut inside = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if app.view == View::Log && app.has_room_for_bars() {
        let lines = histogram(app, now, canvas.glyphs, bars);
        let used = canvas.lines(inside, &lines);
        let columns = if used > 0 { bars.buckets.len() } else { 0 };
        for n in 0..columns {
            let column = Rect { x: inside.x + BEFORE + n as u16, width: 1, height: used, ..inside };
            canvas.layout.spot(column, Spot::Bar(n));
        }
        inside = Rect { y: inside.y + used, height: inside.height - used, ..inside };
    }
    if let Some(input) = &pane.typing {
        let line = Line::of(if pane.going { "go to: " } else { "search: " }, Scope::Key)
            .add(input.before(), Scope::InputFocus)
            .add("_", Scope::InputFocus)
            .add(input.after(), Scope::InputFocus);
        let line = match &pane.bad_pattern {
            Some(why) => line.add(safe!("  {why}"), Scope::MessageError),
            None if pane.going => {
                line.add("   14:05, -2h, yesterday, a line, 50%; Enter goes there, Esc stays", Scope::Dim)
            }
            None => line.add("   Enter keeps, Esc drops", Scope::Dim),
        };
        inside.height -= 1;
        canvas.line(Rect { y: inside.bottom(), height: 1, ..inside }, &line);
    }
    if let Some(line) = chosen(app, now, bars) {
        inside.height -= 1;
        canvas.line(Rect { y: inside.bottom(), height: 1, ..inside }, &line);
    }
    let height = usize::from(inside.height);
    canvas.layout.window(Pane::Log, &(0..0), height, pane.counts().1);
    let files = pane.files().len() > 1;
    let mut lines: Vec<Line> = Vec::new();
    // From the bottom up, so that wrapped lines push the oldest out.
    for (key, record) in pane.window(height).rev() {
        let since = (pane.time == TimeDisplay::Since).then(|| pane.since_above(key)).flatten();
        let mut line = line(pane, record, files, since, now, app);
        if pane.marked() > 0 {
            // The column is there as soon as there is a mark, for all lines alike.
            line.words.insert(0, (if pane.is_marked(key) { "# " } else { "  " }.into(), Scope::Mark));
        }
        let hit = pane.hit == Some(key);
        if hit {
            for code in codes::explained(record.text.as_str(), record.component.as_str()) {
                line.push(safe!("  = {code}"), Scope::Mark);
            }
        }
        let mut parts = if pane.wrap && app.view == View::Log {
            line.wrap(usize::from(inside.width), 11)
        } else {
            vec![line]
        };
        if hit && focus {
            parts.iter_mut().for_each(|part| part.over = Some(Scope::Selection));
        }
        lines.extend(parts.into_iter().rev());
        if lines.len() >= height {
            break;
        }
    }
    lines.truncate(height);
    lines.reverse();
    if lines.is_empty() {
        canvas.line(inside, &Line::of("  ", Scope::Text).add(nothing(app), Scope::Dim));
        return;
    }
    canvas.lines(inside, &lines);
}

fn titles(app: &App, pane: &LogPane, focus: bool, width: u16) -> (Line, Vec<Line>) {
    let scope = if focus { Scope::TitleFocus } else { Scope::Title };
    let file = match pane.files().len() {
        _ if pane.whole.is_some() => pane.whole.as_ref().map(|w| w.file.clone()).unwrap_or_default(),
        0 | 1 => pane.file().cloned().unwrap_or_default(),
        n => {
            let names: Vec<_> = pane.files().map(SafeText::as_str).collect();
            let all = safe!("{}", names.join(" "));
            if all.width() < usize::from(width) / 3 { all } else { safe!("{n} files by time") }
        }
    };
    let mut title = Line::of(safe!("LOG {file}"), scope);
    if pane.whole.is_some() {
        let gone = app.known_file().is_some_and(|stats| stats.renamed);
        title.push(if gone { " WHOLE FILE, rotated away" } else { " WHOLE FILE" }, Scope::Mark);
    } else if pane.follow {
        title.push(" FOLLOW", Scope::MarkOk);
    } else {
        let new = if pane.unseen > 0 { safe!(" PAUSED +{} new", pane.unseen) } else { " PAUSED".into() };
        title.push(new, Scope::Mark);
    }
    if pane.level > Level::Verbose {
        title.push(safe!(" {}+", pane.level.word()), Scope::Mark);
    }
    match (pane.filters().terms(), pane.filters().component()) {
        ([], _) => {}
        ([_], Some(component)) => title.push(safe!(" only {component}"), Scope::Mark),
        ([one], None) => title.push(safe!(" {}", one.typed()), Scope::Mark),
        (all, _) => title.push(safe!(" {} filters", all.len()), Scope::Mark),
    }
    if let Some(said) = pane.marks_said() {
        title.push(safe!(" {said}"), Scope::Mark);
    }
    // What was found last is not what stands there, if that cannot be used.
    if let Some(search) = pane.search().filter(|_| pane.going || pane.bad_pattern.is_none()) {
        let only = if pane.only { " only" } else { "" };
        title.push(safe!(" /{}{only}", search.as_str()), Scope::Match);
        // Of matches alone the number of lines says it.
        match pane.matches() {
            _ if pane.only || pane.whole.is_some() => {}
            (all, Some(n)) => title.push(safe!(" {n} of {all}"), Scope::Mark),
            (all, None) => title.push(safe!(" {all} found"), Scope::Mark),
        }
    }
    let (errors, warnings) = app.log_faults();
    let mut right = Line::new();
    if errors > 0 {
        right.push(safe!("{}", words::count(errors, "error")), Scope::LogError);
    }
    if warnings > 0 {
        if errors > 0 {
            right.push(", ", Scope::Dim);
        }
        right.push(safe!("{}", words::count(warnings, "warning")), Scope::LogWarning);
    }
    let (all, shown) = pane.counts();
    let sep = if errors + warnings > 0 { "; " } else { "" };
    if let Some(said) = of_file(app, pane) {
        let scope = if app.looking.is_some() { Scope::Mark } else { Scope::Dim };
        let passing = app.passing().map(|(n, part)| match part {
            None => safe!("{n} pass, "),
            Some(part) => safe!("{n} pass in {part} %, "),
        });
        let alone = passing.clone().map(|passing| Line::of(passing, Scope::Mark).add(&said, scope));
        right.push(sep, Scope::Dim);
        right.words.extend(passing.map(|passing| (passing.into(), Scope::Mark)));
        right.push(&said, scope);
        return (title, [Some(right), alone, Some(Line::of(said, scope))].into_iter().flatten().collect());
    }
    // Where the rest can be had from here, by which key.
    let rest = match app.view {
        View::Log => safe!("{} shows the file whole", app.key_of(Id::WholeFile)),
        _ => "the rest is in the file".into(),
    };
    if pane.dropped() > 0 {
        right.push(safe!("{sep}newest {all} lines, {rest}"), Scope::Dim);
        return (title, vec![right]);
    }
    let newest = if pane.more().is_some() { "the newest " } else { "" };
    match pane.more() {
        Some(_) if pane.is_seeking() => {
            right.push(safe!("{sep}looking in older lines, {all} so far"), Scope::Mark)
        }
        _ if shown < all => right.push(safe!("{sep}{shown} of {newest}{all} lines"), Scope::Dim),
        Some(true) => right.push(safe!("{sep}newest {all} lines, go up for older"), Scope::Dim),
        Some(false) => right.push(safe!("{sep}newest {all} lines, {rest}"), Scope::Dim),
        None => {}
    }
    (title, vec![right])
}

/// How much of a file one looks at, and what of it is looked for.
fn of_file(app: &App, pane: &LogPane) -> Option<SafeText> {
    if app.view != View::Log {
        return None;
    }
    // What counts may be rare, and what is on the screen not yet all of it.
    let goes_on = |looking: &&Looking| looking.waited || looking.part.is_some() && pane.is_short();
    if let Some(looking) = app.looking.as_ref().filter(goes_on) {
        let part = looking.part.map(|part| format!(", {part} %")).unwrap_or_default();
        let doing = if matches!(looking.what, What::Save(_)) { "saving from" } else { "looking in" };
        return Some(safe!("{doing} {}{part}", looking.file));
    }
    // Among the newest lines may be some of a file that had the name before.
    let some = |stats: &&Stats| pane.whole.is_some() || pane.counts().0 as u64 <= stats.lines;
    let stats = app.known_file().filter(some);
    let lines = stats.map(|stats| match stats.part() {
        Some(part) if stats.stopped => {
            format!("{} lines in {part} % of it, the rest cannot be read", stats.lines)
        }
        Some(part) => format!("{} lines so far, {part} % counted", stats.lines),
        None => format!("{} lines", stats.lines),
    });
    let line = match pane.line_number() {
        Some(0) => "a line not counted yet".to_owned(),
        Some(line) => format!("line {line}"),
        // Of the newest lines it is said how many they are of all.
        None => match (pane.whole.is_some(), pane.counts()) {
            (true, _) => "no line".to_owned(),
            (false, (all, shown)) if shown < all => format!("{shown} of the newest {all}"),
            (false, (all, _)) => format!("newest {all}"),
        },
    };
    match lines {
        Some(lines) => Some(safe!("{line} of {lines}")),
        None if pane.whole.is_some() => Some(safe!("{line}")),
        None => None,
    }
}

/// Errors and warnings by time, a line each, where there are any and a stretch of time to divide.
fn histogram(app: &App, now: Wall, glyphs: &'static Glyphs, bars: &mut Bars) -> Vec<Line> {
    let zone = &app.options.zone;
    let (errors, warnings) = app.log_faults();
    let room = usize::from(app.beside_bars());
    // Without any there is nothing to be counted.
    if errors + warnings == 0 {
        return Vec::new();
    }
    let buckets = bars.of(app);
    let chosen = app.log_pane().bar.map(|at| at.min(buckets.len().saturating_sub(1)));
    let (Some(first), Some(second)) = (buckets.first(), buckets.get(1)) else { return Vec::new() };
    let step = (second.from - first.from).num_seconds().max(1);
    let last = first.from + (second.from - first.from) * i32::try_from(buckets.len()).unwrap_or(1);
    let ends = safe!("  {} to {}", words::stamp(first.from, now, zone), words::stamp(last, now, zone));
    let ends =
        if ends.width() <= room { ends } else { safe!("  from {}", words::stamp(first.from, now, zone)) };
    let of = |name: &'static str, scope: Scope, count: &dyn Fn(&Bucket) -> u32, right: SafeText| {
        let most = buckets.iter().map(count).max().unwrap_or(0).max(1);
        let mut line = Line::of(name, scope);
        let mut at = 0;
        for run in buckets.chunk_by(|a, b| count(a) == count(b)) {
            let (glyph, scope) = match count(&run[0]) {
                0 => (glyphs.dot, Scope::Dim),
                n => (glyphs.levels[(n as usize * glyphs.levels.len()).div_ceil(most as usize) - 1], scope),
            };
            // The chosen one stands out of its run.
            let before =
                chosen.and_then(|chosen| chosen.checked_sub(at)).filter(|before| *before < run.len());
            let parts = match before {
                Some(before) => [(before, scope), (1, Scope::Selection), (run.len() - before - 1, scope)],
                None => [(run.len(), scope), (0, scope), (0, scope)],
            };
            for (n, scope) in parts.into_iter().filter(|(n, _)| *n > 0) {
                line.push(safe!("{}", glyph.repeat(n)), scope);
            }
            at += run.len();
        }
        if room > 0 { line.add(right, Scope::Dim) } else { line }
    };
    vec![
        of("E  ", Scope::LogError, &|b| b.errors, ends),
        of("W  ", Scope::LogWarning, &|b| b.warnings, safe!("  {} a column", words::span(step))),
    ]
}

/// What is said of the column that is chosen.
fn chosen(app: &App, now: Wall, bars: &mut Bars) -> Option<Line> {
    let at = app.log_pane().bar?;
    let buckets = bars.of(app);
    let bar = buckets.get(at).or(buckets.last())?;
    let counts = [words::count(bar.errors as usize, "error"), words::count(bar.warnings as usize, "warning")];
    let said = safe!(
        "from {}: {}, of {}",
        words::stamp(bar.from, now, &app.options.zone),
        counts.join(", "),
        words::count(bar.total as usize, "record")
    );
    Some(Line::of(said, Scope::InputFocus))
}

fn nothing(app: &App) -> SafeText {
    let pane = app.log_pane();
    let (all, _) = pane.counts();
    let unfiltered = pane.level == Level::Verbose && pane.filters().terms().is_empty() && !pane.only;
    if pane.whole.is_some() {
        match app.looking {
            Some(_) => "looking in the file".into(),
            None if pane.misses() => {
                "not all of the file could be read, and nothing of what was is shown".into()
            }
            None => safe!("no record of the file passes the filters; {} lists them", app.key_of(Id::Filters)),
        }
    } else if all > 0 && !pane.polls && unfiltered {
        safe!("{all} lines about polls and nothing else; {} in this pane shows them", app.key_of(Id::Polls))
    } else if all > 0 {
        safe!("none of {all} lines passes the filters; {} lists them", app.key_of(Id::Filters))
    } else {
        "nothing was written yet".into()
    }
}

fn line(
    pane: &LogPane,
    record: &LogLine,
    files: bool,
    since: Option<TimeDelta>,
    now: Wall,
    app: &App,
) -> Line {
    let scope = match record.level {
        Level::Verbose => Scope::LogVerbose,
        Level::Info => Scope::LogInfo,
        Level::Warning => Scope::LogWarning,
        Level::Error => Scope::LogError,
    };
    let zone = &app.options.zone;
    let mut line = Line::new();
    let time = match (pane.time, record.time) {
        (TimeDisplay::Hidden, _) => None,
        (TimeDisplay::Since, _) => Some((9, since.map(words::after).unwrap_or_default())),
        (TimeDisplay::Clock, Some(at)) => Some((8, words::stamp(at, now, zone))),
        (TimeDisplay::Full, Some(at)) => Some((19, words::full(at, zone))),
        (TimeDisplay::Clock, None) => Some((8, String::new())),
        (TimeDisplay::Full, None) => Some((19, String::new())),
    };
    if let Some((width, time)) = time {
        let time = if record.continued { String::new() } else { time };
        line = line.cell(safe!("{time}"), width.max(time.len()), "", Scope::LogTime).add(" ", Scope::Text);
    }
    // Never colour alone.
    line.push(
        match record.level {
            Level::Error if !record.continued => "E ",
            Level::Warning if !record.continued => "W ",
            _ => "",
        },
        scope,
    );
    if files && !record.continued {
        line.push(safe!("{} ", record.file), Scope::LogComponent);
    }
    let text = if pane.shift > 0 { record.text.skip(pane.shift) } else { record.text.clone() };
    match pane.search() {
        None => line.add(text, scope),
        Some(pattern) => {
            let mut end = 0;
            for found in pattern.find_iter(text.as_str()).take(64) {
                if found.is_empty() {
                    continue;
                }
                line.push(SafeText::new(&text.as_str()[end..found.start()]), scope);
                line.push(SafeText::new(found.as_str()), Scope::Match);
                end = found.end();
            }
            line.add(SafeText::new(&text.as_str()[end..]), scope)
        }
    }
}
