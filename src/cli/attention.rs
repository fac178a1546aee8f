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

    /// What a machine says, where that counts.
    pub fn heard(&self, machine: MachineId) -> Heard {
        let said = self.look.heard(&self.cache, machine);
        match self.whose.as_ref().filter(|whose| !whose.knows_nobody()) {
            Some(whose) => whose.hear(machine, said),
            None => said,
        }
    }
}

/// By what the machines of a site folder report on its share.
///
/// # Errors
/// Why that is not known.
pub fn seen(app: &App, folder: &Folder, source: &Source) -> Result<Attention, SafeText> {
    let reports = Reports::read(app, folder, source)?;
    let mut attention = Attention::default();
    for machine in source.machines.keys() {
        let said = reports.look.heard(&reports.cache, *machine);
        attention.look(*machine, &said, reports.whose.as_ref());
    }
    Ok(attention)
}
