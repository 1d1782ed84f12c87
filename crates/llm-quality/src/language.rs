//! Is it in the language that was asked for? By script where the script says it, by small words among languages in Latin letters.
//!
//! Code is left out. Little text gives no verdict: under forty letters nothing is said.

mod word;

use crate::script::Script;

/// Languages that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Portuguese.
    Portuguese,
    /// Italian.
    Italian,
    /// Dutch.
    Dutch,
    /// Swedish.
    Swedish,
    /// Polish.
    Polish,
    /// Turkish.
    Turkish,
    /// Russian.
    Russian,
    /// Ukrainian.
    Ukrainian,
    /// Greek.
    Greek,
    /// Hebrew.
    Hebrew,
    /// Arabic, Persian or Urdu: the script is all that is looked at.
    Arabic,
    /// Hindi, Marathi or Nepali: the script is all that is looked at.
    Hindi,
    /// Thai.
    Thai,
    /// Chinese, in either form.
    Chinese,
    /// Japanese.
    Japanese,
    /// Korean.
    Korean,
}

/// How many languages are told apart by their small words.
const PROFILES: usize = 10;
/// Fewer letters say nothing.
const ENOUGH_LETTERS: u32 = 40;
/// Small words of another language that are needed.
const ENOUGH_WORDS: u32 = 6;
const LONGEST_WORD: usize = 12;

impl Language {
    /// Languages in Latin letters, in the order of the bits in the word list.
    const PROFILED: [Self; PROFILES] = [
        Self::English,
        Self::German,
        Self::French,
        Self::Spanish,
        Self::Portuguese,
        Self::Italian,
        Self::Dutch,
        Self::Swedish,
        Self::Polish,
        Self::Turkish,
    ];

    /// Finds a language by its ISO 639-1 code, as in `de` or `de-AT`.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code.split(['-', '_']).next()? {
            "en" => Self::English,
            "de" => Self::German,
            "fr" => Self::French,
            "es" => Self::Spanish,
            "pt" => Self::Portuguese,
            "it" => Self::Italian,
            "nl" => Self::Dutch,
            "sv" => Self::Swedish,
            "pl" => Self::Polish,
            "tr" => Self::Turkish,
            "ru" => Self::Russian,
            "uk" => Self::Ukrainian,
            "el" => Self::Greek,
            "he" | "iw" => Self::Hebrew,
            "ar" | "fa" | "ur" => Self::Arabic,
            "hi" | "mr" | "ne" => Self::Hindi,
            "th" => Self::Thai,
            "zh" => Self::Chinese,
            "ja" => Self::Japanese,
            "ko" => Self::Korean,
            _ => return None,
        })
    }

    /// The place in `PROFILED`.
    fn bit(self) -> Option<usize> {
        Self::PROFILED.iter().position(|&language| language == self)
    }

    const fn script(self) -> Script {
        match self {
            Self::Russian | Self::Ukrainian => Script::Cyrillic,
            Self::Greek => Script::Greek,
            Self::Hebrew => Script::Hebrew,
            Self::Arabic => Script::Arabic,
            Self::Hindi => Script::Devanagari,
            Self::Thai => Script::Thai,
            Self::Chinese => Script::Han,
            Self::Japanese => Script::Kana,
            Self::Korean => Script::Hangul,
            _ => Script::Latin,
        }
    }
}

/// Counts letters by script and small words by language.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    letters: [u32; Script::COUNT],
    /// Small words that each language has and the wanted one has not, and the other way round.
    theirs: [u32; PROFILES],
    ours: [u32; PROFILES],
    wanted: Language,
    /// і ї є ґ, and ы э ъ ё.
    ukrainian: u32,
    russian: u32,
    word: [u8; LONGEST_WORD],
    len: usize,
}

impl Profile {
    pub(crate) const fn new(wanted: Language) -> Self {
        Self {
            letters: [0; Script::COUNT],
            theirs: [0; PROFILES],
            ours: [0; PROFILES],
            wanted,
            ukrainian: 0,
            russian: 0,
            word: [0; LONGEST_WORD],
            len: 0,
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is one count for each script"
    )]
    pub(crate) fn push(&mut self, ch: char, in_code: bool) {
        let script = if in_code { None } else { Script::of(ch) };
        let Some(script) = script else {
            self.end_word();
            return;
        };
        self.letters[script as usize] = self.letters[script as usize].saturating_add(1);
        match ch {
            'і' | 'ї' | 'є' | 'ґ' => self.ukrainian += 1,
            'ы' | 'э' | 'ъ' | 'ё' => self.russian += 1,
            _ => {}
        }
        if script == Script::Latin {
            let small = if ch.is_ascii() {
                ch.to_ascii_lowercase()
            } else {
                ch.to_lowercase().next().unwrap_or(ch)
            };
            match self.word.get_mut(self.len..self.len + small.len_utf8()) {
                Some(place) => self.len += small.encode_utf8(place).len(),
                // Too long for a small word: remember that until it ends.
                None => self.len = LONGEST_WORD,
            }
        } else {
            self.end_word();
        }
    }

    fn end_word(&mut self) {
        if self.len > 0 && self.len < LONGEST_WORD {
            let languages = self
                .word
                .get(..self.len)
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .map_or(0, word::languages);
            let own = self
                .wanted
                .bit()
                .is_some_and(|bit| languages >> bit & 1 == 1);
            let counts = if own {
                &mut self.ours
            } else {
                &mut self.theirs
            };
            for (bit, count) in counts.iter_mut().enumerate() {
                if languages != 0 && (languages >> bit & 1 == 0) == own {
                    *count = count.saturating_add(1);
                }
            }
        }
        self.len = 0;
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is one count for each script"
    )]
    const fn of(&self, script: Script) -> u64 {
        self.letters[script as usize] as u64
    }

    /// Is this plainly another language?
    pub(crate) fn is_wrong(&mut self) -> bool {
        self.end_word();
        let wanted = self.wanted;
        let all: u64 = self.letters.iter().map(|&n| u64::from(n)).sum();
        if all < u64::from(ENOUGH_LETTERS) {
            return false;
        }
        let (han, kana) = (self.of(Script::Han), self.of(Script::Kana));
        match wanted {
            Language::Japanese => kana * 20 < han + kana || (han + kana) * 10 < all,
            Language::Chinese => han * 10 < all || kana > han / 2,
            Language::Ukrainian if self.russian >= 5 && self.russian > 2 * self.ukrainian => true,
            Language::Russian if self.ukrainian >= 5 && self.ukrainian > 2 * self.russian => true,
            _ if wanted.script() != Script::Latin => self.of(wanted.script()) * 10 < all,
            // A letter that stands for a whole word counts for more.
            _ if self.of(Script::Latin) < (all - self.of(Script::Latin)) => true,
            _ => self
                .theirs
                .iter()
                .zip(self.ours)
                .any(|(&theirs, ours)| theirs >= ENOUGH_WORDS && theirs > 3 * ours),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &[(Language, &str)] = &[
        (
            Language::English,
            "The server did not answer in time, so the request was sent again to another one that is not as busy as the first. It is what we would expect.",
        ),
        (
            Language::German,
            "Der Server hat nicht rechtzeitig geantwortet, und daher wurde die Anfrage an einen anderen geschickt, der nicht so viel zu tun hat. Das ist auch gut so.",
        ),
        (
            Language::French,
            "Le serveur n'a pas répondu à temps, et la demande a donc été envoyée à un autre qui est moins occupé que le premier. C'est ce que nous voulions dans ce cas.",
        ),
        (
            Language::Spanish,
            "El servidor no respondió a tiempo, y por eso la petición se envió a otro que está menos ocupado que el primero. Es lo que queríamos en este caso para los usuarios.",
        ),
        (
            Language::Portuguese,
            "O servidor não respondeu a tempo, e por isso o pedido foi enviado a outro que não está tão ocupado como o primeiro. É o que queríamos neste caso para os usuários.",
        ),
        (
            Language::Italian,
            "Il server non ha risposto in tempo, e quindi la richiesta è stata inviata a un altro che è meno occupato del primo. Questo è quello che volevamo per gli utenti di questa rete.",
        ),
        (
            Language::Dutch,
            "De server heeft niet op tijd geantwoord, en daarom is het verzoek naar een andere gestuurd die het niet zo druk heeft als de eerste. Dat is wat we van het systeem willen.",
        ),
        (
            Language::Swedish,
            "Servern svarade inte i tid, och därför skickades frågan till en annan som inte har så mycket att göra som den första. Det är vad vi vill att det ska göra för alla.",
        ),
        (
            Language::Polish,
            "Serwer nie odpowiedział na czas, więc zapytanie zostało wysłane do innego, który nie jest tak zajęty jak pierwszy. To jest to, czego się spodziewamy w tym przypadku, ale nie zawsze.",
        ),
        (
            Language::Turkish,
            "Sunucu zamanında yanıt vermedi, bu nedenle istek daha az meşgul olan bir başka sunucuya gönderildi. Bu, bizim için çok iyi bir sonuç ve daha sonra da böyle olacak gibi, ama ne kadar sürer bilinmez.",
        ),
        (
            Language::Russian,
            "Сервер не ответил вовремя, поэтому запрос был отправлен другому, который был не так занят. Это было ожидаемо, и мы были готовы к этому объёму.",
        ),
        (
            Language::Ukrainian,
            "Сервер не відповів вчасно, тому запит було надіслано іншому, який не такий зайнятий. Це було очікувано, і ми були до цього готові.",
        ),
        (
            Language::Greek,
            "Ο διακομιστής δεν απάντησε εγκαίρως, οπότε το αίτημα στάλθηκε σε άλλον.",
        ),
        (
            Language::Hebrew,
            "השרת לא הגיב בזמן, ולכן הבקשה נשלחה לשרת אחר שהיה פנוי יותר.",
        ),
        (
            Language::Arabic,
            "لم يستجب الخادم في الوقت المناسب، لذلك تم إرسال الطلب إلى خادم آخر.",
        ),
        (
            Language::Hindi,
            "सर्वर ने समय पर उत्तर नहीं दिया, इसलिए अनुरोध दूसरे सर्वर को भेजा गया।",
        ),
        (
            Language::Thai,
            "เซิร์ฟเวอร์ไม่ตอบสนองทันเวลา ดังนั้นคำขอจึงถูกส่งไปยังเซิร์ฟเวอร์อื่นที่ว่างกว่า",
        ),
        (
            Language::Chinese,
            "服务器没有及时响应，因此请求被发送到另一台不太繁忙的服务器。这正是我们在这种情况下所期望的结果，用户不会注意到。",
        ),
        (
            Language::Japanese,
            "サーバーが時間内に応答しなかったため、リクエストは別のサーバーに送信されました。これは期待どおりの動作です。",
        ),
        (
            Language::Korean,
            "서버가 제때 응답하지 않아 요청이 덜 바쁜 다른 서버로 전송되었습니다. 이것은 우리가 기대한 결과이며 사용자는 알아차리지 못합니다.",
        ),
    ];

    fn profile(text: &str, wanted: Language) -> Profile {
        let mut profile = Profile::new(wanted);
        text.chars().for_each(|ch| profile.push(ch, false));
        profile
    }

    #[test]
    fn each_language_is_itself_and_no_other() {
        for &(language, text) in SAMPLES {
            for &(wanted, _) in SAMPLES {
                assert_eq!(
                    profile(text, wanted).is_wrong(),
                    wanted != language,
                    "{language:?} for {wanted:?}"
                );
            }
        }
    }

    #[test]
    fn little_text_and_code_say_nothing() {
        assert!(!profile("Bonjour", Language::English).is_wrong());
        let mut profile = Profile::new(Language::German);
        "fn main() { println!(\"this is not the text that was asked for and it is long\") }"
            .chars()
            .for_each(|ch| profile.push(ch, true));
        assert!(!profile.is_wrong());
    }
}
