//! `hookline relay`: publishes what booking services have committed to an outbox, as a process of its own.

mod aside; // what could not be published
mod database; // where the outbox is

use clap::Args;
use hookline_common::settings::parse;
use hookline_producer::outbox::{self, MIGRATIONS, Relay, RelaySettings};
use hookline_producer::{Producer, Settings};

use self::aside::{Numbers, list, numbers, put_back};
use self::database::{failed, url};
use crate::commands::signals::on_signals;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::settings::{self, Flags};

/// How far what waits is counted before the relay begins: enough to tell a few from many, and read in a moment.
const COUNTED: u32 = 100_000;

const AFTER_HELP: &str = "\
Examples:
  hookline relay --print-sql > migrations/0042_hookline_outbox.sql
  hookline relay --migrate
  hookline relay
  hookline relay --list-aside
  hookline relay --list-aside --json | jq -r .reason | sort | uniq -c
  hookline relay --put-back 17,18
  hookline relay --put-back all

The database is the booking service's own, at HOOKLINE_OUTBOX_DATABASE_URL, or in the file that \
HOOKLINE_OUTBOX_DATABASE_URL_FILE names: postgres://user:password@host/database; \
?options=-csearch_path%3Dbookings at its end names the schema where the tables are. It has to be the primary, and not behind a \
pooler in transaction mode.
An event is deleted from the outbox when the broker has confirmed it. Any number of relays may run, here and within \
services; each company is one relay's at a time, so its events keep their order. What can never be published is set aside \
with its reason; mend its row in hookline_outbox_aside, or what refused it, and put it back, or delete the row.
Warnings go to stderr; RUST_LOG=info or debug tells more. SIGTERM or Ctrl-C ends it: nothing more is begun, and what the broker \
has confirmed within 5 s is deleted. Killed, it leaves up to --batch events that are published again, with the same ids.";

/// Publish what booking services have put into their outbox, until it is stopped.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RelayArgs {
    /// Make the outbox's tables first, or bring them up to date.
    #[arg(long)]
    migrate: bool,
    /// Events in hand at once: what a crash may repeat, 1 to 10000.
    #[arg(long, value_name = "EVENTS", default_value_t = RelaySettings::DEFAULT_BATCH)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Events of one company that wait for the broker's answer at once, 1 to 100. With more than one a company with many is
    /// faster, and what the broker refuses or loses may be overtaken.
    #[arg(long, value_name = "EVENTS", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=100))]
    window: u8,
    /// How often to look though nobody has said that there is something: 10ms to 1h.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = poll)]
    poll: std::time::Duration,
    /// List what was set aside, and end.
    #[arg(long, group = "task")]
    list_aside: bool,
    /// One JSON object a line.
    #[arg(long, requires = "list_aside")]
    json: bool,
    /// Put events that were set aside back, behind all that waits, and end: their numbers, or all.
    #[arg(long, group = "task", value_name = "NUMBER,…|all", value_parser = numbers)]
    put_back: Option<Numbers>,
    /// Print the SQL that makes the tables, for a service's own migrations, and end.
    #[arg(long, group = "task")]
    print_sql: bool,
}

fn poll(text: &str) -> Result<std::time::Duration, String> {
    let (shortest, longest) = (
        std::time::Duration::from_millis(10),
        std::time::Duration::from_secs(3600),
    );
    parse::duration_within(text, shortest, longest)
}

pub(crate) async fn run(args: RelayArgs, flags: &Flags) -> Result<(), CliError> {
    if args.print_sql {
        let mut out = Out::new();
        for sql in MIGRATIONS {
            out.line(sql.trim_end())?;
        }
        return Ok(out.flush()?);
    }
    let broker = flags.broker()?;
    let url = url()?;
    let pool = outbox::connect(&url).await.map_err(|error| failed(&error))?;
    if args.migrate {
        outbox::migrate(&pool).await.map_err(|error| failed(&error))?;
    }
    if args.list_aside {
        let aside = outbox::list_aside(&pool).await.map_err(|error| failed(&error))?;
        return list(&aside, args.json);
    }
    if let Some(numbers) = args.put_back {
        let put = match &numbers {
            Numbers::All => outbox::put_back_all(&pool).await,
            Numbers::These(these) => outbox::put_back(&pool, these).await,
        };
        return put_back(&numbers, put.map_err(|error| failed(&error))?);
    }
    // Told at once, and not in a log that goes on: a table that is not there.
    let backlog = outbox::backlog_up_to(&pool, COUNTED)
        .await
        .map_err(|error| failed(&error))?;
    let counted = |count: u64| match count {
        count if count < u64::from(COUNTED) => count.to_string(),
        count => format!("{count} or more"),
    };
    let shutdown = on_signals()?;
    settings::start_service_logs();
    out::tell(&format!(
        "relaying to {} in {}; {} events wait, {} are set aside; Ctrl-C ends it",
        broker.url,
        broker.namespace,
        counted(backlog.waiting),
        counted(backlog.aside)
    ));
    let producer = Producer::start(Settings::from(broker).with_connection_name("hookline relay"));
    let relay_settings = RelaySettings::default()
        .with_batch(args.batch)
        .with_window(args.window.into())
        .with_poll(args.poll);
    let relay = Relay::new(&pool, producer, relay_settings);
    let stats = relay.stats();
    relay.run(async move { shutdown.requested().await }).await;
    let done = format!("published {}, set aside {}", stats.published(), stats.set_aside());
    Ok(out::last_line(done).await?)
}
