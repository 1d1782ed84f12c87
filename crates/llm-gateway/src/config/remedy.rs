//! Reads what a route does beyond its tiers: `on` for one sort of failure, `canary`, tags, money, and what happens where
//! everything is set aside.

use super::key::Section;
use super::reader::{Entries, Reader};
use super::route::{Member, lookup, tier};
use super::target::Target;
use super::{place, spend};
use crate::engine::{Allowance, Canary, Edge, FailOpen, Spend};

/// What a route does beyond its tiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Remedy {
    /// Targets for one sort of failure each.
    pub(crate) on: Vec<(Edge, Vec<Member>)>,
    /// The target on trial.
    pub(crate) canary: Option<Trial>,
    /// What every target of the route must bear.
    pub(crate) tags: Vec<String>,
    /// What an hour of it may cost.
    pub(crate) spend: Allowance,
    /// What one call may cost.
    pub(crate) max_cost: Option<Spend>,
    /// What happens where every target is set aside.
    pub(crate) fail_open: FailOpen,
}

/// A target on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trial {
    /// Index of the target.
    pub(crate) target: usize,
    /// Its shares of the callers, in percent; none for the usual ones.
    pub(crate) steps: Vec<u8>,
}

/// Reads them; `used` are the targets that stand in the tiers.
pub(super) fn read(
    reader: &mut Reader<'_>,
    route: &Entries<'_, '_>,
    targets: &[(String, Option<Target>)],
    used: &mut Vec<usize>,
) -> Remedy {
    let on = on(reader, route, targets, used);
    let canary = canary(reader, route, targets, used);
    let words = [
        ("never", FailOpen::Never),
        ("least_bad", FailOpen::LeastBad),
    ];
    let remedy = Remedy {
        on,
        canary,
        tags: place::tags(reader, route),
        spend: spend::read(reader, route),
        max_cost: spend::sum(reader, route, "max_cost"),
        fail_open: reader
            .choice(route, "fail_open", &words)
            .unwrap_or_default(),
    };
    check_tags(reader, route, targets, used, &remedy.tags);
    remedy
}

fn on(
    reader: &mut Reader<'_>,
    route: &Entries<'_, '_>,
    targets: &[(String, Option<Target>)],
    used: &mut Vec<usize>,
) -> Vec<(Edge, Vec<Member>)> {
    let mut on = Vec::new();
    let Some(table) = reader.table(route, "on", Section::On) else {
        return on;
    };
    for edge in Edge::ALL {
        let name = edge.as_str();
        let Some((at, list)) = reader.list(&table, name, "[\"TARGET\"]") else {
            continue;
        };
        let path = table.path_of(name);
        if list.is_empty() {
            reader.fault(at, path, "no target", "name one, or remove the key");
            continue;
        }
        let members = tier(reader, list, &path, targets, used);
        if !members.is_empty() {
            on.push((edge, members));
        }
    }
    on
}

fn canary(
    reader: &mut Reader<'_>,
    route: &Entries<'_, '_>,
    targets: &[(String, Option<Target>)],
    used: &mut Vec<usize>,
) -> Option<Trial> {
    let table = reader.table(route, "canary", Section::Canary)?;
    let steps = steps(reader, &table);
    if table.get("target").is_none() {
        reader.missing(&table, "target", "\"NAME\"");
    }
    let name = reader.text(&table, "target")?;
    let at = table
        .get("target")
        .map_or(table.at, |value| value.span().start);
    let path = table.path_of("target");
    let target = lookup(reader, name, at, &path, targets)?;
    if used.contains(&target) {
        let mend = "take it out of the tiers: its share is that of its trial alone";
        reader.fault(
            at,
            path,
            "a target on trial that the route uses as well",
            mend,
        );
        return None;
    }
    used.push(target);
    Some(Trial { target, steps })
}

fn steps(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Vec<u8> {
    const MEND: &str = "write ascending percentages from 1 to 99, at most 8: steps = [5, 25, 50]";
    let Some((at, list)) = reader.list(table, "steps", "[5, 25, 50]") else {
        return Vec::new();
    };
    let percent = |value: &super::reader::Value<'_>| {
        let number = value.get_ref().as_integer()?;
        u8::from_str_radix(number.as_str(), number.radix()).ok()
    };
    let steps: Option<Vec<u8>> = list.iter().map(percent).collect();
    let good = steps.filter(|steps| {
        let ascending = steps.is_sorted_by(|a, b| a < b);
        let percentages = steps.iter().all(|step| (1..100).contains(step));
        ascending && percentages && (1..=Canary::MOST_STEPS).contains(&steps.len())
    });
    good.unwrap_or_else(|| {
        reader.fault(at, table.path_of("steps"), "not the steps of a trial", MEND);
        Vec::new()
    })
}

/// Every target of a route must bear the tags it asks for.
fn check_tags(
    reader: &mut Reader<'_>,
    route: &Entries<'_, '_>,
    targets: &[(String, Option<Target>)],
    used: &[usize],
    tags: &[String],
) {
    let at = route
        .get("tags")
        .map_or(route.at, |value| value.span().start);
    for (name, target) in used.iter().filter_map(|index| targets.get(*index)) {
        // A target with a fault has been named already.
        let Some(target) = target else { continue };
        for tag in tags.iter().filter(|tag| !target.place.tags.contains(tag)) {
            let what = format!("the target `{name}` does not have the tag `{tag}`");
            let mend =
                format!("add \"{tag}\" to the tags of `{name}`, or take it out of the route");
            reader.fault(at, route.path_of("tags"), what, mend);
        }
    }
}
