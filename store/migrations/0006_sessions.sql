-- Who is signed in to the dashboard, and the links by which one signs in. Of both only hashes are kept.

CREATE TABLE sessions (
    -- SHA-256 of what stands in the cookie.
    hash bytea PRIMARY KEY,
    -- What the audit calls it.
    id text NOT NULL UNIQUE,
    -- Whose dashboard it may see; none for the operator, who may see all.
    company text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- A row is gone once its link was used.
CREATE TABLE sign_in_links (
    -- SHA-256 of the last part of the link.
    hash bytea PRIMARY KEY,
    company text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_links_by_end ON sign_in_links (expires_at);
