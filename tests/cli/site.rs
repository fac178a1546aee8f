//! From an empty folder to a signed job for many machines, by pcm's own verbs and the real `ssh-keygen`; and a publisher that
//! is killed anywhere.

use super::keys::{json, refused, ssh_keygen};
use super::{command, pcm, text, text as text_of};
use crate::common::pty::Terminal;
use crate::common::{now, seconds, stamp};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const IN: [&str; 2] = ["--folder", "site"];

/// A verb in the site folder.
fn site(dir: &Path, args: &[&str]) -> Value {
    json(dir, &[args, &IN].concat())
}

fn no(dir: &Path, args: &[&str]) -> String {
    refused(dir, &[args, &IN].concat())
}

/// A folder with the folder of a site that has the example.
fn example() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    json(dir.path(), &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    dir
}

/// A site folder with the example, and a trust list that knows one key of each role; publications are signed.
pub fn signed(dir: &Path) {
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    fs::create_dir(dir.join("keys")).unwrap();
    for name in ["root", "package", "publish"] {
        json(dir, &["key", "generate", &format!("keys/{name}")]);
    }
    for (name, role) in [("root", "trust"), ("package", "package"), ("publish", "publish")] {
        let file = format!("keys/{name}.pub");
        site(dir, &["key", "trust", &file, "--role", role, "--principal", name, "--key", "keys/root"]);
    }
    let toml = dir.join("site/site.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, format!("{text}key = \"../keys/publish\"\n")).unwrap();
}

fn written(published: &Value) -> Vec<String> {
    let written = published["written"].as_array().unwrap();
    written.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn two_people_sign_one_publication_and_one_of_them_alone_replaces_none() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    // The example's job is of the package before it was signed.
    fs::remove_file(dir.join("site/jobs/BP0000AA.toml")).unwrap();
    for (name, principal) in [("approver", "approver"), ("again", "publish")] {
        let file = format!("keys/{name}");
        json(dir, &["key", "generate", &file]);
        let public = format!("{file}.pub");
        let role = ["--role", "publish", "--principal", principal, "--key", "keys/root"];
        site(dir, &[&["key", "trust", public.as_str()], &role[..]].concat());
    }
    let publish = |keys: &[&'static str]| -> Vec<&'static str> {
        let keys = keys.iter().flat_map(|key| ["--key", *key]);
        ["site", "publish"].into_iter().chain(keys).collect()
    };
    for one in ["keys/publish", "keys/again"] {
        assert_eq!(no(dir, &publish(&["keys/publish", one])), "bad-signature", "{one} is of the same person");
        assert!(!dir.join("site/share/PCM.INDEX").exists());
    }
    let both = site(dir, &publish(&["keys/publish", "keys/approver"]));
    assert_eq!(both["warnings"].as_array().map_or(0, Vec::len), 0, "{both}");
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    assert_eq!(index.matches("BEGIN SSH SIGNATURE").count(), 2, "{index}");
    let verified = site(dir, &["site", "verify", "site/share/PCM.INDEX"]);
    let who: Vec<_> = verified["signatures"].as_array().unwrap().iter().map(|s| &s["principal"]).collect();
    assert_eq!(who, ["publish", "approver"]);
    let lint = pcm(dir, &["site", "lint", "site/share", "--json"]);
    assert!(!text(&lint.stdout).contains("no machine in mode signed takes it"), "{}", text(&lint.stdout));
    // The key of site.toml alone replaces nothing of that: machines that want two would take nothing.
    for alone in
        [&["site", "machine", "add", "BP004001"][..], &["site", "publish"], &["site", "publish", "--renew"]]
    {
        let refused = pcm(dir, &[alone, &IN].concat());
        let said = text(&refused.stderr);
        assert!(
            refused.status.code() == Some(3) && said.contains("publish_signatures = 2"),
            "{alone:?}: {said}"
        );
    }
    assert_eq!(fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap(), index);
    let meant = site(dir, &["site", "publish", "--expect", "1"]);
    assert!(written(&meant).contains(&"PCM.INDEX".to_owned()), "{meant}");
    assert_eq!(written(&site(dir, &["site", "publish"])), Vec::<String>::new());
    // Whoever names both again has something to publish.
    site(dir, &publish(&["keys/publish", "keys/approver"]));
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    assert_eq!(index.matches("BEGIN SSH SIGNATURE").count(), 2, "{index}");
}

#[test]
fn two_commands_publish_to_one_machine_or_to_many() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let made = json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    assert_eq!((made["request_id"].as_str(), made["machine"].as_str()), (Some("BP0000Y"), Some("BP004000")));
    let dry = site(dir, &["site", "publish", "--dry-run"]);
    assert_eq!((dry["dry_run"].as_bool(), dry["serial"].as_u64()), (Some(true), Some(1)));
    assert!(!dir.join("site/share/PCM.INDEX").exists());
    let published = site(dir, &["site", "publish"]);
    assert_eq!(published["changed"]["jobs"], serde_json::json!(["BP0000AA"]));
    assert!(written(&published).contains(&"PCM.INDEX".to_owned()), "{published}");
    assert_eq!(written(&site(dir, &["site", "publish"])), Vec::<String>::new(), "nothing to do is no error");
    let lint = pcm(dir, &["site", "lint", "site/share", "--json"]);
    let lint: Value = serde_json::from_slice(&lint.stdout).unwrap();
    let wrong: Vec<&Value> = lint["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["verdict"] == "block" && item["item"] != "modes")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");

    // Machines come one by one, or as a list whose every error is said at once.
    let added = site(dir, &["site", "machine", "add", "BP004001", "--host", "web-01", "--group", "web"]);
    assert_eq!((added["added"].as_u64(), added["machines"].as_u64()), (Some(1), Some(2)));
    fs::write(dir.join("bad.csv"), "BP004002,we b\nXX004003\nBP004004,web-01\n").unwrap();
    let bad = pcm(dir, &[&["site", "machine", "import", "bad.csv"][..], &IN].concat());
    let said = text(&bad.stderr);
    assert!(
        said.contains("bad.csv, line 1") && said.contains("line 2") && !said.contains("published\""),
        "{said}"
    );
    let many: String = (0..300).map(|n| format!("BP05{n:04},node-{n},lab\n")).collect();
    fs::write(dir.join("many.csv"), many).unwrap();
    assert_eq!(site(dir, &["site", "machine", "import", "many.csv"])["machines"].as_u64(), Some(302));
    let web = site(dir, &["site", "machine", "list", "--where", "group == \"web\""]);
    assert_eq!(
        (web["machines"].as_array().unwrap().len(), &web["machines"][0]["host"]),
        (1, &"web-01".into())
    );

    // A job for one, and for so many that their number has to be known.
    let one = site(dir, &["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", "22:00"]);
    assert_eq!((one["job_id"].as_str(), one["request_id"].as_str()), (Some("BP0000AB"), Some("BP0000Z")));
    assert_eq!(written(&one["published"]), ["jobs/BP0000AB.1.toml", "PCM.INDEX"]);
    let job = fs::read_to_string(dir.join("site/share/jobs/BP0000AB.1.toml")).unwrap();
    assert!(
        job.contains("T22:00:00\n") && !job.contains("T22:00:00Z"),
        "each machine's own wall clock: {job}"
    );
    let send = ["job", "send", "--package", "BP00000A", "--to", "@lab,@web", "--mandatory", "2h"];
    assert_eq!(no(dir, &send), "not-expected");
    let jobs = |dir: &Path| site(dir, &["job", "list"])["jobs"].as_array().unwrap().len();
    assert_eq!(jobs(dir), 2, "what is refused leaves nothing behind");
    let sent = site(dir, &[&send[..], &["--expect", "301"]].concat());
    assert_eq!((sent["targets"].as_u64(), sent["job_id"].as_str()), (Some(301), Some("BP0000AC")));
    let job = fs::read_to_string(dir.join("site/share/jobs/BP0000AC.1.toml")).unwrap();
    assert!(job.contains("spread = \"1h\"") && job.contains("Z\n"), "{job}");
    assert_eq!(no(dir, &["job", "send", "--package", "BP00000A", "--to", "@wep"]), "no-targets");
    assert_eq!(no(dir, &["job", "send", "--package", "BP00000B", "--to", "@web"]), "no-such-package");

    // Suspend, resume, cancel: the index alone.
    let state = |verb: &str| site(dir, &["job", verb, "BP0000AB", "--reason", "a look first"]);
    assert_eq!(written(&state("suspend")["published"]), ["PCM.INDEX"]);
    assert_eq!(state("resume")["state"], "active");
    assert_eq!(state("cancel")["state"], "cancelled");
    assert_eq!(no(dir, &["job", "resume", "BP0000AB"]), "no-change");
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    assert!(
        index.contains("state = \"cancelled\"") && index.contains("reason = \"a look first\""),
        "{index}"
    );
    let shown = site(dir, &["job", "show", "BP0000AC"]);
    assert_eq!((shown["revision"].as_u64(), shown["package_id"].as_str()), (Some(1), Some("BP00000A")));
    assert_eq!(shown["command_line"], "setup.sh --silent", "as list and show of a machine say it");

    // Phase by phase, on the publisher's word.
    let phased =
        ["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", "2h", "--phases", "5%,100%"];
    assert_eq!(site(dir, &phased)["job_id"], "BP0000AD");
    let percent = |dir: &Path| site(dir, &["job", "show", "BP0000AD"])["percent"].as_f64();
    assert_eq!(percent(dir), Some(5.0));
    let go = ["job", "advance", "BP0000AD", "--now", "--reason", "looks good"];
    assert_eq!(
        (written(&site(dir, &go)["published"]), percent(dir)),
        (vec!["PCM.INDEX".to_owned()], Some(100.0))
    );
    assert_eq!(no(dir, &go), "no-change");

    // To whoever is logged on, and it stays so when it is sent again.
    let offered = ["job", "send", "--package", "BP00000A", "--to", "@web", "--offer-to", "users"];
    assert_eq!(site(dir, &offered)["job_id"], "BP0000AE");
    let job = fs::read_to_string(dir.join("site/share/jobs/BP0000AE.1.toml")).unwrap();
    assert!(job.contains("\noffer_to = \"users\"\n"), "{job}");
    site(dir, &["job", "send", "--again", "BP0000AE"]);
    assert_eq!(site(dir, &["job", "show", "BP0000AE"])["offer_to"], "users");
    assert!(site(dir, &["job", "show", "BP0000AD"])["offer_to"].is_null());
    let listed = site(dir, &["job", "list"]);
    let offers = listed["jobs"].as_array().unwrap().iter().filter(|job| job["offer_to"] == "users").count();
    assert_eq!(offers, 1, "{listed}");
    let list = text(&pcm(dir, &[&["job", "list"][..], &IN].concat()).stdout);
    assert!(list.contains("OFFERED TO"), "{list}");
    let wrong = pcm(dir, &[&["job", "send", "--again", "BP0000AE", "--offer-to", "all"][..], &IN].concat());
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    assert!(text(&wrong.stderr).contains("wanted one of users"), "{}", text(&wrong.stderr));

    // All machines at once, by the policy of everybody.
    let freeze = ["site", "freeze", "--until", "12h", "--reason", "look at the file server"];
    assert_eq!(no(dir, &freeze), "not-expected");
    let frozen = site(dir, &[&freeze[..], &["--expect", "302"]].concat());
    assert_eq!(written(&frozen["published"]), ["policy/all.1.toml", "PCM.INDEX"]);
    // A machine whose clock is a few minutes behind stops with the others.
    let policy = fs::read_to_string(dir.join("site/policy/all.toml")).unwrap();
    let from = policy.lines().find_map(|line| line.strip_prefix("from = ")).unwrap();
    assert!(from.parse::<chrono::DateTime<chrono::Utc>>().unwrap() < now() - seconds(600), "{policy}");
    assert_eq!(site(dir, &["site", "unfreeze", "--expect", "302"])["ended"], 1);
    assert_eq!(no(dir, &["site", "unfreeze"]), "no-change");

    // Removing most of the machines is a slip of the pen, most of the time, and so the list stays as it was.
    fs::write(dir.join("site/machines.csv"), "BP004000\n").unwrap();
    assert_eq!(no(dir, &["site", "publish"]), "not-expected");
    assert_eq!(no(dir, &["site", "machine", "remove", "BP004009"]), "no-such-machine");
    site(dir, &["site", "publish", "--expect", "301"]);
    let log = fs::read_to_string(dir.join("site/publications.log")).unwrap();
    assert!(log.lines().count() >= 9 && log.contains("job cancel BP0000AB"), "{log}");
}

/// In the configuration of a publisher's machine it is named once, for whatever is done from whichever folder.
#[test]
fn the_site_folder_of_the_configuration_counts_for_every_verb() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    for args in [&["key", "list"][..], &["site", "verify", "site/trust/3.toml"]] {
        assert_eq!(refused(dir, args), "no-site-folder");
    }
    let packages = |args: &[&str]| json(dir, &[&["package"], args].concat());
    assert_eq!(refused(dir, &["package", "list"]), "usage");
    fs::write(dir.join("pcm.toml"), format!("[site]\nfolder = {:?}\n", dir.join("site"))).unwrap();
    assert_eq!(json(dir, &["key", "list"])["version"], 3);
    assert_eq!(json(dir, &["site", "verify", "site/trust/3.toml"])["list_version"], 2);
    let withdraw = ["key", "withdraw", "BP00000Z", "--below", "2", "--key", "keys/root"];
    assert_eq!(json(dir, &withdraw)["version"], 4);
    assert_eq!(packages(&["list"])["packages"][0]["package_id"], "BP00000A");
    assert_eq!(packages(&["lint", "BP00000A"])["ok"], true);
    assert_eq!(packages(&["content", "BP00000A"])["release"], 1);
    assert_eq!(packages(&["new"])["package_id"], "BP00000B");
    assert!(dir.join("site/packages/BP00000B/package.toml").exists());

    // Where nothing could ever be published, nothing is made.
    for (share, why) in
        [("https://cdn.example.com/bp1", "nobody can write there"), ("s3://A", "name of a bucket")]
    {
        let refused = pcm(dir, &["site", "init", "never", "--site", "BP1", "--share", share]);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
        assert!(!dir.join("never").join("site.toml").exists());
    }
    // A flag comes first, the environment and the current folder before the configuration.
    json(dir, &["site", "init", "other", "--site", "BP1", "--example", "BP104000"]);
    let first = |doc: Value| doc["packages"][0]["package_id"].as_str().unwrap().to_owned();
    assert_eq!(first(packages(&["list", "--folder", "other"])), "BP10000A");
    assert_eq!(first(packages(&["list", "--share", "other"])), "BP10000A");
    assert_eq!(refused(dir, &["package", "list", "--share", "other", "--folder", "site"]), "usage");
    assert_eq!(refused(dir, &["package", "content", "BP00000A", "--folder", "other"]), "no-such-package");
    let inside =
        command(dir, &["package", "list", "--json"]).current_dir(dir.join("other")).output().unwrap();
    assert_eq!(first(serde_json::from_slice(&inside.stdout).unwrap()), "BP10000A");
    let named =
        command(dir, &["package", "list", "--json"]).env("PCM_SITE_FOLDER", "other").output().unwrap();
    assert_eq!(first(serde_json::from_slice(&named.stdout).unwrap()), "BP10000A");

    // A share that is named comes before all of them.
    let lint = ["site", "lint", "--share", "nowhere", "--json"];
    let lint = command(dir, &lint).current_dir(dir.join("other")).output().unwrap();
    assert!(text(&lint.stderr).contains("no-such-file"), "{}", text(&lint.stderr));

    // What only a configuration could say, and does not because it is damaged, is no reason to look elsewhere.
    fs::write(dir.join("pcm.toml"), "[site\n").unwrap();
    assert_eq!(refused(dir, &["package", "list"]), "policy-unreadable");
}

/// Who may write to a share decides nothing where signatures are believed, which is what machines do by default.
#[test]
fn a_new_site_speaks_of_mode_bits_only_where_machines_go_by_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("loose")).unwrap();
    fs::set_permissions(dir.join("loose"), fs::Permissions::from_mode(0o777)).unwrap();
    let init = |folder: &str, more: &[&str]| {
        let args = ["site", "init", folder, "--site", "BP0", "--share", "loose"];
        let done = pcm(dir, &[&args[..], more].concat());
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    let said = init("signed", &[]);
    assert!(!said.contains("permissions") && !said.contains("chmod"), "{said}");
    let said = init("by-modes", &["--example", "BP004000"]);
    assert!(said.contains("--trust permissions") && said.contains("chmod go-w"), "{said}");
}

/// What comes next is said in the words of the place where it is done.
#[test]
fn an_import_into_a_site_folder_says_how_it_is_signed_and_sent() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    fs::create_dir(dir.join("tool")).unwrap();
    fs::write(dir.join("tool/setup.sh"), "#!/bin/sh\nexit 0\n").unwrap();
    let line = ["package", "import", "tool", "--command-line", "setup.sh --silent", "--name", "Tool"];
    let more = ["--platform", "linux-x86_64", "--folder", "site"];
    let said = text(&pcm(dir, &[&line[..], &more].concat()).stdout);
    assert!(said.contains("pcm package sign BP00000B --key KEY --folder site"), "{said}");
    assert!(said.contains("pcm job send --package BP00000B") && !said.contains("[[request]]"), "{said}");
    let said = text(
        &pcm(dir, &["key", "withdraw", "BP00000B", "--below", "1", "--key", "keys/root", "--folder", "site"])
            .stdout,
    );
    assert!(said.contains("pcm site publish --key PUBLISHKEY"), "{said}");
    // Nothing was published from there yet, and nobody fills its share by hand all the same.
    assert!(!said.contains("by hand") && !said.contains("epoch"), "{said}");
}

#[test]
fn a_signed_site_is_verified_by_openssh_and_keeps_its_roles_apart() {
    let Some(ssh_keygen) = ssh_keygen() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    assert_eq!(no(dir, &["site", "publish"]), "unsigned", "the package has no signature yet");
    assert!(!dir.join("site/share/PCM.INDEX").exists());
    assert_eq!(no(dir, &["package", "sign", "BP00000A", "--key", "keys/publish"]), "bad-signature");
    let signed = site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    assert_eq!(
        (&signed["packages"][0]["release"], &signed["packages"][0]["signed"]),
        (&1.into(), &true.into())
    );
    let again = site(dir, &["package", "sign", "--all", "--key", "keys/package"]);
    assert_eq!(again["packages"][0]["signed"], false, "nothing changed: {again}");
    // A key that could not sign it is refused all the same, also one whose public half stands elsewhere or is all that there is.
    fs::copy(dir.join("keys/root"), dir.join("root-alone")).unwrap();
    for (key, code) in [
        ("keys/publish", "bad-signature"),
        ("keys/root", "bad-signature"),
        ("keys/root.pub", "bad-signature"),
        ("root-alone", "bad-signature"),
        ("keys/nowhere", "not-signed"),
    ] {
        assert_eq!(no(dir, &["package", "sign", "BP00000A", "--key", key]), code, "{key}");
    }
    fs::copy(dir.join("keys/package.pub"), dir.join("package-alone.pub")).unwrap();
    assert_eq!(no(dir, &["package", "sign", "--all", "--key", "package-alone.pub"]), "not-signed");
    assert_eq!(no(dir, &["site", "publish", "--key", "keys/package"]), "bad-signature");
    let published = site(dir, &["site", "publish"]);
    assert_eq!((published["epoch"].as_u64(), published["signed"].as_bool()), (Some(3), Some(true)));
    assert!(published["valid_until"].is_string());
    for name in ["trust/3.toml", "packages/BP00000A/1/package.toml.sig", "packages/BP00000A/1/package.toml"] {
        assert!(dir.join("site/share").join(name).exists(), "{name}");
    }

    // Plain ssh-keygen finds the same.
    let part = |part: &str| {
        let done = pcm(dir, &["site", "verify", "site/share/PCM.INDEX", "--part", part]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        done.stdout
    };
    let key = fs::read_to_string(dir.join("keys/publish.pub")).unwrap();
    fs::write(dir.join("allowed"), format!("publish namespaces=\"pcm-publish\" {key}")).unwrap();
    fs::write(dir.join("index.sig"), part("signature")).unwrap();
    fs::write(dir.join("index"), part("signed")).unwrap();
    let verify = |file: &str, signature: &str, who: &str, namespace: &str| {
        let input = fs::File::open(dir.join(file)).unwrap();
        let mut command = Command::new(ssh_keygen);
        command.args(["-Y", "verify", "-f", "allowed", "-I", who, "-n", namespace, "-s", signature]);
        command.current_dir(dir).stdin(input).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    };
    // A package's signature stands beside it.
    let package = "site/packages/BP00000A/package.toml";
    let told = site(dir, &["site", "verify", package]);
    assert_eq!(
        (&told["signatures"][0]["role"], &told["list_version"]),
        (&"package".into(), &3.into()),
        "{told}"
    );
    let of_both = |part: &str| pcm(dir, &["site", "verify", package, "--part", part]).stdout;
    assert_eq!(of_both("signed"), fs::read(dir.join(package)).unwrap());
    assert_eq!(of_both("signature"), fs::read(dir.join(format!("{package}.sig"))).unwrap());
    let other = dir.join("other");
    fs::create_dir(&other).unwrap();
    fs::copy(dir.join(package), other.join("package.toml")).unwrap();
    assert_eq!(no(dir, &["site", "verify", "other/package.toml"]), "unsigned");
    fs::copy(dir.join("index.sig"), other.join("package.toml.sig")).unwrap();
    assert_eq!(no(dir, &["site", "verify", "other/package.toml"]), "bad-signature");
    assert!(verify("index", "index.sig", "publish", "pcm-publish"));
    assert!(!verify("index", "index.sig", "publish", "pcm-package"));

    // The next release of the package is a new request; the old one never runs anything else.
    fs::write(dir.join("site/packages/BP00000A/files/more.txt"), "more").unwrap();
    let second = site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    assert_eq!(second["packages"][0]["release"], 2, "{second}");
    let again = site(dir, &["job", "send", "--again", "BP0000AA"]);
    assert_eq!((again["job_id"].as_str(), again["request_id"].as_str()), (Some("BP0000AA"), Some("BP0000Z")));
    let paths = written(&again["published"]);
    for name in ["packages/BP00000A/2/package.toml", "jobs/BP0000AA.2.toml", "PCM.INDEX"] {
        assert!(paths.iter().any(|path| path == name), "{name}: {paths:?}");
    }
    // A new trust list is a new epoch, and is published with an index of it.
    json(dir, &["key", "generate", "keys/second"]);
    site(
        dir,
        &[
            "key",
            "trust",
            "keys/second.pub",
            "--role",
            "publish",
            "--principal",
            "second",
            "--key",
            "keys/root",
        ],
    );
    let published = site(dir, &["site", "publish", "--key", "keys/second"]);
    assert_eq!(published["epoch"].as_u64(), Some(4));
    // A second clone without a record takes the number from what its own keys signed.
    fs::remove_file(dir.join("site/publications.db")).unwrap();
    assert_eq!(written(&site(dir, &["site", "publish"])), Vec::<String>::new());
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    fs::write(dir.join("site/share/PCM.INDEX"), index.replace("serial = ", "serial = 9")).unwrap();
    assert_eq!(no(dir, &["site", "publish"]), "not-ours");
}

/// The list without anybody is a list, too: without one every machine would be one of the site.
#[test]
fn the_last_machine_of_a_site_is_removed_as_every_other_one() {
    let dir = example();
    let dir = dir.path();
    let to = ["job", "send", "--package", "BP00000A", "--to", "@all", "--mandatory", "2h"];
    assert_eq!(site(dir, &to)["targets"], 1);
    json(dir, &["init", "--machine", "BP004000", "--share", "site/share", "--trust", "permissions"]);
    pcm(dir, &["poll"]);
    let requests = || json(dir, &["list"])["requests"].as_array().unwrap().len();
    assert_eq!(requests(), 2);
    assert_eq!(no(dir, &["site", "machine", "remove", "BP004000"]), "not-expected");
    let removed = site(dir, &["site", "machine", "remove", "BP004000", "--expect", "1"]);
    assert_eq!((&removed["removed"], &removed["machines"]), (&1.into(), &0.into()), "{removed}");
    assert_eq!(written(&removed["published"]), ["members/LIST.2", "PCM.INDEX"]);
    pcm(dir, &["poll"]);
    assert_eq!(requests(), 0, "neither by its id nor as one of all");
    // As it is held, too.
    let explained = text(&pcm(dir, &["explain", "BP0000AA", "--json"]).stdout);
    assert!(explained.contains("not-targeted"), "{explained}");
    let again = site(dir, &["site", "publish"]);
    assert_eq!(written(&again), Vec::<String>::new(), "{again}");
    site(dir, &["site", "machine", "add", "BP004000"]);
    pcm(dir, &["poll"]);
    assert_eq!(requests(), 2);
}

/// What is published runs, in both trust modes, and what is cancelled does not.
#[test]
fn a_machine_runs_what_a_site_folder_publishes() {
    let dir = example();
    let dir = dir.path();
    site(dir, &["site", "publish"]);
    json(dir, &["init", "--machine", "BP004000", "--share", "site/share", "--trust", "permissions"]);
    let check: Value = serde_json::from_slice(&pcm(dir, &["check", "--json"]).stdout).unwrap();
    let item = |name: &str| check["items"].as_array().unwrap().iter().find(|i| i["item"] == name).unwrap();
    let share = item("share")["evidence"].as_str().unwrap();
    assert!(share.ends_with("site/share is site BP0 and answers"), "an index says no name: {share}");
    let run = |id: &str| pcm(dir, &["run", id, "--wait", "--json"]);
    let done = run("BP0000Y");
    assert!(done.status.success(), "{} {}", text(&done.stdout), text(&done.stderr));
    let sent = site(
        dir,
        &["job", "send", "--package", "BP00000A", "--to", "BP004000", "--offer", "2026-01-01T00:00:00Z"],
    );
    let id = sent["request_id"].as_str().unwrap();
    site(dir, &["job", "cancel", sent["job_id"].as_str().unwrap()]);
    pcm(dir, &["poll"]);
    let refused = run(id);
    assert!(!refused.status.success(), "{}", text(&refused.stdout));
    let explained = text(&pcm(dir, &["explain", id, "--json"]).stdout);
    assert!(explained.contains("cancelled"), "{explained}");
}

#[test]
fn a_machine_in_mode_signed_runs_what_two_keys_agree_on() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    site(dir, &["site", "publish"]);
    let list = site(dir, &["key", "list"]);
    let keys = list["keys"].as_array().unwrap();
    let root = keys.iter().find(|key| key["role"] == "trust").unwrap()["fingerprint"].as_str().unwrap();
    let init =
        ["init", "--machine", "BP004000", "--share", "site/share", "--trust", "signed", "--trust-key", root];
    let none = tempfile::tempdir().unwrap();
    json(none.path(), &["site", "init", "share", "--hand-made", "--site", "BP0"]);
    let empty = ["init", "--machine", "BP004000", "--share", "share", "--trust-key", root];
    let told = pcm(none.path(), &[&empty[..], &["--json"]].concat());
    let told: Value = serde_json::from_slice(&told.stderr).unwrap();
    assert_eq!(told["error"]["code"], "no-trust-list");
    assert!(told["error"]["remedy"].as_str().unwrap().contains("pcm site publish"), "{told}");
    // A share that is not there has no trust list that anybody knows of.
    let away = ["init", "--machine", "BP004000", "--share", "away", "--json"];
    let told = pcm(none.path(), &[&away[..], &["--trust-key", root]].concat());
    assert_eq!(told.status.code(), Some(5));
    let told: Value = serde_json::from_slice(&told.stderr).unwrap();
    assert_eq!(told["error"]["code"], "share-missing");
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.contains("away cannot be opened") && !none.path().join("pcm.toml").exists(), "{told}");
    let written = json(none.path(), &away[..5]);
    assert_eq!(written["trust_list"], Value::Null);
    assert!(written["not_reached"][0]["file"].as_str().unwrap().ends_with("away"), "{written}");
    let again = pcm(none.path(), &away[..5]);
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(said.contains("away cannot be opened") && !said.contains("no share has"), "{said}");
    let enrolled = json(dir, &init);
    assert_eq!((&enrolled["trust"], &enrolled["trust_list"]), (&"signed".into(), &3.into()));
    // A look says whether it brought anything.
    let poll = || {
        let looked = json(dir, &["poll"]);
        (looked["serial"].as_u64(), looked["changed"].as_bool())
    };
    assert_eq!((poll(), poll()), ((Some(1), Some(true)), (Some(1), Some(false))));
    let check: Value = serde_json::from_slice(&pcm(dir, &["check", "--json"]).stdout).unwrap();
    for (name, evidence) in [
        ("key-confirmed", "trust list 3 of site BP0 is held; root may sign the next one"),
        ("roles-apart", "packages: package; publications: publish"),
        ("validity-left", "of 30d are left"),
        ("version-against-index", "understands all that it reads"),
    ] {
        let item = check["items"].as_array().unwrap().iter().find(|item| item["item"] == name).unwrap();
        assert_eq!(item["verdict"], "pass", "{item}");
        assert!(item["evidence"].as_str().unwrap().contains(evidence), "{item}");
    }
    let done = pcm(dir, &["run", "BP0000Y", "--wait", "--json"]);
    assert!(done.status.success(), "{} {}", text(&done.stdout), text(&done.stderr));
}

/// `PCM_KILLS=1000` kills a thousand times. Wherever the publisher dies, what the index names is whole, and the next
/// publication completes.
#[test]
fn a_publisher_that_is_killed_leaves_the_share_as_before_or_as_after() {
    let kills = std::env::var("PCM_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(25_u64);
    let dir = example();
    let dir = dir.path();
    let many: String = (0..600).map(|n| format!("BP05{n:04},node-{n},lab\n")).collect();
    fs::write(dir.join("site/machines.csv"), format!("BP004000\n{many}")).unwrap();
    site(dir, &["site", "publish"]);
    let whole = |after: u64| {
        let lint = pcm(dir, &["site", "lint", "site/share", "--json"]);
        let doc: Value = serde_json::from_slice(&lint.stdout).unwrap();
        let parts = doc["items"].as_array().unwrap();
        let wrong = parts
            .iter()
            .find(|i| ["index", "parts"].contains(&i["item"].as_str().unwrap()) && i["verdict"] == "block");
        assert!(wrong.is_none(), "after {after} kills: {wrong:?}");
    };
    let start = std::time::Instant::now();
    site(dir, &["site", "publish"]);
    let nothing = start.elapsed();
    let (mut killed, mut random) = (0, 0x2545_F491_4F6C_DD1D_u64);
    for n in 0..kills {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Each time something else changes: the job, the machines, the files of the package with a new release.
        let machines = format!("BP004000\n{many}BP06{n:04}\n");
        fs::write(dir.join("site/machines.csv"), machines).unwrap();
        let job = dir.join("site/jobs/BP0000AA.toml");
        let source = fs::read_to_string(&job).unwrap();
        let source: String =
            source.lines().filter(|l| !l.starts_with("spread")).map(|l| format!("{l}\n")).collect();
        fs::write(&job, format!("spread = \"{}s\"\n{source}", n + 1)).unwrap();
        let mut child = command(dir, &["site", "publish", "--folder", "site", "--quiet"]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Anywhere in the time that a publication takes here: this is the fault that is made, and nothing is waited for.
        std::thread::sleep(
            nothing.mul_f64((random % 1_000) as f64 / 500.0) + Duration::from_micros(random % 997),
        );
        let _ = child.kill();
        let status = child.wait().unwrap();
        killed += u64::from(status.code().is_none());
        if n % 8 == 0 {
            whole(n);
        }
        if random % 3 == 0 {
            // Not always: sometimes the next one is killed, too.
            site(dir, &["site", "publish"]);
            whole(n);
        }
    }
    site(dir, &["site", "publish"]);
    whole(kills);
    assert_eq!(written(&site(dir, &["site", "publish"])), Vec::<String>::new());
    assert!(killed > kills / 10, "only {killed} of {kills} were killed");
    let log = fs::read_to_string(dir.join("site/publications.log")).unwrap();
    println!("{killed} of {kills} publishers were killed; {} publications", log.lines().count());
}

/// Whoever waits at a terminal sees how far the files are; nobody else does, and nothing of it stays.
#[test]
fn a_terminal_shows_how_far_a_publication_is() {
    let dir = example();
    let dir = dir.path();
    let publish = command(dir, &["site", "publish", "--folder", "site"]);
    let mut terminal = Terminal::start(&publish, 80, 24);
    terminal.wait("Publication 1 is published");
    assert_eq!(terminal.wait_exit(), 0);
    let shown = text(&terminal.bytes());
    assert!(shown.contains("0 of 1 file, 0 B of"), "{shown}");
    assert!(!terminal.screen().contains("of 1 file"), "{}", terminal.screen());
    // A terminal that cannot draw over a line is told nothing, and so is whoever reads JSON.
    for (term, more) in [("dumb", &[][..]), ("xterm", &["--json"][..])] {
        fs::remove_dir_all(dir.join("site/share/content")).unwrap();
        let publish = command(dir, &[&["site", "publish", "--folder", "site"][..], more].concat());
        let mut terminal = Terminal::start_as(&publish, 80, 24, term);
        assert_eq!(terminal.wait_exit(), 0);
        let shown = text(&terminal.bytes());
        assert!(!shown.contains('\x1b') && !shown.contains("of 1 file"), "{term}: {shown}");
    }
    fs::remove_dir_all(dir.join("site/share/content")).unwrap();
    let quietly = pcm(dir, &["site", "publish", "--folder", "site"]);
    assert_eq!(text(&quietly.stderr), "");
    assert!(text(&quietly.stdout).contains("is published"), "{}", text(&quietly.stdout));
}

/// Whoever edits a site folder reads it, edits it and publishes it alone: what one of two at once says that it did, stays.
#[test]
fn of_verbs_at_once_none_undoes_what_another_did() {
    let dir = example();
    let dir = dir.path();
    site(dir, &["site", "publish"]);
    std::thread::scope(|all| {
        for n in 1..=8 {
            all.spawn(move || site(dir, &["site", "machine", "add", &format!("BP00500{n}")]));
        }
        all.spawn(|| site(dir, &["job", "suspend", "BP0000AA", "--reason", "a look first"]));
    });
    let machines = site(dir, &["site", "machine", "list"]);
    assert_eq!(machines["machines"].as_array().unwrap().len(), 9, "{machines}");
    assert_eq!(site(dir, &["job", "show", "BP0000AA"])["state"], "suspended");
    assert_eq!(written(&site(dir, &["site", "publish"])), Vec::<String>::new(), "all of it is published");
}

/// So do whoever begins packages and makes trust lists.
#[test]
fn of_packages_and_keys_at_once_none_is_lost() {
    let Some(_) = ssh_keygen() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    for n in 0..6 {
        json(dir, &["key", "generate", &format!("keys/more{n}")]);
    }
    std::thread::scope(|all| {
        for n in 0..6 {
            all.spawn(move || {
                let (file, who) = (format!("keys/more{n}.pub"), format!("more{n}"));
                let trust = ["key", "trust", &file, "--role", "package", "--principal", &who];
                site(dir, &[&trust[..], &["--key", "keys/root"]].concat())
            });
            all.spawn(|| site(dir, &["package", "new"]));
        }
    });
    let list = site(dir, &["key", "list"]);
    assert_eq!((list["version"].as_u64(), list["keys"].as_array().unwrap().len()), (Some(9), 9), "{list}");
    let packages = site(dir, &["package", "list"]);
    assert_eq!(packages["packages"].as_array().unwrap().len(), 7, "{packages}");
}

/// Every file below a folder with its bytes.
fn files(dir: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    let mut ahead = vec![dir.to_owned()];
    while let Some(dir) = ahead.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => ahead.push(path),
                false => drop(files.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
        files.insert(dir, Vec::new());
    }
    files
}

/// What is only thought about writes nothing, waits for nobody, and says "would".
#[test]
fn a_dry_run_of_a_verb_leaves_every_file_as_it_is() {
    let dir = example();
    let dir = dir.path();
    site(dir, &["site", "publish"]);
    for lock in ["editing.lock", "publishing.lock"] {
        let _ = fs::remove_file(dir.join("site").join(lock));
    }
    let before = files(&dir.join("site"));
    let verbs: [&[&str]; 8] = [
        &["site", "publish"],
        &["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"],
        &["job", "suspend", "BP0000AA", "--reason", "look"],
        &["job", "cancel", "BP0000AA", "--reason", "oops"],
        &["job", "cancel", "BP0000AA", "--reason", "oops", "--no-publish"],
        &["site", "machine", "add", "BP004001", "--group", "web"],
        &["site", "freeze", "--until", "12h", "--reason", "look"],
        &["package", "content", "BP00000A"],
    ];
    for verb in verbs {
        let doc = site(dir, &[verb, &["--dry-run"]].concat());
        assert_eq!(doc["dry_run"], true, "{verb:?}: {doc}");
        assert_eq!(files(&dir.join("site")), before, "{verb:?}");
        let said = text(&pcm(dir, &[verb, &IN, &["--dry-run"]].concat()).stdout).to_lowercase();
        let nothing = verb == ["site", "publish"];
        assert!(said.contains("would") || nothing && said.contains("nothing to publish"), "{verb:?}: {said}");
    }
    assert_eq!(no(dir, &["site", "publish", "--dry-run", "--key", "nowhere"]), "not-signed");
    let sign = ["package", "sign", "BP00000A", "--key", "nowhere", "--dry-run"];
    assert_eq!(no(dir, &sign), "no-trust-list", "what is refused is refused before, too");
    let cancel = ["job", "cancel", "BP0000AA", "--reason", "oops", "--dry-run", "--key", "nowhere"];
    assert_eq!(no(dir, &cancel), "not-signed");
    assert_eq!(files(&dir.join("site")), before);
}

/// The number of machines that a verb meets is no leave to lose a job.
#[test]
fn what_is_expected_of_machines_is_not_expected_of_jobs() {
    let dir = example();
    let dir = dir.path();
    let send = ["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"];
    site(dir, &send);
    fs::remove_file(dir.join("site/jobs/BP0000AA.toml")).unwrap();
    let suspend = ["job", "suspend", "BP0000AB", "--reason", "look", "--expect", "500"];
    // What stops goes through, and takes nothing along.
    let alone = site(dir, &suspend);
    assert!(alone["published"]["warnings"].to_string().contains("BP0000AA is published"), "{alone}");
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    assert!(index.contains("BP0000AA"), "{index}");
    assert_eq!(no(dir, &["job", "resume", "BP0000AB", "--expect", "500"]), "not-expected");
    assert_eq!(site(dir, &["job", "show", "BP0000AB"])["state"], "suspended", "it is as it was");
    site(dir, &["site", "publish", "--expect", "1"]);
    // A serial that no JSON reader keeps is none.
    for serial in ["0", "9007199254740993"] {
        let done = pcm(dir, &[&["site", "publish", "--serial", serial][..], &IN].concat());
        assert_eq!(done.status.code(), Some(2), "{serial}: {}", text(&done.stderr));
    }
    assert_eq!(
        site(dir, &["site", "publish", "--serial", "9007199254740992"])["serial"],
        9_007_199_254_740_992_u64
    );
}

/// What cannot be meant is a slip on the command line.
#[test]
fn times_that_cannot_be_meant_are_slips_of_the_command_line() {
    let dir = example();
    let dir = dir.path();
    let many: String = (0..101).map(|n| format!("BP05{n:04},node-{n},lab\n")).collect();
    fs::write(dir.join("site/machines.csv"), format!("BP004000\n{many}")).unwrap();
    let send = ["job", "send", "--package", "BP00000A", "--to", "BP004000"];
    for times in [
        &["--offer", "3h", "--mandatory", "2h"][..],
        &["--mandatory", "3h", "--expire", "2h"],
        &["--expire", "2020-01-01T00:00:00Z"],
        &["--expire", "2020-01-01 00:00"],
    ] {
        let done = pcm(dir, &[&send[..], times, &IN].concat());
        assert_eq!(done.status.code(), Some(2), "{times:?}: {}", text(&done.stderr));
    }
    for until in ["2020-01-01T00:00:00Z", "2020-01-01 00:00"] {
        let freeze = ["site", "freeze", "--until", until, "--reason", "look", "--expect", "102"];
        assert_eq!(pcm(dir, &[&freeze[..], &IN].concat()).status.code(), Some(2), "{until}");
    }
    assert_eq!(site(dir, &["job", "list"])["jobs"].as_array().unwrap().len(), 1);
    // The folder says what times mean to those who work on it: there, this one is over.
    let toml = dir.join("site/site.toml");
    let text_of_it = fs::read_to_string(&toml).unwrap();
    if Path::new("/usr/share/zoneinfo/Asia/Tokyo").exists() {
        let soon: String = stamp(now() + seconds(4 * 3_600)).replace('T', " ").chars().take(16).collect();
        let freeze = ["site", "freeze", "--until", &soon, "--reason", "look", "--expect", "102", "--dry-run"];
        site(dir, &freeze);
        fs::write(&toml, format!("{text_of_it}zone = \"Asia/Tokyo\"\n")).unwrap();
        assert_eq!(no(dir, &freeze), "usage");
        let status = text(&pcm(dir, &["site", "status", "--folder", "site"]).stdout);
        assert!(status.contains("Times are local: Asia/Tokyo, UTC+09:00."), "{status}");
        let lint = text(&pcm(dir, &["site", "lint", "site", "--json"]).stdout);
        assert!(lint.contains("local times in Asia/Tokyo"), "{lint}");
        let lint = text(&pcm(dir, &["site", "lint", "site", "--zone", "UTC", "--json"]).stdout);
        assert!(lint.contains("local times in UTC"), "{lint}");
    }
    fs::write(&toml, format!("{text_of_it}zone = \"Nowhere/Land\"\n")).unwrap();
    assert_eq!(no(dir, &["job", "list"]), "zone");
    fs::write(&toml, text_of_it).unwrap();
    // Phases go on by somebody's word, and it is said by whose.
    let phased = [&send[..], &["--mandatory", "2h", "--phases", "5%,100%"], &IN].concat();
    let said = text(&pcm(dir, &phased).stdout);
    assert!(said.contains("begins with 5 %") && said.contains("pcm job advance BP0000AB"), "{said}");
    // What is offered at once is offered since then, whatever is published later.
    let offer = |job: &str| site(dir, &["job", "show", job])["offer_after"].as_str().unwrap().to_owned();
    assert!(offer("BP0000AB").ends_with('Z'), "{}", offer("BP0000AB"));
    let over = [&send[..], &["--mandatory", "2020-01-01 22:00"]].concat();
    let over = site(dir, &over)["job_id"].as_str().unwrap().to_owned();
    assert_eq!(offer(&over), "2020-01-01T22:00:00", "it is not offered after it is mandatory");
    site(dir, &["job", "cancel", &over, "--reason", "oops"]);
    // One that is sent once more, to many, is spread as any other is.
    let again = ["job", "send", "--again", "BP0000AB", "--to", "@lab", "--expect", "101"];
    site(dir, &again);
    let job = fs::read_to_string(dir.join("site/jobs/BP0000AB.toml")).unwrap();
    assert!(job.contains("spread = \"1h\""), "{job}");
    site(dir, &[&again[..], &["--spread", "2h"]].concat());
    site(dir, &again);
    let job = fs::read_to_string(dir.join("site/jobs/BP0000AB.toml")).unwrap();
    assert!(job.contains("spread = \"2h\""), "{job}");
    // A share that is no folder is said in a sentence.
    let toml = fs::read_to_string(dir.join("site/site.toml")).unwrap();
    fs::write(dir.join("site/site.toml"), toml.replace("share = \"share\"", "share = \"https://host/x\""))
        .unwrap();
    let done = pcm(dir, &[&["site", "publish"][..], &IN].concat());
    assert!(text(&done.stderr).contains("nobody can write"), "{}", text(&done.stderr));
}

/// What somebody wrote into the files of a site folder stays when a verb changes them.
#[test]
fn a_verb_changes_what_it_says_and_leaves_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0"]);
    let list = dir.join("site/machines.csv");
    fs::write(
        &list,
        "# racks first\nBP004002,db-02,db\n# the old one\nBP004001,web-01,web paris,,\"a, b\"\n",
    )
    .unwrap();
    site(dir, &["site", "publish"]);
    site(dir, &["site", "machine", "add", "BP004003", "--group", "web"]);
    // Columns that a list does not have are not emptied; those that it has are.
    fs::write(dir.join("more.csv"), "BP004001\nBP004002,\nBP004004,web-04\n").unwrap();
    let doc = site(dir, &["site", "machine", "import", "more.csv"]);
    assert_eq!((doc["added"].as_u64(), doc["changed"].as_u64()), (Some(1), Some(1)), "{doc}");
    assert_eq!(
        fs::read_to_string(&list).unwrap(),
        "# racks first\nBP004002,,db\nBP004003,,web\nBP004004,web-04\n# the old one\nBP004001,web-01,web paris,,\"a, b\"\n"
    );
    // A line of columns counts for all of them.
    fs::write(dir.join("whole.csv"), "smsid,host,groups\nBP004001\n").unwrap();
    site(dir, &["site", "machine", "import", "whole.csv"]);
    assert!(fs::read_to_string(&list).unwrap().contains("\nBP004001,,,,\"a, b\"\n"));

    // A freeze that is planned is no freeze that was made in a hurry.
    let policy = dir.join("site/policy/all.toml");
    let own = "# ask anna\nspread = \"1h\"\n\n[[freeze]]\nfrom = 2090-12-20T00:00:00\nuntil = 2091-01-04T00:00:00\n";
    fs::write(&policy, own).unwrap();
    site(dir, &["site", "publish"]);
    assert_eq!(no(dir, &["site", "unfreeze"]), "no-change");
    site(dir, &["site", "freeze", "--until", "12h", "--reason", "look"]);
    let frozen = fs::read_to_string(dir.join("site/share/policy/all.2.toml")).unwrap();
    assert_eq!(frozen.matches("[[freeze]]").count(), 2, "{frozen}");
    let doc = site(dir, &["site", "unfreeze"]);
    assert_eq!((doc["ended"].as_u64(), doc["left"].as_u64()), (Some(1), Some(1)), "{doc}");
    assert_eq!(fs::read_to_string(&policy).unwrap(), own);
}

/// Of two folders that publish on one share neither gives an id that the other one gave.
#[test]
fn another_folders_ids_are_not_given_again() {
    let dir = example();
    let dir = dir.path();
    let clone = |path: &Path| dir.join("clone").join(path.strip_prefix(dir.join("site")).unwrap());
    for (path, bytes) in files(&dir.join("site")).into_iter().filter(|(path, _)| path.is_file()) {
        let to = clone(&path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let toml = dir.join("clone/site.toml");
    let text = fs::read_to_string(&toml).unwrap();
    let share = format!("share = {:?}", dir.join("site/share"));
    fs::write(&toml, text.replace("share = \"share\"", &share)).unwrap();
    let send = ["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"];
    let first = site(dir, &send);
    let second = json(dir, &[&send[..], &["--no-publish", "--folder", "clone"]].concat());
    assert_eq!((first["job_id"].as_str(), second["job_id"].as_str()), (Some("BP0000AB"), Some("BP0000AC")));
    assert_ne!(first["request_id"], second["request_id"]);
    // A job that only the other folder has is not lost, and not this one's to publish.
    let code = refused(dir, &["site", "publish", "--folder", "clone"]);
    assert_eq!(code, "not-expected");
}

/// The folder goes back to what it said, and that is published with the next number.
#[test]
fn an_earlier_publication_is_published_once_more() {
    let dir = example();
    let dir = dir.path();
    let list = dir.join("site/machines.csv");
    let many: String = (0..700).map(|n| format!("BP05{n:04},node-{n},lab\n")).collect();
    fs::write(&list, format!("# ours\nBP004000\n{many}")).unwrap();
    site(dir, &["site", "publish"]);
    let machines = fs::read_to_string(&list).unwrap();
    site(dir, &["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"]);
    site(dir, &["site", "freeze", "--until", "12h", "--reason", "look", "--expect", "701"]);
    site(dir, &["site", "machine", "add", "BP004001"]);
    site(dir, &["job", "suspend", "BP0000AA", "--reason", "look"]);
    // What was not published yet is not lost.
    let policy = dir.join("site/policy/all.toml");
    let frozen = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, format!("# more\n{frozen}")).unwrap();
    assert_eq!(no(dir, &["site", "publish", "--undo", "1"]), "unpublished");
    fs::write(&policy, &frozen).unwrap();
    assert_eq!(no(dir, &["site", "publish", "--undo", "77"]), "no-such-publication");
    let before = files(&dir.join("site"));
    let dry = site(dir, &["site", "publish", "--undo", "1", "--dry-run"]);
    assert_eq!((dry["serial"].as_u64(), dry["dry_run"].as_bool()), (Some(6), Some(true)));
    assert_eq!(files(&dir.join("site")), before);
    // Where it is not published the folder is as it was.
    let toml = fs::read_to_string(dir.join("site/site.toml")).unwrap();
    fs::write(dir.join("site/site.toml"), toml.replace("share = \"share\"", "share = \"/nowhere\"")).unwrap();
    assert_eq!(no(dir, &["site", "publish", "--undo", "1"]), "share-missing");
    fs::write(dir.join("site/site.toml"), toml).unwrap();
    assert_eq!(fs::read_to_string(&policy).unwrap(), frozen);
    let undone = site(dir, &["site", "publish", "--undo", "1"]);
    assert_eq!(undone["serial"].as_u64(), Some(6), "{undone}");
    // What was stopped since stays so until its own verb says otherwise.
    let left = undone["left"].to_string();
    assert!(left.contains("BP0000AA stays suspended") && left.contains("policy/all.toml stays"), "{left}");
    assert_eq!(fs::read_to_string(&policy).unwrap(), frozen);
    assert_eq!(fs::read_to_string(&list).unwrap(), machines);
    let job = |id: &str| site(dir, &["job", "show", id]);
    assert_eq!(job("BP0000AA")["state"], "suspended");
    let sent = job("BP0000AB");
    assert_eq!(
        (sent["state"].as_str(), sent["reason"].as_str()),
        (Some("cancelled"), Some("back to publication 1"))
    );
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    assert!(index.contains("state = \"cancelled\"") && index.contains("[[policy]]"), "{index}");
    let log = fs::read_to_string(dir.join("site/publications.log")).unwrap();
    assert!(log.lines().last().unwrap().contains("site publish --undo 1"), "{log}");
    // And forward again, but for what is final.
    site(dir, &["site", "publish", "--undo", "5"]);
    assert_eq!(
        (job("BP0000AA")["state"].as_str(), job("BP0000AB")["state"].as_str()),
        (Some("suspended"), Some("cancelled"))
    );
    assert_eq!(fs::read_to_string(&policy).unwrap(), frozen);
    assert_eq!(written(&site(dir, &["site", "publish"])), Vec::<String>::new());
}

/// A key that does not count changes no file.
#[test]
fn a_package_that_is_not_signed_is_as_it_was() {
    let Some(_) = ssh_keygen() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    fs::write(dir.join("site/packages/BP00000A/files/more.txt"), "more").unwrap();
    let before = files(&dir.join("site/packages"));
    assert_eq!(no(dir, &["package", "sign", "BP00000A", "--key", "keys/publish"]), "bad-signature");
    assert_eq!(no(dir, &["package", "sign", "BP00000A", "--key", "keys/nowhere"]), "not-signed");
    // Whoever only thinks about it hears the same, and what would be signed.
    let sign = |key: &'static str| ["package", "sign", "BP00000A", "--dry-run", "--key", key];
    assert_eq!(no(dir, &sign("keys/publish")), "bad-signature");
    assert_eq!(no(dir, &sign("keys/publish.pub")), "bad-signature");
    assert_eq!(no(dir, &sign("keys/nowhere")), "not-signed");
    assert_eq!(no(dir, &[&sign("keys/package")[..], &["--again"]].concat()), "release-changed");
    let would = site(dir, &sign("keys/package"));
    let row = &would["packages"][0];
    assert_eq!(
        (&would["dry_run"], &row["release"], &row["signed"], &row["files"]),
        (&true.into(), &1.into(), &true.into(), &2.into()),
        "{would}"
    );
    assert!(row["changes"].to_string().contains("content_sha256"), "{would}");
    assert_eq!(files(&dir.join("site/packages")), before);
    // What was signed of all is said, although one of them cannot be.
    fs::create_dir(dir.join("site/packages/BP000009")).unwrap();
    fs::write(dir.join("site/packages/BP000009/package.toml"), "package_id = 7\n").unwrap();
    let all = pcm(
        dir,
        &["package", "sign", "--all", "--key", "keys/package", "--dry-run", "--json", "--folder", "site"],
    );
    let doc: Value = serde_json::from_slice(&all.stdout).unwrap();
    assert!(!all.status.success() && doc["packages"][0]["package_id"] == "BP00000A", "{doc}");
    assert_eq!(
        (&doc["failed"][0]["package_id"], &doc["failed"][0]["error"]["code"]),
        (&"BP000009".into(), &"malformed".into())
    );
    fs::remove_dir_all(dir.join("site/packages/BP000009")).unwrap();
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    // A list that somebody lost is written anew without another release.
    let list = dir.join("site/packages/BP00000A/CONTENT");
    let good = fs::read(&list).unwrap();
    fs::remove_file(&list).unwrap();
    assert_eq!(
        site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"])["packages"][0]["signed"],
        false
    );
    assert_eq!(fs::read(&list).unwrap(), good);
}

/// A cancellation that no machine in mode signed takes is none.
#[test]
fn what_is_published_signed_is_never_published_unsigned_by_a_forgotten_key() {
    let Some(_) = ssh_keygen() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    site(dir, &["site", "publish"]);
    let verified = site(dir, &["site", "verify", "site/share/PCM.INDEX"]);
    assert_eq!(verified["signatures"][0]["principal"], "publish", "{verified}");
    let toml = dir.join("site/site.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace("key = \"../keys/publish\"\n", "")).unwrap();
    let index = || fs::read(dir.join("site/share/PCM.INDEX")).unwrap();
    let before = index();
    assert_eq!(no(dir, &["job", "cancel", "BP0000AA", "--reason", "oops"]), "not-signed");
    assert_eq!(no(dir, &["site", "publish"]), "not-signed");
    assert_eq!(
        (site(dir, &["job", "show", "BP0000AA"])["state"].as_str(), index()),
        (Some("active"), before)
    );
    let cancelled = site(dir, &["job", "cancel", "BP0000AA", "--reason", "oops", "--key", "keys/publish"]);
    assert_eq!(cancelled["state"], "cancelled");
}

/// No machine in mode signed runs a release that is withdrawn: whoever publishes is told.
/// Whatever somebody damages on the share, the next publication puts back; nothing is published into an empty mount point.
#[test]
fn what_is_torn_or_gone_on_the_share_is_put_back_and_an_empty_mount_is_no_share() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    let toml = dir.join("site/site.toml");
    let text = fs::read_to_string(&toml).unwrap();
    let text = text.replace("share = \"share\"", &format!("share = {:?}", dir.join("mounted")));
    fs::write(&toml, text).unwrap();
    fs::create_dir(dir.join("mounted")).unwrap();
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    site(dir, &["site", "publish"]);
    let share = dir.join("mounted");
    let status = || {
        let done = pcm(dir, &[&["site", "status", "--json"][..], &IN].concat());
        let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
        doc["problems"].as_array().unwrap().iter().map(|p| p["code"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(status(), Vec::<String>::new());
    let content = fs::read_dir(share.join("content")).unwrap().next().unwrap().unwrap().path();
    for (file, torn) in [
        (share.join("PCM.INDEX"), b"".to_vec()),
        (share.join("PCM.INDEX"), fs::read(share.join("PCM.INDEX")).unwrap()[..300].to_vec()),
        (share.join("trust/2.toml"), b"garbage".to_vec()),
        (share.join("jobs/BP0000AA.1.toml"), b"x".to_vec()),
        (content.join("files/setup.sh"), b"x".to_vec()),
        (content.join("CONTENT"), b"x".to_vec()),
    ] {
        let good = fs::read(&file).unwrap();
        fs::write(&file, torn).unwrap();
        assert_ne!(status(), Vec::<String>::new(), "{}", file.display());
        let done = pcm(dir, &[&["site", "publish", "--json"][..], &IN].concat());
        assert!(done.status.success(), "{}: {}", file.display(), text_of(&done.stderr));
        let index = file.ends_with("PCM.INDEX");
        assert!(index || fs::read(&file).unwrap() == good, "{}", file.display());
        let lint = pcm(dir, &["site", "lint", "mounted", "--hashes"]);
        assert!(lint.status.success(), "{}: {}", file.display(), text_of(&lint.stdout));
        fs::remove_file(&file).unwrap();
        site(dir, &["site", "publish"]);
        assert!(file.exists(), "{}", file.display());
    }
    assert_eq!(status(), Vec::<String>::new());

    // Bytes that changed and are as many as before: whoever publishes reads them, and brings the file anew.
    let setup = content.join("files/setup.sh");
    let good = fs::read(&setup).unwrap();
    let mut flipped = good.clone();
    flipped[2] ^= 1;
    fs::write(&setup, &flipped).unwrap();
    assert_eq!(status(), Vec::<String>::new(), "to look at the sizes is quick");
    let path = format!("content/{}/files/setup.sh", content.file_name().unwrap().to_str().unwrap());
    assert!(written(&site(dir, &["site", "publish", "--dry-run"])).contains(&path));
    assert!(!written(&site(dir, &["site", "publish", "--renew"])).contains(&path));
    assert!(written(&site(dir, &["site", "publish"])).contains(&path));
    assert_eq!(fs::read(&setup).unwrap(), good);
    assert_eq!(written(&site(dir, &["site", "publish"])), Vec::<String>::new());
    // Who has no files says which one it is.
    fs::write(&setup, &flipped).unwrap();
    fs::rename(dir.join("site/packages/BP00000A/files"), dir.join("files")).unwrap();
    let done = pcm(dir, &[&["site", "publish"][..], &IN].concat());
    assert!(
        text_of(&done.stderr).replace('\n', " ").contains("files/setup.sh on the share is"),
        "{}",
        text_of(&done.stderr)
    );
    fs::rename(dir.join("files"), dir.join("site/packages/BP00000A/files")).unwrap();
    site(dir, &["site", "publish"]);

    // An emergency: the index is torn, and a job has to be cancelled.
    fs::write(share.join("PCM.INDEX"), "half").unwrap();
    site(dir, &["job", "cancel", "BP0000AA", "--reason", "it is wrong"]);
    assert!(fs::read_to_string(share.join("PCM.INDEX")).unwrap().contains("cancelled"));

    fs::rename(&share, dir.join("away")).unwrap();
    fs::create_dir(&share).unwrap();
    assert_eq!(no(dir, &["site", "publish"]), "share-missing");
    assert_eq!(no(dir, &["site", "freeze", "--until", "5h", "--reason", "x"]), "share-missing");
    assert_eq!(fs::read_dir(&share).unwrap().count(), 0, "nothing is written into a mount point");
    // All who speak of it name one remedy, and it is one.
    let done = pcm(dir, &[&["site", "status", "--json"][..], &IN].concat());
    let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
    let problems = doc["problems"].as_array().unwrap();
    assert_eq!(problems.iter().map(|p| &p["code"]).collect::<Vec<_>>(), ["share-missing"], "{doc}");
    let refused: Value =
        serde_json::from_slice(&pcm(dir, &[&["site", "publish", "--json"][..], &IN].concat()).stderr)
            .unwrap();
    assert_eq!(refused["error"]["remedy"], problems[0]["remedy"]);
    let remedy = problems[0]["remedy"].as_str().unwrap().rsplit_once("pcm ").unwrap().1;
    site(dir, &remedy.split(' ').collect::<Vec<_>>());
    assert!(share.join("PCM.INDEX").exists(), "a new share is filled by somebody's word");
    assert_eq!(status(), Vec::<String>::new());
}

#[test]
fn a_withdrawn_release_is_not_sent_and_the_jobs_that_run_it_are_named() {
    let Some(_) = ssh_keygen() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    site(dir, &["site", "publish"]);
    site(dir, &["key", "withdraw", "BP00000A", "--below", "2", "--key", "keys/root"]);
    let published = site(dir, &["site", "publish"]);
    let faults = published["faults"].to_string();
    assert!(faults.contains("BP0000AA") && faults.contains("is withdrawn"), "{published}");
    let send = ["job", "send", "--package", "BP00000A", "--to", "BP004000"];
    assert_eq!(no(dir, &send), "package-withdrawn");
    site(dir, &["job", "cancel", "BP0000AA", "--reason", "withdrawn"]);
    assert_eq!(site(dir, &["site", "publish"])["faults"], serde_json::json!([]));
}

/// What no machine in mode signed believes is said, and a signature that counts is not replaced by one that does not.
#[test]
fn a_signature_that_does_not_count_is_said_and_replaces_none_that_does() {
    let Some(_) = ssh_keygen() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    let own = dir.join("site/packages/BP00000A/package.toml.sig");
    let placed = dir.join("site/share/packages/BP00000A/1/package.toml.sig");
    // Another key's: nothing is published with it.
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    let good = fs::read(&own).unwrap();
    json(dir, &["key", "generate", "keys/other"]);
    let definition = dir.join("site/packages/BP00000A/package.toml");
    let mut command = Command::new(ssh_keygen().unwrap());
    command.args(["-q", "-Y", "sign", "-n", "pcm-package", "-f", "keys/other"]).current_dir(dir);
    let input = fs::File::open(&definition).unwrap();
    let other = command.stdin(input).stderr(Stdio::null()).output().unwrap().stdout;
    fs::write(&own, &other).unwrap();
    assert_eq!(no(dir, &["site", "publish"]), "bad-signature");
    assert!(!dir.join("site/share/PCM.INDEX").exists());
    fs::write(&own, &good).unwrap();
    site(dir, &["site", "publish"]);
    // Once a good one is there it stays.
    fs::write(&own, &other).unwrap();
    let published = site(dir, &["job", "suspend", "BP0000AA", "--reason", "look"]);
    assert_eq!(published["published"]["faults"], serde_json::json!([]));
    assert_eq!(fs::read(&placed).unwrap(), good);
    site(dir, &["job", "resume", "BP0000AA"]);
    fs::write(&own, &good).unwrap();
    // A key that ends before long is said.
    json(dir, &["key", "generate", "keys/ending"]);
    let trust =
        ["key", "trust", "keys/ending.pub", "--role", "package", "--principal", "ben", "--until", "20d"];
    site(dir, &[&trust[..], &["--key", "keys/root"]].concat());
    assert_eq!(site(dir, &["site", "publish"])["faults"], serde_json::json!([]));
    site(dir, &["package", "sign", "BP00000A", "--again", "--key", "keys/ending"]);
    let faults = site(dir, &["site", "publish"])["faults"].to_string();
    assert!(faults.contains("the key that signed release 1 of BP00000A ends at 20"), "{faults}");
    site(dir, &["package", "sign", "BP00000A", "--again", "--key", "keys/package"]);
    assert_eq!(
        site(dir, &["site", "publish"])["faults"],
        serde_json::json!([]),
        "the newer one took its place"
    );
    // The key is revoked: what it signed runs nowhere, and nothing else is held back.
    site(dir, &["key", "revoke", "keys/package.pub", "--key", "keys/root"]);
    let published = site(dir, &["site", "publish"]);
    let faults = published["faults"].to_string();
    assert!(faults.contains("BP0000AA") && faults.contains("does not count"), "{published}");
    let again = site(dir, &["site", "publish"]);
    assert_eq!((written(&again).len(), again["faults"].as_array().unwrap().len()), (0, 1), "{again}");
    assert_eq!(no(dir, &["job", "send", "--package", "BP00000A", "--to", "BP004000"]), "bad-signature");
    site(dir, &["job", "cancel", "BP0000AA", "--reason", "revoked"]);
}

/// Whoever is in the middle of one job's file keeps nobody from stopping another.
#[test]
fn a_file_that_is_wrong_holds_back_nothing_but_itself() {
    let dir = example();
    let dir = dir.path();
    let send = ["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"];
    site(dir, &send);
    site(dir, &send);
    let file = dir.join("site/jobs/BP0000AA.toml");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, "job_id = 7\n").unwrap();
    let cancel = ["job", "cancel", "BP0000AB", "--reason", "oops"];
    let dry = site(dir, &[&cancel[..], &["--dry-run"]].concat());
    assert_eq!(dry["published"]["changed"]["jobs"], serde_json::json!(["BP0000AB"]), "{dry}");
    let cancelled = site(dir, &cancel);
    assert_eq!(cancelled["published"]["changed"]["jobs"], serde_json::json!(["BP0000AB"]), "{cancelled}");
    assert!(cancelled["published"]["warnings"].to_string().contains("BP0000AA.toml"), "{cancelled}");
    assert_eq!(site(dir, &["job", "suspend", "BP0000AC", "--reason", "look"])["state"], "suspended");
    let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    let states: Vec<&str> = index.lines().filter_map(|line| line.strip_prefix("state = ")).collect();
    assert_eq!(states, ["\"active\"", "\"cancelled\"", "\"suspended\""], "{index}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "job_id = 7\n", "its author goes on with it");
    // What starts something waits for it.
    assert_eq!(no(dir, &["job", "resume", "BP0000AC"]), "malformed");
    assert_eq!(no(dir, &["site", "publish"]), "malformed");
    fs::write(&file, before).unwrap();
    assert_eq!(written(&site(dir, &["site", "publish"])), Vec::<String>::new(), "all of it is published");
    assert_eq!(site(dir, &["job", "show", "BP0000AB"])["state"], "cancelled");
}

/// One release that somebody damaged on the share must not keep another job from being cancelled.
#[test]
fn a_damaged_release_holds_back_nothing_but_itself() {
    let dir = example();
    let dir = dir.path();
    let send = ["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"];
    site(dir, &send);
    let file = dir.join("site/share/packages/BP00000A/1/package.toml");
    let text = fs::read_to_string(&file).unwrap();
    // The site folder has the next release: nobody has the bytes of the first any more.
    let own = dir.join("site/packages/BP00000A/package.toml");
    let first = fs::read_to_string(&own).unwrap();
    fs::write(&own, first.replace("release = 1", "release = 2")).unwrap();
    fs::write(&file, format!("{text}# more\n")).unwrap();
    assert_eq!(no(dir, &["site", "publish"]), "release-changed", "it is not said that all is there");
    let cancelled = site(dir, &["job", "cancel", "BP0000AB", "--reason", "oops"]);
    assert_eq!(cancelled["state"], "cancelled");
    assert!(cancelled["published"]["faults"].to_string().contains("release 1"), "{cancelled}");
    fs::write(&own, &first).unwrap();
    // With its bytes at hand it is put back.
    site(dir, &["site", "publish"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    fs::write(&own, first.replace("\"Acme\"", "\"Other\"")).unwrap();
    assert_eq!(no(dir, &send), "release-changed", "nothing new is sent of it");
    fs::write(&own, &first).unwrap();
    site(dir, &["job", "cancel", "BP0000AA", "--reason", "oops"]);
    site(dir, &["site", "publish"]);
}

/// A job that nobody has published yet, and that is for many, does not have to be published to stop another.
#[test]
fn what_stops_goes_through_whatever_else_is_refused() {
    let dir = example();
    let dir = dir.path();
    let many: String = (0..300).map(|n| format!("BP05{n:04},node-{n},lab\n")).collect();
    fs::write(dir.join("many.csv"), many).unwrap();
    site(dir, &["site", "machine", "import", "many.csv"]);
    let send = |to: &'static str| ["job", "send", "--package", "BP00000A", "--to", to, "--mandatory", "2h"];
    site(dir, &send("BP004000"));
    site(dir, &send("BP004000"));
    site(dir, &[&send("@lab")[..], &["--expect", "300", "--no-publish"]].concat());
    let index = || fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    let held_back = |done: &Value| {
        let warnings = done["published"]["warnings"].to_string();
        assert!(warnings.contains("BP0000AD would be for 300 machines"), "{done}");
        assert!(!index().contains("BP0000AD"), "{}", index());
        assert_eq!(site(dir, &["job", "show", "BP0000AD"])["state"], "active", "it waits as it is");
    };
    let cancel = ["job", "cancel", "BP0000AB", "--reason", "oops"];
    let dry = site(dir, &[&cancel[..], &["--dry-run"]].concat());
    assert_eq!(dry["published"]["changed"]["jobs"], serde_json::json!(["BP0000AB"]), "{dry}");
    assert!(!index().contains("cancelled"), "{}", index());
    held_back(&site(dir, &cancel));
    held_back(&site(dir, &["job", "suspend", "BP0000AC", "--reason", "look"]));
    assert!(index().contains("cancelled") && index().contains("suspended"), "{}", index());
    let freeze = ["site", "freeze", "--until", "12h", "--reason", "fire", "--expect", "301"];
    held_back(&site(dir, &freeze));
    assert!(index().contains("group = \"all\""), "{}", index());
    // A renewal of what was published keeps all of that.
    site(dir, &["site", "publish", "--renew"]);
    assert!(index().contains("group = \"all\"") && !index().contains("BP0000AD"), "{}", index());
    // Whatever starts something waits for somebody's word, and so does a file that is wrong for a freeze of that file alone.
    assert_eq!(no(dir, &["job", "resume", "BP0000AC"]), "not-expected");
    assert_eq!(no(dir, &["site", "unfreeze", "--expect", "301"]), "not-expected");
    let path = dir.join("site/jobs/BP0000AC.toml");
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, "state = ").unwrap();
    site(dir, &["site", "freeze", "--until", "13h", "--reason", "more", "--expect", "301"]);
    let policy = fs::read_to_string(dir.join("site/share/policy/all.2.toml")).unwrap();
    assert_eq!(policy.matches("[[freeze]]").count(), 2, "{policy}");
    fs::write(&path, before).unwrap();
    // Nor does any other file that is wrong, but for the one that would hold it.
    for (n, wrong) in ["machines.csv", "policy/lab.toml", "jobs/notes.txt"].into_iter().enumerate() {
        let path = dir.join("site").join(wrong);
        let before = fs::read(&path).ok();
        fs::write(&path, "what is this = [").unwrap();
        let until = format!("{}h", 14 + n);
        let frozen = site(dir, &["site", "freeze", "--until", &until, "--reason", "more", "--expect", "301"]);
        let published = frozen["published"].to_string();
        assert!(published.contains(wrong) && published.contains("\"policy\":1"), "{wrong}: {published}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "what is this = [", "its author goes on with it");
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
    let all = dir.join("site/policy/all.toml");
    let policy = fs::read_to_string(&all).unwrap();
    fs::write(&all, format!("{policy}\nx = [")).unwrap();
    let freeze = ["site", "freeze", "--until", "20h", "--reason", "more", "--expect", "301", "--json"];
    let refused: Value = serde_json::from_slice(&pcm(dir, &[&freeze[..], &IN].concat()).stderr).unwrap();
    let error = &refused["error"];
    assert_eq!(error["code"], "malformed");
    assert!(error["message"].as_str().unwrap().starts_with("no freeze was made: "), "{error}");
    assert!(error["message"].as_str().unwrap().contains("policy/all.toml would say it"), "{error}");
    fs::write(&all, policy).unwrap();
    // With the number all of it is published, and nothing that was stopped goes on.
    site(dir, &["site", "publish", "--expect", "300"]);
    assert!(index().contains("BP0000AD") && index().contains("suspended"), "{}", index());
    assert!(dir.join("site/share/policy/all.2.toml").exists());
}

/// What cannot be written of one package is that one's matter, what is wrong with a key is all packages', and each that was not
/// signed is named.
#[test]
fn every_package_that_was_not_signed_is_named() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    signed(dir);
    let packages = dir.join("site/packages");
    let first = fs::read_to_string(packages.join("BP00000A/package.toml")).unwrap();
    let own = |line: &&str| !["content_sha256", "release"].iter().any(|key| line.starts_with(key));
    let lines = first.lines().filter(own);
    let second: String = lines.map(|line| line.replace("BP00000A", "BP00000B") + "\n").collect();
    fs::create_dir_all(packages.join("BP00000B/files")).unwrap();
    fs::copy(packages.join("BP00000A/files/setup.sh"), packages.join("BP00000B/files/setup.sh")).unwrap();
    fs::write(packages.join("BP00000B/package.toml"), second).unwrap();
    let all = |key: &str| {
        let done = pcm(dir, &[&["package", "sign", "--all", "--key", key, "--json"][..], &IN].concat());
        assert!(!done.status.success());
        let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
        let ids = |rows: &Value| {
            let rows = rows.as_array().cloned().unwrap_or_default();
            rows.iter().map(|row| row["package_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        (ids(&doc["packages"]), ids(&doc["failed"]), doc.to_string())
    };
    let both = vec!["BP00000A".to_owned(), "BP00000B".to_owned()];
    let (done, failed, doc) = all("keys/publish");
    assert_eq!((done, failed), (Vec::new(), both.clone()), "{doc}");
    // Nothing can be renamed to the name of a folder that holds something.
    fs::create_dir_all(packages.join("BP00000A/package.toml.sig/x")).unwrap();
    let (done, failed, doc) = all("keys/package");
    assert_eq!((done, failed), (both[1..].to_vec(), both[..1].to_vec()), "{doc}");
    assert!(packages.join("BP00000B/package.toml.sig").is_file() && doc.contains("was not written"), "{doc}");
    for id in &both {
        fs::write(packages.join(id).join("package.toml"), "name = 7\n").unwrap();
    }
    let (_, failed, doc) = all("keys/package");
    assert_eq!(failed, both, "{doc}");
}

/// Whoever does what a refusal says gets what it says.
#[test]
fn the_number_that_a_refusal_names_is_the_one_that_passes() {
    let dir = example();
    let dir = dir.path();
    let many: String = (0..300).map(|n| format!("BP05{n:04},node-{n},lab\n")).collect();
    fs::write(dir.join("many.csv"), many).unwrap();
    site(dir, &["site", "machine", "import", "many.csv"]);
    site(dir, &["site", "publish"]);
    fs::remove_file(dir.join("site/jobs/BP0000AA.toml")).unwrap();
    let send =
        ["job", "send", "--package", "BP00000A", "--to", "@lab", "--mandatory", "2h", "--expect", "300"];
    let refused = pcm(dir, &[&send[..], &["--json"], &IN].concat());
    let refused: Value = serde_json::from_slice(&refused.stderr).unwrap();
    let remedy = refused["error"]["remedy"].as_str().unwrap();
    let number = remedy.rsplit(' ').next().unwrap();
    assert!(remedy.contains("--no-publish") && number.parse::<u64>().is_ok(), "{refused}");
    site(dir, &[&send[..], &["--no-publish"]].concat());
    site(dir, &["site", "publish", "--expect", number]);
}

/// The verb that brings machines to a job says how many, as does an editor's `publish` after it.
#[test]
fn machines_that_come_to_a_job_in_numbers_are_expected() {
    let dir = example();
    let dir = dir.path();
    site(dir, &["job", "send", "--package", "BP00000A", "--to", "@all", "--mandatory", "2h"]);
    let list = |name: &str, from: usize, to: usize| {
        let lines: String = (from..to).map(|n| format!("BP05{n:04},node-{n},lab\n")).collect();
        fs::write(dir.join(name), lines).unwrap();
    };
    list("few.csv", 0, 99);
    site(dir, &["site", "machine", "import", "few.csv"]);
    list("many.csv", 99, 200);
    let import = ["site", "machine", "import", "many.csv"];
    let machines = fs::read(dir.join("site/machines.csv")).unwrap();
    assert_eq!(no(dir, &import), "not-expected");
    assert_eq!(no(dir, &[&import[..], &["--expect", "100"]].concat()), "not-expected");
    assert_eq!(fs::read(dir.join("site/machines.csv")).unwrap(), machines);
    // Whoever writes the list by hand is asked by publish.
    site(dir, &[&import[..], &["--no-publish"]].concat());
    assert_eq!(no(dir, &["site", "publish"]), "not-expected");
    assert_eq!(
        no(dir, &["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"]),
        "not-expected"
    );
    fs::write(dir.join("site/machines.csv"), machines).unwrap();
    let done = site(dir, &[&import[..], &["--expect", "101"]].concat());
    assert_eq!((&done["added"], &done["machines"]), (&101.into(), &201.into()), "{done}");
    // Few at a time, and nothing is published in between: all of them come with the publication.
    for (name, from, to) in [("a.csv", 200, 260), ("b.csv", 260, 320)] {
        list(name, from, to);
        site(dir, &["site", "machine", "import", name, "--no-publish"]);
    }
    let last = ["site", "machine", "add", "BP059999", "--group", "lab"];
    let machines = fs::read(dir.join("site/machines.csv")).unwrap();
    for number in ["1", "120"] {
        assert_eq!(no(dir, &[&last[..], &["--expect", number]].concat()), "not-expected", "{number}");
    }
    assert_eq!(fs::read(dir.join("site/machines.csv")).unwrap(), machines);
    let done = site(dir, &[&last[..], &["--expect", "121"]].concat());
    assert_eq!((&done["added"], &done["machines"]), (&1.into(), &322.into()), "{done}");
    // Of two kinds of change, the number is of the one that the verb makes.
    list("c.csv", 400, 520);
    site(dir, &["site", "machine", "import", "c.csv", "--no-publish"]);
    let remove = ["site", "machine", "remove", "BP059999", "--expect", "500"];
    assert_eq!(no(dir, &remove), "not-expected");
    site(dir, &["site", "publish", "--expect", "120"]);
    assert_eq!(site(dir, &remove)["removed"], 1);
}

/// What machines have can be stopped, whatever its own file says by now.
#[test]
fn a_published_job_is_stopped_though_its_own_file_is_wrong() {
    let dir = example();
    let dir = dir.path();
    site(dir, &["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"]);
    let file = dir.join("site/jobs/BP0000AB.toml");
    let wrong = format!("{}x = [\n", fs::read_to_string(&file).unwrap());
    fs::write(&file, &wrong).unwrap();
    // What is known is listed, and not counted as nothing.
    let list = pcm(dir, &[&["job", "list", "--json"][..], &IN].concat());
    assert_eq!(list.status.code(), Some(1));
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let ids: Vec<&str> =
        list["jobs"].as_array().unwrap().iter().filter_map(|job| job["job_id"].as_str()).collect();
    assert_eq!(ids, ["BP0000AA", "BP0000AB"], "{list}");
    let status = pcm(dir, &[&["site", "status", "--json"][..], &IN].concat());
    assert_eq!(status.status.code(), Some(10));
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        (&status["machines"], &status["jobs"]["active"], &status["as_published"]),
        (&1.into(), &2.into(), &true.into())
    );

    let index = || fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    for (verb, state) in [("suspend", "suspended"), ("cancel", "cancelled")] {
        let stopped = site(dir, &["job", verb, "BP0000AB", "--reason", "look"]);
        assert_eq!(stopped["published"]["changed"]["jobs"], serde_json::json!(["BP0000AB"]), "{stopped}");
        assert!(stopped["published"]["warnings"].to_string().contains("was left as it is"), "{stopped}");
        let index = index();
        let states: Vec<&str> = index.lines().filter_map(|line| line.strip_prefix("state = ")).collect();
        assert_eq!(states, ["\"active\"", format!("\"{state}\"").as_str()], "{index}");
        assert_eq!(fs::read_to_string(&file).unwrap(), wrong, "its author goes on with it");
        assert_eq!(no(dir, &["job", "resume", "BP0000AB"]), "malformed");
    }
}

/// What a command says is what it does: of an index that is damaged, and of a job that going back cancels.
#[test]
fn what_would_be_completed_or_cancelled_is_said() {
    let dir = example();
    let dir = dir.path();
    site(dir, &["site", "publish"]);
    site(dir, &["job", "send", "--package", "BP00000A", "--to", "BP004000", "--mandatory", "2h"]);
    fs::write(dir.join("site/share/PCM.INDEX"), "kind = ").unwrap();
    let human = |args: &[&str]| text(&pcm(dir, &[args, &IN].concat()).stdout);
    let status = human(&["site", "status"]);
    assert!(status.contains("PCM.INDEX on the share is damaged"), "{status}");
    let dry = human(&["site", "publish", "--dry-run"]);
    assert!(
        dry.contains("Publication 2, which had been begun, would be completed")
            && !dry.contains("Publication 3"),
        "{dry}"
    );
    assert_eq!(site(dir, &["site", "publish"])["serial"], 2);

    let undo = ["site", "publish", "--undo", "1"];
    let dry = human(&[&undo[..], &["--dry-run"]].concat());
    assert!(dry.contains("BP0000AB was sent since, and would be cancelled"), "{dry}");
    assert_eq!(site(dir, &undo)["cancelled"], serde_json::json!(["BP0000AB"]));
}

/// An address that pcm does not know is no folder of that name.
#[test]
fn a_location_of_another_kind_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (args, words) in [
        (
            &["init", "--machine", "BP004000", "--share", "gs://bucket/bp0"][..],
            "gs:// is no kind of location",
        ),
        (
            &["site", "init", "made", "--site", "BP0", "--share", "az://container/bp0"],
            "az:// is no kind of location",
        ),
        (&["rollout", "--share", "S3://bucket"], "S3:// is no kind of location"),
    ] {
        let refused = pcm(dir, args);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words) && said.contains("s3://bucket/prefix"), "{args:?}: {said}");
    }
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0, "nothing was made");
}
