package api

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"waybill/db"
)

// refusal returns the code and the detail of an error.
func refusal(t *testing.T, err error) (db.Code, string) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) {
		t.Fatalf("%v is not a problem", err)
	}
	return p.Code, p.Detail
}

func TestSharesKeepPlacesForOtherUsersAndTenants(t *testing.T) {
	t.Parallel()
	s := newShares[string]("streams", Limits{Whole: 6}.withDefaults(Limits{9, 4, 2}))
	var releases []func()
	take := func(tenant, user string, want db.Code, says string) {
		t.Helper()
		release, err := s.take(tenant, user)
		if err != nil {
			if code, detail := refusal(t, err); code != want || !strings.Contains(detail, says) || release != nil {
				t.Errorf("%s of %s: %s, %q", user, tenant, code, detail)
			}
			return
		}
		if want != "" {
			t.Errorf("%s of %s is admitted, want %s", user, tenant, want)
		}
		releases = append(releases, release)
	}
	take("acme", "ann", "", "")
	take("acme", "ann", "", "")
	take("acme", "ann", concurrencyLimit, "2 concurrent streams per user")
	take("acme", "bob", "", "")
	take("acme", "bob", "", "")
	take("acme", "cid", concurrencyLimit, "4 concurrent streams per tenant")
	take("acme", "ann", concurrencyLimit, "2 concurrent streams per user")
	take("bolt", "ann", "", "") // another's user of the same name
	take("bolt", "ann", "", "")
	take("cure", "dan", db.Overloaded, "")
	take("acme", "ann", concurrencyLimit, "2 concurrent streams per user") // their own fault, before the server's
	if s.inUse() != 6 {
		t.Errorf("%d slots are in use", s.inUse())
	}

	releases[0]()
	releases[0]() // releases only one place
	if s.inUse() != 5 {
		t.Errorf("%d are in use after a release", s.inUse())
	}
	take("acme", "cid", "", "")
	take("cure", "dan", db.Overloaded, "")
	for _, release := range releases {
		release()
	}
	if s.inUse() != 0 || len(s.tenants) > 0 || len(s.users) > 0 {
		t.Errorf("keeps the counts %d, %v, %v", s.inUse(), s.tenants, s.users)
	}
}

func TestSharesAreNeverExceededAtOnce(t *testing.T) {
	t.Parallel()
	s := newShares[int]("lists", Limits{5, 3, 2})
	var all, refused atomic.Int64
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			for range 100 {
				release, err := s.take(i%2, i%8)
				if err != nil {
					refused.Add(1)
					continue
				}
				if n := all.Add(1); n > 5 {
					t.Errorf("%d at once", n)
				}
				all.Add(-1)
				release()
			}
		})
	}
	callers.Wait()
	if s.inUse() != 0 || len(s.tenants) > 0 || len(s.users) > 0 {
		t.Errorf("remembers %d, %v, %v after %d refusals", s.inUse(), s.tenants, s.users, refused.Load())
	}
}
