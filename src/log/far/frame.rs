//! Messages of two pcm as bytes: JSON, packed where that makes it smaller, behind a letter that says so and a length. Both
//! ends bound what they read, and what it unpacks to.

use crate::text::SafeText;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;
use std::fmt;
use std::io::{self, Read, Write};

/// What the side that serves begins with, before any frame: the version of all that follows.
pub const GREETING: &[u8] = b"pcm-log 1\n";
/// What is before the version.
const KNOWN: &[u8] = b"pcm-log ";
/// The longest frame of the side that asks, and of the side that tells, in bytes.
pub const MAX_ASK: usize = 64 << 10;
/// The same.
pub const MAX_TELL: usize = 256 << 10;
/// What a frame may unpack to.
pub const MAX_PLAIN: u64 = 8 << 20;
/// A letter and four bytes length, big-endian.
const HEADER: usize = 5;
const PLAIN: u8 = b'j';
const PACKED: u8 = b'z';
/// Less than this is not packed.
const WORTH_IT: usize = 256;
/// So much of what is no greeting is shown.
const SHOWN: usize = 80;

/// Why nothing more is read from the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bad {
    /// It said something else than a greeting of pcm.
    NoGreeting(SafeText),
    /// It greets with another version of the protocol.
    OtherVersion(SafeText),
    /// No frame begins so.
    NoFrame,
    /// A frame is longer than is taken.
    TooLong(u64),
    /// A frame cannot be unpacked, or unpacks to more than is taken.
    Damaged,
    /// A frame holds no message that is known.
    NoMessage(SafeText),
    /// More of something than is taken.
    TooManyLines,
    /// Lines of more files than are taken.
    TooManyFiles,
    /// More sentences than an answer has.
    TooMuchSaid,
    /// A message at a moment at which it means nothing.
    OutOfTurn(&'static str),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::NoGreeting(said) if said.is_empty() => f.write_str("it said nothing that pcm understands"),
            Bad::NoGreeting(said) => {
                write!(
                    f,
                    "it said \"{said}\" before pcm there said anything: its shell prints that at each login"
                )
            }
            Bad::OtherVersion(said) => {
                write!(f, "pcm there speaks \"{said}\", this pcm \"pcm-log 1\": use the same version on both")
            }
            Bad::NoFrame => f.write_str("it sent something that is not pcm's"),
            Bad::TooLong(bytes) => write!(f, "it sent a message of {bytes} bytes, more than pcm takes"),
            Bad::Damaged => f.write_str("it sent a message that cannot be unpacked"),
            Bad::NoMessage(why) => write!(f, "it sent a message that pcm does not know: {why}"),
            Bad::TooManyLines => f.write_str("it sent more lines at once than pcm takes"),
            Bad::TooManyFiles => f.write_str("it sent lines of more files than pcm takes"),
            Bad::TooMuchSaid => f.write_str("it said more of its files than pcm takes"),
            Bad::OutOfTurn(what) => write!(f, "it sent {what} at the wrong moment"),
        }
    }
}

/// A message as a frame.
///
/// # Errors
/// It cannot be told as JSON, or is longer than any.
pub fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    packed(serde_json::to_vec(message)?)
}

/// The same where it can be taken as well: None where it would unpack to more than that.
///
/// # Errors
/// As [`frame`].
pub fn frame_within(message: &impl Serialize) -> io::Result<Option<Vec<u8>>> {
    let json = serde_json::to_vec(message)?;
    if json.len() as u64 > MAX_PLAIN { Ok(None) } else { packed(json).map(Some) }
}

fn packed(json: Vec<u8>) -> io::Result<Vec<u8>> {
    let (letter, body) = if json.len() < WORTH_IT {
        (PLAIN, json)
    } else {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
        packer.write_all(&json)?;
        (PACKED, packer.finish()?)
    };
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut frame = vec![letter];
    frame.extend(length.to_be_bytes());
    frame.extend(body);
    Ok(frame)
}

/// Takes bytes as they come and gives the frames in them.
#[derive(Debug)]
pub struct Frames {
    bytes: Vec<u8>,
    most: usize,
    /// The greeting is still to come.
    greets: bool,
}

impl Frames {
    /// Of the side that tells: it greets first.
    pub fn of_teller() -> Frames {
        Frames { bytes: Vec::new(), most: MAX_TELL, greets: true }
    }

    /// Of the side that asks.
    pub fn of_asker() -> Frames {
        Frames { bytes: Vec::new(), most: MAX_ASK, greets: false }
    }

    /// Takes the next bytes. They are held until [`Frames::next`] has given what is in them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The JSON of the next frame that is whole.
    ///
    /// # Errors
    /// No frame comes any more.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Bad> {
        if self.greets && !self.greeted()? {
            return Ok(None);
        }
        let Some((header, rest)) = self.bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [letter, a, b, c, d] = *header;
        if letter != PLAIN && letter != PACKED {
            return Err(Bad::NoFrame);
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > self.most {
            return Err(Bad::TooLong(length as u64));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let json = if letter == PLAIN { body.to_vec() } else { unpacked(body)? };
        self.bytes.drain(..HEADER + length);
        Ok(Some(json))
    }

    /// Whether it has greeted as it should.
    fn greeted(&mut self) -> Result<bool, Bad> {
        if self.bytes.starts_with(GREETING) {
            self.bytes.drain(..GREETING.len());
            self.greets = false;
            return Ok(true);
        }
        if GREETING.starts_with(&self.bytes) {
            return Ok(false);
        }
        let end = self.bytes.iter().position(|b| *b == b'\n');
        // Its line is waited for, so that it can be shown; not for ever.
        if end.is_none() && self.bytes.len() < SHOWN {
            return Ok(false);
        }
        let line = &self.bytes[..end.unwrap_or(self.bytes.len()).min(SHOWN)];
        let said = SafeText::from_bytes(line.trim_ascii());
        Err(if line.starts_with(KNOWN) { Bad::OtherVersion(said) } else { Bad::NoGreeting(said) })
    }

    /// What it said, if it ended before it greeted.
    pub fn unfinished(&self) -> SafeText {
        let line = self.bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        SafeText::from_bytes(line[..line.len().min(SHOWN)].trim_ascii())
    }
}

fn unpacked(body: &[u8]) -> Result<Vec<u8>, Bad> {
    let mut json = Vec::new();
    let read = ZlibDecoder::new(body).take(MAX_PLAIN + 1).read_to_end(&mut json);
    if read.is_err() || json.len() as u64 > MAX_PLAIN {
        return Err(Bad::Damaged);
    }
    Ok(json)
}
