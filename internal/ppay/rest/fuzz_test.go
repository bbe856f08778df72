package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"preavviso/internal/avviso"
	"preavviso/internal/ppay/rest"
)

// FuzzRESTBody reads answers: none may crash, an answer without a code 000 in it
// is never a success, and an amount that was read is written back as the same.
func FuzzRESTBody(f *testing.F) {
	for _, s := range []string{everything("000"), everything("300"), `{"result":{"code":"000"}}`, `{"code":"000","description":""}`, `{"datiMultibeneficiario":{}}`,
		`{"importoPagatoTotale":1E+2,"dataEsitoPagamento":"2026-11-23T10:00:00+01:00"}`, `{"codice":"X","status":400}`, "null", "[]", "29.40", "1e-2", `"x"`, ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if n := rest.ReadEverything(raw); n > 0 && (!json.Valid(raw) || n > 9) {
			t.Errorf("%d calls were satisfied by %q", n, raw)
		}
		var c rest.Cents
		if json.Unmarshal(raw, &c) == nil && strings.TrimSpace(string(raw)) != "null" {
			again, err := json.Marshal(c)
			if err != nil || c < 0 || avviso.Cents(c) > avviso.MaxCents {
				t.Errorf("%q was read as %d, %v", raw, c, err)
			}
			var d rest.Cents
			if err := json.Unmarshal(again, &d); err != nil || d != c {
				t.Errorf("%q: %d, then %d, %v", raw, c, d, err)
			}
		}
		var i rest.Instant
		if json.Unmarshal(raw, &i) == nil {
			if _, err := json.Marshal(i); err != nil {
				t.Errorf("%q: %v", raw, err)
			}
		}
	})
}
