//! Every setting of `pcm.toml` (FORMATS.md 9), one row each: its words, key, type and default, how it is read, and an
//! example where the default says nothing. The fields of the configuration, its reader, the file that `pcm init` writes
//! and the reference in `pcm man` are made from these rows: a new setting is its row here and its use.

use super::PollingBy;
use super::read::{
    command, facts, folder, list, location, log_size, nonempty, program, roles, run_time, section, server,
    set, signatures, some, value, writable,
};
use super::written::Written;
use crate::fields::{self, Fields};
use crate::host::open::remote::{Access, REGION};
use crate::log::write::LogFormat;
use crate::site::ids::MachineId;
use crate::site::site_file::{Freeze, read_freeze};
use crate::site::trust::TrustMode;
use crate::text::SafeText;
use std::path::PathBuf;
use std::time::Duration;

/// One setting, as the starter file and the reference show it. Values are written as in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Within its section.
    pub key: &'static str,
    /// None: without a default, or with one that depends on the machine, as its words say.
    pub default: Option<String>,
    /// Where the default alone says too little.
    pub example: Option<&'static str>,
    /// A sentence without capital and full stop.
    pub words: &'static str,
    /// When a change of it counts.
    pub counts: Counts,
}

/// When the change of a setting counts for a service that runs. A command reads all of them when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Within half a minute, without anything being done.
    Soon,
    /// With the next start of the service; until then `status` says so.
    AtStart,
}

/// The settings of one table of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The table's name; empty for the top of the file.
    pub name: &'static str,
    /// It may stand there several times, as `[[freeze]]`.
    pub repeated: bool,
    /// A sentence or two; may be empty.
    pub words: &'static str,
    /// In the order in which they are shown.
    pub settings: Vec<Setting>,
}

macro_rules! settings {
    (
        $(#[doc = $config_words:literal])* $Config:ident {
            $($(#[doc = $top_words:literal])+ $top:ident: $top_type:ty = $top_default:expr, $top_read:expr $(, like $top_example:literal)? $(=> $top_counts:ident)?;)*
        }
        besides { $($(#[doc = $more_words:literal])+ $more:ident: $more_type:ty = $more_default:expr;)* }
        $(
            $(#[doc = $section_words:literal])* $section:ident: $Type:ident {
                $($(#[doc = $words:literal])+ $key:ident: $type:ty = $default:expr, $read:expr $(, like $example:literal)? $(=> $counts:ident)?;)*
            }
        )*
    ) => {
        $(#[doc = $config_words])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Config {
            $($(#[doc = $top_words])+ pub $top: $top_type,)*
            $($(#[doc = $more_words])+ pub $more: $more_type,)*
            $($(#[doc = $section_words])* pub $section: $Type,)*
        }

        impl Default for $Config {
            fn default() -> Self {
                Self {
                    $($top: $top_default,)*
                    $($more: $more_default,)*
                    $($section: $Type::default(),)*
                }
            }
        }

        impl $Config {
            /// Reads what is written; everything else stays at its default.
            pub(super) fn read(top: &mut Fields<'_, '_>) -> $Config {
                let mut config = $Config::default();
                $(set(&mut config.$top, ($top_read)(top, stringify!($top)));)*
                $(section(top, stringify!($section), |f| config.$section.read(f));)*
                config
            }

            /// The settings that a service reads when it starts and not again, with what is written there.
            pub fn at_start(&self) -> Vec<(String, Option<String>)> {
                let mut all = Vec::new();
                $(if counts(&[$(Counts::$top_counts)?]) == Counts::AtStart {
                    all.push((stringify!($top).to_owned(), self.$top.written()));
                })*
                $($(if counts(&[$(Counts::$counts)?]) == Counts::AtStart {
                    let name = concat!("[", stringify!($section), "] ", stringify!($key));
                    all.push((name.to_owned(), self.$section.$key.written()));
                })*)*
                all
            }

            /// Every setting, in the order of the file.
            pub fn sections() -> Vec<Section> {
                let default = $Config::default();
                vec![
                    Section {
                        name: "",
                        repeated: false,
                        words: "",
                        settings: vec![$(Setting {
                            key: stringify!($top),
                            default: default.$top.written(),
                            example: example(&[$($top_example)?]),
                            words: concat!($($top_words),+).trim_ascii(),
                            counts: counts(&[$(Counts::$top_counts)?]),
                        }),*],
                    },
                    $(Section {
                        name: stringify!($section),
                        repeated: false,
                        words: concat!($($section_words),*).trim_ascii(),
                        settings: vec![$(Setting {
                            key: stringify!($key),
                            default: default.$section.$key.written(),
                            example: example(&[$($example)?]),
                            words: concat!($($words),+).trim_ascii(),
                            counts: counts(&[$(Counts::$counts)?]),
                        }),*],
                    },)*
                    freeze(),
                ]
            }
        }

        $(
            $(#[doc = $section_words])*
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Type { $($(#[doc = $words])+ pub $key: $type),* }

            impl Default for $Type {
                fn default() -> Self {
                    Self { $($key: $default),* }
                }
            }

            impl $Type {
                fn read(&mut self, f: &mut Fields<'_, '_>) {
                    $(set(&mut self.$key, ($read)(f, stringify!($key)));)*
                }
            }
        )*
    };
}

fn counts(said: &[Counts]) -> Counts {
    said.first().copied().unwrap_or(Counts::Soon)
}

fn example(written: &[&'static str]) -> Option<&'static str> {
    written.first().copied()
}

/// `[[freeze]]`, which the site file has, too: its reader is there.
fn freeze() -> Section {
    let row = |key, example, words| Setting {
        key,
        default: None,
        example: Some(example),
        words,
        counts: Counts::Soon,
    };
    Section {
        name: "freeze",
        repeated: true,
        words: "a period in which nothing runs by itself",
        settings: vec![
            row("from", "2026-12-20T00:00:00", "its start, by this machine's clock or with a zone"),
            row("until", "2027-01-04T00:00:00", "its end, not included"),
            row("reason", "\"end of year\"", "shown with it"),
        ],
    }
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

const fn hours(n: u64) -> Duration {
    minutes(n * 60)
}

const fn days(n: u64) -> Duration {
    hours(n * 24)
}

settings! {
    /// The whole configuration, with the defaults of FORMATS.md 9 filled in.
    Config {
        /// the id of this machine, its SMSID
        machine: Option<MachineId> = None, some(fields::parsed), like "\"BP004000\"" => AtStart;
        /// the instruction shares, in order of preference: folders, s3://bucket/prefix, https://host/path
        shares: Vec<PathBuf> = Vec::new(), list(location), like "[\"/mnt/sms_shr\"]";
        /// how often the shares are looked at; default: as the site says, else 1h
        polling_interval: Duration = minutes(60), value(fields::some_time);
        /// e.g. "production": shown, and may choose a theme
        role: SafeText = SafeText::default(), value(|v| fields::text(v).map(SafeText::from));
    }
    besides {
        /// Who says how often the instruction file is read.
        polling_by: PollingBy = PollingBy::Default;
        /// `[[freeze]]`: can only close.
        freezes: Vec<Freeze> = Vec::new();
    }

    /// how packages run
    run: Run {
        /// time limit of requests that do not say one
        max_run_time: Duration = hours(2), value(run_time);
        /// notice before an automatic run while someone is, or may be, logged on
        countdown: Duration = minutes(5), value(fields::duration);
        /// no automatic run this soon after the machine started
        after_boot: Duration = minutes(10), value(fields::duration);
        /// further attempts after a `retry` outcome
        retries: u32 = 3, value(fields::small);
        /// how long after such an outcome the next attempt is due
        retry_after: Duration = minutes(10), value(fields::duration);
        /// how long what is due waits for an older one whose files are being copied
        wait_for_older: Duration = hours(1), value(fields::duration);
        /// launches at one mandatory time are spread over this long by machine id, never past expire after
        spread: Duration = Duration::ZERO, value(fields::duration);
        /// the account that packages run as; default: the service's own
        run_as: Option<String> = None, some(nonempty), like "\"root\"";
    }

    /// what may be started
    execute: Execute {
        /// bare program names that may be started besides the platform's own; no shells
        programs: Vec<String> = Vec::new(), list(program), like "[\"zypper\"]";
    }

    /// maintenance windows: when automatic runs may start
    windows: Windows {
        /// the windows of each week; none: always open
        // Parsed by `decision::window`; unreadable ones close.
        weekly: Vec<String> = Vec::new(), list(nonempty), like "[\"Sat 22:00-06:00\"]";
        /// "local" or the name of a time zone
        zone: String = "local".into(), value(nonempty);
    }

    /// how far operators may postpone mandatory runs
    deferral: Deferral {
        /// how often one request may be deferred
        max_count: u32 = 3, value(fields::small);
        /// for how long one request may be deferred in all
        max_total: Duration = days(7), value(fields::duration);
        /// none ends this close to expire after
        never_within: Duration = hours(1), value(fields::duration);
    }

    /// who counts as logged on
    users: Users {
        /// accounts whose presence does not count
        ignore: Vec<String> = Vec::new(), list(nonempty);
        /// without input for less than this a user is busy
        busy_within: Duration = minutes(15), value(fields::duration);
    }

    /// restarts of the machine
    restart: Restart {
        /// whether pcm may restart the machine for `restarts = "pcm"`
        allow: bool = false, value(fields::boolean);
        /// notice before a restart
        countdown: Duration = minutes(15), value(fields::duration);
        /// replaces the system's restart command
        command: Vec<String> = Vec::new(), command, like "[\"/usr/local/bin/restart-gently\"]";
    }

    /// access to the shares
    share: Share {
        /// no automatic run when no share was seen for longer
        stale_after: Duration = hours(24), value(fields::some_time);
        /// time limit of a single access
        timeout: Duration = Duration::from_secs(10), value(fields::some_time);
        /// where reports and results go; default: the first of shares that can be written
        report: Option<PathBuf> = None, some(writable), like "\"/mnt/sms_shr\"";
        /// of s3:// locations: the file with the key, which its owner alone may read; default: the machine's metadata service
        credentials: Option<PathBuf> = None, some(folder), like "\"/etc/pcm/bucket.key\"";
        /// of s3:// locations: the file with the key by which reports and results are written and read back; default: the same key
        report_credentials: Option<PathBuf> = None, some(folder), like "\"/etc/pcm/reports.key\"";
        /// of s3:// locations: the region of the bucket
        region: String = REGION.to_owned(), value(nonempty);
        /// of s3:// locations: a server that is not Amazon's, by https, or by http where it is this machine
        endpoint: Option<String> = None, some(server), like "\"https://s3.example.com\"";
        /// certificates that are believed beside those of the system
        ca_file: Option<PathBuf> = None, some(folder), like "\"/etc/pcm/ca.pem\"";
        /// of s3:// and https:// locations, on Linux: the account that talks to the server where pcm is root; default: pcm-reader,
        /// where there is one
        account: Option<String> = None, some(nonempty), like "\"pcm-reader\"";
        /// content is copied no faster than this each second; 0: as fast as it can be
        bandwidth: u64 = 0, value(fields::size);
    }

    /// what this machine says of itself
    report: Report {
        /// whether its reports are signed; default: in mode signed
        sign: Option<bool> = None, some(fields::boolean), like "true";
        /// what jobs may ask for in their `where`, as in fact("rack") == "b7"; at most 32
        facts: Vec<(String, String)> = Vec::new(), facts, like "{ rack = \"b7\" }";
    }

    /// signed: instruction files need a signature. permissions: everybody who can write to the share decides what runs
    /// here, and the share is refused where anybody but root or the service's account can.
    trust: Trust {
        /// signed | permissions
        mode: TrustMode = TrustMode::Signed, value(fields::one_of(TrustMode::ALL, TrustMode::as_str));
        /// the folder of trusted keys; default: trust.d beside this file
        dir: Option<PathBuf> = None, some(folder), like "\"/etc/pcm/trust.d\"";
        /// the private key that signs this machine's reports; default: its SSH host key in mode signed, else the one that
        /// pcm init made in the folder of trusted keys
        host_key: Option<PathBuf> = None, some(folder), like "\"/etc/ssh/ssh_host_ed25519_key\"";
        /// so many people sign each publication; 2: author and approver, and no timer renews anything
        publish_signatures: u32 = 1, value(signatures);
        /// whether a package's ignore_windows counts; a freeze holds it up all the same
        package_ignore_windows: bool = false, value(fields::boolean);
    }

    /// for pcm site, package, job and key, where a site is published from this machine
    site: Site {
        /// the site folder, where no flag, PCM_SITE_FOLDER or current folder is one
        folder: Option<PathBuf> = None, some(folder), like "\"/srv/pcm\"";
        /// the key that signs publications, or the .pub of one that an agent holds; default: `key` of site.toml
        key: Option<String> = None, some(nonempty), like "\"~/.ssh/pcm-publish\"";
    }

    /// who may operate besides root and the service's account
    operators: Operators {
        /// a group of the system; it need not exist
        group: String = "pcm-operators".into(), value(nonempty);
    }

    /// a program that is told what a person should know; pcm man has a section on it
    notify: Notify {
        /// reads JSON; told of what failed, was interrupted or missed, of a lost history, a second machine with this id, an
        /// older file on a share, wrong content, undelivered results, a full disk, a hold of more than a day
        command: Vec<String> = Vec::new(), command, like "[\"/usr/local/bin/page-someone\"]";
    }

    /// how pcm check finds the machine's backup
    check: Check {
        /// a command that ends with 0 where there is a backup to go back to
        backup: Vec<String> = Vec::new(), command, like "[\"/usr/local/bin/backup-is-fresh\"]";
        /// a file that the site's backup writes at its end
        backup_marker: Option<PathBuf> = None, some(folder), like "\"/var/backups/last\"";
        /// how old that file may be
        backup_within: Duration = hours(24), value(fields::some_time);
    }

    /// how long things are kept
    retention: Retention {
        /// transcripts of runs
        transcripts: Duration = days(90), value(fields::duration);
        /// above this size the oldest transcripts go; never one of a run that goes on, or whose result is not on the share
        transcripts_size: u64 = 1 << 30, value(fields::size);
        /// staged content that no request names
        stage: Duration = days(30), value(fields::duration);
        /// above this size the oldest content goes that nothing needs any more; what may yet run here stays
        stage_size: u64 = 5 << 30, value(fields::size);
        /// results (MIFs); the newest stays, undelivered ones for at least 30 days
        results: Duration = days(90), value(fields::duration);
        /// what the history says of an attempt beside when it ran, who started it and how it ended, which stays; by whole months
        details: Duration = days(730), value(fields::duration);
    }

    /// pcm's own log
    log: Log {
        /// its folder; default: the system's for logs, with --state DIR it is DIR/log
        dir: Option<PathBuf> = None, some(folder), like "\"/var/log/pcm\"" => AtStart;
        /// cmtrace | classic
        format: LogFormat = LogFormat::Cmtrace, value(fields::one_of(LogFormat::ALL, LogFormat::as_str));
        /// a new file is begun at this size; KB, MB and GB are steps of 1024
        max_size: u64 = 10 << 20, value(log_size);
        /// how many old files are kept
        keep: u32 = 5, value(fields::small);
        /// the files that the console and pcm log show; none: *.LOG in the log folder
        files: Vec<String> = Vec::new(), list(nonempty), like "[\"/var/log/pcm/*.LOG\"]";
    }

    /// the console
    console: Console {
        /// the name of a theme
        theme: String = "default".into(), value(nonempty);
        /// a file of keys; the console's command `key-file` writes one
        keymap: Option<PathBuf> = None, some(|v| nonempty(v).map(PathBuf::from)), like "\"/etc/pcm/keymap.toml\"";
        /// a theme for each role, by `role` above
        roles: Vec<(String, String)> = Vec::new(), roles, like "{ production = \"production\" }";
    }
}

impl Share {
    /// How a process gets to shares that are no folder.
    pub fn access(&self) -> Access {
        Access {
            credentials: self.credentials.clone(),
            report_credentials: self.report_credentials.clone(),
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            ca_file: self.ca_file.clone(),
            account: self.account.clone(),
            timeout: self.timeout,
        }
    }
}

impl Config {
    /// Reads `[[freeze]]`.
    pub(super) fn read_freezes(&mut self, top: &mut Fields<'_, '_>) {
        for mut f in top.tables("freeze") {
            self.freezes.extend(read_freeze(&mut f));
            super::read::close(top, f);
        }
    }
}
