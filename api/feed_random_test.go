package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"waybill/db"
	"waybill/db/dbtest"
)

// feedTexts are right as an array or as lines.
var feedTexts = []string{
	"[" + recordText + ",\n" + recordText + "]", recordText + "\n" + recordText + "\n", " [ ] ", "\r\n" + recordText,
	strings.Replace(recordText, `"status":"BOOKED"`, `"status":null`, 1),
	"[" + strings.Replace(recordText, `"a-1"`, "12345678901234567890", 1) + "]",
}

// The feed reader accepts what encoding/json accepts, except for what the rules reject.
func FuzzFeedsAreTakenByTheRules(f *testing.F) {
	nameless := strings.Replace(recordText, `"given_name":"Ada",`, "", 1)
	for _, text := range append(feedTexts, nameless, strings.Replace(recordText, "Ada", `\u0000`, 1)) {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(checkFeed)
}

func TestRandomFeedsAreTakenByTheRules(t *testing.T) {
	t.Parallel()
	random, taken := rand.New(rand.NewPCG(2, 9)), 0
	rounds := dbtest.Rounds(40_000)
	for range rounds {
		text, lines := changed(random, feedTexts[random.IntN(len(feedTexts))]), random.IntN(2) == 0
		checkFeed(t, []byte(text), lines)
		if right, err := ReadFeed(text, lines, 0); right > 0 && err == nil {
			taken++
		}
	}
	if t.Logf("%d of %d are taken", taken, rounds); taken < rounds/100 {
		t.Error("too few inputs are accepted")
	}
}

func checkFeed(t *testing.T, text []byte, lines bool) {
	right, err := ReadFeed(string(text), lines, 0)
	want, isWhole := feedRule(text, lines)
	if (err == nil) != isWhole || err == nil && right != want {
		t.Errorf("%q, lines %v: got %d records, %v, want %d, whole: %v", text, lines, right, err, want, isWhole)
	}
}

// feedRule counts the records of a feed, and reports whether it is valid.
func feedRule(text []byte, lines bool) (records int, ok bool) {
	var elements []json.RawMessage
	if lines {
		for line := range bytes.Lines(text) {
			if line = bytes.Trim(line, " \t\r\n"); len(line) > 0 {
				elements = append(elements, line)
			}
		}
	} else if json.Unmarshal(text, &elements) != nil || elements == nil {
		return 0, false
	}
	return len(elements), !slices.ContainsFunc(elements, func(e json.RawMessage) bool {
		return len(e) > feedRecordMax || !isRecord(e)
	})
}

// isRecord reports whether a text is an appointment.
func isRecord(text []byte) bool {
	d, members := json.NewDecoder(bytes.NewReader(text)), object{}
	d.UseNumber()
	if d.Decode(&members) != nil || text[0] != '{' || textRuleOf(text) != "" {
		return false
	} else if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return false
	}
	patient, _ := members["patient"].(object)
	return hasOnly(members, "external_id", "patient", "starts_at", "ends_at", "status") &&
		isFeedID(members["external_id"]) && isPatient(patient) && isSlot(members["starts_at"], members["ends_at"]) &&
		(members["status"] == nil || db.AppointmentStatus(asText(members["status"])).Valid())
}

func isPatient(patient object) bool {
	birth := asText(patient["birth_date"])
	day, err := db.ParseDate(birth)
	return hasOnly(patient, "external_id", "given_name", "family_name", "birth_date", "phone") &&
		isFeedID(patient["external_id"]) && isName(patient["given_name"]) && isName(patient["family_name"]) &&
		err == nil && len(birth) == 10 && birth >= "1800" && !day.After(time.Now().Add(24*time.Hour)) &&
		(patient["phone"] == nil || e164.MatchString(asText(patient["phone"])))
}

func isSlot(starts, ends any) bool {
	from, to := instant(starts), instant(ends)
	lasts := to.Sub(from)
	return !from.IsZero() && !to.IsZero() && lasts > 0 && lasts <= db.LongestAppointment
}

// asText is a string, or "".
func asText(value any) string {
	text, _ := value.(string)
	return text
}

// instant is a time as it was sent, or the zero time.
func instant(value any) time.Time {
	if t, wrong := parseTime(asText(value)); wrong == "" {
		return t
	}
	return time.Time{}
}

func hasOnly(o object, names ...string) bool {
	for name := range o {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

func isName(value any) bool {
	text, ok := value.(string)
	return ok && !isBlank(text) && utf8.RuneCountInString(text) <= 200
}

func isFeedID(value any) bool {
	if number, ok := value.(json.Number); ok {
		return !strings.ContainsAny(string(number), "-.eE") && isName(string(number))
	}
	text, ok := value.(string)
	return ok && isName(trimID(text))
}
