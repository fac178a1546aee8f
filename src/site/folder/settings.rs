//! `site.toml` (SITE.md 3): what a site folder says of itself.

use crate::fields::{self, Fields, Source};
use crate::host::open::remote;
use crate::site::ids::{SiteCode, SiteId};
use crate::site::instruction::render::{line, quoted};
use crate::terms::Problem;
use crate::text::SafeText;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// How long an index counts where the folder does not say.
const VALID_FOR: Duration = Duration::from_secs(30 * 86_400);
/// The longest time an index may count, and the shortest that leaves time to renew it.
const LONGEST: Duration = Duration::from_secs(90 * 86_400);
const SHORTEST: Duration = Duration::from_secs(3_600);
const MALFORMED: &str = "malformed";

/// What `site.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The first three characters of all its ids.
    pub site: SiteCode,
    /// Which of all sites with this code.
    pub site_id: SiteId,
    /// e.g. "Head office".
    pub name: SafeText,
    /// What times without a zone mean to those who look at them here; None: this machine's.
    pub zone: Option<String>,
    /// Where it is published: a folder, below the site folder where it is not absolute.
    pub share: String,
    /// Whom to call.
    pub contact: Option<SafeText>,
    /// How long an index counts after it was published.
    pub valid_for: Duration,
    /// The key that signs publications.
    pub key: Option<String>,
    /// Reports without a signature count, too.
    pub unsigned_reports: bool,
}

impl Settings {
    /// The name of the timer that publishes what is due. Two folders of one site code, as one for tests, have a timer each.
    pub fn timer_name(&self) -> String {
        let own: String = self.site_id.as_str().chars().take(6).collect();
        format!("pcm-site-{}-{own}", self.site)
    }

    /// Those of a new folder.
    pub fn new(site: SiteCode, site_id: SiteId, share: &str) -> Self {
        Self {
            site,
            site_id,
            name: format!("Site {site}").into(),
            zone: None,
            share: share.to_owned(),
            contact: None,
            valid_for: VALID_FOR,
            key: None,
            unsigned_reports: false,
        }
    }

    /// Where the share is.
    pub fn share(&self, dir: &Path) -> PathBuf {
        match remote::is_remote(Path::new(&self.share)) {
            true => PathBuf::from(&self.share),
            false => dir.join(&self.share),
        }
    }

    /// The text of a new `site.toml`.
    pub fn starter(&self) -> String {
        let mut out = String::from(
            "# The site folder: the source of everything that `pcm site publish` puts on the share.\n\
             # Keep private keys elsewhere.\n",
        );
        line(&mut out, "site", &quoted(self.site.as_str()));
        out.push_str("# Tells this site from others with the same code. Never change it.\n");
        line(&mut out, "site_id", &quoted(self.site_id.as_str()));
        line(&mut out, "name", &quoted(self.name.as_str()));
        out.push_str("# The instruction share: a folder, below this one where it is not absolute, or s3://bucket/prefix.\n");
        line(&mut out, "share", &quoted(&self.share));
        out.push_str(
            "\n# zone = \"Europe/Paris\"          # what times without a zone mean here; the machines have their own\n\
             # contact = \"ops@example.com\"    # whom the machines name\n\
             # valid_for = \"30d\"              # how long a publication counts; at most 90d\n\
             # key = \"~/.ssh/pcm-publish\"     # what signs publications, or the .pub of a key that an agent holds\n\
             # unsigned_reports = false       # whether reports without a signature count\n",
        );
        out
    }
}

/// Reads `site.toml`.
///
/// # Errors
/// Every problem, in the order of its lines; a key that is not known is one.
pub fn parse(bytes: &[u8], file: &str) -> Result<Settings, Vec<Problem>> {
    let source = Source::decode(bytes, file, MALFORMED).map_err(|p| vec![p])?;
    let table = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
    let mut f = Fields::top(&source, table.get_ref());
    let site = f.need("site", fields::parsed::<SiteCode>);
    let site_id = f.need("site_id", fields::parsed::<SiteId>);
    let name = f.get("name", fields::words);
    let zone = f.get("zone", path);
    let share = f.get("share", share);
    let contact = f.get("contact", fields::words);
    let valid_for = f.get("valid_for", |v| match fields::duration(v)? {
        time if (SHORTEST..=LONGEST).contains(&time) => Ok(time),
        _ => Err(format!("wanted 1h to 90d, found {}", fields::found(v))),
    });
    let key = f.get("key", path);
    let unsigned_reports = f.get("unsigned_reports", fields::boolean);
    let unknown = f.unknown();
    f.absorb(unknown);
    let problems = f.finish();
    match (site, site_id) {
        (Some(site), Some(site_id)) if problems.is_empty() => {
            let new = Settings::new(site, site_id, "share");
            Ok(Settings {
                name: name.unwrap_or_else(|| new.name.clone()),
                zone,
                share: share.unwrap_or_else(|| new.share.clone()),
                contact,
                valid_for: valid_for.unwrap_or(new.valid_for),
                key,
                unsigned_reports: unsigned_reports.unwrap_or(new.unsigned_reports),
                ..new
            })
        }
        _ => Err(problems),
    }
}

/// A share: a folder, or a bucket.
fn share(value: &DeValue<'_>) -> Result<String, String> {
    let text = path(value)?;
    match remote::location(&text)? {
        Some(url) if remote::is_read_only(&url) => Err(format!(
            "nobody can write to {}: name a folder, like \"/mnt/share\", or a bucket, s3://bucket/prefix",
            fields::found(value)
        )),
        Some(url) => Ok(url.to_string_lossy().into_owned()),
        None if text.contains("://") => {
            Err(format!("{} is neither a folder nor s3://bucket/prefix", fields::found(value)))
        }
        None => Ok(text),
    }
}

/// A short text on one line.
fn path(value: &DeValue<'_>) -> Result<String, String> {
    let text = fields::text(value)?;
    match text.is_empty() || text.len() > 4_096 || text.chars().any(char::is_control) {
        true => Err(format!("wanted a short text on one line, found {}", fields::found(value))),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn new() -> Settings {
        Settings::new("BP0".parse().unwrap(), "abcdefgh12345678".parse().unwrap(), "share")
    }

    #[test]
    fn a_new_folder_says_what_it_was_made_with_and_explains_the_rest() {
        assert_eq!(parse(new().starter().as_bytes(), "site.toml"), Ok(new()));
        let all: String = new()
            .starter()
            .lines()
            .map(|l| format!("{}\n", l.strip_prefix("# ").filter(|l| l.contains(" = ")).unwrap_or(l)))
            .collect();
        let read = parse(all.as_bytes(), "site.toml").unwrap();
        assert_eq!((read.key.as_deref(), read.valid_for), (Some("~/.ssh/pcm-publish"), VALID_FOR));
        assert_eq!(read.zone.as_deref(), Some("Europe/Paris"));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let text = "site = \"BP\"\nsite_id = \"short\"\nvalid_for = \"91d\"\nshares = \"x\"\nshare = \"https://host/x\"\n";
        let problems = parse(text.as_bytes(), "site.toml").unwrap_err();
        let lines: Vec<Option<u32>> = problems.iter().map(|p| p.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5].map(Some), "{problems:?}");
        assert!(problems[4].message.as_str().contains("nobody can write"), "{problems:?}");
        assert!(parse(text.replace("https://host/x", "").as_bytes(), "site.toml").unwrap_err().len() == 5);
    }
}
