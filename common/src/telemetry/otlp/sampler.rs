//! Which traces are sent, by OpenTelemetry's words for it.

use opentelemetry_sdk::trace::Sampler;

/// The sampler of a value of `OTEL_TRACES_SAMPLER`, in any case; `ratio` is what `OTEL_TRACES_SAMPLER_ARG` says.
///
/// # Errors
/// Says what is allowed.
pub(super) fn parse(text: &str, ratio: f64) -> Result<Sampler, &'static str> {
    let text = text.to_ascii_lowercase();
    let (name, follows_parent) = match text.strip_prefix("parentbased_") {
        Some(name) => (name, true),
        None => (text.as_str(), false),
    };
    let sampler = match name {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio),
        _ => {
            return Err(
                "must be always_on, always_off, traceidratio, or one of these with parentbased_ before it",
            );
        }
    };
    Ok(if follows_parent {
        Sampler::ParentBased(Box::new(sampler))
    } else {
        sampler
    })
}

/// Which part of the traces that begin here is collected, where a sampler that [`parse`] takes follows publishers; none where it
/// decides about all.
pub(super) fn part_begun_here(text: &str, ratio: f64) -> Option<f64> {
    match text.to_ascii_lowercase().strip_prefix("parentbased_")? {
        "always_on" => Some(1.0),
        "always_off" => Some(0.0),
        _ => Some(ratio),
    }
}

/// A ratio of 0 to 1.
///
/// # Errors
/// Says what is allowed.
pub(super) fn ratio(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or("must be a number from 0 to 1")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_of_opentelemetrys_own_samplers_are_known_and_no_others() {
        for (text, expected) in [
            ("always_on", "AlwaysOn"),
            ("ALWAYS_OFF", "AlwaysOff"),
            ("traceidratio", "TraceIdRatioBased(0.25)"),
            ("parentbased_always_on", "ParentBased(AlwaysOn)"),
            ("parentbased_always_off", "ParentBased(AlwaysOff)"),
            ("parentbased_traceidratio", "ParentBased(TraceIdRatioBased(0.25))"),
        ] {
            assert_eq!(format!("{:?}", parse(text, 0.25).unwrap()), expected);
        }
        for bad in [
            "",
            "jaeger_remote",
            "parentbased_jaeger_remote",
            "xray",
            "parentbased_",
        ] {
            assert!(parse(bad, 1.0).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_part_is_decided_about_where_publishers_decide_about_theirs() {
        for (text, part) in [
            ("always_on", None),
            ("traceidratio", None),
            ("parentbased_always_on", Some(1.0)),
            ("PARENTBASED_ALWAYS_OFF", Some(0.0)),
            ("parentbased_traceidratio", Some(0.25)),
        ] {
            assert_eq!(part_begun_here(text, 0.25), part, "{text}");
        }
    }

    #[test]
    fn a_ratio_is_between_nothing_and_all() {
        for good in ["0", "1", "0.001", "1.0"] {
            assert!(ratio(good).is_ok(), "{good}");
        }
        for bad in ["", "-0.1", "1.1", "NaN", "inf", "10%", "0,5"] {
            assert!(ratio(bad).is_err(), "{bad}");
        }
    }
}
