//! The header rule: what an endpoint's owner may add to its requests without changing what they mean.

use super::Refusal;

/// The longest name and the longest value of a static header, in bytes.
const MAX_NAME: usize = 128;
const MAX_VALUE: usize = 4096;

const OURS: &str = "the request has it already";
const FRAMING: &str = "it would change how the request is read";
const ORIGIN: &str = "it would tell a lie about where the request comes from";
const METADATA: &str = "a cloud's metadata service would take the request for its own";
const IDENTITY: &str = "a proxy before the receiver would have set it, to say who is allowed in";

/// Names that are kept, in lower case.
const NAMES: &[(&str, &str)] = &[
    ("host", OURS),
    ("user-agent", OURS),
    ("signature", OURS),
    ("signature-input", OURS),
    ("connection", FRAMING),
    ("keep-alive", FRAMING),
    ("transfer-encoding", FRAMING),
    ("te", FRAMING),
    ("trailer", FRAMING),
    ("expect", FRAMING),
    ("upgrade", FRAMING),
    ("http2-settings", FRAMING),
    ("x-http-method", FRAMING),
    ("x-http-method-override", FRAMING),
    ("x-method-override", FRAMING),
    ("x-original-method", FRAMING),
    ("x-middleware-subrequest", FRAMING),
    ("x-override-url", FRAMING),
    ("x-request-uri", FRAMING),
    ("x-http-destinationurl", FRAMING),
    ("cookie", ORIGIN),
    ("cookie2", ORIGIN),
    ("set-cookie", ORIGIN),
    ("forwarded", ORIGIN),
    ("via", ORIGIN),
    ("x-forwarded", ORIGIN),
    ("x-forward-for", ORIGIN),
    ("x-host", ORIGIN),
    ("x-http-host-override", ORIGIN),
    ("x-server-name", ORIGIN),
    ("x-scheme", ORIGIN),
    ("x-url-scheme", ORIGIN),
    ("front-end-https", ORIGIN),
    ("client-ip", ORIGIN),
    ("true-client-ip", ORIGIN),
    ("x-true-client-ip", ORIGIN),
    ("x-client-ip", ORIGIN),
    ("x-cluster-client-ip", ORIGIN),
    ("x-originating-ip", ORIGIN),
    ("x-remote-ip", ORIGIN),
    ("x-remote-addr", ORIGIN),
    ("remote-addr", ORIGIN),
    ("x-proxyuser-ip", ORIGIN),
    ("x-azure-clientip", ORIGIN),
    ("x-azure-socketip", ORIGIN),
    ("fastly-client-ip", ORIGIN),
    ("fastly-client", ORIGIN),
    ("cf-pseudo-ipv4", ORIGIN),
    ("cf-ipcountry", ORIGIN),
    ("cf-visitor", ORIGIN),
    ("remote-user", IDENTITY),
    ("x-remote-user", IDENTITY),
    ("x-authenticated-user", IDENTITY),
    ("x-identity-header", METADATA),
    ("x-metadata-token", METADATA),
];

/// Beginnings of names that are kept, in lower case.
const PREFIXES: &[(&str, &str)] = &[
    ("content-", OURS),
    ("webhook-", OURS),
    ("meeva-", OURS),
    ("hookline-", OURS),
    ("proxy-", FRAMING),
    ("x-rewrite-", FRAMING),
    ("x-original-", FRAMING),
    ("x-forwarded-", ORIGIN),
    ("x-real-", ORIGIN),
    ("x-appengine-", ORIGIN),
    ("x-envoy-", ORIGIN),
    ("wl-proxy-", ORIGIN),
    ("cf-connecting-", ORIGIN),
    ("x-ssl-client-", IDENTITY),
    ("ssl-client-", IDENTITY),
    ("x-client-cert", IDENTITY),
    ("x-ms-client-principal", IDENTITY),
    ("x-amzn-oidc-", IDENTITY),
    ("x-goog-", IDENTITY),
    ("metadata", METADATA),
    ("x-aws-", METADATA),
    ("x-google-", METADATA),
];

/// No header that ends so can be anything but a signature that is not ours.
const SIGNATURE_SUFFIX: &str = "-signature";

/// Whether a header that an endpoint's owner chose may be sent. How many of them is for the caller to limit.
///
/// # Errors
/// [`Refusal`] with a reason that begins with `header_`; none of the texts holds the value.
pub fn check_header(name: &str, value: &str) -> Result<(), Refusal> {
    if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(is_token) {
        return Err(Refusal::HeaderName);
    }
    if let Some(what) = forbidden(name) {
        return Err(Refusal::HeaderForbidden {
            name: name.to_owned(),
            what,
        });
    }
    if !value
        .bytes()
        .all(|b| b.is_ascii_graphic() || b == b' ' || b == b'\t')
    {
        return Err(Refusal::HeaderValue {
            name: name.to_owned(),
        });
    }
    if value.len() > MAX_VALUE {
        return Err(Refusal::HeaderLength {
            name: name.to_owned(),
            bytes: value.len(),
        });
    }
    Ok(())
}

/// A character of a header's name (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn forbidden(name: &str) -> Option<&'static str> {
    // Gateways of the CGI kind read `content_length` as `content-length`.
    let name = name.to_ascii_lowercase().replace('_', "-");
    let by_name = NAMES.iter().find(|(kept, _)| *kept == name);
    let by_prefix = || PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
    let by_suffix = || name.ends_with(SIGNATURE_SUFFIX).then_some(OURS);
    by_name
        .or_else(by_prefix)
        .map(|(_, what)| *what)
        .or_else(by_suffix)
}
