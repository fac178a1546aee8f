//! The numbers of one job that its machines can be listed of, in the order in which they are shown.

use crate::rollout::count::{Part, SEVERAL};
use crate::rollout::doc::JobDoc;
use crate::rollout::select::Figure;

/// So many parts the sum has; they come first.
pub const PARTS: usize = 7;

/// All of a job. What stood before stays where it was, and what is new comes after it.
pub fn of(job: &JobDoc, before: &[Figure]) -> Vec<Figure> {
    let mut all: Vec<Figure> = job.parts().iter().map(|(part, _)| Figure::Part(*part)).collect();
    let mut held: Vec<Figure> = job.reasons.iter().map(|reason| Figure::Held(reason.reason)).collect();
    // What one thing alone holds up can be helped with that; what holds none alone has no machines to list.
    held.sort_by_key(|figure| (figure.number(job) == 0, *figure == Figure::Held(SEVERAL)));
    let results = job.by_result.iter().map(|of| Figure::Result(of.exit_code, of.result.clone())).collect();
    let silent = job.silent_because.iter().map(|of| Figure::Silent(of.reason.clone())).collect();
    for mut section in [held, results, silent] {
        section.sort_by_key(|figure| before.iter().position(|known| known == figure).unwrap_or(usize::MAX));
        all.extend(section);
    }
    all
}

/// Where a reader begins: at what holds most machines up, else at what failed, else at all that are done.
pub fn first(figures: &[Figure]) -> usize {
    let at = |wanted: fn(&Figure) -> bool| figures.iter().position(wanted);
    at(|figure| matches!(figure, Figure::Held(_)))
        .or_else(|| at(|figure| matches!(figure, Figure::Result(..))))
        .or_else(|| at(|figure| *figure == Figure::Part(Part::Done)))
        .unwrap_or(0)
}
