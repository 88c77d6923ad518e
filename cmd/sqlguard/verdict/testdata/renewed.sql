CREATE TABLE vouchers (
    id bigint PRIMARY KEY, code text NOT NULL, redeemed_by bigint, redeemed_at timestamptz, state text NOT NULL,
    holder text, held_until timestamptz, uses int NOT NULL DEFAULT 0, cap int, note text, active boolean NOT NULL);

-- A guard that is true again after the write stops nobody.

-- name: RedeemAgain :execrows
-- want: vouchers blind
UPDATE vouchers SET redeemed_at = now(), redeemed_by = @u
WHERE id = @id AND (redeemed_by IS NULL OR redeemed_at < now() OR redeemed_by = @u);

-- name: RedeemAgainMirrored :execrows
-- want: vouchers blind
UPDATE vouchers SET redeemed_at = CURRENT_TIMESTAMP, redeemed_by = @u WHERE id = @id AND NOT (now() <= redeemed_at);

-- name: Redeem :execrows
-- want: vouchers conditional cas
UPDATE vouchers SET redeemed_at = now(), redeemed_by = @u WHERE id = @id AND redeemed_at IS NULL;

-- name: RedeemByOne :execrows
-- want: vouchers conditional cas
UPDATE vouchers SET redeemed_at = now(), redeemed_by = @u WHERE id = @id AND (redeemed_by IS NULL OR redeemed_by = @u);

-- name: NoteActive :execrows
-- want: vouchers blind
UPDATE vouchers SET note = @note, active = true WHERE id = @id AND active;

-- The lease ends in the future: whoever comes before that finds it false.

-- name: Hold :execrows
-- want: vouchers conditional cas
UPDATE vouchers SET holder = @holder, held_until = now() + @lease::interval
WHERE id = @id AND (holder IS NULL OR held_until < now() OR holder = @holder);

-- name: Beat :execrows
-- want: vouchers conditional cas
UPDATE vouchers SET held_until = now() + interval '1 minute' WHERE id = @id AND holder = @holder AND held_until > now();

-- Others make it false.

-- name: NoteExpired :execrows
-- want: vouchers conditional cas
UPDATE vouchers SET note = @note, held_until = now() WHERE id = @id AND held_until IS NOT NULL AND held_until < now();

-- name: Take :execrows
-- want: vouchers conditional cas
UPDATE vouchers SET state = 'taken', note = @note WHERE id = @id AND state NOT IN ('gone', 'lost');

-- name: Lose :execrows
-- want: vouchers conditional cas
UPDATE vouchers SET state = 'lost' WHERE id = @id AND state <> ALL (ARRAY['gone', 'lost']);

-- A row without a cap has none for good: nobody sets it.

-- name: Use :execrows
-- want: vouchers conditional cas
UPDATE vouchers SET uses = uses + 1 WHERE id = @id AND (cap IS NULL OR uses < cap);

-- name: UseUnlessTold :execrows
-- want: vouchers relative
UPDATE vouchers SET uses = uses + 1 WHERE id = @id AND (cap = @cap OR uses < cap);

-- name: UpsertAgain :execrows
-- want: vouchers upsert-blind
INSERT INTO vouchers (id, code, note, redeemed_at) VALUES (@id, @code, @note, now())
ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note, redeemed_at = now() WHERE vouchers.redeemed_at <= now();
