//! `pcm package` from outside: begun by hand, made of real `.deb`, `.rpm` and `.msi` files that the distribution's tools
//! make here, of definition files and of folders; listed, judged, and run on a machine.

use super::common::*;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn installed(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        skipped(format_args!("{program} is not installed"));
    }
    there
}

fn tool(dir: &Path, program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).current_dir(dir).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", text(&output));
}

/// A real Debian package in this folder, packed in this way, that installs one file.
fn deb(dir: &Path, packing: &str, more: &str) -> std::path::PathBuf {
    let tree = dir.join("tree");
    make_dir(&tree.join("DEBIAN"));
    make_dir(&tree.join("opt/pcm-test"));
    write(&tree.join("opt/pcm-test/hello"), b"hello\n");
    let control = format!(
        "Package: pcm-test-hello\nVersion: 4.0-1\nArchitecture: all\nMaintainer: Acme <a@acme.example>\n\
         Description: Says hello\n{more}"
    );
    write(&tree.join("DEBIAN/control"), control.as_bytes());
    tool(dir, "dpkg-deb", &["--root-owner-group", &format!("-Z{packing}"), "-b", "tree", "hello.deb"]);
    dir.join("hello.deb")
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The share as the flag that names it.
fn share(site: &Site) -> String {
    format!("--share={}", site.share().display())
}

fn definition(site: &Site, id: &str) -> String {
    std::fs::read_to_string(site.share().join("packages").join(id).join("package.toml")).unwrap()
}

#[test]
fn a_real_deb_is_imported_listed_judged_and_published() {
    if !installed("dpkg-deb") {
        return;
    }
    let mut site = Site::new();
    for packing in ["gzip", "xz", "zstd", "none"] {
        let file = deb(&site.path(""), packing, "");
        let would = site.json(&["--dry-run", "package", "import", path(&file), &share(&site)]);
        let would = would["would"].as_str().unwrap();
        assert!(would.contains("pcm-test-hello 4.0-1") && would.contains("hello.deb"), "{would}");
        assert_eq!(std::fs::read_dir(site.share().join("packages")).unwrap().count(), 0, "--dry-run");
        let doc = site.json(&["package", "import", path(&file), &share(&site)]);
        assert_eq!(
            (&doc["package_id"], &doc["name"], &doc["version"], &doc["files"]),
            (&"BP000001".into(), &"pcm-test-hello".into(), &"4.0-1".into(), &1.into()),
            "{packing}: {doc}"
        );
        assert_eq!(doc["commands"][0]["command_line"], "dpkg --force-confdef --force-confold -i ./hello.deb");
        let copy = site.share().join("packages/BP000001/files/hello.deb");
        assert_eq!(std::fs::read(copy).unwrap(), std::fs::read(&file).unwrap());
        let text = definition(&site, "BP000001");
        assert!(text.contains("[installed_if]\ndpkg = \"pcm-test-hello\"\nversion = \"4.0-1\"\n"), "{text}");
        // The same file gives the same bytes.
        let args = ["package", "import", path(&file), &share(&site), "--id=BP000001"];
        assert_eq!(site.refused(&args, 3)["code"], "package-exists");
        let again = site.json(&[&args[..], &["--replace"]].concat());
        assert_eq!((&again["content_sha256"], &again["replaced"]), (&doc["content_sha256"], &true.into()));
        assert_eq!(definition(&site, "BP000001"), text);

        let list = site.json(&["package", "list", &share(&site)]);
        let row = &list["packages"][0];
        assert_eq!(row["content_sha256"], doc["content_sha256"]);
        assert_eq!(row["commands"], serde_json::json!(["Install", "Uninstall"]));
        assert!(row["problem"].is_null(), "{list}");
        let lint = site.json(&["package", "lint", &share(&site), "--hashes"]);
        assert_eq!(lint["ok"], true, "{lint}");

        // What it prints for an instruction file is accepted as it is.
        let request = doc["commands"][0]["request"].as_str().unwrap();
        let ids = "request_id = \"BP0000Y\"\njob_id = \"BP0000AA\"\n";
        let published =
            site.instructions(&[]).replace("[end]", &format!("[[request]]\n{ids}{request}\n[end]"));
        site.publish_text(&published);
        let lint = site.json(&["site", "lint", &site.share().display().to_string()]);
        assert_eq!(lint["ok"], true, "{lint}");
        std::fs::remove_dir_all(site.share().join("packages/BP000001")).unwrap();
    }
    let file = deb(&site.path(""), "gzip", "Depends: libc6 (>= 2.3)\n");
    let link = site.path("latest.deb");
    std::os::unix::fs::symlink("hello.deb", &link).unwrap();
    let would = site.json(&["--dry-run", "package", "import", path(&link), &share(&site)]);
    assert!(would["would"].as_str().unwrap().contains("./latest.deb"), "a link that is named: {would}");
    let doc = site.json(&["package", "import", path(&file), &share(&site), "--id", "bp00000z"]);
    assert_eq!(doc["package_id"], "BP00000Z");
    let line = doc["commands"][0]["command_line"].as_str().unwrap();
    assert!(line.starts_with("apt-get -y --no-remove") && line.ends_with("install ./hello.deb"), "{line}");
}

/// As root, on a machine that has dpkg: the package is really installed and removed, by the service's own way.
#[test]
fn a_real_deb_runs_from_the_share_to_the_machine() {
    if !installed("dpkg-deb") || !installed("dpkg") {
        return;
    }
    // A database of its own: nothing of this machine is changed.
    let mut site = Site::with_config("");
    let file = deb(&site.path(""), "xz", "");
    let root = site.path("root");
    make_dir(&root.join("var/lib/dpkg/updates"));
    make_dir(&root.join("var/lib/dpkg/info"));
    write(&root.join("var/lib/dpkg/status"), b"");
    let line = format!(
        "dpkg --root={} --force-not-root --force-bad-path --log={} --force-confold -i ./hello.deb",
        root.display(),
        site.path("dpkg.log").display()
    );
    let doc = site.json(&["package", "import", path(&file), &share(&site), "--command-line", &line]);
    let request = doc["commands"][0]["request"].as_str().unwrap();
    let ids = "request_id = \"BP0000Y\"\njob_id = \"BP0000AA\"\n";
    let published = site.instructions(&[]).replace("[end]", &format!("[[request]]\n{ids}{request}\n[end]"));
    site.publish_text(&published);
    let run = site.pcm(&["run", "BP0000Y", "--wait", "--json"]);
    let run: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&run)));
    assert_eq!(run["state"], "succeeded", "{run}\n{}", transcripts(&site));
    assert_eq!(std::fs::read(root.join("opt/pcm-test/hello")).unwrap(), b"hello\n");
}

fn transcripts(site: &Site) -> String {
    let all = std::fs::read_dir(site.state().join("log/runs")).into_iter().flatten().flatten();
    all.map(|entry| std::fs::read_to_string(entry.path()).unwrap_or_default()).collect()
}

#[test]
fn a_real_rpm_is_imported() {
    if !installed("rpmbuild") {
        return;
    }
    let site = Site::new();
    let spec = "Name: pcm-test-hello\nVersion: 4.0\nRelease: 1\nSummary: Says hello\nLicense: MIT\nVendor: Acme\n\
                BuildArch: noarch\n%description\nSays hello.\n%files\n";
    write(&site.path("hello.spec"), spec.as_bytes());
    let top = format!("_topdir {}", site.path("rpm").display());
    for (n, packing) in ["w9.gzdio", "w9.zstdio"].iter().enumerate() {
        let payload = format!("_binary_payload {packing}");
        tool(&site.path(""), "rpmbuild", &["--define", &top, "--define", &payload, "-bb", "hello.spec"]);
        let file = site.path("rpm/RPMS/noarch/pcm-test-hello-4.0-1.noarch.rpm");
        let doc = site.json(&["package", "import", path(&file), &share(&site)]);
        assert_eq!(
            (&doc["package_id"], &doc["name"], &doc["version"], &doc["publisher"]),
            (&format!("BP00000{}", n + 1).into(), &"pcm-test-hello".into(), &"4.0-1".into(), &"Acme".into()),
            "{doc}"
        );
        assert_eq!(doc["commands"][0]["command_line"], "rpm -U ./pcm-test-hello-4.0-1.noarch.rpm");
        assert!(definition(&site, "BP000001").contains("rpm = \"pcm-test-hello\"\nversion = \"4.0-1\""));
    }
    tool(&site.path(""), "rpmbuild", &["--define", &top, "-bs", "hello.spec"]);
    let source = site.path("rpm/SRPMS/pcm-test-hello-4.0-1.src.rpm");
    let refused = site.refused(&["package", "import", path(&source), &share(&site)], 1);
    assert!(refused["message"].as_str().unwrap().contains("source package"), "{refused}");
}

#[test]
fn a_real_msi_is_imported() {
    if !installed("wixl") {
        return;
    }
    let site = Site::new();
    let wxs = r#"<?xml version="1.0"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
 <Product Id="12345678-1234-1234-1234-123456789ABC" Name="Acme Base" Language="1033" Version="4.0.1"
   Manufacturer="Acme" UpgradeCode="87654321-1234-1234-1234-123456789ABC">
  <Package InstallerVersion="200" Compressed="yes"/>
  <Property Id="ALLUSERS" Value="1"/>
  <Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="ProgramFilesFolder"><Directory Id="D" Name="Acme">
   <Component Id="C" Guid="11111111-1234-1234-1234-123456789ABC"><CreateFolder/></Component>
  </Directory></Directory></Directory>
  <Feature Id="F" Level="1"><ComponentRef Id="C"/></Feature>
 </Product>
</Wix>"#;
    write(&site.path("acme.wxs"), wxs.as_bytes());
    for (arch, platforms) in [("x64", &["windows-x86_64"][..]), ("x86", &["windows-x86", "windows-x86_64"])] {
        tool(&site.path(""), "wixl", &["-a", arch, "-o", "acme.msi", "acme.wxs"]);
        let doc = site.json(&["package", "import", path(&site.path("acme.msi")), &share(&site)]);
        assert_eq!((&doc["name"], &doc["version"]), (&"Acme Base".into(), &"4.0.1".into()), "{doc}");
        assert_eq!(doc["commands"][0]["platforms"], serde_json::json!(platforms));
        assert_eq!(doc["notes"], serde_json::json!([]));
        let line = doc["commands"][0]["command_line"].as_str().unwrap();
        assert!(line.starts_with("msiexec.exe /i acme.msi /qn /norestart /l*v "), "{line}");
    }
    let text = definition(&site, "BP000001");
    let key = r"Uninstall\\{12345678-1234-1234-1234-123456789ABC}";
    assert!(text.contains(key) && text.contains("value = \"DisplayVersion\"\nversion = \"4.0.1\""), "{text}");
    assert!(text.contains("[command.exit_codes]\n\"1605\" = \"success\""), "{text}");
    assert_eq!(site.json(&["package", "lint", &share(&site)])["ok"], true);
}

#[test]
fn a_definition_file_and_a_folder_are_imported() {
    let site = Site::new();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/sms/version-2.sms");
    let doc = site.json(&["package", "import", path(&corpus), &share(&site)]);
    assert_eq!((&doc["name"], &doc["files"]), (&"Acme Workstation".into(), &0.into()));
    let kept = std::fs::read(site.share().join("packages/BP000001/version-2.sms")).unwrap();
    assert_eq!(kept, std::fs::read(&corpus).unwrap());
    assert!(definition(&site, "BP000001").contains("# [Old]: this command is left out: Disabled"));

    let source = site.path("source");
    make_dir(&source.join("sub"));
    write(&source.join("setup.sh"), b"#!/bin/sh\nexit 0\n");
    write(&source.join("sub/data"), b"data");
    let bare = ["package", "import", path(&source), &share(&site)];
    let refused = site.refused(&bare, 2);
    assert!(refused["remedy"].as_str().unwrap().contains("--name"), "{refused}");
    let named = [&bare[..], &["--name", "Acme", "--version", "4", "--platform", "linux-x86_64"]].concat();
    assert!(site.refused(&named, 2)["remedy"].as_str().unwrap().contains("--command-line"));
    let doc = site.json(&[&named[..], &["--command-line", "setup.sh --silent"]].concat());
    assert_eq!((&doc["package_id"], &doc["files"]), (&"BP000002".into(), &2.into()));
    let lint = site.json(&["package", "lint", "BP000002", &share(&site)]);
    assert_eq!(lint["ok"], true, "{lint}");
    // A link is no file of the package, and nothing is left of what was begun.
    std::os::unix::fs::symlink("/etc/passwd", source.join("link")).unwrap();
    let refused = site.refused(&[&named[..], &["--command-line", "setup.sh"]].concat(), 1);
    assert!(refused["message"].as_str().unwrap().contains("is a link"), "{refused}");
    let names = std::fs::read_dir(site.share().join("packages")).unwrap().count();
    assert_eq!(names, 2);
    let gone = site.refused(&["package", "import", "gone.deb", &share(&site)], 4);
    assert_eq!(gone["code"], "no-such-file");
}

#[test]
fn a_package_begins_with_every_key_explained_and_says_what_is_to_be_done() {
    let site = Site::new();
    let new = site.pcm(&["package", "new", "--name", "Acme", &share(&site)]);
    let said = text(&new);
    assert!(new.status.success() && said.contains("package content BP000001 --share"), "{said}");
    let files = site.share().join("packages/BP000001/files");
    let lint = site.pcm(&["package", "lint", &share(&site)]);
    assert_eq!(lint.status.code(), Some(10), "its program is not there yet: {}", text(&lint));
    write(&files.join("setup.sh"), b"#!/bin/sh\nexit 0\n");
    site.json(&["package", "content", "BP000001", &share(&site)]);
    assert_eq!(site.json(&["package", "lint", &share(&site)])["ok"], true);
    assert_eq!(site.refused(&["package", "new", "BP000001", &share(&site)], 3)["code"], "package-exists");
    assert_eq!(site.refused(&["package", "new", "XY000001", &share(&site)], 2)["code"], "other-site");
    let elsewhere = format!("--share={}", site.path("elsewhere").display());
    assert_eq!(site.refused(&["package", "new", &elsewhere], 4)["code"], "no-such-share");
}

#[test]
fn what_an_interrupted_replacement_left_is_told_with_the_way_back() {
    let site = Site::new();
    site.json(&["package", "new", "--name", "Acme", &share(&site)]);
    let packages = site.share().join("packages");
    let away = packages.join(".gone-4711-0-BP000001");
    std::fs::rename(packages.join("BP000001"), &away).unwrap();
    make_dir(&packages.join(".BP000009.abcdef"));
    let mv = format!("mv {} {}", path(&away), path(&packages.join("BP000001")));
    let list = site.json(&["package", "list", &share(&site)]);
    assert_eq!(list["left"][1]["package_id"], "BP000001", "{list}");
    assert_eq!(list["left"][1]["remedy"], Value::from(mv.as_str()), "{list}");
    let words = text(&site.pcm(&["package", "list", &share(&site)]));
    assert!(words.contains("the replacement of BP000001 was interrupted"), "{words}");
    for args in [&["package", "lint", &share(&site)][..], &["site", "lint", path(&site.share())]] {
        let doc = site.json_of(args);
        let row = |word: &str| {
            let rows = doc["items"].as_array().unwrap();
            rows.iter().find(|row| row["evidence"].as_str().unwrap().contains(word)).unwrap().clone()
        };
        let (gone, begun) = (row("replacement of BP000001"), row("import of BP000009"));
        assert_eq!((&gone["verdict"], &gone["remedy"]), (&"block".into(), &mv.as_str().into()), "{doc}");
        assert_eq!(begun["verdict"], "unknown", "{doc}");
        assert!(begun["remedy"].as_str().unwrap().contains("rm -r "), "{doc}");
    }
    let new = site.json(&["package", "new", &share(&site)]);
    assert_eq!(new["package_id"], "BP000002", "its id is taken");
    assert_eq!(site.refused(&["package", "new", "BP000001", &share(&site)], 3)["code"], "package-exists");
}

#[test]
fn lint_of_packages_finds_what_asks_leads_out_or_wipes() {
    let site = Site::new();
    site.package("BP00000A", "read -p 'Sure? ' answer");
    let judged = |lines: &str| -> Vec<(String, String)> {
        let head = "package_id = \"BP00000A\"\nname = \"Acme\"\n[[command]]\ncommand = \"Typical\"\n";
        write(&site.share().join("packages/BP00000A/package.toml"), format!("{head}{lines}\n").as_bytes());
        let found = |args: &[&str]| -> Vec<(String, String)> {
            let doc = site.json_of(args);
            let rows = doc["items"].as_array().unwrap().iter().filter(|row| row["verdict"] != "pass");
            let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            rows.map(|row| (word(&row["item"]), word(&row["evidence"]))).collect()
        };
        let of_package = found(&["package", "lint", &share(&site)]);
        let of_site = found(&["site", "lint", &site.share().display().to_string()]);
        // One lint for both.
        for row in &of_package {
            assert!(of_site.contains(row), "{row:?} is not in {of_site:?}");
        }
        of_package
    };
    let run = "automated = true\nbackground = true\n";
    for (lines, item, evidence) in [
        ("command_line = \"dpkg --force-confdef -i a.deb\"", "silent", "dpkg without --force-confold"),
        ("command_line = \"apt-get -y install acme\"", "silent", "lets dpkg ask"),
        ("command_line = \"setup.sh\"", "silent", "setup.sh, line 2: read -p"),
        ("command_line = \"msiexec.exe /i acme.msi\"", "silent", "msiexec without /qn"),
        ("command_line = \"dpkg -i acme.deb\"", "silent", "dpkg without --force-confold"),
        ("command_line = \"rpm --addsign acme.rpm\"", "silent", "passphrase"),
        ("command_line = \"rpm -U ../acme.rpm\"", "packages", "leads out of the package"),
        ("command_line = 'msiexec.exe /qn /i \\\\server\\acme.msi'", "packages", "on another machine"),
        ("command_line = \"/bin/sh -c x\"", "packages", "line 5, command[1].command_line"),
        ("command_line = \"gone.sh\"", "content", "\"gone.sh\" is not among the files"),
        ("command_line = \"dpkg -P acme\"\nremoves = true", "bounds", "it removes Acme"),
        ("command_line = \"dnf -y erase acme\"", "bounds", "it says \"erase\""),
        ("command_line = \"setup.sh --wipe-disk\"", "bounds", "it says \"wipe\""),
        ("command_line = \"setup.sh mode=wipe\"", "bounds", "it says \"wipe\""),
        ("command_line = \"setup.sh /format\"", "bounds", "it says \"format\""),
        (
            "command_line = \"rpm -U a\"\nplatforms = [\"linux-x86_64\"]\nexit_codes = { \"3010\" = \"restart\" }",
            "packages",
            "3010",
        ),
        ("command_line = \"rpm -U a\"\ncolour = \"red\"", "packages", "colour"),
    ] {
        let rows = judged(&format!("{lines}\n{run}"));
        assert!(rows.iter().any(|(i, e)| i == item && e.contains(evidence)), "{lines}: {rows:?}");
    }
    for harmless in [
        "setup.sh --format=json",
        "setup.sh --log-format text",
        "setup.sh /opt/erase/it",
        "setup.sh wipe.conf",
    ] {
        let rows = judged(&format!("command_line = \"{harmless}\"\n{run}"));
        assert!(rows.iter().all(|(item, _)| item != "bounds"), "{harmless}: {rows:?}");
    }
    let bounded = "command_line = \"dpkg -P acme\"\nremoves = true\nwhere = 'group == \"retired\"'";
    let rows = judged(&format!("{bounded}\n{run}"));
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(
        rows[0].0 == "bounds" && rows[0].1.contains("on a hand-made share no machine judges `where`"),
        "{rows:?}"
    );
    site.package("BP00000B", "exit 0");
    let other = "package_id = \"BP00000B\"\nname = \"Other\"\n[[command]]\ncommand = \"Typical\"\n\
                 command_line = \"setup.sh\"\nautomated = true\nbackground = true\n";
    write(&site.share().join("packages/BP00000B/package.toml"), other.as_bytes());
    for (ids, why) in [
        ("BP0000Z9", "it depends on BP0000Z9, and there is no such package"),
        ("BP00000A", "a package cannot wait for itself"),
        ("BP00000B", "on a hand-made share no machine judges `depends_on`"),
        ("BP0000Y", "on a hand-made share no machine judges `depends_on`"),
    ] {
        let rows = judged(&format!("command_line = \"rpm -U a\"\ndepends_on = [\"{ids}\"]\n{run}"));
        assert!(rows.iter().any(|(_, e)| e.contains(why)), "{ids}: {rows:?}");
        assert_eq!(
            rows.iter().any(|(_, e)| e.contains("it depends on")),
            ids.len() == 8 && ids != "BP00000B"
        );
    }
    let rows = judged("command_line = \"rpm -U a\"");
    assert!(rows.iter().any(|(_, e)| e.contains("no command of it runs by itself")), "{rows:?}");
}

#[test]
fn lint_compares_what_a_signature_covers_with_what_is_there() {
    let site = Site::new();
    site.package("BP00000A", "exit 0");
    let file = site.share().join("packages/BP00000A/package.toml");
    let judge = |top: &str| {
        let text = format!(
            "package_id = \"BP00000A\"\nname = \"Acme\"\n{top}\n[[command]]\ncommand = \"Typical\"\n\
             command_line = \"setup.sh\"\nautomated = true\nbackground = true\n"
        );
        write(&file, text.as_bytes());
        let (flag, folder) = (share(&site), site.share());
        let (one, all) = (["package", "lint", &flag], ["site", "lint", path(&folder)]);
        let of = |args: &[&str]| site.json_of(args)["items"].to_string();
        (of(&one), of(&all))
    };
    let both = |top: &str, word: &str| {
        let (one, all) = judge(top);
        assert!(one.contains(word) && all.contains(word), "{word} is not in {one} or not in {all}");
    };
    both("release = 0", "release is 0, and a signed package needs one from 1 on");
    both(
        &format!("content_sha256 = \"{}\"", "0".repeat(64)),
        "content_sha256 is 000000000000…, and CONTENT is ",
    );
    let list = site.json(&["package", "list", &share(&site)]);
    let hash = list["packages"][0]["content_sha256"].as_str().unwrap().to_owned();
    let (one, all) = judge(&format!("release = 1\ncontent_sha256 = \"{hash}\""));
    assert!(
        !one.contains("CONTENT is") && !all.contains("CONTENT is") && !one.contains("release is"),
        "{one}"
    );
}

#[test]
fn a_link_of_a_share_is_never_followed() {
    use std::os::unix::fs::symlink;
    let site = Site::new();
    site.json(&["package", "new", "--name", "Acme", &share(&site)]);
    let packages = site.share().join("packages");
    let elsewhere = site.path("elsewhere");
    std::fs::rename(packages.join("BP000001"), &elsewhere).unwrap();
    std::fs::remove_file(elsewhere.join("CONTENT")).unwrap();
    symlink(&elsewhere, packages.join("BP000001")).unwrap();
    let refused = site.refused(&["package", "content", "BP000001", &share(&site)], 1);
    assert!(refused["message"].as_str().unwrap().contains("it is a link"), "{refused}");
    assert!(!elsewhere.join("CONTENT").exists());
    let list = site.json(&["package", "list", &share(&site)]);
    assert!(list["packages"][0]["problem"].as_str().unwrap().contains("it is a link"), "{list}");
    for args in [
        &["package", "lint", &share(&site)][..],
        &["package", "lint", "BP000001", &share(&site)],
        &["site", "lint", path(&site.share())],
    ] {
        assert!(text(&site.pcm(args)).contains("it is a link"), "{args:?}");
    }
    // All packages behind a link.
    std::fs::remove_file(packages.join("BP000001")).unwrap();
    std::fs::remove_dir_all(&packages).unwrap();
    symlink(&elsewhere, &packages).unwrap();
    let before = std::fs::read_dir(&elsewhere).unwrap().count();
    for args in [&["package", "new"][..], &["package", "new", "BP000002"], &["package", "list"]] {
        let refused = site.refused(&[args, &[&share(&site)]].concat(), 1);
        assert!(refused["message"].as_str().unwrap().contains("it is a link"), "{refused}");
    }
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), before);
}

#[test]
fn what_cannot_be_imported_is_named_with_what_is_to_be_done() {
    let site = Site::new();
    let source = site.path("source");
    make_dir(&source);
    write(&source.join("one.deb"), b"x");
    write(&source.join("two.deb"), b"x");
    let refused = site.refused(&["package", "import", path(&source), &share(&site)], 2);
    assert!(refused["message"].as_str().unwrap().contains("one.deb, two.deb"), "{refused}");
    assert!(refused["remedy"].as_str().unwrap().contains("--command-line"), "{refused}");
    let line = ["--name=Both", "--command-line=dpkg --force-confold -i ./one.deb ./two.deb"];
    let flag = share(&site);
    let both = [&["package", "import", path(&source), &flag][..], &line].concat();
    assert_eq!(site.json(&both)["files"], 2);

    // More than one name: told before anything is begun, with a way out.
    std::fs::hard_link(source.join("two.deb"), site.path("other")).unwrap();
    let refused = site.refused(&[&both[..], &["--dry-run"]].concat(), 1);
    assert!(refused["message"].as_str().unwrap().contains("two.deb: it is a link, or has more"), "{refused}");
    assert!(refused["remedy"].as_str().unwrap().starts_with("Copy it"), "{refused}");

    // What --files names, by its own name.
    let definition = site.path("acme.sms");
    let text = "[PDF]\nVersion=2.0\n[Package Definition]\nName=Acme\nPrograms=I\n[I]\nCommandLine=a.exe\n";
    write(&definition, text.as_bytes());
    let with = |files: &str| ["package", "import", path(&definition), "--files", files].map(str::to_owned);
    for (files, exit, code, word) in [
        (site.path("gone"), 4, "no-such-file", "gone"),
        (site.path("other"), 2, "usage", "which is no folder"),
        (source.clone(), 1, "not-imported", "source was not imported: two.deb"),
    ] {
        let args = with(path(&files));
        let args: Vec<&str> = args.iter().map(String::as_str).chain([flag.as_str()]).collect();
        let refused = site.refused(&args, exit);
        assert_eq!(refused["code"], code, "{refused}");
        assert!(refused["message"].as_str().unwrap().contains(word), "{refused}");
    }

    // A name that looks like another one is not published: it cannot be shown as it is.
    let tricky = site.path("he\u{202e}llo.deb");
    write(&tricky, b"!<arch>\n");
    let refused = site.refused(&["package", "import", path(&tricky), &share(&site)], 1);
    assert!(refused["message"].as_str().unwrap().contains("cannot be shown as it is"), "{refused}");
    let folder = site.share().join("packages/BP000001");
    write(&folder.join("files/he\u{202e}llo"), b"x");
    let refused = site.refused(&["package", "content", "BP000001", &share(&site)], 1);
    assert!(refused["message"].as_str().unwrap().contains("cannot be shown as it is"), "{refused}");
    assert_eq!(site.refused(&["package", "new", "BP000001", &share(&site)], 3)["code"], "package-exists");
    let refused = site.refused(&["package", "new", "BP000001", &share(&site)], 3);
    assert!(refused["remedy"].as_str().unwrap().contains("`pcm package import --replace`"), "{refused}");
}
