//! The system's own databases of packages, asked by the programs that keep them: started by absolute path, with little
//! environment, no input, and a deadline. They are asked for names that cannot be options, and for versions that can be
//! nothing else. Called by a helper process, which may hang with them.

use super::{programs, threads};
use std::cmp::Ordering;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// One question may take this long.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const MOST: u64 = 4 << 20;
/// The longest name or version, in characters.
const LONGEST: usize = 200;

/// A package that a database has as installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name there.
    pub name: String,
    /// Its version, as the database writes it.
    pub version: String,
}

/// Whether this can be the name of a package.
pub fn is_name(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
}

/// Whether this can be the version of one.
pub fn is_version(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-~^:".contains(c))
}

/// Which of these packages Debian's database has as installed, in whatever architecture.
///
/// # Errors
/// Why that cannot be known.
pub fn dpkg(names: &[&str]) -> Result<Vec<Entry>, String> {
    const FORMAT: &str = "${Package}\\t${db:Status-Abbrev}\\t${Version}\\n";
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let said = ask("dpkg-query", &[&["-W", "-f", FORMAT, "--"], names].concat())?;
    // It says 1 where it does not know all of them.
    if !matches!(said.code, Some(0 | 1)) {
        return Err(said.failure());
    }
    let entry = |line: &str| {
        let mut fields = line.split('\t');
        let (name, status, version) = (fields.next()?, fields.next()?, fields.next()?);
        // What is wanted, what is there, and whether it is broken (dpkg-query(1)).
        let installed =
            matches!(status.as_bytes(), [_, b'i' | b'W' | b't', b' ', ..] | [_, b'i' | b'W' | b't']);
        installed.then(|| Entry { name: name.to_owned(), version: version.to_owned() })
    };
    Ok(said.out.lines().filter_map(entry).collect())
}

/// How Debian orders a version that is there and one that is wanted.
///
/// # Errors
/// Why that cannot be known.
pub fn dpkg_is_at_least(there: &str, wanted: &str) -> Result<bool, String> {
    versions(there, wanted)?;
    let said = ask("dpkg", &["--compare-versions", there, "ge", wanted])?;
    match said.code {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(said.failure()),
    }
}

/// Which of these packages rpm's database has.
///
/// # Errors
/// Why that cannot be known.
pub fn rpm(names: &[&str]) -> Result<Vec<Entry>, String> {
    const FORMAT: &str = "%{NAME}\\t%{EPOCH}\\t%{VERSION}-%{RELEASE}\\n";
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let said = ask("rpm", &[&["-q", "--qf", FORMAT, "--"], names].concat())?;
    // Of a database that it cannot read it says that, and then that nothing is installed. Its exit code is the number of
    // those that it does not know.
    if said.code.is_none() || said.err.lines().any(|line| line.starts_with("error:")) {
        return Err(said.failure());
    }
    let entry = |line: &str| {
        let mut fields = line.split('\t');
        let (name, epoch, version) = (fields.next()?, fields.next()?, fields.next()?);
        let epoch = if epoch == "(none)" { String::new() } else { format!("{epoch}:") };
        Some(Entry { name: name.to_owned(), version: format!("{epoch}{version}") })
    };
    // A name with a version in it is another package's, too.
    Ok(said.out.lines().filter_map(entry).filter(|entry| names.contains(&entry.name.as_str())).collect())
}

/// How rpm orders a version that is there and one that is wanted. Where that names no release, any will do.
///
/// # Errors
/// Why that cannot be known.
pub fn rpm_is_at_least(there: &str, wanted: &str) -> Result<bool, String> {
    versions(there, wanted)?;
    let (there, wanted) = (Evr::of(there)?, Evr::of(wanted)?);
    let mut order = there.epoch.cmp(&wanted.epoch);
    if order.is_eq() {
        order = rpm_order(there.version, wanted.version)?;
    }
    if let (true, Some(there), Some(wanted)) = (order.is_eq(), there.release, wanted.release) {
        order = rpm_order(there, wanted)?;
    }
    Ok(order.is_ge())
}

/// `epoch:version-release`
struct Evr<'a> {
    epoch: u64,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Evr<'a> {
    fn of(text: &'a str) -> Result<Evr<'a>, String> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => {
                (epoch.parse().map_err(|_| format!("{epoch:?} is no epoch of a version"))?, rest)
            }
            None => (0, text),
        };
        let (version, release) = match rest.split_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        Ok(Evr { epoch, version, release })
    }
}

/// Both are made of letters, digits and a few signs that mean nothing to rpm's macros or to Lua.
fn rpm_order(a: &str, b: &str) -> Result<Ordering, String> {
    if a == b {
        return Ok(Ordering::Equal);
    }
    let script = format!("%{{lua:print(rpm.vercmp(\"{a}\", \"{b}\"))}}");
    let said = ask("rpm", &["--eval", &script])?;
    match said.out.trim() {
        "1" => Ok(Ordering::Greater),
        "0" => Ok(Ordering::Equal),
        "-1" => Ok(Ordering::Less),
        _ => Err(said.failure()),
    }
}

fn versions(there: &str, wanted: &str) -> Result<(), String> {
    match [there, wanted].into_iter().find(|text| !is_version(text)) {
        Some(text) => Err(format!("{text:?} is no version")),
        None => Ok(()),
    }
}

/// What a program said.
struct Said {
    program: String,
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn failure(&self) -> String {
        let first = self.err.lines().find(|line| !line.trim().is_empty());
        let code = self.code.map_or_else(|| "a signal ended it".to_owned(), |code| format!("exit {code}"));
        format!("{} failed, {code}: {}", self.program, first.unwrap_or("it does not say why"))
    }
}

fn ask(name: &str, args: &[&str]) -> Result<Said, String> {
    let Some(program) = programs::find(name) else {
        return Err(format!("there is no {name} on this machine"));
    };
    talk(&program, args).map_err(|e| format!("{}: {e}", program.display()))
}

fn talk(program: &Path, args: &[&str]) -> io::Result<Said> {
    let mut command = Command::new(program);
    command.args(args).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    // No settings of an account, no macros of its own.
    command.env("HOME", "/nonexistent").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let done = listen(&mut child);
    if done.is_err() {
        // Whether it can be ended or hangs: nobody waits for it here.
        let _ = child.kill();
    }
    let (code, out, err) = done?;
    Ok(Said { program: program.display().to_string(), code, out, err })
}

fn listen(child: &mut Child) -> io::Result<(Option<i32>, String, String)> {
    let began = Instant::now();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("it has no pipes"));
    };
    let both = threads::within("package database", DEADLINE, move || {
        let said = threads::start("package database", move || text(stderr))?;
        let out = text(stdout)?;
        let err = said.join().map_err(|_| io::Error::other("its words were not read"))??;
        io::Result::Ok((out, err))
    });
    let (out, err) = both??;
    // It has closed both; it ends now, or something is wrong with it.
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status.code(), out, err));
        }
        if began.elapsed() > DEADLINE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn text(from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it says more than is read"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Whether the program is here; where not, it says so.
    fn there(name: &str) -> bool {
        let found = programs::find(name).is_some();
        if !found {
            println!("SKIPPED: there is no {name} on this machine");
        }
        found
    }

    #[test]
    fn debian_says_what_is_installed_and_orders_versions() {
        if !there("dpkg-query") {
            return;
        }
        let found = dpkg(&["dpkg", "pcm-test-is-not-there"]).unwrap();
        let [entry] = &found[..] else { panic!("{found:?}") };
        assert_eq!(entry.name, "dpkg");
        assert!(dpkg_is_at_least(&entry.version, "1.0").unwrap());
        assert!(!dpkg_is_at_least(&entry.version, "999:1").unwrap());
        for (there, wanted, at_least) in [
            ("1.0", "1.0", true),
            ("1.0~rc1", "1.0", false),
            ("1:0.1", "9.9", true),
            ("1.0-9", "1.0-10", false),
        ] {
            assert_eq!(dpkg_is_at_least(there, wanted), Ok(at_least), "{there} and {wanted}");
        }
        assert!(dpkg_is_at_least("1.0", "-1").unwrap_err().contains("is no version"));
        assert!(dpkg_is_at_least("1.0", "a:1").is_err());
    }

    #[test]
    fn rpm_says_what_is_installed_and_orders_versions() {
        if !there("rpm") {
            return;
        }
        assert_eq!(rpm(&["pcm-test-is-not-there"]), Ok(Vec::new()));
        for (there, wanted, at_least) in [
            ("1.0-1", "1.0", true),
            ("1.0-1", "1.0-2", false),
            ("1.0-10", "1.0-9", true),
            ("1.0~rc1-1", "1.0", false),
            ("1.0^git1-1", "1.0", true),
            ("1:0.1-1", "9.9", true),
            ("9.9-1", "1:0.1", false),
        ] {
            assert_eq!(rpm_is_at_least(there, wanted), Ok(at_least), "{there} and {wanted}");
        }
        assert!(rpm_is_at_least("1.0\"..os.exit(0)..\"", "1").unwrap_err().contains("is no version"));
    }

    #[test]
    fn what_could_be_an_option_is_no_name() {
        for bad in ["", "-x", "--admindir=/tmp", "a b", "a*", "a,b", "ä", "a/b", &"a".repeat(201)] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_name("libstdc++6") && is_name("linux-image-6.1.0-18_amd64") && is_name("7zip"));
    }
}
