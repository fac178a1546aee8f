//! Opens the console on an installation: the machine's own, or the demo's.

use super::App;
use super::args::{ConsoleFlags, FolderArgs};
use super::setup::Setup;
use super::{rollout, site_zone};
use crate::check::CheckingClient;
use crate::clock::Zone;
use crate::error::{Exit, Failure, Result};
use crate::executor::client::Client;
use crate::host::process;
use crate::host::ssh::Reach;
use crate::rollout::ground::Ground;
use crate::rollout::select::Site;
use crate::site::folder::machines::Machine;
use crate::site::folder::{Folder, malformed};
use crate::site::ids::MachineId;
use crate::text::SafeText;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The console of the installation that is meant. Where a site folder is named, view 5 is shown first.
pub fn open(app: &App, flags: &ConsoleFlags, folder: &FolderArgs) -> Result<()> {
    start(app, flags, Place::meant(&app.setup, folder), folder.folder.is_some(), None)
}

/// The console of the demo; view 5 shows its own site or none, whatever else would name one.
pub fn open_demo(app: &App, flags: &ConsoleFlags, folder: Option<PathBuf>) -> Result<()> {
    let rollout = folder.is_some();
    start(app, flags, Place::of_demo(folder), rollout, Some("DEMO"))
}

fn start(app: &App, flags: &ConsoleFlags, place: Place, rollout: bool, title: Option<&str>) -> Result<()> {
    // Where only the configuration cannot be used, the service still answers, and the console says what is wrong.
    let setup = match app.setup.clone().usable() {
        Ok(setup) => setup,
        // What a site shows needs no machine.
        Err(_) if rollout => app.setup.clone(),
        Err(_) => app.client().map(|_| app.setup.clone())?,
    };
    let client = CheckingClient(Client::new(setup.layout.clone(), setup.config.clone()));
    let is_demo = title.is_some();
    let (place, site_zone) = place.in_its_zone(&app.setup);
    let options = crate::console::Options {
        read_only: flags.read_only,
        ascii: flags.ascii,
        slow: flags.slow,
        no_color: app.no_color,
        theme: flags.theme.clone(),
        title: title.map(Into::into),
        zone: Some(app.zone.clone()),
        site_zone,
        rollout,
        own: own(&app.setup),
    };
    let site = Arc::new(Shown { app: app.clone(), place, is_demo });
    crate::console::run(options, Arc::new(client), site, &setup.layout, &setup.config)
}

/// This program, with the flags by which it means the installation of this console. A state folder of the system is not named: what
/// belongs to it lies elsewhere than below one that is.
fn own(setup: &Setup) -> Vec<OsString> {
    let Ok(program) = process::own_executable() else { return Vec::new() };
    let layout = &setup.layout;
    let mut words: Vec<OsString> = vec![program.into(), "--config".into(), layout.config.clone().into()];
    if layout.socket == layout.state.join("pcm.sock") {
        words.extend(["--state".into(), layout.state.clone().into()]);
    }
    if let Some(machine) = setup.flags.machine {
        words.extend(["--machine".into(), machine.to_string().into()]);
    }
    words.extend(setup.flags.shares.iter().flat_map(|share| ["--share".into(), share.clone().into()]));
    words
}

/// Where the site of a console is. It is asked for once, when the console starts: what is shown and what is changed stay the
/// same site, whatever becomes of the current folder.
enum Place {
    /// A site folder.
    Folder(PathBuf),
    /// The share of `--share` alone, which changes nothing.
    Share,
    /// None is named.
    Nowhere(Failure),
}

impl Place {
    /// What flags, environment, current folder and configuration name.
    fn meant(setup: &Setup, named: &FolderArgs) -> Place {
        match rollout::share_alone(setup, named) {
            Some(_) => Place::Share,
            None => setup.site_folder(named).map_or_else(Place::Nowhere, Place::Folder),
        }
    }

    /// The demo's own.
    fn of_demo(folder: Option<PathBuf>) -> Place {
        let none = || {
            let remedy = "Start one with a site: pcm demo --site";
            Place::Nowhere(Failure::new(Exit::Usage, "no-site-folder", "the demo has no site", remedy))
        };
        folder.map_or_else(none, Place::Folder)
    }

    /// The same, and the zone in which the verbs of a site folder tell times. Where that is not known here there is nothing to be
    /// shown, as for them.
    fn in_its_zone(self, setup: &Setup) -> (Place, Option<Zone>) {
        let zone = match &self {
            Place::Folder(dir) => site_zone::named(setup, &FolderArgs { folder: Some(dir.clone()) }),
            Place::Share | Place::Nowhere(_) => Ok(None),
        };
        match zone {
            Ok(zone) => (self, zone),
            Err(why) => (Place::Nowhere(why), None),
        }
    }

    /// As the verbs take it.
    fn named(&self) -> Result<FolderArgs> {
        match self {
            Place::Folder(dir) => Ok(FolderArgs { folder: Some(dir.clone()) }),
            Place::Share => Ok(FolderArgs { folder: None }),
            Place::Nowhere(why) => Err(why.clone()),
        }
    }

    fn verb(&self, words: &[String], config: &Path) -> Option<Command> {
        let Place::Folder(dir) = self else { return None };
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.args(words).arg("--folder").arg(dir).arg("--config").arg(config);
        Some(command)
    }
}

/// The site of this console: a site folder, or the share that `--share` names.
struct Shown {
    app: App,
    place: Place,
    /// Its machines do not exist.
    is_demo: bool,
}

impl Site for Shown {
    fn ground(&self, before: Option<&Ground>) -> Result<Ground> {
        rollout::ground(&rollout::at_this_time(&self.app), &self.place.named()?, None, before)
    }

    fn verb(&self, words: &[String]) -> Option<Command> {
        self.place.verb(words, &self.app.setup.layout.config)
    }

    fn reach(&self, machines: &[MachineId]) -> Result<Vec<std::result::Result<Reach, SafeText>>> {
        let refuse = |code, message, remedy| Err(Failure::new(Exit::Refused, code, message, remedy));
        let dir = match &self.place {
            Place::Folder(_) if self.is_demo => {
                let remedy = "Start the console on a site of your own: pcm --folder DIR";
                return refuse(
                    "demo",
                    "the machines of the demo do not exist, and are not connected to",
                    remedy,
                );
            }
            Place::Folder(dir) => dir,
            Place::Share => {
                let remedy = "Name the site folder: pcm --folder DIR";
                return refuse("no-site-folder", "only the site folder says where machines are", remedy);
            }
            Place::Nowhere(why) => return Err(why.clone()),
        };
        let known = Folder::open(dir)?.read_machines().map_err(|wrong| malformed(&wrong))?;
        Ok(machines.iter().map(|id| reached(known.get(id))).collect())
    }
}

/// How a machine of the list is reached.
fn reached(machine: Option<&Machine>) -> std::result::Result<Reach, SafeText> {
    let machine = machine.ok_or_else(|| SafeText::from("it is not in the list of machines any more"))?;
    let host = machine.host.as_deref().ok_or_else(|| SafeText::from("the site has no host name of it"))?;
    let host = host.parse().map_err(|_| SafeText::from("its host name is none that ssh is given"))?;
    Ok(Reach { host, host_key: machine.host_key.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::setup::{Flags, Read};
    use crate::cli::time::absolute;
    use crate::config::Config;
    use crate::host::paths::Layout;

    /// An installation whose configuration names a site folder.
    fn setup(shares: &[&str]) -> Setup {
        let mut config = Config::default();
        config.site.folder = Some("/srv/other".into());
        let [state, log] = ["/demo/state", "/demo/log"].map(PathBuf::from);
        let layout = Layout { config: "/demo/pcm.toml".into(), socket: state.join("pcm.sock"), state, log };
        let flags = Flags { machine: None, shares: shares.iter().map(PathBuf::from).collect() };
        Setup { layout, config, read: Read::Good, flags, looking: false, pcm: "pcm".into() }
    }

    fn verb(place: &Place) -> Option<Vec<String>> {
        let command = place.verb(&["job".into()], Path::new("/demo/pcm.toml"))?;
        Some(command.get_args().map(|word| word.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn a_demo_shows_and_changes_no_site_but_its_own() {
        let none = Place::of_demo(None);
        assert_eq!(none.named().unwrap_err().message, "the demo has no site");
        assert_eq!(verb(&none), None);
        let own = Place::of_demo(Some("/demo/site".into()));
        assert_eq!(own.named().unwrap().folder.unwrap(), Path::new("/demo/site"));
        assert_eq!(verb(&own).unwrap(), ["job", "--folder", "/demo/site", "--config", "/demo/pcm.toml"]);
    }

    #[test]
    fn another_process_of_it_means_the_same_installation() {
        let mut meant = setup(&["/mnt/share"]);
        meant.flags.machine = Some("BP004000".parse().unwrap());
        let words = |setup: &Setup| {
            let words = own(setup).into_iter().skip(1).map(|word| word.to_str().unwrap().to_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        let flags = "--config /demo/pcm.toml --state /demo/state --machine BP004000 --share /mnt/share";
        assert_eq!(words(&meant), flags);
        meant = Setup { layout: Layout::system(), ..setup(&[]) };
        assert!(!words(&meant).contains("--state"), "{}", words(&meant));
    }

    #[test]
    fn what_a_share_alone_shows_changes_no_site_folder() {
        let place = Place::meant(&setup(&["/mnt/share"]), &FolderArgs { folder: None });
        assert_eq!(place.named().unwrap().folder, None);
        assert_eq!(verb(&place), None);
        // Beside a folder that is named it says only where the reports are.
        let named = FolderArgs { folder: Some("/srv/site".into()) };
        let place = Place::meant(&setup(&["/mnt/share"]), &named);
        let site = absolute(Path::new("/srv/site"));
        assert_eq!(verb(&place).unwrap()[..3], ["job", "--folder", site.to_str().unwrap()]);
        // Without either there is one that is configured, or that of the environment of this test.
        assert!(verb(&Place::meant(&setup(&[]), &FolderArgs { folder: None })).is_some());
    }
}
