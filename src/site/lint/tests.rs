//! Each item is found where it was made wrong, and a share without faults has none.
#![allow(clippy::unwrap_used)]

mod index;
mod source;

use super::*;
use crate::host::open;
use crate::site::content::write_content;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn now() -> Wall {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

/// A share that tests make faults on.
struct Site {
    dir: tempfile::TempDir,
    hash: String,
}

/// The lines of one good request.
fn request(id: &str, hash: &str) -> String {
    format!(
        "[[request]]\nrequest_id = \"{id}\"\njob_id = \"BP0000AA\"\npackage_id = \"BP00000A\"\npackage = \"Acme\"\n\
         command = \"Typical\"\ncommand_line = \"setup.sh --silent\"\nautomated = true\nbackground = true\n\
         offer_after = 2026-11-22T09:00:00Z\nmandatory_after = 2026-11-22T22:00:00Z\ncontent_sha256 = \"{hash}\"\n"
    )
}

fn instructions(machine: &str, serial: u64, requests: &str) -> String {
    format!(
        "format = 1\nsite = \"BP0\"\nmachine = \"{machine}\"\nserial = {serial}\nissued = 2026-11-22T07:00:00Z\n\
         {requests}\n[end]\nserial = {serial}\n"
    )
}

impl Site {
    fn new() -> Self {
        open::usual_umask();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        open::make_enterable(root).unwrap();
        for folder in ["pcmins.box", "packages/BP00000A/files", "machines", "despoolr.box"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("PCM.SITE"), "format = 1\nsite = \"BP0\"\nname = \"Head office\"\n").unwrap();
        fs::write(root.join("PCM.MACHINES"), "BP004000 web-01 the first\nBP004001 web-02\n").unwrap();
        fs::write(root.join("packages/BP00000A/files/setup.sh"), "#!/bin/sh\n").unwrap();
        let hash = write_content(&root.join("packages/BP00000A")).unwrap().sha256.as_str().to_owned();
        Self { dir, hash }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn request(&self, id: &str) -> String {
        request(id, &self.hash)
    }

    /// Publishes requests for the first machine.
    fn publish(&self, requests: &str) {
        self.write("pcmins.box/BP004000.INS", &instructions("BP004000", 5, requests));
    }

    /// Publishes one request with one of its lines replaced.
    fn with(&self, line: &str, by: &str) {
        let request = self.request("BP0000Y");
        assert!(request.contains(line), "{line}");
        self.publish(&request.replace(line, by));
    }

    fn rows(&self) -> Vec<Row> {
        self.rows_in("UTC")
    }

    fn rows_in(&self, zone: &str) -> Vec<Row> {
        judged(zone, |asked| share(self.dir.path(), asked).unwrap())
    }
}

/// What is found by the usual rules.
fn judged(zone: &str, judge: impl FnOnce(&Asked<'_>) -> Found) -> Vec<Row> {
    let zone = match zone {
        "UTC" => Zone::utc(),
        posix => Zone::from_posix(posix, posix).unwrap(),
    };
    let defaults = Defaults {
        max_run_time: Duration::from_secs(7200),
        ignore_windows: false,
        programs: ["apt-get", "msiexec.exe"].map(str::to_owned).to_vec(),
    };
    let fits = |request: &Request| {
        (request.max_run_time > Duration::from_secs(4 * 3600)).then(|| "it fits no window".to_owned())
    };
    let modes = crate::host::perms::ARE_REAL;
    let asked =
        Asked { zone: &zone, defaults: &defaults, now: now(), fits: Some(&fits), modes, hashes: true };
    judge(&asked).rows()
}

fn wrong(rows: &[Row]) -> Vec<&Row> {
    rows.iter().filter(|r| r.verdict != Verdict::Pass).collect()
}

/// Exactly one thing is wrong: this item, and its evidence says this.
#[track_caller]
fn only(rows: &[Row], item: &str, evidence: &str) {
    let wrong = wrong(rows);
    assert_eq!(wrong.len(), 1, "{wrong:#?}");
    assert_eq!((wrong[0].item, wrong[0].verdict), (item, Verdict::Block), "{wrong:#?}");
    assert!(wrong[0].evidence.contains(evidence), "{evidence:?} is not in {:?}", wrong[0]);
    assert!(wrong[0].remedy.is_some());
}

#[test]
fn a_share_without_faults_passes_every_item() {
    let site = Site::new();
    site.publish(&site.request("BP0000Y"));
    let rows = site.rows();
    assert_eq!(wrong(&rows), Vec::<&Row>::new());
    let items: Vec<&str> = rows.iter().map(|r| r.item).collect();
    let not_here = ["trust", "index", "parts", "targets"];
    let expected: Vec<&str> = ITEMS
        .into_iter()
        .filter(|i| *i != "modes" || crate::host::perms::ARE_REAL)
        .filter(|i| !not_here.contains(i))
        .collect();
    assert_eq!(items, expected);
}

#[test]
fn trust_lists_that_no_machine_comes_to_are_found() {
    use crate::site::signed::testing::{list, signed_list};
    let site = Site::new();
    site.publish(&site.request("BP0000Y"));
    fs::create_dir(site.path("trust")).unwrap();
    let place = |version: u64, key: u8| {
        fs::write(site.path(&format!("trust/{version}.toml")), signed_list(&list(version), key)).unwrap();
    };
    place(2, 1);
    only(&site.rows(), "trust", "version 1 is missing");
    place(1, 1);
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new());
    place(4, 1);
    only(&site.rows(), "trust", "version 3 is missing, so no machine comes to version 4");
    place(3, 2);
    only(&site.rows(), "trust", "3.toml");
    site.write("trust/1.toml", "version = 1\n");
    only(&site.rows(), "trust", "1.toml");
    // A key that ends soon is spoken of, and fails nothing.
    for version in [3, 4] {
        fs::remove_file(site.path(&format!("trust/{version}.toml"))).unwrap();
    }
    let mut ending = list(1);
    ending.signers[2].before = Some(now() + chrono::TimeDelta::days(29));
    fs::write(site.path("trust/1.toml"), signed_list(&ending, 1)).unwrap();
    fs::remove_file(site.path("trust/2.toml")).unwrap();
    let rows = site.rows();
    let row = rows.iter().find(|row| row.item == "trust").unwrap();
    assert_eq!(row.verdict, Verdict::Unknown, "{row:?}");
    assert!(row.evidence.contains("publish key of publish-3 ends at 2026-12-21"), "{row:?}");
}

#[test]
fn a_site_file_that_is_missing_or_wrong_is_found() {
    let site = Site::new();
    fs::remove_file(site.path("PCM.SITE")).unwrap();
    only(&site.rows(), "site-file", "it does not exist");
    site.write("PCM.SITE", "format = 1\nsite = \"BP0\"\n");
    only(&site.rows(), "site-file", "name");
    site.write("PCM.SITE", "format = 1\nsite = \"BP0\"\nname = \"x\"\ncolour = \"red\"\n");
    only(&site.rows(), "site-file", "line 4, colour");
}

#[test]
fn a_publisher_at_work_is_told_and_fails_nothing() {
    let site = Site::new();
    site.write("PCM.PUBLISHING", "ola on desk-7\n");
    let rows = site.rows();
    let wrong = wrong(&rows);
    assert_eq!((wrong.len(), wrong[0].item, wrong[0].verdict), (1, "publishing", Verdict::Unknown));
    assert!(wrong[0].evidence.contains("ola on desk-7"));
}

#[test]
fn machines_that_are_not_listed_or_listed_wrongly_are_found() {
    let site = Site::new();
    site.write("pcmins.box/BP004002.INS", &instructions("BP004002", 1, ""));
    only(&site.rows(), "machines", "BP004002 is not in PCM.MACHINES");
    site.write("PCM.MACHINES", "BP004000 a\nBP004002 b\n\nBP004000 c\n");
    only(&site.rows(), "machines", "line 4: BP004000 is there twice");
    site.write("PCM.MACHINES", "BP004000 a\nBP004002 b\nweb-01 BP004003\n");
    only(&site.rows(), "machines", "line 3");
    fs::remove_file(site.path("PCM.MACHINES")).unwrap();
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new(), "a site without such a list has none to be wrong");
}

#[test]
fn folders_without_which_nothing_can_be_reported_are_missed() {
    let site = Site::new();
    fs::remove_dir(site.path("machines")).unwrap();
    only(&site.rows(), "folders", "no machine can report");
}

#[test]
fn a_file_that_no_machine_takes_is_found_with_its_line() {
    let site = Site::new();
    let good = instructions("BP004000", 5, &site.request("BP0000Y"));
    site.write("pcmins.box/BP004000.INS", &good.replace("[end]\nserial = 5", "[end]\nserial = 6"));
    only(&site.rows(), "instructions", "BP004000.INS, line");
    site.write("pcmins.box/BP004000.INS", &good.replace("serial = 5\nissued", "serial = \nissued"));
    only(&site.rows(), "instructions", "line 4");
    site.write(
        "pcmins.box/BP004000.INS",
        &good.replace("issued = 2026-11-22T07", "valid_until = 2026-11-22T07:30:00Z\nissued = 2026-11-22T07"),
    );
    only(&site.rows(), "instructions", "it was valid until");
    site.write("pcmins.box/BP004000.INS", &good.replace("issued = 2026", "issued = 2027"));
    assert!(
        wrong(&site.rows()).iter().any(|r| r.item == "instructions" && r.evidence.contains("lies ahead"))
    );
    site.write("pcmins.box/BP004000.INS", &good.replace("background", "backgruond"));
    assert!(
        wrong(&site.rows()).iter().any(|r| r.item == "instructions" && r.evidence.contains("backgruond"))
    );
    site.write("pcmins.box/BP004000.INS", &good);
    site.write("pcmins.box/web-01.INS", &good);
    only(&site.rows(), "instructions", "its name is no machine's id");
    fs::remove_file(site.path("pcmins.box/web-01.INS")).unwrap();
    site.write("pcmins.box/.BP004001.INS.77.tmp", "half");
    site.write("pcmins.box/BP004000.INS.minisig", "signature");
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new());
}

#[cfg(unix)]
#[test]
fn two_names_of_one_machine_are_found() {
    let site = Site::new();
    site.publish("");
    site.write("pcmins.box/bp004000.ins", &instructions("BP004000", 6, ""));
    only(&site.rows(), "instructions", "differs from it in case only");
}

#[test]
fn rejected_requests_are_found_with_file_line_and_field() {
    let site = Site::new();
    site.with("automated = true", "automated = true\nmax_run_time = \"two hours\"");
    only(&site.rows(), "requests", "max_run_time");
    site.with("setup.sh --silent", "../setup.sh");
    only(&site.rows(), "requests", "command_line");
}

#[test]
fn contradictions_are_found_within_a_record_and_between_its_fields() {
    let site = Site::new();
    site.with(
        "offer_after = 2026-11-22T09",
        "expire_after = 2026-11-22T12:00:00Z\noffer_after = 2026-11-22T09",
    );
    only(&site.rows(), "contradictions", "it is not after mandatory_after");
    site.with("offer_after = 2026-11-22T09", "offer_after = 2026-11-23T09");
    only(&site.rows(), "contradictions", "it is before offer_after");
    site.with("automated = true\nbackground = true", "automated = false");
    only(&site.rows(), "contradictions", "mandatory and needs input");
    site.with("background = true", "background = false");
    only(&site.rows(), "contradictions", "mandatory and not background");
    site.with("automated = true\nbackground = true", "background = true\nautomated = false");
    only(&site.rows(), "contradictions", "excludes background");
}

#[test]
fn times_of_both_kinds_are_compared_in_the_zone_that_is_asked_for() {
    let site = Site::new();
    site.with(
        "offer_after = 2026-11-22T09:00:00Z",
        "expire_after = 2026-11-22T23:00:00\noffer_after = 2026-11-22T09:00:00Z",
    );
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new(), "23:00 is after 22:00 in UTC");
    only(&site.rows_in("EET-2"), "contradictions", "in EET-2, it expires before it is mandatory");
}

#[test]
fn times_that_a_clock_change_skips_or_repeats_are_found() {
    const PARIS: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    let site = Site::new();
    site.with("mandatory_after = 2026-11-22T22:00:00Z", "mandatory_after = 2027-03-28T02:30:00");
    only(&site.rows_in(PARIS), "times", "mandatory_after: 2027-03-28 02:30:00 is skipped");
    site.with("mandatory_after = 2026-11-22T22:00:00Z", "mandatory_after = 2027-10-31T02:30:00");
    only(&site.rows_in(PARIS), "times", "occurs twice");
    site.with("mandatory_after = 2026-11-22T22:00:00Z", "mandatory_after = 2027-10-31T02:30:00Z");
    assert_eq!(wrong(&site.rows_in(PARIS)), Vec::<&Row>::new(), "with a zone it is one instant");
    let site = Site::new();
    let freeze = "[[freeze]]\nfrom = 2027-03-28T02:30:00\nuntil = 2027-04-01T00:00:00\nreason = \"x\"\n";
    site.write("PCM.SITE", &format!("format = 1\nsite = \"BP0\"\nname = \"x\"\n{freeze}"));
    only(&site.rows_in(PARIS), "times", "freeze.from");
}

#[test]
fn command_lines_that_ask_somebody_are_found() {
    let site = Site::new();
    site.with("setup.sh --silent", "msiexec.exe /i acme.msi");
    only(&site.rows(), "silent", "msiexec without /qn");
}

#[test]
fn exit_codes_that_no_program_can_return_are_found_where_only_linux_runs_it() {
    let site = Site::new();
    let codes = "exit_codes = { \"3010\" = \"restart\", \"-1\" = \"failure\", \"194\" = \"restart\" }\nautomated = true";
    site.with("automated = true", codes);
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new(), "Windows may run it");
    site.with("automated = true", &format!("platforms = [\"linux-x86_64\"]\n{codes}"));
    only(&site.rows(), "requests", "exit_codes names -1, 3010, and exit codes end at 255 on Linux");
}

#[test]
fn requests_that_fit_no_window_are_found() {
    let site = Site::new();
    site.with("automated = true", "automated = true\nmax_run_time = \"5h\"");
    only(&site.rows(), "windows", "it fits no window");
    site.with("automated = true", "automated = true\nmax_run_time = \"5h\"\nignore_windows = true");
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new());
}

#[test]
fn one_id_for_two_deliveries_is_found_within_a_file_and_between_machines() {
    let site = Site::new();
    let one = site.request("BP0000Y");
    site.publish(&format!("{one}\n{}", one.replace("Typical", "Full")));
    assert!(wrong(&site.rows()).iter().all(|r| r.item == "request-ids" && r.evidence.contains("differs")));
    site.publish(&one);
    site.write("pcmins.box/BP004001.INS", &instructions("BP004001", 1, &one));
    only(&site.rows(), "request-ids", "BP004000 has a request of this id, too");
}

#[test]
fn a_program_that_cannot_be_started_is_found_whether_or_not_its_platform_is_said() {
    let site = Site::new();
    let program = |bytes: &[u8]| {
        fs::write(site.path("packages/BP00000A/files/setup.sh"), bytes).unwrap();
        let hash = write_content(&site.path("packages/BP00000A")).unwrap().sha256.as_str().to_owned();
        site.publish(&request("BP0000Y", &hash));
    };
    let elf = |machine: u8| {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        (bytes[16], bytes[18]) = (2, machine);
        bytes
    };
    let unknown = |rows: &[Row], said: &str| {
        let row = rows.iter().find(|r| r.item == "content").unwrap();
        assert_eq!(row.verdict, Verdict::Unknown, "{row:?}");
        assert!(row.evidence.contains(said), "{said}: {row:?}");
    };
    // Whatever the machine is, none of these is ever started.
    for (bytes, why) in [
        (
            b"echo hello\n".as_slice(),
            "linux-x86_64, linux-aarch64: setup.sh: it is neither a program for Linux nor",
        ),
        (b"\xef\xbb\xbf#!/bin/sh\n", "a byte order mark stands before its #!"),
        (&elf(8), "it is a program for another processor"),
    ] {
        program(bytes);
        only(&site.rows(), "content", "cannot be started on any platform");
        only(&site.rows(), "content", why);
    }
    // These are, on some.
    program(&elf(183));
    unknown(&site.rows(), "can be started on linux-aarch64 alone");
    program(b"MZ");
    unknown(&site.rows(), "can be started on windows-x86, windows-x86_64 alone");
    // What the machine is, it has reported.
    let here = report(5, "BP0000X").replace("\"platform\":null", "\"platform\":\"linux-x86_64\"");
    site.write("machines/BP004000.json", &here);
    only(&site.rows(), "content", "cannot be started on linux-x86_64: setup.sh: it is a program for Windows");
    program(&elf(183));
    only(&site.rows(), "content", "it is a program for aarch64, and the platform is linux-x86_64");
    program(&elf(62));
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new());
    // Text that an interpreter of the system is given needs no first line.
    program(b"echo hello\n");
    let given = fs::read_to_string(site.path("pcmins.box/BP004000.INS")).unwrap();
    site.write("pcmins.box/BP004000.INS", &given.replace("setup.sh --silent", "sh setup.sh"));
    assert!(site.rows().iter().all(|r| !r.evidence.contains("cannot be started")), "{:?}", site.rows());
}

/// A machine report with this serial, in which this request was attempted.
fn report(serial: u64, request: &str) -> String {
    format!(
        r#"{{"format":1,"machine":"BP004000","site":"BP0","host":"web-01","platform":null,"pcm_version":"0.1.0",
        "reported_at":"2026-11-22T07:00:00Z","polled_at":null,"polling_interval_s":3600,"instruction_serial":{serial},
        "source":null,"users":0,"restart_pending":false,"clock_ok":true,"audit_head":null,
        "requests":[{{"request_id":"{request}","job_id":null,"package_id":null,"state":"succeeded","since":null,
        "attempt":1,"blocked_by":[],"next_change":null,"exit_code":0,"result":null,"started_at":null,"ended_at":null}}]}}"#
    )
}

#[test]
fn a_serial_behind_what_the_machine_has_seen_is_found() {
    let site = Site::new();
    site.publish("");
    site.write("machines/BP004000.json", &report(5, "BP0000X"));
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new());
    site.write("machines/BP004000.json", &report(6, "BP0000X"));
    only(&site.rows(), "serials", "its serial 5 is lower than 6");
    // The same of the one file on its share; of one that is not published yet nobody has seen any.
    let judged_alone =
        |path: &Path| judged("UTC", |asked| file(path, "BP004000".parse().unwrap(), asked).unwrap());
    let published = site.dir.path().join("pcmins.box/BP004000.INS");
    only(&judged_alone(&published), "serials", "its serial 5 is lower than 6");
    let draft = site.dir.path().join("BP004000.INS");
    std::fs::copy(&published, &draft).unwrap();
    assert_eq!(wrong(&judged_alone(&draft)), Vec::<&Row>::new());
}

#[test]
fn dependencies_that_are_missing_never_run_or_form_a_circle_are_found() {
    let site = Site::new();
    let depends = |id: &str, on: &str| format!("{}depends_on = [\"{on}\"]\n", site.request(id));
    site.publish(&depends("BP0000Y", "BP0000X"));
    only(&site.rows(), "dependencies", "depends on BP0000X, which this file does not have");
    site.write("machines/BP004000.json", &report(5, "BP0000X"));
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new(), "it was carried out before");
    let optional = site.request("BP0000X").replace("mandatory_after = 2026-11-22T22:00:00Z\n", "");
    fs::remove_file(site.path("machines/BP004000.json")).unwrap();
    site.publish(&format!("{}\n{optional}", depends("BP0000Y", "BP0000X")));
    only(&site.rows(), "dependencies", "is optional and never runs by itself");
    let circle = ["BP0000A", "BP0000B", "BP0000C"].map(|id| {
        let on = match id {
            "BP0000A" => "BP0000B",
            "BP0000B" => "BP0000C",
            _ => "BP0000A",
        };
        depends(id, on)
    });
    site.publish(&circle.join("\n"));
    only(&site.rows(), "dependencies", "BP0000A -> BP0000B -> BP0000C -> BP0000A");
}

#[test]
fn a_chain_of_a_thousand_dependencies_is_no_circle() {
    let site = Site::new();
    let id = |n: usize| format!("BP0{n:04}");
    let mut text = String::new();
    for n in 0..1000 {
        text.push_str(&site.request(&id(n)));
        if n < 999 {
            let _ = writeln!(text, "depends_on = [\"{}\"]", id(n + 1));
        }
    }
    site.publish(&text);
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new());
}

#[test]
fn content_that_is_not_what_is_published_is_found() {
    let site = Site::new();
    site.publish(&site.request("BP0000Y"));
    let files = site.path("packages/BP00000A/files");
    fs::write(files.join("setup.sh"), "#!/bin/sx\n").unwrap();
    only(&site.rows(), "content", "setup.sh has another content");
    fs::write(files.join("setup.sh"), "#!/bin/sh\n\n").unwrap();
    only(&site.rows(), "content", "setup.sh has 11 bytes, listed are 10");
    fs::write(files.join("setup.sh"), "#!/bin/sh\n").unwrap();
    fs::create_dir(files.join("sub")).unwrap();
    fs::write(files.join("sub/more"), "").unwrap();
    only(&site.rows(), "content", "sub/more is there and not listed");
    let hash = write_content(&site.path("packages/BP00000A")).unwrap().sha256;
    only(&site.rows(), "content", &hash.as_str()[..12]);
    fs::remove_dir_all(site.path("packages/BP00000A/files/sub")).unwrap();
    site.publish(&request("BP0000Y", hash.as_str()));
    only(&site.rows(), "content", "sub/more is listed and missing");
    fs::remove_dir_all(site.path("packages/BP00000A")).unwrap();
    only(&site.rows(), "content", "it does not exist");
}

#[test]
fn a_program_that_the_package_does_not_have_is_found() {
    let site = Site::new();
    site.with("setup.sh --silent", "install.sh");
    only(&site.rows(), "content", "the program \"install.sh\" is not among the files");
}

#[cfg(unix)]
#[test]
fn what_others_may_write_is_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    site.publish(&site.request("BP0000Y"));
    for name in [
        "",
        "pcmins.box",
        "pcmins.box/BP004000.INS",
        "packages/BP00000A",
        "packages/BP00000A/files",
        "packages/BP00000A/files/setup.sh",
    ] {
        let path = site.path(name);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let rows = site.rows();
        assert!(wrong(&rows).iter().all(|r| r.item == "modes"), "{name}: {rows:#?}");
        assert!(
            wrong(&rows).iter().any(|r| r.evidence.contains("can be written by others")),
            "{name}: {rows:#?}"
        );
        fs::set_permissions(&path, before).unwrap();
    }
    assert_eq!(wrong(&site.rows()), Vec::<&Row>::new());
}

#[test]
fn one_file_is_judged_before_it_is_published() {
    let site = Site::new();
    let path = site.path("BP004000.INS");
    let of = |text: &str| {
        fs::write(&path, text).unwrap();
        judged("UTC", |asked| file(Path::new(&path), "BP004000".parse().unwrap(), asked).unwrap())
    };
    let good = instructions("BP004000", 5, &site.request("BP0000Y"));
    assert_eq!(wrong(&of(&good)), Vec::<&Row>::new());
    only(&of(&good.replace("background = true", "background = false")), "contradictions", "not background");
    only(&of(&good.replace("[end]", "[ende]")), "instructions", "cut off");
}

#[test]
fn ten_thousand_machines_are_judged_and_what_is_told_of_them_is_bounded() {
    let site = Site::new();
    fs::remove_file(site.path("PCM.MACHINES")).unwrap();
    for n in 0..10_000 {
        let machine = format!("BP0{n:05}");
        let requests = site.request(&format!("BP0{n:04}")).replace("background = true", "background = false");
        site.write(&format!("pcmins.box/{machine}.INS"), &instructions(&machine, 1, &requests));
    }
    let rows = site.rows();
    let found = wrong(&rows);
    assert_eq!(found.len(), MOST + 1);
    assert!(found.iter().all(|r| r.item == "contradictions"));
    assert!(found[MOST].evidence.contains("9950 more"), "{:?}", found[MOST]);
    assert!(rows.iter().any(|r| r.evidence.contains("10000 instruction files")));
}
