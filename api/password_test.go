package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/db"
)

// The queue has all its places however long a hash takes: a newcomer waits. Without a free place they
// get 503, before anything is counted or queried.
func TestTheQueueIsAsLongOnASlowMachine(t *testing.T) {
	t.Parallel()
	for _, cost := range []int{bcrypt.MinCost, bcrypt.DefaultCost, 16} {
		p := newPasswords(cost)
		p.slots = 2
		admitted := 0
		for i := range 200 {
			_, err := p.enter(caller{fmt.Sprint("source ", i), fmt.Sprint("tenant ", i)})
			var refused *Problem
			if err == nil {
				admitted++
				continue
			}
			if !errors.As(err, &refused) || refused.Code != db.Overloaded {
				t.Fatal(err)
			}
			if after := refused.GetHeaders().Get("Retry-After"); after != "2" && after != "3" && after != "4" {
				t.Errorf("Retry-After %q", after)
			}
		}
		if admitted != 2*maxQueue {
			t.Errorf("at cost %d, %d logins are admitted, want %d", cost, admitted, 2*maxQueue)
		}
	}
}

// Any number of logins leaves the places of users with a session free.
func TestLoginsTakeNoPlaceOfThoseWithASession(t *testing.T) {
	t.Parallel()
	p := newPasswords(bcrypt.MinCost)
	refused := false
	for i := range 1000 {
		if _, err := p.enter(caller{fmt.Sprint("source ", i), fmt.Sprint("tenant ", i)}); err != nil {
			refused = true
		}
	}
	if !refused {
		t.Fatal("the queue never filled: nothing was tested")
	}
	if _, err := p.enterAs(db.Viewer{TenantID: uuid.New(), UserID: uuid.New()}); err != nil {
		t.Error(err)
	}
}

// Unknown users take the same time: bcrypt accepts the dummy as a hash of the right cost, and computes
// it fully before it fails.
func TestDummyIsAHashOfTheCost(t *testing.T) {
	t.Parallel()
	for _, cost := range []int{bcrypt.MinCost, bcrypt.DefaultCost, bcrypt.MaxCost} {
		if got, err := bcrypt.Cost(dummyHash(cost)); err != nil || got != cost {
			t.Errorf("cost %d: %d, %v", cost, got, err)
		}
	}
	if err := bcrypt.CompareHashAndPassword(dummyHash(bcrypt.MinCost),
		[]byte("correct horse")); err != bcrypt.ErrMismatchedHashAndPassword {
		t.Error(err)
	}
}

// Every comparison takes the rounds of the highest cost, which determine the time, whatever the hash.
func TestEveryComparisonMakesTheSameRounds(t *testing.T) {
	t.Parallel()
	p := newPasswords(6)
	hash := func(cost int) string {
		made, err := bcrypt.GenerateFromPassword([]byte("correct horse"), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(made)
	}
	rounds := func(hash, password string) (n int) {
		p.compareHash = func(hash, password []byte) error {
			cost, err := bcrypt.Cost(hash)
			if err != nil {
				t.Fatal(err)
			}
			n += 1 << cost
			return bcrypt.CompareHashAndPassword(hash, password)
		}
		if _, err := p.compare(t.Context(), caller{}, uncounted, hash, password); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, hash := range []string{"", "no hash", hash(4), hash(5), hash(6)} {
		for _, password := range []string{"correct horse", "wrong horse"} {
			if got := rounds(hash, password); got != 1<<6 {
				t.Errorf("%q against %.7q: %d rounds, want %d", password, hash, got, 1<<6)
			}
		}
	}
	rounds(hash(8), "wrong horse") // of a time when the cost was higher
	if got := rounds("", "wrong horse"); got != 1<<8 {
		t.Errorf("after a costlier hash, an unknown user costs %d rounds, want %d", got, 1<<8)
	}
}

func TestWhatIsComparedIsPrepared(t *testing.T) {
	t.Parallel()
	p := newPasswords(bcrypt.MinCost + 1)
	hashOf := func(password string, cost int) string {
		made, err := bcrypt.GenerateFromPassword([]byte(password), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(made)
	}
	const composed, decomposed = "pässwörter", "pa\u0308sswo\u0308rter"
	for name, c := range map[string]struct {
		hash, given string
		want        verdict
	}{
		"the same":                        {hashOf(composed, 5), composed, verdict{true, false}},
		"the other form":                  {hashOf(composed, 5), decomposed, verdict{true, false}},
		"another kind of space":           {hashOf("correct horse", 5), "correct\u00a0horse", verdict{true, false}},
		"a hash of what was typed":        {hashOf(decomposed, 5), decomposed, verdict{true, true}},
		"a hash of what may not be typed": {hashOf("correct\thorse", 5), "correct\thorse", verdict{true, false}},
		"a hash of a lower cost":          {hashOf("correct horse", 4), "correct horse", verdict{true, true}},
		"another password":                {hashOf(composed, 4), "passworter", verdict{}},
		"what bcrypt would cut":           {hashOf(strings.Repeat("x", 72), 5), strings.Repeat("x", 73), verdict{}},
		"no hash":                         {"", composed, verdict{}},
		"the password of the dummy":       {"", "", verdict{}},
	} {
		if got, err := p.compare(t.Context(), caller{}, uncounted, c.hash, c.given); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestNewPasswords(t *testing.T) {
	t.Parallel()
	for password, refused := range map[string]bool{
		"correct horse": false, "pässwörter": false, "        ": true, "\u3000\u00a0\u2003     ": true,
		"\u2003\u2003\u2003\u2003\u2003\u2003\u2003\u2003": true,
		"short": true, "a\u0308a\u0308a\u0308a\u0308": true, "correct\thorse": true, "correct\ufeffhorse": true,
		strings.Repeat("ä", 36): false, strings.Repeat("a\u0308", 36): false, strings.Repeat("ä", 37): true,
		"password": true, "PassWord": true, "ｐａｓｓｗｏｒｄ": true, "12345678": true, "Qwerty123": true, "Password1": true,
	} {
		prepared, wrong := newPassword(password)
		if (wrong != "") != refused {
			t.Errorf("%q: %q", password, wrong)
		}
		if again, _ := newPassword(prepared); wrong == "" && again != prepared {
			t.Errorf("%q: preparing is not idempotent", password)
		}
	}
	if n := len(common()); n < 100 {
		t.Errorf("%d common passwords", n)
	}
	for password := range common() {
		if len(password) < minPassword {
			t.Errorf("%q is already rejected as too short", password)
		}
	}
	one, _ := newPassword("pässwörter")
	other, _ := newPassword("pa\u0308sswo\u0308rter")
	if one != other {
		t.Error("composed and decomposed forms are different passwords")
	}
}
