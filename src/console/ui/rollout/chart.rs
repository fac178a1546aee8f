//! How many were done by when, and how many will be: what was measured, and the earliest and the latest that was simulated.
//! The three are told apart by their shape: what was measured is a line, what is foretold are points.

use crate::clock::Wall;
use crate::console::app::{App, words};
use crate::console::theme::Scope;
use crate::console::ui::canvas::Canvas;
use crate::console::ui::line::Line;
use crate::rollout::doc::JobDoc;
use crate::rollout::words::grouped;
use ratatui::layout::Rect;
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

/// Draws the curve of a job, where there is one.
pub fn draw(app: &App, job: &JobDoc, now: Wall, canvas: &mut Canvas, area: Rect) {
    let measured: Vec<(Wall, u64)> = job.measured.iter().copied().filter(|(at, _)| *at <= now).collect();
    let first = measured.first().map(|(at, _)| *at).or(job.expected.first().map(|_| now));
    let last = job.expected.last().map(|point| point.at).or(measured.last().map(|_| now));
    let (Some(first), Some(last)) = (first, last.map(|last| last.max(now))) else { return };
    if last <= first || job.targets == 0 || area.height < 5 || area.width < 30 {
        return;
    }
    let title = Line::of("DONE BY WHEN", Scope::Title).add("  measured ", Scope::Dim);
    let title = title.add(if canvas.glyphs.ascii { "." } else { "line" }, Scope::MarkOk);
    let title = title.add(", simulated ", Scope::Dim);
    let title = title.add(if canvas.glyphs.ascii { ":" } else { "points" }, Scope::Mark);
    canvas.line(area, &title);
    #[allow(clippy::cast_precision_loss)] // seconds and machines are small
    let x = |at: Wall| (at - first).num_seconds() as f64;
    #[allow(clippy::cast_precision_loss)]
    let y = |n: u64| n as f64;
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for (at, n) in &measured {
        if let Some((_, before)) = steps.last().copied() {
            steps.push((x(*at), before));
        }
        steps.push((x(*at), y(*n)));
    }
    if !steps.is_empty() {
        steps.push((x(now), y(job.done + job.not_needed)));
    }
    let low: Vec<(f64, f64)> = job.expected.iter().map(|point| (x(point.at), y(point.done_low))).collect();
    let high: Vec<(f64, f64)> = job.expected.iter().map(|point| (x(point.at), y(point.done_high))).collect();
    let (ascii, zone) = (canvas.glyphs.ascii, app.options.of_site());
    let marker = |own: char| if ascii { Marker::Custom(own) } else { Marker::Braille };
    let data = |points, own: char, graph: GraphType, scope: Scope, canvas: &Canvas| {
        Dataset::default().data(points).marker(marker(own)).graph_type(graph).style(canvas.style(scope))
    };
    let sets = vec![
        data(&low, ':', GraphType::Scatter, Scope::Mark, canvas),
        data(&high, ':', GraphType::Scatter, Scope::Mark, canvas),
        data(&steps, '.', GraphType::Line, Scope::MarkOk, canvas),
    ];
    let dim = canvas.style(Scope::Dim);
    let labels = [first, now, last].map(|at| words::when(at, now, zone));
    let labels = if now == last {
        vec![labels[0].clone(), labels[1].clone()]
    } else {
        vec![labels[0].clone(), labels[2].clone()]
    };
    let inside = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let chart = Chart::new(sets)
        .style(canvas.style(Scope::Background))
        .legend_position(None)
        .x_axis(Axis::default().bounds([0.0, x(last)]).style(dim).labels(labels))
        .y_axis(
            Axis::default()
                .bounds([0.0, y(job.targets)])
                .style(dim)
                .labels(["0".to_owned(), grouped(job.targets)]),
        );
    chart.render(inside, canvas.buffer);
    if ascii {
        // The axes are drawn in lines of their own.
        for place in inside.positions() {
            if let Some(cell) = canvas.buffer.cell_mut(place) {
                let own = match cell.symbol() {
                    "│" => "|",
                    "─" => "-",
                    "└" => "+",
                    _ => continue,
                };
                cell.set_symbol(own);
            }
        }
    }
}
