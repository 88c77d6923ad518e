-- What the other files take from the caller, until the end of the transaction.
SELECT set_config('scale.pickups', $1::bigint::text, true), set_config('scale.facilities', $2::bigint::text, true)
