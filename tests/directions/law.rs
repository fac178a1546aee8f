//! The law of directions: which room may import from which, and which circles are allowed, as the tables of
//! `.github/CONTRIBUTING.md` say it.

use super::read::{Crate, Import, Path};
use std::collections::{BTreeMap, BTreeSet};

/// The tables.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Law {
    /// From the top down; a room may import from those in rows below its own.
    pub rows: Vec<Vec<String>>,
    /// Files and folders whose circles are allowed.
    pub circles: Vec<Vec<Path>>,
}

impl Law {
    /// From the text of the document: the first column of the table under `## Directions`, and of the one under
    /// `### Circles`. Rooms are in backticks, files from `src` on.
    pub fn of(document: &str) -> Law {
        let mut law = Law::default();
        let mut heading = "";
        for line in document.lines() {
            if line.starts_with('#') {
                heading = line.trim_start_matches('#').trim();
            }
            let Some(cell) = line.strip_prefix('|').and_then(|row| row.split('|').next()) else { continue };
            let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            match heading {
                _ if names.is_empty() => {}
                "Directions" => law.rows.push(names.into_iter().map(str::to_owned).collect()),
                "Circles" => law.circles.push(names.into_iter().map(path).collect()),
                _ => {}
            }
        }
        law
    }

    /// Everything in the crate that is against it, one sentence each.
    pub fn broken(&self, read: &Crate) -> Vec<String> {
        let imports = read.imports();
        let mut broken = self.rooms_without_a_row(read);
        broken.extend(imports.iter().filter_map(|import| self.upward(import)));
        broken.extend(self.circles_of(&imports, None).iter().map(|circle| circle.to_string()));
        let allowed = self.circles_of(&imports, None).len();
        for (n, circle) in self.circles.iter().enumerate() {
            if self.circles_of(&imports, Some(n)).len() <= allowed {
                let names: Vec<String> = circle.iter().map(|path| path.join("/")).collect();
                broken.push(format!("{} form no circle any more: remove their row", names.join(", ")));
            }
        }
        broken
    }

    fn row(&self, room: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.iter().any(|name| name == room))
    }

    fn rooms_without_a_row(&self, read: &Crate) -> Vec<String> {
        let rooms: BTreeSet<&String> = read.modules().filter_map(|path| path.first()).collect();
        let new = rooms.iter().filter(|room| self.row(room).is_none());
        let mut broken: Vec<String> = new.map(|room| format!("{room} is in no row of the table")).collect();
        let gone = self.rows.iter().flatten().filter(|room| !rooms.contains(room));
        broken.extend(gone.map(|room| format!("{room} is in the table and not in src")));
        broken
    }

    fn upward(&self, import: &Import) -> Option<String> {
        let (from, to) = (import.from.first()?, import.to.first());
        let allowed = match to {
            None => false,
            Some(to) => from == to || self.row(from)? < self.row(to)?,
        };
        (!allowed).then(|| format!("{import} runs upward"))
    }

    /// What is a circle among the files and folders of one folder, without those that are allowed; `but` leaves one row
    /// of the table out. A folder's own `mod.rs` is no part of it: it and its files may name each other.
    fn circles_of(&self, imports: &BTreeSet<Import>, but: Option<usize>) -> Vec<Circle> {
        let mut folders: BTreeMap<Path, Graph> = BTreeMap::new();
        for import in imports {
            let shared = import.from.iter().zip(&import.to).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (import.from.get(shared), import.to.get(shared)) else { continue };
            let folder = &import.from[..shared];
            if !self.allows(folder, from, to, but) {
                let graph = folders.entry(folder.to_vec()).or_default();
                graph.entry(from.clone()).or_default().entry(to.clone()).or_insert_with(|| import.clone());
            }
        }
        folders.values().flat_map(circles).collect()
    }

    fn allows(&self, folder: &[String], from: &String, to: &String, but: Option<usize>) -> bool {
        let at = |name: &String| -> Path { folder.iter().cloned().chain([name.clone()]).collect() };
        let (from, to) = (at(from), at(to));
        self.circles.iter().enumerate().filter(|(n, _)| Some(*n) != but).any(|(_, row)| {
            match row.as_slice() {
                [alone] => *alone == from || *alone == to,
                several => several.contains(&from) && several.contains(&to),
            }
        })
    }
}

/// `host/unix` or `cli/out.rs`, from the crate on.
fn path(name: &str) -> Path {
    name.trim_end_matches(".rs").split('/').map(str::to_owned).collect()
}

impl std::fmt::Display for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (line {}) to {}", self.from.join("/"), self.line, self.what)
    }
}

/// Who imports from whom, with one import as the proof.
type Graph = BTreeMap<String, BTreeMap<String, Import>>;

/// Files or folders that need each other.
#[derive(Debug)]
struct Circle(Vec<Import>);

impl std::fmt::Display for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps: Vec<String> = self.0.iter().map(Import::to_string).collect();
        write!(f, "a circle: {}", steps.join("; "))
    }
}

/// One shortest circle through each node that has one, each circle once.
fn circles(graph: &Graph) -> Vec<Circle> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for start in graph.keys() {
        if seen.contains(start) {
            continue;
        }
        if let Some(steps) = way_back(graph, start) {
            seen.extend(steps.iter().map(|(name, _)| name.clone()));
            found.push(Circle(steps.into_iter().map(|(_, import)| import).collect()));
        }
    }
    found
}

/// The shortest way from a node back to it: each node on it with the import that leaves it.
fn way_back(graph: &Graph, start: &String) -> Option<Vec<(String, Import)>> {
    let mut came: BTreeMap<&String, (&String, &Import)> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for (next, import) in graph.get(node).into_iter().flatten() {
            if came.contains_key(next) {
                continue;
            }
            came.insert(next, (node, import));
            if next == start {
                let mut steps = Vec::new();
                let mut at = start;
                while let Some((from, import)) = came.get(at) {
                    steps.push(((*from).clone(), (*import).clone()));
                    at = from;
                    if at == start {
                        break;
                    }
                }
                steps.reverse();
                return Some(steps);
            }
            queue.push_back(next);
        }
    }
    None
}
