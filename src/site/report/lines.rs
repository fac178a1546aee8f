//! A report as its two or three lines (SITE.md 5): the summary, the rest, and where it is signed `{"signature": "…"}` over
//! the bytes of the summary with its line's end, so that `head -n 1` gives what was signed. The summary holds the hash of the
//! rest. What others wrote is bounded before it is parsed.

use super::first::Document;
use super::{
    FORMAT, MAX_BYTES, MAX_RESULT, MAX_SUMMARY, MachineReport, ReportError, ReportedRequest, Rest, Summary,
};
use crate::fields;
use crate::site::content::hash_bytes;
use crate::site::signed::signature::MAX_ARMOUR;
use crate::terms::Code;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest line of a signature: its line breaks take two bytes each.
const MAX_SIGNATURE: usize = MAX_ARMOUR + 512;
/// So much is left for the rest.
const MAX_REST: usize = MAX_BYTES as usize - MAX_SUMMARY - MAX_SIGNATURE;
/// The longest host name in a summary, in characters: no system has longer ones.
const MAX_HOST: usize = 64;

/// A report as it is written, without its signature. Each line has its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// What a signature is over.
    pub summary: String,
    /// What the summary has the hash of.
    pub rest: String,
}

/// A summary and the signature over it, as they were read: nobody has verified it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The line with its end.
    pub summary: String,
    /// As ssh-keygen writes it.
    pub signature: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Signature {
    signature: String,
}

/// What alone tells how a document is to be read.
#[derive(Debug, Deserialize)]
struct Form {
    format: u32,
}

impl Lines {
    /// The bytes of the file. `signature`: over the summary.
    ///
    /// # Errors
    /// The signature is too long to be one.
    pub fn bytes(&self, signature: Option<&str>) -> Result<Vec<u8>, ReportError> {
        let mut bytes = [self.summary.as_bytes(), self.rest.as_bytes()].concat();
        if let Some(signature) = signature {
            let line = line(&Signature { signature: signature.to_owned() })?;
            if line.len() > MAX_SIGNATURE {
                return Err(ReportError::TooLarge);
            }
            bytes.extend(line.as_bytes());
        }
        Ok(bytes)
    }
}

impl Summary {
    /// Reads the first line of a report that another machine wrote; nothing of it is verified.
    ///
    /// # Errors
    /// [`ReportError`]
    pub fn read(line: &[u8]) -> Result<Self, ReportError> {
        if line.len() > MAX_SUMMARY {
            return Err(ReportError::TooLarge);
        }
        let summary: Self = serde_json::from_slice(line).map_err(ReportError::malformed)?;
        match summary.format {
            FORMAT => Ok(summary),
            other => Err(unknown(other)),
        }
    }
}

impl MachineReport {
    /// The bytes of the file without a signature, never more than [`MAX_BYTES`].
    ///
    /// # Errors
    /// As of [`MachineReport::lines`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, ReportError> {
        self.lines()?.bytes(None)
    }

    /// The lines of the file, with room for a signature. Where the rest would be too long, the results are left out, of what
    /// worked first, and then requests from the end of the list. The summary counts what is there.
    ///
    /// # Errors
    /// [`ReportError`]; with what this program makes there is none.
    pub fn lines(&self) -> Result<Lines, ReportError> {
        let mut rest = self.rest.clone();
        let rest_line = shortened(&mut rest)?;
        let mut summary = Summary {
            format: FORMAT,
            host: SafeText::new(&fields::cut(self.summary.host.as_str(), MAX_HOST)),
            rest_bytes: rest_line.len() as u64,
            rest_sha256: Some(hash_bytes(rest_line.as_bytes())),
            ..self.summary.clone()
        };
        summary.count(&rest.requests);
        Ok(Lines { summary: fitted(summary)?, rest: rest_line })
    }

    /// Reads a report that another machine wrote; nothing of it is verified.
    ///
    /// # Errors
    /// [`ReportError`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReportError> {
        Ok(Self::read(bytes)?.0)
    }

    /// The same, with what can be verified of it; None: nobody signed it.
    ///
    /// # Errors
    /// [`ReportError`]
    pub fn read(bytes: &[u8]) -> Result<(Self, Option<Sealed>), ReportError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ReportError::TooLarge);
        }
        let (first, others) = split(bytes);
        let form = |document: &[u8]| serde_json::from_slice::<Form>(document).map(|form| form.format);
        match form(first) {
            Ok(FORMAT) => {}
            Ok(other) if other != 1 => return Err(unknown(other)),
            // One of format 1 may be written over many lines.
            Ok(_) | Err(_) => {
                return match form(bytes).map_err(ReportError::malformed)? {
                    1 => Ok((Document::read(bytes)?.into(), None)),
                    other => Err(unknown(other)),
                };
            }
        }
        let summary = Summary::read(first)?;
        let (second, third) = split(others);
        let whole = second.ends_with(b"\n")
            && summary.rest_bytes == second.len() as u64
            && summary.rest_sha256 == Some(hash_bytes(second));
        if !whole {
            return Err(ReportError::malformed("its second line is not the one that its first line names"));
        }
        let rest: Rest = serde_json::from_slice(second).map_err(ReportError::malformed)?;
        let sealed = match third.is_empty() {
            true => None,
            false => Some(Sealed::read(first, third)?),
        };
        Ok((Self { summary, rest }, sealed))
    }
}

impl Sealed {
    /// From the first and the third line.
    ///
    /// # Errors
    /// The third line is none of a signature.
    pub fn read(summary: &[u8], third: &[u8]) -> Result<Self, ReportError> {
        if third.len() > MAX_SIGNATURE {
            return Err(ReportError::TooLarge);
        }
        if split(third) != (third, &[][..]) || !third.ends_with(b"\n") {
            return Err(ReportError::malformed("wanted two or three lines"));
        }
        let Signature { signature } = serde_json::from_slice(third).map_err(ReportError::malformed)?;
        let summary = String::from_utf8(summary.to_vec()).map_err(ReportError::malformed)?;
        Ok(Self { summary, signature })
    }
}

impl Summary {
    /// Counts what stands in the rest.
    pub(super) fn count(&mut self, requests: &[ReportedRequest]) {
        (self.states, self.reasons) = (BTreeMap::new(), BTreeMap::new());
        for request in requests {
            *self.states.entry(request.state).or_default() += 1;
            let mut codes = request.blocked_by.clone();
            codes.sort_unstable();
            codes.dedup();
            for code in codes {
                *self.reasons.entry(code).or_default() += 1;
            }
        }
    }
}

/// The line of a summary. Where there is no room for all, the rarest reasons go.
fn fitted(mut summary: Summary) -> Result<String, ReportError> {
    let mut rarest: Vec<(u64, Code)> = summary.reasons.iter().map(|(code, n)| (*n, *code)).collect();
    rarest.sort_unstable_by(|a, b| b.cmp(a));
    loop {
        let line = line(&summary)?;
        if line.len() <= MAX_SUMMARY {
            return Ok(line);
        }
        match rarest.pop() {
            Some((_, code)) => drop(summary.reasons.remove(&code)),
            None if summary.host.as_str().is_empty() => return Err(ReportError::TooLarge),
            None => {
                let half = summary.host.as_str().chars().count() / 2;
                summary.host = SafeText::new(&summary.host.as_str().chars().take(half).collect::<String>());
            }
        }
    }
}

/// The line of a rest that has room, and what is left of it.
fn shortened(rest: &mut Rest) -> Result<String, ReportError> {
    for request in &mut rest.requests {
        let result = request.result.as_ref();
        request.result = result.map(|r| SafeText::new(&fields::cut(r.as_str(), MAX_RESULT - 1)));
    }
    let left_out: [fn(&ReportedRequest) -> bool; 3] = [|_| false, |r| r.state.is_success(), |_| true];
    for leave_out in left_out {
        for request in rest.requests.iter_mut().filter(|r| leave_out(r)) {
            request.result = None;
        }
        let line = line(rest)?;
        if line.len() <= MAX_REST {
            return Ok(line);
        }
    }
    let requests = std::mem::take(&mut rest.requests);
    let mut size = line(rest)?.len();
    for request in requests {
        // As a line it has an end, where it has a comma in the list.
        size += line(&request)?.len();
        if size > MAX_REST {
            break;
        }
        rest.requests.push(request);
    }
    let line = line(rest)?;
    if line.len() <= MAX_REST { Ok(line) } else { Err(ReportError::TooLarge) }
}

fn line(document: &impl Serialize) -> Result<String, ReportError> {
    let mut line = serde_json::to_string(document).map_err(ReportError::malformed)?;
    line.push('\n');
    Ok(line)
}

/// The first line with its end, and what comes after it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes.split_at(end)
}

fn unknown(format: u32) -> ReportError {
    ReportError::malformed(format!(
        "wanted format {FORMAT} with its lines, or 1, found {format}: it needs a newer pcm"
    ))
}
