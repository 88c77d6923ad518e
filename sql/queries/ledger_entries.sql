-- Books charges and deposits with their entries: it locks the accounts in key order, applies each
-- account's entries in the order of the requests while the balance lasts, and changes the balance by
-- the sum of the inserted entries. An entry that exceeds the balance, or whose id is taken, is missing
-- in the result: a fresh read shows which. All entries of the statement get the same created_at, later than
-- that of every earlier entry of their accounts, and the balance before the statement: see
-- GetAccountStatement.
-- Closes: charges at once take more than the balance
-- Closes: a repeated charge is taken twice
-- Closes: two batches deadlock on accounts
-- Closes: two batches deadlock on the same ids
-- Closes: an entry that waited is dated before the one that it waited for
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
    SELECT c.tenant_id, c.id, c.balance_cents, c.entered_at
    FROM accounts AS c
    WHERE (c.tenant_id, c.id) IN (SELECT a.tenant_id, a.account_id FROM asked AS a)
    ORDER BY c.tenant_id, c.id
    FOR NO KEY UPDATE OF c /* CreateLedgerEntriesSkipLocked: SKIP LOCKED */
), booked AS MATERIALIZED (
    -- After all locks are held.
    SELECT greatest(clock_timestamp(), max(l.entered_at) + interval '1 microsecond')::timestamptz AS at
    FROM locked AS l
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
    INSERT INTO ledger_entries (
        tenant_id, id, account_id, kind, amount_cents, note, actor_id, request_digest, created_at,
        balance_before_cents)
    SELECT
        f.tenant_id, f.id, f.account_id, f.kind, f.amount_cents, nullif(f.note, ''), f.actor_id, f.request_digest,
        (SELECT b.at FROM booked AS b), f.first_balance
    FROM fitting AS f
    WHERE f.balance_after - f.balance_before = f.delta_cents
    ORDER BY f.tenant_id, f.id
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING *
), moved AS (
    UPDATE accounts AS c
    SET balance_cents = l.balance_cents + s.delta_cents,
        balance_version = c.balance_version + 1,
        entered_at = (SELECT b.at FROM booked AS b)
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

-- Returns an account, the balance before the first entry of a statement, and when the statement ends: now,
-- or earlier. The last entry before it has the balance, if a version that stores it booked the entry; otherwise
-- all earlier entries are added up. Who sees it: see GetAccount.
-- name: GetAccountStatement :one
WITH mine AS MATERIALIZED (
    SELECT v.facility_id
    FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.user_id = @viewer_id
)
SELECT
    c.name,
    c.currency,
    (CASE
        WHEN last.created_at IS NULL THEN 0
        WHEN last.balance_before_cents IS NULL THEN (
            SELECT sum(e.delta_cents)
            FROM ledger_entries AS e
            WHERE e.tenant_id = c.tenant_id AND e.account_id = c.id AND e.created_at < @from_time::timestamptz)
        ELSE last.balance_before_cents + (
            SELECT sum(e.delta_cents)
            FROM ledger_entries AS e
            WHERE e.tenant_id = c.tenant_id AND e.account_id = c.id AND e.created_at = last.created_at)
    END)::bigint AS opening_cents,
    least(@to_time::timestamptz, clock_timestamp())::timestamptz AS until
FROM accounts AS c
LEFT JOIN LATERAL (
    SELECT e.created_at, e.balance_before_cents
    FROM ledger_entries AS e
    WHERE e.tenant_id = c.tenant_id AND e.account_id = c.id AND e.created_at < @from_time
    ORDER BY e.created_at DESC, e.id DESC
    LIMIT 1
) AS last ON true
WHERE c.tenant_id = @tenant_id
    AND c.id = @id
    AND CASE @viewer_role::user_role
        WHEN 'admin' THEN true
        WHEN 'dispatcher' THEN true
        WHEN 'staff' THEN c.all_facilities OR EXISTS (
            SELECT FROM account_facilities AS l
            WHERE l.tenant_id = c.tenant_id AND l.account_id = c.id
                AND (l.facility_id IN (SELECT m.facility_id FROM mine AS m)) IS TRUE)
        ELSE false
    END;

-- Lists the next lines of a statement, and the balance after each, which begins with the balance before
-- them. Of entries that were booked at the same time, those that add to the balance come first.
-- name: ListStatementLines :many
SELECT
    e.id, e.created_at, e.kind, e.amount_cents, e.delta_cents,
    (sum(e.delta_cents) OVER (ORDER BY e.created_at, e.delta_cents DESC, e.id ROWS UNBOUNDED PRECEDING)
        + @balance_cents::bigint)::bigint AS balance_cents,
    e.pickup_id, e.note
FROM (
    SELECT n.id, n.created_at, n.kind, n.amount_cents, n.delta_cents, n.pickup_id, n.note
    FROM ledger_entries AS n
    WHERE n.tenant_id = @tenant_id
        AND n.account_id = @account_id
        AND n.created_at >= @after_created_at::timestamptz
        AND n.created_at < @until::timestamptz
        AND (n.created_at, 0 - n.delta_cents, n.id)
            > (@after_created_at, 0 - @after_delta_cents::bigint, @after_id::uuid)
    ORDER BY n.created_at, n.delta_cents DESC, n.id
    LIMIT @max_rows::int
) AS e
ORDER BY e.created_at, e.delta_cents DESC, e.id;
