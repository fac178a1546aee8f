//! View 8: pcm's own traces, by module, with levels that can be changed while it runs. Drawn by tui-logger, which knows
//! nothing of safe text: every cell it wrote is made safe afterwards.

use super::canvas::Canvas;
use super::line::Line;
use crate::console::app::App;
use crate::console::theme::Scope;
use crate::text::SafeText;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerSmartWidget};

/// Draws the traces.
pub fn draw(app: &App, canvas: &mut Canvas, area: Rect) {
    let hint = Line::of("up down module, left right shown, + - collected, Tab hides", Scope::Dim);
    let focus = app.overlays.is_empty();
    canvas.rule(area, &Line::of("DIAGNOSTICS", Scope::TitleFocus), &hint, focus);
    let inside = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if inside.height < 4 || inside.width < 20 {
        return;
    }
    TuiLoggerSmartWidget::default()
        .style(canvas.style(Scope::Text))
        .border_style(canvas.style(Scope::Rule))
        .style_error(canvas.style(Scope::LogError))
        .style_warn(canvas.style(Scope::LogWarning))
        .style_info(canvas.style(Scope::LogInfo))
        .style_debug(canvas.style(Scope::LogVerbose))
        .style_trace(canvas.style(Scope::LogVerbose))
        .highlight_style(canvas.style(Scope::Selection))
        .output_separator(' ')
        .output_timestamp(Some("%H:%M:%S".to_owned()))
        .output_level(Some(TuiLoggerLevelOutput::Long))
        .output_target(true)
        .output_file(false)
        .output_line(false)
        .title_target("")
        .title_log("traces")
        .state(&app.diagnostics)
        .render(inside, canvas.buffer);
    for y in inside.top()..inside.bottom() {
        for x in inside.left()..inside.right() {
            let Some(cell) = canvas.buffer.cell_mut((x, y)) else { continue };
            let symbol = cell.symbol();
            let safe = SafeText::new(symbol);
            let plain = !canvas.glyphs.ascii || symbol.is_ascii();
            if safe.as_str() != symbol || !plain {
                let symbol = match symbol {
                    "─" => "-",
                    "│" => "|",
                    "┌" | "┐" | "└" | "┘" => "+",
                    _ => "?",
                };
                cell.set_symbol(symbol);
            }
        }
    }
}
