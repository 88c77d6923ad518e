package finding

import (
	"regexp"
	"strings"
)

// leastWords is the length of a reason that can say why: subject, verb and a fact.
const leastWords = 6

var word = regexp.MustCompile(`[\pL\pN_'.-]*[\pL\pN]`)

// fillers are words with which a reason can be long and say nothing.
var fillers = words(`a an the this that it is was be are we i to for of in on at and or so as by with here now just
	please todo fixme hack temporary temporarily tmp later soon fix fixed ok okay fine safe needed need needs required
	require necessary because reason reasons waiver waived allow allowed ignore ignored skip skipped exception legacy
	known issue false positive works working works- should will would must can not no yes do does done see above below
	ticket change changes code trust me us all good really very intended intentional intentionally deliberate
	deliberately purpose by-design design approved agreed team review reviewed discussed wip asap rule check checks
	gate linter lint ci pass passes fail fails quick`)

func words(text string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(text) {
		all[w] = true
	}
	return all
}

// Hollow returns why a reason says nothing, or "". It must have some words, and several of them must be about
// the matter.
func Hollow(reason string) string {
	all := word.FindAllString(strings.ToLower(reason), -1)
	if len(all) < leastWords {
		return "it is too short to have one"
	}
	about := map[string]bool{}
	for _, w := range all {
		if !fillers[w] && len(w) > 1 {
			about[w] = true
		}
	}
	if len(about) < leastWords/2 {
		return "no word of it is about this table or this statement"
	}
	return ""
}
