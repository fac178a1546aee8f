//! INI text, read the way Windows reads private profiles: sections and keys without case, the first of two counts, `;`
//! begins a comment, blanks round `=` do not count. ANSI (Windows-1252), UTF-8 or UTF-16 with its mark.

use std::collections::BTreeSet;

/// The most lines.
const MAX_LINES: usize = 20_000;

/// The sections of a file.
#[derive(Debug, Default)]
pub(super) struct Ini {
    sections: Vec<Section>,
}

/// One section.
#[derive(Debug)]
pub(super) struct Section {
    /// As it is written.
    pub name: String,
    keys: Vec<(String, String)>,
}

impl Ini {
    /// Reads a text.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = decode(bytes)?;
        let mut ini = Self::default();
        for (number, line) in text.split(['\n', '\r']).enumerate() {
            if number >= MAX_LINES {
                return Err(format!("it has more than {MAX_LINES} lines"));
            }
            let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\0');
            if line.is_empty() || line.starts_with(';') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                let name = name.split(']').next().unwrap_or_default().trim();
                ini.sections.push(Section { name: name.to_owned(), keys: Vec::new() });
                continue;
            }
            let Some(section) = ini.sections.last_mut() else { continue };
            match line.split_once('=') {
                Some((key, value)) => section.keys.push((key.trim().to_owned(), plain(value).to_owned())),
                // Real files have lists that go on in the next line; Windows itself would not see the rest.
                None => {
                    if let Some((_, value)) = section.keys.last_mut().filter(|(_, v)| v.ends_with(',')) {
                        value.push_str(line);
                    }
                }
            }
        }
        Ok(ini)
    }

    /// The first section of this name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name.eq_ignore_ascii_case(name))
    }

    /// All sections, in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter()
    }
}

impl Section {
    /// The first value of this key; None where it is not there, or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.keys.iter().find(|(k, _)| k.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether a key says `TRUE`; `otherwise` where it is not there, or empty.
    pub fn flag(&self, key: &str, otherwise: bool) -> bool {
        self.get(key).map_or(otherwise, |value| value.eq_ignore_ascii_case("true"))
    }

    /// The keys that say something and are none of these, each once.
    pub fn others(&self, used: &[&str]) -> Vec<&str> {
        let mut known = BTreeSet::new();
        let says = |value: &str| !value.is_empty() && !value.eq_ignore_ascii_case("false");
        let others = self.keys.iter().filter(|(key, value)| {
            // The first of two counts.
            known.insert(key.to_ascii_lowercase())
                && says(value)
                && !used.iter().any(|used| used.eq_ignore_ascii_case(key))
        });
        others.map(|(key, _)| key.as_str()).collect()
    }

    /// A list with commas, with blanks or without.
    pub fn list(&self, key: &str) -> Vec<&str> {
        let all = self.get(key).unwrap_or_default().split(',').map(str::trim);
        all.filter(|one| !one.is_empty()).collect()
    }
}

/// A value without blanks, and without the quotes round all of it.
fn plain(value: &str) -> &str {
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    // `"a b" /c "d"` is no value in quotes.
    inner.filter(|v| !v.contains('"')).unwrap_or(value)
}

fn decode(bytes: &[u8]) -> Result<String, String> {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| "it is not the UTF-16 that it begins as".to_owned())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => {
            let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            Ok(std::str::from_utf8(plain).map_or_else(|_| windows_1252(plain), str::to_owned))
        }
    }
}

/// Windows-1252 is Latin-1 but for these, from 0x80 on. What it leaves open stays what Latin-1 says.
const FROM_80: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}',
    '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// Text of Windows-1252.
pub(super) fn windows_1252(bytes: &[u8]) -> String {
    let read = |byte: &u8| match byte {
        0x80..=0x9f => FROM_80[usize::from(byte - 0x80)],
        _ => char::from(*byte),
    };
    bytes.iter().map(read).collect()
}
