-- Returns the transactions that a snapshot of the primary sees, and a position in the WAL behind the commit records
-- of all of them: it is read after the snapshot was taken. A standby that has replayed the position sees them too.
--
-- Not the flushed position: a transaction that does not wait for its flush (synchronous_commit = off) is seen before.
-- After a crash, the ids of what was not flushed are given out once more: see GetStreamHorizon.
-- name: GetPrimaryState :one
SELECT
    pg_current_wal_insert_lsn()::text AS position,
    pg_current_snapshot()::text AS snapshot,
    coalesce(extract(EPOCH FROM pg_stat_get_bgwriter_stat_reset_time()), 0)::text AS recovery;

-- Returns the history that the server writes now, as it is for all of a connection's life; '' if it has not begun.
-- name: GetCurrentHistory :one
SELECT coalesce(current_event_history(), '')::text AS history;

-- Returns how far a standby has come. The next statement has a later snapshot, which sees at least that. Follows says
-- that it replays what this history writes: the positions of others are not comparable.
-- name: GetReplayed :one
SELECT
    pg_is_in_recovery() AS is_standby,
    coalesce(pg_last_wal_replay_lsn(), '0/0')::text AS position,
    EXISTS (SELECT FROM event_histories AS h WHERE h.id = @history::text) AS follows;

-- Returns how far a standby has come at most, for the statement before it, and which transactions that statement may
-- have seen that an earlier snapshot of the primary did not: those running there, and newer ones. The primary shows
-- a transaction later than its commit record says, namely when the standbys have confirmed it.
--
-- A standby's own snapshot does not list the running transactions. Only those below its end have a status there.
-- name: GetReplayedAhead :one
WITH snapshot AS MATERIALIZED (
    SELECT @next_xid::bigint AS primary_xid, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_xid
), candidates AS MATERIALIZED (
    SELECT unnest(@running_xids::bigint[]) AS xid
    UNION ALL
    SELECT generate_series(s.primary_xid, s.next_xid - 1)
    FROM snapshot AS s
    WHERE s.next_xid - s.primary_xid <= @max_newer::bigint
)
SELECT
    pg_is_in_recovery() AS is_standby,
    coalesce(pg_last_wal_replay_lsn(), '0/0')::text AS position,
    (SELECT s.next_xid - s.primary_xid > @max_newer::bigint FROM snapshot AS s)::boolean AS too_many,
    ARRAY(
        SELECT c.xid
        FROM snapshot AS s
        CROSS JOIN candidates AS c
        WHERE CASE WHEN c.xid < s.next_xid THEN pg_xact_status(c.xid::text::xid8) = 'committed' ELSE false END
    )::bigint[] AS seen_xids;
