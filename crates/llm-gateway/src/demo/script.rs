//! What breaks, when, and for how long.

use llm_sim::{At, CutEnd, Fault, Pace, Preset, Rule, Script, ScriptError};
use std::time::Duration;

/// One call on each side starts every so often.
pub(crate) const EVERY: Duration = Duration::from_millis(125);

/// How fast a healthy simulated provider is.
const PACE: Pace = Pace::NONE
    .latency(Duration::from_millis(20))
    .first_token(Duration::from_millis(15))
    .per_chunk(Duration::from_millis(1));

/// One act of the outage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    /// Its name, for the table.
    pub(crate) name: &'static str,
    /// What happens in it, for the audience.
    pub(crate) told: &'static str,
    /// How long calls start in it.
    pub(crate) lasts: Duration,
    /// What happens to the primary.
    pub(crate) trouble: Trouble,
    /// Whether the backup is down as well.
    pub(crate) backup_down: bool,
}

/// What happens to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    RateLimit,
    ServerErrors,
    Hang,
    Quota,
    Cut,
    Down,
}

const fn phase(name: &'static str, told: &'static str, seconds: u64, trouble: Trouble) -> Phase {
    Phase {
        name,
        told,
        lasts: Duration::from_secs(seconds),
        trouble,
        backup_down: false,
    }
}

/// The outage, in order: about half a minute.
pub(crate) const PHASES: [Phase; 8] = [
    phase("healthy", "all is well", 3, Trouble::None),
    phase(
        "rate limit",
        "the primary answers 429, come back in 1 s",
        4,
        Trouble::RateLimit,
    ),
    phase(
        "5xx",
        "the primary answers 500, 503 and 529",
        4,
        Trouble::ServerErrors,
    ),
    phase(
        "hang",
        "the primary takes requests and says nothing",
        4,
        Trouble::Hang,
    ),
    phase(
        "cut stream",
        "the primary's answers break off before the first word",
        4,
        Trouble::Cut,
    ),
    phase(
        "spent quota",
        "the primary's quota is spent for the next 4 s",
        4,
        Trouble::Quota,
    ),
    Phase {
        backup_down: true,
        ..phase(
            "everything down",
            "primary and backup answer 503",
            3,
            Trouble::Down,
        )
    },
    phase("recovery", "everything is back", 4, Trouble::None),
];

/// The script of a provider in trouble.
///
/// # Errors
///
/// Never for the troubles above, which a test makes sure of.
pub(crate) fn script(trouble: Trouble) -> Result<Script, ScriptError> {
    let healthy = Script::builder().pace(PACE);
    match trouble {
        Trouble::None => healthy,
        Trouble::RateLimit => healthy.rule(
            Rule::new()
                .preset(Preset::RateLimit)
                .retry_after(Duration::from_secs(1)),
        ),
        Trouble::ServerErrors => healthy
            .rule(Rule::new().every(3).preset(Preset::ServerError))
            .rule(Rule::new().every(2).preset(Preset::Unavailable))
            .rule(Rule::new().preset(Preset::Overloaded)),
        Trouble::Hang => healthy.rule(Rule::new().fault(Fault::Hang(None))),
        Trouble::Quota => healthy.rule(
            Rule::new()
                .preset(Preset::InsufficientQuota)
                .retry_after(Duration::from_secs(4)),
        ),
        Trouble::Cut => healthy.rule(Rule::new().fault(Fault::Cut {
            at: At::Chunks(0),
            end: CutEnd::Abort,
        })),
        Trouble::Down => healthy.rule(Rule::new().preset(Preset::Unavailable)),
    }
    .build()
}

/// What the `number`th call asks, and whether it wants a stream.
///
/// Most questions come again and again, as they do in life; each fifth is new.
pub(crate) fn question(number: usize) -> (String, bool) {
    let text = if number % 5 == 4 {
        format!("What is special about the number {number}?")
    } else {
        format!("What does article {} of our terms say?", number % 8 + 1)
    };
    (text, number % 3 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_valid_and_the_outage_fits_half_a_minute() {
        for phase in PHASES {
            script(phase.trouble).unwrap();
        }
        let total: Duration = PHASES.iter().map(|phase| phase.lasts).sum();
        assert_eq!(total, Duration::from_secs(30));
    }

    #[test]
    fn some_questions_repeat_and_some_do_not() {
        assert_eq!(question(0).0, question(8).0);
        assert_ne!(question(4).0, question(9).0);
        assert!((0..30).any(|n| question(n).1) && (0..30).any(|n| !question(n).1));
    }
}
