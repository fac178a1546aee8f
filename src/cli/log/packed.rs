//! Opening what is to be read once: files, what rotation packed, standard input.

use crate::host::open::named;
use crate::log::last::place_of;
use lzma_rust2::XzReader;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
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
        "zst" => {
            let unpacked = ruzstd::decoding::StreamingDecoder::new(file);
            Source::Packed(Box::new(
                unpacked.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?,
            ))
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
