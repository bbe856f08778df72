package firmwareapi_test

import (
	"os"
	"path/filepath"
	"testing"

	"preavviso/firmware-api/client"
)

// vectorKey reads a key of testdata/keys. Everybody knows these: they are for tests.
func vectorKey(t testing.TB, name string) *client.Key {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "keys", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := client.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
