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
);
CREATE UNIQUE INDEX dead_letters_in_order ON dead_letters (company, position);
CREATE INDEX dead_letters_of_endpoint ON dead_letters (company, endpoint, position);
CREATE INDEX dead_letters_open ON dead_letters (company, endpoint, last_outcome, last_status, failed_at)
    INCLUDE (event) WHERE retried_at IS NULL;
