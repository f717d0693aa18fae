//! What is set of OpenTelemetry's variables and has no effect: told once at the start, because it is easily taken for
//! honoured.

use crate::settings::{Reader, nearest_of_opentelemetry, otel, variables};

/// What every variable of OpenTelemetry begins with.
const PREFIX: &str = "OTEL_";

/// A line for each thing that is set and does nothing.
pub(super) fn lines(reader: &mut Reader<'_>, is_anything_sent: bool) -> Vec<String> {
    let (known, unknown): (Vec<_>, Vec<_>) =
        reader.names(PREFIX).into_iter().partition(|name| is_known(name));
    let mut lines = Vec::new();
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|name| with_nearest(name)).collect();
        lines.push(format!("set and not honoured: {}", names.join(", ")));
    }
    let words = |text: &str| Ok::<_, String>(text.trim().to_ascii_lowercase());
    let logs = reader.read(&otel::LOGS_EXPORTER, words);
    if logs.is_some_and(|exporter| exporter != "none") {
        lines.push(format!(
            "{} is not honoured: logs go to stderr, for the platform to collect",
            otel::LOGS_EXPORTER.name
        ));
    }
    let propagators = reader.read(&otel::PROPAGATORS, words);
    if propagators.is_some_and(|propagators| propagators != "tracecontext") {
        lines.push(format!(
            "{} is not honoured: events carry the W3C trace context, whatever it says, and nothing else",
            otel::PROPAGATORS.name
        ));
    }
    for variable in [
        &otel::SDK_DISABLED,
        &otel::INSECURE,
        &otel::TRACES_INSECURE,
        &otel::METRICS_INSECURE,
    ] {
        let text = reader.read(variable, words);
        if text.is_some_and(|text| text != "true" && text != "false") {
            lines.push(format!(
                "{} is neither true nor false, and counts as false",
                variable.name
            ));
        }
    }
    if is_anything_sent && cfg!(not(feature = "otlp")) {
        lines.push("nothing is sent: this program was built without OTLP, as for the demo; build it with the feature otlp, which is on by default".to_owned());
    }
    let is_meant = reader.is_set(&otel::TRACES_EXPORTER) || reader.is_set(&otel::METRICS_EXPORTER);
    let idle = known.iter().find(|name| needs_a_collector(name));
    if let Some(name) = idle.filter(|_| !is_anything_sent && !is_meant) {
        lines.push(format!(
            "{name} is set, but neither traces nor metrics are sent: set {} to a collector's URL",
            variables::OTLP_ENDPOINT.name
        ));
    }
    lines
}

fn with_nearest(name: &str) -> String {
    match nearest_of_opentelemetry(name) {
        Some(nearest) => format!("{name} (did you mean {nearest}?)"),
        None => name.to_owned(),
    }
}

fn is_known(name: &str) -> bool {
    let mut known = otel::ALL.iter().chain([&variables::OTLP_ENDPOINT]);
    known.any(|variable| {
        variable.name == name || (variable.is_secret && name.strip_suffix("_FILE") == Some(variable.name))
    })
}

/// Whether somebody who sets it expects something to be sent.
fn needs_a_collector(name: &str) -> bool {
    name.starts_with("OTEL_EXPORTER_OTLP_")
}
