//! What is kept is what was read, and what is not as it was written is not used.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::rollout::account::Account;
use crate::rollout::foretold::{Foretold, Of};
use crate::site::ids::tests::machine as id;
use std::fs;

fn looked(n: u64) -> Looked {
    Looked { size: n, changed: 1 << 60, number: u64::MAX - n }
}

fn account(n: usize) -> Heard {
    let said = crate::rollout::account::Said::of("BP0000Y".parse().unwrap(), crate::terms::State::Failed);
    Ok(Account { host: format!("node-{n}").into(), requests: vec![said; n % 5], ..Account::default() })
}

/// A folder with a cache of ten machines, one of which says nothing.
fn filled(dir: &Path) -> PathBuf {
    let mut cache = Cache::open(dir, "c.db");
    for n in 0..9 {
        cache.put(id(n), looked(n as u64), &account(n));
    }
    cache.put(id(9), looked(9), &Err("damaged".into()));
    cache.save();
    assert!(cache.said.is_empty(), "{:?}", cache.said);
    dir.join("c.db")
}

fn stood(cache: &Cache) -> BTreeMap<MachineId, Looked> {
    let all = cache.stood(cache.rows.keys().copied());
    all.into_iter().filter_map(|(machine, looked)| Some((machine, looked?))).collect()
}

/// However machines are asked for, and however often: those that are not kept, too.
#[test]
fn whoever_asks_in_order_is_told_what_a_search_would_find() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let mut cache = Cache::open(dir.path(), "c.db");
    [2, 5, 6].into_iter().for_each(|n| cache.remove(id(n)));
    let orders: [&[usize]; 4] =
        [&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[3, 3, 9, 9, 12], &[9, 0, 4, 3, 8], &[2, 1, 0]];
    for order in orders {
        let mut rows = cache.in_order();
        for n in order {
            assert_eq!(rows.heard(id(*n), None), cache.heard(id(*n)), "{n} of {order:?}");
            assert_eq!(rows.is_good(id(*n)), cache.heard(id(*n)).map(|heard| heard.is_ok()));
        }
    }
}

#[test]
fn what_was_read_is_there_at_the_next_look_and_what_is_gone_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a/b");
    filled(&folder);
    let mut cache = Cache::open(&folder, "c.db");
    assert_eq!(stood(&cache).len(), 10);
    assert_eq!((stood(&cache)[&id(3)], cache.heard(id(3))), (looked(3), Some(account(3))));
    assert_eq!([3, 9, 10].map(|n| cache.in_order().is_good(id(n))), [Some(true), Some(false), None]);
    assert_eq!((cache.heard(id(9)), cache.heard(id(10))), (Some(Err("damaged".into())), None));
    cache.put(id(3), looked(33), &account(8));
    cache.keep(&(0..5).map(id).collect::<BTreeSet<_>>());
    let now: Wall = "2026-11-29T12:00:00Z".parse().unwrap();
    cache.was_looked_at(now);
    let (job_id, request_id) = ("BP0000AA".parse().unwrap(), "BP0000Y".parse().unwrap());
    let (of, curve) = (Of { job_id, request_id, percent: 500 }, Vec::new());
    let foretold = Foretold { of, at: now, targets: 9, done: 3, curve };
    cache.forecasts.keep(foretold.clone());
    let seals = Seals::of(vec![[7; 32], [3; 32]]);
    cache.verified(seals.clone());
    cache.save();
    let cache = Cache::open(&folder, "c.db");
    assert_eq!(cache.seals(), seals);
    assert_eq!((cache.looked(), cache.forecasts.all()), (Some(now), &[foretold][..]));
    assert_eq!((stood(&cache).len(), cache.heard(id(3)), cache.heard(id(9))), (5, Some(account(8)), None));
    let bytes: usize = cache.rows.values().map(|kept| kept.said.len()).sum();
    assert_eq!(cache.bytes, bytes);
}

#[test]
fn one_that_is_damaged_or_of_another_pcm_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = filled(dir.path());
    let change = |sql: &str| {
        Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    };
    change("UPDATE made SET by = 'another'");
    let cache = Cache::open(dir.path(), "c.db");
    assert!(cache.rows.is_empty() && cache.said.is_empty());
    for sql in [
        "UPDATE reports SET changed = changed + 1 WHERE machine = 'BP050003'",
        "UPDATE reports SET said = zeroblob(length(said)) WHERE machine = 'BP050003'",
        "UPDATE reports SET machine = 'BP05' WHERE machine = 'BP050003'",
        "UPDATE words SET said = zeroblob(length(said)) WHERE place = 0",
        "DELETE FROM words WHERE place = 0",
        "DELETE FROM words",
        "DROP TABLE reports",
        "DELETE FROM made",
    ] {
        filled(dir.path());
        change(sql);
        let cache = Cache::open(dir.path(), "c.db");
        assert!(cache.rows.is_empty(), "{sql}");
        assert!(cache.said[0].as_str().contains("damaged and is made anew"), "{sql}: {:?}", cache.said);
    }
    fs::write(&file, "no database").unwrap();
    assert!(Cache::open(dir.path(), "c.db").said[0].as_str().contains("damaged"));
    assert_eq!(Cache::open(dir.path(), "c.db").said, Vec::<SafeText>::new(), "it is gone");
    // Cut off anywhere.
    filled(dir.path());
    let whole = fs::read(&file).unwrap();
    for length in (0..whole.len()).step_by(997) {
        fs::write(&file, &whole[..length]).unwrap();
        let cache = Cache::open(dir.path(), "c.db");
        let right = |n: usize| cache.heard(id(n)).is_none_or(|heard| heard == account(n));
        assert!((0..9).all(right), "{length}");
    }
}

/// A machine whose run ended with this result.
fn said(n: usize, word: &str) -> Heard {
    let result = Some(word.into());
    let request = crate::rollout::account::Said::of("BP0000Y".parse().unwrap(), crate::terms::State::Failed);
    let requests = vec![crate::rollout::account::Said { result, ..request }];
    Ok(Account { host: format!("node-{n}").into(), requests, ..Account::default() })
}

/// Two who look at one site at the same time: neither reads its rows by the words of the other.
#[test]
fn what_two_write_at_a_time_is_what_one_of_them_has_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut both = [Cache::open(dir.path(), "c.db"), Cache::open(dir.path(), "c.db")];
    for round in 0..3 {
        for (cache, word) in both.iter_mut().zip(["one", "other"]) {
            let word = format!("{word} {round}");
            (0..4).for_each(|n| cache.put(id(n), looked(round), &said(n, &word)));
            cache.save();
            let read = Cache::open(dir.path(), "c.db");
            for n in 0..4 {
                assert_eq!(read.heard(id(n)), Some(said(n, &word)), "{round}");
                assert_eq!(cache.heard(id(n)), Some(said(n, &word)), "{round}");
            }
            assert!(read.said.is_empty() && cache.said.is_empty());
        }
    }
}

#[test]
fn one_that_was_removed_and_made_again_is_not_read_by_the_words_of_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = filled(dir.path());
    let mut watches = Cache::open(dir.path(), "c.db");
    fs::remove_file(&file).unwrap();
    let mut other = Cache::open(dir.path(), "c.db");
    for n in (0..9).rev() {
        let words = Account { host: format!("other-{n}").into(), ..account(n).unwrap() };
        other.put(id(n), looked(n as u64), &Ok(words));
    }
    other.put(id(9), looked(9), &Err("damaged".into()));
    other.save();
    watches.put(id(3), looked(33), &account(8));
    watches.save();
    assert!(watches.said.is_empty());
    let read = Cache::open(dir.path(), "c.db");
    assert!(read.said.is_empty());
    for n in [0, 1, 2, 4, 5, 6, 7, 8] {
        assert_eq!(read.heard(id(n)), Some(account(n)));
    }
    assert_eq!(read.heard(id(3)), Some(account(8)));
}

#[test]
fn a_pcm_of_another_version_keeps_what_it_has_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = filled(dir.path());
    let mut watches = Cache::open(dir.path(), "c.db");
    Connection::open(&file).unwrap().execute_batch("UPDATE made SET by = 'another'").unwrap();
    let before = fs::read(&file).unwrap();
    watches.put(id(3), looked(33), &account(8));
    watches.save();
    assert!(watches.said.iter().any(|said| said.as_str().contains("another version")), "{:?}", watches.said);
    assert_eq!(fs::read(&file).unwrap(), before);
}

/// Two consoles that watch one site.
#[test]
fn what_another_one_has_kept_in_this_minute_is_not_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = filled(dir.path());
    let now: Wall = "2026-11-29T12:00:00Z".parse().unwrap();
    let mut both = [Cache::open(dir.path(), "c.db"), Cache::open(dir.path(), "c.db")];
    let mut stood = Vec::new();
    for (round, cache) in [(0, 0), (1, 1), (1, 1), (1, 1)] {
        let word = format!("word {round} of {cache}");
        (0..4).for_each(|n| both[cache].put(id(n), looked(round), &said(n, &word)));
        both[cache].was_looked_at(now);
        both[cache].save();
        stood.push(fs::read(&file).unwrap());
    }
    assert!(stood.iter().all(|bytes| *bytes == stood[0]), "the second one has written its own");
    // The first one is gone, and what the second one has read meanwhile is kept.
    both[1].was_looked_at(now + TimeDelta::minutes(2));
    both[1].save();
    let read = Cache::open(dir.path(), "c.db");
    assert!(read.said.is_empty() && both[1].said.is_empty());
    (0..4).for_each(|n| assert_eq!(read.heard(id(n)), Some(said(n, "word 1 of 1"))));
    assert_eq!(read.looked(), Some(now + TimeDelta::minutes(2)));
}

#[test]
fn words_that_nobody_says_any_more_make_room_where_there_is_none_left() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let mut cache = Cache::open(dir.path(), "c.db");
    let free =
        |cache: &mut Cache| (0..50_000).filter(|n| cache.words.texts.add(format!("old {n}").into())).count();
    assert!(free(&mut cache) > 0 && cache.words.is_full());
    cache.put(id(0), looked(7), &account(0));
    cache.save();
    let mut cache = Cache::open(dir.path(), "c.db");
    assert!(!cache.words.is_full());
    let right = |cache: &Cache| (0..9).all(|n| cache.heard(id(n)) == Some(account(n)));
    assert!(right(&cache));
    cache.save();
    assert!(right(&Cache::open(dir.path(), "c.db")) && cache.said.is_empty());
}

#[test]
fn what_does_not_fit_is_said_of_the_report_and_of_no_other() {
    let mut cache = Cache::nowhere();
    cache.bytes = MOST_BYTES - 200;
    cache.put(id(1), looked(1), &Ok(Account { host: "x".repeat(1_000).into(), ..Account::default() }));
    let why = cache.heard(id(1)).unwrap().unwrap_err();
    assert!(why.as_str().contains("too large"), "{why}");
}

#[cfg(unix)]
#[test]
fn what_somebody_else_could_have_written_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let file = filled(dir.path());
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let refused = || {
        let mut cache = Cache::open(dir.path(), "c.db");
        assert!(cache.rows.is_empty() && cache.said[0].as_str().contains("is not kept"), "{:?}", cache.said);
        cache.put(id(1), looked(1), &account(1));
        let before = fs::read(&file).unwrap();
        cache.save();
        assert_eq!(fs::read(&file).unwrap(), before, "it is not written either");
    };
    mode(&file, 0o666);
    refused();
    mode(&file, 0o644);
    mode(dir.path(), 0o777);
    refused();
    mode(dir.path(), 0o700);
    let own = dir.path().join("own.db");
    fs::rename(&file, &own).unwrap();
    std::os::unix::fs::symlink(&own, &file).unwrap();
    refused();
    fs::remove_file(&file).unwrap();
    fs::hard_link(&own, &file).unwrap();
    refused();
}
