//! `pcm package list`: the packages of a site folder or a share, with what is wrong with each.

use crate::cli::App;
use crate::cli::args::FolderArgs;
use crate::cli::lint;
use crate::cli::page::{Page, Tone};
use crate::cli::table::{Table, fixed, words};
use crate::clock::Wall;
use crate::error::{Exit, Result};
use crate::host::open::read_bounded;
use crate::site::folder::Folder;
use crate::site::ids::PackageId;
use crate::site::package::shelf::{self, Shelf};
use crate::site::package::{MAX_BYTES, NAME};
use crate::site::publisher::packages::{MAX_SIGNATURE, SIGNATURE};
use crate::site::signed::list::{ENDS_SOON, Keys, TrustList};
use crate::site::signed::signers::Role;
use crate::text::{self, SafeText};
use serde::Serialize;

/// `package list --json`
#[derive(Debug, Serialize)]
struct ListDoc {
    /// The packages, by their ids.
    packages: Vec<RowDoc>,
    /// What interrupted imports and replacements left.
    left: Vec<LeftDoc>,
}

/// One of these.
#[derive(Debug, Serialize)]
struct LeftDoc {
    /// Of which package.
    package_id: PackageId,
    /// The folder that was left.
    path: SafeText,
    /// What it is.
    problem: SafeText,
    /// What to do about it.
    remedy: SafeText,
}

/// One package, with the keys of its file; what cannot be read is null, and `problem` says why.
#[derive(Debug, Serialize)]
struct RowDoc {
    /// The package's id.
    package_id: PackageId,
    /// Its name; None: it cannot be read.
    name: Option<SafeText>,
    /// Its version; None: not said, or it cannot be read.
    version: Option<SafeText>,
    /// Who made it; None: not said, or it cannot be read.
    publisher: Option<SafeText>,
    /// Its language; None: not said, or it cannot be read.
    language: Option<SafeText>,
    /// What its file says of it; None: nothing, or it cannot be read.
    comment: Option<SafeText>,
    /// Its release; None: it has none yet, or it cannot be read.
    release: Option<u64>,
    /// Whose signature of it counts by the trust list of the site folder; None: nobody's.
    signed_by: Option<SafeText>,
    /// The names of its commands.
    commands: Vec<SafeText>,
    /// How many files it has; None: they cannot be read.
    files: Option<usize>,
    /// Their size in bytes; None: they cannot be read.
    bytes: Option<u64>,
    /// The hash of its list of files; None: they cannot be read.
    content_sha256: Option<String>,
    /// What is wrong with it; None: nothing.
    problem: Option<SafeText>,
}

/// `pcm package list`
pub fn list(app: &App, named: &FolderArgs) -> Result<Exit> {
    let shelf = super::shelf(app, named)?;
    let programs = lint::programs(app);
    let standing = shelf.standing()?;
    // What is wrong with the list itself is said where it is needed.
    let site = shelf.dir.parent().and_then(|root| Folder::open(root).ok());
    let list = site.and_then(|site| site.trust_list().ok().flatten());
    let rows = standing.ids.into_iter().map(|id| {
        let mut row = row(&shelf, id, &programs);
        if let Some(list) = &list {
            (row.signed_by, row.problem) = match signer(&shelf, id, row.release, list, app.now) {
                Ok((by, soon)) => (by, row.problem.or(soon.map(Into::into))),
                Err(why) => (None, row.problem.or(Some(why.into()))),
            };
        }
        row
    });
    let left = standing.left.iter().map(|left| LeftDoc {
        package_id: left.id,
        path: left.path.display().to_string().into(),
        problem: left.words().into(),
        remedy: left.remedy().into(),
    });
    let doc = ListDoc { packages: rows.collect(), left: left.collect() };
    app.out.view(&doc, || list_page(app, &shelf, &doc))?;
    Ok(Exit::Done)
}

fn row(shelf: &Shelf, id: PackageId, programs: &[String]) -> RowDoc {
    let mut row = RowDoc {
        package_id: id,
        name: None,
        version: None,
        publisher: None,
        language: None,
        comment: None,
        release: None,
        signed_by: None,
        commands: Vec::new(),
        files: None,
        bytes: None,
        content_sha256: None,
        problem: None,
    };
    let folder = match shelf.package(id) {
        Ok(folder) => folder,
        Err(e) => {
            row.problem = Some(e.to_string().into());
            return row;
        }
    };
    match shelf::contents(&folder) {
        Ok((content, hash)) => {
            row.files = Some(content.files.len());
            row.bytes = Some(content.bytes());
            row.content_sha256 = Some(hash.into());
        }
        Err(why) => row.problem = Some(why.into()),
    }
    match shelf::read(&folder, programs) {
        Ok(package) => {
            row.commands = package.commands.iter().map(|c| c.name.clone()).collect();
            row.name = Some(package.name);
            row.version = package.version;
            row.publisher = package.publisher;
            row.language = package.language;
            row.comment = package.comment;
            row.release = package.release;
        }
        Err(problems) => {
            let first = problems.first().map(|p| {
                let line = p.line.map(|line| format!(", line {line}")).unwrap_or_default();
                format!("{NAME}{line}: {}", p.message)
            });
            row.problem = first.map(Into::into);
        }
    }
    row
}

/// Who signed a package, and that the key ends soon with which it was signed; None: nobody did. Otherwise why machines in mode
/// `signed` do not take it.
fn signer(
    shelf: &Shelf,
    id: PackageId,
    release: Option<u64>,
    list: &TrustList,
    now: Wall,
) -> std::result::Result<(Option<SafeText>, Option<String>), String> {
    if let (Some(release), Some(below)) = (release, list.withdrawn.get(&id))
        && release < *below
    {
        return Err(format!(
            "release {release} is withdrawn, as are all below {below}. Make the next one: pcm package sign {id} --key KEY"
        ));
    }
    let bytes = |name: &str, limit: u64| {
        let folder = shelf.package(id).ok()?;
        read_bounded(&mut folder.file(name).ok()?, limit).ok()
    };
    let (Some(definition), Some(armour)) = (bytes(NAME, MAX_BYTES), bytes(SIGNATURE, MAX_SIGNATURE)) else {
        return Ok((None, None));
    };
    let armour = String::from_utf8_lossy(&armour);
    match Keys::of(list, &[]).verify(&armour, Role::Package, &definition, now) {
        Ok(signer) => {
            let ends = signer.before.filter(|before| *before <= now + ENDS_SOON);
            let soon = ends.map(|ends| {
                format!(
                    "the key that signed it ends at {}, and from then on no machine in mode signed runs it. Sign it with another: \
                     pcm package sign {id} --again --key KEY",
                    ends.format("%Y-%m-%dT%H:%M:%SZ")
                )
            });
            Ok((Some(SafeText::new(&signer.principal)), soon))
        }
        Err(bad) => Err(format!(
            "its signature does not count: {}. Sign it: pcm package sign {id} --key KEY",
            bad.why
        )),
    }
}

fn list_page(app: &App, shelf: &Shelf, doc: &ListDoc) -> Page {
    let mut page = Page::new(app.out.width);
    if doc.packages.is_empty() {
        page.line(format!("There is no package in {}.", shelf.dir.display()));
    } else {
        page.table(&packages(doc));
    }
    for row in &doc.packages {
        if let Some(problem) = &row.problem {
            page.item("! ", format!("{}: {problem}", row.package_id));
        }
    }
    for left in &doc.left {
        page.item("! ", format!("{}. {}", left.problem, left.remedy));
    }
    page
}

fn packages(doc: &ListDoc) -> Table {
    let columns = [
        fixed("PACKAGE"),
        words("NAME", 16),
        words("VERSION", 8),
        fixed("RELEASE"),
        words("SIGNED BY", 8),
        words("COMMANDS", 12),
        fixed("FILES"),
        fixed("SIZE"),
    ];
    let mut table = Table::new(0, &columns);
    for row in &doc.packages {
        let text =
            |text: &Option<SafeText>| text.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let commands: Vec<&str> = row.commands.iter().map(SafeText::as_str).collect();
        table.row(
            Tone::Plain,
            [
                row.package_id.to_string(),
                text(&row.name),
                text(&row.version),
                row.release.map_or_else(|| "-".to_owned(), |n| n.to_string()),
                text(&row.signed_by),
                commands.join(", "),
                row.files.map_or_else(|| "-".to_owned(), |n| n.to_string()),
                row.bytes.map_or_else(|| "-".to_owned(), text::bytes),
            ],
        );
    }
    table
}
