package multe_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"preavviso/internal/multe"
)

// TestSightings holds the function against the file that pins it, here and in the
// client of the handhelds.
func TestSightings(t *testing.T) {
	raw, err := os.ReadFile("../../firmware-api/testdata/sightings.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Salt, Creditor, Day string
		Sightings           []struct{ Plate, Place, Street, Value string }
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Sightings) < 10 {
		t.Fatal(err, len(file.Sightings))
	}
	day, err := multe.ParseDay(file.Day)
	if err != nil {
		t.Fatal(err)
	}
	if got := multe.SightingSalt(multe.CreditorID(file.Creditor), day); got != file.Salt {
		t.Errorf("salt = %s, want %s", got, file.Salt)
	}
	for _, s := range file.Sightings {
		if got := multe.Street(s.Place); got != s.Street {
			t.Errorf("street of %q = %q, want %q", s.Place, got, s.Street)
		}
		if got := multe.Sighting(file.Salt, multe.Plate(s.Plate), s.Place); got != s.Value {
			t.Errorf("sighting in %q = %s, want %s", s.Place, got, s.Value)
		}
	}
}

func FuzzStreet(f *testing.F) {
	f.Add("via Roma 1")
	f.Add("Piazza 4 Novembre, 12 bis")
	f.Add("\xff, nr. 5")
	f.Fuzz(func(t *testing.T, place string) {
		s := multe.Street(place)
		if multe.Street(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') }) {
			t.Errorf("street of %q = %q, and of that %q", place, s, multe.Street(s))
		}
	})
}
