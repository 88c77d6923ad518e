package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"waybill/db"
)

type oldThing struct {
	Note   string `json:"note" doc:"What was noted" since:"2026-12-01" sunset:"2027-06-30" successor:"remark"`
	Remark string `json:"remark"`
}

type thingOutput struct{ Body *oldThing }

type thingPath struct {
	ID string `path:"thing_id"`
}

// withOldThing serves a deprecated operation, its successor, and one that is not deprecated.
func withOldThing(t *testing.T) (*server, http.Handler) {
	t.Helper()
	a := newServer(nil, Options{})
	mux := http.NewServeMux()
	a.huma = humago.New(mux, config())
	old := deprecatedOn("2026-12-01", "2027-06-30", "get-new-thing")
	register := func(id, path string, d *deprecation) {
		registerOpen(a, operation{id: id, method: http.MethodGet, path: path,
			tag: "service", anyone: true, deprecated: d},
			func(_ context.Context, in *thingPath) (*thingOutput, error) {
				if in.ID == "none" {
					return nil, problem(db.NotFound, "", "")
				}
				return &thingOutput{&oldThing{}}, nil
			})
	}
	register("get-old-thing", "/v1/old-things/{thing_id}", old)
	register("get-new-thing", "/v1/things/{thing_id}", nil)
	register("get-abandoned-thing", "/v1/abandoned/{thing_id}", deprecatedOn("2026-12-01", "2027-06-30", ""))
	finishDocument(a.huma.OpenAPI())
	quiet := func(string, int, string, time.Duration) {}
	return a, observed(a.log, quiet, crossOrigin([]string{"https://app.example"}, a.huma.OpenAPI(), mux))
}

// Each answer of a deprecated operation, an error too, says so to programs: the day, the end, and the successor.
func TestADeprecatedOperationSaysSo(t *testing.T) {
	t.Parallel()
	_, handler := withOldThing(t)
	documented := func(id string) string { return `</docs/operations/` + id + `>; rel="deprecation"; type="text/html"` }
	for path, want := range map[string][3]string{
		"/v1/old-things/a%20b": {"@1796083200", "Thu, 01 Jul 2027 00:00:00 GMT",
			documented("get-old-thing") + `, </v1/things/a%20b>; rel="successor-version"`},
		"/v1/old-things/none": {"@1796083200", "Thu, 01 Jul 2027 00:00:00 GMT",
			documented("get-old-thing") + `, </v1/things/none>; rel="successor-version"`},
		"/v1/old-things/1?odd=1": {"@1796083200", "Thu, 01 Jul 2027 00:00:00 GMT",
			documented("get-old-thing") + `, </v1/things/1>; rel="successor-version"`},
		"/v1/abandoned/1": {"@1796083200", "Thu, 01 Jul 2027 00:00:00 GMT", documented("get-abandoned-thing")},
		"/v1/things/1":    {},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		r.Header.Set("Origin", "https://app.example")
		handler.ServeHTTP(w, r)
		got := [3]string{w.Header().Get("Deprecation"), w.Header().Get("Sunset"), w.Header().Get("Link")}
		if got != want {
			t.Errorf("%s (%d): the headers are %q, want %q", path, w.Code, got, want)
		}
		exposed := w.Header().Get("Access-Control-Expose-Headers")
		for _, name := range []string{"Deprecation", "Sunset", "Link"} {
			if !strings.Contains(exposed, name) {
				t.Errorf("pages of other origins see %s, without %s", exposed, name)
			}
		}
	}
}

// The document marks what is deprecated, and says until when it works.
func TestTheDocumentMarksWhatIsDeprecated(t *testing.T) {
	t.Parallel()
	a, _ := withOldThing(t)
	text, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	type marked struct {
		Deprecated  bool
		Description string
		Sunset      string `json:"x-sunset"`
	}
	var document struct {
		Paths      map[string]map[string]marked
		Components struct {
			Schemas map[string]struct{ Properties map[string]marked }
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	members := document.Components.Schemas["OldThing"].Properties
	const note = "Deprecated since 2026-12-01, and removed after 2027-06-30. Use `"
	for what, is := range map[string]struct {
		got, want marked
	}{
		"the operation": {document.Paths["/v1/old-things/{thing_id}"]["get"],
			marked{true, note + "get-new-thing` instead.", "2027-06-30"}},
		"its successor":    {document.Paths["/v1/things/{thing_id}"]["get"], marked{}},
		"the member":       {members["note"], marked{true, note + "remark` instead.\n\nWhat was noted", "2027-06-30"}},
		"the other member": {members["remark"], marked{}},
	} {
		if is.got != is.want {
			t.Errorf("%s is %+v, want %+v", what, is.got, is.want)
		}
	}
}

// A deprecation that cannot be kept fails at start.
func TestADeprecationHasAnEndAfterItsBeginning(t *testing.T) {
	t.Parallel()
	for _, days := range [][2]string{{"2027-06-30", "2026-12-01"}, {"soon", "2027-06-30"}, {"2026-12-01", ""}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v is accepted", days)
				}
			}()
			deprecatedOn(days[0], days[1], "")
		}()
	}
}
