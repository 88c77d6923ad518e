-- The jobs that are stuck: the text of one of a hundred submits was given up.
INSERT INTO river_job (kind, queue, args, state, attempt, created_at, finalized_at)
SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', e.tenant_id, 'message_id', e.id), 'discarded', 25,
    e.created_at, e.created_at
FROM pickup_events AS e
WHERE e.transition = 'submit' AND e.seq % 100 = 0
