//! The outside of an archive that another machine sends, a zstd frame (RFC 8878): whether all of it came, and nothing else.
//! Nothing of it is unpacked, so that no bytes make it slow or large.

/// The most bytes of an archive that is taken from another machine.
pub const MOST: u64 = 64 << 20;

/// What a frame begins with.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// Magic number and descriptor.
const FIXED: usize = 5;
/// No block holds more.
const BLOCK: u32 = 128 << 10;
/// The checksum behind the last block.
const CHECKSUM: u32 = 4;

/// A frame of which the bytes come piece by piece.
#[derive(Debug)]
pub struct Frame {
    at: At,
    /// The header that is being read.
    head: Vec<u8>,
    /// A checksum stands at its end.
    summed: bool,
}

/// Where in a frame the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Header,
    Block,
    /// In so many bytes that say nothing of what follows; behind them comes another block, or what ends the frame.
    Body {
        left: u32,
        last: bool,
    },
    Checksum {
        left: u32,
    },
    End,
    /// It is none, or something stands behind it.
    Broken,
}

impl Default for Frame {
    fn default() -> Self {
        Frame { at: At::Header, head: Vec::with_capacity(FIXED + 13), summed: false }
    }
}

impl Frame {
    /// Takes the next bytes.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            match self.at {
                At::Header | At::Block => {
                    self.head.push(*first);
                    bytes = rest;
                    self.at = if self.at == At::Header { self.header() } else { self.block() };
                }
                At::Body { left, last } => {
                    let (left, rest) = passed(left, bytes);
                    bytes = rest;
                    self.at = self.body(left, last);
                }
                At::Checksum { left } => {
                    let (left, rest) = passed(left, bytes);
                    bytes = rest;
                    self.at = if left == 0 { At::End } else { At::Checksum { left } };
                }
                At::End | At::Broken => {
                    self.at = At::Broken;
                    return;
                }
            }
        }
    }

    /// All of it came, and nothing behind it.
    pub fn is_whole(&self) -> bool {
        self.at == At::End
    }

    /// Whatever comes, it is none.
    pub fn is_broken(&self) -> bool {
        self.at == At::Broken
    }

    fn header(&mut self) -> At {
        let known = self.head.len().min(MAGIC.len());
        if self.head[..known] != MAGIC[..known] {
            return At::Broken;
        }
        let Some(descriptor) = self.head.get(FIXED - 1).copied() else { return At::Header };
        let is_single = descriptor & 0x20 != 0;
        let window = usize::from(!is_single);
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let size = match (descriptor >> 6, is_single) {
            (0, false) => 0,
            (0, true) => 1,
            (1, _) => 2,
            (2, _) => 4,
            _ => 8,
        };
        // A bit that is reserved is for those who know more than this.
        if descriptor & 8 != 0 {
            return At::Broken;
        }
        if self.head.len() < FIXED + window + dictionary + size {
            return At::Header;
        }
        self.summed = descriptor & 4 != 0;
        self.head.clear();
        At::Block
    }

    fn block(&mut self) -> At {
        let [a, b, c] = self.head[..] else { return At::Block };
        self.head.clear();
        let header = u32::from_le_bytes([a, b, c, 0]);
        let (last, size) = (header & 1 != 0, header >> 3);
        match (header >> 1) & 3 {
            0 | 2 if size <= BLOCK => self.body(size, last),
            // One byte, so many times.
            1 if size <= BLOCK => self.body(1, last),
            _ => At::Broken,
        }
    }

    fn body(&self, left: u32, last: bool) -> At {
        match (left, last, self.summed) {
            (1.., ..) => At::Body { left, last },
            (0, false, _) => At::Block,
            (0, true, true) => At::Checksum { left: CHECKSUM },
            (0, true, false) => At::End,
        }
    }
}

/// How much is left of so many bytes behind these, and what stands there.
fn passed(left: u32, bytes: &[u8]) -> (u32, &[u8]) {
    let n = bytes.len().min(left as usize);
    (left - n as u32, &bytes[n..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn frame(bytes: &[u8]) -> Frame {
        let mut frame = Frame::default();
        frame.take(bytes);
        frame
    }

    #[test]
    fn only_all_of_an_archive_is_whole() {
        let text: Vec<u8> = (0..400_000_u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
        for text in [&b""[..], b"a", &[b'x'; 300_000], &text] {
            for level in [CompressionLevel::Fastest, CompressionLevel::Uncompressed] {
                let packed = compress_to_vec(text, level);
                assert!(frame(&packed).is_whole(), "{} bytes", text.len());
                let mut slowly = Frame::default();
                packed.iter().for_each(|byte| slowly.take(&[*byte]));
                assert!(slowly.is_whole(), "{} bytes", text.len());
                for cut in (0..packed.len()).step_by(packed.len() / 50 + 1) {
                    let part = frame(&packed[..cut]);
                    assert!(!part.is_whole() && !part.is_broken(), "{cut} of {}", packed.len());
                }
                assert!(frame(&[&packed[..], b"\n"].concat()).is_broken());
                assert!(frame(&[b"Welcome\n", &packed[..]].concat()).is_broken());
            }
        }
    }

    #[test]
    fn checksum_and_long_headers_are_known_and_what_is_reserved_is_not() {
        // Window, checksum; one empty block that is the last.
        let summed = [&MAGIC[..], &[0x04, 0x58, 1, 0, 0]].concat();
        assert!(!frame(&summed).is_whole());
        assert!(frame(&[&summed[..], &[1, 2, 3, 4]].concat()).is_whole());
        // Eight bytes of size, four of a dictionary, no window; a byte a thousand times.
        let long = [&MAGIC[..], &[0xE3], &[0; 12], &[0x43, 0x1F, 0, 7]].concat();
        assert!(frame(&long).is_whole());
        for bad in [&[0x08, 0x58, 1, 0, 0][..], &[0x00, 0x58, 7, 0, 0], &[0x00, 0x58, 1, 0, 0x11]] {
            assert!(frame(&[&MAGIC[..], bad].concat()).is_broken(), "{bad:?}");
        }
        assert!(frame(b"pcm: no").is_broken() && !frame(b"").is_broken());
    }
}
