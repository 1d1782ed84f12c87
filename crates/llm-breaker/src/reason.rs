//! Why a target is set aside.

/// Why a breaker is open or refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TripReason {
    /// Nothing has tripped.
    None,
    /// Too many hard failures in a row.
    Streak,
    /// Too large a share of failures in the window.
    Ratio,
    /// Much slower than its own past, and its peers are not.
    Latency,
    /// Too many bad answers: empty, garbled, invalid.
    Quality,
    /// Calls in flight hang.
    Hang,
    /// The probe failed.
    Probe,
    /// A rate limit is being waited out.
    RateLimit,
    /// A quota is spent.
    Quota,
    /// The credential is not accepted.
    Credential,
    /// Balance, bill or spending cap.
    Billing,
    /// What is asked for is not there: an unknown or retired model.
    Missing,
    /// Somebody decided so.
    Forced,
    /// A wider scope (model, provider) has opened.
    Scope,
}

impl TripReason {
    /// Every reason, in declaration order.
    pub const ALL: &'static [Self] = &[
        Self::None,
        Self::Streak,
        Self::Ratio,
        Self::Latency,
        Self::Quality,
        Self::Hang,
        Self::Probe,
        Self::RateLimit,
        Self::Quota,
        Self::Credential,
        Self::Billing,
        Self::Missing,
        Self::Forced,
        Self::Scope,
    ];

    /// The stable name, for metrics and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Streak => "streak",
            Self::Ratio => "ratio",
            Self::Latency => "latency",
            Self::Quality => "quality",
            Self::Hang => "hang",
            Self::Probe => "probe",
            Self::RateLimit => "rate_limit",
            Self::Quota => "quota",
            Self::Credential => "credential",
            Self::Billing => "billing",
            Self::Missing => "missing",
            Self::Forced => "forced",
            Self::Scope => "scope",
        }
    }

    /// Whether the trouble may pass by itself, so that looking for recovery early makes sense.
    ///
    /// A spent quota, an unpaid bill and a refused key end at a known time or by somebody's hand.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        !matches!(
            self,
            Self::Quota | Self::Credential | Self::Billing | Self::Missing | Self::Forced
        )
    }

    pub(crate) const fn bits(self) -> u64 {
        self as u64
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        match bits {
            1 => Self::Streak,
            2 => Self::Ratio,
            3 => Self::Latency,
            4 => Self::Quality,
            5 => Self::Hang,
            6 => Self::Probe,
            7 => Self::RateLimit,
            8 => Self::Quota,
            9 => Self::Credential,
            10 => Self::Billing,
            11 => Self::Missing,
            12 => Self::Forced,
            13 => Self::Scope,
            _ => Self::None,
        }
    }
}

impl std::fmt::Display for TripReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_packing() {
        for reason in TripReason::ALL {
            assert_eq!(TripReason::from_bits(reason.bits()), *reason);
            assert!(reason.bits() < 16);
        }
    }
}
