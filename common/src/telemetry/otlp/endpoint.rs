//! Where a collector is and how it is spoken to, from the endpoint that somebody wrote, by the rules of OpenTelemetry's
//! specification of its protocol exporter ("Configuration Options").

use url::Url;

/// How requests are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Protocol {
    /// gRPC, the default.
    #[default]
    Grpc,
    /// Protobuf over HTTP/1.1.
    HttpProtobuf,
}

impl Protocol {
    /// Reads a value of `OTEL_EXPORTER_OTLP_PROTOCOL`, in any case.
    ///
    /// # Errors
    /// Says what is allowed.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match text.to_ascii_lowercase().as_str() {
            "grpc" => Ok(Self::Grpc),
            "http/protobuf" => Ok(Self::HttpProtobuf),
            "http/json" => {
                Err("is not spoken here: must be grpc or http/protobuf, which every collector takes as well")
            }
            _ => Err("must be grpc or http/protobuf"),
        }
    }

    /// As the variable says it.
    #[must_use]
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
        }
    }

    /// Where a collector is, if nobody says: on this machine, at the protocol's port.
    #[must_use]
    pub(super) fn default_endpoint(self) -> &'static str {
        match self {
            Self::Grpc => "http://localhost:4317",
            Self::HttpProtobuf => "http://localhost:4318",
        }
    }
}

/// Where requests go. `path` is what is added to an endpoint of all signals where the protocol has paths, and `None` for an
/// endpoint of one signal, which is taken as it is. Without a scheme, which only gRPC can do without, there is TLS unless
/// `insecure`.
///
/// # Errors
/// What is wrong with it, and what to write, without repeating it.
pub(super) fn resolve(
    text: &str,
    protocol: Protocol,
    path: Option<&str>,
    insecure: bool,
) -> Result<Url, String> {
    let text = text.trim();
    let named = text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let whole = match (named.as_deref(), protocol) {
        (Some("http" | "https"), _) => text.to_owned(),
        (Some(_), _) => return Err("must begin with http:// or https://".to_owned()),
        (None, Protocol::Grpc) if insecure => format!("http://{text}"),
        (None, Protocol::Grpc) => format!("https://{text}"),
        (None, Protocol::HttpProtobuf) => {
            return Err("names no scheme, without which http/protobuf has no address: write http:// or https:// before it".to_owned());
        }
    };
    let mut url = Url::parse(&whole).map_err(|error| format!("is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "must have no user and no password: they belong into OTEL_EXPORTER_OTLP_HEADERS".to_owned(),
        );
    }
    url.set_fragment(None);
    match (protocol, path) {
        (Protocol::Grpc, _) => {
            url.set_path("");
            url.set_query(None);
        }
        (Protocol::HttpProtobuf, Some(path)) => {
            let whole = format!("{}{path}", url.path().trim_end_matches('/'));
            url.set_path(&whole);
        }
        (Protocol::HttpProtobuf, None) => {}
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grpc(text: &str, insecure: bool) -> Result<String, String> {
        resolve(text, Protocol::Grpc, Some("/v1/traces"), insecure).map(String::from)
    }

    fn http(text: &str, path: Option<&str>) -> Result<String, String> {
        resolve(text, Protocol::HttpProtobuf, path, true).map(String::from)
    }

    #[test]
    fn grpc_takes_a_host_and_a_port_with_or_without_a_scheme() {
        for (text, insecure, url) in [
            ("http://collector:4317", false, "http://collector:4317/"),
            ("https://collector:4317", true, "https://collector:4317/"),
            ("HTTPS://collector:4317", true, "https://collector:4317/"),
            ("collector:4317", false, "https://collector:4317/"),
            ("collector:4317", true, "http://collector:4317/"),
            ("localhost:4317", true, "http://localhost:4317/"),
            ("[::1]:4317", true, "http://[::1]:4317/"),
            (" collector ", false, "https://collector/"),
            // It has no paths.
            (
                "http://collector:4317/v1/traces?a=b#c",
                false,
                "http://collector:4317/",
            ),
        ] {
            assert_eq!(grpc(text, insecure), Ok(url.to_owned()), "{text}");
        }
    }

    #[test]
    fn http_adds_the_path_of_a_signal_to_what_is_for_all_of_them() {
        for (text, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://collector/otlp", "https://collector/otlp/v1/traces"),
            (
                "https://collector/otlp//?key=x",
                "https://collector/otlp/v1/traces?key=x",
            ),
        ] {
            assert_eq!(http(text, Some("/v1/traces")), Ok(url.to_owned()), "{text}");
        }
        for (text, url) in [
            ("http://collector:4318", "http://collector:4318/"),
            (
                "http://collector:4318/v1/traces",
                "http://collector:4318/v1/traces",
            ),
            (
                "https://collector/custom/?key=x",
                "https://collector/custom/?key=x",
            ),
        ] {
            assert_eq!(http(text, None), Ok(url.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_refused_without_being_repeated() {
        for (refusal, words) in [
            (http("collector:4318", None), "names no scheme"),
            (http("localhost:4318", Some("/v1/traces")), "names no scheme"),
            (grpc("unix:///run/s3cret.sock", false), "http:// or https://"),
            (grpc("ftp://s3cret", false), "http:// or https://"),
            (grpc("http://", false), "is no URL"),
            (grpc("http://s3cret host", false), "is no URL"),
            (grpc("collector:port", false), "is no URL"),
            (
                grpc("http://s3cret@collector:4317", false),
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
            (
                http("https://user:s3cret@collector", None),
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
        ] {
            let refusal = refusal.err().unwrap_or_default();
            assert!(
                refusal.contains(words) && !refusal.contains("s3cret"),
                "{words}: {refusal}"
            );
        }
    }

    #[test]
    fn protocols_are_known_in_any_case_and_json_is_named() {
        assert_eq!(Protocol::parse("GRPC"), Ok(Protocol::Grpc));
        assert_eq!(Protocol::parse("http/protobuf"), Ok(Protocol::HttpProtobuf));
        assert!(Protocol::parse("http/json").is_err_and(|words| words.contains("not spoken")));
        assert!(Protocol::parse("http").is_err());
    }
}
