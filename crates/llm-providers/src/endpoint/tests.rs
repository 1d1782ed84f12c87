use super::*;

fn uri(builder: EndpointBuilder) -> String {
    builder.build().unwrap().uri.to_string()
}

#[test]
fn addresses_follow_the_providers_layout() {
    let openai = Endpoint::builder(Provider::OpenAi, "gpt-5");
    assert_eq!(
        uri(openai.clone()),
        "https://api.openai.com/v1/chat/completions"
    );
    assert_eq!(
        uri(openai.base_url("http://127.0.0.1:9/v1/").query("a b", "ü")),
        "http://127.0.0.1:9/v1/chat/completions?a%20b=%C3%BC"
    );
    let anthropic = Endpoint::builder(Provider::Anthropic, "claude");
    assert_eq!(
        uri(anthropic.clone()),
        "https://api.anthropic.com/v1/messages"
    );
    assert_eq!(
        uri(anthropic.base_url("http://localhost:1")),
        "http://localhost:1/v1/messages"
    );
    let azure = Endpoint::builder(Provider::AzureOpenAi, "my gpt");
    assert_eq!(
        uri(azure.clone().base_url("https://me.openai.azure.com")),
        "https://me.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"
    );
    assert_eq!(
        uri(azure
            .clone()
            .base_url("https://me.openai.azure.com/openai")
            .query("api-version", "x")),
        "https://me.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=x"
    );
    assert_eq!(
        uri(azure
            .clone()
            .base_url("https://me.openai.azure.com/openai/v1")),
        "https://me.openai.azure.com/openai/v1/chat/completions"
    );
    for base in ["", "/openai", "/openai/v1"] {
        assert_eq!(
            uri(azure
                .clone()
                .wire(Wire::OpenAiResponses)
                .base_url(format!("https://me.openai.azure.com{base}"))),
            "https://me.openai.azure.com/openai/v1/responses"
        );
    }
    assert_eq!(
        azure.build().unwrap_err(),
        EndpointError::NoBaseUrl(Provider::AzureOpenAi)
    );
}

#[test]
fn keys_travel_as_each_provider_wants_them() {
    let header = |provider, name: &str| {
        let endpoint = Endpoint::builder(provider, "m")
            .base_url("https://x.example/v1")
            .credential("k".into())
            .build()
            .unwrap();
        endpoint.headers.get(name).cloned()
    };
    let openai = header(Provider::OpenAi, "authorization").unwrap();
    assert_eq!(openai, "Bearer k");
    assert!(openai.is_sensitive());
    assert_eq!(header(Provider::Anthropic, "x-api-key").unwrap(), "k");
    assert_eq!(
        header(Provider::Anthropic, "anthropic-version").unwrap(),
        "2023-06-01"
    );
    assert_eq!(header(Provider::AzureOpenAi, "api-key").unwrap(), "k");
    assert_eq!(header(Provider::AzureOpenAi, "authorization"), None);
}

#[test]
fn what_is_malformed_is_named() {
    let build = |url: &str| {
        Endpoint::builder(Provider::Other, "m")
            .base_url(url)
            .build()
            .map(drop)
    };
    for url in ["ftp://x", "x", "", "https://u:p@x/v1", "https://x/v1?key=1"] {
        assert!(
            matches!(build(url), Err(EndpointError::BadBaseUrl(_))),
            "{url}"
        );
    }
    let other = Endpoint::builder(Provider::Ollama, "m");
    assert_eq!(
        other.clone().credential("a\nb".into()).build().unwrap_err(),
        EndpointError::BadCredential
    );
    assert_eq!(
        other.header("host", "x").build().unwrap_err(),
        EndpointError::BadHeader("host".into())
    );
    assert_eq!(
        Endpoint::builder(Provider::Ollama, " ")
            .build()
            .unwrap_err(),
        EndpointError::NoModel
    );
}

#[test]
fn debug_shows_neither_key_nor_query() {
    let builder = Endpoint::builder(Provider::Ollama, "m")
        .credential("secret".into())
        .header("x-extra", "secret")
        .query("sig", "secret");
    assert!(!format!("{builder:?}").contains("secret"));
    let endpoint = builder.build().unwrap();
    assert!(!format!("{endpoint:?}").contains("secret"));
}
