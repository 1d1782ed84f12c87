//! Reads `[breaker]`, and the same of one target: when it is left alone, and for how long.

use super::key::Section;
use super::reader::{Entries, Reader, Value};
use crate::engine::{Detector, Detectors, Mode, SetAside};
use std::time::Duration;
use toml::de::DeValue;

/// The longest streak a breaker can count.
const MOST_FAILURES: u32 = 16;
/// The most results that anything here may wait for.
const MOST_RESULTS: u32 = 100_000;
const SHORTEST: Duration = Duration::from_millis(1);
/// Ten buckets share the window.
const SHORTEST_WINDOW: Duration = Duration::from_millis(10);

/// When a target is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Breaker {
    /// Whether its opinion counts.
    pub(crate) mode: Mode,
    /// Hard failures in a row that open it.
    pub(crate) failures: u32,
    /// The time inside which they must fall.
    pub(crate) failure_window: Duration,
    /// The share of failures that opens it, in percent; none where it never does.
    pub(crate) failure_percent: Option<u32>,
    /// The time over which that share is taken.
    pub(crate) ratio_window: Duration,
    /// The results it must be taken of.
    pub(crate) samples: u32,
    /// How long the first opening lasts before a probe.
    pub(crate) cooldown: Duration,
    /// The longest that repeated openings last.
    pub(crate) cooldown_max: Duration,
    /// How long it must be well for one repetition to be forgiven.
    pub(crate) heal: Duration,
    /// How long a probe may stay out.
    pub(crate) lease: Duration,
    /// How long each step of the return to full traffic lasts.
    pub(crate) ramp_step: Duration,
    /// Good results that end a step early.
    pub(crate) ramp_good: u32,
    /// The shortest time between two shadow probes; none where none are sent.
    pub(crate) shadow_every: Option<Duration>,
    /// Which detectors are heeded.
    pub(crate) detectors: Detectors,
    /// How long calls stay away after what only somebody can mend.
    pub(crate) set_aside: SetAside,
    /// The error rates of which an operator is told, quietly and loudly, in percent.
    pub(crate) alert_percent: u32,
    pub(crate) escalate_percent: u32,
}

impl Default for Breaker {
    /// 5 failures inside 60 s or half of at least 20 in 30 s, 60 s to 5 min of rest, steps of 10 s, a shadow probe every 5 s, alerts
    /// at 5 and 15 %.
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            failures: 5,
            failure_window: Duration::from_secs(60),
            failure_percent: Some(50),
            ratio_window: Duration::from_secs(30),
            samples: 20,
            cooldown: Duration::from_secs(60),
            cooldown_max: Duration::from_secs(300),
            heal: Duration::from_secs(60),
            lease: Duration::from_secs(150),
            ramp_step: Duration::from_secs(10),
            ramp_good: 5,
            shadow_every: Some(Duration::from_secs(5)),
            detectors: Detectors::ALL,
            set_aside: SetAside::default(),
            alert_percent: 5,
            escalate_percent: 15,
        }
    }
}

/// Reads `[breaker]`: that of every target which says nothing else.
pub(super) fn read(reader: &mut Reader<'_>, top: &Entries<'_, '_>) -> Breaker {
    let usual = Breaker::default();
    let table = reader.table(top, "breaker", Section::Breaker);
    table.map_or(usual, |table| settings(reader, &table, usual))
}

/// Reads `breaker` of a target: a mode, or a table of what is not as usual.
pub(super) fn of_target(
    reader: &mut Reader<'_>,
    target: &Entries<'_, '_>,
    usual: &Breaker,
) -> Breaker {
    let mut breaker = *usual;
    let Some(value) = target.get("breaker") else {
        return breaker;
    };
    if !value.get_ref().is_table() {
        breaker.mode = mode(reader, target, "breaker").unwrap_or(breaker.mode);
        return breaker;
    }
    let path = target.path_of("breaker");
    let table = reader.table_value(value, Section::Breaker, path);
    table.map_or(breaker, |table| settings(reader, &table, breaker))
}

fn mode(reader: &mut Reader<'_>, table: &Entries<'_, '_>, name: &str) -> Option<Mode> {
    let modes = [
        ("enforce", Mode::Enforce),
        ("observe", Mode::Observe),
        ("closed", Mode::ForcedClosed),
        ("open", Mode::ForcedOpen),
    ];
    reader.choice(table, name, &modes)
}

/// What a table says; `usual` where it says nothing.
fn settings(reader: &mut Reader<'_>, table: &Entries<'_, '_>, usual: Breaker) -> Breaker {
    let mut breaker = usual;
    breaker.mode = mode(reader, table, "mode").unwrap_or(breaker.mode);
    for (name, slot, most) in [
        ("failures", &mut breaker.failures, MOST_FAILURES),
        ("samples", &mut breaker.samples, MOST_RESULTS),
        ("ramp_good", &mut breaker.ramp_good, MOST_RESULTS),
    ] {
        if let Some(count) = reader.whole(table, name, 1..most + 1) {
            *slot = count;
        }
    }
    for (name, slot, least) in [
        ("failure_window", &mut breaker.failure_window, SHORTEST),
        ("ratio_window", &mut breaker.ratio_window, SHORTEST_WINDOW),
        ("cooldown", &mut breaker.cooldown, SHORTEST),
        ("cooldown_max", &mut breaker.cooldown_max, SHORTEST),
        ("heal", &mut breaker.heal, SHORTEST),
        ("lease", &mut breaker.lease, SHORTEST),
        ("ramp_step", &mut breaker.ramp_step, Duration::ZERO),
    ] {
        if let Some(duration) = reader.duration(table, name, least) {
            *slot = duration;
        }
    }
    if let Some(percent) = reader.whole(table, "failure_percent", 0..101) {
        breaker.failure_percent = (percent > 0).then_some(percent);
    }
    if let Some(every) = reader.duration(table, "shadow_every", Duration::ZERO) {
        breaker.shadow_every = (!every.is_zero()).then_some(every);
    }
    for (name, slot) in [
        ("alert_percent", &mut breaker.alert_percent),
        ("escalate_percent", &mut breaker.escalate_percent),
    ] {
        if let Some(percent) = reader.whole(table, name, 1..101) {
            *slot = percent;
        }
    }
    breaker.detectors = detectors(reader, table).unwrap_or(breaker.detectors);
    set_aside(reader, table, &mut breaker.set_aside);
    // What is not written gives way to what is.
    if breaker.escalate_percent < breaker.alert_percent {
        match table.get("escalate_percent") {
            Some(value) => {
                let mend = "make escalate_percent at least as high as alert_percent";
                let path = table.path_of("escalate_percent");
                reader.fault(at(value), path, "lower than the first alert", mend);
            }
            None => breaker.escalate_percent = breaker.alert_percent,
        }
    }
    if breaker.cooldown_max < breaker.cooldown {
        match table.get("cooldown_max") {
            Some(value) => {
                let mend = "make cooldown_max at least as long as cooldown";
                let path = table.path_of("cooldown_max");
                reader.fault(at(value), path, "shorter than the first cooldown", mend);
            }
            None => breaker.cooldown_max = breaker.cooldown,
        }
    }
    breaker
}

fn at(value: &Value<'_>) -> usize {
    value.span().start
}

fn detectors(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Option<Detectors> {
    let words = Detector::ALL.map(|detector| (detector.as_str(), detector));
    let (_, list) = reader.list(table, "detectors", "[\"hang\", \"scope\"]")?;
    let mut heeded = Detectors::NONE;
    for value in list {
        let path = table.path_of("detectors");
        if let DeValue::String(text) = value.get_ref() {
            if let Some(detector) = reader.word(text, at(value), path, &words) {
                heeded = heeded.with(detector);
            }
        } else {
            reader.text_value(value, path);
        }
    }
    Some(heeded)
}

fn set_aside(reader: &mut Reader<'_>, table: &Entries<'_, '_>, times: &mut SetAside) {
    let Some(table) = reader.table(table, "set_aside", Section::SetAside) else {
        return;
    };
    for (name, slot) in [
        ("spent_quota", &mut times.spent_quota),
        ("refused_key", &mut times.refused_key),
        ("missing_model", &mut times.missing_model),
    ] {
        if let Some(duration) = reader.duration(&table, name, SHORTEST) {
            *slot = duration;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::secret::Nothing;

    fn read(top: &str, target: &str) -> Result<Config, String> {
        let text = format!(
            "{top}\n[targets.a]\nprovider = \"ollama\"\nmodel = \"m\"\n{target}\n[targets.b]\nprovider = \"ollama\"\nmodel = \"m\"\n[routes.r]\ntiers = [[\"a\", \"b\"]]"
        );
        Config::parse("t", &text, &Nothing).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_target_has_what_all_have_but_for_what_it_says() {
        let config = read(
            "[breaker]\nfailures = 3\nsamples = 50\nheal = \"2m\"",
            "[targets.a.breaker]\nfailure_window = \"10m\"\nsamples = 5\nmode = \"observe\"\ndetectors = [\"hang\", \"scope\"]\nset_aside = { spent_quota = \"2h\" }",
        )
        .unwrap();
        let all = Breaker {
            failures: 3,
            samples: 50,
            heal: Duration::from_secs(120),
            ..Breaker::default()
        };
        assert_eq!(config.breaker, all);
        assert_eq!(config.targets[1].breaker, all);
        let own = Breaker {
            mode: Mode::Observe,
            failure_window: Duration::from_secs(600),
            samples: 5,
            detectors: Detectors::NONE.with(Detector::Hang).with(Detector::Scope),
            set_aside: SetAside {
                spent_quota: Duration::from_secs(7_200),
                ..SetAside::default()
            },
            ..all
        };
        assert_eq!(config.targets[0].breaker, own);
    }

    #[test]
    fn a_mode_alone_is_a_word() {
        let config = read("[breaker]\nfailures = 3", "breaker = \"open\"").unwrap();
        let breaker = config.targets[0].breaker;
        assert_eq!((breaker.mode, breaker.failures), (Mode::ForcedOpen, 3));
    }

    #[test]
    fn every_other_number_is_read() {
        let top = "[breaker]\nratio_window = \"1m\"\nlease = \"5m\"\nramp_good = 9\ncooldown = \"10m\"\nalert_percent = 20";
        let read = read(top, "").unwrap().breaker;
        let seconds = Duration::from_secs;
        assert_eq!((read.ratio_window, read.lease), (seconds(60), seconds(300)));
        assert_eq!(read.ramp_good, 9);
        assert_eq!(read.cooldown_max, seconds(600), "gives way to the first");
        assert_eq!(read.escalate_percent, 20);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (top, named) in [
            ("window = \"30s\"", "write `failure_window`"),
            ("samples = 0", "from 1 to 100000"),
            ("ratio_window = \"1ms\"", "from 10ms to 24h"),
            ("detectors = [\"hand\"]", "did you mean `hang`"),
            ("set_aside = { quota = \"1h\" }", "spent_quota"),
        ] {
            let fault = read(&format!("[breaker]\n{top}"), "").unwrap_err();
            assert!(fault.contains(named), "{top}: {fault}");
        }
        let fault = read("", "breaker = { windw = 1 }").unwrap_err();
        assert!(fault.contains("targets.a.breaker.windw"), "{fault}");
    }
}
