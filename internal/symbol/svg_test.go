package symbol_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"preavviso/internal/symbol"
)

// TestScreenQR draws texts of every length, reads the SVG as a viewer would, and has
// zbar read what it shows.
func TestScreenQR(t *testing.T) {
	const uri = "preavviso:enrol?u=https://multe.comune.esempio.to.it:8443&p=LoxNu2WE-hrLBFSR7x2x4qi_3OB9-hERjkBZlDpfaek&c=pvi_AAAAAAAAAAAAAAAAAAAAAA"
	texts := []string{uri}
	for n := 1; n <= 251; n += 25 {
		texts = append(texts, strings.Repeat(uri, 3)[:n])
	}
	zbar, err := exec.LookPath("zbarimg")
	for _, text := range texts {
		m, err := symbol.ScreenQR(text)
		if err != nil {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
		svg := m.SVG()
		if again := m.SVG(); again != svg {
			t.Fatal("not the same every time")
		}
		image := raster(t, svg, m.Side())
		if zbar == "" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), zbar, "-q", "--raw", "-Sdisable", "-Sqrcode.enable", "-")
		cmd.Stdin = bytes.NewReader(image)
		if got, err := cmd.Output(); err != nil || string(got) != text+"\n" {
			t.Errorf("%d bytes: zbar reads %q, %v", len(text), got, err)
		}
	}
	for _, text := range []string{"", strings.Repeat("x", 252)} {
		if _, err := symbol.ScreenQR(text); err == nil {
			t.Errorf("%d bytes are accepted", len(text))
		}
	}
	if err != nil {
		t.Skipf("drawn and parsed, not scanned: %v; install zbar-tools", err)
	}
}

var (
	run = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
	box = regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`)
)

// raster paints the SVG, four dots a module, as a PGM. What it does not understand
// fails: nothing else may be in there.
func raster(t *testing.T, svg string, modules int) []byte {
	t.Helper()
	var image struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		Paths   []struct {
			D    string `xml:"d,attr"`
			Fill string `xml:"fill,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(svg), &image); err != nil || len(image.Paths) != 2 {
		t.Fatalf("not our SVG: %v", err)
	}
	size := box.FindStringSubmatch(svg)
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	if size == nil || number(size[1]) != modules+8 {
		t.Fatalf("view box %v of %d modules", size, modules)
	}
	if rest := run.ReplaceAllString(image.Paths[1].D, ""); rest != "" {
		t.Fatalf("the path has %q", rest)
	}
	const dots = 4
	side := (modules + 8) * dots
	pixels := bytes.Repeat([]byte{255}, side*side)
	for _, r := range run.FindAllStringSubmatch(image.Paths[1].D, -1) {
		x, y, n := number(r[1]), number(r[2]), number(r[3])
		for dy := range dots {
			for dx := range n * dots {
				pixels[(y*dots+dy)*side+x*dots+dx] = 0
			}
		}
	}
	return append(fmt.Appendf(nil, "P5 %d %d 255\n", side, side), pixels...)
}
