//! `pcm notify-host`: the process in which the service has `[notify] command` run. It owns everything that the command
//! starts, and ends all of it at the time limit, so that the service waits for nothing and nothing is left behind; it does
//! so, too, when the service has died. What the command writes is thrown away: it may be endless, and may hold what the
//! command knows of passwords.

use crate::host::process::{Ended, LaunchSpec, Reaped, Tree};
use crate::host::{facts, helper, programs, threads};
use crate::text::{SafeText, duration};
use serde::{Deserialize, Serialize};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Paging somebody may take this long.
pub const LIMIT: Duration = Duration::from_secs(60);
/// What does not end by its end is waited for this long.
const KILLED_WITHIN: Duration = Duration::from_secs(10);

/// One call of the command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The program, by its whole path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// What it reads from its standard input.
    pub json: Vec<u8>,
    /// It is ended after this.
    pub limit: Duration,
}

impl Job {
    /// Has it run by a process of its own, and waits for its end.
    ///
    /// # Errors
    /// Nobody was told, in words: it could not be started, did not end with 0, or took too long.
    pub fn run(&self) -> Result<(), SafeText> {
        let whole = self.limit + KILLED_WITHIN * 2;
        let at = Some("[notify] command".to_owned());
        helper::ask("notify-host", "the process that runs it", self, at, None, whole)?
    }

    fn carry_out(self) -> Result<(), SafeText> {
        let failed = |e: io::Error| SafeText::new(&format!("it cannot be started: {e}"));
        let (mut output, writer) = io::pipe().map_err(failed)?;
        let (input, mut json) = io::pipe().map_err(failed)?;
        let mut tree = Tree::own().map_err(failed)?;
        threads::start("output", move || io::copy(&mut output, &mut io::sink())).map_err(failed)?;
        let cwd = self.program.ancestors().last().unwrap_or(Path::new("/")).to_owned();
        let spec = LaunchSpec {
            program: self.program,
            args: self.args,
            env: programs::clean_environment(),
            cwd,
            run_as: None,
            input: Some(input),
            output: writer,
        };
        let pid = tree.launch(spec).map_err(failed)?;
        // One that reads nothing holds up this thread alone, which ends with the process.
        let (bytes, limit) = (self.json, self.limit);
        threads::start("input", move || json.write_all(&bytes)).map_err(failed)?;
        see_to_its_end(&mut tree, pid, limit)
    }
}

/// Until the command and all that it has started have ended. What is left at the limit is ended; whether somebody was told,
/// the command itself says.
fn see_to_its_end(tree: &mut Tree, pid: u32, limit: Duration) -> Result<(), SafeText> {
    let failed = |e: io::Error| SafeText::new(&format!("nobody knows how it ended: {e}"));
    let until = facts::monotonic().0 + limit;
    let mut how = None;
    loop {
        match tree.wait_any(until.saturating_sub(facts::monotonic().0)).map_err(failed)? {
            Reaped::One { pid: reaped, ended } if reaped == pid => how = Some(ended),
            Reaped::One { .. } => {}
            Reaped::NoChildren => break,
            Reaped::NothingYet => {
                tree.kill(KILLED_WITHIN).map_err(|_| {
                    SafeText::new(&format!("it did not end within {} and cannot be ended", duration(limit)))
                })?;
                break;
            }
        }
    }
    match how {
        Some(Ended::Code(0)) => Ok(()),
        Some(Ended::Code(code)) => Err(SafeText::new(&format!("it ended with exit {code}"))),
        Some(Ended::Signal(signal)) => Err(SafeText::new(&format!("signal {signal} ended it"))),
        None => Err(SafeText::new(&format!("it did not end within {} and was ended", duration(limit)))),
    }
}

/// The process's own side: one call, and what came of it.
pub fn main() -> u8 {
    helper::serve(Job::carry_out)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::process::descendants;
    use std::process::{Command, Stdio};

    const PART: &str = "PCM_TEST_NOTIFY";

    /// One call becomes the parent of all that it starts, which no test may be beside others.
    fn in_a_process_of_its_own(test: &str, act: impl FnOnce()) {
        if std::env::var_os(PART).is_some() {
            return act();
        }
        let name = format!("executor::notices::command::tests::{test}");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &name, "--nocapture"]).env(PART, "1").stdin(Stdio::null());
        let output = command.output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    fn run(script: &str, json: Vec<u8>, limit: u64) -> Result<(), String> {
        let args = vec!["-c".to_owned(), script.to_owned()];
        let job = Job { program: "/bin/sh".into(), args, json, limit: Duration::from_secs(limit) };
        let told = job.carry_out().map_err(SafeText::into_string);
        assert!(descendants(std::process::id()).is_empty(), "{script}: nothing is left");
        told
    }

    #[test]
    fn it_reads_all_of_the_document_and_its_exit_says_whether_somebody_was_told() {
        in_a_process_of_its_own(
            "it_reads_all_of_the_document_and_its_exit_says_whether_somebody_was_told",
            || {
                let dir = tempfile::tempdir().unwrap();
                let told = dir.path().join("told");
                let json = vec![b'x'; 500_000];
                assert_eq!(run(&format!("cat > '{}'", told.display()), json.clone(), 60), Ok(()));
                assert_eq!(std::fs::read(&told).unwrap(), json);
                assert_eq!(run("exit 3", json.clone(), 60).unwrap_err(), "it ended with exit 3");
                assert_eq!(run("kill -9 $$", json.clone(), 60).unwrap_err(), "signal 9 ended it");
                assert_eq!(run("exit 0", json.clone(), 60), Ok(()), "it need not read anything");
                assert_eq!(
                    run("head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2", json, 60),
                    Ok(())
                );
                let missing = Job {
                    program: dir.path().join("missing"),
                    args: Vec::new(),
                    json: Vec::new(),
                    limit: Duration::from_secs(60),
                };
                let why = missing.carry_out().unwrap_err().into_string();
                assert!(why.starts_with("it cannot be started: "), "{why}");
            },
        );
    }

    #[test]
    fn what_does_not_end_is_ended_with_everything_that_it_has_started() {
        in_a_process_of_its_own("what_does_not_end_is_ended_with_everything_that_it_has_started", || {
            let late = "it did not end within 1s and was ended";
            let json = || vec![b'x'; 500_000];
            assert_eq!(run("sleep 600", json(), 1).unwrap_err(), late);
            assert_eq!(run("yes", json(), 1).unwrap_err(), late);
            assert_eq!(
                run("trap '' TERM HUP; (setsid sleep 600 &); sleep 600 & wait", json(), 1).unwrap_err(),
                late
            );
            // It has told somebody, and what it left behind goes.
            assert_eq!(run("(setsid sleep 600 &); exit 0", json(), 1), Ok(()));
            assert_eq!(run("(setsid sleep 600 &); exit 4", json(), 1).unwrap_err(), "it ended with exit 4");
        });
    }

    #[test]
    fn it_finds_nothing_of_the_services_environment() {
        in_a_process_of_its_own("it_finds_nothing_of_the_services_environment", || {
            assert!(std::env::var_os(PART).is_some());
            assert_eq!(run(&format!("[ -z \"${PART}\" ] && [ \"$PWD\" = / ]"), Vec::new(), 60), Ok(()));
        });
    }
}
