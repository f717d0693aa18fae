-- The outbox: events that are committed and not yet published. For PostgreSQL 14 and later.
--
-- `hookline_producer::outbox::migrate` runs this once. It may as well be a step of a service's own migrations; then leave the
-- names as they are, and do not change it once it is released. It is made in the first schema of the search path, and whoever
-- enqueues or relays must have the same schema in theirs.
--
-- Rights: whoever enqueues needs INSERT on hookline_outbox. A relay needs SELECT and DELETE on it, and SELECT, INSERT and
-- DELETE on hookline_outbox_aside.

CREATE TABLE hookline_outbox (
    -- Never give its sequence a CACHE: a session that takes numbers in advance would write later events with smaller ones.
    position bigint GENERATED ALWAYS AS IDENTITY,
    company text COLLATE "C" NOT NULL,
    -- What receivers see as webhook-id. Written by hand: 'evt_' and the digits of a UUID.
    event_id text NOT NULL,
    type text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- One JSON object, passed on byte for byte, so neither json nor jsonb.
    data text NOT NULL,
    traceparent text,
    tracestate text,
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- A company's events in their order, and one company after the other without reading what lies between.
    PRIMARY KEY (company, position)
) WITH (
    -- Rows live for milliseconds. What they leave behind is cleared away while it is little, however large the table once was.
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

-- What can never be published as it is, with the reason. A relay moves it here, and a person mends it and puts it back, or
-- deletes it.
CREATE TABLE hookline_outbox_aside (
    position bigint PRIMARY KEY,
    company text COLLATE "C" NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    created_at timestamptz NOT NULL,
    data text NOT NULL,
    traceparent text,
    tracestate text,
    enqueued_at timestamptz NOT NULL,
    reason text NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Wakes relays, if all of them sleep: the one that went to sleep last holds this lock alone. A relay that is awake looks
-- again by itself. It matters, because PostgreSQL lets transactions that notify commit one after the other, each waiting for
-- the disk by itself; so no transaction notifies while there is much to do.
--
-- The shared lock is held until the end of the transaction, so that no relay goes to sleep without having seen what it commits.
CREATE FUNCTION hookline_outbox_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(hashtextextended('asleep', TG_RELID::bigint)) THEN
        PERFORM pg_notify('hookline_outbox', '');
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER hookline_outbox_wake AFTER INSERT ON hookline_outbox
    FOR EACH STATEMENT EXECUTE FUNCTION hookline_outbox_wake();

COMMENT ON TABLE hookline_outbox IS 'Hookline outbox, step 1';
