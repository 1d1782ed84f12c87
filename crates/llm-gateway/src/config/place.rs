//! Reads what a target shares with others: organisation, failure domain, tags; and its spend.

use super::reader::{Entries, Reader};
use super::spend;
use super::target::{LONGEST_NAME, check_name};
use crate::engine::Allowance;

/// Tags of one target or route.
const MOST_TAGS: usize = 32;

/// What a target shares with others, and what it may cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whose credential it is.
    pub(crate) organisation: Option<String>,
    /// What fails together, if not the provider.
    pub(crate) failure_domain: Option<String>,
    /// By what calls and routes may ask for it.
    pub(crate) tags: Vec<String>,
    /// What an hour of it may cost.
    pub(crate) spend: Allowance,
}

/// Reads the place of a target.
pub(super) fn read(reader: &mut Reader<'_>, target: &Entries<'_, '_>) -> Place {
    Place {
        organisation: label(reader, target, "organisation"),
        failure_domain: label(reader, target, "failure_domain"),
        tags: tags(reader, target),
        spend: spend::read(reader, target),
    }
}

fn label(reader: &mut Reader<'_>, target: &Entries<'_, '_>, name: &str) -> Option<String> {
    let text = reader.text(target, name)?;
    if text.len() > LONGEST_NAME {
        let at = target
            .get(name)
            .map_or(target.at, |value| value.span().start);
        let mend = format!("write a label of up to {LONGEST_NAME} bytes");
        reader.fault(at, target.path_of(name), "too long", mend);
        return None;
    }
    Some(text.to_owned())
}

/// The tags of a target, or those a route asks for.
pub(super) fn tags(reader: &mut Reader<'_>, owner: &Entries<'_, '_>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    let Some((at, list)) = reader.list(owner, "tags", "[\"eu\"]") else {
        return tags;
    };
    let path = owner.path_of("tags");
    for value in list {
        let Some(text) = reader.text_value(value, path.clone()) else {
            continue;
        };
        check_name(reader, text, value.span().start, &path);
        if text.contains('!') || tags.iter().any(|known| known == text) {
            let mend = "write each tag once, without `!`";
            reader.fault(
                value.span().start,
                path.clone(),
                format!("the tag `{text}`"),
                mend,
            );
            continue;
        }
        tags.push(text.to_owned());
    }
    if list.len() > MOST_TAGS {
        reader.fault(
            at,
            path,
            format!("more than {MOST_TAGS} tags"),
            "keep those that are asked for",
        );
    }
    tags
}
