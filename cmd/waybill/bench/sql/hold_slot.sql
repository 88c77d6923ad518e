SELECT FROM driver_slots WHERE tenant_id = $1 AND driver_id = $2 FOR UPDATE
