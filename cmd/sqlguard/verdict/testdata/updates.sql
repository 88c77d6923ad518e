CREATE TABLE kennels (
    id bigint PRIMARY KEY,
    tenant_id bigint NOT NULL,
    label text NOT NULL UNIQUE,
    house text NOT NULL,
    position int NOT NULL,
    status text NOT NULL DEFAULT 'free',
    reserved_by bigint,
    reserved_until timestamptz,
    seen_at timestamptz,
    closed_at timestamptz,
    active boolean NOT NULL DEFAULT true,
    note text,
    title text,
    visits int NOT NULL DEFAULT 0,
    price int NOT NULL DEFAULT 0,
    tags text[] NOT NULL DEFAULT '{}',
    data jsonb NOT NULL DEFAULT '{}',
    version int NOT NULL DEFAULT 1,
    kind text NOT NULL,
    UNIQUE (house, position)
);
CREATE TABLE dogs (id bigint PRIMARY KEY, kennel_id bigint REFERENCES kennels, name text, weight int);

-- name: Rename :exec
-- want: kennels blind
UPDATE kennels SET title = @title WHERE id = @id;

-- name: RenamePositional :exec
-- want: kennels blind
UPDATE kennels SET title = $2 WHERE id = $1;

-- name: RenameByMacro :exec
-- want: kennels blind
UPDATE kennels SET title = sqlc.narg('title')::text WHERE label = sqlc.arg(label);

-- name: RenameMany :exec
-- want: kennels blind
UPDATE kennels SET title = @title WHERE id IN (sqlc.slice('ids'));

-- name: Everything :exec
-- want: kennels unbounded
UPDATE kennels SET note = NULL;

-- name: EverythingAlways :exec
-- want: kennels unbounded
UPDATE kennels SET note = NULL WHERE 1 = 1;

-- name: EverythingIfAsked :exec
-- want: kennels unbounded
UPDATE kennels SET note = NULL WHERE @really::boolean;

-- name: EverythingByAnotherTable :exec
-- want: kennels unbounded
UPDATE kennels SET note = NULL WHERE EXISTS (SELECT 1 FROM dogs WHERE dogs.id = @id);

-- name: EverythingNotNull :exec
-- want: kennels unbounded
UPDATE kennels SET note = NULL WHERE id IS NOT NULL;

-- name: ByCorrelatedDogs :exec
-- want: kennels constant
UPDATE kennels SET note = NULL WHERE EXISTS (SELECT 1 FROM dogs WHERE dogs.kennel_id = kennels.id AND dogs.name = @name);

-- name: Visit :exec
-- want: kennels relative
UPDATE kennels SET visits = visits + 1, seen_at = now() WHERE id = @id;

-- name: VisitParamFirst :exec
-- want: kennels relative
UPDATE kennels SET visits = @n + visits WHERE id = @id;

-- name: AppendTag :exec
-- want: kennels relative
UPDATE kennels SET tags = array_append(tags, @tag::text), data = jsonb_set(data, '{a}', @a), note = note || @more WHERE id = @id;

-- name: SubscriptData :exec
-- want: kennels relative
UPDATE kennels SET data['color'] = @color WHERE id = @id;

-- name: Highest :exec
-- want: kennels relative
UPDATE kennels SET visits = GREATEST(visits, @visits) WHERE id = @id;

-- name: WriteOnce :exec
-- want: kennels relative
UPDATE kennels SET note = COALESCE(note, @note) WHERE id = @id;

-- name: Patch :exec
-- want: kennels blind
UPDATE kennels SET note = COALESCE(sqlc.narg('note'), note) WHERE id = @id;

-- name: PatchTrimmed :exec
-- want: kennels blind
UPDATE kennels SET note = trim(COALESCE(sqlc.narg('note'), note)) WHERE id = @id;

-- name: PatchByFlag :exec
-- want: kennels blind
UPDATE kennels SET note = CASE WHEN @set_note::boolean THEN @note ELSE note END WHERE id = @id;

-- name: CaseOnOwnState :exec
-- want: kennels relative
UPDATE kennels SET note = CASE WHEN status = 'free' THEN @note ELSE note END WHERE id = @id;

-- name: CaseOfArg :exec
-- want: kennels relative
UPDATE kennels SET visits = CASE kennels.status WHEN 'free' THEN 0 ELSE visits END WHERE id = @id;

-- name: CaseIncrement :exec
-- want: kennels relative
UPDATE kennels SET visits = CASE WHEN @more::boolean THEN visits + 1 ELSE visits END WHERE id = @id;

-- name: CaseCallerChooses :exec
-- want: kennels blind
UPDATE kennels SET status = CASE WHEN @open::boolean THEN 'free' ELSE 'closed' END WHERE id = @id;

-- name: WholeRow :exec
-- want: kennels relative
UPDATE kennels SET data = to_jsonb(kennels) WHERE id = @id;

-- name: WholeRowAliased :exec
-- want: kennels relative
UPDATE kennels AS k SET data = row_to_json(k.*)::jsonb WHERE k.id = @id;

-- name: SeenNow :exec
-- want: kennels constant
UPDATE kennels SET seen_at = now() WHERE id = @id;

-- name: SeenStamp :exec
-- want: kennels constant
UPDATE kennels SET seen_at = CURRENT_TIMESTAMP WHERE id = @id;

-- name: SeenLater :exec
-- want: kennels constant
UPDATE kennels SET seen_at = clock_timestamp() + interval '1 hour', reserved_until = now() - interval '1 day' WHERE id = @id;

-- name: ReserveFor :exec
-- want: kennels blind
UPDATE kennels SET reserved_until = now() + @lease::interval WHERE id = @id;

-- name: ReserveForSeconds :exec
-- want: kennels blind
UPDATE kennels SET reserved_until = now() + make_interval(secs => @seconds) WHERE id = @id;

-- name: SeenAsTold :exec
-- want: kennels blind
UPDATE kennels SET seen_at = @seen_at WHERE id = @id;

-- name: Close :exec
-- want: kennels constant
UPDATE kennels SET status = 'closed', closed_at = now() WHERE id = @id;

-- name: Toggle :exec
-- want: kennels relative
UPDATE kennels SET active = NOT active WHERE id = @id;

-- name: RandomNote :exec
-- want: kennels blind
UPDATE kennels SET note = gen_random_uuid()::text WHERE id = @id;

-- name: FromOwnColumns :exec
-- want: kennels relative
UPDATE kennels SET title = label || ' in ' || house WHERE id = @id;

-- name: Touch :one
-- want: kennels constant
UPDATE kennels SET id = id WHERE id = @id RETURNING *;

-- name: Reset :exec
-- want: kennels constant
UPDATE kennels SET visits = DEFAULT, note = NULL WHERE id = @id;

-- name: RowAssignment :exec
-- want: kennels blind
UPDATE kennels SET (note, visits) = (@note, visits + 1) WHERE id = @id;

-- name: RowFromSelect :exec
-- want: kennels blind
UPDATE kennels SET (note, title) = (SELECT name, name FROM dogs WHERE dogs.id = @dog_id) WHERE kennels.id = @id;

-- name: OtherAlias :exec
-- want: kennels blind
UPDATE kennels k SET price = o.price + 1 FROM kennels o WHERE o.id = k.id AND k.id = @id;

-- name: SumOfDogs :exec
-- want: kennels blind
UPDATE kennels SET price = (SELECT sum(weight) FROM dogs WHERE dogs.kennel_id = kennels.id) WHERE id = @id;

-- name: FromUnnest :exec
-- want: kennels blind
UPDATE kennels k SET title = v.title FROM unnest(@ids::bigint[], @titles::text[]) AS v (id, title) WHERE k.id = v.id;

-- name: FromUnnestAdd :exec
-- want: kennels relative
UPDATE kennels k SET visits = k.visits + v.n FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@ns::int[]) AS n) AS v WHERE k.id = v.id;

-- name: FromUnnestVersioned :execrows
-- want: kennels conditional cas
UPDATE kennels k SET title = v.title, version = k.version + 1
FROM unnest(@ids::bigint[], @titles::text[], @versions::int[]) AS v (id, title, version)
WHERE k.id = v.id AND k.version = v.version;

-- name: Edit :execrows
-- want: kennels conditional cas
UPDATE kennels SET title = @title, version = version + 1 WHERE id = @id AND version = @version;

-- name: EditFenced :execrows
-- want: kennels conditional fence
UPDATE kennels SET title = @title WHERE id = @id AND version = @version;

-- name: EditLive :execrows
-- want: kennels conditional liveness
UPDATE kennels SET title = @title WHERE id = @id AND closed_at IS NULL;

-- name: EditActive :execrows
-- want: kennels conditional liveness
UPDATE kennels SET title = @title WHERE id = @id AND active;

-- name: EditLeased :execrows
-- want: kennels conditional liveness
UPDATE kennels SET title = @title WHERE id = @id AND reserved_until > now();

-- name: EditHeld :execrows
-- want: kennels conditional fence
UPDATE kennels SET title = @title WHERE id = @id AND reserved_by = @holder AND reserved_until > now();

-- name: EditOfKind :exec
-- want: kennels blind
UPDATE kennels SET title = @title WHERE id = @id AND kind = 'large';

-- name: EditOfTenant :exec
-- want: kennels blind
UPDATE kennels SET title = @title WHERE id = @id AND tenant_id = @tenant_id;

-- name: CloseOfTenant :exec
-- want: kennels constant
UPDATE kennels SET closed_at = now() WHERE tenant_id = @tenant_id;

-- name: Reserve :execrows
-- want: kennels conditional cas
UPDATE kennels SET reserved_by = @by, reserved_until = @until
WHERE id = @id AND (reserved_by IS NULL OR reserved_until < now() OR reserved_by = @by);

-- name: Open :execrows
-- want: kennels conditional cas
UPDATE kennels SET status = 'open' WHERE id = @id AND status = ANY (@before::text[]);

-- name: OpenNot :execrows
-- want: kennels conditional cas
UPDATE kennels SET status = 'open' WHERE id = @id AND status NOT IN ('closed', 'gone');

-- name: Move :execrows
-- want: kennels conditional cas
UPDATE kennels SET position = @to WHERE house = @house AND position = @from;

-- name: Relabel :execrows
-- want: kennels conditional cas
UPDATE kennels SET label = @new WHERE label = @old;

-- name: ByComposite :exec
-- want: kennels blind
UPDATE kennels SET note = @note WHERE house = @house AND position = @position;

-- name: SkipSame :exec
-- want: kennels blind
UPDATE kennels SET title = @title WHERE id = @id AND title IS DISTINCT FROM @title;

-- name: SkipSameSpelled :exec
-- want: kennels blind
UPDATE kennels SET title = @title::text WHERE id = @id AND NOT (title IS NOT DISTINCT FROM @title);

-- name: SkipSameUnequal :exec
-- want: kennels blind
UPDATE kennels SET title = @title WHERE id = @id AND title <> @title;

-- name: SkipSameSeveral :exec
-- want: kennels blind
UPDATE kennels SET title = @title, note = @note WHERE id = @id AND (title IS DISTINCT FROM @title OR note IS DISTINCT FROM @note);

-- name: SkipSameRow :exec
-- want: kennels blind
UPDATE kennels SET title = @title, note = @note WHERE id = @id AND (title, note) IS DISTINCT FROM (@title, @note);

-- name: SkipSamePatch :exec
-- want: kennels blind
UPDATE kennels SET title = COALESCE(@title, title) WHERE id = @id AND title IS DISTINCT FROM COALESCE(@title, title);

-- name: SkipSameUnnest :exec
-- want: kennels blind
UPDATE kennels k SET title = v.title FROM unnest(@ids::bigint[], @titles::text[]) AS v (id, title)
WHERE k.id = v.id AND k.title IS DISTINCT FROM v.title;

-- name: DistinctFromAnother :execrows
-- want: kennels conditional cas
UPDATE kennels SET title = @title WHERE id = @id AND title IS DISTINCT FROM @other;

-- name: SkipClosed :exec
-- want: kennels constant
UPDATE kennels SET status = 'closed' WHERE id = @id AND status IS DISTINCT FROM 'closed';

-- name: Deactivate :execrows
-- want: kennels conditional cas
UPDATE kennels SET active = false WHERE id = @id AND active;

-- name: OptionalVersion :exec
-- want: kennels blind
UPDATE kennels SET title = @title, version = version + 1 WHERE id = @id AND (sqlc.narg('version')::int IS NULL OR version = sqlc.narg('version'));

-- name: OptionalZero :exec
-- want: kennels blind
UPDATE kennels SET title = @title, version = version + 1 WHERE id = @id AND (@version = 0 OR version = @version);

-- name: OptionalCoalesce :exec
-- want: kennels blind
UPDATE kennels SET title = @title, version = version + 1 WHERE id = @id AND version = COALESCE(sqlc.narg('version'), version);

-- name: OptionalCase :exec
-- want: kennels blind
UPDATE kennels SET title = @title, version = version + 1 WHERE id = @id AND CASE WHEN @check::boolean THEN version = @version ELSE true END;

-- name: CaseAlways :execrows
-- want: kennels conditional cas
UPDATE kennels SET title = @title, version = version + 1 WHERE id = @id AND CASE WHEN @exact::boolean THEN version = @version ELSE version < @version END;

-- name: SameVersion :exec
-- want: kennels blind
UPDATE kennels SET title = @title, version = version + 1 WHERE id = @id AND version = version;

-- name: JoinedDictionary :execrows
-- want: kennels conditional cas
UPDATE kennels k SET status = t.after FROM (VALUES ('free', 'taken')) AS t (before, after) WHERE k.id = @id AND k.status = t.before;

-- name: OtherTableOnly :exec
-- want: kennels blind
UPDATE kennels SET title = @title FROM dogs WHERE dogs.kennel_id = kennels.id AND dogs.name = @name AND kennels.id = @id;

-- name: RecordedLater :execrows
-- want: kennels conditional cas
UPDATE kennels SET note = @note, seen_at = @seen_at WHERE id = @id AND COALESCE(seen_at, '-infinity') < @seen_at;

-- name: CursorBlind :exec
-- want: kennels blind
UPDATE kennels SET note = @note WHERE CURRENT OF here;

-- name: AliasedUpper :execrows
-- want: kennels conditional cas
UPDATE KENNELS AS K SET Title = @title, Version = K.Version + 1 WHERE K.ID = @id AND k.version = @version;

-- name: LastWriter :execrows
-- want: kennels conditional cas
UPDATE kennels SET title = @title WHERE id = @id AND xmin = @xmin;

-- name: OnceOnly :execrows
-- want: kennels conditional cas
UPDATE kennels SET closed_at = now() WHERE id = @id AND closed_at IS NULL;

-- name: MakeRoom :execrows
-- want: kennels conditional cas
UPDATE kennels SET position = position + 1 WHERE house = @house AND position >= @position;

-- name: FirstSeen :exec
-- want: kennels relative
UPDATE kennels SET seen_at = COALESCE(seen_at, now()) WHERE id = @id;

-- name: PatchNonEmpty :exec
-- want: kennels blind
UPDATE kennels SET title = COALESCE(NULLIF(@title::text, ''), title) WHERE id = @id;

-- name: LaterOfTwo :exec
-- want: kennels relative
UPDATE kennels SET seen_at = CASE WHEN @seen_at > seen_at THEN @seen_at ELSE seen_at END WHERE id = @id;

-- name: StillReserved :execrows
-- want: kennels conditional liveness
UPDATE kennels SET title = @title WHERE id = @id AND reserved_until > @now;

-- name: Release :execrows
-- want: kennels conditional cas
UPDATE kennels SET reserved_by = NULL, reserved_until = NULL WHERE id = @id AND reserved_by = @holder;

-- name: CountOfDogs :exec
-- want: kennels blind
UPDATE kennels SET visits = (SELECT count(*) FROM dogs WHERE dogs.kennel_id = kennels.id) WHERE id = @id;

-- name: CountInCTE :exec
-- want: kennels blind
WITH c AS (SELECT kennel_id, count(*) AS n FROM dogs GROUP BY kennel_id) UPDATE kennels SET visits = c.n FROM c WHERE c.kennel_id = kennels.id;

-- name: HasDogs :exec
-- want: kennels blind
UPDATE kennels SET active = EXISTS (SELECT FROM dogs) WHERE id = @id;

-- name: DistinctTags :exec
-- want: kennels relative
UPDATE kennels SET tags = ARRAY(SELECT DISTINCT unnest(tags || @more::text[])) WHERE id = @id;

-- name: WithoutTag :exec
-- want: kennels relative
UPDATE kennels SET data = (SELECT jsonb_agg(e) FROM jsonb_array_elements(data) AS e WHERE e ->> 'id' <> @gone) WHERE id = @id;

-- name: ArgsInCTE :execrows
-- want: kennels conditional cas
WITH args AS (SELECT @id::bigint AS id, @version::int AS version, @title::text AS title)
UPDATE kennels k SET title = args.title, version = k.version + 1 FROM args WHERE k.id = args.id AND k.version = args.version;

-- name: ArgsOptional :exec
-- want: kennels blind
WITH args AS (SELECT @id::bigint AS id, @version::int AS version, @title::text AS title)
UPDATE kennels k SET title = args.title, version = k.version + 1 FROM args WHERE k.id = args.id AND (args.version IS NULL OR k.version = args.version);

-- name: PairsOfArrays :execrows
-- want: kennels conditional cas
UPDATE kennels SET status = 'open', version = version + 1 WHERE (id, version) IN (SELECT unnest(@ids::bigint[]), unnest(@versions::int[]));

-- name: SnapshotVersion :exec
-- want: kennels blind
WITH old AS (SELECT id, version FROM kennels WHERE id = @id)
UPDATE kennels k SET title = @title, version = k.version + 1 FROM old WHERE k.id = old.id AND k.version = old.version;

-- name: LockedVersionAgain :exec
-- want: kennels blind
WITH old AS (SELECT id, version FROM kennels WHERE id = @id FOR UPDATE)
UPDATE kennels k SET title = @title, version = k.version + 1 FROM old WHERE k.id = old.id AND k.version = old.version;

-- name: RowVersion :execrows
-- want: kennels conditional cas
UPDATE kennels SET title = @title, version = version + 1 WHERE (id, version) = (@id, @version);

-- name: StatusEither :execrows
-- want: kennels conditional liveness
UPDATE kennels SET title = @title WHERE id = @id AND (status = 'free' OR status = 'held');

-- name: EitherOrKind :exec
-- want: kennels blind
UPDATE kennels SET title = @title WHERE id = @id AND (status = 'free' OR kind = 'x');

-- name: EitherOrKey :exec
-- want: kennels blind
UPDATE kennels SET title = @title WHERE id = @id AND (status = 'free' OR tenant_id = @tenant_id);
