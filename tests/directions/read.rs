//! Reads Rust source as far as imports need it: the modules of a crate, what each of them names, and in which file that
//! stands. Comments, strings and test code are left out. It follows re-exports, so that a path through a `mod.rs` counts
//! for the file that the thing is in.

use std::collections::{BTreeMap, BTreeSet};

/// The path of a module without `crate`; empty: the crate itself.
pub type Path = Vec<String>;

/// A crate, by its modules.
#[derive(Default)]
pub struct Crate {
    modules: BTreeMap<Path, Module>,
    /// Macros, which may be known as `crate::name` wherever they are defined.
    macros: BTreeMap<String, Path>,
}

/// One module with a file of its own.
#[derive(Default)]
struct Module {
    /// What is defined in it, by name.
    defines: BTreeSet<String>,
    /// The macros among it.
    macros: Vec<String>,
    /// What its `use` lines name.
    uses: Vec<Use>,
    /// Paths that stand elsewhere.
    paths: Vec<Named>,
    /// Modules that exist for tests only.
    tests: Vec<Path>,
}

/// One leaf of a `use` line.
#[derive(Clone)]
struct Use {
    /// The module it stands in.
    within: Path,
    path: Vec<String>,
    /// What the module knows it as; `*` for all.
    name: String,
    line: usize,
}

/// A path and where it stands.
struct Named {
    within: Path,
    path: Vec<String>,
    line: usize,
}

/// One file that names something of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The module that names it.
    pub from: Path,
    /// The module of the file it stands in.
    pub to: Path,
    /// Where it is named.
    pub line: usize,
    /// As it is named, from the crate on.
    pub what: String,
}

impl Crate {
    /// From the texts of its files, named from the source folder on, like `host/mod.rs`.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Crate {
        let mut read = Crate::default();
        for (file, text) in files {
            let path = module_of(file);
            let mut module = Module::default();
            Reader { tokens: &tokens(text), at: 0, module: &mut module }.items(&path);
            read.macros.extend(module.macros.iter().map(|name| (name.clone(), path.clone())));
            read.modules.insert(path, module);
        }
        let tests: Vec<Path> = read.modules.values().flat_map(|module| module.tests.clone()).collect();
        read.modules.retain(|path, _| !tests.iter().any(|test| path.starts_with(test)));
        read
    }

    /// The modules that have a file, those for tests left out.
    pub fn modules(&self) -> impl Iterator<Item = &Path> {
        self.modules.keys()
    }

    /// Every import of one file from another, each pair of files once for each line.
    pub fn imports(&self) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for (from, module) in &self.modules {
            let uses = module.uses.iter().map(|u| (&u.within, &u.path, u.line));
            let paths = module.paths.iter().map(|p| (&p.within, &p.path, p.line));
            for (within, path, line) in uses.chain(paths) {
                let Some(target) = self.absolute(within, path) else { continue };
                let to = self.file_of(&target, 0);
                if to != *from {
                    imports.insert(Import { from: from.clone(), to, line, what: target.join("::") });
                }
            }
        }
        imports
    }

    /// A path from the crate on; None: it leads out of the crate, or is no path to a module at all.
    fn absolute(&self, within: &Path, path: &[String]) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Path::new(),
            "self" => within.clone(),
            "super" => {
                let ups = path.iter().take_while(|word| *word == "super").count();
                let mut target = within[..within.len().checked_sub(ups)?].to_vec();
                target.extend_from_slice(&path[ups..]);
                return Some(target);
            }
            name => self.known_as(within, name)?,
        };
        target.extend_from_slice(rest);
        Some(target)
    }

    /// What a bare name means in a module: a module of it, or what a `use` line of it names so.
    fn known_as(&self, within: &Path, name: &str) -> Option<Path> {
        let child: Path = within.iter().cloned().chain([name.to_owned()]).collect();
        if self.modules.contains_key(&child) {
            return Some(child);
        }
        let module = self.modules.get(self.file_module(within))?;
        let known = module.uses.iter().find(|u| u.name == name && within.starts_with(&u.within))?;
        // From here on only what is certainly this crate's: `use name::…` is another crate's as a rule.
        let first = known.path.first()?;
        let child: Path = known.within.iter().cloned().chain([first.clone()]).collect();
        let ours = matches!(first.as_str(), "crate" | "self" | "super") || self.modules.contains_key(&child);
        if ours { self.absolute(&known.within, &known.path) } else { None }
    }

    /// The longest part of a path that is a module with a file.
    fn file_module<'p>(&self, path: &'p [String]) -> &'p [String] {
        let known = (0..=path.len()).rev().find(|n| self.modules.contains_key(&path[..*n]));
        &path[..known.unwrap_or(0)]
    }

    /// The module in whose file a path ends, through re-exports.
    fn file_of(&self, target: &[String], depth: usize) -> Path {
        if let [name] = target
            && let Some(module) = self.macros.get(name)
        {
            return module.clone();
        }
        let here = self.file_module(target).to_vec();
        let (Some(module), Some(name)) = (self.modules.get(&here), target.get(here.len())) else {
            return here;
        };
        if depth > 8 || module.defines.contains(name) {
            return here;
        }
        for known in module.uses.iter().filter(|u| u.name == *name || u.name == "*") {
            let Some(mut path) = self.absolute(&known.within, &known.path) else { continue };
            if known.name == "*" {
                path.push(name.clone());
                let found = self.file_of(&path, depth + 1);
                if self.modules.get(&found).is_some_and(|m| m.defines.contains(name)) {
                    return found;
                }
            } else {
                path.extend_from_slice(&target[here.len() + 1..]);
                return self.file_of(&path, depth + 1);
            }
        }
        here
    }
}

/// `host/unix/mod.rs` is the module `host::unix`.
fn module_of(file: &str) -> Path {
    let mut path: Path = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod" || last == "lib") {
        path.pop();
    }
    path
}

/// A word, or a sign; `::` is one sign.
#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    }
}

/// The words and signs of a text, without comments, strings, characters and lifetimes.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let rest = &chars[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => comment(rest),
            ['"', ..] => string(rest),
            ['b', '"', ..] => 1 + string(&rest[1..]),
            ['r' | 'b', ..] if raw_string(rest).is_some() => raw_string(rest).unwrap_or(1),
            ['\'', ..] => character(rest),
            [c, ..] if c.is_alphanumeric() || *c == '_' => {
                let end = rest.iter().position(|c| !(c.is_alphanumeric() || *c == '_'));
                let word: String = rest[..end.unwrap_or(rest.len())].iter().collect();
                let length = word.chars().count();
                found.push(Token { text: word, line });
                length
            }
            [':', ':', ..] => {
                found.push(Token { text: "::".to_owned(), line });
                2
            }
            [c, ..] => {
                if !c.is_whitespace() {
                    found.push(Token { text: c.to_string(), line });
                }
                1
            }
            [] => break,
        };
        line += rest[..length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    found
}

/// The length of a comment between `/*` and `*/`, which may hold others.
fn comment(text: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match text[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

/// The length of a string in quotes.
fn string(text: &[char]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// The length of `r"…"`, `r#"…"#`, `br"…"`.
fn raw_string(text: &[char]) -> Option<usize> {
    let start = if text[0] == 'b' { 1 } else { 0 };
    if text.get(start) != Some(&'r') {
        return None;
    }
    let hashes = text[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if text.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| {
        text[*at] == '"' && text.len() > at + hashes && text[at + 1..=at + hashes].iter().all(|c| *c == '#')
    };
    Some((open + 1..text.len()).find(closes).map_or(text.len(), |at| at + 1 + hashes))
}

/// The length of a character, or of a lifetime's mark.
fn character(text: &[char]) -> usize {
    match text {
        ['\'', '\\', ..] => 3 + text[3..].iter().position(|c| *c == '\'').unwrap_or(0),
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

/// Goes through the tokens of one file.
struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    module: &'t mut Module,
}

impl Reader<'_> {
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    /// Everything up to the brace that closes the module, or the end.
    fn items(&mut self, within: &Path) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.text(0) {
                "{" => depth += 1,
                "}" if depth == 0 => return,
                "}" => depth -= 1,
                "#" if self.text(1) == "[" => {
                    if self.attribute_means_test() {
                        self.skip_item(within);
                    }
                    continue;
                }
                "use" => {
                    let line = self.tokens[self.at].line;
                    self.at += 1;
                    self.tree(within, &mut Vec::new(), line);
                    continue;
                }
                "mod" if self.text(2) == "{" => {
                    self.module.defines.insert(self.text(1).to_owned());
                    let inner: Path = within.iter().cloned().chain([self.text(1).to_owned()]).collect();
                    self.at += 3;
                    self.items(&inner);
                }
                "macro_rules" if self.text(1) == "!" => {
                    let name = self.text(2).to_owned();
                    self.module.macros.push(name);
                }
                "mod" | "struct" | "enum" | "trait" | "fn" | "type" | "const" | "static" | "union" => {
                    let name = self.text(1).to_owned();
                    self.module.defines.insert(name);
                }
                _ => {
                    if self.path(within) {
                        continue;
                    }
                }
            }
            self.at += 1;
        }
    }

    /// Passes over an attribute; whether it says that what follows is for tests only.
    fn attribute_means_test(&mut self) -> bool {
        let start = self.at;
        self.at += 2;
        self.skip_to_close();
        let words: Vec<&str> = self.tokens[start..self.at].iter().map(|token| token.text.as_str()).collect();
        words.get(2) == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not")
    }

    /// From behind an opening bracket to behind the one that closes it.
    fn skip_to_close(&mut self) {
        let mut depth = 1_usize;
        while self.at < self.tokens.len() && depth > 0 {
            match self.text(0) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Passes over what stands under an attribute: an item, a field, an arm or a statement.
    fn skip_item(&mut self, within: &Path) {
        while self.text(0) == "#" {
            self.at += 2;
            self.skip_to_close();
        }
        const ITEMS: [&str; 12] = [
            "pub", "fn", "struct", "enum", "trait", "impl", "mod", "use", "const", "static", "type", "unsafe",
        ];
        let is_item = ITEMS.contains(&self.text(0));
        while self.at < self.tokens.len() {
            match self.text(0) {
                "mod" if self.text(2) == ";" => {
                    let test = within.iter().cloned().chain([self.text(1).to_owned()]).collect();
                    self.module.tests.push(test);
                }
                ";" => {
                    self.at += 1;
                    return;
                }
                "," if !is_item => return,
                "}" => return,
                "(" | "[" => {
                    self.at += 1;
                    self.skip_to_close();
                    continue;
                }
                "{" => {
                    self.at += 1;
                    self.skip_to_close();
                    // `use a::{b, c};` goes on.
                    if self.text(0) != ";" {
                        return;
                    }
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// One tree of a `use` line, and the semicolon behind the outermost.
    fn tree(&mut self, within: &Path, path: &mut Vec<String>, line: usize) {
        let before = path.len();
        loop {
            match self.text(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.tree(within, path, line);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    break;
                }
                "*" => {
                    self.leaf(within, path.clone(), "*".to_owned(), line);
                    self.at += 1;
                    break;
                }
                "::" => self.at += 1,
                "" | ";" | "," | "}" => break,
                word => {
                    path.push(word.to_owned());
                    self.at += 1;
                    if self.text(0) == "::" {
                        continue;
                    }
                    let mut full = path.clone();
                    if full.len() > 1 && full.last().is_some_and(|last| last == "self") {
                        full.pop();
                    }
                    let mut name = full.last().cloned().unwrap_or_default();
                    if self.text(0) == "as" {
                        name = self.text(1).to_owned();
                        self.at += 2;
                    }
                    self.leaf(within, full, name, line);
                    break;
                }
            }
        }
        path.truncate(before);
    }

    fn leaf(&mut self, within: &Path, path: Vec<String>, name: String, line: usize) {
        self.module.uses.push(Use { within: within.clone(), path, name, line });
    }

    /// A path of at least two words; false: there is none here.
    fn path(&mut self, within: &Path) -> bool {
        let starts = self.tokens[self.at].is_word() && self.text(1) == "::";
        let goes_on = self.at > 0 && matches!(self.tokens[self.at - 1].text.as_str(), "::" | ".");
        if !starts || goes_on {
            return false;
        }
        let line = self.tokens[self.at].line;
        let mut path = vec![self.text(0).to_owned()];
        self.at += 1;
        while self.text(0) == "::" && self.tokens.get(self.at + 1).is_some_and(Token::is_word) {
            path.push(self.text(1).to_owned());
            self.at += 2;
        }
        self.module.paths.push(Named { within: within.clone(), path, line });
        true
    }
}
