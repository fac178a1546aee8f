//! What the formats say, and what is refused of them. Real files of the distributions' tools: tests/cli/package.rs.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::site::instruction::{Restarts, RunWhen};
use std::io::Write as _;

const NOARCH: &[u8] = include_bytes!("../../../../tests/fuzz/corpus/rpm/noarch");
const SMALL: &[u8] = include_bytes!("../../../../tests/fuzz/corpus/msi/small");
const VERSION_1: &[u8] = include_bytes!("../../../../tests/fuzz/corpus/sms/version-1.pdf");
const VERSION_2: &[u8] = include_bytes!("../../../../tests/fuzz/corpus/sms/version-2.sms");

fn id() -> PackageId {
    "BP00000A".parse().unwrap()
}

fn programs() -> Vec<String> {
    ["dpkg", "rpm", "apt-get", "msiexec.exe"].map(str::to_owned).to_vec()
}

fn wishes() -> Wishes {
    Wishes { programs: programs(), ..Wishes::default() }
}

fn member(name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len());
    let mut all = head.into_bytes();
    all.extend_from_slice(bytes);
    all.resize(all.len() + all.len() % 2, b'\n');
    all
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all = b"!<arch>\n".to_vec();
    members.iter().for_each(|(name, bytes)| all.extend(member(name, bytes)));
    all
}

fn tar_with(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, bytes).unwrap();
    tar.into_inner().unwrap()
}

fn deb_with(control: &str) -> Vec<u8> {
    archive(&[("debian-binary", b"2.0\n"), ("control.tar", &tar_with("./control", control.as_bytes()))])
}

const CONTROL: &str = "Package: acme\nVersion: 4.0-1\nArchitecture: amd64\nDescription: x\n y\n";

#[test]
fn a_debian_package_says_what_it_is_however_it_is_packed() {
    for packed in [
        include_bytes!("../../../../tests/fuzz/corpus/deb/gzip").as_slice(),
        include_bytes!("../../../../tests/fuzz/corpus/deb/xz"),
        include_bytes!("../../../../tests/fuzz/corpus/deb/zstd"),
    ] {
        let said = deb::read(packed, "acme.deb").unwrap();
        assert_eq!((said.name.as_deref(), said.version.as_deref()), (Some("acme-base"), Some("1:4.0~rc1-1")));
        assert_eq!(said.publisher.as_deref(), Some("Acme <packages@acme.example>"));
        assert_eq!(said.comment.as_deref(), Some("The base of Acme"));
        assert_eq!(said.commands[0].how.platforms, [Platform::LinuxX86_64]);
        assert_eq!(
            said.commands[0].command_line,
            listed("dpkg", &["--force-confdef", "--force-confold", "-i", "./acme.deb"])
        );
        assert_eq!(said.commands[1].command_line, listed("dpkg", &["-r", "acme-base"]));
        assert!(said.commands[1].removes && !said.commands[0].removes);
    }
    let depends = deb::read(deb_with(&format!("{CONTROL}Depends: libc6\n")).as_slice(), "acme.deb").unwrap();
    assert_eq!(depends.commands[0].command_line.program, Program::Listed("apt-get".into()));
    for said in [&depends] {
        for command in &said.commands {
            assert_eq!(crate::site::instruction::silent::doubt(&command.command_line), None);
        }
    }
    let all = deb::read(deb_with(&CONTROL.replace("amd64", "all")).as_slice(), "acme.deb").unwrap();
    assert_eq!(all.commands[0].how.platforms, [Platform::LinuxX86_64, Platform::LinuxAarch64]);
}

/// So many fields, each of another name.
fn fields(many: usize) -> String {
    (0..many).map(|n| format!("x{n}:\n")).collect()
}

#[test]
fn a_hostile_debian_package_is_refused_before_it_costs_anything() {
    let refused = |bytes: &[u8]| deb::read(bytes, "acme.deb").unwrap_err();
    // Ten gigabytes of zeros, in ten megabytes.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let bombs = archive(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &bomb)]);
    // Zeros end an archive; zeros in a file do not.
    assert!(refused(&bombs).contains("no control in it") || refused(&bombs).contains("larger than"));
    let mut inside = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_path("./md5sums").unwrap();
    header.set_size(10 << 30);
    header.set_cksum();
    inside.write_all(header.as_bytes()).unwrap();
    for _ in 0..64 {
        inside.write_all(&zeros).unwrap();
    }
    let inside = archive(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &inside.finish().unwrap())]);
    assert!(refused(&inside).contains("larger than 16777216 bytes unpacked"), "{}", refused(&inside));
    let large = tar_with("./control", &vec![b'a'; 300 << 10]);
    let large = archive(&[("debian-binary", b"2.0\n"), ("control.tar", &large)]);
    assert!(refused(&large).contains("control: it is larger than"), "{}", refused(&large));
    for (bytes, why) in [
        (b"!<arch>\n".to_vec(), "cut off"),
        (b"PK\x03\x04".to_vec(), "does not begin with"),
        (archive(&[("data.tar", b"")]), "debian-binary is not first"),
        (archive(&[("debian-binary", b"3.0\n")]), "another format"),
        (archive(&[("debian-binary", b"2.0\n"), ("control.tar.lz4", b"")]), "packed as"),
        (archive(&[("debian-binary", b"2.0\n"), ("control.tar.xz", b"nonsense")]), "cannot be unpacked"),
        (archive(&[("debian-binary", b"2.0\n"), ("control.tar.zst", b"nonsense")]), "cannot be unpacked"),
        (
            archive(&[("debian-binary", b"2.0\n"), ("control.tar", &tar_with("x/control", b"x"))]),
            "no control in it",
        ),
        (deb_with("Package: acme\n"), "has no Version"),
        (deb_with(&CONTROL.replace("Package: acme", "Package: -oX=/bin/sh")), "is no name"),
        (deb_with(&CONTROL.replace("acme", "a\u{1b}[2J")), "is no name"),
        (deb_with(&CONTROL.replace("4.0-1", "$(reboot)")), "is none"),
        (deb_with(&format!("{CONTROL}Package: other\n")), "is there twice"),
        (deb_with("no colon here\n"), "line 1: wanted a key"),
        (deb_with(&format!("{CONTROL}{}", fields(1_000))), "line 1002: it has more than 1000 fields"),
    ] {
        let why_not = refused(&bytes);
        assert!(why_not.contains(why), "{why}: {why_not}");
    }
}

#[test]
fn what_no_platform_of_pcm_is_is_asked_for() {
    let said = || deb::read(deb_with(&CONTROL.replace("amd64", "riscv64")).as_slice(), "acme.deb").unwrap();
    let refused = finish_package("acme.deb", id(), &wishes(), said()).unwrap_err();
    assert!(refused.to_string().contains("\"riscv64\""), "{refused}");
    assert!(refused.to_string().contains("--platform"), "{refused}");
    let named = Wishes { platforms: vec![Platform::LinuxAarch64], ..wishes() };
    let package = finish_package("acme.deb", id(), &named, said()).unwrap();
    assert!(package.commands.iter().all(|c| c.how.platforms == [Platform::LinuxAarch64]));
}

#[test]
fn an_rpm_package_says_what_it_is() {
    let said = rpm::read(NOARCH, "acme.rpm").unwrap();
    assert_eq!((said.name.as_deref(), said.version.as_deref()), (Some("acme-base"), Some("2:4.0-1")));
    assert_eq!(
        (said.publisher.as_deref(), said.comment.as_deref()),
        (Some("Acme"), Some("The base of Acme"))
    );
    assert_eq!(said.commands[0].command_line, listed("rpm", &["-U", "./acme.rpm"]));
    assert_eq!(said.commands[1].command_line, listed("rpm", &["-e", "acme-base"]));
    assert_eq!(said.commands[0].how.platforms, [Platform::LinuxX86_64, Platform::LinuxAarch64]);
    let refused = |bytes: &[u8]| rpm::read(bytes, "acme.rpm").unwrap_err();
    for end in [0, 50, 96, 100, 112, 1000, NOARCH.len() - 1] {
        assert!(refused(&NOARCH[..end]).contains("cut off"), "{end}: {}", refused(&NOARCH[..end]));
    }
    let with = |at: usize, by: &[u8]| {
        let mut bytes = NOARCH.to_vec();
        bytes[at..at + by.len()].copy_from_slice(by);
        bytes
    };
    assert!(refused(&with(7, &[1])).contains("source package"));
    assert!(refused(&with(96, &[0])).contains("does not begin as one"));
    // Four billion entries are announced.
    assert!(refused(&with(104, &[0xff; 4])).contains("more than"));
    assert!(refused(&with(108, &[0xff; 4])).contains("more than"));
}

#[test]
fn a_windows_installer_package_says_what_it_is() {
    let read = |bytes: &[u8]| msi::read(io::Cursor::new(bytes.to_vec()), "acme.msi", id());
    let said = read(SMALL).unwrap();
    assert_eq!((said.name.as_deref(), said.version.as_deref()), (Some("Acme"), Some("4.0")));
    assert_eq!(said.commands[0].how.platforms, [Platform::WindowsX86, Platform::WindowsX86_64]);
    let log = r"C:\Windows\Temp\pcm-BP00000A-install.log";
    let install = ["/i", "acme.msi", "/qn", "/norestart", "/l*v", log];
    assert_eq!(said.commands[0].command_line, listed("msiexec.exe", &install));
    assert!(said.notes.iter().any(|note| note.contains("ALLUSERS")));
    let code = "{12345678-1234-1234-1234-123456789ABC}";
    let key = format!(r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\{code}");
    let is = super::super::Is::AtLeast("4.0".into());
    assert_eq!(
        said.installed_if,
        Some(InstalledIf::Registry { key, value: Some("DisplayVersion".into()), is })
    );
    assert!(read(&SMALL[..SMALL.len() / 2]).is_err());
    // Every sector is said to come after itself, or after any other.
    for fill in [0_u8, 1, 2, 0xfe] {
        for at in (0x4c..0x200).step_by(4).chain((0x200..SMALL.len()).step_by(4)) {
            let mut bytes = SMALL.to_vec();
            bytes[at..(at + 4).min(SMALL.len())].copy_from_slice(&[fill, 0, 0, 0][..4.min(SMALL.len() - at)]);
            let _ = read(&bytes);
        }
    }
}

#[test]
fn of_a_million_properties_those_that_are_used_are_decoded() {
    let (long, keys) = (4_096_u16, ["ALLUSERS", "ProductName", "x"]);
    // References of two bytes, texts of Windows-1252: one long text, then the names.
    let mut pool = vec![0xe4, 4, 0, 0];
    let mut texts = vec![0x80; usize::from(long)];
    pool.extend([long.to_le_bytes(), 1_u16.to_le_bytes()].concat());
    for key in keys {
        pool.extend([u16::try_from(key.len()).unwrap().to_le_bytes(), 1_u16.to_le_bytes()].concat());
        texts.extend(key.as_bytes());
    }
    let rows = 100_000;
    let names: Vec<u8> = (0..rows).flat_map(|n: usize| [2 + (n % 3) as u8, 0]).collect();
    let values: Vec<u8> = (0..rows).flat_map(|_| [1, 0]).collect();
    let used = msi::used(&pool, &texts, &[names, values].concat()).unwrap();
    assert_eq!(used.keys().copied().collect::<Vec<_>>(), ["ALLUSERS", "ProductName"]);
    assert!(used.values().all(|text| *text == Some("\u{20ac}".repeat(usize::from(long)))));
}

#[test]
fn what_may_not_be_read_is_not_called_missing() {
    let refused =
        |kind: std::io::ErrorKind| unread(Path::new("/srv/a.deb"), &std::io::Error::from(kind).into());
    let denied = refused(std::io::ErrorKind::PermissionDenied);
    assert_eq!(
        (denied.code.as_str(), denied.message.as_str()),
        ("unreadable", "/srv/a.deb cannot be read: access is denied")
    );
    for kind in [std::io::ErrorKind::NotFound, std::io::ErrorKind::NotADirectory] {
        assert_eq!(refused(kind).code, "no-such-file");
    }
}

/// Of each command: its name, its command line, and whether it is automated and background.
fn commands(said: &Said) -> Vec<(String, String, bool, bool)> {
    let line = |c: &PackageCommand| crate::site::instruction::render::command_line(&c.command_line);
    said.commands.iter().map(|c| (c.name.to_string(), line(c), c.how.automated, c.how.background)).collect()
}

#[test]
fn a_definition_of_version_1_becomes_commands() {
    let said = sms::read(VERSION_1, &programs()).unwrap();
    assert_eq!((said.name.as_deref(), said.version.as_deref()), (Some("Acme Workstation"), Some("4.0")));
    assert_eq!(
        commands(&said),
        [
            ("Automated typical".into(), "\"setup.exe /q1 /b1\"".into(), true, true),
            ("Complete".into(), "\"setup.exe /q0\"".into(), true, false),
        ]
    );
    assert_eq!(said.commands[0].how.platforms, [Platform::WindowsX86]);
    assert_eq!(said.commands[0].how.restarts, Restarts::Program);
    let notes = said.notes.join("\n");
    for wanted in [
        "[Typical Setup]: not used: Windows NT (Alpha)",
        "[Custom Setup]: this command is left out: \"\\\\\\\\server",
        "[Remove Setup]: this command is left out: there is no such section",
        "[Package Definition]: not used: WorkstationAccess",
        "not used: [Setup Package for Inventory], [File 0]",
    ] {
        assert!(notes.contains(wanted), "{wanted} is not in {notes}");
    }
}

#[test]
fn a_definition_of_version_2_becomes_commands() {
    let said = sms::read(VERSION_2, &programs()).unwrap();
    assert_eq!((said.publisher.as_deref(), said.language.as_deref()), (Some("Acme"), Some("English")));
    let of: Vec<String> = commands(&said).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(of, ["Install", "Remove"]);
    let (install, remove) = (&said.commands[0], &said.commands[1]);
    assert_eq!(install.command_line, listed("msiexec.exe", &["/i", "Acme 4.msi", "/qn"]));
    assert_eq!(install.how.platforms, [Platform::WindowsX86, Platform::WindowsX86_64]);
    assert_eq!((install.how.restarts, install.how.run_when), (Restarts::Pcm, RunWhen::Any));
    assert_eq!(install.how.disk_space, Some(200 << 20));
    assert_eq!(install.how.max_run_time.unwrap().as_secs(), 3 * 3600, "twice the estimate");
    assert!(install.how.automated && install.how.background);
    assert!(!remove.how.automated, "input is required unless it says that it is not");
    assert_eq!(remove.how.run_when, RunWhen::NoUser);
    let notes = said.notes.join("\n");
    for wanted in [
        "[Package Definition]: not used: MIFFileName",
        "[Install]: not used: AdminRightsRequired, Win NT (I386) MinVersion1, Win NT (I386)MaxVersion1",
        "[Old]: this command is left out: Disabled",
        "[Log]: this command is left out: it is for Win 9x",
    ] {
        assert!(notes.contains(wanted), "{wanted} is not in {notes}");
    }
}

#[test]
fn ini_text_is_read_as_windows_reads_it() {
    let of = |bytes: &[u8]| {
        let ini = ini::Ini::parse(bytes).unwrap();
        ini.section("a").and_then(|s| s.get("key").map(str::to_owned))
    };
    assert_eq!(of(b"[A]\r\nKEY = one \r\nkey=two\r\n[a]\nkey=three"), Some("one".into()));
    assert_eq!(of(b"[a]\nkey=\"quoted \"\n"), Some("quoted ".into()));
    assert_eq!(of(b"[a]\nkey=\"a b\" /c \"d\"\n"), Some("\"a b\" /c \"d\"".into()));
    assert_eq!(of(b"[a]\nkey=\n"), None);
    assert_eq!(of(b"[a]\n;key=1\nkey=2 ; no comment\n"), Some("2 ; no comment".into()));
    assert_eq!(of(b"\xef\xbb\xbf[a]\nkey=\xc3\xa4\n"), Some("ä".into()));
    assert_eq!(of(b"[a]\nkey=\x80\xe4\n"), Some("€ä".into()));
    let wide: Vec<u8> = "\u{feff}[a]\r\nkey=ä\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(of(&wide), Some("ä".into()));
    assert!(ini::Ini::parse(&b"a\n".repeat(30_000)).is_err());
}

#[test]
fn what_a_definition_does_not_say_is_asked_for() {
    let definition = |text: &str| sms::read(text.as_bytes(), &programs());
    for (text, why) in [
        ("", "no section [Package Definition]"),
        ("[Package Definition]\nName=x\n", "of which version"),
        ("[PDF]\nVersion=3.0\n[Package Definition]\nName=x\n", "version 3.0"),
    ] {
        assert!(definition(text).unwrap_err().contains(why), "{text}");
    }
    let said = definition("[PDF]\nVersion=2.0\n[Package Definition]\nName=x\nPrograms=a\n").unwrap();
    let refused = finish_package("x.sms", id(), &wishes(), said.clone()).unwrap_err().to_string();
    assert!(refused.contains("no such section") && refused.contains("--command-line"), "{refused}");
    let named = Wishes { command_line: Some("setup.exe /S".into()), ..wishes() };
    assert_eq!(finish_package("x.sms", id(), &named, said).unwrap().commands.len(), 1);
    let nameless = Said { name: Some(" ".into()), ..Said::default() };
    let refused = finish_package("x", id(), &named, nameless).unwrap_err().to_string();
    assert!(refused.contains("--name"), "{refused}");
}
