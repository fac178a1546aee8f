//! What `pcm check` tries at the shares, and what it sees of the site folder from which a machine publishes.

use super::super::indexed::Indexed;
use super::*;

#[test]
fn the_place_of_reports_is_written_and_left_as_it_was() {
    let site = ready("");
    let own = site.share().join("despoolr.box").join(MACHINE);
    let doc = check(&site);
    says(&doc, "report-location", "pass", "wrote a file in");
    says(&doc, "report-location", "pass", &own.display().to_string());
    says(&doc, "clock-against-share", "pass", "had the time of this machine");
    let left = |folder: &std::path::Path| fs::read_dir(folder).unwrap().count();
    assert_eq!((left(&site.share().join("machines")), own.exists()), (0, false));
    make_dir(&own);
    fs::write(own.join("BP00001-1.MIF"), "a result").unwrap();
    says(&check(&site), "report-location", "pass", "wrote a file in");
    assert_eq!(left(&own), 1, "what was there stays");

    fs::remove_dir(site.share().join("machines")).unwrap();
    fs::write(site.share().join("machines"), "in the way").unwrap();
    let doc = check(&site);
    fails(&doc, "report-location", "machines: ", "[share] report");
    says(&doc, "clock-against-share", "unknown", "no file was written");
    // Another place that the configuration names.
    let reports = site.path("reports");
    for folder in ["machines", "despoolr.box"] {
        make_dir(&reports.join(folder));
    }
    let config = fs::read_to_string(site.config()).unwrap();
    write(&site.config(), format!("{config}[share]\nreport = {reports:?}\n").as_bytes());
    says(&check(&site), "report-location", "pass", &reports.display().to_string());
}

#[test]
fn files_that_are_to_be_copied_have_to_be_there() {
    let site = ready("");
    says(&check(&site), "content-source", "pass", "1 content to be copied is there");
    fs::rename(site.share().join("packages/BP00000A"), site.path("away")).unwrap();
    fails(&check(&site), "content-source", "BP00000A", "published again");
    says(&published(&[]), "content-source", "pass", "has files");
}

#[test]
fn each_location_says_what_it_has_and_one_that_lags_is_named() {
    let mut site = ready("");
    says(&check(&site), "locations", "pass", "serial 1");
    let other = site.path("other");
    let config = fs::read_to_string(site.config()).unwrap();
    let both = format!("shares = [{:?}, {other:?}]", site.share());
    write(&site.config(), config.replace(&format!("shares = [{:?}]", site.share()), &both).as_bytes());
    fails(&check(&site), "locations", "other gave nothing", "`shares`");
    assert!(Command::new("cp").arg("-a").args([&site.share(), &other]).status().unwrap().success());
    site.publish(&[]);
    let doc = check(&site);
    says(&doc, "locations", "pass", "other lags: serial 1");
    says(&doc, "locations", "pass", "share: serial 2");
}

#[test]
fn a_publisher_whose_clock_is_ahead_is_noticed() {
    let mut share = Indexed::by_permissions();
    for (ahead, verdict) in [(-60, "pass"), (3_600, "block"), (-30, "pass")] {
        let job = share.job().later();
        let mut head = share.head();
        head.issued = stamp(now() + seconds(ahead));
        let text = share.parts(&head, &[job]);
        share.place(&text);
        let row = item(&check(&share.site), "clock-against-share").clone();
        assert_eq!(row["verdict"], verdict, "{row}");
        assert!(verdict == "pass" || row["evidence"].as_str().unwrap().contains("issued"), "{row}");
    }
}

#[test]
fn the_host_key_is_read_where_reports_can_be_signed() {
    says(&check(&ready("")), "host-key", "pass", "reports are not signed");
    let Some(share) = Indexed::signed() else { return };
    share.enrol();
    let (ed25519, ecdsa) = ("/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ecdsa_key");
    let made = |kind: &str, file: &str| format!("ssh-keygen -q -t {kind} -N '' -f {file}");
    let both = format!("{} && {}", made("ecdsa", ecdsa), made("ed25519", ed25519));
    let init = share.site.command(&["init"]);
    let init: Vec<_> = [init.get_program()].into_iter().chain(init.get_args()).collect();
    let init: Vec<String> = init.iter().map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    for (key, verdict, named) in [
        ("true".to_owned(), "unknown", ecdsa),
        (made("ed25519", ed25519), "pass", ed25519),
        (made("ecdsa", ecdsa), "pass", ecdsa),
        (both, "pass", ed25519),
        // As its remedy says.
        (format!("{} >&2", init.join(" ")), "pass", "trust.d/host_key"),
    ] {
        // In a name space of its own nothing of the machine is touched.
        let script = format!("mount -t tmpfs none /etc/ssh && {key} && exec \"$@\"");
        let own = share.site.command(&["check", "--json"]);
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, "sh"]).arg(own.get_program()).args(own.get_args());
        let output = command.env("TZ", "UTC").stdin(Stdio::null()).output();
        match output.ok().filter(|output| !output.stdout.is_empty()) {
            Some(output) => says(&document(&output), "host-key", verdict, named),
            None => return skipped("no mount name space can be had here"),
        }
    }
}

/// A machine that publishes, too; the folder, and the items of the publisher.
fn publisher() -> (Site, String) {
    let site = Site::new();
    let folder = site.path("folder").display().to_string();
    site.json(&["site", "init", &folder, "--site", "BP0", "--example", MACHINE]);
    let config = fs::read_to_string(site.config()).unwrap();
    write(&site.config(), format!("{config}[site]\nfolder = {folder:?}\n").as_bytes());
    (site, folder)
}

#[test]
fn a_publisher_sees_whether_its_share_is_what_its_folder_says() {
    let (site, folder) = publisher();
    let name = "share-matches-folder";
    fails(&check(&site), name, "nothing is published", "site publish");
    site.json(&["site", "publish"]);
    let doc = check(&site);
    says(&doc, name, "pass", "publication 1");
    says(&doc, "keys-expiring", "pass", "no trust list");
    says(&doc, "lock", "pass", "nobody is publishing");
    site.json(&["site", "machine", "add", "BP004001", "--no-publish"]);
    fails(&check(&site), name, "the folder says what is not published", "--dry-run");
    site.json(&["site", "publish"]);
    fs::remove_file(format!("{folder}/share/jobs/BP0000AA.1.toml")).unwrap();
    fails(&check(&site), name, "1 file of", "puts back");
    site.json(&["site", "publish"]);

    let note = format!("{folder}/share/PCM.PUBLISHING");
    fs::write(&note, "anna@other since 2026-11-29T12:00:00Z at other:/srv/site\n").unwrap();
    fails(&check(&site), "lock", "anna@other", "--break-lock");
    fs::remove_file(&note).unwrap();

    fs::rename(&folder, site.path("away")).unwrap();
    let doc = check(&site);
    fails(&doc, name, "is no site folder", "site init");
    for name in ["keys-expiring", "timer", "lock"] {
        says(&doc, name, "unknown", "was not read");
    }
}

/// It answers when it is asked, and hangs when the index is opened.
#[test]
fn a_share_that_hangs_while_it_is_compared_is_given_up() {
    let (site, folder) = publisher();
    site.json(&["site", "publish"]);
    let config = fs::read_to_string(site.config()).unwrap();
    write(&site.config(), format!("{config}[share]\ntimeout = \"1s\"\n").as_bytes());
    let (share, real) = (site.path("folder/share"), site.path("real"));
    fs::rename(&share, &real).unwrap();
    make_dir(&share);
    let Some(hang) = Hang::at_files(&share, &real, "PCM.INDEX") else { return };
    let name = "share-matches-folder";
    let doc = check(&site);
    fails(&doc, name, "does not answer within 4s", "its server");
    says(&doc, "lock", "unknown", "not known");
    // What the folder says by itself is judged all the same.
    says(&doc, "keys-expiring", "pass", "no trust list");
    drop(hang);
    fs::remove_dir(&share).unwrap();
    fs::rename(&real, &share).unwrap();
    says(&check(&site), name, "pass", "publication 1");
    assert!(folder.ends_with("folder"));
}

#[test]
fn a_publisher_sees_whether_anything_renews_what_it_published() {
    let (site, folder) = publisher();
    let units = site.path("units");
    let timer = || {
        let output = site.command(&["check", "--json"]).env("XDG_CONFIG_HOME", &units).output().unwrap();
        item(&document(&output), "timer").clone()
    };
    let none = timer();
    assert!(none["verdict"] == "unknown" && none["remedy"].to_string().contains("install-timer"), "{none}");
    let toml = fs::read_to_string(format!("{folder}/site.toml")).unwrap();
    let id = toml.parse::<toml::Table>().unwrap()["site_id"].as_str().unwrap()[..6].to_owned();
    let dir = units.join("systemd/user");
    make_dir(&dir.join("timers.target.wants"));
    let unit = dir.join(format!("pcm-site-BP0-{id}.timer"));
    write(&unit, b"[Timer]\n");
    assert_eq!(timer()["verdict"], "unknown", "it is not enabled");
    symlink(&unit, dir.join("timers.target.wants").join(unit.file_name().unwrap())).unwrap();
    let set = timer();
    assert!(set["verdict"] == "pass" && set["evidence"].to_string().contains("pcm-site-BP0-"), "{set}");
}

#[test]
fn a_publisher_sees_whose_key_ends() {
    if !std::path::Path::new("/usr/bin/ssh-keygen").exists() {
        return skipped("there is no ssh-keygen");
    }
    let (site, _) = publisher();
    let keys = site.path("keys");
    make_dir(&keys);
    let file = |name: &str| keys.join(name).display().to_string();
    for (name, role) in [("root", "trust"), ("publish", "publish")] {
        site.json(&["key", "generate", &file(name)]);
        let public = file(&format!("{name}.pub"));
        let root = file("root");
        let trust = ["key", "trust", &public, "--role", role, "--principal", name, "--key", &root];
        if role == "trust" {
            site.json(&trust);
            says(&check(&site), "keys-expiring", "pass", "no key of trust list 1 ends");
        } else {
            site.json(&[&trust[..], &["--until", "20d"]].concat());
        }
    }
    fails(&check(&site), "keys-expiring", "the publish key of publish ends", "key trust");
}
