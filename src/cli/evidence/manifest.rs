//! The list of contents: which parts there are, and why others are not, or only a part of them. In the archive as text and
//! JSON, and printed when it is made.

use super::super::App;
use super::super::args::EVIDENCE_HELP;
use super::super::page::{Page, Tone};
use super::super::table::{Table, fixed, words};
use crate::clock::Wall;
use crate::executor::talk::protocol::VERSION;
use crate::host::facts;
use crate::site::content::hash_bytes;
use crate::site::ids::{MachineId, RequestId};
use crate::site::instruction::ContentHash;
use crate::text::{SafeText, bytes};
use serde::{Deserialize, Serialize};

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// All of it.
    Whole,
    /// Some of it.
    Part,
    /// Nothing of it.
    Missing,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Standing::Whole => "whole",
            Standing::Part => "part",
            Standing::Missing => "missing",
        }
    }
}

/// One part.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name in the archive.
    pub part: String,
    /// The command that prints it, or the file that it is.
    pub from: SafeText,
    /// How much of it there is.
    pub standing: Standing,
    /// Why it is not whole.
    pub why: Option<SafeText>,
    /// As it is in the archive.
    pub bytes: u64,
    /// Of these bytes. Of those before, nothing is said: they could be guessed by it.
    pub sha256: Option<ContentHash>,
    /// So many secrets were taken out.
    pub masked: usize,
    /// It held what is not safe on a terminal, which is shown by its code.
    pub made_safe: bool,
}

/// `MANIFEST`
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// What it is about.
    pub request_id: RequestId,
    /// When it was asked for.
    pub made_at: Wall,
    /// The machine that it was made on; None: it is not enrolled.
    machine: Option<MachineId>,
    /// Its host name.
    host: SafeText,
    /// The pcm that made it.
    version: &'static str,
    /// What is left out.
    rule: &'static str,
    /// In the order of the archive.
    pub parts: Vec<Row>,
}

impl Manifest {
    /// Of these parts.
    pub fn new(app: &App, request_id: RequestId, parts: Vec<Row>) -> Self {
        let (machine, host) = (app.setup.config.machine, facts::host_name());
        Manifest { request_id, made_at: app.now, machine, host, version: VERSION, rule: EVIDENCE_HELP, parts }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut page = Page::new(None);
        let machine = self.machine.map_or_else(|| "a machine without an id".to_owned(), |id| id.to_string());
        let at = self.made_at.to_rfc3339();
        page.line(format!(
            "Evidence about {} of {machine} ({}), by pcm {}, {at}.",
            self.request_id, self.host, self.version
        ));
        page.blank();
        let columns = [
            fixed("PART"),
            fixed(""),
            fixed("BYTES"),
            fixed("MASKED"),
            fixed("SHA256"),
            fixed("FROM"),
            words("WHY", 20),
        ];
        let mut table = Table::new(0, &columns);
        for row in &self.parts {
            let sha256 = row.sha256.as_ref().map_or("", ContentHash::as_str);
            let safe = row.made_safe.then_some("what is not safe on a terminal is shown by its code");
            let why: Vec<&str> = row.why.as_ref().map(SafeText::as_str).into_iter().chain(safe).collect();
            table.row(
                Tone::Plain,
                [
                    row.part.clone(),
                    row.standing.word().to_owned(),
                    row.bytes.to_string(),
                    row.masked.to_string(),
                    sha256.to_owned(),
                    row.from.to_string(),
                    why.join("; "),
                ],
            );
        }
        page.table(&table).blank();
        let signed =
            "What is in force verifies only where nothing of it is masked and nothing was made safe.";
        page.line(signed).blank();
        for line in EVIDENCE_HELP.lines() {
            page.line(line);
        }
        page.lines().iter().map(|line| format!("{}\n", line.text)).collect()
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
pub struct Done {
    /// The archive.
    file: SafeText,
    /// Its size in bytes.
    bytes: u64,
    /// The hash of its bytes.
    sha256: ContentHash,
    /// The same as `MANIFEST` in the archive.
    #[serde(flatten)]
    manifest: Manifest,
}

impl Done {
    /// Of what was made of these bytes.
    pub fn new(file: SafeText, packed: &[u8], manifest: Manifest) -> Self {
        Done { file, bytes: packed.len() as u64, sha256: hash_bytes(packed), manifest }
    }

    /// In a few lines: what is in it is listed there.
    pub fn page(&self, width: Option<usize>) -> Page {
        let told = |row: &Row| Told {
            part: SafeText::new(&row.part),
            standing: row.standing,
            why: row.why.clone(),
            masked: row.masked,
        };
        let parts: Vec<Told> = self.manifest.parts.iter().map(told).collect();
        page(&self.file, self.bytes, &parts, width)
    }
}

/// What is said of a part when an archive is made, here or over there.
#[derive(Debug, Deserialize)]
pub struct Told {
    part: SafeText,
    standing: Standing,
    why: Option<SafeText>,
    masked: usize,
}

/// The same of all of them, in a few lines.
pub fn page(file: &SafeText, size: u64, parts: &[Told], width: Option<usize>) -> Page {
    let mut page = Page::new(width);
    let of = |standing| parts.iter().filter(|row| row.standing == standing).count();
    let masked = parts.iter().fold(0_usize, |sum, row| sum.saturating_add(row.masked));
    page.strong(format!(
        "{file}: {}; {} whole, {} in part, {} missing, {masked} masked. MANIFEST in it lists them.",
        bytes(size),
        of(Standing::Whole),
        of(Standing::Part),
        of(Standing::Missing)
    ));
    let mut table = Table::new(2, &[fixed(""), fixed(""), words("", 30)]);
    for row in parts.iter().filter(|row| row.standing != Standing::Whole) {
        let why = row.why.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row(Tone::Plain, [row.part.to_string(), row.standing.word().to_owned(), why]);
    }
    page.table(&table);
    page.line("It takes secrets out by a rule (pcm help evidence): read what you hand out.");
    page
}
