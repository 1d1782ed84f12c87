//! The scenarios, as data: how the first provider fails, what the caller must see, and which calls each provider must
//! have received by then. Every scenario runs with every SDK, streamed and not, unless it says otherwise.

mod embedding;
mod engine;
mod list;
mod stream;

use std::ops::RangeInclusive;

use super::driver::Sdk;

pub(super) use list::all;
pub(super) use stream::LONG_WORDS;

/// Index of the first and of the second provider of the route.
pub(super) const FIRST: usize = 0;
pub(super) const SECOND: usize = 1;

/// One scenario.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// The first provider.
    pub(super) first: Upstream,
    /// The rules of the second one; healthy when empty.
    pub(super) second: &'static str,
    /// Further lines of the route in the gateway's configuration, and further tables.
    pub(super) route: &'static str,
    pub(super) players: Players,
    /// The second provider's context window in tokens; the first one's is 8000.
    pub(super) second_window: u32,
    /// Whether both are siblings in one tier.
    pub(super) siblings: bool,
    pub(super) modes: Modes,
    /// Whether it also runs with providers that speak the other dialect.
    pub(super) across: bool,
    pub(super) steps: Vec<Step>,
}

/// The first provider.
#[derive(Clone, Copy, Debug)]
pub(super) enum Upstream {
    /// It is there and follows these rules.
    Rules(&'static str),
    /// Nothing listens.
    Refused,
}

/// Streamed, not, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modes {
    Both,
    Streamed,
    Whole,
}

/// Which SDKs play a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Players {
    /// Those that play all there is.
    Thorough,
    /// The providers' own SDKs.
    Official,
    Everyone,
    /// A single one, for what is not about SDKs.
    One,
    /// Those that ask for embeddings; both providers are for those then.
    Embedders,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The SDK makes a call.
    Ask(Ask),
    /// Many callers come.
    Crowd(Crowd),
    /// Both providers change to these rules.
    Rules([&'static str; 2]),
    /// The first provider breaks each of a row of calls in another place: `K` in the rules is replaced by each number of
    /// the range.
    Sweep {
        rules: &'static str,
        places: RangeInclusive<usize>,
        must: Must,
        /// The places where nothing was said yet: there no exception will do.
        whole: &'static [usize],
    },
}

/// What an SDK must get, whatever the place where the stream breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    /// A provider's whole answer, or an exception that the stream told.
    BeHonest,
    /// The first provider's whole text, where the second one's is the same.
    GetAll,
    /// A provider's whole call of the tool, or an exception that the stream told.
    CallTool,
}

/// Something a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    /// A picture is shown.
    Picture,
    /// The answer must fit a schema.
    Schema,
}

/// One call and what must come of it.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) model: &'static str,
    pub(super) prompt: &'static str,
    pub(super) feature: Option<Feature>,
    /// How often the call is made, one after the other.
    pub(super) times: usize,
    pub(super) expect: Expect,
    /// How many calls each provider has received by then, from the scenario's start.
    pub(super) calls: [RangeInclusive<usize>; 2],
    /// How many both have received together, at most.
    pub(super) calls_in_all: usize,
    /// The least and the most each may take, in milliseconds, as the SDK's program measures it.
    pub(super) at_least_ms: u64,
    pub(super) within_ms: u64,
    /// The most that half of them may take: this holds on a machine that halts now and then.
    pub(super) median_ms: u64,
    /// The last of the calls for which the first provider may be asked, from 1.
    pub(super) leaves_first_after: usize,
}

/// Callers who come one by one, whether those before them have their answer or not; every one must get a provider's whole answer.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    pub(super) callers: usize,
    pub(super) every_ms: u64,
    /// The longest that one may wait.
    pub(super) within_ms: u64,
    /// How many calls each provider has received by then, from the scenario's start.
    pub(super) calls: [RangeInclusive<usize>; 2],
    /// How long after the last change of its rules the first provider receives a call, at most.
    pub(super) leaves_first_within_ms: Option<u64>,
}

/// What the SDK must make of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// The whole answer of this provider, ended in order.
    Answer(usize),
    /// The same, where the answer is a JSON object that fits the schema.
    Schema(usize),
    /// The whole of a long answer: the same word, ten thousand times.
    Long,
    /// The whole answer of one of them.
    Either,
    /// This provider's call of the tool, and after the tool's result its answer that quotes it.
    Tool(usize),
    /// A degraded answer, marked as this mode, that holds this text.
    Degraded {
        mode: &'static str,
        says: &'static str,
    },
    /// An exception of this class or a class below it, with one of these statuses, whose message holds this text.
    Error {
        class: &'static str,
        statuses: &'static [u16],
        says: &'static str,
    },
    /// As `Error`, and the answer says when to come back, in seconds at most.
    ErrorUntil {
        class: &'static str,
        statuses: &'static [u16],
        within_s: u64,
    },
    /// A part of the first provider's answer, and then an exception: never an end as if it were whole.
    Broken,
    /// The SDK hangs up after the second piece of text, and the first provider's call is cancelled soon after.
    HangUp,
    /// The list of models holds the route, and the prompt's tokens are counted.
    Models,
    /// A vector for each of the texts, of the length asked for, made by this provider.
    Vectors(usize),
}

impl Scenario {
    fn new(name: &'static str, first: &'static str) -> Self {
        Self {
            name,
            first: Upstream::Rules(first),
            second: "",
            route: "",
            players: Players::Thorough,
            second_window: 1_000_000,
            siblings: false,
            modes: Modes::Both,
            across: false,
            steps: Vec::new(),
        }
    }

    fn second(self, rules: &'static str) -> Self {
        Self {
            second: rules,
            ..self
        }
    }

    fn route(self, lines: &'static str) -> Self {
        Self {
            route: lines,
            ..self
        }
    }

    /// Whether an SDK plays it.
    pub(super) const fn is_for(&self, sdk: Sdk) -> bool {
        match self.players {
            Players::Thorough => sdk.plays_all(),
            Players::Official => sdk.is_official(),
            Players::Everyone => true,
            Players::One => matches!(sdk, Sdk::PythonOpenAi),
            Players::Embedders => sdk.embeds(),
        }
    }

    fn everyone(self) -> Self {
        self.players(Players::Everyone)
    }

    fn players(self, players: Players) -> Self {
        Self { players, ..self }
    }

    fn modes(self, modes: Modes) -> Self {
        Self { modes, ..self }
    }

    fn across(self) -> Self {
        Self {
            across: true,
            ..self
        }
    }

    /// Makes a call; `first` and `second` are the calls each provider has received by then.
    fn ask(
        self,
        expect: Expect,
        first: RangeInclusive<usize>,
        second: RangeInclusive<usize>,
    ) -> Self {
        self.step(Step::Ask(Ask {
            model: "chat",
            prompt: "Say something about the sea.",
            feature: None,
            times: 1,
            expect,
            calls: [first, second],
            calls_in_all: usize::MAX,
            at_least_ms: 0,
            within_ms: 20_000,
            median_ms: u64::MAX,
            leaves_first_after: usize::MAX,
        }))
    }

    fn crowd(self, crowd: Crowd) -> Self {
        self.step(Step::Crowd(crowd))
    }

    /// Changes the call made last.
    fn but(mut self, change: impl FnOnce(&mut Ask)) -> Self {
        if let Some(Step::Ask(ask)) = self.steps.last_mut() {
            change(ask);
        }
        self
    }

    fn then_rules(self, first: &'static str, second: &'static str) -> Self {
        self.step(Step::Rules([first, second]))
    }

    fn sweep(
        self,
        rules: &'static str,
        places: RangeInclusive<usize>,
        must: Must,
        whole: &'static [usize],
    ) -> Self {
        self.step(Step::Sweep {
            rules,
            places,
            must,
            whole,
        })
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// A call that must be answered, for tests of what judges it.
#[cfg(test)]
pub(super) fn any_ask() -> Ask {
    let scenario = Scenario::new("", "").ask(Expect::Either, 0..=1, 0..=1);
    match scenario.steps.into_iter().next() {
        Some(Step::Ask(ask)) => ask,
        other => unreachable!("{other:?}"),
    }
}
