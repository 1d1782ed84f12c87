//! What the driver needs of a runtime and can do itself.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Lets the runtime see to others once. A runtime that polls again only when something happens is told that it has.
pub(super) async fn give_way() {
    let mut given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The future's output, or nothing if the timer ends before it.
pub(super) async fn first<F: Future>(
    future: F,
    timer: impl Future<Output = ()>,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = pin!(timer);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
    })
    .await
}
