-- name: CreateOrder :one
INSERT INTO orders (customer_id, total_cents) VALUES (@customer_id, @total_cents) RETURNING *;

-- name: ListOrders :many
SELECT * FROM orders WHERE customer_id = @customer_id AND id > @after ORDER BY id LIMIT @max_rows::int;
