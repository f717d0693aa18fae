-- The registry: which company wants its events where. Every key begins with the tenant.

CREATE TABLE endpoints (
    company text NOT NULL,
    id text NOT NULL,
    -- The order of creation, which lists and their cursors follow.
    position bigint GENERATED ALWAYS AS IDENTITY,
    url text NOT NULL,
    format text NOT NULL,
    -- None: every event.
    events text[] NOT NULL DEFAULT '{}',
    description text,
    rate text,
    disabled boolean NOT NULL DEFAULT false,
    disabled_reason text,
    header_names text[] NOT NULL DEFAULT '{}',
    -- Sealed: {"name":"value"} of the static headers, the secret, and the one before it while a rotation overlaps.
    headers bytea,
    secret bytea NOT NULL,
    previous_secret bytea,
    overlap_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, id),
    CHECK ((previous_secret IS NULL) = (overlap_until IS NULL))
);
CREATE UNIQUE INDEX endpoints_in_order ON endpoints (company, position);

-- Dispatchers and consoles keep endpoints in memory, and learn of every change, whoever makes it.
CREATE FUNCTION hookline_tell_of_endpoints() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('hookline_endpoints', COALESCE(NEW.company, OLD.company));
    RETURN NULL;
END
$$;
CREATE TRIGGER endpoints_told AFTER INSERT OR UPDATE OR DELETE ON endpoints
    FOR EACH ROW EXECUTE FUNCTION hookline_tell_of_endpoints();

CREATE TABLE tokens (
    company text NOT NULL,
    id text NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    -- SHA-256 of the token, which itself is kept nowhere.
    hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (company, id)
);
CREATE UNIQUE INDEX tokens_in_order ON tokens (company, position);

CREATE TABLE audit (
    company text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    before jsonb,
    after jsonb,
    PRIMARY KEY (company, id)
);

CREATE FUNCTION hookline_keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only';
END
$$;
CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION hookline_keep_audit();
CREATE TRIGGER audit_kept_whole BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION hookline_keep_audit();
