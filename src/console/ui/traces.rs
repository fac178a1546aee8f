//! View 8: pcm's own traces, by module, with levels that can be changed while it runs. Drawn by tui-logger, which knows
//! nothing of safe text: every cell it wrote is made safe afterwards.

use super::canvas::Canvas;
use super::line::Line;
use crate::console::app::App;
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerSmartWidget, TuiWidgetEvent, TuiWidgetState};

/// The display of the traces with where it stands.
#[derive(Default)]
pub struct Traces(TuiWidgetState);

impl Traces {
    /// Moves in it, or changes what is collected.
    pub fn command(&mut self, id: Id) {
        let event = match id {
            Id::Up => TuiWidgetEvent::UpKey,
            Id::Down => TuiWidgetEvent::DownKey,
            Id::Left => TuiWidgetEvent::LeftKey,
            Id::Right => TuiWidgetEvent::RightKey,
            Id::Louder => TuiWidgetEvent::PlusKey,
            Id::Quieter => TuiWidgetEvent::MinusKey,
            Id::PageUp => TuiWidgetEvent::PrevPageKey,
            Id::PageDown => TuiWidgetEvent::NextPageKey,
            Id::Bottom => TuiWidgetEvent::EscapeKey,
            Id::NextPane => TuiWidgetEvent::HideKey,
            _ => return,
        };
        self.0.transition(event);
    }

    /// Draws the traces.
    pub fn draw(&self, app: &App, canvas: &mut Canvas, area: Rect) {
        draw(app, &self.0, canvas, area);
    }
}

fn draw(app: &App, state: &TuiWidgetState, canvas: &mut Canvas, area: Rect) {
    let key = |id| app.key_of(id);
    let hint = safe!(
        "{} {} module, {} {} shown, {} {} collected, {} hides",
        key(Id::Up),
        key(Id::Down),
        key(Id::Left),
        key(Id::Right),
        key(Id::Louder),
        key(Id::Quieter),
        key(Id::NextPane)
    );
    let hint = Line::of(hint, Scope::Dim);
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
        .state(state)
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
