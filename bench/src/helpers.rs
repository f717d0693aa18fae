//! The processes that help to measure, as the scenarios speak to them: generators, the sink, and a look at the queues.

use std::time::Duration;

use lapin::{Channel, Connection};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::amqp;
use crate::child::{Child, Helper};
use crate::error::{Fault, Result};
use crate::load::{Order, Published};
use crate::settings::Settings;
use crate::sink::{Arrived, Ports, Question, Summary, Traffic};
use crate::subject;

/// How long publishing may take, at any rate of ours.
const PUBLISH_TIME: Duration = Duration::from_secs(180);
/// A queue with so few messages left is as good as empty: fresh ones pass through it.
const EMPTY: u32 = 10;

/// A process that publishes.
pub(crate) struct Generator(Helper);

impl Generator {
    /// Starts it; it connects at once.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(name: &str, settings: &Settings) -> Result<Self> {
        let log = settings.folder.join("load.log");
        let mut helper = Helper::start(name, &["load"], &log)?;
        helper.started::<()>().await?;
        Ok(Self(helper))
    }

    /// Publishes, and returns when everything is confirmed.
    ///
    /// # Errors
    /// The broker does not take it.
    pub(crate) async fn publish(&mut self, order: &Order) -> Result<Published> {
        self.0.ask(order, PUBLISH_TIME).await
    }

    pub(crate) fn child(&self) -> &Child {
        self.0.child()
    }
}

/// The receiver.
pub(crate) struct Sink {
    helper: Helper,
    pub(crate) ports: Ports,
}

impl Sink {
    /// Starts it; it listens at once.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(settings: &Settings) -> Result<Self> {
        let ca_file = subject::ca_file(settings);
        let log = settings.folder.join("sink.log");
        let mut helper = Helper::start("sink", &["sink", &ca_file.to_string_lossy()], &log)?;
        let ports = helper.started().await?;
        Ok(Self { helper, ports })
    }

    async fn ask<A: DeserializeOwned>(&mut self, question: Question) -> Result<A> {
        self.helper.ask(&question, Duration::from_secs(20)).await
    }

    /// Drops its books.
    ///
    /// # Errors
    /// The sink is gone.
    pub(crate) async fn forget(&mut self) -> Result<()> {
        self.ask::<Vec<u32>>(Question::Forget).await.map(drop)
    }

    pub(crate) fn child(&self) -> &Child {
        self.helper.child()
    }

    /// The counts of a run.
    ///
    /// # Errors
    /// The sink is gone.
    pub(crate) async fn summary(&mut self, run: u32) -> Result<Summary> {
        self.ask(Question::Summary { run }).await
    }

    /// Every delivery of a run.
    ///
    /// # Errors
    /// The sink is gone.
    pub(crate) async fn arrivals(&mut self, run: u32) -> Result<Vec<Arrived>> {
        self.ask(Question::Arrivals { run }).await
    }

    /// Connections and requests in hand since it last forgot.
    ///
    /// # Errors
    /// The sink is gone.
    pub(crate) async fn traffic(&mut self) -> Result<Traffic> {
        self.ask(Question::Traffic).await
    }

    /// When `count` requests of a run had come.
    ///
    /// # Errors
    /// They have not, or the sink is gone.
    pub(crate) async fn reached_at(&mut self, run: u32, count: u64) -> Result<u64> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let at_ns: Option<u64> = self.ask(Question::ReachedAt { run, count }).await?;
        at_ns.ok_or_else(|| Fault::new(format!("{count} requests have not come")))
    }

    /// Nanoseconds from each failed attempt's answer to the next attempt.
    ///
    /// # Errors
    /// The sink is gone.
    pub(crate) async fn gaps(&mut self, run: u32) -> Result<Vec<u64>> {
        self.ask(Question::Gaps { run }).await
    }

    /// Waits until a run's counts are enough, at most `within`, and tells how far they came.
    ///
    /// # Errors
    /// The sink is gone.
    pub(crate) async fn reached(
        &mut self,
        run: u32,
        within: Duration,
        is_enough: impl Fn(&Summary) -> bool,
    ) -> Result<Summary> {
        let since = Instant::now();
        loop {
            let summary = self.summary(run).await?;
            if is_enough(&summary) || since.elapsed() >= within {
                return Ok(summary);
            }
            sleep(Duration::from_millis(25)).await;
        }
    }
}

/// Looks how full queues are.
pub(crate) struct Depth {
    _connection: Connection,
    channel: Channel,
}

impl Depth {
    /// Connects.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(crate) async fn open(settings: &Settings) -> Result<Self> {
        let (connection, channel) = amqp::connect(&settings.amqp_url, "hookline-bench").await?;
        Ok(Self {
            _connection: connection,
            channel,
        })
    }

    /// How many messages of a queue wait for somebody to take them.
    ///
    /// # Errors
    /// There is no such queue.
    pub(crate) async fn waiting(&self, queue: &str) -> Result<u32> {
        amqp::waiting(&self.channel, queue).await
    }

    /// Waits until these queues together have so many messages ready.
    ///
    /// # Errors
    /// They do not have them in time.
    pub(crate) async fn reached(&self, queues: &[String], count: u32, within: Duration) -> Result<()> {
        let since = Instant::now();
        loop {
            let mut waiting = 0;
            for queue in queues {
                waiting += amqp::waiting(&self.channel, queue).await?;
            }
            if waiting >= count {
                return Ok(());
            }
            if since.elapsed() >= within {
                return Err(Fault::new(format!(
                    "{queues:?} hold {waiting} messages after {within:?}, and not {count}"
                )));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a queue has (next to) nothing left that nobody has taken.
    ///
    /// # Errors
    /// It does not run empty in time.
    pub(crate) async fn emptied(&self, queue: &str, within: Duration) -> Result<()> {
        let since = Instant::now();
        loop {
            let waiting = amqp::waiting(&self.channel, queue).await?;
            if waiting <= EMPTY {
                return Ok(());
            }
            if since.elapsed() >= within {
                return Err(Fault::new(format!(
                    "{queue} still holds {waiting} messages after {within:?}"
                )));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}
