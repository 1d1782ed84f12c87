//! What would surprise of money, remedies and trials.

use super::super::{Caller, Config, Member, Route, Target};
use crate::engine::Edge;
use std::collections::BTreeSet;

/// Warnings about one route.
pub(super) fn warnings(config: &Config, route: &Route) -> Vec<String> {
    let mut found = Vec::new();
    let name = &route.name;
    let remedy = &route.remedy;
    let target = |member: &Member| config.targets.get(member.target);
    let first: Vec<&Target> = route
        .tiers
        .iter()
        .take(1)
        .flatten()
        .filter_map(target)
        .collect();
    if remedy.max_cost.is_some() || !remedy.spend.is_none() {
        for free in all(config, route).filter(|target| target.price.is_none()) {
            found.push(format!(
                "routes.{name}: what `{}` costs is not counted, since it has no price",
                free.name
            ));
        }
    }
    for (edge, members) in &remedy.on {
        let edge_name = edge.as_str();
        for member in members.iter().filter_map(target) {
            let in_vain = match edge {
                Edge::ContextLength => {
                    let longest = first.iter().map(|target| target.context_window).max();
                    longest.flatten().is_some_and(|longest| {
                        member
                            .context_window
                            .is_some_and(|window| window <= longest)
                    })
                }
                Edge::Credential => {
                    member.credential.is_some()
                        && first.iter().any(|target| {
                            target.credential == member.credential
                                && target.provider == member.provider
                        })
                }
                Edge::Region => {
                    member.cloud.region.is_some()
                        && first
                            .iter()
                            .any(|target| target.cloud.region == member.cloud.region)
                }
                _ => false,
            };
            if in_vain {
                let shared = match edge {
                    Edge::ContextLength => "no longer window than",
                    Edge::Credential => "the same key as",
                    _ => "the same region as",
                };
                found.push(format!(
                    "routes.{name}: on.{edge_name} leads to `{}`, which has {shared} the first tier",
                    member.name
                ));
            }
        }
    }
    found
}

/// Warnings about one target.
pub(super) fn of_target(target: &Target) -> Option<String> {
    let counted = !target.place.spend.is_none();
    (counted && target.price.is_none()).then(|| {
        format!(
            "targets.{}: its spend is not counted, since it has no price",
            target.name
        )
    })
}

/// Warnings about one caller.
pub(super) fn of_caller(config: &Config, caller: &Caller) -> Vec<String> {
    if caller.spend.is_none() {
        return Vec::new();
    }
    let asked = |route: &&Route| match &caller.routes {
        Some(routes) => routes.contains(&route.name),
        None => true,
    };
    let targets = config.routes.iter().filter(asked);
    let targets = targets.flat_map(|route| all(config, route));
    let free: BTreeSet<_> = targets
        .filter(|target| target.price.is_none())
        .map(|target| &target.name)
        .collect();
    let name = &caller.name;
    let told = free.into_iter().map(|free| {
        format!("callers.{name}: what `{free}` costs is not counted, since it has no price")
    });
    told.collect()
}

/// Every target that a route may use.
fn all<'c>(config: &'c Config, route: &'c Route) -> impl Iterator<Item = &'c Target> {
    let remedy = &route.remedy;
    let on = remedy.on.iter().flat_map(|(_, members)| members);
    let members = route.tiers.iter().flatten().chain(on);
    let trial = remedy.canary.iter().map(|trial| trial.target);
    let all = members.map(|member| member.target).chain(trial);
    all.filter_map(|index| config.targets.get(index))
}
