//! The keymap as a file: `command = "key"` or `command = ["key", "key"]`, one a line. All its mistakes are told at once,
//! each with its line. Also the file and the table of the reference that hold the whole keymap.

use super::commands::{COMMANDS, Command, Context, Id, Section};
use super::{Key, Keymap};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Nobody may be locked in, or out of everything else.
const NEVER_WITHOUT: [Id; 3] = [Id::Quit, Id::Back, Id::Palette];
/// What these mean is expected of every program in a terminal.
const FIXED: [(Key, Id); 2] = [(Key::Ctrl('c'), Id::Interrupt), (Key::Ctrl('z'), Id::Suspend)];

/// A mistake with the place it is at; 0: the defaults.
type Mistake = (usize, String);

impl Keymap {
    /// The defaults with what a file puts in their place.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn with(text: &str) -> Result<Keymap, Vec<String>> {
        let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut mistakes: Vec<Mistake> = errors
            .iter()
            .map(|e| (line_of(e.span().map_or(text.len(), |s| s.start)), e.message().to_owned()))
            .collect();
        // One thing that is wrong makes the parser stumble several times in its line.
        mistakes.dedup_by_key(|(line, _)| *line);
        let broken: Vec<usize> = mistakes.iter().map(|(line, _)| *line).collect();
        let mut map = Keymap::default();
        let mut lines = vec![0; COMMANDS.len()];
        for (name, value) in table.get_ref() {
            let line = line_of(name.span().start);
            if broken.contains(&line) {
                continue;
            }
            let name: &str = name.get_ref();
            let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
                mistakes.push((line, format!("there is no command {name:?}")));
                continue;
            };
            let mut keys = Vec::new();
            for word in words(value) {
                match word.map(str::parse::<Key>) {
                    Some(Ok(key)) => {
                        mistakes.extend(unfit(command, key).map(|why| (line, why)));
                        keys.push(key);
                    }
                    Some(Err(why)) => mistakes.push((line, format!("{name}: {why}"))),
                    None => {
                        mistakes.push((line, format!("{name}: wanted a key, or a list of keys, in quotes")))
                    }
                }
            }
            if keys.is_empty() && NEVER_WITHOUT.contains(&command.id) {
                mistakes.push((line, format!("{name}: needs a key")));
            }
            lines[command.id as usize] = line;
            map.keys.insert(command.id, keys);
        }
        let clashes = map.clashing().into_iter();
        mistakes.extend(clashes.map(|(key, one, other)| {
            let line = lines[one as usize].max(lines[other as usize]);
            (line, said(key, one, other))
        }));
        mistakes.sort();
        if mistakes.is_empty() {
            return Ok(map);
        }
        Err(mistakes.into_iter().map(|(line, why)| format!("line {line}: {why}")).collect())
    }

    /// Two commands that one key would mean at once, in words.
    #[cfg(test)]
    pub fn clashes(&self) -> Vec<String> {
        self.clashing().into_iter().map(|(key, one, other)| said(key, one, other)).collect()
    }

    fn clashing(&self) -> Vec<(Key, Id, Id)> {
        let mut all = Vec::new();
        for (n, one) in COMMANDS.iter().enumerate() {
            for other in &COMMANDS[n + 1..] {
                let everywhere = |c: &Command| c.contexts.contains(&Context::Everywhere);
                let meet = one.contexts.iter().any(|c| other.contexts.contains(c))
                    || everywhere(one)
                    || everywhere(other);
                let shared = self.of(one.id).iter().filter(|k| meet && self.of(other.id).contains(k));
                all.extend(shared.map(|key| (*key, one.id, other.id)));
            }
        }
        all
    }

    /// The whole keymap as a file that [`Keymap::with`] reads.
    pub fn file(&self) -> String {
        let mut text = String::from(
            "# Keys of pcm's console, named by [console] keymap in pcm.toml. A command that is left out keeps its keys.\n\
             # A key is one character, Ctrl-x, Enter, Esc, Tab, Shift-Tab, Space, Up, PgDn and the like; [] is none.\n",
        );
        for section in Section::ALL {
            text.push_str(&format!("\n# {}\n", section.title()));
            for command in COMMANDS.iter().filter(|c| c.section == section) {
                let keys: Vec<_> = self.of(command.id).iter().map(|key| quoted(&key.to_string())).collect();
                let line = format!("{} = [{}]", command.name, keys.join(", "));
                text.push_str(&format!("{line:<36} # {}\n", command.words));
            }
        }
        text
    }

    /// The table of `.github/docs/keys.md`.
    #[cfg(test)]
    pub fn table(&self) -> String {
        let mut text = String::from("| key | command | what it does |\n| --- | --- | --- |\n");
        for section in Section::ALL {
            for command in COMMANDS.iter().filter(|c| c.section == section) {
                let keys: Vec<_> = self.of(command.id).iter().map(|key| format!("`{key}`")).collect();
                text.push_str(&format!("| {} | {} | {} |\n", keys.join(" "), command.name, command.words));
            }
        }
        text
    }
}

fn quoted(key: &str) -> String {
    format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The words of a value; None for one that is no text.
fn words<'v>(value: &'v Spanned<DeValue<'_>>) -> Vec<Option<&'v str>> {
    let word = |value: &'v DeValue<'_>| match value {
        DeValue::String(text) => Some(&**text),
        _ => None,
    };
    match value.get_ref() {
        DeValue::Array(all) => all.iter().map(|one| word(one.get_ref())).collect(),
        one => vec![word(one)],
    }
}

/// Why a command may not be on a key.
fn unfit(command: &Command, key: Key) -> Option<String> {
    if let Some((_, owner)) = FIXED.iter().find(|(fixed, owner)| *fixed == key && *owner != command.id) {
        return Some(format!("{}: {key} is reserved for {}", command.name, owner.command().name));
    }
    // Terminals and multiplexers send Ctrl chords of their own accord, and fingers that meant the shell do too.
    let chord = matches!(key, Key::Ctrl(_)) && command.id.operates();
    chord.then(|| {
        format!("{}: {key}: a command that changes something may not be on a Ctrl chord", command.name)
    })
}

fn said(key: Key, one: Id, other: Id) -> String {
    format!("{key} means both {} and {}", one.command().name, other.command().name)
}
