package feedback_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/feedback"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

const (
	ente multe.CreditorID = "00514490010"
	dev  multe.DeviceID   = "d1"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func hex(i int) string { return fmt.Sprintf("%032x", i) }

// open returns a store with one handheld that left n slips.
func open(t testing.TB, n int) (store.Store, *feedback.Feedback) {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "test.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	err = s.Update(t.Context(), func(tx store.Tx) error {
		if err := tx.PutDevice(multe.Device{Creditor: ente, ID: dev, State: multe.DeviceEnrolled, Version: 1}); err != nil {
			return err
		}
		for i := range n {
			v, p := multe.VerbaleID(hex(i)), multe.PositionID(hex(10_000+i))
			if err := tx.PutVerbale(multe.Verbale{Creditor: ente, Device: dev, State: multe.VerbaleIssued, Slip: multe.Slip{ID: v, Position: p}, Version: 1, Changed: noon}); err != nil {
				return err
			}
			if err := tx.PutCode(multe.Code{Creditor: ente, Position: p, State: multe.CodeIssued, Device: dev, Verbale: v, Version: 1, Changed: noon}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	explain := func(code string) string { return map[string]string{"179": "Posizione scaduta."}[code] }
	return s, feedback.New(storetest.Twice(s), func() time.Time { return noon }, explain, &feedback.Bell{})
}

// TestNothingIsMissed changes slips between the pages of a poll.
func TestNothingIsMissed(t *testing.T) {
	s, f := open(t, 250)
	last := map[multe.VerbaleID]multe.SlipStatus{}
	var cursor uint64
	for n := 0; ; n++ {
		page, err := f.Poll(t.Context(), ente, dev, cursor, feedback.MaxPoll)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Slips {
			last[item.Verbale] = item.Status
		}
		cursor = page.Cursor
		if n < 3 { // one that was told, or will be
			err := s.Update(t.Context(), func(tx store.Tx) error {
				k, err := tx.Code(ente, multe.PositionID(hex(10_000+100*n)))
				if err != nil {
					return err
				}
				if k, err = k.Confirm(4200, false, noon); err != nil {
					return err
				}
				return tx.PutCode(k)
			})
			if err != nil {
				t.Fatal(err)
			}
		} else if !page.More {
			break
		}
	}
	payable := 0
	for _, status := range last {
		if status == multe.SlipPayable {
			payable++
		}
	}
	if len(last) != 250 || payable != 3 {
		t.Errorf("told of %d slips, %d payable; want 250 and 3", len(last), payable)
	}
}

func TestRefusalIsExplained(t *testing.T) {
	s, f := open(t, 1)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		ch := multe.NewChange(ente, multe.PositionID(hex(10_000)), 1, multe.ChangeActivate, multe.Desired{Cents: 4200}, noon)
		ch.Verbale, ch.State, ch.Code = multe.VerbaleID(hex(0)), multe.ChangeRefused, "179"
		return tx.PutChange(ch)
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := f.Poll(t.Context(), ente, dev, 0, 1)
	if err != nil || len(page.Slips) != 1 || page.Slips[0].Status != multe.SlipRefused || !strings.HasSuffix(page.Slips[0].Detail, "Motivo: Posizione scaduta.") {
		t.Errorf("= %+v, %v", page, err)
	}
	for _, limit := range []int{0, feedback.MaxPoll + 1} {
		if _, err := f.Poll(t.Context(), ente, dev, 0, limit); fault.Of(err).Code != "feedback.bad_limit" {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// BenchmarkPollWithoutNews is what every handheld asks every minute.
func BenchmarkPollWithoutNews(b *testing.B) {
	_, f := open(b, 5000)
	var cursor uint64
	for more := true; more; {
		page, err := f.Poll(b.Context(), ente, dev, cursor, feedback.MaxPoll)
		if err != nil {
			b.Fatal(err)
		}
		cursor, more = page.Cursor, page.More
	}
	for b.Loop() {
		if _, err := f.Poll(b.Context(), ente, dev, cursor, feedback.MaxPoll); err != nil {
			b.Fatal(err)
		}
	}
}
