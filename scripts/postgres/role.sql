-- One statement a line: that is how single-user mode reads.
SET password_encryption = 'scram-sha-256';
CREATE ROLE hookline LOGIN CREATEDB PASSWORD 'hookline';
CREATE DATABASE hookline OWNER hookline;
