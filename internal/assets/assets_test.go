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
