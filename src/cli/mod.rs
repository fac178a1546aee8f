//! The command line (DESIGN.md 7): one file a command family; every view as text and as JSON.
