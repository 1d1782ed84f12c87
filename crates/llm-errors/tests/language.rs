//! The commonest things that providers say, in the languages that they say them in.

use llm_errors::ErrorKind::{self, *};
use llm_errors::{Provider, Reply, classify_reply};
use std::time::SystemTime;

fn check(rows: &[(u16, &str, ErrorKind)]) {
    for (status, message, kind) in rows {
        let body = serde_json::json!({"error": {"message": message}}).to_string();
        let reply = Reply::new(*status, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
        let verdict = classify_reply(Provider::Other, &reply);
        assert_eq!(verdict.kind, *kind, "{message}");
        let spent = matches!(kind, QuotaExhausted | Billing | AuthInvalidKey);
        assert!(!(spent && verdict.is_retryable()), "{message}");
    }
}

#[test]
fn russian() {
    check(&[
        (
            429,
            "Слишком много запросов, повторите позже",
            RateLimitOther,
        ),
        (429, "Исчерпан лимит запросов в минуту", RateLimitRequests),
        (429, "Ваша квота исчерпана", QuotaExhausted),
        (403, "На балансе недостаточно средств", Billing),
        (401, "Указан неверный API-ключ", AuthInvalidKey),
        (404, "Такая модель не найдена", ModelNotFound),
        (500, "Сервис перегружен", Overloaded),
        (400, "Длина контекста превышена", ContextLength),
    ]);
}

#[test]
fn japanese() {
    check(&[
        (429, "レート制限を超えています", RateLimitOther),
        (429, "リクエストが多すぎるようです", RateLimitRequests),
        (429, "クォータを使い切りました", QuotaExhausted),
        (403, "残高が不足しているため利用できません", Billing),
        (401, "このAPIキーは無効です", AuthInvalidKey),
        (404, "指定のモデルが見つかりません", ModelNotFound),
        (500, "サーバーが混雑しています", Overloaded),
        (400, "コンテキストの長さが上限を超えました", ContextLength),
    ]);
}

#[test]
fn korean() {
    check(&[
        (429, "속도 제한을 초과했습니다", RateLimitOther),
        (429, "분당 요청 한도에 도달했습니다", RateLimitRequests),
        (429, "할당량이 모두 소진되었습니다", QuotaExhausted),
        (403, "잔액이 부족합니다", Billing),
        (401, "잘못된 API 키입니다", AuthInvalidKey),
        (404, "해당 모델을 찾을 수 없습니다", ModelNotFound),
        (500, "서버가 과부하 상태입니다", Overloaded),
        (400, "컨텍스트 길이를 초과했습니다", ContextLength),
    ]);
}

#[test]
fn german() {
    check(&[
        (
            429,
            "Zu viele Anfragen, bitte später erneut versuchen",
            RateLimitOther,
        ),
        (429, "Ihr Kontingent ist aufgebraucht", QuotaExhausted),
        (403, "Ihr Guthaben ist nicht ausreichend", Billing),
        (401, "Ungültiger API-Schlüssel", AuthInvalidKey),
        (404, "Das Modell wurde nicht gefunden", ModelNotFound),
        (500, "Der Dienst ist überlastet", Overloaded),
    ]);
}

#[test]
fn french() {
    check(&[
        (429, "Trop de requêtes pour l’instant", RateLimitOther),
        (429, "La limite de requêtes est dépassée", RateLimitRequests),
        (429, "Votre quota est épuisé", QuotaExhausted),
        (403, "Solde insuffisant", Billing),
        (401, "La clé API est invalide", AuthInvalidKey),
        (404, "Ce modèle est introuvable", ModelNotFound),
        (
            400,
            "La longueur du contexte dépasse le maximum",
            ContextLength,
        ),
    ]);
}

#[test]
fn spanish_and_portuguese() {
    check(&[
        (429, "Demasiadas peticiones en poco tiempo", RateLimitOther),
        (429, "Excedido el límite de solicitudes", RateLimitRequests),
        (429, "La cuota se ha agotado", QuotaExhausted),
        (403, "Su saldo es insuficiente", Billing),
        (401, "La clave de API es inválida", AuthInvalidKey),
        (404, "Ese modelo no existe", ModelNotFound),
        (429, "Muitas solicitações por agora", RateLimitOther),
        (429, "A sua cota está esgotada", QuotaExhausted),
        (403, "Saldo insuficiente na conta", Billing),
        (401, "A chave de API é inválida", AuthInvalidKey),
        (404, "O modelo não foi encontrado", ModelNotFound),
    ]);
}
