//! Messages between processes as bytes (PROMISES.md 5): JSON in frames of at most 64 KiB, each behind a flag that says whether
//! more of it follows and a length. Both ends bound what they read.

pub mod bytes;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

/// The largest frame, in bytes. A longer message is sent as several.
pub const MAX_FRAME: usize = 64 << 10;
/// The longest call; verbs, ids and a reason.
pub const MAX_CALL: usize = MAX_FRAME;
/// The longest answer: 50,000 attempts with room to spare.
pub const MAX_ANSWER: usize = 64 << 20;

/// In front of each frame: one byte flag (1: more follows), four bytes length, big-endian.
const HEADER: usize = 5;

/// A message cut into frames, ready to be written.
///
/// # Errors
/// It cannot be told as JSON.
pub fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(message)?;
    let mut bytes = Vec::with_capacity(json.len() + HEADER * (json.len() / MAX_FRAME + 1));
    let mut chunks = json.chunks(MAX_FRAME - HEADER).peekable();
    while let Some(chunk) = chunks.next() {
        bytes.push(u8::from(chunks.peek().is_some()));
        // A chunk is shorter than 64 KiB.
        bytes.extend(u32::try_from(chunk.len()).unwrap_or(0).to_be_bytes());
        bytes.extend(chunk);
    }
    Ok(bytes)
}

/// Takes a frame's header: whether more follows, and the length.
///
/// # Errors
/// It is no header of ours.
pub fn header(bytes: [u8; HEADER]) -> io::Result<(bool, usize)> {
    let [more, a, b, c, d] = bytes;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if more > 1 || length == 0 || length > MAX_FRAME - HEADER {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "that is no frame of pcm's"));
    }
    Ok((more == 1, length))
}

/// Reads a message of at most `limit` bytes.
///
/// # Errors
/// The other side went away, sent something else, or too much of it.
pub fn read<T: DeserializeOwned>(from: &mut impl Read, limit: usize) -> io::Result<T> {
    let mut json = Vec::new();
    loop {
        let mut head = [0; HEADER];
        from.read_exact(&mut head)?;
        let (more, length) = header(head)?;
        grow(&mut json, length, limit)?;
        let start = json.len() - length;
        from.read_exact(&mut json[start..])?;
        if !more {
            return Ok(serde_json::from_slice(&json)?);
        }
    }
}

/// Reads a message from an asynchronous stream; None at a clean end.
///
/// # Errors
/// As [`read`].
pub async fn read_async<T: DeserializeOwned>(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    limit: usize,
) -> io::Result<Option<T>> {
    use tokio::io::AsyncReadExt;
    let mut json = Vec::new();
    loop {
        let mut head = [0; HEADER];
        match from.read_exact(&mut head).await {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof && json.is_empty() => return Ok(None),
            other => other?,
        };
        let (more, length) = header(head)?;
        grow(&mut json, length, limit)?;
        let start = json.len() - length;
        from.read_exact(&mut json[start..]).await?;
        if !more {
            return Ok(Some(serde_json::from_slice(&json)?));
        }
    }
}

fn grow(json: &mut Vec<u8>, length: usize, limit: usize) -> io::Result<()> {
    if json.len() + length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
    }
    json.resize(json.len() + length, 0);
    Ok(())
}

/// Writes a message.
///
/// # Errors
/// The other side went away.
pub fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_of_any_length_arrives_as_it_was(length in 0_usize..300_000, letter in "[a-zé]") {
            let message = letter.repeat(length);
            let bytes = encode(&message).unwrap();
            let back: String = read(&mut bytes.as_slice(), MAX_ANSWER).unwrap();
            prop_assert_eq!(back, message);
        }

        #[test]
        fn no_bytes_make_the_reader_panic_or_take_more_than_its_limit(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<serde_json::Value>(&mut bytes.as_slice(), 64);
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_before_it_is_read() {
        let bytes = encode(&"x".repeat(200_000)).unwrap();
        assert!(read::<String>(&mut bytes.as_slice(), MAX_CALL).is_err());
    }

    #[test]
    fn no_frame_is_longer_than_the_contract_says() {
        let bytes = encode(&"x".repeat(500_000)).unwrap();
        let mut rest = bytes.as_slice();
        while let Some((head, tail)) = rest.split_first_chunk::<HEADER>() {
            let (_, length) = header(*head).unwrap();
            assert!(HEADER + length <= MAX_FRAME);
            rest = &tail[length..];
        }
    }
}
