-- A company's own token may make links into its dashboard. Such a link, and the session that it opens, is over with that token.

-- The token's id; none where the operator made it.
ALTER TABLE sign_in_links ADD COLUMN token text;
ALTER TABLE sessions ADD COLUMN token text;
