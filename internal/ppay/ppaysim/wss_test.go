package ppaysim

import (
	"slices"
	"strings"
	"testing"
)

// hasSecret says that an element holds credentials, or one in it.
func hasSecret(n *node) bool {
	return slices.Contains(secrets, n.name.Local) || slices.ContainsFunc(n.kids, hasSecret)
}

func TestRedact(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"<a>plain</a>", "<a>plain</a>"},
		{"not XML", "not XML"},
		{"<a><w:Security xmlns:w='u'><x>y</x></w:Security><b>z</b></a>", "<a><!-- credentials removed --><b>z</b></a>"},
		{"<a><Password/>b<Password Type='x'>c</Password></a>", "<a><!-- credentials removed -->b<!-- credentials removed --></a>"},
		{"<a><Password>c</a>", "(18 bytes that are not XML and may hold credentials)"},
		{"<a><Password>c", "(14 bytes that are not XML and may hold credentials)"},
		{"<a><Password>c</Password></a><", "(30 bytes that are not XML and may hold credentials)"},
	} {
		if got := string(redact([]byte(tt.in))); got != tt.want {
			t.Errorf("redact(%s) = %s", tt.in, got)
		}
	}
}

// FuzzRedact: whatever comes in, no element that holds credentials stays, and
// the rest is left as it was.
func FuzzRedact(f *testing.F) {
	f.Add("<a><w:Security xmlns:w='u'><x>y</x></w:Security><b>z</b></a>")
	f.Add("<a><Password>c")
	f.Add("<Password/>")
	f.Add("<a><![CDATA[<Password>]]></a>")
	f.Add("<a><!-- <Password> --></a>")
	f.Fuzz(func(t *testing.T, raw string) {
		before, err := parseXML([]byte(raw))
		after := string(redact([]byte(raw)))
		if err != nil {
			return
		}
		n, err := parseXML([]byte(after))
		if slices.Contains(secrets, before.name.Local) {
			return // nothing is left
		}
		if strings.HasPrefix(after, "(") {
			t.Fatalf("withheld though it is XML: %q", raw)
		}
		if err != nil || hasSecret(n) {
			t.Fatalf("%q: %v", after, err)
		}
		if !hasSecret(before) && after != raw {
			t.Fatalf("%q became %q", raw, after)
		}
	})
}
