//! Pipes, sockets, devices, links, owners and modes: only Unix has them all.

use super::*;
use crate::site::trust::TrustVerdict;
use std::os::unix::fs::{PermissionsExt as _, symlink};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn nothing_but_a_regular_file_with_one_name_is_opened_and_nothing_waits() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("plain"), "x").unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), 0o666.into()).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    symlink(at("plain"), at("link")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    symlink("/nowhere", at("dangling")).unwrap();
    assert_eq!(open_bounded(&at("pipe"), 9).unwrap_err(), OpenError::NotRegular);
    assert_eq!(open_bounded(&at("socket"), 9).unwrap_err(), OpenError::NotRegular);
    for link in ["link", "loop", "dangling"] {
        assert_eq!(open_bounded(&at(link), 9).unwrap_err(), OpenError::Linked, "{link}");
    }
    assert_eq!(open_bounded(Path::new("/dev/zero"), 9).unwrap_err(), OpenError::NotRegular);
    assert_eq!(open_bounded(Path::new("/dev/tty"), 9).unwrap_err(), OpenError::NotRegular);
    assert!(open_bounded(&at("plain"), 9).is_ok());
    fs::hard_link(at("plain"), at("second")).unwrap();
    assert_eq!(open_bounded(&at("plain"), 9).unwrap_err(), OpenError::Linked);
}

#[test]
fn hostile_things_in_place_of_the_instruction_file_are_faults_that_name_it() {
    let dir = share(7);
    let path = ins_path(dir.path());
    let hostile: [&dyn Fn(); 5] = [
        &|| rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o666.into()).unwrap(),
        &|| drop(std::os::unix::net::UnixListener::bind(&path).unwrap()),
        &|| symlink("/etc/passwd", &path).unwrap(),
        &|| fs::File::create(&path).unwrap().set_len(10 << 40).unwrap(),
        &|| fs::create_dir(&path).unwrap(),
    ];
    for make in hostile {
        fs::remove_file(&path).unwrap();
        make();
        assert_eq!(fault(&look_at(dir.path())), (Code::Malformed, path.display().to_string()));
    }
}

#[test]
fn a_link_in_place_of_a_folder_on_the_share_is_not_followed() {
    let (dir, other) = (share(7), share(8));
    fs::remove_dir_all(dir.path().join("pcmins.box")).unwrap();
    symlink(other.path().join("pcmins.box"), dir.path().join("pcmins.box")).unwrap();
    assert_eq!(fault(&look_at(dir.path())).0, Code::Malformed);
    // The configured path itself may be one.
    let link = dir.path().join("link");
    symlink(other.path(), &link).unwrap();
    assert_eq!(look_at(&link).found.unwrap().file.serial, 8);
}

#[test]
fn what_may_not_be_read_is_denied_and_not_missing() {
    if is_root() {
        crate::skipped("root may read everything");
        return;
    }
    let dir = share(7);
    chmod(&ins_path(dir.path()), 0o000);
    assert_eq!(fault(&look_at(dir.path())).0, Code::ShareDenied);
    chmod(dir.path(), 0o000);
    assert_eq!(fault(&look_at(dir.path())).0, Code::ShareDenied);
    chmod(dir.path(), 0o700);
}

/// The verdict of mode `permissions`: None is trusted, Some the evidence.
fn loose(share: &Path) -> Option<String> {
    match look_in(TrustMode::Permissions, &[share]).found.unwrap().trust {
        TrustVerdict::Trusted(_) => None,
        TrustVerdict::Refused(Code::LoosePermissions, evidence) => Some(evidence.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_share_that_only_its_owner_can_write_is_trusted_below_a_sticky_folder() {
    let dir = share(7);
    assert_eq!(loose(dir.path()), None);
    let above = tempfile::tempdir().unwrap();
    chmod(above.path(), 0o1777);
    let moved = above.path().join("share");
    fs::rename(dir.path(), &moved).unwrap();
    assert_eq!(loose(&moved), None);
    chmod(above.path(), 0o777);
    let evidence = loose(&moved).unwrap();
    assert!(
        evidence.contains("mode 0777")
            && evidence.ends_with(&format!("chmod go-w {}", above.path().display()))
    );
}

#[test]
fn whatever_others_can_write_is_named_with_its_mode_and_the_remedy() {
    let dir = share(7);
    let ins = ins_path(dir.path());
    let folder = dir.path().join("pcmins.box");
    let site = dir.path().join("PCM.SITE");
    for (path, mode, good) in [
        (site.as_path(), 0o666, 0o644),
        (ins.as_path(), 0o664, 0o644),
        (ins.as_path(), 0o646, 0o644),
        (folder.as_path(), 0o775, 0o755),
        (folder.as_path(), 0o1777, 0o755),
        (dir.path(), 0o770, 0o700),
        (dir.path(), 0o1777, 0o700),
    ] {
        chmod(path, mode);
        let evidence = loose(dir.path()).unwrap();
        let expected = format!(
            "{p} can be written by others than its owner (mode {mode:04o}): chmod go-w {p}",
            p = path.display()
        );
        assert_eq!(evidence, expected);
        chmod(path, good);
        assert_eq!(loose(dir.path()), None);
    }
}

#[test]
fn what_belongs_to_somebody_else_is_refused_with_the_owner() {
    if !is_root() {
        crate::skipped("only root can give files away");
        return;
    }
    let dir = share(7);
    for path in [ins_path(dir.path()), dir.path().join("pcmins.box"), dir.path().to_owned()] {
        std::os::unix::fs::chown(&path, Some(54_321), None).unwrap();
        let evidence = loose(dir.path()).unwrap();
        assert!(evidence.starts_with(&format!("{} belongs to uid 54321", path.display())), "{evidence}");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    assert_eq!(loose(dir.path()), None);
}

#[test]
fn links_on_the_way_to_the_share_are_followed_and_their_places_checked() {
    let dir = share(7);
    let way = tempfile::tempdir().unwrap();
    let link = way.path().join("link");
    symlink(dir.path(), &link).unwrap();
    assert_eq!(loose(&link), None);
    assert_eq!(loose(&link.join("pcmins.box/..")), None);
    chmod(way.path(), 0o777);
    assert!(loose(&link).unwrap().contains(&way.path().display().to_string()));
    chmod(way.path(), 0o700);
    if is_root() {
        std::os::unix::fs::lchown(&link, Some(54_321), None).unwrap();
        assert!(loose(&link).unwrap().starts_with(&link.display().to_string()));
    }
}

#[test]
fn a_trusted_file_wins_over_an_untrusted_one_with_a_higher_serial() {
    let (trusted, untrusted) = (share(5), share(9));
    chmod(&ins_path(untrusted.path()), 0o666);
    let found = look_in(TrustMode::Permissions, &[untrusted.path(), trusted.path()]).found.unwrap();
    assert_eq!(found.file.serial, 5);
    assert!(matches!(found.trust, TrustVerdict::Trusted(_)));
}

#[test]
fn a_file_system_without_real_modes_is_refused() {
    // procfs has owners and modes of its own making.
    let Ok(folder) = crate::host::open::Folder::open(Path::new("/proc/sys")) else {
        crate::skipped("no /proc here");
        return;
    };
    let writers = crate::host::perms::Writers::this_process();
    let loose = crate::host::perms::check_folder(&folder, &writers).unwrap_err();
    assert!(loose.why.contains("file system (type 0x9fa0)"), "{loose}");
}
