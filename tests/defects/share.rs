//! What came from the share, or did not come, and was not told apart.

use super::common::*;
use std::fs;

/// A status MIF as packages of the time wrote it.
fn mif(status: &str) -> String {
    format!(
        "START COMPONENT\nNAME = \"W\"\nSTART GROUP\nNAME = \"InstallStatus\"\nID = 1\n\
         CLASS = \"MICROSOFT|JOBSTATUS|1.0\"\nSTART ATTRIBUTE\nNAME = \"Status\"\nID = 1\n{status}\nEND ATTRIBUTE\n\
         START ATTRIBUTE\nNAME = \"Description\"\nID = 2\nVALUE = \"in its own words   \"\nEND ATTRIBUTE\nEND GROUP\n\
         END COMPONENT\n"
    )
}

/// A package that ends with 0 after writing this status MIF; how its attempt was judged.
fn judged(mif: &str) -> (String, String) {
    let mut site = Site::new();
    let script = format!("cat > \"$PCM_STATUS_MIF\" <<'END_OF_MIF'\n{mif}\nEND_OF_MIF\nexit 0");
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    wait_for("an end of the attempt", || site.request("BP0000Y").is_some_and(|r| r["group"] == "executed"));
    let history = site.json(&["history", "BP0000Y"]);
    let result = history["attempts"][0]["result"].as_str().unwrap().to_owned();
    (site.state_of("BP0000Y"), result)
}

/// A malformed status MIF counted as success.
#[test]
fn q190135_q140810_q122178_a_malformed_status_mif_is_a_failure_with_its_reason() {
    let (state, result) = judged("Status = Success");
    assert_eq!(state, "failed");
    assert!(result.contains("MIF is malformed: line 1"), "{result}");
}

/// Trailing blanks in a status MIF were rejected without a word.
#[test]
fn q160776_q192497_blanks_in_a_status_mif_are_tolerated() {
    let (state, result) = judged(&mif("VALUE = \"Success   \""));
    assert_eq!((state.as_str(), result.as_str()), ("succeeded", "in its own words"));
}

/// "No instruction file", whatever the reason.
#[test]
fn q160855_missing_share_missing_file_and_unreadable_file_are_told_apart() {
    let mut site = Site::new();
    assert_eq!(site.refused(&["poll"], 4)["code"], "ins-missing");
    let whole = site.instructions(&[Request::due("BP0000Y")]);
    site.publish_text(&whole[..whole.len() - 4]);
    let error = site.refused(&["poll"], 1);
    assert_eq!(error["code"], "malformed");
    assert!(error["message"].as_str().unwrap().contains("BP004000.INS, line"), "{error}");
    fs::rename(site.share().join("PCM.SITE"), site.path("PCM.SITE")).unwrap();
    assert_eq!(site.refused(&["poll"], 5)["code"], "share-missing");
    fs::rename(site.share(), site.path("unmounted")).unwrap();
    assert_eq!(site.refused(&["poll"], 5)["code"], "share-missing");
}

/// A server without the instruction file, or down: others were not tried.
#[test]
fn q191293_q188578_the_next_share_is_used_and_shown_where_the_first_has_nothing() {
    let mut site = Site::bare("");
    let empty = site.path("empty");
    make_dir(&empty);
    write(&empty.join("PCM.SITE"), b"format = 1\nsite = \"BP0\"\nname = \"Branch\"\n");
    let config = fs::read_to_string(site.config()).unwrap();
    let gone = site.path("gone");
    make_dir(&gone);
    write(&gone.join("PCM.SITE"), b"format = 1\nsite = \"BP0\"\nname = \"Branch\"\n");
    let more = format!("shares = [{gone:?}, {empty:?}, ");
    write(&site.config(), config.replace("shares = [", &more).as_bytes());
    assert!(site.pcm(&["init"]).status.success());
    // A machine that has no history yet waits for all of its shares; after that one may be away.
    let service = site.service();
    wait_for("every share was seen", || {
        !site.json_of(&["status"])["standstill"].to_string().contains("history")
    });
    service.terminate();
    fs::remove_dir_all(&gone).unwrap();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    let list = site.json(&["list", "--all"]);
    assert_eq!(list["source"], site.share().display().to_string());
    let codes: Vec<_> = list["problems"].as_array().unwrap().iter().map(|p| p["code"].clone()).collect();
    assert!(codes.contains(&"share-missing".into()) && codes.contains(&"ins-missing".into()), "{codes:?}");
}

/// Drive letters, UNC paths and blanks in the command line crashed the service.
#[test]
fn q193224_q195937_q160566_q166245_command_lines_are_split_by_rule_and_the_rest_is_refused() {
    let mut site = Site::new();
    let script = site.say("ran \"$#:$1:$2:$3\"");
    let hash = format!("\"{}\"", site.package("BP00000A", &script));
    let request =
        |id: &str, line: &str| Request::due(id).set("content_sha256", hash.clone()).set("command_line", line);
    site.publish(&[
        request("BP00001", r"'C:\setup.exe /s'"),
        request("BP00002", r"'\\server\share\setup.exe'"),
        request("BP00003", r"'..\setup.sh'"),
        request("BP00004", r#"'setup.sh "open'"#),
        request("BP00005", r"'/bin/sh -c true'"),
        request("BP00006", r#"'setup.sh   "a b"  $HOME ""'"#),
    ]);
    let _service = site.service();
    site.wait_state("BP00006", "succeeded");
    let line = fs::read_to_string(site.witness()).unwrap();
    assert!(line.starts_with("ran 3:a b:$HOME: BP00006"), "{line}");
    assert_eq!(site.ran("ran"), 1);
    for id in ["BP00001", "BP00002", "BP00003", "BP00004", "BP00005"] {
        let request = site.request(id).unwrap();
        assert_eq!(
            (request["state"].as_str(), request["blocked_by"][0].as_str()),
            (Some("rejected"), Some("command-refused"))
        );
    }
}
