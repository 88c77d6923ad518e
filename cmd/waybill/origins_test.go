package main

import (
	"net/http"
	"testing"

	"waybill/db/dbtest"
)

// wantOrigins fails the test unless the server allows pages of these origins, and no others, to call it.
func wantOrigins(t testing.TB, url string, want map[string]bool) {
	t.Helper()
	for origin, isAllowed := range want {
		r, err := http.NewRequestWithContext(t.Context(), "OPTIONS", url+"/v1/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "GET")
		r.Header.Set("Access-Control-Request-Headers", "authorization")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		got := answer.Header.Get("Access-Control-Allow-Origin")
		if (got != "") != isAllowed || isAllowed && got != origin {
			t.Errorf("a page of %s: Access-Control-Allow-Origin is %q, want allowed: %t", origin, got, isAllowed)
		}
	}
}

// A server that is not told of any origin is called by no page of another one.
func TestServeAllowsNoOriginUnlessToldTo(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "processes")
	database := newFixture(t).db.AppURL
	wantOrigins(t, serve(t, database).url, map[string]bool{"http://localhost:5173": false,
		"http://127.0.0.1:5173": false, "https://app.example": false, "null": false})
	wantOrigins(t, serve(t, database, "--cors-origins", "https://app.example").url, map[string]bool{
		"http://localhost:5173": false, "https://app.example": true, "https://other.example": false, "null": false})
}
