package db

import (
	"context"
	"slices"

	"github.com/google/uuid"
)

// touch is a row that a write of a transaction changes, or on which its success depends.
type touch struct {
	kind touchKind
	id   uuid.UUID // uuid.Nil: any row of the kind
	how  touchHow
}

type touchKind int

const (
	touchPickup touchKind = iota
	touchEntry
	touchSlot
	touchAccount
	touchLocation
)

// touchHow says which changes of a row commute: sums of one sign do, since all of them succeed or the transaction
// does not, but a charge may need the deposit before it.
type touchHow int

const (
	alone touchHow = iota
	adds
	spends
)

func (a touch) precedes(b touch) bool {
	return a.kind == b.kind && (a.id == b.id || a.id == uuid.Nil || b.id == uuid.Nil) &&
		(a.how == alone || a.how != b.how)
}

// anyBefore reports whether one of the earlier writes has to precede one with these touches. In the statement of both,
// which changes balances in order, accounts make no difference.
func anyBefore(earlier []*turn, touched map[*turn][]touch, own []touch, inOrder bool) bool {
	return slices.ContainsFunc(earlier, func(e *turn) bool {
		return slices.ContainsFunc(touched[e], func(a touch) bool {
			return (!inOrder || a.kind != touchAccount) && slices.ContainsFunc(own, a.precedes)
		})
	})
}

// changeKey is a transition of a pickup.
type changeKey struct {
	pickupID   uuid.UUID
	transition TransitionName
}

// touchedBy returns what each of the waiting writes touches. Which account and driver a transition changes is read
// from the pickups, which are locked for it, as the transitions themselves do; those of a pickup that is made or
// assigned by writes before are these writes'.
func (s *Store) touchedBy(ctx context.Context, v Viewer, waiting []*turn) (map[*turn][]touch, error) {
	t := transactionOf(ctx)
	k := known{drivers: map[uuid.UUID][]uuid.UUID{}, accounts: map[uuid.UUID]uuid.UUID{}}
	var moves []NamedPickup
	for _, w := range waiting {
		switch ask := w.request.value().(type) {
		case move:
			if ask.DriverID != uuid.Nil {
				k.drivers[ask.PickupID] = append(k.drivers[ask.PickupID], ask.DriverID)
			}
			moves = append(moves, NamedPickup{ID: ask.PickupID, Transition: ask.Name, DriverID: ask.DriverID})
		case draftBatch:
			for _, d := range ask.drafts {
				k.accounts[d.ID] = d.AccountID
			}
		}
	}
	if len(moves) > 0 && t.changed == nil {
		rows, err := s.lock(ctx, v, NamedRows{Pickups: moves})
		if err != nil {
			return nil, err
		}
		t.know(moves, rows)
	}
	k.changed = t.changed
	touched := make(map[*turn][]touch, len(waiting))
	for _, w := range waiting {
		touched[w] = k.touches(w.request.value())
	}
	return touched, nil
}

// know keeps what the writes of these pickups change besides.
func (t *transaction) know(pickups []NamedPickup, rows []LockRowsRow) {
	t.changed = make(map[changeKey]LockRowsRow, len(rows))
	for i, r := range rows {
		t.changed[changeKey{pickups[i].ID, pickups[i].Transition}] = r
	}
}

// known is what is known of pickups before the writes are made.
type known struct {
	changed  map[changeKey]LockRowsRow
	drivers  map[uuid.UUID][]uuid.UUID // that writes assign to a pickup
	accounts map[uuid.UUID]uuid.UUID   // of pickups that writes create
}

func (k known) touches(ask any) (all []touch) {
	switch ask := ask.(type) {
	case move:
		return k.ofMove(ask)
	case entry:
		how := adds
		if ask.Kind == EntryKindCharge {
			how = spends
		}
		return []touch{{touchEntry, ask.ID, alone}, {touchAccount, ask.AccountID, how}}
	case draftBatch:
		return mapSlice(ask.drafts, func(d Draft) touch { return touch{touchPickup, d.ID, alone} })
	case location:
		return []touch{{touchLocation, ask.DriverID, alone}}
	}
	panic("a write that shares statements says what it touches")
}

func (k known) ofMove(m move) []touch {
	row, asked := k.changed[changeKey{m.PickupID, m.Name}]
	all := []touch{{touchPickup, m.PickupID, alone}}
	if !asked {
		return append(all, touch{kind: touchSlot}, touch{kind: touchAccount})
	}
	account := row.AccountID
	if !row.IsKnown {
		account = k.accounts[m.PickupID]
	}
	switch row.Money {
	case string(EntryKindCharge):
		all = append(all, touch{touchAccount, account, spends})
	case string(EntryKindRefund):
		all = append(all, touch{touchAccount, account, adds})
	}
	switch row.Slot {
	case "take":
		all = append(all, touch{kind: touchSlot, id: m.DriverID})
	case "free":
		assigned := k.drivers[m.PickupID]
		if row.DriverID != uuid.Nil || !row.IsKnown && len(assigned) == 0 {
			all = append(all, touch{kind: touchSlot, id: row.DriverID})
		}
		for _, id := range assigned {
			all = append(all, touch{kind: touchSlot, id: id})
		}
	}
	return all
}
