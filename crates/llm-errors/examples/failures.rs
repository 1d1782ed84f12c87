//! Prints the failure table: every kind, what it means, what to do, and an example of each that
//! the classifier reads as that kind.
//!
//! ```text
//! cargo run -q -p llm-errors --example failures
//! ```
#![expect(clippy::print_stdout, reason = "printing the table is its purpose")]

use llm_errors::{
    Change, ErrorKind, Needs, Phase, Provider, Reply, Resend, TransportFault, Verdict,
    classify_answer, classify_reply, classify_transport,
};
use std::time::SystemTime;

/// Where an example comes from.
enum Sample {
    /// A reply with a status of failure.
    Reply(Provider, u16, &'static str),
    /// A success that is none.
    Answer(Provider, &'static str),
    /// No reply at all.
    Transport(TransportFault, Phase),
}

fn main() {
    println!("# Failures\n");
    println!(
        "Every failure that this workspace tells apart, what it does about it by default, and one"
    );
    println!(
        "example of each. Generated from `llm-errors` by `cargo xtask failures`; do not edit.\n"
    );
    println!("- **again**: may the same request go to the same target?");
    println!("- **elsewhere**: is another target worth asking, and what must it offer?");
    println!("- **health**: what the failure says about the target that gave it.\n");
    println!(
        "| kind | meaning | again | change first | elsewhere | speaks for | health | tell somebody |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for kind in ErrorKind::ALL {
        let verdict = Verdict::new(*kind, Phase::FirstByte);
        println!(
            "| `{kind}` | {} | {} | {} | {} | {} | {} | {} |",
            kind.meaning(),
            again(verdict),
            change(verdict),
            elsewhere(verdict),
            verdict.scope,
            verdict.health,
            if verdict.advice.alert { "yes" } else { "" },
        );
    }
    println!(
        "\nA reply can narrow its row: a hint turns \"after a backoff\" into \"after the stated wait\", a"
    );
    println!(
        "single request above a per-minute allowance must shrink, a broken connection is worth another"
    );
    println!("try where a length stop is not.\n");
    println!("## Examples\n");
    println!("| kind | from | status | body |");
    println!("|---|---|---|---|");
    for kind in ErrorKind::ALL {
        let sample = sample(*kind);
        let found = match &sample {
            Sample::Reply(provider, status, body) => {
                let reply = Reply::new(*status, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
                Some(classify_reply(*provider, &reply))
            }
            Sample::Answer(provider, body) => {
                let reply = Reply::new(200, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
                classify_answer(*provider, &reply)
            }
            Sample::Transport(fault, phase) => Some(classify_transport(*fault, *phase)),
        };
        assert_eq!(
            found.map(|verdict| verdict.kind),
            Some(*kind),
            "the example of {kind}"
        );
        match sample {
            Sample::Reply(provider, status, body) => {
                println!(
                    "| `{kind}` | {provider} | {status} | `{}` |",
                    body.replace('|', "\\|")
                );
            }
            Sample::Answer(provider, body) => {
                println!(
                    "| `{kind}` | {provider} | 200 | `{}` |",
                    body.replace('|', "\\|")
                );
            }
            Sample::Transport(fault, phase) => {
                println!("| `{kind}` | transport | | {fault} while {phase} |");
            }
        }
    }
}

fn again(verdict: Verdict) -> &'static str {
    match verdict.resend() {
        Resend::Yes => "after the stated wait, else a backoff",
        Resend::AfterChange => "once changed",
        Resend::NoSameTarget | Resend::No => "never",
    }
}

fn change(verdict: Verdict) -> &'static str {
    match verdict.advice.change {
        Change::Truncate => "shorten",
        Change::LowerMaxTokens => "ask for less output",
        Change::RaiseMaxTokens => "allow more output",
        Change::Rewrite => "rephrase",
        Change::Fix => "correct it",
        _ => "",
    }
}

fn elsewhere(verdict: Verdict) -> &'static str {
    if !verdict.advice.elsewhere {
        return "no";
    }
    match verdict.advice.needs {
        Needs::LongerContext => "with a longer window",
        Needs::LessRestrictive => "a less restrictive one, if the route names it",
        Needs::Feature => "with the feature",
        Needs::OtherCredential => "with another credential",
        _ => "any",
    }
}

fn sample(kind: ErrorKind) -> Sample {
    use Provider as P;
    use Sample::{Answer, Reply, Transport};
    match kind {
        ErrorKind::RateLimitRequests => Reply(
            P::Cerebras,
            429,
            r#"{"message":"Requests per minute limit exceeded","code":"request_quota_exceeded"}"#,
        ),
        ErrorKind::RateLimitTokens => Reply(
            P::Groq,
            429,
            r#"{"error":{"message":"Rate limit reached on tokens per minute (TPM): Limit 6000, Used 5800, Requested 900. Please try again in 7s.","code":"rate_limit_exceeded"}}"#,
        ),
        ErrorKind::RateLimitConcurrency => Reply(
            P::Zhipu,
            429,
            r#"{"error":{"code":"1302","message":"Too many requests in flight"}}"#,
        ),
        ErrorKind::RateLimitOther => Reply(
            P::Anthropic,
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"Slow down, please."}}"#,
        ),
        ErrorKind::QuotaExhausted => Reply(
            P::OpenAi,
            429,
            r#"{"error":{"message":"Your quota is used up.","code":"insufficient_quota"}}"#,
        ),
        ErrorKind::OrgLimit => Reply(
            P::OpenRouter,
            403,
            r#"{"error":{"message":"Key limit exceeded (weekly limit).","code":403}}"#,
        ),
        ErrorKind::Overloaded => Reply(
            P::Anthropic,
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        ),
        ErrorKind::ServerError => Reply(
            P::Gemini,
            500,
            r#"{"error":{"code":500,"message":"An internal error occurred.","status":"INTERNAL"}}"#,
        ),
        ErrorKind::BadGatewayHtml => Reply(
            P::Nginx,
            502,
            "<html><head><title>502 Bad Gateway</title></head></html>",
        ),
        ErrorKind::Timeout => Transport(TransportFault::Timeout, Phase::Sent),
        ErrorKind::Network => Transport(TransportFault::Dns, Phase::Connect),
        ErrorKind::AuthInvalidKey => Reply(
            P::Gemini,
            400,
            r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
        ),
        ErrorKind::AuthPermission => Reply(
            P::OpenAi,
            403,
            r#"{"error":{"message":"Your project has no access to this model."}}"#,
        ),
        ErrorKind::Billing => Reply(
            P::DeepSeek,
            402,
            r#"{"error":{"message":"Insufficient Balance"}}"#,
        ),
        ErrorKind::ModelNotFound => Reply(P::Ollama, 404, r#"{"error":"model 'qwen' not found"}"#),
        ErrorKind::ModelDeprecated => Reply(
            P::Groq,
            400,
            r#"{"error":{"message":"The model has been decommissioned.","code":"model_decommissioned"}}"#,
        ),
        ErrorKind::ContextLength => Reply(
            P::LlamaCpp,
            400,
            r#"{"error":{"type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}"#,
        ),
        ErrorKind::OutputLimit => Reply(
            P::DeepSeek,
            400,
            r#"{"error":{"message":"The valid range of max_tokens is [1, 8192]"}}"#,
        ),
        ErrorKind::PayloadTooLarge => {
            Reply(P::Groq, 413, r#"{"error":{"code":"request_too_large"}}"#)
        }
        ErrorKind::ContentFilter => Reply(
            P::AzureOpenAi,
            400,
            r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        ),
        ErrorKind::Refusal => Answer(
            P::Anthropic,
            r#"{"type":"message","content":[],"stop_reason":"refusal"}"#,
        ),
        ErrorKind::InvalidRequest => Reply(
            P::OpenAi,
            400,
            r#"{"error":{"message":"Unknown parameter: 'colour'.","code":"unknown_parameter"}}"#,
        ),
        ErrorKind::UnsupportedFeature => Reply(
            P::OpenRouter,
            404,
            r#"{"error":{"message":"No endpoints found that support audio input","code":404}}"#,
        ),
        ErrorKind::SchemaInvalid => Reply(
            P::OpenAi,
            400,
            r#"{"error":{"message":"Invalid schema for function 'find'.","code":"invalid_function_parameters"}}"#,
        ),
        ErrorKind::ToolCallInvalid => Answer(
            P::Gemini,
            r#"{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#,
        ),
        ErrorKind::StructuredOutputInvalid => Reply(
            P::Groq,
            400,
            r#"{"error":{"message":"The model's JSON is not valid.","code":"json_validate_failed"}}"#,
        ),
        ErrorKind::Truncated => Answer(
            P::OpenAi,
            r#"{"choices":[{"message":{"content":"Once upon"},"finish_reason":"length"}]}"#,
        ),
        ErrorKind::EmptyOutput => Answer(
            P::OpenAi,
            r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#,
        ),
        ErrorKind::Conflict => Reply(
            P::OpenAi,
            409,
            r#"{"error":{"message":"The thread already has an active run."}}"#,
        ),
        _ => Reply(P::Other, 404, r#"{"detail":"Not Found"}"#),
    }
}
