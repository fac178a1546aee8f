//! How text becomes safe: cluster by cluster, each kept, shown by its code, or replaced by `?`. Called by `SafeText`
//! alone.
//!
//! Why making twice changes nothing: all that is put in place of something is printable ASCII, which is kept as it is
//! and never joins the cluster before or after it, because what would join across (a mark without a base, a prefixing
//! letter) is itself replaced.

use unicode_general_category::{GeneralCategory as Cat, get_general_category};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The longest text in bytes (PROMISES.md 6). What is longer ends with a note that says how much is missing.
pub const MAX_BYTES: usize = 64 * 1024;
/// How many combining marks a base may carry; further ones are shown by their codes.
pub const MAX_MARKS: usize = 4;

/// Room for `<cut: 18446744073709551615 more bytes>`.
const CUT_ROOM: usize = 40;
const TAB: usize = 8;
/// No honest cluster is longer; without a limit a hostile chain would be read again from each of its links.
const WINDOW: usize = 1024;
const ZWJ: char = '\u{200D}';
const KEYCAP: char = '\u{20E3}';

/// Whether a text is its own safe form at a glance: printable ASCII of a reasonable length.
pub(super) fn plain(raw: &str) -> bool {
    // All of it is looked at, which takes less time than to see at each byte whether to go on.
    raw.len() <= MAX_BYTES && raw.bytes().fold(true, |plain, b| plain & (0x20..0x7F).contains(&b))
}

/// The safe form of `raw`.
pub(super) fn safe(raw: &str) -> String {
    safe_part(raw, 0)
}

/// The same, where `missing` further bytes stood behind what can be kept of it.
pub(super) fn safe_part(raw: &str, missing: u64) -> String {
    if plain(raw) {
        return raw.to_owned();
    }
    let mut out = Out::default();
    let mut at = 0;
    while at < raw.len() && !out.full {
        let taken = piece(&raw[at..], &mut out);
        if out.full {
            break;
        }
        at += taken;
        if out.text.len() <= MAX_BYTES - CUT_ROOM {
            out.fallback = (out.text.len(), at);
        }
    }
    if out.full {
        let (len, read) = out.fallback;
        out.text.truncate(len);
        out.text.push_str(&format!("<cut: {} more bytes>", (raw.len() - read) as u64 + missing));
    }
    out.text
}

/// Bytes as text: what is not UTF-8 appears as `\xNN`. Stops soon after what a safe text can hold.
pub(super) fn with_bytes_shown(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len().min(2 * MAX_BYTES));
    for chunk in raw.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

/// What has been made so far.
#[derive(Default)]
struct Out {
    text: String,
    /// Cells so far, for tabs.
    column: usize,
    /// The next piece would not have fitted.
    full: bool,
    /// Where to go back to when it gets too long: bytes made, bytes read.
    fallback: (usize, usize),
}

impl Out {
    fn push(&mut self, piece: &str, cells: usize) {
        if self.full || self.text.len() + piece.len() > MAX_BYTES {
            self.full = true;
            return;
        }
        self.text.push_str(piece);
        self.column += cells;
    }

    fn code(&mut self, c: char) {
        let shown = format!("<U+{:04X}>", u32::from(c));
        self.push(&shown, shown.len());
    }
}

/// Makes the next piece of `rest` safe and says how many bytes of it that was. `rest` is not empty.
fn piece(rest: &str, out: &mut Out) -> usize {
    let bytes = rest.as_bytes();
    let plain = bytes.iter().take_while(|b| (0x20..0x7F).contains(*b)).count();
    // The last one may be the base of a cluster.
    let alone = if bytes.get(plain).is_some_and(|b| *b >= 0x80) { plain.saturating_sub(1) } else { plain };
    if alone > 0 {
        // In small steps near the end, so that there is a place to go back to.
        let fits = alone.min((MAX_BYTES - CUT_ROOM).saturating_sub(out.text.len()).max(1));
        out.push(&rest[..fits], fits);
        return fits;
    }
    let Some(first) = rest.chars().next() else { return 0 };
    if shown_alone(first, out) {
        return first.len_utf8();
    }
    let window = &rest[..rest.floor_char_boundary(WINDOW)];
    let cluster = window.graphemes(true).next().unwrap_or(window);
    based(first, cluster, out)
}

/// Characters that are no base of a cluster: controls, invisible ones, blanks, marks that have no base.
fn shown_alone(c: char, out: &mut Out) -> bool {
    match c {
        '\t' => {
            let blanks = TAB - out.column % TAB;
            out.push(&"        "[..blanks], blanks);
        }
        '\u{0}'..='\u{1F}' | '\u{7F}' => {
            let shown = ['^', char::from(c as u8 ^ 0x40)].iter().collect::<String>();
            out.push(&shown, 2);
        }
        ' '..='~' => return false,
        _ if is_invisible(c) || joins_backwards(c) => out.code(c),
        _ if get_general_category(c) == Cat::SpaceSeparator => out.push(" ", 1),
        _ => return false,
    }
    true
}

/// A cluster that begins with the visible character `base`. Returns how many of its bytes were used.
fn based(base: char, cluster: &str, out: &mut Out) -> usize {
    let cells = base.width().unwrap_or(0);
    if width_is_disputed(base, cells) {
        out.push("?", 1);
        return cluster.len();
    }
    // Words stay readable whatever somebody joins to their letters: that is shown by its code.
    let letter = base.is_ascii_alphabetic();
    let mut marks = 0;
    let mut kept = base.len_utf8();
    for c in cluster[kept..].chars() {
        let end = kept + c.len_utf8();
        let jamo = matches!(c, '\u{1161}'..='\u{11FF}' | '\u{D7B0}'..='\u{D7FF}');
        if is_invisible(c) && !jamo {
            if !letter && (is_emoji_like(base) || cluster.contains(KEYCAP)) {
                out.push("?", 1);
                return cluster.len();
            }
            // The joiner or selector itself is shown as the next piece.
            break;
        }
        let is_mark = matches!(get_general_category(c), Cat::NonspacingMark | Cat::EnclosingMark);
        let thai_am = matches!(c, '\u{E33}' | '\u{EB3}');
        if c == KEYCAP || !(is_mark || thai_am) {
            if letter {
                break;
            }
            out.push("?", 1);
            return cluster.len();
        }
        marks += 1;
        if marks > MAX_MARKS {
            // Those beyond are shown by their codes, as marks that have no base.
            break;
        }
        kept = end;
    }
    let shown = &cluster[..kept];
    let sum: usize = shown.chars().map(|c| c.width().unwrap_or(0)).sum();
    if shown.width() == sum && sum <= 2 {
        out.push(shown, sum);
    } else if letter {
        kept = base.len_utf8();
        out.push(&cluster[..kept], cells);
    } else {
        out.push("?", 1);
    }
    kept
}

/// No ink of its own: nothing may pass unseen.
fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    let category = get_general_category(c);
    let by_category = matches!(
        category,
        Cat::Control
            | Cat::Format
            | Cat::Surrogate
            | Cat::PrivateUse
            | Cat::Unassigned
            | Cat::LineSeparator
            | Cat::ParagraphSeparator
    );
    by_category
        || c == ZWJ
        || matches!(c,
            '\u{34F}' // combining grapheme joiner
            | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
            | '\u{17B4}' | '\u{17B5}' // Khmer inherent vowels
            | '\u{180B}'..='\u{180F}' // Mongolian selectors
            | '\u{2800}' // empty Braille pattern
            | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' // variation selectors
            | '\u{FFFC}' // object replacement
            | '\u{16FE4}' // Khitan filler
            | '\u{1D159}') // null notehead
        || (!is_mark(category) && c.width().unwrap_or(0) == 0)
}

fn is_mark(category: Cat) -> bool {
    matches!(category, Cat::NonspacingMark | Cat::EnclosingMark | Cat::SpacingMark)
}

/// Joins the cluster before it, so it cannot begin one. Beside marks these are a few letters and modifiers.
pub(super) fn joins_backwards(c: char) -> bool {
    is_mark(get_general_category(c))
        || matches!(c, '\u{E33}' | '\u{EB3}' | '\u{FF9E}' | '\u{FF9F}' | '\u{1F3FB}'..='\u{1F3FF}')
}

/// Joins the cluster after it.
pub(super) fn joins_forwards(c: char) -> bool {
    matches!(
        c,
        '\u{D4E}'
            | '\u{111C2}'
            | '\u{111C3}'
            | '\u{113D1}'
            | '\u{1193F}'
            | '\u{11941}'
            | '\u{11A3A}'
            | '\u{11A84}'..='\u{11A89}' | '\u{11D46}' | '\u{11F02}'
    )
}

/// Characters that differ in width from one terminal to the next whatever follows them.
fn width_is_disputed(c: char, cells: usize) -> bool {
    !(1..=2).contains(&cells)
        || joins_forwards(c)
        || matches!(c,
            '\u{1F1E6}'..='\u{1F1FF}' // halves of flags
            | '\u{2630}'..='\u{2637}' | '\u{268A}'..='\u{268F}' | '\u{4DC0}'..='\u{4DFF}' // wide since Unicode 16
            | '\u{2E3A}' | '\u{2E3B}' // two- and three-em dash
            | '\u{FDFD}' // one character drawn as a whole phrase
        )
}

/// What a variation selector or a joiner turns into an emoji.
fn is_emoji_like(c: char) -> bool {
    matches!(c,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21FF}'
        | '\u{2300}'..='\u{23FF}' | '\u{2460}'..='\u{24FF}' | '\u{25A0}'..='\u{27BF}' | '\u{2900}'..='\u{297F}'
        | '\u{2B00}'..='\u{2BFF}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1FAFF}')
}
