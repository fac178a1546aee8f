//! What is on the instruction share: identifiers, site file, instruction files, packages, results and reports, and the
//! one bounded way to open any of it. Everything here treats what it reads as hostile (FORMATS.md, PROMISES.md 4).

pub mod content;
pub mod fields;
pub mod ids;
pub mod instruction;
pub mod mif;
pub mod publish;
pub mod report;
pub mod share;
pub mod site_file;
pub mod trust;
