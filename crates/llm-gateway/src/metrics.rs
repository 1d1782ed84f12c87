//! What is counted, and how it is shown to Prometheus.
//!
//! Names follow OpenTelemetry's `GenAI` conventions where they have one (semantic-conventions-genai, read 2026-11-23);
//! what a gateway alone has (attempts, fallbacks, breakers) stands under `llm_gateway_`. Every label is bounded: routes
//! and targets come from the configuration, kinds and modes from enums; a name that a caller made up never becomes one.

mod policy;

use self::policy::Policy;
use crate::alert::Alerts;
use crate::config::{Config, Target};
use crate::engine::{self, Client, Spend};
use llm_resilience::breaker::{State, TripReason};
use llm_resilience::router::{Hop, HopResult, Why};
use llm_resilience::{Observer, Outcome, Report};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// Bounds of the duration histograms in seconds: doubling from 10 ms to 82 s, as the conventions advise.
const SECONDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// A counter of seconds.
type Seconds = Counter<f64, AtomicU64>;
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: Arc<str>,
    outcome: &'static str,
    stream: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: Arc<str>,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    route: Arc<str>,
    error_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DegradedLabels {
    route: Arc<str>,
    mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallerLabels {
    caller: Arc<str>,
    route: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    target: Arc<str>,
    /// `answered`, `cancelled`, or the kind of the failure.
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabels {
    target: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabels {
    target: Arc<str>,
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WaitLabels {
    source: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    target: Arc<str>,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AsideLabels {
    target: Arc<str>,
    reason: &'static str,
}

/// The labels of one upstream call, named as the `GenAI` conventions do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    gen_ai_operation_name: &'static str,
    gen_ai_provider_name: Arc<str>,
    gen_ai_request_model: Arc<str>,
    target: Arc<str>,
    /// The kind of the failure; empty for an answer.
    error_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    gen_ai_provider_name: Arc<str>,
    gen_ai_request_model: Arc<str>,
    target: Arc<str>,
}

/// The texts of one target's labels, shared by every count.
#[derive(Debug, Clone)]
struct TargetTexts {
    name: Arc<str>,
    provider: Arc<str>,
    model: Arc<str>,
    /// What is asked of it, as the conventions call it.
    operation: &'static str,
}

/// Everything that is counted. Told of each request by the client, and of refused ones by the server.
///
/// Clones share their counts.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    /// By index of the route.
    routes: Arc<[Arc<str>]>,
    /// By index of the target.
    targets: Arc<[TargetTexts]>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Durations<RouteLabels>,
    failures: Family<FailureLabels, Counter>,
    degraded: Family<DegradedLabels, Counter>,
    rejected: Family<RejectLabels, Counter>,
    callers: Family<CallerLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    retries: Family<TargetLabels, Counter>,
    fallbacks: Family<FallbackLabels, Counter>,
    waits: Family<WaitLabels, Seconds>,
    state: Family<StateLabels, Gauge>,
    aside: Family<AsideLabels, Gauge>,
    in_flight: Family<TargetLabels, Gauge>,
    call_seconds: Durations<CallLabels>,
    first_chunk_seconds: Durations<ModelLabels>,
    input_tokens: Family<ModelLabels, Counter>,
    output_tokens: Family<ModelLabels, Counter>,
    policy: Policy,
    alerts: Arc<Alerts>,
}

fn routes(config: &Config) -> Arc<[Arc<str>]> {
    let routes = config.routes.iter();
    routes.map(|route| Arc::from(route.name.as_str())).collect()
}

fn targets(config: &Config) -> Arc<[TargetTexts]> {
    let texts = |target: &Target| TargetTexts {
        name: Arc::from(target.name.as_str()),
        provider: Arc::from(genai_provider(target.provider.as_str())),
        model: Arc::from(target.model.as_str()),
        operation: match target.embeddings {
            Some(_) => "embeddings",
            None => "chat",
        },
    };
    config.targets.iter().map(texts).collect()
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    /// Counters for the routes and targets of a configuration, all at zero.
    pub(crate) fn new(config: &Config) -> Self {
        let mut registry = Registry::default();
        let durations = || Family::new_with_constructor(histogram as fn() -> Histogram);
        let mut metrics = Self {
            routes: routes(config),
            targets: targets(config),
            registry: Arc::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram as fn() -> Histogram),
            failures: Family::default(),
            degraded: Family::default(),
            rejected: Family::default(),
            callers: Family::default(),
            attempts: Family::default(),
            retries: Family::default(),
            fallbacks: Family::default(),
            waits: Family::default(),
            state: Family::default(),
            aside: Family::default(),
            in_flight: Family::default(),
            call_seconds: Family::new_with_constructor(histogram as fn() -> Histogram),
            first_chunk_seconds: durations(),
            input_tokens: Family::default(),
            output_tokens: Family::default(),
            policy: Policy::default(),
            alerts: Arc::default(),
        };
        metrics.alerts.follow(metrics.names());
        metrics.register(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// The same counts for another configuration. What `self` is still told of, by calls that began before, is counted
    /// under the names they began with.
    pub(crate) fn following(&self, config: &Config) -> Self {
        Self {
            routes: routes(config),
            targets: targets(config),
            ..self.clone()
        }
    }

    fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.targets.iter().map(|texts| &texts.name)
    }

    /// Forgets the states of targets: those that are gone shall not be shown any more.
    pub(crate) fn forget_states(&self) {
        self.alerts.follow(self.names());
        self.state.clear();
        self.aside.clear();
        self.in_flight.clear();
        self.policy.forget_states();
    }

    fn register(&self, registry: &mut Registry) {
        let ours = registry.sub_registry_with_prefix("llm_gateway");
        ours.register(
            "model_data",
            "The day on which public pages about models were read",
            Info::new(vec![("date", engine::model::date())]),
        );
        ours.register(
            "requests",
            "Requests that entered a route, by what the caller got",
            self.requests.clone(),
        );
        ours.register_with_unit(
            "request_duration",
            "From the request to the end of its answer, as the caller saw it",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        ours.register(
            "failures",
            "Requests that ended in an error, by the kind of the error",
            self.failures.clone(),
        );
        ours.register(
            "degraded",
            "Requests answered by less than a model's fresh answer",
            self.degraded.clone(),
        );
        ours.register(
            "rejected",
            "Requests that never entered a route",
            self.rejected.clone(),
        );
        ours.register(
            "caller_requests",
            "Requests that entered a route, by who sent them",
            self.callers.clone(),
        );
        ours.register(
            "upstream_attempts",
            "Upstream calls by target and result",
            self.attempts.clone(),
        );
        ours.register(
            "retries",
            "Upstream calls that repeated one to the same target",
            self.retries.clone(),
        );
        ours.register(
            "fallbacks",
            "Upstream calls to another target than the one before",
            self.fallbacks.clone(),
        );
        ours.register_with_unit(
            "wait",
            "Time waited before upstream calls",
            Unit::Seconds,
            self.waits.clone(),
        );
        ours.register(
            "breaker_state",
            "1 for the state each target's breaker is in",
            self.state.clone(),
        );
        ours.register(
            "set_aside",
            "1 where a target is refused calls, and why",
            self.aside.clone(),
        );
        ours.register(
            "in_flight",
            "Upstream calls under way",
            self.in_flight.clone(),
        );
        self.policy.register(ours);
        let genai = registry.sub_registry_with_prefix("gen_ai_client_inference");
        genai.register_with_unit(
            "duration",
            "Duration of upstream calls",
            Unit::Seconds,
            self.call_seconds.clone(),
        );
        genai.register_with_unit(
            "time_to_first_chunk",
            "From the send to the first token of streamed upstream calls",
            Unit::Seconds,
            self.first_chunk_seconds.clone(),
        );
        genai.register(
            "usage_input_tokens",
            "Tokens of prompts, as providers reported them",
            self.input_tokens.clone(),
        );
        genai.register(
            "usage_output_tokens",
            "Tokens of answers, as providers reported them",
            self.output_tokens.clone(),
        );
    }

    /// Counts a request that never entered a route.
    pub(crate) fn rejected(&self, reason: &'static str) {
        self.rejected.get_or_create(&RejectLabels { reason }).inc();
    }

    /// Counts a request of a caller who has a name.
    pub(crate) fn called(&self, caller: Option<&Arc<str>>, route: &str) {
        let route = self.routes.iter().find(|known| ***known == *route);
        if let (Some(caller), Some(route)) = (caller, route) {
            let labels = CallerLabels {
                caller: Arc::clone(caller),
                route: Arc::clone(route),
            };
            self.callers.get_or_create(&labels).inc();
        }
    }

    /// Takes in what a call of a caller cost, and whether it crossed an alert of the caller's.
    pub(crate) fn charged(&self, caller: &Arc<str>, cost: Spend, alert: bool) {
        self.policy.charged(caller, cost, alert);
    }

    /// All metrics in Prometheus' text form, with the health of every target as of `now`.
    pub(crate) fn render(&self, client: &Client, now: Instant) -> String {
        let table = client.table();
        for target in table.targets() {
            let name: Arc<str> = Arc::from(table.target_name(target));
            let seen = engine::health(client, target, now);
            for state in [State::Closed, State::HalfOpen, State::Open] {
                let labels = StateLabels {
                    target: Arc::clone(&name),
                    state: state.as_str(),
                };
                self.state
                    .get_or_create(&labels)
                    .set(i64::from(state == seen.state));
            }
            let reason = engine::reason(&seen);
            for known in TripReason::ALL
                .iter()
                .filter(|known| **known != TripReason::None)
            {
                let labels = AsideLabels {
                    target: Arc::clone(&name),
                    reason: known.as_str(),
                };
                let now_so = reason == *known;
                let known_so = self.aside.get(&labels).is_some();
                if now_so || known_so {
                    self.aside.get_or_create(&labels).set(i64::from(now_so));
                }
            }
            let labels = TargetLabels {
                target: Arc::clone(&name),
            };
            self.in_flight
                .get_or_create(&labels)
                .set(i64::from(table.in_flight(target)));
        }
        self.policy.look(client, now);
        let mut text = String::with_capacity(16 << 10);
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn hop(&self, hop: &Hop) {
        let Some(texts) = self.targets.get(hop.target.index()) else {
            return;
        };
        let (result, error_type) = match hop.result {
            HopResult::Answered(_) => ("answered", ""),
            HopResult::Failed(verdict) => (verdict.kind.as_str(), verdict.kind.as_str()),
            HopResult::Diverged => ("diverged", ""),
            _ => ("cancelled", "cancelled"),
        };
        self.attempts
            .get_or_create(&AttemptLabels {
                target: Arc::clone(&texts.name),
                result,
            })
            .inc();
        match hop.why {
            Why::First => {}
            Why::Retry => {
                self.retries
                    .get_or_create(&TargetLabels {
                        target: Arc::clone(&texts.name),
                    })
                    .inc();
            }
            why => {
                let labels = FallbackLabels {
                    target: Arc::clone(&texts.name),
                    why: why.as_str(),
                };
                self.fallbacks.get_or_create(&labels).inc();
            }
        }
        if let Some((wait, source)) = hop.waited {
            self.waits
                .get_or_create(&WaitLabels {
                    source: source.as_str(),
                })
                .inc_by(wait.as_secs_f64());
        }
        if let Some(took) = hop.took() {
            let labels = CallLabels {
                gen_ai_operation_name: texts.operation,
                gen_ai_provider_name: Arc::clone(&texts.provider),
                gen_ai_request_model: Arc::clone(&texts.model),
                target: Arc::clone(&texts.name),
                error_type,
            };
            self.call_seconds
                .get_or_create(&labels)
                .observe(took.as_secs_f64());
        }
        let model = || ModelLabels {
            gen_ai_provider_name: Arc::clone(&texts.provider),
            gen_ai_request_model: Arc::clone(&texts.model),
            target: Arc::clone(&texts.name),
        };
        if let Some(first) = hop.first_token_after {
            let waited: Duration = first.saturating_sub(hop.sent_after);
            self.first_chunk_seconds
                .get_or_create(&model())
                .observe(waited.as_secs_f64());
        }
        if let HopResult::Answered(tokens) = hop.result {
            self.input_tokens
                .get_or_create(&model())
                .inc_by(u64::from(tokens.input));
            self.output_tokens
                .get_or_create(&model())
                .inc_by(u64::from(tokens.output));
        }
    }
}

impl Observer for Metrics {
    fn finished(&self, report: &Report<'_>) {
        self.alerts.finished(report);
        for hop in &report.trace.hops {
            self.hop(hop);
        }
        let Some(route) = self.routes.get(report.trace.route.index()) else {
            return;
        };
        self.policy.finished(report, route, &self.targets);
        let outcome = report.outcome.as_str();
        let stream = if report.streamed { "true" } else { "false" };
        self.requests
            .get_or_create(&RequestLabels {
                route: Arc::clone(route),
                outcome,
                stream,
            })
            .inc();
        self.request_seconds
            .get_or_create(&RouteLabels {
                route: Arc::clone(route),
                outcome,
            })
            .observe(report.took.as_secs_f64());
        match report.outcome {
            Outcome::Degraded(mode) => {
                let labels = DegradedLabels {
                    route: Arc::clone(route),
                    mode: mode.as_str(),
                };
                self.degraded.get_or_create(&labels).inc();
            }
            Outcome::Failed(kind) => {
                let labels = FailureLabels {
                    route: Arc::clone(route),
                    error_type: kind.as_str(),
                };
                self.failures.get_or_create(&labels).inc();
            }
            _ => {}
        }
    }
}

/// The conventions' name of a provider, where it differs from ours
/// (`gen_ai.provider.name`, semantic-conventions-genai, read 2026-11-23).
fn genai_provider(ours: &str) -> &str {
    match ours {
        "azure_openai" => "azure.ai.openai",
        "bedrock" => "aws.bedrock",
        "gemini" => "gcp.gemini",
        "vertex" => "gcp.vertex_ai",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        other => other,
    }
}

#[cfg(test)]
mod tests;
