-- Returns whether the session would reject a write: the server is a standby, or
-- default_transaction_read_only is on.
-- name: IsReadOnly :one
SELECT current_setting('transaction_read_only')::boolean AS is_read_only;

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

-- Sets the lock timeout of the transaction's next statements. It is sent in one round trip with the
-- statement that it is for.
-- name: SetLockTimeout :exec
SELECT set_config('lock_timeout', @lock_timeout::text, true);

-- Forces custom plans in this transaction: the generic plan, which PostgreSQL uses after five
-- executions, cannot choose an index by the arguments.
-- name: PlanForArguments :exec
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- Forces generic plans in this transaction, for statements over short arrays: PostgreSQL assumes ten
-- elements, and therefore estimates the generic plan to cost more than a custom one. Making a custom
-- plan takes longer than running it.
-- name: PlanOnce :exec
SELECT set_config('plan_cache_mode', 'force_generic_plan', true);
