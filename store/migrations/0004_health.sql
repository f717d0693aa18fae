-- How endpoints fare, from the log, and what is told to companies about it.

CREATE TABLE endpoint_health (
    company text NOT NULL,
    endpoint text NOT NULL,
    -- Attempts that failed since the last success, and when the first of them began.
    consecutive_failures bigint NOT NULL DEFAULT 0,
    failing_since timestamptz,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    -- The last answer 410, which says that nobody is there any more.
    gone_at timestamptz,
    PRIMARY KEY (company, endpoint)
    -- Each batch of the log changes rows in place: half of a page is room for their next versions.
) WITH (fillfactor = 50);
CREATE INDEX endpoint_health_failing ON endpoint_health (failing_since) WHERE failing_since IS NOT NULL;
CREATE INDEX endpoint_health_gone ON endpoint_health (gone_at) WHERE gone_at IS NOT NULL;

-- Events of our own that are to be published: written with what they tell of, removed when the broker has confirmed.
CREATE TABLE operational_events (
    id text PRIMARY KEY,
    company text NOT NULL,
    type text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    data text NOT NULL
);
