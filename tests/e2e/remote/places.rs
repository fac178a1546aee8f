//! Several locations and what they are for: a policy says which is near, content has a bandwidth and holds up no poll, what is
//! collected is read behind a web server, and nothing of the environment leads anywhere else.

use super::super::common::web::Web;
use super::super::common::{text, write};
use super::{access, copy, in_a_bucket, mirrored, polls};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// How often this was asked for.
fn asked(web: &Web, path: &str) -> usize {
    web.asked().iter().filter(|one| one.path.contains(path)).count()
}

#[test]
fn content_comes_from_where_a_policy_says_slowly_and_beside_the_polls() {
    let Some((publisher, first)) = mirrored() else { return };
    let near = Web::of_folder(&publisher.path("share"));
    fs::create_dir_all(publisher.path("folder/policy")).unwrap();
    write(&publisher.path("folder/policy/web.toml"), format!("near = {:?}\n", near.url()).as_bytes());
    // Twenty seconds: the three polls meanwhile, which are a second apart, have time on a machine that is busy, too.
    let size = 4_000_000;
    let big = publisher.path("folder/packages/BP00000A/files/big.bin");
    fs::write(&big, vec![7; size]).unwrap();
    publisher.files(&format!("#!/bin/sh\necho ran >> {}\n", publisher.path("ran").display()));
    publisher.done(&["site", "publish", "--expect", "99"]);
    let machine = publisher.machine(0, &[&first.url(), &near.url()], "bandwidth = \"200KB\"\n");
    let _service = machine.site.service();
    machine.wait("it polls", polls);
    let request = publisher.send();
    machine.wait("the big file is asked for", |_| asked(&near, "big.bin") > 0);
    let (began, before) = (Instant::now(), asked(&first, "PCM.INDEX"));
    // It looks at both locations again and again while it copies.
    machine.wait("polls while it copies", |_| asked(&first, "PCM.INDEX") >= before + 3);
    assert_eq!(publisher.ran(), 0, "it is copied still");
    machine.succeeds(&request);
    // As fast as it is allowed to at most; it began a little before it was seen.
    let least = Duration::from_secs_f64(size as f64 / (200 << 10) as f64) / 2;
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    assert_eq!((asked(&first, "/files/"), asked(&near, "big.bin")), (0, 1));
}

/// A console that has a web server's address alone: nobody lists names there, and the collector's file has all of them.
#[test]
fn what_was_collected_is_watched_through_a_web_server_without_a_list() {
    let Some((publisher, web)) = mirrored() else { return };
    let share = publisher.path("share").display().to_string();
    let machine = publisher.machine(0, &[&share], "");
    let _service = machine.site.service();
    let request = publisher.send();
    machine.succeeds(&request);
    let done = |told: &Value| {
        told["jobs"].as_array().unwrap().iter().any(|job| job["request_id"] == request && job["done"] == 1)
    };
    machine.wait("its report has come", |_| done(&publisher.done(&["rollout"])));
    let own = publisher.done(&["rollout"]);
    let afar = |name: &str| {
        let mut verb = publisher.verb(&["rollout", "--share", &web.url()]);
        verb.env("XDG_CACHE_HOME", publisher.path(name)).output().unwrap()
    };
    let without = afar("without");
    assert!(
        !without.status.success() || !done(&serde_json::from_slice(&without.stdout).unwrap()),
        "nobody has collected anything"
    );
    assert!(text(&without).contains("a web server says no names"), "it says why: {}", text(&without));
    // Few reports are read themselves: only of a large site is collected.
    let list = fs::read_to_string(publisher.path("folder/machines.csv")).unwrap();
    let more: String = (0..2_000).map(|n| format!("BP05{n:04}\n")).collect();
    write(&publisher.path("folder/machines.csv"), (list + &more).as_bytes());
    publisher.done(&["site", "publish", "--expect", "2000"]);
    publisher.done(&["site", "collect"]);
    let collected = afar("with");
    assert!(collected.status.success(), "{}", text(&collected));
    let told: Value = serde_json::from_slice(&collected.stdout).unwrap();
    assert!(done(&told) && told["collected"].is_object(), "{told:#}");
    for key in ["targets", "done", "failed", "waiting", "silent"] {
        assert_eq!(told["jobs"][0][key], own["jobs"][0][key], "{key}");
    }
    assert!(
        web.asked()
            .iter()
            .all(|one| matches!(one.method.as_str(), "GET" | "HEAD") && !one.path.contains("list-type"))
    );
}

/// A machine that publishes, too, compares the folder with the bucket by the key of its configuration.
#[test]
fn a_publisher_of_a_bucket_sees_whether_it_is_what_its_folder_says() {
    let Some((publisher, _bucket, web)) = in_a_bucket() else { return };
    publisher.done(&["site", "publish"]);
    let share = access(publisher.dir.path(), &web);
    let folder = format!("{share}\n[site]\nfolder = {:?}\n", publisher.path("folder"));
    let machine = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &folder);
    let matches = || {
        let check = machine.site.json_of(&["check"]);
        let items = check["items"].as_array().unwrap();
        items.iter().find(|item| item["item"] == "share-matches-folder").unwrap().clone()
    };
    let row = matches();
    assert!(row["verdict"] == "pass" && row["evidence"].to_string().contains("publication 1"), "{row:#}");
    let list = fs::read_to_string(publisher.path("folder/machines.csv")).unwrap();
    write(&publisher.path("folder/machines.csv"), format!("{list}BP004100,,web\n").as_bytes());
    let row = matches();
    assert!(row["verdict"] == "block" && row["evidence"].to_string().contains("not published"), "{row:#}");
}

/// Keys, endpoints and proxies that other programs take from the environment are nothing to pcm.
#[test]
fn nothing_of_the_environment_says_where_a_bucket_is_or_who_asks() {
    let Some((mut publisher, _bucket, web)) = in_a_bucket() else { return };
    let nowhere = "http://127.0.0.1:1";
    let other = [
        ("AWS_ACCESS_KEY_ID", "AKIDOTHER"),
        ("AWS_SECRET_ACCESS_KEY", "other"),
        ("AWS_SESSION_TOKEN", "other"),
        ("AWS_ENDPOINT", nowhere),
        ("AWS_ENDPOINT_URL", nowhere),
        ("AWS_ENDPOINT_URL_S3", nowhere),
        ("AWS_REGION", "eu-north-1"),
        ("AWS_DEFAULT_REGION", "eu-north-1"),
        ("AWS_ALLOW_HTTP", "false"),
        ("AWS_PROFILE", "other"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", nowhere),
        ("AWS_METADATA_ENDPOINT", nowhere),
        ("HTTP_PROXY", nowhere),
        ("http_proxy", nowhere),
        ("HTTPS_PROXY", nowhere),
        ("ALL_PROXY", nowhere),
        ("SSL_CERT_FILE", "/nowhere"),
    ];
    publisher.env = other.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    publisher.done(&["site", "publish"]);
    let share = access(publisher.dir.path(), &web);
    let machine = publisher.machine(0, &["s3://pcm-site/pcm/bp0"], &share);
    let polled = machine.site.command(&["poll", "--json"]).envs(other).output().unwrap();
    assert!(polled.status.success(), "{}", text(&polled));
    let asked = web.asked();
    assert!(asked.iter().any(|one| one.method == "PUT"));
    for one in asked.iter() {
        assert!(
            one.headers.contains("credential=akidexample/") && one.headers.contains("/us-east-1/s3/"),
            "{one:?}"
        );
        assert!(!one.headers.contains("other"), "{one:?}");
    }
}

/// A location that is behind is a note with its age, and nothing that is wrong.
#[test]
fn a_copy_that_lags_is_a_note_of_check_with_its_age() {
    let Some((publisher, web)) = mirrored() else { return };
    copy(&publisher.path("share"), &publisher.path("lags"));
    let behind = Web::of_folder(&publisher.path("lags"));
    publisher.send();
    let machine = publisher.machine(0, &[&behind.url(), &web.url()], "");
    let check = machine.site.json_of(&["check"]).to_string();
    let (_, note) =
        check.split_once(&format!("{} lags: serial 1, ", behind.url())).unwrap_or_else(|| panic!("{check}"));
    assert!(note.split(';').next().unwrap().ends_with("ago"), "{note}");
}
