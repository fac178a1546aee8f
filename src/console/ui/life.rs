//! A request's life as a bar: before it is offered, offered, mandatory, expired, and where now is. The parts are equally
//! long whatever their time, because a month and a minute have to be told apart on forty columns; now stands in its part
//! in proportion.

use super::glyphs::Glyphs;
use super::line::Line;
use crate::clock::{Wall, Zone};
use crate::console::app::words;
use crate::console::theme::Scope;
use crate::executor::talk::view::RequestDoc;
use crate::safe;

/// Bar, names and times, at most so wide.
pub fn lines(row: &RequestDoc, now: Wall, zone: &Zone, glyphs: &'static Glyphs, width: usize) -> Vec<Line> {
    let mut ticks: Vec<(&'static str, Wall)> = Vec::new();
    for (name, at) in
        [("offered", row.offer_after), ("mandatory", row.mandatory_after), ("expires", row.expire_after)]
    {
        if let Some(at) = at {
            ticks.push((name, at));
        }
    }
    if ticks.is_empty() || width < 24 {
        return Vec::new();
    }
    let width = width.min(72);
    // A short piece before the first tick and after the last; the rest in equal parts.
    let lead = width / 8;
    let open_end = row.expire_after.is_none();
    let spans = ticks.len() - 1 + usize::from(open_end);
    let part = (width - 2 * lead).checked_div(spans).unwrap_or(0);
    let at_tick = |n: usize| lead + n * part;
    let now_at = position(&ticks, now, at_tick, lead, width);

    let mut bar = Line::new();
    for x in 0..width {
        let passed = ticks
            .iter()
            .enumerate()
            .filter(|(n, _)| at_tick(*n) <= x)
            .map(|(_, (name, _))| *name)
            .next_back();
        let (glyph, scope) = match passed {
            None => (glyphs.life[0], Scope::LifeBefore),
            Some("offered") => (glyphs.life[1], Scope::LifeOffered),
            Some("mandatory") => (glyphs.life[2], Scope::LifeMandatory),
            Some(_) => (glyphs.life[3], Scope::LifeExpired),
        };
        if x == now_at {
            bar.push(glyphs.now, Scope::LifeNow);
        } else if ticks.iter().enumerate().any(|(n, _)| at_tick(n) == x) {
            bar.push("|", scope);
        } else {
            bar.push(glyph, scope);
        }
    }
    let mut labels: Vec<(usize, &'static str, String)> = ticks
        .iter()
        .enumerate()
        .map(|(n, (name, at))| (at_tick(n), *name, words::when(*at, now, zone)))
        .collect();
    labels.push((now_at, "now", words::clock(now, zone)));
    labels.sort_by_key(|(at, name, _)| (*at, *name == "now"));
    let (mut names, mut times) = (Line::new(), Line::new());
    let total: usize = labels.iter().map(|(_, name, time)| name.len().max(time.len()) + 1).sum();
    if total > width {
        labels.retain(|(_, name, _)| *name != "now");
    }
    let mut rest: usize = labels.iter().map(|(_, name, time)| name.len().max(time.len()) + 1).sum();
    let mut end = 0;
    for (n, (at, name, time)) in labels.into_iter().enumerate() {
        let length = name.len().max(time.len());
        let least = if n == 0 { 0 } else { end + 1 };
        // Under its tick, but not over its neighbour and not so far right that others find no room.
        let start = at
            .saturating_sub(length / 2)
            .max(least)
            .min(width.saturating_sub(rest.saturating_sub(1)).max(least));
        rest -= length + 1;
        let scope = if name == "now" { Scope::LifeNow } else { Scope::Dim };
        names = names.pad_to(start).cell(name, length, "", scope);
        times = times.pad_to(start).cell(
            safe!("{time}"),
            length,
            "",
            if name == "now" { scope } else { Scope::Text },
        );
        end = start + length;
    }
    vec![bar, names, times]
}

fn position(
    ticks: &[(&str, Wall)],
    now: Wall,
    at_tick: impl Fn(usize) -> usize,
    lead: usize,
    width: usize,
) -> usize {
    let passed = ticks.iter().filter(|(_, at)| *at <= now).count();
    if passed == 0 {
        return lead / 2;
    }
    let from = at_tick(passed - 1);
    let Some((_, next)) = ticks.get(passed) else { return (from + width) / 2 };
    let (start, end) = (ticks[passed - 1].1, *next);
    let (whole, gone) = ((end - start).num_seconds().max(1), (now - start).num_seconds());
    let room = (at_tick(passed) - from).saturating_sub(1) as i64;
    // Never on the tick itself: what has not come has not come.
    from + usize::try_from((gone * room / whole).clamp(1, room.max(1))).unwrap_or(1)
}
