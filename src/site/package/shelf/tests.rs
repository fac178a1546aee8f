//! Ids, and what is left when placing fails.
#![allow(clippy::unwrap_used)]

use super::*;

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
    let refused = shelf.name(&shelf.dir.join("gone"), one, true).unwrap_err();
    assert!(refused.remedy.as_str().contains("nothing with the package's name was changed"), "{refused}");
    assert_eq!(fs::read(path.join(NAME)).unwrap(), b"old");
    assert_eq!(names(&shelf), ["BP00000A"]);
    // Nor can the old one: somebody made another of that name meanwhile.
    let away = durable::put_away(&shelf.dir, one.as_str()).unwrap();
    fs::create_dir_all(path.join("files")).unwrap();
    let refused = back(&away, &path, "no space");
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
    let away = durable::put_away(&shelf.dir, one.as_str()).unwrap();
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
    let files = [Brought { from: from.clone(), to: "sub/acme.deb".into() }];
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
    let gone = [files[0].clone(), Brought { from: dir.path().join("gone"), to: "gone".into() }];
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
    let link = [Brought { from: dir.path().join("link"), to: "link".into() }];
    let refused = shelf.place(id("BP00000A"), "", &link, &[], false).unwrap_err();
    assert!(refused.message.as_str().contains("it is a link"), "{refused}");
    fs::write(dir.path().join("open"), "x").unwrap();
    fs::set_permissions(dir.path().join("open"), fs::Permissions::from_mode(0o666)).unwrap();
    let open = [Brought { from: dir.path().join("open"), to: "open".into() }];
    shelf.place(id("BP00000A"), "", &open, &[], false).unwrap();
    for name in ["", "files", "files/open", "CONTENT", NAME] {
        let mode = fs::metadata(shelf.path(id("BP00000A")).join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0, "{name}: {mode:o}");
    }
}
