-- What a good session is, said once: for the request that begins with it, and for each
-- write, which confirms it as its last statement.

-- +goose Up
-- The sessions that are good now. How long one may go unused is not among it: that is
-- asked when a request begins, and a request that is under way uses its session.
CREATE VIEW live_sessions AS
SELECT
    s.tenant_id,
    s.token_hash,
    s.user_id,
    u.role,
    coalesce(d.id, '00000000-0000-0000-0000-000000000000')::uuid AS driver_id,
    s.last_seen_at,
    s.expires_at
FROM sessions AS s
JOIN users AS u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
LEFT JOIN drivers AS d ON d.tenant_id = s.tenant_id AND d.user_id = s.user_id
WHERE s.revoked_at IS NULL
    -- Not now(), which is when the transaction began: it may have waited since.
    AND s.expires_at > statement_timestamp()
    AND s.password_epoch = u.password_epoch
    AND u.active;

GRANT SELECT ON live_sessions TO waybill_app;

-- Ends the transaction whose authority is gone: WB001, the session is over; WB002, it is
-- good, but its user's role or driver is another; WB003, what was written is of a
-- facility that the user does not see any more.
-- +goose StatementBegin
CREATE FUNCTION refuse_authority(state text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = state, MESSAGE = 'the authority for this write is gone';
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION refuse_authority FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refuse_authority TO waybill_app;

-- +goose Down
DROP FUNCTION refuse_authority;
DROP VIEW live_sessions;
