//! Chooses where a call goes next, and what a failure means for the rest of it.
//!
//! A [`Table`] holds targets with their health and routes of tiers; a [`Plan`] is one request's
//! search through them. The plan is sans-I/O: it is handed events and the time, and answers with
//! actions, so that one engine runs under any runtime, in virtual time and in property tests.
//!
//! ```
//! use llm_router::{Action, Event, Plan, Request, Route, Table, Target, Tokens};
//! use std::time::Instant;
//!
//! # #[expect(clippy::disallowed_methods, reason = "the example is its own shell")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Instant::now();
//! let table = Table::builder()
//!     .target(Target::new("primary", "openai"))
//!     .target(Target::new("backup", "anthropic"))
//!     .route(Route::new("chat").tier(["primary"]).tier(["backup"]))
//!     .build(now)?;
//! let route = table.route("chat").ok_or("no such route")?;
//! let mut plan = Plan::new(table, route, Request::new(), now, 7);
//! let Action::Send { attempt, .. } = plan.poll(now) else { return Ok(()) };
//! plan.on(Event::Succeeded(attempt, Tokens::default()), now);
//! assert_eq!(plan.poll(now), Action::Accept(attempt));
//! # Ok(())
//! # }
//! ```
//!
//! A failure is told as a [`Verdict`](llm_errors::Verdict). `llm-errors` reads it from the reply of a language model; for any other
//! service say yourself what happened: `Verdict::new(ErrorKind::Overloaded, Phase::Sent)`, with a hint where it named one.
//!
//! # What a failure leads to
//!
//! | failure | this target | then |
//! |---|---|---|
//! | rate limit | held for the stated wait, else 1 s doubling to 30 s; asked again if that wait fits the route's patience | a ready sibling at once; the next tier; a longer wait only when nothing else is left |
//! | overloaded, 5xx, an edge's page | once more inside the patience; overloaded with a stated wait: the model is held | a ready sibling at once; another region; the next tier |
//! | timeout | once more, and only when nothing else is left | next target |
//! | bad answer | once more, and only when nothing else is left | next target; after the second bad answer the search ends |
//! | a stream broken after its beginning reached the caller | once more, for the rest, and only when nothing else is left | the rest from a target that takes the beginning, else by beginning anew unseen ([`OnCut`]), else the error |
//! | network | again only when nothing else is left | next target at once |
//! | quota, money | its credential is set aside for the stated time, else 1 h | another credential, else the next target |
//! | organisation's cap | every credential of the organisation, as long | another credential, else the next target |
//! | refused key or permission | set aside for 5 min | next target |
//! | unknown or retired model | set aside for 10 min | next target |
//! | context too long | never | the target named for it, one with a longer or unknown window, else the caller's error |
//! | content filter, refusal | never | a target the route names as less restrictive, else the caller's error |
//! | the caller's own fault | never | the caller's error, at once |
//!
//! # What is learnt of a target, and what follows
//!
//! | learnt | from | what follows |
//! |---|---|---|
//! | its usual time, by kind and size of call | calls that answered | its window is twice the p99, from 2 s up to the route's, while another target is ready; alone, the route's own or twice the p99, whichever is more |
//! | that it hangs | the ages of all calls in flight, each against its like | it is left within 3 s at 20 calls a second, whatever one call usually takes; those under way are sent elsewhere as well |
//! | nothing yet, or nothing of late | no answers | a stream silent for a quarter of its window has another target asked beside it, as a trial that is paid, at half of it in any case; when all have been silent, the answer is degraded one window after the first was asked. A target that is slow by nature is given half as much time again with each such call, until it is known |
//! | the same of calls in which the model [thinks](Thinking) first | such calls alone, over half an hour and more | its window, and whether it hangs, by their own measure (until a hundred are known: half of them take more than 2 min); never that it has grown slow, since how long a model thinks is the request's doing |
//! | that it has grown slow | a call silent for twice its p99, a CUSUM over its times | another target is asked beside it; one that is twice as fast four times in a row, and takes all that comes, opens the breaker of one that is slow beside its own past, for two seconds (or with a call twenty times as slow as usual) and by more than the waves of load known of it explain. However few the calls: each brings its own comparison |
//! | that its answers flow slowly | the time for each token of a stream after the first, which the shell tells of where it waited for the target ([`Plan::flowed`]), and the same CUSUM | a target whose streams flow at half of their usual speed or less, for five seconds and by more than a wave of load, is left for one that is known to be half again as fast, or not known; what is usual takes some 180 streams to learn. Streams in which the model thinks are left out: it rests between its thoughts |
//! | that it is overloaded | slow answers, and nobody else to ask | no call is cut off before the deadline; one that would come too late, behind those already sent, is not sent: it waits here up to 8 s for room, and longer where only its turn has not come; then it is degraded |
//! | that it was ill in the last 30 s | its breaker | callers who wait at another target flee to it one by one, at a seventh of its rate of answers, and are not cut off before |
//! | that it may have healed | a shadow probe every 5 s, within its rate limits and the hours' caps | its probe comes forward to now; of a fallback that nobody calls it is the probe |
//! | its rate limits | reply headers | they are kept here, before the provider refuses |
//!
//! A probe, a slow or silent target and, where the route [hedges](Hedging), a late answer have another target
//! asked beside them, and that one a third: never for calls with side effects, never after a first token. The first good
//! answer wins, an error never does. A call in which the model thinks is not hedged: the second one would think as long, and both
//! are paid.
//!
//! # What a route can say beyond its tiers
//!
//! | said by | what follows |
//! |---|---|
//! | [`Route::on`] | targets for one sort of failure ([`Edge`]) and for nothing else, before the next tier |
//! | [`Route::canary`] | a target on trial beside the first tier: a sequential test on errors, bad answers and times steps its share up, or stops it |
//! | [`Target::price`], [`Policy::max_cost`], [`Allowance`] | every hop has its price; a request, a target's hour and a route's hour have their caps, the hours their alerts |
//! | [`Table::allow`] | one request narrows its targets, by name, by tag, or to the first tier |
//! | [`FailOpen`] | with everything set aside for its health, ask the least bad, or nobody |
//!
//! Targets that share an organisation, a model, a region or a failure domain are set aside together, by the scope of a
//! verdict or where several of them open within a minute with no answer between; see [`Target::model`] and its
//! siblings. Detectors (slowness, hanging, drift of quality) set aside at most half of a route ([`Policy::eject_percent`]); each can be
//! switched off for a target ([`Detectors`]).
//!
//! # Who of a tier is asked
//!
//! | [`Strategy`] | for | how |
//! |---|---|---|
//! | `Weighted` (default) | shares that are agreed | by turns, so that each gets exactly its weight |
//! | `LeastInFlight` | targets of one speed | the fewest calls under way for its weight |
//! | `PowerOfTwo` | targets of different speeds | the better of two drawn ones, by latency that rises at once and falls slowly, times calls under way: two choices are nearly as good as all, and no herd runs to the best one |
//! | `HeadRoom` | several keys near their limits | the largest free share of its scarcest rate limit |
//! | `Cheapest` | batches | the lowest price for a request of this size |
//! | `Sticky` | prompt caches | the same one for the same key; where one is lost, only its own share moves |
//!
//! # How rate limits are kept
//!
//! Each limit of a target ([`Limits`]: requests, tokens, tokens in and out a minute, requests a day, calls at once) is a generic cell rate algorithm: one
//! time in one atomic, moved on by what each call costs; a call is sent where it stays within the burst. The algorithm is that of
//! ITU-T I.371 ("virtual scheduling", as [`ratelimit_meter`](https://docs.rs/ratelimit_meter/latest/ratelimit_meter/algorithms/gcra/index.html)
//! tells, read 2026-11-27); new here are tokens that are reserved by estimate and corrected by the answer, and headers of replies that
//! move the time. [`Pace`] has the formulas. It needs no thread, no timer and no window that turns over.
//!
//! # Limits
//!
//! | what | default | at the limit | why |
//! |---|---|---|---|
//! | wall clock of a request | 30 s | the attempt under way is cancelled, the answer degraded | after that the caller has gone |
//! | the same once a target was asked whose model thinks first | 600 s | the same | what official clients wait ([`Policy::interactive`]) |
//! | tries of one target | 3 | another target, or degraded | a blip is over after one |
//! | upstream calls of one request | 8 | degraded | the bill of one caller's bad luck |
//! | wait for a target's own tier | 2 s | next tier | a short rate limit costs less than another model |
//! | silence before the first token; a whole answer | 10 s; 120 s | next target | until a hundred calls have taught better |
//! | how much longer where the model thinks first | 300 s | next target | longer than any that was measured ([`Windows`]) |
//! | candidates of a route | 128 | [`TableError::TooManyCandidates`] | the tried ones are one word of bits |
//! | repeated calls of one failure domain | 20 % of its successes, 100 saved up ([`Budget::PROVIDER`]) | degraded | with everything failing there are no successes, so that load does not grow when it can be borne least: the idea of [Finagle's budget](https://twitter.github.io/finagle/docs/com/twitter/finagle/service/RetryBudget$.html) (read 2026-11-27), which counts requests instead |
//! | repeated calls of one route | 15 % of its requests, 20 saved up ([`Budget::ROUTE`]) | degraded | what a healthy hour has saved up at the providers is not spent in one outage |
//! | hedges of one route | 10 % of its successes, 20 saved up ([`Hedge::AT_P90`]) | the first call alone | at the p90, one call in ten is what it takes |
//! | calls that compare a target that seems slow with another | 10, one more every 10 s; then the other one's retry budget | it is not compared | a comparison is paid for |
//! | members that detectors have set aside | half of a route | the next is spared | detectors can be wrong about everyone at once |
//! | what a request costs; an hour of a target or a route | no cap | next target; degraded | nobody else's money is known here |
//!
//! Numbers that cannot be meant (no try at all, a budget that holds nothing, steps of a trial that do not rise) are refused by
//! [`TableBuilder::build`] with place and mend.
//!
//! # Features
//!
//! The crate has no Cargo features: no runtime, no HTTP client and no clock to switch on or off.
//!
//! Not done here: sending, sleeping, reading clocks, caching, shaping errors for callers.

mod allow;
mod budget;
mod canary;
mod crowd;
mod cut;
mod detector;
mod eject;
mod estimate;
mod explain;
mod flow;
mod money;
mod pace;
mod plan;
mod purse;
mod reaction;
mod request;
mod resolve;
mod route;
mod scope;
mod select;
mod shadow;
mod strategy;
mod table;
mod target;
mod thinking;
mod trace;
mod turn;
mod vitals;

pub use self::allow::{Allowed, Filter, FilterError};
pub use self::budget::{Budget, Hedge, Learnt};
pub use self::canary::{Arm, CallOutcome, Canary, CanaryState, CanaryVerdict, StopReason};
pub use self::cut::{Form, OnCut, UnknownOnCut};
pub use self::detector::{Detector, Detectors};
pub use self::explain::{Considered, Explanation};
pub use self::money::{Allowance, Billed, Earmark, Ledger, OverCap, Price, Spend, cost};
pub use self::pace::{Cost, Limits, Pace, PaceReadiness, Reservation, Seen};
pub use self::plan::{Action, AttemptId, BadAnswer, Broken, Cause, Event, Mend, Plan};
pub use self::reaction::SetAside;
pub use self::request::Request;
pub use self::route::{
    Edge, FailOpen, Hedging, MAX_CANDIDATES, Member, Policy, Route, RouteId, Truncate, Windows,
};
pub use self::shadow::Shadow;
pub use self::strategy::{Fact, PeakEwma, Strategy, UnknownStrategy, choose};
pub use self::table::{Table, TableBuilder, TableError};
pub use self::target::{Abilities, Target, TargetId};
pub use self::thinking::{Thinking, UnknownThinking};
pub use self::trace::{
    HealthChange, Hop, HopResult, Payer, Refusal, Refused, SpendAlert, Tokens, Trace, WaitSource,
    Why,
};

/// What the page beside this crate shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod testing {
    use std::time::Instant;

    /// An instant to count from; tests move on from it by adding durations.
    #[expect(
        clippy::disallowed_methods,
        reason = "any instant will do, and none can be made up"
    )]
    pub(crate) fn origin() -> Instant {
        Instant::now()
    }
}
