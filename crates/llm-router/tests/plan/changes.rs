//! Requests that may be changed when nobody takes them as they are, and answers that are no good.

use crate::world::{ms, origin};
use llm_errors::{ErrorKind, Phase, Verdict};
use llm_router::{
    Action, AttemptId, BadAnswer, Event, Form, Member, Plan, Policy, Request, Route, Table, Target,
    Tokens, Truncate,
};
use std::sync::Arc;
use std::time::Instant;

fn table(policy: Policy, now: Instant) -> Arc<Table> {
    let route = Route::new("r")
        .tier(["small"])
        .tier(["large"])
        .tier([Member::new("free").less_restrictive()])
        .policy(policy);
    Table::builder()
        .target(Target::new("small", "a").context_window(1_000))
        .target(Target::new("large", "b").context_window(8_000))
        .target(Target::new("free", "c").context_window(1_000))
        .route(route)
        .build(now)
        .unwrap()
}

fn plan(policy: Policy, request: Request, now: Instant) -> Plan {
    let table = table(policy, now);
    let route = table.route("r").unwrap();
    Plan::new(table, route, request, now, 1)
}

fn sent(plan: &mut Plan, now: Instant) -> (AttemptId, String, Form) {
    match plan.poll(now) {
        Action::Send {
            attempt,
            target,
            form,
            ..
        } => (attempt, plan.table().target_name(target).to_owned(), form),
        other => panic!("no call is due: {other:?}"),
    }
}

fn shortening() -> Policy {
    let mut policy = Policy::interactive();
    policy.truncate = Truncate::OldestTurns;
    policy
}

#[test]
fn a_prompt_too_long_for_everybody_is_shortened_for_the_longest_window() {
    let now = origin();
    let mut plan = plan(shortening(), Request::new(), now);
    let too_long = Verdict::new(ErrorKind::ContextLength, Phase::FirstByte);
    let (first, name, _) = sent(&mut plan, now);
    assert_eq!(name, "small");
    plan.on(
        Event::Failed(first, too_long.with_context(1_000, 9_500)),
        now,
    );
    let (second, name, form) = sent(&mut plan, now);
    assert_eq!((name.as_str(), form), ("large", Form::AsAsked));
    plan.on(
        Event::Failed(second, too_long.with_context(8_000, 9_000)),
        now,
    );
    let (third, name, form) = sent(&mut plan, now);
    assert_eq!(name, "large");
    let shortened = Form::Shortened {
        window_tokens: 8_000,
        counted_tokens: 9_000,
    };
    assert_eq!(form, shortened);
    // Once.
    plan.on(Event::Failed(third, too_long), now);
    assert_eq!(plan.poll(now), Action::GiveUp(too_long));
}

#[test]
fn a_prompt_known_to_be_too_long_is_shortened_without_a_call_in_vain() {
    let now = origin();
    let request = Request::new().context_tokens(20_000);
    let mut plan = plan(shortening(), request, now);
    let (_, name, form) = sent(&mut plan, now);
    assert_eq!(name, "large");
    assert!(matches!(
        form,
        Form::Shortened {
            window_tokens: 8_000,
            counted_tokens: 0
        }
    ));
}

#[test]
fn nothing_is_shortened_against_the_routes_word() {
    let now = origin();
    let request = Request::new().context_tokens(20_000);
    let mut plan = plan(Policy::interactive(), request, now);
    assert!(
        matches!(plan.poll(now), Action::Degrade(cause) if cause.kind == ErrorKind::ContextLength)
    );
}

#[test]
fn a_refused_prompt_is_rewritten_once_and_then_goes_to_whoever_the_route_names() {
    let now = origin();
    let mut plan = plan(Policy::interactive(), Request::new().rewritable(), now);
    let refused = Verdict::new(ErrorKind::ContentFilter, Phase::FirstByte);
    let (first, name, form) = sent(&mut plan, now);
    assert_eq!((name.as_str(), form), ("small", Form::AsAsked));
    plan.on(Event::Failed(first, refused), now);
    let (second, name, form) = sent(&mut plan, now);
    assert_eq!((name.as_str(), form), ("small", Form::Rewritten));
    plan.on(Event::Failed(second, refused), now);
    let (third, name, form) = sent(&mut plan, now);
    assert_eq!((name.as_str(), form), ("free", Form::Rewritten));
    plan.on(Event::Failed(third, refused), now);
    assert_eq!(plan.poll(now), Action::GiveUp(refused));
}

fn bad() -> BadAnswer {
    BadAnswer {
        verdict: Verdict::new(ErrorKind::EmptyOutput, Phase::FirstByte),
        finding: "garbled",
        tokens: Tokens::default(),
    }
}

#[test]
fn a_bad_answer_goes_elsewhere_once() {
    let now = origin();
    let mut plan = plan(Policy::interactive(), Request::new(), now);
    let (first, ..) = sent(&mut plan, now);
    plan.on(Event::Bad(first, bad()), now + ms(10));
    let (second, name, _) = sent(&mut plan, now + ms(10));
    assert_eq!(name, "large");
    plan.on(Event::Bad(second, bad()), now + ms(20));
    assert!(matches!(plan.poll(now + ms(20)), Action::Degrade(_)));
    let findings: Vec<_> = plan.trace().hops.iter().map(|hop| hop.finding).collect();
    assert_eq!(findings, [Some("garbled"), Some("garbled")]);
}

#[test]
fn bad_answers_open_the_breaker_by_their_own_streak() {
    let now = origin();
    let table = table(Policy::interactive(), now);
    let route = table.route("r").unwrap();
    let small = table.targets().next().unwrap();
    for nth in 0..5 {
        let at = now + ms(nth * 10);
        let mut plan = Plan::new(Arc::clone(&table), route, Request::new(), at, nth);
        let (attempt, name, _) = sent(&mut plan, at);
        assert_eq!(name, "small");
        plan.on(Event::Bad(attempt, bad()), at);
    }
    let snapshot = table.gate(small).snapshot(now + ms(60));
    assert_ne!(snapshot.state, llm_breaker::State::Closed);
}

#[test]
fn bad_answers_that_streamed_open_it_as_well_and_a_good_one_between_them_ends_their_row() {
    let opened = |bad_ones: &[bool]| {
        let now = origin();
        let table = table(Policy::interactive(), now);
        let route = table.route("r").unwrap();
        let small = table.targets().next().unwrap();
        for (nth, is_bad) in (0..).zip(bad_ones) {
            let at = now + ms(nth * 10);
            let mut plan = Plan::new(
                Arc::clone(&table),
                route,
                Request::new().streamed(),
                at,
                nth,
            );
            let (attempt, name, _) = sent(&mut plan, at);
            assert_eq!(name, "small");
            plan.on(Event::FirstToken(attempt), at);
            assert_eq!(plan.poll(at), Action::Accept(attempt));
            if *is_bad {
                plan.on(Event::Bad(attempt, bad()), at);
            } else {
                plan.on(Event::Succeeded(attempt, Tokens::default()), at);
            }
        }
        table.gate(small).snapshot(now + ms(900)).state != llm_breaker::State::Closed
    };
    assert!(opened(&[true; 5]));
    assert!(!opened(&[
        true, true, true, true, false, true, true, true, true
    ]));
}
