//! Pages that an edge or proxy serves in the provider's place.

use crate::kind::ErrorKind;
use crate::lexicon::Lexicon;
use crate::quoted::MAX_STRING_BYTES;
use crate::text::Text;
use crate::verdict::Resend;
use crate::window::find_either;

/// Bytes of a body in which the beginning of a page must show.
const LOOK_BYTES: usize = 512;

/// Is this an HTML page?
pub(crate) fn is_page(body: &[u8]) -> bool {
    let body = body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii_start();
    let start = body.get(..body.len().min(LOOK_BYTES)).unwrap_or_default();
    if body.first() != Some(&b'<') {
        // a client's line before the page: "unexpected status 403: <html>"
        return !matches!(body.first(), Some(b'{' | b'[' | b'"'))
            && ["<html", "<!doctype html"].iter().any(|tag| {
                start
                    .windows(tag.len())
                    .any(|window| window.eq_ignore_ascii_case(tag.as_bytes()))
            });
    }
    [
        "<!doctype",
        "<html",
        "<head",
        "<title",
        "<body",
        "<center",
        "<h1",
        "<!--",
        "<script",
        "<style",
        "<meta",
    ]
    .iter()
    .any(|tag| {
        start
            .get(..tag.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()))
    })
}

/// Bytes of a page whose words are read.
const READ_BYTES: usize = 16 * 1024;

/// The words that a page shows: what stands in tags, scripts and styles is passed over.
pub(crate) fn words(body: &[u8], lexicon: &Lexicon, text: &mut Text) {
    let mut rest = body.get(..body.len().min(READ_BYTES)).unwrap_or_default();
    while let Some((shown, tag)) = rest.split_at_checked(find_either(rest, b'<', b'<'))
        && !tag.is_empty()
    {
        if !shown.trim_ascii_start().is_empty() {
            text.read(lexicon, shown, |_| {});
        }
        let name = tag.get(1..).unwrap_or_default();
        let initial = name.first().map_or(0, |byte| byte | 0x20);
        let closing = [&b"script"[..], b"style"]
            .into_iter()
            .find(|closing| initial == b's' && begins(name, closing));
        let end = match closing {
            Some(name) => tag
                .windows(2 + name.len())
                .skip(1)
                .position(|window| {
                    window.starts_with(b"</") && begins(window.get(2..).unwrap_or_default(), name)
                })
                .map(|at| at + 1),
            None => Some(0),
        };
        let after = end.and_then(|end| {
            let inside = tag.get(end..)?;
            inside.get(find_either(inside, b'>', b'>') + 1..)
        });
        // a heading is a sentence of its own, a word in bold is not
        let inline = match initial {
            b'b' => begins(name, b"b>"),
            b's' => begins(name, b"span"),
            b'/' => begins(name, b"/span"),
            _ => false,
        };
        if !inline {
            text.stop();
        }
        rest = after.unwrap_or_default();
    }
    text.read(lexicon, rest, |_| {});
}

/// What `read` makes of the JSON object that a page shows, if it shows one: many servers dress up
/// whatever they were told.
pub(crate) fn with_document<T>(body: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let body = body.get(..body.len().min(READ_BYTES)).unwrap_or_default();
    let mut shown = body.split(|byte| *byte == b'<').skip(1).map(|tag| {
        if begins(tag, b"script") || begins(tag, b"style") {
            return &[][..];
        }
        let shown = tag.get(find_either(tag, b'>', b'>') + 1..);
        shown.unwrap_or_default().trim_ascii_start()
    });
    let is_object = |shown: &&[u8]| {
        let inside = shown.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        let mark = |mark: &&[u8]| inside.is_some_and(|inside| inside.starts_with(mark));
        [&b"\""[..], b"&quot;", b"&#34;", b"&#x22;"]
            .iter()
            .any(mark)
    };
    let object = shown.find(is_object)?;
    let mut plain = [0; MAX_STRING_BYTES];
    let len = without_entities(object, &mut plain);
    Some(read(plain.get(..len).unwrap_or_default()))
}

/// Writes `text` to `out`, as far as that reaches, with the entities of quotes undone; returns the
/// length written.
fn without_entities(text: &[u8], out: &mut [u8]) -> usize {
    const ENTITIES: [(&[u8], u8); 8] = [
        (b"&quot;", b'"'),
        (b"&#34;", b'"'),
        (b"&#x22;", b'"'),
        (b"&#39;", b'\''),
        (b"&#x27;", b'\''),
        (b"&apos;", b'\''),
        (b"&gt;", b'>'),
        (b"&amp;", b'&'),
    ];
    let mut rest = text;
    let mut len = 0;
    while let (Some((first, more)), Some(free)) = (rest.split_first(), out.get_mut(len)) {
        let entity = (*first == b'&')
            .then(|| ENTITIES.iter().find(|(name, _)| rest.starts_with(name)))
            .flatten();
        (*free, rest) = match entity {
            Some((name, byte)) => (*byte, rest.get(name.len()..).unwrap_or_default()),
            None => (*first, more),
        };
        len += 1;
    }
    len
}

fn begins(text: &[u8], name: &[u8]) -> bool {
    text.get(..name.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(name))
}

/// What a page with this status means. A page that only dresses up a plain refusal (a bad key, a
/// body too large, too many requests) keeps the meaning of its status.
pub(crate) const fn meaning(status: u16) -> (ErrorKind, Option<Resend>) {
    match status {
        401 => (ErrorKind::AuthInvalidKey, None),
        402 => (ErrorKind::Billing, None),
        408 => (ErrorKind::Timeout, None),
        413 => (ErrorKind::PayloadTooLarge, None),
        429 => (ErrorKind::RateLimitOther, None),
        404 => (ErrorKind::Other, Some(Resend::NoSameTarget)),
        400..=499 => (ErrorKind::BadGatewayHtml, Some(Resend::NoSameTarget)),
        _ => (ErrorKind::BadGatewayHtml, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shown_words_of_a_page_are_read() {
        let lexicon = Lexicon::new();
        let page = b"<html><style>p { quota }</style><h1>Access denied</h1><SCRIPT>var model = 1;</SCRIPT>limit<br/";
        let mut text = Text::new();
        words(page, &lexicon, &mut text);
        let number = |word: &str| lexicon.number(word.as_bytes());
        assert!(text.words().contains(&number("access")));
        assert!(text.words().contains(&number("limit")));
        assert!(!text.words().contains(&number("quota")));
        assert!(!text.words().contains(&number("model")));
        for cut in 0..page.len() {
            words(
                page.get(..cut).unwrap_or_default(),
                &lexicon,
                &mut Text::new(),
            );
        }
    }
}
