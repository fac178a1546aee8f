//! The machines at which somebody has to look, for the verbs that ask of a site as a whole: by the same reports, and the same
//! cache of them, as `pcm rollout`.

use super::{App, progress};
use crate::rollout::attention::Attention;
use crate::rollout::cache::{Cache, Heard};
use crate::rollout::refresh::{Look, refresh};
use crate::rollout::whose::Whose;
use crate::site::folder::{Folder, Source};
use crate::site::ids::MachineId;
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::time::Duration;

/// A share that gives no report for so long gives none.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the machines of a site folder report on its share.
pub struct Reports {
    look: Look,
    cache: Cache,
    whose: Option<Whose>,
}

impl Reports {
    /// Reads them, as far as they changed.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn read(app: &App, folder: &Folder, source: &Source) -> Result<Self, SafeText> {
        let share = folder.share();
        app.reaches(&share)?;
        let whose = Whose::of(folder, &source.machines).map_err(|failure| failure.message)?;
        let machines: BTreeSet<MachineId> = source.machines.keys().copied().collect();
        let mut cache = Cache::of(&share);
        let mut tell = progress::counting(&app.out, |done, of| format!("{done} of {of} reports"));
        let look =
            refresh(&share, &machines, &mut cache, PATIENCE, app.now, |_, _, done, of| tell(done, of))?;
        cache.save();
        Ok(Self { look, cache, whose })
    }

    /// Why some reports were not read: the share stopped answering; None: all that are there were.
    fn late(&self) -> Option<SafeText> {
        let (late, all) = (self.look.faults.len() as u64, self.look.read + self.look.unread);
        let words = format!("{late} of {all} reports did not come within {} s", PATIENCE.as_secs());
        (!self.look.whole).then(|| SafeText::new(&words))
    }

    /// What a machine says, where that counts.
    pub fn heard(&self, machine: MachineId) -> Heard {
        let said = self.look.heard(&self.cache, machine);
        match self.whose.as_ref().filter(|whose| !whose.knows_nobody()) {
            Some(whose) => whose.hear(machine, said),
            None => said,
        }
    }
}

/// By what the machines of a site folder report on its share, and why that is not all of them; None: it is.
///
/// # Errors
/// Why that is not known.
pub fn seen(app: &App, folder: &Folder, source: &Source) -> Result<(Attention, Option<SafeText>), SafeText> {
    let reports = Reports::read(app, folder, source)?;
    let mut attention = Attention::default();
    for machine in source.machines.keys() {
        let said = reports.look.heard(&reports.cache, *machine);
        attention.look(*machine, &said, reports.whose.as_ref());
    }
    Ok((attention, reports.late()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_is_not_whole_says_how_many_reports_are_missing() {
        let reports = |whole: bool, late: usize| {
            let faults = (0..late).filter_map(|n| Some((format!("BP05{n:04}").parse().ok()?, "late".into())));
            let look =
                Look { read: 7, unread: late as u64, whole, faults: faults.collect(), ..Look::default() };
            Reports { look, cache: Cache::nowhere(), whose: None }
        };
        assert_eq!(reports(true, 2).late(), None, "what cannot be used is told elsewhere");
        let late = reports(false, 3).late().unwrap_or_default();
        assert!(late.as_str().starts_with("3 of 10 reports did not come within"), "{late}");
    }
}
