//! Reads what calls beside those that are needed may come to: `retry_budget` and `hedging`.

use super::key::Section;
use super::reader::{Entries, Reader};
use crate::engine::{Budget, Hedge, Hedging};
use std::time::Duration;

/// The most that a budget may hold.
const MOST: u32 = 1_000_000;
/// The most calls that a percentile may be asked of: more are seldom kept.
const MOST_SAMPLES: u32 = 10_000;

/// Reads the retry budget of all providers, or of a route; `usual` where it says nothing.
pub(super) fn read(reader: &mut Reader<'_>, owner: &Entries<'_, '_>, usual: Budget) -> Budget {
    let mut budget = usual;
    let Some(table) = reader.table(owner, "retry_budget", Section::Budget) else {
        return budget;
    };
    for (name, slot, range) in [
        ("percent", &mut budget.percent, 0..101),
        ("reserve", &mut budget.reserve, 0..MOST + 1),
        ("most", &mut budget.most, 1..MOST + 1),
    ] {
        if let Some(number) = reader.whole(&table, name, range) {
            *slot = number;
        }
    }
    if budget.reserve > budget.most {
        match table.get("reserve") {
            // What is not written gives way to what is.
            None => budget.reserve = budget.most,
            Some(_) if table.get("most").is_none() => budget.most = budget.reserve,
            Some(value) => {
                let mend = "make most at least as large as reserve";
                let what = "more than the budget may hold";
                reader.fault(value.span().start, table.path_of("reserve"), what, mend);
            }
        }
    }
    budget
}

/// Reads whether and how a route hedges: a word, or a table of numbers.
pub(super) fn hedging(reader: &mut Reader<'_>, route: &Entries<'_, '_>) -> Option<Hedging> {
    let value = route.get("hedging")?;
    if !value.get_ref().is_table() {
        let words = [("off", Hedging::Off), ("at_p90", Hedging::AtP90)];
        return reader.choice(route, "hedging", &words);
    }
    let table = reader.table_value(value, Section::Hedging, route.path_of("hedging"))?;
    let mut hedge = Hedge::AT_P90;
    if let Some(percentile) = reader.whole(&table, "percentile", 1..100) {
        hedge.percentile = u8::try_from(percentile).unwrap_or(hedge.percentile);
    }
    for (name, slot, range) in [
        ("samples", &mut hedge.samples, 1..MOST_SAMPLES + 1),
        ("percent", &mut hedge.percent, 0..101),
        ("most", &mut hedge.most, 1..MOST + 1),
    ] {
        if let Some(number) = reader.whole(&table, name, range) {
            *slot = number;
        }
    }
    if let Some(floor) = reader.duration(&table, "floor", Duration::ZERO) {
        hedge.floor = floor;
    }
    Some(Hedging::At(hedge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::secret::Nothing;
    use crate::engine::policy;

    fn read(top: &str, route: &str) -> Result<Config, String> {
        let text = format!(
            "{top}\n[targets.a]\nprovider = \"ollama\"\nmodel = \"m\"\n[routes.r]\ntiers = [[\"a\"]]\n{route}"
        );
        Config::parse("t", &text, &Nothing).map_err(|faults| faults.to_string())
    }

    #[test]
    fn the_budgets_of_providers_and_of_routes_are_two() {
        let config = read(
            "retry_budget = { percent = 5, reserve = 200 }",
            "retry_budget = { most = 4 }",
        )
        .unwrap();
        let budget = |percent, reserve, most| Budget {
            percent,
            reserve,
            most,
        };
        assert_eq!(config.retry_budget, budget(5, 200, 200));
        assert_eq!(policy(&config.routes[0]).retries, budget(15, 4, 4));
        let config = read("", "").unwrap();
        assert_eq!(config.retry_budget, Budget::PROVIDER);
        assert_eq!(policy(&config.routes[0]).retries, Budget::ROUTE);
    }

    #[test]
    fn hedging_by_numbers_reaches_the_policy() {
        let route =
            "hedging = { percentile = 95, samples = 40, floor = \"200ms\", percent = 3, most = 7 }";
        let config = read("", route).unwrap();
        let hedge = Hedge {
            percentile: 95,
            samples: 40,
            floor: Duration::from_millis(200),
            percent: 3,
            most: 7,
        };
        assert_eq!(policy(&config.routes[0]).hedging, Hedging::At(hedge));
        let config = read("", "hedging = {}").unwrap();
        assert_eq!(
            policy(&config.routes[0]).hedging,
            Hedging::At(Hedge::AT_P90)
        );
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (route, named) in [
            ("hedging = { percentile = 100 }", "from 1 to 99"),
            ("hedging = { share = 1 }", "routes.r.hedging.share"),
            ("retry_budget = { percent = 101 }", "from 0 to 100"),
            (
                "retry_budget = { reserve = 5, most = 4 }",
                "make most at least",
            ),
        ] {
            let fault = read("", route).unwrap_err();
            assert!(fault.contains(named), "{route}: {fault}");
        }
    }
}
