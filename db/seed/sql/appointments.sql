-- Appointments of one facility, one after another from $4 on, $5 seconds apart and half an hour
-- long, each with one of its first $3 patients in turn; $6 of them, whose ids follow $7.
INSERT INTO appointments (tenant_id, facility_id, patient_id, external_id, starts_at, ends_at, status)
SELECT
    p.tenant_id, p.facility_id, p.id, $7::text || n,
    $4::timestamptz + n * make_interval(secs => $5::float8),
    $4::timestamptz + n * make_interval(secs => $5::float8) + interval '30 minutes',
    'BOOKED'
FROM generate_series(0, $6::int - 1) AS n
JOIN patients AS p
    ON p.tenant_id = $1::uuid AND p.facility_id = $2::uuid AND p.external_id = 'p' || n % $3::int
