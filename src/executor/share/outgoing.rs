//! A machine report on its way to a share. Whoever writes it there learns only then which results have not arrived, and holds
//! no key: where it is signed, it is signed for both cases before it goes.

use crate::site::report::lines::{Lines, Sealed};
use crate::site::report::seal::HostKey;
use crate::site::report::{MachineReport, ReportError, Written};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// The report, and what is signed of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// What it says where all results arrive.
    pub report: MachineReport,
    /// As that, and without what waited when it was signed; empty: nobody signs it.
    sealed: Vec<Ready>,
}

/// Lines that are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ready {
    /// It does not speak of these results.
    without: Vec<String>,
    lines: Lines,
    signature: String,
}

impl Outgoing {
    /// That nobody signs.
    pub fn unsigned(report: MachineReport) -> Self {
        Self { report, sealed: Vec::new() }
    }

    /// Signed with this key. `waiting`: the results that may not arrive.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn signed(report: MachineReport, waiting: Vec<String>, key: &HostKey) -> Result<Self, SafeText> {
        let ready = |without: Vec<String>| -> Result<Ready, SafeText> {
            let mut report = report.clone();
            report.leave_out(&without);
            let lines = report.lines().map_err(|e| SafeText::new(&e.to_string()))?;
            let signature = key.sign(&lines.summary)?;
            Ok(Ready { without, lines, signature })
        };
        let mut sealed = vec![ready(Vec::new())?];
        if !waiting.is_empty() {
            sealed.push(ready(waiting)?);
        }
        Ok(Self { report, sealed })
    }

    /// The bytes of the file where these results are not on the share. `before`: the newest report with a number that stands
    /// there, which one without a number keeps.
    ///
    /// # Errors
    /// It fits nowhere.
    pub fn bytes(
        &self,
        missing: &[String],
        before: impl FnOnce() -> Option<(Written, Option<Sealed>)>,
    ) -> Result<Vec<u8>, ReportError> {
        let speaks_of = |ready: &&Ready| missing.iter().any(|name| ready.without.contains(name));
        // Of what came to wait since it was signed it does not speak.
        if let Some(ready) = self.sealed.iter().rev().find(speaks_of).or(self.sealed.first()) {
            return ready.lines.bytes(Some(&ready.signature));
        }
        let mut report = self.report.clone();
        report.leave_out(missing);
        if report.summary.report.is_none() {
            let (written, sealed) = before().unzip();
            (report.rest.before, report.rest.before_sealed) = (written.map(Box::new), sealed.flatten());
        }
        report.to_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::report::{result_name, tests::report};

    #[test]
    fn what_is_signed_speaks_of_no_result_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let key = HostKey::make(dir.path()).unwrap();
        let mut own = report(2);
        own.summary.report = Some(7);
        let name = |n: usize| result_name(own.rest.requests[n].request_id, 1);
        let outgoing = Outgoing::signed(own.clone(), vec![name(0)], &key).unwrap();
        let other = "BP09999-1.MIF".to_owned();
        for (missing, requests) in
            [(vec![], 2), (vec![name(0)], 1), (vec![other.clone()], 2), (vec![name(0), other], 1)]
        {
            let bytes = outgoing.bytes(&missing, || unreachable!()).unwrap();
            let (read, sealed) = MachineReport::read(&bytes).unwrap();
            assert_eq!(read.rest.requests.len(), requests, "{missing:?}");
            assert_eq!(read.summary.undelivered, 2 - requests as u64);
            assert_eq!(&sealed.unwrap().by().unwrap(), key.key());
        }
    }
}
