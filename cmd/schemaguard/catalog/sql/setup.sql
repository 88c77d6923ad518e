-- What the rules read: the settings, and the project's tables without those of libraries.
CREATE TEMPORARY TABLE gate_settings AS
SELECT $1::text AS role, $2::text[] AS tenant_columns, $3::text[] AS private, $4::text[] AS libraries
