-- +goose Up
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT customers_pkey PRIMARY KEY,
    email text NOT NULL CONSTRAINT customers_email_key UNIQUE
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT orders_pkey PRIMARY KEY,
    customer_id bigint NOT NULL CONSTRAINT orders_customer_fkey REFERENCES customers,
    total_cents bigint NOT NULL CONSTRAINT orders_total_check CHECK (total_cents >= 0),
    note text
);
CREATE INDEX orders_customer_idx ON orders (customer_id, id);
-- +goose Down
DROP TABLE orders;
DROP TABLE customers;
