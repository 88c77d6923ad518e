package api

import "testing"

// A disconnected client is reported as such, whether its request was canceled or timed out.
func TestOutcomeOfADepartedClient(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{200: 200, 201: 201, 409: 409, 500: 500, 503: 499, 504: 499} {
		r := &request{code: "a_code"}
		if got, code := r.outcome(&recorder{status: status}); got != status || code != "a_code" {
			t.Errorf("%d for a connected client: %d %s", status, got, code)
		}
		r.gone.Store(true)
		if got, code := r.outcome(&recorder{status: status}); got != want || (code == "") != (got == statusClientGone) {
			t.Errorf("%d for a disconnected client: %d %q, want %d", status, got, code, want)
		}
	}
}
