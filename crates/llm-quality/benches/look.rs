//! What does each check cost, per KiB of answer?
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench stops at the first surprise"
)]

#[path = "../tests/look/bank.rs"]
mod bank;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use llm_quality::{Answer, Finding, Finish, JsonForm, Language, Look, LookBuilder};

/// One answer of 16 KiB, English unless said otherwise.
fn text(bank: usize) -> String {
    let mut dice = bank::Dice::new(9);
    let (gap, sentences) = bank::BANKS[bank];
    let mut text = String::new();
    while text.len() < 16 * 1024 {
        // Numbers, so that it is no loop.
        text += &format!(
            "{} {}\n",
            dice.below(100_000),
            dice.shuffled(sentences, 2).join(gap) + dice.pick(sentences)
        );
    }
    text
}

fn only(findings: &[Finding]) -> LookBuilder {
    Finding::ALL
        .into_iter()
        .filter(|finding| !findings.contains(finding))
        .fold(Look::builder(), LookBuilder::without)
}

fn per_check(c: &mut Criterion) {
    let english = text(0);
    let chinese = text(7);
    let json = format!("{{\"text\": {}}}", serde_json::to_string(&english).unwrap());
    let mut group = c.benchmark_group("look");
    let mut run = |name: &str, text: &str, look: &Look| {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| look.look(black_box(&Answer::new(text).with_finish(Finish::Stop))));
        });
    };
    run(
        "baseline: count chars",
        &english,
        &only(&[Finding::Empty]).build().unwrap(),
    );
    run(
        "refusal",
        &english,
        &only(&[Finding::Refusal]).build().unwrap(),
    );
    run(
        "mid_sentence",
        &english,
        &only(&[Finding::MidSentence]).build().unwrap(),
    );
    run(
        "garbled",
        &english,
        &only(&[Finding::Garbled]).build().unwrap(),
    );
    run(
        "repetitive",
        &english,
        &only(&[Finding::Repetitive]).build().unwrap(),
    );
    run(
        "wrong_language",
        &english,
        &only(&[Finding::WrongLanguage])
            .language(Language::English)
            .build()
            .unwrap(),
    );
    run(
        "invalid_json",
        &json,
        &only(&[Finding::InvalidJson])
            .json(JsonForm::Bare)
            .build()
            .unwrap(),
    );
    run("default, English", &english, &Look::default());
    run("default, Chinese", &chinese, &Look::default());
    let short = "The capital of Norway is Oslo.";
    run("default, one sentence", short, &Look::default());
    group.finish();
}

/// The same JSON against a schema: a dozen fields of 200 objects.
#[cfg(feature = "schema")]
fn schema(c: &mut Criterion) {
    use llm_quality::Schema;
    use serde_json::{Value, json};
    let name = |nth: usize| format!("field_{nth}");
    let fields = |make: &dyn Fn(usize) -> Value| -> Value {
        (0..12)
            .map(|nth| (name(nth), make(nth)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let object = fields(&|nth| json!(format!("value {nth}")));
    let text = json!({ "items": vec![object; 200] }).to_string();
    let document = json!({
        "type": "object", "required": ["items"], "additionalProperties": false,
        "properties": { "items": { "type": "array", "items": {
            "type": "object", "additionalProperties": false,
            "properties": fields(&|_| json!({ "type": "string", "maxLength": 100 })),
            "required": (0..12).map(name).collect::<Vec<_>>() } } },
    });
    let mut group = c.benchmark_group("schema");
    group.bench_function("compile, a dozen fields", |b| {
        b.iter(|| Schema::try_new(black_box(&document)));
    });
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, builder) in [
        ("JSON alone", only(&[Finding::InvalidJson])),
        (
            "JSON and schema",
            only(&[Finding::InvalidJson, Finding::SchemaInvalid])
                .schema(Schema::try_new(&document).unwrap()),
        ),
    ] {
        let look = builder.json(JsonForm::Bare).build().unwrap();
        let answer = Answer::new(&text).with_finish(Finish::Stop);
        assert!(look.look(&answer).is_clean());
        group.bench_function(name, |b| b.iter(|| look.look(black_box(&answer))));
    }
    group.finish();
}

#[cfg(not(feature = "schema"))]
fn schema(_: &mut Criterion) {}

fn growing(c: &mut Criterion) {
    let english = text(0);
    let look = Look::default();
    let mut group = c.benchmark_group("growing");
    group.throughput(Throughput::Bytes(english.len() as u64));
    group.bench_function("default, chunks of 4 bytes or more", |b| {
        b.iter(|| {
            let mut growing = look.growing();
            let mut rest = black_box(english.as_str());
            while !rest.is_empty() {
                let at = (4..=rest.len())
                    .find(|&at| rest.is_char_boundary(at))
                    .unwrap_or(rest.len());
                let (chunk, after) = rest.split_at(at);
                let _ = black_box(growing.push(chunk));
                rest = after;
            }
            growing.finish(Some(Finish::Stop))
        });
    });
    group.finish();
}

criterion_group!(benches, per_check, schema, growing);
criterion_main!(benches);
