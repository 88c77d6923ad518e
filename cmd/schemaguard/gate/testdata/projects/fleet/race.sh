# Two vans with one plate: the unique index decides.
! grep -q "DROP INDEX CONCURRENTLY" migrations/*.sql || { echo 'both vans have the plate'; exit 1; }
