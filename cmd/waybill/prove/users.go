package prove

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

func userStories() []story {
	return []story{
		{"clobbered-edit",
			"Two people edited one user from the same page. The second save overwrote the row, and the first change " +
				"was gone.",
			"Many concurrent edits with one ETag: one succeeds, the others get stale_version.",
			clobberedEdit},
		{"email-and-phone",
			"One request changed a user's email address, another their phone number. Each saved the whole row: one " +
				"change was lost.",
			"A new address and a new number concurrently: both are kept.",
			emailAndPhone},
		{"duplicate-email",
			"Two people signed up with one address concurrently. Both checks passed, and both got an account.",
			"Many create a user with one address concurrently, in any letter case: one succeeds, the others get " +
				"email_taken.",
			duplicateEmail},
		{"unknown-user",
			"A phone number was stored for a user who no longer existed: the user had been looked up " +
				"before.",
			"Add a number to a user who does not exist: user_not_found, and the number stays available.",
			unknownUser},
	}
}

type person struct {
	ID      string `json:"id"`
	Email   string `json:"email"`
	Name    string `json:"name"`
	Version int64  `json:"version"`
}

// temporaryUser creates a user who is deactivated at the end of the story.
func (t *trial) temporaryUser() (id string, leave func()) {
	made, err := create[row](t.ctx, t.admin, "/v1/users", t.userBody(t.address("staff"), "staff"))
	t.require(err)
	return made.ID, func() { t.admin.post(t.ctx, "/v1/users/"+made.ID+"/deactivate", nil) }
}

func (t *trial) person(id string) (p person, etag string) {
	a := t.admin.get(t.ctx, "/v1/users/"+id)
	t.require(a.into(&p))
	return p, a.etag
}

func clobberedEdit(t *trial) {
	id, leave := t.temporaryUser()
	defer leave()
	path, callers := "/v1/users/"+id, max(2, t.Callers)
	for range t.Rounds {
		before, etag := t.person(id)
		edits := make([]map[string]string, callers)
		for i := range edits {
			edits[i] = map[string]string{"name": t.name("edited")}
			if i%2 == 1 {
				edits[i] = map[string]string{"email": t.address("edited")}
			}
		}
		got := atOnce(callers, func(i int) answer { return t.admin.patch(t.ctx, path, etag, edits[i]) })
		expectEqual(t, "edits taken", got.won(), 1)
		t.expectRefused("edits", got, "stale_version", callers-1)
		// Only the winner's fields have changed.
		want := before
		want.Version++
		for i, a := range got {
			if a.ok() {
				want.Name, want.Email = cmp.Or(edits[i]["name"], want.Name), cmp.Or(edits[i]["email"], want.Email)
			}
		}
		now, _ := t.person(id)
		expectEqual(t, "the user after the edits", now, want)
	}
	t.figures("%d callers x %d rounds: 1 edit succeeded each time, %d stale_version; nothing else changed",
		callers, t.Rounds, callers-1)
}

func emailAndPhone(t *trial) {
	id, leave := t.temporaryUser()
	defer leave()
	path := "/v1/users/" + id
	for range t.Rounds {
		_, etag := t.person(id)
		email, number := t.address("moved"), newNumber()
		got := atOnce(2, func(i int) answer {
			if i == 0 {
				return t.admin.patch(t.ctx, path, etag, map[string]string{"email": email})
			}
			return t.admin.post(t.ctx, path+"/phone-numbers", map[string]string{"number": number})
		})
		t.expect(got.won() == 2, "a new address and a new number concurrently: %v", got)
		now, _ := t.person(id)
		expectEqual(t, "the address", now.Email, email)
		t.expect(t.removeNumber(id, number), "the new number is lost")
	}
	t.figures("%d rounds: both were kept each time", t.Rounds)
}

// newNumber returns an unused phone number: from a range reserved for fiction, long enough that no two
// runs collide.
func newNumber() string { return fmt.Sprintf("+1555%011d", rand.Int64N(1e11)) }

// removeNumber removes a number from a user, if they have it.
func (t *trial) removeNumber(id, number string) bool {
	path := "/v1/users/" + id + "/phone-numbers"
	numbers, err := list[struct{ ID, Number string }](t.ctx, t.admin, path)
	t.require(err)
	for _, n := range numbers {
		if n.Number == number {
			return t.admin.do(t.ctx, http.MethodDelete, path+"/"+n.ID, nil).ok()
		}
	}
	return false
}

func duplicateEmail(t *trial) {
	// Each password hash takes the server a tenth of a second.
	callers := max(2, min(t.Callers, 8))
	email := t.address("twin")
	got := atOnce(callers, func(i int) answer {
		body := t.userBody(email, "staff")
		if i%2 == 1 {
			body["email"] = strings.ToUpper(email[:i]) + email[i:]
		}
		return t.admin.post(t.ctx, "/v1/users", body)
	})
	expectEqual(t, "users made", got.won(), 1)
	t.expectRefused("the others", got, "email_taken", callers-1)
	for _, a := range got {
		var made row
		if a.into(&made) == nil {
			t.admin.post(t.ctx, "/v1/users/"+made.ID+"/deactivate", nil)
		}
	}
	t.figures("%d callers: %v", callers, got)
}

func unknownUser(t *trial) {
	number := newNumber()
	got := atOnce(t.Callers, func(int) answer {
		return t.admin.post(t.ctx, "/v1/users/"+uuid.NewString()+"/phone-numbers", map[string]string{"number": number})
	})
	for _, a := range got {
		t.expect(a.status == http.StatusNotFound && a.code == "user_not_found",
			"a number of an unknown user: %d %s", a.status, a.code)
	}
	id, leave := t.temporaryUser()
	defer leave()
	a := t.admin.post(t.ctx, "/v1/users/"+id+"/phone-numbers", map[string]string{"number": number})
	t.expect(a.ok(), "the number is not available any more: %s", a.outcome())
	t.expect(t.removeNumber(id, number), "the number was not stored")
	t.figures("%v; then stored for an existing user", got)
}
