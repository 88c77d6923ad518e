-- Backfills: rows that a migration leaves to the workers, who fill them in batch by batch beside the
-- requests.
-- +waybill compatible_from: 00039

-- +goose Up
CREATE TABLE backfills (
    name        text        NOT NULL, -- of the statement in sql/backfills
    table_name  text        NOT NULL,
    state       text        NOT NULL DEFAULT 'RUNNING',
    position    jsonb,                -- where the last batch ended; NULL before the first
    batches     bigint      NOT NULL DEFAULT 0,
    rows_done   bigint      NOT NULL DEFAULT 0,
    held        text        NOT NULL DEFAULT '', -- why no batch runs at present
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT backfills_pkey PRIMARY KEY (name),
    CONSTRAINT backfills_state_check CHECK (state IN ('RUNNING', 'STOPPED', 'DONE')),
    CONSTRAINT backfills_finished_check CHECK ((state = 'DONE') = (finished_at IS NOT NULL))
);

-- Migrations declare them; workers and operators move them on.
GRANT SELECT ON backfills TO waybill_app;
GRANT UPDATE (state, position, batches, rows_done, held, updated_at, finished_at) ON backfills TO waybill_app;

-- +goose Down
DROP TABLE backfills;
