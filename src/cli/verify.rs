//! `pcm site verify`: who signed a file, and whether that counts. With `--part` it prints what was signed or a signature, as
//! it is, so that plain `ssh-keygen -Y verify` can be asked, too.

use super::App;
use super::args::{FolderArgs, PartArg};
use super::key;
use super::page::Page;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::site::instruction;
use crate::site::share::open_bounded;
use crate::site::signed::Distrust;
use crate::site::signed::block::{self, Parts};
use crate::site::signed::folder::SiteFolder;
use crate::site::signed::list::{Keys, TrustList};
use crate::site::signed::signature::Signature;
use crate::site::signed::signers::{Role, Signer};
use crate::text::SafeText;
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;

/// `site verify --json`
#[derive(Debug, Serialize)]
struct VerifyDoc {
    file: SafeText,
    list_version: u64,
    signatures: Vec<SignatureDoc>,
}

/// One signature that counts.
#[derive(Debug, Serialize)]
struct SignatureDoc {
    principal: SafeText,
    role: Role,
    fingerprint: SafeText,
    valid_before: Option<Wall>,
}

/// `pcm site verify`
pub fn run(app: &App, file: &Path, part: Option<PartArg>, block: usize, folder: &FolderArgs) -> Result<Exit> {
    let bytes = open_bounded(file, instruction::MAX_BYTES).map_err(|e| {
        let message = format!("{}: {e}", file.display());
        Failure::new(Exit::NotFound, "no-such-file", message, "Name a trust list or an instruction file")
    })?;
    let no = |distrust: Distrust| {
        let message = format!("{} is not believed: {}", file.display(), distrust.why);
        Failure::new(
            Exit::Failed,
            distrust.code.as_str(),
            message,
            "Take it from its source, or have it signed again",
        )
    };
    let parts = block::split(&bytes).map_err(no)?;
    if let Some(part) = part {
        return print(app, &parts, part, block);
    }
    let folder = SiteFolder::open(&key::place(folder)?)?;
    let (mut signatures, mut list_version) = (Vec::new(), 0);
    for armour in &parts.armours {
        let signature = Signature::read(armour).map_err(no)?;
        let (list, role) = counting(&folder, &signature, parts.signed).map_err(no)?;
        let signer = Keys::of(&list, &[]).verify(armour, role, parts.signed, app.now).map_err(no)?;
        signatures.push(doc(signer));
        list_version = list.version;
    }
    let doc = VerifyDoc { file: file.display().to_string().into(), list_version, signatures };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        for signature in &doc.signatures {
            let until = signature.valid_before.map(|at| format!(", valid until {}", app.look().stamp(at)));
            page.line(format!(
                "{}: signed by {} with the {} key {}{} (trust list {}).",
                doc.file,
                signature.principal,
                signature.role,
                signature.fingerprint,
                until.unwrap_or_default(),
                doc.list_version
            ));
        }
        page
    })?;
    Ok(Exit::Done)
}

fn doc(signer: &Signer) -> SignatureDoc {
    SignatureDoc {
        principal: SafeText::new(&signer.principal),
        role: signer.role,
        fingerprint: signer.key.fingerprint().into(),
        valid_before: signer.before,
    }
}

/// The list whose keys count, and as what the file was signed: of a trust list the version before it.
fn counting(
    folder: &SiteFolder,
    signature: &Signature,
    signed: &[u8],
) -> std::result::Result<(TrustList, Role), Distrust> {
    let read = |failure: Failure| Distrust::bad(failure.message.as_str());
    let none = || Distrust::bad(format!("{} has no list that says whose keys count", folder.dir.display()));
    let role = signature.role()?;
    if role != Role::Trust {
        return Ok((folder.newest().map_err(read)?.ok_or_else(none)?, role));
    }
    signature.verify(role, signed)?;
    let list = TrustList::parse(signed).map_err(|problems| Distrust::malformed(&problems))?;
    let before = list.version.saturating_sub(1).max(1);
    Ok((folder.list(before).map_err(read)?.ok_or_else(none)?, role))
}

/// One part, byte for byte.
fn print(app: &App, parts: &Parts<'_>, part: PartArg, block: usize) -> Result<Exit> {
    let bytes = match part {
        PartArg::Signed => parts.signed,
        PartArg::Signature => {
            let armour = block.checked_sub(1).and_then(|at| parts.armours.get(at));
            let count = parts.armours.len();
            let missing = || {
                let message = format!("there is no signature {block}: it has {count}");
                Failure::new(Exit::NotFound, "no-such-block", message, "Name one of them with --block")
            };
            armour.ok_or_else(missing)?.as_bytes()
        }
    };
    app.out.printed(|| std::io::stdout().lock().write_all(bytes))?;
    Ok(Exit::Done)
}
