package db_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/localpg"
)

// batchedWork is what BenchmarkBatched measures.
var batchedWork = []struct {
	name string
	// prepare makes the rows that n operations need, and returns the operation.
	prepare func(ctx context.Context, w *fixture, n int) func(s *db.Raw, i int) error
}{
	{"charge-hot", func(ctx context.Context, w *fixture, n int) func(*db.Raw, int) error {
		account := w.fundedAccount(ctx, 1<<40)
		return func(s *db.Raw, i int) error { return enter(ctx, s, w.admin, charge(account, 1)) }
	}},
	{"charge-spread", func(ctx context.Context, w *fixture, n int) func(*db.Raw, int) error {
		accounts := make([]uuid.UUID, 1000)
		for i := range accounts {
			accounts[i] = w.fundedAccount(ctx, 1<<40)
		}
		return func(s *db.Raw, i int) error {
			return enter(ctx, s, w.admin, charge(accounts[i%len(accounts)], 1))
		}
	}},
	{"submit", func(ctx context.Context, w *fixture, n int) func(*db.Raw, int) error {
		account := w.fundedAccount(ctx, 1<<40)
		ids := w.manyDrafts(ctx, account, n)
		return func(s *db.Raw, i int) error {
			_, _, err := s.MoveOne(ctx, w.staff,
				db.Transition{Name: db.TransitionNameSubmit, PickupID: ids[i], Digest: digest("submit")})
			return err
		}
	}},
	{"cancel", func(ctx context.Context, w *fixture, n int) func(*db.Raw, int) error {
		ids := w.manyDrafts(ctx, w.account, n)
		return func(s *db.Raw, i int) error {
			_, _, err := s.MoveOne(ctx, w.staff,
				db.Transition{Name: db.TransitionNameCancel, PickupID: ids[i], Digest: digest("cancel")})
			return err
		}
	}},
	{"create", func(ctx context.Context, w *fixture, n int) func(*db.Raw, int) error {
		return func(s *db.Raw, i int) error {
			return created(ctx, s, w.staff, []db.Draft{w.draft()})
		}
	}},
	{"get", func(ctx context.Context, w *fixture, n int) func(*db.Raw, int) error {
		ids := w.manyDrafts(ctx, w.account, 1000)
		return func(s *db.Raw, i int) error {
			_, err := s.GetOne(ctx, w.dispatcher, ids[i%len(ids)])
			return err
		}
	}},
}

// BenchmarkBatched compares the throughput of concurrent callers with and without shared statements, on a
// PostgreSQL with default durability:
//
//	go test ./db -run - -bench Batched -benchmem
func BenchmarkBatched(b *testing.B) {
	server, err := localpg.Start(b.Context(), localpg.Options{Durable: true, TCP: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Stop() })
	b.Setenv("DATABASE_URL", server.URL(localpg.Superuser, localpg.Database))
	for _, work := range batchedWork {
		for _, callers := range []int{1, 32, 256} {
			for _, oneByOne := range []bool{true, false} {
				name := fmt.Sprintf("%s/callers=%d/batched=%t", work.name, callers, !oneByOne)
				b.Run(name, func(b *testing.B) {
					d := dbtest.New(b)
					c := db.Config{URL: d.AppURL, MaxConns: 32, AcquireTimeout: 1e10, OneByOne: oneByOne}
					s := openStore(b, c)
					w := (&database{s, d.Owner(), d}).fixture(b.Context())
					w.signIn(b.Context(), false) // each write confirms its caller's session
					operate := work.prepare(b.Context(), w, b.N)
					b.ReportAllocs()
					b.ResetTimer()
					var next atomic.Int64
					var wg sync.WaitGroup
					for range callers {
						wg.Go(func() {
							for i := next.Add(1) - 1; int(i) < b.N; i = next.Add(1) - 1 {
								if err := operate(s, int(i)); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "/s")
				})
			}
		}
	}
}

// manyDrafts makes n pickups of the account, and returns their ids.
func (w *fixture) manyDrafts(ctx context.Context, account uuid.UUID, n int) (ids []uuid.UUID) {
	for len(ids) < n {
		var drafts []db.Draft
		for range min(1000, n-len(ids)) {
			drafts = append(drafts, w.draft(paidBy(account)))
			ids = append(ids, drafts[len(drafts)-1].ID)
		}
		w.must(created(ctx, w.as, w.staff, drafts))
	}
	return ids
}

func enter(ctx context.Context, s *db.Raw, v db.Viewer, e db.Entry) error {
	_, _, err := s.Enter(ctx, v, e)
	return err
}
