//! A dispatcher that dies of one company's messages, each time that it looks one up: by `abort`, or by a panic, as the
//! variable `CRASH` says.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "this program is there to crash"
)]

use std::sync::Arc;

use hookline_common::ids::CompanyId;
use hookline_common::settings::Environment;
use hookline_common::shutdown::Shutdown;
use hookline_common::telemetry::Telemetry;
use hookline_dispatcher::Dispatcher;
use hookline_dispatcher::endpoints::{Endpoints, Lookup};
use hookline_dispatcher::settings::Settings;
use tokio::net::TcpListener;

/// Whose messages it dies of.
const CRASHER: &str = "crasher";

struct Crashing {
    inner: Arc<dyn Endpoints>,
    panics: bool,
}

impl Endpoints for Crashing {
    fn lookup(&self, company: &CompanyId) -> Lookup {
        if company.as_str() == CRASHER {
            if self.panics {
                panic!("a message of the company {CRASHER}");
            }
            std::process::abort();
        }
        self.inner.lookup(company)
    }
}

#[tokio::main]
async fn main() {
    // As in the product: a panic anywhere ends the process.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::abort();
    }));
    let (shutdown, reload) = Shutdown::on_service_signals().expect("signals");
    let settings = Settings::read(&Environment).expect("settings");
    let listener = TcpListener::bind(settings.http_addr).await.expect("a port");
    let panics = std::env::var("CRASH").is_ok_and(|how| how == "panic");
    let telemetry = Telemetry::start(&settings.telemetry, "crashing-dispatcher").expect("telemetry");
    let dispatcher = Dispatcher::prepare(settings, telemetry)
        .expect("prepared")
        .with_endpoints(|inner| Arc::new(Crashing { inner, panics }));
    dispatcher
        .run(listener, shutdown, reload)
        .await
        .expect("a clean end");
}
