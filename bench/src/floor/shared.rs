//! What most programs would send HTTP with: one reqwest client, whose pool all workers share.

use flume::{Receiver, Sender};
use futures_util::future::try_join_all;
use hmac::Hmac;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use sha2::Sha256;

use super::{Job, sign};
use crate::error::{Context as _, Result};

/// Sends what comes over `work`, and says over `done` which tags were answered 2xx.
pub(super) async fn work(
    workers: usize,
    url: &str,
    key: Hmac<Sha256>,
    work: Receiver<Job>,
    done: Sender<u64>,
) -> Result<()> {
    let url: Url = url.parse().context(url)?;
    let client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .tcp_nodelay(true)
        .pool_max_idle_per_host(workers)
        .build()
        .context("setting up reqwest")?;
    let workers = (0..workers).map(|_| {
        let worker = worker(
            client.clone(),
            url.clone(),
            key.clone(),
            work.clone(),
            done.clone(),
        );
        async { tokio::spawn(worker).await.context("a worker")? }
    });
    try_join_all(workers).await.map(drop)
}

async fn worker(
    client: Client,
    url: Url,
    key: Hmac<Sha256>,
    work: Receiver<Job>,
    done: Sender<u64>,
) -> Result<()> {
    while let Ok(job) = work.recv_async().await {
        let signed = sign(&key, &job);
        let response = client
            .post(url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.timestamp)
            .header("webhook-signature", signed.signature)
            .body(signed.body)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .context("the receiver")?;
        response.bytes().await.context("the receiver")?;
        done.send(job.tag).context("finishing")?;
    }
    Ok(())
}
