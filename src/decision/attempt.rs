//! One execution of a request, as history keeps it and decisions read it.

use crate::clock::Wall;
use crate::site::ids::{JobId, PackageId};
use crate::site::instruction::{Request, Restarts, RunWhen};
use crate::terms::State;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// Who starts what runs by itself.
pub const SERVICE: &str = "service";

/// One execution of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// `running`, `stopping`, or one of the group Executed.
    pub state: State,
    /// Set where this attempt ended with a `retry` outcome and another is due: when.
    pub retry_at: Option<Wall>,
    /// The package's name at that time.
    pub package: SafeText,
    /// The command's name at that time.
    pub command: SafeText,
    /// At that time.
    pub job_id: JobId,
    /// At that time.
    pub package_id: PackageId,
    /// When it was claimed.
    pub claimed_at: Wall,
    /// When it was launched.
    pub started_at: Option<Wall>,
    /// When its process tree had ended.
    pub ended_at: Option<Wall>,
    /// What the package returned.
    pub exit_code: Option<i64>,
    /// In words, at most 128 characters.
    pub result: SafeText,
    /// [`SERVICE`], or the operator.
    pub by: SafeText,
    /// The operator's words.
    pub reason: SafeText,
    /// The boot it ran in.
    pub boot_id: String,
    /// What its request said about a restart after it.
    #[serde(default)]
    pub restart: RestartRule,
    /// The release of its package, where that was signed: no lower one runs here any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// It removed its package, where it succeeded. Of before pcm kept this, nothing is known but the command's name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removes: bool,
}

/// Whether a command of this name removes, where nothing else says so.
pub(super) fn is_uninstall(command: &SafeText) -> bool {
    command.as_str().eq_ignore_ascii_case("uninstall")
}

impl Attempt {
    /// As it is claimed: it has begun, and nothing is known yet but who wanted it, when, and in which boot.
    pub fn claimed(request: &Request, number: u32, by: SafeText, at: Wall, boot_id: &str) -> Attempt {
        Attempt {
            number,
            state: State::Running,
            retry_at: None,
            package: request.package.clone(),
            command: request.command.clone(),
            job_id: request.job_id,
            package_id: request.package_id,
            claimed_at: at,
            started_at: None,
            ended_at: None,
            exit_code: None,
            result: SafeText::default(),
            by,
            reason: SafeText::default(),
            boot_id: boot_id.to_owned(),
            restart: RestartRule::of(request),
            release: None,
            removes: false,
        }
    }

    /// What the package returned says how it ended. A status MIF wins over that, and then the words are the package's own.
    pub fn is_told_by_its_exit_code(&self) -> bool {
        self.exit_code.is_some() && (self.result.is_empty() || self.result.as_str().starts_with("exit "))
    }

    /// It was claimed and is proven not to have been launched: nothing of the package ran.
    pub fn never_launched(&self) -> bool {
        self.state == State::Failed && self.started_at.is_none()
    }
}

/// What a request says about a restart after it: kept with the attempt, since the request may be withdrawn by then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartRule {
    /// Who restarts the machine.
    pub restarts: Restarts,
    /// Under which presence of users.
    pub run_when: RunWhen,
    /// Whether windows concern it.
    pub ignore_windows: bool,
}

impl RestartRule {
    /// Of a request.
    pub fn of(request: &Request) -> RestartRule {
        let (restarts, run_when, ignore_windows) =
            (request.restarts, request.run_when, request.ignore_windows);
        RestartRule { restarts, run_when, ignore_windows }
    }
}
