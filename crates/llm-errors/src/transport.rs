//! Failures in which no reply, or no whole reply, came back.

use crate::kind::{Certainty, ErrorKind, HealthEffect, Phase, Scope, named};
use crate::verdict::{Retry, Verdict};

named! {
    /// What the transport reported.
    #[non_exhaustive]
    pub enum TransportFault {
        /// The name did not resolve.
        Dns = "dns",
        /// The connection was refused or could not be made.
        Connect = "connect",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The peer reset the connection.
        Reset = "reset",
        /// The peer closed the connection before the reply was complete.
        Closed = "closed",
        /// A clock ran out: connect, first byte, idle or total.
        Timeout = "timeout",
        /// A connection that was kept from an earlier call was closed by the peer before anything of a reply came: mostly
        /// because both found each other at the same moment, the one closing what had been idle, the other using it.
        Stale = "stale",
        /// The peer broke the HTTP protocol.
        Protocol = "protocol",
        /// This machine had no socket or memory left: no peer's doing.
        Local = "local",
        /// Anything else.
        Other = "other",
    }
}

/// Classifies a failure of the transport in `phase`.
///
/// The call was [`NeverSent`](Certainty::NeverSent) only in [`Phase::Connect`]; later it may have
/// run. In [`Phase::MidStream`] a lost connection means a truncated answer.
///
/// A [`Stale`](TransportFault::Stale) connection says nothing of the peer's health, and is worth another try at once. That
/// the call was not executed is likely and not certain (RFC 9110, 9.2.2; RFC 9112, 9.3.1; read 2026-11-26): a peer that
/// crashes on what it was sent looks the same. So it may have run, and what must not run twice is not sent again.
#[must_use]
pub fn classify_transport(fault: TransportFault, phase: Phase) -> Verdict {
    let kind = match (fault, phase) {
        (TransportFault::Timeout, _) => ErrorKind::Timeout,
        (
            TransportFault::Reset | TransportFault::Closed | TransportFault::Protocol,
            Phase::MidStream,
        ) => ErrorKind::Truncated,
        (TransportFault::Other, Phase::MidStream) => ErrorKind::Truncated,
        _ => ErrorKind::Network,
    };
    let mut verdict = Verdict::new(kind, phase);
    verdict.certainty = certainty(phase);
    if matches!(fault, TransportFault::Local | TransportFault::Stale) {
        verdict.scope = Scope::Request;
        verdict.health = HealthEffect::Neutral;
    }
    if fault == TransportFault::Stale {
        verdict.advice.retry = Retry::AtOnce;
    }
    if kind == ErrorKind::Truncated {
        verdict = verdict.cut_off();
    }
    verdict
}

/// Classifies a stream that ended without a finish reason.
///
/// Before any content ([`Phase::FirstByte`] or earlier) it is an empty answer, afterwards a
/// truncated one.
#[must_use]
pub fn stream_cut(phase: Phase) -> Verdict {
    match phase {
        Phase::MidStream => Verdict::new(ErrorKind::Truncated, phase).cut_off(),
        Phase::FirstByte => Verdict::new(ErrorKind::EmptyOutput, phase),
        Phase::Connect | Phase::Sent => classify_transport(TransportFault::Closed, phase),
    }
}

/// What is known of the execution of a call whose transport failed in `phase`.
const fn certainty(phase: Phase) -> Certainty {
    match phase {
        Phase::Connect => Certainty::NeverSent,
        Phase::Sent | Phase::FirstByte => Certainty::MayHaveExecuted,
        Phase::MidStream => Certainty::Committed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failed_connect_was_never_sent() {
        for fault in TransportFault::ALL {
            for phase in Phase::ALL {
                let verdict = classify_transport(*fault, *phase);
                assert_eq!(
                    verdict.certainty == Certainty::NeverSent,
                    *phase == Phase::Connect
                );
                assert_eq!(verdict.phase, *phase);
            }
        }
    }

    #[test]
    fn a_shortage_of_our_own_is_nobodys_fault() {
        let verdict = classify_transport(TransportFault::Local, Phase::Connect);
        let kind = (verdict.kind, verdict.health, verdict.scope);
        let nobodys = (ErrorKind::Network, HealthEffect::Neutral, Scope::Request);
        assert_eq!(kind, nobodys);
        assert!(verdict.is_retryable());
    }

    #[test]
    fn a_stale_connection_is_nobodys_fault_and_may_still_have_carried_the_call() {
        let verdict = classify_transport(TransportFault::Stale, Phase::Sent);
        assert_eq!(verdict.kind, ErrorKind::Network);
        assert_eq!(verdict.health, HealthEffect::Neutral);
        assert_eq!(verdict.advice.retry, Retry::AtOnce);
        assert_eq!(verdict.certainty, Certainty::MayHaveExecuted);
    }

    #[test]
    fn a_stream_cut_in_mid_sentence_is_truncated_and_committed() {
        let verdict = stream_cut(Phase::MidStream);
        assert_eq!(verdict.kind, ErrorKind::Truncated);
        assert_eq!(verdict.certainty, Certainty::Committed);
        assert_eq!(stream_cut(Phase::FirstByte).kind, ErrorKind::EmptyOutput);
    }
}
