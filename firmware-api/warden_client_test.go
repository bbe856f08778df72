package firmwareapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"preavviso/firmware-api/client"
	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// TestClientLogin checks PINs offline, and makes who guesses wait, also over a
// restart.
func TestClientLogin(t *testing.T) {
	w, d, net, dir := newHandheld(t)
	if _, err := d.Login("M042", "493817"); !errors.Is(err, client.ErrNoShift) {
		t.Errorf("without a shift: %v", err)
	}
	if _, _, err := w.Documents.Add(t.Context(), "admin", webtest.Torino, multe.DocumentWardens, multe.DayOf(w.Now()), []byte(`{"wardens":[{"matricola":"M042","name":"Anna Rossi","pin":"493817"}]}`), false); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SyncShift(); err != nil || d.Wardens() != 1 {
		t.Fatalf("%d wardens, %v", d.Wardens(), err)
	}
	net.out = true
	if name, err := d.Login("M042", "493817"); name != "Anna Rossi" || err != nil {
		t.Errorf("the right PIN: %q, %v", name, err)
	}
	wrong := func(want error) {
		t.Helper()
		if _, err := d.Login("M042", "111111"); !errors.Is(err, want) {
			t.Errorf("a wrong PIN: %v, want %v", err, want)
		}
	}
	for range 4 {
		wrong(client.ErrPIN)
	}
	if _, err := d.Login("M043", "493817"); !errors.Is(err, client.ErrPIN) { // the fifth: nobody learns who exists
		t.Errorf("nobody: %v", err)
	}
	wrong(client.ErrLocked)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = handheld(t, w, dir, net)
	if _, err := d.Login("M042", "493817"); !errors.Is(err, client.ErrLocked) {
		t.Errorf("switched off and on: %v", err)
	}
	w.Pass(time.Minute)
	wrong(client.ErrPIN) // the sixth costs two minutes
	w.Pass(time.Minute)
	wrong(client.ErrLocked)
	w.Pass(time.Minute)
	for range 2 {
		if name, err := d.Login("M042", "493817"); name != "Anna Rossi" || err != nil {
			t.Errorf("after the pause: %q, %v", name, err)
		}
	}
	wrong(client.ErrPIN)
	wrong(client.ErrPIN) // the count began anew
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestClientPrints: the service's bytes, and the QR that the client makes by itself,
// which is the service's.
func TestClientPrints(t *testing.T) {
	w, d, _, _ := newHandheld(t)
	w.AddCodes(t, webtest.Torino, 2)
	if _, err := d.Lease(1); err != nil {
		t.Fatal(err)
	}
	draft := (&rig{World: w}).slip(t, multe.Code{})
	for _, name := range []string{"id", "position", "avviso"} {
		delete(draft, name)
	}
	text, err := d.Issue(encode(t, draft))
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ ID, Avviso string }
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SlipBytes(s.ID, "escpos", 80, 203, false); err == nil {
		t.Error("a slip that the service has not got was drawn")
	}
	if err := errors.Join(d.Printed(s.ID), d.Sync()); err != nil {
		t.Fatal(err)
	}
	first, err := d.SlipBytes(s.ID, "escpos", 80, 203, false)
	if err != nil || !bytes.HasPrefix(first, []byte("\x1b@")) {
		t.Errorf("%.20q, %v", first, err)
	}
	if again, err := d.SlipBytes(s.ID, "escpos", 80, 203, true); err != nil || bytes.Equal(again, first) {
		t.Errorf("a reprint is not marked, %v", err)
	}
	number, err := avviso.ParseNumber(s.Avviso)
	if err != nil {
		t.Fatal(err)
	}
	for _, cents := range []int64{1, 99, 2940, 100000} {
		if want, err := avviso.QR(number, string(webtest.Torino), avviso.Cents(cents)); err != nil || client.QR(s.Avviso, string(webtest.Torino), cents) != want {
			t.Errorf("QR(%d) = %s, want %s, %v", cents, client.QR(s.Avviso, string(webtest.Torino), cents), want, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
