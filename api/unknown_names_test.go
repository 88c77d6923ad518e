package api_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestByteOrderMarkIsNamed(t *testing.T) {
	t.Parallel()
	s := start(t)
	const mark = "\xef\xbb\xbf"
	lines := []string{"Content-Type", "application/x-ndjson"}
	for _, a := range []*answer{
		s.do(s.admin, "POST", "/v1/groups", mark+`{"name":"A"}`),
		s.do(s.admin, "PATCH", "/v1/groups/"+s.group.String(), mark+`{}`, "If-Match", `"1"`),
		s.do(s.staff, "POST", s.pickup()+"/cancel", mark+`{}`),
		s.feed(s.staff, mark+"["+strings.TrimSpace(asLines(newRecord(1)))+"]"),
		s.feed(s.staff, mark+asLines(newRecord(1)), lines...),
		s.feed(s.staff, asLines(newRecord(1))+mark+asLines(newRecord(2)), lines...),
	} {
		if detail := a.refused(400, "unreadable_body").str("detail"); !strings.Contains(detail, "byte order mark") {
			t.Errorf("%s: %s", a.request, a)
		}
	}
}

func TestNameOfWhatIsUnknownIsCutAndEscaped(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, want := range map[string]string{
		"größe": "größe", "color": "color", "two words": "two words", "a\x1b[31mb": `a\x1b[31mb`,
		"a\u202eb": `a\u202eb`, "a\r\nb": `a\r\nb`, "\u200b": `\u200b`, "\U0001F600": `\U0001f600`,
		strings.Repeat("n", 64) + secret: strings.Repeat("n", 64) + "…",
		strings.Repeat("é", 100):         strings.Repeat("é", 64) + "…",
	} {
		s.do(s.admin, "POST", "/v1/groups", object{"name": "A", name: 1}).refused(422, "unknown_field", want)
		a := s.do(s.admin, "GET", "/v1/groups?"+url.QueryEscape(name)+"=1", nil).refused(422, "unknown_parameter", want)
		if strings.Contains(string(a.body), secret) {
			t.Errorf("%s: %s", a.request, a)
		}
		s.do(s.admin, "GET", "/v1/groups?"+url.QueryEscape(name)+"=1&"+url.QueryEscape(name)+"=1", nil).
			refused(422, "validation_failed", want)
	}
	nested := with(s.newPickup(),
		object{strings.Repeat("n", 64) + secret: nil, strings.Repeat("m", 10_000) + secret: 1})
	a := s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": []object{nested}}).refused(422, "unknown_field")
	if field := a.str("field"); utf8.RuneCountInString(field) != 65 || !strings.HasPrefix(field, "items[0].") ||
		strings.Contains(string(a.body), secret) {
		t.Errorf("%s", a)
	}
}
