package photos

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"preavviso/internal/multe"
)

// FuzzJudge checks that no file makes the judge panic, and that none passes that
// is not what was declared.
func FuzzJudge(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{0xff, 0xd8, 0xff})
	f.Fuzz(func(t *testing.T, file []byte) {
		s := multe.PhotoSheet{Digest: multe.DigestOf(file), Size: len(file)}
		if judge(s, file) == "" && !bytes.HasPrefix(file, []byte{0xff, 0xd8, 0xff}) {
			t.Error("not a JPEG, and taken")
		}
		if s.Size++; judge(s, file) != "photo.wrong_hash" {
			t.Error("another size, and taken")
		}
	})
}
