//! Which measured function is compared with which.
//!
//! Inside a question (a criterion group) a function is a baseline if its name begins with `baseline`, `direct call`,
//! `serde_json` or the name of a rival crate, or ends with ` alone`. Names may carry variants after commas (`failsafe, two
//! threads`) and a case before a slash (`answer_ok/serde_json_value`): like is compared with like.

use super::micro::Measured;

/// How the name of a baseline begins.
const BASELINES: &[&str] = &[
    "baseline",
    "direct call",
    "serde_json",
    "backon",
    "failsafe",
    "recloser",
    "tower",
    "governor",
];

/// A name taken apart: `case/head, variant, variant`.
struct Name<'a> {
    case: &'a str,
    head: &'a str,
    variants: Vec<&'a str>,
    whole: &'a str,
}

impl<'a> Name<'a> {
    fn of(measured: &'a Measured) -> Self {
        let (case, rest) = measured
            .name
            .rsplit_once('/')
            .unwrap_or(("", &measured.name));
        let mut parts = rest.split(", ");
        let head = parts.next().unwrap_or_default();
        Self {
            case,
            head,
            variants: parts.collect(),
            whole: &measured.name,
        }
    }

    fn is_baseline(&self) -> bool {
        BASELINES
            .iter()
            .any(|beginning| self.head.starts_with(beginning))
            || self.head.ends_with(" alone")
    }

    /// Whether this baseline is about the same as the figure.
    fn suits(&self, figure: &Self) -> bool {
        let same_case =
            self.case == figure.case || (figure.case.is_empty() && self.case == figure.head);
        same_case
            && self
                .variants
                .iter()
                .all(|variant| figure.whole.contains(variant))
    }
}

pub(super) fn is_baseline(measured: &Measured) -> bool {
    Name::of(measured).is_baseline()
}

/// The baselines of a figure, in the order of `all`; of a rival measured in several variants the closest one.
pub(super) fn baselines<'a>(figure: &Measured, all: &'a [Measured]) -> Vec<&'a Measured> {
    let name = Name::of(figure);
    let mut found: Vec<&Measured> = Vec::new();
    for other in all {
        let base = Name::of(other);
        let same = other.question == figure.question
            && (other.parameter == figure.parameter || other.parameter.is_empty())
            && base.is_baseline()
            && base.suits(&name);
        if !same {
            continue;
        }
        match found
            .iter_mut()
            .find(|known| Name::of(known).head == base.head)
        {
            Some(known) if Name::of(known).variants.len() < base.variants.len() => *known = other,
            Some(_) => {}
            None => found.push(other),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, parameter: &str) -> Measured {
        Measured {
            question: "q".to_owned(),
            name: name.to_owned(),
            parameter: parameter.to_owned(),
            nanoseconds: 1.0,
            most: 1.0,
        }
    }

    fn names(figure: &Measured, all: &[Measured]) -> Vec<String> {
        baselines(figure, all)
            .into_iter()
            .map(|base| format!("{}{}", base.name, base.parameter))
            .collect()
    }

    #[test]
    fn a_parameter_meets_its_own_baseline_or_the_one_without() {
        let all = [
            row("baseline", "2"),
            row("baseline", "10"),
            row("baseline: copy", ""),
        ];
        assert_eq!(
            names(&row("route", "10"), &all),
            ["baseline10", "baseline: copy"]
        );
    }

    #[test]
    fn variants_meet_the_closest() {
        let all = [
            row("direct call", ""),
            row("recloser", ""),
            row("recloser, two threads", ""),
        ];
        assert_eq!(
            names(&row("ours, now given", ""), &all),
            ["direct call", "recloser"]
        );
        assert_eq!(
            names(&row("ours, now given, two threads", ""), &all),
            ["direct call", "recloser, two threads"]
        );
    }

    #[test]
    fn a_variant_is_found_in_the_whole_name() {
        let all = [
            row("BLAKE3 alone, 200 bytes", ""),
            row("BLAKE3 alone, 8192 bytes", ""),
        ];
        assert_eq!(
            names(&row("prompt of 200 bytes", ""), &all),
            ["BLAKE3 alone, 200 bytes"]
        );
        assert_eq!(
            names(&row("prompt of 8192 bytes", ""), &all),
            ["BLAKE3 alone, 8192 bytes"]
        );
    }

    #[test]
    fn a_case_meets_its_own_parser() {
        let all = [
            row("limit/serde_json_value", ""),
            row("answer_ok/serde_json_value", ""),
        ];
        assert_eq!(
            names(&row("limit/verdict", ""), &all),
            ["limit/serde_json_value"]
        );
        assert_eq!(
            names(&row("answer_ok", ""), &all),
            ["answer_ok/serde_json_value"]
        );
        assert!(names(&row("headers", ""), &all).is_empty());
    }
}
