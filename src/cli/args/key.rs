//! Arguments of what is done about keys: key, site verify.

use crate::site::ids::PackageId;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Which site folder.
#[derive(Debug, Clone, Default, Args)]
pub struct FolderArgs {
    /// Site folder (default: PCM_SITE_FOLDER, the current folder where it holds site.toml, or [site] folder)
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// `pcm key`
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// What.
    #[command(subcommand)]
    pub what: KeyVerb,
}

/// `pcm key …`
#[derive(Debug, Clone, Subcommand)]
pub enum KeyVerb {
    /// Make an ed25519 key pair: FILE, which only you can read, and FILE.pub
    Generate {
        /// Not in a site folder, and not there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Let a key count: makes and signs the next version of the trust list
    Trust {
        /// The key's public half, as ssh-keygen writes it
        #[arg(value_name = "PUBFILE")]
        public: PathBuf,
        /// What its word counts for; a key has one role
        #[arg(long, value_enum, value_name = "ROLE")]
        role: RoleArg,
        /// Whose key it is: one plain name
        #[arg(long, value_name = "NAME")]
        principal: String,
        /// How long it counts: a time, or a duration like 300d (default: no end; of a publish key: 365d, at most 400d)
        #[arg(long, value_name = "T")]
        until: Option<String>,
        /// What signs the list.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Let a key count no more, for good: with --key at the whole site, without it on this machine, at once
    Revoke {
        /// The key's public half
        #[arg(value_name = "PUBFILE")]
        public: PathBuf,
        /// A trust key, which signs the next version of the list
        #[arg(long, value_name = "TRUSTKEY")]
        key: Option<PathBuf>,
        /// Where the list is made.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Let old releases of a package run nowhere any more
    Withdraw {
        /// Which, e.g. BP00000A
        #[arg(value_name = "PACKAGE")]
        package: PackageId,
        /// The oldest release that may still run
        #[arg(long, value_name = "RELEASE")]
        below: u64,
        /// What signs the list.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Whose keys count for what
    List {
        /// Of which site.
        #[command(flatten)]
        folder: FolderArgs,
    },
}

/// What signs a list, and where it is made.
#[derive(Debug, Clone, Args)]
pub struct SignArgs {
    /// A trust key: its private file, or the .pub of one that your agent or token holds. ssh-keygen signs with it
    #[arg(long, value_name = "TRUSTKEY")]
    pub key: PathBuf,
    /// Where the list is made.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// `--role`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Signs trust lists: whose keys count. Keep it offline.
    Trust,
    /// Signs packages: what may be run.
    Package,
    /// Signs instruction files: who runs what when.
    Publish,
}

/// `--part`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartArg {
    /// The bytes that were signed.
    Signed,
    /// The signature as ssh-keygen made it.
    Signature,
}
