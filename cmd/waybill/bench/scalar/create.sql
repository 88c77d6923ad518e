-- A draft, if the facility is one of the viewer's. A repeated id is refused by the primary key, an unknown
-- account by the foreign key.
\set k :k + 1
\set n :k * :clients + :client_id
\set account mod(:n, :accounts)
INSERT INTO pickups (
    tenant_id, id, requested_by, facility_id, account_id, price_cents, pickup_address, dropoff_address,
    request_digest)
SELECT
    v.tenant_id, (:made::text || lpad(to_hex(:n::bigint), 12, '0'))::uuid, v.user_id, v.facility_id,
    (:accounts_made::text || lpad(to_hex(:account::bigint), 12, '0'))::uuid, :price, :pickup_address,
    :dropoff_address, :digest
FROM facility_viewers AS v
WHERE v.tenant_id = :tenant AND v.facility_id = :facility AND v.user_id = :staff
LIMIT 1
RETURNING *;
