package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db"
)

// to returns the flags for this gateway.
func to(g *fakegateway.Gateway) []string {
	return []string{"--gateway-url", g.URL, "--gateway-secret", fakegateway.Secret}
}

// submit submits a new pickup over HTTP.
func (w *fixture) submit(t testing.TB, url string) uuid.UUID {
	t.Helper()
	status, answer := text(t, "POST", url+"/v1/pickups", w.tokens[db.UserRoleStaff], fmt.Sprintf(`{
		"facility_id": "%s", "account_id": "%s", "price_cents": 100, "pickup_address": "here",
		    "dropoff_address": "there"
	}`, demoID("facility"), demoID("account Research Lab")))
	var made struct{ ID uuid.UUID }
	if err := json.Unmarshal([]byte(answer), &made); status != http.StatusCreated || err != nil {
		t.Fatalf("create: %d %s", status, answer)
	}
	if status, answer = text(t, "POST", url+"/v1/pickups/"+made.ID.String()+"/submit",
		w.tokens[db.UserRoleStaff], ""); status != http.StatusOK {
		t.Fatalf("submit: %d %s", status, answer)
	}
	return made.ID
}

func TestServeWithWorkersSendsTheTexts(t *testing.T) {
	t.Parallel()
	w, gateway, admin := newFixture(t), fakegateway.Start(t), freeAddress(t)
	s := serve(t, w.db.AppURL, append(to(gateway), "--workers", "4", "--admin-addr", admin)...)
	id := w.submit(t, s.url)
	eventually(t, "the text is taken", func() bool { return len(gateway.Taken()) == 1 })
	eventually(t, "the text is known to be sent", func() bool {
		_, answer := text(t, "GET", s.url+"/v1/pickups/"+id.String()+"/messages", w.tokens[db.UserRoleStaff], "")
		return strings.Contains(answer, `"SENT"`)
	})
	gateway.Always(fakegateway.Broken)
	w.submit(t, s.url)
	eventually(t, "the retry is counted", func() bool {
		_, metrics := text(t, "GET", "http://"+admin+"/metrics", "", "")
		return strings.Contains(metrics, `kind="send_text",outcome="again"`)
	})
	if _, err := w.db.Owner().
		Exec(t.Context(), "UPDATE flags SET enabled = false, version = 2 WHERE name = 'pickup_texts'"); err != nil {
		t.Fatal(err)
	}
	w.submit(t, s.url)
	eventually(t, "the second text waits", func() bool {
		_, metrics := text(t, "GET", "http://"+admin+"/metrics", "", "")
		return strings.Contains(metrics, "waybill_jobs{") &&
			strings.Contains(metrics, "waybill_jobs_oldest_seconds{") &&
			strings.Contains(metrics, "waybill_jobs_dead_rows{") &&
			strings.Contains(metrics, "waybill_jobs_table_bytes{")
	})
	_, metrics := text(t, "GET", "http://"+admin+"/metrics", "", "")
	value := func(name, labels string) string {
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, name+"{") && strings.Contains(line, labels) {
				return line[strings.LastIndex(line, " ")+1 : len(line)-1]
			}
		}
		return "none"
	}
	if on, off := value("waybill_texts_owed_total", `pickup_texts="on"`), value("waybill_texts_owed_total",
		`pickup_texts="off"`); on != "2" || off != "1" {
		t.Errorf("texts: %s with the flag on, %s with it off", on, off)
	}
	if done := value("waybill_job_runs_total", `kind="send_text",outcome="done"`); done != "1" {
		t.Errorf("%s jobs done", done)
	}
	hasNot(t, metrics, w.tenantID.String(), "+1415")
	s.stop(syscall.SIGTERM)
	hasNot(t, s.errors.String(), "+1415", gateway.URL, "booked")
}

func TestWorkAloneSendsTheTexts(t *testing.T) {
	t.Parallel()
	w, gateway := newFixture(t), fakegateway.Start(t)
	web := w.inProcess(t)
	w.submit(t, web.URL)
	p := start(t, []string{"DATABASE_URL=" + w.db.AppURL, "WAYBILL_GATEWAY_URL=" + gateway.URL,
		"WAYBILL_GATEWAY_SECRET=" + fakegateway.Secret},
		"work", "--admin-addr", "127.0.0.1:0", "--workers", "2", "--gateway-timeout", "3s")
	eventually(t, "the text is taken", func() bool { return len(gateway.Taken()) == 1 })
	// A hanging gateway delays the shutdown only for its timeout.
	gateway.Always(fakegateway.Hang)
	w.submit(t, web.URL)
	eventually(t, "the text is being sent", func() bool { return gateway.Requests() == 2 })
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var back int
	if err := w.db.Owner().
		QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE state = 'available' AND attempt = 0").
		Scan(&back); err != nil || back != 1 {
		t.Errorf("%d jobs are available again, %v", back, err)
	}
}

func TestDevShowsTheTextsInItsLog(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	d := startDev(t, folder(t), []string{"DATABASE_URL=" + w.db.OwnerURL}, "--log-level", "info")
	w.submit(t, d.URL)
	eventually(t, "the text is shown",
		func() bool { return strings.Contains(d.errors.String(), `body="Your pickup is booked."`) })
	d.stop(syscall.SIGTERM)
}

func TestWorkersNeedAGateway(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"WAYBILL_GATEWAY_URL": {"serve", "--workers", "1"},
		"WAYBILL_GATEWAY_SECRET": {"serve", "--workers", "1", "--gateway-url",
			"http://127.0.0.1", "--gateway-secret", "hunter2"},
		"must be an http or https URL": {"work", "--gateway-url", "smtp://127.0.0.1",
			"--gateway-secret", fakegateway.Secret},
		"WAYBILL_GATEWAY_TIMEOUT":              {"work", "--gateway-timeout", "1m"},
		"nothing to do":                        {"work", "--workers", "0"},
		"between 0 and 10000":                  {"work", "--workers", "-1"},
		"jobs needs one of":                    {"jobs", "rerun"},
		"needs the id of a job or a text, or":  {"jobs", "retry"},
		"needs the id of a job or a text from": {"jobs", "retry", "one"},
		"resume QUEUE":                         {"jobs", "resume"},
		"--since must be positive":             {"jobs", "--since", "0"},
		"WAYBILL_GATEWAY_ALLOW_HTTP": {"work", "--gateway-url", "http://gateway.example",
			"--gateway-secret", fakegateway.Secret},
		"bytes, not 24 to 64": {"work", "--gateway-url", "https://gateway.example",
			"--gateway-secret", "whsec_c2hvcnQ="},
	} {
		code, _, errors := ended(t, "", []string{"DATABASE_URL=postgres://127.0.0.1:1/none"}, args...)
		if code != 1 || !strings.Contains(errors, want) || strings.Contains(errors, "hunter2") {
			t.Errorf("%v: %d %s", args, code, errors)
		}
	}
}

func TestJobsShowsWhatFailedAndRunsItAgain(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	env := []string{"DATABASE_URL=" + w.db.AppURL}
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := w.db.Owner().Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	jobs := func(args ...string) string {
		t.Helper()
		code, out, errors := ended(t, "", env, append([]string{"jobs"}, args...)...)
		if code != 0 {
			t.Errorf("jobs %v: %d %s", args, code, errors)
		}
		return out
	}
	has(t, jobs(), "no failed or retrying jobs")
	exec(`INSERT INTO river_job (id, kind, queue, args, state, attempt, finalized_at, scheduled_at, attempted_at,
    errors, metadata) VALUES
		(1001, 'send_text', 'texts', '{"message_id": "x"}', 'discarded', 25, now(), now(), now(),
		    ARRAY['{"error": "it broke"}']::jsonb[], '{}'),
		(1002, 'send_text', 'texts', '{}', 'cancelled', 1, now(), now(), now(), NULL, '{}'),
		(1003, 'send_text', 'texts', '{}', 'scheduled', 0, NULL, now() + interval '1 minute', now(), NULL,
		    '{"snoozes": 7}'),
		(1004, 'send_text', 'texts', '{}', 'running', 1, NULL, now(), now() - interval '1 hour', NULL, '{}'),
		(1005, 'send_text', 'texts', '{}', 'running', 1, NULL, now(), now(), NULL, '{}'),
		(1006, 'send_text', 'texts', '{}', 'completed', 1, now(), now(), now(), NULL, '{}')`)
	list := jobs("list")
	has(t, list, "1001", "25 of 25", "it broke", "1002", "1003", "7 times", "1004")
	hasNot(t, list, "1005", "1006")
	state := func(id int) (state string) {
		if err := w.db.Owner().QueryRow(t.Context(), "SELECT state FROM river_job WHERE id = $1", id).
			Scan(&state); err != nil {
			t.Fatal(err)
		}
		return state
	}
	has(t, jobs("retry", "1001"), "job 1001 will run again")
	if state(1001) != "available" || state(1002) != "cancelled" {
		t.Errorf("states after a retry: %s, %s", state(1001), state(1002))
	}
	jobs("retry", "--all")
	if state(1002) != "available" || state(1003) != "available" || state(1005) != "running" ||
		state(1006) != "completed" {
		t.Error("after a retry of all: ", jobs("list"))
	}
	if code, _, errors := ended(t, "", env, "jobs", "retry", "999"); code != 1 ||
		!strings.Contains(errors, "no job has the id 999") {
		t.Errorf("an unknown job: %d %s", code, errors)
	}
	exec("DELETE FROM river_job")
}

// exec runs a statement as the owner.
func (w *fixture) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := w.db.Owner().Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// count returns the number that a query of the owner's answers.
func (w *fixture) count(t testing.TB, query string) (n int) {
	t.Helper()
	if err := w.db.Owner().QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// jobs runs the command jobs and returns what it prints.
func (w *fixture) jobs(t testing.TB, args ...string) string {
	t.Helper()
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + w.db.AppURL}, append([]string{"jobs"}, args...)...)
	if code != 0 {
		t.Errorf("jobs %v: %d %s", args, code, errors)
	}
	return out
}

// resends retries the listed texts while their queue is paused, and then resumes it.
func (w *fixture) resends(t *testing.T, gateway *fakegateway.Gateway, admin, list string) {
	t.Helper()
	jobs := func(args ...string) string { return w.jobs(t, args...) }
	w.exec(t, "UPDATE river_queue SET paused_at = now() WHERE name = 'texts'") // a worker hears of it within seconds
	gateway.Always(fakegateway.Accept)
	var one string
	for line := range strings.Lines(list) {
		if strings.Contains(line, "refused_422") {
			one = strings.Fields(line)[0]
		}
	}
	has(t, jobs("retry", one), "text "+one+" will be sent again")
	has(t, jobs("retry", "--all", "--reason", "refused_4100"), "0 jobs will run again, 0 texts will be sent again")
	has(t, jobs("retry", "--all"), "0 jobs will run again, 1 texts will be sent again")
	if code, _, errors := ended(t, "", []string{"DATABASE_URL=" + w.db.AppURL}, "jobs", "retry",
		one); code != 1 || !strings.Contains(errors, "no text "+one) {
		t.Errorf("a text that is already queued: %d %s", code, errors)
	}
	eventually(t, "the pause is listed", func() bool {
		list := jobs()
		return strings.Contains(list, "queue texts has been paused since 2") &&
			strings.Contains(list, "waybill jobs resume texts")
	})
	_, metrics := text(t, "GET", "http://"+admin+"/metrics", "", "")
	has(t, metrics, `queue="texts"`, "waybill_jobs_paused{")
	has(t, jobs("resume", "texts"), "queue texts resumed")
	eventually(t, "the texts are sent",
		func() bool { return w.count(t, "SELECT count(*) FROM messages WHERE status = 'SENT'") == 2 })
	hasNot(t, jobs(), "paused")
	if code, _, errors := ended(t, "", []string{"DATABASE_URL=" + w.db.AppURL}, "jobs", "resume",
		"nothing"); code != 1 || !strings.Contains(errors, "no such queue") {
		t.Errorf("an unknown queue: %d %s", code, errors)
	}
}

// Refused texts are listed and can be sent again; a paused queue is listed and can be resumed.
func TestJobsShowsWhatWasRefusedAndWhatIsPaused(t *testing.T) {
	t.Parallel()
	w, gateway := newFixture(t), fakegateway.Start(t)
	web := w.inProcess(t)
	jobs := func(args ...string) string { return w.jobs(t, args...) }
	has(t, jobs(), "no failed or retrying jobs", "no refused texts in the last 24h")

	gateway.Always(fakegateway.Refuse)
	for range 3 {
		w.submit(t, web.URL)
	}
	admin := freeAddress(t)
	start(t, []string{"DATABASE_URL=" + w.db.AppURL},
		append([]string{"work", "--admin-addr", admin, "--workers", "2"}, to(gateway)...)...)
	eventually(t, "all are refused", func() bool {
		return w.count(t, "SELECT count(*) FROM messages WHERE status = 'FAILED'") == 3
	})
	w.exec(t, "UPDATE messages SET created_at = created_at - interval '2 days' WHERE id = (SELECT min(id::text)::uuid "+
		"FROM messages)")
	list := jobs()
	has(t, list, "texts of the last 24h that the gateway refused", demoSlug, "refused_422_invalid_number")
	if n := strings.Count(list, "refused_422"); n != 2 {
		t.Errorf("%d texts are shown: %s", n, list)
	}
	hasNot(t, list, "+1415", "booked")
	if n := strings.Count(jobs("--since", "72h"), "refused_422"); n != 3 {
		t.Errorf("%d texts in three days", n)
	}

	w.resends(t, gateway, admin, list)
	// As River does minutes later: the first jobs are done.
	w.exec(t, "DELETE FROM river_job AS j WHERE EXISTS (SELECT FROM river_job AS later WHERE later.args = j.args AND "+
		"later.id > j.id)")
}
