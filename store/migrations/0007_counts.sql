-- How attempts ended, counted as they are recorded: what charts over days are drawn from without a look at the log. By the
-- minute of each company, and of all together (company ''), for a day; by the hour of each endpoint, and of all together,
-- for a week. Test events do not count, and nothing that was discarded: nobody was asked.

CREATE TABLE attempt_counts (
    company text COLLATE "C" NOT NULL,
    -- How many seconds a row stands for: 60 or 3600.
    step_s integer NOT NULL,
    -- When they begin. Attempts count where they began.
    at timestamptz NOT NULL,
    -- '' in rows of a minute.
    endpoint text COLLATE "C" NOT NULL,
    attempts integer NOT NULL,
    delivered integer NOT NULL,
    -- Deliveries that failed for good.
    failed integer NOT NULL,
    -- Attempts that were answered, whatever the status, by how long that took: in so many milliseconds and not in less.
    ms_5 integer NOT NULL,
    ms_10 integer NOT NULL,
    ms_20 integer NOT NULL,
    ms_50 integer NOT NULL,
    ms_100 integer NOT NULL,
    ms_200 integer NOT NULL,
    ms_500 integer NOT NULL,
    ms_1000 integer NOT NULL,
    ms_2000 integer NOT NULL,
    ms_5000 integer NOT NULL,
    ms_10000 integer NOT NULL,
    ms_20000 integer NOT NULL,
    ms_30000 integer NOT NULL,
    ms_more integer NOT NULL,
    PRIMARY KEY (company, step_s, at, endpoint)
    -- Each batch of the log changes the rows of its minute in place: room for their next versions.
) WITH (fillfactor = 70);
-- By which those that are too old are found.
CREATE INDEX attempt_counts_by_time ON attempt_counts (step_s, at);
