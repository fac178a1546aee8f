//! Who signed a publication: one person, or as many as the machine's `[trust] publish_signatures` asks for, so that nobody
//! publishes alone (SITE.md 4, "Signed bytes"). Each signs the same bytes, and each is somebody else.

use super::signature::Signature;
use super::signers::{Role, Signer};
use super::store::{Trusted, Wanted};
use super::{Distrust, block};
use crate::clock::Wall;

/// Those who signed it, in the order of the file: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publishers {
    first: Signer,
    others: Vec<Signer>,
}

impl Publishers {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Signer> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The one with whose key it stands or falls: the first that does not count at this time, else the first to end.
    pub fn weakest(&self, at: Wall) -> &Signer {
        let ended = self.all().find(|signer| signer.valid_at(at).is_err());
        let first = || self.all().min_by_key(|signer| signer.before.unwrap_or(Wall::MAX_UTC));
        ended.or_else(first).unwrap_or(&self.first)
    }

    /// Whether all of their keys count at this time.
    ///
    /// # Errors
    /// `key-expired`
    pub fn valid_at(&self, at: Wall) -> Result<(), Distrust> {
        self.weakest(at).valid_at(at)
    }

    /// Their names.
    pub fn principals(&self) -> String {
        self.joined(", ", |signer| signer.principal.clone())
    }

    /// Their keys.
    pub fn fingerprints(&self) -> String {
        self.joined(", ", |signer| signer.key.fingerprint())
    }

    fn joined(&self, with: &str, word: impl Fn(&Signer) -> String) -> String {
        self.all().map(word).collect::<Vec<_>>().join(with)
    }
}

impl From<Signer> for Publishers {
    fn from(first: Signer) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl std::fmt::Display for Publishers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            &self.joined(" and ", |signer| format!("{} with {}", signer.principal, signer.key.fingerprint())),
        )
    }
}

/// What was signed, and by whom. `at`: the keys have to count at this time; None: a key that has ended is a reason of its
/// own at each decision, with its time.
///
/// # Errors
/// Why nothing of it is believed.
pub fn opened<'b>(
    bytes: &'b [u8],
    trusted: &Trusted,
    at: Option<Wall>,
) -> Result<(&'b [u8], Publishers), Distrust> {
    let parts = match trusted.wanted {
        Wanted::Exactly(n) => block::split_into(bytes, n as usize)?,
        Wanted::Any => block::split(bytes)?,
    };
    let keys = trusted.keys();
    let mut found: Option<Publishers> = None;
    for armour in &parts.armours {
        let signature = Signature::read(armour)?;
        let signer = match at {
            Some(at) => keys.check(signature.key(), Role::Publish, at)?,
            None => keys.known(signature.key(), Role::Publish)?,
        };
        signature.verify(Role::Publish, parts.signed)?;
        match &mut found {
            None => found = Some(signer.clone().into()),
            Some(publishers) => {
                if publishers.all().any(|other| other.principal == signer.principal) {
                    let why = format!(
                        "{} signed it twice, and each signature has to be somebody else's",
                        signer.principal
                    );
                    return Err(Distrust::bad(why));
                }
                publishers.others.push(signer.clone());
            }
        }
    }
    // Where there are none, taking it apart has said so.
    let publishers = found.ok_or_else(|| Distrust::bad("it has no signature"))?;
    Ok((parts.signed, publishers))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{armour, issued, list, signing_key};
    use super::*;
    use crate::terms::Code;
    use chrono::TimeDelta;

    const TEXT: &str = "kind = \"index\"\n";

    /// Keys 3 and 4 publish for two people, 5 for the first of them again.
    fn trusted(wanted: Wanted) -> Trusted {
        let mut list = list(1);
        let first = list.signers[2].clone();
        for (number, principal, days) in [(4, "approver", 100), (5, first.principal.as_str(), 300)] {
            list.signers.push(Signer {
                principal: principal.to_owned(),
                before: Some(issued() + TimeDelta::days(days)),
                key: signing_key(number).1,
                ..first.clone()
            });
        }
        Trusted::of(list, Vec::new()).wanting(wanted)
    }

    fn by(numbers: &[u8]) -> Vec<u8> {
        let block = |number: &u8| armour(&signing_key(*number).0, "pcm-publish", TEXT.as_bytes());
        numbers.iter().fold(TEXT.to_owned(), |text, number| block::append(&text, &block(number))).into_bytes()
    }

    fn judged(numbers: &[u8], wanted: Wanted, days: i64) -> Result<String, Code> {
        let trusted = trusted(wanted);
        let found = opened(&by(numbers), &trusted, Some(issued() + TimeDelta::days(days))).map(
            |(signed, publishers)| {
                assert_eq!(signed, TEXT.as_bytes());
                publishers.principals()
            },
        );
        found.map_err(|distrust| distrust.code)
    }

    #[test]
    fn exactly_as_many_sign_as_are_wanted_and_each_is_somebody_else() {
        let (one, two) = (Wanted::Exactly(1), Wanted::Exactly(2));
        let both = || Ok("publish-3, approver".to_owned());
        for (numbers, wanted, expected) in [
            (&[3][..], one, Ok("publish-3".to_owned())),
            (&[3, 4], two, both()),
            (&[3, 4], Wanted::Any, both()),
            (&[4], Wanted::Any, Ok("approver".to_owned())),
            (&[3], two, Err(Code::BadSignature)),
            (&[3, 4], one, Err(Code::BadSignature)),
            (&[3, 4, 5], two, Err(Code::BadSignature)),
            // Twice the same key, another key of the same person, one that is no publisher's, one that nobody knows.
            (&[3, 3], two, Err(Code::BadSignature)),
            (&[3, 5], two, Err(Code::BadSignature)),
            (&[3, 5], Wanted::Any, Err(Code::BadSignature)),
            (&[3, 1], two, Err(Code::BadSignature)),
            (&[3, 9], two, Err(Code::BadSignature)),
            (&[], Wanted::Any, Err(Code::Unsigned)),
        ] {
            assert_eq!(judged(numbers, wanted, 1), expected, "{numbers:?} {wanted:?}");
        }
    }

    #[test]
    fn it_counts_as_long_as_each_of_their_keys_does() {
        let two = Wanted::Exactly(2);
        assert_eq!(judged(&[3, 4], two, 99).as_deref(), Ok("publish-3, approver"));
        assert_eq!(judged(&[3, 4], two, 100), Err(Code::KeyExpired));
        // What is in force is taken all the same, and each decision says when it ended.
        let (bytes, trusted) = (by(&[3, 4]), trusted(two));
        let (_, publishers) = opened(&bytes, &trusted, None).unwrap();
        let at = |days| issued() + TimeDelta::days(days);
        assert_eq!(publishers.weakest(at(1)).principal, "approver");
        assert_eq!(publishers.valid_at(at(99)), Ok(()));
        assert_eq!(publishers.valid_at(at(100)).map_err(|distrust| distrust.code), Err(Code::KeyExpired));
        assert_eq!(publishers.weakest(at(100)).principal, "approver");
        // A block over other bytes is none of these.
        let other = armour(&signing_key(4).0, "pcm-publish", b"kind = \"other\"\n");
        let text = block::append(std::str::from_utf8(&by(&[3])).unwrap(), &other);
        assert_eq!(opened(text.as_bytes(), &trusted, None).unwrap_err().code, Code::BadSignature);
    }
}
