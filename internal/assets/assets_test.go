package assets_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"preavviso/internal/assets"
)

func TestFonts(t *testing.T) {
	for _, name := range []string{
		assets.TitilliumRegular, assets.TitilliumBold, assets.RobotoMonoRegular, assets.RobotoMonoBold,
	} {
		first, err := assets.Font(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.HasPrefix(first, []byte{0, 1, 0, 0}) {
			t.Errorf("%s does not begin like a TrueType font: % x", name, first[:4])
		}
		kept := bytes.Clone(first)
		clear(first)
		if second, err := assets.Font(name); err != nil || !bytes.Equal(second, kept) {
			t.Errorf("%s is changed by writing into an earlier copy (%v)", name, err)
		}
	}
}

func TestAbsentFont(t *testing.T) {
	b, err := assets.Font("Absent.ttf")
	if b != nil || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `run "make assets"`) {
		t.Errorf("Font(Absent.ttf) = %d bytes, %v", len(b), err)
	}
}

func TestWebFiles(t *testing.T) {
	for name, begin := range map[string]string{
		assets.Style:            "\ufeff/*!",
		assets.Sprites:          "<svg",
		assets.Htmx:             "var htmx=",
		assets.TitilliumWeb:     "wOF2",
		assets.TitilliumWebBold: "wOF2",
		assets.RobotoMonoWeb:    "wOF2",
	} {
		if b, err := assets.File(name); err != nil || !bytes.HasPrefix(bytes.TrimSpace(b), []byte(begin)) {
			t.Errorf("File(%s) begins with %.20q (%v), want %q", name, b, err, begin)
		}
	}
}
