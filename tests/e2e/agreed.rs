//! What a signed site says to a machine is told by several documents: they say the same while all is well, and while the
//! share has something that is not taken.

use super::common::{MACHINE, Site, now, seconds, stamp, wait_for, write};
use super::indexed::{Indexed, JOB, Job};
use serde_json::Value;
use std::fs;

fn item<'a>(check: &'a Value, name: &str) -> &'a Value {
    check["items"].as_array().unwrap().iter().find(|item| item["item"] == name).unwrap()
}

/// Status, list and the checklist say the same of what is in force; its serial.
#[track_caller]
fn agreed(site: &Site, ill: &str) -> u64 {
    let (status, list, check) =
        (site.json_of(&["status"]), site.json_of(&["list"]), site.json_of(&["check"]));
    let trust = &status["trust"];
    assert_eq!(
        (&list["epoch"], &list["valid_until"]),
        (&trust["epoch"], &trust["valid_until"]),
        "{ill}: {list}"
    );
    let (own, serial) = (item(&check, "serial"), trust["serial"].as_u64().unwrap());
    let evidence = own["evidence"].as_str().unwrap();
    assert!(evidence.starts_with(&format!("serial {serial} ")), "{ill}: {own} {trust}");
    let order = |pair: [&Value; 2]| pair.map(|n| n.as_u64().unwrap());
    let behind =
        order([&trust["epoch"], &trust["serial"]]) < order([&trust["highest"][0], &trust["highest"][1]]);
    assert_eq!(own["verdict"] == "block", behind, "{ill}: {own} {trust}");

    let left = item(&check, "validity-left");
    let until = trust["valid_until"].as_str().unwrap();
    let shown = until[..16].replace('T', " ");
    assert!(left["evidence"].as_str().unwrap().contains(&shown), "{ill}: {left} {trust}");
    let over = chrono_less(until, &stamp(now()));
    assert_eq!(left["verdict"] == "block", over, "{ill}: {left}");
    serial
}

/// Times of one form are in the order of their letters.
fn chrono_less(a: &str, b: &str) -> bool {
    a[..19] <= b[..19]
}

#[test]
fn status_list_and_check_agree_on_what_is_in_force_whatever_the_share_has() {
    let Some(mut share) = Indexed::signed() else { return };
    share.enrol();
    let job = share.job().later();
    let first = share.publish(std::slice::from_ref(&job));
    let second = share.publish(std::slice::from_ref(&job));
    assert_eq!(share.polled(JOB), "good");
    assert_eq!(agreed(&share.site, "well"), 2);

    let mut newer = share.head();
    newer.valid_until = stamp(now() + seconds(7_200));
    let unsigned = share.parts(&newer, std::slice::from_ref(&job));
    let cut = second[..second.len() / 2].to_owned();
    let ills = [
        ("an older index", first),
        ("an index that nobody signed", unsigned.clone()),
        ("one that a stranger signed", share.sign("stranger", "pcm-publish", &unsigned)),
        ("half an index", cut),
        ("nonsense", "nonsense".into()),
    ];
    for (ill, text) in ills {
        share.place(&text);
        assert_ne!(share.polled(JOB), "good", "{ill}");
        assert_eq!(agreed(&share.site, ill), 2, "{ill}");
    }
    fs::rename(share.site.share(), share.site.path("away")).unwrap();
    let _ = share.polled(JOB);
    assert_eq!(agreed(&share.site, "the share is away"), 2);
    fs::rename(share.site.path("away"), share.site.share()).unwrap();

    // What counts until a moment that comes.
    let mut short = share.head();
    let end = now() + seconds(15);
    (short.issued, short.valid_until) = (stamp(now() - seconds(2)), stamp(end));
    let text = share.parts(&short, std::slice::from_ref(&job));
    let text = share.sign("publish", "pcm-publish", &text);
    share.place(&text);
    share.site.json(&["poll"]);
    wait_for("it is over", || now() > end + seconds(1));
    assert_eq!(agreed(&share.site, "it is over"), share.serial);
    write(&share.site.share().join("PCM.INDEX"), second.as_bytes());
    let _ = share.polled(JOB);
    assert_eq!(agreed(&share.site, "it is over, and the share has an older one"), share.serial);
}

/// What the views have to say while something is wrong with the share.
struct Told {
    ill: &'static str,
    /// A problem of status and list; empty: neither knows of any.
    problem: &'static str,
    /// The state of the job in `list`.
    state: &'static str,
    /// The gates that `explain` has closed, but for the time that has not come.
    closed: &'static [&'static str],
    /// Items of `check`: their verdicts, and words of their evidence.
    check: &'static [(&'static str, &'static str, &'static str)],
}

const IN_WEB: (&str, &str, &str) = ("in-members", "pass", "is in web");
const HELD: (&str, &str, &str) = (
    "parts-readable",
    "unknown",
    "the index of the share cannot be had now; what is held of it stays in force: 4 parts",
);

const TOLD: [Told; 10] = [
    Told {
        ill: "the share is away",
        problem: "share-missing",
        state: "offered",
        closed: &[],
        check: &[IN_WEB, HELD, ("share", "block", "is the share mounted?")],
    },
    Told {
        ill: "the index is taken away",
        problem: "share-missing",
        state: "offered",
        closed: &[],
        check: &[IN_WEB, HELD, ("share", "block", "its index is gone")],
    },
    Told {
        ill: "the index is damaged",
        problem: "unsigned",
        state: "offered",
        closed: &[],
        check: &[IN_WEB, HELD, ("trust", "block", "PCM.INDEX")],
    },
    Told {
        ill: "an older index is put back",
        problem: "rollback",
        state: "offered",
        closed: &[],
        check: &[IN_WEB, ("parts-readable", "unknown", "which is older than what is in force")],
    },
    Told {
        ill: "the file of a job is taken away that is held",
        problem: "",
        state: "offered",
        closed: &[],
        check: &[IN_WEB, ("parts-readable", "block", "this machine holds it, and it stays in force here")],
    },
    Told {
        ill: "the list of machines is taken away that is held",
        problem: "",
        state: "offered",
        closed: &[],
        check: &[IN_WEB, ("parts-readable", "block", "the share has lost members/all.")],
    },
    Told {
        ill: "the file of a job is missing that is not held",
        problem: "malformed",
        state: "rejected",
        closed: &["record"],
        check: &[IN_WEB, ("parts-readable", "block", "jobs/BP0000AA.2.toml: revision 2 cannot be read")],
    },
    Told {
        ill: "the list of machines is missing that is not held",
        problem: "malformed",
        state: "offered",
        closed: &[],
        check: &[IN_WEB, ("parts-readable", "block", "members/all.")],
    },
    Told {
        ill: "the files of a package are changed on the share",
        problem: "content-mismatch",
        state: "offered",
        closed: &["content"],
        check: &[
            IN_WEB,
            ("content-source", "block", "BP0000Y: package BP00000A is not the one that was published"),
        ],
    },
    Told {
        ill: "a stranger has signed a package",
        problem: "",
        state: "rejected",
        closed: &["trust"],
        check: &[IN_WEB, ("trust", "block", "BP0000Y is rejected (bad-signature)")],
    },
];

impl Told {
    /// What differs.
    fn by_all(&self, share: &Indexed) -> Vec<String> {
        let mut differs = Vec::new();
        let mut same = |what: &str, told: String, wanted: String| {
            if told != wanted {
                differs.push(format!("{}: {what}: {told}, not {wanted}", self.ill));
            }
        };
        let known = if self.problem.is_empty() && self.state != "rejected" { 0 } else { 10 };
        for (view, exit) in [("status", known), ("list", 0)] {
            let output = share.site.pcm(&[view, "--json"]);
            same(view, format!("{:?}", output.status.code()), format!("{:?}", Some(exit)));
            let doc: Value = serde_json::from_slice(&output.stdout).unwrap();
            let codes: Vec<&str> =
                doc["problems"].as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap()).collect();
            same(view, codes.first().unwrap_or(&"").to_string(), self.problem.to_owned());
        }
        let all = share.site.json_of(&["list", "--all"]);
        let row = all["requests"].as_array().unwrap().iter().find(|row| row["job_id"] == JOB).unwrap();
        same("list", row["state"].as_str().unwrap().to_owned(), self.state.to_owned());
        let explained = share.site.json_of(&["explain", JOB]);
        same("explain", explained["state"].as_str().unwrap().to_owned(), self.state.to_owned());
        let gates = explained["gates"].as_array().unwrap().iter();
        let closed = gates.filter(|gate| gate["verdict"] == "block" && gate["gate"] != "mandatory");
        let closed: Vec<&str> = closed.map(|gate| gate["gate"].as_str().unwrap()).collect();
        same("explain", format!("{closed:?}"), format!("{:?}", self.closed));
        let doc = share.site.json_of(&["check"]);
        for (name, verdict, words) in self.check {
            let row = item(&doc, name);
            let told = row["verdict"] == *verdict && row["evidence"].as_str().unwrap().contains(words);
            if !told {
                same(name, row.to_string(), format!("{verdict} {words}"));
            }
        }
        differs
    }
}

#[test]
fn what_is_wrong_with_a_share_is_told_alike_by_all_views() {
    let Some(mut share) = Indexed::signed() else { return };
    share.enrol();
    let mut job = share.job().later();
    let older = share.publish(std::slice::from_ref(&job));
    share.publish(std::slice::from_ref(&job));
    let _service = share.site.service();
    wait_for("it is in force", || share.site.json(&["list"])["serial"] == 2);
    // What is not copied yet closes a gate of its own once the share is away.
    wait_for("its content is here", || {
        let explained = share.site.json_of(&["explain", JOB]);
        let gates = explained["gates"].as_array().unwrap();
        gates.iter().any(|gate| gate["gate"] == "content" && gate["verdict"] == "pass")
    });
    let (root, away) = (share.site.share(), share.site.path("away"));
    let two_polls = |share: &Indexed| {
        let polls = || share.site.log().matches("Looking for index").count();
        let before = polls();
        wait_for("two more polls", || polls() >= before + 2);
    };
    let mut differs = Vec::new();
    for (n, told) in TOLD.iter().enumerate() {
        let index = fs::read_to_string(root.join("PCM.INDEX")).unwrap();
        // What is not held is missing before anybody has read it.
        let without = |share: &mut Indexed, job: &Job, file: &str| {
            let head = share.head();
            let text = share.parts(&head, std::slice::from_ref(job));
            fs::remove_file(root.join(file.replace('#', &head.serial.to_string()))).unwrap();
            let text = share.sign("publish", "pcm-publish", &text);
            share.place(&text);
        };
        let lose = |file: &str| fs::rename(root.join(file), &away).unwrap();
        let newest = format!("members/all.{}", share.serial);
        match n {
            0 => fs::rename(&root, &away).unwrap(),
            1 => lose("PCM.INDEX"),
            2 => share.place(&index[..index.len() / 2]),
            3 => share.place(&older),
            4 => lose("jobs/BP0000AA.1.toml"),
            5 => lose(&newest),
            6 => without(&mut share, &job.clone().revision(2), "jobs/BP0000AA.2.toml"),
            7 => {
                share.members = format!("{MACHINE} web-01 - db web\n");
                without(&mut share, &job, "members/all.#");
            }
            8 => {
                share.does = "echo changed".into();
                let content = share.content();
                let file = root.join("content").join(&content).join("files/setup.sh");
                let mut bytes = fs::read(&file).unwrap();
                // As large as its list says.
                *bytes.last_mut().unwrap() = b'#';
                write(&file, &bytes);
                let package = share.package(2, "");
                // That has written it anew.
                write(&file, &bytes);
                // What was held is not published once more as it was.
                let other = job.clone().revision(3).set("release", "2");
                job = job.revision(4);
                let other = other.set("package_sha256", format!("\"{package}\""));
                share.publish(&[other.set("content_sha256", format!("\"{content}\""))]);
            }
            _ => {
                share.does = String::new();
                let package = share.package_by("stranger", 3, "");
                let other = job.clone().revision(5).set("release", "3");
                job = job.revision(6);
                share.publish(&[other.set("package_sha256", format!("\"{package}\""))]);
            }
        }
        two_polls(&share);
        if n == 8 {
            wait_for("the copy has failed", || {
                share.site.json_of(&["status"])["problems"][0]["code"] == "content-mismatch"
            });
        }
        differs.extend(told.by_all(&share));
        match n {
            0 => fs::rename(&away, &root).unwrap(),
            1 => fs::rename(&away, root.join("PCM.INDEX")).unwrap(),
            4 => fs::rename(&away, root.join("jobs/BP0000AA.1.toml")).unwrap(),
            5 => fs::rename(&away, root.join(&newest)).unwrap(),
            _ => share.members = format!("{MACHINE} web-01 - web\n"),
        }
        share.publish(std::slice::from_ref(&job));
        wait_for("all is well again", || {
            share.site.json_of(&["status"])["problems"] == serde_json::json!([])
        });
    }
    assert!(differs.is_empty(), "{}", differs.join("\n"));
}
