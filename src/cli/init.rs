//! `pcm init`: enrols this machine. Writes a configuration where there is none, then has the executor make or check the
//! history. With `--accept-serial` it asks the executor instead. What an operator wrote is not rewritten, and healthy state is left as it is.

use super::App;
use super::args::{AdoptArg, InitArgs};
use super::host_key;
use super::meant;
use super::page::Page;
use super::setup::{Read, bad_configuration};
use super::trust_key;
use super::who;
use crate::config::Starter;
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask as _;
use crate::executor::history::Adopt;
use crate::executor::talk::protocol::{Action, Answer, View, unexpected_answer};
use crate::executor::talk::view::DryRunDoc;
use crate::executor::{footing, init};
use crate::host::durable;
use crate::site::trust::TrustMode;
use crate::text::SafeText;
use serde::Serialize;
use std::path::Path;

/// `init --json`
#[derive(Debug, Serialize)]
struct InitDoc {
    /// The machine that is enrolled now.
    machine: crate::site::ids::MachineId,
    /// Path of its configuration.
    config: SafeText,
    /// `init` wrote the configuration; false: it was there.
    config_written: bool,
    /// Path of the state folder.
    state: SafeText,
    /// `[trust] mode` of the configuration.
    trust: TrustMode,
    /// The version of the trust list that counts from now on, in mode `signed`.
    trust_list: Option<u64>,
    /// Of the key that was confirmed with this call.
    fingerprint: Option<SafeText>,
    /// Newer trust lists of the share that do not count, and why.
    not_taken: Vec<trust_key::NotTaken>,
    /// The public half of the key that signs this machine's reports, for `host_key` of machines.csv; None: none are signed.
    host_key: Option<SafeText>,
    /// Shares that could not be opened, and why: nothing of them was looked at.
    not_reached: Vec<trust_key::NotTaken>,
    /// How its history stands.
    #[serde(flatten)]
    state_of_history: crate::executor::init::InitDoc,
}

/// `pcm init`
pub fn run(app: &App, args: &InitArgs) -> Result<Exit> {
    let (setup, layout) = (&app.setup, &app.setup.layout);
    if let Read::Bad(problems) = &setup.read {
        return Err(bad_configuration(&layout.config, problems));
    }
    let begun = is_only_begun(app);
    let new = setup.read == Read::Absent || begun;
    if !begun {
        meant::configured(setup)?;
    }
    let machine = if new { setup.flags.machine.or(setup.config.machine) } else { setup.config.machine };
    let nobody = || {
        let remedy = match &setup.read {
            Read::Absent => format!("Say which: {} init --machine SMSID --share LOCATION", setup.pcm),
            _ => format!("Write `machine = \"SMSID\"` into {}", layout.config.display()),
        };
        Failure::new(Exit::Usage, "usage", "nothing says who this machine is", remedy)
    };
    // The list of machines of a share can say it.
    if machine.is_none() && (!new || setup.locations().is_empty()) {
        return Err(nobody());
    }
    let trust = args.trust.map(TrustMode::from);
    if !new && trust.is_some_and(|trust| trust != setup.config.trust.mode) {
        return Err(Failure::new(
            Exit::Usage,
            "configured",
            format!("{} is there already and is not rewritten", layout.config.display()),
            "Edit `[trust] mode` there, and run init without --trust",
        ));
    }
    if let Some(serial) = args.accept_serial {
        return app.change(Action::AcceptSerial(serial), Some(&format!("serial {serial}")));
    }
    let before = if setup.read == Read::Absent { TrustMode::Signed } else { setup.config.trust.mode };
    let mode = trust.unwrap_or(before);
    let confirmed = trust_key::confirm(app, machine, mode, args.trust_key.as_deref())?;
    let listed = match (new, mode, &confirmed) {
        (false, ..) | (true, TrustMode::Signed, None) => None,
        (true, TrustMode::Permissions, _) => who::find(app, machine, None)?,
        (true, TrustMode::Signed, Some(confirmed)) => who::find(app, machine, Some(confirmed.trusted()))?,
    };
    let machine = listed.or(machine).ok_or_else(|| who::unsaid(app).unwrap_or_else(nobody))?;
    if mode == TrustMode::Signed && !args.hand_made && (new || args.trust_key.is_some()) {
        who::under_an_index(app)?;
    }
    if app.dry_run {
        let config = if new { "write" } else { "keep" };
        let (file, state) = (layout.config.display(), layout.state.display());
        let would = format!("{config} {file}, and make or check the history in {state}").into();
        return app.other(Answer::DryRun(DryRunDoc { dry_run: true, would, request_id: None }));
    }
    if new {
        write_configuration(app, machine, mode, begun)?;
    }
    let not_taken = confirmed.as_ref().map(|confirmed| confirmed.not_taken().to_vec()).unwrap_or_default();
    let list = confirmed.map(|confirmed| confirmed.place()).transpose()?;
    let adopt = args.adopt.map(|adopt| match adopt {
        AdoptArg::Done => Adopt::Done,
        AdoptArg::NotDone => Adopt::NotDone,
    });
    let config = crate::config::Config::load(&layout.config)
        .map_err(|e| bad_configuration(&layout.config, &e.problems()))?;
    let state_of_history = match adopt.filter(|_| has_a_double(app)) {
        Some(adopt) => keep_id(app, adopt)?,
        None => init::enrol(layout, &config, adopt)?,
    };
    let host_key = host_key::ready(layout, &config)?;
    let doc = InitDoc {
        machine,
        host_key: host_key.map(|key| SafeText::new(&key.text())),
        config: layout.config.display().to_string().into(),
        config_written: new,
        state: layout.state.display().to_string().into(),
        trust: config.trust.mode,
        trust_list: list.as_ref().map(|list| list.version),
        fingerprint: args.trust_key.as_deref().map(SafeText::new),
        not_taken,
        not_reached: trust_key::not_reached(app),
        state_of_history,
    };
    app.out.view(&doc, || page(app, &doc, config.trust.mode))?;
    Ok(Exit::Done)
}

/// Another machine reports as this one. Nothing is lost then, and the executor carries it out.
fn has_a_double(app: &App) -> bool {
    let status = app.client().and_then(|client| client.view(&View::Status));
    matches!(status, Ok(Answer::Status(doc)) if doc.problems.iter().any(|p| p.code == "two-machines"))
}

fn keep_id(app: &App, adopt: Adopt) -> Result<init::InitDoc> {
    let change = app.wish(Action::KeepId { done: adopt == Adopt::Done }, None);
    let Answer::Adopted(adopted) = app.client()?.change(&change)? else { return Err(unexpected_answer()) };
    let words = format!(
        "this machine is the one with its id; {adopted} requests count as done. The other one runs nothing by itself as soon \
         as it reads this one's report; give it an id of its own"
    );
    Ok(init::InitDoc {
        history: init::Found::Adopted,
        adopted,
        kept: None,
        forgotten: Vec::new(),
        unseen: Vec::new(),
        message: SafeText::new(&words),
    })
}

/// An `init` has written the configuration and went no further, and nobody has edited it since: it may be completed with
/// other flags.
fn is_only_begun(app: &App) -> bool {
    let (config, layout) = (&app.setup.config, &app.setup.layout);
    let Some(machine) = config.machine.filter(|_| app.setup.read == Read::Good) else { return false };
    let mut starter = Starter::new(machine, config.shares.clone(), config.trust.mode);
    starter.log_dir.clone_from(&config.log.dir);
    !layout.history().exists()
        && !layout.mark().exists()
        && std::fs::read_to_string(&layout.config).is_ok_and(|text| text == starter.text())
}

/// `again`: in the place of one that an `init` wrote that went no further.
fn write_configuration(
    app: &App,
    machine: crate::site::ids::MachineId,
    trust: TrustMode,
    again: bool,
) -> Result<()> {
    let layout = &app.setup.layout;
    let mut starter = Starter::new(machine, app.setup.locations().to_vec(), trust);
    if layout.log.starts_with(&layout.state) {
        // A service that is started without --state would log somewhere else.
        starter.log_dir = Some(layout.log.clone());
    }
    let folder = layout.config.parent().unwrap_or(Path::new("/"));
    durable::make_readable_dir(folder).map_err(|e| cannot("make the folder", folder, &e))?;
    footing::check_configuration_folder(layout)?;
    let text = starter.text();
    let written = match again {
        true => durable::write(&layout.config, text.as_bytes()),
        false => durable::create_new(&layout.config, text.as_bytes()),
    };
    written.map_err(|e| cannot("write", &layout.config, &e))
}

fn cannot(what: &str, path: &Path, e: &std::io::Error) -> Failure {
    let remedy = match e.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "Run it as root, or name folders of your own: --config FILE --state DIR"
        }
        _ => "Correct that and run it again",
    };
    Failure::new(Exit::Failed, "init", format!("cannot {what} {}: {e}", path.display()), remedy)
}

fn page(app: &App, doc: &InitDoc, trust: TrustMode) -> Page {
    let mut page = Page::new(app.out.width);
    let written = if doc.config_written { "written" } else { "left as it is" };
    page.line(format!("{}: configuration {} {written}.", doc.machine, doc.config));
    page.line(format!("History: {}.", doc.state_of_history.message));
    if let Some(kept) = &doc.state_of_history.kept {
        page.line(format!("The lost one is kept as {kept}."));
    }
    for what in &doc.state_of_history.forgotten {
        page.strong(format!("pcm no longer knows {what}."));
    }
    if let (Some(version), false) = (doc.trust_list, doc.config_written) {
        page.line(format!("Trust list {version} says whose signatures count here."));
    }
    if let Some(key) = &doc.host_key {
        page.line("It signs its reports. Its key, for who publishes (pcm site machine add --host-key):");
        page.line(format!("  {key}"));
    }
    for left in &doc.not_taken {
        page.strong(format!("Trust list {} was not taken: {}.", left.file, left.why));
    }
    for share in &doc.not_reached {
        page.strong(format!(
            "The share {} cannot be opened: {}. Nothing on it was looked at.",
            share.file, share.why
        ));
    }
    if doc.config_written {
        if app.setup.locations().is_empty() {
            page.line("No share is named yet: write `shares = [\"/mnt/sms_shr\"]` into the configuration.");
        }
        match trust {
            TrustMode::Permissions => page.line(
                "Trust is `permissions`: who may write to the share decides what runs here, and a share that others \
                 than root and this account may write to is refused.",
            ),
            TrustMode::Signed => page.line(match doc.trust_list {
                Some(version) => format!(
                    "Trust is `signed`: what runs here has to be signed by the keys of trust list {version}.",
                ),
                None if !doc.not_reached.is_empty() => "Trust is `signed`, and no trust list was seen. Once the share can be \
                     opened: pcm init --trust-key SHA256:…; nothing runs until then"
                    .to_owned(),
                None => "Trust is `signed`, and no share has a trust list: nothing runs until one is taken, with pcm init \
                         --trust-key SHA256:…"
                    .to_owned(),
            }),
        };
        let pcm = &app.setup.pcm;
        page.blank().line(format!("Start the service: {pcm} service install, or {pcm} service run"));
    }
    page
}
