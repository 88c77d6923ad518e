-- Books charges and deposits with their entries: it locks the accounts in key order, applies each
-- account's entries in the order of the requests while the balance lasts, and changes the balance by
-- the sum of the inserted entries. An entry that exceeds the balance, or whose id is taken, is missing
-- in the result: a fresh read shows which.
-- Closes: charges at once take more than the balance
-- Closes: a repeated charge is taken twice
-- Closes: two batches deadlock on accounts
-- Closes: two batches deadlock on the same ids
-- name: CreateLedgerEntries :many
WITH asked AS (
    SELECT u.*, row_number() OVER () AS ord
    FROM (
        SELECT
            unnest(@tenant_ids::uuid[]) AS tenant_id,
            unnest(@ids::uuid[]) AS id,
            unnest(@account_ids::uuid[]) AS account_id,
            unnest(@kinds::text[])::entry_kind AS kind,
            unnest(@amounts_cents::bigint[]) AS amount_cents,
            unnest(@notes::text[]) AS note,
            unnest(@actor_ids::uuid[]) AS actor_id,
            unnest(@request_digests::bytea[]) AS request_digest
    ) AS u
), locked AS MATERIALIZED (
    SELECT c.tenant_id, c.id, c.balance_cents
    FROM accounts AS c
    WHERE (c.tenant_id, c.id) IN (SELECT a.tenant_id, a.account_id FROM asked AS a)
    ORDER BY c.tenant_id, c.id
    FOR NO KEY UPDATE OF c /* CreateLedgerEntriesSkipLocked: SKIP LOCKED */
), spent AS (
    SELECT
        a.*,
        l.balance_cents AS first_balance,
        CASE a.kind WHEN 'charge' THEN -a.amount_cents ELSE a.amount_cents END AS delta_cents,
        spend_in_order(
            l.balance_cents,
            CASE a.kind WHEN 'charge' THEN -a.amount_cents ELSE a.amount_cents END
        ) OVER (PARTITION BY a.tenant_id, a.account_id ORDER BY a.ord) AS balance_after
    FROM asked AS a
    JOIN locked AS l ON l.tenant_id = a.tenant_id AND l.id = a.account_id
    -- Known replays must not use up the balance; the primary key decides.
    WHERE NOT EXISTS (
        SELECT FROM ledger_entries AS e WHERE e.tenant_id = a.tenant_id AND e.id = a.id)
), fitting AS (
    SELECT
        s.*,
        lag(s.balance_after, 1, s.first_balance)
            OVER (PARTITION BY s.tenant_id, s.account_id ORDER BY s.ord) AS balance_before
    FROM spent AS s
), entered AS (
    INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, note, actor_id, request_digest)
    SELECT f.tenant_id, f.id, f.account_id, f.kind, f.amount_cents, nullif(f.note, ''), f.actor_id, f.request_digest
    FROM fitting AS f
    WHERE f.balance_after - f.balance_before = f.delta_cents
    ORDER BY f.tenant_id, f.id
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING *
), moved AS (
    UPDATE accounts AS c
    SET balance_cents = l.balance_cents + s.delta_cents,
        balance_version = c.balance_version + 1
    FROM locked AS l
    JOIN (
        SELECT e.tenant_id, e.account_id, sum(e.delta_cents)::bigint AS delta_cents
        FROM entered AS e
        GROUP BY e.tenant_id, e.account_id
    ) AS s ON s.tenant_id = l.tenant_id AND s.account_id = l.id
    WHERE c.tenant_id = l.tenant_id AND c.id = l.id
)
SELECT sqlc.embed(ledger_entries) FROM entered AS ledger_entries;

-- name: GetLedgerEntry :one
SELECT * FROM ledger_entries WHERE tenant_id = @tenant_id AND id = @id;

-- name: ListLedgerEntries :many
SELECT * FROM ledger_entries
WHERE tenant_id = @tenant_id
    AND account_id = @account_id
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;
