-- What was discarded by hand, remembered for a while: the broker brings a message again whose acknowledgement was lost, and it
-- must not be filed anew.
CREATE TABLE discarded_letters (
    company text NOT NULL,
    event text NOT NULL,
    endpoint text NOT NULL,
    failed_at timestamptz NOT NULL,
    discarded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, event, endpoint, failed_at)
);
CREATE INDEX discarded_letters_by_time ON discarded_letters (discarded_at);

-- The retry of many that sent it last, whose numbers are told what becomes of it.
ALTER TABLE dead_letters ADD COLUMN retry text;

-- What became of those that a retry sent. What is none of these is still under way.
ALTER TABLE retries
    ADD COLUMN delivered bigint NOT NULL DEFAULT 0,
    ADD COLUMN failed_again bigint NOT NULL DEFAULT 0,
    -- Discarded since, or sent by a later retry.
    ADD COLUMN left_otherwise bigint NOT NULL DEFAULT 0;
