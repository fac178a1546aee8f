#![allow(clippy::unwrap_used)]
use super::*;
use crate::site::ids::tests::machine as id;
use crate::site::signed::signers::Key;
use chrono::TimeDelta;
use proptest::prelude::*;

fn at(micros: i64) -> Wall {
    "2026-11-29T12:00:00Z".parse::<Wall>().unwrap() + TimeDelta::microseconds(micros)
}

/// What a machine could say: everything is there, or as little as can be.
fn account(n: usize, full: bool, requests: usize) -> Account {
    let text = |text: &str| full.then(|| SafeText::new(text));
    let number = |n: usize| i64::try_from(n).unwrap();
    let said = |r: usize| Said {
        job_id: full.then(|| format!("BP0001{r:02}").parse().unwrap()),
        package_id: full.then(|| "BP00000A".parse().unwrap()),
        since: full.then(|| at(number(n * r))),
        attempt: u32::try_from(r).unwrap(),
        blocked_by: Code::ALL.iter().skip(r).take(3).copied().collect(),
        next_change: full.then(|| at(-1_000_000 * number(r))),
        exit_code: full.then_some(-3),
        result: text(if r.is_multiple_of(2) { "the same" } else { "of this one" })
            .map(|text| if text == "the same" { text } else { SafeText::new(&format!("{text} {n}")) }),
        started_at: full.then_some(Wall::MAX_UTC),
        ended_at: full.then_some(Wall::MIN_UTC),
        forecast: match (full, r % 3) {
            (true, 0) => Some(Forecast::Runs { next: at(5), latest: Some(at(7)) }),
            (true, 1) => Some(Forecast::Runs { next: at(5), latest: None }),
            (true, _) => Some(Forecast::Never),
            (false, _) => None,
        },
        late_s: full.then_some(9),
        ..Said::of(format!("BP000{r:02}").parse().unwrap(), State::ALL[r % State::ALL.len()])
    };
    let requests: Vec<Said> = (0..requests).map(said).collect();
    // Microseconds are kept.
    let whole = |at: Wall| Wall::from_timestamp_micros(at.timestamp_micros()).unwrap();
    Account {
        publication: (3, 7),
        reported_at: at(number(n)),
        written: at(number(n) * 1_000),
        interval: Duration::from_secs(60),
        host: format!("node-{n}").into(),
        platform: full.then(|| Platform::ALL[0]),
        os: text("debian"),
        pcm_version: "0.1.0".into(),
        disk_free: full.then_some(1 << 40),
        hours_on: full.then_some(70),
        held_until: full.then(|| at(60_000_000)),
        frozen_until: full.then(|| at(61)),
        next_window: full.then(|| at(-62)),
        facts: text("rack").into_iter().map(|name| (name, SafeText::new("7"))).collect(),
        state_id: text(&format!("state-{n}")),
        number: full.then_some(u64::MAX),
        site_id: full.then(|| "abcdefgh23456723".parse().unwrap()),
        signed: if full { Signed::By(format!("ssh-ed25519 {n}")) } else { Signed::Not },
        requests: requests
            .into_iter()
            .map(|said| Said {
                started_at: said.started_at.map(whole),
                ended_at: said.ended_at.map(whole),
                ..said
            })
            .collect(),
        not_targeted: if full { vec!["BP0000AB".parse().unwrap()] } else { Vec::new() },
        ..Account::default()
    }
}

#[test]
fn what_many_say_is_kept_once_and_what_one_says_takes_no_place() {
    let mut words = Words::default();
    let sizes: Vec<usize> =
        (0..10).map(|n| words.pack(id(n), &Ok(account(n, true, 30))).unwrap().len()).collect();
    assert!(sizes[9] * 4 < sizes[0] * 3, "{sizes:?}");
    let before = (words.names.all().len(), words.texts.all().len());
    assert_eq!(before.0, 30);
    // However often one machine says it.
    for _ in 0..3 {
        words.pack(id(1), &Ok(account(99, true, 30))).unwrap();
    }
    assert_eq!((words.names.all().len(), words.texts.all().len()), before);
}

#[test]
fn a_key_takes_no_more_room_than_its_bytes_and_is_read_as_it_was_said() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM0D+93KqicDwlFlbVzN2Z9WNbHgZTwGNrlRo6PbIdrU";
    let mut words = Words::default();
    let mut length = |text: &str| {
        let heard = Ok(Account { signed: Signed::By(text.to_owned()), ..account(1, false, 0) });
        let packed = words.pack(id(1), &heard).unwrap();
        assert_eq!(words.unpack(&packed, None), Some(heard), "{text}");
        packed.len()
    };
    assert_eq!(ed25519(key).map(|bytes| ed25519_text(&bytes)).as_deref(), Some(key));
    let none = length("");
    assert_eq!(length(key) - none, 31, "32 bytes, and no length");
    // What is written in another way stays as it is written.
    let others = [
        format!("{key} "),
        format!("{key}="),
        key.replace("ssh-ed25519 ", "ssh-ed25519  "),
        key.replace("AAAAI", "AAAAJ"),
        key.replace("ssh-ed25519", "ssh-ed25518"),
        key[..key.len() - 4].to_owned(),
    ];
    assert!(Key::read(key).is_ok_and(|read| read.text() == key));
    for other in &others {
        assert_eq!(ed25519(other), None, "{other}");
        assert!(length(other) > none + other.len() - 1);
    }
}

#[test]
fn only_what_is_wanted_is_read() {
    let mut words = Words::default();
    let wanted = words.wanted(["BP00003".parse().unwrap()].into());
    for n in 0..3 {
        let packed = words.pack(id(n), &Ok(account(n, true, 6))).unwrap();
        for wanted in [&wanted, &words.wanted(["BP00003".parse().unwrap()].into())] {
            let read = words.unpack(&packed, Some(wanted)).unwrap().unwrap();
            let all = account(n, true, 6);
            assert_eq!(read.requests, all.requests[3..4]);
            assert_eq!(Account { requests: all.requests.clone(), ..read }, all);
        }
    }
}

proptest! {
    #[test]
    fn what_is_unpacked_is_what_was_packed_and_any_bytes_are_read_without_harm(
        machines in prop::collection::vec((0..5_usize, any::<bool>(), 0..40_usize), 1..12),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut words = Words::default();
        for (n, full, requests) in machines {
            let heard = Ok(account(n, full, requests));
            let packed = words.pack(id(n), &heard).unwrap();
            prop_assert!(is_good(&packed));
            prop_assert_eq!(words.unpack(&packed, None), Some(heard));
            words.unpack(&packed[..cut.index(packed.len())], None);
            let mut other = packed.to_vec();
            let at = cut.index(other.len());
            other.splice(at.., noise.iter().copied());
            words.unpack(&other, None);
        }
        let bad: Heard = Err("damaged".into());
        let packed = words.pack(id(0), &bad).unwrap();
        prop_assert!(!is_good(&packed));
        prop_assert_eq!(words.unpack(&packed, None), Some(bad));
    }
}
