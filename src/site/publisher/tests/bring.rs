//! The files of a package come onto the share many at once, all of them or none that is named.

use super::*;
use crate::host::threads;
use crate::site::content::parse_content;
use crate::site::publisher::bring::Watch;
use crate::site::publisher::release;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Debug, Default)]
struct Seen {
    of: (AtomicUsize, AtomicU64),
    files: AtomicUsize,
    bytes: AtomicU64,
}

impl Watch for Seen {
    fn begun(&self, files: usize, bytes: u64) {
        self.of.0.store(files, Ordering::Relaxed);
        self.of.1.store(bytes, Ordering::Relaxed);
    }

    fn bytes(&self, more: u64) {
        self.bytes.fetch_add(more, Ordering::Relaxed);
    }

    fn file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }
}

/// The example with many files more, in folders; how many, and their bytes.
fn many(site: &Site) -> (usize, u64) {
    let (job, _) = site.job();
    let files = site.folder().package_dir(job.package_id).join("files");
    for n in 0..60 {
        let folder = files.join(format!("f{}/g{}", n % 3, n % 2));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{n}.bin")), vec![b'x'; n * 1_000]).unwrap();
    }
    let release = release::fill(&site.folder(), job.package_id, false, None, &[]).unwrap();
    release::write(&site.folder(), &release).unwrap();
    site.edit(|job, _| {
        job.package_sha256 = crate::site::content::hash_bytes(release.text.as_bytes());
        job.content_sha256.clone_from(&release.package.content_sha256);
    });
    let written = release.files.unwrap();
    (written.files, written.bytes)
}

#[test]
fn many_files_come_at_once_and_whoever_watches_sees_all_of_them() {
    let (site, seen) = (Site::new(), Seen::default());
    let (files, bytes) = many(&site);
    let published = publish(&site.folder(), &How { watch: Some(&seen), ..wishes() }).unwrap();
    assert_eq!(site.seen(), 1);
    assert_eq!((seen.of.0.into_inner(), seen.of.1.into_inner()), (files, bytes));
    assert_eq!((seen.files.into_inner(), seen.bytes.into_inner()), (files, bytes));
    let in_order = |published: &Published| {
        let paths = published.written.iter().map(|(path, _)| path.clone());
        let paths: Vec<String> = paths.filter(|path| path.contains("/files/")).collect();
        let list = published.written.iter().position(|(path, _)| path.ends_with("/CONTENT")).unwrap();
        assert_eq!(list, paths.len(), "the list comes after all that it names");
        let list = fs::read(site.share().join(&published.written[list].0)).unwrap();
        let listed = parse_content(&list).unwrap().files.into_iter().map(|file| file.path);
        let listed: Vec<String> = listed.filter(|path| paths.iter().any(|p| p.ends_with(path))).collect();
        assert!(paths.iter().zip(&listed).all(|(path, listed)| path.ends_with(listed)), "{paths:?}");
        paths.len()
    };
    assert_eq!(in_order(&published), files);

    // What was damaged comes again, and nothing else; also where no thread can be had.
    for without in [false, true] {
        for name in ["f0/g0/6.bin", "f1/g1/7.bin"] {
            let entries = walkdir::WalkDir::new(site.share()).into_iter().flatten();
            let file =
                entries.map(|entry| entry.path().to_owned()).find(|path| path.ends_with(name)).unwrap();
            fs::write(file, "damaged").unwrap();
        }
        let list = site.files().into_keys().find(|path| path.ends_with("/CONTENT")).unwrap();
        fs::remove_file(site.share().join(list)).unwrap();
        let again = match without {
            true => threads::tests::without(|| site.publish()).unwrap(),
            false => site.publish().unwrap(),
        };
        assert_eq!(in_order(&again), 2, "{:?}", again.written);
    }
}

#[test]
fn killed_among_many_files_nothing_names_them() {
    let site = Site::new();
    let (files, _) = many(&site);
    for n in (0..files * 2).step_by(17) {
        fault::die_at(Some(n));
        let done = site.publish();
        fault::die_at(None);
        // Whatever is named is there.
        assert!(site.seen() <= 1, "{n}: {done:?}");
    }
    site.publish().unwrap();
    assert_eq!(site.seen(), 1);
}
