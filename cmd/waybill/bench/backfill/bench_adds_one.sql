-- Fills in a column. It is relative: a row that is done twice has 2.
WITH batch AS MATERIALIZED (
    SELECT t.id
    FROM bench_things AS t
    WHERE $1::jsonb IS NULL OR t.id > ($1 ->> 0)::bigint
    ORDER BY t.id
    LIMIT $2::int
    FOR NO KEY UPDATE OF t
), filled AS (
    UPDATE bench_things AS t
    SET times = t.times + 1
    FROM batch AS b
    WHERE t.id = b.id
    RETURNING t.id
)
SELECT
    (SELECT jsonb_build_array(b.id) FROM batch AS b ORDER BY b.id DESC LIMIT 1),
    (SELECT count(*) FROM filled);
