//! Arguments of `pcm rollout`.

use super::key::FolderArgs;
use crate::site::ids::JobId;
use clap::Args;
use std::path::PathBuf;

/// `pcm rollout`
#[derive(Debug, Clone, Args)]
pub struct RolloutArgs {
    /// Job id, e.g. BP0000AA: its figures in full (default: all jobs, a line each)
    #[arg(value_name = "JOB")]
    pub job: Option<JobId>,
    /// Count and list only machines that match, e.g. 'group == "web" && last_seen > 1d'; names: those of a job's condition,
    /// and last_seen, users, restart_pending, disk_free, state
    #[arg(long = "where", value_name = "EXPR")]
    pub condition: Option<String>,
    /// Print comma-separated values: a line a machine with JOB, a line a job without
    #[arg(long, conflicts_with_all = ["openmetrics", "check", "wait", "watch"])]
    pub csv: bool,
    /// Write gauges in the OpenMetrics format into this file, whole or not at all
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "wait", "watch"])]
    pub openmetrics: Option<PathBuf>,
    /// Exit status 10 where this holds for a job, e.g. 'failed > 2% || silent > 100 || halted'; names: failed, silent, halted,
    /// waiting, undelivered
    #[arg(long, value_name = "EXPR", conflicts_with = "watch")]
    pub fail_if: Option<String>,
    /// Be a monitoring plugin: one line with performance data; exit status 0 ok, 1 warning, 2 critical, 3 not known
    #[arg(long, conflicts_with_all = ["fail_if", "wait", "watch"])]
    pub check: bool,
    /// With --check: warn where this holds for a job
    #[arg(long, value_name = "EXPR", requires = "check")]
    pub warn: Option<String>,
    /// With --check: critical where this holds for a job (default: halted)
    #[arg(long, value_name = "EXPR", requires = "check")]
    pub crit: Option<String>,
    /// Wait until nothing is left to wait for; exit status 0 done, 10 halted or JOB cancelled, 7 out of time
    #[arg(long, conflicts_with = "watch")]
    pub wait: bool,
    /// Wait no longer than this: 90m, 2h, 3d
    #[arg(long, value_name = "T", requires = "wait")]
    pub timeout: Option<String>,
    /// Print again whenever a figure changes, until it is interrupted
    #[arg(long)]
    pub watch: bool,
    /// Read the reports themselves, whatever a collector has written on the share
    #[arg(long)]
    pub fresh: bool,
    /// Which site folder; --share LOCATION alone: the share's own index, without the gate's answers
    #[command(flatten)]
    pub folder: FolderArgs,
}
