//! Writes the demo's share by hand, without signatures: where nobody can sign, because there is no ssh-keygen. Folders and
//! files are made so that nobody else can write to them under any umask, as trust mode `permissions` asks.

use super::packages::{ITEMS, Item, MACHINE, SITE, instructions};
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::{durable, open};
use crate::site::content::write_content;
use crate::site::publisher::{Expect, How};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Makes the share with everything on it; the instruction file last.
pub fn write(share: &Path, start: Wall) -> Result<()> {
    for folder in ["pcmins.box", "packages", "jobs", "machines", "despoolr.box"] {
        folder_at(&share.join(folder))?;
    }
    let site = format!("format = 1\nsite = \"{SITE}\"\nname = \"The demo\"\npolling_interval = \"15s\"\n");
    file_at(&share.join("PCM.SITE"), &site)?;
    file_at(&share.join("PCM.MACHINES"), &format!("{MACHINE} localhost the demo's only machine\n"))?;
    let mut hashes = BTreeMap::new();
    for item in ITEMS {
        let package = share.join("packages").join(item.package_id());
        folder_at(&package.join("files"))?;
        file_at(&package.join("package.toml"), &item.definition())?;
        file_at(&package.join("files").join("setup.sh"), &item.script())?;
        hashes.insert(item.package_id(), write_content(&package)?.sha256);
    }
    let hash =
        |item: &Item| hashes.get(&item.package_id()).map(|h| h.as_str().to_owned()).unwrap_or_default();
    file_at(&share.join("pcmins.box").join(format!("{MACHINE}.INS")), &instructions(start, hash))
}

/// How a site of the demo is published, where it has a folder.
pub fn publishing(keys: Vec<PathBuf>, expect: Expect, now: Wall) -> How<'static> {
    let (who, what) = ("demo".into(), "demo".into());
    How { keys, expect, dry_run: false, only_asked: false, who, what, ..How::looking(&[], now) }
}

/// Makes a folder.
pub fn folder_at(path: &Path) -> Result<()> {
    durable::make_private_dir(path).and_then(|()| open::make_enterable(path)).map_err(|e| cannot(path, &e))
}

/// Makes a file.
pub fn file_at(path: &Path, text: &str) -> Result<()> {
    durable::create_new(path, text.as_bytes()).map_err(|e| cannot(path, &e))
}

/// Something of the demo's folder cannot be written.
pub fn cannot(path: &Path, e: &std::io::Error) -> Failure {
    let what = format!("cannot write {}: {e}", path.display());
    Failure::new(Exit::Failed, "demo", what, "Set TMPDIR to a folder with room")
}
