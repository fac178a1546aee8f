//! Gate `trust` in mode `signed`: the publisher's key and those of the packages' signers.

use super::super::model::*;
use super::super::{foretell, next_runs};
use super::gates::blocks;
use super::scene::*;
use crate::clock::When;
use crate::site::share::SourceFault;
use crate::site::signed::Distrust;
use crate::site::signed::published::{SignedBy, Vouched};
use crate::site::signed::testing::list;
use crate::terms::*;
use chrono::TimeDelta;
use std::sync::Arc;

/// In mode `signed`: the publisher's and the package's key, which end after so many days, and the package's release.
fn signed(publish: Option<i64>, package: Option<i64>, release: u64) -> Scene {
    let signer = |number: usize, days: Option<i64>| {
        let mut signer = list(1).signers[number].clone();
        signer.before = days.map(|days| now() + TimeDelta::days(days));
        signer
    };
    let vouched = Vouched { release, signer: signer(1, package), need: None };
    Scene::due().with(|s| {
        let packages = [(id(ID), Ok(vouched))].into();
        let sha256 = crate::site::content::hash_bytes(b"signed");
        s.instructions.signed =
            Some(SignedBy { epoch: 1, sha256, publishers: signer(2, publish).into(), packages });
        s.instructions.file.as_mut().unwrap().valid_until = Some(now() + TimeDelta::days(30));
    })
}

#[test]
fn a_key_counts_until_its_end_and_then_nothing_of_it_starts() {
    let good = signed(Some(9), Some(3), 1);
    assert_eq!(good.decision().state, State::Due);
    let gates = good.decision().gates;
    let trust = gates.iter().find(|g| g.gate == Gate::Trust).unwrap();
    assert_eq!(trust.change, Change::At(now() + TimeDelta::days(3)), "the first of both ends");
    assert!(
        trust.evidence.as_str().contains("release 1 of BP00000A signed by package-2"),
        "{}",
        trust.evidence
    );
    for (publish, package) in [(Some(0), None), (None, Some(0)), (Some(-1), Some(-1))] {
        blocks(&signed(publish, package, 1), Gate::Trust, Code::KeyExpired, Change::Event);
    }
}

#[test]
fn what_its_packages_signer_did_not_sign_is_rejected_alone() {
    for code in [Code::PackageMismatch, Code::PackageWithdrawn, Code::BadSignature, Code::Unsigned] {
        let mut scene = signed(None, None, 1);
        let distrust = Distrust::new(code, "its key is revoked").at("packages/BP00000A/package.toml");
        scene.instructions.signed.as_mut().unwrap().packages.insert(id(ID), Err(distrust));
        blocks(&scene, Gate::Trust, code, Change::Event);
        // The list says why, too.
        assert_eq!(scene.decision().why, format!("{code}: its key is revoked").as_str());
        scene.instructions.signed.as_mut().unwrap().packages.clear();
        blocks(&scene, Gate::Trust, Code::Unsigned, Change::Event);
    }
}

#[test]
fn no_release_below_one_that_ran_here_runs_again() {
    let ran = |release| Attempt { release: Some(release), ..attempt(1, State::Failed) };
    for (release, code) in [(2, Some(Code::PackageWithdrawn)), (3, None), (4, None)] {
        let mut scene = signed(None, None, release);
        scene.attempted("BP0000X", vec![ran(3)]);
        let gates = scene.decision().gates;
        assert_eq!(gates.iter().find(|g| g.gate == Gate::Trust).unwrap().code, code, "{release}");
    }
}

#[test]
fn valid_until_stands_in_place_of_how_long_ago_a_share_was_seen() {
    let mut scene = signed(None, None, 1);
    scene.instructions.share_seen = Some(now() - TimeDelta::days(20));
    assert_eq!(scene.decision().state, State::Due);
    scene.instructions.file.as_mut().unwrap().valid_until = Some(now());
    blocks(&scene, Gate::Source, Code::ShareStale, Change::Event);
}

/// A share whose newest index is refused.
fn refused(scene: &mut Scene, mandatory_in: TimeDelta) {
    scene.instructions.fault = Some(SourceFault { code: Code::BadSignature, problems: Vec::new() });
    scene.request().mandatory_after = Some(When::Instant(now() + mandatory_in));
}

#[test]
fn what_is_held_and_signed_runs_while_it_is_valid_also_where_the_newest_on_the_share_is_refused() {
    let week = TimeDelta::days(7);
    let mut scene = signed(None, None, 1).with(|s| refused(s, week));
    let decision = foretold(&scene);
    assert_eq!((decision.state, decision.next_run), (State::Offered, Some(now() + week)));
    assert!(decision.why.as_str().starts_with("runs 2026-11-29 12:00"), "{}", decision.why);
    scene.now = now() + week;
    assert_eq!(scene.decision().state, State::Due, "and so it does");
}

#[test]
fn what_never_expires_does_not_expire_before_it_may_run_and_what_ends_first_is_said() {
    // In mode `permissions` what is held counts for a day without a share.
    let mut scene = Scene::due().with(|s| refused(s, TimeDelta::days(2)));
    let ends = "newer instruction file refused: bad signature; the one held counts until Mon 11:52 only";
    let decision = foretold(&scene);
    assert_eq!((decision.why.as_str(), decision.next_run, decision.never), (ends, None, false));
    let source = decision.gates.iter().find(|gate| gate.gate == Gate::Source).unwrap();
    assert!(
        source.evidence.as_str().contains("stays in force until Mon 2026-11-23 11:52"),
        "{}",
        source.evidence
    );
    scene.instructions.fault.as_mut().unwrap().code = Code::ShareMissing;
    assert_eq!(scene.decision().why, "share missing; the instruction file held counts until Mon 11:52 only");
    scene.request().expire_after = Some(When::Instant(now() + TimeDelta::days(3)));
    assert!(scene.decision().why.as_str().starts_with("share missing; "), "it expires later than that");
    scene.request().expire_after = Some(When::Instant(now() + TimeDelta::hours(1)));
    assert_eq!(scene.decision().why, "expires before it may run");
    let mut scene = signed(None, None, 1).with(|s| refused(s, TimeDelta::days(31)));
    scene.instructions.fault = None;
    let why = foretold(&scene).why;
    assert!(why.as_str().starts_with("the instruction file counts until 2026-12-22"), "{why}");
}

fn foretold(scene: &Scene) -> Decision {
    let mut decisions = vec![scene.decision()];
    foretell(&scene.inputs(), &mut decisions, || Arc::new(next_runs(&scene.inputs())));
    decisions.remove(0)
}
