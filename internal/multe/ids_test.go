package multe_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
)

func TestNewID(t *testing.T) {
	now := time.UnixMilli(0x0190a1b2c3d4)
	random := bytes.Repeat([]byte{0xff}, 10)
	got, err := multe.NewID(now, bytes.NewReader(random))
	if err != nil || got != "0190a1b2c3d47fffbfffffffffffffff" { // 48 bits of time, version 7, 12 bits, variant 10, 62 bits
		t.Errorf("NewID = %s, %v", got, err)
	}
	if got, err = multe.NewID(now, bytes.NewReader(make([]byte, 10))); err != nil || got != "0190a1b2c3d470008000000000000000" {
		t.Errorf("NewID = %s, %v", got, err)
	}
	if _, err := multe.NewID(now, bytes.NewReader(random[:9])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("too little randomness: %v", err)
	}
}

func TestIDsSortByTime(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	at, before := at, ""
	seen := map[string]bool{}
	for range 1000 {
		id, err := multe.NewID(at, random)
		if err != nil || !multe.ValidID(id) {
			t.Fatalf("NewID = %s, %v", id, err)
		}
		if id <= before || seen[id[12:]] {
			t.Fatalf("%s after %s", id, before)
		}
		at, before, seen[id[12:]] = at.Add(time.Millisecond), id, true
	}
}

func TestNewBatchID(t *testing.T) {
	now := time.UnixMilli(0x0190a1b2c3d4)
	got, err := multe.NewBatchID(now, bytes.NewReader(append(make([]byte, 10), 0xab, 0xcd)))
	if err != nil || got != "0190a1b2c3d470008000000000000000abc" || len(got) != 35 {
		t.Errorf("NewBatchID = %s, %v", got, err)
	}
	again, err := multe.NewBatchID(now, bytes.NewReader(append(make([]byte, 10), 0xab, 0xcd)))
	if err != nil || again != got {
		t.Errorf("the same randomness gives %s, %v; want %s", again, err, got)
	}
	if _, err := multe.NewBatchID(now, bytes.NewReader(make([]byte, 11))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("too little randomness: %v", err)
	}
}

func TestValidID(t *testing.T) {
	for s, want := range map[string]bool{
		id: true, strings.Repeat("0", 32): true, "": false, id[1:]: false, id + "0": false, strings.ToUpper(id): false,
		"g" + id[1:]: false, "\x00" + id[1:]: false, "/" + id[1:]: false, ":" + id[1:]: false, "`" + id[1:]: false, "-" + id[1:]: false, "é" + id[2:]: false,
	} {
		if got := multe.ValidID(s); got != want {
			t.Errorf("ValidID(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestInstant(t *testing.T) {
	in := time.Date(2026, 7, 1, 0, 0, 0, 123456789, multe.Rome())
	if got, want := multe.Instant(in), time.Date(2026, 6, 30, 22, 0, 0, 123456000, time.UTC); got != want {
		t.Errorf("Instant(%v) = %v, want %v", in, got, want)
	}
}

func TestDigest(t *testing.T) {
	// SHA-256 of "abc", FIPS 180-2 appendix B.1.
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	d := multe.DigestOf([]byte("abc"))
	if d.String() != abc || d.IsZero() {
		t.Errorf("digest = %v", d)
	}
	for s, ok := range map[string]bool{abc: true, "": true, abc[1:]: false, abc + "00": false, "zz" + abc[2:]: false} {
		var back multe.Digest
		if err := back.UnmarshalText([]byte(s)); (err == nil) != ok || ok && back.String() != s {
			t.Errorf("UnmarshalText(%q) = %v, %v", s, back, err)
		}
	}
	type body struct{ A, B string }
	a, errA := multe.DigestJSON(body{"1", "2"})
	b, errB := multe.DigestJSON(body{"12", ""})
	if errA != nil || errB != nil || a == b || a.IsZero() {
		t.Errorf("digests %v and %v, %v, %v", a, b, errA, errB)
	}
}
