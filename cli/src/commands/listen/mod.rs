//! `hookline listen`: a receiver for development. It prints each request, whether its signatures hold, and
//! answers.

mod report; // a request as people read it

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use clap::{Args, value_parser};
use hookline_common::secret::Secret;
use hookline_common::settings::parse;
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::commands::signals::on_signals;
use crate::error::CliError;
use crate::out::{self, Out};
use report::Received;

/// The longest body that is read: ten times what Hookline sends. A longer one is answered 413.
const MAX_BYTES: usize = 1 << 20;

const AFTER_HELP: &str = "\
Examples:
  hookline listen --port 9000 --secret whsec_…
  hookline listen --port 9000 --status 500              a receiver that fails
  hookline listen --port 9000 --delay 31s               one that is too slow
  hookline listen --port 0                              any free port; the first line says which

Both signatures are checked where they are there: Meeva-Signature over the body, and webhook-signature \
(Standard Webhooks) over id, time and body. Give --secret twice during a rotation. Nothing is trusted: control \
characters are written out.
A dispatcher reaches this address only with HOOKLINE_ALLOW_HTTP=true and HOOKLINE_ALLOW_CIDRS=127.0.0.0/8.
Ctrl-C ends it.";

/// Receive webhooks in development: print each request, verify it, answer.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListenArgs {
    /// The port; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    port: u16,
    /// The address; 0.0.0.0 lets other machines in.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    addr: IpAddr,
    /// A secret to verify signatures with; may be given several times.
    // A plain text for clap, which would print what it cannot parse.
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
    /// The status to answer with.
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = value_parser!(u16).range(200..=599))]
    status: u16,
    /// How long to wait before answering, like 500ms or 2s.
    #[arg(long, value_name = "DURATION", value_parser = delay, default_value = "0s")]
    delay: Duration,
    /// Print bodies to the end, and not their first 40 lines.
    #[arg(long)]
    full: bool,
}

fn delay(text: &str) -> Result<Duration, String> {
    parse::duration_within(text, Duration::ZERO, Duration::from_secs(24 * 3600))
}

/// What each request is checked with and answered with.
struct Receiver {
    secrets: Vec<Secret>,
    status: StatusCode,
    delay: Duration,
    max_lines: usize,
    out: Mutex<Out>,
}

pub(crate) async fn run(args: ListenArgs) -> Result<(), CliError> {
    let secrets = args
        .secrets
        .iter()
        .map(|text| Secret::parse(text))
        .collect::<Result<Vec<_>, _>>();
    let secrets = secrets.map_err(|error| CliError::Usage(format!("--secret: {error}")))?;
    let shutdown = on_signals()?;
    let address = SocketAddr::from((args.addr, args.port));
    let cannot = |error| {
        CliError::Failed(format!(
            "cannot listen on {address}: {error}; choose another --port, or 0 for a free one"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let mut out = Out::live();
    out.line(&format!(
        "listening on http://{}",
        listener.local_addr().map_err(cannot)?
    ))?;
    let receiver = Receiver {
        secrets,
        status: StatusCode::from_u16(args.status).unwrap_or_default(),
        delay: args.delay,
        max_lines: if args.full { usize::MAX } else { 40 },
        out: Mutex::new(out),
    };
    let router = Router::new().fallback(receive).with_state(Arc::new(receiver));
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.map_err(cannot),
        // Whoever waits for an answer sees the connection close: nobody depends on this receiver.
        () = shutdown.requested() => Ok(()),
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let at = Timestamp::now();
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else {
        receiver.print(&format!(
            "{at:.3}  {} {}: cut off, or longer than {MAX_BYTES} bytes",
            head.method,
            report::path(&head.uri)
        ));
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let received = Received {
        at,
        method: &head.method,
        uri: &head.uri,
        headers: &head.headers,
        body: &body,
    };
    let terminal = receiver
        .out
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .terminal;
    let text = report::text(&received, &receiver.secrets, receiver.max_lines, terminal);
    receiver.print(&text);
    tokio::time::sleep(receiver.delay).await;
    receiver.status.into_response()
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is given a limit: ten times what Hookline sends"
)]
async fn read(body: Body) -> Option<Vec<u8>> {
    axum::body::to_bytes(body, MAX_BYTES).await.ok().map(Into::into)
}

impl Receiver {
    /// Prints one request in one piece, with a blank line behind it.
    fn print(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = out.line_if_read(&format!("{text}\n")) {
            out::error(&error.to_string());
        }
    }
}
