//! Takes the archive that a machine sends into a new file of a folder: as it comes, for its owner alone, and under its name only once
//! all of it is there. Whatever else comes of it, nothing is left.

use super::save::expand;
use crate::console::app::afar::Keep;
use crate::console::app::evidence::told_beside;
use crate::host::archive::{Frame, MOST};
use crate::host::durable::{self, Growing};
use crate::host::ssh::{self, Meaning, Ready, Why};
use crate::host::terminal::Ended;
use crate::safe;
use crate::site::ids::{MachineId, RequestId};
use crate::text::{SafeText, bytes, duration};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// No archive takes longer to be made and sent.
pub const LIMIT: Duration = Duration::from_mins(5);

/// Where archives about a request are kept.
pub struct Folder {
    path: PathBuf,
    request: RequestId,
}

impl Folder {
    /// The folder that was typed; one that is not there is made, for its owner alone.
    pub fn open(keep: &Keep) -> Result<Folder, SafeText> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let path = std::path::absolute(expand(&keep.folder, home.as_deref()));
        let wrong =
            |e: io::Error| safe!("the folder {}: {e}; no machine was asked", SafeText::new(&keep.folder));
        let path = path.map_err(wrong)?;
        durable::make_private_dir(&path).map_err(wrong)?;
        Ok(Folder { path, request: keep.request })
    }

    /// That of a machine.
    pub fn file(&self, machine: MachineId) -> PathBuf {
        self.path.join(format!("pcm-evidence-{}-{machine}.tar.zst", self.request))
    }
}

/// Why there is no file.
#[derive(Debug)]
pub enum Not {
    /// Of what came nothing is kept; why.
    Kept(SafeText),
    /// There is no pcm that made one; how the call ended.
    Made(Ended),
}

/// Makes the file of what this call prints; what is in it, in words.
///
/// # Errors
/// The call cannot be started.
pub fn fetch(ready: Ready, file: &Path, limit: Duration) -> io::Result<Result<SafeText, Not>> {
    let named = SafeText::new(&file.display().to_string());
    let not = |why: SafeText| Ok(Err(Not::Kept(why)));
    let mut growing = match Growing::new(file) {
        Ok(growing) => growing,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            return not(safe!("there is {named} already; it was not asked"));
        }
        Err(e) => return not(safe!("{e}; it was not asked for {named}")),
    };
    let (mut frame, mut size, mut failed) = (Frame::default(), 0_u64, None);
    let (why, ended) = ready.pour(limit, &mut |piece: &[u8]| {
        size += piece.len() as u64;
        frame.take(piece);
        // What is no archive is not written, and read only for its end, which says why it is none.
        if size <= MOST && !frame.is_broken() {
            failed = growing.write(piece).err();
        }
        size <= MOST && failed.is_none()
    })?;
    if let Some(e) = failed {
        return not(safe!("{e}; nothing is left of {named}"));
    }
    if size > MOST {
        return not(safe!("it sent more than {}; nothing of it is kept", bytes(MOST)));
    }
    match why {
        Why::Ended => {}
        Why::Stopped | Why::TooLate => {
            return not(safe!("not all of it came within {}; nothing of it is kept", duration(limit)));
        }
    }
    if ssh::meaning(&ended) != Meaning::Answered(0) {
        return Ok(Err(Not::Made(ended)));
    }
    if frame.is_broken() {
        return not("what it sent is no archive; nothing of it is kept".into());
    }
    if !frame.is_whole() {
        return not("what it sent is only a part of an archive; nothing of it is kept".into());
    }
    if let Err(e) = growing.keep() {
        return not(match e.kind() {
            ErrorKind::AlreadyExists => safe!("there is {named} by now; it is not replaced"),
            _ => safe!("{e}; nothing is left of {named}"),
        });
    }
    let lacks = told_beside(&ended.said)
        .map_or_else(|| SafeText::from("; whether all is in it, MANIFEST in it says"), |told| told.lacks);
    Ok(Ok(safe!("{} in {named}{lacks}", bytes(size))))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::os::unix::fs::MetadataExt as _;
    use std::process::Command;

    /// What comes of a program that does this beside an archive named `good`, and the names of what is left then.
    fn came(does: &str, limit: Duration) -> (Result<String, String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("good"), compress_to_vec(&b"text"[..], CompressionLevel::Fastest))
            .unwrap();
        let kept = dir.path().join("a/kept");
        let keep = Keep { folder: kept.display().to_string(), request: "BP0000Y".parse().unwrap() };
        let file = Folder::open(&keep).unwrap().file("BP004000".parse().unwrap());
        assert_eq!(std::fs::metadata(&kept).unwrap().mode() & 0o777, 0o700);
        let mut command = Command::new("sh");
        command.args(["-c", does]).current_dir(dir.path());
        let came = match fetch(Ready::of(command), &file, limit).unwrap() {
            Ok(words) => Ok(words.to_string()),
            Err(Not::Kept(why)) => Err(why.to_string()),
            Err(Not::Made(ended)) => Err(format!("{:?}", ended.code)),
        };
        if came.is_ok() {
            assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(dir.path().join("good")).unwrap());
            assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        }
        let names = std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name());
        (came, names.map(|name| name.into_string().unwrap()).collect())
    }

    #[test]
    fn a_whole_archive_becomes_a_file_and_anything_else_leaves_nothing() {
        let long = Duration::from_mins(5);
        let name = "pcm-evidence-BP0000Y-BP004000.tar.zst";
        let doc = r#"{"file":"-","bytes":1,"parts":[{"part":"serials.txt","standing":"missing"}]}"#;
        let (good, names) = came(&format!("cat good; echo '{doc}' >&2"), long);
        assert!(
            good.as_ref().unwrap().ends_with(&format!("/a/kept/{name}; missing in it: serials")),
            "{good:?}"
        );
        assert_eq!(names, [name]);
        for (does, why) in [
            ("", "what it sent is only a part of an archive; nothing of it is kept"),
            ("head -c 9 good", "what it sent is only a part of an archive; nothing of it is kept"),
            ("echo motd; cat good", "what it sent is no archive; nothing of it is kept"),
            ("cat good good", "what it sent is no archive; nothing of it is kept"),
            ("cat good /dev/zero", "it sent more than 64 MB; nothing of it is kept"),
            ("cat good; exit 3", "Some(3)"),
            ("echo no; exit 255", "Some(255)"),
            ("cat good; kill -9 $$", "None"),
        ] {
            assert_eq!(came(does, long), (Err(why.to_owned()), Vec::new()), "{does}");
        }
        let (late, names) = came("cat good; while :; do sleep 1; done", Duration::from_millis(300));
        assert!(late.unwrap_err().starts_with("not all of it came within"), "{names:?}");
        assert!(names.is_empty(), "{names:?}");
    }

    #[test]
    fn what_is_missing_is_said_of_many_parts_and_where_it_is_not_known_that_is_said() {
        let long = Duration::from_mins(5);
        let part = r#"{"part":"transcripts/BP0000Y-1.log","standing":"whole"},"#;
        let missing = r#"{"part":"serials.txt","standing":"missing"}]}"#;
        // The end of it says what is missing.
        let many = format!("for i in $(seq 1400); do printf '%s' '{part}'; done");
        let said =
            format!("(printf '%s' '{{\"file\":\"-\",\"bytes\":1,\"parts\":['; {many}; echo '{missing}') >&2");
        assert!(part.len() * 1400 > 70 << 10);
        let (good, _) = came(&format!("cat good; {said}"), long);
        assert!(good.as_ref().unwrap().ends_with(".tar.zst; missing in it: serials"), "{good:?}");
        let (good, _) = came("cat good; echo motd >&2", long);
        let wanted = ".tar.zst; whether all is in it, MANIFEST in it says";
        assert!(good.as_ref().unwrap().ends_with(wanted), "{good:?}");
    }

    #[test]
    fn what_is_there_is_not_replaced_and_its_machine_is_not_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (file, asked) = (dir.path().join("x"), dir.path().join("asked"));
        std::fs::write(&file, "mine").unwrap();
        let mut command = Command::new("touch");
        command.arg(&asked);
        let not = fetch(Ready::of(command), &file, LIMIT).unwrap().unwrap_err();
        assert!(
            matches!(&not, Not::Kept(why) if why.as_str().ends_with("already; it was not asked")),
            "{not:?}"
        );
        assert!(!asked.exists() && std::fs::read(&file).unwrap() == b"mine");
        // Nor is what somebody puts there meanwhile.
        let other = dir.path().join("y");
        let mut command = Command::new("sh");
        std::fs::write(dir.path().join("good"), compress_to_vec(&b""[..], CompressionLevel::Fastest))
            .unwrap();
        command.args(["-c", "echo mine > y; cat good"]).current_dir(dir.path());
        let not = fetch(Ready::of(command), &other, LIMIT).unwrap().unwrap_err();
        assert!(matches!(&not, Not::Kept(why) if why.as_str().contains("by now")), "{not:?}");
        assert_eq!(std::fs::read(&other).unwrap(), b"mine\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
        // A file in the place of the folder.
        let keep = Keep { folder: file.display().to_string(), request: "BP0000Y".parse().unwrap() };
        assert!(Folder::open(&keep).is_err_and(|why| why.as_str().ends_with("no machine was asked")));
    }
}
