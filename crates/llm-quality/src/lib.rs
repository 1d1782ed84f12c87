//! Is this 200 any good? Verdicts on the answer of a language model, finished or still growing.
//!
//! A provider can answer 200 with nothing, with half a sentence, with one line said for ever, or with a polite no. These checks find
//! that out without another model: pure functions of the text and the few facts beside it, no clock, no socket, no state shared.
//!
//! ```
//! use llm_quality::{Answer, Finding, Finish, Look, Severity};
//!
//! let look = Look::default();
//!
//! let findings = look.look(&Answer::new("The capital of Norway is Oslo.").with_finish(Finish::Stop));
//! assert!(findings.is_clean());
//!
//! let findings = look.look(&Answer::new("I’m sorry, but I can’t help with that.").with_finish(Finish::Stop));
//! assert!(findings.is_bad());
//! assert_eq!(findings.first(), Some(Finding::Refusal));
//!
//! let mut growing = look.growing();
//! let looping = (0..100).any(|_| growing.push("Knead the dough until it is smooth. ").is_bad());
//! assert!(looping);
//! ```
//!
//! # The checks
//!
//! A finding is *bad* (use the answer for nothing: go elsewhere once, store nothing, count it against the target's quality),
//! *suspect* (worth a second look) or a *note* (worth counting).
//!
//! | finding | by default | bad when | no more than suspect when |
//! |---|---|---|---|
//! | `empty` | yes | nothing visible, no tool call, no refusal | |
//! | `too_short` | floor 0 | fewer visible characters than [`LookBuilder::min_chars`] | |
//! | `cut_off` | yes | finish reason [`Finish::Length`] | |
//! | `mid_sentence` | yes | open code block, hanging comma, bracket or conjunction, and *no* finish reason | the same with one; a long sentence without its end (with a reason: a note) |
//! | `repetitive` | yes | an exact loop: see below | nearly all of 4 KiB had been said before |
//! | `garbled` | yes | weight 8 in 512 characters, or 4 at 1 % in a short text; three pairs of alphabets glued inside words | weight 4 in a longer text |
//! | `refusal` | yes | field, stop reason, or the first or second sentence of a short text declines (17 languages) | a text over 700 characters begins so |
//! | `tool_call_invalid` | yes | no name, a tool that was not offered, arguments that are no JSON object (or miss the schema) | |
//! | `invalid_json` | [`LookBuilder::json`] | not one whole JSON value | |
//! | `schema_invalid` | feature `schema` | JSON, but not what the schema wants | |
//! | `wrong_language` | [`LookBuilder::language`] | another script, or the small words of another language (20 languages) | |
//! | `off_topic` | [`LookBuilder::similarity`] | | the caller's measure is below its floor |
//!
//! A loop is an exact repetition of at least: 512 bytes of white space; 1536 bytes of marks (rules, bars); 2048 bytes with at least as many
//! digits as letters (matrices, byte arrays); 512 bytes of text and eight turns, six if a turn is over 64 bytes, four if over 256 (1024 bytes if a
//! turn is four bytes or less). Longer circles than 4000 bytes are not seen.
//!
//! # How often it is wrong, and what it costs
//!
//! False positives, with finish reason `stop`, over 7000 good answers of 28 kinds that the tests make from handwritten pieces (prose in 14
//! languages, lists, code fenced, nested and raw, tables, poems with refrains, songs, JSON, CSV, HTML, configuration, maths, matrices, logs, base64,
//! hex dumps, counting, byte arrays, text art, quoted refusals, polite noes, one-word answers, greetings in twelve languages, mojibake explained,
//! dialogue, assertions, emoji): `cargo test -p llm-quality --test look -- --nocapture`. The checks were tuned on that corpus, so the
//! second column counts more: files of third-party packages and of the system (documentation, source code, data), cut into pieces of
//! some 4 KB by `examples/look_at_files.rs`. No provider's traffic was used for either.
//!
//! | check | 7000 good answers: bad, suspect | 8333 pieces of files: bad, suspect | µs per KiB |
//! |---|---|---|---|
//! | visible characters (`empty`, `too_short`) | 0, 0 | 0, 0 | 0.9 |
//! | `refusal` by wording | 0, 0 | 0, 0 | 0.3 in 16 KiB (the beginning only) |
//! | `mid_sentence` | 0, 0 (56 notes) | 0, 46 | 1.2 |
//! | `garbled` | 0, 0 | 13, 0 | 1.9 |
//! | `repetitive` | 0, 0 | 8, 2 | 7.4 |
//! | `invalid_json` | 0, 0 of the 250 that are JSON | – | 1.2 |
//! | `wrong_language` | 0, 0 of 3500 in the 14 languages | – | 23 |
//! | default set, English | 0, 0 | 21, 48 | 8 |
//! | default set, Chinese | | | 12 |
//! | default set, growing by 4 bytes | the same | the same | 9 |
//!
//! The generated answers share their pieces and were tuned on (a first version called 33 of them bad, all mojibake explained), so zero
//! of 7000 is no bound for other texts. Of the 21 pieces of files called bad (0.25 % of 8333, 20.6 MB, 5916 files, HTML left out), 13 come from copies
//! of two test fixtures, five from one page, three from generated test data. The example cuts at empty lines, also inside code blocks, which
//! `mid_sentence` takes for broken ends: its share there is too high. `cut_off`, the fields and
//! the tool calls are facts and need no rate; `schema_invalid` and `off_topic` are as good as the caller's schema and measure, and cost what those cost.
//! `wrong_language` was tried on prose in 14 of its 20 languages, and on one sample of each against all others. A `schema_invalid` is never wrong about
//! the schema; what a schema may cost is bounded when it is compiled (`Schema::try_new`).
//! Holding 48 KiB of objects against a dozen string fields took 11 µs per KiB more than the JSON check, and compiling that schema 95 µs.
//!
//! Times are those of one run of `cargo bench -p llm-quality` on a shared two-core virtual machine with other builds running, answers of
//! 16 KiB, the first row's cost taken off the others above `invalid_json`. One sentence takes 2 µs in all, mostly for clearing the memory of the loop
//! detector. A growing look holds at most 32 KiB.
//!
//! Caught, of 300 spoilt answers each: a sentence or a paragraph repeated 300 and 300; UTF-8 read as Latin-1 and characters cut at chunk borders
//! at least 290; a text cut at a random place, without a finish reason, noticed 254 times and called bad 36 times. So a cut is proven by the finish
//! reason and hardly by the text: treat a stream without one as failed, whatever is found here.
//!
//! # What it does not do
//!
//! It does not know whether an answer is *true*. Fluent nonsense in one language, a loop with a counter in it, and a refusal in other words
//! go unseen. A caller who asked for five hundred times the same line should leave `repetitive` out; one who asked for one token should
//! lower `cut_off` by [`LookBuilder::at_most`].
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `schema` | no | `Schema`, [`LookBuilder`]'s `schema` and `tool_schema`: the `jsonschema` validator (MIT), without network and file access |

mod answer;
mod ending;
mod fence;
mod finding;
mod garble;
mod growing;
mod json;
mod language;
mod look;
mod refusal;
mod repeat;
mod scan;
#[cfg(feature = "schema")]
mod schema;
mod script;
mod similarity;

pub use answer::{Answer, Finish, ToolCall};
pub use finding::{Finding, Findings, Severity, UnknownFinding};
pub use growing::GrowingLook;
pub use json::JsonForm;
pub use language::Language;
pub use look::{BuildError, Look, LookBuilder};
pub use repeat::Repetition;
#[cfg(feature = "schema")]
pub use schema::{Schema, SchemaError};
pub use similarity::Similarity;
