//! `pcm package sign`: the next release of packages of a site folder, signed by `ssh-keygen`.

use super::App;
use super::args::FolderArgs;
use super::page::Page;
use super::view::count;
use super::{folder, lint};
use crate::error::{Exit, Failure, Result};
use crate::site::folder::Folder;
use crate::site::ids::PackageId;
use crate::site::package::shelf;
use crate::site::publisher::release::{self, Release};
use crate::site::publisher::sign;
use crate::site::signed::list::TrustList;
use crate::site::signed::signers::Role;
use crate::text::SafeText;
use serde::Serialize;
use std::cell::Cell;
use std::path::Path;

/// `package sign --json`
#[derive(Debug, Serialize)]
struct SignDoc {
    /// Those that are signed.
    packages: Vec<RowDoc>,
    /// Those that were not signed, and why; absent where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<FailedDoc>,
    /// Nothing was signed: it is what would be done.
    dry_run: bool,
}

/// One that was not signed.
#[derive(Debug, Serialize)]
struct FailedDoc {
    /// Which package.
    package_id: PackageId,
    /// Why it was not signed.
    error: Failure,
}

/// One package.
#[derive(Debug, Serialize)]
struct RowDoc {
    /// The package's id.
    package_id: PackageId,
    /// Its name.
    name: SafeText,
    /// The release that is signed.
    release: u64,
    /// The hash of its list of files; None: it has no files.
    content_sha256: Option<String>,
    /// How many files it has; None: it has no files.
    files: Option<usize>,
    /// Their size in bytes; None: it has no files.
    bytes: Option<u64>,
    /// It was signed now, or would be.
    signed: bool,
    /// What is another than in the release before, in words.
    changes: Vec<SafeText>,
}

impl RowDoc {
    fn of(release: &Release, signed: bool) -> Self {
        let package = &release.package;
        Self {
            package_id: package.package_id,
            name: package.name.clone(),
            release: release.release,
            content_sha256: package.content_sha256.clone().map(Into::into),
            files: release.files.as_ref().map(|files| files.files),
            bytes: release.files.as_ref().map(|files| files.bytes),
            signed,
            changes: release.changes.iter().map(|line| SafeText::new(line)).collect(),
        }
    }
}

/// `pcm package sign`
pub fn run(
    app: &App,
    ids: &[PackageId],
    key: &Path,
    again: bool,
    all: bool,
    named: &FolderArgs,
) -> Result<Exit> {
    let (folder, _alone) = folder::open_alone(app, named)?;
    let ids = if all { folder.package_ids()? } else { ids.to_vec() };
    let key = super::time::absolute(key);
    let Some(list) = folder.trust_list()? else {
        return Err(Failure::new(
            Exit::Refused,
            "no-trust-list",
            format!("{} has no trust list, so no machine would believe a signature", folder.dir.display()),
            "Make it first: pcm key trust KEY.pub --role trust --principal NAME --key KEY, then one of --role package",
        ));
    };
    app.needs(&folder.share())?;
    if app.dry_run {
        sign::may_count(&key, Role::Package, &list, app.now)?;
    }
    let programs = lint::programs(app);
    let several = ids.len() > 1;
    let mut doc = SignDoc { packages: Vec::new(), failed: Vec::new(), dry_run: app.dry_run };
    let signer = Signer { key: &key, list: &list, counts: Cell::new(false) };
    // What is wrong with the key is wrong with it for all that come after; what cannot be written is one package's.
    let mut of_key: Option<Failure> = None;
    for id in ids {
        let signed = match &of_key {
            Some(error) => Err(error.clone()),
            None => release::fill(&folder, id, again, Some(&list), &programs).and_then(|release| {
                let signed = one(app, &folder, &release, again, &signer).inspect_err(|error| {
                    of_key = Some(error.clone()).filter(|error| error.code != release::NOT_WRITTEN);
                })?;
                Ok(RowDoc::of(&release, signed))
            }),
        };
        match signed {
            Ok(row) => doc.packages.push(row),
            Err(error) => doc.failed.push(FailedDoc { package_id: id, error }),
        }
    }
    // Each is named, whatever became of the others.
    if several || doc.failed.is_empty() {
        app.out.view(&doc, || page(app, &doc))?;
    }
    doc.failed.into_iter().next().map_or(Ok(Exit::Done), |failed| Err(failed.error))
}

/// What packages are signed with.
struct Signer<'a> {
    key: &'a Path,
    list: &'a TrustList,
    /// Machines believe what it signs.
    counts: Cell<bool>,
}

/// Signs one package; false: it was signed already, and nothing changed. A key that does not count is refused in either case.
fn one(app: &App, folder: &Folder, release: &Release, again: bool, by: &Signer<'_>) -> Result<bool> {
    let sign = again || !release.same || !is_signed(folder, release.package.package_id);
    match (app.dry_run, sign) {
        (true, _) => return Ok(sign),
        (false, true) => release::sign(folder, release, by.key, by.list, app.now)?,
        (false, false) => {
            if !by.counts.get() {
                sign::would_count(release.text.as_bytes(), by.key, Role::Package, by.list, app.now)?;
            }
            release::write_list(folder, release)?;
        }
    }
    by.counts.set(true);
    Ok(sign)
}

fn page(app: &App, doc: &SignDoc) -> Page {
    let mut page = Page::new(app.out.width);
    for row in &doc.packages {
        let files = row.files.map(|n| format!(", {}", count(n, "file"))).unwrap_or_default();
        let what = match (row.signed, doc.dry_run) {
            (true, false) => "is signed",
            (true, true) => "would be signed",
            (false, false) => "was signed already, and nothing changed",
            (false, true) => "is signed already, and nothing would change",
        };
        page.line(format!("{} {}: release {} {what}{files}.", row.package_id, row.name, row.release));
        for line in row.changes.iter().filter(|_| row.signed) {
            page.line(format!("  {line}"));
        }
    }
    for failed in &doc.failed {
        page.item("! ", format!("{} was not signed: {}", failed.package_id, failed.error));
    }
    page
}

fn is_signed(folder: &Folder, id: PackageId) -> bool {
    folder.package_dir(id).join(crate::site::publisher::packages::SIGNATURE).is_file()
}

/// `package content --json`
#[derive(Debug, Serialize)]
pub struct ContentDoc {
    /// Path of the package's folder.
    pub package: SafeText,
    /// The hash of its list of files; None: it has no files.
    pub content_sha256: Option<String>,
    /// How many files it has; None: it has no files.
    pub files: Option<usize>,
    /// Their size in bytes; None: it has no files.
    pub bytes: Option<u64>,
    /// The release that was made; absent of a package that is in no site folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
}

/// `pcm package content` in a site folder: the same as `sign`, without a signature.
pub fn content(app: &App, folder: &Folder, id: PackageId) -> Result<Exit> {
    let dir = folder.package_dir(id);
    if app.dry_run {
        return app.would(format!(
            "hash the files of {0} and make its next release in {0}/package.toml",
            dir.display()
        ));
    }
    app.needs(&folder.share())?;
    let release = release::fill(folder, id, false, folder.trust_list()?.as_ref(), &lint::programs(app))?;
    match release.same {
        true => release::write_list(folder, &release)?,
        false => release::write(folder, &release)?,
    }
    let doc = ContentDoc {
        package: SafeText::new(&dir.display().to_string()),
        content_sha256: release.package.content_sha256.clone().map(Into::into),
        files: release.files.as_ref().map(|files| files.files),
        bytes: release.files.as_ref().map(|files| files.bytes),
        release: Some(release.release),
    };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        let files = doc.files.map(|n| format!(", {}", count(n, "file"))).unwrap_or_default();
        page.line(format!("{id} {}: release {}{files}.", release.package.name, release.release));
        if folder.package_dir(id).join(crate::site::publisher::packages::SIGNATURE).exists() && !release.same
        {
            page.strong(format!("Its signature is of an earlier release: pcm package sign {id} --key KEY"));
        }
        page
    })?;
    Ok(Exit::Done)
}

/// The site folder that a package's folder is in.
pub fn in_site_folder(package: &Path) -> Option<(Folder, PackageId)> {
    let id = package.file_name()?.to_str()?.parse().ok()?;
    let above = package.parent().filter(|above| above.ends_with(shelf::FOLDER))?;
    Some((Folder::open(above.parent()?).ok()?, id))
}
