//! Windows behind the functions of `host`. Nothing outside `host` calls this.

pub mod open;
pub mod perms;
