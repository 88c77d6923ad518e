-- What each migration's file was when it was applied, so that "migrate status" finds one that
-- was changed since, and which programs may serve a schema newer than themselves.
-- +waybill compatible_from: 00039

-- +goose Up
CREATE TABLE migration_files (
    version         bigint      NOT NULL,
    name            text        NOT NULL,
    checksum        bytea       NOT NULL, -- SHA-256 of the file
    -- The newest migration of the oldest program that may serve with this one applied. No older
    -- program than one that has it may, where it is NULL.
    compatible_from bigint,
    -- Recorded after it was applied, with the file as it was found then.
    found           boolean     NOT NULL DEFAULT false,
    begun_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_at      timestamptz,          -- NULL: begun, and not finished
    CONSTRAINT migration_files_pkey PRIMARY KEY (version),
    CONSTRAINT migration_files_checksum_check CHECK (octet_length(checksum) = 32),
    CONSTRAINT migration_files_compatible_check CHECK (compatible_from <= version)
);

-- serve asks whether it may serve a newer schema.
GRANT SELECT ON migration_files TO waybill_app;

-- +goose Down
DROP TABLE migration_files;
