//! Walks every fallback path and names what would surprise on the day it is used.

mod remedy;
mod thinking;

use super::{Config, Degraded, Route, Target};
use crate::engine::{Features, OnCut, Strategy, catalog_entry, catalog_wire, takes_beginning};

/// What is not wrong but likely not meant.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.callers.is_empty() && !config.listen.ip().is_loopback() {
        let listen = config.listen;
        warnings.push(format!(
            "listen: other machines can reach {listen}, and anyone who does spends your keys' money; say who may by [callers.NAME]"
        ));
    }
    for (index, target) in config.targets.iter().enumerate() {
        let entry = catalog_entry(target.provider);
        let asks = target.api_key.is_some() || target.cloud.identity.is_some();
        if entry.needs_key && !asks && target.base_url.is_none() {
            let (name, provider, variable) = (&target.name, target.provider, entry.key_variable);
            warnings.push(format!(
                "targets.{name}: {provider} refuses calls without a key; add api_key = {{ env = \"{variable}\" }}"
            ));
        }
        if plain_http_with_key(target) {
            let name = &target.name;
            warnings.push(format!(
                "targets.{name}: the key travels unencrypted; use https:// in base_url"
            ));
        }
        warnings.extend(remedy::of_target(target));
        let used = |route: &Route| {
            let on = route.remedy.on.iter().flat_map(|(_, members)| members);
            let mut members = route.tiers.iter().flatten().chain(on);
            let trial = route.remedy.canary.as_ref();
            members.any(|member| member.target == index)
                || trial.is_some_and(|trial| trial.target == index)
        };
        if !config.routes.iter().any(used) {
            warnings.push(format!("targets.{}: no route uses it", target.name));
        }
    }
    for caller in &config.callers {
        warnings.extend(remedy::of_caller(config, caller));
    }
    for route in &config.routes {
        walk(config, route, &mut warnings);
        warnings.extend(remedy::warnings(config, route));
        warnings.extend(thinking::warnings(config, route));
    }
    warnings
}

/// What is meant, and good to know: where a fallback speaks another dialect than the first choice.
pub(crate) fn notes(config: &Config) -> Vec<String> {
    let spoken = |target: &Target| {
        let own = catalog_wire(target.provider, &target.model);
        target.wire.unwrap_or(own)
    };
    let mut notes = Vec::new();
    for route in &config.routes {
        let mut members = route
            .tiers
            .iter()
            .flatten()
            .filter_map(|member| config.targets.get(member.target));
        let Some(first) = members.next() else {
            continue;
        };
        for target in members.filter(|target| spoken(target) != spoken(first)) {
            notes.push(format!(
                "routes.{}: `{}` speaks {}, `{}` {}: requests are translated, and fields the other dialect cannot say are left out and named in the header x-llm-dropped",
                route.name, target.name, spoken(target), first.name, spoken(first)
            ));
        }
    }
    notes
}

/// One route, from its first choice down.
fn walk(config: &Config, route: &Route, warnings: &mut Vec<String>) {
    let path: Vec<(usize, &Target)> = route
        .tiers
        .iter()
        .enumerate()
        .flat_map(|(tier, members)| members.iter().map(move |member| (tier, member)))
        .filter(|(_, member)| member.weight > 0)
        .filter_map(|(tier, member)| Some((tier, config.targets.get(member.target)?)))
        .collect();
    let name = &route.name;
    let Some(&(_, first)) = path.first() else {
        return;
    };
    for &(tier, target) in path.iter().skip(1) {
        let role = if tier == 0 { "sibling" } else { "fallback" };
        if let (Some(wanted), Some(has)) = (first.context_window, target.context_window)
            && has < wanted
        {
            warnings.push(format!(
                "routes.{name}: the {role} `{}` reads {has} tokens, `{}` {wanted}: longer requests are lost when `{}` fails",
                target.name, first.name, first.name
            ));
        }
        let missing: Vec<_> = missing(first, target).names().collect();
        if !missing.is_empty() {
            warnings.push(format!(
                "routes.{name}: the {role} `{}` lacks {}, which `{}` has: such requests are lost when `{}` fails",
                target.name,
                missing.join(", "),
                first.name,
                first.name
            ));
        }
        let shares_key = target.credential.is_some() && target.credential == first.credential;
        if tier > 0 && shares_key {
            warnings.push(format!(
                "routes.{name}: the fallback `{}` uses the key of `{}`: a spent quota or refused key takes both",
                target.name, first.name
            ));
        }
    }
    if route.strategy == Some(Strategy::Cheapest) {
        for (_, target) in path.iter().filter(|(_, target)| target.price.is_none()) {
            warnings.push(format!(
                "routes.{name}: the strategy `cheapest` takes `{}` for free, since it has no price",
                target.name
            ));
        }
    }
    let continued = route.care.on_cut == Some(OnCut::Continue);
    if continued && !path.iter().any(|(_, target)| takes_beginning(target)) {
        warnings.push(format!(
            "routes.{name}: no target goes on from the beginning of an answer, so a broken stream is only begun anew, as with on_cut = \"restart\"; write prefill where one does"
        ));
    }
    if path.len() == 1 && route.degraded.is_empty() {
        warnings.push(format!(
            "routes.{name}: `{}` is alone and nothing is answered when it fails; add a tier, or degraded = [{{ mode = \"cached\" }}]",
            first.name
        ));
    }
    let last = route.degraded.iter().position(|mode| {
        matches!(
            mode,
            Degraded::Message { .. } | Degraded::Static { when: None, .. }
        )
    });
    if last.is_some_and(|last| last + 1 < route.degraded.len()) {
        warnings.push(format!(
            "routes.{name}: degraded modes after one that always answers are never used"
        ));
    }
}

/// What `target` lacks and `first` has. Where a page alone says that it is lacking, a page must say that the other has it.
fn missing(first: &Target, target: &Target) -> Features {
    let stated = target.known.map_or(Features::NONE, |known| known.cannot);
    let unknown = stated.without(first.known.map_or(Features::NONE, |known| known.can));
    target.lacks.without(first.lacks).without(unknown)
}

fn plain_http_with_key(target: &Target) -> bool {
    let Some(url) = target
        .base_url
        .as_deref()
        .filter(|_| target.api_key.is_some())
    else {
        return false;
    };
    let Some(rest) = url.strip_prefix("http://") else {
        return false;
    };
    let local = ["127.", "localhost", "[::1]", "10.", "192.168."];
    !local.iter().any(|prefix| rest.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::World;
    use std::path::Path;

    #[derive(Debug)]
    struct Any;

    impl World for Any {
        fn variable(&self, _: &str) -> Option<String> {
            Some("a key that nobody guesses".to_owned())
        }
        fn file(&self, _: &Path) -> std::io::Result<String> {
            Ok("k".to_owned())
        }
    }

    fn walked(text: &str) -> Vec<String> {
        warnings(&Config::parse("t", text, &Any).unwrap())
    }

    #[test]
    fn a_smaller_and_poorer_fallback_is_named() {
        let found = walked(
            r#"
            [targets.a]
            provider = "openai"
            model = "m"
            api_key = { env = "K" }
            context_window = 128000
            [targets.b]
            provider = "groq"
            model = "m"
            api_key = { env = "L" }
            context_window = 8000
            lacks = ["vision"]
            [routes.chat]
            tiers = [["a"], ["b"]]
            "#,
        );
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(
            found[0].contains("`b` reads 8000 tokens, `a` 128000"),
            "{found:#?}"
        );
        assert!(found[1].contains("`b` lacks vision"), "{found:#?}");
    }

    #[test]
    fn shared_keys_lone_targets_and_idle_ones_are_named() {
        let found = walked(
            r#"
            [targets.a]
            provider = "openai"
            model = "m"
            api_key = { env = "K" }
            [targets.b]
            provider = "openai"
            model = "n"
            api_key = { env = "K" }
            [targets.c]
            provider = "openai"
            model = "o"
            [routes.pair]
            tiers = [["a"], ["b"]]
            [routes.alone]
            tiers = [["a"]]
            "#,
        );
        let all = found.join("\n");
        assert!(
            all.contains("targets.c: openai refuses calls without a key"),
            "{all}"
        );
        assert!(all.contains("targets.c: no route uses it"), "{all}");
        assert!(
            all.contains("routes.pair: the fallback `b` uses the key of `a`"),
            "{all}"
        );
        assert!(all.contains("routes.alone: `a` is alone"), "{all}");
    }

    #[test]
    fn a_missing_price_is_named_where_the_cheapest_is_chosen() {
        let of = |route: &str| {
            walked(&format!(
                "[targets.a]\nprovider = \"vllm\"\nmodel = \"m\"\nprice = {{ input = 1, output = 2 }}\n[targets.b]\nprovider = \"ollama\"\nmodel = \"n\"\n[routes.r]\ntiers = [[\"a\", \"b\"]]\n{route}"
            ))
        };
        assert_eq!(of(""), Vec::<String>::new());
        assert_eq!(
            of("strategy = \"cheapest\""),
            ["routes.r: the strategy `cheapest` takes `b` for free, since it has no price"]
        );
    }

    #[test]
    fn a_callers_sum_that_counts_nothing_is_named() {
        let of = |routes: &str| {
            walked(&format!(
                "[callers.c]\nkey = {{ env = \"K\" }}\nspend = {{ per_hour = 1 }}\n{routes}\n[targets.a]\nprovider = \"vllm\"\nmodel = \"m\"\nprice = {{ input = 1, output = 2 }}\n[targets.b]\nprovider = \"ollama\"\nmodel = \"n\"\n[routes.r]\ntiers = [[\"a\", \"b\"]]\n[routes.s]\ntiers = [[\"a\"]]\ndegraded = [{{ mode = \"cached\" }}]"
            ))
        };
        assert_eq!(
            of(""),
            ["callers.c: what `b` costs is not counted, since it has no price"]
        );
        assert_eq!(of("routes = [\"s\"]"), Vec::<String>::new());
    }

    #[test]
    fn a_stream_that_nobody_can_continue_is_named_where_that_is_asked_for() {
        let of = |more: &str, route: &str| {
            walked(&format!(
                "[targets.a]\nprovider = \"groq\"\nmodel = \"m\"\napi_key = {{ env = \"K\" }}\n[targets.b]\nprovider = \"ollama\"\nmodel = \"n\"\n{more}\n[routes.r]\ntiers = [[\"a\", \"b\"]]\n{route}"
            ))
        };
        assert_eq!(of("", ""), Vec::<String>::new());
        let found = of("", "on_cut = \"continue\"");
        assert!(
            found.len() == 1 && found[0].contains("only begun anew"),
            "{found:?}"
        );
        assert_eq!(
            of("prefill = \"plain\"", "on_cut = \"continue\""),
            Vec::<String>::new()
        );
    }

    #[test]
    fn another_dialect_is_noted_and_no_warning() {
        let text = "[targets.a]\nprovider = \"vllm\"\nmodel = \"m\"\n[targets.b]\nprovider = \"anthropic\"\nmodel = \"n\"\napi_key = { env = \"K\" }\n[routes.r]\ntiers = [[\"a\"], [\"b\"]]";
        let config = Config::parse("t", text, &Any).unwrap();
        let found = notes(&config);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("routes.r: `b` speaks anthropic_messages, `a` openai_chat"),
            "{found:?}"
        );
        assert_eq!(warnings(&config), Vec::<String>::new());
    }

    #[test]
    fn a_key_over_plain_http_is_named() {
        let at = |url: &str| {
            walked(&format!(
                "[targets.a]\nprovider = \"other\"\nmodel = \"m\"\nbase_url = \"{url}\"\napi_key = {{ env = \"K\" }}\n[routes.r]\ntiers = [[\"a\"]]\ndegraded = [{{ mode = \"cached\" }}]"
            ))
        };
        assert!(at("http://example.com/v1")[0].contains("unencrypted"));
        assert!(at("http://127.0.0.1:1/v1").is_empty());
        assert!(at("https://example.com/v1").is_empty());
    }
}
