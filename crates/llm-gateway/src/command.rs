//! The commands, a module each.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod keys;
pub(crate) mod serve;
