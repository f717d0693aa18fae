-- The log: attempts as dispatchers recorded them, what became of each delivery, and the events with their payloads. These
-- three are cut into UTC days, which are made when they are first needed and dropped whole when they are too old. Every key
-- begins with the tenant. Ids and types are compared byte by byte, whatever the database's language is: they are ASCII, and most
-- of what a row costs is comparing them in its indexes. Columns that only tell ties apart stand in no index.

CREATE TABLE attempts (
    -- The record's own id: a batch that comes twice is stored once.
    id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    company text COLLATE "C" NOT NULL,
    event text COLLATE "C" NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
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
CREATE INDEX attempts_of_delivery ON attempts (company, event, endpoint);

CREATE TABLE deliveries (
    company text COLLATE "C" NOT NULL,
    event text COLLATE "C" NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    -- When the first attempt began, or when it failed without any.
    created_at timestamptz NOT NULL,
    type text COLLATE "C" NOT NULL,
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
-- Behind the time stands what a list may be asked for besides: rows that are not wanted are passed over without being read,
-- whichever of these the planner takes.
CREATE INDEX deliveries_by_time ON deliveries (company, created_at, endpoint, type);
CREATE INDEX deliveries_by_endpoint ON deliveries (company, endpoint, created_at, type);
CREATE INDEX deliveries_by_type ON deliveries (company, type, created_at, endpoint);
-- Most deliveries are delivered, and that needs no index to be found.
CREATE INDEX deliveries_by_status ON deliveries (company, status, created_at, endpoint, type)
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
    company text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    -- When it happened, where that is known.
    created_at timestamptz,
    -- A sample that somebody sent to try an endpoint: nothing has happened.
    is_test boolean NOT NULL DEFAULT false,
    -- The bytes that were published, where payloads are kept.
    data bytea,
    PRIMARY KEY (company, position, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX events_by_id ON events (company, id);
-- The last position of each company that was dropped with its day: whoever reads on from before has missed something.
CREATE TABLE events_dropped (
    company text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL
);

-- How far the stream of attempts was read. It moves in the transaction that stores what was read.
CREATE TABLE stream_offsets (
    stream text PRIMARY KEY,
    next_offset bigint NOT NULL,
    -- SHA-256 of the message before it, by which the stream is known again: one that was made anew has another one there.
    last_message bytea NOT NULL,
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
