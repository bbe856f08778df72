package firmwareapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/firmware-api/client"
	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// plug is a network that can be pulled out.
type plug struct {
	next http.RoundTripper
	out  bool
	asks map[string]int // by method and path
}

func (p *plug) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.out {
		return nil, errors.New("no network")
	}
	p.asks[r.Method+" "+r.URL.Path]++
	return p.next.RoundTrip(r)
}

// handheld is the reference client on a folder.
func handheld(t *testing.T, w *webtest.World, dir string, net *plug) *client.Device {
	t.Helper()
	d, err := client.Open(dir, "http://palmari.example")
	if err != nil {
		t.Fatal(err)
	}
	d.Conn().SetTransport(net)
	d.Conn().SetNow(w.Now)
	d.SetSleep(func(time.Duration) {})
	return d
}

func newHandheld(t *testing.T) (*webtest.World, *client.Device, *plug, string) {
	t.Helper()
	w := webtest.New(t)
	net := &plug{next: webtest.Transport{Handler: handler(w)}, asks: map[string]int{}}
	dir := t.TempDir()
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 1", false)
	if err != nil {
		t.Fatal(err)
	}
	d := handheld(t, w, dir, net)
	if err := d.Enrol(code); err != nil {
		t.Fatal(err)
	}
	return w, d, net, dir
}

// TestClientKeepsTheShift syncs, goes on without a network over a restart, and finds
// out what changed.
func TestClientKeepsTheShift(t *testing.T) {
	w, d, net, dir := newHandheld(t)
	if _, err := d.Price(`{"violation":{"code":"158-6"}}`); !errors.Is(err, client.ErrNoShift) {
		t.Errorf("priced out of nothing: %v", err)
	}
	(&rig{World: w}).catalogue(t)
	if changed, err := d.SyncShift(); !changed || err != nil {
		t.Fatalf("first sync: %v, %v", changed, err)
	}
	if changed, err := d.SyncShift(); changed || err != nil {
		t.Errorf("second sync: %v, %v", changed, err)
	}
	whole := d.Shift()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	net.out = true
	d = handheld(t, w, dir, net)
	if _, err := d.SyncShift(); err == nil || d.Shift() != whole || d.ShiftOld() {
		t.Errorf("offline: %v, the shift is there: %v", err, d.Shift() == whole)
	}
	if _, err := d.Price(`{"violation":{"code":"158-6"},"vehicle_class":"other"}`); err != nil {
		t.Errorf("priced offline: %v", err)
	}
	w.Pass(15 * 24 * time.Hour)
	if !d.ShiftOld() {
		t.Error("a shift nobody has confirmed for a fortnight is young")
	}
	net.out = false
	if changed, err := d.SyncShift(); changed || err != nil || d.ShiftOld() {
		t.Errorf("confirmed: %v, %v", changed, err)
	}
	if _, _, err := w.Documents.Add(t.Context(), "admin", webtest.Torino, multe.DocumentStreets, multe.DayOf(w.Now()).Plus(1), []byte("Via Po"), false); err != nil {
		t.Fatal(err)
	}
	if changed, err := d.SyncShift(); !changed || err != nil || d.ShiftOld() {
		t.Errorf("streets of tomorrow: %v, %v", changed, err)
	}
	w.Pass(24 * time.Hour)
	if !d.ShiftOld() {
		t.Error("the day after valid_until is like the one before")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "shift"), []byte(`{"etag":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if d = handheld(t, w, dir, net); d.Shift() != "" || !d.ShiftOld() {
		t.Error("half a file is a shift")
	}
	if changed, err := d.SyncShift(); !changed || err != nil {
		t.Errorf("after a damaged file: %v, %v", changed, err)
	}
}

// TestClientPricesAsTheServer holds the client's amounts and days against package
// cds: all violations of the sample, by day and by night, around holidays and both
// changes of the clock.
func TestClientPricesAsTheServer(t *testing.T) {
	for name, policy := range map[string]multe.Policy{
		"the law":  {From: multe.Day{Year: 2026, Month: 1, Day: 1}, Debtor: multe.DebtorReset, Amount: multe.AmountOneCode, Patron: "06-24"},
		"working":  {From: multe.Day{Year: 2026, Month: 1, Day: 1}, Debtor: multe.DebtorReset, Amount: multe.AmountOneCode, Slip: multe.Term{Days: 15, Working: true}},
		"no 30 %":  {From: multe.Day{Year: 2026, Month: 1, Day: 1}, Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes, NoSlipDiscount: true},
		"two code": {From: multe.Day{Year: 2026, Month: 1, Day: 1}, Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes},
	} {
		t.Run(name, func(t *testing.T) {
			w, d, _, _ := newHandheld(t)
			(&rig{World: w}).catalogue(t)
			var creditor multe.Creditor
			if err := w.Store.Update(t.Context(), func(tx store.Tx) (err error) {
				if creditor, err = tx.Creditor(webtest.Torino); err != nil {
					return err
				}
				creditor.Policies, creditor.Version = []multe.Policy{policy}, creditor.Version+1
				return tx.PutCreditor(creditor)
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := d.SyncShift(); err != nil {
				t.Fatal(err)
			}
			catalogue, _, err := cds.Parse(cds.Sample())
			if err != nil {
				t.Fatal(err)
			}
			terms, err := cds.PolicyOn(creditor, policy.From)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range catalogue.All() {
				for at := time.Date(2026, 1, 1, 5, 59, 30, 0, time.UTC); at.Year() == 2026; at = at.Add(31*time.Hour + 17*time.Minute) {
					draft, err := json.Marshal(map[string]any{"violation": map[string]string{"code": v.Code}, "issued_at": at})
					if err != nil {
						t.Fatal(err)
					}
					priced, err := d.Price(string(draft))
					fine, ferr := v.FineAt(at)
					if (err != nil) != (ferr != nil) {
						t.Fatalf("%s at %v: %v, the server says %v", v.Code, at, err, ferr)
					}
					if err != nil {
						continue
					}
					var got struct {
						Steps []struct {
							Cents   multe.Cents
							LastDay multe.Day `json:"last_day"`
						}
						Violation struct{ Code, Norm, Conduct string }
					}
					if err := json.Unmarshal([]byte(priced), &got); err != nil {
						t.Fatal(err)
					}
					var steps []multe.Step
					for _, s := range got.Steps {
						steps = append(steps, multe.Step{Cents: s.Cents, LastDay: s.LastDay})
					}
					if diff := cmp.Diff(fine.Slip(terms, multe.DayOf(at)), steps); diff != "" || got.Violation.Norm != v.Norm || got.Violation.Conduct != v.Text {
						t.Fatalf("%s at %v (-server +client):\n%s", v.Code, at, diff)
					}
				}
			}
			for _, bad := range []string{`{"violation":{"code":"999"}}`, `{"violation":{"code":"158-6"},"vehicle_class":"two-wheeler"}`, `{"violation":{"code":"158-6"},"issued_at":"2020-01-01T10:00:00Z"}`} {
				if _, err := d.Price(bad); !errors.Is(err, client.ErrViolation) {
					t.Errorf("%s: %v", bad, err)
				}
			}
		})
	}
}

// print puts n slips on paper.
func print(t *testing.T, d *client.Device, n int) []string {
	t.Helper()
	var slips []string
	for range n {
		draft, err := d.Price(`{"violation":{"code":"158-6"},"plate":"AB123CD","nation":"IT","place":"Via Po 1","warden":"M-17","offline":true,"offline_reason":"no_network"}`)
		if err != nil {
			t.Fatal(err)
		}
		slip, err := d.Issue(draft)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ ID string }
		if err := json.Unmarshal([]byte(slip), &s); err != nil {
			t.Fatal(err)
		}
		if err := d.Printed(s.ID); err != nil {
			t.Fatal(err)
		}
		slips = append(slips, slip)
	}
	return slips
}

// TestClientUploadsABatch uploads several slips in one request, and one alone, of
// which the service wants all but what another handheld has used.
func TestClientUploadsABatch(t *testing.T) {
	w, d, net, _ := newHandheld(t)
	w.AddCodes(t, webtest.Torino, 60)
	(&rig{World: w}).catalogue(t)
	if _, err := d.SyncShift(); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Lease(60); n != 60 || err != nil {
		t.Fatal(n, err)
	}
	slips := print(t, d, 55)
	var third struct{ ID, Position string }
	if err := json.Unmarshal([]byte(slips[2]), &third); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Update(t.Context(), func(tx store.Tx) error {
		k, err := tx.Code(webtest.Torino, multe.PositionID(third.Position))
		if err != nil {
			return err
		}
		k.Device, k.Version = "another", k.Version+1
		return tx.PutCode(k)
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if d.Sent() != 54 || d.Count("refused") != 1 || d.Count("printed") != 0 || net.asks["POST /v1/verbali/batch"] != 2 || net.asks["POST /v1/verbali"] != 0 {
		t.Errorf("%d sent, %d refused, %v", d.Sent(), d.Count("refused"), net.asks)
	}
	print(t, d, 1)
	if err := d.Sync(); err != nil || net.asks["POST /v1/verbali"] != 1 || d.Sent() != 55 {
		t.Errorf("one alone: %v, %v", err, net.asks)
	}
	if list, err := w.Discrepancies(t.Context(), webtest.Torino, true, "", 100); err != nil || len(list) > 0 {
		t.Errorf("what the client printed is flagged: %+v, %v", list, err)
	}
}

// TestClientTakesTwoCodes prints in a town of two codes, spoils a slip there, and
// takes one over from its paper.
func TestClientTakesTwoCodes(t *testing.T) {
	w, d, _, _ := newHandheld(t)
	w.AddCodes(t, webtest.Torino, 7)
	(&rig{World: w}).catalogue(t)
	if err := w.Store.Update(t.Context(), func(tx store.Tx) error {
		c, err := tx.Creditor(webtest.Torino)
		c.Policies, c.Version = []multe.Policy{{From: multe.Day{Year: 2026, Month: 1, Day: 1}, Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes}}, c.Version+1
		return errors.Join(err, tx.PutCreditor(c))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SyncShift(); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Lease(7); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	slips := print(t, d, 3)
	if d.Count("free") != 1 || d.Count("printed") != 3 {
		t.Errorf("%d free, %d printed", d.Count("free"), d.Count("printed"))
	}
	draft, err := d.Price(`{"violation":{"code":"158-6"},"plate":"AB123CD","nation":"IT","place":"Via Po 1","warden":"M-17","offline":true}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Issue(draft); !errors.Is(err, client.ErrNoCodes) {
		t.Errorf("a slip of two codes on one: %v", err)
	}
	var first struct{ Full struct{ Position string } }
	if err := json.Unmarshal([]byte(slips[0]), &first); err != nil {
		t.Fatal(err)
	}
	if err := d.Spoil(first.Full.Position, "unreadable"); err != nil || d.Count("spoiling") != 2 || d.Count("printed") != 2 {
		t.Errorf("spoiled: %v, %d, %d", err, d.Count("spoiling"), d.Count("printed"))
	}
	if err := d.Sync(); err != nil || d.Sent() != 2 || d.Count("spoiling") != 0 || d.Count("second") != 0 {
		t.Errorf("synced: %v, %d sent, codes %s", err, d.Sent(), d.Codes())
	}
	counts := map[multe.CodeState]int{}
	if err := w.Store.View(t.Context(), func(r store.Reader) (err error) { counts, err = r.CountCodes(webtest.Torino); return err }); err != nil {
		t.Fatal(err)
	}
	if counts[multe.CodeIssued] != 4 || counts[multe.CodeQuarantined] != 2 || counts[multe.CodeAssigned] != 1 {
		t.Errorf("codes: %v", counts)
	}
	if list, err := w.Discrepancies(t.Context(), webtest.Torino, true, "", 100); err != nil || len(list) != 2 {
		t.Errorf("flagged: %+v, %v", list, err)
	}
}
