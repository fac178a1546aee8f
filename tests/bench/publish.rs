//! How long a publisher works for a large site: `cargo bench --bench publish`. Prints figures and judges nothing: what each
//! verb takes for 100,000 machines, and which files it writes on the share.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

const MACHINES: usize = 100_000;

/// What a verb took, and the files that it wrote on the share.
fn run(dir: &Path, what: &str, args: &[&str]) {
    let start = Instant::now();
    let done =
        Command::new(env!("CARGO_BIN_EXE_pcm")).args(args).arg("--json").current_dir(dir).output().unwrap();
    let took = start.elapsed();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    let doc: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    let published = if doc["published"].is_object() { &doc["published"] } else { &doc };
    let empty = Vec::new();
    let written = published["written"].as_array().unwrap_or(&empty);
    let bytes: u64 = written.iter().filter_map(|file| file["bytes"].as_u64()).sum();
    let names: Vec<&str> = written.iter().take(3).filter_map(|file| file["path"].as_str()).collect();
    println!("{what:<34} {took:>9.0?}  {:>4} files {bytes:>9} bytes  {}", written.len(), names.join(" "));
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(dir, "site init", &["site", "init", "site", "--site", "BP0", "--example", "BP000000"]);
    let list: String = (0..MACHINES).map(|n| format!("BP0{n:05},node-{n},g{} lab\n", n % 50)).collect();
    std::fs::write(dir.join("list.csv"), list).unwrap();
    let site = ["--folder", "site"];
    let then = |args: &[&'static str]| [args, &site, &["--expect", "100000"]].concat();
    run(dir, "machine import, 100,000", &then(&["site", "machine", "import", "list.csv"]));
    run(dir, "publish, nothing to do", &[&["site", "publish"][..], &site].concat());
    let send = ["job", "send", "--package", "BP00000A", "--to", "@all", "--mandatory", "22:00"];
    run(dir, "job send to 100,000", &then(&send));
    run(dir, "job suspend", &then(&["job", "suspend", "BP0000AB", "--reason", "a look first"]));
    run(dir, "job resume", &then(&["job", "resume", "BP0000AB"]));
    run(dir, "job cancel", &then(&["job", "cancel", "BP0000AB"]));
    let slowly = [&send[..], &["--phases", "5%,50%+1d,100%+1d"]].concat();
    run(dir, "job send in phases", &then(&slowly));
    run(dir, "job advance", &then(&["job", "advance", "BP0000AC"]));
    let at_once = ["job", "advance", "BP0000AC", "--now", "--reason", "a bench"];
    run(dir, "job advance --now", &then(&at_once));
    run(dir, "machine add, one more", &then(&["site", "machine", "add", "BP0ZZZZZ", "--group", "lab"]));
    lint(dir);
}

/// A site folder of 20,000 machines and 200 jobs, looked through before it is published.
fn lint(dir: &Path) {
    run(dir, "site init, another one", &["site", "init", "small", "--site", "BP0", "--example", "BP000000"]);
    let list: String = (0..20_000).map(|n| format!("BP0{n:05},node-{n},g{} lab\n", n % 50)).collect();
    std::fs::write(dir.join("small/machines.csv"), list).unwrap();
    let job = std::fs::read_to_string(dir.join("small/jobs/BP0000AA.toml")).unwrap();
    for n in 0..199 {
        let id = format!("BP0J0{n:03}");
        let text = job.replace("BP0000AA", &id).replace("BP0000Y", &format!("BP0R{n:03}"));
        let text = text.replace("targets = [\"BP000000\"]", &format!("targets = [\"@g{}\"]", n % 50));
        std::fs::write(dir.join(format!("small/jobs/{id}.toml")), text).unwrap();
    }
    let start = Instant::now();
    let lint = Command::new(env!("CARGO_BIN_EXE_pcm"))
        .args(["site", "lint", "small", "--json"])
        .current_dir(dir)
        .output();
    let (took, lint) = (start.elapsed(), lint.unwrap());
    let doc: serde_json::Value = serde_json::from_slice(&lint.stdout).unwrap_or_default();
    let items = doc["items"].as_array().map_or(0, Vec::len);
    assert!(items > 0, "{}", String::from_utf8_lossy(&lint.stderr));
    println!(
        "{:<34} {took:>9.0?}  {items} items, exit {:?}",
        "site lint, 20,000 and 200 jobs",
        lint.status.code()
    );
}
