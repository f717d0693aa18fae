//! What every command is told by flags and the environment. A flag wins over its variable.

use clap::Args;
use hookline_common::schedule::RetrySchedule;
use hookline_common::settings::{
    BrokerSettings, Environment, Faults, NotText, Reader, SettingSource, Variable, parse, unknown_variables,
    variables,
};
use hookline_common::stderr;
use tracing_subscriber::EnvFilter;

use hookline_common::management::ManagementUrl;

/// Flags of the commands that use the broker.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Flags {
    #[arg(long, global = true, value_name = "NAME", help_heading = "Settings")]
    #[arg(help = help(&variables::NAMESPACE))]
    namespace: Option<String>,
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    #[arg(help = help(&variables::AMQP_CA_FILE))]
    amqp_ca_file: Option<String>,
}

/// The help of a flag that has a variable.
pub(crate) fn help(variable: &Variable) -> String {
    let default = variable
        .default
        .map(|default| format!(", default: {default}"))
        .unwrap_or_default();
    format!("{} [env: {}{default}]", variable.help, variable.name)
}

/// The flags that were given, by name, over the environment.
struct FlagSource<'a>(Vec<(&'static str, Option<&'a str>)>);

impl SettingSource for FlagSource<'_> {
    fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
        Environment.variable(name)
    }

    fn flag(&self, flag: &str) -> Option<String> {
        let given = self.0.iter().find(|(name, _)| *name == flag)?.1;
        given.map(str::to_owned)
    }
}

impl Flags {
    fn by_name(&self) -> Vec<(&'static str, Option<&str>)> {
        vec![
            ("namespace", self.namespace.as_deref()),
            ("amqp-ca-file", self.amqp_ca_file.as_deref()),
        ]
    }

    /// The first flag that was given, for a command that has no use for it.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        let given = self.by_name().into_iter().find(|(_, value)| value.is_some());
        given.map(|(name, _)| name)
    }

    /// Where the broker is, and which names on it are ours.
    pub(crate) fn broker(&self) -> Result<BrokerSettings, Faults> {
        let source = FlagSource(self.by_name());
        let mut reader = Reader::new(&source);
        let broker = BrokerSettings::read(&mut reader);
        reader.finish(|| broker)
    }

    /// Where RabbitMQ's management API is, if that is said.
    pub(crate) fn management() -> Result<Option<ManagementUrl>, Faults> {
        let mut reader = Reader::new(&Environment);
        let url = reader.read(&variables::MANAGEMENT_URL, ManagementUrl::parse);
        reader.finish(|| Some(url))
    }

    /// How many bytes of the log of attempts are kept on each replica, as the dispatchers are told it.
    pub(crate) fn attempts_max_bytes() -> Result<u64, Faults> {
        let mut reader = Reader::new(&Environment);
        let bytes = reader.read(&variables::ATTEMPTS_MAX_BYTES, parse::attempts_max_bytes);
        reader.finish(|| bytes)
    }

    /// The same with the retry schedule, on which some queues' names depend.
    pub(crate) fn broker_and_schedule(
        &self,
        schedule: Option<&str>,
    ) -> Result<(BrokerSettings, RetrySchedule), Faults> {
        let mut flags = self.by_name();
        flags.push(("retry-schedule", schedule));
        let source = FlagSource(flags);
        let mut reader = Reader::new(&source);
        let broker = BrokerSettings::read(&mut reader);
        let schedule = reader.read(&variables::RETRY_SCHEDULE, str::parse::<RetrySchedule>);
        reader.finish(|| broker.zip(schedule))
    }
}

/// Logs to stderr what `RUST_LOG` asks for; without it nothing, because a command's stderr is for its one
/// error. Lines that nobody reads in time are dropped and counted: a log holds up neither the work nor its end.
pub(crate) fn start_logs() -> Result<(), Faults> {
    let mut reader = Reader::new(&Environment);
    if !reader.is_set(&variables::RUST_LOG) {
        return Ok(());
    }
    let filter = reader.read(&variables::RUST_LOG, |text| {
        parse::log_directives(text)
            .parse::<EnvFilter>()
            .map_err(|error| format!("is no log filter: {error}"))
    });
    let filter = reader.finish(|| filter)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr::writer)
        .init();
    Ok(())
}

/// Logs warnings to stderr, for a command that runs on its own for days, unless `RUST_LOG` has said what is logged. What the AMQP client
/// says of a connection that ends is said by us, with what to do.
pub(crate) fn start_service_logs() {
    let is_asked_for = Reader::new(&Environment).is_set(&variables::RUST_LOG);
    if !is_asked_for {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("warn,lapin=off"))
            .with_writer(stderr::writer)
            .init();
    }
}

/// What is set, is called like a setting, and is none: one line, or nothing.
pub(crate) fn unknown() -> Option<String> {
    let unknown = unknown_variables(&Environment);
    let lines: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    (!lines.is_empty()).then(|| lines.join(". "))
}

/// Whether a terminal may be coloured: not where `NO_COLOR` (no-color.org) or the terminal's kind says no.
pub(crate) fn wants_colour() -> bool {
    let variable = |name| Environment.variable(name).ok().flatten().unwrap_or_default();
    variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}
