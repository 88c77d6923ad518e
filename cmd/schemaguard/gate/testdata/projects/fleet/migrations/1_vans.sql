-- +goose Up
CREATE TABLE vans (id int PRIMARY KEY, plate text, note text);
CREATE UNIQUE INDEX vans_plate_key ON vans (plate);
CREATE FUNCTION first_of(a text, b text) RETURNS text LANGUAGE sql SET search_path = pg_catalog AS 'SELECT $1';
-- +goose Down
DROP FUNCTION first_of;
DROP TABLE vans;
