//! What is on the instruction share: identifiers, site file, instruction files, packages, results and reports, and the
//! one bounded way to open any of it. Everything here treats what it reads as hostile (FORMATS.md, PROMISES.md 4).
//!
//! In reading order: what an id is (`ids`), how a TOML value gets its line and field (`fields`), what is published
//! (`site_file`, `instruction`, `content`, `package`), whether a package is installed already (`installed`), how a share is read and judged (`share`, `trust`, `signed`), what is never taken again
//! (`publication`), what a machine writes back (`mif`, `report`), whether it wrote that itself
//! (`own_report`), what is there of an earlier life of it (`past`), what a publisher has (`folder`), how that becomes a share (`publisher`) and which pcm takes it (`needs`), how a share is made that is filled by hand (`publish`), and what can be wrong with one (`lint`).

pub mod content;
pub mod expression;
pub mod folder;
pub mod hand_made;
pub mod ids;
pub mod index;
pub mod indexed;
pub(crate) mod installed;
pub mod instruction;
pub(crate) mod lint;
pub(crate) mod mif;
pub(crate) mod needs;
pub mod own_report;
pub(crate) mod package;
pub mod past;
pub(crate) mod publication;
pub(crate) mod publish;
pub mod publisher;
pub(crate) mod report;
pub(crate) mod share;
pub mod signed;
pub mod site_file;
pub mod trust;
