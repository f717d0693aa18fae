-- One statement a line: that is how single-user mode reads.
SET password_encryption = 'scram-sha-256';
-- The password `hookline` as the server keeps it, made with one round instead of 4,096: it is no secret, and programs that are not
-- optimised compute for 15 ms at every connection otherwise.
CREATE ROLE hookline LOGIN CREATEDB PASSWORD 'SCRAM-SHA-256$1:aG9va2xpbmUgbG9vcGJhYw==$5/rE7YTJQ02xECBQ0QssvLWB2LZRdMT/2XfUtROxg6Q=:NBfshkj/IssSc/B4wWTegIrbhgW96hLlq+lxaP2kz7U=';
CREATE DATABASE hookline OWNER hookline;
-- Without it, it could not drop a database of its own that autovacuum is working on at that moment.
GRANT pg_signal_backend TO hookline;
