INSERT INTO teams SELECT gen_random_uuid() FROM generate_series(1, 10);
INSERT INTO people (id, team_id, name)
SELECT gen_random_uuid(), t.id, 'Person ' || n FROM teams AS t, generate_series(1, greatest(:rows / 10, 1)) AS n;
ANALYZE;
