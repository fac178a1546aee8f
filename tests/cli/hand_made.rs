//! `pcm site init --from`: a share that is filled by hand becomes a site folder.

use super::keys::{json, refused};
use super::{pcm, text};
use serde_json::Value;
use std::fs;

#[test]
fn a_share_that_is_filled_by_hand_becomes_a_site_folder_and_runs_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "old", "--hand-made", "--site", "BP0", "--example", "BP004000"]);
    json(dir, &["init", "--machine", "BP004000", "--share", "old", "--trust", "permissions"]);
    let ran = pcm(dir, &["run", "BP0000Y", "--wait", "--json"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));

    // The same request for a second machine, one that runs something else under the package's name, and what nobody reads.
    let ins = fs::read_to_string(dir.join("old/pcmins.box/BP004000.INS")).unwrap();
    fs::write(dir.join("old/pcmins.box/BP004001.INS"), ins.replace("BP004000", "BP004001")).unwrap();
    let other =
        ins.replace("BP004000", "BP004002").replace("BP0000Y", "BP0000Z").replace("--silent", "--loud");
    fs::write(dir.join("old/pcmins.box/BP004002.INS"), other).unwrap();
    fs::write(dir.join("old/pcmins.box/BP004003.INS"), "site = 7\n").unwrap();
    fs::write(dir.join("old/notes.txt"), "mine").unwrap();
    let site = fs::read_to_string(dir.join("old/PCM.SITE")).unwrap();
    let freeze =
        "[[freeze]]\nfrom = 2030-01-01T00:00:00Z\nuntil = 2030-01-02T00:00:00Z\nreason = \"year's end\"\n";
    let odd = "colour = \"blue\"\n";
    fs::write(dir.join("old/PCM.SITE"), format!("{site}contact = \"ops@example.com\"\n{odd}{freeze}"))
        .unwrap();
    let first = ins.replace("request_id =", "smell = 1\nrequest_id =");
    fs::write(dir.join("old/pcmins.box/BP004000.INS"), first).unwrap();

    assert_eq!(refused(dir, &["site", "init", "new", "--site", "XX0", "--from", "old"]), "other-site");
    assert_eq!(refused(dir, &["site", "init", "new", "--site", "BP0", "--from", "nowhere"]), "share-missing");
    json(dir, &["site", "init", "new", "--site", "BP0", "--from", "old", "--dry-run"]);
    assert!(!dir.join("new").exists(), "nothing was made so far");
    let made = json(dir, &["site", "init", "new", "--site", "BP0", "--from", "old"]);
    let taken = &made["taken"];
    assert_eq!(
        (&taken["machines"], &taken["packages"]),
        (&3.into(), &serde_json::json!(["BP00000A"])),
        "{made}"
    );
    assert_eq!(taken["jobs"], serde_json::json!(["BP0000AA"]));
    let left = |what: &str| {
        let all = taken["left"].as_array().unwrap();
        let one = all.iter().find(|left| left["what"].as_str().unwrap().contains(what));
        one.unwrap_or_else(|| panic!("{what}: {taken}"))["why"].as_str().unwrap().to_owned()
    };
    assert!(left("BP0000Z of BP004002").contains("otherwise than package.toml says"));
    assert!(!left("BP004003.INS").is_empty() && left("notes.txt").contains("no machine reads it"));
    left("despoolr.box");
    // What no machine understands of a file that is taken is lost, too, and said.
    assert!(left("PCM.SITE").contains("not known") && left("colour").contains("not known"));
    assert!(left("smell").contains("not known"));
    let job = fs::read_to_string(dir.join("new/jobs/BP0000AA.toml")).unwrap();
    assert!(
        job.contains("targets = [\"BP004000\", \"BP004001\"]") && job.contains("request_id = \"BP0000Y\""),
        "{job}"
    );
    assert!(fs::read_to_string(dir.join("new/policy/all.toml")).unwrap().contains("year's end"));
    assert!(
        fs::read_to_string(dir.join("new/site.toml")).unwrap().contains("\ncontact = \"ops@example.com\"")
    );

    // Published on the share that its machines have, it is what they take from then on.
    let toml = dir.join("new/site.toml");
    let own = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, own.replace("share = \"share\"", "share = \"../old\"")).unwrap();
    assert_eq!(refused(dir, &["site", "publish", "--folder", "new"]), "hand-made");
    // Its machines have seen the numbers of instruction files, and take none of before.
    assert_eq!(taken["serial"], 2);
    json(dir, &["site", "publish", "--folder", "new", "--expect", "4", "--serial", "2"]);
    json(dir, &["poll"]);
    let list = json(dir, &["list", "--all"]);
    let requests: Vec<&Value> = list["requests"].as_array().unwrap().iter().collect();
    assert_eq!(requests.len(), 1, "{list}");
    assert_eq!((&requests[0]["request_id"], &requests[0]["state"]), (&"BP0000Y".into(), &"succeeded".into()));
    assert_eq!(refused(dir, &["site", "init", "more", "--site", "BP0", "--from", "old"]), "not-hand-made");
}
