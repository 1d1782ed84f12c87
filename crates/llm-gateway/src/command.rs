//! The commands, a module each.

use std::io::Write as _;

/// Says a line to whoever started the command, formatted as `println!` does.
macro_rules! say {
    ($($words:tt)*) => { $crate::command::line(format_args!($($words)*)) };
}

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod keys;
pub(crate) mod serve;

/// Writes a line to standard output. If nobody reads it any more, the command goes on all the same.
fn line(words: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{words}");
}
