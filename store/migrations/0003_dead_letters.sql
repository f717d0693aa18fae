-- Dead letters: deliveries that failed for good, taken from the broker. They stay until they are delivered or discarded by
-- hand, whatever becomes of the log.

CREATE TABLE dead_letters (
    company text NOT NULL,
    event text NOT NULL,
    endpoint text NOT NULL,
    failed_at timestamptz NOT NULL,
    -- The order in which they were filed.
    position bigint GENERATED ALWAYS AS IDENTITY,
    filed_at timestamptz NOT NULL DEFAULT now(),
    type text NOT NULL,
    origin text NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL,
    last_outcome text,
    last_status integer,
    -- When the event happened.
    created_at timestamptz NOT NULL,
    -- What the message carried beside data, so that a retry sends what was published.
    headers bytea,
    data bytea NOT NULL,
    -- The last manual retry. It is open, a problem that nobody works on, while there is none.
    retried_at timestamptz,
    PRIMARY KEY (company, event, endpoint, failed_at)
)
-- An index serves without the rows where vacuum has been since; by default it comes after a fifth is new.
WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE UNIQUE INDEX dead_letters_in_order ON dead_letters (company, position);
-- With all that a filter asks about, so that many are counted without a look at the rows, which are as wide as payloads are.
CREATE INDEX dead_letters_of_endpoint ON dead_letters (company, endpoint, position)
    INCLUDE (type, failed_at, last_outcome, reason, retried_at);
CREATE INDEX dead_letters_open ON dead_letters (company, endpoint, last_outcome, last_status, failed_at)
    INCLUDE (event) WHERE retried_at IS NULL;

-- Manual retries of many at once: what was asked for, and how far it has come, an endpoint a part.
CREATE TABLE retries (
    company text NOT NULL,
    id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- The filter, as it was given.
    filter text NOT NULL,
    -- Dead letters that it meant at the start, and those of endpoints that could not be sent to.
    total bigint NOT NULL,
    skipped bigint NOT NULL,
    PRIMARY KEY (company, id)
);
CREATE TABLE retry_parts (
    company text NOT NULL,
    retry text NOT NULL,
    endpoint text NOT NULL,
    created_at timestamptz NOT NULL,
    -- Dead letters behind the first position and up to the last one are still to be sent.
    after_position bigint NOT NULL,
    through_position bigint NOT NULL,
    -- How many were sent.
    done bigint NOT NULL DEFAULT 0,
    finished_at timestamptz,
    PRIMARY KEY (company, retry, endpoint)
);
CREATE INDEX retry_parts_open ON retry_parts (created_at, company, retry, endpoint) WHERE finished_at IS NULL;
