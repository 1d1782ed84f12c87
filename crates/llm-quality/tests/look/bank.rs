//! Dice and sentences: what the corpus is made of. The benches use it too.
#![expect(clippy::indexing_slicing, reason = "dice stay below the length")]

/// A small generator of numbers, so that a failure can be repeated.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) const fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) as usize) % n
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(crate) fn shuffled<'a>(&mut self, from: &[&'a str], n: usize) -> Vec<&'a str> {
        let mut all = from.to_vec();
        for i in (1..all.len()).rev() {
            all.swap(i, self.below(i + 1));
        }
        all.truncate(n);
        all
    }
}

/// Sentences of one language, and what parts them.
pub(crate) const BANKS: &[(&str, &[&str])] = &[
    (
        " ",
        &[
            "The server keeps one pool of connections for each host.",
            "If the pool is empty, a new connection is opened and the caller waits.",
            "You don’t need to change anything in your code for that.",
            "A timeout of thirty seconds is usually enough, but slow networks may need more.",
            "In practice, most of the time is spent waiting for the disk.",
            "Let me know if you’d like me to go into more detail!",
            "There are two ways to do this, and both have their place.",
            "The first is simple: read the file once and keep it in memory.",
            "The second is to stream it, which takes less memory but more care.",
            "Note that the order of the items is not guaranteed.",
            "This is why the test fails only now and then.",
            "Great question — the short answer is yes.",
            "Paris became the capital long before the kingdom had its present shape.",
            "Most bread needs only flour, water, salt and time.",
            "She closed the door, looked at the sea and said nothing.",
            "Mix the butter with the sugar until it’s pale.",
            "Is that what you were looking for?",
        ],
    ),
    (
        " ",
        &[
            "Der Schlüssel liegt unter der Fußmatte neben der Tür.",
            "Zunächst solltest du prüfen, ob die Datei überhaupt vorhanden ist.",
            "Die Abfrage läuft langsam, weil der Index fehlt.",
            "Größere Änderungen sollten immer in kleinen Schritten erfolgen.",
            "Natürlich kannst du auch die andere Möglichkeit wählen.",
            "Das Ergebnis hängt davon ab, wie viele Anfragen gleichzeitig eintreffen.",
            "Er sagte: „Das war nicht schön“, und ging.",
            "Im Frühling blühen die Bäume an der Straße besonders früh.",
            "Falls du weitere Fragen hast, melde dich gerne.",
            "Für den Teig brauchst du Mehl, Wasser und etwas Öl.",
        ],
    ),
    (
        " ",
        &[
            "Le fichier doit être lu une seule fois, puis gardé en mémoire.",
            "L’été, les journées sont plus longues et les soirées très agréables.",
            "Voici un exemple qui montre comment procéder.",
            "Il vaut mieux éviter de répéter la même requête à chaque fois.",
            "« C’est déjà fait », répondit-elle en souriant.",
            "La réponse dépend du nombre d’utilisateurs connectés.",
            "N’hésitez pas à me poser d’autres questions !",
            "Après la cuisson, laissez refroidir le gâteau à température ambiante.",
            "Cela s’explique par la façon dont le cache est vidé.",
        ],
    ),
    (
        " ",
        &[
            "El archivo se lee una sola vez y después se guarda en memoria.",
            "¿Quieres que te enseñe un ejemplo más sencillo?",
            "La canción empezó a sonar cuando ya había anochecido.",
            "Hay que añadir la clave antes de enviar la petición.",
            "No siempre es fácil encontrar la razón del error.",
            "El niño pequeño corrió por la montaña hasta el río.",
            "Además, conviene comprobar el tamaño de la respuesta.",
            "¡Espero que te sirva!",
        ],
    ),
    (
        " ",
        &[
            "O arquivo é lido uma única vez e depois fica na memória.",
            "Não é preciso mudar nada no código.",
            "A configuração padrão é suficiente para a maioria das situações.",
            "As crianças brincavam à beira do rio até ao anoitecer.",
            "Também é possível usar outra opção, se você preferir.",
            "Espero ter ajudado!",
            "A coleção inclui canções de várias regiões do país.",
        ],
    ),
    (
        " ",
        &[
            "Il file viene letto una sola volta e poi tenuto in memoria.",
            "Perché non provi con un esempio più semplice?",
            "La città è più bella di sera, quando la luce è bassa.",
            "Bisogna aggiungere la chiave prima di inviare la richiesta.",
            "In questo caso il risultato è già noto.",
            "Spero che ti sia utile!",
            "Il pane va lasciato riposare per almeno due ore.",
        ],
    ),
    (
        " ",
        &[
            "Сервер хранит по одному набору соединений для каждого узла.",
            "Если файл не найден, программа завершает работу с ошибкой.",
            "Вот простой пример, который показывает, как это сделать.",
            "Обычно тридцати секунд достаточно.",
            "Она закрыла дверь, посмотрела на море и ничего не сказала.",
            "Результат зависит от количества запросов.",
            "Надеюсь, это поможет!",
            "Для HTTP-запросов лучше использовать отдельный пул.",
        ],
    ),
    (
        "",
        &[
            "服务器为每个主机保留一个连接池。",
            "如果文件不存在，程序会返回错误。",
            "下面是一个简单的例子。",
            "通常三十秒的超时时间就足够了。",
            "使用Rust编写的HTTP服务器性能很好。",
            "她关上门，望着大海，一句话也没说。",
            "结果取决于同时到达的请求数量。",
            "希望这对你有帮助！",
            "先把黄油和糖混合，直到颜色变浅。",
        ],
    ),
    (
        "",
        &[
            "サーバーはホストごとに接続プールを保持します。",
            "ファイルが見つからない場合は、エラーが返されます。",
            "以下に簡単な例を示します。",
            "通常、タイムアウトは三十秒で十分です。",
            "彼女はドアを閉め、海を見て、何も言わなかった。",
            "結果は同時に届くリクエストの数によって変わります。",
            "ご不明な点があればお知らせください。",
        ],
    ),
    (
        " ",
        &[
            "서버는 호스트마다 하나의 연결 풀을 유지합니다.",
            "파일이 없으면 오류가 반환됩니다.",
            "다음은 간단한 예입니다.",
            "보통 삼십 초의 제한 시간이면 충분합니다.",
            "그녀는 문을 닫고 바다를 바라보며 아무 말도 하지 않았다.",
            "도움이 되었기를 바랍니다!",
        ],
    ),
    (
        " ",
        &[
            "يحتفظ الخادم بمجموعة اتصالات لكل مضيف.",
            "إذا لم يكن الملف موجودًا، فسيتم إرجاع خطأ.",
            "فيما يلي مثال بسيط يوضح الطريقة.",
            "عادةً ما تكون ثلاثون ثانية كافية.",
            "أتمنى أن يكون هذا مفيدًا!",
        ],
    ),
    (
        " ",
        &[
            "सर्वर हर होस्ट के लिए एक कनेक्शन पूल रखता है।",
            "यदि फ़ाइल नहीं मिलती, तो त्रुटि लौटाई जाती है।",
            "नीचे एक सरल उदाहरण दिया गया है।",
            "आम तौर पर तीस सेकंड काफ़ी होते हैं।",
            "आशा है कि इससे मदद मिलेगी!",
        ],
    ),
    (
        " ",
        &[
            "השרת שומר מאגר חיבורים לכל מארח.",
            "אם הקובץ אינו קיים, ה-API מחזיר שגיאה.",
            "הנה דוגמה פשוטה שמראה איך לעשות זאת.",
            "בדרך כלל שלושים שניות מספיקות.",
            "מקווה שזה עוזר!",
        ],
    ),
    (
        " ",
        &[
            "Serwer utrzymuje jedną pulę połączeń dla każdego hosta.",
            "Jeśli plik nie istnieje, zwracany jest błąd.",
            "Oto prosty przykład, który pokazuje, jak to zrobić.",
            "Zwykle trzydzieści sekund w zupełności wystarcza.",
            "Mam nadzieję, że to pomoże!",
            "Żółta łódź płynęła powoli wzdłuż brzegu.",
        ],
    ),
];
