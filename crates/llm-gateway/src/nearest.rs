//! "Did you mean ...?": the nearest of a set of known names.

/// The longest name that is compared; anything longer has no near neighbour worth naming.
const LONGEST: usize = 128;

/// Finds the known name nearest to `given`, if one is near enough to be a likely slip.
///
/// Near enough means: within a third of the longer name's length in edits (at least two, a swap of neighbours counting
/// as one), or one name being the beginning of the other. Case and the choice between `-` and `_` cost nothing.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if given.is_empty() || given.len() > LONGEST {
        return None;
    }
    let wanted = fold(given);
    known
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .filter_map(|name| {
            let candidate = fold(name);
            let edits = distance(&wanted, &candidate);
            let allowed = (wanted.len().max(candidate.len()) / 3).max(2);
            let (short, long) = if wanted.len() < candidate.len() {
                (&wanted, &candidate)
            } else {
                (&candidate, &wanted)
            };
            let prefix = short.len() >= 3 && long.starts_with(short.as_slice());
            (edits <= allowed && edits < candidate.len() || prefix).then_some((edits, name))
        })
        .min_by_key(|&(edits, name)| (edits, name.len()))
        .map(|(_, name)| name)
}

/// Folds away differences that nobody means.
fn fold(name: &str) -> Vec<char> {
    name.chars()
        .map(|c| {
            if c == '-' {
                '_'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

/// Edit distance with insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a: Option<char> = None;
    for (row, &ca) in a.iter().enumerate() {
        let mut line = Vec::with_capacity(b.len() + 1);
        line.push(row + 1);
        let mut previous_b: Option<char> = None;
        for (column, &cb) in b.iter().enumerate() {
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&last, column) + usize::from(ca != cb))
                .min(at(&last, column + 1) + 1)
                .min(at(&line, column) + 1);
            if previous_a == Some(cb) && previous_b == Some(ca) && column > 0 {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            line.push(cost);
            previous_b = Some(cb);
        }
        previous_a = Some(ca);
        before = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let known = ["patience", "deadline", "tiers", "degraded"];
        assert_eq!(nearest("pateince", known), Some("patience"));
        assert_eq!(nearest("tires", known), Some("tiers"));
        assert_eq!(nearest("Dead-line", known), Some("deadline"));
    }

    #[test]
    fn a_stranger_finds_nothing() {
        assert_eq!(nearest("colour", ["patience", "deadline"]), None);
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(nearest(&"x".repeat(4096), ["x"]), None);
    }

    #[test]
    fn a_longer_model_name_finds_its_family() {
        assert_eq!(
            nearest("gpt-5-mini-2025-08-07", ["claude", "gpt-5-mini"]),
            Some("gpt-5-mini")
        );
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("tiers"), &chars("tires")), 1);
        assert_eq!(distance(&chars("ab"), &chars("ba")), 1);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
    }
}
