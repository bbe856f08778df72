package multe_test

import (
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// TestBlockSize: what a handheld is lent follows its busiest shift.
func TestBlockSize(t *testing.T) {
	now := time.Date(2026, 3, 10, 7, 0, 0, 0, time.UTC)
	// shifts makes leases at seven in the morning, one day after the other, up to
	// yesterday: used[i] is what was on slips when the i-th shift began.
	shifts := func(used ...int) (ls []multe.Lease) {
		for i, n := range used {
			ls = append(ls, multe.Lease{At: now.AddDate(0, 0, i-len(used)), Used: n, Counted: true})
		}
		return ls
	}
	today := func(ls []multe.Lease, used int) []multe.Lease {
		return append(ls, multe.Lease{At: now.Add(-time.Hour), Used: used, Counted: true})
	}
	for name, tt := range map[string]struct {
		past []multe.Lease
		used int
		want int
	}{
		"nothing known":                    {nil, 0, 25},
		"nothing known, but slips":         {nil, 900, 25},
		"leases of an older service":       {[]multe.Lease{{At: now.AddDate(0, 0, -1), Want: 30}}, 900, 25},
		"one shift, nothing used":          {shifts(0), 0, 5},
		"one shift of 8":                   {shifts(100), 108, 10},
		"one shift of 40":                  {shifts(100), 140, 50},
		"one shift of 41 is rounded up":    {shifts(100), 141, 55},
		"the busiest of three":             {shifts(0, 10, 90), 110, 100},
		"busier than a block may be":       {shifts(0), 1000, 500},
		"an old rush is forgotten":         {shifts(0, 300, 310, 320, 330, 340, 350), 360, 15},
		"a rush six shifts ago counts":     {shifts(0, 300, 310, 320, 330, 340), 350, 375},
		"its first shift is going on":      {today(nil, 0), 3, 25},
		"its first shift is a busy one":    {today(nil, 0), 60, 75},
		"today is quiet so far":            {today(shifts(0), 40), 42, 50},
		"today is busy":                    {today(shifts(0), 40), 140, 125},
		"a second block on the same day":   {today(today(shifts(0), 40), 90), 100, 75},
		"order does not matter":            {[]multe.Lease{shifts(0, 10, 90)[2], shifts(0, 10, 90)[0], shifts(0, 10, 90)[1]}, 110, 100},
		"slips annulled since count less ": {shifts(50), 40, 5},
	} {
		if got := multe.BlockSize(tt.past, tt.used, now); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// TestHear: a call is noted at most four times an hour, and one that was made is
// never taken for silence.
func TestHear(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	d, news := multe.Device{ID: "D", Version: 3, Changed: at}.Hear(at)
	if !news || !d.Seen.Equal(at) || d.Version != 4 || !d.Changed.Equal(at) {
		t.Errorf("the first call: %v, %+v", news, d)
	}
	if again, news := d.Hear(at.Add(multe.SeenEvery - 1)); news || again != d {
		t.Errorf("a call soon after is noted: %+v", again)
	}
	if _, news := d.Hear(at.Add(multe.SeenEvery)); !news {
		t.Error("a call later is not noted")
	}
	const lease = 12 * time.Hour
	for after, want := range map[time.Duration]bool{0: false, lease: false, lease + multe.SeenEvery - 1: false, lease + multe.SeenEvery: true} {
		if got := d.Silent(lease, at.Add(after)); got != want {
			t.Errorf("Silent after %v = %v", after, got)
		}
	}
	if got := (multe.Creditor{}).LeaseTime(); got != multe.DefaultLease {
		t.Errorf("LeaseTime = %v", got)
	}
	if got := (multe.Creditor{LeaseHours: 20}).LeaseTime(); got != 20*time.Hour {
		t.Errorf("LeaseTime = %v", got)
	}
}

// TestStale: what fell silent takes back nothing, but its slips count.
func TestStale(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	lent := multe.Code{Position: "P", State: multe.CodeAssigned, Device: "D", Lease: "L", Version: 1}
	stale, err := lent.SetAside(at)
	if err != nil || stale.State != multe.CodeQuarantined || !stale.Stale("D") || stale.Stale("E") || lent.Stale("D") {
		t.Fatalf("SetAside = %+v, %v", stale, err)
	}
	if _, err := stale.SetAside(at); err == nil {
		t.Error("set aside twice")
	}
	if _, err := stale.Return("D", at); fault.Of(err).Code != "lease.stale" {
		t.Errorf("Return = %v", err)
	}
	if _, err := stale.Return("E", at); fault.Of(err).Code != "code.other_device" {
		t.Errorf("Return by another = %v", err)
	}
	if issued, err := stale.Issue("V", "D", at); err != nil || issued.State != multe.CodeIssued {
		t.Errorf("Issue = %+v, %v", issued, err)
	}
	revoked, err := lent.Quarantine(at)
	if err != nil || revoked.Stale("D") {
		t.Errorf("a code of a revoked device is stale: %+v, %v", revoked, err)
	}
	void, err := stale.Void("autotutela", at)
	if err != nil || !void.GivenUp("D") || void.GivenUp("E") || stale.GivenUp("D") {
		t.Errorf("Void = %+v, %v", void, err)
	}
}
