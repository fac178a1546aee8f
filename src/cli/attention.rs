//! The machines at which somebody has to look, for the verbs that ask of a site as a whole: by the same reports, and the same
//! cache of them, as `pcm rollout`.

use super::{App, progress};
use crate::rollout::attention::Attention;
use crate::rollout::cache::Cache;
use crate::rollout::refresh::refresh;
use crate::rollout::whose::Whose;
use crate::site::folder::{Folder, Source};
use crate::site::ids::MachineId;
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::time::Duration;

/// A share that gives no report for so long gives none.
const PATIENCE: Duration = Duration::from_secs(20);

/// By what the machines of a site folder report on its share.
///
/// # Errors
/// Why that is not known.
pub fn seen(app: &App, folder: &Folder, source: &Source) -> Result<Attention, SafeText> {
    let share = folder.share();
    app.reaches(&share)?;
    let whose = Whose::of(folder, &source.machines).map_err(|failure| failure.message)?;
    let machines: BTreeSet<MachineId> = source.machines.keys().copied().collect();
    let mut cache = Cache::of(&share);
    let tell = progress::counting(&app.out, |done, of| format!("{done} of {of} reports"));
    let look = refresh(&share, &machines, &mut cache, PATIENCE, app.now, tell)?;
    cache.save();
    let mut attention = Attention::default();
    for machine in machines {
        attention.look(machine, &look.heard(&cache, machine), whose.as_ref());
    }
    Ok(attention)
}
