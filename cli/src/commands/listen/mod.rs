//! `hookline listen`: a receiver for development. It prints each request, whether its signatures hold, and
//! answers.

mod report; // a request as people read it
mod forward; // and as a program on this machine gets it

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
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
use reqwest::Url;
use tokio::net::TcpListener;

use crate::commands::signals::on_signals;
use crate::error::CliError;
use crate::out::Outlet;
use forward::Forward;
use report::{Received, Shown};

/// The longest body that is read: ten times what Hookline sends. A longer one is answered 413.
const MAX_BYTES: usize = 1 << 20;

const AFTER_HELP: &str = "\
Examples:
  hookline listen --port 9000 --secret whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD
  hookline listen --port 9000 --headers --forward-to http://127.0.0.1:3000/webhooks
  hookline listen --port 9000 --status 500
  hookline listen --port 9000 --delay 31s
  hookline listen --port 0

--status 500 is a receiver that fails, and --delay 31s one that is too slow for Hookline's 30 seconds. With --port 0 the first \
line says which port it is.
--forward-to passes each request on as it came, headers and bytes, and answers as that program does: to its path where the \
URL has one, else to the request's own. Where it does not answer the sender gets 502, or 504 after 30 seconds.
Both signatures are checked where they are there: Meeva-Signature over the body, and webhook-signature \
(Standard Webhooks) over id, time and body. Give --secret twice during a rotation. Nothing is trusted: control \
characters are written out.
Receivers to begin with, in Node, Python, PHP, Go and Rust, are in the project's folder examples/receivers; `hookline certify` \
tells what a good one answers.
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
    #[arg(conflicts_with = "forward_to")]
    status: u16,
    /// How long to wait before answering, like 500ms or 2s.
    #[arg(long, value_name = "DURATION", value_parser = delay, default_value = "0s")]
    delay: Duration,
    /// Print all headers.
    #[arg(long)]
    headers: bool,
    /// Print bodies to the end, and not their first 40 lines.
    #[arg(long)]
    full: bool,
    /// Pass each request on to a program on this machine, and answer as it does.
    #[arg(long, value_name = "URL", value_parser = forward::url)]
    forward_to: Option<Url>,
}

fn delay(text: &str) -> Result<Duration, String> {
    parse::duration_within(text, Duration::ZERO, Duration::from_secs(24 * 3600))
}

/// What each request is checked with and answered with.
struct Receiver {
    secrets: Vec<Secret>,
    status: StatusCode,
    delay: Duration,
    shown: Shown,
    forward: Option<Forward>,
    out: Outlet,
}

pub(crate) async fn run(args: ListenArgs) -> Result<(), CliError> {
    let secrets = args
        .secrets
        .iter()
        .map(|text| Secret::parse(text))
        .collect::<Result<Vec<_>, _>>();
    let secrets = secrets.map_err(|error| CliError::Usage(format!("--secret: {error}")))?;
    let forward = args.forward_to.map(Forward::new).transpose()?;
    let shutdown = on_signals()?;
    let address = SocketAddr::from((args.addr, args.port));
    let cannot = |error| {
        CliError::Failed(format!(
            "cannot listen on {address}: {error}; choose another --port, or 0 for a free one"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    let out = Outlet::open();
    out.line(&format!("listening on http://{bound}")).await;
    let receiver = Arc::new(Receiver {
        secrets,
        status: StatusCode::from_u16(args.status).unwrap_or_default(),
        delay: args.delay,
        shown: Shown {
            headers: args.headers,
            max_lines: if args.full { usize::MAX } else { 40 },
        },
        forward,
        out,
    });
    let router = Router::new().fallback(receive).with_state(Arc::clone(&receiver));
    let ended = tokio::select! {
        served = async { axum::serve(listener, router).await } => served.map_err(cannot),
        // Whoever waits for an answer sees the connection close: nobody depends on this receiver.
        () = shutdown.requested() => Ok(()),
    };
    receiver.out.close();
    ended
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let at = Timestamp::now();
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else {
        let text = format!(
            "{at:.3}  {} {}: cut off, or longer than {MAX_BYTES} bytes",
            head.method,
            report::path(&head.uri)
        );
        receiver.print(&text).await;
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let received = Received {
        at,
        method: &head.method,
        uri: &head.uri,
        headers: &head.headers,
        body: &body,
    };
    let terminal = receiver.out.terminal;
    let text = report::text(&received, &receiver.secrets, receiver.shown, terminal);
    let name = received.name();
    receiver.print(&text).await;
    let response = match &receiver.forward {
        Some(forward) => {
            let forwarded = forward.pass_on(&head, body.into()).await;
            let text = report::forwarded(&name, &forwarded.text, terminal);
            receiver.print(&text).await;
            forwarded.response
        }
        None => receiver.status.into_response(),
    };
    tokio::time::sleep(receiver.delay).await;
    response
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
    async fn print(&self, text: &str) {
        self.out.line(&format!("{text}\n")).await;
    }
}
