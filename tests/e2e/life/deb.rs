//! A package made from the metadata in `Cargo.toml` with dpkg's own tools, of the binary that the tests have.

use super::common::*;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn manifest() -> Table {
    std::fs::read_to_string(repository().join("Cargo.toml")).unwrap().parse().unwrap()
}

/// What goes where with which mode, as `kind` of package has it, destinations without the first slash.
pub fn assets(manifest: &Table, kind: &str) -> Vec<(String, String, String)> {
    let metadata = &manifest["package"]["metadata"][kind];
    let word = |value: &Value| value.as_str().unwrap().trim_start_matches('/').to_owned();
    let asset = |asset: &Value| match asset {
        Value::Array(words) => (word(&words[0]), word(&words[1]), word(&words[2])),
        table => (word(&table["source"]), word(&table["dest"]), word(&table["mode"])),
    };
    metadata["assets"].as_array().unwrap().iter().map(asset).collect()
}

/// The file or files of an asset, as the metadata names it.
pub fn sources(source: &str, made: &Path) -> Vec<PathBuf> {
    let path = match (source.strip_prefix("target/packaging/"), source) {
        (Some(rest), _) => made.join(rest),
        (None, "target/release/pcm") => env!("CARGO_BIN_EXE_pcm").into(),
        (None, _) => repository().join(source),
    };
    // As cargo-deb and cargo-generate-rpm read it: what begins with a dot is not meant by a star.
    let name = path.file_name().unwrap().to_str().unwrap();
    let Some(ending) = name.strip_prefix('*') else { return vec![path] };
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !name.starts_with('.') && name.ends_with(ending) && path.is_file()
    };
    let found: Vec<PathBuf> = entries.filter(is_meant).collect();
    assert!(!found.is_empty(), "{source} is no file");
    found
}

/// Makes the package of this version in this folder. What it is compressed with is not what is tested.
pub fn make(folder: &Path, version: &str) -> PathBuf {
    let (manifest, made) = (manifest(), folder.join("made"));
    let about = &manifest["package"]["metadata"]["deb"];
    let mut written = Command::new(env!("CARGO_BIN_EXE_pcm"));
    written.arg("package-files").arg(&made);
    let written = written.arg("--pages").arg(repository()).output().unwrap();
    assert!(written.status.success(), "{}", text(&written));
    let tree = folder.join(format!("tree-{version}"));
    let put = |to: &Path, from: &Path, mode: u32| {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (source, to, mode) in assets(&manifest, "deb") {
        for from in sources(&source, &made) {
            let into = tree.join(&to);
            let to = if to.ends_with('/') { into.join(from.file_name().unwrap()) } else { into };
            put(&to, &from, u32::from_str_radix(&mode, 8).unwrap());
        }
    }
    let scripts = repository().join(about["maintainer-scripts"].as_str().unwrap());
    for script in ["preinst", "postinst", "prerm", "postrm"] {
        put(&tree.join("DEBIAN").join(script), &scripts.join(script), 0o755);
    }
    // What cargo-deb finds out by the libraries of the binary is what this system has.
    let depends = about["depends"].as_str().unwrap().replace("$auto, ", "");
    let control = format!(
        "Package: pcm\nVersion: {version}\nArchitecture: {}\nMaintainer: {}\nDepends: {depends}\nDescription: {}\n",
        architecture(),
        about["maintainer"].as_str().unwrap(),
        manifest["package"]["description"].as_str().unwrap(),
    );
    write(&tree.join("DEBIAN/control"), control.as_bytes());
    let deb = folder.join(format!("pcm_{version}.deb"));
    let mut build = Command::new("dpkg-deb");
    let built = build.args(["--root-owner-group", "-Znone", "-b"]).arg(&tree).arg(&deb).output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
    std::fs::remove_dir_all(tree).unwrap();
    deb
}

fn architecture() -> String {
    let output = Command::new("dpkg").arg("--print-architecture").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
