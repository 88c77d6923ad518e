-- The money of a pickup after it was submitted: another price, and refunds of a part of the charge.
-- +waybill compatible_from: 00048

-- +goose NO TRANSACTION
-- +goose Up
-- The dictionary of what may be done in which status. The application may only read it.
CREATE TABLE IF NOT EXISTS pickup_adjustment_rules (
    -- reprice: another price, of which the difference is charged or refunded; refund: a part of the charge.
    adjustment text            NOT NULL,
    statuses   pickup_status[] NOT NULL,
    CONSTRAINT pickup_adjustment_rules_pkey PRIMARY KEY (adjustment),
    CONSTRAINT pickup_adjustment_rules_adjustment_check CHECK (adjustment IN ('reprice', 'refund'))
);
INSERT INTO pickup_adjustment_rules (adjustment, statuses) VALUES
    ('reprice', '{SUBMITTED,ASSIGNED,COLLECTED,RECEIVED,PACKED,SHIPPED}'),
    ('refund',  '{SUBMITTED,ASSIGNED,COLLECTED,RECEIVED,PACKED,SHIPPED,DELIVERED}')
ON CONFLICT (adjustment) DO NOTHING;
GRANT SELECT ON pickup_adjustment_rules TO waybill_app;

-- Who changed what a pickup is charged, and when: append only.
CREATE TABLE IF NOT EXISTS pickup_adjustments (
    tenant_id       uuid        NOT NULL,
    pickup_id       uuid        NOT NULL,
    -- The pickup's version after it.
    version         bigint      NOT NULL,
    adjustment      text        NOT NULL,
    -- What it did to the balance of the account.
    delta_cents     bigint      NOT NULL,
    price_cents     bigint      NOT NULL,
    -- From the session of the same statement; users are never deleted.
    actor_id        uuid        NOT NULL,
    idempotency_key text,
    request_digest  bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pickup_adjustments_pkey PRIMARY KEY (tenant_id, pickup_id, version),
    CONSTRAINT pickup_adjustments_adjustment_check CHECK (adjustment IN ('reprice', 'refund')),
    CONSTRAINT pickup_adjustments_pickup_fkey FOREIGN KEY (tenant_id, pickup_id) REFERENCES pickups,
    CONSTRAINT pickup_adjustments_idempotency_key_check CHECK (char_length(idempotency_key) BETWEEN 1 AND 200)
);
COMMENT ON TABLE pickup_adjustments IS 'A change of what a pickup is charged, after it was submitted';
-- Closes: a late duplicate adjusts a pickup again.
CREATE UNIQUE INDEX IF NOT EXISTS pickup_adjustments_idempotency_key
    ON pickup_adjustments (tenant_id, pickup_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- As in 00028: no value of a refused row in the server's log.
DROP POLICY IF EXISTS no_values_in_logs ON pickup_adjustments;
CREATE POLICY no_values_in_logs ON pickup_adjustments TO waybill_app USING (true) WITH CHECK (true);
ALTER TABLE pickup_adjustments ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON pickup_adjustments TO waybill_app;

-- A part may be refunded before the rest is, by a cancel.
-- gate:allow guard-dropped pickups_charged_check until 2027-06-30: the check of the same name takes its place in the
-- same statement; it says the same of every pickup of which no part was refunded, and no former server refunds a part.
-- gate:allow guard-dropped pickups_refunded_check until 2027-06-30: likewise, its successor comes in the same statement
-- and differs for pickups alone of which a part was refunded, which no former server does.
ALTER TABLE pickups
    DROP CONSTRAINT IF EXISTS pickups_charged_check,
    ADD CONSTRAINT pickups_charged_check CHECK (
        charged_cents = CASE WHEN status IN ('DRAFT', 'CANCELED') THEN 0 ELSE price_cents - refunded_cents END)
        NOT VALID,
    DROP CONSTRAINT IF EXISTS pickups_refunded_check,
    ADD CONSTRAINT pickups_refunded_check CHECK (
        refunded_cents BETWEEN 0 AND price_cents
        AND (refunded_cents = 0 OR status <> 'DRAFT')
        AND (refunded_cents IN (0, price_cents) OR status <> 'CANCELED'))
        NOT VALID;
ALTER TABLE pickups VALIDATE CONSTRAINT pickups_charged_check;
ALTER TABLE pickups VALIDATE CONSTRAINT pickups_refunded_check;

-- +goose Down
-- It stops where a part of a charge was refunded: the former version knows no such pickup.
ALTER TABLE pickups
    DROP CONSTRAINT IF EXISTS pickups_charged_check,
    ADD CONSTRAINT pickups_charged_check CHECK (
        charged_cents = CASE WHEN status IN ('DRAFT', 'CANCELED') THEN 0 ELSE price_cents END) NOT VALID,
    DROP CONSTRAINT IF EXISTS pickups_refunded_check,
    ADD CONSTRAINT pickups_refunded_check CHECK (
        refunded_cents = 0 OR (status = 'CANCELED' AND refunded_cents = price_cents)) NOT VALID;
ALTER TABLE pickups VALIDATE CONSTRAINT pickups_charged_check;
ALTER TABLE pickups VALIDATE CONSTRAINT pickups_refunded_check;
DROP TABLE IF EXISTS pickup_adjustments;
DROP TABLE IF EXISTS pickup_adjustment_rules;
