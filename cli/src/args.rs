//! The command line, and what is answered to one that cannot be understood.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::commands::{completions, dlq, endpoints, listen, publish, sign, tail, topology, verify};
use crate::settings::Flags;
use crate::{out, text};

const AFTER_HELP: &str = "\
Examples:
  hookline topology apply
  hookline listen --port 9000 --secret whsec_…
  hookline publish --company acme --type booking.created --data '{\"booking\":{\"id\":\"bkg_1\"}}'
  hookline tail --company acme
  hookline dlq list --since 2h
  hookline dlq retry --all --company acme
  hookline endpoints check endpoints.toml

Settings that may hold a secret have no flag:
  HOOKLINE_AMQP_URL (or HOOKLINE_AMQP_URL_FILE, the path of a file that holds it)
      The broker: amqp:// or amqps://user:password@host:port/vhost [default: amqp://guest:guest@127.0.0.1:5672/%2f]
RUST_LOG=info or debug tells on stderr what goes on with the broker. NO_COLOR=1 leaves out colours.

Exit status: 0 done, 1 failed, 2 usage or settings.";

/// Publish events, receive them in development, and look after dead letters and the broker's queues.
#[derive(Debug, Parser)]
#[command(
    name = "hookline",
    version,
    propagate_version = true,
    subcommand_required = true
)]
#[command(arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) flags: Flags,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands, in the order in which an event meets what they do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Publish(publish::PublishArgs),
    Listen(listen::ListenArgs),
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    Tail(tail::TailArgs),
    #[command(subcommand)]
    Topology(topology::TopologyCommand),
    #[command(subcommand)]
    Endpoints(endpoints::EndpointsCommand),
    Sign(sign::SignArgs),
    Verify(verify::VerifyArgs),
    Completions(completions::CompletionsArgs),
}

/// Prints help or version where they were asked for, else why the command line is not understood, on one
/// line.
pub(crate) fn answer(error: &clap::Error) -> ExitCode {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_help {
        drop(error.print());
    } else {
        out::error(&on_one_line(&error.render().to_string()));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Clap's paragraphs: what is wrong, tips, the usage, and where help is.
fn on_one_line(rendered: &str) -> String {
    let paragraphs = rendered.split("\n\n").map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        words.join(" ")
    });
    let parts: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    text::escape(parts.join("; ").trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_not_understood_is_told_on_one_line() {
        let error = Cli::try_parse_from(["hookline", "publish", "--company", "a b"]).unwrap_err();
        let line = on_one_line(&error.render().to_string());
        assert!(
            !line.contains('\n') && line.contains("--company") && line.contains("--help"),
            "{line}"
        );
    }

    #[test]
    fn commands_take_the_namespace_before_and_after_their_name() {
        for args in [
            ["hookline", "--namespace", "n", "dlq", "list"],
            ["hookline", "dlq", "list", "--namespace", "n"],
        ] {
            assert!(Cli::try_parse_from(args).is_ok(), "{args:?}");
        }
    }

    #[test]
    fn each_command_knows_what_it_needs() {
        let parses = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        for good in [
            "hookline publish --company acme --type booking.created --data {}",
            "hookline publish --ndjson -",
            "hookline listen --port 0 --secret whsec_a --secret whsec_b --status 500 --delay 2s",
            "hookline dlq list --company acme --endpoint ep_1 --type booking.* --since 2h --json",
            "hookline dlq show evt_1 --queue rejected",
            "hookline dlq retry evt_1 evt_2 --endpoint ep_1",
            "hookline dlq retry --all --since 2030-01-01T00:00:00Z",
            "hookline dlq purge --yes",
            "hookline topology check --retry-schedule 1s,2s",
            "hookline tail --company acme --endpoint ep_1 --from 5m --json",
            "hookline endpoints check endpoints.toml --allow-http true",
            "hookline sign --secret s --previous-secret-file f --id evt_1 --data -",
            "hookline verify --secret s --secret-file f --meeva-signature v --data {}",
            "hookline verify --secret s --id i --timestamp 1 --signature v --now 2 --data {}",
            "hookline completions zsh",
        ] {
            assert!(parses(good), "{good}");
        }
        for bad in [
            "hookline",
            "hookline publish --company acme --type booking.created",
            "hookline publish --company acme --type Booking --data {}",
            "hookline publish --company acme --ndjson -",
            "hookline listen",
            "hookline listen --port 0 --status 100",
            "hookline listen --port 0 --delay soon",
            "hookline dlq list --since yesterday",
            "hookline dlq list --queue events",
            "hookline dlq show",
            "hookline dlq retry",
            "hookline dlq retry --all evt_1",
            "hookline dlq retry a.b",
            "hookline tail --from yesterday",
            "hookline endpoints check",
            "hookline sign --id evt_1 --data {}",
            "hookline sign --secret s --secret-file f --id evt_1 --data {}",
            "hookline verify --secret s --data {}",
            "hookline verify --meeva-signature v --data {}",
            "hookline verify --secret s --id i --data {}",
            "hookline verify --secret s --meeva-signature v --id i --timestamp 1 --signature v --data {}",
            "hookline completions cmd",
        ] {
            assert!(!parses(bad), "{bad}");
        }
    }
}
