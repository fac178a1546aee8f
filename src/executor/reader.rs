//! The only code that touches a share, in a process of its own: one look, one package to be staged, or one delivery. It
//! is killed when it passes its deadline, so that a share that hangs stalls nothing (PROMISES.md 4, P8). The service's
//! workers and single commands start it; it asks nothing of the executor.

use super::outbox::Outbox;
use super::wire;
use crate::config::TrustMode;
use crate::decision::ContentFact;
use crate::host::programs;
use crate::site::ids::{MachineId, PackageId};
use crate::site::instruction::ContentHash;
use crate::site::instruction::parse::Defaults;
use crate::site::share::{self, Look, Looking};
use crate::site::trust::Judge;
use crate::site::{content, report};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The longest job or answer: an instruction file of 1 MiB as JSON numbers, and what it says.
const MAX_MESSAGE: usize = 64 << 20;

/// One thing to be done at a share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ShareJob {
    /// Read site file and instruction file of all shares.
    Look {
        /// In the order of preference.
        shares: Vec<PathBuf>,
        /// Whose instruction file.
        machine: MachineId,
        /// What makes it believable.
        trust: TrustMode,
        /// For requests that do not say.
        max_run_time: Duration,
        /// The bare program names that may be started.
        programs: Vec<String>,
    },
    /// Copy and verify one package.
    Stage {
        /// From where.
        share: PathBuf,
        /// Which.
        package: PackageId,
        /// What its `CONTENT` must hash to.
        hash: ContentHash,
        /// To where.
        stage: PathBuf,
        /// What makes it believable.
        trust: TrustMode,
    },
    /// Bring results that wait, then the machine report.
    Deliver {
        /// To where.
        share: PathBuf,
        /// Whose.
        machine: MachineId,
        /// The machine report.
        report: String,
        /// Where results wait.
        outbox: PathBuf,
    },
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ShareNews {
    /// Of a look.
    Looked(Box<Look>),
    /// The content is staged, or why not.
    Staged(ContentHash, ContentFact),
    /// How many results arrived with the report, or why it did not.
    Delivered(Result<usize, SafeText>),
}

impl ShareJob {
    /// Carries it out here and now. May hang with the share.
    fn carry_out(&self) -> ShareNews {
        match self {
            ShareJob::Look { shares, machine, trust, max_run_time, programs } => {
                let (judge, machine) = (&Judge::of(*trust), *machine);
                let defaults = &Defaults { max_run_time: *max_run_time, programs: programs.clone() };
                ShareNews::Looked(Box::new(share::look(&Looking { shares, machine, judge, defaults })))
            }
            ShareJob::Stage { share, package, hash, stage, trust } => {
                let fact = content::stage(share, *package, hash, stage, &Judge::of(*trust));
                ShareNews::Staged(hash.clone(), fact)
            }
            ShareJob::Deliver { share, machine, report, outbox } => {
                ShareNews::Delivered(deliver(share, *machine, report, &Outbox::at(outbox)))
            }
        }
    }

    /// Carries it out in a process of its own, for at most `deadline`.
    ///
    /// # Errors
    /// Why there is no answer: the share hangs, or no process can be had. Nothing may be concluded from it.
    pub fn run(&self, deadline: Duration) -> Result<ShareNews, SafeText> {
        let failed = |e: io::Error| SafeText::new(&format!("the share reader failed: {e}"));
        let mut child = Command::new(programs::own_executable().map_err(failed)?)
            .arg("share-reader")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the share reader has no pipes".into());
        };
        let job = wire::encode(self).map_err(failed)?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let answer = io::Write::write_all(&mut stdin, &job)
                .and_then(|()| wire::read::<ShareNews>(&mut stdout, MAX_MESSAGE));
            // Nobody waits any more after the deadline.
            let _ = tell.send(answer);
        });
        let answer = match told.recv_timeout(deadline) {
            Ok(answer) => answer.map_err(failed),
            Err(_) => {
                let _ = child.kill();
                Err(SafeText::new(&format!("it does not answer within {}", crate::text::duration(deadline))))
            }
        };
        // Even a killed process can hang in the system's own call: it is reaped when it is gone, and not waited for.
        std::thread::spawn(move || child.wait());
        answer
    }
}

/// `pcm share-reader`: one job from standard input, its news to standard output.
pub fn main() -> u8 {
    let job: io::Result<ShareJob> = wire::read(&mut io::stdin().lock(), MAX_MESSAGE);
    let told = job.and_then(|job| wire::write(&mut io::stdout().lock(), &job.carry_out()));
    u8::from(told.is_err())
}

/// Payload first: the results, then the report that speaks of them (DEFECTS Q138241).
fn deliver(share: &Path, machine: MachineId, text: &str, outbox: &Outbox) -> Result<usize, SafeText> {
    let words = |what: &str, e: io::Error| SafeText::new(&format!("{what}: {e}"));
    let delivered = outbox.deliver(share, machine).map_err(|e| words("results", e))?;
    let path = share.join("machines").join(format!("{machine}.json"));
    report::write_replacing(&path, text.as_bytes()).map_err(|e| words("machine report", e))?;
    Ok(delivered)
}

/// The time that all looks at these shares may take together.
pub fn look_deadline(shares: usize, timeout: Duration) -> Duration {
    timeout.saturating_mul(u32::try_from(shares.max(1)).unwrap_or(u32::MAX))
}

/// One package may take this long to be copied.
pub const STAGE_DEADLINE: Duration = Duration::from_secs(3600);
/// Results and a report are small.
pub const DELIVER_DEADLINE: Duration = Duration::from_secs(60);
