package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/scale"
	"waybill/db/seed"
)

// roleNames say who each user of the data set is.
var roleNames = map[scale.Role]string{
	scale.Admin: "admin", scale.Dispatcher: "dispatcher", scale.Hub: "hub", scale.Driver: "driver",
	scale.StaffOfOne: "staff of one clinic", scale.StaffOfNew: "staff of a new clinic",
	scale.StaffOfSome: "staff of forty", scale.StaffOfAll: "staff of all",
}

// ScaleViewer names a user of the data set, as the lines do.
func ScaleViewer(role scale.Role) string { return roleNames[role] }

// serve starts a server over the database, and logs in to it.
func (d *scaleDatabase) serve(ctx context.Context, env *Env) (err error) {
	if d.url, err = env.serveQuietly(ctx, d.appURL, "--bcrypt-cost", "4"); err != nil {
		return err
	}
	return d.logIn(ctx, env)
}

// logIn opens a session for each user of the data set, and finds the rows that paths name.
func (d *scaleDatabase) logIn(ctx context.Context, env *Env) error {
	at, err := url.Parse(d.url)
	if err != nil {
		return err
	}
	d.tokens, d.readers = map[scale.Role]string{}, map[scale.Role]*caller{}
	if err := addRows(ctx, d.ownerURL, d.data.TenantID, func(r *seed.Rows) {
		for role := range roleNames {
			user := db.Viewer{UserID: d.data.Users[role]}
			d.tokens[role] = string(r.Session(seed.User{Viewer: user, PasswordHash: scale.PasswordHash}))
		}
	}); err != nil {
		return err
	}
	for role, token := range d.tokens {
		d.readers[role] = &caller{wire: wire{address: at.Host}, heads: map[db.UserRole]string{
			anyRole: " HTTP/1.1\r\nHost: " + at.Host + "\r\nAuthorization: Bearer " + token + "\r\n",
		}}
	}
	// A connection that was idle for long may be closed when it is needed.
	d.reader = &fixture{client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, base: d.url}
	return d.nameRows(ctx)
}

// anyRole is the key of a reader's only head.
const anyRole db.UserRole = ""

// nameRows finds the values of the {names} in paths.
func (d *scaleDatabase) nameRows(ctx context.Context) error {
	w, now := d.data, time.Now().UTC()
	at := func(days int) string { return now.AddDate(0, 0, days).Format(time.DateOnly) + "T00:00:00Z" }
	d.names = map[string]string{
		"small": w.SmallClinic.String(), "busiest": w.BusiestClinic.String(), "driver": w.DriverID.String(),
		"patient": w.PatientID.String(), "busy_account": w.BusyAccount.String(),
		"unused_account": w.UnusedAccount.String(), "group": w.GroupOfAll.String(), "endpoint": w.TenantID.String(),
		"staff": w.Users[scale.StaffOfOne].String(),
		"begin": at(-800), "end": at(800), "year_ago": at(-365), "month_after": at(-335), "today": at(0),
		"in_a_month": at(31),
	}
	return errors.Join(
		d.find(ctx, "delivered", scale.Admin, "/v1/pickups?status=DELIVERED&facility_id={small}",
			scalePickup.ofPatient),
		d.find(ctx, "driven_facility", scale.Driver, "/v1/facilities", func(scalePickup) bool { return true }),
		d.find(ctx, "driven", scale.Driver, "/v1/pickups?driver_id={driver}", func(scalePickup) bool { return true }),
		d.find(ctx, "driven_for", scale.Driver, "/v1/pickups?driver_id={driver}", func(p scalePickup) bool {
			_, err := d.page(ctx, scale.Driver, "/v1/pickups/"+fmt.Sprint(p.ID)+"/patient")
			return err == nil
		}))
}

// find returns the first suitable pickup of a list. There may be none.
func (d *scaleDatabase) find(ctx context.Context, name string, role scale.Role, path string,
	will func(scalePickup) bool) error {
	page, err := d.page(ctx, role, path)
	if i := slices.IndexFunc(page.Items, will); i >= 0 {
		d.names[name] = fmt.Sprint(page.Items[i].ID)
	}
	return err
}

// scalePage has the members of an answer that are read.
type scalePage struct {
	Items      []scalePickup
	NextCursor string `json:"next_cursor"`
}

// scalePickup is an item, if it is a pickup.
type scalePickup struct {
	ID        any        // a string, or the number of a job
	PatientID *uuid.UUID `json:"patient_id"`
}

func (p scalePickup) ofPatient() bool { return p.PatientID != nil }

// expand replaces the {names} by their values.
func (d *scaleDatabase) expand(path string) string {
	for name, value := range d.names {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}

func (d *scaleDatabase) page(ctx context.Context, role scale.Role, path string) (p scalePage, err error) {
	return p, d.reader.as(ctx, d.tokens[role], http.MethodGet, d.expand(path), nil, &p)
}

// pageOf returns the answer to a read.
func (d *scaleDatabase) pageOf(ctx context.Context, r ScaleRead, role scale.Role, path string) (p scalePage,
	err error) {
	if r.Body == "" {
		return d.page(ctx, role, path)
	}
	return p, d.reader.as(ctx, d.tokens[role], http.MethodPost, path, json.RawMessage(r.Body), &p)
}

// deepBy is how many pages of 200 come before a deep page, if there are as many.
const deepBy = 10

// pathOf returns the path of a read. A cursor of a plain list of pickups is valid for any plain filters and viewer: an
// admin gets the one in the middle of the pickups at once. Those of a search belong to it, and to their session.
func (d *scaleDatabase) pathOf(ctx context.Context, r ScaleRead, role scale.Role) (string, error) {
	path := d.expand(r.Path)
	if strings.Contains(path, "{") {
		return "", fmt.Errorf("there is no %s", path[strings.Index(path, "{"):])
	}
	if !r.Deep {
		return path, nil
	}
	list, query, _ := strings.Cut(path, "?")
	if r.FromMiddle {
		p, err := d.page(ctx, scale.Admin, list+"?limit=1&created_to={year_ago}")
		return withQuery(list, query, "cursor="+p.NextCursor), err
	}
	cursor := ""
	for range deepBy {
		p, err := d.page(ctx, role, withQuery(list, query, "limit=200", "cursor="+cursor))
		if err != nil {
			return "", err
		}
		if p.NextCursor == "" {
			break
		}
		cursor = p.NextCursor
	}
	return withQuery(list, query, "cursor="+cursor), nil
}

func withQuery(path string, parts ...string) string {
	var kept []string
	for _, part := range parts {
		if part != "" && part != "cursor=" {
			kept = append(kept, part)
		}
	}
	if len(kept) == 0 {
		return path
	}
	return path + "?" + strings.Join(kept, "&")
}

// streamed is how many events are read of a stream.
const streamed = 50

// stream reads events from the middle of the stream.
func (d *scaleDatabase) stream(ctx context.Context, role scale.Role, after string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/v1/pickups/stream", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+d.tokens[role])
	request.Header.Set("Last-Event-ID", after)
	response, err := d.reader.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: the stream answers %s", errStatus, response.Status)
	}
	return readEvents(response.Body, streamed)
}

// readEvents reads until it has seen as many events that are not checkpoints.
func readEvents(from io.Reader, events int) error {
	seen, buffer, line := 0, make([]byte, 32<<10), []byte(nil)
	for {
		n, err := from.Read(buffer)
		for _, c := range buffer[:n] {
			if c != '\n' {
				line = append(line, c)
				continue
			}
			if strings.HasPrefix(string(line), `data: {"`) {
				seen++
			}
			line = line[:0]
		}
		switch {
		case seen >= events:
			return nil
		case err != nil:
			return fmt.Errorf("%d events of %d: %w", seen, events, errors.Join(errStatus, err))
		}
	}
}
