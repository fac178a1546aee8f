//! What the source says of its own types: the fields of structs and the words of enums, with the comments above them. It
//! reads text as `cargo fmt` leaves it, and no more Rust than that takes.

use std::collections::BTreeMap;
use std::path::Path;

/// A struct or an enum that becomes JSON.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Type {
    pub name: String,
    /// Below `src`, as in `executor/talk/view.rs`.
    pub file: String,
    pub words: String,
    /// Of a struct.
    pub fields: Vec<Field>,
    /// Of an enum without data: the words as they stand in JSON, each with its comment.
    pub values: Vec<(String, String)>,
}

impl Type {
    fn says_something(&self) -> bool {
        !(self.fields.is_empty() && self.values.is_empty())
    }
}

/// One field.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub kind: String,
    pub words: String,
    /// Its own fields stand in its place.
    pub flat: bool,
    /// It may be left out.
    pub absent: Option<Absent>,
}

impl Field {
    /// Its type as it stands in JSON: what is left out instead is never null.
    pub fn shown_kind(&self) -> &str {
        let inner = self.kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>'));
        inner.filter(|_| self.absent == Some(Absent::None)).unwrap_or(&self.kind)
    }
}

/// When a field is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// There is none: its comment says when that is.
    None,
    Empty,
    False,
    Zero,
}

impl Absent {
    /// As `skip_serializing_if` names it.
    fn named(test: &str) -> Absent {
        match test {
            "Option::is_none" => Absent::None,
            "std::ops::Not::not" => Absent::False,
            "is_zero" => Absent::Zero,
            empty => {
                assert!(empty.ends_with("::is_empty"), "when is a field absent by `{empty}`?");
                Absent::Empty
            }
        }
    }

    /// What its absence means, where that is always the same.
    pub fn value(self) -> Option<&'static str> {
        match self {
            Absent::None => None,
            Absent::Empty => Some("empty"),
            Absent::False => Some("false"),
            Absent::Zero => Some("0"),
        }
    }
}

/// All types of `src` by their names.
pub struct Types(BTreeMap<String, Vec<Type>>);

impl Types {
    /// Reads all files of the folder but those of tests.
    pub fn read(src: &Path) -> Types {
        let mut types = Types(BTreeMap::new());
        let mut folders = vec![src.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if path.is_dir() && name != "tests" && name != "reference" {
                    folders.push(path);
                } else if name.ends_with(".rs") && name != "tests.rs" {
                    let file = path.strip_prefix(src).unwrap().to_string_lossy().replace('\\', "/");
                    for found in parse(&std::fs::read_to_string(&path).unwrap(), &file) {
                        types.0.entry(found.name.clone()).or_default().push(found);
                    }
                }
            }
        }
        types.0.values_mut().for_each(|of_a_name| of_a_name.sort_by(|a, b| a.file.cmp(&b.file)));
        types
    }

    /// What a file means by a name, which may be a path: the type of that file, else of the path, else of the socket's documents.
    pub fn find(&self, path: &str, from: &str) -> Option<&Type> {
        let (before, name) = path.rsplit_once("::").unwrap_or(("", path));
        // What has nothing to say is of no use to a page.
        let all: Vec<&Type> = self.0.get(name)?.iter().filter(|t| t.says_something()).collect();
        let all = all.iter().copied();
        let module = before.trim_start_matches("crate::").replace("::", "/");
        let of_path =
            all.clone().find(|t| !module.is_empty() && t.file.trim_end_matches(".rs").ends_with(&module));
        let of_file = || all.clone().find(|t| module.is_empty() && t.file == from);
        let of_words = || all.clone().find(|t| t.file.starts_with("terms"));
        let of_socket = || all.clone().find(|t| t.file.starts_with("executor/talk/"));
        of_path.or_else(of_file).or_else(of_words).or_else(of_socket).or_else(|| all.clone().next())
    }
}

/// The types of one file.
fn parse(text: &str, file: &str) -> Vec<Type> {
    let mut found = Vec::new();
    let (mut words, mut marks) = (Vec::new(), String::new());
    let (mut in_words, mut open): (bool, Option<(Type, String, bool)>) = (false, None);
    for line in text.lines() {
        let bare = line.trim();
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(comment) = bare.strip_prefix("///") {
            words.push(comment.trim().to_owned());
            continue;
        }
        if bare.starts_with("#[") {
            marks.push_str(bare);
            continue;
        }
        match &mut open {
            Some((_, end, _)) if line.starts_with(&format!("{end}}}")) => {
                found.extend(open.take().map(|(whole, ..)| whole));
            }
            Some((inside, end, is_enum)) if indent.len() == end.len() + 4 => match *is_enum {
                true => inside.values.extend(value(bare, &marks, in_words).map(|v| (v, words.join(" ")))),
                false => inside.fields.extend(field(bare, &marks, words.join(" "))),
            },
            Some(_) => {}
            None => {
                if bare.starts_with("words!(") || bare.starts_with("table! {") {
                    in_words = true;
                } else if indent.is_empty() && (bare.starts_with(')') || bare == "}") {
                    in_words = false;
                } else if let Some((name, is_enum)) = head(bare, &marks, in_words) {
                    let whole =
                        Type { name, file: file.to_owned(), words: words.join(" "), ..Type::default() };
                    open = Some((whole, indent.to_owned(), is_enum));
                }
            }
        }
        words.clear();
        marks.clear();
    }
    found
}

/// The name of the type that begins in this line, and whether it is an enum.
fn head(line: &str, marks: &str, in_words: bool) -> Option<(String, bool)> {
    let line = line.strip_suffix(" {")?;
    if in_words && !line.starts_with('$') {
        let name = line.split(':').next()?;
        return name.chars().all(char::is_alphanumeric).then(|| (name.to_owned(), true));
    }
    if !marks.contains("Serialize") {
        return None;
    }
    let line =
        line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
    let (kind, name) = line.split_once(' ')?;
    let name = name.split('<').next()?.to_owned();
    match kind {
        "struct" => Some((name, false)),
        "enum" if marks.contains("kebab-case") => Some((name, true)),
        _ => None,
    }
}

/// The word of a variant.
fn value(line: &str, marks: &str, in_words: bool) -> Option<String> {
    if in_words {
        let (_, word) = line.split_once(" = \"")?;
        return Some(word.split('"').next()?.to_owned());
    }
    if let Some((_, word)) = marks.split_once("rename = \"") {
        return Some(word.split('"').next()?.to_owned());
    }
    let name = line.strip_suffix(',')?;
    name.chars().all(char::is_alphanumeric).then(|| kebab(name))
}

fn kebab(name: &str) -> String {
    let mut word = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 {
            word.push('-');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

fn field(line: &str, marks: &str, words: String) -> Option<Field> {
    let line =
        line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
    let (name, kind) = line.strip_suffix(',')?.split_once(": ")?;
    let skipped = marks.contains("serde(skip)");
    let named = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let left_out = marks.split_once("skip_serializing_if = \"").and_then(|(_, rest)| rest.split('"').next());
    let renamed = marks.split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
    (named && !skipped).then(|| Field {
        name: renamed.unwrap_or(name).to_owned(),
        kind: kind.to_owned(),
        words,
        flat: marks.contains("flatten"),
        absent: left_out.map(Absent::named),
    })
}

#[test]
fn fields_and_words_are_read_with_their_comments() {
    let text = "\
/// `list`
#[derive(Serialize)]
pub struct ListDoc {
    /// Who
    /// this is.
    pub machine: Option<MachineId>,
    #[serde(rename = \"where\")]
    condition: String,
    #[serde(skip)]
    nothing: bool,
    #[serde(default, skip_serializing_if = \"Vec::is_empty\")]
    left: Vec<String>,
    #[serde(skip_serializing_if = \"Option::is_none\")]
    why: Option<String>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Serialize)]
#[serde(rename_all = \"kebab-case\")]
enum Found {
    /// New.
    JustMade,
}

words!(
    /// States.
    State {
        /// Not yet.
        Scheduled = \"scheduled\",
    }
);

table! {
    Gate: GateRow {
        /// A source.
        Source = \"source\" { overridable: false }
    }
}
";
    let found = parse(text, "x.rs");
    let names: Vec<&str> = found.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["ListDoc", "Found", "State", "Gate"]);
    let fields: Vec<(&str, &str, &str, bool)> =
        found[0].fields.iter().map(|f| (&*f.name, &*f.kind, &*f.words, f.flat)).collect();
    assert_eq!(
        fields,
        [
            ("machine", "Option<MachineId>", "Who this is.", false),
            ("where", "String", "", false),
            ("left", "Vec<String>", "", false),
            ("why", "Option<String>", "", false),
            ("rest", "Rest", "", true)
        ]
    );
    let absent: Vec<Option<Absent>> = found[0].fields.iter().map(|f| f.absent).collect();
    assert_eq!(absent, [None, None, Some(Absent::Empty), Some(Absent::None), None]);
    assert_eq!(found[0].fields[3].shown_kind(), "String");
    assert_eq!(found[1].values, [("just-made".to_owned(), "New.".to_owned())]);
    assert_eq!(found[2].values, [("scheduled".to_owned(), "Not yet.".to_owned())]);
    assert_eq!(found[3].values, [("source".to_owned(), "A source.".to_owned())]);
}
