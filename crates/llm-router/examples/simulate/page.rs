//! docs/simulation.md: every table with its picture, how to read them, and what they cannot tell.

use crate::outcome::Outcome;
use crate::scenario::Size;
use crate::table;
use std::fmt::Write as _;

const READING: &str = "\
## How to read it

All policies meet the same arrivals and, call by call, the same luck. A request counts if it arrives between the trouble's
start and 60 s after its end.

| column | meaning |
|---|---|
| answered % | requests that got a real answer, complete |
| degraded % | requests for which the router said that no target is left, so that a cached, static or honest answer takes the place of a real one; the rivals know no such thing, what they cannot answer is an error |
| calls/request | upstream calls; probes, shadow probes and retries included |
| p50 s, p99 s | until the caller had the beginning of an answer (all of it where nobody streams), a degraded answer or an error |
| switch s | from arrival until the call that answered was sent: the p99 of those answered who came during the trouble |
| leave s | from the trouble's start until less than 1 % of first calls, probes aside, went to the sick target; measured over the 3 s that follow; of a target on trial: until it was stopped everywhere |
| return s | from the trouble's end until the healed target served 90 % of its healthy share |
| peak | the most calls the healed target got in any stretch of time after the trouble, as a multiple of its healthy share; these three are empty where nothing falls ill, the last two where nothing heals |
| wasted/100 | upstream calls whose answer nobody got, per 100 requests |

A target's healthy share is its part of all arrivals from 20 s after the start to the trouble. *Peak* compares the calls it got in a stretch with that
share of the arrivals in the same stretch, so that a busy moment is not taken for a stampede. The stretch is 2 s, or as long as the healthy target
takes to get 400 calls where that is more: the number of so many calls varies by 5 % by chance, and over a shorter stretch chance alone would
exceed 1.2. A rush that is shorter than the stretch counts for no more than it adds to it.

The policies:

- **no protection**: one call to the primary; where two share a tier, to one of them in turn.
- **three blind retries**: the same target again after 0.5, 1 and 2 s, whatever the failure was.
- **fixed cooldown**: two retries inside a tier, then the next tier; a wait that the provider states is kept, otherwise it doubles from
  0.5 s, with jitter. A target that has siblings rests for 5 s, or as long as its 429 states, on a 429 or when most of the minute's calls failed
  (at least 5); a lone one when all of at least 1 000 did. After its rest it takes its whole share at once.
- Of these three, each sends one caller in twenty to a target on trial first, from start to end.
- **llm-router**: the crate's `Plan` and `Table` with the default configuration, and nothing but names unless a scenario says that it hedges or is
  told a limit. Each request asks for a shadow probe as it begins, as the client does; the duplicate goes to the target like any other call and its
  answer is thrown away.

A caller waits 30 s at most for an answer's beginning. A connection gets 2 s, a first token 10 s under every policy but the first; the router
narrows its windows as it learns, and where nobody else is left and the target has grown slow it waits as long as the caller does.
";

const LIMITS: &str = "\
## What it cannot tell

- Times are lognormal with a share of stragglers, drawn call by call; only the scenarios with waves have slow calls that come together.
- Arrivals do not depend on answers: nobody gives up earlier, types again, or comes back later because of a failure.
- A provider's queue serves calls whose callers have left, shadow probes too, and its errors arrive after 60 ms. Providers differ in both.
- Each gateway learns alone; nothing is shared between them.
- The rivals are models in a few lines of the policies they are named after, without the flaws of any one product.
- Every request suits every target, costs the same, and has no side effects. Broken streams and bad answers are not simulated.
- One seed is one world. Small differences between policies are noise: try other seeds.
";

/// The whole page.
pub(crate) fn page(outcomes: &[Outcome], trials: &str, size: &Size, seed: u64) -> String {
    let mut page = format!(
        "# Simulation\n\nWhole fleets in virtual time: {} callers with {} requests a second on {} gateways, each with its own health state, \
         seed {seed}.\nWritten by `cargo xtask simulate --write`; the same seed gives the same page.\n\n{READING}",
        size.callers, size.per_second, size.gateways
    );
    let _ = write!(
        page,
        "\n## Where the router is not the best\n\n{}",
        losses(outcomes)
    );
    page.push_str("\n## The scenarios\n");
    for outcome in outcomes {
        let scenario = &outcome.scenario;
        let _ = write!(
            page,
            "\n### {}\n\n{}\n\n{}\n![{}](simulation/{})\n",
            scenario.name,
            scenario.about,
            table::table(&outcome.rows),
            scenario.name,
            outcome.file()
        );
    }
    let _ = write!(
        page,
        "\n## Targets on trial, over many seeds\n\n{trials}\n{LIMITS}"
    );
    page
}

/// Every figure in which some rival did better, computed from the tables.
pub(crate) fn losses(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        for loss in outcome.losses() {
            let _ = writeln!(text, "- {}: {loss}", outcome.scenario.name);
        }
    }
    if text.is_empty() {
        text.push_str(
            "In no scenario did a rival answer more, or as much sooner or with fewer calls.\n",
        );
    }
    text
}
