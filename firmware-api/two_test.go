package firmwareapi_test

import (
	"testing"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// TestTwoCodes uploads slips with one code and with two, before and after the
// creditor chose two.
func TestTwoCodes(t *testing.T) {
	r := newRig(t)
	two := func(i int) map[string]any {
		s := r.slip(t, r.codes[i])
		s["full"] = map[string]any{"position": string(r.codes[i+1].Position), "avviso": r.codes[i+1].Number.String()}
		return s
	}
	refused := func(what string, body map[string]any, status int, code string) {
		t.Helper()
		if p := r.call(t, "POST", "/v1/verbali", encode(t, body)).Problem(t); p.Status != status || p.Code != code {
			t.Errorf("%s: %d %s, want %d %s", what, p.Status, p.Code, status, code)
		}
	}
	var state struct{ Creditor struct{ Amounts string } }
	r.call(t, "GET", "/v1/state", "").Decode(t, 200, &state)
	if state.Creditor.Amounts != "" {
		t.Errorf("amounts = %q", state.Creditor.Amounts)
	}
	flagged := func(what string, body map[string]any) {
		t.Helper()
		var receipt struct {
			Flags []struct{ Code, Detail string }
		}
		r.call(t, "POST", "/v1/verbali", encode(t, body)).Decode(t, 200, &receipt)
		if len(receipt.Flags) != 1 || receipt.Flags[0].Code != "codes.other_policy" || receipt.Flags[0].Detail == "" {
			t.Errorf("%s: flags %+v", what, receipt.Flags)
		}
	}
	flagged("two codes too early", two(3))
	if err := r.Store.Update(t.Context(), func(tx store.Tx) error {
		c, err := tx.Creditor(webtest.Torino)
		if err != nil {
			return err
		}
		c.Policies = []multe.Policy{{From: multe.DayOf(r.Now()), Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes}}
		c.Version++
		return tx.PutCreditor(c)
	}); err != nil {
		t.Fatal(err)
	}
	r.call(t, "GET", "/v1/state", "").Decode(t, 200, &state)
	if state.Creditor.Amounts != "two-codes" {
		t.Errorf("amounts = %q", state.Creditor.Amounts)
	}
	flagged("one code too late", r.slip(t, r.codes[2]))
	same := two(0)
	same["full"] = map[string]any{"position": same["position"], "avviso": same["avviso"]}
	refused("the same code twice", same, 422, "verbale.bad_full")
	single := two(0)
	single["steps"] = []any{map[string]any{"cents": 4200}}
	refused("two codes, one amount", single, 422, "verbale.bad_full")
	half := two(0)
	half["full"] = map[string]any{"position": half["position"]}
	refused("half a code", half, 422, "request.invalid")
	wrong := two(0)
	wrong["full"] = map[string]any{"position": string(r.codes[1].Position), "avviso": r.codes[3].Number.String()}
	refused("another's number", wrong, 422, "verbale.number_mismatch")

	good := two(0)
	var first, again struct{ Digest string }
	r.call(t, "POST", "/v1/verbali", encode(t, good)).Decode(t, 200, &first)
	r.call(t, "POST", "/v1/verbali", encode(t, good)).Decode(t, 200, &again)
	if first != again {
		t.Errorf("repeated = %+v, want %+v", again, first)
	}
	good["full"] = map[string]any{"position": string(r.codes[2].Position), "avviso": r.codes[2].Number.String()}
	refused("another second code", good, 409, "verbale.other_body")
}
