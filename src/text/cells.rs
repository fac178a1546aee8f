//! How many cells a safe text takes, and cutting it to them. Called by everything that lays out columns.

use super::SafeText;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The first `cells` cells of a text, where they and what comes after them are ASCII: no cluster goes on behind them. Safe text
/// has no line ends.
pub fn plain(text: &str, cells: usize) -> Option<&str> {
    text.as_bytes().get(..=cells).filter(|begin| begin.is_ascii())?;
    text.get(..cells)
}

impl SafeText {
    /// Clusters with their widths in cells (1 or 2).
    pub fn clusters(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.graphemes(true).map(|cluster| (cluster, cluster.width()))
    }

    /// Width in cells: the sum over its clusters, which is what a terminal that draws them one by one needs.
    pub fn width(&self) -> usize {
        if self.0.is_ascii() { self.0.len() } else { self.clusters().map(|(_, cells)| cells).sum() }
    }

    /// At most `cells` wide: cut between clusters, with `…` as its last cell if something is missing.
    pub fn fit(&self, cells: usize) -> SafeText {
        self.fit_with(cells, '…')
    }

    /// The same with `~`, for terminals that show ASCII only.
    pub fn fit_ascii(&self, cells: usize) -> SafeText {
        self.fit_with(cells, '~')
    }

    /// Every cluster that is not ASCII as `?`, in as many cells as it had: for terminals that show ASCII only. Lines and
    /// corners of boxes become `-`, `|` and `+`, dots and quotes what looks like them.
    pub fn ascii(&self) -> SafeText {
        if self.0.is_ascii() {
            return self.clone();
        }
        let mut shown = String::with_capacity(self.0.len());
        for (cluster, cells) in self.clusters() {
            match cluster {
                _ if cluster.is_ascii() => shown.push_str(cluster),
                "…" => shown.push('~'),
                "─" | "━" | "–" | "—" | "‐" | "‑" => shown.push('-'),
                "│" | "┃" => shown.push('|'),
                "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" => shown.push('+'),
                "‘" | "’" => shown.push('\''),
                "“" | "”" => shown.push('"'),
                "•" | "·" => shown.push('.'),
                _ => shown.push_str(&"??"[..cells.min(2)]),
            }
        }
        SafeText(shown)
    }

    /// [`SafeText::fit`] with the blanks that make it exactly `cells` wide.
    pub fn pad(&self, cells: usize) -> SafeText {
        let mut fitted = self.fit(cells);
        fitted.0.push_str(&" ".repeat(cells - fitted.width().min(cells)));
        fitted
    }

    /// The same with the blanks before it: for numbers.
    pub fn pad_left(&self, cells: usize) -> SafeText {
        let fitted = self.fit(cells);
        SafeText(format!("{}{}", " ".repeat(cells - fitted.width().min(cells)), fitted.0))
    }

    /// Rows of at most `cells` cells, cut between clusters, at blanks where there are any. At least one row.
    pub fn wrap(&self, cells: usize) -> Vec<SafeText> {
        let cells = cells.max(2);
        if self.width() <= cells {
            return vec![self.clone()];
        }
        let mut rows = Vec::new();
        let mut row = String::new();
        let (mut width, mut blank) = (0, None);
        for (cluster, wide) in self.clusters() {
            while width + wide > cells {
                let tail = match blank {
                    Some(at) => row.split_off(at),
                    None => String::new(),
                };
                rows.push(SafeText(std::mem::replace(&mut row, tail)));
                width = SafeText(row.clone()).width();
                blank = None;
            }
            row.push_str(cluster);
            width += wide;
            if cluster == " " {
                blank = Some(row.len());
            }
        }
        rows.push(SafeText(row));
        rows
    }

    /// What is left of it without its first `cells` cells: for scrolling sideways. A wide cluster that is cut in half
    /// leaves a blank.
    pub fn skip(&self, cells: usize) -> SafeText {
        let mut at = 0;
        let mut rest = String::new();
        for (cluster, wide) in self.clusters() {
            if at >= cells {
                rest.push_str(cluster);
            } else if at + wide > cells {
                rest.push(' ');
            }
            at += wide;
        }
        SafeText(rest)
    }

    fn fit_with(&self, cells: usize, mark: char) -> SafeText {
        if self.0.len() <= cells || self.width() <= cells {
            return self.clone();
        }
        let room = cells.saturating_sub(1);
        if let Some(plain) = plain(&self.0, room) {
            return SafeText(if cells > 0 { format!("{plain}{mark}") } else { String::new() });
        }
        let mut cut = String::new();
        let mut width = 0;
        for (cluster, wide) in self.clusters() {
            if width + wide >= cells {
                break;
            }
            cut.push_str(cluster);
            width += wide;
        }
        if cells > 0 {
            cut.push(mark);
        }
        SafeText(cut)
    }
}
