//! When a service is asked to end: SIGTERM or SIGINT, Ctrl-C or a console that closes.

/// Returns once this process is asked to end.
pub async fn requested() {
    super::sys::stop::requested().await;
}
