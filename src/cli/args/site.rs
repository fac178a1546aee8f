//! Arguments of what a publisher does with a share: site, package.

use super::key::{FolderArgs, PartArg};
use crate::site::ids::{MachineId, SiteCode};
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
    /// Make a share in an empty folder
    Init {
        /// The folder; made if it is not there
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Site code, e.g. BP0
        #[arg(long, value_name = "CODE")]
        site: SiteCode,
        /// With an example package, and an instruction file for this machine
        #[arg(long, value_name = "SMSID")]
        example: Option<MachineId>,
    },
    /// Everything that is wrong on a share, or in one instruction file; exit status 10 where something is
    Lint {
        /// The share, or one SMSID.INS; the configured share without it
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
        /// Which signature, counted from 1
        #[arg(long, value_name = "N", default_value_t = 1)]
        block: usize,
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
    /// Write CONTENT, the hashes of a package's files, and print its own hash
    Content {
        /// The package's folder, or its id on the share
        #[arg(value_name = "DIR|ID")]
        package: PathBuf,
    },
}
