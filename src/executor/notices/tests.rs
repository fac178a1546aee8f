#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::Value;

fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

fn notice(event: Event, of: &str) -> Notice {
    Notice::new(event, of, &format!("{of} is not well"), Wall::default())
}

fn failed(n: usize) -> Notice {
    notice(Event::Failed, &format!("run {n}"))
}

fn document(notices: &[Notice], dropped: &Counts) -> Value {
    let machine = Some("BP004000".parse().unwrap());
    let line = render(notices, dropped, machine, "pc-17", Wall::default()).unwrap();
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    assert!(line.ends_with(b"}\n"), "with its end, as a shell reads it");
    serde_json::from_slice(&line).unwrap()
}

/// As after a restart of the service.
fn kept(queue: &mut Queue) -> Queue {
    Queue::kept(&queue.changed_bytes().unwrap())
}

#[test]
fn a_few_are_told_one_by_one_and_many_in_one_call() {
    let mut queue = Queue::default();
    (0..2).for_each(|n| queue.push(failed(n)));
    for second in [0, 1] {
        let (notices, dropped) = queue.next(at(second)).unwrap();
        assert_eq!((notices.len(), dropped.len()), (1, 0));
        assert!(queue.next(at(second)).is_none(), "one at a time");
        queue.succeeded();
    }
    assert!(queue.next(at(2)).is_none());
    (0..MOST).for_each(|n| queue.push(failed(n)));
    queue.push(notice(Event::Missed, "late"));
    (0..2).for_each(|n| queue.push(failed(n)));
    let (notices, dropped) = queue.next(at(3)).unwrap();
    assert_eq!(notices.len(), MOST);
    assert_eq!(dropped, [(Event::Failed, 2), (Event::Missed, 1)].into());
    // What finds no room while the call is under way is told by the next one.
    queue.push(notice(Event::Missed, "later"));
    queue.succeeded();
    queue.push(failed(9));
    let (notices, dropped) = queue.next(at(4)).unwrap();
    assert_eq!((notices.len(), dropped), (1, [(Event::Missed, 1)].into()), "nothing without its number");
}

#[test]
fn what_comes_one_after_the_other_for_long_is_told_in_few_calls_and_loses_nothing() {
    let mut queue = Queue::default();
    let (mut calls, mut told) = (0, 0);
    for second in 0..7_200 {
        if second % 5 == 0 && second < 3_600 {
            queue.push(failed(second));
        }
        if let Some((notices, dropped)) = queue.next(at(second as u64)) {
            calls += 1;
            told += notices.len() as u64 + dropped.values().sum::<u64>();
            queue.succeeded();
        }
    }
    assert_eq!(told, 720);
    assert!(calls <= 4 * 7, "{calls}");
}

#[test]
fn a_call_that_fails_is_made_again_later_and_its_notices_are_given_up_at_last_with_their_number() {
    let mut queue = Queue::default();
    queue.push(failed(1));
    let why = SafeText::from("it ended with exit 1");
    let (mut now, mut waits) = (0, Vec::new());
    for again in [1, 1, 0] {
        assert!(queue.next(at(now)).is_some());
        let failed = queue.failed(&why, Wall::default(), at(now));
        assert_eq!((failed.again, failed.given_up), (again, 1 - again));
        assert!(queue.next(at(now + failed.after.as_secs() - 1)).is_none());
        waits.push(failed.after.as_secs());
        now += failed.after.as_secs();
        queue = kept(&mut queue);
        assert_eq!(queue.fault().map(|fault| &fault.why), Some(&why), "a restart hides nothing");
    }
    assert_eq!(waits, [60, 600, 3_600]);
    let number = Counts::from([(Event::Failed, 1)]);
    assert_eq!(queue.next(at(now)), Some((Vec::new(), number)), "nothing is left but its number");
    queue.succeeded();
    assert_eq!(queue.fault(), None, "the command works again");
    assert_eq!(queue.next(at(now)), None);
}

#[test]
fn numbers_alone_are_told_again_each_hour_and_with_what_happens_sooner() {
    let mut queue = Queue::default();
    (queue.dropped, queue.failures) = ([(Event::Failed, 1)].into(), 3);
    let why = SafeText::from("it ended with exit 1");
    for hour in 0..5 {
        let now = hour * 3_600;
        assert_eq!(queue.next(at(now)).unwrap().0, []);
        let failed = queue.failed(&why, Wall::default(), at(now));
        assert_eq!(failed.to_string(), "how many events were given up is told again in 1h");
        assert!(queue.next(at(now + 3_599)).is_none());
    }
    let now = 4 * 3_600 + 600;
    queue.push(failed(2));
    assert!(queue.next(at(now - 1)).is_none());
    let (notices, dropped) = queue.next(at(now)).unwrap();
    assert_eq!((notices.len(), dropped), (1, [(Event::Failed, 1)].into()));
    queue.succeeded();
    assert_eq!(queue.fault(), None);
    assert_eq!(queue.next(at(now)), None);
}

fn by(program: &str) -> [String; 1] {
    [program.to_owned()]
}

#[test]
fn another_command_is_tried_at_once_and_as_often_as_if_none_had_failed() {
    let failing = || {
        let mut queue = Queue::default();
        queue.push(failed(1));
        for now in [0, 60] {
            queue.call_by(&by("/page"));
            assert!(queue.next(at(now)).is_some());
            assert_eq!(queue.failed(&"no".into(), Wall::default(), at(now)).again, 1);
        }
        queue
    };
    let mut queue = failing();
    queue.call_by(&by("/page"));
    assert!(queue.next(at(61)).is_none(), "it is the same one");
    queue.call_by(&by("/mended"));
    assert!(queue.next(at(61)).is_some());
    let first = queue.failed(&"no".into(), Wall::default(), at(61));
    assert_eq!((first.again, first.after.as_secs()), (1, 60));

    // The version before did not keep which command failed.
    let old = String::from_utf8(failing().changed_bytes().unwrap()).unwrap();
    let mut old: serde_json::Value = serde_json::from_str(&old).unwrap();
    assert!(old.as_object_mut().unwrap().remove("command_sha256").is_some());
    let mut queue = Queue::kept(old.to_string().as_bytes());
    queue.call_by(&by("/page"));
    assert!(queue.next(at(0)).is_some());
    assert_eq!(queue.failed(&"no".into(), Wall::default(), at(0)).given_up, 0);

    // A service that starts again with the same one goes on where the one before it was; another one was mended meanwhile.
    for (program, given_up) in [("/page", 1), ("/mended", 0)] {
        let mut queue = kept(&mut failing());
        queue.call_by(&by(program));
        assert!(queue.next(at(0)).is_some());
        assert_eq!(queue.failed(&"no".into(), Wall::default(), at(0)).given_up, given_up, "{program}");
    }
}

#[test]
fn no_word_of_the_command_is_kept_and_each_of_them_counts() {
    let command = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<String>>();
    let mut queue = Queue::default();
    queue.push(failed(1));
    queue.call_by(&command(&["/usr/bin/page", "--token", "swordfish"]));
    assert!(queue.next(at(0)).is_some());
    queue.failed(&"no".into(), Wall::default(), at(0));
    let bytes = String::from_utf8(queue.changed_bytes().unwrap()).unwrap();
    assert!(!["/usr/bin/page", "token", "swordfish"].iter().any(|word| bytes.contains(word)), "{bytes}");
    let mut queue = Queue::kept(bytes.as_bytes());
    queue.call_by(&command(&["/usr/bin/page", "--token", "swordfish"]));
    assert_eq!((queue.program(), queue.failures), ("/usr/bin/page", 1), "the same one");
    queue.call_by(&command(&["/usr/bin/page", "--tokens", "wordfish"]));
    assert_eq!(queue.failures, 0, "another one");
}

#[test]
fn the_words_that_the_version_before_kept_are_gone_also_where_nobody_is_told_any_more() {
    let before = br#"{"pending":[],"command":["/page","swordfish"]}"#;
    let kept = |queue: &mut Queue| String::from_utf8(queue.changed_bytes().unwrap()).unwrap();
    let bytes = kept(&mut Queue::kept(before));
    assert!(
        !bytes.contains("swordfish") && Queue::kept(bytes.as_bytes()).changed_bytes().is_none(),
        "{bytes}"
    );
    let mut queue = Queue::kept(before);
    queue.call_by(&by("/page"));
    let bytes = kept(&mut queue);
    assert!(!bytes.contains("swordfish"), "{bytes}");
    // Written once, and not at each step or start.
    queue.call_by(&by("/page"));
    assert_eq!(queue.changed_bytes(), None);
    let mut queue = Queue::kept(bytes.as_bytes());
    queue.call_by(&by("/page"));
    assert_eq!(queue.changed_bytes(), None);
}

#[test]
fn calls_of_another_command_are_not_counted_and_one_that_is_under_way_keeps_its_name() {
    let mut queue = Queue::default();
    queue.call_by(&by("/page"));
    for n in 0..=CALLS {
        queue.push(failed(n));
        if n < CALLS {
            assert!(queue.next(at(0)).is_some());
            queue.call_by(&by("/other"));
            assert_eq!(queue.program(), "/page", "it was called before the configuration changed");
            queue.succeeded();
        }
    }
    queue.call_by(&by("/page"));
    assert!(queue.next(at(1)).is_none());
    queue.call_by(&by("/other"));
    assert!(queue.next(at(1)).is_some());
}

#[test]
fn what_was_kept_and_not_recorded_waits_once() {
    let of_request = |n: usize| Notice { request_id: "BP0000Y".parse().ok(), ..failed(n) };
    let mut queue = Queue::default();
    queue.push(of_request(1));
    // The service has died, and sees the same again.
    let mut queue = kept(&mut queue);
    queue.push(of_request(1));
    queue.push(of_request(2));
    assert_eq!(queue.waiting(), 2);
}

#[test]
fn what_is_so_is_told_once_for_as_long_as_it_is_so_also_over_restarts() {
    let mut queue = Queue::default();
    let low = || vec![notice(Event::DiskLow, ""), notice(Event::ContentMismatch, "BP00000A")];
    let nothing = BTreeSet::new();
    assert_eq!(queue.see(low(), &nothing).len(), 2);
    for _ in 0..3 {
        assert!(queue.see(low(), &nothing).is_empty());
    }
    queue = kept(&mut queue);
    assert!(queue.see(low(), &nothing).is_empty(), "the service before this one told it");
    // Nobody knows yet how it is.
    assert!(queue.see(Vec::new(), &nothing).is_empty());
    assert!(queue.see(low(), &nothing).is_empty());
    let over = queue.told().filter(|told| told.event == Event::DiskLow).cloned().collect();
    assert!(queue.see(Vec::new(), &over).is_empty());
    assert_eq!(queue.see(low(), &nothing), [notice(Event::DiskLow, "")], "it was over in between");
    let many = (0..MOST_TOLD * 2).map(|n| notice(Event::ContentMismatch, &n.to_string())).collect();
    assert_eq!(queue.see(many, &nothing).len(), MOST_TOLD - 2);
}

#[test]
fn what_was_not_told_when_the_service_ended_is_told_by_the_next_one() {
    let mut queue = Queue::default();
    queue.push(failed(1));
    queue.push(failed(2));
    assert!(queue.next(at(0)).is_some());
    queue = kept(&mut queue);
    assert!(queue.changed_bytes().is_none(), "nothing has changed");
    assert_eq!(queue.next(at(0)).unwrap().0, [failed(1)]);
    queue.succeeded();
    queue = kept(&mut queue);
    assert_eq!(queue.next(at(1)).unwrap().0, [failed(2)]);
    for damaged in [&b""[..], b"{", b"[1,2]", b"{\"pending\": 7}"] {
        assert_eq!(Queue::kept(damaged).waiting(), 0);
    }
}

#[test]
fn where_the_command_was_taken_away_nothing_waits_and_nothing_is_wrong() {
    let mut queue = Queue::default();
    queue.push(failed(1));
    assert!(queue.next(at(0)).is_some());
    queue.failed(&"no".into(), Wall::default(), at(0));
    queue.forget();
    assert_eq!((queue.waiting(), queue.fault()), (0, None));
}

#[test]
fn one_event_stands_at_the_top_and_in_the_list_and_several_only_there() {
    let one = Notice {
        request_id: Some("BP0000Y".parse().unwrap()),
        package: Some("Acme".into()),
        attempt: Some(1),
        state: Some(State::Failed),
        ..notice(Event::Failed, "BP0000Y-1")
    };
    let doc = document(std::slice::from_ref(&one), &Counts::new());
    assert_eq!((doc["format"].as_u64(), doc["count"].as_u64()), (Some(1), Some(1)));
    for doc in [&doc, &doc["events"][0]] {
        assert_eq!(
            (doc["event"].as_str(), doc["id"].as_str(), doc["request_id"].as_str(), doc["state"].as_str()),
            (Some("failed"), Some("BP004000 failed BP0000Y-1"), Some("BP0000Y"), Some("failed"))
        );
    }
    let doc = document(&[one, notice(Event::DiskLow, "")], &[(Event::Missed, 12)].into());
    assert_eq!((doc["event"].as_str(), doc["count"].as_u64()), (Some("digest"), Some(2)));
    assert_eq!(doc["message"], "2 events: 1 failed, 1 disk-low; 12 more that are not listed: 12 missed");
    assert_eq!((&doc["request_id"], doc["dropped"]["missed"].as_u64()), (&Value::Null, Some(12)));
    assert_eq!(doc["events"][1]["id"], "BP004000 disk-low");
}

#[test]
fn of_what_was_given_up_the_number_alone_is_told() {
    let dropped = [(Event::Failed, 2), (Event::Missed, 12)].into();
    let doc = document(&[], &dropped);
    assert_eq!((doc["event"].as_str(), doc["count"].as_u64()), (Some("digest"), Some(0)));
    assert_eq!(doc["message"], "14 events that are not listed: 2 failed, 12 missed");
    let doc = document(&[], &[(Event::Missed, 1)].into());
    assert_eq!(doc["message"], "1 event that is not listed: 1 missed");
}

#[test]
fn a_message_of_any_length_stays_short() {
    let long = Notice::new(Event::Failed, "x", &"ü".repeat(50_000), Wall::default());
    assert_eq!(long.message.as_str().chars().count(), MESSAGE + 1);
}

/// The programs of the documentation read so much and no more.
#[test]
fn a_document_is_never_longer_than_those_who_read_it_read() {
    let long = "\u{10348}".repeat(50_000);
    let package = Some(SafeText::new(&"\u{10348}".repeat(1_000)));
    let most = Notice { package, ..Notice::new(Event::ContentMismatch, &long, &long, Wall::default()) };
    let dropped: Counts = Event::ALL.iter().map(|event| (*event, u64::MAX / 100)).collect();
    let line = render(&vec![most; MOST], &dropped, None, "pc-17", Wall::default()).unwrap();
    assert!((2_000_000..4_000_000).contains(&line.len()), "{}", line.len());
    let page = include_str!("../../../.github/docs/notifications.md");
    assert_eq!(page.matches("$(head -c 4000000").count(), 4);
}

#[test]
fn an_entry_of_the_journal_is_found_by_its_fields() {
    let one = Notice {
        request_id: Some("BP0000Y".parse().unwrap()),
        attempt: Some(2),
        ..notice(Event::Failed, "x")
    };
    let fields = entry(&one, Some("BP004000".parse().unwrap()));
    for field in [
        ("MESSAGE", "failed BP0000Y: x is not well"),
        ("PRIORITY", "3"),
        ("PCM_EVENT", "failed"),
        ("PCM_MACHINE", "BP004000"),
        ("PCM_REQUEST", "BP0000Y"),
        ("PCM_ATTEMPT", "2"),
    ] {
        assert!(fields.contains(&(field.0, field.1.to_owned())), "{field:?}: {fields:?}");
    }
    assert!(!fields.iter().any(|(name, _)| *name == "PCM_PACKAGE"), "what is not known has no field");
}

#[test]
fn the_documentation_has_each_event_in_its_words_and_each_field() {
    let page = include_str!("../../../.github/docs/notifications.md");
    for event in Event::ALL {
        let row = format!("| `{event}` | {} |", event.words());
        assert!(page.contains(&row), "{row}");
    }
    let doc = document(&[failed(1)], &Counts::new());
    let fields = doc.as_object().unwrap().keys().chain(doc["events"][0].as_object().unwrap().keys());
    for field in fields {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
}
