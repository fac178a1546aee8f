//! Every key of `package.toml` with its words: the text that `pcm package new` writes. A test reads it with every comment
//! taken away, so that no key is explained that is not read, and another sees that none is read that is not explained.

use crate::site::ids::PackageId;
use crate::site::instruction::render::quoted;
use crate::text::SafeText;

/// One key.
struct Key {
    key: &'static str,
    /// What stands there at first, as TOML.
    example: &'static str,
    /// Stands there as it is; else as a comment.
    set: bool,
    words: &'static str,
}

const fn set(key: &'static str, example: &'static str, words: &'static str) -> Key {
    Key { key, example, set: true, words }
}

const fn may(key: &'static str, example: &'static str, words: &'static str) -> Key {
    Key { key, example, set: false, words }
}

/// The keys of a table, under its header; None: the top of the file.
type Table = (Option<(&'static str, bool)>, &'static str, &'static [Key]);

const TABLES: &[Table] = &[
    (
        None,
        "A package: its files stand in files/, their hashes in CONTENT (pcm package content), and how they are run here.",
        &[
            set("package_id", "", "Its id, which is the name of its folder."),
            set("name", "", "Its name, as operators see it."),
            may("version", r#""4.0""#, "The vendor's own version."),
            may("publisher", r#""Acme""#, "Who made it."),
            may("language", r#""en""#, "The language of its texts."),
            may("comment", r#""For offices""#, "A line for those who choose it."),
            may("readme", r#""Needs Acme Base""#, "What to know before it runs."),
            may(
                "release",
                "1",
                "A whole number from 1 on, raised for each change: a signed package needs it.",
            ),
            may("sites", r#"["*"]"#, "The sites where it may run once it is signed, by site_id; * is all."),
            may("kind", r#""package""#, "What this file is: a signed one says it."),
            may(
                "content_sha256",
                r#""0000000000000000000000000000000000000000000000000000000000000000""#,
                "The hash of CONTENT, as pcm package content prints it: what is signed with it.",
            ),
        ],
    ),
    (
        Some(("[installed_if]", false)),
        "How a machine knows that it is installed already: exactly one of dpkg, rpm, file and registry. Where it is, no \
         command runs but one that removes; where that cannot be known, none does. A run has failed after which it is not \
         as it has to be.",
        &[
            may("dpkg", r#""acme""#, "Its name in the package database of Debian and Ubuntu."),
            may("version", r#""4.0-1""#, "That version or a newer one; without it any."),
            may("rpm", r#""acme""#, "Its name in rpm's database, with version as above."),
            may(
                "file",
                r#""/opt/acme/bin/acme""#,
                "The absolute path of a file on the machine's own disks, at most 256 MB, with version or sha256, or just there. \
                 Its version is that of a program of Windows, else the first word of its first line that begins with a digit.",
            ),
            may(
                "sha256",
                r#""0000000000000000000000000000000000000000000000000000000000000000""#,
                "The file has exactly these bytes.",
            ),
            may("registry", r"'HKLM\SOFTWARE\Acme'", "A key of the registry of Windows."),
            may("value", r#""Version""#, "A value of it, with version or equals, or just there."),
            may("equals", r#""4.0""#, "The value is exactly this text."),
        ],
    ),
    (
        Some(("[[command]]", true)),
        "What can be run: one table for each way to run it.",
        &[
            set("command", r#""Typical""#, "The command's name."),
            set(
                "command_line",
                r#""setup.sh --silent""#,
                "A program of files/, or a bare name that machines may start (dpkg, rpm, apt-get, dnf, msiexec.exe), with its \
                 arguments. No shell reads it; an array of strings needs no quotes.",
            ),
            set("automated", "true", "It needs no input from anybody."),
            set("background", "true", "The service runs it by itself; else an operator has to."),
            may(
                "platforms",
                r#"["linux-x86_64", "linux-aarch64"]"#,
                "Where it can run, also windows-x86 and windows-x86_64; without it anywhere.",
            ),
            may(
                "run_when",
                r#""no-user""#,
                "any (default), no-user: nobody is logged on, user: somebody is.",
            ),
            may("max_run_time", r#""2h""#, "It is ended after this time; at most 24h."),
            may(
                "restarts",
                r#""no""#,
                "no (default), program: it restarts the machine, pcm: pcm does it afterwards.",
            ),
            may("ignore_windows", "false", "It may start outside of maintenance windows."),
            may("disk_space", r#""200 MB""#, "So much has to be free."),
            may(
                "removes",
                "false",
                "It takes away what the package brings: it runs only where installed_if says that it is there. On a hand-made share \
                 no machine in trust mode signed runs it.",
            ),
            may(
                "where",
                r#"'group == "office"'"#,
                "Where it may run at all: what removes or wipes needs such a bound. On a hand-made share no machine judges it, and in \
                 trust mode signed none runs the command.",
            ),
            may(
                "depends_on",
                r#"["BP0000X"]"#,
                "Requests or packages that must have succeeded first, or have nothing to do. On a hand-made share as with where.",
            ),
        ],
    ),
    (
        Some(("[command.exit_codes]", false)),
        "What differs from: 0 success; 3010 and 1641 success, restart pending; 1618 tried again later; the rest failure.",
        &[may(r#""17""#, r#""success""#, "success, restart (success, restart pending), retry, failure.")],
    ),
];

/// The longest line of an explanation.
const WIDTH: usize = 96;

/// The text that a new package begins with.
pub fn starter(id: PackageId, name: &SafeText) -> String {
    let mut out = String::new();
    for (header, words, keys) in TABLES {
        if header.is_some() {
            out.push('\n');
        }
        comment(&mut out, words);
        if let Some((header, set)) = header {
            out.push_str(&format!("{}{header}\n", if *set { "" } else { "#" }));
        }
        for Key { key, example, set, words } in *keys {
            out.push('\n');
            comment(&mut out, words);
            let value = match *key {
                "package_id" => quoted(id.as_str()),
                "name" => quoted(name.as_str()),
                _ => (*example).to_owned(),
            };
            out.push_str(&format!("{}{key} = {value}\n", if *set { "" } else { "#" }));
        }
    }
    out
}

/// Words as comment lines.
fn comment(out: &mut String, words: &str) {
    for line in SafeText::new(words).wrap(WIDTH) {
        out.push_str(&format!("# {}\n", line.as_str().trim_end()));
    }
}
