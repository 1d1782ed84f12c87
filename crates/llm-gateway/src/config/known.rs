//! What public pages state of the models in use, as `check` tells it: every figure that is assumed without being configured
//! has to be seen once, and a model that is unknown too.

use super::{Config, Target};
use crate::engine::{Price, Thinking};
use std::time::{Duration, SystemTime};

/// How long before a model's last day `check` begins to warn.
const NOTICE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// One line a target: what is taken for granted of its model.
pub(crate) fn lines(config: &Config) -> Vec<String> {
    config.targets.iter().map(line).collect()
}

fn line(target: &Target) -> String {
    let (name, model) = (&target.name, &target.model);
    let mut said = Vec::new();
    if let Some(tokens) = target.context_window {
        said.push(format!("reads {tokens} tokens"));
    }
    if let Some(tokens) = target.known.and_then(|known| known.max_output) {
        said.push(format!("writes {tokens}"));
    }
    if let Some(price) = target.price {
        said.push(format!(
            "${} in and ${} out a million tokens",
            dollars(price.input),
            dollars(price.output)
        ));
    }
    match target.thinks {
        Thinking::ByDefault => said.push("thinks before it speaks unless told not to".to_owned()),
        Thinking::Always => said.push("thinks before it speaks".to_owned()),
        Thinking::Never | Thinking::WhenAsked => {}
    }
    let lacks: Vec<_> = target.lacks.names().collect();
    if !lacks.is_empty() {
        said.push(format!("lacks {}", lacks.join(", ")));
    }
    if target.known.is_none() {
        said.push(
            "no page about it was read, so nothing is assumed that the file does not say"
                .to_owned(),
        );
    }
    format!("targets.{name}: {model}: {}", said.join(", "))
}

/// Models that are served no longer, or not for long.
pub(crate) fn warnings(config: &Config, now: SystemTime) -> Vec<String> {
    let (today, soon) = (day(now), day(now + NOTICE));
    let mut warnings = Vec::new();
    for target in &config.targets {
        let Some(until) = target.known.and_then(|known| known.until) else {
            continue;
        };
        let (name, model, provider) = (&target.name, &target.model, target.provider);
        if until < today.as_str() {
            warnings.push(format!(
                "targets.{name}: {provider} announced the end of `{model}` for {until}; name another model"
            ));
        } else if until <= soon.as_str() {
            warnings.push(format!(
                "targets.{name}: {provider} serves `{model}` until {until} only; plan for another model"
            ));
        }
    }
    warnings
}

/// Fallbacks that cost at least twice as much as the first choice.
pub(crate) fn dearer(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    for route in &config.routes {
        let members = route
            .tiers
            .iter()
            .flatten()
            .filter(|member| member.weight > 0);
        let mut targets = members.filter_map(|member| config.targets.get(member.target));
        let Some((first, own)) = targets.next().and_then(|first| Some((first, first.price?)))
        else {
            continue;
        };
        for (target, price) in targets.filter_map(|target| Some((target, target.price?))) {
            if twice(price, own) {
                notes.push(format!(
                    "routes.{}: `{}` costs ${} in and ${} out a million tokens, `{}` ${} and ${}",
                    route.name,
                    target.name,
                    dollars(price.input),
                    dollars(price.output),
                    first.name,
                    dollars(own.input),
                    dollars(own.output),
                ));
            }
        }
    }
    notes
}

/// Whether `price` is at least twice `own`, for prompts or for answers.
const fn twice(price: Price, own: Price) -> bool {
    (own.input > 0 && price.input / 2 >= own.input)
        || (own.output > 0 && price.output / 2 >= own.output)
}

/// Millionths of a dollar as dollars, without zeros at the end.
fn dollars(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The day of a moment in UTC, as `2026-11-26`. Times before 1970 are its first day.
fn day(at: SystemTime) -> String {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let mut days = since.as_secs() / 86_400;
    let mut year = 1970;
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = if days_of(year) == 366 { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
}

const fn days_of(year: u64) -> u64 {
    if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) {
        366
    } else {
        365
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Nothing;

    fn config(targets: &str) -> Config {
        Config::parse("t", targets, &Nothing).unwrap()
    }

    const TWO: &str = "[targets.a]\nprovider = \"anthropic\"\nmodel = \"claude-haiku-4-5\"\n\
        [targets.b]\nprovider = \"anthropic\"\nmodel = \"claude-opus-5\"\n[routes.r]\ntiers = [[\"a\"], [\"b\"]]\n";

    #[test]
    fn figures_of_known_models_are_taken_and_told() {
        assert_eq!(
            lines(&config(TWO)),
            [
                "targets.a: claude-haiku-4-5: reads 200000 tokens, writes 64000, $1 in and $5 out a million tokens",
                "targets.b: claude-opus-5: reads 1000000 tokens, writes 128000, $5 in and $25 out a million tokens, thinks before it speaks unless told not to, lacks prefill",
            ]
        );
    }

    #[test]
    fn the_file_has_the_last_word() {
        let own = "context_window = 9\nlacks = []\nprice = { input = 3, output = 4.5 }\n";
        let config = config(&TWO.replace(
            "model = \"claude-opus-5\"\n",
            &format!("model = \"claude-opus-5\"\n{own}"),
        ));
        assert_eq!(
            lines(&config)[1],
            "targets.b: claude-opus-5: reads 9 tokens, writes 128000, $3 in and $4.5 out a million tokens, thinks before it speaks unless told not to"
        );
    }

    #[test]
    fn nothing_is_assumed_of_an_unknown_model() {
        let config = config(&TWO.replace("claude-opus-5", "claude-of-my-own"));
        let target = &config.targets[1];
        assert!(
            target.context_window.is_none() && target.price.is_none() && target.lacks.is_empty()
        );
        assert!(lines(&config)[1].contains("no page about it was read"));
    }

    #[test]
    fn a_much_dearer_fallback_is_noted() {
        assert_eq!(
            dearer(&config(TWO)),
            ["routes.r: `b` costs $5 in and $25 out a million tokens, `a` $1 and $5"]
        );
        assert_eq!(
            dearer(&config(
                &TWO.replace("[[\"a\"], [\"b\"]]", "[[\"b\"], [\"a\"]]")
            )),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_end_of_a_model_is_told_in_time() {
        let mut config = config(TWO);
        let at = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
        assert_eq!(warnings(&config, at(20_000)), Vec::<String>::new());
        let known = config.targets[0].known.as_mut().unwrap();
        known.until = Some("2026-12-31");
        let told = |days| warnings(&config, at(days)).join("");
        assert_eq!(day(at(20_818)), "2026-12-31");
        assert_eq!(told(20_818 - 91), "");
        assert!(told(20_818 - 90).contains("until 2026-12-31 only"));
        assert!(told(20_818).contains("until 2026-12-31 only"));
        assert!(told(20_819).contains("announced the end of `claude-haiku-4-5`"));
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        let at =
            |days: u64| day(SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400 + 86_399));
        assert_eq!(at(0), "1970-01-01");
        assert_eq!(at(11_016), "2000-02-29");
        assert_eq!(at(11_017), "2000-03-01");
        assert_eq!(at(20_783), "2026-11-26");
        assert_eq!(at(47_540), "2100-02-28");
        assert_eq!(at(47_541), "2100-03-01");
    }
}
