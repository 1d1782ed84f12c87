//! The demonstration: one outage, lived through twice at the same time by the same calls.
//!
//! Three simulated providers run on the loopback: a primary and a backup behind the gateway, and an equal primary
//! that a plain client calls directly, once a call, as a program without protection does. [`script`] says what breaks
//! when, [`drive`] makes the calls over real sockets, [`report`] puts the two outcomes side by side.

pub(crate) mod drive;
pub(crate) mod report;
pub(crate) mod script;
pub(crate) mod stage;

#[cfg(test)]
mod tests {
    use super::drive::{Caller, Outcome};
    use super::script::{PHASES, question};
    use super::stage::Stage;
    use std::net::SocketAddr;

    /// The outage in short: some calls of each phase, and none of them may be lost.
    #[tokio::test(flavor = "multi_thread")]
    async fn no_protected_call_is_lost_in_any_phase() {
        let stage = Stage::set_up(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let caller = Caller::new();
        let mut number = 0;
        for phase in &PHASES {
            stage.enter(phase).unwrap();
            for _ in 0..4 {
                let (text, stream) = question(number);
                let seen = caller.ask(&stage.protected_url(), &text, stream).await;
                let lost = matches!(seen.outcome, Outcome::Failed(_));
                assert!(
                    !lost,
                    "{}: call {number} (stream: {stream}): {seen:?}",
                    phase.name
                );
                if phase.name == "healthy" {
                    assert_eq!(seen.outcome, Outcome::Answered, "{seen:?}");
                    let bare = caller.ask(&stage.bare_url(), &text, stream).await;
                    assert_eq!(bare.outcome, Outcome::Answered, "{bare:?}");
                }
                if phase.name == "everything down" {
                    assert!(matches!(seen.outcome, Outcome::Degraded(_)), "{seen:?}");
                }
                number += 1;
            }
        }
        let upstream = stage.upstream();
        assert_eq!(upstream.bare, 4);
        assert!(upstream.protected >= 32 - 4, "{upstream:?}");
        stage.tear_down().await.unwrap();
    }
}
