-- Who and what there is in tenant 0 to look at.
SELECT
    t.id, t.slug,
    (SELECT array_agg(u.id ORDER BY u.id) FROM (SELECT id FROM users WHERE tenant_id = t.id ORDER BY id LIMIT 8) AS u),
    (SELECT array_agg(f.id ORDER BY f.id) FROM (SELECT id FROM facilities WHERE tenant_id = t.id ORDER BY id LIMIT 3)
        AS f),
    (SELECT array_agg(a.id ORDER BY a.id) FROM (SELECT id FROM accounts WHERE tenant_id = t.id ORDER BY id LIMIT 3)
        AS a),
    (SELECT array_agg(g.id ORDER BY g.id) FROM (SELECT id FROM groups WHERE tenant_id = t.id ORDER BY id LIMIT 3) AS g),
    (SELECT d.id FROM drivers AS d JOIN users AS u ON u.tenant_id = d.tenant_id AND u.id = d.user_id
        WHERE d.tenant_id = t.id),
    (SELECT p.id FROM patients AS p WHERE p.tenant_id = t.id AND p.external_id = 'p0'
        AND p.facility_id = (SELECT id FROM facilities WHERE tenant_id = t.id ORDER BY id LIMIT 1)),
    (SELECT array_agg(p.id ORDER BY p.created_at) FROM pickups AS p WHERE p.tenant_id = t.id
        AND p.facility_id = (SELECT id FROM facilities WHERE tenant_id = t.id ORDER BY id LIMIT 1))
FROM tenants AS t
WHERE t.slug = 'scale-0'
