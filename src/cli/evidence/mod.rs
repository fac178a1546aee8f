//! `pcm evidence`: what is known of a request in one archive for a ticket. `gather` asks for the parts, each of them through the
//! view that prints it; `mask` takes the secrets out; `manifest` lists what there is and what is not; `sent` takes one of another
//! machine (`cli::host`); what is here makes one file of it, which replaces none.

mod gather;
mod manifest;
mod mask;
mod sent;

pub use sent::keep;

use super::App;
use super::args::EvidenceArgs;
use super::time::absolute;
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::talk::protocol::View;
use crate::host::{durable, terminal};
use crate::site::content::hash_bytes;
use crate::text::{SafeText, shell_word};
use gather::{Part, Text};
use manifest::{Done, Manifest, Row, Standing};
use mask::Mask;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use tar::{Builder, Header};

/// `pcm evidence`
pub fn run(app: &App, args: &EvidenceArgs) -> Result<Exit> {
    let file = wanted(args)?;
    let client = app.client()?;
    let shown = client.view(&View::Show(args.request));
    if let Err(unknown) = &shown
        && unknown.exit == Exit::NotFound as u8
    {
        return Err(unknown.clone());
    }
    let (parts, command_line) = gather::gather(app, &client, args.request, shown);
    let mut mask = Mask::default();
    if let Some(line) = &command_line {
        mask.learn(line.as_str());
    }
    let (contents, rows) = masked(parts, mask);
    let manifest = Manifest::new(app, args.request, rows);
    let made = archive(&manifest, contents);
    let Some(file) = file else {
        let packed = made.map_err(|e| not_sent(&e))?;
        print(&packed).map_err(|e| not_sent(&e))?;
        let done = Done::new("standard output".into(), &packed, manifest);
        match app.out.json {
            true => app.out.aside(&done),
            false => done.page(None).lines().iter().for_each(|line| app.out.note(&line.text)),
        }
        return Ok(Exit::Done);
    };
    let packed = made.map_err(|e| not_made(&file, &e))?;
    durable::create_new_private(&file, &packed).map_err(|e| not_made(&file, &e))?;
    let done = Done::new(SafeText::new(&file.display().to_string()), &packed, manifest);
    app.out.view(&done, || done.page(app.out.width))?;
    Ok(Exit::Done)
}

/// The file that is to be made; None: standard output. It is looked at before anything is asked; that nothing has its name is seen
/// once more when it is made.
///
/// # Errors
/// There is such a file, or standard output is a terminal.
pub fn wanted(args: &EvidenceArgs) -> Result<Option<PathBuf>> {
    if args.out == Path::new("-") {
        if io::stdout().is_terminal() {
            let message = "--out - prints an archive, and a terminal obeys some of its bytes";
            let remedy = "Name a file, or send it to one: … --out - > FILE";
            return Err(Failure::new(Exit::Usage, "usage", message, remedy));
        }
        return Ok(None);
    }
    let file = absolute(&args.out);
    match std::fs::symlink_metadata(&file) {
        Ok(_) => Err(not_made(&file, &io::ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(Some(file)),
    }
}

/// Writes it to standard output, also with `--quiet`.
fn print(packed: &[u8]) -> io::Result<()> {
    if terminal::output_is_closed() {
        return Err(io::Error::other("it is closed"));
    }
    let mut out = io::stdout().lock();
    out.write_all(packed)?;
    out.flush()
}

/// Whoever reads it has only a part, or nothing.
fn not_sent(e: &io::Error) -> Failure {
    let message = format!("the archive was not written whole to standard output: {e}");
    Failure::new(Exit::Failed, "not-made", message, "See what reads it, or name a file with --out FILE")
}

fn not_made(file: &Path, e: &io::Error) -> Failure {
    let (why, remedy) = match e.kind() {
        io::ErrorKind::AlreadyExists => (
            "there is such a file already".to_owned(),
            "Name a file that is not there: none is ever replaced".to_owned(),
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (e.to_string(), "Nothing of it is left there; make room, or name a file elsewhere".to_owned())
        }
        _ => {
            let folder = shell_word(&file.parent().unwrap_or(file).display().to_string());
            (
                e.to_string(),
                format!("Name a file in a folder that you may write in, and see: ls -ld {folder}"),
            )
        }
    };
    let message = format!("{} was not made: {why}", file.display());
    Failure::new(Exit::Failed, "not-made", message, remedy)
}

/// What goes into the archive: names and bytes.
type Contents = Vec<(String, Vec<u8>)>;

/// The parts without their secrets, and the row of each in the list of contents.
fn masked(parts: Vec<Part>, mut mask: Mask) -> (Contents, Vec<Row>) {
    for part in parts.iter().filter(|part| part.teaches) {
        match &part.text {
            Some(Text::Lines { text, .. }) => mask.learn(text),
            Some(Text::Json(text)) => mask.learn_json(text),
            None => {}
        }
    }
    let (mut contents, mut rows) = (Vec::new(), Vec::new());
    for Part { name, from, text, why, .. } in parts {
        let made_safe = matches!(text, Some(Text::Lines { changed: true, .. }));
        let done = text.map(|text| match text {
            Text::Lines { text, .. } => mask.text(&text),
            Text::Json(text) => mask.json(&text),
        });
        // An error may quote what it is about.
        let why = why.map(|why| SafeText::from(mask.text(why.as_str()).0));
        let standing = match (&done, &why) {
            (None, _) => Standing::Missing,
            (Some(_), Some(_)) => Standing::Part,
            (Some(_), None) => Standing::Whole,
        };
        let mut row = Row { part: name, from, standing, why, bytes: 0, sha256: None, masked: 0, made_safe };
        if let Some((text, count)) = done {
            let bytes = text.into_bytes();
            row.bytes = bytes.len() as u64;
            row.sha256 = Some(hash_bytes(&bytes));
            row.masked = count;
            contents.push((row.part.clone(), bytes));
        }
        rows.push(row);
    }
    (contents, rows)
}

/// One `.tar.zst`, in which all is in one folder, the list of contents first.
fn archive(manifest: &Manifest, contents: Contents) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    let json = serde_json::to_vec_pretty(manifest)?;
    let lists = [("MANIFEST".to_owned(), manifest.text().into_bytes()), ("MANIFEST.json".to_owned(), json)];
    for (name, bytes) in lists.into_iter().chain(contents) {
        let mut header = Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(bytes.len() as u64);
        header.set_mtime(u64::try_from(manifest.made_at.timestamp()).unwrap_or_default());
        tar.append_data(&mut header, format!("evidence-{}/{name}", manifest.request_id), bytes.as_slice())?;
    }
    Ok(compress_to_vec(tar.into_inner()?.as_slice(), CompressionLevel::Fastest))
}
