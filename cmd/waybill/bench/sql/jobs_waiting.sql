SELECT count(*)
FROM river_job
WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled') AND queue = $1;
