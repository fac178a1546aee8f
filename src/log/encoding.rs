//! What is not UTF-8: UTF-16 with and without a byte order mark is decoded as it is read, Windows-1252 line by line, where
//! a line is shown or compared.

use encoding_rs::{Decoder, Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// So much of the beginning of a file tells how it is written.
pub const TELLING: usize = 512;

/// How the bytes of a file become lines.
pub enum Decoding {
    /// Too little was read to say.
    Unknown(Vec<u8>),
    /// As they are.
    Plain,
    /// UTF-16 of either order.
    Wide(Box<Decoder>),
}

impl Decoding {
    /// Of a file that is read from its beginning.
    pub fn new() -> Decoding {
        Decoding::Unknown(Vec::new())
    }

    /// Whether bytes are taken as they are.
    pub fn is_plain(&self) -> bool {
        matches!(self, Decoding::Plain)
    }

    /// Takes the next bytes and appends what they say to `out`. `last`: no more will come.
    pub fn push(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        match self {
            Decoding::Plain => out.extend_from_slice(bytes),
            Decoding::Wide(decoder) => decode(decoder, bytes, last, out),
            Decoding::Unknown(held) => {
                held.extend_from_slice(bytes);
                if last || held.len() >= TELLING || !may_be_wide(held) {
                    let held = std::mem::take(held);
                    *self = Decoding::of(&held);
                    self.push(&held, last, out);
                }
            }
        }
    }

    /// Decides by what there is, if that is still open.
    pub fn decide(&mut self, out: &mut Vec<u8>) {
        if let Decoding::Unknown(held) = self
            && !held.is_empty()
        {
            let held = std::mem::take(held);
            *self = Decoding::of(&held);
            self.push(&held, false, out);
        }
    }

    /// Of a file that begins so.
    pub fn of(head: &[u8]) -> Decoding {
        match wide(head) {
            Some(decoder) => Decoding::Wide(Box::new(decoder)),
            None => Decoding::Plain,
        }
    }
}

fn decode(decoder: &mut Decoder, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
    let mut rest = bytes;
    loop {
        let room = decoder.max_utf8_buffer_length(rest.len()).unwrap_or(4096).max(16);
        let from = out.len();
        out.resize(from + room, 0);
        let (result, read, written, _) = decoder.decode_to_utf8(rest, &mut out[from..], last);
        out.truncate(from + written);
        rest = &rest[read..];
        match result {
            encoding_rs::CoderResult::InputEmpty => return,
            encoding_rs::CoderResult::OutputFull => {}
        }
    }
}

/// Whether bytes could be the beginning of UTF-16: its mark, or a letter beside a NUL. Most files are not by their first
/// two bytes.
fn may_be_wide(bytes: &[u8]) -> bool {
    match bytes.get(..2) {
        Some([0xFF, 0xFE] | [0xFE, 0xFF]) | None => true,
        Some(two) => (two[0] == 0) != (two[1] == 0),
    }
}

/// How UTF-16 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    big: bool,
    /// So many bytes at the beginning only say that.
    pub mark: u64,
}

impl Order {
    fn encoding(self) -> &'static Encoding {
        if self.big { UTF_16BE } else { UTF_16LE }
    }

    /// As much of some bytes as is whole characters: not half of one, nor the first of two that are one.
    pub fn whole(self, bytes: &[u8]) -> &[u8] {
        let bytes = &bytes[..bytes.len() & !1];
        match bytes {
            [rest @ .., first, second] if (0xD8..0xDC).contains(if self.big { first } else { second }) => {
                rest
            }
            _ => bytes,
        }
    }

    /// What whole characters say.
    pub fn text(self, bytes: &[u8]) -> Cow<'_, str> {
        self.encoding().decode_without_bom_handling(bytes).0
    }
}

/// The decoder for a file that begins so.
fn wide(bytes: &[u8]) -> Option<Decoder> {
    let order = order(bytes)?;
    Some(match order.mark {
        0 => order.encoding().new_decoder_without_bom_handling(),
        _ => order.encoding().new_decoder_with_bom_removal(),
    })
}

/// How a file is written that begins so, if it is UTF-16. Without a mark: text of which nearly every other byte is NUL.
pub fn order(bytes: &[u8]) -> Option<Order> {
    if bytes.starts_with(&[0xFF, 0xFE]) {
        return Some(Order { big: false, mark: 2 });
    }
    if bytes.starts_with(&[0xFE, 0xFF]) {
        return Some(Order { big: true, mark: 2 });
    }
    let bytes = &bytes[..bytes.len().min(TELLING) & !1];
    let (mut even, mut odd) = (0, 0);
    for pair in bytes.chunks_exact(2) {
        even += usize::from(pair[0] == 0);
        odd += usize::from(pair[1] == 0);
    }
    let pairs = bytes.len() / 2;
    let (few, most) = (pairs / 8, pairs - pairs / 4);
    if pairs < 4 || !may_be_wide(bytes) {
        None
    } else if odd >= most && even <= few {
        Some(Order { big: false, mark: 0 })
    } else if even >= most && odd <= few {
        Some(Order { big: true, mark: 0 })
    } else {
        None
    }
}

/// A line as UTF-8. One that is not, and holds no character of UTF-8 beyond ASCII either, is Windows-1252; what is in
/// neither stays as it is.
pub fn readable(line: &[u8]) -> Cow<'_, [u8]> {
    let Err(first) = std::str::from_utf8(line) else { return Cow::Borrowed(line) };
    if !line[..first.valid_up_to()].is_ascii() {
        return Cow::Borrowed(line);
    }
    let plain = |chunk: std::str::Utf8Chunk| chunk.valid().is_ascii();
    // These are no letters of it.
    let none = |b: &u8| matches!(b, 0x81 | 0x8D | 0x8F | 0x90 | 0x9D | 0x00..=0x08 | 0x0E..=0x1F);
    if !line.utf8_chunks().all(plain) || line.iter().any(none) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(WINDOWS_1252.decode_without_bom_handling(line).0.into_owned().into_bytes())
}

/// The byte of Windows-1252 that stands for a character, if one does.
pub fn narrow(c: char) -> Option<u8> {
    let mut text = [0; 4];
    let (bytes, _, lossy) = WINDOWS_1252.encode(c.encode_utf8(&mut text));
    match (bytes.as_ref(), lossy) {
        ([byte], false) => Some(*byte),
        _ => None,
    }
}
