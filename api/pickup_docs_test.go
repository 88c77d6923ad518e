package api_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// textsOf returns the text of each element of the given name in an XML document.
func textsOf(t *testing.T, document, element string) (found []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == element {
			var text struct {
				All string `xml:",innerxml"`
			}
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			found = append(found, text.All)
		}
	}
}

// The drawing, the table and the text for Mermaid have every transition of the dictionary, and no other.
func TestPickupDocsHaveEveryTransition(t *testing.T) {
	t.Parallel()
	s := start(t)
	page := s.get("/docs/pickups", "text/html; charset=utf-8")
	svg := s.get("/docs/pickups.svg", "image/svg+xml")
	mermaid := s.get("/docs/pickups.mmd", "text/plain; charset=utf-8")
	if !strings.Contains(page, strings.TrimSpace(svg)) {
		t.Error("the page has not the drawing")
	}
	_, rows, _ := strings.Cut(page, "<tbody ")
	titles, names := textsOf(t, svg, "title"), textsOf(t, svg, "tspan")
	arrows, rules := 0, s.do(s.hub, "GET", "/v1/pickup-transitions", nil).want(200).items()
	for _, r := range rules {
		name, to, roles := r["transition"].(string), r["to_status"].(string), strings.Join(texts(r["roles"]), ", ")
		from := texts(r["from_statuses"])
		const cell = `<td role="cell" data-label=`
		row := fmt.Sprintf(`<code>%s</code></th>%s"From">%s</td>%s"To">%s</td>%s"Who">%s</td>`,
			name, cell, strings.Join(from, ", "), cell, to, cell, roles)
		if !strings.Contains(rows, row) {
			t.Errorf("the table has no %s", row)
		}
		if !slices.Contains(names, roles) {
			t.Errorf("the drawing does not show who may %s", name)
		}
		for _, status := range from {
			arrows++
			if !slices.ContainsFunc(titles, func(title string) bool {
				return strings.HasPrefix(title, status+" to "+to+": ") && strings.Contains(title, name+" by "+roles)
			}) {
				t.Errorf("the drawing has no arrow for %s from %s", name, status)
			}
			if !strings.Contains(mermaid, "\n    "+status+" --> "+to+": "+name+" ("+roles+")\n") {
				t.Errorf("the text for Mermaid has no %s from %s", name, status)
			}
		}
		shown := 0
		for _, label := range names {
			if label == name {
				shown++
			}
		}
		if shown != len(from) {
			t.Errorf("the drawing names %s at %d of %d arrows", name, shown, len(from))
		}
	}
	if n := strings.Count(mermaid, "-->") - strings.Count(mermaid, "[*]"); len(rules) < 10 || n != arrows {
		t.Errorf("the text for Mermaid has %d arrows of %d", n, arrows)
	}
	if n := strings.Count(rows, "<tr "); n != len(rules) {
		t.Errorf("the table has %d rows of %d", n, len(rules))
	}
}

func TestPickupDocsTellWhatATransitionDoes(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, rows, _ := strings.Cut(s.get("/docs/pickups", "text/html; charset=utf-8"), "<tbody ")
	for name, effects := range map[string][]string{
		"submit": {"Charges the account.", "auto_dispatch", "“Your pickup is booked.”"},
		"assign": {"Assigns a driver", "“Your driver is on the way!”"}, "dispatch": {"Assigns a driver"},
		"release": {"Releases the driver"}, "cancel": {"Releases the driver", "Refunds what was charged."},
		"collect": {"Frees the driver for the next pickup."}, "deliver": {"“Your pickup has been delivered.”"},
		"receive": nil,
	} {
		_, row, _ := strings.Cut(rows, "<code>"+name+"</code>")
		_, row, found := strings.Cut(row, `<td role="cell" class="does">`)
		row, _, _ = strings.Cut(row, "</td>")
		for _, effect := range effects {
			if !strings.Contains(row, effect) {
				t.Errorf("%s: %q is not in %q", name, effect, row)
			}
		}
		if !found || len(effects) == 0 && row != "" {
			t.Errorf("%s: %q", name, row)
		}
	}
}

// get returns a page of the documentation.
func (s *server) get(path, mediaType string) string {
	s.t.Helper()
	page := s.do(nil, "GET", path, nil).want(200)
	if got := page.header.Get("Content-Type"); got != mediaType {
		s.t.Errorf("%s is %s", path, got)
	}
	return string(page.body)
}
