-- Appointments of one facility, one after another from $3 on, $5 seconds apart and
-- half an hour long, the patients in turn; $4 of them, their ids after $6.
INSERT INTO appointments (tenant_id, facility_id, patient_id, external_id, starts_at, ends_at, status)
SELECT
    p.tenant_id, p.facility_id, p.id, $6::text || n,
    $3::timestamptz + n * make_interval(secs => $5::float8),
    $3::timestamptz + n * make_interval(secs => $5::float8) + interval '30 minutes',
    'BOOKED'
FROM generate_series(0, $4::int - 1) AS n
JOIN patients AS p
    ON p.tenant_id = $1::uuid AND p.facility_id = $2::uuid AND p.external_id = 'p' || n % 10000
