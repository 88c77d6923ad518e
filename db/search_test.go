package db_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// nameSearches are names as people have them, and what finds them and what does not.
var nameSearches = []struct {
	name        string
	finds, fail []string
}{
	{"Seán O'Neil", []string{"sean", "O'NEIL", "o’neil", "oneil", "neil sea", "o' s", "oʼneil", "O`Neil", "Se\u0301an"},
		[]string{"ean", "sean x", "il", "'", "seann", "o'sean"}},
	{"D’Angelo Russo", []string{"d'angelo", "dangelo", "angelo", "rus dang", "D´Angelo"}, []string{"gelo", "d russos"}},
	{"Zoe\u0308 Mu\u0308ller-Lüdenscheidt", []string{"ZOË", "zoe", "müller", "mu\u0308ll", "ludenscheidt zoe",
		"müller-lüdenscheidt", "luden muller zo"}, []string{"mueller", "müller-x"}},
	{"IŞIK Yılmaz", []string{"ışık", "işik", "isik", "ISIK", "yilmaz", "YILMAZ ı", "i̇sik"}, []string{"sik"}},
	{"İbrahim Çelik", []string{"ibrahim", "İBRAHİM", "IBRAHIM", "celik", "c\u0327elik"}, []string{"brahim"}},
	{"Anne  Marie\u00A0 de la  Cruz", []string{"anne   marie", "marie anne", "de la cruz", "cruz, anne", "ann mar cru"},
		[]string{"annemarie"}},
	{"Jean‑Luc Picard", []string{"jean-luc", "jean luc", "luc pic", "Jean–Luc"}, []string{"jeanluc"}},
	{"Łukasz Đorđević-Øster", []string{"lukasz", "ŁUKASZ", "dordevic", "oster"}, []string{"ukasz"}},
	{"Straßmann Æsa", []string{"strassmann", "STRASSMANN", "straß", "aesa", "ÆSA"}, []string{"strasmann"}},
	{"\u202Bמֹשֶׁה כֹּהֵן\u202C", []string{"משה", "כהן משה", "מֹשֶׁה"}, []string{"שה"}},
	{"مُحَمَّد أَحْمَد", []string{"محمد", "احمد", "أحمد محـمد"}, []string{"حمد"}},
	{"王 小明", []string{"王", "小明", "王小明", "小明王", "小 王"}, []string{"明", "小王"}},
	{"김 철수", []string{"김", "철수", "김철수", "\u1100\u1175\u11B7"}, []string{"수"}},
	{"がくと 山田", []string{"がく", "か\u3099く", "山田がくと"}, []string{"かく"}},
	{"Ελένη Παπαδοπούλου", []string{"ελενη", "ΕΛΈΝΗ", "παπα ελ"}, []string{"λενη"}},
	{"Пётр Чайковский", []string{"петр", "ПЁТР", "чайк пе"}, []string{"айк"}},
	{"प्रिया शर्मा", []string{"प्रिया", "शर्मा"}, []string{"प्रया"}},
	{"R2_D2 100%", []string{"r2", "d2 100", "r2_d2", "100%"}, []string{"r2xd2"}},
}

// Names are found by the beginnings of their words in any order, however they are written.
func TestNamesAreFoundHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	ids := map[uuid.UUID]string{}
	for _, n := range nameSearches {
		u := w.user(ctx, db.UserRoleHub)
		must(w.owner.Exec(ctx, "UPDATE users SET name = $2 WHERE id = $1", u.UserID, n.name))
		ids[u.UserID] = n.name
	}
	hub := db.UserRoleHub
	for _, n := range nameSearches {
		for what, texts := range map[bool][]string{true: n.finds, false: n.fail} {
			for _, text := range texts {
				found := must(w.Store.FindUsers(ctx, w.admin, db.FindUsersParams{Name: text, Role: &hub, MaxRows: 100}))
				has := slices.ContainsFunc(found.Rows, func(u db.User) bool { return ids[u.ID] == n.name })
				if has != what {
					t.Errorf("%q finds %q: %v, want %v", text, n.name, has, what)
				}
			}
		}
	}
}

// manyUsers makes users, every third deactivated, of whom some have two words that begin alike, and returns those
// with a word that begins with an and one with ro.
func (w *fixture) manyUsers(ctx context.Context) (want map[uuid.UUID]bool) {
	want = map[uuid.UUID]bool{}
	for n, name := range []string{
		"Anna Romero", "Ann Andrews Rossi", "Roan Anton", "Romy Banks", "Andrea Smith", "Anna Romero", "Ro An",
		"an an ro ro", "Jane Roe", "Anders Röhm", "Anouk Anand", "Ana-Rosa", "Ánxela Roó", "Annan Rohan",
	} {
		u := w.user(ctx, db.UserRoleHub)
		must(w.owner.Exec(ctx, "UPDATE users SET name = $2, active = $3 WHERE id = $1", u.UserID, name, n%3 > 0))
		if !slices.Contains([]int{3, 4, 8, 10}, n) {
			want[u.UserID] = n%3 > 0
		}
	}
	return want
}

// A list of what a name finds is complete and has nobody twice, in pages of any size, and where a call looks at fewer
// entries than there are.
func TestASearchIsCompleteHoweverLittleACallLooksAt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	all, hub := w.manyUsers(ctx), db.UserRoleHub
	for _, size := range [][2]int32{{1, 1}, {1, 7}, {3, 2}, {5, 40}, {100, 3}, {100, 1000}} {
		for _, active := range []*bool{nil, new(true), new(false)} {
			var want, got []uuid.UUID
			for id, is := range all {
				if active == nil || is == *active {
					want = append(want, id)
				}
			}
			p := db.FindUsersParams{Name: "RO an", Role: &hub, Active: active, MaxRows: size[0]}
			for calls := 0; calls < 100; calls++ {
				found := must(w.Store.FindUsersLooking(ctx, w.admin, p, size[1]))
				for _, u := range found.Rows {
					got = append(got, u.ID)
				}
				if len(found.Rows) > int(size[0]) {
					t.Errorf("a page of %d users, want %d at most", len(found.Rows), size[0])
				}
				if found.Next == nil {
					break
				}
				p.AfterTerm, p.AfterID = found.Next.Term, found.Next.ID
			}
			if want = sortedIDs(want); !slices.Equal(sortedIDs(got), want) {
				t.Errorf("pages of %d, %d looks, active %v: found %v, want %v",
					size[0], size[1], deref(active), got, want)
			}
		}
	}
}

// manyNamed makes patients of the staff's facility, and one who is not, and returns their ids' numbers.
func (w *fixture) manyNamed(ctx context.Context) map[uuid.UUID]string {
	ids := map[uuid.UUID]string{}
	for n, p := range []struct{ given, family, birth, phone, external string }{
		{"Zoë", "O’Quill", "1931-07-13", "", ""}, {"Zora", "Quill", "1931-07-13", "+19998000000001", "x_1%"},
		{"Quirin", "Zo-Bar", "1931-07-13", "+19998000000002", ""}, {"Azo", "Quill", "1931-07-13", "", "x_1"},
		{"Oquilla", "Zoë", "1931-07-13", "", ""},
		{strings.Repeat("w", 40) + "y", "Z", "1931-07-14", "", strings.Repeat("7", 199) + "5"},
		{"Zora", "Quill", "1931-07-13", "+19998000000001", "x_1%"},
	} {
		facility := w.facility
		if n == 6 {
			facility = w.hidden
		}
		if n == 2 {
			p.external = "x_1%" // of another facility, which they are known to besides
			facility = w.clinic(ctx)
		}
		id := newID()
		ids[id] = strconv.Itoa(n)
		must(w.owner.Exec(ctx, `INSERT INTO patients (tenant_id, id, facility_id, given_name, family_name, birth_date,
			phone, external_id) VALUES ($1, $2, $3, $4, $5, $6::text::date, nullif($7, ''), nullif($8, ''))`,
			w.tenant, id, facility, p.given, p.family, p.birth, p.phone, p.external))
		must(
			w.owner.Exec(ctx, "INSERT INTO patient_facilities (tenant_id, patient_id, facility_id) VALUES ($1, $2, $3)",
				w.tenant, id, facility))
		if n == 2 {
			must(w.owner.Exec(ctx, `WITH f AS (INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
				VALUES ($1, $2, $3)) UPDATE patients SET allowed_facilities = 2 WHERE id = $2`,
				w.tenant, id, w.facility))
		}
	}
	return ids
}

// clinic makes a facility that nobody sees.
func (w *fixture) clinic(ctx context.Context) uuid.UUID { return w.clinics(ctx, 1)[0] }

// readBy returns the patients that are recorded as read by the user, in the order of their ids.
func (w *fixture) readBy(ctx context.Context, user uuid.UUID) ([]uuid.UUID, error) {
	rows, err := w.owner.Query(ctx, `SELECT patient_id FROM phi_reads
		WHERE tenant_id = $1 AND user_id = $2 AND operation = 'list-patients' ORDER BY patient_id`, w.tenant, user)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

func idsOf(patients []db.Patient) (ids []uuid.UUID) {
	for _, p := range patients {
		ids = append(ids, p.ID)
	}
	return sortedIDs(ids)
}

func sortedIDs(ids []uuid.UUID) []uuid.UUID {
	slices.SortFunc(ids, compareIDs)
	return ids
}

// patientSearches are what patients are asked for by, and the numbers of those of manyNamed whom it finds.
var patientSearches = []struct {
	ask  db.FindPatientsParams
	want string
}{
	{db.FindPatientsParams{Name: "zo"}, "0 1 2 4"},
	{db.FindPatientsParams{Name: "quill zo"}, "0 1"},
	{db.FindPatientsParams{Name: "o'quill zoë"}, "0 4"},
	{db.FindPatientsParams{BirthDate: "1931-07-13"}, "0 1 2 3 4"},
	{db.FindPatientsParams{BirthDate: "1931-07-14"}, "5"},
	{db.FindPatientsParams{Phone: "+19998000000001"}, "1"},
	{db.FindPatientsParams{Phone: "+1999800000000"}, ""},
	{db.FindPatientsParams{ExternalID: "x_1%"}, "1 2"},
	{db.FindPatientsParams{ExternalID: "x_1"}, "3"},
	{db.FindPatientsParams{ExternalID: strings.Repeat("7", 199) + "5"}, "5"},
	{db.FindPatientsParams{ExternalID: strings.Repeat("7", 199) + "6"}, ""},
	{db.FindPatientsParams{ExternalID: "x_1%", Name: "zo", BirthDate: "1931-07-13", Phone: "+19998000000001"}, "1"},
	{db.FindPatientsParams{ExternalID: "x_1%", Name: "zo", BirthDate: "1931-07-14"}, ""},
	{db.FindPatientsParams{ExternalID: "x_1%", Name: "-"}, ""},
	{db.FindPatientsParams{Name: strings.Repeat("w", 40) + "y"}, "5"},
	{db.FindPatientsParams{Name: strings.Repeat("w", 40) + "z"}, ""},
	{db.FindPatientsParams{}, ""},
}

// patientsAreFoundByWhatIsAskedFor searches by each kind of data, alone and together, as those who see the patients and
// as those who do not. Each who is shown is recorded, and nobody else.
func patientsAreFoundByWhatIsAskedFor(ctx context.Context, w *fixture) error {
	ids := w.manyNamed(ctx)
	for _, q := range patientSearches {
		for name, v := range map[string]db.Viewer{"staff": w.staff, "stranger": w.stranger, "admin": w.admin} {
			must(w.owner.Exec(ctx, "DELETE FROM phi_reads WHERE tenant_id = $1", w.tenant))
			p := q.ask
			p.MaxRows = 50
			found, err := w.Store.FindPatients(ctx, v, p)
			if err != nil {
				return err
			}
			var got []string
			for _, p := range found.Rows {
				got = append(got, ids[p.ID])
			}
			want := strings.Fields(q.want)
			if name != "staff" {
				want = nil
			}
			if slices.Sort(got); !slices.Equal(got, want) || found.Next != nil {
				return fmt.Errorf("%s asks for %+v: found %v, want %v", name, q.ask, got, want)
			}
			if read := must(w.readBy(ctx, v.UserID)); !slices.Equal(read, idsOf(found.Rows)) {
				return fmt.Errorf("%s asks for %+v: recorded as read %v, want %v", name, q.ask, read, idsOf(found.Rows))
			}
		}
	}
	return nil
}

// patientSearchesOfEveryViewer searches, in pages, as staff of no, one, some and many facilities, and compares what is
// found with the rows.
func patientSearchesOfEveryViewer(ctx context.Context, w *fixture) error {
	facilities := w.manyPatients(ctx)
	must(w.owner.Exec(ctx, `UPDATE patients SET given_name = (ARRAY['Anna', 'Ann Arbor', 'Bea'])[1 + k.n % 3],
			family_name = 'Quetzal' || k.n % 5 || CASE k.n % 12 WHEN 1 THEN ' Zoe' ELSE '' END,
			birth_date = '1931-07-13'::date + k.n % 2
		FROM (SELECT id, ('x' || right(id::text, 4))::bit(16)::int AS n FROM patients WHERE tenant_id = $1) AS k
		WHERE tenant_id = $1 AND patients.id = k.id`, w.tenant))
	viewers := map[string]db.Viewer{"stranger": w.user(ctx, db.UserRoleStaff)}
	for name, of := range map[string][]uuid.UUID{
		"staff of one": facilities[3:4], "staff of some": facilities[2:9], "staff of all": facilities,
	} {
		viewers[name] = w.staffOf(ctx, of)
	}
	asks := []db.FindPatientsParams{
		{Name: "quetzal"}, {Name: "a"}, {Name: "a quetzal1"},
		{Name: "an", BirthDate: "1931-07-14"}, {BirthDate: "1931-07-13"},
		{Name: "quetzal an zo"}, {Name: "quetzal nobody"},
	}
	type search struct {
		name   string
		viewer db.Viewer
		ask    db.FindPatientsParams
		want   []uuid.UUID
	}
	var searches []search
	for _, ask := range asks {
		for name, v := range viewers {
			fits := w.patientsThatFit(ctx, v, ask)
			for _, facility := range []*uuid.UUID{nil, &facilities[3], &facilities[60]} {
				ask.FacilityID = facility
				searches = append(searches, search{name, v, ask, keep(fits, w.patientsSeen(ctx, v, facility))})
			}
		}
	}
	// Each connection plans the statement once: more of them would mostly do that.
	const callers = 4
	return first(together(callers, func(caller int) error {
		for i := caller; i < len(searches); i += callers {
			s := searches[i]
			for _, size := range [][2]int{{7, 2}, {7, 60}, {7, 2000}, {7, 20_000}, {200, 20_000}} {
				s.ask.MaxRows = int32(size[0])
				if err := w.patientsFoundAre(ctx, s.viewer, s.ask, int64(size[1]), s.want); err != nil {
					return fmt.Errorf("%s asks for %+v: %w", s.name, s.ask, err)
				}
			}
		}
		return nil
	})...)
}

// patientSearchesLookAgain searches for two words that few have together. The first look at each facility, at ten
// entries, comes in two of them to patients of whom none has both; the page goes on behind these, with what these
// and one of the others have there. The last page is of what one facility has behind its first. All of them are among
// the first ten, by which the rarer word is told.
func patientSearchesLookAgain(ctx context.Context, w *fixture) error {
	facilities := sortedIDs(w.clinics(ctx, manyFacilities))
	must(w.owner.Exec(ctx, `INSERT INTO patients (tenant_id, id, facility_id, given_name, family_name, birth_date)
			SELECT $1, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
				($2::uuid[])[CASE WHEN n < 100 THEN 6 WHEN n IN (100, 140, 141) THEN 1 WHEN n < 116 OR n = 130 THEN 2
					WHEN n < 130 THEN 3 WHEN n = 150 THEN 4 ELSE 5 END],
				CASE WHEN n BETWEEN 101 AND 129 THEN 'Bea' ELSE 'Anna' END,
				CASE WHEN n < 100 THEN 'Other' ELSE 'Quetzal' END, '1931-07-13'
			FROM generate_series(0, 152) AS n
			WHERE n NOT BETWEEN 131 AND 139 AND n NOT BETWEEN 142 AND 149`, w.tenant, facilities))
	must(w.owner.Exec(ctx, `INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
		SELECT tenant_id, id, facility_id FROM patients WHERE tenant_id = $1`, w.tenant))
	must(w.owner.Exec(ctx, "UPDATE patients SET allowed_facilities = 1 WHERE tenant_id = $1", w.tenant))
	v, ask := w.staffOf(ctx, facilities), db.FindPatientsParams{Name: "quetzal an", MaxRows: 2}
	want := keep(w.patientsThatFit(ctx, v, ask), w.patientsSeen(ctx, v, nil))
	if len(want) != 7 {
		return fmt.Errorf("%d patients have both words, want 7", len(want))
	}
	found, err := w.Store.FindPatientsLooking(ctx, v, ask, 20*manyFacilities)
	if err != nil {
		return err
	}
	if got := idsOf(found.Rows); !slices.Equal(got, want[:2]) {
		return fmt.Errorf("the first page has %v, want %v", got, want[:2])
	}
	return w.patientsFoundAre(ctx, v, ask, 20*manyFacilities, want)
}

// What a viewer's search answers, and in which order, depends on the patients of their facilities alone: whatever
// others have, it says nothing of it. Others get what would change which of the words is the rarest.
func TestASearchOfPatientsSaysNothingOfOthers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	w.patientsNamed(ctx, w.facility, "Qqqqqb Kowalczyka", "Qqqqqa Kowalczykb", "Qqqqqc Other", "Ann Bell", "Anna Belle")
	asks := []string{"kowalczyk qqqqq", "kowalczyka qqqqqb", "an bell", "nowhere an", "other q", "kowalczyk q k"}
	answers := func() (all []string) {
		for _, name := range asks {
			for _, size := range [][2]int32{{1, 2000}, {2, 20}, {50, 2000}} {
				p := db.FindPatientsParams{Name: name, MaxRows: size[0]}
				for more := true; more; {
					found := must(w.Store.FindPatientsLooking(ctx, w.staff, p, int64(size[1])))
					line := fmt.Sprintf("%s in pages of %d, looks %d:", name, size[0], size[1])
					for _, row := range found.Rows {
						line += " " + row.GivenName + " " + row.FamilyName
					}
					if more = found.Next != nil; more {
						line += ", and more"
						p.AfterTerm, p.AfterID = found.Next.Term, found.Next.ID
					}
					all = append(all, line)
				}
			}
		}
		return all
	}
	before := answers()
	for _, others := range []string{"Jan Kowalczyk", "Qqqqqc Nobody", "Nowhere Bell", "Anna Other"} {
		for n, names := range [][]string{{others}, slices.Repeat([]string{others}, 70)} {
			w.patientsNamed(ctx, w.hidden, names...)
			for i, got := range answers() {
				if got != before[i] {
					t.Errorf("before: %q; after a facility that is not seen got %q, round %d: %q",
						before[i], others, n, got)
				}
			}
		}
	}
}

// patientsNamed makes patients of a facility, who allow it to see them.
func (w *fixture) patientsNamed(ctx context.Context, facility uuid.UUID, names ...string) {
	must(w.owner.Exec(ctx, `WITH p AS (
			INSERT INTO patients (tenant_id, id, facility_id, given_name, family_name, birth_date)
			SELECT $1, gen_random_uuid(), $2, split_part(n, ' ', 1), split_part(n, ' ', 2), '1931-07-13'
			FROM unnest($3::text[]) AS n
			RETURNING *)
		INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
		SELECT tenant_id, id, facility_id FROM p`, w.tenant, facility, names))
}

// A search goes through its pages in the order in which entries are read, whatever the order of the database's locale:
// in Czech ch comes behind h, and in the order of ICU some letters of Thai behind those that follow them, and і where
// a Ukrainian looks for it.
func TestASearchIsCompleteWhateverTheLocale(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := inICU(t, "cs")
	must(0, db.Migrate(ctx, d.OwnerURL))
	w := (&database{openStore(t, config(d.AppURL, false)), d.Owner(), d}).fixture(ctx)
	names := []string{
		"Cha Z", "Ci Z", "Cz Z", "Chaz Chi", "Савчук С", "Сірко С", "Сяк С", "เกษม ก", "เพชร ก", "เกศ ก", "ก เ",
	}
	facilities, hub := w.clinics(ctx, 61), db.UserRoleHub // of so many, a first look takes one entry each
	staff := w.staffOf(ctx, facilities)
	for n, name := range names {
		w.patientsNamed(ctx, facilities[n%3], name)
		must(w.owner.Exec(ctx, "UPDATE users SET name = $2 WHERE id = $1", w.user(ctx, hub).UserID, name))
	}
	for ask, want := range map[string]int{"c": 4, "ch": 2, "с": 3, "เ": 4, "z c": 3, "ก เ": 4} {
		for size := range int32(4) {
			for _, looks := range []int64{2, 20, 100, 1220, 2000} { // below 1,220, a tenth at the entries of the tenant
				p, found := db.FindPatientsParams{Name: ask, MaxRows: 1 + size}, []uuid.UUID{}
				for pages, more := 0, true; more && pages < 100; pages++ {
					page := must(w.Store.FindPatientsLooking(ctx, staff, p, looks))
					found = append(found, idsOf(page.Rows)...)
					if more = page.Next != nil; more {
						p.AfterTerm, p.AfterID = page.Next.Term, page.Next.ID
					}
				}
				if got := len(slices.Compact(sortedIDs(found))); len(found) != want || got != want {
					t.Errorf("patients by %q in pages of %d, %d looks: found %d, %d of them, want %d",
						ask, 1+size, looks, len(found), got, want)
				}
			}
			p, found := db.FindUsersParams{Name: ask, Role: &hub, MaxRows: 1 + size}, []uuid.UUID{}
			for pages, more := 0, true; more && pages < 100; pages++ {
				page := must(w.Store.FindUsersLooking(ctx, w.admin, p, 3))
				for _, u := range page.Rows {
					found = append(found, u.ID)
				}
				if more = page.Next != nil; more {
					p.AfterTerm, p.AfterID = page.Next.Term, page.Next.ID
				}
			}
			if got := len(slices.Compact(sortedIDs(found))); len(found) != want || got != want {
				t.Errorf("users by %q in pages of %d: found %d, %d of them, want %d",
					ask, 1+size, len(found), got, want)
			}
		}
	}
}

// patientsThatFit returns the patients who have what is asked for, whoever sees them, in the order of the viewer's
// search: it asks the rows, and of the entries that a search reads no more than of which word ten of the viewer's
// facilities have fewest, up to 64.
func (w *fixture) patientsThatFit(ctx context.Context, v db.Viewer, p db.FindPatientsParams) (ids []uuid.UUID) {
	rarest := scan[string](ctx, w.owner, `SELECT coalesce((
		SELECT 'n' || w.word
		FROM unnest(string_to_array($2, ' ')) AS w (word)
		ORDER BY (
			SELECT least(64, count(*)) FROM patient_terms AS t
			WHERE t.tenant_id = $1 AND starts_with(t.term, 'n' || w.word)
				AND t.facility_id IN (
					SELECT DISTINCT facility_id FROM facility_viewers WHERE tenant_id = $1 AND user_id = $3
					ORDER BY facility_id LIMIT 10)), length(w.word) DESC
		LIMIT 1), '')`, w.tenant, p.Name, v.UserID)
	w.must(w.owner.QueryRow(ctx, `SELECT coalesce(array_agg(k.id ORDER BY k.term, k.id), '{}')
		FROM (
			SELECT p.id, min(t.term) AS term
			FROM asked_patient_terms(nullif($2, ''), nullif($3, '')::date, NULL, NULL) AS a, patients AS p
			CROSS JOIN LATERAL unnest(terms_of_patient(
				p.given_name, p.family_name, p.birth_date, p.phone, p.external_id)) AS t (term)
			WHERE p.tenant_id = $1
				AND ($2 = '' OR name_matches(p.given_name || ' ' || p.family_name, $2))
				AND ($3 = '' OR p.birth_date = nullif($3, '')::date)
				AND CASE WHEN $3 = '' THEN starts_with(t.term, $4)
					ELSE t.term COLLATE "C" >= a.first AND t.term COLLATE "C" < a.past END
			GROUP BY p.id) AS k`,
		w.tenant, p.Name, p.BirthDate, rarest).Scan(&ids))
	return ids
}

// patientsSeen returns the patients whom a member of groups sees, at one facility unless that is nil.
func (w *fixture) patientsSeen(ctx context.Context, v db.Viewer, facility *uuid.UUID) map[uuid.UUID]bool {
	var ids []uuid.UUID
	w.must(w.owner.QueryRow(ctx, `SELECT coalesce(array_agg(DISTINCT f.patient_id), '{}')
		FROM patient_facilities AS f
		JOIN group_facilities AS g ON g.tenant_id = f.tenant_id AND g.facility_id = f.facility_id
		JOIN group_members AS m ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id
		WHERE f.tenant_id = $1 AND m.user_id = $2 AND f.allowed AND ($3::uuid IS NULL OR f.facility_id = $3)`,
		w.tenant, v.UserID, facility).Scan(&ids))
	seen := map[uuid.UUID]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	return seen
}

// keep returns those of the ids that are among some, in their order.
func keep(ids []uuid.UUID, some map[uuid.UUID]bool) (kept []uuid.UUID) {
	for _, id := range ids {
		if some[id] {
			kept = append(kept, id)
		}
	}
	return kept
}

// patientsFoundAre searches to the end, and compares what is found with what is wanted.
func (w *fixture) patientsFoundAre(
	ctx context.Context, v db.Viewer, p db.FindPatientsParams, looks int64, want []uuid.UUID,
) error {
	var got []uuid.UUID
	for more, pages := true, 0; more && len(got) <= len(want) && pages < 1000; pages++ {
		found, err := w.Store.FindPatientsLooking(ctx, v, p, looks)
		if err != nil {
			return err
		}
		if len(found.Rows) > int(p.MaxRows) {
			return fmt.Errorf("a page has %d patients", len(found.Rows))
		}
		for _, p := range found.Rows {
			got = append(got, p.ID)
		}
		if more = found.Next != nil; more {
			p.AfterTerm, p.AfterID = found.Next.Term, found.Next.ID
			if looks == 20_000 && len(found.Rows) < int(p.MaxRows) {
				return fmt.Errorf("a page has %d patients, and is not the last", len(found.Rows))
			}
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("found %d patients, want %d: %v, %v", len(got), len(want), got, want)
	}
	return nil
}

// Whoever edits a patient and whoever allows and disallows facilities at the same time, the patient is found for each
// facility that sees them by what they are then: the invariants say so when the test ends.
func TestPatientsAreFoundByWhatTheyBecameInRaces(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	facilities := w.clinics(ctx, 3)
	id := w.patient(ctx)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 20 {
				facility := facilities[(n+i)%3]
				switch {
				case n < 3:
					must(w.owner.Exec(ctx, "UPDATE patients SET family_name = $2 WHERE id = $1",
						id, fmt.Sprint("N", n, " M", i)))
				case n < 5: // as no statement does, without a lock of the patient
					must(w.owner.Exec(ctx, `INSERT INTO patient_facilities AS f (tenant_id, patient_id, facility_id)
						VALUES ($1, $2, $3) ON CONFLICT (tenant_id, patient_id, facility_id)
						DO UPDATE SET allowed = NOT f.allowed`, w.tenant, id, facility))
				case n < 7:
					must(w.owner.Exec(ctx, "DELETE FROM patient_facilities WHERE patient_id = $1 AND facility_id = $2",
						id,
						facility))
				default:
					must(w.owner.Exec(ctx, "UPDATE patients SET phone = $2 WHERE id = $1", id,
						fmt.Sprint("+1999800000000", i%10)))
				}
			}
		})
	}
	all.Wait()
	must(w.owner.Exec(ctx, `UPDATE patients AS p SET allowed_facilities = (SELECT count(*) FROM patient_facilities AS f
		WHERE f.patient_id = p.id AND f.allowed) WHERE p.id = $1`, id))
}
