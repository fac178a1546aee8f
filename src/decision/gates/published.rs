//! Gates about what came from the share: source, record, trust, platform, kind.

use super::super::model::{Change, GateResult};
use super::super::world::{Subject, World};
use super::{block, pass, unknown};
use crate::clock::{Wall, between};
use crate::site::content::ContentFact;
use crate::site::ids::PackageId;
use crate::site::signed::Distrust;
use crate::site::signed::published::SignedBy;
use crate::site::signed::signers::Signer;
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, Gate, Platform, Problem};
use crate::text::{duration, stamp};

/// A valid instruction file is held and fresh enough.
pub(super) fn source(world: &World) -> GateResult {
    let (gate, inputs) = (Gate::Source, world.inputs);
    let instructions = inputs.instructions;
    let fault = instructions.fault.as_ref();
    // What is wrong with the newest look at the share goes with every sentence of this gate.
    let why = fault.and_then(|f| f.problems.first()).map(place);
    let why = why.map(|place| format!(". {place}")).unwrap_or_default();
    let Some(file) = &instructions.file else {
        let code = fault.map_or(Code::ShareMissing, |f| source_code(f.code));
        return block(
            gate,
            code,
            Change::Event,
            world.tell(|| format!("no valid instruction file is held{why}")),
        );
    };
    let what = if instructions.index.is_some() { "the index" } else { "the instruction file" };
    // The share is there and has nothing for this machine: what is held was withdrawn.
    if let Some(fault) = fault.filter(|f| f.code == Code::InsMissing) {
        let evidence = world.tell(|| {
            format!(
                "the share holds no instruction file for {}; the held one was withdrawn{why}",
                file.machine
            )
        });
        return block(gate, fault.code, Change::Event, evidence);
    }
    if let Some(end) = file.valid_until.filter(|end| world.now >= *end) {
        let end = stamp(end, inputs.zone);
        let evidence = world.tell(|| {
            format!(
                "{what} with serial {} was valid until {end}; it is {}{why}",
                file.serial,
                stamp(world.now, inputs.zone)
            )
        });
        return block(gate, Code::ShareStale, Change::Event, evidence);
    }
    if let (Some(_), Some(end)) = (&instructions.signed, file.valid_until) {
        // What its signer says of how long it is good stands in place of how long ago a share was seen.
        let evidence = world.tell(|| {
            let end = stamp(end, inputs.zone);
            format!(
                "serial {} of epoch {}, valid until {end}{why}",
                file.serial,
                instructions.signed.as_ref().map_or(0, |s| s.epoch)
            )
        });
        return pass(gate, Change::At(end), evidence);
    }
    let (Some(seen), Some(stale)) = (instructions.share_seen, world.stale_from()) else {
        let evidence = world.tell(|| format!("when a share was last seen is not known{why}"));
        return unknown(gate, Code::ShareStale, evidence);
    };
    let age = duration(between(seen, world.now));
    if world.now >= stale {
        let limit = duration(inputs.policy.config.share.stale_after);
        let seen = stamp(seen, inputs.zone);
        let evidence =
            world.tell(|| format!("no share was seen since {seen}, {age} ago; the limit is {limit}{why}"));
        return block(gate, Code::ShareStale, Change::Event, evidence);
    }
    let next = file.valid_until.map_or(stale, |end| end.min(stale));
    let evidence = world.tell(|| match fault {
        None => format!("serial {}, share seen {age} ago", file.serial),
        Some(_) => {
            let until = stamp(next, inputs.zone);
            format!("serial {} stays in force until {until}; the share was seen {age} ago{why}", file.serial)
        }
    });
    pass(gate, Change::At(next), evidence)
}

/// A code of this gate; whatever else is wrong with the newest file, no valid one is there.
fn source_code(code: Code) -> Code {
    if code.row().gate == Gate::Source { code } else { Code::InsMissing }
}

/// A problem with its place, as evidence.
pub(super) fn place(problem: &Problem) -> String {
    match problem.line {
        Some(line) => format!("{}, line {line}: {}", problem.file, problem.message),
        None => format!("{}: {}", problem.file, problem.message),
    }
}

/// A usable record is well-formed, and what it starts can be started. That it cannot is known before an attempt is used up.
pub(super) fn record(world: &World, subject: &Subject) -> GateResult {
    if let Some(why) = world.inputs.facts.unstartable.get(&subject.request.request_id) {
        let evidence = world.tell(|| format!("its program cannot be started: {why}"));
        return block(Gate::Record, Code::CommandRefused, Change::Event, evidence);
    }
    let place = || match subject.delivery {
        Some(delivery) => format!("well-formed, revision {} of job {}", delivery.revision, delivery.job_id),
        None => format!("well-formed, line {}", subject.request.line),
    };
    pass(Gate::Record, Change::Event, world.tell(place))
}

/// Who published it, and whether somebody else could have written its files.
pub(super) fn trust(world: &World, subject: &Subject) -> GateResult {
    let file = of_file(world);
    if file.code.is_none()
        && let Some(distrust) = not_vouched(world, subject)
    {
        return block(Gate::Trust, distrust.code, Change::Event, world.tell(|| distrust.said()));
    }
    if file.code.is_none()
        && let Some(by) = &world.inputs.instructions.signed
    {
        return of_package(world, subject, by, file);
    }
    match subject.content {
        Some(ContentFact::Loose(why)) if file.code.is_none() => {
            block(Gate::Trust, Code::LoosePermissions, Change::Event, world.tell(|| why.clone()))
        }
        Some(
            ContentFact::Loose(_) | ContentFact::Staged | ContentFact::Missing(_) | ContentFact::Mismatch(_),
        )
        | None => file,
    }
}

/// The trust in the instruction file as such.
pub(super) fn of_file(world: &World) -> GateResult {
    match &world.inputs.instructions.trust {
        TrustVerdict::Trusted(by) => match &world.inputs.instructions.signed {
            Some(signed) => key(world, signed.publishers.weakest(world.now), |until| {
                let until =
                    until.map(|at| format!(", whose key counts until {}", stamp(at, world.inputs.zone)));
                format!("{}{}", signed.words(), until.unwrap_or_default())
            }),
            None => pass(Gate::Trust, Change::Event, world.tell(|| by.clone())),
        },
        TrustVerdict::Refused(code, why) => {
            block(Gate::Trust, *code, Change::Event, world.tell(|| why.clone()))
        }
        TrustVerdict::Unchecked => unknown(
            Gate::Trust,
            Code::Unsigned,
            world.tell(|| "who published the instruction file was not checked yet"),
        ),
    }
}

/// Whether a key counts now; until when it does.
fn key(world: &World, signer: &Signer, words: impl FnOnce(Option<Wall>) -> String) -> GateResult {
    match signer.valid_at(world.now) {
        Ok(()) => {
            let next = signer.before.map_or(Change::Event, Change::At);
            pass(Gate::Trust, next, world.tell(|| words(signer.before)))
        }
        Err(distrust) => {
            let next = signer.after.filter(|after| world.now < *after).map_or(Change::Event, Change::At);
            block(Gate::Trust, distrust.code, next, world.tell(|| distrust.why.clone()))
        }
    }
}

/// Why a machine that has run a higher release of a package does not run this one.
fn below_what_ran(world: &World, package: PackageId, release: u64) -> Option<String> {
    let highest = world.highest_release(package).filter(|highest| release < *highest)?;
    Some(format!("release {release} of {package} is below {highest}, which ran on this machine"))
}

/// Why nobody whose word counts stands for what a request runs, where that is known of its package alone.
pub(in super::super) fn not_vouched(world: &World, subject: &Subject) -> Option<Distrust> {
    let package = subject.request.package_id;
    let withdrawn =
        |release| Some(Distrust::new(Code::PackageWithdrawn, below_what_ran(world, package, release)?));
    if let Some(delivery) = subject.delivery {
        if let Some(distrust) = &delivery.distrust {
            return Some(distrust.clone());
        }
        if let Some(found) = withdrawn(delivery.release) {
            return Some(found);
        }
    }
    match world.inputs.instructions.signed.as_ref()?.packages.get(&subject.request.request_id)? {
        Ok(vouched) => withdrawn(vouched.release),
        Err(distrust) => Some(distrust.clone()),
    }
}

/// Whether a package's signer stands for what a request runs.
fn of_package(world: &World, subject: &Subject, by: &SignedBy, file: GateResult) -> GateResult {
    let Some(Ok(vouched)) = by.packages.get(&subject.request.request_id) else {
        let evidence = world.tell(|| "nobody signed what it runs");
        return block(Gate::Trust, Code::Unsigned, Change::Event, evidence);
    };
    let package = subject.request.package_id;
    let own = key(world, &vouched.signer, |_| {
        format!(
            "{}; release {} of {package} signed by {}",
            file.evidence, vouched.release, vouched.signer.principal
        )
    });
    match (file.change, own.change) {
        (Change::At(first), Change::At(second)) if own.code.is_none() => {
            GateResult { change: Change::At(first.min(second)), ..own }
        }
        (Change::At(first), _) if own.code.is_none() => GateResult { change: Change::At(first), ..own },
        _ => own,
    }
}

/// The platforms a request is made for, e.g. `windows-x86, windows-x86_64`.
pub(in super::super) fn platforms(subject: &Subject) -> String {
    subject.request.platforms.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) fn platform(world: &World, subject: &Subject) -> GateResult {
    let (gate, wanted) = (Gate::Platform, &subject.request.platforms);
    let own = world.inputs.facts.platform;
    match own {
        _ if wanted.is_empty() => pass(gate, Change::Never, world.tell(|| "for any platform")),
        Some(own) if wanted.contains(&own) => {
            pass(gate, Change::Never, world.tell(|| format!("for {}", platforms(subject))))
        }
        _ => {
            let own = own.map_or("a platform that packages are not made for", Platform::as_str);
            let evidence = world.tell(|| format!("for {}; this machine is {own}", platforms(subject)));
            block(gate, Code::Platform, Change::Never, evidence)
        }
    }
}

/// Whether the service may run it at all.
pub(super) fn kind(world: &World, subject: &Subject) -> GateResult {
    let (gate, request) = (Gate::Kind, subject.request);
    if !request.automated {
        let evidence = world.tell(|| "it needs a user's input (not automated), so pcm never runs it");
        block(gate, Code::NeedsInput, Change::Never, evidence)
    } else if !request.background {
        let evidence = world
            .tell(|| "automated but not a background task: the service skips it, an operator may run it");
        block(gate, Code::ApplicationOnly, Change::Never, evidence)
    } else {
        pass(gate, Change::Never, world.tell(|| "automated background task"))
    }
}
