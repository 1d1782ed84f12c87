//! Good answers of many kinds, written for the tests: handwritten pieces, put together by a seeded generator.
#![expect(clippy::indexing_slicing, reason = "dice stay below the length")]

use crate::bank::{BANKS, Dice};

/// One good answer and its kind.
#[derive(Debug)]
pub(crate) struct Good {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

type Make = fn(&mut Dice) -> String;

const KINDS: &[(&str, Make)] = &[
    ("prose", prose),
    ("list", list),
    ("code", code),
    ("raw code", raw_code),
    ("nested fences", nested),
    ("table", table),
    ("poem", poem),
    ("song", song),
    ("json", json),
    ("csv", csv),
    ("html", html),
    ("config", config),
    ("maths", maths),
    ("matrix", matrix),
    ("log", log),
    ("base64", base64),
    ("hex dump", hex_dump),
    ("sequence", sequence),
    ("byte array", byte_array),
    ("art", art),
    ("quoted refusal", quoted_refusal),
    ("polite no", polite_no),
    ("short", short),
    ("languages", languages),
    ("mojibake explained", mojibake),
    ("dialogue", dialogue),
    ("asserts", asserts),
    ("emoji", emoji),
];

/// Makes `each` answers of every kind.
pub(crate) fn good_answers(each: usize) -> Vec<Good> {
    let mut all = Vec::new();
    for (nth, &(kind, make)) in KINDS.iter().enumerate() {
        for seed in 0..each {
            let mut dice = Dice::new((nth * 1_000_003 + seed + 1) as u64);
            all.push(Good {
                kind,
                text: make(&mut dice),
            });
        }
    }
    all
}

const NAMES: &[&str] = &[
    "Ada", "Bruno", "Chloé", "Dmitri", "Elif", "Fatima", "Göran", "Hana", "Inês", "Jörg", "Kwame",
    "Li Wei",
];
const WORDS: &[&str] = &[
    "cache", "buffer", "request", "token", "pool", "index", "shard", "queue", "retry", "stream",
    "parser", "router", "socket", "window",
];

pub(crate) fn prose(dice: &mut Dice) -> String {
    let (gap, bank) = BANKS[dice.below(BANKS.len())];
    let paragraphs = 1 + dice.below(3);
    let mut text = Vec::new();
    for _ in 0..paragraphs {
        let n = 2 + dice.below(5);
        text.push(dice.shuffled(bank, n).join(gap));
    }
    text.join("\n\n")
}

fn list(dice: &mut Dice) -> String {
    let (_, bank) = BANKS[dice.below(BANKS.len())];
    let numbered = dice.below(2) == 0;
    let stops = dice.below(2) == 0;
    let items = 3 + dice.below(12);
    let mut text = format!("{}\n\n", dice.pick(bank));
    for nth in 1..=items {
        let item = dice
            .pick(bank)
            .trim_end_matches(if stops { '\0' } else { '.' });
        text += &if numbered {
            format!("{nth}. **{}**: {item}\n", dice.pick(WORDS))
        } else {
            format!("- {item}\n")
        };
    }
    text
}

const SNIPPETS: &[(&str, &str)] = &[
    (
        "rust",
        "fn main() {\n    let items: Vec<u32> = (0..10).map(|n| n * n).collect();\n    for item in &items {\n        println!(\"{item}\");\n    }\n}",
    ),
    (
        "python",
        "import json\n\n\ndef load(path):\n    \"\"\"Read a file.\"\"\"\n    with open(path, encoding=\"utf-8\") as f:\n        return json.load(f)",
    ),
    (
        "js",
        "export async function load(url) {\n  const reply = await fetch(url);\n  if (!reply.ok) {\n    throw new Error(`status ${reply.status}`);\n  }\n  return reply.json();\n}",
    ),
    (
        "sql",
        "SELECT u.name, COUNT(*) AS n\nFROM users u\nJOIN orders o ON o.user_id = u.id\nWHERE o.created_at > NOW() - INTERVAL '7 days'\nGROUP BY u.name\nORDER BY n DESC;",
    ),
    (
        "sh",
        "for f in *.log; do\n  gzip -9 \"$f\" && mv \"$f.gz\" /archive/\ndone",
    ),
    (
        "c",
        "static const int table[8] = {\n    0, 0, 0, 0,\n    0, 0, 0, 0,\n};\n\nint at(int i) { return table[i & 7]; }",
    ),
    (
        "diff",
        "--- a/main.rs\n+++ b/main.rs\n@@ -1,3 +1,3 @@\n fn main() {\n-    old();\n+    new();\n }",
    ),
    (
        "cpp",
        "template <typename T>\nT sum(const std::vector<T>& v) {\n  return std::accumulate(v.begin(), v.end(), T{});\n}",
    ),
];

fn code(dice: &mut Dice) -> String {
    let (_, bank) = BANKS[dice.below(BANKS.len())];
    let mut text = String::new();
    for _ in 0..1 + dice.below(3) {
        let (info, body) = SNIPPETS[dice.below(SNIPPETS.len())];
        text += &format!("{}\n\n```{info}\n{body}\n```\n\n", dice.pick(bank));
    }
    if dice.below(2) == 0 {
        text += &format!("Here `{}` is the {}.", dice.pick(WORDS), dice.pick(WORDS));
    }
    text
}

fn raw_code(dice: &mut Dice) -> String {
    SNIPPETS[dice.below(SNIPPETS.len())].1.to_owned()
}

fn nested(dice: &mut Dice) -> String {
    let (info, body) = SNIPPETS[dice.below(SNIPPETS.len())];
    match dice.below(3) {
        0 => format!(
            "Put this into your README:\n\n```markdown\n# Title\n\n```{info}\n{body}\n```\n\nMore text.\n```"
        ),
        1 => format!("````markdown\n# Title\n\n```{info}\n{body}\n```\n````"),
        _ => format!(
            "1. Run this:\n   ```{info}\n   {}\n   ```\n2. Then look at `out`.",
            body.replace('\n', "\n   ")
        ),
    }
}

fn table(dice: &mut Dice) -> String {
    let mut text =
        "| Name | Part | Count | Share | Ready |\n|:---------|---------:|-----:|:----:|---|\n"
            .to_owned();
    for _ in 0..3 + dice.below(40) {
        text += &format!(
            "| {} | {} | {} | {} % | {} |\n",
            dice.pick(NAMES),
            dice.pick(WORDS),
            dice.below(1000),
            dice.below(100),
            dice.pick(&["yes", "no", "–"])
        );
    }
    text
}

fn poem(dice: &mut Dice) -> String {
    let lines = [
        "The river takes the colour of the sky",
        "And carries all our little boats away",
        "A lamp is lit, a door is closed, and I",
        "Am counting what is left of yesterday",
        "The wind has nothing more to say to me",
        "It tells the grass what it has told the sea",
        "And still the clock goes on and does not know",
        "How far it is that all the hours go",
    ];
    let refrain = dice.pick(&[
        "O come again, my lonely star,\nO come again from where you are.",
        "Row on, row on, the night is long,\nRow on, and sing the rowing song.",
        "Ay, ay, ay, ay,\ncanta y no llores,",
    ]);
    let mut text = String::new();
    for _ in 0..3 + dice.below(6) {
        text += &format!("{}\n{refrain}\n\n", dice.shuffled(&lines, 4).join(",\n"));
    }
    text.trim_end().to_owned()
}

fn song(dice: &mut Dice) -> String {
    let chorus = dice.pick(&[
        "Na na na na, na na na na, hey hey, goodbye now\n",
        "La la la, la la la, la la la la la\n",
        "Hallelujah, hallelujah, hallelujah, hallelujah\n",
        "Ole, ole ole ole, ole, ole\n",
    ]);
    let mut text = String::new();
    for _ in 0..2 + dice.below(4) {
        text += &format!(
            "{}\n{}\n\n",
            dice.shuffled(BANKS[0].1, 3).join("\n"),
            chorus.repeat(1 + dice.below(4))
        );
    }
    text
}

fn json(dice: &mut Dice) -> String {
    let rows: Vec<String> = (0..1 + dice.below(40))
        .map(|id| {
            format!(
                "    {{\n      \"id\": {id},\n      \"name\": \"{}\",\n      \"part\": \"{}\",\n      \"tags\": [],\n      \"parent\": null,\n      \"active\": {}\n    }}",
                dice.pick(NAMES), dice.pick(WORDS), dice.below(2) == 0
            )
        })
        .collect();
    let text = format!("{{\n  \"items\": [\n{}\n  ]\n}}", rows.join(",\n"));
    if dice.below(2) == 0 {
        text
    } else {
        text.replace(['\n', ' '], "")
    }
}

fn csv(dice: &mut Dice) -> String {
    let mut text = "id,name,part,share,note\n".to_owned();
    for id in 0..5 + dice.below(60) {
        text += &format!(
            "{id},{},{},0.{},\n",
            dice.pick(NAMES),
            dice.pick(WORDS),
            dice.below(10)
        );
    }
    text
}

fn html(dice: &mut Dice) -> String {
    let mut text = "<table class=\"list\">\n".to_owned();
    for _ in 0..3 + dice.below(30) {
        text += &format!(
            "  <tr>\n    <td class=\"name\">{}</td>\n    <td class=\"part\">{}</td>\n    <td></td>\n    <td></td>\n  </tr>\n",
            dice.pick(NAMES),
            dice.pick(WORDS)
        );
    }
    text + "</table>"
}

fn config(dice: &mut Dice) -> String {
    let mut text = String::new();
    for nth in 0..2 + dice.below(12) {
        text += &format!(
            "  {}-{nth}:\n    image: example/{}\n    restart: always\n    ports: []\n    environment:\n      LEVEL: info\n",
            dice.pick(WORDS),
            dice.pick(WORDS)
        );
    }
    format!("services:\n{text}")
}

fn maths(dice: &mut Dice) -> String {
    let mut text = "Let us compute it step by step.\n\n".to_owned();
    for n in 1..3 + dice.below(8) {
        text += &format!(
            "$$\\sum_{{k=1}}^{{{n}}} k^2 = \\frac{{{n}({n}+1)(2\\cdot {n}+1)}}{{6}} = {}$$\n\nso Δx ≈ {} μm and λ·σ² ≤ {}.\n\n",
            n * (n + 1) * (2 * n + 1) / 6,
            dice.below(90),
            dice.below(50)
        );
    }
    text + dice.pick(&[
        "∎",
        "Thus x = 4.",
        "$\\boxed{42}$",
        "Therefore f(x) → 0 as x → ∞",
    ])
}

fn matrix(dice: &mut Dice) -> String {
    let n = 3 + dice.below(14);
    let row = format!("    [{}],\n", vec!["0"; n].join(", "));
    format!("grid = [\n{}]", row.repeat(n))
}

fn log(dice: &mut Dice) -> String {
    let mut text = String::new();
    for nth in 0..5 + dice.below(60) {
        text += &format!(
            "2026-03-0{} 12:{:02}:{:02}.{:03} {} [{}] connection from 10.0.{}.{} closed after {} ms\n",
            1 + nth / 60,
            nth % 60,
            dice.below(60),
            dice.below(1000),
            dice.pick(&["INFO", "WARN", "ERROR"]),
            dice.pick(WORDS),
            dice.below(256),
            dice.below(256),
            dice.below(5000)
        );
    }
    text
}

fn base64(dice: &mut Dice) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for nth in 0..200 + dice.below(4000) {
        text.push(char::from(ALPHABET[dice.below(64)]));
        if nth % 76 == 75 {
            text.push('\n');
        }
        // Runs of zero bytes are usual in images.
        if dice.below(150) == 0 {
            text += &"A".repeat(dice.below(60));
        }
    }
    text + "=="
}

fn hex_dump(dice: &mut Dice) -> String {
    let empty = dice.below(2) == 0;
    (0..8 + dice.below(40)).fold(String::new(), |text, row| {
        let bytes: Vec<String> = (0..16)
            .map(|_| format!("{:02x}", if empty { 0 } else { dice.below(256) }))
            .collect();
        text + &format!(
            "{:08x}  {}  |................|\n",
            row * 16,
            bytes.join(" ")
        )
    })
}

fn sequence(dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => (0..200 + dice.below(2000)).map(|_| dice.pick(&["A", "C", "G", "T"])).collect(),
        1 => (1..100 + dice.below(400)).map(|n| n.to_string()).collect::<Vec<_>>().join(", "),
        _ => (1..40 + dice.below(100)).map(|n| format!("{n} bottles of beer on the wall, {n} bottles of beer.\nTake one down and pass it around.\n")).collect(),
    }
}

fn byte_array(dice: &mut Dice) -> String {
    let zeros = dice.below(3) == 0;
    let body = (0..4 + dice.below(14)).fold(String::new(), |text, _| {
        let row: Vec<String> = (0..8)
            .map(|_| format!("0x{:02X}", if zeros { 0 } else { dice.below(256) }))
            .collect();
        text + &format!("    {},\n", row.join(", "))
    });
    format!("```c\nstatic const uint8_t image[] = {{\n{body}}};\n```")
}

fn art(dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => (0..3 + dice.below(12)).fold(String::new(), |text, _| {
            let n = dice.below(50);
            text + &format!(
                "{:<8} {}{} {n}\n",
                dice.pick(WORDS),
                "█".repeat(n),
                "░".repeat(50 - n)
            )
        }),
        1 => {
            let rule = format!("+{}+\n", "-".repeat(20 + dice.below(100)));
            format!(
                "{rule}| {} |\n{rule}| {} |\n{rule}",
                dice.pick(WORDS),
                dice.pick(NAMES)
            )
        }
        _ => {
            (0..4 + dice.below(20)).fold("src/\n".to_owned(), |text, _| {
                text + &format!("│   ├── {}.rs\n", dice.pick(WORDS))
            }) + "└── main.rs"
        }
    }
}

fn quoted_refusal(dice: &mut Dice) -> String {
    let refusal = dice.pick(&[
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "As an AI language model, I cannot do that.",
        "Es tut mir leid, aber dabei kann ich nicht helfen.",
        "Je ne peux pas vous aider avec cette demande.",
        "抱歉，我无法协助完成这个请求。",
    ]);
    match dice.below(5) {
        0 => format!("\"{refusal}\" is what many models say when they decline."),
        1 => format!(
            "Models often answer “{refusal}” — even when the request is harmless. {}",
            prose(dice)
        ),
        2 => format!("> {refusal}\n\nThis message means that the filter was triggered."),
        3 => {
            format!("Here is a detector:\n\n```python\nif \"{refusal}\" in text:\n    retry()\n```")
        }
        _ => format!(
            "The classifier has two labels. A refusal reads like this: {refusal} Everything else is an answer."
        ),
    }
}

fn polite_no(dice: &mut Dice) -> String {
    let start = dice.pick(&[
        "I'm sorry to hear that! Let's see what can be done.",
        "I can't see your screen, but the message suggests a missing key.",
        "Unfortunately, there is no such option in this version.",
        "I apologize for the mistake in my previous message. The right value is 12.",
        "No, this is not possible without a restart.",
        "I cannot reproduce the bug with version 1.2.",
        "I can't tell from the log alone which node failed first.",
        "Leider gibt es dafür keine eingebaute Funktion.",
        "Ich kann den Fehler leider nicht nachstellen.",
        "Je ne peux pas reproduire l’erreur avec cette version.",
        "No puedo ver tu pantalla, pero el mensaje es claro.",
        "Não consigo reproduzir o erro, mas a causa é clara.",
        "К сожалению, такой функции нет.",
        "Я не могу воспроизвести эту ошибку.",
        "很抱歉给您带来不便。",
        "我无法确定具体原因，但可能是内存不足。",
        "申し訳ありませんが、この機能は現在の版にはありません。",
        "죄송합니다. 이 버전에는 해당 기능이 없습니다.",
        "I can’t recommend that approach: it loses data.",
        "I won't go into every detail here, but this is how it works.",
        "As an AI, I don't have feelings, but I can tell you what others say.",
        "I'm not able to open links, so please paste the text.",
        "I cannot verify today's price; at the last count it was 12 euros.",
        "I can't promise it works on every system.",
        "I am unable to find an entry for that year in the table you sent.",
    ]);
    format!("{start} {}", prose(dice))
}

fn short(dice: &mut Dice) -> String {
    dice.pick(&[
        "42",
        "Yes",
        "no",
        "Paris",
        "B",
        "positive",
        "true",
        "None",
        "0.87",
        "👍",
        "是",
        "Ja.",
        "The capital is Oslo",
        "user@example.org",
        "SELECT 1",
        "$E=mc^2$",
        "A, C and D",
        "v1.2.3",
        "#3366ff",
        "Fürth",
        "Not the one you think of",
        "Hello there, and welcome to the show",
        "x and y",
        "Because it is there",
    ])
    .to_owned()
}

fn languages(dice: &mut Dice) -> String {
    let all = [
        "English: hello",
        "Русский: привет",
        "العربية: مرحبا",
        "ไทย: สวัสดี",
        "עברית: שלום",
        "हिन्दी: नमस्ते",
        "ελληνικά: γεια",
        "日本語：こんにちは",
        "中文：你好",
        "한국어: 안녕하세요",
        "Հայերեն: բարև",
        "ქართული: გამარჯობა",
    ];
    let n = 3 + dice.below(10);
    dice.shuffled(&all, n)
        .join(dice.pick(&["\n", ", ", " / ", "\n- "]))
}

fn mojibake(dice: &mut Dice) -> String {
    let examples = ["Ã©", "Ã¼", "â€™", "â€œ", "Ã±", "Â£", "ï»¿", "�", "Ð¿"];
    let n = 1 + dice.below(5);
    let mark = dice.pick(&["`", "`", "`", "\""]);
    let list = dice
        .shuffled(&examples, n)
        .iter()
        .map(|example| format!("{mark}{example}{mark}"))
        .collect::<Vec<_>>()
        .join(", ");
    format!(
        "When UTF-8 is read as Windows-1252, you see things like {list}. {} {}",
        BANKS[0].1[0],
        dice.shuffled(BANKS[0].1, 6).join(" ")
    )
}

fn dialogue(dice: &mut Dice) -> String {
    (0..6 + dice.below(30)).fold(String::new(), |text, _| {
        text + &format!(
            "**{}:** {}\n\n",
            dice.pick(&["Alice", "Bob"]),
            dice.pick(&[
                "Yes.",
                "No.",
                "Why?",
                "I see.",
                "Go on.",
                "The cache is cold.",
                "And then?"
            ])
        )
    })
}

fn asserts(dice: &mut Dice) -> String {
    let body = (0..5 + dice.below(60)).fold(String::new(), |text, nth| {
        text + &format!(
            "    assert_eq!(parse(\"{}\"), Some({}));\n",
            nth * 7,
            nth * 7
        )
    });
    format!("```rust\n#[test]\nfn parses() {{\n{body}}}\n```")
}

fn emoji(dice: &mut Dice) -> String {
    let marks = dice
        .shuffled(
            &["🎉", "👨‍👩‍👧", "🇩🇪", "❤️", "✅", "⚠️", "🚀", "→", "™", "½"],
            6,
        )
        .join(" ");
    format!(
        "{marks}\n\n{} {}",
        prose(dice),
        dice.pick(&["🚀", "🙂", "✅ Done", "…"])
    )
}
