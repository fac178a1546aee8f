//! What is printed: where it goes, and whose words it is.

use super::common::*;
use std::process::Command;

#[test]
fn what_a_package_prints_cannot_be_taken_for_a_line_of_pcm() {
    let mut site = Site::new();
    let forged = "BP0000Y attempt 1 succeeded.";
    let hash = site.package("BP00000A", &format!("echo '{forged}'; printf 'no end of line'; exit 3"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    let run = site.pcm(&["run", "BP0000Y", "--follow"]);
    assert_eq!(run.status.code(), Some(7), "{}", text(&run));
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[1..3], [format!("| {forged}").as_str(), "| no end of line"], "{said}");
    assert!(lines[3].starts_with("BP0000Y attempt 1 failed"), "{said}");
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("BP0000Y attempt 1 succeeded")).count(),
        0,
        "{said}"
    );
}

#[test]
fn a_closed_standard_output_is_an_error_and_not_silence() {
    let site = Site::new();
    let (config, state) = (site.config().display().to_string(), site.state().display().to_string());
    let shell = |redirected: &str| {
        let line = format!("exec \"$0\" --config '{config}' --state '{state}' list {redirected}");
        Command::new("sh").args(["-c", &line, env!("CARGO_BIN_EXE_pcm")]).output().unwrap()
    };
    for (redirected, status) in [(">&-", 1), ("--quiet >&-", 0), (">/dev/null", 0), ("<>/dev/null >&0", 0)] {
        let output = shell(redirected);
        assert_eq!(output.status.code(), Some(status), "{redirected}: {}", text(&output));
        assert_eq!(text(&output).contains("it is closed"), status == 1, "{redirected}: {}", text(&output));
    }
    for words in ["--help", "--version", "run --help", "help run", "man"] {
        for (redirected, status) in [(">&-", 1), (">/dev/full", 1), (">/dev/null", 0)] {
            let line = format!("exec \"$0\" {words} {redirected}");
            let output = Command::new("sh").args(["-c", &line, env!("CARGO_BIN_EXE_pcm")]).output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{words} {redirected}: {}", text(&output));
        }
    }
}
