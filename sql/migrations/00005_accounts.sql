-- Money: an account's balance moves by relative updates alone, and every move
-- leaves an entry. The sum of the entries is the balance.

-- +goose Up
CREATE TABLE accounts (
    tenant_id       uuid        NOT NULL CONSTRAINT accounts_tenant_fkey REFERENCES tenants,
    id              uuid        NOT NULL,
    name            text        NOT NULL,
    currency        text        NOT NULL,
    balance_cents   bigint      NOT NULL DEFAULT 0,
    -- Counts the moves of the balance, apart from the edits that version counts:
    -- a busy account does not fail the edit of its name.
    balance_version bigint      NOT NULL DEFAULT 0,
    version         bigint      NOT NULL DEFAULT 1,
    request_digest  bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT accounts_name_check CHECK (btrim(name) <> '' AND char_length(name) <= 200),
    CONSTRAINT accounts_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT accounts_balance_check CHECK (balance_cents >= 0),
    -- The largest integer that JavaScript still counts exactly.
    CONSTRAINT accounts_balance_limit_check CHECK (balance_cents <= 9007199254740991)
);

CREATE INDEX accounts_created_idx ON accounts (tenant_id, created_at, id);

-- What foreign keys refer to: a row an account, that never changes. Referring to the
-- account itself, each new pickup would hold the row whose balance moves. The charge
-- that has locked its newest version, and updates from the version in its snapshot,
-- then queues behind whoever waits for that very charge: a deadlock.
CREATE TABLE account_keys (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    CONSTRAINT account_keys_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT account_keys_account_fkey FOREIGN KEY (tenant_id, id) REFERENCES accounts
);

-- +goose StatementBegin
CREATE FUNCTION accounts_add_key() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO account_keys (tenant_id, id) VALUES (NEW.tenant_id, NEW.id);
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER accounts_add_key AFTER INSERT ON accounts
    FOR EACH ROW EXECUTE FUNCTION accounts_add_key();
ALTER TABLE accounts ENABLE ALWAYS TRIGGER accounts_add_key;

-- Spends in order while the money lasts: over charges and deposits of one account,
-- as a window, it gives the balance after each, leaving out those that do not fit.
CREATE FUNCTION spend_in_order_step(state bigint, balance_cents bigint, delta_cents bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN coalesce(state, balance_cents) + delta_cents BETWEEN 0 AND 9007199254740991
    THEN coalesce(state, balance_cents) + delta_cents
    ELSE coalesce(state, balance_cents)
END;

CREATE AGGREGATE spend_in_order(balance_cents bigint, delta_cents bigint) (
    SFUNC = spend_in_order_step,
    STYPE = bigint
);

CREATE TYPE entry_kind AS ENUM ('charge', 'refund', 'deposit');

CREATE TABLE ledger_entries (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    account_id     uuid        NOT NULL,
    kind           entry_kind  NOT NULL,
    amount_cents   bigint      NOT NULL,
    -- What the entry did to the balance: their sum is the balance.
    delta_cents    bigint      NOT NULL
        GENERATED ALWAYS AS (CASE kind WHEN 'charge' THEN -amount_cents ELSE amount_cents END) STORED,
    note           text,
    pickup_id      uuid,
    -- From the session of the same statement; users are never deleted. A foreign
    -- key would lock the actor's row for every entry.
    actor_id       uuid        NOT NULL,
    request_digest bytea       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ledger_entries_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT ledger_entries_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES account_keys,
    CONSTRAINT ledger_entries_amount_check CHECK (amount_cents BETWEEN 1 AND 9007199254740991),
    CONSTRAINT ledger_entries_note_check CHECK (char_length(note) <= 500)
);

CREATE INDEX ledger_entries_account_idx ON ledger_entries (tenant_id, account_id, created_at, id);

GRANT SELECT, INSERT, UPDATE ON accounts TO waybill_app;
GRANT INSERT ON account_keys TO waybill_app;
GRANT SELECT, INSERT ON ledger_entries TO waybill_app;

-- +goose Down
DROP TABLE ledger_entries;
DROP TYPE entry_kind;
DROP AGGREGATE spend_in_order(bigint, bigint);
DROP FUNCTION spend_in_order_step;
DROP TABLE account_keys;
DROP TABLE accounts;
DROP FUNCTION accounts_add_key;
