//! Circuit breaker and health of one target: should it be called, and what do its answers say?
//!
//! A target is anything that fails on its own: a model behind one key, a key, a model, a provider. Give each a [`Breaker`],
//! ask it before a call, tell it afterwards.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use llm_breaker::{Breaker, BreakerConfig, Outcome, Readiness};
//!
//! let now = Instant::now();
//! let breaker = Breaker::new(BreakerConfig::default(), now);
//!
//! for _ in 0..5 {
//!     let permit = breaker.permit(now)?;
//!     permit.record(Outcome::Hard, now);
//! }
//! let later = now + Duration::from_secs(60);
//! assert_eq!(breaker.readiness(now), Readiness::Open(later));
//! assert_eq!(breaker.readiness(later), Readiness::Probe);
//! # Ok::<(), llm_breaker::Rejected>(())
//! ```
//!
//! # States
//!
//! ```text
//!              5 hard failures or 5 bad answers in a row inside 60 s
//!              half of >= 20 results in 30 s failed · bad answers x10 · trip()
//!   +--------+ ----------------------------------------------------> +--------+ <--- open_until(): quota, key, bill
//!   | Closed |                                                       |  Open  |
//!   +--------+ <--------------------------+             +----------> +--------+
//!        ^                        no ramp |             |  probe bad      | 60 s, 120 s, 240 s, 300 s ...
//!        |                                |             |                 | or a good shadow probe
//!        |          +------+  probe good  |        +---------+            |
//!        +--------- | Ramp | <-----------------+-- | HalfOpen| <----------+  next acquire() is the probe
//!      100 %        +------+                       +---------+
//!                   10 % 25 % 50 %                    ^   |  lease over, abandoned, neutral
//!                     | as above, or 3 more           +---+  next acquire() is the probe
//!                     | hard failures than good
//!                     +--> Open
//!
//!   beside all of it: hold(until), a rate limit waited out. It refuses, and changes nothing.
//! ```
//!
//! Who knows that a cause is gone (the bill is paid) brings the probe forward by [`Breaker::recall`].
//!
//! No state but *closed* lasts unless somebody acts: an opening ends at its instant, a probe's lease expires, a ramp goes by the
//! clock. A lost call, a panic or a cancelled future can therefore not leave a target shut for good. Where no call comes to be the probe, a shadow
//! probe is, five seconds after it was due.
//!
//! # What counts
//!
//! | [`Outcome`] | streak | window | probe | ramp |
//! |---|---|---|---|---|
//! | `Success` | ends it | good | starts the ramp | goes on |
//! | [`begin`](Breaker::begin) of a stream | ends that of calls that fail at once | good | starts the ramp | goes on |
//! | its good end | ends those of broken streams and of bad answers | – | – | – |
//! | its failure | that of broken streams +1 if it is `Hard` | failure in place of the good one | – | as below |
//! | `Hard` | +1 | failure | opens again, for longer | step not cut short; 3 more than good ones since the probe: opens |
//! | `Soft` | – | half a failure | opens again, as long as before | step not cut short |
//! | `BadAnswer` | +1 on its own | half a failure | opens again, for longer | step not cut short |
//! | `Neutral` | – | – | frees the lease | – |
//! | abandoned | – | – | frees the lease | – |
//!
//! A soft failure counts half, so a target that says "busy" to everyone opens, and one that says so to two callers of three does not:
//! there it is the rate limit's own pace, kept by [`Breaker::hold`], that helps.
//!
//! A call is one result, also where its answer is a stream of minutes: good from its first token on, and a failure instead once it breaks. So
//! a probe need not flow to its end before others are let in, and the share of failures is the share of calls that failed. Five
//! broken streams in a row open the breaker as five calls that fail at once do, whatever begins between them; but only if they are a third
//! of the window's calls, for among answers of minutes those that break are the first to end.
//!
//! A target that has healed need not be perfect to come back. No failure makes a ramp begin anew, so it is over after 30 s at the latest unless
//! it opens again; only five good results for each failure, and five, cut a step short. All that opens a closed breaker opens it in a
//! ramp, and so do three more hard failures than good results since the probe, the probe's included. By `tests/ramp.rs`, where calls
//! answer at once:
//!
//! | calls that fail hard | what becomes of the ramp at 2 ... 2 000 calls a second | callers who meet a failure: half of the ramps, 19 of 20 |
//! |---|---|---|
//! | 0, 2, 5, 10 % | closed after 3 to 30 s | |
//! | 60 % | opens (at 2 a second it is closed in 30 of 100: too few results) | 9, 30 |
//! | 80 % | opens | 5, 12 |
//! | all | opens | 4, 4 |
//!
//! Streams that break are found later, when they do. While the last stream that ended was a broken one, beginnings therefore cut no step short.
//!
//! Results carry the epoch they were admitted in. One that arrives after the breaker has changed its state is counted as late and
//! otherwise ignored: a success from before the outage does not end it, and a stream from before it that breaks is nobody's probe. The end of a
//! probe's stream belongs to the ramp that its beginning began. A probe that outlasts its lease is not late: another is sent beside
//! it, and whichever ends first decides, so that a target whose answers take longer than any lease comes back as well.
//!
//! While a probe is out, [`Rejected::retry_at`] and [`Readiness::Open`] say when it may have answered: the usual time to first token
//! after it was sent (one second where that is not known), then twice that, four times and so on. Who waits for it so is no crowd when it is good:
//! the ramp lets one in ten of them in.
//!
//! Where bad answers are usual some follow each other by chance. There the row must be longer: so long that it comes about once in 40 000
//! calls, which is six from 12 % on and seven at 20 %.
//!
//! # Defaults
//!
//! | setting | default | why |
//! |---|---|---|
//! | `failures`, `failure_window` | 5 in 60 s | sees a dead target at once; blind to partial trouble (30 % failures: 586 calls), hence the next |
//! | `ratio`, `samples`, `ratio_window` | 50 % of ≥ 20 in 30 s | exact buckets; a decaying average would hide a fast burst |
//! | `cooldown`, `cooldown_max` | 60 s, doubling to 300 s | short enough for blips, and no hammering on a long outage |
//! | `heal` | 60 s | one healthy minute forgives one repetition; forgiving all at the first success makes flapping cheap |
//! | `lease` | 150 s | longer than nearly any answer; a lost probe costs one lease, never the target. Of probes that outlast theirs the first to end decides |
//! | `ramp_step`, `ramp_good` | 10 s or 5 good | a healed target is not met by everybody at once; at least 3 s in all, at most 30 s, whatever fails |
//! | `shadow_every` | 5 s | recovery is noticed within seconds although no caller waits for it |
//! | `alerts` | 5 %, 15 % | the rates at which a person should look, and should be woken |
//!
//! [`Breaker::reconfigure`] changes any of them on a living breaker.
//!
//! # Detectors
//!
//! | detector | signal | alarm | by itself it |
//! |---|---|---|---|
//! | [`LatencyDetector`] | time to first token, time per output token | CUSUM of likelihoods against the learnt shares of times | says so; `llm-router` asks a peer beside it, and leaves it for one that is faster |
//! | bad answers (inside the breaker) | share of [`Outcome::BadAnswer`] | CUSUM of likelihoods against the usual share | opens |
//! | [`HangDetector`] | the ages of calls in flight | the same, against the learnt shares of slower calls | says so |
//!
//! | calls until a target that takes 3, 4, 10 times as long is seen (median) | x3 | x4 | x10 | false alarms in 300 000 calls |
//! |---|---|---|---|---|
//! | lognormal, sigma 0.6, 3 % eight times as slow: the numbers were chosen on this one | 10 | 7 | 4 | 3 |
//! | lognormal, sigma 0.2 | 6 | 5 | 5 | 0 |
//! | lognormal, sigma 1.1 | 17 | 12 | 6 | 12 |
//! | lognormal, sigma 0.35, 10 % eight times as slow | 5 | 5 | 5 | 5 |
//! | bimodal: one in four four times as slow | 10 | 12 | 4 | 0 |
//! | Pareto tail, exponent 2 | 7 | 5 | 4 | 1 |
//! | Pareto tail, exponent 1.2 | 10 | 7 | 4 | 26 |
//! | sigma 0.6 again, successive calls correlated 0.5; 0.9 | 11; 23 | - | 6; 14 | 79; 51 |
//!
//! Long prompts take longer, and to a detector that does not tell them apart they make times of any target wide. Where half of all calls have prompts
//! of 100 tokens and half of 4 000, four times as slow (sigma 0.4, 2 % eight times as slow), a factor of three is seen in 14 calls with 1 false alarm in
//! 300 000 by one that takes them together, in 7 with none by one that weighs each against its like ([`LatencyDetector::with_classes`]).
//!
//! With sigma 1.1 a factor of 3 is one standard deviation: (ln 3)^2 / (2 x 1.1^2) = 0.5 nats a call. Whoever knew the law and the factor
//! beforehand, and took the best test there is (Page's CUSUM: Lorden, Ann. Math. Statist. 42, 1971; Moustakides, Ann. Statist. 14, 1986), would
//! need 15 calls on average for one false alarm in 10 000 and 17 for one in 25 000 (thresholds by Siegmund, *Sequential Analysis*, 1985): 12
//! calls and one in 10 000 cannot both be had. `tests/detectors.rs` makes that all-knowing test and measures it. This detector knows neither
//! law nor factor, and takes 17. How much times are spread decides: up to sigma 0.8 or so the bound is below 9.
//!
//! A target that hangs at 20 calls a second is seen after 2.35 to 2.7 s on all of these, and on whole answers whose p90 is 3.1 s; at
//! two calls a second after 2.5 to 5. Not one false alarm in 100 000 calls of any of them, nor under load waves that slow all calls of a
//! second together, by a factor whose logarithm is an AR(1) (0.5 or 0.9 from second to second, standard deviation 0.5); a hang in the midst of
//! such waves is seen within 3 s at 20 calls a second. A wave of many times the usual, and what is slow for seconds in a world of waves, is not taken for
//! more than a wave: see [`LatencyDetector::may_be_wave`], and docs/simulation.md for fleets in waves. Where *successive calls* hang together (correlated 0.9) there is one in 100 000. `tests/detectors.rs` and `tests/hang.rs` measure it. These are models; no provider's traffic was used.
//!
//! Bad answers, with the share of them that a target always has: how rarely the breaker opens for nothing, by share or streak, and after how many
//! calls (median) it opens when the share becomes 30, 60 or 100 % (a test in `quality.rs` holds the table to the code):
//!
//! | usual share | false openings, one in calls | calls until 30 % is found | 60 % | 100 % |
//! |---|---|---|---|---|
//! | 0.2 % | 10 000 000 | 10 | 5 | 3 |
//! | 1 % | 40 000 | 11 | 5 | 3 |
//! | 2 % | 29 000 | 14 | 6 | 4 |
//! | 3 % | 30 000 | 17 | 7 | 4 |
//! | 5 % | 30 000 | 24 | 9 | 5 |
//! | 10 % | 30 000 | 45 | 14 | 5 |
//! | 20 % | 20 000 | 189 | 32 | 7 |
//!
//! From 20 % to 30 % an answer says 0.03 nats, a thirtieth of what it says from 1 %: who wants one false opening in 10 000 calls must wait for a hundred
//! or two. Where hardly any answer is bad three in a row are a rise of the share; the streak of five is for a target that is not known yet.
//!
//! [`EjectionCap`] keeps detectors from setting aside more than half of a pool, [`Promotion`] tells when the openings of several
//! narrow scopes are one trouble of the wider one.
//!
//! # Where the numbers are from
//!
//! Half of at least 20 results are the defaults of Hystrix (`errorThresholdPercentage`, `requestVolumeThreshold`; wiki page *Configuration*, read
//! 2026-11-27), which looks at 10 s and not at 30: these calls are rarer. The CUSUM is Page's (Biometrika 41, 1954), its threshold for bad answers after
//! Siegmund's approximation, its martingale bound in the hang detector Ville's. The steps of the ramp, the doubling cooldown, what is
//! learnt of levels and waves, and the factor of three that counts as slow are choices of ours, tried on the models above.
//!
//! # Cost
//!
//! Two relaxed loads say *ready*; admission and record of a good call are about 15 ns together, from two threads at once hardly more, since
//! good results are counted in stripes, a thread in its own (see `benches/admit_and_record.rs`). No lock, no allocation after construction,
//! about 3 KiB a breaker. The state is one 64-bit word, so every transition is one compare-and-swap; `loom` checks the interleavings, and a property test holds the whole to a naive twin.
//!
//! # What it does not do
//!
//! It starts nothing and reads no clock: `now` is always an argument. It does not choose between targets, wait, or send probes by itself.
//!
//! There are no features.

mod baseline;
mod breaker;
mod config;
mod gate;
mod hang;
mod latency;
mod levels;
#[cfg(all(test, loom))]
mod loom_tests;
mod outcome;
mod pool;
mod probe;
mod quality;
mod ramp;
mod reason;
mod settings;
mod settle;
mod snapshot;
mod streak;
mod stripe;
mod sync;
mod ticket;
mod trip;
mod unrest;
mod waves;
mod window;

pub use self::breaker::Breaker;
pub use self::config::{BreakerConfig, BreakerConfigBuilder, ConfigError, FAILURES_MAX};
pub use self::gate::Mode;
pub use self::hang::{HangDetector, Waiting};
pub use self::latency::{LatencyDetector, SLOW};
pub use self::outcome::{Change, Outcome, Readiness};
pub use self::pool::{EjectionCap, Promotion};
pub use self::reason::TripReason;
pub use self::snapshot::{Alert, Snapshot, State};
pub use self::ticket::{Permit, Rejected, Ticket};
pub use self::unrest::Unrest;

/// What the page beside this crate shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
