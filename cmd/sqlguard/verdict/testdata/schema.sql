CREATE TABLE slots (
    id bigint PRIMARY KEY, starts int NOT NULL, ends int NOT NULL, holder text,
    length int GENERATED ALWAYS AS (ends - starts) STORED, free boolean GENERATED ALWAYS AS (holder IS NULL) STORED,
    revision int NOT NULL DEFAULT 1, email text NOT NULL, note text, updated_at timestamptz
);
CREATE UNIQUE INDEX slots_email ON slots (lower(email));
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER bump BEFORE UPDATE ON slots FOR EACH ROW EXECUTE FUNCTION bump();
CREATE VIEW open_slots AS SELECT id, starts, holder AS who FROM slots WHERE holder IS NULL;
CREATE VIEW all_slots AS SELECT * FROM slots;
CREATE VIEW later_slots (slot, tries) AS SELECT s.id, s.revision FROM slots s;
CREATE VIEW early AS SELECT o.id AS slot, o.who AS whose FROM open_slots o WHERE o.starts < 9;

CREATE FUNCTION take(slot bigint, who text) RETURNS void LANGUAGE sql AS $$
    UPDATE slots SET holder = who WHERE id = slot AND holder IS NULL
$$;
CREATE FUNCTION grab(slot bigint, who text) RETURNS void LANGUAGE sql BEGIN ATOMIC
    UPDATE slots SET holder = who WHERE id = slot;
END;
CREATE FUNCTION grab_slowly(slot bigint, who text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE old text;
BEGIN
    SELECT holder INTO old FROM slots WHERE id = slot;
    IF old IS NOT NULL THEN RETURN false; END IF;
    UPDATE slots SET holder = who WHERE id = slot;
    RETURN true;
END $$;
CREATE FUNCTION by_name(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('UPDATE %I SET note = NULL', name); END $$;
CREATE FUNCTION outer_take(slot bigint) RETURNS void LANGUAGE sql AS $$ SELECT take(slot, 'x') $$;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2 $$;
CREATE FUNCTION elsewhere(n int) RETURNS int LANGUAGE c AS 'lib', 'f';

-- name: Lengthen :execrows
-- want: slots conditional cas
UPDATE slots SET ends = @ends WHERE id = @id AND length = @length;

-- name: TakeFree :execrows
-- want: slots conditional cas
UPDATE slots SET holder = @holder WHERE id = @id AND free;

-- name: NoteFree :execrows
-- want: slots conditional liveness
UPDATE slots SET note = @note WHERE id = @id AND free;

-- name: TriggerVersion :execrows
-- want: slots conditional cas
UPDATE slots SET note = @note WHERE id = @id AND revision = @revision;

-- name: ByEmail :exec
-- want: slots blind
UPDATE slots SET note = @note WHERE lower(email) = lower(@email);

-- name: ThroughView :execrows
-- want: slots blind
UPDATE all_slots SET note = @note WHERE id = @id;

-- name: ThroughViewGuarded :execrows
-- want: slots conditional cas
UPDATE all_slots AS s SET holder = @holder WHERE s.id = @id AND s.holder IS NULL;

-- name: CallTake :exec
-- want: slots conditional cas
SELECT take(@slot, @who);

-- name: CallGrab :exec
-- want: slots blind
SELECT grab(@slot, @who);

-- name: CallGrabSlowly :one
-- want: slots blind
SELECT * FROM grab_slowly(@slot, @who);

-- name: CallByName :exec
-- want: by_name opaque
SELECT by_name(@name);

-- name: CallOuter :exec
-- want: slots conditional cas
SELECT outer_take(@slot);

-- name: CallTwice :one
SELECT twice(@n);

-- name: CallElsewhere :one
-- want: elsewhere opaque
SELECT elsewhere(@n);

-- name: Unknown :exec
-- want: nowhere blind
UPDATE nowhere SET a = @a WHERE id = @id;

-- name: UnknownGuarded :exec
-- want: nowhere conditional cas
UPDATE nowhere SET a = @a WHERE id = @id AND a = @old;

-- name: ThroughViewRenamed :execrows
-- want: slots conditional cas
UPDATE open_slots SET who = @who WHERE id = @id AND who IS NULL;

-- name: ThroughViewRelative :execrows
-- want: slots relative
UPDATE later_slots SET tries = tries + 1 WHERE slot = @slot;

-- The view's own condition is tested on the row, as if the query had it.

-- name: ThroughViewCondition :execrows
-- want: slots conditional liveness
UPDATE open_slots SET starts = @starts WHERE id = @id;

-- name: ThroughViewOfView :execrows
-- want: slots conditional cas
UPDATE early AS e SET whose = @whose WHERE e.slot = @slot;

-- name: ThroughViewDelete :execrows
-- want: slots delete-conditional cas
DELETE FROM early WHERE slot = @slot;

-- name: ThroughViewUpsert :execrows
-- want: slots upsert-blind
INSERT INTO later_slots (slot, tries) VALUES (@slot, @tries) ON CONFLICT (slot) DO UPDATE SET tries = EXCLUDED.tries;

-- name: ThroughViewUpsertGuarded :execrows
-- want: slots upsert-conditional cas
INSERT INTO later_slots (slot, tries) VALUES (@slot, @tries) ON CONFLICT (slot) DO UPDATE SET tries = EXCLUDED.tries
WHERE later_slots.tries < EXCLUDED.tries;
