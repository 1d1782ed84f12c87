//! What an HTTP status says by itself, and which of two statuses counts.

use crate::kind::{ErrorKind, Scope};
use crate::lexicon::NUMBER;
use crate::mark::Marks;
use crate::row::{Question, Row};
use crate::rule::{Outcome, Rank, Signal};
use crate::text::Text;

/// The status nearest to the source: a relay's own generic status yields to the one in the body.
pub(crate) const fn effective_status(http: u16, body: u16) -> u16 {
    match http {
        0 | 200..=299 => body,
        400 | 500 | 502 | 503 if body != 0 => body,
        _ => http,
    }
}

/// The status that a row of words states, or 0: "failed with status code 429", "HTTP 503". Where no
/// `other` status is known, the number that a message begins with is one too, and the one behind a
/// word of failure: "429 Too Many Requests", "the server returned 401".
pub(crate) fn worded_status(marks: &Marks, row: &mut Row<'_>, other: bool) -> u16 {
    if row.is_empty() {
        return 0;
    }
    let mut places = row.ask(Question::Status, |text| status_places(marks, text));
    while places != 0 {
        let [place, sure, ..] = places.to_le_bytes();
        let milli = row.value(u16::from(place)).unwrap_or_default();
        if (sure & 2 != 0 || !other)
            && milli.is_multiple_of(1000)
            && (400_000..600_000).contains(&milli)
        {
            return u16::try_from(milli / 1000).unwrap_or_default();
        }
        places >>= 16;
    }
    0
}

/// The first few numerals that may be a status, 16 bits each: the word, and how sure that is.
fn status_places(marks: &Marks, text: &Text) -> u64 {
    const FEW: usize = 4;
    let words = text.words();
    let places = text.numerals().filter_map(|numeral| {
        let at = usize::from(numeral.at);
        let next = words.get(at + 1);
        let counted = next.is_some_and(|next| {
            marks.counted.has(*next) || marks.unit_number(*next).is_some() || *next == NUMBER
        });
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        let phrase = next.is_some_and(|next| marks.phrase.has(*next));
        let sure = phrase || before.is_some_and(|before| marks.status.has(*before));
        let likely = before.is_none_or(|before| marks.report.has(*before));
        let bits = 1 | u64::from(sure) << 1;
        ((sure || likely) && !counted).then(|| u64::from(numeral.at & 0xff) | bits << 8)
    });
    places
        .take(FEW)
        .enumerate()
        .fold(0, |all, (number, place)| all | place << (16 * number))
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
