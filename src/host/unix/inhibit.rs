//! A shutdown inhibitor of logind (org.freedesktop.login1.Manager.Inhibit), behind `host::inhibit`.

use std::sync::mpsc;
use std::time::Duration;
use zbus::OwnedFd;

/// How long logind may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// In force until it is dropped.
pub struct Inhibitor {
    _held: OwnedFd,
}

/// Keeps the system from being shut down, with the name and the reason that `systemd-inhibit --list` shows.
pub fn take(who: &'static str, why: &'static str) -> Result<Inhibitor, String> {
    let (tell, told) = mpsc::channel();
    let ask = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let answer = match runtime {
            Ok(runtime) => runtime.block_on(async {
                match tokio::time::timeout(PATIENCE, inhibit(who, why)).await {
                    Ok(answer) => answer.map_err(|e| e.to_string()),
                    Err(_) => Err(format!("no answer within {PATIENCE:?}")),
                }
            }),
            Err(e) => Err(e.to_string()),
        };
        let _ = tell.send(answer);
    };
    std::thread::Builder::new().name("logind".into()).spawn(ask).map_err(|e| e.to_string())?;
    // The deadline inside should be enough; this one holds even if the bus blocks the thread itself.
    let held =
        told.recv_timeout(PATIENCE + Duration::from_millis(500)).map_err(|_| "no answer".to_owned())??;
    Ok(Inhibitor { _held: held })
}

async fn inhibit(who: &str, why: &str) -> zbus::Result<OwnedFd> {
    let connection = zbus::Connection::system().await?;
    let manager = Some("org.freedesktop.login1.Manager");
    let reply = connection
        .call_method(
            Some("org.freedesktop.login1"),
            "/org/freedesktop/login1",
            manager,
            "Inhibit",
            &("shutdown", who, why, "block"),
        )
        .await?;
    reply.body().deserialize()
}
