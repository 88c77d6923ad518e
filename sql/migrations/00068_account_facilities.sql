-- Staff charge accounts of their facilities. An account is open to all facilities, as each was so far, or to those
-- that are listed for it: to none where none is listed. A new one is open unless its creator says otherwise, since
-- callers who do not know the list would otherwise make accounts that no staff can charge.
-- +waybill compatible_from: 00049

-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE accounts ADD COLUMN IF NOT EXISTS all_facilities boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN accounts.all_facilities IS
    'Whether staff of any facility may see and charge it; otherwise only those of its listed facilities';

CREATE TABLE IF NOT EXISTS account_facilities (
    tenant_id          uuid        NOT NULL,
    account_id         uuid        NOT NULL,
    facility_id        uuid        NOT NULL,
    -- That of the account, which never changes: a facility's accounts are listed in its order.
    account_created_at timestamptz NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT account_facilities_pkey PRIMARY KEY (tenant_id, account_id, facility_id),
    CONSTRAINT account_facilities_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES account_keys,
    CONSTRAINT account_facilities_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities
);
COMMENT ON TABLE account_facilities IS 'A facility whose staff may see and charge an account';
COMMENT ON COLUMN account_facilities.account_id IS 'The account';
COMMENT ON COLUMN account_facilities.facility_id IS 'The facility whose staff may charge it';
COMMENT ON COLUMN account_facilities.account_created_at IS 'When the account was created';
COMMENT ON COLUMN account_facilities.created_at IS 'When it was listed';

CREATE INDEX IF NOT EXISTS account_facilities_facility_idx
    ON account_facilities (tenant_id, facility_id, account_created_at, account_id);

-- Who sees which account by its list: see facility_viewers.
CREATE OR REPLACE VIEW account_viewers AS
SELECT v.tenant_id, v.user_id, f.account_id
FROM account_facilities AS f
JOIN facility_viewers AS v ON v.tenant_id = f.tenant_id AND v.facility_id = f.facility_id;

-- UPDATE, of one column, is for row locks: a charge holds the row on which it rests.
GRANT SELECT, INSERT, DELETE, UPDATE (created_at) ON account_facilities TO waybill_app;
GRANT SELECT ON account_viewers TO waybill_app;

-- Open accounts in the order of the list. An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS accounts_open_idx;
CREATE INDEX CONCURRENTLY accounts_open_idx ON accounts (tenant_id, created_at, id) WHERE all_facilities;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS accounts_open_idx;
DROP VIEW IF EXISTS account_viewers;
DROP TABLE IF EXISTS account_facilities;
ALTER TABLE accounts DROP COLUMN IF EXISTS all_facilities;
