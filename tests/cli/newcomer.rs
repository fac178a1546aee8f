//! The README's way from nothing to a package that has run.

use super::{enrolled, pcm, text};

#[test]
fn from_an_empty_folder_to_a_package_that_has_run() {
    let dir = enrolled();
    let list = pcm(dir.path(), &["list"]);
    assert!(text(&list.stdout).contains("BP0000Y"), "{}", text(&list.stdout));

    let run = pcm(dir.path(), &["run", "BP0000Y", "--follow"]);
    let said = text(&run.stdout);
    assert_eq!(run.status.code(), Some(0), "{said}{}", text(&run.stderr));
    assert!(said.contains("step 1 of") && said.contains("attempt 1 succeeded"), "{said}");

    let history = pcm(dir.path(), &["history", "--json"]);
    let history: serde_json::Value = serde_json::from_slice(&history.stdout).unwrap();
    assert_eq!(history["attempts"][0]["state"], "succeeded");
}

#[test]
fn init_on_healthy_state_changes_nothing() {
    let dir = enrolled();
    let files = ["pcm.toml", "pcm.mark", "state/history.db"];
    let before: Vec<_> = files.iter().map(|f| std::fs::read(dir.path().join(f)).unwrap()).collect();
    assert!(pcm(dir.path(), &["init"]).status.success());
    let after: Vec<_> = files.iter().map(|f| std::fs::read(dir.path().join(f)).unwrap()).collect();
    assert!(before == after);
}

#[test]
fn the_hash_of_a_package_is_the_one_in_the_instruction_file() {
    let dir = enrolled();
    let content = pcm(dir.path(), &["package", "content", "BP00000A", "--json"]);
    let content: serde_json::Value = serde_json::from_slice(&content.stdout).unwrap();
    let ins = std::fs::read_to_string(dir.path().join("share/pcmins.box/BP004000.INS")).unwrap();
    assert!(ins.contains(content["content_sha256"].as_str().unwrap()));
}

#[test]
fn an_init_that_failed_halfway_is_repeated_with_any_flags_and_after_it_another_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made =
        pcm(dir.path(), &["site", "init", "share", "--hand-made", "--site", "BP0", "--example", "BP004000"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let init = ["init", "--machine", "BP004000", "--share", "share", "--trust", "permissions"];
    // A file is where the state folder has to be: the configuration is written, the history is not.
    std::fs::write(dir.path().join("state"), "in the way").unwrap();
    assert_eq!(pcm(dir.path(), &init).status.code(), Some(6));
    assert!(dir.path().join("pcm.toml").exists());
    // Nothing was enrolled yet: what was named wrongly is named anew, and what is not named stays.
    let other = ["init", "--machine", "BP004001", "--trust", "signed"];
    let by_hand = pcm(dir.path(), &other);
    assert!(
        by_hand.status.code() == Some(3) && text(&by_hand.stderr).contains("repeat this with --hand-made")
    );
    let other = [&other[..], &["--hand-made"]].concat();
    assert_eq!(pcm(dir.path(), &other).status.code(), Some(6));
    let written = std::fs::read_to_string(dir.path().join("pcm.toml")).unwrap();
    assert!(written.contains("machine = \"BP004001\"") && written.contains("mode = \"signed\""), "{written}");
    assert!(written.lines().any(|line| line.starts_with("shares = ") && line.contains("share")), "{written}");
    std::fs::remove_file(dir.path().join("state")).unwrap();
    let again = pcm(dir.path(), &init);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert!(pcm(dir.path(), &init).status.success(), "and again");
    for (flag, value, status) in
        [("--machine", "BP004001", 3), ("--share", "other", 3), ("--trust", "signed", 2)]
    {
        assert_eq!(pcm(dir.path(), &["init", flag, value]).status.code(), Some(status), "{flag}");
    }
}

#[test]
fn init_says_of_a_share_that_says_nobodys_id_whether_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |share: &str, trust: &str| {
        let told = pcm(dir.path(), &["init", "--share", share, "--trust", trust, "--json"]);
        let doc: serde_json::Value = serde_json::from_slice(&told.stderr).unwrap();
        let message = doc["error"]["message"].as_str().unwrap().to_owned();
        (told.status.code().unwrap(), doc["error"]["code"].as_str().unwrap().to_owned(), message)
    };
    std::fs::create_dir(dir.path().join("mount")).unwrap();
    let made = pcm(dir.path(), &["site", "init", "by-hand", "--hand-made", "--site", "BP0"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    for trust in ["permissions", "signed"] {
        for share in ["nowhere", "mount"] {
            let (exit, code, message) = refused(share, trust);
            assert_eq!((exit, code.as_str()), (5, "share-missing"), "{trust}: {message}");
            assert!(message.contains(share), "{message}");
            assert!(share == "nowhere" || message.contains("it is not mounted"), "{message}");
        }
        let (exit, code, message) = refused("by-hand", trust);
        assert_eq!((exit, code.as_str()), (2, "usage"), "{trust}: {message}");
    }
    assert!(!dir.path().join("pcm.toml").exists(), "nothing was written");
}
