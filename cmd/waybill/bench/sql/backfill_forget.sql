DELETE FROM backfills WHERE name = 'bench_adds_one';
