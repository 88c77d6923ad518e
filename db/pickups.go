package db

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// attempts bounds how often a write that lost, and by a fresh read would win now, is
// tried again before the caller is told to come back.
const attempts = 5

// pause lets whoever holds what an attempt missed get done, a little longer before
// each next one, and not in step with others who wait for the same.
func pause(ctx context.Context, attempt int) {
	longest := 2 * time.Millisecond << attempt
	select {
	case <-ctx.Done():
	case <-time.After(longest/2 + rand.N(longest/2)):
	}
}

// Transition asks for one move of one pickup.
type Transition struct {
	Name     TransitionName
	PickupID uuid.UUID
	Version  int64     // the version that it must have, from If-Match; 0 for any
	Key      string    // the Idempotency-Key, or ""
	Digest   []byte    // of the request, to know a repeat
	DriverID uuid.UUID // for assign
	Reason   string    // for cancel, or ""
}

// MoveOne makes the transition, with all its effects, in one statement. replayed says
// that an earlier request with the same key did. Whoever may not see the pickup is
// refused with NotFound; else with Forbidden, IdempotencyKeyReused, StaleVersion,
// IllegalTransition, InsufficientFunds, DriverNotFound, DriverBusy or NoDriverFree.
func (s *Store) MoveOne(ctx context.Context, v Viewer, t Transition) (pickup Pickup, replayed bool, err error) {
	for attempt := range attempts {
		if attempt > 0 {
			pause(ctx, attempt)
		}
		moved, err := s.move(ctx, v, t)
		if err == nil && len(moved) == 1 {
			return moved[0], false, nil
		}
		// A duplicate that came at the same time meets the key, or the driver taken
		// meanwhile the index: both are explained like a row that did not match.
		if err != nil && !violates(err, "pickup_events_idempotency_key") && !violates(err, "only_one_assigned_driver") {
			return Pickup{}, false, Explain(err)
		}
		pickup, replayed, err = s.explainTransition(ctx, v, t)
		if err == nil || !errors.Is(err, errAgain) {
			return pickup, replayed, err
		}
	}
	return Pickup{}, false, refuse(Overloaded, "")
}

// errAgain: lost, but by the fresh read the write would win now.
var errAgain = errors.New("would win now")

// explainTransition says why t did not move its pickup, as things stand now, or
// finds that an earlier try of it did.
func (s *Store) explainTransition(ctx context.Context, v Viewer, t Transition) (Pickup, bool, error) {
	now, err := s.ExplainTransition(ctx, ExplainTransitionParams{
		Transition: t.Name, TenantID: v.TenantID, ID: t.PickupID, IdempotencyKey: t.Key, RequestDigest: t.Digest,
		ViewerRole: v.Role, ViewerID: v.UserID, ViewerDriverID: v.DriverID,
	})
	switch {
	case err != nil:
		return Pickup{}, false, Explain(err)
	case !now.RoleMay:
		return Pickup{}, false, refuse(Forbidden, "")
	case now.SameRequest:
		return now.Pickup, true, nil
	case now.KeyUsed:
		return Pickup{}, false, refuse(IdempotencyKeyReused, "Idempotency-Key")
	case t.Version != 0 && t.Version != now.Pickup.Version:
		return Pickup{}, false, refuse(StaleVersion, "If-Match")
	case !now.LegalNow:
		return Pickup{}, false, &Error{Code: IllegalTransition, Status: now.Pickup.Status, Allowed: now.Allowed}
	case t.Name == TransitionNameSubmit && !now.AffordableNow:
		return Pickup{}, false, refuse(InsufficientFunds, "")
	case t.Name == TransitionNameAssign:
		return Pickup{}, false, s.explainDriver(ctx, v, t.DriverID)
	case t.Name == TransitionNameDispatch:
		return Pickup{}, false, s.explainDispatch(ctx, v)
	}
	return Pickup{}, false, errAgain
}

func (s *Store) explainDriver(ctx context.Context, v Viewer, driverID uuid.UUID) error {
	busy, err := s.ExplainDriver(ctx, ExplainDriverParams{TenantID: v.TenantID, DriverID: driverID})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return refuse(DriverNotFound, "driver_id")
	case err != nil:
		return Explain(err)
	case busy:
		return refuse(DriverBusy, "driver_id")
	}
	return errAgain
}

func (s *Store) explainDispatch(ctx context.Context, v Viewer) error {
	free, err := s.HasFreeDriver(ctx, v.TenantID)
	switch {
	case err != nil:
		return Explain(err)
	case !free:
		return refuse(NoDriverFree, "")
	}
	return errAgain
}

// move runs the statement of the transition: no row, if it lost.
func (s *Store) move(ctx context.Context, v Viewer, t Transition) ([]Pickup, error) {
	one := asked{
		tenantIDs: []uuid.UUID{v.TenantID}, ids: []uuid.UUID{t.PickupID},
		viewerIDs: []uuid.UUID{v.UserID}, viewerRoles: []string{string(v.Role)}, viewerDriverIDs: []uuid.UUID{v.DriverID},
		versions: []int64{t.Version}, keys: []string{t.Key}, digests: [][]byte{t.Digest},
		eventIDs: []uuid.UUID{newID()}, messageIDs: []uuid.UUID{newID()},
	}
	switch t.Name {
	case TransitionNameSubmit:
		rows, err := s.SubmitPickups(ctx, SubmitPickupsParams{
			TenantIds: one.tenantIDs, Ids: one.ids,
			ViewerIds: one.viewerIDs, ViewerRoles: one.viewerRoles, ViewerDriverIds: one.viewerDriverIDs,
			Versions: one.versions, IdempotencyKeys: one.keys, RequestDigests: one.digests, EventIds: one.eventIDs,
			EntryIds: []uuid.UUID{newID()}, MessageIds: one.messageIDs,
		})
		return movedOf(s, rows, func(r SubmitPickupsRow) moved { return moved(r) }), err
	case TransitionNameAssign:
		rows, err := s.AssignPickups(ctx, AssignPickupsParams{
			TenantIds: one.tenantIDs, Ids: one.ids,
			ViewerIds: one.viewerIDs, ViewerRoles: one.viewerRoles, ViewerDriverIds: one.viewerDriverIDs,
			Versions: one.versions, IdempotencyKeys: one.keys, RequestDigests: one.digests, EventIds: one.eventIDs,
			MessageIds: one.messageIDs, DriverIds: []uuid.UUID{t.DriverID},
		})
		return movedOf(s, rows, func(r AssignPickupsRow) moved { return moved(r) }), err
	case TransitionNameDispatch:
		rows, err := s.DispatchPickup(ctx, DispatchPickupParams{
			TenantID: v.TenantID, ID: t.PickupID, ViewerID: v.UserID, ViewerRole: v.Role,
			Version: t.Version, IdempotencyKey: t.Key, RequestDigest: t.Digest, EventID: one.eventIDs[0], MessageID: one.messageIDs[0],
		})
		return movedOf(s, rows, func(r DispatchPickupRow) moved { return moved(r) }), err
	default:
		rows, err := s.MovePickups(ctx, MovePickupsParams{
			TenantIds: one.tenantIDs, Ids: one.ids,
			ViewerIds: one.viewerIDs, ViewerRoles: one.viewerRoles, ViewerDriverIds: one.viewerDriverIDs,
			Transitions: []string{string(t.Name)}, Versions: one.versions,
			IdempotencyKeys: one.keys, RequestDigests: one.digests, EventIds: one.eventIDs,
			EntryIds: []uuid.UUID{newID()}, MessageIds: one.messageIDs, Reasons: []string{t.Reason},
		})
		return movedOf(s, rows, func(r MovePickupsRow) moved { return moved(r) }), err
	}
}

// asked holds the arrays that all the transitions' statements take.
type asked struct {
	tenantIDs, ids, viewerIDs, viewerDriverIDs, eventIDs, messageIDs []uuid.UUID
	viewerRoles, keys                                                []string
	versions                                                         []int64
	digests                                                          [][]byte
}

// moved is a row of any of the transitions' statements. The texts are those of all
// the statement: what the transitions owed, and what the tenants' flags let through.
type moved struct {
	Pickup        Pickup
	TextsOwed     int32
	TextsEnqueued int32
}

func movedOf[R any](s *Store, rows []R, as func(R) moved) []Pickup {
	out := make([]Pickup, len(rows))
	for i, r := range rows {
		m := as(r)
		if out[i] = m.Pickup; i == 0 && m.TextsOwed > 0 && s.onTexts != nil {
			s.onTexts(int(m.TextsOwed), int(m.TextsEnqueued))
		}
	}
	return out
}

// Draft asks for one pickup.
type Draft struct {
	ID              uuid.UUID
	FacilityID      uuid.UUID
	AccountID       uuid.UUID
	PatientID       *uuid.UUID
	PriceCents      int64
	PickupAddress   string
	PickupLatitude  *float64
	PickupLongitude *float64
	DropoffAddress  string
	WindowStart     *time.Time
	WindowEnd       *time.Time
	Note            string // "" for none
	Digest          []byte // of the request, to know a repeat
}

// CreateDrafts makes pickups, all or none, and gives them in the order asked. created
// counts the new ones; the others were made by an earlier try of the same request.
// Refused with IDReused, FacilityNotFound, AccountNotFound, PatientNotFound or ValidationFailed, the
// Error's Item saying which.
func (s *Store) CreateDrafts(ctx context.Context, v Viewer, drafts []Draft) (pickups []Pickup, created int, err error) {
	for range attempts {
		rows, err := s.CreatePickups(ctx, createParams(v, drafts))
		created += len(rows)
		if err == nil && len(rows) == len(drafts) {
			return inOrder(drafts, rows), created, nil
		}
		// An id met by a request that came at the same time is explained like one
		// that was there before.
		if err != nil && !violates(err, "pickups_pkey") {
			return nil, 0, refusedDraft(drafts, err)
		}
		known, err := s.explainDrafts(ctx, v, drafts)
		if err != nil {
			return nil, 0, err
		}
		if known == len(drafts) {
			pickups, err := s.getDrafts(ctx, v, drafts)
			return pickups, created, err
		}
	}
	return nil, 0, refuse(Overloaded, "")
}

// explainDrafts counts the pickups that are there, or names the first item
// that keeps all of them from being made.
func (s *Store) explainDrafts(ctx context.Context, v Viewer, drafts []Draft) (known int, err error) {
	p := createParams(v, drafts)
	items, err := s.ExplainCreatePickups(ctx, ExplainCreatePickupsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role,
		Ids: p.Ids, FacilityIds: p.FacilityIds, AccountIds: p.AccountIds, PatientIds: p.PatientIds, RequestDigests: p.RequestDigests,
	})
	if err != nil {
		return 0, Explain(err)
	}
	for _, i := range items {
		switch item := int(i.Item); {
		case !i.FacilityFound: // also where they no longer see the one of an earlier try
			return 0, &Error{Code: FacilityNotFound, Field: "facility_id", Item: item}
		case i.Known && i.SameRequest:
			known++
		case i.Known:
			return 0, &Error{Code: IDReused, Field: "id", Item: item}
		case !i.AccountFound:
			return 0, &Error{Code: AccountNotFound, Field: "account_id", Item: item}
		case !i.PatientFound:
			return 0, &Error{Code: PatientNotFound, Field: "patient_id", Item: item}
		}
	}
	return known, nil
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// refusedDraft finds the draft that a CHECK refused. PostgreSQL names the row, not
// the item: its detail, which goes nowhere else, begins with the row's two keys.
func refusedDraft(drafts []Draft, err error) error {
	refused := Explain(err)
	var server *pgconn.PgError
	if refused.Code != ValidationFailed || !errors.As(err, &server) {
		return refused
	}
	keys := uuids.FindAllString(server.Detail, 2)
	for i, d := range drafts {
		if len(keys) == 2 && keys[1] == d.ID.String() {
			refused.Item = i
		}
	}
	return refused
}

func (s *Store) getDrafts(ctx context.Context, v Viewer, drafts []Draft) ([]Pickup, error) {
	ids := make([]uuid.UUID, len(drafts))
	for i, d := range drafts {
		ids[i] = d.ID
	}
	rows, err := s.getPickups(ctx, v, ids)
	if err != nil {
		return nil, err
	}
	if len(rows) != len(drafts) {
		return nil, refuse(NotFound, "")
	}
	return inOrder(drafts, rows), nil
}

// GetOne gives a pickup that the viewer may see, else NotFound.
func (s *Store) GetOne(ctx context.Context, v Viewer, id uuid.UUID) (Pickup, error) {
	rows, err := s.getPickups(ctx, v, []uuid.UUID{id})
	if err != nil {
		return Pickup{}, err
	}
	if len(rows) == 0 {
		return Pickup{}, refuse(NotFound, "")
	}
	return rows[0], nil
}

func (s *Store) getPickups(ctx context.Context, v Viewer, ids []uuid.UUID) ([]Pickup, error) {
	rows, err := s.GetPickups(ctx, GetPickupsParams{
		TenantIds: repeat(v.TenantID, len(ids)), Ids: ids, ViewerIds: repeat(v.UserID, len(ids)),
		ViewerRoles: repeat(string(v.Role), len(ids)), ViewerDriverIds: repeat(v.DriverID, len(ids)),
	})
	if err != nil {
		return nil, Explain(err)
	}
	return rows, nil
}

func createParams(v Viewer, drafts []Draft) CreatePickupsParams {
	n := len(drafts)
	p := CreatePickupsParams{
		TenantIds: repeat(v.TenantID, n), ViewerIds: repeat(v.UserID, n), ViewerRoles: repeat(string(v.Role), n),
	}
	for _, d := range drafts {
		p.Ids = append(p.Ids, d.ID)
		p.FacilityIds = append(p.FacilityIds, d.FacilityID)
		p.AccountIds = append(p.AccountIds, d.AccountID)
		p.PatientIds = append(p.PatientIds, orNil(d.PatientID))
		p.PricesCents = append(p.PricesCents, d.PriceCents)
		p.PickupAddresses = append(p.PickupAddresses, d.PickupAddress)
		p.PickupLatitudes = append(p.PickupLatitudes, orNaN(d.PickupLatitude))
		p.PickupLongitudes = append(p.PickupLongitudes, orNaN(d.PickupLongitude))
		p.DropoffAddresses = append(p.DropoffAddresses, d.DropoffAddress)
		p.WindowStarts = append(p.WindowStarts, orZero(d.WindowStart))
		p.WindowEnds = append(p.WindowEnds, orZero(d.WindowEnd))
		p.Notes = append(p.Notes, d.Note)
		p.RequestDigests = append(p.RequestDigests, d.Digest)
	}
	return p
}

// inOrder sorts rows, which come in any order, as their drafts were asked for.
func inOrder(drafts []Draft, rows []Pickup) []Pickup {
	byID := make(map[uuid.UUID]Pickup, len(rows))
	for _, r := range rows {
		byID[r.ID] = r
	}
	out := make([]Pickup, len(drafts))
	for i, d := range drafts {
		out[i] = byID[d.ID]
	}
	return out
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func repeat[T any](value T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = value
	}
	return out
}

func orNil(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

func orNaN(f *float64) float64 {
	if f == nil {
		return math.NaN()
	}
	return *f
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
