//! Writes the demo's share: what a publisher would have written, with the modes that trust mode `permissions` asks for.
