//! What pcm is built from, on every platform, by the rules of `.deny.toml`.

use crate::common::{skipped, text};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn rules() -> toml::Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".deny.toml");
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

/// All packages but pcm itself. None where cargo cannot fetch the descriptions of those for other platforms.
fn packages() -> Option<Vec<Value>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--format-version", "1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().unwrap();
    if !output.status.success() {
        skipped(format_args!("cargo metadata: {}", text(&output)));
        return None;
    }
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = std::mem::take(metadata["packages"].as_array_mut().unwrap());
    packages.retain(|package| package["name"] != "pcm");
    Some(packages)
}

/// Whether one side of each `OR` of a licence expression may be used; `/` is an old `OR`. Where parentheses group
/// otherwise than in `(A OR B) AND C`, it says no too often and never too seldom.
fn may_be_used(licence: &str, allowed: &[&str]) -> bool {
    let plain = licence.replace('/', " OR ").replace(['(', ')'], " ");
    let one_side = |side: &str| side.split(" OR ").any(|one| allowed.contains(&one.trim()));
    plain.split(" AND ").all(one_side)
}

fn words<'t>(rules: &'t toml::Table, section: &str, key: &str) -> Vec<&'t toml::Value> {
    rules[section][key].as_array().unwrap().iter().collect()
}

#[test]
fn every_dependency_is_of_the_registry_and_under_a_licence_that_may_be_used() {
    let Some(packages) = packages() else { return };
    let rules = rules();
    let allowed: Vec<&str> =
        words(&rules, "licenses", "allow").into_iter().map(|licence| licence.as_str().unwrap()).collect();
    for package in &packages {
        let name = format!("{} {}", package["name"], package["version"]);
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} says no licence"));
        assert!(may_be_used(licence, &allowed), "{name}: {licence}");
        assert!(
            package["source"].as_str().unwrap_or_default().starts_with("registry+"),
            "{name}: {}",
            package["source"]
        );
    }
}

#[test]
fn what_is_banned_is_not_there_and_what_may_be_there_once_is_there_once() {
    let Some(packages) = packages() else { return };
    let rules = rules();
    for ban in words(&rules, "bans", "deny") {
        let name = ban["crate"].as_str().unwrap();
        let times = packages.iter().filter(|package| package["name"] == name).count();
        let once = ban.get("deny-multiple-versions").is_some();
        assert!(times == usize::from(once), "{name}: {times} versions");
    }
}
