//! The service: polls the share, runs what is due, reports.
