#![allow(clippy::unwrap_used)]
use super::*;
use crate::cli::args::EVIDENCE_HELP;

fn text(line: &str) -> String {
    Mask::default().text(line).0
}

#[test]
fn what_is_passed_as_a_secret_is_masked() {
    for (line, wanted) in [
        // A name and its value.
        ("setup.exe PASSWORD=hunter2 /quiet", "setup.exe PASSWORD=<masked> /quiet"),
        (
            "msiexec /i a.msi DB_PASSWD=x LICENSE_KEY=1-2 /qn",
            "msiexec /i a.msi DB_PASSWD=<masked> LICENSE_KEY=<masked> /qn",
        ),
        ("spring.datasource.password=abc", "spring.datasource.password=<masked>"),
        ("setup /password:hunter2 /log:x", "setup /password:<masked> /log:x"),
        ("setup --api-token=abc --verbose", "setup --api-token=<masked> --verbose"),
        ("a --secret='with blanks' b", "a --secret=<masked> b"),
        ("a --secret=\"with \\\" blanks\" b", "a --secret=<masked> b"),
        ("a 'PASSWORD=with blanks' b", "a 'PASSWORD=<masked>' b"),
        ("a \"/pwd:with blanks\" b", "a \"/pwd:<masked>\" b"),
        ("a 'PASSWORD=it'\\''s mine' b", "a 'PASSWORD=<masked>' b"),
        ("sh -c 'deploy PASSWORD=abc now'", "sh -c 'deploy PASSWORD=<masked> now'"),
        ("Server=db;Password=abc;Database=x", "Server=db;Password=<masked>"),
        ("Äpfel PASSWÖRT=x Token=ÄÖ€ ü", "Äpfel PASSWÖRT=x Token=<masked> ü"),
        // A switch and the next word.
        ("setup --password hunter2 --quiet", "setup --password <masked> --quiet"),
        ("setup -Credential anna -Force", "setup -Credential <masked> -Force"),
        ("setup /PWD hunter2 /quiet", "setup /PWD <masked> /quiet"),
        ("setup --password 'a b' c", "setup --password <masked> c"),
        ("setup --password \"a b\" c", "setup --password <masked> c"),
        ("'setup' '--password' 'a b'", "'setup' '--password' <masked>"),
        ("[\"setup\", \"--token\", \"a b\", \"--quiet\"]", "[\"setup\", \"--token\", <masked>, \"--quiet\"]"),
        ("command_line = \"setup --password abc -q\"", "command_line = \"setup --password <masked> -q\""),
        (
            "command_line = \"setup --password \\\"a b\\\" -q\"",
            "command_line = \"setup --password <masked> -q\"",
        ),
        ("command_line = 'setup --password \"a b\" -q'", "command_line = 'setup --password <masked> -q'"),
        ("a --token", "a --token"),
        // Prose, and other languages.
        ("Password: correct horse battery", "Password: <masked>"),
        ("password = \"a b\" # x", "password = <masked> # x"),
        ("{\"password\": \"a b\", \"user\": \"anna\"}", "{\"password\": <masked>, \"user\": \"anna\"}"),
        ("{\"password\":\"a b\",\"user\":\"anna\"}", "{\"password\":<masked>,\"user\":\"anna\"}"),
        ("$secret['token'] = 'abc';", "$secret['token'] = <masked>;"),
        ("secret => abc def", "secret => <masked>"),
        // Headers.
        ("Authorization: Basic YW5uYTpi", "Authorization: <masked>"),
        ("curl -H 'Authorization: Bearer abc.def' https://x", "curl -H 'Authorization: <masked>' https://x"),
        ("curl -H \"X-Api-Key: abc\" https://x", "curl -H \"X-Api-Key: <masked>\" https://x"),
        ("sent bearer abc.def now", "sent bearer <masked> now"),
        ("Set-Cookie: a=b; c", "Set-Cookie: <masked>"),
        // Addresses.
        ("get https://anna:s3cret@host/x?y=1 z", "get https://anna:<masked>@host/x?y=1 z"),
        ("git clone https://ghp_abc@host/x", "git clone https://<masked>@host/x"),
        ("'postgres://u:p@ss@db:5432/x'", "'postgres://u:<masked>@db:5432/x'"),
        // Private keys.
        (
            "-----BEGIN PRIVATE KEY-----\nMIIB\nabc\n-----END PRIVATE KEY-----\nafter\n",
            "-----BEGIN PRIVATE KEY-----\n<masked>\n<masked>\n-----END PRIVATE KEY-----\nafter\n",
        ),
        (
            "-----BEGIN EC PRIVATE KEY-----MIIB-----END EC PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----<masked>-----END EC PRIVATE KEY-----",
        ),
    ] {
        assert_eq!(text(line), wanted, "{line}");
    }
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    for line in [
        "",
        "setup.exe /quiet /norestart INSTALLDIR=C:\\Acme",
        "Package (Request ID) BP0000Z is not marked for service-only execution, skipping it.",
        "the key was accepted, the token has expired",
        "Host key verification failed.",
        "/usr/share/keyrings/debian.gpg is there",
        "/usr/bin/keytool -list",
        "https://host:8443/path?a=b@c",
        "mail to anna@example.org at 14:00:00",
        "don't say 'it' = \"that\"",
        "PASSWORD=",
        "password:",
        "sha256 = \"ab12\"",
    ] {
        assert_eq!(text(line), line);
    }
}

#[test]
fn a_value_of_a_command_line_is_masked_wherever_it_stands() {
    let mut mask = Mask::default();
    mask.learn(
        "setup --password hunter2 --key --verbose PIN_TOKEN=12345 https://a:s3cret-word@h/ Bearer abcdefg",
    );
    mask.learn("Password: prose");
    for (line, wanted) in [
        ("logged on with hunter2.", "logged on with <masked>."),
        ("s3cret-word or abcdefg", "<masked> or <masked>"),
        ("too short 12345, a switch --verbose, and prose", "too short 12345, a switch --verbose, and prose"),
    ] {
        assert_eq!(mask.text(line).0, wanted);
    }
    assert_eq!(
        mask.text("hunter2 hunter2\nPASSWORD=hunter2\n"),
        ("<masked> <masked>\nPASSWORD=<masked>\n".to_owned(), 3)
    );
}

#[test]
fn a_json_document_stays_one_and_only_strings_change() {
    let doc = serde_json::json!({
        "key": "SHA256:abc",
        "command_line": "setup --password \"a \\\" b\" -q",
        "argv": ["setup", "--password", "hunter2", "--token"],
        "other": "after a switch",
        "password": 3,
        "more": {"hunter2": "https://u:hunter2@h \u{2028}ü"},
    });
    let pretty = serde_json::to_string_pretty(&doc).unwrap();
    let (mut mask, plain) = (Mask::default(), Mask::default());
    let (same, none) = plain.json("{\"a\": \"\\u00e9 \\n\", \"b\":[1, true]}\n{\"c\":\"d\"}\n");
    assert_eq!((same.as_str(), none), ("{\"a\": \"\\u00e9 \\n\", \"b\":[1, true]}\n{\"c\":\"d\"}\n", 0));
    mask.learn_json(&pretty);
    let (masked, count) = mask.json(&pretty);
    let read: serde_json::Value = serde_json::from_str(&masked).unwrap();
    assert_eq!(read["key"], "SHA256:abc", "what a field of ours is called says nothing");
    assert_eq!(read["command_line"], "setup --password <masked> -q");
    assert_eq!(read["argv"], serde_json::json!(["setup", "--password", "<masked>", "--token"]));
    assert_eq!((&read["other"], &read["password"]), (&"after a switch".into(), &3.into()));
    assert_eq!(read["more"]["hunter2"], "https://u:<masked>@h \u{2028}ü");
    assert_eq!(count, 3);
}

#[test]
fn nobody_hides_all_that_follows() {
    let begun = format!("-----BEGIN PRIVATE KEY-----\n{}after\n", "x\n".repeat(KEY_LINES));
    assert!(text(&begun).ends_with("<masked>\nafter\n"));
    // Nor is anything unfinished read past its end.
    for odd in [
        "key='",
        "key=\"\\",
        "--key \\\"",
        "token=\\\"ä",
        "\"key",
        "key==",
        "://@",
        "://:@x",
        "key: '",
        "bearer ä",
    ] {
        let _ = text(odd);
        let _ = Mask::default().json(odd);
    }
    assert_eq!(Mask::default().json("\"unfinished \\").0, "\"unfinished \\");
}

#[test]
fn a_hostile_line_takes_no_time_that_grows_with_its_square() {
    // Were each name to look through all of the line, this would not end within the suite's patience.
    for hostile in ["key=\"", "key='\\'", "\"key\": ", "--key ", "://", "Bearer \"", "'key "] {
        let line = hostile.repeat(2_000_000 / hostile.len());
        assert!(text(&line).len() <= line.len() * 4);
    }
}

#[test]
fn the_rule_that_is_told_names_what_is_looked_for() {
    for name in NAMES {
        assert!(EVIDENCE_HELP.contains(name), "{name}");
    }
    assert!(EVIDENCE_HELP.contains(MASKED) && LEARNT == 6);
}
