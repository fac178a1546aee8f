//! What a job takes from its package in the site folder.

use super::{App, lint};
use crate::error::{Exit, Failure, Result};
use crate::site::folder::{Folder, malformed};
use crate::site::ids::PackageId;
use crate::site::package::{self, Package, PackageCommand, shelf};

/// The package in the site folder, and the bytes of its definition.
///
/// # Errors
/// It is not there, or is wrong.
pub fn read_package(app: &App, folder: &Folder, id: PackageId) -> Result<(Package, Vec<u8>)> {
    let dir = folder.package_dir(id);
    let path = dir.join(package::NAME);
    let bytes = crate::host::open::open_bounded(&path, package::MAX_BYTES).map_err(|e| {
        let message = format!("the site folder has no package {id}: {}: {e}", path.display());
        Failure::new(
            Exit::NotFound,
            "no-such-package",
            message,
            "pcm package list shows those that there are",
        )
    })?;
    let opened = crate::host::open::Folder::open(&dir).map_err(|e| {
        Failure::new(
            Exit::NotFound,
            "no-such-package",
            format!("{}: {e}", dir.display()),
            "Look at that folder",
        )
    })?;
    let read = shelf::read(&opened, &lint::programs(app)).map_err(|problems| malformed(&problems))?;
    Ok((read, bytes))
}

/// The command that is named, or the only one that installs.
///
/// # Errors
/// There is none, or it has to be named.
pub fn command_of<'a>(package: &'a Package, named: Option<&str>) -> Result<&'a PackageCommand> {
    let names = || {
        let names: Vec<&str> = package.commands.iter().map(|command| command.name.as_str()).collect();
        names.join(", ")
    };
    let installing: Vec<&PackageCommand> =
        package.commands.iter().filter(|command| !command.removes).collect();
    match (named, installing.as_slice()) {
        (Some(named), _) => package
            .commands
            .iter()
            .find(|command| command.name.as_str().eq_ignore_ascii_case(named))
            .ok_or_else(|| {
                let message = format!("{} has no command {named:?}", package.package_id);
                Failure::new(Exit::NotFound, "no-such-command", message, format!("It has: {}", names()))
            }),
        (None, [one]) => Ok(one),
        (None, _) => Err(Failure::new(
            Exit::Usage,
            "usage",
            format!("{} has several commands", package.package_id),
            format!("Name one with --command: {}", names()),
        )),
    }
}
