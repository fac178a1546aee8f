//! What a package of pcm carries beside the program and its unit: manual pages, completions, a configuration in which
//! everything is a comment. Each is made from the same tables as what the program itself prints.

use super::{completions, man};
use crate::config::Starter;
use crate::error::{Exit, Failure, Result};
use crate::site::trust::TrustMode;
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Where each shell wants its script to be called so.
const SCRIPTS: [(Shell, &str); 3] = [(Shell::Bash, "pcm"), (Shell::Zsh, "_pcm"), (Shell::Fish, "pcm.fish")];

/// Writes them into a folder.
///
/// # Errors
/// They cannot be made or written.
pub fn write(dir: &Path) -> Result<Exit> {
    let pages = man::pages()?.into_iter().map(|(name, text)| (Path::new("man").join(name), text));
    let scripts =
        SCRIPTS.map(|(shell, name)| (Path::new("completions").join(name), completions::script(shell)));
    let example = (PathBuf::from("pcm.toml"), example()?);
    for (file, text) in pages.chain(scripts).chain([example]) {
        let file = dir.join(file);
        let folder = file.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, text)).map_err(|e| {
            let message = format!("{} cannot be written: {e}", file.display());
            Failure::new(Exit::Failed, "output", message, "Name a folder that you may write")
        })?;
    }
    Ok(Exit::Done)
}

/// What `pcm init` writes, for no machine: whoever takes it as it is has said nothing.
fn example() -> Result<String> {
    let machine = "BP004000"
        .parse()
        .map_err(|_| Failure::new(Exit::Failed, "output", "the example cannot be made", "Report this"))?;
    let starter = Starter::new(machine, vec!["/mnt/sms_shr".into()], TrustMode::Signed);
    let comment = |line: &str| match line.starts_with(['#', '[']) || line.is_empty() {
        true => format!("{line}\n"),
        false => format!("# {line}\n"),
    };
    Ok(starter.text().lines().map(comment).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_example_says_nothing_and_shows_every_setting() {
        let text = example().unwrap();
        let read = |text: &str| format!("{:?}", Config::parse(text, "pcm.toml").unwrap());
        assert_eq!(read(&text), read(""));
        for section in Config::sections() {
            for setting in &section.settings {
                assert!(text.contains(&format!("# {} = ", setting.key)), "{}", setting.key);
            }
        }
    }
}
