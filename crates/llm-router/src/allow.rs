//! Which of a route's targets one request may use: by name, by tag, or only the first tier.

use crate::resolve::{Candidate, Role};
use crate::route::RouteId;
use crate::select::Set;
use crate::table::Table;
use crate::target::TargetId;
use thiserror::Error;

/// The targets of one route that a request may use. The default allows every one.
///
/// It belongs to the table and route it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed(pub(crate) Set);

impl Default for Allowed {
    fn default() -> Self {
        Self(Set::ALL)
    }
}

/// What a request asks of the targets it may use. Everything holds at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only these targets; every one where the list is empty.
    pub only: Vec<Box<str>>,
    /// None of these.
    pub never: Vec<Box<str>>,
    /// Only targets that bear all of these tags.
    pub tags: Vec<Box<str>>,
    /// Only targets that bear none of these.
    pub without_tags: Vec<Box<str>>,
    /// Only the first tier.
    pub no_fallback: bool,
}

/// A [`Filter`] that does not suit its route.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FilterError {
    /// A target that the route does not have.
    #[error("the route has no target of the name `{0}`")]
    UnknownTarget(Box<str>),
    /// A tag that no target of the route bears.
    #[error("no target of the route has the tag `{0}`")]
    UnknownTag(Box<str>),
    /// No target meets all conditions.
    #[error("no target of the route meets every condition of the request")]
    NothingLeft,
}

impl Filter {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let lists = [&self.only, &self.never, &self.tags, &self.without_tags];
        !self.no_fallback && lists.iter().all(|list| list.is_empty())
    }

    fn admits(&self, table: &Table, candidate: &Candidate) -> bool {
        let name = table.target_name(candidate.target);
        let bears = |tag: &str| table.tags(candidate.target).any(|known| known == tag);
        (self.only.is_empty() || self.only.iter().any(|wanted| &**wanted == name))
            && !self.never.iter().any(|unwanted| &**unwanted == name)
            && self.tags.iter().all(|tag| bears(tag))
            && !self.without_tags.iter().any(|tag| bears(tag))
            && !(self.no_fallback && (candidate.tier > 0 || candidate.role != Role::Member))
    }
}

impl Allowed {
    /// Whether nobody is left.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.0 == Set::default()
    }
}

impl Table {
    /// The targets of `route` of which `admits` is true; each is asked about once for each of its places.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn targets_where(
        &self,
        route: RouteId,
        mut admits: impl FnMut(TargetId) -> bool,
    ) -> Allowed {
        let mut allowed = Set::default();
        for candidate in &self.resolved(route).candidates {
            if admits(candidate.target) {
                allowed.insert(candidate.position);
            }
        }
        Allowed(allowed)
    }

    /// Resolves what a request asks of the targets of `route`.
    ///
    /// # Errors
    ///
    /// [`FilterError`] where a name or a tag is not known there, or nothing is left.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    pub fn allow(&self, route: RouteId, filter: &Filter) -> Result<Allowed, FilterError> {
        if filter.is_none() {
            return Ok(Allowed::default());
        }
        let candidates = &self.resolved(route).candidates;
        let named = |name: &str| {
            let mut all = candidates.iter();
            all.any(|candidate| self.target_name(candidate.target) == name)
        };
        let tagged = |tag: &str| {
            let mut all = candidates.iter();
            all.any(|candidate| self.tags(candidate.target).any(|known| known == tag))
        };
        if let Some(name) = filter
            .only
            .iter()
            .chain(&filter.never)
            .find(|name| !named(name))
        {
            return Err(FilterError::UnknownTarget(name.clone()));
        }
        // A tag to keep away from may be borne by nobody here.
        if let Some(tag) = filter.tags.iter().find(|tag| !tagged(tag)) {
            return Err(FilterError::UnknownTag(tag.clone()));
        }
        let mut allowed = Set::default();
        for candidate in candidates.iter().filter(|one| filter.admits(self, one)) {
            allowed.insert(candidate.position);
        }
        if allowed == Set::default() {
            return Err(FilterError::NothingLeft);
        }
        Ok(Allowed(allowed))
    }
}
