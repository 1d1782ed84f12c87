//! What an HTTP status says by itself, and which of two statuses counts.

use crate::kind::{ErrorKind, Scope};
use crate::rule::{Outcome, Rank, Signal};

/// The status nearest to the source: a relay's own generic status yields to the one in the body.
pub(crate) const fn effective_status(http: u16, body: u16) -> u16 {
    match http {
        0 | 200..=299 => body,
        400 | 500 | 502 | 503 if body != 0 => body,
        _ => http,
    }
}

/// What a status says by itself.
pub(crate) const fn status_signal(status: u16) -> Signal {
    use ErrorKind as K;
    let (kind, rank) = match status {
        401 => (K::AuthInvalidKey, Rank::FirmStatus),
        402 => (K::Billing, Rank::FirmStatus),
        403 | 451 => (K::AuthPermission, Rank::Status),
        404 => (K::ModelNotFound, Rank::Status),
        405 => (K::Other, Rank::Status),
        408 | 499 | 504 | 522 | 524 | 598 => (K::Timeout, Rank::Status),
        409 => (K::Conflict, Rank::Status),
        410 => (K::ModelDeprecated, Rank::Status),
        413 => (K::PayloadTooLarge, Rank::FirmStatus),
        424 => (K::Other, Rank::Status),
        429 => (K::RateLimitOther, Rank::FirmStatus),
        400..=499 => (K::InvalidRequest, Rank::Status),
        503 => (K::Overloaded, Rank::Status),
        529 => (K::Overloaded, Rank::FirmStatus),
        520 | 521 | 523 | 525 | 526 | 527 | 530 => (K::BadGatewayHtml, Rank::Status),
        500..=599 => (K::ServerError, Rank::Status),
        0 => (K::ServerError, Rank::Status),
        _ => (K::Other, Rank::Status),
    };
    Signal {
        outcome: Outcome {
            kind,
            resend: None,
            scope: if status == 451 {
                Some(Scope::Region)
            } else {
                None
            },
        },
        rank,
        rule: 0,
    }
}
