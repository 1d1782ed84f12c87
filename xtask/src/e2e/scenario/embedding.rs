//! Texts in, vectors out: through failures as well.

use super::Expect::{Error, Vectors};
use super::{FIRST, Modes, Players, SECOND, Scenario};

pub(super) fn all() -> Vec<Scenario> {
    let vectors = |name, rules| {
        Scenario::new(name, rules)
            .players(Players::Embedders)
            .modes(Modes::Whole)
    };
    let second = |name, rules| vectors(name, rules).ask(Vectors(SECOND), 1..=2, 1..=1);
    let down = "[[rule]]\npreset = \"unavailable_503\"\n";
    vec![
        vectors("embeddings", "")
            .across()
            .ask(Vectors(FIRST), 1..=1, 0..=0),
        second("embeddings, while the first is down", down).across(),
        second(
            "embeddings, 429, retry after 20 s",
            "[[rule]]\npreset = \"rate_limit\"\nretry_after = \"20s\"\n",
        )
        .across(),
        second("embeddings, reset", "[[rule]]\nreset = {}\n"),
        second(
            "embeddings, silence before headers",
            "[[rule]]\nhang = \"forever\"\n",
        )
        .route("windows = { first_token = \"1s\", whole = \"1s\" }")
        .but(|ask| {
            ask.at_least_ms = 1_000;
            ask.within_ms = 3_500;
        }),
        second(
            "embeddings, a body shorter than promised",
            "[[rule]]\ncut = { after_bytes = 40 }\n",
        ),
        second("embeddings, an empty body", "[[rule]]\nempty = \"body\"\n"),
        second(
            "embeddings, an error with status 200",
            "[[rule]]\nerror_event = { preset = \"server_error\" }\n",
        )
        .across(),
        second(
            "embeddings, JSON that breaks off",
            "[[rule]]\ngarbled = \"json\"\n",
        ),
        vectors("embeddings, everything down", down)
            .second(down)
            .ask(
                Error {
                    class: "InternalServerError",
                    statuses: &[500, 502, 503, 504, 529],
                    says: "",
                },
                1..=3,
                1..=3,
            ),
    ]
}
