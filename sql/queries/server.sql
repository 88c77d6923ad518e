-- Whether the session would refuse a write: the server is a standby, or
-- default_transaction_read_only is on.
-- name: IsReadOnly :one
SELECT current_setting('transaction_read_only')::boolean AS is_read_only;
