package dbtest

import (
	"errors"
	"net/url"
	"strings"

	"waybill/db/localpg"
)

// timeZone is 5:45 ahead of UTC: nothing that mixes up time zones comes out right by chance.
const timeZone = "Asia/Kathmandu"

// login knows the URLs of a server's databases.
type login interface {
	adminURL() string
	ownerURL(database string) string
	appURL(database string) string
	owner() string // as CREATE DATABASE takes it
}

// local logs in to a server of this test binary's own.
type local struct{ server *localpg.Server }

func (l local) adminURL() string            { return l.server.URL(localpg.Superuser, localpg.Database) }
func (l local) ownerURL(name string) string { return l.server.URL(localpg.Owner, name) }
func (l local) appURL(name string) string   { return l.server.URL(localpg.App, name) }
func (l local) owner() string               { return localpg.Owner }

// remote logs in to the server of DATABASE_URL, always as its user: the
// application's connections then take on the role.
type remote struct{ url *url.URL }

func external(databaseURL string) (login, error) {
	u, err := url.Parse(databaseURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New(
			"DATABASE_URL is not of the form postgres://user@host/database") // and may hold a password
	}
	return remote{u}, nil
}

func (r remote) adminURL() string { return r.url.String() }
func (r remote) owner() string    { return "DEFAULT" }

func (r remote) ownerURL(name string) string {
	return r.with(name, "-c timezone="+timeZone)
}

func (r remote) appURL(name string) string {
	return r.with(name, "-c timezone="+timeZone+" -c role="+localpg.App)
}

func (r remote) with(name, options string) string {
	u := *r.url
	u.Path = "/" + name
	return withParam(u.String(), "options", strings.TrimSpace(u.Query().Get("options")+" "+options))
}

// withParam sets a parameter of a URL. A space becomes %20, because libpq does not read "+" as one.
func withParam(address, key, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // it was parsed, or made, before
	}
	query := u.Query()
	query.Set(key, value)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return u.String()
}
