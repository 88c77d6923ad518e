package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// texting are the transitions that owe a text, each with its statement, and the path by which a pickup
// gets to the status they start from.
var texting = []struct {
	query string
	name  db.TransitionName
	from  db.PickupStatus
	text  string
}{
	{"TransitionPickups", "submit", "DRAFT", "Your pickup is booked."},
	{"TransitionPickups", "assign", "SUBMITTED", "Your driver is on the way!"},
	{"DispatchPickup", "dispatch", "SUBMITTED", "Your driver is on the way!"},
	{"TransitionPickups", "deliver", "SHIPPED", "Your pickup has been delivered."},
}

var messageRaces = func() (all []check) {
	for _, t := range texting {
		all = append(all, check{t.query,
			fmt.Sprintf("two callers of %s %s owe two texts", article(t.name), t.name),
			func(ctx context.Context, w *fixture) error {
				w.drivers(ctx, 2)
				one, other := w.at(ctx, t.from), w.at(ctx, t.from)
				return first(
					w.loses(ctx, db.IllegalTransition, w.texting(ctx, t.name, one), w.texting(ctx, t.name, one)),
					oneWins(together(manyCallers, func(int) error { return w.texting(ctx, t.name, other)(w.Raw) }),
						db.IllegalTransition),
					w.expectText(ctx, one, t.name, t.text, seed.StandardPhone),
					w.expectText(ctx, other, t.name, t.text, seed.StandardPhone))
			}})
	}
	return append(all,
		check{"SettleMessage", "two runs of one job settle a text twice", func(ctx context.Context, w *fixture) error {
			one, other := w.queued(ctx), w.queued(ctx)
			sending := func(id uuid.UUID) act {
				return func(s *db.Raw) error { return settle(ctx, s, w.tenant, id, "") }
			}
			return first(
				w.loses(ctx, db.NotFound, sending(one), sending(one)),
				oneWins(together(manyCallers, func(int) error { return sending(other)(w.Raw) }), db.NotFound))
		}},
		check{"SettleMessage", "a late refusal turns a sent text into a failed one",
			func(ctx context.Context, w *fixture) error {
				id := w.queued(ctx)
				w.must(settle(ctx, w.as, w.tenant, id, ""))
				err := settle(ctx, w.Raw, w.tenant, id, "refused_410")
				m := must(w.as.GetMessage(ctx, db.GetMessageParams{TenantID: w.tenant, ID: id}))
				if m.Status != db.MessageStatusSENT || m.SentAt == nil || m.Reason != nil {
					return fmt.Errorf("the text is %s", m.Status)
				}
				return refused(err, db.NotFound)
			}},
		check{"SettleMessage", "a refusal of an earlier round fails a text that is sent again",
			func(ctx context.Context, w *fixture) error {
				id := w.refusedText(ctx)
				earlier := db.SettleMessageParams{TenantID: w.tenant, ID: id, Reason: "refused_410"}
				w.must(w.resending(ctx, w.staff, id, "")(w.as))
				n, err := w.SettleMessage(ctx, earlier)
				if status := w.statusOf(ctx, id); err != nil || n != 0 || status != db.MessageStatusQUEUED {
					return fmt.Errorf("a late refusal settled %d: %v; the text is %s", n, err, status)
				}
				// That the gateway accepted it is true in any round.
				earlier.Reason = ""
				n, err = w.SettleMessage(ctx, earlier)
				if status := w.statusOf(ctx, id); err != nil || n != 1 || status != db.MessageStatusSENT {
					return fmt.Errorf("a late acceptance settled %d: %v; the text is %s", n, err, status)
				}
				return nil
			}},
		check{"ResendMessage", "two callers resend a text and enqueue two jobs",
			func(ctx context.Context, w *fixture) error {
				one, other, third := w.refusedText(ctx), w.refusedText(ctx), w.refusedText(ctx)
				return first(
					w.loses(ctx, db.MessageNotFailed, w.resending(ctx, w.staff, one, ""),
						w.resending(ctx, w.dispatcher, one, "")),
					oneWins(together(manyCallers,
						func(int) error { return w.resending(ctx, w.staff, other, "")(w.Raw) }),
						db.MessageNotFailed),
					w.loses(ctx, db.MessageNotFailed, w.requeuing(ctx, third), w.resending(ctx, w.staff, third, "")),
					w.expectJobs(ctx, one, 1), w.expectJobs(ctx, other, 1), w.expectJobs(ctx, third, 1),
					w.expectResends(ctx, one, w.staff))
			}},
		check{"ResendMessage", "a text is resent while it is being sent", func(ctx context.Context, w *fixture) error {
			queued, sent, refusing, sending := w.queued(ctx), w.queued(ctx), w.queued(ctx), w.queued(ctx)
			w.must(settle(ctx, w.as, w.tenant, sent, ""))
			settling := func(id uuid.UUID, reason string) act {
				return func(s *db.Raw) error { return settle(ctx, s, w.tenant, id, reason) }
			}
			return first(
				refused(w.resending(ctx, w.staff, queued, "")(w.Raw), db.MessageNotFailed),
				refused(w.resending(ctx, w.staff, sent, "")(w.Raw), db.MessageNotFailed),
				w.expectJobs(ctx, queued, 1), w.expectJobs(ctx, sent, 1),
				// The worker is just storing the gateway's answer.
				w.resendsBehind(ctx, settling(refusing, "refused_410"), refusing, "", db.MessageNotFailed),
				w.resendsBehind(ctx, settling(sending, ""), sending, db.MessageNotFailed, db.MessageNotFailed))
		}},
		check{"ResendMessage", "a late duplicate resends a text that has failed again",
			func(ctx context.Context, w *fixture) error {
				id := w.refusedText(ctx)
				w.must(w.resending(ctx, w.staff, id, "key")(w.Raw))
				w.must(settle(ctx, w.as, w.tenant, id, "refused_410"))
				m, replayed, err := w.Store.ResendMessage(ctx, w.staff, resend(id, "key"))
				if err != nil || !replayed || m.Status != db.MessageStatusFAILED {
					return fmt.Errorf("the duplicate: replayed %t, %s, %w", replayed, m.Status, err)
				}
				other := w.refusedText(ctx)
				return first(
					refused(w.resending(ctx, w.dispatcher, id, "key")(w.Raw), db.IdempotencyKeyReused),
					w.expectJobs(ctx, id, 1), w.expectResends(ctx, id, w.staff),
					// Two at once: both succeed, and one of them resends it.
					first(together(manyCallers,
						func(int) error { return w.resending(ctx, w.staff, other, "key")(w.Raw) })...),
					w.expectJobs(ctx, other, 1), w.expectResends(ctx, other, w.staff))
			}},
		check{"RequeueMessage", "two operators resend a text and enqueue two jobs",
			func(ctx context.Context, w *fixture) error {
				one, other := w.refusedText(ctx), w.refusedText(ctx)
				return first(
					w.loses(ctx, db.NotFound, w.requeuing(ctx, one), w.requeuing(ctx, one)),
					oneWins(together(manyCallers, func(int) error { return w.requeuing(ctx, other)(w.Raw) }),
						db.NotFound),
					w.expectJobs(ctx, one, 1), w.expectJobs(ctx, other, 1))
			}},
		check{"RequeueMessage", "a text that is being sent is sent again", func(ctx context.Context, w *fixture) error {
			queued, sent := w.queued(ctx), w.queued(ctx)
			w.must(settle(ctx, w.as, w.tenant, sent, ""))
			return first(
				refused(w.requeuing(ctx, queued)(w.Raw), db.NotFound), w.expectJobs(ctx, queued, 1),
				refused(w.requeuing(ctx, sent)(w.Raw), db.NotFound), w.expectJobs(ctx, sent, 1))
		}})
}()

// refusedText makes a text that the gateway refused, whose job has been deleted, as River does minutes
// later.
func (w *fixture) refusedText(ctx context.Context) uuid.UUID {
	id := w.queued(ctx)
	w.must(settle(ctx, w.as, w.tenant, id, "refused_410"))
	w.set(ctx, "DELETE FROM river_job WHERE args = jsonb_build_object('tenant_id', $1::uuid, 'message_id', $2::uuid)",
		id)
	return id
}

func resend(id uuid.UUID, key string) db.Resend {
	return db.Resend{MessageID: id, Key: key, Digest: []byte("resend")}
}

// resending sends a failed text again, for a viewer.
func (w *fixture) resending(ctx context.Context, v db.Viewer, id uuid.UUID, key string) act {
	r := resend(id, key)
	if v.UserID != w.staff.UserID {
		r.Digest = []byte("another caller's")
	}
	return func(s *db.Raw) error {
		_, _, err := s.Store.ResendMessage(ctx, v, r)
		return err
	}
}

// resendsBehind has a caller resend the text while the worker settles it: one that has not waited for the
// worker gets early, one that has gets late.
func (w *fixture) resendsBehind(ctx context.Context, settling act, id uuid.UUID, late, early db.Code) error {
	waited, errs := w.behind(ctx, commit, settling, w.resending(ctx, w.staff, id, ""))
	if waited[0] {
		return refused(errs[0], late)
	}
	return refused(errs[0], early)
}

func (w *fixture) statusOf(ctx context.Context, message uuid.UUID) db.MessageStatus {
	return must(w.as.GetMessage(ctx, db.GetMessageParams{TenantID: w.tenant, ID: message})).Status
}

// expectResends returns an error unless these users resent the text, in this order.
func (w *fixture) expectResends(ctx context.Context, message uuid.UUID, by ...db.Viewer) error {
	got := scan[[]uuid.UUID](ctx, w.owner, `SELECT coalesce(array_agg(actor_id ORDER BY resend), '{}')
		FROM message_resends WHERE tenant_id = $1 AND message_id = $2`, w.tenant, message)
	if !slices.EqualFunc(got, by, func(id uuid.UUID, v db.Viewer) bool { return id == v.UserID }) {
		return fmt.Errorf("the text was resent by %v", got)
	}
	return nil
}

// requeuing enqueues a refused text again.
func (w *fixture) requeuing(ctx context.Context, id uuid.UUID) act {
	return func(s *db.Raw) error {
		n, err := s.RequeueMessage(ctx, db.RequeueMessageParams{TenantID: w.tenant, ID: id})
		if err == nil && n != 1 {
			err = &db.Error{Code: db.NotFound}
		}
		return err
	}
}

func (w *fixture) expectJobs(ctx context.Context, message uuid.UUID, want int) error {
	got := scan[int](ctx, w.owner, `SELECT count(*) FROM river_job
		WHERE kind = 'send_text' AND queue = 'texts' AND args = jsonb_build_object('tenant_id', $1::uuid,
		    'message_id', $2::uuid)`, w.tenant, message)
	if got != want {
		return fmt.Errorf("%d jobs send the text, want %d", got, want)
	}
	return nil
}

var messageRules = func() (all []check) {
	for _, t := range texting {
		all = append(all,
			check{t.query, "a text is owed although its flag is off", func(ctx context.Context, w *fixture) error {
				w.driver(ctx, 37.77, -122.42)
				id := w.at(ctx, t.from)
				// Another flag does not count.
				w.set(ctx, "UPDATE flags SET enabled = name <> 'pickup_texts', version = 2 WHERE tenant_id = $1")
				if err := w.texting(ctx, t.name, id)(w.Raw); err != nil {
					return err
				}
				return w.expectNoText(ctx, id, t.name)
			}},
			check{t.query, "a text without a number owes a job", func(ctx context.Context, w *fixture) error {
				w.driver(ctx, 37.77, -122.42)
				id := w.at(ctx, t.from)
				w.set(ctx, "DELETE FROM phone_numbers WHERE tenant_id = $1")
				return first(w.texting(ctx, t.name, id)(w.Raw), w.expectText(ctx, id, t.name, t.text, ""))
			}},
			check{t.query, "a text goes to a later number", func(ctx context.Context, w *fixture) error {
				w.driver(ctx, 37.77, -122.42)
				id := w.at(ctx, t.from)
				// The first is neither the first nor the last that was stored.
				for i, ago := range []string{"2 days", "2 days", "1 day"} {
					w.set(ctx, "INSERT INTO phone_numbers VALUES ($1, $2, $3, $4, '', date_trunc('day', now()) - "+
						"$5::interval)",
						uuid.UUID{15: byte(9 - i)}, w.staff.UserID, fmt.Sprintf("+1415555020%d", i), ago)
				}
				// The statement must order them, since the table's own order differs.
				tx := must(w.pool.Begin(ctx))
				defer tx.Rollback(context.WithoutCancel(ctx))
				must(tx.Exec(ctx, "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off"))
				err := w.texting(ctx, t.name, id)(w.over(tx))
				w.must(tx.Commit(ctx))
				return first(err, w.expectText(ctx, id, t.name, t.text, "+14155550201"))
			}})
	}
	all = append(all, check{"RequeueMessage", "a text that never had a number is sent again",
		func(ctx context.Context, w *fixture) error {
			w.set(ctx, "DELETE FROM phone_numbers WHERE tenant_id = $1")
			id := w.queued(ctx)
			return first(refused(w.requeuing(ctx, id)(w.Raw), db.NotFound), w.expectJobs(ctx, id, 0))
		}},
		check{"ResendMessage", "a text that never had a number is resent", func(ctx context.Context, w *fixture) error {
			w.set(ctx, "DELETE FROM phone_numbers WHERE tenant_id = $1")
			id := w.queued(ctx)
			return first(refused(w.resending(ctx, w.staff, id, "")(w.Raw), db.NoPhoneNumber), w.expectJobs(ctx, id, 0))
		}},
		check{"ResendMessage", "staff resend a text of a pickup that they do not see",
			func(ctx context.Context, w *fixture) error {
				id := w.refusedText(ctx)
				return first(
					refused(w.resending(ctx, w.stranger, id, "")(w.Raw), db.NotFound),
					refused(w.resending(ctx, w.staff, newID(), "")(w.Raw), db.NotFound), w.expectJobs(ctx, id, 0),
					w.resending(ctx, w.admin, id, "")(w.Raw), w.expectJobs(ctx, id, 1),
					w.expectResends(ctx, id, w.admin))
			}})
	return append(all, check{"TransitionPickups",
		"dispatch follows its flag",
		func(ctx context.Context, w *fixture) error {
			manual := w.submittedBy(ctx, w.Raw)
			w.set(ctx, "UPDATE flags SET enabled = name = 'auto_dispatch', version = 2 WHERE tenant_id = $1")
			automatic := w.submittedBy(ctx, w.Raw)
			w.must(w.moving(ctx, db.TransitionNameCancel, automatic)(w.Raw)) // which owes none
			for id, want := range map[uuid.UUID]int{manual: 0, automatic: 1} {
				if got := scan[int](ctx, w.owner, `
					SELECT count(*) FROM river_job AS j
					JOIN pickup_events AS e ON j.args = jsonb_build_object('tenant_id', e.tenant_id, 'event_id', e.id)
					WHERE e.pickup_id = $1 AND j.kind = 'dispatch_pickup' AND j.queue = 'dispatches'`,
					id); got != want {
					return fmt.Errorf("%d jobs dispatch it, want %d", got, want)
				}
			}
			return nil
		}})
}()

func article(name db.TransitionName) string {
	if name == "assign" {
		return "an"
	}
	return "a"
}

// texting makes the transition, an assign with a driver of its own.
func (w *fixture) texting(ctx context.Context, name db.TransitionName, id uuid.UUID) act {
	by := w.dispatcher
	if name == "deliver" {
		by = w.hub
	}
	var driver uuid.UUID
	if name == "assign" {
		driver = w.driver(ctx, 1, 1).DriverID
	}
	return func(s *db.Raw) error {
		return move(ctx, s, by, name, id, func(t *db.Transition) { t.DriverID = driver })
	}
}

func (w *fixture) submittedBy(ctx context.Context, s *db.Raw) uuid.UUID {
	id := w.pickup(ctx)
	w.must(move(ctx, s, w.staff, db.TransitionNameSubmit, id))
	return id
}

// set runs a change that no statement of the application makes. Its first argument is the tenant.
func (w *fixture) set(ctx context.Context, statement string, args ...any) {
	must(w.owner.Exec(ctx, statement, append([]any{w.tenant}, args...)...))
}

// queued makes a text that is waiting to be sent.
func (w *fixture) queued(ctx context.Context) uuid.UUID {
	return scan[uuid.UUID](ctx, w.owner, "SELECT id FROM messages WHERE pickup_id = $1", w.submitted(ctx))
}

func settle(ctx context.Context, s *db.Raw, tenant, id uuid.UUID, reason string) error {
	m, err := s.GetMessage(ctx, db.GetMessageParams{TenantID: tenant, ID: id})
	if err != nil {
		return err
	}
	n, err := s.SettleMessage(ctx,
		db.SettleMessageParams{TenantID: tenant, ID: id, Resends: m.Resends, Reason: reason})
	if err == nil && n != 1 {
		err = &db.Error{Code: db.NotFound}
	}
	return err
}

// expectText returns an error unless the transition left one text, to the number, with one job; without a
// number, one that has failed, and no job.
func (w *fixture) expectText(ctx context.Context, pickup uuid.UUID, name db.TransitionName, text, number string) error {
	var texts, right, jobs int
	w.must(w.owner.QueryRow(ctx, `
		SELECT
			count(*),
			count(*) FILTER (WHERE m.pickup_id = e.pickup_id AND m.body = $3 AND coalesce(m.to_number, '') = $4
				AND m.status = CASE WHEN $4 = '' THEN 'FAILED'::message_status ELSE 'QUEUED' END),
			(SELECT count(*) FROM river_job AS j
				WHERE j.kind = 'send_text' AND j.queue = 'texts'
					AND j.args = ANY (array_agg(jsonb_build_object('tenant_id', m.tenant_id, 'message_id', m.id))))
		FROM pickup_events AS e
		JOIN messages AS m ON m.tenant_id = e.tenant_id AND m.event_id = e.id
		WHERE e.pickup_id = $1 AND e.transition = $2`, pickup, name, text, number).Scan(&texts, &right, &jobs))
	if want := min(len(number), 1); texts != 1 || right != 1 || jobs != want {
		return fmt.Errorf("%s owes %d texts, %d of them right, and %d jobs, want one and %d",
			name, texts, right, jobs, want)
	}
	return nil
}

func (w *fixture) expectNoText(ctx context.Context, pickup uuid.UUID, name db.TransitionName) error {
	texts := scan[int](ctx, w.owner, `
		SELECT count(*) FROM messages AS m JOIN pickup_events AS e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
		WHERE e.pickup_id = $1 AND e.transition = $2`, pickup, name)
	if texts > 0 {
		return fmt.Errorf("%s owes %d texts", name, texts)
	}
	return nil
}

// textRaces are races of callers for the transitions that owe a text.
type textRaces struct {
	callers, rounds int
	few             int // pickups in one statement
	drivers         []db.Viewer
	won             map[db.TransitionName]int
}

// draftsOfTwo makes drafts, every other of which is requested by a user without a phone number.
func (w *fixture) draftsOfTwo(ctx context.Context, n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	var withNumber, without []db.Draft
	for i := range ids {
		d := w.draft(costing(0))
		ids[i] = d.ID
		if i%2 == 0 {
			withNumber = append(withNumber, d)
		} else {
			without = append(without, d)
		}
	}
	w.must(created(ctx, w.as, w.staff, withNumber))
	w.must(created(ctx, w.as, w.dispatcher, without))
	return ids
}

// race has all callers try all of the pickups, a few in one statement, each beginning elsewhere.
func (r *textRaces) race(ctx context.Context, w *fixture, name db.TransitionName, pickups []uuid.UUID) {
	wins := make([]int, r.callers)
	for _, err := range together(r.callers, func(caller int) error {
		for offset := range r.rounds / r.few {
			at := (offset + 3*caller) * r.few % r.rounds
			var ids []uuid.UUID
			var by []db.Viewer
			for _, i := range rand.Perm(r.few) {
				ids, by = append(ids, pickups[at+i]), append(by, r.drivers[at+i])
			}
			n, err := w.send(ctx, w.Raw, name, ids, by, nil)
			if wins[caller] += n; err != nil {
				return err
			}
		}
		return nil
	}) {
		w.must(err)
	}
	for _, n := range wins {
		r.won[name] += n
	}
}

// dispatch has all callers dispatch all of the pickups, each beginning elsewhere.
func (r *textRaces) dispatch(ctx context.Context, w *fixture, pickups []uuid.UUID) {
	wins := make([]int, r.callers)
	together(r.callers, func(caller int) error {
		for i := range pickups {
			if w.dispatching(ctx, pickups[(i+caller*r.rounds/r.callers)%r.rounds])(w.Raw) == nil {
				wins[caller]++
			}
		}
		return nil
	})
	for _, n := range wins {
		r.won["dispatch"] += n
	}
}

// Thirty-two callers make each of the transitions that owe a text, of the same pickups (two
// hundred in all rounds), half of which were requested by a user without a phone number. The
// texts are those of the transitions won, the jobs those of the texts with a number.
func TestTextsAndJobsAreThoseOfTheTransitionsWon(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openSettled(t).fixture(ctx)
	const few = 20
	rounds := few * dbtest.Rounds(10)
	r := &textRaces{32, rounds, few, w.drivers(ctx, rounds), map[db.TransitionName]int{}}
	toAssign, toDispatch := w.draftsOfTwo(ctx, rounds), w.draftsOfTwo(ctx, rounds)
	must(
		w.owner.Exec(ctx, "ANALYZE pickups, pickup_transitions, accounts, drivers, driver_slots, users, phone_numbers"))
	hub := *w
	hub.dispatcher = w.hub

	r.race(ctx, w, "submit", toAssign)
	r.race(ctx, w, "assign", toAssign)
	w.must(w.flush(ctx, w.as, "collect", toAssign, nil))
	for _, step := range []db.TransitionName{"receive", "pack", "ship"} {
		w.must(hub.flush(ctx, w.as, step, toAssign, nil))
	}
	r.race(ctx, &hub, "deliver", toAssign)
	r.race(ctx, w, "submit", toDispatch)
	r.dispatch(ctx, w, toDispatch)

	for name, times := range map[db.TransitionName]int{"submit": 2, "assign": 1, "deliver": 1, "dispatch": 1} {
		if r.won[name] != times*rounds {
			t.Errorf("%d callers won %s, of %d", r.won[name], name, times*rounds)
		}
		texts := scan[int](ctx, w.owner, `
			SELECT count(*) FROM messages AS m JOIN pickup_events AS e ON e.tenant_id = m.tenant_id
			    AND e.id = m.event_id
			WHERE e.transition = $1`, name)
		jobs := scan[int](ctx, w.owner, `
			SELECT count(*) FROM messages AS m JOIN pickup_events AS e ON e.tenant_id = m.tenant_id
			    AND e.id = m.event_id
			JOIN river_job AS j ON j.args = jsonb_build_object('tenant_id', m.tenant_id, 'message_id', m.id)
			WHERE e.transition = $1`, name)
		if texts != r.won[name] || jobs != r.won[name]/2 {
			t.Errorf("%s was won %d times: %d texts, %d jobs", name, r.won[name], texts, jobs)
		}
	}
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM river_job"); n != 5*rounds/2 {
		t.Errorf("%d jobs in all", n)
	}
}

func TestTextsAreCountedByTheirSwitch(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	var told [][2]int
	s := openStore(t, db.Config{URL: d.AppURL,
		OnTexts: func(owed, enqueued int) { told = append(told, [2]int{owed, enqueued}) }})
	id := w.pickup(ctx)
	w.must(move(ctx, s, w.staff, "submit", id))
	w.set(ctx, "UPDATE flags SET enabled = false, version = 2 WHERE tenant_id = $1")
	w.must(assign(ctx, s, w.dispatcher, id, w.driver(ctx, 1, 1)))
	w.must(move(ctx, s, w.dispatcher, "release", id)) // owes none
	if !slices.Equal(told, [][2]int{{1, 1}, {1, 0}}) {
		t.Errorf("told %v", told)
	}
}

// A viewer who sees the pickup sees its texts; only the roles that work with the phone number, and its
// owner, see it.
func TestPhoneNumbersAreVisibleToTheRolesThatNeedThemAndTheirOwner(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	colleague := w.user(ctx, db.UserRoleStaff)
	w.make(ctx, func(r *seed.Rows) { r.Members(w.seeded.Group, colleague.UserID) })
	driver, stranger := w.driver(ctx, 1, 1), w.driver(ctx, 1, 1)
	id := w.assigned(ctx, driver)
	w.must(move(ctx, w.as, driver, "collect", id))
	for name, c := range map[string]struct {
		viewer db.Viewer
		texts  int
		number bool
	}{
		"admin": {w.admin, 2, true}, "dispatcher": {w.dispatcher, 2, true}, "owner": {w.staff, 2, true},
		"colleague": {colleague, 2, false}, "driver": {driver, 2, false}, "hub": {w.hub, 2, false},
		"another driver": {stranger, 0, false}, "another clinic": {w.stranger, 0, false},
	} {
		rows := must(w.as.ListMessages(ctx, db.ListMessagesParams{
			TenantID: w.tenant, PickupID: id, ViewerID: c.viewer.UserID, ViewerRole: c.viewer.Role,
			ViewerDriverID:  c.viewer.DriverID,
			BeforeCreatedAt: time.Now().Add(time.Hour), BeforeID: uuid.Max, MaxRows: 10,
		}))
		if len(rows) != c.texts {
			t.Errorf("%s sees %d texts, want %d", name, len(rows), c.texts)
		}
		for _, r := range rows {
			if (r.To != nil) != c.number {
				t.Errorf("%s sees the number %v", name, r.To)
			}
		}
	}
}

// seesText reports whether the viewer sees a text of the pickup that is to be resent.
func (w *fixture) seesText(ctx context.Context, v db.Viewer, pickup uuid.UUID) bool {
	id := scan[*uuid.UUID](ctx, w.owner, `SELECT (array_agg(id))[1] FROM messages
		WHERE tenant_id = $1 AND pickup_id = $2`, w.tenant, pickup)
	if id == nil { // there is none
		return false
	}
	_, err := w.ExplainResendMessage(ctx, db.ExplainResendMessageParams{TenantID: w.tenant, ID: *id, ViewerID: v.UserID,
		ViewerRole: v.Role, ViewerDriverID: v.DriverID})
	return err == nil
}
