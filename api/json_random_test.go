package api

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"waybill/db/dbtest"
)

// freeBody has a member of each kind that strictJSON checks, and one of any type.
type freeBody struct {
	ID    uuid.UUID   `json:"id"`
	Text  string      `json:"text" pattern:"\\S"`
	At    *Time       `json:"at,omitempty"`
	Count int64       `json:"count"`
	Free  any         `json:"free"`
	Other []freeBody  `json:"other"`
	Refs  []uuid.UUID `json:"refs"`
}

// bodyTypes are the types that bodies are decoded into.
var bodyTypes = []reflect.Type{
	reflect.TypeFor[freeBody](), reflect.TypeFor[*freeBody](),
	reflect.TypeFor[NewLedgerEntry](), reflect.TypeFor[NewPickups](),
	reflect.TypeFor[PickupEdit](),
}

const (
	freeText = `{"id":"01890a5d-ac96-774b-bcce-b302099a8057","text":"a\u00e4 \ud83d\ude00",` +
		`"at":"2030-01-01T09:00:00Z",` +
		`"count":12,"free":{"a":[1,null,{"b":-1.5e+7}],"\\":"\\\""},"other":[{"text":"x","other":[]}],` +
		`"refs":["01890A5D-AC96-774B-BCCE-B302099A8057"]}`
	pickupText = `{"facility_id":"01890a5d-ac96-774b-bcce-b302099a8058","window_start":null,"price_cents":100,` +
		`"account_id":"01890a5d-ac96-774b-bcce-b302099a8059","pickup_address":"1 Main St",` +
		`"dropoff_address":"2 Lab Way"}`
	recordText = `{"external_id":"a-1","patient":{"external_id":7,"given_name":"Ada","family_name":"L\u00f6velace",` +
		`"birth_date":"1931-07-13","phone":"+14155550123"},"starts_at":"2030-01-01T09:00:00Z",` +
		`"ends_at":"2030-01-01T09:30:00Z","status":"BOOKED"}`
)

// bodyTexts are right for one of the types each.
var bodyTexts = []string{
	freeText, `{"id":"01890a5d-ac96-774b-bcce-b302099a8057","amount_cents":1,"note":"a charge"}`,
	`{"items":[` + pickupText + `, ` + pickupText + `]}`,
	`{"price_cents":5,"note":null,"window_end":"2030-01-01T09:00:00+02:00"}`, `null`, `{}`,
}

// jsonParts are inserted by mutations of a text.
var jsonParts = []string{
	`"`, `{`, `}`, `[`, `]`, `,`, `:`, `\`, ` `, "\n", "\t", "\v", "\u00a0", "0", "-", ".", "e1", "1e999",
	"-0", "007", "null", "true", `""`, `" "`, `{}`, `[]`, `"a":1,`, `,"a":{}`,
	`\u0000`, `\\u0000`, `\ud800`, `\udc00`, `\ud83d\ude00`, `\u005f`, `\u0022`, `\"`, `\n`, `\x`, `\u12`,
	"\x00", "\x1f", "\xff", "\xed\xa0\x80", "\ufeff", "\ufffd", "é", "😀",
	`"status":null,`, `"external\u005fid":1,`, `"id":"00000000-0000-0000-0000-000000000000",`, `"note":null,`,
	`"price_cents":null,`, `"unknown":1,`,
}

// changed is a text after one or two changes of bytes, parts or members.
func changed(random *rand.Rand, text string) string {
	for range 1 + random.IntN(2) {
		at := random.IntN(len(text) + 1)
		end := min(len(text), at+random.IntN(12))
		switch random.IntN(6) {
		case 0:
			text = text[:at] + text[end:]
		case 1, 2:
			text = text[:at] + jsonParts[random.IntN(len(jsonParts))] + text[at:]
		case 3:
			text = text[:at] + jsonParts[random.IntN(len(jsonParts))] + text[end:]
		case 4:
			text = text[:end] + text[at:]
		case 5: // the end of a member or element, where JSON may be inserted
			if comma := strings.IndexAny(text[at:], ",{"); comma >= 0 {
				at += comma + 1
			}
			text = text[:at] + jsonParts[random.IntN(len(jsonParts))] + text[at:]
		}
	}
	return text
}

// strictJSON accepts what encoding/json accepts, except for what the rules reject.
func FuzzBodiesAreTakenByTheRules(f *testing.F) {
	for _, text := range append(bodyTexts, `{"free":"\u0000"}`, `{"free":"\ud800"}`, "{\"free\":\"\xff\"}") {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkBody(t, text) })
}

func TestRandomBodiesAreTakenByTheRules(t *testing.T) {
	t.Parallel()
	random, taken := rand.New(rand.NewPCG(1, 9)), 0
	rounds := dbtest.Rounds(20_000)
	for range rounds {
		text := []byte(changed(random, bodyTexts[random.IntN(len(bodyTexts))]))
		taken += checkBody(t, text)
	}
	if t.Logf("%d of %d are taken", taken, rounds); taken < rounds/100 {
		t.Error("too few inputs are accepted")
	}
}

// checkBody compares strictJSON with bodyRule, and counts the types that the text is accepted as.
func checkBody(t *testing.T, text []byte) (taken int) {
	for _, kind := range bodyTypes {
		got := strictJSON.Unmarshal(text, reflect.New(kind).Interface())
		if want := bodyRule(text, kind); (got == nil) != (want == "") {
			t.Errorf("%q as %v: got %q, want %q", text, kind, got, want)
		}
		if got == nil {
			taken++
		}
	}
	return taken
}

// bodyRule returns the rule that a body violates, "" for none.
func bodyRule(text []byte, kind reflect.Type) string {
	if json.Unmarshal(text, reflect.New(kind).Interface()) != nil {
		return "encoding/json"
	}
	if broken := textRuleOf(text); broken != "" {
		return broken
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // it may be too large for a float
	d.Decode(&value)
	return valueRule(value, kind, "", kind.Kind() == reflect.Pointer)
}

var (
	evenBackslashes = regexp.MustCompile(`\\\\`)
	surrogatePair   = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	notCharacter    = regexp.MustCompile(`\\u([dD][89a-fA-F]..|0000)`)
)

// textRuleOf returns the rule that a text accepted by encoding/json violates.
func textRuleOf(text []byte) string {
	escapes := surrogatePair.ReplaceAll(evenBackslashes.ReplaceAll(text, []byte("xx")), []byte("x"))
	switch {
	case bytes.HasPrefix(text, byteOrderMark):
		return "a byte order mark"
	case !utf8.Valid(text):
		return "UTF-8"
	case notCharacter.Match(escapes):
		return "an escape of a noncharacter"
	case repeats(json.NewDecoder(bytes.NewReader(text))):
		return "a name comes twice"
	}
	return ""
}

// repeats reads a value, and reports whether an object in it has a duplicate name.
func repeats(d *json.Decoder) (found bool) {
	token, err := d.Token()
	if open, ok := token.(json.Delim); err != nil || !ok || open != '{' && open != '[' {
		return false
	} else if seen := map[any]bool{}; open == '{' {
		for d.More() {
			name, _ := d.Token()
			found = found || seen[name]
			seen[name] = true
			found = repeats(d) || found
		}
	} else {
		for d.More() {
			found = repeats(d) || found
		}
	}
	d.Token()
	return found
}

// valueRule returns the rule that a value of a type violates.
func valueRule(value any, t reflect.Type, name string, nullable bool) string {
	t, _ = bare(t)
	switch v := value.(type) {
	case nil:
		if !nullable {
			return "null"
		}
	case string:
		switch {
		case t == reflect.TypeFor[uuid.UUID]() && (!isID(v) || name == "id" && isNil(v)):
			return "no id"
		case t == reflect.TypeFor[Time]() && wrongTime(v) != "":
			return "no time"
		}
	case []any:
		if t != nil && t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		for _, inner := range v {
			if broken := valueRule(inner, t, "", t == nil); broken != "" {
				return broken
			}
		}
	case object:
		return objectRule(v, t)
	}
	return ""
}

func objectRule(o object, t reflect.Type) string {
	for name, inner := range o {
		var m reflect.StructField
		clears := true
		if t != nil && t.Kind() == reflect.Struct {
			var known bool
			m, known = t.FieldByNameFunc(func(field string) bool {
				f, _ := t.FieldByName(field)
				return strings.Split(f.Tag.Get("json"), ",")[0] == name
			})
			if !known {
				return "unknown"
			}
			_, clears = bare(m.Type)
		}
		if broken := valueRule(inner, m.Type, name, clears || !isEdit(t)); broken != "" {
			return broken
		}
		text, isText := inner.(string)
		if rule := ruleOf(m); isText && rule != nil && !rule.holds(text) {
			return rule.message
		}
	}
	return ""
}
