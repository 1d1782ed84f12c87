//! Every scenario there is, in the order of the three layers: retry, fallback, degraded answer; then the caller's own
//! faults, and features that must survive a failure.

use super::Expect::{Answer, Broken, Degraded, Error, ErrorUntil, HangUp, Models, Schema, Tool};
use super::{FIRST, Feature, Modes, SECOND, Scenario, Upstream, stream};

const DOWN: &str = "[[rule]]\npreset = \"unavailable_503\"\n";

const SILENT: &str = "[[rule]]\nhang = \"forever\"\n";

/// The time that a first token may take, and what is said in its place.
const SOON: &str = "windows = { first_token = \"4s\" }\ndegraded = [{ mode = \"message\", text = \"We are having trouble just now.\", contact = \"help@example.com\" }]";

/// Windows short enough to wait for.
const SHORT_WINDOWS: &str =
    "windows = { connect = \"1s\", first_token = \"1s\", idle = \"1s\", whole = \"1s\" }";

/// The same, for a stream whose rest nobody is to tell.
const NOT_CONTINUED: &str = "on_cut = \"error\"\nwindows = { connect = \"1s\", first_token = \"1s\", idle = \"1s\", whole = \"1s\" }";

pub(in super::super) fn all() -> Vec<Scenario> {
    let mut list =
        vec![
            Scenario::new("healthy", "")
                .everyone()
                .across()
                .ask(Answer(FIRST), 1..=1, 0..=0),
        ];
    list.extend(rate_limits());
    list.extend(set_aside());
    list.extend(provider_faults());
    list.extend(broken_answers());
    list.extend(everything_down());
    list.extend(callers_faults());
    list.extend(features());
    list.extend(stream::all());
    list.extend(super::embedding::all());
    list.extend(super::engine::all());
    list
}

fn rate_limits() -> Vec<Scenario> {
    let long = "[[rule]]\npreset = \"rate_limit\"\nretry_after = \"20s\"\n";
    vec![
        Scenario::new(
            "429, retry after 20 s: the second answers at once, the first is left alone",
            long,
        )
        .across()
        .ask(Answer(SECOND), 1..=1, 1..=1)
        // Far less than the 20 s.
        .but(|ask| ask.within_ms = 3_000)
        .ask(Answer(SECOND), 1..=1, 2..=2),
        Scenario::new(
            "429, retry after 1 s: waited out, the first answers",
            "[[rule]]\ncalls = \"1\"\npreset = \"rate_limit\"\nretry_after = \"1s\"\n",
        )
        .ask(Answer(FIRST), 2..=2, 0..=0)
        .but(|ask| {
            ask.at_least_ms = 1_000;
            ask.within_ms = 5_000;
        }),
        Scenario::new(
            "429, retry after 2 s, no patience: the second answers at once",
            "[[rule]]\npreset = \"rate_limit\"\nretry_after = \"2s\"\n",
        )
        .route("patience = \"0s\"")
        .ask(Answer(SECOND), 1..=1, 1..=1)
        .but(|ask| ask.within_ms = 1_900),
        // Some calls until it is known, and then none but one every 5 s to see whether it is back: not one for each of the forty.
        Scenario::new(
            "503, retry after 0 s, for ever: left alone all the same",
            "[[rule]]\npreset = \"unavailable_503\"\nretry_after = \"0s\"\n",
        )
        .ask(Answer(SECOND), 20..=26, 40..=40)
        .but(|ask| ask.times = 40),
        Scenario::new(
            "429 for tokens a minute",
            "[[rule]]\npreset = \"rate_limit_tokens\"\nretry_after = \"20s\"\n",
        )
        .ask(Answer(SECOND), 1..=1, 1..=1),
    ]
}

/// Failures after which a provider is asked nothing more for a long time.
fn set_aside() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "429 insufficient_quota: one call, then none",
            "[[rule]]\npreset = \"insufficient_quota\"\n",
        )
        .across()
        .ask(Answer(SECOND), 1..=1, 1..=1)
        .ask(Answer(SECOND), 1..=1, 2..=2)
        .ask(Answer(SECOND), 1..=1, 3..=3),
        Scenario::new(
            "401: one call, then none",
            "[[rule]]\npreset = \"invalid_key\"\n",
        )
        .across()
        .ask(Answer(SECOND), 1..=1, 1..=1)
        .ask(Answer(SECOND), 1..=1, 2..=2),
    ]
}

fn provider_faults() -> Vec<Scenario> {
    // One quick retry of the same provider is allowed before the next tier.
    let second = |name, rules| Scenario::new(name, rules).ask(Answer(SECOND), 1..=2, 1..=1);
    // A provider that may still be at work is not asked again while another is left.
    let once = |name, rules| {
        Scenario::new(name, rules)
            .route(SHORT_WINDOWS)
            .ask(Answer(SECOND), 1..=1, 1..=1)
            .but(|ask| {
                ask.at_least_ms = 1_000;
                ask.within_ms = 3_000;
            })
    };
    vec![
        second("503", DOWN).everyone().across(),
        second("529", "[[rule]]\npreset = \"overloaded_529\"\n"),
        second("500", "[[rule]]\npreset = \"server_error\"\n"),
        second("502 with HTML", "[[rule]]\npreset = \"html_502\"\n"),
        Scenario::new(
            "503 once: the quick retry is enough",
            "[[rule]]\ncalls = \"1\"\npreset = \"unavailable_503\"\n",
        )
        .ask(Answer(FIRST), 2..=2, 0..=0),
        Scenario {
            first: Upstream::Refused,
            ..Scenario::new("connection refused", "")
                .across()
                .ask(Answer(SECOND), 0..=0, 1..=1)
        },
        second("reset", "[[rule]]\nreset = {}\n").across(),
        second("closed without a reply", "[[rule]]\nclose = true\n"),
        once("silence before headers", "[[rule]]\nhang = \"forever\"\n").across(),
        once(
            "silence before the first token",
            "[[rule]]\nsilence = \"forever\"\n",
        )
        .across(),
        Scenario {
            siblings: true,
            // Each of them is chosen first now and then: one call would show nothing.
            ..Scenario::new(
                "one of two siblings is down: the other answers at once, and is soon chosen alone",
                "[[rule]]\npreset = \"server_error\"\n",
            )
            .ask(Answer(SECOND), 1..=8, 20..=20)
            .but(|ask| {
                ask.times = 20;
                ask.within_ms = 2_500;
                ask.median_ms = 500;
            })
        },
    ]
}

/// Answers that begin well, or look well, and are not.
fn broken_answers() -> Vec<Scenario> {
    let second = |name, rules| Scenario::new(name, rules).ask(Answer(SECOND), 1..=2, 1..=1);
    let broken = |name, rules| {
        Scenario::new(name, rules)
            .modes(Modes::Streamed)
            .route(NOT_CONTINUED)
            .ask(Broken, 1..=1, 0..=0)
    };
    vec![
        second(
            "cut before the first token",
            "[[rule]]\ncut = { after_chunks = 0 }\n",
        )
        .across(),
        second(
            "ended in order before the first token",
            "[[rule]]\ncut = { after_chunks = 0, clean = true }\n",
        )
        .modes(Modes::Streamed),
        second(
            "an error event before the first token",
            "[[rule]]\nerror_event = { preset = \"overloaded_529\" }\n",
        )
        .modes(Modes::Streamed)
        .across(),
        second(
            "a body shorter than promised",
            "[[rule]]\ncut = { after_bytes = 40 }\n",
        )
        .modes(Modes::Whole),
        second("an empty answer", "[[rule]]\nempty = \"content\"\n"),
        second("an empty body", "[[rule]]\nempty = \"body\"\n"),
        second(
            "a page of HTML with status 200",
            "[[rule]]\ngarbled = \"html\"\n",
        ),
        second("JSON that breaks off", "[[rule]]\ngarbled = \"json\"\n").modes(Modes::Whole),
        // What it carried is lost, so what follows would be a shortened answer.
        broken(
            "a content event that cannot be read",
            "[[rule]]\ngarbled = \"event\"\n",
        )
        .across(),
        Scenario::new("one byte at a time", "[[rule]]\ndrip = \"0ms\"\n")
            .across()
            .ask(Answer(FIRST), 1..=1, 0..=0),
        broken(
            "cut after the third word",
            "[[rule]]\ncut = { after_chunks = 3 }\n",
        )
        .across(),
        broken(
            "ended in order after the third word",
            "[[rule]]\ncut = { after_chunks = 3, clean = true }\n",
        )
        .across(),
        broken(
            "reset after the third word",
            "[[rule]]\nreset = { after_chunks = 3 }\n",
        ),
        broken(
            "an error event after the third word",
            "[[rule]]\nerror_event = { after_chunks = 3, preset = \"server_error\" }\n",
        )
        .across(),
        broken(
            "silence after the third word",
            "[[rule]]\nstall = { after_chunks = 3 }\n",
        ),
    ]
}

fn everything_down() -> Vec<Scenario> {
    let cached = "degraded = [{ mode = \"cached\" }]";
    let message = "degraded = [{ mode = \"cached\" }, { mode = \"message\", text = \"We are having trouble just now.\", contact = \"help@example.com\" }]";
    let down = Error {
        class: "InternalServerError",
        statuses: &[500, 502, 503, 504, 529],
        says: "",
    };
    let limited = "[[rule]]\npreset = \"rate_limit\"\nretry_after = \"20s\"\n";
    // Where nothing is left, a caller who waits is worth three attempts of each target at most.
    vec![
        Scenario::new("everything down", DOWN).second(DOWN).everyone().across().ask(down, 1..=3, 1..=3),
        // One call of each provider a request, and a fifth of that beside them.
        Scenario::new("everything down for twenty calls: 2.2 calls a request at most", DOWN)
            .second(DOWN)
            .ask(down, 5..=30, 5..=30)
            .but(|ask| {
                ask.times = 20;
                ask.calls_in_all = 44;
            }),
        // Nobody is known yet, so both are asked, and both within the time that a first token may take.
        Scenario::new("everything silent before anything is known: an honest message within one first token's time", SILENT)
            .second(SILENT)
            .modes(Modes::Streamed)
            .route(SOON)
            .ask(Degraded { mode: "message", says: "We are having trouble just now." }, 1..=6, 1..=6)
            .but(|ask| {
                ask.times = 3;
                ask.within_ms = 5_000;
                ask.calls_in_all = 6;
            }),
        Scenario::new("everything rate limited past the deadline: the caller learns at once when to come back", limited)
            .second(limited)
            .route("deadline = \"5s\"")
            .ask(ErrorUntil { class: "RateLimitError", statuses: &[429], within_s: 25 }, 1..=1, 1..=1)
            .but(|ask| ask.within_ms = 2_500),
        Scenario::new("everything down, an earlier answer is kept: cached", "")
            .route(cached)
            .across()
            .ask(Answer(FIRST), 1..=1, 0..=0)
            .then_rules(DOWN, DOWN)
            .ask(Degraded { mode: "cached", says: "the first provider" }, 2..=4, 1..=3),
        Scenario::new("everything down, another prompt: nothing kept, an honest error", "")
            .route(cached)
            .ask(Answer(FIRST), 1..=1, 0..=0)
            .then_rules(DOWN, DOWN)
            .ask(down, 2..=4, 1..=3)
            .but(|ask| ask.prompt = "Say something about the mountains."),
        Scenario::new("everything down, an honest message", DOWN)
            .second(DOWN)
            .route(message)
            .across()
            .ask(Degraded { mode: "message", says: "We are having trouble just now." }, 1..=3, 1..=3),
        Scenario::new("everything down, a static answer", DOWN)
            .second(DOWN)
            .route("degraded = [{ mode = \"static\", text = \"Our office is open from nine to five.\" }]")
            .ask(Degraded { mode: "static", says: "from nine to five" }, 1..=3, 1..=3),
    ]
}

fn callers_faults() -> Vec<Scenario> {
    let refused = |class, says| Error {
        class,
        statuses: &[400],
        says,
    };
    vec![
        Scenario::new(
            "the caller's own 400: one call in all",
            "[[rule]]\npreset = \"invalid_request\"\n",
        )
        .across()
        .ask(refused("BadRequestError", ""), 1..=1, 0..=0),
        Scenario::new(
            "a content filter: the caller's error, one call in all",
            "[[rule]]\npreset = \"content_filter\"\n",
        )
        .ask(refused("BadRequestError", ""), 1..=1, 0..=0),
        Scenario::new(
            "context_length_exceeded: the longer window answers, nobody is set aside",
            "[[rule]]\npreset = \"context_length\"\n",
        )
        .across()
        .ask(Answer(SECOND), 1..=1, 1..=1)
        .ask(Answer(SECOND), 2..=2, 2..=2),
        Scenario {
            second_window: 4_000,
            ..Scenario::new(
                "context_length_exceeded and no longer window: the caller's error",
                "[[rule]]\npreset = \"context_length\"\n",
            )
            .ask(refused("BadRequestError", ""), 1..=1, 0..=0)
        },
        Scenario::new("an unknown model: the nearest is named", "")
            .ask(
                Error {
                    class: "NotFoundError",
                    statuses: &[404],
                    says: "chat",
                },
                0..=0,
                0..=0,
            )
            .but(|ask| ask.model = "chta"),
    ]
}

fn features() -> Vec<Scenario> {
    vec![
        Scenario::new("tools", "")
            .everyone()
            .across()
            .ask(Tool(FIRST), 2..=2, 0..=0),
        Scenario::new("tools, while the first is down", DOWN)
            .everyone()
            .across()
            .ask(Tool(SECOND), 1..=4, 2..=2),
        Scenario::new("a picture, while the first is down", DOWN)
            .everyone()
            .across()
            .ask(Answer(SECOND), 1..=2, 1..=1)
            .but(|ask| ask.feature = Some(Feature::Picture)),
        Scenario::new("a JSON schema, while the first is down", DOWN)
            .everyone()
            .across()
            .ask(Schema(SECOND), 1..=2, 1..=1)
            .but(|ask| ask.feature = Some(Feature::Schema)),
        Scenario::new(
            "the caller hangs up: the provider's call is cancelled",
            "[[rule]]\nslow = { per_chunk = \"400ms\" }\n",
        )
        .modes(Modes::Streamed)
        .across()
        .ask(HangUp, 1..=1, 0..=0),
        Scenario::new("the list of models", "")
            .modes(Modes::Whole)
            .ask(Models, 0..=0, 0..=0),
    ]
}
