//! What publishing, watching and collecting ask of a bucket, and a poll that finds another index: the figures of
//! `.github/GROWTH.md`.

use super::super::common::web::Web;
use super::{access, in_a_bucket};
use std::collections::BTreeMap;

/// Requests since, by method and kind of object.
fn kinds(web: &Web, from: usize) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for asked in web.asked().iter().skip(from) {
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
    let share = access(publisher.dir.path(), &web);
    let machine = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &share);
    let _service = machine.site.service();
    let request = publisher.send();
    machine.succeeds(&request);
    let asks = |what: &str, args: &[&str]| {
        let from = web.asked().len();
        publisher.done(args);
        // The machine polls and reports meanwhile: what it asks for is not the publisher's.
        let mut own = kinds(&web, from);
        let of_machine = ["GET PCM.INDEX 304", "PUT machines ", "HEAD machines "];
        own.retain(|kind, _| {
            !kind.contains(" trust ") && !of_machine.iter().any(|its| kind.starts_with(its))
        });
        let (sum, puts): (usize, usize) = own.iter().fold((0, 0), |(sum, puts), (kind, n)| {
            (sum + n, puts + if kind.starts_with("PUT") || kind.starts_with("DELETE") { *n } else { 0 })
        });
        println!("{what}: {sum} requests, {puts} of them writes: {own:?}");
        (sum, puts)
    };
    let job = publisher.done(&["rollout"])["jobs"][0]["job_id"].as_str().unwrap().to_owned();
    let (nothing, writes) = asks("publish, nothing changed", &["site", "publish"]);
    assert!(nothing <= 25 && writes <= 4, "{nothing} {writes}");
    let (suspend, writes) = asks("suspend a job", &["job", "suspend", &job, "--reason", "stop"]);
    assert!(suspend <= 40 && writes <= 8, "{suspend} {writes}");
    let (resume, _) = asks("resume it", &["job", "resume", &job, "--reason", "on"]);
    assert!(resume <= 40, "{resume}");
    asks("look at the rollout", &["rollout"]);
    let (again, writes) = asks("look at the rollout again", &["rollout"]);
    assert!(again <= 20 && writes == 0, "{again} {writes}");
    asks("advance", &["job", "advance"]);
    asks("collect", &["site", "collect"]);

    // A publication that is about other machines: what each machine's next poll asks for more.
    let polls =
        |from: usize| web.asked().iter().skip(from).filter(|one| one.path.ends_with("PCM.INDEX")).count();
    let list = std::fs::read_to_string(publisher.path("folder/machines.csv")).unwrap();
    std::fs::write(publisher.path("folder/machines.csv"), format!("{list}BP004100,,web\n")).unwrap();
    publisher.done(&["site", "publish"]);
    let from = web.asked().len();
    machine.wait("some polls after it", |_| polls(from) >= 6);
    let after = kinds(&web, from);
    println!("{} polls after a publication that is about others: {after:?}", polls(from));
    let lists: usize = after.iter().filter(|(kind, _)| kind.contains("list")).map(|(_, n)| n).sum();
    assert_eq!(lists, 0, "a machine lists nothing: {after:?}");
}
