//! The decoder of OpenAI's responses: see [`support::answer`].
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use llm_providers::Wire;

fuzz_target!(|data: &[u8]| support::answer(Wire::OpenAiResponses, data, |body, _| body.to_vec()));
