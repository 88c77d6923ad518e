-- What the sessions of {{.Login}} start with, which a connection pooler does not pass on. To be run
-- by that role itself, or by a superuser, as in
--     waybill pooler | psql "$APP_URL"
-- and again after a change of the timeouts. Sessions that are open keep what they have.
\set ON_ERROR_STOP on
{{range .Settings}}
ALTER ROLE {{$.Login}} IN DATABASE {{$.Database}} SET {{.Name}} = '{{.Value}}';
{{- end}}
