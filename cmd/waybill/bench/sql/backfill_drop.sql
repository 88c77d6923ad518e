DROP TABLE IF EXISTS bench_things;
