-- One statement a line: that is how single-user mode reads.
SET password_encryption = 'scram-sha-256';
CREATE ROLE hookline LOGIN CREATEDB PASSWORD 'hookline';
CREATE DATABASE hookline OWNER hookline;
-- Without it, it could not drop a database of its own that autovacuum is working on at that moment.
GRANT pg_signal_backend TO hookline;
