//! Whether a machine whose history is lost may go on from the state that the site names (SITE.md 5). Copies of one machine
//! may all have lost theirs, and then have one state: of them that one goes on whose report stands on the share, as the site
//! has named its state, and none that has read that another one has gone on. Nothing of this is kept: a service that starts
//! anew writes its report first. Pure.

use super::stands::Stands;
use crate::site::own_report::{OwnReport, Stood};
use crate::site::publication::Publication;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What it knows of its reports.
#[derive(Debug, Default)]
pub(super) struct Lone {
    /// How the file stood at each place when it was written or read last.
    stands: BTreeMap<PathBuf, Stood>,
    /// Its own report, as long as nobody else's was seen in its place.
    own: Option<Stands>,
    /// It has written one.
    written: bool,
    /// Another one stands in the place of its own: it writes none over it.
    silent: bool,
    /// The highest number of a report that it has read of.
    highest: u64,
    /// Who has gone on with its id.
    other: Option<SafeText>,
}

/// Whether it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// It is the one that the site has named.
    GoOn,
    /// That is not known yet.
    NotYet,
    /// Another machine has gone on.
    Never,
}

impl Lone {
    /// How the file stood at each place.
    pub fn stands(&self) -> &BTreeMap<PathBuf, Stood> {
        &self.stands
    }

    /// Takes what was found where it stands otherwise than known; `state`: of the history that is lost. Whether its own report
    /// is to be written there.
    pub fn see(&mut self, found: &OwnReport, state: Option<&str>) -> bool {
        // What was written while the look was under way is known better already.
        if self.stands.get(&found.place) != found.known.as_ref() {
            return false;
        }
        match found.stood {
            Some(stood) => self.stands.insert(found.place.clone(), stood),
            None => self.stands.remove(&found.place),
        };
        drop(self.own.take_if(|own| own.is_at(&found.place)));
        let written = found.written.as_ref().filter(|written| written.number > 0);
        let (mut restored, before) = (found.stood.is_none(), self.highest);
        if let Some(written) = written {
            self.highest = self.highest.max(written.number);
            let gone_on = state
                .is_some_and(|state| written.after.as_ref().is_some_and(|after| after.as_str() == state));
            // Whoever counts its reports has a history; one that was there before is of a share that was restored.
            let lives = self.written && found.numbered && written.number > before;
            restored |= found.numbered && !lives;
            if gone_on || lives {
                let who = format!("{} wrote report {} of this machine", written.host, written.number);
                self.other.get_or_insert(SafeText::new(&who));
            }
        }
        // Of two without a history the one that wrote last stands, or none of them would ever do.
        self.silent = self.written && !restored;
        !self.silent
    }

    /// Its report was written there, says that this is in force, and stood like that.
    pub fn wrote(&mut self, place: PathBuf, stood: Option<Stood>, named: (u64, Option<u64>)) {
        (self.written, self.silent) = (true, false);
        self.own = stood.map(|_| Stands::next(self.own.take(), place.clone(), named));
        self.stands.insert(place, stood.unwrap_or(Stood::UNSEEN));
    }

    /// Whether another report stands where its own stood.
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// At these places its report was seen as it was known.
    pub fn stood(&mut self, places: &[PathBuf]) {
        if let Some(own) = &mut self.own {
            own.stood(places);
        }
    }

    /// Whether it goes on, as this publication names its state.
    pub fn may(&self, publication: &Publication) -> May {
        match (&self.other, &self.own) {
            (Some(_), _) => May::Never,
            (None, Some(own)) if own.is_settled(publication) => May::GoOn,
            (None, Some(_) | None) => May::NotYet,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::own_report::look_at;
    use crate::site::report::{self, MachineReport, Written};
    use std::fs;

    const STATE: &str = "0123456789abcdef0123456789abcdef";

    /// A share, and the reports that stand on it one after another.
    struct Share(tempfile::TempDir, std::cell::Cell<u64>);

    impl Share {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join(report::FOLDER)).unwrap();
            Self(dir, std::cell::Cell::new(0))
        }

        fn place(&self) -> PathBuf {
            self.0.path().to_owned()
        }

        /// Someone writes a report there; how it stands.
        fn write(&self, change: impl FnOnce(&mut MachineReport)) -> Stood {
            let mut report = report::tests::report(0);
            // No two of them stand alike.
            self.1.set(self.1.get() + 1);
            report.summary.host = "h".repeat(usize::try_from(self.1.get()).unwrap()).as_str().into();
            change(&mut report);
            let folder =
                crate::host::open::Folder::open(self.0.path()).unwrap().folder(report::FOLDER).unwrap();
            let (name, bytes) = (report::report_name(report.summary.machine), report.to_bytes().unwrap());
            report::write_replacing(&folder, &name, &bytes).unwrap();
            crate::site::own_report::stands(&folder, &name, &bytes).unwrap()
        }

        /// What one that knows this finds.
        fn found(&self, lone: &Lone) -> Option<OwnReport> {
            let root = crate::host::open::Folder::open(self.0.path()).unwrap();
            let known = lone.stands().get(self.0.path()).copied();
            look_at(&root, self.0.path(), known, report::tests::report(0).summary.machine)
        }

        /// One look of it, with what it finds.
        fn look(&self, lone: &mut Lone) -> Option<bool> {
            let again = self.found(lone).map(|found| lone.see(&found, Some(STATE)));
            if again.is_none() {
                lone.stood(&[self.place()]);
            }
            again
        }

        /// It hears of what stands there, and writes its own.
        fn reports(&self, lone: &mut Lone, serial: u64) {
            while self.look(lone).is_some() {}
            let stood = self.write(|_| {});
            lone.wrote(self.place(), Some(stood), (0, Some(serial)));
        }
    }

    fn publication(serial: u64) -> Publication {
        Publication::of_index(0, serial, b"")
    }

    #[test]
    fn of_two_copies_that_have_lost_their_history_the_one_goes_on_whose_report_stands() {
        let (share, mut first, mut second) = (Share::new(), Lone::default(), Lone::default());
        share.reports(&mut first, 6);
        assert_eq!(first.may(&publication(6)), May::NotYet, "a look may have been under way");
        share.reports(&mut second, 6);
        // It does not write over the other one at once, or none of them would ever stand.
        assert_eq!(share.look(&mut first), Some(false));
        for _ in 0..3 {
            assert_eq!((share.look(&mut first), share.look(&mut second)), (None, None));
        }
        assert_eq!([first.may(&publication(6)), second.may(&publication(6))], [May::NotYet, May::GoOn]);
        assert_eq!(second.may(&publication(7)), May::NotYet, "it has to say that it has heard of that");
        // It has gone on, and the other one hears of it whenever it looks: before its own report is written.
        share.write(|report| {
            (report.summary.report, report.summary.after) = (Some(9), Some(STATE.into()));
        });
        assert!(share.look(&mut first).is_some());
        assert_eq!(first.may(&publication(6)), May::Never);
        let mut late = Lone::default();
        share.reports(&mut late, 6);
        assert_eq!(late.may(&publication(6)), May::Never, "it was switched on later");
    }

    /// A report of a machine with another history.
    fn numbered(number: u64, after: Option<&'static str>) -> impl Fn(&mut MachineReport) {
        move |report| {
            (report.summary.report, report.summary.after) = (Some(number), after.map(SafeText::from));
            report.summary.state_id = Some("another".into());
        }
    }

    /// One without a number that took the place of such a one.
    fn before(number: u64, after: Option<&'static str>) -> impl Fn(&mut MachineReport) {
        move |report| {
            let mut own = report.clone();
            numbered(number, after)(&mut own);
            report.rest.before = Some(Box::new(Written::from(own.summary)));
        }
    }

    #[test]
    fn what_stands_there_decides_who_goes_on() {
        // What somebody writes over its report; whether it is to be written again, and what comes of it.
        type Change = Box<dyn Fn(&mut MachineReport)>;
        let table: [(&str, Change, bool, May); 8] = [
            ("a copy without a history", Box::new(|_: &mut MachineReport| {}), false, May::NotYet),
            (
                "one with another state",
                Box::new(|r: &mut MachineReport| r.summary.state_id = Some("another".into())),
                false,
                May::NotYet,
            ),
            ("a restored share", Box::new(numbered(3, None)), true, May::NotYet),
            ("a machine with a history", Box::new(numbered(8, None)), false, May::Never),
            ("one that went on from this state", Box::new(numbered(8, Some(STATE))), false, May::Never),
            ("the same, restored", Box::new(numbered(3, Some(STATE))), true, May::Never),
            ("one that went on from another state", Box::new(before(3, Some("another"))), false, May::NotYet),
            ("one that knows of one that went on", Box::new(before(8, Some(STATE))), false, May::Never),
        ];
        for (what, change, again, may) in table {
            let (share, mut lone) = (Share::new(), Lone::default());
            // Its own of before the loss.
            share.write(numbered(5, None));
            share.reports(&mut lone, 6);
            share.look(&mut lone);
            share.write(|report| change(report));
            assert_eq!(share.look(&mut lone), Some(again), "{what}");
            for _ in 0..3 {
                assert_eq!(share.look(&mut lone), None);
            }
            assert_eq!(lone.may(&publication(6)), may, "{what}");
            assert_eq!(lone.is_silent(), !again, "{what}");
            // Somebody removes the report. Where nobody has gone on, it is the one as soon as its own stands.
            fs::remove_file(share.place().join(report::FOLDER).join("BP004000.json")).unwrap();
            assert_eq!(share.look(&mut lone), Some(true), "{what}");
            share.reports(&mut lone, 6);
            share.look(&mut lone);
            share.look(&mut lone);
            let alone = if may == May::Never { May::Never } else { May::GoOn };
            assert_eq!(lone.may(&publication(6)), alone, "{what}");
        }
        // The report is gone: the share was emptied, or an operator has removed it.
        let (share, mut lone) = (Share::new(), Lone::default());
        share.reports(&mut lone, 6);
        fs::remove_dir_all(share.place().join(report::FOLDER)).unwrap();
        fs::create_dir(share.place().join(report::FOLDER)).unwrap();
        assert_eq!((share.look(&mut lone), lone.may(&publication(6))), (Some(true), May::NotYet));
    }
}
