//! What a signed site says to a machine is told by several documents: they say the same while all is well, and while the
//! share has something that is not taken.

use super::common::{Site, now, seconds, stamp, wait_for, write};
use super::indexed::{Indexed, JOB};
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
