package db_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
	"waybill/db"
	"waybill/db/dbtest"
)

// touched is what a statement does to tables, as PostgreSQL's grammar has it.
type touched struct {
	reads, writes map[string]bool // its own; not what a view or a function reads as its owner
	locks         bool            // SELECT ... FOR UPDATE and its like
	seesPickup    bool            // it asks role_sees_pickup or role_sees_event
	result        reflect.Type    // what the generated method returns
}

// readStatements parses every statement of sql/queries, by name.
func readStatements(t *testing.T) map[string]touched {
	t.Helper()
	projects, err := project.Load("..")
	if err != nil {
		t.Fatal(err)
	}
	judged, errs := verdict.Judge(projects[0].Databases[0], verdict.Options{})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	generated, all := reflect.TypeFor[*db.Queries](), map[string]touched{}
	for _, q := range judged.Queries {
		method, ok := generated.MethodByName(q.Name)
		if !ok {
			t.Fatalf("%s is not generated", q.Name)
		}
		all[q.Name] = readStatement(q, method.Type.Out(0))
	}
	return all
}

func readStatement(q *verdict.Query, result reflect.Type) touched {
	s := touched{reads: map[string]bool{}, writes: map[string]bool{}, result: result}
	for _, w := range q.Writes { // also those of the functions that it calls
		s.writes[w.Target.Table.Name] = true
	}
	for _, read := range q.Statements {
		for _, b := range read.Blocks {
			if b.View {
				continue
			}
			for _, r := range b.Relations {
				switch {
				case r.Table == nil:
				case r.Written:
					s.writes[r.Table.Name] = true
				default:
					s.reads[r.Table.Name] = true
					s.locks = s.locks || r.Locked
				}
			}
		}
		for _, call := range read.Calls {
			_, name := syntax.Function(call)
			s.seesPickup = s.seesPickup || name == "role_sees_pickup" || name == "role_sees_event"
		}
	}
	return s
}

// guardedTables are those whose row-level security asks for a viewer.
func guardedTables(t *testing.T, d *database) (tables []string) {
	t.Helper()
	rows, err := d.owner.Query(t.Context(), `SELECT DISTINCT c.relname FROM pg_policy AS p
		JOIN pg_class AS c ON c.oid = p.polrelid WHERE pg_get_expr(p.polqual, p.polrelid) <> 'true'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil || len(tables) < 3 {
		t.Fatalf("%v: %v", tables, err)
	}
	return tables
}

// touches returns the first of the tables that the statement reads or writes, or "".
func (s touched) touches(tables []string) string {
	for _, name := range tables {
		if s.reads[name] || s.writes[name] {
			return name
		}
	}
	return ""
}

// pickupTables hold rows of pickups that not everybody in the tenant may see.
var pickupTables = []string{"pickups", "pickup_events", "messages"}

// showsPickup returns an error if the statement shows a pickup, or what happened to it, without checking
// that the viewer sees it. A position in the stream of events reveals nothing.
func (s touched) showsPickup() error {
	table := s.touches(pickupTables)
	if table == "" || s.seesPickup || isPlaces(s.result) {
		return nil
	}
	return fmt.Errorf("it touches %s and does not ask who sees the pickup", table)
}

// isPlaces reports whether a result has only tenants' ids and positions in the stream.
func isPlaces(result reflect.Type) bool {
	if result.Kind() != reflect.Slice || result.Elem().Kind() != reflect.Struct {
		return false
	}
	for i := range result.Elem().NumField() {
		f := result.Elem().Field(i)
		if !(f.Type == reflect.TypeFor[uint64]() || f.Name == "TenantID" && f.Type == reflect.TypeFor[uuid.UUID]()) {
			return false
		}
	}
	return true
}

// ofStore returns why a handler must not call the generated statement directly, or nil if it may.
func (s touched) ofStore(guarded []string) error {
	switch table := s.touches(guarded); {
	case table != "":
		return fmt.Errorf("row-level security of %s asks for a viewer", table)
	case len(s.writes) > 0:
		return fmt.Errorf("it writes %v, and its caller would explain the loss", slices.Sorted(maps.Keys(s.writes)))
	case s.locks:
		return errors.New("it locks rows")
	}
	return s.showsPickup()
}

// ofReader is ofStore for a viewer's reads of patients, which record what they show.
func (s touched) ofReader(guarded []string) error {
	s.writes = maps.Clone(s.writes)
	delete(s.writes, "phi_reads")
	switch {
	case s.touches(guarded) == "":
		return errors.New("it reads nothing that row-level security guards")
	case len(s.writes) > 0 || s.locks:
		return fmt.Errorf("it writes %v, or locks", slices.Sorted(maps.Keys(s.writes)))
	}
	return s.showsPickup()
}

// ofSystem is ofStore for background work, which has no viewer.
func (s touched) ofSystem(guarded []string) error {
	switch table := s.touches(guarded); {
	case table != "":
		return fmt.Errorf("row-level security of %s asks for a viewer", table)
	case s.writes["pickups"]:
		return errors.New("it moves pickups without the Store")
	case len(s.writes) > 0 && s.result.Kind() != reflect.Int64:
		return errors.New("it writes, and does not return the number of rows")
	}
	return nil
}

// statementsOf returns the generated statements that a type exports unchanged: those of the interfaces
// that it embeds.
func statementsOf(t *testing.T, of reflect.Type) (names []string) {
	t.Helper()
	for i := range of.NumField() {
		switch f := of.Field(i); {
		case !f.Anonymous:
		case f.Type == reflect.TypeFor[*db.Queries]():
			t.Errorf("%s gives every statement", of)
		case f.Type.Kind() == reflect.Interface:
			for m := range f.Type.NumMethod() {
				names = append(names, f.Type.Method(m).Name)
			}
		}
	}
	if len(names) == 0 {
		t.Errorf("%s gives no statement", of)
	}
	return names
}

// Generated statements that other packages can call are checked by their SQL.
func TestStatementsAreSafeAsTheyAre(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "the texts of statements, read one after the other")
	all, guarded := readStatements(t), guardedTables(t, open(t))
	for of, rule := range map[reflect.Type]func(touched, []string) error{
		reflect.TypeFor[db.Store]():  touched.ofStore,
		reflect.TypeFor[db.Reader](): touched.ofReader,
		reflect.TypeFor[db.System](): touched.ofSystem,
	} {
		for _, name := range statementsOf(t, of) {
			s, ok := all[name]
			if !ok {
				t.Errorf("%s: %s is no statement", of, name)
			} else if err := rule(s, guarded); err != nil {
				t.Errorf("%s gives %s as it is: %v", of, name, err)
			}
		}
	}
}

// Every exported statement has a caller.
func TestEveryStatementGivenIsCalled(t *testing.T) {
	t.Parallel()
	called := map[string]bool{}
	for _, folder := range []string{"../api", "../cmd/waybill", "../cmd/waybill/jobs"} {
		paths, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(paths) == 0 {
			t.Fatal("no files: ", err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					called[s.Sel.Name] = true
				}
				return true
			})
		}
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[db.Store](), reflect.TypeFor[db.Reader](), reflect.TypeFor[db.System](),
	} {
		for _, name := range statementsOf(t, of) {
			if !called[name] {
				t.Errorf("%s exposes %s, which has no caller", of, name)
			}
		}
	}
}

// The rules refuse, of all statements, each that writes pickups or patients, or shows them.
func TestUnsafeStatementsAreRefused(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "the texts of statements, read one after the other")
	all, guarded := readStatements(t), guardedTables(t, open(t))
	for name, s := range all {
		store, system := s.ofStore(guarded), s.ofSystem(guarded)
		if store == nil && (len(s.writes) > 0 || s.touches(guarded) != "") {
			t.Errorf("%s would be a Store's", name)
		}
		if system == nil && (s.writes["pickups"] || s.touches(guarded) != "") {
			t.Errorf("%s would be a System's", name)
		}
	}
	for name, rule := range map[string]func(touched, []string) error{
		"TransitionPickups": touched.ofSystem, "DispatchPickup": touched.ofSystem, "EditPickup": touched.ofSystem,
		"EditFacility": touched.ofStore, "RevokeSession": touched.ofStore, "TakeLoginToken": touched.ofStore,
		"GetPatient": touched.ofStore, "ListAppointments": touched.ofSystem, "SweepFeedRecords": touched.ofStore,
		"GetPickupEvent": touched.ofStore, "GetMessage": touched.ofStore, "ExplainEditPickup": touched.ofStore,
		"EditPatient": touched.ofReader, "AllowFacility": touched.ofReader, "GetFacility": touched.ofReader,
	} {
		if s, ok := all[name]; !ok || rule(s, guarded) == nil {
			t.Errorf("%s passes", name)
		}
	}
}
