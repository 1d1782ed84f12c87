//! A stream that broke after its beginning had reached the caller.

use crate::world::{ms, origin, secs};
use llm_errors::{ErrorKind, Phase, Verdict, stream_cut};
use llm_router::{
    Action, AttemptId, Broken, Event, Form, HopResult, Mend, OnCut, Plan, Policy, Price, Request,
    Route, Spend, Table, Target, Tokens,
};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Instant;

/// Two tiers of one target each; those in `prefills` take the beginning of an answer.
fn table(on_cut: OnCut, prefills: &[&str], now: Instant) -> Arc<Table> {
    let target = |name: &str| {
        let price = Price {
            input: 1_000_000,
            output: 2_000_000,
            ..Price::default()
        };
        let target = Target::new(name, name).price(price);
        if prefills.contains(&name) {
            target.prefill()
        } else {
            target
        }
    };
    let mut policy = Policy::interactive();
    policy.on_cut = on_cut;
    let route = Route::new("r").tier(["a"]).tier(["b"]).policy(policy);
    let table = Table::builder().target(target("a")).target(target("b"));
    table.route(route).build(now).unwrap()
}

fn plan(table: &Arc<Table>, request: Request, now: Instant) -> Plan {
    let route = table.route("r").unwrap();
    Plan::new(Arc::clone(table), route, request.streamed(), now, 1)
}

/// The call that is due: to whom, and in which form.
fn sent(plan: &mut Plan, now: Instant) -> (AttemptId, String, Form) {
    match plan.poll(now) {
        Action::Send {
            attempt,
            target,
            form,
            ..
        } => {
            let name = plan.table().target_name(target).to_owned();
            (attempt, name, form)
        }
        other => panic!("no call is due: {other:?}"),
    }
}

fn broken() -> Broken {
    Broken {
        verdict: stream_cut(Phase::MidStream),
        at_chars: 12,
        tokens: Tokens {
            input: 100,
            output: 3,
        },
        mend: Mend::Prefill,
    }
}

/// The first target speaks and breaks off.
fn break_off(plan: &mut Plan, now: Instant) {
    let (attempt, name, form) = sent(plan, now);
    assert_eq!((name.as_str(), form), ("a", Form::AsAsked));
    plan.on(Event::FirstToken(attempt), now);
    assert_eq!(plan.poll(now), Action::Accept(attempt));
    plan.on(Event::Broken(attempt, broken()), now);
}

#[test]
fn a_broken_stream_goes_on_where_its_beginning_is_taken() {
    let now = origin();
    let table = table(OnCut::Continue, &["b"], now);
    let mut plan = plan(&table, Request::new(), now);
    break_off(&mut plan, now);
    let (rest, name, form) = sent(&mut plan, now);
    assert_eq!(name, "b");
    assert_eq!(form, Form::Prefill { at_chars: 12 });
    plan.on(Event::FirstToken(rest), now + ms(5));
    assert_eq!(plan.poll(now + ms(5)), Action::Accept(rest));
    let tokens = Tokens {
        input: 103,
        output: 7,
    };
    plan.on(Event::Succeeded(rest, tokens), now + ms(9));
    let trace = plan.trace();
    assert_eq!(trace.sends(), 2);
    // Both calls are billed: 203 tokens in, 10 out.
    assert_eq!(trace.cost(), Spend(223));
    let words = trace.describe(&table).to_string();
    assert!(
        words.contains("b fallback from char 12 by prefill answered"),
        "{words}"
    );
}

#[test]
fn where_nobody_takes_a_beginning_the_call_is_replayed() {
    for (on_cut, prefills) in [(OnCut::Continue, &[][..]), (OnCut::Restart, &["a", "b"])] {
        let now = origin();
        let table = table(on_cut, prefills, now);
        let mut plan = plan(&table, Request::new(), now);
        break_off(&mut plan, now);
        let (_, name, form) = sent(&mut plan, now);
        assert_eq!(name, "b");
        assert_eq!(form, Form::Replay { at_chars: 12 });
    }
}

#[test]
fn a_target_that_refuses_a_beginning_is_remembered_and_begins_anew() {
    let now = origin();
    let table = table(OnCut::Continue, &["b"], now);
    let refusal = Verdict::new(ErrorKind::InvalidRequest, Phase::FirstByte);
    let mut first = plan(&table, Request::new(), now);
    break_off(&mut first, now);
    let (rest, _, form) = sent(&mut first, now);
    assert_eq!(form, Form::Prefill { at_chars: 12 });
    first.on(Event::Failed(rest, refusal), now);
    let (_, name, form) = sent(&mut first, now);
    assert_eq!(name, "b");
    assert_eq!(form, Form::Replay { at_chars: 12 });
    // The next stream does not try in vain.
    let mut second = plan(&table, Request::new(), now);
    break_off(&mut second, now);
    let (_, name, form) = sent(&mut second, now);
    assert_eq!(name, "b");
    assert_eq!(form, Form::Replay { at_chars: 12 });
}

#[test]
fn an_answer_that_says_something_else_ends_the_search() {
    let now = origin();
    let table = table(OnCut::Restart, &[], now);
    let mut plan = plan(&table, Request::new(), now);
    break_off(&mut plan, now);
    let (rest, ..) = sent(&mut plan, now);
    plan.on(Event::Diverged(rest, Tokens::default()), now);
    assert_eq!(plan.poll(now), Action::GiveUp(broken().verdict));
    assert_eq!(plan.trace().hops[1].result, HopResult::Diverged);
}

#[test]
fn nothing_is_continued_against_the_routes_or_the_callers_word() {
    let now = origin();
    for (on_cut, request) in [
        (OnCut::Error, Request::new()),
        (OnCut::Continue, Request::new().side_effects()),
    ] {
        let table = table(on_cut, &["a", "b"], now);
        let mut plan = plan(&table, request, now);
        break_off(&mut plan, now);
        assert_eq!(plan.poll(now), Action::GiveUp(broken().verdict));
        assert_eq!(plan.trace().sends(), 1);
    }
}

#[test]
fn a_lone_target_is_asked_for_the_rest_after_a_wait() {
    let now = origin();
    let route = Route::new("r").tier(["a"]);
    let table = Table::builder().target(Target::new("a", "a"));
    let table = table.route(route).build(now).unwrap();
    let mut plan = plan(&table, Request::new(), now);
    break_off(&mut plan, now);
    let Action::WaitUntil(until) = plan.poll(now) else {
        panic!("no wait");
    };
    assert!(until <= now + secs(1));
    let (_, name, form) = sent(&mut plan, until);
    assert_eq!(name, "a");
    assert_eq!(form, Form::Replay { at_chars: 12 });
}

#[test]
fn the_rest_has_the_deadline_anew_but_not_longer_than_the_stream_has() {
    let start = origin();
    let table = table(OnCut::Continue, &["b"], start);
    // Long after the deadline of the beginning.
    for (broke_after, left) in [(secs(100), secs(30)), (secs(590), secs(10))] {
        let mut plan = plan(&table, Request::new(), start);
        let (attempt, ..) = sent(&mut plan, start);
        plan.on(Event::FirstToken(attempt), start);
        assert_eq!(plan.poll(start), Action::Accept(attempt));
        let now = start + broke_after;
        plan.on(Event::Broken(attempt, broken()), now);
        let Action::Send { windows, .. } = plan.poll(now) else {
            panic!();
        };
        assert_eq!(plan.deadline().instant(), now + left);
        assert!(windows.stream <= secs(600) - broke_after);
    }
    let mut late = plan(&table, Request::new(), start);
    let (attempt, ..) = sent(&mut late, start);
    late.on(Event::FirstToken(attempt), start);
    assert_eq!(late.poll(start), Action::Accept(attempt));
    late.on(Event::Broken(attempt, broken()), start + secs(601));
    let end = late.poll(start + secs(601));
    assert_eq!(end, Action::GiveUp(broken().verdict));
}

proptest! {
    /// Whatever happens to the rest, the search ends inside the caps, and a caller who has the
    /// beginning gets either the rest or the failure: never a degraded answer, never silence.
    #[test]
    fn a_search_for_the_rest_always_ends(what in prop::collection::vec(0u8..6, 40), prefills in 0usize..3) {
        let mut now = origin();
        let table = table(OnCut::Continue, [&[][..], &["b"], &["a", "b"]][prefills], now);
        let mut plan = plan(&table, Request::new(), now);
        break_off(&mut plan, now);
        let mut what = what.into_iter();
        let mut steps = 0;
        loop {
            steps += 1;
            prop_assert!(steps < 200);
            match plan.poll(now) {
                Action::Send { attempt, form, .. } => {
                    prop_assert_eq!(form.seam(), Some(12));
                    now += ms(20);
                    let bad = |kind| Event::Failed(attempt, Verdict::new(kind, Phase::FirstByte));
                    plan.on(match what.next() {
                        Some(0) => Event::FirstToken(attempt),
                        Some(1) => Event::Diverged(attempt, Tokens::default()),
                        Some(2) => bad(ErrorKind::InvalidRequest),
                        Some(3) => bad(ErrorKind::Overloaded),
                        Some(4) => bad(ErrorKind::Timeout),
                        _ => bad(ErrorKind::Network),
                    }, now);
                }
                Action::Accept(attempt) => match what.next() {
                    Some(0 | 1) => {
                        plan.on(Event::Succeeded(attempt, Tokens::default()), now);
                        break;
                    }
                    _ => plan.on(Event::Broken(attempt, broken()), now),
                },
                Action::WaitUntil(until) => {
                    prop_assert!(until > now);
                    prop_assert!(until <= plan.deadline().instant());
                    now = until;
                }
                Action::GiveUp(verdict) => {
                    prop_assert_eq!(verdict, broken().verdict);
                    break;
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert!(plan.trace().sends() <= 8);
    }
}
