//! Whose keys count for what: public keys, and the lines of a trust list, which are a strict subset of OpenSSH's
//! `allowed_signers` (SITE.md 4), so that a list can be given to `ssh-keygen -Y verify` as it is.

use super::Distrust;
use crate::clock::Wall;
use crate::terms::{Code, words};
use base64ct::{Base64, Encoding as _};
use chrono::{NaiveDate, TimeZone as _, Utc};
use serde::{Deserialize, Serialize};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, PublicKey};
use std::fmt;

/// The longest line, in bytes.
const MAX_LINE: usize = 1_000;
/// The longest comment of a key, in characters.
const MAX_COMMENT: usize = 100;
/// The longest name of a principal.
const MAX_PRINCIPAL: usize = 64;

words!(
    /// What a key's word counts for. One key has one role.
    Role {
        /// Whose word counts: signs trust lists.
        Trust = "trust",
        /// What may be run: signs packages.
        Package = "package",
        /// Who runs what when: signs instruction files.
        Publish = "publish",
    }
);

impl Role {
    /// What a signature is made for: one that was made for something else verifies nothing here.
    pub const fn namespace(self) -> &'static str {
        match self {
            Role::Trust => "pcm-trust",
            Role::Package => "pcm-package",
            Role::Publish => "pcm-publish",
        }
    }
}

/// A public key of a kind that is believed.
#[derive(Debug, Clone)]
pub struct Key(PublicKey);

impl PartialEq for Key {
    /// The comment is no part of it.
    fn eq(&self, other: &Self) -> bool {
        self.0.key_data() == other.0.key_data()
    }
}

impl Eq for Key {}

impl Key {
    /// # Errors
    /// `bad-algorithm`
    pub fn of(key: PublicKey) -> Result<Self, Distrust> {
        match is_believed(&key.algorithm()) {
            true => Ok(Self(key)),
            false => Err(Distrust::new(
                Code::BadAlgorithm,
                format!(
                    "a key of the kind {} is never believed; ed25519, ecdsa-sha2-nistp256, and both on a token are",
                    key.algorithm()
                ),
            )),
        }
    }

    /// Reads `TYPE KEY [comment]`, as in a `.pub` file.
    ///
    /// # Errors
    /// `bad-algorithm`; `malformed`, with what was wanted.
    pub fn read(text: &str) -> Result<Self, Distrust> {
        let malformed = |why: String| Distrust::new(Code::Malformed, why);
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.len() > MAX_LINE || text.chars().any(char::is_control) {
            return Err(malformed("wanted one line of a public key, like \"ssh-ed25519 AAAA… name\"".into()));
        }
        let key = PublicKey::from_openssh(text).map_err(|e| match e {
            ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
                Distrust::new(Code::BadAlgorithm, "a key of this kind is never believed")
            }
            other => malformed(format!("wanted a public key, like \"ssh-ed25519 AAAA… name\": {other}")),
        })?;
        let key = Self::of(key)?;
        // One text for one key: base64 can be written in several ways that mean the same.
        let (written, own) = (text.split(' ').take(2), key.text());
        if !written.eq(own.split(' ')) {
            return Err(malformed("the key is not written as OpenSSH writes it".into()));
        }
        if key.comment().chars().count() > MAX_COMMENT {
            return Err(malformed(format!("the key's comment is longer than {MAX_COMMENT} characters")));
        }
        Ok(key)
    }

    /// `TYPE KEY`, without the comment.
    pub fn text(&self) -> String {
        // Of a key that was read it cannot fail.
        PublicKey::from(self.0.key_data().clone()).to_openssh().unwrap_or_default()
    }

    /// `TYPE KEY comment`
    pub fn line(&self) -> String {
        match self.comment() {
            "" => self.text(),
            comment => format!("{} {comment}", self.text()),
        }
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// `ssh-ed25519`
    pub fn kind(&self) -> String {
        self.0.algorithm().to_string()
    }

    /// Whatever its owner wrote behind it.
    pub fn comment(&self) -> &str {
        self.0.comment()
    }

    /// Whether its private half is on a token.
    pub fn is_on_a_token(&self) -> bool {
        matches!(self.0.key_data(), KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_))
    }

    pub(super) fn public(&self) -> &PublicKey {
        &self.0
    }
}

/// How OpenSSH writes a key of the kind that nearly all machines have, and what it writes there before the key's own bytes.
const ED25519: &str = "ssh-ed25519 ";
const BEFORE: &[u8; 19] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";

/// The bytes of such a key of which [`ed25519_text`] makes this text, `TYPE KEY`; None: there are none. What has them is a key
/// that [`Key::read`] reads, and of a hundred thousand that is known much sooner.
pub fn ed25519(text: &str) -> Option<[u8; 32]> {
    // Their base64 has no remainder: no two texts have the same bytes.
    let mut bytes = [0; 51];
    let read = Base64::decode(text.strip_prefix(ED25519)?, &mut bytes).ok()?;
    read.strip_prefix(BEFORE)?.try_into().ok()
}

/// `TYPE KEY` of such a key.
pub fn ed25519_text(key: &[u8; 32]) -> String {
    let mut text = ED25519.to_owned();
    text.push_str(&Base64::encode_string(&[BEFORE.as_slice(), key].concat()));
    text
}

/// One line of a trust list: who signs with which key, as what, from when and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// A person or a machine, as the site calls them.
    pub principal: String,
    /// What the key's word counts for.
    pub role: Role,
    /// Not before.
    pub after: Option<Wall>,
    /// Not from here on.
    pub before: Option<Wall>,
    /// With the comment of its owner.
    pub key: Key,
}

impl Signer {
    /// Reads `PRINCIPAL namespaces="NAME"[,valid-after="…Z"][,valid-before="…Z"] TYPE KEY [comment]`.
    ///
    /// # Errors
    /// What was wanted instead, as a clause.
    pub fn read(line: &str) -> Result<Self, String> {
        if line.len() > MAX_LINE || line.chars().any(char::is_control) {
            return Err(format!("wanted one line of at most {MAX_LINE} bytes"));
        }
        let mut parts = line.splitn(3, ' ');
        let (Some(principal), Some(options), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("wanted PRINCIPAL namespaces=\"pcm-…\" TYPE KEY".into());
        };
        check_principal(principal)?;
        let (namespace, options) = option(options, "namespaces")?
            .ok_or("wanted exactly one namespace first: namespaces=\"pcm-package\"")?;
        let role = Role::ALL.iter().copied().find(|role| role.namespace() == namespace);
        let role = role.ok_or("wanted one of the namespaces pcm-trust, pcm-package, pcm-publish")?;
        let (after, options) = time_option(options, "valid-after")?;
        let (before, options) = time_option(options, "valid-before")?;
        if !options.is_empty() {
            return Err(
                "after namespaces only valid-after=\"…Z\" and valid-before=\"…Z\" may stand, in this order"
                    .into(),
            );
        }
        if let (Some(after), Some(before)) = (after, before)
            && before <= after
        {
            return Err("valid-before is not after valid-after".into());
        }
        let key = Key::read(key).map_err(|distrust| distrust.why.into_string())?;
        Ok(Self { principal: principal.to_owned(), role, after, before, key })
    }

    /// Whether the key counts at this time.
    ///
    /// # Errors
    /// `key-expired`: it does not yet, or not any more.
    pub fn valid_at(&self, at: Wall) -> Result<(), Distrust> {
        let stamp = |at: Wall| at.format("%Y-%m-%d %H:%M UTC").to_string();
        let outside = |words: String| {
            let (who, role) = (&self.principal, self.role);
            Err(Distrust::new(Code::KeyExpired, format!("the {role} key of {who} {words}")))
        };
        match (self.after, self.before) {
            (Some(after), _) if at < after => outside(format!("counts only from {} on", stamp(after))),
            (_, Some(before)) if at >= before => outside(format!("counted until {}", stamp(before))),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Signer {
    /// The line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} namespaces=\"{}\"", self.principal, self.role.namespace())?;
        for (name, at) in [("valid-after", self.after), ("valid-before", self.before)] {
            if let Some(at) = at {
                write!(f, ",{name}=\"{}\"", at.format("%Y%m%d%H%M%SZ"))?;
            }
        }
        write!(f, " {}", self.key.line())
    }
}

/// Whether keys of this kind are believed: ed25519, ECDSA over P-256, and both on a token. No RSA, no certificates.
fn is_believed(algorithm: &Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Ed25519
            | Algorithm::SkEd25519
            | Algorithm::SkEcdsaSha2NistP256
            | Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }
    )
}

/// A plain name: OpenSSH would take patterns, and lists of them.
///
/// # Errors
/// What was wanted instead.
pub fn check_principal(name: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'+' | b'-');
    let good = name.len() <= MAX_PRINCIPAL
        && name.bytes().all(plain)
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    match good {
        true => Ok(()),
        false => Err(format!(
            "wanted one plain name of at most {MAX_PRINCIPAL} letters, digits, dots, @, +, - and _"
        )),
    }
}

/// The value of an option that comes first, and what follows it; None: another comes first, or none.
fn option<'t>(options: &'t str, name: &str) -> Result<Option<(&'t str, &'t str)>, String> {
    let value = options.strip_prefix(name).and_then(|rest| rest.strip_prefix("=\""));
    let Some(value) = value else { return Ok(None) };
    let (value, rest) = value.split_once('"').ok_or_else(|| format!("the value of {name} does not end"))?;
    let rest = match rest.strip_prefix(',') {
        Some("") => return Err("a comma, and no option after it".into()),
        Some(rest) => rest,
        None if rest.is_empty() => rest,
        None => return Err(format!("wanted a comma after the value of {name}")),
    };
    Ok(Some((value, rest)))
}

fn time_option<'t>(options: &'t str, name: &str) -> Result<(Option<Wall>, &'t str), String> {
    match option(options, name)? {
        None => Ok((None, options)),
        Some((value, rest)) => {
            let at = time(value).ok_or_else(|| {
                format!("wanted {name}=\"YYYYMMDDHHMMSSZ\" or \"YYYYMMDDZ\": a time without Z means another one on each machine")
            })?;
            Ok((Some(at), rest))
        }
    }
}

/// `YYYYMMDD[HHMM[SS]]Z`
fn time(text: &str) -> Option<Wall> {
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return None;
    }
    let number = |at: std::ops::Range<usize>| digits.get(at).map_or(Some(0), |n| n.parse::<u32>().ok());
    let date = NaiveDate::from_ymd_opt(number(0..4)?.try_into().ok()?, number(4..6)?, number(6..8)?)?;
    let at = date.and_hms_opt(number(8..10)?, number(10..12)?, number(12..14)?)?;
    Some(Utc.from_utc_datetime(&at))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::signing_key;
    use super::*;
    use proptest::prelude::*;

    fn key() -> Key {
        signing_key(1).1
    }

    #[test]
    fn a_line_is_read_and_written_back_to_the_same() {
        for (options, role) in [
            ("namespaces=\"pcm-trust\"", Role::Trust),
            ("namespaces=\"pcm-package\",valid-after=\"20260101Z\"", Role::Package),
            ("namespaces=\"pcm-publish\",valid-before=\"202701010000Z\"", Role::Publish),
            (
                "namespaces=\"pcm-publish\",valid-after=\"20260101000000Z\",valid-before=\"20270101Z\"",
                Role::Publish,
            ),
        ] {
            let line = format!("anna.b+c@example.org {options} {} Anna's key", key().text());
            let signer = Signer::read(&line).unwrap();
            assert_eq!((signer.role, signer.key.comment()), (role, "Anna's key"));
            assert_eq!(Signer::read(&signer.to_string()), Ok(signer));
        }
    }

    #[test]
    fn what_openssh_would_take_more_freely_is_refused() {
        let key = key().text();
        for line in [
            format!("* namespaces=\"pcm-trust\" {key}"),
            format!("anna,bob namespaces=\"pcm-trust\" {key}"),
            format!("!anna namespaces=\"pcm-trust\" {key}"),
            format!("\"anna\" namespaces=\"pcm-trust\" {key}"),
            format!("-anna namespaces=\"pcm-trust\" {key}"),
            format!("anna {key}"),
            format!("anna namespaces=\"pcm-*\" {key}"),
            format!("anna namespaces=\"pcm-trust,pcm-package\" {key}"),
            format!("anna namespaces=\"pcm-report\" {key}"),
            format!("anna namespaces=pcm-trust {key}"),
            format!("anna cert-authority,namespaces=\"pcm-trust\" {key}"),
            format!("anna namespaces=\"pcm-trust\",cert-authority {key}"),
            format!("anna namespaces=\"pcm-trust\", {key}"),
            format!("anna namespaces=\"pcm-trust\",valid-before=\"20270101\" {key}"),
            format!("anna namespaces=\"pcm-trust\",valid-before=\"20270230Z\" {key}"),
            format!("anna namespaces=\"pcm-trust\",valid-before=\"2027010125Z\" {key}"),
            format!(
                "anna namespaces=\"pcm-trust\",valid-before=\"20270101Z\",valid-after=\"20260101Z\" {key}"
            ),
            format!(
                "anna namespaces=\"pcm-trust\",valid-after=\"20270101Z\",valid-before=\"20260101Z\" {key}"
            ),
            format!("anna namespaces=\"pcm-trust\",namespaces=\"pcm-trust\" {key}"),
            format!("anna  namespaces=\"pcm-trust\" {key}"),
            format!("anna namespaces=\"pcm-trust\"  {key}"),
            format!("anna namespaces=\"pcm-trust\" {key}="),
            format!("# anna namespaces=\"pcm-trust\" {key}"),
            "anna namespaces=\"pcm-trust\" ssh-ed25519".to_owned(),
            "anna namespaces=\"pcm-trust\" ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==".to_owned(),
            String::new(),
        ] {
            assert!(Signer::read(&line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_key_counts_from_the_one_time_on_and_before_the_other() {
        let line = format!(
            "anna namespaces=\"pcm-publish\",valid-after=\"20260101Z\",valid-before=\"20270101Z\" {}",
            key().text()
        );
        let signer = Signer::read(&line).unwrap();
        let at = |text: &str| text.parse::<Wall>().unwrap();
        assert!(signer.valid_at(at("2026-01-01T00:00:00Z")).is_ok());
        assert!(signer.valid_at(at("2026-12-31T23:59:59Z")).is_ok());
        for out in ["2025-12-31T23:59:59Z", "2027-01-01T00:00:00Z"] {
            assert_eq!(signer.valid_at(at(out)).unwrap_err().code, Code::KeyExpired);
        }
    }

    proptest! {
        #[test]
        fn whatever_bytes_a_key_has_it_is_known_by_them_as_it_is_read(bytes in any::<[u8; 32]>(), at in 0..80_usize, c in "[ -~]") {
            let text = ed25519_text(&bytes);
            prop_assert_eq!(ed25519(&text), Some(bytes));
            prop_assert_eq!(Key::read(&text).map(|key| key.text()), Ok(text.clone()));
            // What is no key, or not the text of one, has no bytes.
            let mut other = text.clone();
            other.replace_range(at..=at, &c);
            let read = Key::read(&other).is_ok_and(|key| key.text() == other);
            prop_assert!(ed25519(&other).is_none() || read, "{}", other);
        }
    }
}
