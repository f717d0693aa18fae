-- The last certificate of each endpoint: a booking's life as it was played against it, and what came of it. One that is still
-- being played has no end yet; where its console was lost, `ends_by` says from when on nobody waits for it.
CREATE TABLE certificates (
    company text NOT NULL,
    endpoint text NOT NULL,
    run text NOT NULL,
    actor text NOT NULL,
    started_at timestamptz NOT NULL,
    ends_by timestamptz NOT NULL,
    finished_at timestamptz,
    -- JSON that only the console reads; text, as what a receiver said may hold what jsonb cannot.
    report text NOT NULL,
    PRIMARY KEY (company, endpoint)
);
