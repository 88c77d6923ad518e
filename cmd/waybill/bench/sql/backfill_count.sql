SELECT count(*) FILTER (WHERE times = 1), count(*) FROM bench_things;
