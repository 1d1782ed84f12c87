//! Where a request's authorisation comes from, when a fixed key in a header is not enough.
//!
//! A fixed key travels in the endpoint's headers and costs nothing here. A [`Credential`] is asked
//! once for every attempt, just before it is sent, and sees the request as it will go out.

mod calendar;
mod google;
mod sigv4;
mod token;

pub use self::google::GoogleCredential;
pub use self::sigv4::{AwsCredential, AwsKeys};

use crate::transport::{HttpRequest, Transport, TransportError};
use futures_util::future::BoxFuture;
use http::HeaderValue;
use llm_errors::{ErrorKind, Phase, TransportFault, Verdict, classify_transport};
use std::fmt;
use std::time::SystemTime;

/// Authorises requests. Implement it for a vault or an identity provider of your own.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use llm_providers::{Credential, CredentialError, HttpRequest, Transport};
/// use std::time::SystemTime;
///
/// #[derive(Debug)]
/// struct Tenant;
///
/// impl Credential for Tenant {
///     fn authorize<'a>(
///         &'a self,
///         request: &'a mut HttpRequest,
///         _transport: &'a dyn Transport,
///         _now: SystemTime,
///     ) -> BoxFuture<'a, Result<(), CredentialError>> {
///         let tenant = http::HeaderValue::from_static("blue");
///         request.headers.insert("x-tenant", tenant);
///         Box::pin(async { Ok(()) })
///     }
/// }
/// ```
///
/// # Cancel safety
///
/// The future is dropped when the attempt's time is up or its caller goes away; nothing may be lost
/// by that but the work itself.
pub trait Credential: Send + Sync + fmt::Debug {
    /// Adds what `request` needs to be accepted: usually a header. What must be fetched is fetched
    /// through `transport`; `now` is the calendar's time.
    ///
    /// # Errors
    ///
    /// [`CredentialError`], and then nothing is sent to the provider.
    fn authorize<'a>(
        &'a self,
        request: &'a mut HttpRequest,
        transport: &'a dyn Transport,
        now: SystemTime,
    ) -> BoxFuture<'a, Result<(), CredentialError>>;

    /// The provider refused the `authorization` header that a request was given. True where it is not given again, so
    /// that another attempt has a better chance: then the key is not set aside. Default: false.
    fn refused(&self, _authorization: &HeaderValue, _now: SystemTime) -> bool {
        false
    }
}

/// A request could not be authorised. Holds no part of any key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Key, token or file is not of the form it must have.
    #[error("the credential is not well formed")]
    Malformed,
    /// Whoever gives out tokens refused to, with this status.
    #[error("no token was given out (status {0})")]
    Refused(u16),
    /// Whoever gives out tokens could not be reached.
    #[error("no token could be fetched: {0}")]
    Unreachable(#[source] TransportError),
    /// Whoever gives out tokens did not answer in time.
    #[error("no token was given out in time")]
    TimedOut,
    /// Whoever gives out tokens gave something else.
    #[error("what was given out is no token")]
    Unreadable,
}

impl CredentialError {
    /// What it means for the attempt, of which nothing was sent.
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Malformed | Self::Refused(400..=407) => {
                Verdict::new(ErrorKind::AuthInvalidKey, Phase::Connect)
            }
            Self::Unreachable(error) => classify_transport(error.fault, Phase::Connect),
            Self::TimedOut => classify_transport(TransportFault::Timeout, Phase::Connect),
            Self::Refused(_) | Self::Unreadable => {
                classify_transport(TransportFault::Other, Phase::Connect)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_can_be_a_trait_object() {
        fn takes(_: Option<&dyn Credential>) {}
        takes(None);
    }
}
