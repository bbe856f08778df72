package access

import (
	"strings"
	"testing"
)

func TestPHC(t *testing.T) {
	good := nobody.String()
	if p, err := parsePHC(good); err != nil || p.String() != good {
		t.Fatalf("parsePHC(%q) = %v, %v", good, p, err)
	}
	for _, bad := range []string{
		"", "$", good + "$", "x" + good, strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=999999999", 1), strings.Replace(good, "t=2", "t=99", 1), strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "m=19456", "m=019456", 1), strings.Replace(good, "p=1", "p=1 ", 1),
	} {
		if _, err := parsePHC(bad); err == nil {
			t.Errorf("parsePHC(%q) accepts", bad)
		}
	}
}

func FuzzPHC(f *testing.F) {
	f.Add(nobody.String())
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parsePHC(s); err == nil && (p.String() != s || p.memory > maxArgonMemory || p.time > maxArgonTime) {
			t.Errorf("parsePHC(%q) = %q", s, p)
		}
	})
}
