//! Bytes in a message. Nearly all that crosses between processes is text, and is told as a string: as numbers it would be three
//! times as long, and each of them read by itself. What is no text is told as numbers.

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serialize as _, Serializer};
use std::fmt;

/// Tells them.
///
/// # Errors
/// As the serializer reports them.
pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => to.serialize_str(text),
        Err(_) => bytes.serialize(to),
    }
}

/// Reads them, however they were told.
///
/// # Errors
/// It is neither a string nor numbers below 256.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    from.deserialize_any(Told)
}

struct Told;

impl<'de> Visitor<'de> for Told {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string or bytes as numbers")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.as_bytes().to_vec())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::host::wire;
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Message(#[serde(with = "super")] Vec<u8>);

    fn crossed(bytes: &[u8]) -> Vec<u8> {
        let sent = wire::encode(&Message(bytes.to_vec())).unwrap();
        wire::read::<Message>(&mut sent.as_slice(), wire::MAX_ANSWER).unwrap().0
    }

    proptest! {
        #[test]
        fn any_bytes_arrive_as_they_were(
            bytes in proptest::collection::vec(any::<u8>(), 0..500),
            text in any::<String>(),
        ) {
            prop_assert_eq!(crossed(&bytes), bytes);
            prop_assert_eq!(crossed(text.as_bytes()), text.into_bytes());
        }
    }

    #[test]
    fn text_crosses_as_text() {
        let json = serde_json::to_string(&Message(b"format = 1\nsite = \"BP0\"\n".to_vec())).unwrap();
        assert_eq!(json, r#""format = 1\nsite = \"BP0\"\n""#);
        assert_eq!(serde_json::to_string(&Message(vec![0xff, 0])).unwrap(), "[255,0]");
        assert!(serde_json::from_str::<Message>("[256]").is_err());
        assert!(serde_json::from_str::<Message>("7").is_err());
    }
}
