//! A dispatcher as a library, in the test's own process: for what operators cannot set.

use std::collections::BTreeMap;

use hookline_common::settings::{NotText, SettingSource};
use hookline_common::shutdown::{Shutdown, Trigger};
use hookline_common::telemetry::Telemetry;
use hookline_dispatcher::settings::Settings;
use hookline_dispatcher::{Dispatcher, RunError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::services::services;
use crate::world::World;

/// A dispatcher that runs beside the test; [`Embedded::stop`] ends it.
pub struct Embedded {
    trigger: Trigger,
    running: JoinHandle<Result<(), RunError>>,
}

struct Variables(BTreeMap<&'static str, String>);

impl SettingSource for Variables {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Ok(self.0.get(name).cloned())
    }
}

impl Embedded {
    /// Starts one with settings that `tune` has changed.
    ///
    /// # Panics
    /// When it cannot be prepared.
    pub async fn start(world: &World, tune: impl FnOnce(&mut Settings)) -> Self {
        let variables = [
            ("HOOKLINE_AMQP_URL", services().amqp_url.clone()),
            ("HOOKLINE_NAMESPACE", world.namespace().to_string()),
            (
                "HOOKLINE_ENDPOINTS_FILE",
                world.endpoints_file().display().to_string(),
            ),
            ("HOOKLINE_ALLOW_NO_ENDPOINTS", "true".to_owned()),
            ("HOOKLINE_ALLOW_HTTP", "true".to_owned()),
            ("HOOKLINE_ALLOW_CIDRS", "127.0.0.0/8".to_owned()),
            ("HOOKLINE_RETRY_SCHEDULE", "1s,2s,3s".to_owned()),
        ];
        let mut settings = Settings::read(&Variables(variables.into())).expect("settings");
        tune(&mut settings);
        let dispatcher = Dispatcher::prepare(settings, Telemetry::default()).expect("prepared");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (trigger, shutdown) = Shutdown::new();
        let running = tokio::spawn(dispatcher.run(listener, shutdown));
        Self { trigger, running }
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    /// When it ends with an error.
    pub async fn stop(self) {
        self.trigger.pull();
        self.running.await.expect("no panic").expect("a clean end");
    }
}
