//! The one way in which the console starts a thread.

/// Starts a thread that is called after the console and this.
///
/// # Errors
/// The system has no more threads.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(format!("console-{name}")).spawn(body).map(drop)
}
