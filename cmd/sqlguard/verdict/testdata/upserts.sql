CREATE SCHEMA shop;
CREATE TABLE prices (
    sku text PRIMARY KEY, region text NOT NULL, cents int NOT NULL, version int NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(),
    seen int NOT NULL DEFAULT 0, note text, active boolean NOT NULL DEFAULT true
);
CREATE TABLE shop.stock (sku text, place text, amount int NOT NULL, CONSTRAINT stock_key UNIQUE (sku, place));
CREATE TABLE "Orders" ("Id" bigint PRIMARY KEY, "State" text NOT NULL, "userId" bigint NOT NULL, "Note" text);
CREATE TABLE seats (id bigint PRIMARY KEY, person_id bigint, row int, taken boolean NOT NULL DEFAULT false, label text);
CREATE UNIQUE INDEX seats_taken ON seats (person_id) WHERE taken;

-- name: Put :exec
-- want: prices upsert-blind
INSERT INTO prices (sku, region, cents, version) VALUES (@sku, @region, @cents, @version)
ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents, version = EXCLUDED.version, updated_at = now();

-- name: PutPositional :exec
-- want: prices upsert-blind
INSERT INTO prices (sku, cents) VALUES ($1, $2) ON CONFLICT (sku) DO UPDATE SET cents = $2;

-- name: Count :exec
-- want: prices upsert-relative
INSERT INTO prices AS p (sku, seen) VALUES (@sku, 1) ON CONFLICT (sku) DO UPDATE SET seen = p.seen + EXCLUDED.seen, updated_at = EXCLUDED.updated_at;

-- name: PutNewer :execrows
-- want: prices upsert-conditional cas
INSERT INTO prices (sku, cents, version) VALUES (@sku, @cents, @version)
ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents, version = EXCLUDED.version WHERE prices.version < EXCLUDED.version;

-- name: PutVersionedColumns :exec
-- want: prices upsert-relative
INSERT INTO prices (sku, cents, version) VALUES (@sku, @cents, @version)
ON CONFLICT (sku) DO UPDATE SET
    cents = CASE WHEN EXCLUDED.version > prices.version THEN EXCLUDED.cents ELSE prices.cents END,
    version = GREATEST(prices.version, EXCLUDED.version);

-- name: PutPatch :exec
-- want: prices upsert-blind
INSERT INTO prices (sku, note) VALUES (@sku, @note) ON CONFLICT (sku) DO UPDATE SET note = COALESCE(EXCLUDED.note, prices.note);

-- name: PutOnce :exec
-- want: prices upsert-relative
INSERT INTO prices (sku, note) VALUES (@sku, @note) ON CONFLICT (sku) DO UPDATE SET note = COALESCE(prices.note, EXCLUDED.note);

-- name: PutForReturning :one
-- want: prices constant
INSERT INTO prices (sku, cents) VALUES (@sku, @cents) ON CONFLICT (sku) DO UPDATE SET sku = EXCLUDED.sku RETURNING *;

-- name: PutOwnValue :one
-- want: prices constant
INSERT INTO prices (sku, cents) VALUES (@sku, @cents) ON CONFLICT (sku) DO UPDATE SET cents = prices.cents RETURNING *;

-- name: PutSeen :exec
-- want: prices constant
INSERT INTO prices (sku, cents, updated_at, active) VALUES (@sku, @cents, now(), true)
ON CONFLICT (sku) DO UPDATE SET updated_at = EXCLUDED.updated_at, active = EXCLUDED.active;

-- name: PutDistinct :exec
-- want: prices upsert-blind
INSERT INTO prices (sku, cents) VALUES (@sku, @cents) ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents WHERE prices.cents IS DISTINCT FROM EXCLUDED.cents;

-- name: PutDistinctParam :exec
-- want: prices upsert-blind
INSERT INTO prices (sku, cents) VALUES (@sku, @cents) ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents WHERE prices.cents IS DISTINCT FROM @cents;

-- name: PutSameKey :exec
-- want: prices upsert-blind
INSERT INTO prices (sku, cents) VALUES (@sku, @cents) ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents WHERE prices.sku = EXCLUDED.sku;

-- name: PutSameRegion :exec
-- want: prices upsert-blind
INSERT INTO prices (sku, region, cents) VALUES (@sku, @region, @cents) ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents WHERE prices.region = EXCLUDED.region;

-- name: PutActive :execrows
-- want: prices upsert-conditional liveness
INSERT INTO prices (sku, cents) VALUES (@sku, @cents) ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents WHERE prices.active;

-- name: PutVersion :execrows
-- want: prices upsert-conditional cas
INSERT INTO prices (sku, cents, version) SELECT @sku, @cents, @version
ON CONFLICT (sku) DO UPDATE SET cents = @cents, version = prices.version + 1 WHERE prices.version = @version;

-- name: Ignore :exec
INSERT INTO prices (sku, cents) VALUES (@sku, @cents) ON CONFLICT (sku) DO NOTHING;

-- name: Plain :exec
INSERT INTO prices (sku, cents) VALUES (@sku, @cents);

-- name: Stock :exec
-- want: shop.stock upsert-relative
INSERT INTO shop.stock (sku, place, amount) VALUES (@sku, @place, @amount)
ON CONFLICT ON CONSTRAINT stock_key DO UPDATE SET amount = stock.amount + EXCLUDED.amount, place = EXCLUDED.place;

-- name: StockMany :exec
-- want: shop.stock upsert-blind
INSERT INTO shop.stock (sku, place, amount) SELECT unnest(@skus::text[]), unnest(@places::text[]), unnest(@amounts::int[])
ON CONFLICT (sku, place) DO UPDATE SET amount = EXCLUDED.amount;

-- name: Quoted :execrows
-- want: Orders conditional cas
UPDATE "Orders" SET "State" = @state WHERE "Id" = @id AND "State" = @before;

-- name: QuotedBlind :exec
-- want: Orders blind
UPDATE "Orders" AS "O" SET "Note" = @note WHERE "O"."Id" = @id AND "O"."userId" = @user_id;

-- name: SeatByPartialKey :exec
-- want: seats conditional liveness
UPDATE seats SET label = @label WHERE person_id = @person_id AND taken;

-- name: SeatOfPerson :execrows
-- want: seats blind
UPDATE seats SET label = @label WHERE id = @id AND person_id = @person_id;

-- name: Sit :execrows
-- want: seats conditional cas
UPDATE seats SET person_id = @person_id, taken = true WHERE id = @id AND NOT taken;

-- name: UpsertPartial :exec
-- want: seats upsert-blind
INSERT INTO seats (id, person_id, taken, row) VALUES (@id, @person_id, true, @row)
ON CONFLICT (person_id) WHERE taken DO UPDATE SET row = EXCLUDED.row;

-- name: UpsertInCTE :one
-- want: prices upsert-blind
WITH put AS (INSERT INTO prices (sku, cents) VALUES (@sku, @cents) ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents RETURNING *)
SELECT * FROM put;

-- The rows of the conflict are those that a SELECT of the statement read.

-- name: PutLocked :execrows
-- want: prices upsert-conditional lock
WITH held AS (SELECT sku, region FROM prices WHERE sku = @sku AND version = @version FOR UPDATE)
INSERT INTO prices (sku, region, cents, version) SELECT sku, region, @cents, 1 FROM held
ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents;

-- name: PutUnlocked :execrows
-- want: prices upsert-blind
WITH seen AS (SELECT sku, region FROM prices WHERE sku = @sku AND version = @version)
INSERT INTO prices (sku, region, cents, version) SELECT sku, region, @cents, 1 FROM seen
ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents;

-- name: PutBesideLocked :execrows
-- want: prices upsert-blind
WITH held AS (SELECT region FROM prices WHERE sku = @other AND version = @version FOR UPDATE)
INSERT INTO prices (sku, region, cents, version) SELECT @sku, region, @cents, 1 FROM held
ON CONFLICT (sku) DO UPDATE SET cents = EXCLUDED.cents;
