-- Rows that were written by this transaction id or later.
SELECT (SELECT count(*) FROM appointments WHERE tenant_id = $1 AND xmin::text::bigint >= $2)
    + (SELECT count(*) FROM patients WHERE tenant_id = $1 AND xmin::text::bigint >= $2)
    + (SELECT count(*) FROM patient_facilities WHERE tenant_id = $1 AND xmin::text::bigint >= $2)
    + (SELECT count(*) FROM phi_reads WHERE tenant_id = $1 AND xmin::text::bigint >= $2)
