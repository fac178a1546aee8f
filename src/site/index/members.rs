//! The site's list of machines as machines read it (SITE.md 2): `members/LIST.<revision>` names the parts, and each part
//! has the machines whose hashed id begins with its name, one a line, sorted.

use crate::site::ids::MachineId;
use crate::site::instruction::ContentHash;
use crate::terms::Problem;
use sha2::{Digest, Sha256};

/// The largest list of parts, and the largest part, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;
/// The longest group name.
pub const MAX_GROUP: usize = 32;
/// The most groups of one machine.
pub const MAX_GROUPS: usize = 100;
const MALFORMED: &str = "malformed";

/// How many hex digits of the hashed id name a part: one for so many machines at most (SITE.md 2).
pub const DIGITS: [(usize, u32); 4] = [(500, 0), (8_000, 1), (130_000, 2), (usize::MAX, 3)];

/// How many hex digits name the parts of a site with so many machines.
pub fn digits(machines: usize) -> u32 {
    DIGITS.iter().find(|(most, _)| machines <= *most).map_or(3, |(_, digits)| *digits)
}

/// The part that has this machine: `all`, or the first hex digits of SHA-256 of its id.
pub fn part(machine: MachineId, digits: u32) -> String {
    if digits == 0 {
        return "all".to_owned();
    }
    let [a, b, ..] = <[u8; 32]>::from(Sha256::digest(machine.as_str()));
    let name = format!("{a:02x}{b:02x}");
    name[..digits.min(3) as usize].to_owned()
}

/// Whether a text is the name of a part.
pub fn is_part(name: &str) -> bool {
    name == "all"
        || (1..=3).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether a text is the name of a group (SITE.md 2).
pub fn is_group(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= MAX_GROUP
        && name.bytes().next().is_some_and(good)
        && name.bytes().all(|b| good(b) || b == b'_' || b == b'-')
}

/// One line of `LIST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `all`, or hex digits.
    pub name: String,
    /// Of `members/<name>.<revision>`.
    pub revision: u64,
    /// Of its bytes.
    pub sha256: ContentHash,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub machine: MachineId,
    /// Its host name; None: it is not said.
    pub host: Option<String>,
    /// The state that it shall adopt as done (SITE.md 5); None: none.
    pub adopt: Option<String>,
    /// Its groups, sorted. Every machine is in `all`, too, which is not written.
    pub groups: Vec<String>,
}

impl Member {
    /// Whether it is in this group; every machine is in `all`.
    pub fn is_in(&self, group: &str) -> bool {
        group == "all" || self.groups.iter().any(|own| own == group)
    }
}

/// Reads `LIST`. `file` is how messages name it. One without a line names nobody: all machines were removed. That it is not
/// cut off says its hash.
///
/// # Errors
/// Every line that is wrong: of a list that is wrong anywhere nothing counts.
pub fn parse_list(bytes: &[u8], file: &str) -> Result<Vec<Part>, Vec<Problem>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut last: Option<String> = None;
    lines(bytes, file, |line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, revision, sha256] = words[..] else {
            return Err("wanted a part, its revision and its SHA-256".to_owned());
        };
        if !is_part(name) {
            return Err(format!("{name:?} is no part: wanted \"all\" or up to 3 of 0-9 and a-f"));
        }
        in_order(&mut last, name)?;
        let revision = whole(revision).ok_or_else(|| format!("{revision:?} is no revision"))?;
        let sha256 = ContentHash::try_from(sha256.to_owned())?;
        Ok(Part { name: name.to_owned(), revision, sha256 })
    })
    .and_then(|parts| match parts.iter().find(|part| part.name.len() != parts[0].name.len()) {
        Some(other) => {
            let message = format!("{} and {} are parts of two divisions", parts[0].name, other.name);
            Err(vec![Problem::of_file(MALFORMED, file, message)])
        }
        None => Ok(parts),
    })
}

/// Reads the part of this name.
///
/// # Errors
/// Every line that is wrong: of a part that is wrong anywhere nothing counts.
pub fn parse_part(bytes: &[u8], name: &str, file: &str) -> Result<Vec<Member>, Vec<Problem>> {
    let mut last: Option<String> = None;
    let digits = if name == "all" { 0 } else { u32::try_from(name.len()).unwrap_or(3) };
    lines(bytes, file, |line| {
        let mut words = line.split(' ');
        let mut word =
            |what: &str| words.next().filter(|w| !w.is_empty()).ok_or(format!("{what} is missing"));
        let id = word("the machine id")?;
        let machine: MachineId = id.parse().map_err(|e: crate::site::ids::BadId| e.to_string())?;
        // One way to write it, so that no machine stands there twice.
        if machine.as_str() != id {
            return Err(format!("{id:?} is not in upper case"));
        }
        in_order(&mut last, id)?;
        let belongs = part(machine, digits);
        if belongs != name {
            return Err(format!("{machine} belongs into part {belongs}"));
        }
        let some = |word: &str| (word != "-").then(|| word.to_owned());
        let host = some(word("the host name (- for none)")?);
        if let Some(host) = host.as_ref().filter(|host| !is_host(host)) {
            return Err(format!("{host:?} is no host name"));
        }
        let adopt = some(word("the state to be adopted (- for none)")?);
        if let Some(state) = adopt.as_ref().filter(|state| !is_state(state)) {
            return Err(format!("{state:?} is no state of a machine"));
        }
        let groups: Vec<String> = words.map(str::to_owned).collect();
        if groups.len() > MAX_GROUPS {
            return Err(format!("{machine} is in {} groups; at most {MAX_GROUPS}", groups.len()));
        }
        if let Some(group) = groups.iter().find(|group| !is_group(group) || *group == "all") {
            return Err(format!("{group:?} is no name of a group: wanted a-z, 0-9, - and _"));
        }
        if !groups.is_sorted_by(|a, b| a < b) {
            return Err("its groups are not sorted, or one stands there twice".into());
        }
        Ok(Member { machine, host, adopt, groups })
    })
}

/// The text of a part, which [`parse_part`] reads back; `members` are sorted by id.
pub fn render_part(members: &[Member]) -> String {
    let mut out = String::new();
    for member in members {
        let none = "-".to_owned();
        let words = [
            member.machine.to_string(),
            member.host.clone().unwrap_or_else(|| none.clone()),
            member.adopt.clone().unwrap_or(none),
        ];
        out.push_str(&words.join(" "));
        for group in &member.groups {
            out.push(' ');
            out.push_str(group);
        }
        out.push('\n');
    }
    out
}

/// Whether a text is a state as pcm names the histories of machines: 32 hexadecimal digits. Anybody may have written a report
/// that nobody signed, and what it says goes no further.
pub fn is_state(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

/// A host name or an address, as ssh takes it.
pub fn is_host(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
    (1..=253).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(good)
}

/// A number in the one way to write it.
fn whole(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|n| n.to_string() == text)
}

fn in_order(last: &mut Option<String>, name: &str) -> Result<(), String> {
    if let Some(last) = last.as_deref().filter(|last| *last >= name) {
        return Err(format!("{name} stands behind {last}: the lines are not sorted, or one is there twice"));
    }
    *last = Some(name.to_owned());
    Ok(())
}

/// Every line, each ended by LF. Of many wrong ones the first few are kept.
fn lines<T>(
    bytes: &[u8],
    file: &str,
    mut read: impl FnMut(&str) -> Result<T, String>,
) -> Result<Vec<T>, Vec<Problem>> {
    const MOST_PROBLEMS: usize = 20;
    let wrong = |line: usize, message: String| Problem {
        line: u32::try_from(line).ok(),
        ..Problem::of_file(MALFORMED, file, message)
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(vec![Problem::of_file(MALFORMED, file, format!("larger than {MAX_BYTES} bytes"))]);
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        vec![wrong(line, "this line is not UTF-8".into())]
    })?;
    let Some(text) = text.strip_suffix('\n') else {
        let message =
            if text.is_empty() { "it is empty" } else { "its last line does not end: it is cut off" };
        return Err(vec![Problem::of_file(MALFORMED, file, message)]);
    };
    let (mut good, mut problems) = (Vec::new(), Vec::new());
    for (i, line) in text.split('\n').enumerate() {
        match read(line) {
            Ok(one) => good.push(one),
            Err(message) if problems.len() < MOST_PROBLEMS => problems.push(wrong(i + 1, message)),
            Err(_) => {}
        }
    }
    if problems.is_empty() { Ok(good) } else { Err(problems) }
}
