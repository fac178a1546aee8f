//! `/proc/self/mountinfo` as values: which file systems are mounted, and which of them are local and writable.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// One line of mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor`
    pub device: String,
    /// Which part of the file system is mounted.
    pub root: PathBuf,
    pub point: PathBuf,
    /// File system type, e.g. `ext4` or `fuse.sshfs`.
    pub kind: String,
    /// Of the file system itself, with commas between them.
    pub options: String,
    pub read_only: bool,
}

impl Mount {
    pub fn is_fuse(&self) -> bool {
        self.kind.starts_with("fuse")
    }
}

/// The table in its own order: later mounts cover earlier ones. Lines that do not fit are passed over.
pub fn parse(table: &str) -> Vec<Mount> {
    table.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(2);
    let device = left.next()?.to_owned();
    let (root, point, options) = (left.next()?, left.next()?, left.next()?);
    let mut right = right.split(' ');
    let kind = right.next()?.to_owned();
    let super_options = right.nth(1).unwrap_or("");
    let read_only = [options, super_options].iter().any(|o| o.split(',').any(|o| o == "ro"));
    Some(Mount {
        device,
        root: unescape(root),
        point: unescape(point),
        kind,
        options: super_options.to_owned(),
        read_only,
    })
}

/// Blanks, tabs, line breaks and backslashes stand as `\ooo`.
fn unescape(text: &str) -> PathBuf {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let octal = bytes.get(i + 1..i + 4).and_then(|d| std::str::from_utf8(d).ok());
        match octal.and_then(|d| u8::from_str_radix(d, 8).ok()) {
            Some(byte) if bytes[i] == b'\\' => {
                out.push(byte);
                i += 4;
            }
            _ => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

/// The mounts whose data lies on this machine's own disks and can be written, in the table's order. `filesystems` is
/// the text of `/proc/filesystems`, where `nodev` marks what needs no block device: pseudo, memory and network ones.
pub fn local_writable(table: &str, filesystems: &str) -> Vec<Mount> {
    // Local although they stand on no single block device.
    const LOCAL: [&str; 7] = ["overlay", "aufs", "zfs", "bcachefs", "ubifs", "jffs2", "nilfs2"];
    let nodev =
        |kind: &str| filesystems.lines().filter_map(|l| l.strip_prefix("nodev")).any(|l| l.trim() == kind);
    parse(table)
        .into_iter()
        .filter(|m| !m.read_only && !m.is_fuse())
        .filter(|m| LOCAL.contains(&m.kind.as_str()) || !nodev(&m.kind))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
23 22 0:5 / /dev rw shared:2 - devtmpfs dev rw
24 22 0:21 / /proc rw - proc proc rw
25 22 254:1 / /srv/two\\040words rw,nosuid shared:3 master:4 - xfs /dev/vdb rw
26 22 254:2 / /cd ro - iso9660 /dev/sr0 ro
27 22 0:40 / /mnt/share rw - nfs4 server:/x rw
28 22 0:41 / /mnt/s rw - fuse.sshfs host: rw
29 22 254:0 /var /bind rw - ext4 /dev/root rw
30 22 0:42 / /merged rw - overlay overlay rw
31 22 254:3 / /frozen rw - ext4 /dev/vdc ro
not a line
";
    const KINDS: &str =
        "nodev\tproc\nnodev\tdevtmpfs\nnodev\tnfs4\nnodev\toverlay\n\text4\n\txfs\n\tiso9660\n\tfuseblk\n";

    #[test]
    fn only_local_writable_file_systems_are_chosen() {
        let points: Vec<PathBuf> = local_writable(TABLE, KINDS).into_iter().map(|m| m.point).collect();
        assert_eq!(points, ["/", "/srv/two words", "/bind", "/merged"].map(PathBuf::from));
    }

    #[test]
    fn octal_escapes_stand_for_bytes_and_a_lone_backslash_for_itself() {
        assert_eq!(unescape("/a\\134b\\011c\\"), PathBuf::from("/a\\b\tc\\"));
    }
}
