-- Before the measuring, what was prepared is known to the planner, and its dead rows
-- are gone: neither side pays for it.
VACUUM (ANALYZE) pickups, pickup_events, ledger_entries, accounts, messages, river_job, driver_slots, sessions;
