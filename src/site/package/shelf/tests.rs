//! Ids, and what is left when placing fails.
#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;

/// A file of this folder, as it is called there.
fn brought(dir: &tempfile::TempDir, below: &str, to: &str) -> Brought {
    Brought { base: dir.path().to_owned(), below: below.into(), to: to.into() }
}

fn all(shelf: &Shelf) -> Folder {
    shelf.root.folder(FOLDER).unwrap()
}

fn share() -> (tempfile::TempDir, Shelf) {
    open::usual_umask();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("PCM.SITE"), "format = 1\nsite = \"BP0\"\nname = \"x\"\n").unwrap();
    let shelf = Shelf::open(dir.path()).unwrap();
    (dir, shelf)
}

fn id(text: &str) -> PackageId {
    text.parse().unwrap()
}

fn names(shelf: &Shelf) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(&shelf.dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_next_id_is_above_all_that_are_there_and_of_the_site() {
    let (_dir, shelf) = share();
    assert_eq!(shelf.next_id().unwrap(), id("BP000001"));
    for name in ["BP00000Z", "XY0ZZZZZ", "notes", ".BP0ZZZZ0.x"] {
        fs::create_dir_all(shelf.dir.join(name)).unwrap();
    }
    assert_eq!(shelf.next_id().unwrap(), id("BP000010"));
    fs::create_dir(shelf.dir.join("BP0ZZZZZ")).unwrap();
    assert_eq!(shelf.next_id().unwrap(), id("BP000001"), "the last of all is taken: the lowest that is free");
    fs::create_dir(shelf.dir.join("BP000001")).unwrap();
    assert_eq!(shelf.next_id().unwrap(), id("BP000002"));
}

#[test]
fn a_replacement_that_fails_leaves_the_old_package_in_its_place() {
    let (_dir, shelf) = share();
    let (one, path) = (id("BP00000A"), shelf.path(id("BP00000A")));
    shelf.place(one, "old", &[], &[], false).unwrap();
    // The new one cannot get its name: it is not there any more.
    let refused = rename(&all(&shelf), "gone", one, true).unwrap_err();
    assert!(refused.remedy.as_str().contains("nothing with the package's name was changed"), "{refused}");
    assert_eq!(fs::read(path.join(NAME)).unwrap(), b"old");
    assert_eq!(names(&shelf), ["BP00000A"]);
    // Nor can the old one: somebody made another of that name meanwhile.
    let away = durable::put_away_in(&all(&shelf), one.as_str()).unwrap();
    fs::create_dir(&path).unwrap();
    let refused = back(&all(&shelf), &away, one, "no space");
    let away = shelf.dir.join(away);
    assert!(
        refused.message.as_str().contains(&format!("the old package is now {}", away.display())),
        "{refused}"
    );
    assert_eq!(refused.remedy.to_string(), format!("mv {} {}", away.display(), path.display()));
}

#[test]
fn a_package_that_is_away_is_taken_told_and_never_removed() {
    let (_dir, shelf) = share();
    let one = id("BP000001");
    shelf.place(one, "the only copy", &[], &[], false).unwrap();
    let away = shelf.dir.join(durable::put_away_in(&all(&shelf), one.as_str()).unwrap());
    fs::create_dir(shelf.dir.join(".BP00000Z.abcdef")).unwrap();
    let left = shelf.standing().unwrap().left;
    let said: Vec<_> = left.iter().map(|l| (l.id, l.what)).collect();
    assert_eq!(said, [(id("BP00000Z"), LeftOf::Begun), (one, LeftOf::Away)]);
    assert_eq!(left[1].remedy(), format!("mv {} {}", away.display(), shelf.path(one).display()));
    assert!(left[0].words().contains("interrupted here, or is at work"), "{}", left[0].words());
    assert_eq!(shelf.next_id().unwrap(), id("BP000002"));
    assert_eq!(shelf.may_place(one, false).unwrap_err().code, "package-exists");
    // Neither another import nor one in its place removes it.
    shelf.place(id("BP000002"), "x", &[], &[], false).unwrap();
    shelf.place(id("BP000002"), "y", &[], &[], true).unwrap();
    shelf.place(one, "new", &[], &[], true).unwrap();
    assert_eq!(fs::read(away.join(NAME)).unwrap(), b"the only copy");
    let left = shelf.standing().unwrap().left;
    assert_eq!(left[1].what, LeftOf::Replaced);
}

#[test]
fn a_site_folder_is_known_by_its_source_and_anything_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let code = |e: Failure| (e.code, e.exit);
    let missing = || code(Shelf::open(dir.path()).unwrap_err());
    assert_eq!(missing(), ("no-such-share".into(), Exit::NotFound as u8));
    fs::write(dir.path().join("site.toml"), "site = \"B\"\n").unwrap();
    assert_eq!(missing().0, "no-such-share");
    fs::write(dir.path().join("site.toml"), "site = \"XY1\"\nshare = \"share\"\n").unwrap();
    assert_eq!(Shelf::open(dir.path()).unwrap().site.as_str(), "XY1");
}

#[test]
fn a_package_is_there_whole_or_not_at_all() {
    let (dir, shelf) = share();
    let from = dir.path().join("acme.deb");
    fs::write(&from, "one").unwrap();
    let files = [brought(&dir, "acme.deb", "sub/acme.deb")];
    let one = id("BP00000A");
    let place = |files: &[Brought], replace| shelf.place(one, "definition", files, &[], replace);
    let written = place(&files, false).unwrap();
    assert_eq!((written.files, written.bytes), (1, 3));
    assert_eq!(fs::read(shelf.path(one).join("files/sub/acme.deb")).unwrap(), b"one");
    assert_eq!(fs::read(shelf.path(one).join(NAME)).unwrap(), b"definition");
    let folder = Folder::open(&shelf.path(one)).unwrap();
    assert_eq!(contents(&folder).unwrap().1, written.sha256);

    // Refused without a word about replacing, and nothing of it is changed.
    fs::write(&from, "another").unwrap();
    assert_eq!(place(&files, false).unwrap_err().code, "package-exists");
    assert_eq!(fs::read(shelf.path(one).join("files/sub/acme.deb")).unwrap(), b"one");
    // What cannot be copied changes nothing either, and leaves nothing.
    let gone = [files[0].clone(), brought(&dir, "gone", "gone")];
    assert_eq!(place(&gone, true).unwrap_err().code, "package-not-made");
    assert_eq!(fs::read(shelf.path(one).join("files/sub/acme.deb")).unwrap(), b"one");
    assert_eq!(names(&shelf), ["BP00000A"]);
    let again = place(&files, true).unwrap();
    assert_eq!(fs::read(shelf.path(one).join("files/sub/acme.deb")).unwrap(), b"another");
    assert_eq!(names(&shelf), ["BP00000A"]);
    // The same files give the same list.
    assert_eq!(place(&files, true).unwrap().sha256, again.sha256);
    assert_eq!(shelf.may_place(id("XY00000A"), false).unwrap_err().code, "other-site");
}

#[cfg(unix)]
#[test]
fn no_link_is_copied_and_others_may_write_nothing() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (dir, shelf) = share();
    symlink("/etc/passwd", dir.path().join("link")).unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    fs::write(dir.path().join("real/file"), "x").unwrap();
    symlink("real", dir.path().join("folder")).unwrap();
    for (below, why) in [("link", "it is a link"), ("folder/file", "it is a link")] {
        let link = [brought(&dir, below, "link")];
        let refused = shelf.place(id("BP00000A"), "", &link, &[], false).unwrap_err();
        assert!(refused.message.as_str().contains(why), "{refused}");
    }
    fs::write(dir.path().join("open"), "x").unwrap();
    fs::set_permissions(dir.path().join("open"), fs::Permissions::from_mode(0o666)).unwrap();
    let open = [brought(&dir, "open", "open")];
    shelf.place(id("BP00000A"), "", &open, &[], false).unwrap();
    for name in ["", "files", "files/open", "CONTENT", NAME] {
        let mode = fs::metadata(shelf.path(id("BP00000A")).join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0, "{name}: {mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_or_removed_where_a_link_of_the_share_leads() {
    use std::os::unix::fs::symlink;
    let (dir, shelf) = share();
    let elsewhere = tempfile::tempdir().unwrap();
    let there = || {
        let mut names: Vec<String> = walkdir::WalkDir::new(elsewhere.path())
            .into_iter()
            .map(|e| e.unwrap().path().strip_prefix(elsewhere.path()).unwrap().display().to_string())
            .collect();
        names.sort();
        names
    };
    fs::write(dir.path().join("acme.deb"), "one").unwrap();
    let files = [brought(&dir, "acme.deb", "acme.deb")];
    let one = id("BP00000A");
    let linked = |refused: Failure| {
        assert!(refused.message.as_str().contains("it is a link"), "{refused}");
    };
    // The folder of all packages is a link.
    symlink(elsewhere.path(), &shelf.dir).unwrap();
    linked(shelf.place(one, "x", &files, &[], false).unwrap_err());
    linked(shelf.next_id().unwrap_err());
    assert_eq!(there(), [""]);
    fs::remove_file(&shelf.dir).unwrap();
    // A package is one: it is replaced itself, and never read.
    fs::create_dir(&shelf.dir).unwrap();
    fs::create_dir(elsewhere.path().join("files")).unwrap();
    fs::write(elsewhere.path().join("files/a"), "").unwrap();
    symlink(elsewhere.path(), shelf.path(one)).unwrap();
    assert_eq!(shelf.package(one).unwrap_err(), OpenError::Linked);
    assert_eq!(shelf.place(one, "x", &files, &[], false).unwrap_err().code, "package-exists");
    shelf.place(one, "x", &files, &[], true).unwrap();
    assert!(!fs::symlink_metadata(shelf.path(one)).unwrap().is_symlink());
    assert_eq!(names(&shelf), ["BP00000A"]);
    // A folder of a package is one: what is removed with the package is the link.
    symlink(elsewhere.path(), shelf.path(one).join("files/sub")).unwrap();
    linked(write_list(&shelf.package(one).unwrap()).unwrap_err());
    shelf.place(one, "y", &files, &[], true).unwrap();
    assert_eq!(there(), ["", "files", "files/a"]);
    assert_eq!(names(&shelf), ["BP00000A"]);
}

#[test]
fn two_imports_at_once_get_two_ids() {
    let (_dir, shelf) = share();
    let free = shelf.next_id().unwrap();
    let text = |id: PackageId| format!("of {id}");
    // The other one ends while this one copies.
    let other = || shelf.place(free, "other", &[], &[], false).map(drop);
    let (got, _) = shelf.place_alone(Id::Free(free), text, (&[], &[]), false, other).unwrap();
    assert_eq!((free, got), (id("BP000001"), id("BP000002")));
    assert_eq!(fs::read(shelf.path(free).join(NAME)).unwrap(), b"other");
    assert_eq!(fs::read(shelf.path(got).join(NAME)).unwrap(), b"of BP000002");
    assert_eq!(names(&shelf), ["BP000001", "BP000002"]);
    // Who names an id gets that one, or none.
    let named = shelf.place_alone(Id::Named(free), text, (&[], &[]), false, || Ok(()));
    assert_eq!(named.unwrap_err().code, "package-exists");
}
