//! The thread that touches the share: looks, staging, reports, results. A share that hangs holds up this thread and
//! nothing else (PROMISES.md P8); the service gives it up and starts another one.

use crate::executor::engine::{PollJob, PollNews};
use crate::executor::outbox::Outbox;
use crate::site::ids::MachineId;
use crate::site::report;
use crate::text::SafeText;
use std::path::PathBuf;
use std::sync::mpsc;
use tokio::sync::mpsc::UnboundedSender;

/// What is to be done at the share.
pub enum Job {
    /// Look, then stage.
    Poll(Box<PollJob>),
    /// Bring report and results.
    Report {
        /// The share in force.
        share: PathBuf,
        /// Whose.
        machine: MachineId,
        /// The machine report.
        report: Vec<u8>,
        /// Results that wait.
        outbox: Outbox,
    },
}

/// What came of it.
pub enum News {
    /// Of a look.
    Poll(PollNews),
    /// Report and results have arrived, or why not.
    Reported(Result<usize, SafeText>),
}

/// A worker; dropping it lets the thread end when it next asks for a job.
pub struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    /// Starts the thread. Its news carry `id`, so that those of one that was given up can be told apart.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(id: u64, news: UnboundedSender<(u64, News)>) -> std::io::Result<Worker> {
        let (jobs, queue) = mpsc::channel();
        std::thread::Builder::new().name(format!("share-{id}")).spawn(move || {
            while let Ok(job) = queue.recv() {
                let tell = |what| news.send((id, what)).is_ok();
                let heard = match job {
                    Job::Poll(job) => {
                        let mut heard = true;
                        job.carry_out(&mut |what| heard &= tell(News::Poll(what)));
                        heard
                    }
                    Job::Report { share, machine, report, outbox } => {
                        tell(News::Reported(deliver(&share, machine, &report, &outbox)))
                    }
                };
                if !heard {
                    return;
                }
            }
        })?;
        Ok(Worker { jobs })
    }

    /// Hands over a job; false if the thread is gone.
    pub fn give(&self, job: Job) -> bool {
        self.jobs.send(job).is_ok()
    }
}

/// Payload first: the results, then the report that speaks of them (DEFECTS Q138241).
fn deliver(
    share: &std::path::Path,
    machine: MachineId,
    report: &[u8],
    outbox: &Outbox,
) -> Result<usize, SafeText> {
    let words = |what: &str, e: std::io::Error| SafeText::new(&format!("{what}: {e}"));
    let delivered = outbox.deliver(share, machine).map_err(|e| words("results", e))?;
    let path = share.join("machines").join(format!("{machine}.json"));
    report::write_replacing(&path, report).map_err(|e| words("machine report", e))?;
    Ok(delivered)
}
