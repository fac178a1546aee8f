//! What `pcm evidence` says of an archive that it has made, here or on another machine, in a few words. The document may come from
//! another machine, and is not believed to be anything.

use crate::safe;
use crate::text::SafeText;
use serde_json::Value;

/// So many parts are named at most.
const NAMED: usize = 4;

/// What is said of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where it is, by word of whoever made it.
    pub file: SafeText,
    /// How large it is, by the same.
    pub bytes: u64,
    /// `; missing in it: serials, transcripts/BP0000Y-1.log; a part only: log`, or nothing.
    pub lacks: SafeText,
}

/// What a document says; None: it is none of an archive.
pub fn told(document: &[u8]) -> Option<Told> {
    let doc: Value = serde_json::from_slice(document).ok()?;
    let file = SafeText::new(doc.get("file")?.as_str()?);
    let bytes = doc.get("bytes")?.as_u64()?;
    let parts = doc.get("parts")?.as_array()?;
    let named = |standing: &str| {
        let of_it = |part: &&Value| part.get("standing").and_then(Value::as_str) == Some(standing);
        let mut names: Vec<&str> =
            parts.iter().filter(of_it).filter_map(|part| part.get("part")?.as_str()).map(stem).collect();
        // Each view is there as text and as JSON.
        names.dedup();
        names
    };
    let missing = listed("missing in it", &named("missing"));
    Some(Told { file, bytes, lacks: safe!("{missing}{}", listed("a part only", &named("part"))) })
}

/// The last document that stands on standard error, where whoever makes an archive says so.
pub fn told_beside(said: &[u8]) -> Option<Told> {
    said.split(|byte| *byte == b'\n').rev().find_map(told)
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".json").or_else(|| name.strip_suffix(".txt")).unwrap_or(name)
}

fn listed(what: &str, names: &[&str]) -> SafeText {
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len() {
        0 => SafeText::EMPTY,
        n if n > NAMED => safe!("; {what}: {shown} and {} more", n - NAMED),
        _ => safe!("; {what}: {shown}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn document(parts: &[(&str, &str)]) -> String {
        let parts: Vec<String> =
            parts.iter().map(|(part, of)| format!(r#"{{"part":"{part}","standing":"{of}"}}"#)).collect();
        format!(r#"{{"file":"/tmp/x","bytes":7,"parts":[{}]}}"#, parts.join(","))
    }

    #[test]
    fn what_is_not_whole_in_an_archive_is_named_once_and_not_all_of_many() {
        let lacks = |parts: &[(&str, &str)]| told(document(parts).as_bytes()).unwrap().lacks.to_string();
        assert_eq!(lacks(&[("show.json", "whole")]), "");
        let some = [("log.json", "part"), ("log.txt", "part"), ("serials", "missing"), ("a.json", "other")];
        assert_eq!(lacks(&some), "; missing in it: serials; a part only: log");
        let many: Vec<String> = (0..7).map(|n| format!("transcripts/BP0000Y-{n}.log")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "missing")).collect();
        assert!(lacks(&many).ends_with("transcripts/BP0000Y-3.log and 3 more"), "{}", lacks(&many));
        assert_eq!(lacks(&[("\\u001b[2J", "missing")]), "; missing in it: ^[[2J");
    }

    #[test]
    fn anything_else_is_no_word_of_an_archive() {
        for other in ["", "{}", "7", r#"{"file":"x","bytes":-1,"parts":[]}"#, r#"{"file":1,"bytes":1}"#] {
            assert_eq!(told(other.as_bytes()), None, "{other}");
        }
        let said = format!("motd\n{}\nbye\n", document(&[]));
        assert_eq!(told_beside(said.as_bytes()).unwrap().bytes, 7);
        assert_eq!(told_beside(b"motd"), None);
    }
}
