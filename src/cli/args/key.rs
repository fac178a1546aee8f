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
        /// A new file, outside every site folder
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Trust a key: makes and signs the next version of the trust list
    Trust {
        /// The key's public half, as ssh-keygen writes it
        #[arg(value_name = "PUBFILE")]
        public: PathBuf,
        /// What the key may sign; each key has one role
        #[arg(long, value_enum, value_name = "ROLE")]
        role: RoleArg,
        /// Name of the key's owner, without blanks
        #[arg(long, value_name = "NAME")]
        principal: String,
        /// How long the key counts: a time, or a duration like 300d (default: without end; a publish key 365d, at most 400d)
        #[arg(long, value_name = "T")]
        until: Option<String>,
        /// What signs the list.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Revoke a key for good: with --key at the whole site; without --key on this machine, at once
    Revoke {
        /// The key's public half
        #[arg(value_name = "PUBFILE")]
        public: PathBuf,
        /// The trust key that signs the next version of the trust list
        #[arg(long, value_name = "TRUSTKEY")]
        key: Option<PathBuf>,
        /// Where the list is made.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Withdraw old releases of a package: no machine starts them any more
    Withdraw {
        /// Package id, e.g. BP00000A
        #[arg(value_name = "PACKAGE")]
        package: PackageId,
        /// The oldest release that may still run
        #[arg(long, value_name = "RELEASE")]
        below: u64,
        /// What signs the list.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// List the keys that count, with their roles: of the site folder, or on this machine
    List {
        /// Of which site.
        #[command(flatten)]
        folder: FolderArgs,
    },
}

/// What signs a list, and where it is made.
#[derive(Debug, Clone, Args)]
pub struct SignArgs {
    /// The trust key that signs: its private file, or the .pub of a key in your agent or token (used by ssh-keygen)
    #[arg(long, value_name = "TRUSTKEY")]
    pub key: PathBuf,
    /// Where the list is made.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// `--role`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Signs trust lists, which say whose keys count. Keep it offline.
    Trust,
    /// Signs packages, which say what may run.
    Package,
    /// Signs publications: which machine runs what, and when. Counts for at most 400 days.
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
