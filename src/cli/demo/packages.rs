//! What the demo's site publishes: a dozen packages as a real site has them, with times counted from the start of the
//! demo. Pure: the start is an argument.

use crate::clock::Wall;
use chrono::{Duration, SecondsFormat};

/// The demo's only machine.
pub const MACHINE: &str = "DEM00001";
/// Its site.
pub const SITE: &str = "DEM";
/// The request that the demo defers by an operator's call.
pub const DEFERRED: &str = "DEM0007";

/// The item with which something is wrong on the share.
pub const BROKEN: &str = "0E";

/// One package, with the one job and request that deliver it.
pub struct Item {
    /// Two characters that end all its ids.
    key: &'static str,
    package: &'static str,
    command: &'static str,
    /// The package's only file, run as it is.
    script: &'static str,
    /// Seconds after the start; in the past where negative.
    offer: i64,
    mandatory: Option<i64>,
    expire: Option<i64>,
    /// Further lines of the request.
    more: &'static str,
}

const DAY: i64 = 86_400;
const SILENT: &str = "automated = true\nbackground = true\n";

/// In the order in which they become due.
pub const ITEMS: &[Item] = &[
    Item {
        key: "01",
        package: "Printer driver 5.2",
        command: "Silent",
        script: "echo 'Looking for the spooler'\nsleep 2\necho 'error: the spooler does not answer' >&2\nexit 17\n",
        offer: -2 * DAY,
        mandatory: Some(1),
        expire: None,
        more: SILENT,
    },
    Item {
        key: "02",
        package: "Inventory agent 7",
        command: "Typical",
        script: MIF,
        offer: -DAY,
        mandatory: Some(4),
        expire: None,
        more: SILENT,
    },
    Item {
        key: "03",
        package: "OpenSSL security fix",
        command: "Unattended",
        script: "for i in 1 2 3 4 5; do echo \"Replacing library $i of 5\"; sleep 1; done\necho 'Done'\n",
        offer: -DAY,
        mandatory: Some(8),
        expire: Some(14 * DAY),
        more: SILENT,
    },
    Item {
        key: "04",
        package: "Office suite 12",
        command: "Complete",
        script: "i=0\nwhile [ $i -lt 30 ]; do\n  i=$((i+1))\n  echo \"[$i/30] component $i installed\"\n  sleep 2\n\
                 done\necho 'All components are installed'\n",
        offer: -DAY,
        mandatory: Some(26),
        expire: Some(30 * DAY),
        more: "automated = true\nbackground = true\nmax_run_time = \"10m\"\n",
    },
    Item {
        key: "05",
        // Not by itself: once a restart is pending, nothing else starts, and the demo would be over.
        package: "Kernel 6.18 (restarts)",
        command: "Unattended",
        script: "echo 'Unpacking'\nsleep 3\necho 'Boot entry written; a restart is needed'\nexit 100\n",
        offer: -DAY,
        mandatory: None,
        expire: None,
        // No program on Linux can end with 3010.
        more: "automated = true\nbackground = true\nrestarts = \"program\"\nexit_codes = { \"100\" = \"restart\" }\n",
    },
    Item {
        key: "06",
        package: "Display driver 21",
        command: "Silent",
        script: "echo 'Nobody is looking: switching the driver'\nsleep 3\n",
        offer: -DAY,
        mandatory: Some(-600),
        expire: None,
        more: "automated = true\nbackground = true\nrun_when = \"no-user\"\n",
    },
    Item {
        key: "07",
        package: "Database client 9",
        command: "Typical",
        script: "echo 'Installing'\nsleep 4\n",
        offer: -DAY,
        mandatory: Some(32),
        expire: Some(30 * DAY),
        more: SILENT,
    },
    Item {
        key: "08",
        package: "Root certificates 2026",
        command: "Silent",
        script: "echo '142 certificates'\nsleep 1\n",
        offer: -DAY,
        mandatory: Some(150),
        expire: None,
        more: SILENT,
    },
    Item {
        key: "09",
        package: "Old agent",
        command: "Silent",
        script: "exit 0\n",
        offer: -9 * DAY,
        mandatory: Some(-8 * DAY),
        expire: Some(-3600),
        more: SILENT,
    },
    Item {
        key: "0A",
        package: "Hotfix for Windows",
        command: "Silent",
        script: "exit 0\n",
        offer: -DAY,
        mandatory: Some(-3600),
        expire: None,
        more: "automated = true\nbackground = true\nplatforms = [\"windows-x86\", \"windows-x86_64\"]\n",
    },
    Item {
        key: "0B",
        package: "Desktop tools",
        command: "Typical",
        script: "echo 'Installing the tools'\nsleep 5\n",
        offer: -DAY,
        mandatory: Some(-3600),
        expire: None,
        more: "automated = true\n",
    },
    Item {
        key: "0C",
        package: "Font collection",
        command: "Typical",
        script: "for i in 1 2 3 4 5 6; do echo \"Font $i of 6\"; sleep 1; done\n",
        offer: -DAY,
        mandatory: None,
        expire: None,
        more: SILENT,
    },
    Item {
        key: "0D",
        package: "Backup agent 3",
        command: "Silent",
        script: "echo 'Installing'\nsleep 2\n",
        offer: 8 * 3600,
        mandatory: Some(DAY),
        expire: Some(30 * DAY),
        more: SILENT,
    },
    Item {
        key: BROKEN,
        package: "Codec pack 3",
        command: "Silent",
        script: "exit 0\n",
        offer: -DAY,
        mandatory: Some(-60),
        expire: None,
        more: SILENT,
    },
];

/// Writes its own result, as packages with an installer of their own do; the exit code then does not matter.
const MIF: &str = r#"echo 'Counting the hardware'
sleep 2
cat > "$PCM_STATUS_MIF" <<'END'
START COMPONENT
  NAME = "Workstation"
  START GROUP
    NAME = "ComponentID"
    ID = 1
    CLASS = "DMTF|ComponentID|1.0"
    START ATTRIBUTE
      NAME = "Manufacturer"
      ID = 1
      ACCESS = READ-ONLY
      STORAGE = COMMON
      TYPE = STRING(64)
      VALUE = "Example"
    END ATTRIBUTE
    START ATTRIBUTE
      NAME = "Product"
      ID = 2
      ACCESS = READ-ONLY
      STORAGE = COMMON
      TYPE = STRING(64)
      VALUE = "Inventory agent"
    END ATTRIBUTE
    START ATTRIBUTE
      NAME = "Version"
      ID = 3
      ACCESS = READ-ONLY
      STORAGE = COMMON
      TYPE = STRING(64)
      VALUE = "7"
    END ATTRIBUTE
  END GROUP
  START GROUP
    NAME = "InstallStatus"
    ID = 2
    CLASS = "MICROSOFT|JOBSTATUS|1.0"
    START ATTRIBUTE
      NAME = "Status"
      ID = 1
      ACCESS = READ-ONLY
      STORAGE = COMMON
      TYPE = STRING(32)
      VALUE = "Success"
    END ATTRIBUTE
    START ATTRIBUTE
      NAME = "Description"
      ID = 2
      ACCESS = READ-ONLY
      STORAGE = COMMON
      TYPE = STRING(128)
      VALUE = "214 devices counted"
    END ATTRIBUTE
  END GROUP
END COMPONENT
END
"#;

impl Item {
    /// Its package.
    pub fn package_id(&self) -> String {
        format!("{SITE}00P{}", self.key)
    }

    /// Its job.
    pub fn job_id(&self) -> String {
        format!("{SITE}00J{}", self.key)
    }

    /// Its request.
    pub fn request_id(&self) -> String {
        format!("{SITE}00{}", self.key)
    }

    /// When it is offered, mandatory, and when it expires.
    pub fn times(&self, start: Wall) -> (Wall, Option<Wall>, Option<Wall>) {
        let at = |seconds: i64| start + Duration::seconds(seconds);
        (at(self.offer), self.mandatory.map(at), self.expire.map(at))
    }

    /// It has expired when the demo begins.
    pub fn is_over(&self) -> bool {
        self.expire.is_some_and(|at| at < 0)
    }

    /// The package's only file.
    pub fn script(&self) -> String {
        format!("#!/bin/sh\n{}", self.script)
    }

    /// `package.toml`
    pub fn definition(&self) -> String {
        format!(
            "package_id = \"{}\"\nname = \"{}\"\ncomment = \"A package of the demo\"\n\n[[command]]\n\
             command = \"{}\"\ncommand_line = \"setup.sh\"\n{}",
            self.package_id(),
            self.package,
            self.command,
            self.more
        )
    }

    /// Its `[[request]]`; `content` is the hash of the package's CONTENT.
    pub fn request(&self, start: Wall, content: &str) -> String {
        let text_of = |at: Wall| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (offer, mandatory, expire) = self.times(start);
        let mut text = format!(
            "[[request]]\nrequest_id = \"{}\"\njob_id = \"{}\"\npackage_id = \"{}\"\n\
             package = \"{}\"\ncommand = \"{}\"\ncommand_line = \"setup.sh\"\noffer_after = {}\n",
            self.request_id(),
            self.job_id(),
            self.package_id(),
            self.package,
            self.command,
            text_of(offer),
        );
        for (name, at) in [("mandatory_after", mandatory), ("expire_after", expire)] {
            if let Some(at) = at {
                text.push_str(&format!("{name} = {}\n", text_of(at)));
            }
        }
        text.push_str(self.more);
        if self.key == BROKEN {
            text.push_str("max_run_time = \"two hours\"\n");
        }
        text.push_str(&format!("content_sha256 = \"{content}\"\n\n"));
        text
    }
}

/// The whole instruction file; `content` gives the hash of a package's CONTENT.
pub fn instructions(start: Wall, content: impl Fn(&Item) -> String) -> String {
    let mut text = format!(
        "format = 1\nsite = \"{SITE}\"\nmachine = \"{MACHINE}\"\nserial = 1\nissued = {}\n\n",
        start.to_rfc3339_opts(SecondsFormat::Secs, true)
    );
    for item in ITEMS {
        text.push_str(&item.request(start, &content(item)));
    }
    text.push_str("[end]\nserial = 1\n");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::instruction::parse::parse;
    use crate::site::instruction::{Entry, InstructionFile};

    fn parsed() -> InstructionFile {
        let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let text = instructions(start, |_| "0".repeat(64));
        let defaults = crate::config::Config::default().request_defaults();
        parse(text.as_bytes(), MACHINE.parse().unwrap(), "DEM00001.INS", &defaults).unwrap()
    }

    #[test]
    fn the_demo_publishes_a_dozen_good_requests_and_a_malformed_one() {
        let file = parsed();
        let good = file.requests.iter().filter(|e| matches!(e, Entry::Good(_))).count();
        assert_eq!((good, file.requests.len()), (ITEMS.len() - 1, ITEMS.len()));
        assert!(file.warnings.is_empty(), "{:?}", file.warnings);
    }

    #[test]
    fn every_id_of_the_demo_is_one_of_its_site_and_used_once() {
        let file = parsed();
        let mut ids: Vec<_> = file
            .requests
            .iter()
            .map(|e| match e {
                Entry::Good(r) => r.request_id.to_string(),
                Entry::Rejected(r) => r.request_id.unwrap().to_string(),
            })
            .collect();
        assert!(ids.contains(&DEFERRED.to_owned()) && ids.iter().all(|id| id.starts_with(SITE)));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), ITEMS.len());
    }
}
