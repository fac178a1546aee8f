//! Opening what is to be read once: files, what rotation packed, standard input.

use crate::host::open::named;
use crate::log::last::place_of;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// The most memory that unpacking may take.
const XZ_KIB: u32 = 64 * 1024;

/// Bytes that are read once, from their beginning.
pub enum Source {
    /// A file as it is, up to the size that it had.
    Plain(io::Take<File>),
    /// Unpacked as it is read.
    Packed(Box<dyn Read>),
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(file) => file.read(into),
            Source::Packed(reader) => reader.read(into),
        }
    }
}

/// Opens a file by what its name says of how it is packed. With `last`, of a file that is not, so much of its end that so
/// many records are in it; `true`: what comes is not from the beginning.
pub fn open(path: &Path, last: Option<usize>) -> io::Result<(Source, bool)> {
    let mut file = named(path)?;
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let source = match ending.as_str() {
        "gz" => Source::Packed(Box::new(flate2::read::MultiGzDecoder::new(file))),
        "xz" => Source::Packed(Box::new(XzReader::new_mem_limit(file, true, XZ_KIB))),
        "zst" => Source::Packed(Box::new(Frames::new(BufReader::new(file))?)),
        "bz2" | "zip" | "7z" => {
            return Err(damaged("it is packed in a way that pcm does not read; unpack it first"));
        }
        _ => {
            // What is added while it is read is for the next time.
            let len = file.metadata()?.len();
            let from = last.map(|last| place_of(&mut file, last)).transpose()?.flatten();
            file.seek(SeekFrom::Start(from.unwrap_or(0)))?;
            let left = if len == 0 { u64::MAX } else { len - from.unwrap_or(0).min(len) };
            return Ok((Source::Plain(file.take(left)), from.is_some()));
        }
    };
    Ok((source, false))
}

/// What comes through a pipe, which begins with a record: its first line does not wait for the rest of one.
pub fn input(from: impl Read + 'static) -> (Source, bool) {
    (Source::Packed(Box::new(from)), true)
}

fn damaged(why: impl ToString) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why.to_string())
}

/// The frames of a .zst, one after the other: what is appended to it is a frame of its own.
struct Frames<R> {
    from: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> Frames<R> {
    fn new(from: R) -> io::Result<Self> {
        let mut this = Frames { from, decoder: FrameDecoder::new() };
        if this.begin()? { Ok(this) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Begins the next frame that holds something; false where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.from.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.from) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.from.by_ref().take(length), &mut io::sink())? < length {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(e) => return Err(damaged(e)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.from, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(damaged)?;
            }
            let read = self.decoder.read(into)?;
            if read > 0 || into.is_empty() || !self.begin()? {
                return Ok(read);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::merge::{Reading, Wanted};
    use super::*;
    use crate::clock::Zone;
    use crate::log::search::Filter;
    use crate::log::zoned;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn unpacked(path: &Path) -> io::Result<String> {
        io::read_to_string(open(path, None)?.0)
    }

    #[test]
    fn every_frame_of_a_zst_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log.1.zst");
        let frame = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        let skipped = [&0x184D_2A50_u32.to_le_bytes()[..], &3_u32.to_le_bytes()[..], b"xyz"].concat();
        let whole = [skipped.clone(), frame("one\n"), frame(""), skipped, frame("two\n")].concat();
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(unpacked(&path).unwrap(), "one\ntwo\n");
        for bad in [&whole[..whole.len() - 2], &whole[..5], b"", &[&whole[..], b"rest"].concat()[..]] {
            std::fs::write(&path, bad).unwrap();
            assert!(unpacked(&path).is_err());
        }
    }

    #[test]
    fn what_is_packed_in_another_way_is_no_text() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.log.1.bz2", "a.ZIP", "a.7z"] {
            let path = dir.path().join(name);
            std::fs::write(&path, "packed").unwrap();
            assert!(unpacked(&path).unwrap_err().to_string().ends_with("unpack it first"), "{name}");
        }
    }

    #[test]
    fn a_line_of_standard_input_does_not_wait_for_others() {
        struct Slow(&'static [u8]);
        impl Read for Slow {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert!(!self.0.is_empty(), "it waits for what has not been written");
                self.0.read(into)
            }
        }
        let (filter, zone) = (Filter::default(), zoned(Zone::utc()));
        let wanted = Wanted { filter: &filter, before: 0, after: 0, zone: &zone, lines: false, raw: false };
        let mut reading = Reading::new(input(Slow(b"one\ntwo\n")), "standard input".into(), wanted, 1);
        for line in ["one", "two"] {
            assert_eq!(reading.next(true).unwrap().unwrap().record.full_text(), line);
        }
    }
}
