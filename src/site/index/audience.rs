//! Whom a job is for, as far as the publisher knows: by the list of machines, which is all that the site folder has of
//! them. Pure.

use super::members::Member;
use super::target::Target;
use crate::site::expression::{Expression, Known, Name, Subject, like};

/// What the publisher knows of a machine: its line in the list.
pub struct Listed<'a>(pub &'a Member);

impl Known for Listed<'_> {
    fn value(&self, subject: &Subject) -> Option<String> {
        match subject {
            Subject::Named(Name::Host) => self.0.host.clone(),
            Subject::Named(Name::Platform | Name::Group | Name::Os | Name::OsVersion | Name::PcmVersion)
            | Subject::Package(_)
            | Subject::Job(_)
            | Subject::Fact(_) => None,
        }
    }

    fn in_group(&self, pattern: &str) -> Option<bool> {
        Some(like("all", pattern) || self.0.groups.iter().any(|group| like(group, pattern)))
    }
}

/// Whether a job is for a machine; None: only the machine itself knows.
pub fn is_for(
    targets: &[Target],
    exclude: &[Target],
    condition: Option<&Expression>,
    member: &Member,
) -> Option<bool> {
    let means = |targets: &[Target]| targets.iter().any(|target| target.means(member));
    if !means(targets) || means(exclude) {
        return Some(false);
    }
    condition.map_or(Some(true), |condition| condition.holds(&Listed(member)))
}
