use super::*;
use crate::preset::Preset;
use crate::wire::Wire;

fn wrong(text: &str) -> String {
    Script::from_toml(text)
        .expect_err("the script is wrong")
        .to_string()
}

#[test]
fn every_key_is_read() {
    let script = Script::from_toml(
        r#"
        text = "hello"
        words = 3
        latency = "1ms"
        first_token = "20ms"
        tokens_per_second = 50.0
        models = ["a"]
        keys = ["k"]
        context_window = 100
        refuse_prefill = true

        [limits]
        rpm = 60
        concurrency = 2
        per = "model"

        [[rule]]
        name = "n"
        wire = "openai_chat"
        path = "/p"
        model = "a"
        stream = true
        calls = "2..4"
        every = 2
        rate = 0.5
        from = "1s"
        until = "2s"
        header = { "X-A" = "b" }
        text = "t"
        words = 4
        thinking = "h"
        refusal = "r"
        tool = "f"
        finish = "length"
        slow = { latency = "1s", first_token = "2s", per_chunk = "3s" }
        drip = "1ms"
        split = 7
        keep_alive = "50ms"
        crlf = true
        retry_after = "7s"
        headers = { "x-c" = "d" }
        status = 503
        body = "down"
        "#,
    )
    .unwrap();
    let second = Duration::from_secs(1);
    let rule = Rule::new()
        .name("n")
        .wire(Wire::OpenAiChat)
        .path("/p")
        .model("a")
        .streamed()
        .calls(2..=4)
        .every(2)
        .rate(0.5)
        .from(second)
        .until(second * 2)
        .header("X-A", "b")
        .text("t")
        .words(4)
        .thinking("h")
        .refusal("r")
        .tool("f")
        .finish(Finish::Length)
        .pace(
            Pace::NONE
                .latency(second)
                .first_token(second * 2)
                .per_chunk(second * 3),
        )
        .drip(Duration::from_millis(1))
        .split(7)
        .keep_alive(Duration::from_millis(50))
        .crlf()
        .retry_after(second * 7)
        .response_header("x-c", "d")
        .fault(Fault::Reply(Reply::new(503).body("down")));
    let built = Script::builder()
        .rule(rule)
        .text("hello")
        .words(3)
        .pace(
            Pace::NONE
                .latency(Duration::from_millis(1))
                .first_token(Duration::from_millis(20))
                .per_chunk(Duration::from_millis(20)),
        )
        .models(["a"])
        .keys(["k"])
        .context_window(100)
        .refuse_prefill()
        .limits(Limits::new().rpm(60).concurrency(2).per(LimitScope::Model))
        .build()
        .unwrap();
    assert_eq!(script, built);
}

#[test]
fn every_fault_is_read() {
    let faults = [
        ("hang = \"forever\"", Fault::Hang(None)),
        ("hang = \"2s\"", Fault::Hang(Some(Duration::from_secs(2)))),
        ("silence = \"forever\"", Fault::Silence(None)),
        (
            "stall = { after_chunks = 2, for = \"1s\" }",
            Fault::Stall {
                after_chunks: 2,
                lasting: Some(Duration::from_secs(1)),
            },
        ),
        (
            "stall = {}",
            Fault::Stall {
                after_chunks: 0,
                lasting: None,
            },
        ),
        ("reset = {}", Fault::Reset(At::Start)),
        ("reset = { after_chunks = 1 }", Fault::Reset(At::Chunks(1))),
        ("reset = { after_bytes = 1 }", Fault::Reset(At::Bytes(1))),
        ("close = true", Fault::Close),
        (
            "cut = { after_chunks = 3 }",
            Fault::Cut {
                at: At::Chunks(3),
                end: CutEnd::Abort,
            },
        ),
        (
            "cut = { after_bytes = 3, clean = true }",
            Fault::Cut {
                at: At::Bytes(3),
                end: CutEnd::Clean,
            },
        ),
        ("empty = \"content\"", Fault::Empty(Blank::Content)),
        ("empty = \"body\"", Fault::Empty(Blank::Body)),
        ("garbled = \"json\"", Fault::Garbled(Garbling::Json)),
        ("garbled = \"utf8\"", Fault::Garbled(Garbling::Utf8)),
        ("garbled = \"event\"", Fault::Garbled(Garbling::Event)),
        ("garbled = \"stray\"", Fault::Garbled(Garbling::Stray)),
        ("garbled = \"html\"", Fault::Garbled(Garbling::Html)),
        (
            "error_event = { preset = \"server_error\" }",
            Fault::ErrorEvent {
                after_chunks: 0,
                preset: Preset::ServerError,
            },
        ),
        ("preset = \"html_502\"", Fault::Preset(Preset::Html)),
        ("status = 404", Fault::Reply(Reply::new(404))),
    ];
    for (text, fault) in faults {
        let script = Script::from_toml(&format!("[[rule]]\n{text}")).unwrap();
        assert_eq!(script.rules[0].fault, Some(fault), "{text}");
    }
}

#[test]
fn mistakes_are_named_with_their_line() {
    let unknown = wrong("[[rule]]\nmodel = \"a\"\nhnag = \"forever\"");
    assert!(
        unknown.contains("hnag") && unknown.contains("line 3"),
        "{unknown}"
    );
    for (text, parts) in [
        ("txt = \"a\"", vec!["txt", "line 1"]),
        (
            "[[rule]]\n\n[[rule]]\nhang = \"forever\"\npreset = \"rate_limit\"",
            vec!["line 3", "rule 2", "`preset` and `hang`"],
        ),
        ("[[rule]]\nrate = 1.5", vec!["rate = 1.5", "0.0..=1.0"]),
        ("[[rule]]\ncalls = \"0..3\"", vec!["calls", "from 1"]),
        ("[[rule]]\ncalls = \"3..1\"", vec!["calls"]),
        ("[[rule]]\ncalls = \"some\"", vec!["line 2", "1..5"]),
        ("[[rule]]\nevery = 0", vec!["every = 0"]),
        ("[[rule]]\nfrom = \"5s\"\nuntil = \"5s\"", vec!["until"]),
        ("[[rule]]\nhang = \"5\"", vec!["line 2", "forever"]),
        ("[[rule]]\nhang = \"2h\"", vec!["one hour"]),
        ("[[rule]]\nkeep_alive = \"1ms\"", vec!["keep_alive"]),
        ("[[rule]]\nstatus = 99", vec!["status = 99"]),
        ("[[rule]]\nbody = \"x\"", vec!["`body` needs a `status`"]),
        ("[[rule]]\nwire = \"gprc\"", vec!["gprc", "openai_chat"]),
        (
            "[[rule]]\npreset = \"teapot\"",
            vec!["teapot", "rate_limit"],
        ),
        ("[[rule]]\ncut = { clean = true }", vec!["after_chunks"]),
        (
            "[[rule]]\nreset = { after_chunks = 1, after_bytes = 1 }",
            vec!["exclude"],
        ),
        (
            "[[rule]]\nheaders = { \"a b\" = \"c\" }\nstatus = 500",
            vec!["`a b`"],
        ),
        ("tokens_per_second = 0.0", vec!["tokens_per_second"]),
        ("tokens_per_second = -1.0", vec!["tokens_per_second"]),
        ("[limits]\nrpm = 0", vec!["limit of 0"]),
        ("[limits]", vec!["[limits] needs"]),
        ("words = 1000000", vec!["words"]),
        ("models = [\"\"]", vec!["empty"]),
    ] {
        let message = wrong(text);
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
}

#[test]
fn the_builder_refuses_what_the_file_refuses() {
    let error = Script::builder()
        .rule(Rule::new())
        .rule(Rule::new().rate(f64::NAN))
        .build()
        .unwrap_err();
    assert!(error.to_string().starts_with("rule 2: rate"), "{error}");
}

#[test]
fn scripts_can_be_shared_between_threads() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<Script>();
    check::<Rule>();
    check::<ScriptError>();
}
