// Package api is the HTTP face of package db, described by an OpenAPI document from
// which clients are generated. Its handlers translate: input in, one call, output out.
package api

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/db"
	"waybill/db/quota"
)

// Version is the document's.
const Version = "0.1.0"

// Options are what a server may be told. Its zero values are sensible ones.
type Options struct {
	Log            *slog.Logger  // nil: none
	Observe        Observer      // nil: none
	Lifetimes      db.Lifetimes  // of sessions
	PasswordCost   int           // bcrypt's; 0: 10
	HandlerTimeout time.Duration // of a whole request; 0: 10 s
	LoginPause     time.Duration // before a login is refused whose password was not looked at; 0: 250 ms
	StreamPoll     time.Duration // how often new events are looked for while streams are open; 0: 100 ms
	Streams        Limits        // of open event streams; a 0 in it: 1024 in the process, 256 of a tenant, 8 of a user
	BodyTimeout    time.Duration // of a body that an operation reads; 0: 5 s, which is also the most
	FeedIdle       time.Duration // how long a feed may send nothing; 0: 30 s
	FeedTimeout    time.Duration // of a whole feed; 0: 1 h
	Feeds          Limits        // of feeds coming in; a 0 in it: 8 in the process, 4 of a tenant, 2 of a user
	BodyMemory     int64         // bytes of bodies held at once; 0: BodyMemory, at least MinBodyMemory
	// TrustedProxies are those whose X-Forwarded-For says where a request comes from.
	TrustedProxies []netip.Prefix
	// Undeclared is told of a code that an operation answered and its document does
	// not declare: tests fail on it.
	Undeclared func(operation string, code db.Code)
}

// bodyTimeout is shorter than the handler's, which has to read the body.
const bodyTimeout = 5 * time.Second

// server holds what the handlers share.
type server struct {
	huma           huma.API
	store          *db.Store
	log            *slog.Logger
	lifetimes      db.Lifetimes
	passwords      *passwords
	trustedProxies []netip.Prefix
	handlerTimeout time.Duration
	bodyTimeout    time.Duration
	loginPause     time.Duration
	feedIdle       time.Duration
	feedTimeout    time.Duration
	undeclared     func(string, db.Code)
	dictionary     map[db.TransitionName][]db.UserRole // who may do what to a pickup
	stopping       chan struct{}
	streams        *shares[uuid.UUID] // open event streams
	events         *eventWatch
	feeds          *shares[uuid.UUID] // feeds coming in
	bodies         *quota.Quota       // bytes of bodies
}

// API serves HTTP.
type API struct {
	http.Handler
	server *server
}

// Drain makes /readyz say no and ends the event streams, for a server about to stop.
// Call it once.
func (a *API) Drain() { close(a.server.stopping) }

// OpenStreams tells how many event streams are open.
func (a *API) OpenStreams() int { return a.server.streams.inUse() }

// StreamLag tells how long ago all events could be told that were committed by then; 0 while
// no stream is open.
func (a *API) StreamLag() time.Duration { return a.server.events.behind() }

// New makes the API over a store. Without one (nil) it serves nothing but its document.
func New(ctx context.Context, store *db.Store, o Options) (*API, error) {
	a := newServer(store, o)
	if err := a.readDictionary(ctx); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	a.huma = humago.New(mux, config())
	a.registerAll()
	a.serveDocuments(mux)
	mux.HandleFunc("/", unknownPath(mux))
	observe := o.Observe
	if observe == nil {
		observe = func(string, int, string, time.Duration) {}
	}
	return &API{observed(a.log, observe, cleanPaths(mux)), a}, nil
}

func newServer(store *db.Store, o Options) *server {
	a := &server{
		store: store, log: o.Log, lifetimes: o.Lifetimes.WithDefaults(), handlerTimeout: o.HandlerTimeout,
		bodyTimeout: min(cmp.Or(o.BodyTimeout, bodyTimeout), bodyTimeout),
		undeclared:  o.Undeclared, stopping: make(chan struct{}),
		loginPause: cmp.Or(o.LoginPause, loginPause),
		streams:    newShares[uuid.UUID]("event streams", o.Streams.or(streamsAtOnce)),
		events:     newEventWatch(store, cmp.Or(o.StreamPoll, 100*time.Millisecond)),
		feeds:      newShares[uuid.UUID]("feeds", o.Feeds.or(feedsAtOnce)),
		bodies:     newBodies(max(cmp.Or(o.BodyMemory, BodyMemory), MinBodyMemory)),
		feedIdle:   cmp.Or(o.FeedIdle, 30*time.Second), feedTimeout: cmp.Or(o.FeedTimeout, time.Hour),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.handlerTimeout == 0 {
		a.handlerTimeout = 10 * time.Second
	}
	if a.undeclared == nil {
		a.undeclared = func(string, db.Code) {}
	}
	cost := o.PasswordCost
	if cost == 0 {
		cost = bcrypt.DefaultCost
	}
	a.passwords, a.trustedProxies = newPasswords(cost), o.TrustedProxies
	return a
}

func config() huma.Config {
	c := huma.DefaultConfig("Waybill", Version)
	c.CreateHooks = nil
	describeTypes(c.Components.Schemas)
	c.SchemasPath, c.OpenAPIPath, c.DocsPath = "", "", ""
	c.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	c.RejectUnknownQueryParameters = true
	c.Info.Description = "The backend of a medical courier: clinics book pickups, dispatchers assign drivers, a hub " +
		"ships, " +
		"accounts are charged. Every write is one statement that is right under any interleaving: creates take an " +
		"id or an " +
		"Idempotency-Key, and transitions an Idempotency-Key, so that each can be sent again; edits take If-Match. A " +
		"header that would " +
		"change what is asked for is refused where it is not honoured; in a read, which is safe to repeat, an " +
		"Idempotency-Key changes nothing: the answer is what there is now. Null in what is created or fed is a member " +
		"left out; in an edit it " +
		"clears. Errors are one problem with a stable code."
	c.Info.Contact = &huma.Contact{Name: "Waybill"}
	c.Info.License = &huma.License{Name: "Apache-2.0", URL: "https://www.apache.org/licenses/LICENSE-2.0"}
	c.Servers = []*huma.Server{{URL: "/"}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "The token that login answers"},
	}
	c.Tags = tags()
	return c
}

func init() {
	huma.DefaultArrayNullable = false
	// Go's own decoder ignores the case of names: what huma let through in another
	// one would overwrite what it has checked.
	huma.ValidateStrictCasing = true
}

// tags are the document's chapters, in the order in which a newcomer needs them.
func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "sessions", Description: "Logging in and out"},
		{Name: "pickups", Description: "The pickups, their transitions and their events"},
		{Name: "appointments", Description: "What the facilities' records have, and the feeds that bring it"},
		{Name: "patients", Description: "Patients, who may see them, and who did"},
		{Name: "drivers", Description: "Drivers, their duty and where they are"},
		{Name: "accounts", Description: "Balances, charges and deposits"},
		{Name: "facilities", Description: "Clinics and labs"},
		{Name: "groups", Description: "Who sees which facility"},
		{Name: "users", Description: "Staff and their phone numbers"},
		{Name: "flags", Description: "Switches of the tenant"},
		{Name: "service", Description: "The server itself"},
	}
}

func (a *server) registerAll() {
	a.registerSessions()
	a.registerUsers()
	a.registerPhoneNumbers()
	a.registerFacilities()
	a.registerGroups()
	a.registerFlags()
	a.registerAccounts()
	a.registerDrivers()
	a.registerPickups()
	a.registerTransitions()
	a.registerPickupEvents()
	a.registerPatients()
	a.registerPatientFacilities()
	a.registerPHIReads()
	a.registerMessages()
	a.registerAppointments()
	a.registerAppointmentFeeds()
	a.registerService()
	forgetPatternDescriptions(a.huma.OpenAPI())
}

// Document gives the OpenAPI document, 3.1 or 3.0, as indented JSON.
func (a *API) Document(version string) ([]byte, error) {
	if version == "3.0" {
		document, err := downgrade(a.server.huma.OpenAPI())
		if err != nil {
			return nil, err
		}
		return json.MarshalIndent(document, "", "  ")
	}
	return json.MarshalIndent(a.server.huma.OpenAPI(), "", "  ")
}

// DocumentYAML gives the OpenAPI document 3.1 as YAML: the snapshot in the repository.
func (a *API) DocumentYAML() ([]byte, error) { return a.server.huma.OpenAPI().YAML() }

// cleanPaths keeps from http.ServeMux the paths that it would lead elsewhere.
func cleanPaths(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isClean(r.URL.EscapedPath()) {
			serveProblem(r.Context(), w, noSuchPath())
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// unknownPath answers what no operation has, which http.ServeMux would answer as plain
// text. It stands in the mux itself, as "/": asked beforehand, the mux would look for
// each path twice.
func unknownPath(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allowed := methodsOf(mux, r)
		if len(allowed) == 0 {
			serveProblem(r.Context(), w, noSuchPath())
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		named := slices.DeleteFunc(allowed, func(method string) bool { return method == http.MethodHead })
		serveProblem(r.Context(), w, problem(methodNotAllowed, "", "This path has: "+strings.Join(named, ", ")+"."))
	}
}

// methodsOf lists the methods that a request's path has.
func methodsOf(mux *http.ServeMux, r *http.Request) (has []string) {
	for _, method := range []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"} {
		if _, pattern := mux.Handler(&http.Request{Method: method, Host: r.Host, URL: r.URL}); pattern != "/" {
			has = append(has, method)
		}
	}
	return has
}

func noSuchPath() *Problem { return problem(db.NotFound, "", "There is no such path.") }

// isClean tells whether a path has nothing to take out: "//", "/./" or "/../".
func isClean(escaped string) bool {
	return strings.HasPrefix(escaped, "/") && (path.Clean(escaped) == escaped || path.Clean(escaped)+"/" == escaped)
}
