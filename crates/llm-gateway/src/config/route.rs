//! Reads `[routes.NAME]`: what callers ask for, and in what order targets serve it.

use super::backoff;
use super::budget;
use super::care::{self, Care};
use super::key::Section;
use super::reader::{Entries, Reader, Value};
use super::remedy::{self, Remedy};
use super::stick::{self, StickTo};
use super::target::{Target, check_name};
use super::wording::{kind, show, unknown_mend};
use crate::engine::{self, Backoff, Budget, Hedging, Strategy};
use std::collections::BTreeMap;
use std::time::Duration;
use toml::de::DeValue;

/// The largest weight: shares finer than that are noise.
const HEAVIEST: u32 = 10_000;
/// Members a route may have over all tiers: what the engine can keep track of.
const MOST_MEMBERS: usize = engine::MAX_CANDIDATES;
const SHORTEST: Duration = Duration::from_millis(1);

/// What serves one name.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// What callers send as `model`.
    pub(crate) name: String,
    /// Further such names.
    pub(crate) aliases: Vec<String>,
    /// Tiers in the order of use; none is empty.
    pub(crate) tiers: Vec<Vec<Member>>,
    /// Where the limits below come from when they are not given.
    pub(crate) preset: Preset,
    /// Wall clock for one call.
    pub(crate) deadline: Option<Duration>,
    /// The same where the model thinks first.
    pub(crate) thinking_deadline: Option<Duration>,
    /// The longest wait before the next tier.
    pub(crate) patience: Option<Duration>,
    /// Tries of one target.
    pub(crate) attempts: Option<u8>,
    /// Upstream calls over all targets.
    pub(crate) max_calls: Option<u8>,
    /// How long one attempt may take.
    pub(crate) windows: Windows,
    /// The waits between two tries of one target.
    pub(crate) backoff: Option<Backoff>,
    /// How one of a tier's ready members is chosen.
    pub(crate) strategy: Option<Strategy>,
    /// What calls stick by, where they do.
    pub(crate) stick_to: StickTo,
    /// Whether a second target is asked beside a slow one.
    pub(crate) hedging: Option<Hedging>,
    /// What repeated calls may come to.
    pub(crate) retries: Budget,
    /// How many of its members detectors may have set aside, in percent.
    pub(crate) eject_percent: Option<u8>,
    /// What is asked of answers.
    pub(crate) care: Care,
    /// What to answer when no target could, in order.
    pub(crate) degraded: Vec<Degraded>,
    /// What it does beyond its tiers.
    pub(crate) remedy: Remedy,
}

/// One target's place in a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Index of the target.
    pub(crate) target: usize,
    /// Its share of the tier's traffic.
    pub(crate) weight: u32,
    /// Whether it may be asked after a refusal elsewhere.
    pub(crate) less_restrictive: bool,
}

/// A set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    /// Someone waits for the answer.
    Interactive,
    /// Nobody does.
    Background,
    /// A program does, with many steps behind it.
    Agent,
}

/// How long one attempt may take, where the route says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Windows {
    /// To connect.
    pub(crate) connect: Option<Duration>,
    /// To the first token of a stream.
    pub(crate) first_token: Option<Duration>,
    /// Between two tokens.
    pub(crate) idle: Option<Duration>,
    /// To the end of an answer that is not streamed.
    pub(crate) whole: Option<Duration>,
    /// To the end of a stream.
    pub(crate) stream: Option<Duration>,
    /// How much longer where the model thinks first.
    pub(crate) thinking: Option<Duration>,
    /// What was learnt allows so much of a p99, in percent; 0: nothing that was learnt counts.
    pub(crate) learnt_percent: Option<u32>,
    /// Never less than this.
    pub(crate) learnt_floor: Option<Duration>,
}

/// One way to answer when no target could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Degraded {
    /// An earlier answer to the same prompt.
    Cached,
    /// A text in place of the answer.
    Static {
        /// The text.
        text: String,
        /// Words of the prompt it is for; any prompt where there are none.
        when: Option<String>,
    },
    /// An honest message that there is none.
    Message {
        /// The message.
        text: String,
        /// Where a person can be reached.
        contact: Option<String>,
    },
}

/// Reads every route.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Entries<'_, '_>,
    targets: &[(String, Option<Target>)],
) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let named = reader.named(top, "routes");
    for (name, at, _) in &named {
        check_name(reader, name, *at, "routes");
        taken.insert((*name).to_owned(), format!("the route `{name}`"));
    }
    let none = named.is_empty();
    for (name, _, value) in named {
        let Some(table) = reader.table_value(value, Section::Route, format!("routes.{name}"))
        else {
            continue;
        };
        let aliases = aliases(reader, &table, name, &mut taken);
        if let Some(route) = route(reader, &table, name, aliases, targets) {
            routes.push(route);
        }
    }
    if none
        && top
            .get("routes")
            .is_none_or(|value| value.get_ref().is_table())
    {
        let example = "[routes.chat] with tiers = [[\"TARGET\"]]";
        reader.fault(
            0,
            "routes",
            "no route is defined",
            format!("add a table {example}"),
        );
    }
    routes
}

fn route(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    name: &str,
    aliases: Vec<String>,
    targets: &[(String, Option<Target>)],
) -> Option<Route> {
    let mut used = Vec::new();
    let tiers = tiers(reader, table, targets, &mut used);
    let remedy = remedy::read(reader, table, targets, &mut used);
    count(reader, table, used.len());
    let presets = [
        ("interactive", Preset::Interactive),
        ("background", Preset::Background),
        ("agent", Preset::Agent),
    ];
    let preset = reader
        .choice(table, "preset", &presets)
        .unwrap_or(Preset::Interactive);
    let deadline = reader.duration(table, "deadline", SHORTEST);
    let thinking_deadline = reader.duration(table, "thinking_deadline", SHORTEST);
    let patience = reader.duration(table, "patience", Duration::ZERO);
    let attempts = reader
        .whole(table, "attempts", 1..21)
        .and_then(|n| u8::try_from(n).ok());
    let max_calls = reader
        .whole(table, "max_calls", 1..101)
        .and_then(|n| u8::try_from(n).ok());
    let windows = windows(reader, table);
    let backoff = backoff::read(reader, table);
    let strategies = Strategy::ALL.map(|strategy| (strategy.as_str(), strategy));
    let strategy = reader.choice(table, "strategy", &strategies);
    let stick_to = stick::read(reader, table, strategy);
    let hedging = budget::hedging(reader, table);
    let retries = budget::read(reader, table, Budget::ROUTE);
    let eject_percent = reader
        .whole(table, "eject_percent", 0..101)
        .and_then(|n| u8::try_from(n).ok());
    let care = care::read(reader, table);
    let degraded = degraded(reader, table);
    let route = Route {
        name: name.to_owned(),
        aliases,
        tiers: tiers?,
        preset,
        deadline,
        thinking_deadline,
        patience,
        attempts,
        max_calls,
        windows,
        backoff,
        strategy,
        stick_to,
        hedging,
        retries,
        eject_percent,
        care,
        degraded,
        remedy,
    };
    check_times(reader, table, &engine::policy(&route));
    Some(route)
}

/// Times that contradict each other, whether they are written or the preset's.
fn check_times(reader: &mut Reader<'_>, table: &Entries<'_, '_>, policy: &engine::Policy) {
    let deadline = show(policy.deadline);
    let at = |name: &str| {
        let value = table.get(name).or_else(|| table.get("deadline"));
        value.map_or(table.at, |value| value.span().start)
    };
    if policy.patience > policy.deadline {
        let what = format!(
            "longer than the deadline of {deadline}, so that the next tier is never reached"
        );
        let mend = "make patience shorter than deadline";
        reader.fault(at("patience"), table.path_of("patience"), what, mend);
    }
    if policy.thinking_deadline < policy.deadline {
        let what = format!("shorter than the deadline of {deadline} that other calls have");
        let mend = "make thinking_deadline at least as long as deadline, or leave it out";
        let path = table.path_of("thinking_deadline");
        reader.fault(at("thinking_deadline"), path, what, mend);
    }
}

/// Targets in tiers, under `on` and on trial are kept track of alike.
fn count(reader: &mut Reader<'_>, table: &Entries<'_, '_>, members: usize) {
    if members > MOST_MEMBERS {
        let at = table
            .get("tiers")
            .map_or(table.at, |value| value.span().start);
        let what = format!(
            "{members} targets in its tiers, under `on` and on trial, and at most {MOST_MEMBERS} are possible"
        );
        reader.fault(at, table.path_of("tiers"), what, "split the route");
    }
}

fn aliases(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    route: &str,
    taken: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let mut aliases = Vec::new();
    let Some((_, list)) = reader.list(table, "aliases", "[\"gpt-5\"]") else {
        return aliases;
    };
    for value in list {
        let path = table.path_of("aliases");
        let Some(text) = reader.text_value(value, path.clone()) else {
            continue;
        };
        let at = value.span().start;
        check_name(reader, text, at, &path);
        if let Some(owner) = taken.get(text) {
            let what = format!("`{text}` is taken by {owner}");
            reader.fault(at, path, what, "name each model in one place only");
            continue;
        }
        taken.insert(text.to_owned(), format!("an alias of the route `{route}`"));
        aliases.push(text.to_owned());
    }
    aliases
}

const TIERS: &str = "[[\"primary\"], [\"backup\"]]";

fn tiers(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    targets: &[(String, Option<Target>)],
    used: &mut Vec<usize>,
) -> Option<Vec<Vec<Member>>> {
    if table.get("tiers").is_none() {
        reader.missing(table, "tiers", TIERS);
        return None;
    }
    let (at, list) = reader.list(table, "tiers", TIERS)?;
    let path = table.path_of("tiers");
    if list.is_empty() {
        reader.fault(at, path, "no tier", format!("write tiers = {TIERS}"));
        return None;
    }
    let mut tiers = Vec::new();
    for value in list {
        let at = value.span().start;
        let DeValue::Array(members) = value.get_ref() else {
            let what = format!(
                "{} where a tier, a list of targets, is expected",
                kind(value.get_ref())
            );
            reader.fault(
                at,
                path.clone(),
                what,
                format!("a tier has brackets of its own: tiers = {TIERS}"),
            );
            continue;
        };
        if members.is_empty() {
            reader.fault(
                at,
                path.clone(),
                "an empty tier",
                "put a target into it, or remove it",
            );
            continue;
        }
        let tier = tier(reader, members, &path, targets, used);
        if !tier.is_empty() && tier.iter().all(|member| member.weight == 0) {
            let mend = "give one of its members a weight above zero, or remove the tier";
            reader.fault(
                at,
                path.clone(),
                "a tier in which every weight is zero is never used",
                mend,
            );
        }
        tiers.push(tier);
    }
    Some(tiers)
}

pub(super) fn tier(
    reader: &mut Reader<'_>,
    members: &[Value<'_>],
    path: &str,
    targets: &[(String, Option<Target>)],
    used: &mut Vec<usize>,
) -> Vec<Member> {
    let mut tier: Vec<Member> = Vec::new();
    for value in members {
        let Some((at, member)) = member(reader, value, path, targets) else {
            continue;
        };
        if used.contains(&member.target) {
            let mend = "name it once; for a larger share write { target = \"...\", weight = 2 }";
            reader.fault(at, path, "the same target twice in one route", mend);
            continue;
        }
        used.push(member.target);
        tier.push(member);
    }
    tier
}

fn member(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    path: &str,
    targets: &[(String, Option<Target>)],
) -> Option<(usize, Member)> {
    let at = value.span().start;
    if value.get_ref().is_str() {
        let name = reader.text_value(value, path.to_owned())?;
        let target = lookup(reader, name, at, path, targets)?;
        return Some((
            at,
            Member {
                target,
                weight: 1,
                less_restrictive: false,
            },
        ));
    }
    let entries = reader.table_value(value, Section::Member, path.to_owned())?;
    let weight = reader.whole(&entries, "weight", 0..HEAVIEST + 1);
    let less_restrictive = reader.flag(&entries, "less_restrictive").unwrap_or(false);
    if entries.get("target").is_none() {
        reader.missing(&entries, "target", "\"NAME\"");
    }
    let name = reader.text(&entries, "target")?;
    let name_at = entries.get("target").map_or(at, |value| value.span().start);
    let target = lookup(reader, name, name_at, path, targets)?;
    Some((
        name_at,
        Member {
            target,
            weight: weight.unwrap_or(1),
            less_restrictive,
        },
    ))
}

pub(super) fn lookup(
    reader: &mut Reader<'_>,
    name: &str,
    at: usize,
    path: &str,
    targets: &[(String, Option<Target>)],
) -> Option<usize> {
    let found = targets.iter().position(|(known, _)| known == name);
    if found.is_none() {
        let mend = unknown_mend(name, targets.iter().map(|(known, _)| known.as_str()));
        reader.fault(at, path, format!("no target is called `{name}`"), mend);
    }
    found
}

fn windows(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Windows {
    let mut windows = Windows::default();
    let Some(table) = reader.table(table, "windows", Section::Windows) else {
        return windows;
    };
    for (name, slot) in [
        ("connect", &mut windows.connect),
        ("first_token", &mut windows.first_token),
        ("idle", &mut windows.idle),
        ("whole", &mut windows.whole),
        ("stream", &mut windows.stream),
        ("thinking", &mut windows.thinking),
    ] {
        *slot = reader.duration(&table, name, SHORTEST);
    }
    windows.learnt_floor = reader.duration(&table, "learnt_floor", SHORTEST);
    windows.learnt_percent = reader.whole(&table, "learnt_percent", 0..1_001);
    if let (Some(percent @ 1..100), Some(value)) =
        (windows.learnt_percent, table.get("learnt_percent"))
    {
        let what = format!("{percent} % of what a call may well take would cut off good answers");
        let mend = "write a whole number from 100 to 1000, or 0 for none";
        let path = table.path_of("learnt_percent");
        reader.fault(value.span().start, path, what, mend);
    }
    windows
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Cached,
    Static,
    Message,
}

fn degraded(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Vec<Degraded> {
    let mut modes = Vec::new();
    let Some((_, list)) = reader.list(table, "degraded", "[{ mode = \"cached\" }]") else {
        return modes;
    };
    for value in list {
        let path = table.path_of("degraded");
        let Some(entries) = reader.table_value(value, Section::Degraded, path) else {
            continue;
        };
        modes.extend(degraded_mode(reader, &entries));
    }
    modes
}

fn degraded_mode(reader: &mut Reader<'_>, entries: &Entries<'_, '_>) -> Option<Degraded> {
    if entries.get("mode").is_none() {
        reader.missing(entries, "mode", "\"cached\"");
        return None;
    }
    let words = [
        ("cached", Mode::Cached),
        ("static", Mode::Static),
        ("message", Mode::Message),
    ];
    let mode = reader.choice(entries, "mode", &words)?;
    let text = reader.text(entries, "text").map(str::to_owned);
    let contact = reader.text(entries, "contact").map(str::to_owned);
    let when = reader.text(entries, "when").map(str::to_owned);
    let at = |name: &str| entries.get(name).map(|value| value.span().start);
    if let (Mode::Cached | Mode::Static, Some(at)) = (mode, at("contact")) {
        reader.fault(
            at,
            entries.path_of("contact"),
            "only the mode `message` has a contact",
            "remove it",
        );
    }
    if let (Mode::Cached | Mode::Message, Some(at)) = (mode, at("when")) {
        reader.fault(
            at,
            entries.path_of("when"),
            "only the mode `static` has words to match",
            "remove it",
        );
    }
    if let (Mode::Cached, Some(at)) = (mode, at("text")) {
        reader.fault(
            at,
            entries.path_of("text"),
            "the mode `cached` has no text of its own",
            "remove it",
        );
    }
    match mode {
        Mode::Cached => Some(Degraded::Cached),
        Mode::Static | Mode::Message if entries.get("text").is_none() => {
            reader.missing(entries, "text", "\"what to answer\"");
            None
        }
        Mode::Static => text.map(|text| Degraded::Static { text, when }),
        Mode::Message => text.map(|text| Degraded::Message { text, contact }),
    }
}
