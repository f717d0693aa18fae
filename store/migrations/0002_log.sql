-- The log: attempts as dispatchers recorded them, what became of each delivery, and the events with their payloads. These
-- three are cut into UTC days, which are made when they are first needed and dropped whole when they are too old. Every key
-- begins with the tenant.

CREATE TABLE attempts (
    -- The record's own id: a batch that comes twice is stored once.
    id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    company text NOT NULL,
    event text NOT NULL,
    endpoint text NOT NULL,
    type text NOT NULL,
    url text NOT NULL,
    origin text NOT NULL,
    attempt integer NOT NULL,
    duration_ms bigint NOT NULL,
    outcome text NOT NULL,
    status integer,
    error text,
    response text,
    next_attempt_at timestamptz,
    is_final boolean NOT NULL,
    trace_id text,
    -- JSON objects, as text: they are only handed on.
    request_headers text NOT NULL,
    response_headers text NOT NULL,
    PRIMARY KEY (id, started_at)
) PARTITION BY RANGE (started_at);
CREATE INDEX attempts_of_delivery ON attempts (company, event, endpoint, started_at);

CREATE TABLE deliveries (
    company text NOT NULL,
    event text NOT NULL,
    endpoint text NOT NULL,
    -- When the first attempt began, or when it failed without any.
    created_at timestamptz NOT NULL,
    type text NOT NULL,
    origin text NOT NULL,
    status text NOT NULL CHECK (status IN ('delivered', 'retrying', 'failed', 'discarded')),
    attempts integer NOT NULL,
    last_attempt_at timestamptz,
    last_outcome text,
    last_status integer,
    last_error text,
    next_attempt_at timestamptz,
    PRIMARY KEY (company, event, endpoint, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX deliveries_by_time ON deliveries (company, created_at, event, endpoint);
-- Behind what a list is ordered by stands what it may be asked for besides: so that rows that are not wanted are not read.
CREATE INDEX deliveries_by_endpoint ON deliveries (company, endpoint, created_at, event, type);
CREATE INDEX deliveries_by_type ON deliveries (company, type, created_at, event, endpoint);
-- Most deliveries are delivered, and that needs no index to be found.
CREATE INDEX deliveries_by_status ON deliveries (company, status, created_at, event, endpoint, type)
    WHERE status <> 'delivered';
-- What fails now is counted without its rows being read.
CREATE INDEX deliveries_retrying ON deliveries (company, endpoint, last_outcome, last_status, created_at)
    INCLUDE (last_attempt_at, event) WHERE status = 'retrying';

-- The order in which events were recorded. Whoever takes a number holds the lock of `store/src/log/order.rs` until the
-- transaction's end, so that numbers become visible in their order.
CREATE SEQUENCE events_position;
CREATE TABLE events (
    position bigint NOT NULL DEFAULT nextval('events_position'),
    recorded_at timestamptz NOT NULL,
    company text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    -- When it happened, where that is known.
    created_at timestamptz,
    -- The bytes that were published, where payloads are kept.
    data bytea,
    PRIMARY KEY (company, position, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX events_by_id ON events (company, id, recorded_at);
-- The last position of each company that was dropped with its day: whoever reads on from before has missed something.
CREATE TABLE events_dropped (
    company text PRIMARY KEY,
    position bigint NOT NULL
);

-- How far the stream of attempts was read. It moves in the transaction that stores what was read.
CREATE TABLE stream_offsets (
    stream text PRIMARY KEY,
    next_offset bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- What could not be stored, for a person to look at.
CREATE TABLE set_aside (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    stream text NOT NULL,
    stream_offset bigint NOT NULL,
    reason text NOT NULL,
    content bytea NOT NULL
);
