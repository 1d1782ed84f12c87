//! Failures of every class, as providers write them: about 300 bytes each, unless it says more.

use llm_errors::Provider;

/// One failure to classify.
pub(crate) struct Case {
    /// Who failed, and how its meaning is found.
    pub(crate) name: &'static str,
    /// Who sent it.
    pub(crate) provider: Provider,
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body as it came.
    pub(crate) body: &'static str,
}

/// The failures that are measured.
pub(crate) const CASES: &[Case] = &[
    // ---- a code decides
    Case {
        name: "code_openai_bad_key",
        provider: Provider::OpenAi,
        status: 401,
        body: r#"{"error":{"message":"Incorrect API key provided: sk-abcde*****************************wxyz. You can find your API key at https://platform.openai.com/account/api-keys, where you can also create a new one.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
    },
    Case {
        name: "code_anthropic_overloaded",
        provider: Provider::Anthropic,
        status: 529,
        body: r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011CQabcdefghijklmnop1234567"}"#,
    },
    // ---- the words tell which limit it is, and how long to wait
    Case {
        name: "text_openai_limit",
        provider: Provider::OpenAi,
        status: 429,
        body: r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc123 on tokens per min (TPM): Limit 30000, Used 28190, Requested 4012. Please try again in 4.404s. Visit https://platform.openai.com/account/rate-limits to learn more.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
    },
    Case {
        name: "text_groq_limit",
        provider: Provider::Groq,
        status: 429,
        body: r#"{"error":{"message":"Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_01abc` service tier `on_demand` on tokens per day (TPD): Limit 100000, Used 99336, Requested 1251. Please try again in 8m27.167999999s. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing","type":"tokens","code":"rate_limit_exceeded"}}"#,
    },
    // ---- sizes that only the words state
    Case {
        name: "sizes_anthropic_sum",
        provider: Provider::Anthropic,
        status: 400,
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again. Consult our documentation to learn more about limits"},"request_id":"req_011CQabcdefghijklmnop1234567"}"#,
    },
    Case {
        name: "sizes_anthropic_prompt",
        provider: Provider::Anthropic,
        status: 400,
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 203456 tokens > 200000 maximum"},"request_id":"req_011CQabcdefghijklmnop1234567"}"#,
    },
    Case {
        name: "sizes_openai",
        provider: Provider::OpenAi,
        status: 400,
        body: r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, you requested 130512 tokens (126416 in the messages, 4096 in the completion). Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
    },
    // ---- structured details: quota names and a retry delay; a kilobyte
    Case {
        name: "details_gemini",
        provider: Provider::Gemini,
        status: 429,
        body: r#"{
  "error": {
    "code": 429,
    "message": "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 10\nPlease retry in 21.7s.",
    "status": "RESOURCE_EXHAUSTED",
    "details": [
      {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
          {
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            "quotaDimensions": { "location": "global", "model": "gemini-2.5-flash" },
            "quotaValue": "10"
          }
        ]
      },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "21s" }
    ]
  }
}"#,
    },
    Case {
        name: "details_gemini_brief",
        provider: Provider::Gemini,
        status: 429,
        body: r#"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota). Please retry in 34.074824224s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#,
    },
    // ---- prose of providers that no dialect knows
    Case {
        name: "prose_overload",
        provider: Provider::Other,
        status: 400,
        body: r#"{"error":{"message":"The service cannot take your request right now because every worker is occupied and the queue is full. This is not a fault of yours: nothing was charged to your account. Please send the same request again after 12 seconds.","type":"request_not_taken","param":null,"code":null}}"#,
    },
    Case {
        name: "prose_quota",
        provider: Provider::Other,
        status: 429,
        body: r#"{"error":{"message":"Your workspace has used all of the requests that its plan includes for this billing period. They are renewed on the first of next month; to go on before that, ask the owner of the workspace to choose a larger plan.","type":"plan_window","param":null,"code":null}}"#,
    },
    Case {
        name: "prose_invalid",
        provider: Provider::Other,
        status: 422,
        body: r#"{"detail":[{"type":"missing","loc":["body","messages",0,"content"],"msg":"Field required","input":{"role":"user"}},{"type":"string_type","loc":["body","model"],"msg":"Input should be a valid string","input":null}],"request":"a71cc0"}"#,
    },
    // ---- Chinese
    Case {
        name: "chinese_zhipu",
        provider: Provider::Zhipu,
        status: 429,
        body: r#"{"error":{"code":"1302","message":"您当前使用该API的并发数过高,请降低并发,或联系客服增加限额。"},"request_id":"20261126103000abcdef0123456789"}"#,
    },
    Case {
        name: "chinese_prose",
        provider: Provider::Other,
        status: 403,
        body: r#"{"error":{"message":"当前账户余额不足,无法继续使用该模型,请前往控制台充值后重试。如已充值,请等待 5 分钟后再次发送请求。","type":"new_api_error","param":"","code":"request_not_taken"}}"#,
    },
    // ---- an edge's page
    Case {
        name: "page_cloudflare",
        provider: Provider::OpenAi,
        status: 502,
        body: "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n<p>The web server reported a bad gateway error. Ray ID: 8a1b2c3d4e5f. Your IP address: 203.0.113.7. Error reference number: 502</p>\r\n</body>\r\n</html>\r\n",
    },
];
