//! A site folder that was made is one that is read.
#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;

fn make(dir: &Path, example: Option<&str>) -> Result<made::Made> {
    let now = "2026-11-22T08:00:00Z".parse().unwrap();
    made::make(dir, "BP0".parse().unwrap(), None, example.map(|id| id.parse().unwrap()), now)
}

#[test]
fn a_new_folder_is_read_as_it_was_made_and_git_leaves_out_what_is_not_the_publishers() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("site");
    // A repository that was begun for it.
    fs::create_dir_all(dir.join(".git")).unwrap();
    let made = make(&dir, Some("BP004000")).unwrap();
    assert_eq!(Folder::open(&dir), Ok(made.folder.clone()));
    let source = made.folder.read(&[]).unwrap();
    assert_eq!((source.machines.len(), source.jobs.len(), source.policies.len()), (1, 1, 0));
    let (job, word) = source.jobs.values().next().unwrap();
    assert_eq!((job.request_id.to_string().as_str(), word), ("BP0000Y", &Word::default()));
    assert_eq!(made.folder.package_ids().unwrap(), [job.package_id]);
    let ignored = fs::read_to_string(dir.join(".gitignore")).unwrap();
    assert_eq!(
        ignored,
        "share/\npublications.db\nfiles/\npublishing.lock\nediting.lock\nreports.counted\npast/\n"
    );
    assert_eq!(fs::read_to_string(dir.join(".gitattributes")).unwrap(), "* -text\n");
    assert!(made.folder.share().join("machines").is_dir());
    // A job that is written again is the same file.
    let before = fs::read(made.folder.job_path(job.job_id)).unwrap();
    made.folder.write_job(job, word).unwrap();
    assert_eq!(fs::read(made.folder.job_path(job.job_id)).unwrap(), before);
    assert_eq!(make(&dir, None).unwrap_err().code, "folder-not-empty");
    let other = dir.join("other");
    assert_eq!(make(&other, Some("XX004000")).unwrap_err().code, "other-site");
    assert!(!other.exists());
    assert_eq!(Folder::open(&other).unwrap_err().code, "no-site-folder");
    fs::write(dir.join(NAME), "site = \"BP0\"\n").unwrap();
    assert_eq!(Folder::open(&dir).unwrap_err().code, "malformed");
}

#[test]
fn a_policy_that_says_nothing_any_more_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let folder = make(&dir.path().join("site"), None).unwrap().folder;
    let rules = Rules { spread: Some(std::time::Duration::from_secs(60)), ..Rules::default() };
    folder.write_policy("web", &rules).unwrap();
    assert_eq!(folder.read(&[]).unwrap().policies["web"], rules);
    folder.write_policy("web", &Rules::default()).unwrap();
    folder.write_policy("web", &Rules::default()).unwrap();
    assert!(folder.read(&[]).unwrap().policies.is_empty());
}
