//! Plays one scenario with one SDK and says everything that was not as it must be, on either side.

use anyhow::Result;
use serde_json::{Value, json};

use super::crowd;
use super::driver::{Driver, Sdk, Wire};
use super::judge::{honest, received, seen, shortened};
use super::scenario::{
    Expect, FIRST, Feature, LONG_WORDS, Must, Players, Scenario, Step, Upstream,
};
use super::stack::{self, Programs, Providers};
use super::times::{self, Took};

/// What each provider says when it is well: words that tell who spoke, beyond ASCII, and long enough to be cut.
pub(super) const TEXTS: [&str; 2] = [
    "This is the answer of the first provider, naïve and café, with 日本語 and an emoji 🌊 in it.",
    "This is the answer of the second provider, über and señor, with 한국어 and an emoji 🏔 in it.",
];

/// The picture of the scenarios: one pixel, as PNG in base64.
pub(super) const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// The texts of which vectors are asked for, and the vectors' length.
pub(super) const INPUTS: [&str; 3] = ["the sea", "the mountains", "über die Brücke 🌊"];
pub(super) const DIMENSIONS: usize = 24;

/// How many broken streams in a row a gateway bears before it leaves a provider alone, less one.
const BREAKS_BORNE: usize = 4;

/// The word of the long answer.
pub(super) const LONG_WORD: &str = "wave ";

/// What the tool of the scenarios returns.
pub(super) const TOOL_RESULT: &str = "18 degrees and a light breeze";

/// One way to play a scenario.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) scenario: Scenario,
    pub(super) stream: bool,
    /// What the providers speak.
    pub(super) wires: [Wire; 2],
}

/// Plays a case; the list holds one sentence for each thing that was wrong.
pub(super) fn play(
    case: &Case,
    sdk: Sdk,
    driver: &mut Driver,
    providers: &Providers,
    programs: &Programs,
) -> Result<Vec<String>> {
    let scenario = &case.scenario;
    let with_tool = scenario.steps.iter().any(|step| match step {
        Step::Ask(ask) => matches!(ask.expect, Expect::Tool(_)),
        Step::Sweep { must, .. } => *must == Must::CallTool,
        Step::Crowd(_) | Step::Rules(_) => false,
    });
    let is_long = scenario
        .steps
        .iter()
        .any(|step| matches!(step, Step::Ask(ask) if matches!(ask.expect, Expect::Long)));
    let long = LONG_WORD.repeat(LONG_WORDS);
    let script = |which: usize, rules: &str| {
        // A fixed text would stand in the way of an answer that quotes the tool's result.
        let text = TEXTS.get(which).copied().filter(|_| !with_tool);
        stack::script(
            which,
            text.map(|text| if is_long { &long } else { text }),
            rules,
        )
    };
    let first = match scenario.first {
        Upstream::Rules(rules) => rules,
        Upstream::Refused => "",
    };
    for (which, rules) in [first, scenario.second].into_iter().enumerate() {
        providers.script(which, &script(which, rules), true)?;
    }
    let gateway = providers.gateway(programs, scenario, case.wires)?;

    let mut wrong = Vec::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        match step {
            Step::Rules(rules) => {
                for (which, rules) in rules.iter().enumerate() {
                    providers.script(which, &script(which, rules), false)?;
                }
            }
            Step::Crowd(many) => {
                let wire = sdk.wire();
                let faults = crowd::play(many, wire, case.stream, gateway.address, providers)?;
                let shown = |fault| format!("step {}: {fault}", number + 1);
                wrong.extend(faults.into_iter().map(shown));
            }
            Step::Sweep {
                rules,
                places,
                must,
                whole,
            } => {
                let mut gateway = None;
                for (number, place) in places.clone().enumerate() {
                    // So few failures leave the first provider in use.
                    if number % BREAKS_BORNE == 0 {
                        gateway = Some(providers.gateway(programs, scenario, case.wires)?);
                    }
                    let Some(gateway) = &gateway else { continue };
                    let rules = rules.replace('K', &place.to_string());
                    providers.script(FIRST, &script(FIRST, &rules), false)?;
                    let call = json!({
                        "op": "ask",
                        "base_url": format!("http://{}", gateway.address),
                        "model": "chat",
                        "prompt": "Say something about the sea.",
                        "stream": case.stream,
                        "tool": (*must == Must::CallTool).then_some(TOOL_RESULT),
                    });
                    let answer = driver.call(&call)?;
                    let mut faults = honest(*must, sdk, &answer);
                    let is_answer = answer.get("ok").and_then(Value::as_bool) == Some(true);
                    if whole.contains(&place) && !is_answer {
                        faults.push("an exception, where the whole could be had".to_owned());
                    }
                    let shown = |fault| {
                        format!(
                            "{}: {fault}: {}",
                            rules.trim(),
                            shortened(&answer.to_string())
                        )
                    };
                    wrong.extend(faults.into_iter().map(shown));
                }
                let asked = providers.received(FIRST)?.len();
                let least = places.clone().count();
                if asked < least {
                    wrong.push(format!(
                        "the first provider was asked {asked} times, not {least}"
                    ));
                }
            }
            Step::Ask(ask) => {
                let call = json!({
                    "op": match scenario.players {
                        _ if matches!(ask.expect, Expect::Models) => "models",
                        Players::Embedders => "embeddings",
                        Players::Thorough
                        | Players::Official
                        | Players::Everyone
                        | Players::One => "ask",
                    },
                    "inputs": INPUTS,
                    "dimensions": DIMENSIONS,
                    "base_url": format!("http://{}", gateway.address),
                    "model": ask.model,
                    "system": "Be brief.",
                    "prompt": ask.prompt,
                    "stream": case.stream,
                    "leave_after": matches!(ask.expect, Expect::HangUp).then_some(2),
                    "tool": matches!(ask.expect, Expect::Tool(_)).then_some(TOOL_RESULT),
                    "image": (ask.feature == Some(Feature::Picture)).then_some(PICTURE),
                    "schema": ask.feature == Some(Feature::Schema),
                });
                let mut faults = Vec::new();
                let mut answer = Value::Null;
                let mut took = Vec::new();
                for _ in 0..ask.times {
                    answer = driver.call(&call)?;
                    faults.extend(seen(ask, case, sdk, &answer));
                    took.push(Took::of(&answer));
                }
                faults.extend(times::judge(ask, &took));
                faults.extend(received(ask, case, providers)?);
                if !faults.is_empty() {
                    faults.push(format!("the SDK saw: {}", shortened(&answer.to_string())));
                }
                wrong.extend(
                    faults
                        .into_iter()
                        .map(|fault| format!("step {}: {fault}", number + 1)),
                );
            }
        }
    }
    if !wrong.is_empty() {
        let printed = gateway.printed();
        wrong.extend(
            printed
                .lines()
                .rev()
                .take(6)
                .map(|line| format!("gateway: {}", shortened(line))),
        );
    }
    Ok(wrong)
}
