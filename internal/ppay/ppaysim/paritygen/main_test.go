package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParity: every rule of the simulator says where it comes from, every row of
// the checklist has rules and tests, and the document is what the code says.
func TestParity(t *testing.T) {
	p, err := read("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range p.check() {
		t.Error(w)
	}
	written, err := os.ReadFile("../../../docs/PARITY.md")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(p.markdown()), string(written)); d != "" {
		t.Errorf("go generate ./internal/ppay/ppaysim (-generated +PARITY.md):\n%s", d)
	}
}

// TestMissing: each thing that can be missing is noticed.
func TestMissing(t *testing.T) {
	const head = "package x\ntype itemRule func()\nvar rules = []itemRule{a}\n"
	all := ""
	for row := 1; row < len(rows); row++ {
		all += "//parity:s" + strconv.Itoa(row) + " ours: all of it\n"
	}
	for _, tt := range []struct{ code, want string }{
		{head + all + "func a() {}\n", ""},
		{head + strings.ReplaceAll(all, "//parity:s", "// parity: S") + "func a() {}\n", ""},
		{head + strings.Replace(all, "//parity:s7 ", "//parity:s8 ", 1) + "func a() {}\n", "S7: no function"},
		{head + all + "func b() {}\n\nfunc a() {}\n", "x.go: a reproduces"},
		{head + all + "func a() {}\n\n// b: SPORT/X.java, somewhere.\nfunc b() {}\n", "x.go: b reproduces"},
		{head + all + "func a() {}\n\n// b, l.12-13.\nfunc b() {}\n", "x.go: b reproduces"},
		{head + all + "//parity:s1 somewhere\nfunc a() {}\n", "no source"},
		{head + all + "//parity:s1 SPORT/X.java\nfunc a() {}\n", "no source"},
		{head + all + "//parity:s25 SPORT/X.java:1\nfunc a() {}\n", "no such row"},
		{head + all + "//parity: first SPORT/X.java:1\nfunc a() {}\n", "not an annotation"},
		{head + all + "//parity:s1 SPORT/X.java:1-2 (metodo)\n//parity:s1 MDPS:3\n//parity:s1 ES jpqlQueries.xml:1-2\n//parity:s1 W2/X.java (101)\nfunc a() {}\n", ""},
	} {
		dir := t.TempDir()
		tests := "package x\n"
		for row := 1; row < len(rows); row++ {
			tests += "func TestS" + strconv.Itoa(row) + "Works() {}\n"
		}
		for name, text := range map[string]string{"x.go": tt.code, "x_test.go": tests} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := read(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(p.check(), "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s\ngot %q, want %q", tt.code, got, tt.want)
		}
		p.tests[3] = nil
		if !slices.Contains(p.check(), "S3: no test") {
			t.Error("a row without a test passes")
		}
	}
}
