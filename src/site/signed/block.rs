//! Signatures at the end of the file that they sign, as comment lines (SITE.md 4, "Signed bytes"). They are found from the
//! end; what is before them is what was signed, and nothing else of the file is ever read.

use super::Distrust;
use crate::terms::Code;

const BEGIN: &str = "# -----BEGIN SSH SIGNATURE-----";
const END: &str = "# -----END SSH SIGNATURE-----";
/// No line of what is signed begins like this: a marker inside a text could be taken for the end of it.
const MARKER: &[u8] = b"# -----";
/// The largest block with its comment signs, in bytes.
pub const MAX_BLOCK: usize = 4 << 10;
/// The most blocks that are looked at.
const MAX_BLOCKS: usize = 8;

/// A file taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// What was signed, with its last line break.
    pub signed: &'a [u8],
    /// The signatures in the order of the file, as `ssh-keygen` wrote them.
    pub armours: Vec<String>,
}

/// Takes a file apart.
///
/// # Errors
/// `unsigned`: no signature is at its end; `bad-signature`: something is there that is none, or what would be signed holds
/// what must not be in it.
pub fn split(bytes: &[u8]) -> Result<Parts<'_>, Distrust> {
    let mut signed = bytes;
    let mut armours = Vec::new();
    while armours.len() < MAX_BLOCKS
        && let Some((before, armour)) = peel(signed)?
    {
        signed = before;
        armours.push(armour);
    }
    armours.reverse();
    let marker = signed.split(|b| *b == b'\n').position(|line| line.starts_with(MARKER));
    if let Some(at) = marker {
        let what = match armours.is_empty() {
            true => "the signature is not the end of the file",
            false => "what is signed must not hold such a line",
        };
        return Err(Distrust::bad(format!("line {} begins with \"# -----\": {what}", at + 1)));
    }
    if armours.is_empty() {
        return Err(Distrust::new(Code::Unsigned, "no signature is at its end"));
    }
    check_signed(signed)?;
    Ok(Parts { signed, armours })
}

/// The same with exactly `wanted` signatures.
///
/// # Errors
/// As [`split`]; `bad-signature` where there are more or fewer.
pub fn split_into(bytes: &[u8], wanted: usize) -> Result<Parts<'_>, Distrust> {
    let parts = split(bytes)?;
    match parts.armours.len() {
        n if n == wanted => Ok(parts),
        n => Err(Distrust::bad(format!("it has {n} signatures, and {wanted} are wanted"))),
    }
}

/// A text with a signature of it at its end. `text` may end with signatures of the same bytes.
pub fn append(text: &str, armour: &str) -> String {
    let mut out = text.to_owned();
    for line in armour.lines() {
        out.push_str("# ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// What stands before the last block, and its signature; None: the file does not end with one.
fn peel(bytes: &[u8]) -> Result<Option<(&[u8], String)>, Distrust> {
    let Some(body) = bytes.strip_suffix(b"\n").and_then(|b| b.strip_suffix(END.as_bytes())) else {
        return Ok(None);
    };
    if !(body.is_empty() || body.ends_with(b"\n")) {
        return Ok(None);
    }
    // Only as far as a block may reach, whatever the file holds.
    let reach = &bytes[bytes.len().saturating_sub(MAX_BLOCK)..];
    let begin = format!("\n{BEGIN}\n");
    let Some(at) = reach.windows(begin.len()).rposition(|w| w == begin.as_bytes()) else {
        let why =
            format!("no line of the last {MAX_BLOCK} bytes begins the signature that the file ends with");
        return Err(Distrust::bad(why));
    };
    let before = bytes.len() - reach.len() + at + 1;
    let block = std::str::from_utf8(&bytes[before..]).map_err(|_| not_base64())?;
    let mut armour = String::new();
    // Not by `lines`, which would not see a carriage return.
    for marked in block.strip_suffix('\n').unwrap_or(block).split('\n') {
        let line = marked.strip_prefix("# ").ok_or_else(not_base64)?;
        let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
        if ![BEGIN, END].contains(&marked) && (line.is_empty() || !line.bytes().all(base64)) {
            return Err(not_base64());
        }
        armour.push_str(line);
        armour.push('\n');
    }
    Ok(Some((&bytes[..before], armour)))
}

fn not_base64() -> Distrust {
    Distrust::bad("a line of the signature is not \"# \" and base64")
}

/// What could be read in two ways is not signed.
fn check_signed(signed: &[u8]) -> Result<(), Distrust> {
    let wrong = |what: &str| Err(Distrust::bad(format!("what is signed {what}")));
    match signed {
        [] => wrong("is empty"),
        _ if !signed.ends_with(b"\n") => wrong("does not end with a line break"),
        _ if signed.contains(&b'\r') => {
            wrong("holds a carriage return: save it with line breaks of one byte (LF), and sign it again")
        }
        _ if signed.contains(&0) => wrong("holds a NUL"),
        _ if signed.windows(3).any(|w| w == b"\xEF\xBB\xBF") => {
            wrong("holds a byte order mark: save it as UTF-8 without one, and sign it again")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const ARMOUR: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\nAAAA\n-----END SSH SIGNATURE-----\n";

    fn why(bytes: &[u8]) -> String {
        split(bytes).unwrap_err().to_string()
    }

    #[test]
    fn what_is_before_the_block_is_what_was_signed_and_the_armour_is_kept_as_it_is() {
        let file = append("a = 1\n", ARMOUR);
        let parts = split(file.as_bytes()).unwrap();
        assert_eq!((parts.signed, parts.armours), (&b"a = 1\n"[..], vec![ARMOUR.to_owned()]));
        let twice = append(&file, ARMOUR);
        assert_eq!(split(twice.as_bytes()).unwrap().armours.len(), 2);
        assert_eq!(split(twice.as_bytes()).unwrap().signed, b"a = 1\n");
        assert_eq!(
            split_into(twice.as_bytes(), 1).unwrap_err().why.as_str(),
            "it has 2 signatures, and 1 are wanted"
        );
    }

    #[test]
    fn a_block_that_is_not_the_end_signs_nothing() {
        let file = append("a = 1\n", ARMOUR);
        assert!(why(b"a = 1\n").starts_with("unsigned: "));
        assert!(why(b"").starts_with("unsigned: "));
        for after in ["b = 2\n", "[[request]]\n", "# a comment\n", "\n", "x"] {
            let found = why(format!("{file}{after}").as_bytes());
            assert!(found.ends_with("the signature is not the end of the file"), "{after:?}: {found}");
        }
        // A block whose beginning is cut off, or further away than one may reach.
        assert!(why(b"a = 1\n# AAAA\n# -----END SSH SIGNATURE-----\n").starts_with("bad-signature: no line"));
        let long = format!("a = 1\n{BEGIN}\n{}{END}\n", "# AAAA\n".repeat(MAX_BLOCK / 7));
        assert!(why(long.as_bytes()).starts_with("bad-signature: no line of the last 4096 bytes"));
        assert!(why(file.trim_end().as_bytes()).contains("is not the end of the file"));
    }

    #[test]
    fn a_marker_in_a_text_is_never_taken_for_the_end_of_what_is_signed() {
        let inside = append(&format!("a = '''\n{}'''\n", append("", ARMOUR)), ARMOUR);
        assert!(
            why(inside.as_bytes()).contains("line 2 begins with \"# -----\""),
            "{}",
            why(inside.as_bytes())
        );
        let indented = append("a = 1\n # -----BEGIN SSH SIGNATURE-----\n", ARMOUR);
        assert!(split(indented.as_bytes()).is_ok(), "only lines that begin with it are markers");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_signed() {
        for (text, words) in [
            ("a = 1\r\n", "carriage return"),
            ("a = \"\0\"\n", "NUL"),
            ("\u{FEFF}a = 1\n", "byte order mark"),
            ("a = \"\u{FEFF}\"\n", "byte order mark"),
        ] {
            assert!(why(append(text, ARMOUR).as_bytes()).contains(words), "{text:?}");
        }
        assert!(why(append("", ARMOUR).as_bytes()).contains("no line of the last"));
        let crlf = append("a = 1\n", ARMOUR).replace('\n', "\r\n");
        assert!(split(crlf.as_bytes()).is_err());
        for bad in ["# AA AA", "#AAAA", "# ", "AAAA", "# AAAA;", "# ä", "# AAAA\r", "# -----x"] {
            let file = append("a = 1\n", ARMOUR).replace("# AAAA", bad);
            assert!(split(file.as_bytes()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        /// Whatever a file holds: taking it apart neither fails otherwise than by saying so, nor gives back anything but
        /// its own beginning.
        #[test]
        fn any_bytes_are_taken_apart(bytes in prop::collection::vec(any::<u8>(), 0..200), end in any::<bool>()) {
            let file = if end { [bytes.as_slice(), append("\n", ARMOUR).as_bytes()].concat() } else { bytes };
            if let Ok(parts) = split(&file) {
                prop_assert!(file.starts_with(parts.signed) && end);
            }
        }
    }
}
