package api_test

import (
	"strings"
	"testing"
)

// notOurs are no ETags, several, or some that no answer ever had.
var notOurs = []string{`1`, `"one"`, `""`, `"0"`, `"-1"`, `"+1"`, `"1`, `1"`, `"01"`, `"1-"`, `"1-01"`,
	`"1-2-3"`, `"1 "`, `"1-gzip"`, `W/"1-gzip"`, `"1--br"`,
	`w/"1"`, `W/1`, `W/ "1"`, `"1""2"`, `"1" "2"`, `"1", "2"`, `"1", "1"`, `"1", *`,
	`*, "1"`, `,`, `""1""`, `"1"x`, "\"1\u0661\"",
	`"` + strings.Repeat("9", 400) + `"`, `"9223372036854775808"`}

func TestRefusedIfMatchSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/groups/" + s.group.String()
	for tag, says := range map[string]string{
		`1`: "quotes", `"1`: "quotes", `"1", "2"`: "one ETag", `"1-gzip"`: "exactly as received",
		`"2-5-gzip"`: "exactly as received", `*`: "does not identify a version",
	} {
		a := s.do(s.admin, "PATCH", path, object{"name": "New"}, "If-Match", tag)
		if a.status < 400 || a.str("field") != "If-Match" || !strings.Contains(a.str("detail"), says) {
			t.Errorf("If-Match: %s: %s, want %q", tag, a, says)
		}
	}
}

func TestIfNoneMatchIsAListOfETags(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/accounts/" + s.account.String()
	tag := s.do(s.admin, "GET", path, nil).want(200).etag()
	for have, want := range map[string]int{
		tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, `"a,b" ,W/` + tag + `,`: 304, "*": 304,
		`"a,` + strings.Trim(tag, `"`) + `"`: 200, strings.TrimSuffix(tag, `"`) + `-gzip"`: 200, `"x"`: 200, `""`: 200,
		strings.Trim(tag, `"`): 422, `"x" ` + tag: 422, `*, ` + tag: 422,
		tag + `, *`: 422, "w/" + tag: 422, ",": 422, `"x`: 422,
	} {
		a := s.do(s.admin, "GET", path, nil, "If-None-Match", have).want(want)
		if want == 422 {
			a.refused(422, "validation_failed", "If-None-Match")
		}
	}
}
