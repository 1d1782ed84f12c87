//! How many files the process may have open, and how many connections fit into that.
//!
//! A connection is an open file. If callers could have the last one, no provider could be connected to, and every
//! target would be set aside for a shortage that is this machine's own.

/// The most that is asked of the system, which may grant far more than anybody needs.
#[cfg(unix)]
const ENOUGH: u64 = 1 << 20;
/// Files that are no connection of a call: listeners, the runtime's own, the resolver's, a configuration being read.
const OTHERS: u64 = 64;
/// Files for each caller: its connection, that of its call upstream, and one that is idle or a second call's.
const EACH: u64 = 3;

/// Raises the limit on open files as far as the system lets this process, and tells it; `None` where none is known.
#[cfg(unix)]
pub(crate) fn raise() -> Option<u64> {
    match rlimit::increase_nofile_limit(ENOUGH) {
        Ok(limit) => Some(limit),
        Err(error) => {
            tracing::warn!(%error, "the limit on open files could not be raised");
            let limit = rlimit::getrlimit(rlimit::Resource::NOFILE);
            limit.ok().map(|(soft, _)| soft)
        }
    }
}

/// Elsewhere sockets are no files.
#[cfg(not(unix))]
pub(crate) fn raise() -> Option<u64> {
    None
}

/// How many of `asked` connections of callers `files` have room for.
pub(crate) fn connections(files: u64, asked: usize) -> usize {
    let fit = files.saturating_sub(OTHERS) / EACH;
    usize::try_from(fit)
        .unwrap_or(usize::MAX)
        .clamp(1, asked.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_leave_room_for_their_calls() {
        assert_eq!(connections(1024, 4096), 320);
        assert_eq!(connections(1 << 20, 4096), 4096);
        assert_eq!(connections(10, 4096), 1);
    }
}
