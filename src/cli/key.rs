//! `pcm key`: key pairs, and the trust list of a site. The list is made in a site folder and signed by `ssh-keygen`; how it
//! gets to the share is the administrator's.

use super::App;
use super::args::{FolderArgs, KeyVerb, RoleArg, SignArgs};
use super::page::{Page, Tone};
use super::table::{Table, fixed, words};
use super::time::absolute;
use crate::clock::{Wall, later};
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::site::folder::{Folder, machines};
use crate::site::ids::PackageId;
use crate::site::publisher::record;
use crate::site::share::open_bounded;
use crate::site::signed::folder::{Change, NAME, SiteFolder};
use crate::site::signed::list::{LONGEST_PUBLISH, TrustList};
use crate::site::signed::signers::{Key, Role, Signer, check_principal};
use crate::site::signed::store::{self, Material};
use crate::site::site_file::{self, SiteFile};
use crate::text::{self, SafeText, Side};
use serde::Serialize;
use ssh_key::{Algorithm, LineEnding, PrivateKey, rand_core::OsRng};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest public key file that is read, in bytes.
const MAX_PUBLIC: u64 = 4 << 10;
/// How long a publishing key counts where nobody says.
const PUBLISH_FOR: Duration = Duration::from_secs(365 * 86_400);

/// `key list --json`, and what comes of a change.
#[derive(Debug, Serialize)]
struct KeysDoc {
    /// The site's code.
    site: SafeText,
    /// The site's id, which no other site has.
    site_id: SafeText,
    /// Version of the trust list.
    version: u64,
    /// When the trust list was made.
    issued: Wall,
    /// Path of the trust list.
    file: SafeText,
    /// Its keys, revoked ones too.
    keys: Vec<KeyDoc>,
    /// Releases that run nowhere.
    withdrawn: Vec<WithdrawnDoc>,
}

/// One key.
#[derive(Debug, Serialize)]
struct KeyDoc {
    /// Whose key it is; None: it is revoked.
    principal: Option<SafeText>,
    /// What it may sign; None: it is revoked.
    role: Option<Role>,
    /// Its fingerprint.
    fingerprint: SafeText,
    /// Its kind, as OpenSSH names it.
    kind: SafeText,
    /// From when on it counts; None: from the start.
    valid_after: Option<Wall>,
    /// When it ends; None: never, or it is revoked.
    valid_before: Option<Wall>,
    /// The comment of its file.
    comment: SafeText,
    /// It counts for nothing any more.
    revoked: bool,
}

/// Releases that run nowhere.
#[derive(Debug, Serialize)]
struct WithdrawnDoc {
    /// Of which package.
    package_id: PackageId,
    /// All releases below this one.
    below: u64,
}

/// `key generate --json`
#[derive(Debug, Serialize)]
struct PairDoc {
    /// Path of the private key.
    file: SafeText,
    /// Path of the public key.
    public: SafeText,
    /// Its fingerprint.
    fingerprint: SafeText,
}

/// `pcm key …`
pub fn run(app: &App, verb: KeyVerb) -> Result<Exit> {
    match verb {
        KeyVerb::Generate { file } => generate(app, &absolute(&file)),
        KeyVerb::Trust { public, role, principal, until, sign } => {
            let (folder, new) = of_share(app, &sign.folder)?;
            let signer = signer(app, &public, role, principal, until.as_deref())?;
            if let (Some((site, share)), false) = (new, app.dry_run) {
                folder.make(&site, &share)?;
            }
            change(app, &folder, Change::Trust(signer), &sign)
        }
        KeyVerb::Revoke { public, key: Some(key), folder } => {
            let sign = SignArgs { key, folder };
            let folder = SiteFolder::open(&app.setup.site_folder(&sign.folder)?)?;
            change(app, &folder, Change::Revoke(read_public(&public)?), &sign)
        }
        KeyVerb::Revoke { key: None, folder: FolderArgs { folder: Some(_) }, .. } => Err(Failure::new(
            Exit::Usage,
            "usage",
            "--folder goes with --key: without a trust key only this machine lets it count no more",
            "Name the trust key that signs the next list with --key, or leave --folder out",
        )),
        KeyVerb::Revoke { public, key: None, .. } => revoke_here(app, &read_public(&public)?),
        KeyVerb::Withdraw { package, below, sign } => {
            let folder = SiteFolder::open(&app.setup.site_folder(&sign.folder)?)?;
            change(app, &folder, Change::Withdraw(package, below), &sign)
        }
        KeyVerb::List { folder } => match app.setup.site_folder(&folder) {
            Ok(dir) => list(app, &SiteFolder::open(&dir)?),
            Err(none) => list_here(app, none),
        },
    }
}

/// The site folder; a new one, which is not made yet, for the share that `--share` names.
fn of_share(app: &App, named: &FolderArgs) -> Result<(SiteFolder, Option<(SiteFile, PathBuf)>)> {
    let dir = app.setup.site_folder(named)?;
    let share = match app.setup.flags.shares.as_slice() {
        [_, _, ..] => {
            let message = "a trust list is of one share";
            return Err(Failure::new(Exit::Usage, "usage", message, "Name one --share"));
        }
        shares => shares.first(),
    };
    let Some(share) = share.filter(|_| !dir.join(NAME).exists()) else {
        let folder = SiteFolder::open(&dir)?;
        share.map_or(Ok(()), |share| is_of_share(app, &dir, share))?;
        return Ok((folder, None));
    };
    app.needs(share)?;
    let path = share.join(site_file::NAME);
    let read = open_bounded(&path, site_file::MAX_BYTES).map_err(|e| e.to_string()).and_then(|bytes| {
        site_file::parse(&bytes, &path.display().to_string())
            .map_err(|problems| problems.iter().map(|p| p.message.to_string()).collect::<Vec<_>>().join("; "))
    });
    let site = read.map_err(|why| {
        let message = format!("{} says of no site that it is its share: {why}", path.display());
        Failure::new(Exit::NotFound, "share-missing", message, "Name the instruction share with --share")
    })?;
    Ok((SiteFolder::new(&dir, site.site)?, Some((site, share.clone()))))
}

/// A folder that is there is of the share that it names, whatever a flag says.
fn is_of_share(app: &App, dir: &Path, share: &Path) -> Result<()> {
    let own = Folder::open(dir)?.share();
    // Links and dots are followed only where nobody can be made to wait for ever.
    let real = |path: &Path| app.reaches(path).ok().and_then(|()| path.canonicalize().ok());
    let same = own == share || real(&own).is_some_and(|own| real(share) == Some(own));
    if same {
        return Ok(());
    }
    let message = format!(
        "nothing was changed: the site folder {} is of the share {}, and not of {}",
        dir.display(),
        own.display(),
        share.display()
    );
    let remedy = "Leave --share out, or name another site folder with --folder";
    Err(Failure::new(Exit::Refused, "other-share", message, remedy))
}

fn generate(app: &App, file: &Path) -> Result<Exit> {
    // Wherever links lead: the folder is what counts, not what it is called here.
    let place = file.parent().and_then(|dir| dir.canonicalize().ok());
    let place = place.as_deref().unwrap_or(file.parent().unwrap_or(file));
    if let Some(folder) = place.ancestors().find(|dir| dir.join(NAME).exists()) {
        return Err(Failure::new(
            Exit::Refused,
            "in-site-folder",
            format!("no key was made: {} is a site folder, which others read", folder.display()),
            "Keep private keys elsewhere, e.g. in ~/.ssh",
        ));
    }
    let public = public_of(file);
    if app.dry_run {
        return app.would(format!("make a key pair in {} and {}", file.display(), public.display()));
    }
    let key = make_pair(file)?;
    let doc = PairDoc {
        file: file.display().to_string().into(),
        public: public.display().to_string().into(),
        fingerprint: key.fingerprint().into(),
    };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        page.line(format!(
            "The private key is {}; only you can read it, and no passphrase guards it.",
            doc.file
        ));
        page.line(format!("The public key is {}: {}", doc.public, doc.fingerprint));
        page
    })?;
    Ok(Exit::Done)
}

fn public_of(file: &Path) -> PathBuf {
    file.with_file_name(format!("{}.pub", file.file_name().unwrap_or_default().display()))
}

/// Makes a key pair: the private half in a file that only its owner can read, the other one beside it. The public half.
///
/// # Errors
/// `not-made`: one of them is there already, or cannot be written.
pub fn make_pair(file: &Path) -> Result<Key> {
    let public = public_of(file);
    let not_made = |path: &Path, e: &io::Error| {
        let remedy = match e.kind() {
            io::ErrorKind::AlreadyExists => "Name a file that is not there; a key is never replaced",
            _ => "Name a folder that you may write to",
        };
        Failure::new(Exit::Failed, "not-made", format!("no key was made: {}: {e}", path.display()), remedy)
    };
    if public.exists() {
        return Err(not_made(&public, &io::ErrorKind::AlreadyExists.into()));
    }
    let bad = |e: ssh_key::Error| not_made(file, &io::Error::other(e));
    let mut private = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(bad)?;
    private.set_comment(file.file_name().map(|name| name.display().to_string()).unwrap_or_default());
    let key = Key::of(private.public_key().clone()).map_err(|e| not_made(file, &io::Error::other(e)))?;
    // The text is wiped when it is dropped.
    let text = private.to_openssh(LineEnding::LF).map_err(bad)?;
    durable::create_secret(file, text.as_bytes()).map_err(|e| not_made(file, &e))?;
    let line = format!("{}\n", key.line());
    durable::create_new(&public, line.as_bytes()).map_err(|e| {
        // Half a pair would keep the next attempt from its name. Where it cannot be removed, that attempt says so.
        let _ = std::fs::remove_file(file);
        not_made(&public, &e)
    })?;
    Ok(key)
}

/// The one key of a `.pub` file.
fn read_public(path: &Path) -> Result<Key> {
    let remedy = "Name the public half of a key, as ssh-keygen writes it: FILE.pub";
    let bytes = open_bounded(path, MAX_PUBLIC).map_err(|e| {
        Failure::new(Exit::NotFound, "no-such-file", format!("{}: {e}", path.display()), remedy)
    })?;
    let text = String::from_utf8_lossy(&bytes);
    Key::read(&text).map_err(|distrust| {
        let message = format!("{} holds no key that can be trusted: {}", path.display(), distrust.why);
        Failure::new(Exit::Failed, distrust.code.as_str(), message, remedy)
    })
}

fn signer(app: &App, public: &Path, role: RoleArg, principal: String, until: Option<&str>) -> Result<Signer> {
    let usage = |message: String, remedy: &str| Failure::new(Exit::Usage, "usage", message, remedy);
    check_principal(&principal)
        .map_err(|why| usage(format!("--principal {principal:?}: {why}"), "Name one person or machine"))?;
    let role = match role {
        RoleArg::Trust => Role::Trust,
        RoleArg::Package => Role::Package,
        RoleArg::Publish => Role::Publish,
    };
    let ends = until.map(|until| text::parse_time(until, Side::Next, app.now, &app.zone)).transpose();
    let ends =
        ends.map_err(|why| usage(why, "Name a time like \"2027-06-01 00:00\", or a duration like 300d"))?;
    let before = match (ends, role) {
        (None, Role::Publish) => Some(later(app.now, PUBLISH_FOR)),
        (ends, _) => ends,
    };
    if let Some(before) = before {
        if before <= app.now {
            return Err(usage("--until is a time that is over".into(), "Name a later one"));
        }
        if role == Role::Publish && before > app.now + LONGEST_PUBLISH {
            let days = LONGEST_PUBLISH.num_days();
            return Err(usage(
                format!("a publish key counts for at most {days} days, since it may be unattended"),
                "Name an earlier --until, and trust the key again before it ends",
            ));
        }
    }
    // To the second, and not beyond what was asked for.
    let before = before.map(|at| chrono::SubsecRound::trunc_subsecs(at, 0));
    Ok(Signer { principal, role, after: None, before, key: read_public(public)? })
}

fn change(app: &App, folder: &SiteFolder, change: Change, sign: &SignArgs) -> Result<Exit> {
    // Of two lists at once the second is made of the first.
    let _alone = super::folder::alone(app, &folder.dir)?;
    let list = folder.change(change, &sign.key, app.now, app.dry_run)?;
    if app.dry_run {
        return app.would(format!(
            "sign version {} of the trust list with {}",
            list.version,
            sign.key.display()
        ));
    }
    let doc = doc(folder.list_path(list.version), &list, &list.revoked);
    app.out.view(&doc, || {
        let mut page = page(app, &doc);
        let indexed = [record::NAME, machines::NAME].iter().any(|name| folder.dir.join(name).exists());
        for line in next_steps(app, &list, &doc, indexed) {
            page.blank().line(line);
        }
        page
    })?;
    Ok(Exit::Done)
}

/// What makes a new list count. `indexed`: it is a site folder that pcm publishes from, or will, as its list of machines
/// says, and nobody fills its share by hand.
fn next_steps(app: &App, list: &TrustList, doc: &KeysDoc, indexed: bool) -> Vec<String> {
    let pcm = &app.setup.pcm;
    let lacks = |role: &Role| !list.signers.iter().any(|signer| signer.role == *role);
    let next = match [Role::Package, Role::Publish].iter().find(|role| lacks(role)) {
        Some(role) => format!(
            "No key has the role {role} yet: {pcm} key trust KEY.pub --role {role} --principal NAME --key TRUSTKEY"
        ),
        None => format!("It counts on machines once it is published: {pcm} site publish --key PUBLISHKEY"),
    };
    if indexed {
        return vec![next];
    }
    let by_hand = format!(
        "On a share that is filled by hand, copy {} to the folder trust of the share and sign each instruction file again, with \
         `epoch = {}`.",
        doc.file, doc.version
    );
    vec![next, by_hand]
}

fn list(app: &App, folder: &SiteFolder) -> Result<Exit> {
    let Some(list) = folder.newest()? else {
        return Err(Failure::new(
            Exit::NotFound,
            "no-trust-list",
            format!("{} has no trust list yet", folder.dir.display()),
            "Make the first: pcm key trust KEY.pub --role trust --principal NAME --key KEY",
        ));
    };
    let doc = doc(folder.list_path(list.version), &list, &list.revoked);
    app.out.view(&doc, || page(app, &doc))?;
    Ok(Exit::Done)
}

/// Where this machine's trust folder is.
fn trust_folder(app: &App) -> PathBuf {
    app.setup.layout.trust_folder(app.setup.config.trust.dir.as_deref())
}

/// The list that counts on this machine.
fn list_here(app: &App, none: Failure) -> Result<Exit> {
    let dir = trust_folder(app);
    let Some(material) = Material::read(&dir).map_err(|why| damaged(&why))? else {
        return Err(match app.setup.config.machine {
            None => none,
            Some(machine) => Failure::new(
                Exit::NotFound,
                "no-trust-list",
                format!("{machine} holds no trust list, and no site folder is named"),
                format!("Take the list of its share: {} init --trust-key SHA256:…", app.setup.pcm),
            ),
        });
    };
    let held = material.open().map_err(|why| damaged(&why))?;
    let doc = doc(dir.join(store::LIST), &held.list, held.revoked());
    app.out.view(&doc, || page(app, &doc))?;
    Ok(Exit::Done)
}

/// The list that counts here cannot be used.
pub fn damaged(why: &SafeText) -> Failure {
    let message = format!("whose keys count on this machine is not known: {why}");
    Failure::new(
        Exit::State,
        "trust-unreadable",
        message,
        "Take the list again: pcm init --trust-key SHA256:…",
    )
}

fn revoke_here(app: &App, key: &Key) -> Result<Exit> {
    let dir = trust_folder(app);
    if app.dry_run {
        return app.would(format!("revoke {} on this machine only", key.fingerprint()));
    }
    store::revoke(&dir, key).map_err(|e| {
        let message = format!("{} still counts on this machine: {}: {e}", key.fingerprint(), dir.display());
        Failure::new(Exit::Failed, "not-written", message, "Run it as root, or as the service's account")
    })?;
    app.out.note(format!(
        "{} is revoked on this machine only. At the whole site: {} key revoke PUBFILE --key TRUSTKEY, then publish",
        key.fingerprint(),
        app.setup.pcm
    ));
    list_here(app, damaged(&"nothing is there".into()))
}

fn doc(file: PathBuf, list: &TrustList, revoked: &[Key]) -> KeysDoc {
    let row = |key: &Key, signer: Option<&Signer>| KeyDoc {
        principal: signer.map(|s| SafeText::new(&s.principal)),
        role: signer.map(|s| s.role),
        fingerprint: key.fingerprint().into(),
        kind: key.kind().into(),
        valid_after: signer.and_then(|s| s.after),
        valid_before: signer.and_then(|s| s.before),
        comment: SafeText::new(key.comment()),
        revoked: signer.is_none(),
    };
    let counts = |signer: &&Signer| !revoked.contains(&signer.key);
    let counting = list.signers.iter().filter(counts).map(|signer| row(&signer.key, Some(signer)));
    KeysDoc {
        site: list.site.as_str().into(),
        site_id: list.site_id.as_str().into(),
        version: list.version,
        issued: list.issued,
        file: file.display().to_string().into(),
        keys: counting.chain(revoked.iter().map(|key| row(key, None))).collect(),
        withdrawn: list
            .withdrawn
            .iter()
            .map(|(package_id, below)| WithdrawnDoc { package_id: *package_id, below: *below })
            .collect(),
    }
}

fn page(app: &App, doc: &KeysDoc) -> Page {
    let look = app.look();
    let mut page = Page::new(app.out.width);
    let issued = look.stamp(doc.issued);
    page.line(format!(
        "Trust list of site {} ({}), version {}, made {issued}. {}",
        doc.site,
        doc.site_id,
        doc.version,
        look.zone_line()
    ));
    let columns = [fixed("ROLE"), words("PRINCIPAL", 8), fixed("UNTIL"), fixed("KIND"), words("KEY", 20)];
    let mut table = Table::new(0, &columns);
    for key in &doc.keys {
        let tone = if key.revoked { Tone::Dim } else { Tone::Plain };
        table.row(
            tone,
            [
                key.role.map_or_else(|| "revoked".to_owned(), |role| role.to_string()),
                key.principal.as_ref().map_or_else(String::new, |p| p.to_string()),
                key.valid_before.map_or_else(String::new, |at| look.short(at)),
                key.kind.to_string(),
                key.fingerprint.to_string(),
            ],
        );
    }
    page.blank().table(&table);
    for withdrawn in &doc.withdrawn {
        page.line(format!("Withdrawn: releases of {} below {}.", withdrawn.package_id, withdrawn.below));
    }
    page
}
