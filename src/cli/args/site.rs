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
        /// With an example package, and a job for this machine
        #[arg(long, value_name = "SMSID")]
        example: Option<MachineId>,
        /// Make a share without a site folder, whose instruction files are written by hand
        #[arg(long)]
        hand_made: bool,
    },
    /// Put on the share what the site folder says: all of it or nothing, as machines see it
    Publish(PublishArgs),
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
    /// Automatic runs again
    Unfreeze {
        /// How it is published.
        #[command(flatten)]
        then: ThenArgs,
    },
    /// The machines of the site
    Machine {
        /// What.
        #[command(subcommand)]
        what: MachineVerb,
    },
    /// Everything that is wrong in a site folder, on a share, or in one instruction file; exit status 10 where something is
    Lint {
        /// The site folder, the share, or one SMSID.INS (default: the site folder, else the configured share)
        #[arg(value_name = "DIR|FILE")]
        what: Option<PathBuf>,
        /// What times without a zone mean: a zone's name, as the machines have it (default: this machine's)
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// Hash every file of every package, too
        #[arg(long)]
        hashes: bool,
    },
    /// Who signed a file, and whether that counts; or its parts, for `ssh-keygen -Y verify`
    Verify {
        /// A trust list or an instruction file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print one part as it is, and judge nothing
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
    },
    /// Make a package of a .deb, .rpm or .msi, a package definition file (*.pdf, *.sms), or a folder
    ///
    /// What the file says of itself is taken: name, version, platforms, how it is installed and removed without anybody, and
    /// how a machine knows that it is installed. What it does not say is asked for by a flag. Its files are copied and hashed.
    Import(ImportArgs),
    /// The packages of a share
    List,
    /// Everything that is wrong with packages; exit status 10 where something is
    Lint {
        /// Packages, by folder or by id on the share (default: all)
        #[arg(value_name = "DIR|ID")]
        packages: Vec<PathBuf>,
        /// Hash every file, too
        #[arg(long)]
        hashes: bool,
    },
    /// Sign packages of the site folder: fills in kind, sites, release and the hashes of the files first
    Sign {
        /// Which, e.g. BP00000A
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<PackageId>,
        /// A package key: its private file, or the .pub of one that your agent or token holds
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Sign the same release again, e.g. because the old key ends
        #[arg(long)]
        again: bool,
        /// All packages
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Write CONTENT, the hashes of a package's files, and print its own hash
    Content {
        /// The package's folder, or its id on the share
        #[arg(value_name = "DIR|ID")]
        package: PathBuf,
    },
}

/// `pcm package import`
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// What it is made of
    #[arg(value_name = "FILE|FOLDER")]
    pub from: PathBuf,
    /// Its id (default: the next free one)
    #[arg(long, value_name = "ID")]
    pub id: Option<PackageId>,
    /// Its name, where the file does not say it or says another
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Its version, in the same way
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Where its commands can run (repeatable), in the same way
    #[arg(long = "platform", value_name = "PLATFORM", value_parser = PLATFORMS)]
    pub platforms: Vec<Platform>,
    /// How it is installed, in the same way: a program of the package, or of the machine, with its arguments
    #[arg(long, value_name = "LINE")]
    pub command_line: Option<String>,
    /// The files that a package definition file is about
    #[arg(long, value_name = "FOLDER")]
    pub files: Option<PathBuf>,
    /// In the place of the package with this id, of which nothing stays
    #[arg(long, requires = "id")]
    pub replace: bool,
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
