//! A file in UTF-16 as if it were one in UTF-8: places are those of the text that it says. Where pieces of the file begin in
//! that text is kept, so that reading from any place decodes little before it. What was not gone through yet is not there yet.

use super::encoding::{Order, TELLING, order};
use super::readat::ReadAt;
use std::io;

/// So much of the file is one piece.
const PIECE: usize = 64 * 1024;

/// Where a piece begins.
#[derive(Debug, Clone, Copy)]
struct Start {
    text: u64,
    file: u64,
}

/// Such a file.
pub struct Wide<S> {
    source: S,
    order: Order,
    pieces: Vec<Start>,
    /// Up to here it was gone through.
    end: Start,
}

impl<S: ReadAt> Wide<S> {
    /// How a file is written, if it is such a one.
    ///
    /// # Errors
    /// What the source says.
    pub fn order(source: &S) -> io::Result<Option<Order>> {
        Ok(order(&source.part(0, TELLING)?))
    }

    /// Nothing of it gone through yet.
    pub fn new(source: S, order: Order) -> Wide<S> {
        Wide { source, order, pieces: Vec::new(), end: Start { text: 0, file: order.mark } }
    }

    /// Goes on by about so many bytes of the file. False: that is all there is.
    ///
    /// # Errors
    /// What the source says; `UnexpectedEof` where the file is shorter than what was gone through.
    pub fn grow(&mut self, most: u64) -> io::Result<bool> {
        if self.source.size()? < self.end.file {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let until = self.end.file.saturating_add(most);
        while self.end.file < until {
            let bytes = self.source.part(self.end.file, PIECE)?;
            let whole = self.order.whole(&bytes);
            if whole.is_empty() {
                return Ok(false);
            }
            // What comes bit by bit is not a piece each time.
            if self.pieces.last().is_none_or(|last| self.end.file - last.file >= PIECE as u64) {
                self.pieces.push(self.end);
            }
            self.end.text += self.order.text(whole).len() as u64;
            self.end.file += whole.len() as u64;
        }
        Ok(true)
    }

    /// How much of the file was gone through, and how large it is.
    ///
    /// # Errors
    /// What the source says.
    pub fn part_of_file(&self) -> io::Result<(u64, u64)> {
        Ok((self.end.file, self.source.size()?))
    }
}

impl<S: ReadAt> ReadAt for Wide<S> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let Some(n) = self.pieces.partition_point(|piece| piece.text <= at).checked_sub(1) else {
            return Ok(0);
        };
        let (start, next) = (self.pieces[n], self.pieces.get(n + 1).copied().unwrap_or(self.end));
        if at >= self.end.text {
            return Ok(0);
        }
        let wanted = usize::try_from(next.file - start.file).unwrap_or(usize::MAX);
        let bytes = self.source.part(start.file, wanted)?;
        let text = self.order.text(&bytes);
        // Where it was written anew there is less of it: it ends here.
        let rest =
            usize::try_from(at - start.text).ok().and_then(|skip| text.as_bytes().get(skip..)).unwrap_or(&[]);
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.end.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn coded(text: &str, big: bool, mark: bool) -> Vec<u8> {
        let units = mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    fn opened(bytes: Vec<u8>) -> Option<Wide<Vec<u8>>> {
        let order = Wide::order(&bytes).unwrap()?;
        Some(Wide::new(bytes, order))
    }

    #[test]
    fn a_file_in_utf_8_is_none() {
        assert!(opened(b"plain text\n".to_vec()).is_none());
        assert!(opened(Vec::new()).is_none());
    }

    #[test]
    fn a_file_that_became_shorter_is_told() {
        let mut wide = opened(coded(&"line\n".repeat(100), false, true)).unwrap();
        while wide.grow(64).unwrap() {}
        wide.source.truncate(100);
        assert_eq!(wide.grow(64).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(wide.part(400, 50).unwrap(), b"", "nothing is made up");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_part_of_the_text_is_where_it_would_be_in_utf_8(
            seed in prop::collection::vec(prop::sample::select(vec!["a", "\n", "ß", "€", "𝄞", "line of a log"]), 1..40),
            big: bool,
            steps in prop::collection::vec(2_usize..200_000, 1..12),
            at in 0_usize..400_000,
        ) {
            let text = format!("begins {}", seed.concat().repeat(600));
            let whole = coded(&text, big, true);
            let mut wide = Wide::new(Vec::new(), Wide::order(&whole).unwrap().unwrap());
            // It grows, also in the middle of a character.
            let mut end = 0;
            for step in steps.into_iter().chain([whole.len()]) {
                end = (end + step).min(whole.len());
                wide.source = whole[..end].to_vec();
                if end >= 2 {
                    while wide.grow(70_000).unwrap() {}
                }
            }
            prop_assert_eq!(wide.size().unwrap(), text.len() as u64);
            let at = at.min(text.len());
            let most = (text.len() - at).min(100_000);
            prop_assert_eq!(wide.part(at as u64, most).unwrap(), &text.as_bytes()[at..at + most]);
        }
    }
}
