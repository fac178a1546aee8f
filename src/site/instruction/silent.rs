//! Command lines that would ask somebody, although they are published as automated: what is known of the programs that
//! every system has. Of a package's own program only its publisher knows. Used by `pcm check` and `pcm site lint`.

use super::{CommandLine, Program};

/// Why a command line would not be silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// As a sentence without its full stop.
    pub why: String,
    /// What the command line should have.
    pub remedy: &'static str,
}

/// What dpkg asks.
const CONF: &str =
    "what becomes of a configuration file that somebody changed, and stops when nobody answers";

/// Whether an argument of dpkg, or one of apt-get for dpkg, says what becomes of a configuration file that both sides
/// changed. `confdef` and `confmiss` leave that open, and `confask` asks more.
fn decided(arg: &str) -> bool {
    let arg = arg.rsplit_once("::=").map_or(arg, |(_, value)| value);
    let forced = arg.trim_matches(['"', '\'']).strip_prefix("--force-");
    forced.is_some_and(|f| f.split(',').any(|f| matches!(f, "confold" | "confnew" | "all")))
}

/// What speaks against a command line; None where nothing is known.
pub fn doubt(line: &CommandLine) -> Option<Doubt> {
    let name = match &line.program {
        Program::Listed(name) => name.as_str(),
        Program::InPackage(path) => path.rsplit('/').next().unwrap_or(path),
    };
    let name = name.to_ascii_lowercase();
    let has =
        |wanted: &[&str]| line.args.iter().any(|arg| wanted.contains(&arg.to_ascii_lowercase().as_str()));
    let changes = |verbs: &[&str]| line.args.iter().any(|arg| verbs.contains(&arg.as_str()));
    let short = |letter: char| {
        line.args.iter().any(|a| a.starts_with('-') && !a.starts_with("--") && a.contains(letter))
    };
    match name.as_str() {
        "msiexec" | "msiexec.exe" => {
            let quiet = line.args.iter().any(|arg| {
                let arg = arg.to_ascii_lowercase();
                let switch = arg.strip_prefix(['/', '-']);
                switch.is_some_and(|s| matches!(s, "q" | "qn" | "qn+" | "qb!" | "qb-!" | "quiet" | "passive"))
            });
            (!quiet).then(|| Doubt {
                why: "msiexec without /qn or /quiet shows windows and waits for a user".into(),
                remedy: "/qn among its arguments",
            })
        }
        "apt-get" | "apt" => {
            let asks = changes(&["install", "remove", "purge", "upgrade", "dist-upgrade", "autoremove"]);
            let yes = has(&["--yes", "--assume-yes", "--force-yes"]) || short('y');
            let installs = changes(&["install", "upgrade", "dist-upgrade"]);
            if asks && !yes {
                return Some(Doubt {
                    why: format!("{name} without -y asks before it goes on, and stops when nobody answers"),
                    remedy: "-y among its arguments",
                });
            }
            (installs && !line.args.iter().any(|arg| decided(arg))).then(|| Doubt {
                why: format!("{name} without Dpkg::Options::=--force-confold lets dpkg ask {CONF}"),
                remedy: "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold among its arguments",
            })
        }
        "dpkg" => {
            let installs = changes(&["-i", "--install", "--unpack", "--configure"]);
            (installs && !line.args.iter().any(|arg| decided(arg))).then(|| Doubt {
                why: format!("dpkg without --force-confold asks {CONF}"),
                remedy: "--force-confdef --force-confold among its arguments",
            })
        }
        "rpm" => changes(&["--addsign", "--resign"]).then(|| Doubt {
            why: "rpm asks for the passphrase of the key that signs".into(),
            remedy: "packages that are signed already",
        }),
        "dnf" | "yum" | "zypper" => {
            let asks =
                changes(&["install", "remove", "erase", "update", "upgrade", "autoremove", "in", "rm"]);
            let yes = has(&["--assumeyes", "--non-interactive"]) || short('y') || short('n');
            (asks && !yes).then(|| Doubt {
                why: format!("{name} without -y asks before it goes on, and stops when nobody answers"),
                remedy: "-y among its arguments",
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::instruction::command;

    fn of(line: &str) -> Option<Doubt> {
        let programs = ["msiexec.exe", "apt-get", "dnf", "dpkg", "rpm"].map(str::to_owned);
        doubt(&command::command_line(crate::text::split(line).unwrap(), &programs).unwrap())
    }

    #[test]
    fn programs_that_ask_are_known_by_what_their_command_line_lacks() {
        for line in [
            "msiexec.exe /i a.msi",
            "msiexec.exe /i a.msi /qf",
            "apt-get install acme",
            "dnf install acme",
            "dpkg -i acme.deb",
            "dpkg --force-depends --install acme.deb",
            "dpkg --force-confdef -i acme.deb",
            "dpkg --force-confmiss,confask -i acme.deb",
            "apt-get -y install acme",
            "apt-get -y -o Dpkg::Options::=--force-confdef install acme",
            "rpm --resign acme.rpm",
        ] {
            assert!(of(line).is_some(), "{line}");
        }
    }

    #[test]
    fn the_same_programs_told_to_be_silent_are_not_doubted() {
        for line in [
            "msiexec.exe /i a.msi /QN",
            "msiexec.exe /x {1} /quiet",
            "apt-get -y -o Dpkg::Options::=--force-confold install acme",
            "apt-get install -qqy -oDpkg::Options::=--force-confdef,confnew acme",
            "apt-get -y remove acme",
            "apt-get update",
            "dnf install --assumeyes acme",
            "dpkg --force-confdef --force-confold -i acme.deb",
            "dpkg --force-confdef,confnew --install acme.deb",
            "dpkg -r acme",
            "rpm -U acme.rpm",
            "setup.sh",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
