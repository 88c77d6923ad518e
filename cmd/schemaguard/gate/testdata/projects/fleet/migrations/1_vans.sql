-- +goose Up
CREATE TABLE vans (id int PRIMARY KEY, plate text, note text);
CREATE UNIQUE INDEX vans_plate_key ON vans (plate);
-- +goose Down
DROP TABLE vans;
