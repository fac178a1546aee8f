//! What a package of pcm carries beside the program and its unit: manual pages, completions, a configuration in which
//! everything is a comment, each made from the same tables as what the program itself prints; and the repository's pages, with
//! links that lead where a package has them.

use super::{completions, man};
use crate::config::Starter;
use crate::error::{Exit, Failure, Result};
use crate::site::trust::TrustMode;
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Where each shell wants its script to be called so.
const SCRIPTS: [(Shell, &str); 3] = [(Shell::Bash, "pcm"), (Shell::Zsh, "_pcm"), (Shell::Fish, "pcm.fish")];

/// The repository's folders with pages, where packages have them below their folder of documentation, and how the links in them
/// change: the repository keeps all but README out of sight, which is no place for what an administrator looks for.
const PAGES: [(&str, &str, [&str; 2]); 3] = [
    ("", "", ["](.github/", "]("]),
    (".github", "", ["](../", "]("]),
    (".github/docs", "docs", ["](../../", "](../"]),
];

/// Writes them into a folder. The pages are those of the repository that this folder is, if any is named.
///
/// # Errors
/// They cannot be made or written, or the pages cannot be read.
pub fn write(dir: &Path, repository: Option<&Path>) -> Result<Exit> {
    let documentation = repository.map(pages).transpose()?.unwrap_or_default();
    let documentation = documentation.into_iter().map(|(name, text)| (Path::new("doc").join(name), text));
    let pages = man::pages()?.into_iter().map(|(name, text)| (Path::new("man").join(name), text));
    let scripts =
        SCRIPTS.map(|(shell, name)| (Path::new("completions").join(name), completions::script(shell)));
    let example = (PathBuf::from("pcm.toml"), example()?);
    let own = pages.chain(scripts).chain([example]).map(|(file, text)| (file, text.into_bytes()));
    for (file, text) in own.chain(documentation) {
        let file = dir.join(file);
        let folder = file.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, text)).map_err(|e| {
            let message = format!("{} cannot be written: {e}", file.display());
            Failure::new(Exit::Failed, "output", message, "Name a folder that you may write")
        })?;
    }
    Ok(Exit::Done)
}

/// Pages and pictures, by their path below a package's folder of documentation.
fn pages(repository: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let cannot = |path: &Path, e: std::io::Error| {
        let message = format!("{} cannot be read: {e}", path.display());
        Failure::new(Exit::Failed, "input", message, "Name the folder of pcm's repository")
    };
    let mut pages = Vec::new();
    for (from, to, [link, changed]) in PAGES {
        let folder = repository.join(from);
        for entry in std::fs::read_dir(&folder).map_err(|e| cannot(&folder, e))? {
            let file = entry.map_err(|e| cannot(&folder, e))?.path();
            let ending = file.extension().unwrap_or_default();
            let Some(name) = file.file_name().filter(|_| ending == "md" || ending == "png") else { continue };
            let mut bytes = std::fs::read(&file).map_err(|e| cannot(&file, e))?;
            if ending == "md" {
                bytes = String::from_utf8_lossy(&bytes).replace(link, changed).into_bytes();
            }
            pages.push((Path::new(to).join(name), bytes));
        }
    }
    Ok(pages)
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
