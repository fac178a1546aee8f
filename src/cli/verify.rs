//! `pcm site verify`: who signed a file, and whether that counts. With `--part` it prints what was signed or a signature, as
//! it is, so that plain `ssh-keygen -Y verify` can be asked, too.

use super::App;
use super::args::{FolderArgs, PartArg};
use super::lint;
use super::page::Page;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::site::ids::MachineId;
use crate::site::index;
use crate::site::indexed::verify;
use crate::site::instruction;
use crate::site::package;
use crate::site::publisher::packages::{MAX_SIGNATURE, SIGNATURE};
use crate::site::share::open_bounded;
use crate::site::signed::Distrust;
use crate::site::signed::block::{self, Parts};
use crate::site::signed::folder::SiteFolder;
use crate::site::signed::list::TrustList;
use crate::site::signed::published::{self, Judging, Standing};
use crate::site::signed::publishers::{self, Publishers};
use crate::site::signed::signature::Signature;
use crate::site::signed::signers::{Role, Signer};
use crate::site::signed::store::{Trusted, Wanted};
use crate::terms::Code;
use crate::text::SafeText;
use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

/// `site verify --json`
#[derive(Debug, Serialize)]
struct VerifyDoc {
    /// The file that was looked at.
    file: SafeText,
    /// Version of the trust list by which it was judged.
    list_version: u64,
    /// Its signatures that count.
    signatures: Vec<SignatureDoc>,
}

/// One signature that counts.
#[derive(Debug, Serialize)]
struct SignatureDoc {
    /// Who signed it.
    principal: SafeText,
    /// What the key may sign.
    role: Role,
    /// Fingerprint of the key.
    fingerprint: SafeText,
    /// When the key ends; None: without an end.
    valid_before: Option<Wall>,
}

/// `pcm site verify`
pub fn run(
    app: &App,
    file: &Path,
    part: Option<PartArg>,
    block: Option<usize>,
    named: &FolderArgs,
) -> Result<Exit> {
    // A share that hangs would hold this up for ever.
    app.needs(&super::time::absolute(file))?;
    let bytes = open_bounded(file, instruction::MAX_BYTES).map_err(|e| {
        let message = format!("{}: {e}", file.display());
        Failure::new(
            Exit::NotFound,
            "no-such-file",
            message,
            "Name PCM.INDEX, a trust list, an instruction file or a package.toml",
        )
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
    let is_package = file.file_name().is_some_and(|name| name == package::NAME);
    let armour = if is_package { Some(beside(file).map_err(no)?) } else { None };
    if let (Some(part), Some(armour)) = (part, &armour) {
        return print(
            app,
            &Parts { signed: &bytes, armours: vec![armour.clone()] },
            part,
            block.unwrap_or(1),
        );
    }
    if let Some(part) = part {
        return print(app, &block::split(&bytes).map_err(no)?, part, block.unwrap_or(1));
    }
    let folder = SiteFolder::open(&app.setup.site_folder(named)?)?;
    let (list_version, signers) = match armour {
        Some(armour) => of_package(app, &bytes, &armour, &folder)
            .map(|(version, signer)| (version, vec![signer]))
            .map_err(no)?,
        None => believed(app, file, &bytes, &folder).map_err(no)?,
    };
    let signatures = signers.iter().map(doc).collect();
    let doc = VerifyDoc { file: file.display().to_string().into(), list_version, signatures };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        for signature in &doc.signatures {
            let look = app.look();
            let zone = || super::time::zone_words(look.zone.name(), look.zone.offset_at(look.now));
            let until = signature.valid_before;
            let until = until.map(|at| format!(", valid until {} ({})", look.stamp(at), zone()));
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

/// The same of what counts until a time.
fn current(
    app: &App,
    until: Option<Wall>,
    version: u64,
    publishers: &Publishers,
) -> std::result::Result<(u64, Vec<Signer>), Distrust> {
    match until.filter(|until| *until <= app.now) {
        None => Ok((version, publishers.all().cloned().collect())),
        Some(until) => {
            let why = format!("it was valid until {}, so nothing of it starts", app.look().stamp(until));
            Err(Distrust::new(Code::ShareStale, why))
        }
    }
}

/// The signature beside a package's definition.
fn beside(file: &Path) -> std::result::Result<String, Distrust> {
    let path = file.with_file_name(SIGNATURE);
    let armour = open_bounded(&path, MAX_SIGNATURE).map_err(|e| {
        Distrust::new(Code::Unsigned, format!("no signature stands beside it: {}: {e}", path.display()))
    })?;
    String::from_utf8(armour).map_err(|_| Distrust::bad(format!("{SIGNATURE} is no text")))
}

/// The same of a package, as a machine takes it whose job names this release.
fn of_package(
    app: &App,
    bytes: &[u8],
    armour: &str,
    folder: &SiteFolder,
) -> std::result::Result<(u64, Signer), Distrust> {
    let newest = folder.newest().map_err(|failure| Distrust::bad(failure.message.as_str()))?;
    let newest = newest.ok_or_else(|| {
        Distrust::bad(format!("{} has no list that says whose keys count", folder.dir.display()))
    })?;
    let trusted = &Trusted::of(newest, Vec::new());
    let signer = trusted.keys().verify(armour, Role::Package, bytes, app.now)?.clone();
    let text = std::str::from_utf8(bytes).map_err(|_| Distrust::bad("it is no text"))?;
    let programs = lint::programs(app);
    let read = package::parse(bytes, package::NAME, &programs).map_err(|p| Distrust::malformed(&p))?;
    let of = (read.package_id, read.release.unwrap_or_default());
    verify::package(text, of, &programs, Some(trusted))?;
    Ok((trusted.list.version, signer))
}

/// Who signed it, and the version of the trust list that says so: as a machine of the site takes it that has the newest
/// list.
fn believed(
    app: &App,
    file: &Path,
    bytes: &[u8],
    folder: &SiteFolder,
) -> std::result::Result<(u64, Vec<Signer>), Distrust> {
    let read = |failure: Failure| Distrust::bad(failure.message.as_str());
    let none = || Distrust::bad(format!("{} has no list that says whose keys count", folder.dir.display()));
    let parts = block::split(bytes)?;
    let armour = parts.armours.first().map_or("", String::as_str);
    match Signature::read(armour)?.role()? {
        Role::Trust => {
            let (list, key) = TrustList::whole(bytes)?;
            // Each version is signed by a key of the one before; the first one signs itself.
            let before = match list.version {
                1 => {
                    let list = TrustList::anchored(bytes, &key.fingerprint(), app.now)?;
                    check_site(&list, folder)?;
                    list
                }
                version => {
                    let before = folder.list(version - 1).map_err(read)?.ok_or_else(none)?;
                    Trusted::of(before.clone(), Vec::new()).next(bytes, app.now)?;
                    before
                }
            };
            let signer = before.find(&key).cloned().ok_or_else(none)?;
            Ok((before.version, vec![signer]))
        }
        Role::Publish => {
            // How many have to sign is each machine's own matter: all that are there have to be good.
            let trusted = &Trusted::of(folder.newest().map_err(read)?.ok_or_else(none)?, Vec::new())
                .wanting(Wanted::Any);
            publishers::opened(bytes, trusted, Some(app.now))?;
            if file.file_name().is_some_and(|name| name == index::NAME) {
                let (index, publishers) = verify::index(bytes, trusted, app.now, Standing::Offered)?;
                return current(app, index.valid_until, trusted.list.version, &publishers);
            }
            let machine = match named(file) {
                Some(machine) => machine,
                None => published::machine_of(parts.signed)?,
            };
            let defaults = &app.setup.config.request_defaults();
            let judging = Judging { machine, defaults, trusted, at: app.now, standing: Standing::Offered };
            let (instructions, by) = published::instructions(bytes, &judging)?;
            current(app, instructions.valid_until, trusted.list.version, &by.publishers)
        }
        Role::Package => Err(Distrust::bad(
            "it is signed as a package, which is called package.toml, and its signature stands beside it, in \
             package.toml.sig",
        )),
    }
}

fn check_site(list: &TrustList, folder: &SiteFolder) -> std::result::Result<(), Distrust> {
    match (list.site, &list.site_id) == (folder.site, &folder.site_id) {
        true => Ok(()),
        false => Err(Distrust::bad(format!(
            "it is of the site {} {}, and {} is of {} {}",
            list.site,
            list.site_id,
            folder.dir.display(),
            folder.site,
            folder.site_id
        ))),
    }
}

/// The machine that a file's name says, as a machine finds it.
fn named(file: &Path) -> Option<MachineId> {
    file.file_name()?.to_str()?.to_uppercase().strip_suffix(".INS")?.parse().ok()
}

/// One part, byte for byte.
fn print(app: &App, parts: &Parts<'_>, part: PartArg, block: usize) -> Result<Exit> {
    if std::io::stdout().is_terminal() {
        return Err(Failure::new(
            Exit::Usage,
            "usage",
            "--part prints bytes as they are, and a terminal obeys some of them",
            "Send them to a file or to another program: … --part signed > FILE",
        ));
    }
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
