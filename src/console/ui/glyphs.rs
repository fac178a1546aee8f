//! The few symbols of our own, once for terminals that show them and once in ASCII.

/// Lines, marks and bars. Each is one cell wide.
#[derive(Debug)]
pub struct Glyphs {
    /// Only ASCII may be drawn: anything else becomes `?`.
    pub ascii: bool,
    /// A rule.
    pub horizontal: &'static str,
    /// Between columns of panes.
    pub vertical: &'static str,
    /// Where a rule begins at a vertical line.
    pub tee: &'static str,
    /// Corners of a dialog: top left, top right, bottom left, bottom right.
    pub corners: [&'static str; 4],
    /// Something was cut off here.
    pub cut: &'static str,
    /// A gate that passes.
    pub pass: &'static str,
    /// One that blocks.
    pub block: &'static str,
    /// One that cannot be known.
    pub unknown: &'static str,
    /// A life bar, from least to most: before, offered, mandatory, after.
    pub life: [&'static str; 4],
    /// Now, on a life bar.
    pub now: &'static str,
    /// A full and an empty part of a progress bar.
    pub bar: [&'static str; 2],
    /// A column of a histogram, from low to high.
    pub levels: &'static [&'static str],
    /// Between facts.
    pub dot: &'static str,
    /// There is more above, below.
    pub more: [&'static str; 2],
}

/// For terminals with UTF-8.
pub const UNICODE: Glyphs = Glyphs {
    ascii: false,
    horizontal: "─",
    vertical: "│",
    tee: "├",
    corners: ["┌", "┐", "└", "┘"],
    cut: "…",
    pass: "+",
    block: "x",
    unknown: "?",
    life: ["┄", "─", "━", "┈"],
    now: "●",
    bar: ["█", "░"],
    levels: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    dot: "·",
    more: ["↑", "↓"],
};

/// For all others.
pub const ASCII: Glyphs = Glyphs {
    ascii: true,
    horizontal: "-",
    vertical: "|",
    tee: "+",
    corners: ["+", "+", "+", "+"],
    cut: "~",
    pass: "+",
    block: "x",
    unknown: "?",
    life: [".", "-", "=", "."],
    now: "@",
    bar: ["#", "."],
    levels: &["_", "-", "=", "#"],
    dot: ".",
    more: ["^", "v"],
};
