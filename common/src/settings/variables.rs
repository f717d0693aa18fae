//! Every setting there is. A new one is added here, and read by the settings of whoever needs it.

use super::variable::{Variable, variables};

variables! {
    AMQP_URL = "HOOKLINE_AMQP_URL", Some("amqp://guest:guest@127.0.0.1:5672/%2f"), true,
        "The broker: amqp:// or amqps://user:password@host:port/vhost; several, comma-separated, are the nodes of a cluster";
    AMQP_CA_FILE = "HOOKLINE_AMQP_CA_FILE", None, false,
        "PEM file with further roots to trust for an amqps:// broker";
    MANAGEMENT_URL = "HOOKLINE_MANAGEMENT_URL", None, true,
        "RabbitMQ's management API, for what AMQP does not tell: http:// or https://user:password@host:15672";
    NAMESPACE = "HOOKLINE_NAMESPACE", Some("hookline"), false,
        "What the name of every exchange and queue starts with";
    ENDPOINTS_FILE = "HOOKLINE_ENDPOINTS_FILE", None, false,
        "TOML file with the endpoints, re-read when it or a secret_file in it changes; at most 64 MiB";
    ALLOW_NO_ENDPOINTS = "HOOKLINE_ALLOW_NO_ENDPOINTS", Some("false"), false,
        "Whether to start with an endpoints file that has no endpoints, and to believe a registry that has suddenly none, so that nobody gets anything: true or false";
    RETRY_SCHEDULE = "HOOKLINE_RETRY_SCHEDULE", Some("1m,5m,30m"), false,
        "Delays before the retries: comma-separated, whole seconds, 1s to 7d each, at most 20";
    REQUEST_TIMEOUT = "HOOKLINE_REQUEST_TIMEOUT", Some("30s"), false,
        "Time for one attempt, from DNS to the response's headers: 100ms to 10m";
    ALLOW_HTTP = "HOOKLINE_ALLOW_HTTP", Some("false"), false,
        "Whether plain http:// endpoints are allowed: true or false";
    ALLOW_CIDRS = "HOOKLINE_ALLOW_CIDRS", None, false,
        "Networks that endpoints may be in although they are not public: comma-separated, like 127.0.0.0/8";
    DENY_CIDRS = "HOOKLINE_DENY_CIDRS", None, false,
        "Networks that endpoints may not be in although they are public: comma-separated; wins over the allowed ones";
    CERTIFY = "HOOKLINE_CERTIFY", Some("on"), false,
        "Whether endpoints can be certified in the dashboard, for which the console itself sends requests to them: on or off";
    ALLOW_HOSTS = "HOOKLINE_ALLOW_HOSTS", None, false,
        "Host names that endpoints may have although the name rule refuses them: comma-separated, like localhost";
    EGRESS_PROXY = "HOOKLINE_EGRESS_PROXY", None, false,
        "HTTP proxy through which every request to an endpoint leaves, by CONNECT: http://host:port; it must keep them from your own network";
    EGRESS_PROXY_AUTH_FILE = "HOOKLINE_EGRESS_PROXY_AUTH_FILE", None, false,
        "File that holds user:password for the proxy, re-read when it changes";
    CA_FILE = "HOOKLINE_CA_FILE", None, false,
        "PEM file with further roots to trust for endpoints";
    DEFAULT_FORMAT = "HOOKLINE_DEFAULT_FORMAT", Some("meeva"), false,
        "Format of endpoints that name none: meeva, meetergo, meetergo-flat or standard";
    RECORDS = "HOOKLINE_RECORDS", Some("on"), false,
        "Whether attempts are recorded in the stream: on, or off where no one reads them";
    ATTEMPTS_MAX_BYTES = "HOOKLINE_ATTEMPTS_MAX_BYTES", Some("10GB"), false,
        "How large the stream of attempts may become, on each of its replicas: 100MB to 1000TB, like 20GB or 20GiB";
    PREFETCH = "HOOKLINE_PREFETCH", Some("1000"), false,
        "Unacknowledged messages at most, for each working queue; fewer while they are large, so that 5 MiB of them are in hand: 1 to 65535";
    ENDPOINT_CONCURRENCY = "HOOKLINE_ENDPOINT_CONCURRENCY", Some("128"), false,
        "Requests in flight at most, for each endpoint and replica, where it bears as many: 1 to 10000";
    HTTP_ADDR = "HOOKLINE_HTTP_ADDR", Some("0.0.0.0:9464"), false,
        "Address and port of /healthz, /readyz and /metrics";
    DATABASE_URL = "HOOKLINE_DATABASE_URL", None, true,
        "PostgreSQL, where the console keeps endpoints: postgres://user:password@host:port/database";
    MIGRATE_ON_START = "HOOKLINE_MIGRATE_ON_START", Some("true"), false,
        "Whether the console brings the database's schema up to date when it starts: true or false";
    MASTER_KEY = "HOOKLINE_MASTER_KEY", None, true,
        "What seals endpoint secrets in the database: 32 random bytes in base64; several, comma-separated, the newest first";
    ADMIN_TOKEN = "HOOKLINE_ADMIN_TOKEN", None, true,
        "The operator's bearer token for the API: 16 to 256 printable ASCII characters without spaces";
    PUBLIC_URL = "HOOKLINE_PUBLIC_URL", None, false,
        "The console's address as people see it, for links; https makes its cookies Secure";
    ENDPOINTS_PER_COMPANY = "HOOKLINE_ENDPOINTS_PER_COMPANY", Some("6"), false,
        "Endpoints that a company may have: 1 to 1000";
    API_RATE = "HOOKLINE_API_RATE", Some("1000/s"), false,
        "Requests that each company token may make to the API, and as many at once: like 100/s or 600/m";
    MANUAL_RETRY_RATE = "HOOKLINE_MANUAL_RETRY_RATE", Some("100/s"), false,
        "Dead letters of each endpoint that a retry of many sends again: like 100/s or 600/m";
    API_URL = "HOOKLINE_API_URL", None, false,
        "The console's address, without a token: like http://127.0.0.1:8080";
    API_TOKEN = "HOOKLINE_API_TOKEN", None, true,
        "The bearer token that the commands show to the console: the operator's, or one of a company";
    OUTBOX_DATABASE_URL = "HOOKLINE_OUTBOX_DATABASE_URL", None, true,
        "PostgreSQL, where a booking service's outbox is, for the relay: postgres://user:password@host:port/database";
    KEEP_PAYLOADS = "HOOKLINE_KEEP_PAYLOADS", Some("all"), false,
        "Which events' data is kept in the records: all, failed or none";
    TRACE_RECEIVERS = "HOOKLINE_TRACE_RECEIVERS", Some("false"), false,
        "Whether requests to endpoints carry the trace of their event (traceparent, tracestate): true or false";
    DISABLE_AFTER = "HOOKLINE_DISABLE_AFTER", Some("5d"), false,
        "How long an endpoint may only fail before it is disabled; one that answers 410 is disabled at once: 1s to 365d, or off to disable none";
    RETENTION = "HOOKLINE_RETENTION", Some("30d"), false,
        "How long the console keeps attempts, deliveries and events with their data: 1d to 3650d; dead letters stay until delivered or discarded";
    EVENT_TYPES_FILE = "HOOKLINE_EVENT_TYPES_FILE", None, false,
        "TOML file with a platform's own event types, besides the built-in ones or in their place; at most 4 MiB";
    OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", None, false,
        "Where traces and metrics go over OTLP, a collector's URL; docs/SETTINGS.md lists the OTEL_ variables that are honoured";
    RUST_LOG = "RUST_LOG", Some("info"), false,
        "What is logged: error, warn, info, debug, trace, or directives for single modules";
    LOG_FORMAT = "HOOKLINE_LOG_FORMAT", None, false,
        "How it is logged: text or json; text on a terminal and json elsewhere by default";
}
