//! Reads what a route asks of answers: which are good enough, how much of a stream is held back to see
//! that, and what follows when one breaks.

use super::key::Section;
use super::reader::{Entries, Reader};
use crate::engine::{Finding, Hold, Language, OnCut, Quality, Truncate};
use std::time::Duration;
use toml::de::DeValue;

/// The longest time for which a stream may be held back.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// What a route asks of answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Care {
    /// What follows when a stream breaks.
    pub(crate) on_cut: Option<OnCut>,
    /// What follows when a prompt is too long for every target.
    pub(crate) truncate: Option<Truncate>,
    /// How much of a stream is held back.
    pub(crate) hold: Hold,
    /// What answers are looked at for.
    pub(crate) quality: Option<Quality>,
}

/// Checks that need no key beside them.
const CHECKS: [Finding; 9] = [
    Finding::Empty,
    Finding::CutOff,
    Finding::MidSentence,
    Finding::Repetitive,
    Finding::Garbled,
    Finding::Refusal,
    Finding::InvalidJson,
    Finding::SchemaInvalid,
    Finding::ToolCallInvalid,
];

pub(super) fn read(reader: &mut Reader<'_>, route: &Entries<'_, '_>) -> Care {
    let policies: Vec<_> = OnCut::ALL
        .iter()
        .map(|policy| (policy.as_str(), *policy))
        .collect();
    Care {
        on_cut: reader.choice(route, "on_cut", &policies),
        truncate: reader.choice(
            route,
            "truncate",
            &[
                ("never", Truncate::Never),
                ("oldest_turns", Truncate::OldestTurns),
            ],
        ),
        hold: hold(reader, route),
        quality: quality(reader, route),
    }
}

fn hold(reader: &mut Reader<'_>, route: &Entries<'_, '_>) -> Hold {
    let mut hold = Hold::default();
    let Some(table) = reader.table(route, "hold_back", Section::HoldBack) else {
        return hold;
    };
    hold.tokens = reader.whole(&table, "tokens", 1..1_001).unwrap_or_default();
    hold.time = reader
        .duration(&table, "time", Duration::from_millis(1))
        .unwrap_or_default();
    if hold.time > LONGEST_HOLD {
        let at = table
            .get("time")
            .map_or(table.at, |value| value.span().start);
        let what = "longer than anybody waits for a first word";
        reader.fault(at, table.path_of("time"), what, "at most \"60s\"");
    }
    if table.get("tokens").is_none() && table.get("time").is_none() {
        let mend = "write hold_back = { tokens = 20, time = \"500ms\" }, or one of the two";
        reader.fault(
            table.at,
            route.path_of("hold_back"),
            "neither tokens nor time",
            mend,
        );
    }
    hold
}

fn quality(reader: &mut Reader<'_>, route: &Entries<'_, '_>) -> Option<Quality> {
    let words = CHECKS.map(|finding| (finding.as_str(), finding));
    let listed = reader.list(route, "quality", "[\"empty\", \"garbled\"]");
    let mut quality = None;
    if let Some((_, list)) = listed {
        let mut checks = Vec::new();
        for value in list {
            let path = route.path_of("quality");
            if let DeValue::String(text) = value.get_ref() {
                checks.extend(reader.word(text, value.span().start, path, &words));
            } else {
                reader.text_value(value, path);
            }
        }
        quality = Some(Quality::of(checks));
    }
    if let Some(chars) = reader.whole(route, "min_chars", 1..100_001) {
        let base: Quality = quality.unwrap_or_default();
        quality = Some(base.min_chars(u64::from(chars)));
    }
    if let Some(code) = reader.text(route, "language") {
        match Language::from_code(code) {
            Some(language) => {
                let base: Quality = quality.unwrap_or_default();
                quality = Some(base.language(language));
            }
            None => {
                let at = route
                    .get("language")
                    .map_or(route.at, |value| value.span().start);
                let mend = "write an ISO 639-1 code: ar de el en es fr he hi it ja ko nl pl pt ru sv th tr uk zh";
                let what = format!("`{code}` is no language that is told apart here");
                reader.fault(at, route.path_of("language"), what, mend);
            }
        }
    }
    quality
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::config::secret::Nothing;
    use crate::engine::OnCut;
    use std::time::Duration;

    fn read(route: &str) -> Result<super::Care, String> {
        let text = format!(
            "[targets.a]\nprovider = \"ollama\"\nmodel = \"m\"\n[routes.r]\ntiers = [[\"a\"]]\n{route}"
        );
        let config = Config::parse("t", &text, &Nothing).map_err(|faults| faults.to_string())?;
        Ok(config.routes[0].care.clone())
    }

    #[test]
    fn everything_a_route_asks_of_answers_is_read() {
        let care = read(
            "on_cut = \"restart\"\nhold_back = { tokens = 20, time = \"500ms\" }\nquality = [\"garbled\"]\nmin_chars = 3\nlanguage = \"de\"",
        )
        .unwrap();
        assert_eq!(care.on_cut, Some(OnCut::Restart));
        assert_eq!(care.hold.tokens, 20);
        assert_eq!(care.hold.time, Duration::from_millis(500));
        let quality = format!("{:?}", care.quality.unwrap());
        assert!(
            quality.contains("Garbled") && quality.contains("German"),
            "{quality}"
        );
        assert!(read("").unwrap().quality.is_none());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (route, named) in [
            ("on_cut = \"again\"", "on_cut"),
            ("hold_back = {}", "neither tokens nor time"),
            ("hold_back = { time = \"2m\" }", "at most"),
            ("quality = [\"boring\"]", "boring"),
            ("language = \"xx\"", "ISO 639-1"),
        ] {
            let fault = read(route).unwrap_err();
            assert!(fault.contains(named), "{route}: {fault}");
        }
    }
}
