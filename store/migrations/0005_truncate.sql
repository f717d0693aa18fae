-- Rows that are truncated are told of by no trigger for rows: whoever keeps endpoints in memory looks at all of them again.
CREATE FUNCTION hookline_tell_of_all_endpoints() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('hookline_endpoints', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER endpoints_truncated_told AFTER TRUNCATE ON endpoints
    FOR EACH STATEMENT EXECUTE FUNCTION hookline_tell_of_all_endpoints();
