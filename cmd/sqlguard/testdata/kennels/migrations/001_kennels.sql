-- A boarding house for dogs, with mistakes on purpose.

-- +goose Up
CREATE TABLE kennels (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shelter_id     bigint NOT NULL,
    label          text   NOT NULL UNIQUE,
    status         text   NOT NULL DEFAULT 'free',
    reserved_by    text,
    reserved_until timestamptz,
    visits         integer NOT NULL DEFAULT 0
);

CREATE TABLE dogs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shelter_id bigint  NOT NULL,
    chip       text    NOT NULL UNIQUE,
    kennel_id  bigint  REFERENCES kennels,
    name       text    NOT NULL,
    weight     integer NOT NULL,
    version    integer NOT NULL DEFAULT 1,
    deleted_at timestamptz,
    UNIQUE (shelter_id, name)
);

CREATE TABLE feeds (
    shelter_id bigint NOT NULL,
    name       text   NOT NULL,
    as_of      timestamptz NOT NULL,
    PRIMARY KEY (shelter_id, name)
);

-- +goose Down
DROP TABLE feeds;
DROP TABLE dogs;
DROP TABLE kennels;
