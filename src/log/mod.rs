//! Logs: the formats that are read and written (FORMATS.md 8), following files over rotation, merging several by time,
//! search and counts.
