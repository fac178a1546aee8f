//! What publishing, watching and collecting ask of a bucket, and a poll that finds another index: the figures of
//! `.github/GROWTH.md`.

use super::super::common::web::{Asked, Web};
use super::super::common::{mode, now, stamp, write};
use super::in_a_bucket;
use std::collections::BTreeMap;

/// Those that a key asked since, by method and kind of object.
fn kinds(web: &Web, from: usize, key: &str) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for asked in of_key(web, from, key) {
        let what = match asked.path.split("pcm/bp0/").nth(1) {
            None => "list",
            Some(path) => path.split(['/', '?']).next().unwrap_or_default(),
        };
        *kinds.entry(format!("{} {what} {}", asked.method, asked.status)).or_default() += 1;
    }
    kinds
}

#[test]
fn what_a_publisher_and_who_watches_ask_of_a_bucket_does_not_grow_with_the_site() {
    let Some((publisher, _bucket, web)) = in_a_bucket() else { return };
    publisher.done(&["site", "publish"]);
    // The machine has a key of its own, by which its requests are told from the publisher's.
    let own = "AKIDMACHINE";
    let key = publisher.dir.path().join("machine.key");
    write(&key, format!("access_key_id = {own:?}\nsecret_access_key = \"its-own\"\n").as_bytes());
    mode(&key, 0o600);
    let share = format!("endpoint = {:?}\ncredentials = {key:?}\n", web.url());
    let machine = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &share);
    let _service = machine.site.service();
    let request = publisher.send();
    machine.succeeds(&request);
    machine.wait("its report has come", |_| publisher.done(&["rollout"])["jobs"][0]["done"] == 1);
    let asks = |what: &str, args: &[&str]| {
        let from = web.asked().len();
        publisher.done(args);
        let own = kinds(&web, from, "AKIDEXAMPLE");
        let of =
            |method: &str| own.iter().filter(|(kind, _)| kind.starts_with(method)).map(|(_, n)| *n).sum();
        let (sum, writes, removals): (usize, usize, usize) =
            (own.values().sum(), of("PUT"), of("POST") + of("DELETE"));
        println!("{what}: {sum} requests, {writes} writes, {removals} removals: {own:?}");
        (sum, writes, removals)
    };
    let job = publisher.done(&["rollout"])["jobs"][0]["job_id"].as_str().unwrap().to_owned();
    // About 20 requests for each publication; nothing is written where nothing is new.
    let about_20 = |sum: usize| (15..=25).contains(&sum);
    let (sum, writes, removals) = asks("publish, nothing changed", &["site", "publish"]);
    assert!(about_20(sum) && (writes, removals) == (0, 0), "{sum} {writes} {removals}");
    for (verb, why) in [("suspend", "stop"), ("resume", "on")] {
        let (sum, writes, removals) = asks(verb, &["job", verb, &job, "--reason", why]);
        assert!(about_20(sum) && (writes, removals) == (2, 1), "{sum} {writes} {removals}");
    }
    let at = stamp(now());
    let send = ["job", "send", "--package", "BP00000A", "--to", "BP004004", "--mandatory", &at];
    // It looks at the reports, too, as a rollout does: a list, and what has changed since the last look.
    let (sum, writes, removals) = asks("send", &send);
    assert!(about_20(sum - 6) && (writes, removals) == (3, 1), "{sum} {writes} {removals}");
    let (sum, writes, removals) = asks("look at the rollout", &["rollout"]);
    assert!(sum <= 6 && (writes, removals) == (0, 0), "{sum} {writes} {removals}");
    let (sum, writes, removals) = asks("look at the rollout again", &["rollout"]);
    assert!(sum <= 6 && (writes, removals) == (0, 0), "{sum} {writes} {removals}");
    let (sum, writes, removals) = asks("advance", &["job", "advance"]);
    assert!(sum <= 3 && (writes, removals) == (0, 0), "{sum} {writes} {removals}");
    let (sum, writes, removals) = asks("collect", &["site", "collect"]);
    assert!(sum <= 8 && (writes, removals) == (1, 0), "{sum} {writes} {removals}");

    // A publication that is about other machines: what each machine's next poll asks for more than its three small things.
    machine.wait("two polls that change nothing", |_| is_idle(&web, 0, own));
    let list = std::fs::read_to_string(publisher.path("folder/machines.csv")).unwrap();
    std::fs::write(publisher.path("folder/machines.csv"), format!("{list}BP004100,,web\n")).unwrap();
    publisher.done(&["site", "publish"]);
    let is_written = |one: &Asked| one.method == "PUT" && one.path.ends_with("PCM.INDEX");
    let from = web.asked().iter().rposition(is_written).unwrap() + 1;
    let polls = || of_key(&web, from, own).iter().filter(|one| one.path.ends_with("PCM.INDEX")).count();
    machine.wait("some polls after it", |_| polls() >= 6 && is_idle(&web, from, own));
    let after = kinds(&web, from, own);
    println!("{} polls after a publication that is about others: {after:?}", polls());
    let of =
        |word: &str| -> usize { after.iter().filter(|(kind, _)| kind.contains(word)).map(|(_, n)| n).sum() };
    assert_eq!(of("list"), 0, "a machine lists nothing: {after:?}");
    assert_eq!(of("GET members "), 2, "the list, and the part of it that it is in: {after:?}");
    // One poll was under way when counting began.
    let all: usize = after.values().sum();
    assert!(all <= 3 * polls() + 2 + 5, "{all}: {after:?}");
}

/// What this key asked since.
pub fn of_key(web: &Web, from: usize, key: &str) -> Vec<Asked> {
    let key = format!("credential={}/", key.to_lowercase());
    web.asked().iter().skip(from).filter(|asked| asked.headers.contains(&key)).cloned().collect()
}

/// The last two polls with this key since brought nothing, and nothing was written meanwhile.
pub fn is_idle(web: &Web, from: usize, key: &str) -> bool {
    let asked = of_key(web, from, key);
    let index: Vec<usize> = (0..asked.len()).filter(|i| asked[*i].path.ends_with("PCM.INDEX")).collect();
    let Some([first, .., last]) = index.last_chunk::<3>() else { return false };
    asked[*first..*last].iter().all(|one| one.method != "PUT")
        && [first, last].iter().all(|i| asked[**i].status == 304)
}
