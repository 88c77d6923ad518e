CREATE TABLE bench_things (id bigint PRIMARY KEY, times int NOT NULL DEFAULT 0, filler text NOT NULL);
