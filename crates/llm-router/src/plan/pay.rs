//! What a call costs, and who pays: the request, the hour of its target, the hour of its route.
//!
//! What a call is expected to cost is set aside with all three before it is sent, and replaced by what it did cost when it is over. So calls
//! beside each other cannot pass a cap together; only the error of the estimates can.

use super::{AttemptId, Live, Plan};
use crate::money::{Billed, Earmark, Spend, cost};
use crate::pace::Cost;
use crate::request::Request;
use crate::resolve::Resolved;
use crate::select::{self, Fit};
use crate::table::Slot;
use crate::target::TargetId;
use crate::trace::{HopResult, Payer, SpendAlert, Tokens};
use llm_errors::Certainty;
use std::time::Instant;

/// Money set aside for one call.
#[derive(Debug, Default)]
pub(crate) struct Earmarks {
    /// Of what its request may cost, where that is limited.
    of_request: Spend,
    own: Option<Earmark>,
    route: Option<Earmark>,
}

/// Sets the expected cost aside in both hours; `None` where it is more than `money_left` of the request, or one of the hours is
/// spent meanwhile.
pub(crate) fn earmark(
    route: &Resolved,
    slot: &Slot,
    request: &Request,
    money_left: u64,
    now: Instant,
) -> Option<Earmarks> {
    let (own, of_route) = (slot.ledger.as_deref(), route.ledger.as_deref());
    if own.is_none() && of_route.is_none() && money_left == u64::MAX {
        return Some(Earmarks::default());
    }
    let price = select::expected_cost(slot, request);
    if price.0 > money_left {
        return None;
    }
    let own = match own {
        Some(ledger) => Some(ledger.reserve(price, now).ok()?),
        None => None,
    };
    let mut marks = Earmarks {
        of_request: price,
        own,
        route: None,
    };
    if let Some(ledger) = of_route {
        match ledger.reserve(price, now) {
            Ok(mark) => marks.route = Some(mark),
            Err(_) => {
                book_untold(route, slot, marks, Spend(0), now);
                return None;
            }
        }
    }
    Some(marks)
}

/// Books the true cost of a call; the sums that it crossed: of its target, and of its route.
fn book(
    route: &Resolved,
    slot: &Slot,
    marks: Earmarks,
    spent: Spend,
    now: Instant,
) -> (Option<Spend>, Option<Spend>) {
    let own = marks.own.zip(slot.ledger.as_deref());
    let own = own.and_then(|(mark, ledger)| ledger.settle(mark, spent, now));
    let of_route = marks.route.zip(route.ledger.as_deref());
    let of_route = of_route.and_then(|(mark, ledger)| ledger.settle(mark, spent, now));
    (own, of_route)
}

/// The same of a call that nobody hears of: the next one that is heard of tells what it crossed.
pub(crate) fn book_untold(
    route: &Resolved,
    slot: &Slot,
    marks: Earmarks,
    spent: Spend,
    now: Instant,
) {
    if let (Some(mark), Some(ledger)) = (marks.own, slot.ledger.as_deref()) {
        ledger.settle_untold(mark, spent, now);
    }
    if let (Some(mark), Some(ledger)) = (marks.route, route.ledger.as_deref()) {
        ledger.settle_untold(mark, spent, now);
    }
}

/// What a call that ended so is billed, of which so many tokens were seen before.
pub(crate) fn bill(slot: &Slot, request: &Request, result: HopResult, seen: Tokens) -> Spend {
    let expected = slot.expected(request);
    let used = |tokens: Tokens| match tokens {
        Tokens {
            input: 0,
            output: 0,
        } => expected,
        // Some report what they wrote and not what they read.
        Tokens { input: 0, output } => Cost {
            output_tokens: output.into(),
            ..expected
        },
        tokens => tokens.as_cost(),
    };
    let prompt_alone = Cost {
        output_tokens: 0,
        ..expected
    };
    let tokens = match result {
        HopResult::Answered(tokens) if tokens != Tokens::default() => used(tokens),
        HopResult::Answered(_) => used(seen),
        _ if seen != Tokens::default() => used(seen),
        HopResult::Failed(verdict) => match verdict.certainty {
            Certainty::NeverSent | Certainty::Rejected => return Spend::default(),
            Certainty::MayHaveExecuted | Certainty::Committed => prompt_alone,
        },
        HopResult::Running | HopResult::Diverged | HopResult::Cancelled => prompt_alone,
    };
    cost(&slot.price, &Billed::expected(tokens))
}

impl Plan {
    /// Notes what a stream under way has used so far, as reported or estimated: it is billed that much if its caller leaves, or if it
    /// ends without another word of it.
    pub fn used(&mut self, attempt: AttemptId, tokens: Tokens) {
        if let Some(live) = self.lives.find_mut(attempt) {
            live.used = tokens;
        }
    }

    /// Reckons anew what the request may still cost: less what calls have cost, and what those under way are expected to.
    pub(super) fn count_money(&mut self) {
        if self.fit.money_left != u64::MAX {
            let cap = Fit::of(self.table.policy(self.route), &self.request).money_left;
            let under_way = self.lives.iter().map(|live| live.earmarks.of_request);
            let gone = under_way.sum::<Spend>().saturating_add(self.trace.cost());
            self.fit.money_left = cap.saturating_sub(gone.0);
        }
    }

    /// Bills a call that has ended.
    pub(super) fn pay(
        &mut self,
        route: &Resolved,
        slot: &Slot,
        target: TargetId,
        live: &mut Live,
        spent: Spend,
        now: Instant,
    ) {
        let marks = std::mem::take(&mut live.earmarks);
        self.count_money();
        let (own, of_route) = book(route, slot, marks, spent, now);
        let mut tell = |payer, threshold: Option<Spend>, ledger: Option<&crate::money::Ledger>| {
            if let (Some(threshold), Some(ledger)) = (threshold, ledger) {
                self.trace.alerts.push(SpendAlert {
                    payer,
                    threshold,
                    spent: ledger.spent(now),
                });
            }
        };
        tell(Payer::Target(target), own, slot.ledger.as_deref());
        tell(Payer::Route, of_route, route.ledger.as_deref());
    }
}
