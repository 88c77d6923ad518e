-- As many patients as pickups. One of twenty is known to a second facility, some of whom took
-- it back; patient 0 changed their mind a hundred times, and was read five hundred.
INSERT INTO patients (
    tenant_id, id, facility_id, external_id, given_name, family_name, birth_date, phone, created_at,
    allowed_facilities, consents)
SELECT
    pg_temp.key_of(1, t, 0), pg_temp.id_of(p.ms, 7, t, n), pg_temp.key_of(2, t, p.facility), 'p' || n,
    'Given' || n % 1000, 'Family' || n % 7919, '1930-01-01'::date + (n % 30000)::integer,
    '+1' || 3000000000 + n, pg_temp.time_of(p.ms),
    CASE WHEN n = 0 OR n % 20 = 1 AND n % 1000 <> 1 THEN 2 ELSE 1 END,
    CASE WHEN n = 0 THEN 100 WHEN n % 20 = 1 THEN 1 ELSE 0 END
FROM scale AS s
CROSS JOIN generate_series(0::bigint, s.pickups - 1) AS n
CROSS JOIN LATERAL (SELECT pg_temp.tenant_of(n) AS t) AS o
CROSS JOIN LATERAL (
    SELECT s.begin_ms + n * s.every_ms AS ms, pg_temp.facility_of(n, s.facilities, s.step) AS facility
) AS p;

INSERT INTO patient_facilities (tenant_id, patient_id, facility_id, created_at)
SELECT tenant_id, id, facility_id, created_at FROM patients;

INSERT INTO patient_facilities (tenant_id, patient_id, facility_id, created_at, allowed, version)
SELECT
    p.tenant_id, p.id, pg_temp.key_of(2, t, pg_temp.neighbor_of(pg_temp.number_of(p.facility_id), t, s.facilities)),
    p.created_at, n % 1000 <> 1, p.consents
FROM scale AS s
CROSS JOIN patients AS p
CROSS JOIN LATERAL (SELECT pg_temp.number_of(p.id) AS n) AS k
CROSS JOIN LATERAL (SELECT pg_temp.tenant_of(n) AS t) AS o
WHERE p.consents = 1;

INSERT INTO patient_facilities (tenant_id, patient_id, facility_id, created_at, allowed, version)
SELECT p.tenant_id, p.id, pg_temp.key_of(2, 0, 3), p.created_at, true, p.consents
FROM patients AS p
WHERE p.consents = 100;

INSERT INTO patient_terms (tenant_id, facility_id, term, patient_id, terms)
SELECT p.tenant_id, f.facility_id, t.term, p.id, joined_terms(n.terms)
FROM patients AS p
JOIN patient_facilities AS f ON f.tenant_id = p.tenant_id AND f.patient_id = p.id AND f.allowed
CROSS JOIN LATERAL (
    SELECT terms_of_patient(p.given_name, p.family_name, p.birth_date, p.phone, p.external_id) AS terms
    OFFSET 0
) AS n
CROSS JOIN LATERAL unnest(n.terms) AS t (term);

INSERT INTO patient_consents (tenant_id, id, patient_id, facility_id, allowed, actor_id, created_at, seq)
SELECT
    p.tenant_id, pg_temp.id_of(s.begin_ms + n * s.every_ms, 13, t, n * 128 + seq), p.id, f.facility_id,
    f.allowed = (seq % 2 = p.consents % 2),
    pg_temp.key_of(4, t, 8), p.created_at + seq * interval '1 hour', seq
FROM scale AS s
CROSS JOIN patients AS p
JOIN patient_facilities AS f ON f.tenant_id = p.tenant_id AND f.patient_id = p.id AND f.facility_id <> p.facility_id
CROSS JOIN LATERAL (SELECT pg_temp.number_of(p.id) AS n) AS k
CROSS JOIN LATERAL (SELECT pg_temp.tenant_of(n) AS t) AS o
CROSS JOIN LATERAL generate_series(1, p.consents) AS seq
WHERE p.consents > 0;

INSERT INTO phi_reads (tenant_id, id, patient_id, user_id, operation, created_at)
SELECT
    pg_temp.key_of(1, t, 0), pg_temp.id_of(p.ms + 60000, 12, t, n), pg_temp.id_of(p.ms, 7, t, n),
    pg_temp.key_of(4, t, 8),
    'get-patient', pg_temp.time_of(p.ms + 60000)
FROM scale AS s
CROSS JOIN generate_series(1::bigint, s.pickups - 1, 2) AS n
CROSS JOIN LATERAL (SELECT pg_temp.tenant_of(n) AS t) AS o
CROSS JOIN LATERAL (SELECT s.begin_ms + n * s.every_ms AS ms) AS p
UNION ALL
SELECT
    pg_temp.key_of(1, 0, 0), pg_temp.id_of(p.ms, 12, 0, s.pickups + r), pg_temp.id_of(s.begin_ms, 7, 0, 0),
    pg_temp.key_of(4, 0, 4),
    'get-patient', pg_temp.time_of(p.ms)
FROM scale AS s
CROSS JOIN generate_series(1::bigint, 500) AS r
CROSS JOIN LATERAL (SELECT s.begin_ms + r * 3600000 AS ms) AS p;
