//! Shadow probes, as a client sends them: asked for at the start of every request, never awaited by it.

use super::Fleet;
use crate::caller::News;
use crate::ours;
use llm_router::Tokens;
use std::time::Duration;

impl Fleet<'_> {
    /// Duplicates the request that has just arrived if its gateway's table has somebody to look after.
    pub(super) fn look_for_recovery(
        &mut self,
        request: usize,
        gateway: usize,
        streamed: bool,
        now: Duration,
    ) {
        let asked = ours::shadow(&self.tables[gateway], streamed, self.origin + now);
        let Some(shadow) = asked else {
            return;
        };
        let send = ours::duplicate(&shadow, streamed);
        let call = self.calls.len();
        self.call((request, usize::MAX), streamed, send, 900 + send.site, now);
        self.calls[call].shadow = Some(shadow);
    }

    /// Tells a shadow probe how it went, and hangs up. False where the call is none, or is over.
    pub(super) fn shadow_heard(&mut self, call: usize, news: News, now: Duration) -> bool {
        let Some(shadow) = self.calls[call].shadow.take() else {
            return false;
        };
        self.calls[call].over = true;
        let now = self.origin + now;
        match news {
            News::FirstToken | News::Done => shadow.finish(Ok(Tokens::default()), now),
            News::Failed(verdict) => shadow.finish(Err(&verdict), now),
        }
        true
    }
}
