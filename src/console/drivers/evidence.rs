//! Has `pcm evidence` make the archive about a request beside the console, and says what became of it. The verb is a process of its
//! own: it looks at much, and is ended when that takes too long.

use super::save::expand;
use super::{Incoming, send};
use crate::console::app::Event;
use crate::console::app::afar::answer;
use crate::console::app::evidence::told;
use crate::console::threads::spawn;
use crate::host::facts;
use crate::host::ssh::{Ready, Why};
use crate::safe;
use crate::site::ids::RequestId;
use crate::text::{SafeText, bytes, duration};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// A file as it was typed, and what it is to be about.
pub type Job = (String, RequestId);

/// No archive takes longer, also where a share hangs.
const LIMIT: Duration = Duration::from_mins(5);
/// What is said of one is no longer, in bytes.
const MOST: u64 = 4 << 20;

/// Starts the thread that has archives made, one after the other, by this program and the flags that say which installation is
/// meant; what became of each comes as an event.
///
/// # Errors
/// The system has no more threads.
pub fn start(own: Vec<OsString>, to: &Sender<Incoming>) -> std::io::Result<Sender<Job>> {
    let (jobs, wanted) = channel::<Job>();
    let to = to.clone();
    spawn("evidence", move || {
        for (path, request) in wanted {
            let (said, error) = match made(&own, &path, request, LIMIT) {
                Ok(text) => (text, false),
                Err(why) => (safe!("evidence of {request}: {why}"), true),
            };
            if !send(&to, Event::Saved { path, said, error }) {
                return;
            }
        }
    })?;
    Ok(jobs)
}

/// What became of it; else why there is none.
fn made(own: &[OsString], path: &str, request: RequestId, limit: Duration) -> Result<SafeText, SafeText> {
    let (program, flags) = own.split_first().ok_or("the program of this console is not known")?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    // A name that begins with a dash is no flag then.
    let file = std::path::absolute(expand(path, home.as_deref())).map_err(|e| safe!("{path}: {e}"))?;
    let mut out = OsString::from("--out=");
    out.push(&file);
    let mut command = Command::new(program);
    command.args(flags).args(["--json", "evidence", request.as_str()]).arg(out);
    let answer = Ready::of(command).answer(limit, MOST, &|| false);
    let answer = answer.map_err(|e| safe!("pcm cannot be started: {e}"))?;
    match (answer.why, answer.ended.code) {
        (Why::Ended, Some(0)) => {}
        (Why::Ended, _) => {
            return Err(answer::told(&answer.ended.said).unwrap_or_else(|| "it does not say why".into()));
        }
        (Why::Stopped | Why::TooLate, _) => return Err(safe!("not made within {}", duration(limit))),
    }
    let told = told(&answer.output).ok_or("it ended, and did not say what was made")?;
    let (size, host) = (bytes(told.bytes), facts::host_name());
    Ok(safe!("evidence of {request}: {size} in {} on {host}{}", told.file, told.lacks))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What is said of a program that does this in the place of pcm.
    fn became(does: &str, limit: Duration) -> Result<String, String> {
        let own = ["sh", "-c", does, "pcm"].map(OsString::from);
        let made = made(&own, "-x.tar.zst", "BP0000Y".parse().unwrap(), limit);
        made.map(|text| text.to_string()).map_err(|why| why.to_string())
    }

    #[test]
    fn what_is_said_of_an_archive_is_what_the_verb_says() {
        let long = Duration::from_mins(5);
        // It is given the whole path, so that no name is a flag.
        let there = std::env::current_dir().unwrap().join("-x.tar.zst").display().to_string();
        let doc = r#"{\"file\":\"${4#--out=}\",\"bytes\":2048,\"parts\":[{\"part\":\"log\",\"standing\":\"part\"}]}"#;
        let said = became(&format!("echo \"{doc}\""), long).unwrap();
        let host = facts::host_name();
        assert_eq!(said, format!("evidence of BP0000Y: 2 KB in {there} on {host}; a part only: log"));
        let refuses =
            r#"echo '{"error":{"code":"x","message":"no room","remedy":"Make some","exit":1}}' >&2; exit 1"#;
        assert_eq!(became(refuses, long).unwrap_err(), "no room. Make some");
        assert_eq!(became("exit 3", long).unwrap_err(), "it does not say why");
        assert_eq!(became("echo made", long).unwrap_err(), "it ended, and did not say what was made");
        let endless = became("while :; do sleep 1; done", Duration::from_millis(50));
        assert!(endless.unwrap_err().starts_with("not made within"));
        assert!(made(&[], "x", "BP0000Y".parse().unwrap(), long).is_err());
    }
}
