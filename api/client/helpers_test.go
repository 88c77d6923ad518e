package client_test

import (
	"testing"

	"waybill/api/client"
)

// value fails the test if a call failed, and returns what it answered.
func value[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, want client.Code) {
	t.Helper()
	if got := client.CodeOf(err); got != want {
		t.Errorf("the code is %q (%v), want %q", got, err, want)
	}
}
