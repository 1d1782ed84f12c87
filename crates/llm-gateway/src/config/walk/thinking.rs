//! What would surprise of models that think before they speak.

use super::super::{Config, Route, Target};
use crate::engine::{Thinking, policy};
use std::time::Duration;

/// What one such model may be silent for while nothing is wrong: less than the slowest of those measured, see
/// [`Windows`](llm_resilience::router::Windows).
const USUAL: Duration = Duration::from_secs(120);

/// Times of a route that are too short for what its targets need.
pub(super) fn warnings(config: &Config, route: &Route) -> Vec<String> {
    let name = &route.name;
    let on = route.remedy.on.iter().flat_map(|(_, members)| members);
    let mut members = route.tiers.iter().flatten().chain(on);
    let thinker = members.find_map(|member| {
        let target = config.targets.get(member.target)?;
        thinks_unasked(target).then_some(target)
    });
    let Some(Target {
        name: target,
        model,
        ..
    }) = thinker
    else {
        return Vec::new();
    };
    let policy = policy(route);
    let mut found = Vec::new();
    let need = USUAL.as_secs();
    if policy.thinking_deadline < USUAL {
        let given = policy.thinking_deadline.as_secs_f64();
        let key = match route.thinking_deadline {
            Some(_) => "thinking_deadline",
            None => "deadline",
        };
        found.push(format!(
            "routes.{name}.{key}: {given} s, and `{model}` of `{target}` thinks before it speaks, for up to {need} s and more: such calls are cut off, paid, and answered elsewhere or not at all; give such calls time of their own by thinking_deadline = \"600s\""
        ));
    }
    let window = policy.windows.first_token + policy.windows.thinking;
    if window < USUAL {
        let given = window.as_secs_f64();
        found.push(format!(
            "routes.{name}.windows.thinking: with `first_token` {given} s, and `{model}` of `{target}` thinks before it speaks, for up to {need} s and more: such calls are cut off, paid, and sent elsewhere; leave `thinking` out (then it is 300 s)"
        ));
    }
    found
}

/// Whether it thinks about requests that say nothing of it.
fn thinks_unasked(target: &Target) -> bool {
    matches!(target.thinks, Thinking::ByDefault | Thinking::Always)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::config::secret::Nothing;

    fn walked(model: &str, route: &str) -> Vec<String> {
        let text = format!(
            "[targets.a]\nprovider = \"openai\"\nbase_url = \"https://example.com/v1\"\nmodel = \"{model}\"\n[targets.b]\nprovider = \"ollama\"\nmodel = \"m\"\n[routes.r]\ntiers = [[\"a\"], [\"b\"]]\n{route}"
        );
        let config = Config::parse("t", &text, &Nothing).unwrap();
        let route = &config.routes[0];
        super::warnings(&config, route)
    }

    #[test]
    fn a_route_with_nothing_but_names_leaves_time_to_think() {
        assert_eq!(walked("gpt-5-mini", ""), Vec::<String>::new());
        assert_eq!(
            walked("gpt-5-mini", "preset = \"agent\""),
            Vec::<String>::new()
        );
        assert_eq!(
            walked("gpt-5-mini", "preset = \"background\""),
            Vec::<String>::new()
        );
    }

    #[test]
    fn times_that_are_too_short_are_named_with_their_place_and_mend() {
        let found = walked("gpt-5-mini", "deadline = \"30s\"");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("routes.r.deadline: 30 s, and `gpt-5-mini` of `a` thinks"),
            "{found:?}"
        );
        assert!(found[0].contains("by thinking_deadline"), "{found:?}");
        let both = "deadline = \"30s\"\nthinking_deadline = \"9m\"";
        assert_eq!(walked("gpt-5-mini", both), Vec::<String>::new());
        let found = walked("gpt-5-mini", "thinking_deadline = \"40s\"");
        assert!(
            found[0].starts_with("routes.r.thinking_deadline: 40 s"),
            "{found:?}"
        );
        let found = walked("gpt-5-mini", "windows = { thinking = \"20s\" }");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("routes.r.windows.thinking: with `first_token` 30 s"),
            "{found:?}"
        );
        assert_eq!(
            walked("gpt-5-mini", "deadline = \"120s\""),
            Vec::<String>::new()
        );
    }

    #[test]
    fn models_that_think_only_when_asked_need_no_warning() {
        assert_eq!(walked("gpt-4o", "deadline = \"20s\""), Vec::<String>::new());
        assert_eq!(
            walked("gpt-5.2", "deadline = \"20s\""),
            Vec::<String>::new()
        );
    }
}
