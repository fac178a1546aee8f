//! Arguments of what a publisher does with a share: site, package.

use super::key::{FolderArgs, PartArg};
use super::publish::{MachineVerb, PublishArgs, ThenArgs};
use super::suggest::Suggested;
use crate::site::ids::{MachineId, PackageId, SiteCode};
use crate::terms::Platform;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `pcm site`
#[derive(Debug, Clone, Args)]
pub struct SiteArgs {
    /// What.
    #[command(subcommand)]
    pub what: SiteVerb,
}

/// `pcm site …`
#[derive(Debug, Clone, Subcommand)]
pub enum SiteVerb {
    /// Make a site folder in an empty folder; with --hand-made, a share that is filled by hand
    Init {
        /// The folder; made if it is not there
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Site code, e.g. BP0
        #[arg(long, value_name = "CODE")]
        site: SiteCode,
        /// Add an example package, and a job that runs it on this machine
        #[arg(long, value_name = "SMSID")]
        example: Option<MachineId>,
        /// Make a share instead, without a site folder; its instruction files are written by hand
        #[arg(long)]
        hand_made: bool,
        /// Take machines, packages and requests of a share that is filled by hand; what is not taken is said
        #[arg(long, value_name = "SHARE", conflicts_with_all = ["example", "hand_made"])]
        from: Option<PathBuf>,
    },
    /// Publish the site folder on its share; machines see all of it or nothing
    Publish(PublishArgs),
    /// Show the site at a glance: what is published, how long it counts, and what needs attention; exit status 10 if
    /// something does
    Status {
        /// Which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Have the system run `pcm job advance` and `pcm site publish --renew` every five minutes (systemd, or a scheduled
    /// task)
    ///
    /// Halts what fails, lets jobs go on, and renews what is published before its time is over. With --dry-run it prints
    /// what would be written. It needs a key file: an agent or a token is not there for it.
    InstallTimer {
        /// Run `pcm site collect` instead, for sites of many thousand machines
        #[arg(long)]
        collect: bool,
        /// Which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Read the reports of all machines, beside the share, and write what they say as one file that consoles read instead
    ///
    /// For sites of many thousand machines: a console far from the share reads that file within seconds, where the reports
    /// themselves take minutes. Run it every few minutes on the file server: install-timer --collect does so. The file is
    /// machines.collected on the share. `pcm rollout` takes it where it is newer than what it knows itself, and says how old it
    /// is; `pcm job advance` reads the reports.
    Collect {
        /// Which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// No automatic runs on any machine of the site until a time
    Freeze {
        /// Until when: "Mon 06:00", 2027-01-04T00:00:00Z, 12h
        #[arg(long, value_name = "T")]
        until: String,
        /// Why: the machines show it
        #[arg(long, value_name = "R")]
        reason: String,
        /// How it is published.
        #[command(flatten)]
        then: ThenArgs,
    },
    /// End the freeze: automatic runs start again
    Unfreeze {
        /// How it is published.
        #[command(flatten)]
        then: ThenArgs,
    },
    /// Add, change, remove and list the machines of the site
    Machine {
        /// What.
        #[command(subcommand)]
        what: MachineVerb,
    },
    /// Report everything that is wrong in a site folder, on a share, or in one instruction file; exit status 10 if something is
    Lint {
        /// The site folder, the share, or one SMSID.INS (default: the site folder, else the configured share)
        #[arg(value_name = "DIR|FILE")]
        what: Option<PathBuf>,
        /// What times without a zone mean: a zone's name, as the machines have it (default: zone in site.toml, else this machine's)
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// Hash every file of every package, too
        #[arg(long)]
        hashes: bool,
    },
    /// Show who signed a file, and whether a machine would take it; or print its parts, for `ssh-keygen -Y verify`
    Verify {
        /// PCM.INDEX, a trust list, an instruction file, or a package.toml with its signature beside it
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print one part unchanged, and check nothing
        #[arg(long, value_enum, value_name = "PART")]
        part: Option<PartArg>,
        /// Which signature, counted from 1 (default: 1)
        #[arg(long, value_name = "N", requires = "part")]
        block: Option<usize>,
        /// Whose keys count.
        #[command(flatten)]
        folder: FolderArgs,
    },
}

/// `pcm package`
#[derive(Debug, Clone, Args)]
pub struct PackageArgs {
    /// What.
    #[command(subcommand)]
    pub what: PackageVerb,
}

/// `pcm package …`
#[derive(Debug, Clone, Subcommand)]
pub enum PackageVerb {
    /// Begin a package: its folder, and a package.toml that explains every key
    New {
        /// Its id (default: the next free one)
        #[arg(value_name = "ID")]
        id: Option<PackageId>,
        /// Its name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// In which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Make a package of a .deb, .rpm or .msi, a package definition file (*.pdf, *.sms), or a folder
    ///
    /// pcm reads name, version, platforms, the silent commands that install and remove it, and how to see that it is installed,
    /// from the file. A message names the flag for what the file does not say. The files are copied and hashed.
    Import(ImportArgs),
    /// List the packages of the site folder, or of a share
    List {
        /// Of which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Report everything that is wrong with packages; exit status 10 if something is
    Lint {
        /// Packages, by folder or by id (default: all)
        #[arg(value_name = "DIR|ID")]
        packages: Vec<PathBuf>,
        /// Hash every file, too
        #[arg(long)]
        hashes: bool,
        /// In which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Sign packages of the site folder; before that, pcm fills in kind, sites, release and the hashes of the files
    Sign {
        /// Package ids, e.g. BP00000A
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<PackageId>,
        /// The package key that signs: its private file, or the .pub of a key in your agent or token
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Sign the same release once more, e.g. because the old key ends
        #[arg(long)]
        again: bool,
        /// All packages
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Write CONTENT, the hashes of a package's files, and print its own hash; in a site folder, make the next release
    Content {
        /// The package's folder, or its id
        #[arg(value_name = "DIR|ID")]
        package: PathBuf,
        /// In which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
}

/// `pcm package import`
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The file or folder that it is made of
    #[arg(value_name = "FILE|FOLDER")]
    pub from: PathBuf,
    /// Its id (default: the next free one)
    #[arg(long, value_name = "ID")]
    pub id: Option<PackageId>,
    /// Its name, if the file does not say one or says another one
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Its version, if the file does not say one or says another one
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// A platform that its commands run on (repeatable), if the file does not say it or says others
    #[arg(long = "platform", value_name = "PLATFORM", value_parser = PLATFORMS)]
    pub platforms: Vec<Platform>,
    /// The command that installs it, if the file does not say one or says another one: a program of the package or of the
    /// machine, with its arguments
    #[arg(long, value_name = "LINE")]
    pub command_line: Option<String>,
    /// The files that belong to a package definition file
    #[arg(long, value_name = "FOLDER")]
    pub files: Option<PathBuf>,
    /// Replace the package with this id; nothing of the old one stays
    #[arg(long, requires = "id")]
    pub replace: bool,
    /// Into which site folder.
    #[command(flatten)]
    pub folder: FolderArgs,
}

const PLATFORMS: Suggested<Platform> =
    Suggested::new(platform, || Platform::ALL.iter().map(|one| one.as_str()).collect());

fn platform(text: &str) -> Result<Platform, String> {
    let found = Platform::ALL.iter().copied().find(|one| one.as_str() == text);
    found.ok_or_else(|| {
        let all: Vec<&str> = Platform::ALL.iter().map(|one| one.as_str()).collect();
        format!("wanted one of {}", all.join(", "))
    })
}
