-- Returns whether the session would reject a write: the server is a standby, or
-- default_transaction_read_only is on.
-- name: IsReadOnly :one
SELECT current_setting('transaction_read_only')::boolean AS is_read_only;

-- Returns which history of which cluster the server writes: a promotion or a recovery to a point in time
-- begins another timeline of the same system. A standby has no timeline of its own.
-- name: GetTimeline :one
SELECT
    c.system_identifier::text AS system_identifier,
    CASE WHEN pg_is_in_recovery() THEN NULL
        ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
    END AS timeline
FROM pg_control_system() AS c;

-- Returns the process and the role of the session and some of its settings, each as name=value, to compare them
-- with what this program needs: a connection pooler may ignore the settings that a connection starts with.
-- name: GetSessionSettings :one
SELECT
    pg_backend_pid()::int AS pid,
    current_user::text AS role_name,
    EXISTS (
        SELECT FROM pg_roles AS r
        WHERE r.rolname = current_user AND (r.rolsuper OR r.rolbypassrls)
    ) AS is_privileged,
    ARRAY(
        SELECT lower(s.name) || '=' || s.setting
        FROM pg_settings AS s
        WHERE lower(s.name) = ANY(@names::text[])
        ORDER BY 1
    )::text[] AS settings;

-- Returns the process that serves the session. Through a connection pooler it is not the one that the
-- connection was told at its start.
-- name: GetBackendPID :one
SELECT pg_backend_pid()::int AS pid;

-- Tries to take the lock of the migrations until the end of the transaction, which may stay open for as long as
-- they take.
-- name: TryMigrationLock :one
SELECT
    set_config('idle_in_transaction_session_timeout', '0', true)::text AS idle_timeout,
    pg_try_advisory_xact_lock(@lock_id::bigint)::boolean AS is_locked;

-- Returns what the migrating role may do, for a message that names what is missing. Since PostgreSQL 16
-- CREATEROLE alone does not let a role grant roles that others created.
-- name: GetOwnerRights :one
SELECT
    current_user::text AS role_name,
    current_database()::text AS database_name,
    (to_regrole('waybill_app') IS NOT NULL)::boolean AS app_exists,
    EXISTS (SELECT FROM pg_roles AS me WHERE me.rolname = current_user
        AND (me.rolsuper OR me.rolcreaterole)) AS may_create_role,
    coalesce(pg_has_role(current_user, to_regrole('waybill_app')::oid, 'MEMBER'), false)::boolean AS is_member,
    EXISTS (
        SELECT FROM pg_roles AS me
        WHERE me.rolname = current_user
            AND (me.rolsuper
                OR me.rolcreaterole AND current_setting('server_version_num')::int < 160000
                OR EXISTS (
                    SELECT FROM pg_auth_members AS m
                    WHERE m.roleid = to_regrole('waybill_app')::oid AND m.member = me.oid AND m.admin_option))
    ) AS may_grant,
    coalesce(has_schema_privilege(current_user, to_regnamespace('public')::oid, 'CREATE'),
        false)::boolean AS may_create;

-- Returns the time by the database's clock, to which those of the processes need not agree.
-- name: GetDatabaseTime :one
SELECT clock_timestamp()::timestamptz AS now;

-- Sets the lock timeout of the transaction's next statements. It is sent in one round trip with the
-- statement that it is for.
-- name: SetLockTimeout :exec
SELECT set_config('lock_timeout', @lock_timeout::text, true);

-- Lets the statements that follow in the transaction take as long as they need.
-- name: WithoutStatementTimeout :exec
SELECT set_config('statement_timeout', '0', true);

-- Forces custom plans in this transaction: the generic plan, which PostgreSQL uses after five
-- executions, cannot choose an index by the arguments.
-- name: PlanForArguments :exec
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- Forces generic plans in this transaction, for statements over short arrays: PostgreSQL assumes ten
-- elements, and therefore estimates the generic plan to cost more than a custom one. Making a custom
-- plan takes longer than running it.
-- name: PlanOnce :exec
SELECT set_config('plan_cache_mode', 'force_generic_plan', true);

-- Commits a record, if commits wait for standbys; otherwise it returns no row. Once the commit has ended
-- without the warning that its wait was canceled, the standbys have everything that was committed before.
-- name: AwaitStandbys :one
SELECT (pg_logical_emit_message(true, 'waybill', '') IS NOT NULL)::boolean AS waited
WHERE current_setting('synchronous_standby_names') <> '';
