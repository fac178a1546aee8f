//! A share under an index.

use super::*;
use crate::site::content::hash_bytes;

/// A share under an index with one job, and the rows of what is wrong with it.
#[test]
fn a_share_under_an_index_is_judged_by_what_the_index_names() {
    let site = Site::new();
    for folder in ["jobs", "members", "policy"] {
        fs::create_dir_all(site.path(folder)).unwrap();
    }
    let job = include_str!("../../../../tests/fuzz/corpus/job/full");
    // No row: it needs nothing, and its machines are in the list.
    let job = job.replace("depends_on = [\"BP0000X\", \"BP00000B\"]\n", "").replace(", \"BP004000\"]", "]");
    let members = "BP004000 web-01 - web\nBP004001 - - web\n";
    let policy = include_str!("../../../../tests/fuzz/corpus/policy/web");
    let list = format!("all 1 {}\n", hash_bytes(members.as_bytes()).as_str());
    let publish = |job: &str, members: &str| {
        let hash = |text: &str| hash_bytes(text.as_bytes()).as_str().to_owned();
        for (name, text) in [
            ("PCM.SITE", "format = 2\nsite = \"BP0\"\nname = \"Head office\"\n"),
            ("jobs/BP0000AA.2.toml", job),
            ("members/all.1", members),
            ("members/LIST.1", &list),
            ("policy/web.3.toml", policy),
        ] {
            site.write(name, text);
        }
        site.write(
            "PCM.INDEX",
            &format!(
                "kind = \"index\"\nformat = 1\nsite = \"BP0\"\nsite_id = \"abcdefgh12345678\"\nepoch = 0\nserial = 1\n\
                 issued = 2026-11-22T07:00:00Z\n[[job]]\njob_id = \"BP0000AA\"\nrevision = 2\nsha256 = \"{}\"\n\
                 state = \"active\"\npercent = 100\n[[policy]]\ngroup = \"web\"\nrevision = 3\nsha256 = \"{}\"\n\
                 [members]\nparts = 0\nrevision = 1\nsha256 = \"{}\"\n[end]\nserial = 1\n",
                hash(job),
                hash(policy),
                hash(&list)
            ),
        );
    };
    publish(&job, members);
    let mut rows = site.rows();
    let package =
        rows.iter().position(|row| row.evidence.contains("BP00000A/3/package.toml: it does not exist"));
    rows.remove(package.unwrap());
    assert!(rows.iter().all(|row| row.verdict == Verdict::Pass), "{rows:?}");
    assert!(rows.iter().any(|row| row.item == "targets" && row.evidence == "2 machines, 0 deliveries"));
    let wrong = |item: &str| {
        let rows = site.rows();
        let found = rows.iter().find(|row| row.item == item && row.verdict != Verdict::Pass);
        found.unwrap_or_else(|| panic!("{rows:?}")).evidence.clone()
    };
    publish(&job, "BP004000 web-01 - web\n");
    assert!(wrong("parts").contains("not those that the index names"));
    publish(&job.replace("[\"@web\", \"BP0040*\"]", "[\"@wep\"]"), members);
    assert!(wrong("targets").contains("@wep is not in the list of machines"));
    publish(&job.replace("spread = ", "depends_on = [\"BP0000Z\"]\nspread = "), members);
    assert!(wrong("dependencies").contains("no job of the site delivers"));
    publish(&job.replace("release = 3", "release = 0"), members);
    assert!(wrong("parts").contains("1 or more"));
    site.write("PCM.INDEX", "kind = \"index\"\n");
    assert!(wrong("index").contains("is missing"));
}
