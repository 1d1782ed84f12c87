//! What a call costs, and who pays: the request, the hour of its target, the hour of its route.

use super::{Live, Plan};
use crate::money::{Billed, Earmark, Spend, cost};
use crate::pace::Cost;
use crate::request::Request;
use crate::resolve::Resolved;
use crate::select;
use crate::table::Slot;
use crate::target::TargetId;
use crate::trace::{HopResult, Payer, SpendAlert, Tokens};
use llm_errors::Certainty;
use std::time::Instant;

/// Money set aside for one call.
#[derive(Debug, Default)]
pub(super) struct Earmarks {
    own: Option<Earmark>,
    route: Option<Earmark>,
}

/// Sets the expected cost aside in both hours; `None` where one of them is spent meanwhile.
pub(super) fn earmark(
    route: &Resolved,
    slot: &Slot,
    request: &Request,
    now: Instant,
) -> Option<Earmarks> {
    let (own, of_route) = (slot.ledger.as_deref(), route.ledger.as_deref());
    if own.is_none() && of_route.is_none() {
        return Some(Earmarks::default());
    }
    let price = select::expected_cost(slot, request);
    let own = match own {
        Some(ledger) => Some(ledger.reserve(price, now).ok()?),
        None => None,
    };
    let mut marks = Earmarks { own, route: None };
    if let Some(ledger) = of_route {
        match ledger.reserve(price, now) {
            Ok(mark) => marks.route = Some(mark),
            Err(_) => {
                book(route, slot, marks, Spend(0), now);
                return None;
            }
        }
    }
    Some(marks)
}

/// Books the true cost of a call; the sums that it crossed: of its target, and of its route.
pub(super) fn book(
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

/// What a call that ended so is billed.
pub(super) fn bill(slot: &Slot, request: &Request, result: HopResult) -> Spend {
    let expected = slot.expected(request);
    let prompt_alone = Cost {
        output_tokens: 0,
        ..expected
    };
    let tokens = match result {
        HopResult::Answered(tokens) if tokens == Tokens::default() => expected,
        HopResult::Answered(tokens) => tokens.as_cost(),
        HopResult::Failed(verdict) => match verdict.certainty {
            Certainty::NeverSent | Certainty::Rejected => return Spend::default(),
            Certainty::MayHaveExecuted | Certainty::Committed => prompt_alone,
        },
        HopResult::Running | HopResult::Diverged | HopResult::Cancelled => prompt_alone,
    };
    cost(&slot.price, &Billed::expected(tokens))
}

impl Plan {
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
        if self.fit.money_left != u64::MAX {
            self.fit.money_left = self.fit.money_left.saturating_sub(spent.0);
        }
        let marks = std::mem::take(&mut live.earmarks);
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
