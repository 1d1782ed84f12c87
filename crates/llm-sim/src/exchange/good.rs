//! Makes the good answer of a call, or finds what is wrong with the request.

use bytes::Bytes;
use serde_json::Value;

use super::Exchange;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::framing::Framing;
use crate::json;
use crate::preset::Preset;
use crate::script::{Blank, Fault, Garbling};
use crate::voice::{Headers, Problem};
use crate::wire::{
    Embedder, Family, Frames, Wire, anthropic, bedrock, cohere, gemini, model, ollama, openai,
    responses,
};

/// How newer Claude models refuse a prefill; read 2026-11-23 in reports of users of several SDKs
/// (<https://github.com/strands-agents/sdk-python/issues/1694>) and announced at
/// <https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6>.
const PREFILL_REFUSED: &str = "This model does not support assistant message prefill. The conversation must end with a user message.";

/// A good answer, before a fault spoils its delivery.
pub(super) enum Good {
    Whole {
        body: Bytes,
        chunks: u64,
        /// Headers of its own.
        headers: Headers,
    },
    Stream {
        frames: Frames,
        framing: Framing,
        /// The event that [`Fault::ErrorEvent`] sends.
        error: Option<Bytes>,
    },
}

impl Good {
    const fn whole(body: Bytes) -> Self {
        Self::Whole {
            body,
            chunks: 1,
            headers: Headers::new(),
        }
    }
}

impl Exchange<'_> {
    pub(super) fn good(
        &self,
        wire: Wire,
        number: u64,
        body: Option<&Value>,
    ) -> Result<Good, Problem> {
        let (script, voice) = (&self.stage.script, self.family.voice());
        if wire == Wire::Models {
            let body = model::reply(self.family, self.parts.uri.path(), &script.models)?;
            return Ok(self.spoil(self.unless_an_error(body)));
        }
        let Some(body) = body else {
            return Err(Problem::invalid(
                "We could not parse the JSON body of your request.".to_owned(),
            ));
        };
        if !script.models.is_empty()
            && let Some(asked) = &self.target.model
            && !script.models.contains(asked)
        {
            return Err(voice.unknown_model(asked));
        }
        let embedder = Embedder {
            seed: self.shared.seed,
            family: self.family,
            model: self.model,
            window: script.context_window,
        };
        if let Some(vectors) = embedder.answer(wire, self.parts.uri.path(), body) {
            let (body, headers) = vectors?;
            return Ok(match self.spoil(self.unless_an_error(body)) {
                Good::Whole { body, chunks, .. } => Good::Whole {
                    body,
                    chunks,
                    headers,
                },
                good @ Good::Stream { .. } => good,
            });
        }
        let ask = Ask::read(wire, self.family, self.target, body)?;
        if let Some(limit) = script
            .context_window
            .filter(|&limit| ask.prompt_tokens > limit)
        {
            return Err(voice.context_length(limit, ask.prompt_tokens));
        }
        if script.refuse_prefill && !ask.prefill.is_empty() {
            return Err(Problem::invalid(PREFILL_REFUSED.to_owned()));
        }
        let blank = matches!(self.fault, Some(Fault::Empty(Blank::Content)));
        let answer = if blank {
            Answer::blank(self.shared.seed, number, &ask)
        } else {
            Answer::make(self.shared.seed, number, &ask, script, self.rule)
        };
        let good = if ask.stream {
            self.streamed(wire, &ask, &answer)
        } else {
            Good::Whole {
                body: self.whole(wire, &ask, &answer),
                chunks: answer.completion_tokens,
                headers: Headers::new(),
            }
        };
        Ok(self.spoil(good))
    }

    /// A reply that is never streamed, or the error that a rule puts in its place.
    fn unless_an_error(&self, body: Bytes) -> Good {
        Good::whole(match self.fault {
            Some(Fault::ErrorEvent { preset, .. }) => {
                self.problem(*preset).body(self.family, &self.request_id)
            }
            _ => body,
        })
    }

    fn whole(&self, wire: Wire, ask: &Ask, answer: &Answer) -> Bytes {
        if let Some(Fault::ErrorEvent { preset, .. }) = self.fault {
            let problem = self.problem(*preset);
            let failed = if wire == Wire::OpenAiResponses {
                responses::failed(ask, answer, &problem)
            } else {
                None
            };
            return failed.map_or_else(
                || problem.body(self.family, &self.request_id),
                |failed| json::bytes(&failed),
            );
        }
        match wire {
            Wire::AnthropicMessages | Wire::VertexAnthropic => anthropic::whole(ask, answer),
            Wire::OpenAiResponses => responses::whole(ask, answer),
            Wire::GeminiGenerate | Wire::VertexGemini => gemini::whole(ask, answer),
            Wire::BedrockConverse => bedrock::whole(answer),
            Wire::CohereChat => cohere::whole(answer),
            Wire::OllamaChat => ollama::whole(ask, answer),
            Wire::OpenAiChat
            | Wire::OpenAiEmbeddings
            | Wire::GeminiEmbeddings
            | Wire::VertexEmbeddings
            | Wire::BedrockEmbeddings
            | Wire::CohereEmbeddings
            | Wire::OllamaEmbeddings
            | Wire::Models => openai::whole(ask, answer),
        }
    }

    fn streamed(&self, wire: Wire, ask: &Ask, answer: &Answer) -> Good {
        let framing = Framing::of(wire, self.parts.uri.query());
        let frames = match framing {
            Framing::Chat => openai::stream(ask, answer),
            Framing::Responses => responses::stream(ask, answer),
            Framing::Messages => anthropic::stream(ask, answer),
            Framing::Gemini | Framing::GeminiArray => gemini::stream(ask, answer, framing),
            Framing::Converse => bedrock::stream(answer),
            Framing::Cohere => cohere::stream(answer),
            Framing::Lines => ollama::stream(ask, answer),
        };
        let error = match self.fault {
            Some(Fault::ErrorEvent {
                after_chunks,
                preset,
            }) => {
                // On Vertex, too, Anthropic's streams have Anthropic's errors.
                let family = match framing {
                    Framing::Messages => Family::Anthropic,
                    _ => self.family,
                };
                let problem = self.problem_of(family, *preset);
                let body = problem.body(family, &self.request_id);
                let before = *after_chunks.min(&frames.content.len());
                Some(match framing {
                    Framing::Responses => {
                        responses::error(ask, answer, &problem, frames.opening.len() + before)
                    }
                    Framing::Gemini | Framing::GeminiArray => gemini::error(&body, framing, before),
                    Framing::Converse => bedrock::exception(&problem),
                    Framing::Cohere => cohere::error(answer, &problem),
                    Framing::Chat | Framing::Messages | Framing::Lines => {
                        framing.error_event(&body)
                    }
                })
            }
            _ => None,
        };
        Good::Stream {
            frames,
            framing,
            error,
        }
    }

    /// A typical error; a wait the rule states goes with it.
    pub(super) fn problem(&self, preset: Preset) -> Problem {
        self.problem_of(self.family, preset)
    }

    fn problem_of(&self, family: Family, preset: Preset) -> Problem {
        preset
            .problem(family, self.model)
            .retry_after(self.rule.and_then(|rule| rule.retry_after))
    }

    /// Faults that replace the body as a whole.
    fn spoil(&self, good: Good) -> Good {
        match (self.fault, good) {
            (
                Some(Fault::Empty(Blank::Body)),
                Good::Whole {
                    chunks, headers, ..
                },
            ) => Good::Whole {
                body: Bytes::new(),
                chunks,
                headers,
            },
            (Some(Fault::Empty(Blank::Body)), Good::Stream { framing, .. }) => Good::Stream {
                frames: Frames::default(),
                framing,
                error: None,
            },
            // A page of HTML is a page, whatever was asked for.
            (Some(Fault::Garbled(Garbling::Html)), Good::Stream { .. }) => {
                Good::whole(Bytes::new())
            }
            (_, good) => good,
        }
    }
}
