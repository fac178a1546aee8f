//! What a machine in mode `signed` makes of an instruction file and of the packages that it names (SITE.md 4): who signed
//! each, and whether the publisher changed anything that only the package may say. Pure: the service calls it for what a
//! share gave, for what it holds at each start, and before each launch.

use super::Distrust;
use super::list::AHEAD;
use super::publishers::{self, Publishers};
use super::signature::Signature;
use super::signers::{Role, Signer};
use super::store::Trusted;
use crate::clock::Wall;
use crate::fields::{self, Fields, Source};
use crate::site::content;
use crate::site::ids::{MachineId, PackageId, RequestId, SiteId};
use crate::site::installed::Need;
use crate::site::instruction::parse::{Defaults, parse};
use crate::site::instruction::{ContentHash, Entry, InstructionFile, Request};
use crate::site::package::{self, PackageCommand};
use crate::terms::Code;
use crate::text::SafeText;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::de::DeTable;

/// The name of a package's signature.
pub const SIGNATURE: &str = "package.toml.sig";
/// How long an instruction file may be valid.
const LONGEST: TimeDelta = TimeDelta::days(90);
const MALFORMED: &str = "malformed";

/// A package definition with its signature, as a share has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFiles {
    /// `package.toml`
    pub definition: Vec<u8>,
    /// `package.toml.sig`
    pub signature: Vec<u8>,
}

/// The packages that an instruction file names, as far as a share has them.
pub type Packages = BTreeMap<PackageId, PackageFiles>;

/// Who signed the instruction file in force, and what each of its requests runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The trust list that it was published under.
    pub epoch: u64,
    /// Of the bytes that the signatures cover.
    pub sha256: ContentHash,
    /// Whose keys.
    pub publishers: Publishers,
    /// What its packages' signers say, by request.
    pub packages: BTreeMap<RequestId, Result<Vouched, Distrust>>,
}

/// A request that runs exactly what a package's signer signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Of the package.
    pub release: u64,
    /// Whose key.
    pub signer: Signer,
    /// When it has something to do, on a hand-made share; None: always. Under an index its delivery says it.
    pub need: Option<Need>,
}

/// How an instruction file stands to whoever judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A share offers it.
    Offered,
    /// It is in force.
    InForce,
}

impl Standing {
    /// When the keys that signed it have to count. None: a key that has ended is a reason of its own at each decision, with
    /// its time.
    pub fn judged_at(self, at: Wall) -> Option<Wall> {
        match self {
            Standing::Offered => Some(at),
            Standing::InForce => None,
        }
    }
}

/// What an instruction file is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// Whose file it has to be.
    pub machine: MachineId,
    /// What the configuration says where a request does not.
    pub defaults: &'a Defaults,
    /// Whose word counts.
    pub trusted: &'a Trusted,
    /// Now.
    pub at: Wall,
    /// Whether it is new.
    pub standing: Standing,
}

/// Judges an instruction file and its packages.
///
/// # Errors
/// Why nothing of it is believed. What is wrong with one package closes its requests alone.
pub fn judge(
    bytes: &[u8],
    packages: &Packages,
    judging: &Judging<'_>,
) -> Result<(InstructionFile, SignedBy), Distrust> {
    let Judging { defaults, trusted, .. } = *judging;
    let (mut file, mut by) = instructions(bytes, judging)?;
    let opened: BTreeMap<PackageId, Result<Opened, Distrust>> =
        named(&file).map(|id| (id, open(id, packages.get(&id), defaults, trusted))).collect();
    for entry in &mut file.requests {
        let Entry::Good(request) = entry else { continue };
        let vouched = match opened.get(&request.package_id) {
            Some(Ok(package)) => package.vouch(request, defaults),
            Some(Err(distrust)) => Err(distrust.clone()),
            None => Err(Distrust::new(Code::Unsigned, "its package was not looked at")),
        };
        // Only the machine says whether it may run outside of windows.
        request.ignore_windows &= defaults.ignore_windows;
        by.packages.insert(request.request_id, vouched);
    }
    Ok((file, by))
}

/// The packages that a file names.
pub fn named(file: &InstructionFile) -> impl Iterator<Item = PackageId> {
    let ids = file.requests.iter().filter_map(|entry| match entry {
        Entry::Good(request) => Some(request.package_id),
        Entry::Rejected(_) => None,
    });
    ids.collect::<std::collections::BTreeSet<_>>().into_iter()
}

/// Judges an instruction file alone.
///
/// # Errors
/// Why nothing of it is believed.
pub fn instructions(bytes: &[u8], judging: &Judging<'_>) -> Result<(InstructionFile, SignedBy), Distrust> {
    let Judging { machine, defaults, trusted, at, standing } = *judging;
    let (signed, publishers) = publishers::opened(bytes, trusted, standing.judged_at(at))?;
    let (site_id, epoch) = head(signed)?;
    let name = format!("{machine}.INS");
    let file = parse(signed, machine, &name, defaults).map_err(|p| Distrust::malformed(&p))?;
    let list = &trusted.list;
    if (file.site, &site_id) != (list.site, &list.site_id) {
        return Err(Distrust::bad(format!(
            "it is of the site {} {site_id}, and this machine is of {} {}",
            file.site, list.site, list.site_id
        )));
    }
    let Some(until) = file.valid_until else {
        return Err(Distrust::new(Code::Malformed, "a signed instruction file needs valid_until"));
    };
    if until > file.issued + LONGEST {
        let days = LONGEST.num_days();
        let why = format!("valid_until is more than {days} days after issued");
        return Err(Distrust::new(Code::Malformed, why));
    }
    if epoch > list.version {
        return Err(Distrust::bad(format!(
            "it says epoch {epoch}, and trust list {} is the newest that this machine could verify",
            list.version
        )));
    }
    if standing == Standing::Offered {
        if epoch < list.version {
            return Err(Distrust::new(
                Code::Rollback,
                format!(
                    "it says epoch {epoch}, and trust list {} is in force: it has to be signed again",
                    list.version
                ),
            ));
        }
        if file.issued > at + AHEAD {
            return Err(Distrust::new(
                Code::IssuedAhead,
                format!(
                    "it was issued at {}, more than a day ahead of this clock",
                    file.issued.format("%Y-%m-%d %H:%M UTC")
                ),
            ));
        }
    }
    let sha256 = content::hash_bytes(signed);
    Ok((file, SignedBy { epoch, sha256, publishers, packages: BTreeMap::new() }))
}

/// Whose file it is by what it says, which a name may not tell.
///
/// # Errors
/// It is no instruction file.
pub fn machine_of(signed: &[u8]) -> Result<MachineId, Distrust> {
    of_head(signed, |f| f.need("machine", fields::parsed))
}

/// What only a signed file has to say: what it is, for which of all sites, under which trust list.
fn head(signed: &[u8]) -> Result<(SiteId, u64), Distrust> {
    of_head(signed, |f| {
        let (site_id, epoch) = (f.need("site_id", fields::parsed), f.need("epoch", fields::whole));
        site_id.zip(epoch)
    })
}

fn of_head<T>(signed: &[u8], read: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>) -> Result<T, Distrust> {
    let malformed = |problem| Distrust::malformed(&[problem]);
    let source = Source::decode(signed, "the instruction file", MALFORMED).map_err(malformed)?;
    let table = DeTable::parse(source.text).map_err(|e| malformed(source.syntax(&e)))?;
    let mut f = Fields::top(&source, table.get_ref());
    let kind = f.need("kind", |v| match fields::text(v)? {
        "instructions" => Ok(()),
        other => Err(format!("wanted \"instructions\", found {:?}", fields::cut(other, 40))),
    });
    let found = read(&mut f);
    kind.and(found).ok_or_else(|| Distrust::malformed(&f.finish()))
}

/// A package whose signature verifies and counts at this site.
struct Opened {
    package: package::Package,
    release: u64,
    signer: Signer,
}

fn open(
    id: PackageId,
    files: Option<&PackageFiles>,
    defaults: &Defaults,
    trusted: &Trusted,
) -> Result<Opened, Distrust> {
    let of = |distrust: Distrust| distrust.at(format!("packages/{id}/package.toml"));
    let new = |code, why: String| of(Distrust::new(code, why));
    let files = files.ok_or_else(|| new(Code::Unsigned, "it or its signature is missing".into()))?;
    let armour = std::str::from_utf8(&files.signature)
        .map_err(|_| new(Code::BadSignature, "its signature is no text".into()))?;
    let signature = Signature::read(armour).map_err(of)?;
    let signer = trusted.keys().known(signature.key(), Role::Package).map_err(of)?;
    signature.verify(Role::Package, &files.definition).map_err(of)?;
    let package = package::parse(&files.definition, package::NAME, &defaults.programs)
        .map_err(|problems| of(Distrust::malformed(&problems)))?;
    if package.package_id != id {
        return Err(new(Code::BadSignature, format!("it is of package {}", package.package_id)));
    }
    let own = trusted.list.site_id.as_str();
    if !package.sites.iter().any(|site| site.as_str() == own || site.as_str() == "*") {
        return Err(new(Code::BadSignature, format!("its sites do not name this one, {own}")));
    }
    let Some(release) = package.release.filter(|release| *release > 0) else {
        return Err(new(Code::Malformed, "a signed package needs a release".into()));
    };
    if !names_its_kind(&files.definition) {
        return Err(new(Code::Malformed, "a signed package needs kind = \"package\"".into()));
    }
    let below = trusted.list.withdrawn.get(&id).copied().unwrap_or_default();
    if release < below {
        return Err(new(
            Code::PackageWithdrawn,
            format!("release {release} is withdrawn, as are all below {below}"),
        ));
    }
    Ok(Opened { package, release, signer: signer.clone() })
}

/// Whoever signs says what it is; without a signature that may be left out.
fn names_its_kind(definition: &[u8]) -> bool {
    let Ok(source) = Source::decode(definition, package::NAME, MALFORMED) else { return false };
    DeTable::parse(source.text).is_ok_and(|table| Fields::top(&source, table.get_ref()).has("kind"))
}

impl Opened {
    /// Whether a request says the same as the package, wherever only the package may choose.
    fn vouch(&self, request: &Request, defaults: &Defaults) -> Result<Vouched, Distrust> {
        let mismatch = |what: &str| {
            Err(Distrust::new(
                Code::PackageMismatch,
                format!(
                    "{what} of the instruction file is not what {} signed in release {} of {}",
                    self.signer.principal, self.release, self.package.package_id
                ),
            ))
        };
        let command = self.package.commands.iter().find(|command| command.name == request.command);
        let Some(command) = command else { return mismatch("command") };
        if let Some(bound) = unsupported(command) {
            return Err(Distrust::new(
                Code::PackageMismatch,
                format!(
                    "its signer bounds it by `{bound}`, which this pcm cannot judge on a hand-made share"
                ),
            ));
        }
        let (how, package) = (&command.how, &self.package);
        let max_run_time = how.max_run_time.unwrap_or(defaults.max_run_time);
        let equal = [
            ("package", package.name == request.package),
            ("command_line", command.command_line == request.command_line),
            ("content_sha256", package.content_sha256 == request.content_sha256),
            ("automated", how.automated == request.automated),
            ("background", how.background == request.background),
            ("platforms", how.platforms == request.platforms),
            ("run_when", how.run_when == request.run_when),
            ("max_run_time", max_run_time == request.max_run_time),
            ("restarts", how.restarts == request.restarts),
            ("ignore_windows", how.ignore_windows == request.ignore_windows),
            ("disk_space", how.disk_space == request.disk_space),
            ("exit_codes", how.exit_codes == request.exit_codes),
        ];
        match equal.iter().find(|(_, equal)| !equal) {
            Some((what, _)) => mismatch(what),
            None => {
                let test = package.installed_if.clone();
                let need = test.map(|test| Need { test, removes: command.removes });
                Ok(Vouched { release: self.release, signer: self.signer.clone(), need })
            }
        }
    }
}

/// A bound that its signer set and that nothing here judges: it must not be as good as none.
fn unsupported(command: &PackageCommand) -> Option<&'static str> {
    match () {
        () if command.bound.is_some() => Some("where"),
        () if !command.depends_on.is_empty() => Some("depends_on"),
        () if command.removes => Some("removes"),
        () => None,
    }
}

impl SignedBy {
    /// In words, for the gate.
    pub fn words(&self) -> SafeText {
        SafeText::new(&format!("signed by {}, under trust list {}", self.publishers, self.epoch))
    }
}
