package cds_test

import (
	"testing"
	"time"

	"preavviso/internal/cds"
	"preavviso/internal/multe"
)

// TestPolicyOn reads what creditors decided, before and after a change of mind.
func TestPolicyOn(t *testing.T) {
	day := func(m time.Month, d int) multe.Day { return multe.Day{Year: 2026, Month: m, Day: d} }
	c := multe.Creditor{Policies: []multe.Policy{
		{From: day(6, 1), Patron: "06-24", Slip: multe.Term{Days: 7, Working: true}, NoSlipDiscount: true, Discount: multe.Term{Days: 30}},
		{From: day(9, 1), Patron: "31-12"},
		{From: day(10, 1), Slip: multe.Term{Days: 99}},
	}}
	for _, tt := range []struct {
		on   multe.Day
		want cds.Policy
		fail bool
	}{
		{day(5, 31), cds.Policy{}, false},
		{day(6, 1), cds.Policy{Patron: cds.Patron{Month: time.June, Day: 24}, Slip: cds.Term{Days: 7, Working: true}, NoSlipDiscount: true, Discount: cds.Term{Days: 30}}, false},
		{day(9, 1), cds.Policy{}, true},
		{day(10, 1), cds.Policy{}, true},
	} {
		got, err := cds.PolicyOn(c, tt.on)
		if tt.fail != (err != nil) || !tt.fail && got != tt.want {
			t.Errorf("PolicyOn(%s) = %+v, %v; want %+v, failure %t", tt.on, got, err, tt.want, tt.fail)
		}
	}
}
