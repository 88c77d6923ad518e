package dbtest

import (
	"errors"
	"net/url"
	"strings"

	"waybill/db/localpg"
)

// timeZone is 5:45 ahead of UTC: code that confuses time zones cannot pass by accident.
const timeZone = "Asia/Kathmandu"

// login knows the URLs of a server's databases.
type login interface {
	adminURL() string
	ownerURL(database string) string
	appURL(database string) string
	owner() string // in the form for CREATE DATABASE
}

// local logs in to the test binary's own server.
type local struct{ server *localpg.Server }

func (l local) adminURL() string            { return l.server.URL(localpg.Superuser, localpg.Database) }
func (l local) ownerURL(name string) string { return l.server.URL(localpg.Owner, name) }
func (l local) appURL(name string) string   { return l.server.URL(localpg.App, name) }
func (l local) owner() string               { return localpg.Owner }

// remote logs in to the server of DATABASE_URL, always as its user: the application's connections then
// switch to its role.
type remote struct{ url *url.URL }

func external(databaseURL string) (login, error) {
	u, err := url.Parse(databaseURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New(
			"DATABASE_URL is not of the form postgres://user@host/database") // it may contain a password
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

// withParam sets a parameter of a URL. A space becomes %20, because libpq does not decode "+".
func withParam(address, key, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // built or parsed before
	}
	query := u.Query()
	query.Set(key, value)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return u.String()
}
