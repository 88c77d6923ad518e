package db_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

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
			byID := func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) }
			slices.SortFunc(want, byID)
			if slices.SortFunc(got, byID); !slices.Equal(got, want) {
				t.Errorf("pages of %d, %d looks, active %v: found %v, want %v", size[0], size[1], deref(active), got, want)
			}
		}
	}
}
