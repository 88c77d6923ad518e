-- What waybill needs of a PostgreSQL server, to be run once by a superuser, as in
--     waybill setup | sudo -u postgres psql
-- It can be run repeatedly: it creates only missing objects.
\set ON_ERROR_STOP on

SELECT 'CREATE ROLE {{.Owner}} LOGIN' WHERE to_regrole('{{.Owner}}') IS NULL \gexec
SELECT 'CREATE ROLE {{.App}} LOGIN' WHERE to_regrole('{{.App}}') IS NULL \gexec
ALTER ROLE {{.Owner}} LOGIN{{with .OwnerVerifier}} PASSWORD '{{.}}'{{end}};
ALTER ROLE {{.App}} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS{{with .AppVerifier}} PASSWORD '{{.}}'{{end}};
{{- if not .OwnerVerifier}}
-- No passwords: they log in by peer authentication, or after \password {{.Owner}} and
-- \password {{.App}}. With --env FILE, waybill setup gives them passwords.
{{- end}}

-- The owner may become the application's role: one connection string can serve both.
GRANT {{.App}} TO {{.Owner}};

-- From template0, whose encoding and locale may differ from the server's.
SELECT 'CREATE DATABASE {{.Database}} OWNER {{.Owner}} TEMPLATE template0 ENCODING ''UTF8'' LOCALE ''{{.Locale}}'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{{.Database}}') \gexec
ALTER DATABASE {{.Database}} OWNER TO {{.Owner}};

-- The server's log holds no values of rows.
ALTER DATABASE {{.Database}} SET log_error_verbosity = terse;
ALTER DATABASE {{.Database}} SET log_parameter_max_length = 0;
ALTER DATABASE {{.Database}} SET log_parameter_max_length_on_error = 0;

\connect {{.Database}}
-- As in every new database since PostgreSQL 15; one that was upgraded may have it otherwise.
ALTER SCHEMA public OWNER TO pg_database_owner;
