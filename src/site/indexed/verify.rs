//! Whose an index is, and whose the packages that its jobs run (SITE.md 4). Signature first, then TOML: bytes that nobody
//! signed reach no parser.

use crate::clock::Wall;
use crate::site::ids::PackageId;
use crate::site::index::{self, Index};
use crate::site::package::{self, Package};
use crate::site::signed::list::AHEAD;
use crate::site::signed::published::Standing;
use crate::site::signed::publishers::{self, Publishers};
use crate::site::signed::signature::Signature;
use crate::site::signed::signers::{Role, Signer};
use crate::site::signed::store::Trusted;
use crate::site::signed::{Distrust, block};
use crate::terms::Code;
use chrono::TimeDelta;

/// How long an index may be valid.
const LONGEST: TimeDelta = TimeDelta::days(90);

/// What of a file was signed: everything, where nothing signs it.
pub fn signed_bytes(bytes: &[u8]) -> &[u8] {
    block::split(bytes).map_or(bytes, |parts| parts.signed)
}

/// Reads an index in mode `permissions`: whoever could write the share has published it.
///
/// # Errors
/// What is wrong with it.
pub fn unsigned(bytes: &[u8], at: Wall, standing: Standing) -> Result<Index, Distrust> {
    let index = index::parse(bytes, index::NAME).map_err(|problems| Distrust::malformed(&problems))?;
    match standing {
        Standing::Offered => not_ahead(&index, at)?,
        Standing::InForce => {}
    }
    Ok(index)
}

/// Reads an index in mode `signed`.
///
/// # Errors
/// Why nothing of it is believed.
pub fn index(
    bytes: &[u8],
    trusted: &Trusted,
    at: Wall,
    standing: Standing,
) -> Result<(Index, Publishers), Distrust> {
    let (signed, publishers) = publishers::opened(bytes, trusted, standing.judged_at(at))?;
    let index = index::parse(signed, index::NAME).map_err(|p| Distrust::malformed(&p))?;
    let list = &trusted.list;
    if index.site != list.site || index.site_id != list.site_id {
        return Err(Distrust::bad(format!(
            "it is of the site {} {}, and this machine is of {} {}",
            index.site, index.site_id, list.site, list.site_id
        )));
    }
    let Some(until) = index.valid_until else {
        return Err(Distrust::new(Code::Malformed, "a signed index needs valid_until"));
    };
    if until > index.issued + LONGEST {
        let days = LONGEST.num_days();
        return Err(Distrust::new(
            Code::Malformed,
            format!("valid_until is more than {days} days after issued"),
        ));
    }
    if index.epoch > list.version {
        return Err(Distrust::bad(format!(
            "it says epoch {}, and trust list {} is the newest that this machine could verify",
            index.epoch, list.version
        )));
    }
    if standing == Standing::Offered {
        if index.epoch < list.version {
            return Err(Distrust::new(
                Code::Rollback,
                format!(
                    "it says epoch {}, and trust list {} is in force: it has to be published again",
                    index.epoch, list.version
                ),
            ));
        }
        not_ahead(&index, at)?;
    }
    Ok((index, publishers))
}

fn not_ahead(index: &Index, at: Wall) -> Result<(), Distrust> {
    if index.issued <= at + AHEAD {
        return Ok(());
    }
    let issued = index.issued.format("%Y-%m-%d %H:%M UTC");
    Err(Distrust::new(
        Code::IssuedAhead,
        format!("it was issued at {issued}, more than a day ahead of this clock"),
    ))
}

/// Whose key signed a package, where its signature verifies.
///
/// # Errors
/// Why it is not believed.
pub fn package_signer(definition: &str, armour: &str, trusted: &Trusted) -> Result<Signer, Distrust> {
    let signature = Signature::read(armour)?;
    let signer = trusted.keys().known(signature.key(), Role::Package)?;
    signature.verify(Role::Package, definition.as_bytes())?;
    Ok(signer.clone())
}

/// Reads a package of this id and release.
///
/// # Errors
/// What is wrong with it. In mode `signed` it may be of another site, too, or withdrawn.
pub fn package(
    definition: &str,
    (id, release): (PackageId, u64),
    programs: &[String],
    trusted: Option<&Trusted>,
) -> Result<Package, Distrust> {
    let package = package::parse(definition.as_bytes(), package::NAME, programs)
        .map_err(|problems| Distrust::malformed(&problems))?;
    if package.package_id != id {
        return Err(Distrust::new(Code::PackageMismatch, format!("it is of package {}", package.package_id)));
    }
    if package.release != Some(release) {
        let own = package.release.map_or_else(|| "none".to_owned(), |own| own.to_string());
        return Err(Distrust::new(
            Code::PackageMismatch,
            format!("the job says release {release}, and the package says {own}"),
        ));
    }
    let Some(trusted) = trusted else { return Ok(package) };
    let own = trusted.list.site_id.as_str();
    if !package.sites.iter().any(|site| site.as_str() == own || site.as_str() == "*") {
        return Err(Distrust::bad(format!("its sites do not name this one, {own}")));
    }
    let below = trusted.list.withdrawn.get(&id).copied().unwrap_or_default();
    if release < below {
        return Err(Distrust::new(
            Code::PackageWithdrawn,
            format!("release {release} is withdrawn, as are all below {below}"),
        ));
    }
    Ok(package)
}
