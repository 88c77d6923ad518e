-- What "waybill migrate check" allows in migrations that are merged, and so cannot say it themselves.
-- Each waiver names its rule, the object, its last day, and why.

-- gate:allow foreign-key-without-index pickups_account_fkey until 2028-06-30: accounts and their keys are never
-- deleted, nobody has the grant, and bookings would pay for an index that no query reads (00024).

-- gate:allow foreign-key-without-index ledger_entries_pickup_fkey until 2028-06-30: pickups are never deleted, nobody
-- has the grant, and each booking and cancel would pay for an index that no query reads (00024).

-- gate:allow private-without-row-security driver_slots until 2028-06-30: its rows hold ids of a driver and a pickup
-- alone, and the pickup shows its patient only under the policies of patients.

-- gate:allow table-without-tenant login_attempts until 2028-06-30: the key is a digest of what a login named, before
-- any tenant is known, and also where no such tenant exists.

-- gate:allow table-without-tenant login_buckets until 2028-06-30: the buckets limit logins by their address, whichever
-- tenant they name.

-- gate:allow foreign-key-without-index patient_facilities_facility_fkey until 2028-06-30: facilities are never deleted,
-- nobody has the grant, and the index of those that a patient allows (00041) serves every read.

-- gate:allow table-without-tenant backfills until 2028-06-30: a row names a table whose rows are filled in batches,
-- those of all tenants.
