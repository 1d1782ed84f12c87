//! A stream that begins well and then turns in a circle is stopped before it costs more.
#![expect(clippy::print_stdout, reason = "an example that prints")]

use llm_quality::{Finish, Look};

fn main() {
    let begin = "To bake bread you need flour, water, salt and time. ";
    let circle = "Knead the dough until it is smooth. ";
    let look = Look::default();
    let mut growing = look.growing();

    for (nth, chunk) in std::iter::once(begin)
        .chain(std::iter::repeat_n(circle, 500))
        .enumerate()
    {
        let findings = growing.push(chunk);
        if findings.is_bad() {
            println!("stopped after {nth} of 500 chunks: {findings}");
            break;
        }
    }
    if let Some(found) = growing.repetition() {
        println!(
            "from byte {} on, every {} bytes the same",
            found.starts_at_byte, found.period_bytes
        );
    }
    println!("in the end: {}", growing.finish(Some(Finish::Stop)));
}
