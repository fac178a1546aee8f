//! Lists, copies and proofs.
#![allow(clippy::unwrap_used, clippy::type_complexity)]

use super::*;
use crate::host::durable;
use crate::site::content::ContentFact;
use crate::site::trust::{Judge, TrustMode};
use proptest::prelude::*;
use std::cell::Cell;
use std::fs;
use std::time::Duration;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A share with a package of these files, and a stage folder.
struct Site {
    share: tempfile::TempDir,
    stage: tempfile::TempDir,
}

fn at_any_pace(share: &Path, hash: &ContentHash, to: &Path, judge: &Judge) -> Result<(), NotStaged> {
    stage(share, Site::id(), hash, to, judge, &mut Pace::new(0, false, Duration::ZERO))
}

#[test]
fn while_it_is_copied_it_is_told_how_much_is_to_come() {
    thread_local!(static OF: Cell<u64> = const { Cell::new(0) });
    let site = Site::new(&[("a", b"12"), ("b", b"345")]);
    let hash = site.publish();
    let pace = &mut Pace::new(0, false, Duration::ZERO).telling(|_, of| OF.set(of));
    let judge = Judge::of(TrustMode::Signed);
    assert_eq!(stage(site.share.path(), Site::id(), &hash, site.stage.path(), &judge, pace), Ok(()));
    assert_eq!(OF.get(), 5);
}

impl Site {
    fn new(files: &[(&str, &[u8])]) -> Site {
        open::usual_umask();
        let site = Site { share: tempfile::tempdir().unwrap(), stage: tempfile::tempdir().unwrap() };
        fs::create_dir_all(site.package().join(FILES)).unwrap();
        for (path, bytes) in files {
            site.put(path, bytes);
        }
        site
    }

    fn package(&self) -> PathBuf {
        self.share.path().join("packages").join("BP00000A")
    }

    fn file(&self, path: &str) -> PathBuf {
        self.package().join(FILES).join(path)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        fs::create_dir_all(self.file(path).parent().unwrap()).unwrap();
        fs::write(self.file(path), bytes).unwrap();
    }

    fn publish(&self) -> ContentHash {
        write_content(&self.package()).unwrap().sha256
    }

    /// Publishes a list that `write_content` would not write.
    fn publish_text(&self, text: &str) -> ContentHash {
        fs::write(self.package().join(NAME), text).unwrap();
        hash_bytes(text.as_bytes())
    }

    fn id() -> Shelf {
        Shelf::Package("BP00000A".parse().unwrap())
    }

    fn stage_as(&self, mode: TrustMode, hash: &ContentHash) -> ContentFact {
        let staged = at_any_pace(self.share.path(), hash, self.stage.path(), &Judge::of(mode));
        staged.map_or_else(|not| not.fact, |()| ContentFact::Staged)
    }

    /// Over what a copy fails.
    fn over(&self, hash: &ContentHash) -> Option<Stands> {
        let judge = Judge::of(TrustMode::Signed);
        at_any_pace(self.share.path(), hash, self.stage.path(), &judge).unwrap_err().over
    }

    fn stands(&self, over: &Stands) -> bool {
        let any = hash_bytes(b"");
        stands_still(self.share.path(), Self::id(), &any, over, &Judge::of(TrustMode::Signed))
    }

    fn stage(&self, hash: &ContentHash) -> ContentFact {
        self.stage_as(TrustMode::Signed, hash)
    }

    fn staged(&self, hash: &ContentHash, path: &str) -> PathBuf {
        self.stage.path().join(hash.as_str()).join(path)
    }

    /// Nothing is left of a copy that failed.
    fn stage_is_empty(&self) -> bool {
        fs::read_dir(self.stage.path()).unwrap().next().is_none()
    }
}

fn why(fact: ContentFact) -> (&'static str, String) {
    match fact {
        ContentFact::Staged => ("staged", String::new()),
        ContentFact::Missing(why) => ("missing", why.to_string()),
        ContentFact::Mismatch(why) => ("mismatch", why.to_string()),
        ContentFact::Loose(why) => ("loose", why.to_string()),
    }
}

#[test]
fn the_list_is_sorted_by_bytes_with_hash_size_and_path() {
    let site = Site::new(&[("b.sh", b""), ("a/z", b"abc"), ("a-b", b""), ("B", b"")]);
    let written = write_content(&site.package()).unwrap();
    let text = fs::read_to_string(site.package().join(NAME)).unwrap();
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(text, format!("{EMPTY} 0 B\n{EMPTY} 0 a-b\n{abc} 3 a/z\n{EMPTY} 0 b.sh\n"));
    assert_eq!((written.files, written.bytes), (4, 3));
    assert_eq!(written.sha256, hash_bytes(text.as_bytes()));
    assert_eq!(parse_content(text.as_bytes()).unwrap().text(), text);
}

#[test]
fn what_a_copy_failed_over_is_seen_to_change_without_a_copy() {
    let site = Site::new(&[("a.bin", b"as published"), ("deep/b.bin", b"as published")]);
    let hash = site.publish();
    site.put("deep/b.bin", b"as tampered!");
    let over = site.over(&hash).unwrap();
    assert!(site.stands(&over));
    site.put("a.bin", b"another thing");
    assert!(site.stands(&over), "it would fail over the other file all the same");
    fs::remove_file(site.file("deep/b.bin")).unwrap();
    assert!(!site.stands(&over), "it is gone");
    site.put("a.bin", b"as published");
    let gone = site.over(&hash).unwrap();
    assert!(site.stands(&gone));
    site.put("deep/b.bin", b"as published");
    assert!(!site.stands(&gone), "it is there");

    site.publish_text("");
    let list = site.over(&hash).unwrap();
    assert!(site.stands(&list));
    site.publish();
    assert!(!site.stands(&list), "the list has changed");
    assert_eq!(site.stage(&hash), ContentFact::Staged);
}

#[test]
fn an_empty_package_has_an_empty_list() {
    let site = Site::new(&[]);
    let hash = site.publish();
    assert_eq!(hash.as_str(), EMPTY);
    assert_eq!(site.stage(&hash), ContentFact::Staged);
    assert_eq!(verify_staged(site.stage.path(), &hash).map(drop), Ok(()));
}

#[test]
fn a_package_without_a_folder_of_files_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(write_content(dir.path()).unwrap_err().code, "content-not-written");
}

#[test]
fn every_line_that_is_not_plainly_a_file_is_refused_with_its_number() {
    let line = |path: &str| format!("{EMPTY} 0 {path}\n");
    let refused = |text: &str| parse_content(text.as_bytes()).unwrap_err().line;
    for path in [
        "/etc/passwd",
        "../x",
        "a/../b",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "",
        "C:/x",
        "c:x",
        "a\\b",
        "\\\\server\\x",
        "a\u{0}b",
        "a\rb",
        "a\u{85}b",
        "x:stream",
        "..",
        ".",
    ] {
        assert_eq!(refused(&format!("{}{}", line("!"), line(path))), 2, "{path:?}");
    }
    assert_eq!(refused(&line(&"a/".repeat(70))), 1);
    assert_eq!(refused(&line(&"a".repeat(256))), 1);
    assert_eq!(refused(&line(&format!("{}x", "abcd/".repeat(300)))), 1);
    assert_eq!(refused(&format!("{}{}", line("b"), line("a"))), 2);
    assert_eq!(refused(&format!("{}{}", line("a"), line("a"))), 2);
    assert_eq!(refused(&format!("{}{}{}", line("a"), line("a-b"), line("a/c/d"))), 3);
    assert_eq!(refused(&format!("{EMPTY} 0 a")), 1);
    assert_eq!(refused(&format!("{EMPTY}  0 a\n")), 1);
    assert_eq!(refused(&format!("{EMPTY} 00 a\n")), 1);
    assert_eq!(refused(&format!("{EMPTY} -1 a\n")), 1);
    assert_eq!(refused(&format!("{EMPTY} +1 a\n")), 1);
    assert_eq!(refused(&format!("{EMPTY} a\n")), 1);
    assert_eq!(refused(&format!("{} 0 a\n", EMPTY.to_uppercase())), 1);
    assert_eq!(refused(&format!("{} 0 a\n", &EMPTY[1..])), 1);
    assert_eq!(refused(&format!("{}\n", line("a"))), 2);
    let huge = u64::MAX;
    assert_eq!(refused(&format!("{EMPTY} {huge} a\n{EMPTY} {huge} b\n")), 2);
    assert_eq!(parse_content(b"\xff\n").unwrap_err().line, 1);
    let many: String = (0..=MAX_FILES).map(|i| line(&format!("{i:06}"))).collect();
    assert_eq!(refused(&many), MAX_FILES + 1);
    // A blank inside a path is an ordinary character.
    assert_eq!(parse_content(line("a b  c").as_bytes()).unwrap().files[0].path, "a b  c");
}

#[test]
fn files_are_copied_with_their_folders_and_proven() {
    let deep = format!("{}deep.txt", "folder/".repeat(60));
    let files: Vec<(&str, &[u8])> =
        vec![("setup.sh", b"#!/bin/sh\n"), ("empty", b""), ("data/a b.bin", &[0, 255, 10]), (&deep, b"x")];
    let site = Site::new(&files);
    let hash = site.publish();
    assert!(!is_staged(site.stage.path(), &hash));
    assert_eq!(site.stage(&hash), ContentFact::Staged);
    assert!(is_staged(site.stage.path(), &hash));
    for (path, bytes) in &files {
        assert_eq!(&fs::read(site.staged(&hash, path)).unwrap(), bytes, "{path}");
    }
    assert_eq!(verify_staged(site.stage.path(), &hash).map(drop), Ok(()));
    // Twice is as good, even when the share is away.
    fs::remove_dir_all(site.package()).unwrap();
    assert_eq!(site.stage(&hash), ContentFact::Staged);
}

#[test]
fn a_thousand_files_in_many_folders_are_copied() {
    let names: Vec<String> = (0..1_000).map(|i| format!("{}/{}/f{i}", i % 7, i % 31)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), n.as_bytes())).collect();
    let site = Site::new(&files);
    let hash = site.publish();
    assert_eq!(site.stage(&hash), ContentFact::Staged);
    assert_eq!(verify_staged(site.stage.path(), &hash).map(drop), Ok(()));
}

#[test]
fn what_differs_from_the_list_is_never_staged() {
    let cases: [(&str, &dyn Fn(&Site)); 7] = [
        ("mismatch", &|s| s.put("a", b"changed, longer")),
        ("mismatch", &|s| s.put("a", b"sam3")),
        ("mismatch", &|s| s.put("a", b"")),
        ("missing", &|s| fs::remove_file(s.file("a")).unwrap()),
        ("missing", &|s| fs::remove_dir_all(s.file("")).unwrap()),
        ("missing", &|s| fs::remove_file(s.package().join(NAME)).unwrap()),
        ("mismatch", &|s| fs::write(s.package().join(NAME), "").unwrap()),
    ];
    for (expected, spoil) in cases {
        let site = Site::new(&[("a", b"same"), ("b", b"other")]);
        let hash = site.publish();
        spoil(&site);
        let (kind, words) = why(site.stage(&hash));
        assert_eq!(kind, expected, "{words}");
        assert!(words.contains(&site.package().display().to_string()), "{words}");
        assert!(site.stage_is_empty() && !is_staged(site.stage.path(), &hash));
    }
}

#[test]
fn a_published_list_with_hostile_paths_is_refused() {
    let site = Site::new(&[("a", b"")]);
    let hash = site.publish_text(&format!("{EMPTY} 0 ../../../../etc/x\n"));
    let (kind, words) = why(site.stage(&hash));
    assert_eq!(kind, "mismatch");
    assert!(words.contains("CONTENT line 1"), "{words}");
    assert!(site.stage_is_empty());
}

#[test]
fn a_sparse_file_far_larger_than_the_list_says_is_not_read_to_its_end() {
    let site = Site::new(&[("a", b"1234")]);
    let hash = site.publish();
    fs::OpenOptions::new().write(true).open(site.file("a")).unwrap().set_len(10 << 40).unwrap();
    assert_eq!(why(site.stage(&hash)).0, "mismatch");
}

#[test]
fn files_beside_the_listed_ones_are_not_copied() {
    let site = Site::new(&[("a", b"1")]);
    let hash = site.publish();
    site.put("later", b"x");
    assert_eq!(site.stage(&hash), ContentFact::Staged);
    assert!(!site.staged(&hash, "later").exists());
}

#[test]
fn content_changed_after_staging_is_found_before_the_launch_and_copied_anew() {
    let cases: [&dyn Fn(&Site, &ContentHash); 7] = [
        &|s, h| fs::write(s.staged(h, "d/a"), b"sam3").unwrap(),
        &|s, h| fs::write(s.staged(h, "d/a"), b"same and more").unwrap(),
        &|s, h| fs::remove_file(s.staged(h, "d/a")).unwrap(),
        &|s, h| fs::write(s.staged(h, "d/extra"), b"").unwrap(),
        &|s, h| fs::create_dir(s.staged(h, "extra")).unwrap(),
        &|s, h| (0..9).for_each(|i| fs::write(s.staged(h, &format!("{i}")), b"").unwrap()),
        &|s, h| fs::write(list_path(s.stage.path(), h), b"").unwrap(),
    ];
    for (i, spoil) in cases.iter().enumerate() {
        let site = Site::new(&[("d/a", b"same"), ("b", b"other")]);
        let hash = site.publish();
        assert_eq!(site.stage(&hash), ContentFact::Staged);
        spoil(&site, &hash);
        let why = verify_staged(site.stage.path(), &hash).unwrap_err();
        assert!(why.as_str().starts_with("staged content, "), "case {i}: {why}");
        assert!(!is_staged(site.stage.path(), &hash), "case {i}");
        assert_eq!(site.stage(&hash), ContentFact::Staged, "case {i}");
        assert_eq!(verify_staged(site.stage.path(), &hash).map(drop), Ok(()), "case {i}");
    }
}

#[test]
fn verifying_what_was_never_staged_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let hash = hash_bytes(b"x");
    assert!(verify_staged(dir.path(), &hash).is_err());
    assert!(verify_staged(&dir.path().join("none"), &hash).is_err());
    assert!(put_away_staged(dir.path(), &hash).is_ok());
}

#[test]
fn content_that_was_put_away_is_not_staged_and_can_be_staged_anew() {
    let site = Site::new(&[("a", b"1")]);
    let hash = site.publish();
    site.stage(&hash);
    let found = |wanted: usize| assert_eq!(find_staged(site.stage.path()).unwrap().len(), wanted);
    found(1);
    put_away_staged(site.stage.path(), &hash).unwrap();
    assert!(!is_staged(site.stage.path(), &hash));
    found(0);
    assert_eq!(site.stage(&hash), ContentFact::Staged);
    put_away_staged(site.stage.path(), &hash).unwrap();
    durable::remove_put_away(site.stage.path()).unwrap();
    assert!(site.stage_is_empty());
}

#[test]
fn a_stage_folder_that_cannot_be_written_is_said() {
    let site = Site::new(&[("a", b"1")]);
    let hash = site.publish();
    let file = site.stage.path().join("file");
    fs::write(&file, "").unwrap();
    let fact = at_any_pace(site.share.path(), &hash, &file, &Judge::of(TrustMode::Signed));
    assert_eq!(why(fact.unwrap_err().fact).0, "missing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_list_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_content(&bytes);
    }

    #[test]
    fn whatever_is_accepted_stays_below_its_folder(path in "[a./\\\\: b]{1,12}") {
        if let Ok(content) = parse_content(format!("{EMPTY} 0 {path}\n").as_bytes()) {
            let path = Path::new(&content.files[0].path);
            prop_assert!(path.components().all(|c| matches!(c, std::path::Component::Normal(_))));
        }
    }

    #[test]
    fn what_is_published_is_what_is_staged(
        files in proptest::collection::btree_map("[a-c]{1,2}(/[a-c]{1,2}){0,3}\\.x", proptest::collection::vec(any::<u8>(), 0..64), 0..12)
    ) {
        let list: Vec<(&str, &[u8])> = files.iter().map(|(p, b)| (p.as_str(), b.as_slice())).collect();
        let site = Site::new(&list);
        let hash = site.publish();
        prop_assert_eq!(site.stage(&hash), ContentFact::Staged);
        for (path, bytes) in &files {
            prop_assert_eq!(&fs::read(site.staged(&hash, path)).unwrap(), bytes);
        }
        prop_assert_eq!(verify_staged(site.stage.path(), &hash).map(drop), Ok(()));
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn staged_files_and_folders_can_be_run_by_all_and_written_by_their_owner_whatever_the_share_says() {
        let site = Site::new(&[("d/a", b"1"), ("b", b"2")]);
        chmod(&site.file("b"), 0o600);
        chmod(&site.file("d/a"), 0o4755);
        let hash = site.publish();
        assert_eq!(site.stage(&hash), ContentFact::Staged);
        for path in ["", "d", "d/a", "b"] {
            assert_eq!(mode(&site.staged(&hash, path)), 0o755, "{path}");
        }
        let inside = site.stage.path().join("new");
        let judge = Judge::of(TrustMode::Signed);
        assert_eq!(at_any_pace(site.share.path(), &hash, &inside, &judge), Ok(()));
        assert_eq!(mode(&inside), 0o700);
    }

    #[test]
    fn links_pipes_and_devices_on_the_share_are_neither_published_nor_copied() {
        let spoil: [&dyn Fn(&Path); 4] = [
            &|p| symlink("/etc/passwd", p).unwrap(),
            &|p| rustix::fs::mkfifoat(rustix::fs::CWD, p, 0o666.into()).unwrap(),
            &|p| drop(std::os::unix::net::UnixListener::bind(p).unwrap()),
            &|p| fs::hard_link(p.with_file_name("b"), p).unwrap(),
        ];
        for make in spoil {
            let site = Site::new(&[("d/a", b"1"), ("d/b", b"1")]);
            let hash = site.publish();
            fs::remove_file(site.file("d/a")).unwrap();
            make(&site.file("d/a"));
            assert_eq!(why(site.stage(&hash)).0, "mismatch");
            assert!(write_content(&site.package()).is_err());
            assert!(site.stage_is_empty());
        }
    }

    #[test]
    fn a_link_in_place_of_a_folder_of_the_package_is_not_followed() {
        for replaced in ["", "d", "d/e"] {
            let site = Site::new(&[("d/e/a", b"1")]);
            let hash = site.publish();
            let elsewhere = site.share.path().join("elsewhere");
            fs::rename(site.file(replaced), &elsewhere).unwrap();
            symlink(
                &elsewhere,
                site.package().join(FILES).join(replaced).to_str().unwrap().trim_end_matches('/'),
            )
            .unwrap();
            assert_eq!(why(site.stage(&hash)).0, "mismatch", "{replaced:?}");
        }
    }

    #[test]
    fn a_link_in_the_stage_is_found() {
        let site = Site::new(&[("d/a", b"1")]);
        let hash = site.publish();
        site.stage(&hash);
        fs::remove_file(site.staged(&hash, "d/a")).unwrap();
        symlink(site.file("d/a"), site.staged(&hash, "d/a")).unwrap();
        assert!(verify_staged(site.stage.path(), &hash).is_err());
    }

    #[test]
    fn in_mode_permissions_every_folder_and_file_of_the_package_has_to_be_tight() {
        let site = Site::new(&[("d/a", b"1")]);
        let hash = site.publish();
        let paths = [
            site.share.path().to_owned(),
            site.share.path().join("packages"),
            site.package(),
            site.package().join(NAME),
            site.package().join(FILES),
            site.file("d"),
            site.file("d/a"),
        ];
        for path in &paths {
            let before = mode(path);
            chmod(path, before | 0o020);
            let (kind, words) = why(site.stage_as(TrustMode::Permissions, &hash));
            assert_eq!(kind, "loose", "{path:?}: {words}");
            assert!(words.ends_with(&format!("chmod go-w {}", path.display())), "{words}");
            assert!(site.stage_is_empty());
            chmod(path, before);
        }
        assert_eq!(site.stage_as(TrustMode::Permissions, &hash), ContentFact::Staged);
    }

    #[test]
    fn names_that_are_not_utf8_or_clash_in_case_are_not_published() {
        use std::os::unix::ffi::OsStrExt as _;
        let site = Site::new(&[("readme", b"")]);
        fs::write(site.file("").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
        site.put("README", b"");
        site.put("a\\b", b"");
        let message = write_content(&site.package()).unwrap_err().message.to_string();
        assert_eq!(message.matches("; ").count(), 2, "{message}");
    }

    #[test]
    fn what_is_left_of_a_copy_is_removed_once_its_process_is_gone() {
        let site = Site::new(&[("a", b"1")]);
        let hash = site.publish();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let left = |who: &str| {
            let dir = site.stage.path().join(format!(".copy-{who}"));
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("a"), b"1").unwrap();
            dir
        };
        let own = std::process::id();
        let (gone, living) = (left(&format!("{}-x", child.id())), left(&format!("{own}-x")));
        // Whose number another process has by now, and that of a pcm that wrote no number.
        let (reused, old) = (left(&format!("{own}-y")), left("old"));
        let young = left("young");
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(49 * 3_600);
        for old in [&reused, &old] {
            fs::File::open(old).unwrap().set_modified(then).unwrap();
        }
        assert_eq!(site.stage(&hash), ContentFact::Staged);
        assert!(!gone.exists() && !reused.exists() && !old.exists());
        assert!(living.exists() && young.exists());
    }
}
