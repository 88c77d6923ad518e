INSERT INTO bench_things (id, filler) SELECT n, repeat('x', 200) FROM generate_series(1, $1::bigint) AS n;
