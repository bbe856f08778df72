package ppay

import (
	"fmt"
	"strings"
	"testing"

	"preavviso/internal/multe"
)

// documented is every code of piemontepay.md §3.1 (list, insert, update) and §3.2
// (answer) that SOAP can bring, and of §5.2 and the rows marked R that REST can,
// and what it obliges us to do.
var documented = map[Place]string{
	PlaceAnswer: `000 applied  012 already
		100 fix  101 fix  102 fix  103 fix  104 fix  105 fix  106 fix  112 already  118 fix  119 fix  120 fix  150 already
		180 fix  181 fix  182 fix  183 fix  184 fix  185 fix
		200 later  201 later  203 later  208 later`,
	PlaceList: `000 applied  050 applied  051 applied
		150 already  151 fix  152 fix  153 fix  154 fix  155 fix  156 fix  157 fix  158 fix  159 fix  189 fix  197 fix
		200 later  250 later`,
	PlaceInsert: `000 applied
		157 fix  160 unknown  161 orphan
		162 refused  163 refused  164 refused  165 refused  166 refused  167 refused  168 refused  169 refused  170 refused
		183 refused  184 refused  186 fix  187 refused  188 fix  189 fix
		191 refused  192 refused  193 refused  194 refused  195 refused`,
	PlaceUpdate: `000 applied
		157 fix  160 unknown
		167 refused  168 refused  169 refused  170 refused  172 refused  173 refused  174 refused
		175 unknown  176 refused  177 later  178 paid  179 voided  180 refused  181 fix  182 refused  183 refused
		184 refused  185 refused  186 fix  187 expired  188 fix  189 fix  191 refused  192 refused  193 refused
		196 refused  218 refused`,
	PlaceREST: `000 applied  100 unknown  167 refused  168 refused  169 refused  170 refused  171 refused  180 refused
		189 fix  198 refused  200 fix  218 refused  300 fix  301 later  399 unknown  400 refused  500 later`,
}

// TestCodes compares the table with the documents, over every code there can be.
func TestCodes(t *testing.T) {
	for place, list := range documented {
		want := map[string]string{}
		words := strings.Fields(list)
		for i := 0; i < len(words); i += 2 {
			want[words[i]] = words[i+1]
		}
		for n := range 1000 {
			code := fmt.Sprintf("%03d", n)
			e, ok := Explain(place, code)
			if w, known := want[code]; ok != known || ok && string(e.Verdict) != w {
				t.Errorf("Explain(%s, %s) = %s, %v; want %q", place, code, e.Verdict, ok, w)
			}
			if ok && (e.Place != place || e.Code != code || e.Meaning == "" || e.Citizen == "" || e.Remedy == "" || e.Source == "") {
				t.Errorf("Explain(%s, %s) = %+v", place, code, e)
			}
		}
	}
	if _, ok := Explain("elsewhere", "000"); ok {
		t.Error("a place that is none explains codes")
	}
}

// TestCodesOnce checks that no row hides behind another.
func TestCodesOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range codes {
		for _, p := range r.places {
			key := string(p) + " " + r.code
			if seen[key] {
				t.Errorf("%s is there twice", key)
			}
			seen[key] = true
		}
	}
}

// TestSameNumberOtherMeaning pins the numbers that mean different things in
// different places.
func TestSameNumberOtherMeaning(t *testing.T) {
	list, _ := Explain(PlaceList, "157")
	position, _ := Explain(PlaceInsert, "157")
	if list.Meaning == position.Meaning || list.Remedy == position.Remedy {
		t.Error("157 means the same in both places")
	}
	for _, code := range []string{"180", "182", "183", "184", "185"} {
		answer, ok1 := Explain(PlaceAnswer, code)
		update, ok2 := Explain(PlaceUpdate, code)
		if !ok1 || !ok2 || answer.Verdict == update.Verdict {
			t.Errorf("%s means the same in both places", code)
		}
	}
}

func TestVerdictOfUnknownCode(t *testing.T) {
	for _, code := range []string{"001", "050", "199", "299", "999", "", "OK"} {
		if v := VerdictOf(PlaceREST, code); v != multe.VerdictUnknown {
			t.Errorf("rest %q: %s; only 000 is success there", code, v)
		}
	}
	for _, c := range []struct {
		code                         string
		answer, list, insert, update multe.Verdict
	}{
		{"001", multe.VerdictApplied, multe.VerdictApplied, multe.VerdictApplied, multe.VerdictApplied},
		{"099", multe.VerdictApplied, multe.VerdictApplied, multe.VerdictApplied, multe.VerdictApplied},
		{"100", multe.VerdictFix, multe.VerdictFix, multe.VerdictUnknown, multe.VerdictUnknown},
		{"199", multe.VerdictFix, multe.VerdictFix, multe.VerdictUnknown, multe.VerdictUnknown},
		{"299", multe.VerdictLater, multe.VerdictFix, multe.VerdictUnknown, multe.VerdictUnknown},
		{"300", multe.VerdictFix, multe.VerdictFix, multe.VerdictUnknown, multe.VerdictUnknown},
		{"", multe.VerdictUnknown, multe.VerdictUnknown, multe.VerdictUnknown, multe.VerdictUnknown},
		{"OK", multe.VerdictUnknown, multe.VerdictUnknown, multe.VerdictUnknown, multe.VerdictUnknown},
		{"0000", multe.VerdictUnknown, multe.VerdictUnknown, multe.VerdictUnknown, multe.VerdictUnknown},
	} {
		got := [4]multe.Verdict{VerdictOf(PlaceAnswer, c.code), VerdictOf(PlaceList, c.code), VerdictOf(PlaceInsert, c.code), VerdictOf(PlaceUpdate, c.code)}
		if want := [4]multe.Verdict{c.answer, c.list, c.insert, c.update}; got != want {
			t.Errorf("%q: %v, want %v", c.code, got, want)
		}
	}
}

// TestCitizensAreMet checks that what is said about single codes is about codes
// that there are.
func TestCitizensAreMet(t *testing.T) {
	for place, texts := range citizens {
		for code, text := range texts {
			if e, ok := Explain(place, code); !ok || e.Citizen != text {
				t.Errorf("%s %s: a text for a code that is not there, or another is told: %q", place, code, e.Citizen)
			}
		}
	}
}
