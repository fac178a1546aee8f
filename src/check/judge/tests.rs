//! What cannot be made to happen on any machine that runs tests: supervisors, versions, limits.
#![allow(clippy::unwrap_used)]

use super::super::facts::{Backup, Folders, Service, Views};
use super::super::{ConfigRead, Subject};
use super::super::{gather, in_force, probe};
use super::{CheckItem, Facts, SafeText, Verdict, Wall, judge};
use crate::clock::Zone;
use crate::config::Config;
use crate::error::{Exit, Failure};
use crate::executor::share::job::Reported;
use crate::executor::share::tries::{Cause, Tried, Unwritten, Written};
use crate::executor::talk::view::{ServiceState, StatusDoc};
use crate::host::account::Account;
use crate::host::lock::Holder;
use crate::host::paths::Layout;
use crate::host::process::Image;
use crate::host::sessions::LoggedOn;
use crate::host::supervisor::Registered;
use crate::site::instruction::InstructionFile;
use crate::site::report;
use crate::site::share::Look;
use crate::terms::{Code, Platform, Problem};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn someone(name: &str, uid: u32) -> Account {
    Account { name: name.into(), uid: Some(uid), gid: Some(uid), sid: None, home: "/".into() }
}

fn unit() -> PathBuf {
    "/etc/systemd/system/pcm.service".into()
}

/// A machine on which all is well and nothing is published.
fn well() -> Facts {
    let now: Wall = "2026-11-22T13:00:00Z".parse().unwrap();
    let done = || Ok(SafeText::from("done"));
    let config = Config {
        machine: Some("BP004000".parse().unwrap()),
        shares: vec!["/mnt/share".into()],
        ..Config::default()
    };
    Facts {
        subject: Subject { layout: Layout::system(), config, read: ConfigRead::Good, pcm: "pcm".into() },
        now,
        zone: Zone::utc(),
        me: someone("root", 0),
        host: "web-01".into(),
        run_as: None,
        administrator: true,
        views: Views {
            list: Err(Failure::new(Exit::Failed, "x", "no list", "Wait")),
            status: Ok(StatusDoc {
                operators: "pcm-operators".into(),
                join: None,
                space: None,
                queue: Vec::new(),
                machine: None,
                host: "web-01".into(),
                service: ServiceState::Running,
                poll_due: None,
                next_run: None,
                latest: None,
                next_request: None,
                held_until: None,
                hold: None,
                clock_ok: true,
                restart_pending: false,
                restart: None,
                counts: BTreeMap::new(),
                seen: 0,
                seen_by_state: BTreeMap::new(),
                users: Some(0),
                problems: Vec::new(),
                role: "".into(),
                frozen_until: None,
                polled_at: Some(now),
                trust: "signed".into(),
                signed: None,
                lock: None,
                zone: "UTC".into(),
                utc_offset_s: 0,
                may_operate: true,
                version: env!("CARGO_PKG_VERSION").into(),
                standstill: Vec::new(),
                polling_interval_s: 3600,
                polling_by: crate::config::PollingBy::Default,
                undelivered: None,
                folded: None,
            }),
        },
        look: None,
        listens: None,
        report: None,
        file: None,
        file_from: "the share".into(),
        indexed: None,
        in_force: None,
        under_an_index: false,
        trusted: None,
        service: Service {
            holder: Some(Holder { who: "pcm service".into(), pid: 7, since: now }),
            acts_as: Some(someone("root", 0)),
            image: Some(Ok(Image { path: "/usr/local/bin/pcm".into(), replaced: false })),
            installed_at: Some(now),
            installed: Some("/usr/local/bin/pcm".into()),
            registered: Some(Registered::Yes { file: unit() }),
            supervised: true,
        },
        users: LoggedOn { source: "logind", sessions: Vec::new(), connections: Vec::new(), note: None },
        tried: Ok(probe::Tried {
            by: "root".into(),
            state: done(),
            log: done(),
            stage: done(),
            no_exec: false,
            process: done(),
            host_key: done(),
        }),
        tries: Vec::new(),
        contents: (0, 0),
        publisher: None,
        backup: Backup::NotSet,
        pager: None,
        folders: Folders {
            state: Ok(someone("root", 0)),
            network: None,
            free: Some(1 << 40),
            log_free: Some(1 << 40),
            log_written: Ok(now),
        },
        loose: Vec::new(),
        modes_are_real: true,
        platform: Some(Platform::LinuxX86_64),
    }
}

/// The row of an item after something was changed.
fn row(name: &str, change: impl FnOnce(&mut Facts)) -> CheckItem {
    let mut facts = well();
    change(&mut facts);
    judge(&facts).items.into_iter().find(|i| i.item.as_str() == name).unwrap()
}

#[track_caller]
fn is(row: &CheckItem, verdict: Verdict, evidence: &str) {
    assert_eq!(row.verdict, verdict, "{row:?}");
    assert!(row.evidence.as_str().contains(evidence), "{row:?}");
    assert_eq!(row.remedy.is_none(), verdict == Verdict::Pass, "{row:?}");
}

#[test]
fn a_service_is_installed_when_the_system_starts_this_one_with_the_machine() {
    let with = |registered: Option<Registered>, supervised: bool| {
        row("service-installed", |f| (f.service.registered, f.service.supervised) = (registered, supervised))
    };
    let otherwise = || Registered::Otherwise { file: unit(), starts: "ExecStart=/opt/other".into() };
    is(&with(Some(Registered::Yes { file: unit() }), true), Verdict::Pass, "pcm.service starts it");
    is(&with(Some(Registered::No), true), Verdict::Block, "nothing starts the service");
    is(&with(Some(otherwise()), true), Verdict::Block, "ExecStart=/opt/other");
    is(&with(Some(Registered::Disabled { file: unit() }), true), Verdict::Block, "is not started");
    let unmask = "systemctl unmask --runtime pcm.service".to_owned();
    let masked = with(Some(Registered::Masked { file: unit(), unmask }), true);
    is(&masked, Verdict::Block, "is masked by");
    // Without a unit of a package there is nothing to be enabled once the mask is gone.
    let remedy = masked.remedy.unwrap();
    assert!(
        remedy.as_str().ends_with(": systemctl unmask --runtime pcm.service, then pcm service install"),
        "{remedy}"
    );
    is(&with(Some(Registered::No), false), Verdict::Unknown, "systemd does not run here");
    is(&with(None, false), Verdict::Unknown, "no way to register");
}

#[test]
fn a_service_of_another_version_is_to_be_restarted() {
    is(&row("service-version", |_| {}), Verdict::Pass, "runs what is installed");
    let other = row("service-version", |f| f.views.status.as_mut().unwrap().version = "0.0.9".into());
    is(&other, Verdict::Block, "version 0.0.9");
    let unseen = row("service-version", |f| f.service.image = Some(Err("denied".into())));
    is(&unseen, Verdict::Pass, "only root and its own account");
}

#[test]
fn a_holder_that_does_not_answer_is_not_a_running_service() {
    let silent = Failure::new(Exit::Failed, "executor-not-answering", "silence", "Wait");
    is(&row("service-running", |f| f.views.status = Err(silent)), Verdict::Block, "nothing answers");
    is(&row("service-running", |_| {}), Verdict::Pass, "pcm service (pid 7");
}

#[test]
fn an_account_that_may_start_no_process_runs_nothing() {
    let limited = row("rights-process", |f| {
        f.tried.as_mut().unwrap().process = Err("cannot be started: resource temporarily unavailable".into());
    });
    is(&limited, Verdict::Block, "temporarily unavailable");
    is(&row("rights-process", |_| {}), Verdict::Pass, "as root: done");
}

#[test]
fn a_service_that_is_not_roots_cannot_run_packages_as_somebody_else() {
    let other = |f: &mut Facts| {
        f.folders.state = Ok(someone("pcm", 4711));
        f.service.acts_as = Some(someone("pcm", 4711));
    };
    is(&row("account", other), Verdict::Pass, "only what that account may");
    let as_me = row("account", |f| {
        other(f);
        f.subject.config.run.run_as = Some("ola".into());
        f.run_as = Some(someone("ola", 1000));
    });
    is(&as_me, Verdict::Block, "only a service of root's can do");
    let strange = row("account", |f| f.service.acts_as = Some(someone("ola", 1000)));
    is(&strange, Verdict::Block, "runs as ola, and its state belongs to root");
}

#[test]
fn state_on_a_network_file_system_and_a_full_disk_fail() {
    is(&row("state", |f| f.folders.network = Some("nfs4".into())), Verdict::Block, "nfs4");
    is(&row("disk", |f| f.folders.log_free = Some(1 << 20)), Verdict::Block, "1 MB is free for log");
    is(&row("disk", |_| {}), Verdict::Pass, "free for state");
}

#[test]
fn a_platform_without_packages_fails() {
    is(&row("platform", |f| f.platform = None), Verdict::Block, "no packages are made");
}

#[test]
fn a_report_that_is_kept_back_for_a_second_machine_is_no_fault_of_the_service() {
    let with = |double: bool| {
        row("machine-report", |f| {
            let mut report = report::tests::report(0);
            report.summary.host = "web-01".into();
            f.report = Some(Ok(Reported { found: Some(("the report".into(), report)), faults: Vec::new() }));
            let problem =
                Problem::of_file(Code::TwoMachines.as_str(), "machine report", "another has this id");
            f.views.status.as_mut().unwrap().problems.extend(double.then_some(problem));
        })
    };
    is(&with(false), Verdict::Block, "older than two intervals of 1h");
    is(&with(true), Verdict::Block, "another machine reports with this one's id");
}

#[test]
fn a_silent_log_of_a_running_service_fails() {
    let at = "2026-11-22T09:00:00Z".parse().unwrap();
    is(&row("log", |f| f.folders.log_written = Ok(at)), Verdict::Block, "4h ago");
    is(&row("log", |f| f.folders.log_written = Ok(f.now)), Verdict::Pass, "last written 0s ago");
}

#[test]
fn what_is_unknown_fails_nothing_and_what_is_wrong_hides_nothing() {
    let unknown = judge(&well());
    assert!(unknown.ok && unknown.items.iter().any(|i| i.verdict == Verdict::Unknown));
    let mut facts = well();
    facts.loose = vec![("a is loose".into(), "chmod a".into()), ("b is loose".into(), "chmod b".into())];
    let doc = judge(&facts);
    assert!(!doc.ok);
    let row = doc.items.iter().find(|i| i.item.as_str() == "trust").unwrap();
    assert_eq!(row.evidence.as_str(), "a is loose; b is loose");
    assert_eq!(row.remedy.as_ref().unwrap().as_str(), "chmod a. chmod b");
}

#[test]
fn what_is_published_is_renewed_before_it_ends_and_asks_for_no_newer_pcm() {
    let published = |until: &str| {
        let until = Some(until.parse().unwrap());
        move |facts: &mut Facts| {
            facts.file = Some(InstructionFile {
                site: "BP0".parse().unwrap(),
                machine: "BP004000".parse().unwrap(),
                serial: 7,
                issued: "2026-11-02T13:00:00Z".parse().unwrap(),
                valid_until: until,
                requests: Vec::new(),
                warnings: Vec::new(),
            });
        }
    };
    // Twenty days of thirty, of twenty-four, and all of them are over.
    for (until, verdict) in [
        ("2026-12-02T13:00:00Z", Verdict::Pass),
        ("2026-11-26T13:00:00Z", Verdict::Block),
        ("2026-11-22T13:00:00Z", Verdict::Block),
    ] {
        assert_eq!(row("validity-left", published(until)).verdict, verdict, "{until}");
    }
    let newer = row("version-against-index", |facts| {
        let problem = Problem::of_file("malformed", "PCM.INDEX", "format 2: of another time");
        let problem = Problem { newer: true, ..problem };
        facts.look = Some(Ok(Look {
            found: None,
            others: Vec::new(),
            fault: None,
            problems: vec![problem],
            answered: true,
            lists: Vec::new(),
            silent: Vec::new(),
        }));
    });
    assert_eq!(newer.verdict, Verdict::Block, "{newer:?}");
    for name in ["key-confirmed", "roles-apart"] {
        let unsigned = row(name, |_| {});
        assert_eq!(unsigned.verdict, Verdict::Pass, "{unsigned:?}");
    }
    let lost = row("key-confirmed", |facts| facts.trusted = Some(Err("there is no trust list".into())));
    assert_eq!(lost.verdict, Verdict::Block, "{lost:?}");
    assert!(lost.remedy.unwrap().as_str().contains("pcm init --trust-key"));
}

#[test]
fn two_clocks_that_are_apart_are_noticed_in_both_directions() {
    let skew = |seconds: i64| {
        row("clock-against-share", |facts| {
            let at = |seconds: i64| facts.now + chrono::TimeDelta::seconds(seconds);
            let clocks = Some([at(0), at(seconds), at(1)]);
            let written = Some(Ok(Written { folders: vec!["/mnt/share/machines".into()], clocks }));
            facts.tries = vec![("/mnt/share".into(), Ok(Tried { written, missing: Vec::new() }))];
        })
    };
    for near in [-299, 0, 1, 300] {
        assert_eq!(skew(near).verdict, Verdict::Pass, "{near}");
    }
    for (far, word) in [(-3_600, "behind"), (3_601, "ahead of")] {
        let row = skew(far);
        assert_eq!(row.verdict, Verdict::Block, "{far}");
        assert!(row.evidence.as_str().contains(word) && row.evidence.as_str().contains("1h"), "{row:?}");
    }
}

/// A share that answers and has nothing for this machine.
fn answered() -> Look {
    Look {
        found: None,
        others: Vec::new(),
        fault: None,
        problems: Vec::new(),
        answered: true,
        lists: Vec::new(),
        silent: Vec::new(),
    }
}

#[test]
fn a_report_that_cannot_be_written_has_the_remedy_of_its_cause() {
    let told = |cause: Option<Cause>| {
        let row = row("report-location", |facts| {
            facts.look = Some(Ok(answered()));
            let tried = match cause {
                None => Err("it did not answer within 10s".into()),
                Some(cause) => {
                    let written = Some(Err(Unwritten { why: "/mnt/share: no".into(), cause }));
                    Ok(Tried { written, missing: Vec::new() })
                }
            };
            facts.tries = vec![("/mnt/share".into(), tried)];
        });
        assert_eq!(row.verdict, Verdict::Block, "{row:?}");
        row.remedy.unwrap().to_string()
    };
    for (cause, words) in [
        (None, "it is mounted"),
        (Some(Cause::Away), "it is mounted"),
        (Some(Cause::NotBelieved), "`instructions`"),
        (Some(Cause::NoFolder), "mounted and whole"),
        (Some(Cause::Denied), "Give the service's account its rights"),
        (Some(Cause::Other), "[share] report"),
    ] {
        assert!(told(cause).contains(words), "{cause:?}: {}", told(cause));
        let rights = told(cause).contains("its rights");
        assert_eq!(rights, cause == Some(Cause::Denied), "{cause:?}: {}", told(cause));
    }
}

/// In a bucket nobody has rights but a key, and nothing is mounted there.
#[test]
fn a_report_that_cannot_be_written_in_a_bucket_names_the_key_and_what_it_has_to_write() {
    let told = |cause: Cause, own: Option<&str>| {
        let row = row("report-location", |facts| {
            facts.look = Some(Ok(answered()));
            facts.subject.config.share.credentials = Some("/etc/pcm/bucket.key".into());
            facts.subject.config.share.report_credentials = own.map(Into::into);
            let written = Some(Err(Unwritten { why: "s3://pcm-site/bp0: no".into(), cause }));
            facts.tries = vec![("s3://pcm-site/bp0".into(), Ok(Tried { written, missing: Vec::new() }))];
        });
        row.remedy.unwrap().to_string()
    };
    let one = told(Cause::Denied, None);
    assert!(one.contains("/etc/pcm/bucket.key get and put machines/"), "{one}");
    let own = told(Cause::Denied, Some("/etc/pcm/reports.key"));
    assert!(own.contains("the key in /etc/pcm/reports.key") && !own.contains("bucket.key"), "{own}");
    // It looks at what is published before it writes.
    let blind = told(Cause::NotBelieved, Some("/etc/pcm/reports.key"));
    for remedy in [&one, &own, &blind] {
        assert!(remedy.contains("get PCM.* and trust/*, and list the bucket"), "{remedy}");
    }
    assert!(
        blind.contains("`instructions`") && blind.contains("let the key in /etc/pcm/reports.key"),
        "{blind}"
    );
    let other = told(Cause::NotBelieved, None);
    assert!(other.contains("`instructions`") && !other.contains("PCM.*"), "{other}");
    for cause in [Cause::Away, Cause::NoFolder, Cause::Other] {
        let away = told(cause, None);
        assert!(away.contains("the bucket is there") && !away.contains("mounted"), "{away}");
        assert!(away.contains("the key file that [share] names (report_credentials"), "{away}");
    }
}

#[test]
fn a_machine_that_only_reads_a_web_server_is_told_to_name_a_place_for_its_report() {
    let missing = |shares: &[&str], report: Option<&str>| {
        let row = row("machine-report", |f| {
            f.look = Some(Ok(answered()));
            f.report = Some(Ok(Reported { found: None, faults: vec!["it does not exist".into()] }));
            f.subject.config.shares = shares.iter().map(Into::into).collect();
            f.subject.config.share.report = report.map(Into::into);
        });
        is(&row, Verdict::Block, "it does not exist");
        row.remedy.unwrap().to_string()
    };
    let web = "https://cdn.example.com";
    assert!(missing(&[web], None).contains("[share] report"));
    for (shares, report) in
        [(&[web, "/mnt/share"][..], None), (&[web], Some("s3://reports")), (&["/mnt/share"], None)]
    {
        assert!(missing(shares, report).contains("log` why"), "{shares:?}");
    }
}

#[test]
fn files_that_nobody_was_asked_for_are_not_said_to_be_there() {
    let row = row("content-source", |facts| {
        facts.contents = (1, 1);
        facts.look = Some(Ok(answered()));
        // Reports go there, and it answers.
        facts.tries = vec![("/mnt/reports".into(), Ok(Tried { written: None, missing: Vec::new() }))];
    });
    assert_eq!(row.verdict, Verdict::Unknown, "{row:?}");
}

#[test]
fn what_this_account_cannot_read_is_not_called_another_index() {
    let facts = well();
    let find = |hidden: bool| {
        let sources = in_force::Sources {
            subject: &facts.subject,
            now: facts.now,
            held: None,
            hidden,
            found: None,
            trusted: None,
            said: Some((0, 5)),
        };
        in_force::find(&sources).and_then(Result::err)
    };
    assert_eq!(find(false), None);
    assert!(find(true).unwrap().as_str().contains("cannot be read by this account"));
}

#[test]
fn a_first_index_that_is_refused_leaves_a_share_filled_by_hand() {
    let mut facts = well();
    let held = facts.subject.layout.held_folder().join("PCM.INDEX").display().to_string();
    for (code, file, indexed) in [
        (Code::BadSignature, "/mnt/share/PCM.INDEX", false),
        (Code::ShareMissing, "/mnt/share/PCM.INDEX", true),
        (Code::BadSignature, held.as_str(), true),
        (Code::ShareMissing, "/mnt/share", false),
    ] {
        let status = facts.views.status.as_mut().unwrap();
        status.problems = vec![Problem::of_file(code.as_str(), file, "it is not taken")];
        assert_eq!(gather::under_an_index(&facts.subject, &facts.views, false), indexed, "{code} {file}");
    }
}

/// Whatever `status` calls wrong of this machine, the checklist has an item that fails and says so.
#[test]
fn what_the_executor_says_is_wrong_fails_an_item() {
    for (code, name) in [
        (Code::ContentMismatch.as_str(), "content-source"),
        (Code::ContentMissing.as_str(), "content-source"),
        (Code::WindowNeverFits.as_str(), "mandatory"),
        (Code::Expired.as_str(), "mandatory"),
        (Code::PolicyUnreadable.as_str(), "configuration"),
        (Code::StateUnwritable.as_str(), "state"),
        ("closed-for-long", "mandatory"),
        ("end-unrecorded", "history"),
        ("validity-left", "validity-left"),
        ("log-unwritable", "log"),
        ("undelivered", "machine-report"),
    ] {
        let found = row(name, |f| {
            let problem = Problem::of_file(code, "", "something is wrong");
            f.views.status.as_mut().unwrap().problems = vec![problem];
        });
        is(&found, Verdict::Block, "something is wrong");
        assert!(found.remedy.is_some(), "{found:?}");
        let known = row(name, |f| {
            let problem = Problem::of_file(code, "", "something to know of").into_warning();
            f.views.status.as_mut().unwrap().problems = vec![problem];
        });
        assert!(!known.evidence.as_str().contains("to know of"), "{known:?}");
    }
}
