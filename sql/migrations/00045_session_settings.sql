-- What the sessions of waybill_app start with, where they do not say otherwise: a connection pooler refuses or
-- ignores what a connection says. A session that says it itself, as without a pooler, is not affected.
-- "waybill pooler" prints the same, with limits of one's own.

-- +goose Up
-- +goose StatementBegin
DO $$
DECLARE
    before text := current_setting('role');
    setting text[];
BEGIN
    -- A role may set what its own sessions start with; the owner may become this one.
    PERFORM set_config('role', 'waybill_app', true);
    FOREACH setting SLICE 1 IN ARRAY ARRAY[
        ['client_encoding', 'UTF8'],
        ['default_transaction_isolation', 'read committed'],
        ['idle_in_transaction_session_timeout', '5000'],
        ['jit', 'off'],
        ['lock_timeout', '3000'],
        ['statement_timeout', '5000'],
        ['timezone', 'UTC']]
    LOOP
        EXECUTE format('ALTER ROLE waybill_app IN DATABASE %I SET %I = %L',
            current_database(), setting[1], setting[2]);
    END LOOP;
    PERFORM set_config('role', before, true);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'sessions through a connection pooler need what this prints: waybill pooler';
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE
    before text := current_setting('role');
    setting text;
BEGIN
    PERFORM set_config('role', 'waybill_app', true);
    FOREACH setting IN ARRAY ARRAY['client_encoding', 'default_transaction_isolation',
        'idle_in_transaction_session_timeout', 'jit', 'lock_timeout', 'statement_timeout', 'timezone']
    LOOP
        EXECUTE format('ALTER ROLE waybill_app IN DATABASE %I RESET %I', current_database(), setting);
    END LOOP;
    PERFORM set_config('role', before, true);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the settings of waybill_app stay as they are';
END $$;
-- +goose StatementEnd
