-- Failed logins are counted by who tries as well as by whom they try: a guess from one
-- address does not keep the user out who comes from another.

-- +goose Up
-- Keys are digests of what was submitted, whether or not there is such a tenant or user: the
-- statements never look at one, so that nobody learns from them who exists.

-- The tries of one user from one source address, or those of the old password in one session.
CREATE TABLE login_attempts (
    key        bytea       NOT NULL,
    failures   integer     NOT NULL DEFAULT 0,
    next_at    timestamptz NOT NULL DEFAULT 'epoch',
    -- Whether the user has logged in from there: what others guess does not keep them out.
    known      boolean     NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL,
    CONSTRAINT login_attempts_pkey PRIMARY KEY (key),
    CONSTRAINT login_attempts_key_check CHECK (octet_length(key) = 32)
);

CREATE INDEX login_attempts_expires_idx ON login_attempts (expires_at);

-- Token buckets, one for a source address and one for a user: the tries from there of users
-- who are not known there, and those of the user from wherever they are not known.
CREATE TABLE login_buckets (
    key     bytea       NOT NULL,
    full_at timestamptz NOT NULL, -- a bucket that is full again is like none
    CONSTRAINT login_buckets_pkey PRIMARY KEY (key),
    CONSTRAINT login_buckets_key_check CHECK (octet_length(key) = 32)
);

CREATE INDEX login_buckets_full_idx ON login_buckets (full_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON login_attempts, login_buckets TO waybill_app;

-- users.failed_logins and next_login_at are read by nobody any more, and stay for the processes
-- of the release before, which run beside this one's while it is rolled out.

-- +goose Down
DROP TABLE login_buckets;
DROP TABLE login_attempts;
