//! Vectors of two embedding models cannot be compared, even where they are of one length: a route that falls back from
//! one to the other would spoil an index unseen. So all its targets must be of one space.

use super::reader::{Entries, Reader};
use super::{Route, Target};

/// Finds routes whose targets are not all for conversations, or not all for embeddings of one space.
pub(super) fn check(
    reader: &mut Reader<'_>,
    top: &Entries<'_, '_>,
    targets: &[(String, Option<Target>)],
    routes: &[Route],
) {
    for (name, at, _) in reader.named(top, "routes") {
        let Some(route) = routes.iter().find(|route| route.name == name) else {
            continue;
        };
        let tiers = route.tiers.iter().flatten();
        let tiers = tiers.map(|member| ("tiers", member.target));
        let on = route.remedy.on.iter().flat_map(|(_, members)| members);
        let on = on.map(|member| ("on", member.target));
        let trial = route.remedy.canary.iter();
        let trial = trial.map(|trial| ("canary", trial.target));
        let mut members = tiers
            .chain(on)
            .chain(trial)
            .filter_map(|(key, target)| Some((key, targets.get(target)?.1.as_ref()?)));
        let Some((_, first)) = members.next() else {
            continue;
        };
        let Some((key, other)) = members.find(|(_, other)| other.embeddings != first.embeddings)
        else {
            continue;
        };
        let said = |target: &Target| match &target.embeddings {
            Some(space) => format!("for embeddings of the space `{space}`"),
            None => "for conversations".to_owned(),
        };
        let what = format!(
            "`{}` is {}, `{}` {}",
            first.name,
            said(first),
            other.name,
            said(other)
        );
        let mend = "give each space a route of its own; where two names mean one space, give both targets the same `embeddings`";
        reader.fault(at, format!("routes.{name}.{key}"), what, mend);
    }
}
