//! The decoder of Anthropic's messages: see [`support::answer`].
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use llm_providers::Wire;

fuzz_target!(|data: &[u8]| support::answer(Wire::AnthropicMessages, data, |body, _| body.to_vec()));
