//! What an operator can do about each code, as a sentence without its full stop. Called by the refusals; free for every
//! view that wants to say what helps.

use crate::site::ids::RequestId;
use crate::terms::Code;

/// What helps against this code.
pub fn remedy(code: Code, id: RequestId) -> String {
    let text = match code {
        Code::ShareMissing => "Bring the share back (is it mounted?), then pcm poll",
        Code::ShareDenied => "Give the service's account the right to read the share, then pcm poll",
        Code::ShareStale => {
            "Bring the share back or ask the publisher for a newer instruction file, then pcm poll"
        }
        Code::InsMissing => "Ask the publisher for an instruction file for this machine, then pcm poll",
        Code::Malformed | Code::Contradiction | Code::Duplicate => "The publisher has to correct the record",
        Code::CommandRefused => {
            "The publisher has to correct the command line, or [execute] programs has to name the program"
        }
        Code::Unsigned | Code::BadSignature => {
            "The publisher has to sign the instruction file with a key this machine trusts"
        }
        Code::LoosePermissions => {
            "Let only root or the service's account write to what is named, then pcm poll"
        }
        Code::Rollback => "The publisher has to publish with a higher serial",
        Code::Platform => "It is for another platform; this machine needs another package",
        Code::NeedsInput => "It needs a user's input; ask the publisher for an automated command",
        Code::ApplicationOnly => return format!("pcm run {id} runs it"),
        Code::Suspended => "Only the publisher can resume the job",
        Code::Dependency => "Run what it depends on first",
        Code::Done | Code::Interrupted => {
            return format!("pcm rerun {id} --reason WHY makes another attempt");
        }
        Code::HistoryLost => "Decide what is done with pcm init --adopt=done or pcm init --adopt=not-done",
        Code::StateUnreadable => {
            "Repair the file system or the rights of the state folder; pcm goes on by itself"
        }
        Code::RetryLater => return format!("Wait, or pcm rerun {id} --reason WHY"),
        Code::NotOffered => "Wait until it is offered, or ask the publisher for an earlier time",
        Code::Expired => "Ask the publisher to send the job again with a later expiry",
        Code::NotMandatoryYet | Code::Optional => return format!("pcm run {id} runs it now"),
        Code::Held => "pcm unhold ends the hold",
        Code::Frozen => "Wait for the end of the freeze",
        Code::Deferred => return format!("pcm undefer {id} ends the deferral"),
        Code::WindowClosed | Code::WindowTooShort => "Wait for the next maintenance window",
        Code::WindowNeverFits => {
            "Give [windows] weekly a longer window, or the request a shorter max_run_time"
        }
        Code::UserLoggedOn => "Ask the user to log off",
        Code::NoUser => "Wait until a user logs on",
        Code::UsersUnknown => "Make log-ons known to the system (logind or utmp)",
        Code::ClockSuspect => "Synchronise the clock and wait an hour",
        Code::RestartPending => "pcm restart now, or restart the machine by hand",
        Code::Booting => "Wait until the machine has been up for a while",
        Code::OnBattery => "Connect the power supply",
        Code::DiskSpace => "Free space where the state folder is",
        Code::PolicyUnreadable => "Correct pcm.toml; pcm check shows every error of it",
        Code::ContentMissing => "Wait until the files are copied, or pcm poll",
        Code::ContentMismatch => {
            "The publisher has to publish the package again: its files differ from what was announced"
        }
        Code::Busy => "Wait for the package that runs, or stop it",
    };
    text.to_owned()
}
