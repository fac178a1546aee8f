//! The words of the notices to logged-on users (DESIGN.md 5). Pure; the engine fills them in, `host::notice` sends them.

use crate::clock::{Wall, Zone};
use crate::host::notice::Notice;
use crate::site::ids::MachineId;
use crate::site::instruction::Restarts;
use crate::text::{SafeText, duration};
use std::time::Duration;

/// From whom a notice comes, and when.
#[derive(Debug, Clone, Copy)]
pub struct From<'a> {
    /// The machine's name.
    pub host: &'a SafeText,
    /// Its id.
    pub machine: Option<MachineId>,
    /// Now.
    pub now: Wall,
    /// The users' zone.
    pub zone: &'a Zone,
}

impl From<'_> {
    fn notice(&self, text: Vec<SafeText>) -> Notice {
        let machine = self.machine.map(|id| format!(" ({id})")).unwrap_or_default();
        let clock = self.zone.to_local(self.now).format("%H:%M");
        Notice { title: format!("Message from pcm on {}{machine}, {clock}", self.host).into(), text }
    }

    /// `in 5m, at 14:07`, or `now`.
    fn when(&self, left: Duration) -> String {
        let left = Duration::from_secs(left.as_secs());
        if left.is_zero() {
            return "now".to_owned();
        }
        let at = chrono::TimeDelta::from_std(left).ok().and_then(|d| self.now.checked_add_signed(d));
        let at = at.map(|at| self.zone.to_local(at).format(", at %H:%M").to_string()).unwrap_or_default();
        format!("in {}{at}", duration(left))
    }

    /// A package starts.
    pub fn run(&self, package: &SafeText, left: Duration, restarts: Restarts, may_restart: bool) -> Notice {
        let what = format!("{package} will be installed on this computer {}.", self.when(left));
        let then = match restarts {
            Restarts::Program => {
                "THE COMPUTER WILL BE RESTARTED by it, without asking. Save your work and log off."
            }
            Restarts::Pcm if may_restart => {
                "THE COMPUTER WILL BE RESTARTED soon after. Save your work and log off."
            }
            Restarts::Pcm => "The computer will have to be restarted after it. Please save your work.",
            Restarts::No => "Please save your work. You need not do anything else.",
        };
        self.notice(vec![what.into(), then.into()])
    }

    /// The machine restarts.
    pub fn restart(&self, why: &SafeText, left: Duration) -> Notice {
        let what = format!("THIS COMPUTER WILL BE RESTARTED {}.", self.when(left));
        let then = "Save your work and log off: whatever is open then will be lost.";
        self.notice(vec![what.into(), then.into(), format!("Why: {why}").into()])
    }

    /// What an operator has to say.
    pub fn operator(&self, who: &SafeText, text: &SafeText) -> Notice {
        self.notice(vec![text.clone(), format!("({who}, operator of this computer)").into()])
    }

    /// What was announced does not happen.
    pub fn called_off(&self, what: &SafeText) -> Notice {
        self.notice(vec![format!("{what}: called off for now.").into()])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words(notice: &Notice) -> String {
        notice.text.iter().map(SafeText::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_notice_says_what_when_and_plainly_whether_the_computer_restarts() {
        let (host, zone) = ("web-01".into(), Zone::from_posix("X", "XXX-1").unwrap());
        let now = "2026-11-22T13:02:00Z".parse().unwrap();
        let from = From { host: &host, machine: Some("BP004000".parse().unwrap()), now, zone: &zone };
        let left = Duration::from_secs(300);
        let run = |restarts, may| from.run(&"Acme 4.0".into(), left, restarts, may);
        let plain = run(Restarts::No, true);
        assert_eq!(plain.title, "Message from pcm on web-01 (BP004000), 14:02");
        assert!(words(&plain).starts_with("Acme 4.0 will be installed on this computer in 5m, at 14:07. "));
        assert!(!words(&plain).contains("RESTART"));
        assert!(words(&run(Restarts::Program, false)).contains("WILL BE RESTARTED"));
        assert!(words(&run(Restarts::Pcm, true)).contains("WILL BE RESTARTED"));
        assert!(!words(&run(Restarts::Pcm, false)).contains("WILL BE"));
        let now = from.restart(&"Kernel wants it".into(), Duration::ZERO);
        assert!(words(&now).starts_with("THIS COMPUTER WILL BE RESTARTED now. "));
    }
}
