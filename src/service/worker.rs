//! Threads that wait for share readers, so that the service's loop does not: one for looks, one for packages, one for
//! results and reports, whose place may hang alone, one for what is staged, and one for what is installed. Each has one process at a time.

use crate::executor::share::job::{ShareJob, ShareNews};
use crate::text::SafeText;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// What came of a job, or why there is no answer.
pub type News = (ShareJob, Result<ShareNews, SafeText>);

/// Whoever carries jobs to the share, one after the other, and brings the news back later.
pub trait Carrier {
    /// Hands over a job with its deadline; false if nobody will carry it.
    fn give(&self, job: ShareJob, deadline: Duration) -> bool;
}

/// A worker; dropping it lets the thread end when it next asks for a job.
pub struct Worker {
    jobs: mpsc::Sender<(ShareJob, Duration)>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(name: &str, news: UnboundedSender<News>) -> std::io::Result<Worker> {
        let (jobs, queue) = mpsc::channel::<(ShareJob, Duration)>();
        std::thread::Builder::new().name(name.into()).spawn(move || {
            while let Ok((job, deadline)) = queue.recv() {
                let answer = job.run(deadline);
                if news.send((job, answer)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Worker { jobs })
    }
}

impl Carrier for Worker {
    /// False if the thread is gone.
    fn give(&self, job: ShareJob, deadline: Duration) -> bool {
        self.jobs.send((job, deadline)).is_ok()
    }
}
