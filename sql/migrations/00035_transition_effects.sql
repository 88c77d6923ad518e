-- The dictionary says all that a transition does, so that one statement serves them all: what
-- it enters in the ledger, what becomes of the driver's slot, and whether it enqueues the
-- dispatch. Whether the driver stays with the pickup, has_driver says already.

-- +goose Up
ALTER TABLE pickup_transitions
    -- The entry that it makes: a charge of the price, a refund of what was charged; null: none.
    ADD COLUMN money entry_kind,
    -- The driver's slot: take that of the driver named, free that of the pickup's, or keep it.
    ADD COLUMN slot text,
    -- Whether it enqueues the dispatch where the tenant's flag auto_dispatch is on.
    ADD COLUMN auto_dispatch boolean NOT NULL DEFAULT false;

UPDATE pickup_transitions
SET money = CASE transition WHEN 'submit' THEN 'charge'::entry_kind WHEN 'cancel' THEN 'refund' END,
    slot = CASE
        WHEN transition IN ('assign', 'dispatch') THEN 'take'
        WHEN transition IN ('release', 'cancel', 'collect') THEN 'free'
        ELSE 'keep'
    END,
    auto_dispatch = transition = 'submit';

-- The table has ten rows.
ALTER TABLE pickup_transitions
    ALTER COLUMN slot SET NOT NULL,
    ADD CONSTRAINT pickup_transitions_money_check CHECK (money IN ('charge', 'refund')),
    ADD CONSTRAINT pickup_transitions_slot_check CHECK (slot IN ('take', 'free', 'keep') AND (slot <> 'take' OR has_driver));

-- +goose Down
ALTER TABLE pickup_transitions
    DROP COLUMN auto_dispatch,
    DROP COLUMN slot,
    DROP COLUMN money;
