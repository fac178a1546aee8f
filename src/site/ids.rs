//! Identifiers (FORMATS.md 2). Read without case, kept in upper case; nothing else is accepted where an id is
//! expected, so an id is always a safe file name.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

/// Why a text is not an id: what was wanted and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a {kind}: wanted {length} of A-Z and 0-9, like {example}")]
pub struct BadId {
    /// The kind of id, in words.
    pub kind: &'static str,
    /// How many characters it has.
    pub length: usize,
    /// An example of a good one.
    pub example: &'static str,
    /// What stood there, at most 40 characters of it.
    pub found: String,
}

/// Reads an id from a text where it stands: a hundred thousand reports have millions of them.
struct IdVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err = BadId>> Visitor<'_> for IdVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $length:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// The id in upper case.
            pub fn as_str(&self) -> &str {
                // Only ASCII gets past `from_str`.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }

            /// All characters as one number, which is in the same order as they are.
            fn number(self) -> u64 {
                let mut bytes = [0; 8];
                bytes[..$length].copy_from_slice(&self.0);
                u64::from_be_bytes(bytes)
            }
        }

        // A decision looks up thousands of ids, and numbers are compared at once.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.number().cmp(&other.number())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = || BadId {
                    kind: $kind,
                    length: $length,
                    example: $example,
                    found: text.chars().take(40).collect(),
                };
                let bytes: [u8; $length] = text.as_bytes().try_into().map_err(|_| bad())?;
                if !bytes.iter().all(u8::is_ascii_alphanumeric) {
                    return Err(bad());
                }
                Ok(Self(bytes.map(|b| b.to_ascii_uppercase())))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_str(IdVisitor::<$name>(PhantomData))
            }
        }
    };
}

id!(
    /// The code of a site, e.g. `BP0`.
    SiteCode, "site code", 3, "BP0"
);
id!(
    /// SMSID: the id of a target computer, e.g. `BP004000`.
    MachineId, "machine id", 8, "BP004000"
);
id!(
    /// PackageID, e.g. `BP00000A`.
    PackageId, "package id", 8, "BP00000A"
);
id!(
    /// JobID, e.g. `BP0000AA`.
    JobId, "job id", 8, "BP0000AA"
);
id!(
    /// RequestID: one delivery of a job to one machine, e.g. `BP0000Y`. The key of the machine's history.
    RequestId, "request id", 7, "BP0000Y"
);

macro_rules! site_of {
    ($($name:ident),*) => {$(
        impl $name {
            /// The site that gave this id: its first three characters.
            pub fn site(&self) -> SiteCode {
                SiteCode([self.0[0], self.0[1], self.0[2]])
            }
        }
    )*};
}
site_of!(MachineId, PackageId, JobId, RequestId);

/// Which of all sites with one code: 16 random characters, made with the site folder. What is signed names it, so that it
/// counts nowhere else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteId(String);

impl SiteId {
    /// How many characters it has.
    pub const LENGTH: usize = 16;

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SiteId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        match text.len() == Self::LENGTH && text.bytes().all(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("wanted a site id: {} of a-z and 0-9", Self::LENGTH)),
        }
    }
}

impl TryFrom<String> for SiteId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SiteId> for String {
    fn from(id: SiteId) -> String {
        id.0
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a machine does what all machines of a site would do at once, as a part of the time that they have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(u32);

impl MachineId {
    /// Always the same for one id, evenly spread over many.
    pub fn turn(&self) -> Turn {
        let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(self.0));
        Turn(u32::from_be_bytes([a, b, c, d]))
    }

    /// The part of this time that is this machine's: what all machines of a site would do at once, each does so much
    /// later (SITE.md 5). Shorter than the whole.
    pub fn part_of(&self, whole: Duration) -> Duration {
        self.turn().of(whole)
    }
}

impl Turn {
    /// That part of this time.
    pub fn of(self, whole: Duration) -> Duration {
        whole.mul_f64(f64::from(self.0) / 2_f64.powi(32))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The machine of this number at a site of the tests.
    pub(crate) fn machine(n: usize) -> MachineId {
        format!("BP05{n:04}").parse().expect("an id")
    }

    #[test]
    fn ids_are_read_without_case_and_kept_in_upper_case() {
        assert_eq!("bp0000y".parse::<RequestId>().map(|i| i.to_string()), Ok("BP0000Y".into()));
        assert_eq!("BP004000".parse::<MachineId>().map(|i| i.site().to_string()), Ok("BP0".into()));
    }

    #[test]
    fn ids_are_in_the_order_of_their_characters() {
        let texts = ["BP0", "BP9", "BPA", "ZZZ", "000", "BQ0"];
        let ids = texts.map(|text| text.parse::<SiteCode>().expect("an id"));
        let texts = ["BP0000A", "BP00009", "BPZ0000", "0000000", "ZZZZZZZ", "BP00010", "BP0000Z"];
        let requests = texts.map(|text| text.parse::<RequestId>().expect("an id"));
        let jobs = texts.map(|text| format!("{text}5").parse::<JobId>().expect("an id"));
        for one in &ids {
            assert!(ids.iter().all(|other| one.cmp(other) == one.as_str().cmp(other.as_str())));
        }
        for (one, job) in requests.iter().zip(&jobs) {
            assert!(requests.iter().all(|other| one.cmp(other) == one.as_str().cmp(other.as_str())));
            assert!(jobs.iter().all(|other| job.cmp(other) == job.as_str().cmp(other.as_str())));
        }
    }

    #[test]
    fn machines_with_ids_in_a_row_are_spread_over_all_of_the_time() {
        let hour = Duration::from_secs(3_600);
        let mut minutes = [0; 60];
        for n in 0..6_000 {
            let id: MachineId = format!("BP0{n:05}").parse().expect("an id");
            assert_eq!(id.part_of(hour), id.part_of(hour));
            let minute = id.part_of(hour).as_secs() / 60;
            minutes[usize::try_from(minute).expect("a small number")] += 1;
        }
        assert!(minutes.iter().all(|machines| (60..150).contains(machines)), "{minutes:?}");
        // What other versions of pcm have to agree with.
        let id: MachineId = "BP004000".parse().expect("an id");
        assert_eq!(id.part_of(hour).as_secs(), 983);
        assert_eq!(id.part_of(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn nothing_but_an_id_passes_for_one() {
        for bad in ["", "BP0000", "BP0000YY", "../../x", "BP0000\n", "BP000Ü", "BP 000Y", "BP0000\0"] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad:?}");
        }
    }
}
