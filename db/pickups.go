package db

import (
	"cmp"
	"context"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Draft is a request for one pickup.
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
	Note            string // empty for none
	Digest          []byte // of the request, to recognize a replay
	Operation       string // the API operation, for the audit of the patients shown; empty means create-pickup
}

// CreateDrafts creates all or none of the pickups, and returns them in the order of the drafts. created
// counts the new ones; the others were created by an earlier try of the same request. It returns
// IDReused, FacilityNotFound, AccountNotFound, AccountNotForFacility, PatientNotFound or ValidationFailed with
// the Error's Item.
func (s *Store) CreateDrafts(ctx context.Context, v Viewer, drafts []Draft) (pickups []Pickup, created int, err error) {
	for i, d := range drafts {
		if field := d.refusedField(); field != "" {
			return nil, 0, &Error{Code: ValidationFailed, Field: field, Item: i}
		}
	}
	err = retryWrite(ctx, func(attempt int) error {
		rows, err := s.create(ctx, draftBatch{drafts, v}, attempt)
		created += len(rows)
		if err == nil && len(rows) == len(drafts) {
			pickups = inOrder(drafts, rows)
			return nil
		}
		// An id conflict with a concurrent request is explained like one with an earlier request.
		if err != nil && !violates(err, "pickups_pkey") {
			return Explain(err)
		}
		known, err := s.explainDrafts(ctx, v, drafts)
		switch {
		case err != nil:
			return err
		case known < len(drafts):
			return errRetry
		}
		pickups, err = s.getDrafts(ctx, v, drafts)
		pickups, err = resting(ctx, s, pickups, err)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return pickups, created, nil
}

// explainDrafts counts the existing pickups, or returns an error for the first draft that prevents the
// batch.
func (s *Store) explainDrafts(ctx context.Context, v Viewer, drafts []Draft) (known int, err error) {
	items, err := s.q.ExplainCreatePickups(ctx, ExplainCreatePickupsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role,
		Ids:            mapSlice(drafts, func(d Draft) uuid.UUID { return d.ID }),
		FacilityIds:    mapSlice(drafts, func(d Draft) uuid.UUID { return d.FacilityID }),
		AccountIds:     mapSlice(drafts, func(d Draft) uuid.UUID { return d.AccountID }),
		PatientIds:     mapSlice(drafts, func(d Draft) uuid.UUID { return orNil(d.PatientID) }),
		RequestDigests: mapSlice(drafts, func(d Draft) []byte { return d.Digest }),
	})
	if err != nil {
		return 0, Explain(err)
	}
	for _, i := range items {
		switch item := int(i.Item); {
		case !i.FacilityFound: // also if the viewer no longer sees the facility of an earlier try
			return 0, &Error{Code: FacilityNotFound, Field: "facility_id", Item: item}
		case i.Known && i.SameRequest:
			known++
		case i.Known:
			return 0, &Error{Code: IDReused, Field: "id", Item: item}
		case !i.AccountFound:
			return 0, &Error{Code: AccountNotFound, Field: "account_id", Item: item}
		case !i.AccountFits:
			return 0, &Error{Code: AccountNotForFacility, Field: "account_id", Item: item}
		case !i.PatientFound:
			return 0, &Error{Code: PatientNotFound, Field: "patient_id", Item: item}
		}
	}
	return known, nil
}

// refusedField returns the field that a CHECK of pickups would reject, or "". The CHECKs remain the
// authority, but violating one writes an error to the server's log, and for a batch PostgreSQL does not
// report the item.
func (d Draft) refusedField() string {
	blank := func(text string) bool { return strings.Trim(text, " ") == "" }
	within := func(at *float64, most float64) bool { return at == nil || *at >= -most && *at <= most }
	switch {
	case d.PriceCents < 0 || d.PriceCents > 1<<53-1:
		return "price_cents"
	case blank(d.PickupAddress) || utf8.RuneCountInString(d.PickupAddress) > 500:
		return "pickup_address"
	case blank(d.DropoffAddress) || utf8.RuneCountInString(d.DropoffAddress) > 500:
		return "dropoff_address"
	case !within(d.PickupLatitude, 90):
		return "pickup_latitude"
	case !within(d.PickupLongitude, 180) || (d.PickupLatitude == nil) != (d.PickupLongitude == nil):
		return "pickup_longitude"
	case d.WindowStart != nil && d.WindowEnd != nil &&
		d.WindowStart.UnixMicro() >= d.WindowEnd.UnixMicro(): // with the stored precision
		return "window_end"
	case utf8.RuneCountInString(d.Note) > 2000:
		return "note"
	}
	return ""
}

// draftBatch is a set of drafts of which all or none are created, with their viewer.
type draftBatch struct {
	drafts []Draft
	viewer Viewer
}

func (b draftBatch) by() Viewer { return b.viewer }

// pickupIDs is empty: a create waits for no long-held lock, so its statement, which runs after the body
// was read, sees the current groups.
func (b draftBatch) pickupIDs() []uuid.UUID { return nil }

// create creates the batch. It returns fewer rows than drafts if it did not create all. A single draft
// may share its statement, unless it has a patient.
func (s *Store) create(ctx context.Context, b draftBatch, attempt int) ([]Pickup, error) {
	if len(b.drafts) == 1 && b.drafts[0].PatientID == nil {
		return s.drafts.retried(ctx, b, attempt)
	}
	return s.drafts.unbatched(ctx, b)
}

// Add adds a draft of a viewer to a batch. The drafts of a batch are created together or not at all.
func (p *CreatePickupsParams) Add(batch int, v Viewer, d Draft) {
	p.Batches = append(p.Batches, int32(batch))
	p.TenantIds = append(p.TenantIds, v.TenantID)
	p.ViewerIds = append(p.ViewerIds, v.UserID)
	p.ViewerRoles = append(p.ViewerRoles, string(v.Role))
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

// createPastLocks skips pickups of facilities whose rows are locked.
func (s *Store) createPastLocks(ctx context.Context, p CreatePickupsParams) ([]CreatePickupsRow, error) {
	rows, err := s.q.CreatePickupsSkipLocked(ctx, CreatePickupsSkipLockedParams(p))
	return mapSlice(rows, func(r CreatePickupsSkipLockedRow) CreatePickupsRow { return CreatePickupsRow(r) }), err
}

// drafting creates the pickups of all batches in one statement.
func (s *Store) drafting(
	create func(context.Context, CreatePickupsParams) ([]CreatePickupsRow, error),
) func(context.Context, []draftBatch) ([][]Pickup, error) {
	return func(ctx context.Context, asks []draftBatch) ([][]Pickup, error) {
		p, place := createParams(asks)
		rows, err := create(plannedOnce(confirmedBy(ctx, asks), len(p.Ids)), p)
		made := make([][]Pickup, len(asks))
		for _, r := range rows {
			i := place[key{r.Pickup.TenantID, r.Pickup.ID}]
			made[i] = append(made[i], r.Pickup)
		}
		return made, err
	}
}

// createParams returns the arguments of the statement, and the batch of each pickup.
func createParams(asks []draftBatch) (p CreatePickupsParams, place map[key]int) {
	place = map[key]int{}
	for i, b := range asks {
		for _, d := range b.drafts {
			place[key{b.viewer.TenantID, d.ID}] = i
			p.Add(i, b.viewer, d)
		}
	}
	p.Operation = operationOf(asks[0].drafts) // drafts in a shared statement have no patient
	return p, place
}

// resolveDrafts finds the outcome of a batch whose statement may have been committed, by repeating it:
// existing rows are not created again, and CreateDrafts reads them.
func (s *Store) resolveDrafts(ctx context.Context, b draftBatch) ([]Pickup, error) {
	return s.drafts.FlushWaiting(ctx, b)
}

func operationOf(drafts []Draft) string { return cmp.Or(drafts[0].Operation, "create-pickup") }

// seen is a request for a pickup, with its viewer and the operation that shows it in its answer, or ""
// if it is only checked.
type seen struct {
	id        uuid.UUID
	viewer    Viewer
	operation string
}

// SeesPickup returns nil if the viewer may see the pickup, otherwise NotFound. Nothing of it is shown
// or audited.
func (s *Store) SeesPickup(ctx context.Context, v Viewer, id uuid.UUID) error {
	_, err := s.getOne(ctx, seen{id, v, ""})
	return err
}

// GetOne returns a pickup that the viewer may see, otherwise NotFound, for the answer of get-pickup: if
// it names a patient, that is audited.
func (s *Store) GetOne(ctx context.Context, v Viewer, id uuid.UUID) (Pickup, error) {
	return s.GetOneFor(ctx, v, id, "get-pickup")
}

// GetOneFor is GetOne for the answer of another operation.
func (s *Store) GetOneFor(ctx context.Context, v Viewer, id uuid.UUID, operation string) (Pickup, error) {
	return s.getOne(ctx, seen{id, v, operation})
}

func (s *Store) getOne(ctx context.Context, ask seen) (Pickup, error) {
	p, err := s.pickups.do(ctx, ask)
	if err != nil {
		return Pickup{}, Explain(err)
	}
	if !p.ok {
		return Pickup{}, refuse(NotFound, "")
	}
	return p.row.pickup(), nil
}

// ListPickups returns the newest pickups that the viewer sees; each row states whether there are more
// than MaxRows.
func (s *Store) ListPickups(ctx context.Context, p ListPickupsParams) ([]ListPickupsRow, error) {
	return s.q.ListPickups(ctx, p)
}

// replanning makes each statement use a custom plan: the generic plan, which PostgreSQL uses after five
// executions, cannot choose an index by the arguments.
type replanning struct{ DBTX }

func (r replanning) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return r.DBTX.Query(ctx, sql, append([]any{replanned}, args...)...)
}

func (r replanning) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return r.DBTX.QueryRow(ctx, sql, append([]any{replanned}, args...)...)
}

// replanned is the query mode of such a statement; in a pipeline, PlanForArguments has the same effect.
const replanned = pgx.QueryExecModeCacheDescribe

// pickup returns the row of pickups in a row of GetPickups.
func (r GetPickupsRow) pickup() Pickup {
	return Pickup{
		TenantID:        r.TenantID,
		ID:              r.ID,
		Status:          r.Status,
		PreviousStatus:  r.PreviousStatus,
		FacilityID:      r.FacilityID,
		AccountID:       r.AccountID,
		RequestedBy:     r.RequestedBy,
		DriverID:        r.DriverID,
		PriceCents:      r.PriceCents,
		ChargedCents:    r.ChargedCents,
		RefundedCents:   r.RefundedCents,
		PickupAddress:   r.PickupAddress,
		PickupLatitude:  r.PickupLatitude,
		PickupLongitude: r.PickupLongitude,
		DropoffAddress:  r.DropoffAddress,
		WindowStart:     r.WindowStart,
		WindowEnd:       r.WindowEnd,
		Note:            r.Note,
		CancelReason:    r.CancelReason,
		Version:         r.Version,
		RequestDigest:   r.RequestDigest,
		CreatedAt:       r.CreatedAt,
		UpdatedAt:       r.UpdatedAt,
		SubmittedAt:     r.SubmittedAt,
		PatientID:       r.PatientID,
	}
}

// EditPickup edits the pickup of p, whose tenant and viewer are v's. If no row matched, a fresh read finds
// the reason: NotFound, StaleVersion, NotEditable, or the error of a value.
func (s *Store) EditPickup(ctx context.Context, v Viewer, p EditPickupParams) (Pickup, error) {
	if err := v.mayWrite(); err != nil {
		return Pickup{}, err
	}
	p.TenantID, p.ViewerID = v.TenantID, v.UserID
	c := confirmationOf(v)
	c.addPickups(v, p.ID)
	row, err := s.q.EditPickup(withConfirmation(ctx, c), p)
	if NoRow(err) {
		refusal := s.explainEdit(ctx, v, p)
		return Pickup{}, cmp.Or(s.replicated(ctx), refusal) // it may be the caller's own edit
	}
	if err != nil {
		return Pickup{}, Explain(err)
	}
	return row.Pickup, nil
}

// getDrafts returns the pickups of the drafts in their order.
func (s *Store) getDrafts(ctx context.Context, v Viewer, drafts []Draft) ([]Pickup, error) {
	rows, err := s.flushSeen(ctx, mapSlice(drafts, func(d Draft) seen { return seen{d.ID, v, operationOf(drafts)} }))
	if err != nil {
		return nil, Explain(err)
	}
	pickups := make([]Pickup, len(rows))
	for i, r := range rows {
		if !r.ok {
			return nil, refuse(NotFound, "")
		}
		pickups[i] = r.row.pickup()
	}
	return pickups, nil
}

func (s *Store) flushSeen(ctx context.Context, asks []seen) ([]found[GetPickupsRow], error) {
	rows, err := s.q.GetPickups(confirmedFirst(ctx, asks), GetPickupsParams{
		TenantIds:       mapSlice(asks, func(a seen) uuid.UUID { return a.viewer.TenantID }),
		Ids:             mapSlice(asks, func(a seen) uuid.UUID { return a.id }),
		ViewerIds:       mapSlice(asks, func(a seen) uuid.UUID { return a.viewer.UserID }),
		ViewerRoles:     mapSlice(asks, func(a seen) string { return string(a.viewer.Role) }),
		ViewerDriverIds: mapSlice(asks, func(a seen) uuid.UUID { return a.viewer.DriverID }),
		Operations:      mapSlice(asks, func(a seen) string { return a.operation }),
	})
	return inPlace(asks, rows, func(r GetPickupsRow) int64 { return r.Asked }), err
}

// inOrder sorts rows by the order of their drafts.
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
