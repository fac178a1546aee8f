//! An archive that the pcm of another machine has sent: seen to be whole, made a file here, and told of as one that is made here.
//! Nothing in it is looked at.

use super::super::out::Out;
use super::super::page::Page;
use super::manifest::{Told, page};
use super::not_made;
use crate::error::{Exit, Failure, Result};
use crate::host::archive::{Frame, MOST};
use crate::host::durable;
use crate::host::host_name::HostName;
use crate::site::content::hash_bytes;
use crate::text::{SafeText, bytes};
use serde_json::{Map, Value};
use std::path::Path;

/// Makes the file of what came from `host`, and says what that machine has said of it on standard error.
///
/// # Errors
/// `not-made`: it is not whole, or too large, or cannot be written; nothing of it is left.
pub fn keep(out: &Out, host: &HostName, file: &Path, packed: &[u8], said: &[u8]) -> Result<()> {
    let refuse = |why: String, remedy: String| {
        let message = format!("{} was not made: {why}", file.display());
        Err(Failure::new(Exit::Failed, "not-made", message, remedy))
    };
    if packed.len() as u64 > MOST {
        let remedy = format!("Make it over there and copy it: ssh {host} pcm evidence REQUEST --out FILE");
        return refuse(format!("{host} sent more than {}", bytes(MOST)), remedy);
    }
    let mut frame = Frame::default();
    frame.take(packed);
    let sha256 = hash_bytes(packed);
    let mut doc = document(said);
    let other = doc.get("sha256").is_some_and(|of| of.as_str() != Some(sha256.as_str()));
    if other || !frame.is_whole() {
        let what = if frame.is_broken() || other { "no archive" } else { "only a part of one" };
        let why = format!("what {host} sent is {what}");
        let remedy = format!("See whether `ssh {host} true` prints anything: nothing may stand beside it");
        return refuse(why, remedy);
    }
    durable::create_new_private(file, packed).map_err(|e| not_made(file, &e))?;
    let name = SafeText::new(&file.display().to_string());
    let size = packed.len() as u64;
    doc.insert("file".to_owned(), name.as_str().into());
    doc.insert("bytes".to_owned(), size.into());
    doc.insert("sha256".to_owned(), sha256.as_str().into());
    let parts = doc.get("parts").cloned().and_then(|parts| serde_json::from_value::<Vec<Told>>(parts).ok());
    out.view(&doc, || match parts {
        Some(parts) => page(&name, size, &parts, out.width),
        None => {
            let mut page = Page::new(out.width);
            page.strong(format!("{name}: {}. MANIFEST in it lists its parts.", bytes(size)));
            page
        }
    })
}

/// The document of an archive that was sent, on standard error; empty where it is none.
fn document(said: &[u8]) -> Map<String, Value> {
    let said = String::from_utf8_lossy(said);
    let read = |line: &str| serde_json::from_str::<Map<String, Value>>(line.trim()).ok();
    let doc = said.lines().rev().filter_map(read).find(|doc| doc.contains_key("parts"));
    safe_object(doc.unwrap_or_default())
}

/// With nothing in any text of it that a terminal obeys or hides. JSON itself escapes the least of that.
fn safe_object(doc: Map<String, Value>) -> Map<String, Value> {
    doc.into_iter().map(|(name, value)| (safe_lines(&name), safe_value(value))).collect()
}

fn safe_value(value: Value) -> Value {
    match value {
        Value::String(text) => safe_lines(&text).into(),
        Value::Array(all) => all.into_iter().map(safe_value).collect(),
        Value::Object(all) => safe_object(all).into(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

/// Lines stay lines, as in the rule that the document states.
fn safe_lines(text: &str) -> String {
    let lines: Vec<SafeText> = text.split('\n').map(SafeText::new).collect();
    let lines: Vec<&str> = lines.iter().map(SafeText::as_str).collect();
    lines.join("\n")
}
