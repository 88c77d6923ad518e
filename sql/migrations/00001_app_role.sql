-- The application's role. Migrations run as the owner of the schema; everything
-- else connects as waybill_app, or turns into it at connect, and so can neither
-- change the schema nor rewrite what is append only.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    -- Roles belong to the cluster: another database's migration may have made
    -- this one, or be making it right now.
    CREATE ROLE waybill_app NOSUPERUSER NOCREATEDB NOCREATEROLE;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'waybill_app') THEN
            RAISE EXCEPTION 'role waybill_app is missing and % may not create it', current_user
                USING HINT = 'As a superuser: CREATE ROLE waybill_app LOGIN; then migrate again.';
        END IF;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    -- The owner may turn into it: one connection string then serves both.
    IF NOT pg_has_role(current_user, 'waybill_app', 'MEMBER') THEN
        EXECUTE format('GRANT waybill_app TO %I', current_user);
    END IF;
END
$$;
-- +goose StatementEnd

GRANT USAGE ON SCHEMA public TO waybill_app;
-- serve compares the schema's version with its own before it starts.
GRANT SELECT ON goose_db_version TO waybill_app;

-- +goose Down
REVOKE SELECT ON goose_db_version FROM waybill_app;
REVOKE USAGE ON SCHEMA public FROM waybill_app;
