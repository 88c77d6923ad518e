-- Creates a tenant with its flags, both at their initial setting. Only the owner may run it: the
-- application's role may not create tenants.
-- Closes: two operators take one slug
-- name: CreateTenant :one
WITH tenant AS (
    INSERT INTO tenants (id, slug, name)
    VALUES (@id::uuid, @slug::text, @name::text)
    RETURNING *
), switches AS (
    INSERT INTO flags (tenant_id, name, enabled)
    SELECT tenant.id, switch.name, switch.enabled
    FROM tenant, (VALUES ('pickup_texts', true), ('auto_dispatch', false)) AS switch (name, enabled)
)
SELECT sqlc.embed(tenants) FROM tenant AS tenants;

-- name: GetTenantBySlug :one
SELECT * FROM tenants WHERE slug = @slug;

-- Lists all tenants, for an operator's command.
-- name: ListTenants :many
SELECT id, slug
FROM tenants
WHERE slug > @after_slug
ORDER BY slug
LIMIT @max_rows::int;
