//! Being asked to end on Windows, behind `host::stop`.

pub async fn requested() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
