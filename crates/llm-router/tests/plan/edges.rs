//! Targets that are there for one sort of failure, and requests that narrow their route.

use crate::world::*;
use llm_errors::ErrorKind as K;
use llm_router::{
    Edge, Filter, FilterError, Refusal, Request, Route, Table, TableError, Target, Why,
};

fn typed() -> World {
    World::new(|now| {
        Table::builder()
            .target(
                Target::new("main", "one")
                    .credential("k1")
                    .context_window(8_000)
                    .tag("eu"),
            )
            .target(
                Target::new("long", "one")
                    .credential("k1")
                    .context_window(200_000),
            )
            .target(Target::new("lenient", "one").credential("k1"))
            .target(Target::new("second", "one").credential("k2"))
            .target(Target::new("west", "west").credential("k3"))
            .target(Target::new("other", "two").tag("eu").tag("cheap"))
            .route(
                Route::new("r")
                    .tier(["main"])
                    .tier(["other"])
                    .on(Edge::ContextLength, ["long"])
                    .on(Edge::ContentFilter, ["lenient"])
                    .on(Edge::Credential, ["second"])
                    .on(Edge::Region, ["west"]),
            )
            .build(now)
            .unwrap()
    })
}

#[test]
fn each_failure_has_its_own_way_on() {
    for (failure, next, why) in [
        (K::ContextLength, "long", Why::LongerContext),
        (K::ContentFilter, "lenient", Why::LessRestrictive),
        (K::QuotaExhausted, "second", Why::OtherCredential),
        (K::AuthInvalidKey, "second", Why::OtherCredential),
        (K::ServerError, "west", Why::OtherRegion),
        (K::Network, "west", Why::OtherRegion),
        // Of no edge: the next tier.
        (K::EmptyOutput, "other", Why::Fallback),
    ] {
        let mut world = typed();
        world.script("main", [bad(failure)]);
        let (end, trace) = world.call();
        assert_eq!(end, End::Answered, "{failure}");
        let last = trace.hops.last().unwrap();
        assert_eq!(world.table.target_name(last.target), next, "{failure}");
        assert_eq!(last.why, why, "{failure}");
    }
}

#[test]
fn what_is_known_beforehand_leads_the_same_way() {
    let mut world = typed();
    let (_, trace) = world.call_with(Request::new().context_tokens(50_000), 1);
    assert_eq!(world.calls, ["long"]);
    assert_eq!(trace.hops[0].passed_over[0].reason, Refusal::TooSmall);
    // The credential is set aside by one request, and the next ones go round it.
    world.script("main", [bad_for(K::QuotaExhausted, secs(600))]);
    world.call();
    world.calls.clear();
    world.call();
    assert_eq!(world.calls, ["second"]);
}

#[test]
fn an_edge_is_used_for_nothing_else() {
    let mut world = typed();
    world.script("main", [bad(K::EmptyOutput)]);
    world.script("other", [bad(K::EmptyOutput)]);
    let (end, trace) = world.call();
    assert!(matches!(end, End::Degraded(_)));
    let reasons: Vec<_> = trace.refused.iter().map(|seen| seen.reason).collect();
    assert_eq!(reasons, [Refusal::NotForThis; 4]);
    let words = trace.describe(&world.table).to_string();
    assert!(words.contains("west not used: not_for_this"), "{words}");
    let route = world.table.route("r").unwrap();
    let words = world
        .table
        .explain(route, &Request::new(), world.now)
        .to_string();
    assert!(
        words.contains("on credential second: not used: not_for_this"),
        "{words}"
    );
}

fn placed(filter: &Filter) -> Result<Vec<String>, FilterError> {
    let mut world = typed();
    for name in ["main", "other"] {
        world.script(name, [bad(K::EmptyOutput)]);
    }
    let route = world.table.route("r").unwrap();
    let allowed = world.table.allow(route, filter)?;
    world.call_with(Request::new().allowed(allowed), 1);
    Ok(std::mem::take(&mut world.calls))
}

#[test]
fn a_request_names_whom_it_wants_and_whom_not() {
    let with = |set: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        set(&mut filter);
        placed(&filter).map(|mut calls| {
            calls.dedup();
            calls
        })
    };
    assert_eq!(with(&|_| {}).unwrap()[..2], ["main", "other"]);
    assert_eq!(with(&|f| f.only = vec!["other".into()]).unwrap(), ["other"]);
    assert_eq!(with(&|f| f.never = vec!["main".into()]).unwrap(), ["other"]);
    assert_eq!(with(&|f| f.tags = vec!["cheap".into()]).unwrap(), ["other"]);
    assert_eq!(
        with(&|f| f.without_tags = vec!["cheap".into()]).unwrap(),
        ["main"]
    );
    assert_eq!(with(&|f| f.no_fallback = true).unwrap(), ["main"]);
    assert_eq!(
        with(&|f| f.only = vec!["nobody".into()]),
        Err(FilterError::UnknownTarget("nobody".into()))
    );
    assert_eq!(
        with(&|f| f.tags = vec!["us".into()]),
        Err(FilterError::UnknownTag("us".into()))
    );
    assert_eq!(
        with(&|f| {
            f.only = vec!["main".into()];
            f.never = vec!["main".into()];
        }),
        Err(FilterError::NothingLeft)
    );
}

#[test]
fn a_request_sets_its_own_limits() {
    let mut world = typed();
    world.script("main", [bad(K::Overloaded)]);
    world.script("west", [bad(K::Overloaded)]);
    let mut request = Request::new();
    request.max_sends = Some(2);
    let (end, _) = world.call_with(request, 1);
    assert!(matches!(end, End::Degraded(_)));
    assert_eq!(world.calls.len(), 2);
    // No patience, one try: on at once.
    world.calls.clear();
    let mut request = Request::new();
    request.patience = Some(secs(0));
    request.attempts = Some(1);
    let (end, trace) = world.call_with(request, 1);
    assert_eq!(end, End::Answered);
    assert!(trace.hops.iter().all(|hop| hop.waited.is_none()));
    assert_eq!(world.calls, ["main", "west", "other"]);
}

#[test]
fn a_route_refuses_targets_without_its_tag() {
    let build = |tag: &str| {
        Table::builder()
            .target(Target::new("a", "one").tag("eu"))
            .target(Target::new("b", "two"))
            .route(Route::new("r").tier(["a"]).tier(["b"]).tag(tag))
            .build(origin())
    };
    let error = build("eu").unwrap_err();
    assert!(matches!(error, TableError::MissingTag { .. }));
    assert_eq!(
        error.to_string(),
        "route `r` asks for the tag `eu`, which target `b` does not have"
    );
}
