//! `package.toml` (FORMATS.md 4): what a package is and how its commands run, as typed data. `parse` reads it, `render`
//! writes it, `keys` explains every key of it, `shelf` is the folder of all packages, and `import` makes one of what
//! others deliver.

use super::ids::PackageId;
use super::instruction::parse::how::How;
use super::instruction::{CommandLine, ContentHash};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub mod import;
mod keys;
mod parse;
mod render;
pub mod shelf;

pub use keys::starter;
pub use parse::parse;
pub use render::{render, request_lines};

/// Its name in a package's folder.
pub const NAME: &str = "package.toml";
/// The largest that is read, in bytes.
pub const MAX_BYTES: u64 = 256 << 10;
/// How long a command may run that does not say (FORMATS.md 3).
pub const MAX_RUN_TIME: Duration = Duration::from_secs(2 * 3_600);
/// The most commands of a package.
pub const MAX_COMMANDS: usize = 100;

/// A package as its publisher describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The name of its folder.
    pub package_id: PackageId,
    /// As operators see it.
    pub name: SafeText,
    /// The vendor's own.
    pub version: Option<SafeText>,
    /// Who made it.
    pub publisher: Option<SafeText>,
    /// Of its texts.
    pub language: Option<SafeText>,
    /// A line for those who choose it.
    pub comment: Option<SafeText>,
    /// What to know before it runs.
    pub readme: Option<SafeText>,
    /// Raised for each change.
    pub release: Option<u64>,
    /// Where it may run: `site_id`s, or `*`.
    pub sites: Vec<SafeText>,
    /// What its files were when it was signed.
    pub content_sha256: Option<ContentHash>,
    /// How a machine knows that it is installed already.
    pub installed_if: Option<InstalledIf>,
    /// What can be run of it.
    pub commands: Vec<PackageCommand>,
}

/// One command line of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageCommand {
    /// Its name, e.g. `Typical`.
    pub name: SafeText,
    /// The program and its arguments.
    pub command_line: CommandLine,
    /// How it runs.
    pub how: How,
    /// It takes away what the package brings: `installed_if` is turned round.
    pub removes: bool,
    /// The expression that bounds where it may run at all.
    pub bound: Option<SafeText>,
    /// Requests and packages that must have succeeded first.
    pub depends_on: Vec<SafeText>,
    /// The line of its `[[command]]`; 0 where it was not read from a file.
    pub line: u32,
}

impl PackageCommand {
    /// How it runs, as a job repeats it: nothing is left to a default, and whether windows are ignored only the package says.
    pub fn copied(&self) -> How {
        let mut how = self.how.clone();
        how.max_run_time = Some(how.max_run_time.unwrap_or(MAX_RUN_TIME));
        how.ignore_windows = false;
        how.disk_space = how.disk_space.filter(|bytes| *bytes > 0);
        how
    }
}

/// How a machine knows that a package is installed: one test, without a shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum InstalledIf {
    /// The system's package database has it, in this version or a newer one.
    Dpkg(Named),
    /// The same of rpm's.
    Rpm(Named),
    /// A file of the machine.
    File {
        /// Absolute.
        path: String,
        /// What it has to be.
        is: Is,
    },
    /// A value of the registry, in its 64-bit or its 32-bit view.
    Registry {
        /// `HKLM\…`
        key: String,
        /// The value's name; None: the key itself.
        value: Option<String>,
        /// What it has to be.
        is: Is,
    },
}

/// A package by its name in the system's database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Named {
    /// Its name there.
    pub name: String,
    /// The least version.
    pub version: Option<String>,
}

/// What a file or a value has to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Is {
    /// There.
    There,
    /// Of this version or a newer one.
    AtLeast(String),
    /// A file of these bytes.
    Sha256(ContentHash),
    /// A value with this text.
    Equal(String),
}
