package samples

import "testing"

func TestAMethodIsNamedWithoutItsTag(t *testing.T) {
	t.Parallel()
	for id, want := range map[[2]string]string{
		{"list-pickup-events", "pickups"}: "list-events", {"deposit-to-account", "accounts"}: "deposit-to-account",
		{"logout", "sessions"}: "logout", {"edit-facility", "facilities"}: "edit",
		{"add-phone-number", "users"}: "add-phone-number",
	} {
		if got := methodName(id[0], id[1]); got != want {
			t.Errorf("%v is %s, want %s", id, got, want)
		}
	}
}
