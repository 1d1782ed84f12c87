use super::*;

#[test]
fn refusals_in_many_languages_are_seen() {
    for refusal in [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I can’t assist with that request.",
        "I cannot provide instructions for making weapons.",
        "Sorry, I can't do that. Is there something else?",
        "Thanks for asking! I'm not able to help with this request.",
        "As an AI language model, I cannot engage in that.",
        "**I can't help with that.** Try a hotline.",
        "I must decline this request, as it would harm others.",
        "Your request was flagged as potentially violating our policy.",
        "Es tut mir leid, aber dabei kann ich dir nicht helfen.",
        "Leider kann ich Ihnen bei dieser Anfrage nicht weiterhelfen.",
        "Je suis désolé, mais je ne peux pas vous aider avec cette demande.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Desculpe, mas não posso ajudar com isso.",
        "Mi dispiace, ma non posso aiutarti con questa richiesta.",
        "Het spijt me, maar ik kan je daar niet mee helpen.",
        "Przykro mi, ale nie mogę w tym pomóc.",
        "Tyvärr, jag kan inte hjälpa till med det.",
        "Üzgünüm, ama bu konuda yardımcı olamam.",
        "Извините, но я не могу помочь с этим.",
        "Вибачте, але я не можу допомогти з цим.",
        "عذرًا، لكن لا أستطيع مساعدتك في ذلك.",
        "क्षमा करें, लेकिन मैं इसमें मदद नहीं कर सकता।",
        "抱歉，我无法协助完成这个请求。",
        "对不起，我不能帮助您做这件事。",
        "申し訳ありませんが、そのご要望にはお応えできません。",
        "죄송하지만 해당 요청은 도와드릴 수 없습니다.",
    ] {
        assert_eq!(judge(refusal, 60), Some(Declined::Plainly), "{refusal}");
    }
}

#[test]
fn answers_that_say_no_about_something_else_are_not_refusals() {
    for answer in [
        "I can't tell from this log alone which node failed first, but the timestamps suggest the second.",
        "\"I'm sorry, but I can't help with that\" is a typical refusal.",
        "The phrase “I can't help with that” appears in many logs.",
        "A refusal begins like this: I'm sorry, but I can't help with that.",
        "Sorry for the confusion! The right value is 42.",
        "Unfortunately, the API does not support this option. Use the other one.",
        "I cannot reproduce the bug with version 1.2, so it was probably fixed.",
        "I can't recommend this book enough.",
        "You can't help with that unless you are an admin.",
        "I can help with that! Send me the file.",
        "Ich kann dir helfen. Schick mir die Datei.",
        "Ich kann den Fehler nicht nachstellen.",
        "No puedo reproducir el error, pero la causa parece clara.",
        "Non posso che consigliarti di provarlo.",
        "我无法确定具体原因，但日志显示是内存不足。",
        "この設定は変更できません。管理者に連絡してください。",
        "이 파일은 읽기 전용이므로 수정할 수 없습니다.",
        "Я не могу воспроизвести ошибку, но причина понятна.",
        "",
        "no",
    ] {
        assert_eq!(judge(answer, 60), None, "{answer}");
    }
}

#[test]
fn a_long_answer_that_begins_like_a_refusal_is_a_suspect() {
    let refusal = "I can't help with that exact request, but here is what you can do instead.";
    assert_eq!(judge(refusal, 3_000), Some(Declined::AtFirst));
}
