//! Signing by `ssh-keygen -Y sign`. Private keys never come into this process: the same call signs with a file, with one
//! that is behind a passphrase, with an agent and with a token, and it is the program that administrators guard their keys
//! for. It is started by its absolute path, with the bytes on standard input and little environment. What it gives back is
//! text from outside: the caller verifies it before it is placed anywhere.

use super::{programs, threads};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What it needs to find an agent, a token, and whoever knows a passphrase.
const ENVIRONMENT: &[&str] = &[
    "HOME",
    "USERPROFILE",
    "SystemRoot",
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "SSH_SK_PROVIDER",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
];
/// The longest answer that is read.
const MOST: u64 = 64 << 10;

/// Where the system keeps it.
pub fn program() -> Option<PathBuf> {
    programs::find("ssh-keygen").or_else(|| {
        let windows = programs::folders().into_iter().map(|f| f.join("OpenSSH").join("ssh-keygen.exe"));
        windows.into_iter().find(|path| path.is_file())
    })
}

/// The signature of these bytes, with a private key, or with the public half of one that an agent or a token holds.
///
/// # Errors
/// Why there is none, as a clause.
pub fn sign(key: &Path, namespace: &str, bytes: &[u8]) -> Result<String, String> {
    let program = program().ok_or(
        "there is no ssh-keygen in the system's program folders: install the OpenSSH client, version 8.2 or newer",
    )?;
    let failed = |e: io::Error| format!("{} failed: {e}", program.display());
    let key = std::path::absolute(key).map_err(failed)?;
    let mut command = Command::new(&program);
    command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(&key);
    command.env_clear().envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(format!("{} has no pipes", program.display()));
    };
    let listening = threads::start("ssh-keygen", move || {
        let mut said = String::new();
        let _ = io::BufReader::new(stderr).take(MOST).read_to_string(&mut said);
        said
    });
    // It may end without having read all: then its words say why.
    let _ = stdin.write_all(bytes);
    drop(stdin);
    let mut signature = String::new();
    let read = stdout.take(MOST).read_to_string(&mut signature);
    let status = child.wait().map_err(failed)?;
    let said = listening.ok().and_then(|thread| thread.join().ok()).unwrap_or_default();
    match (status.success(), read) {
        (true, Ok(_)) if !signature.is_empty() => Ok(signature),
        _ => {
            let said = said.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("; ");
            let said = if said.is_empty() { "it does not say why".to_owned() } else { said };
            Err(format!("{} did not sign with {}: {said}", program.display(), key.display()))
        }
    }
}
