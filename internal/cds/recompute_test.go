package cds_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/cds"
)

func TestRecompute(t *testing.T) {
	c := catalogueOf(t, one+`
  - {code: 142-8, article: 142, comma: 8, norm: art. 142 c. 8 CdS, text: Velocità, night: true, amounts: [{from: 2021-01-01, min: 173, max: 694}]}
  - {code: MOTO, article: 158, comma: 6, norm: art. 158 CdS, text: Sosta, vehicles: [two-wheeler], amounts: [{from: 2021-01-01, min: 26, max: 102}]}
  - {code: SUSP, article: 148, comma: 16, norm: art. 148 c. 16 CdS, text: Sorpasso, no_discount: sospensione della patente, accessory: [suspension], amounts: [{from: 2021-01-01, min: 167, max: 665}]}
  - {code: PREF, article: 176, comma: 19, norm: art. 176 c. 19 CdS, text: Inversione, no_reduced: art. 202 c. 3-bis CdS, amounts: [{from: 2021-01-01, min: 2046, max: 8186}]}
`)
	const (
		noon  = "2026-03-02 12:00"
		night = "2026-03-02 23:00"
		right = "29,40→2026-03-07 42,00"
	)
	for _, test := range []struct {
		name, code string
		vehicle    cds.Vehicle
		at         string
		policy     cds.Policy
		printed    string
		want       string // steps
		codes      string // of the differences, without "amount."
		says       string // in the first detail
	}{
		{"right", "158-6", "", noon, cds.Policy{}, right, right, "", ""},
		{"right, vehicle said", "MOTO", cds.TwoWheeler, noon, cds.Policy{}, "18,20→2026-03-07 26,00", "18,20→2026-03-07 26,00", "", ""},
		{"right, any vehicle", "158-6", cds.TwoWheeler, noon, cds.Policy{}, right, right, "", ""},
		{"right at night", "142-8", "", night, cds.Policy{}, "161,47→2026-03-07 230,67", "161,47→2026-03-07 230,67", "", ""},
		{"right without discount", "SUSP", "", noon, cds.Policy{}, "167,00", "167,00", "", ""},

		{"unknown", "9999", "", noon, cds.Policy{}, right, "", "unknown_violation", `"9999"`},
		{"before the catalogue", "158-6", "", "2020-12-31 12:00", cds.Policy{}, right, "", "not_in_force", "31/12/2020"},
		{"for the prefetto", "PREF", "", noon, cds.Policy{}, "2046,00", "", "no_reduced_payment", "prefetto"},
		{"wrong vehicle", "MOTO", cds.OtherVehicle, noon, cds.Policy{}, "18,20→2026-03-07 26,00", "18,20→2026-03-07 26,00", "wrong_vehicle", "MOTO"},

		{"night missing", "142-8", "", night, cds.Policy{}, "121,10→2026-03-07 173,00", "161,47→2026-03-07 230,67", "night_missing", "173,00 euro, dovuti 230,67"},
		{"night not due", "142-8", "", noon, cds.Policy{}, "161,47→2026-03-07 230,67", "121,10→2026-03-07 173,00", "night_not_due", "230,67 euro, dovuti 173,00"},
		{"night on parking", "158-6", "", night, cds.Policy{}, "39,20→2026-03-07 56,00", right, "night_not_due", "56,00"},
		{"night, discount not raised", "142-8", "", night, cds.Policy{}, "121,10→2026-03-07 230,67", "161,47→2026-03-07 230,67", "differs", "scontato"},

		{"discount not admitted", "SUSP", "", noon, cds.Policy{}, "116,90→2026-03-07 167,00", "167,00", "discount_not_admitted", "sospensione"},
		{"discount against the policy", "158-6", "", noon, cds.Policy{NoSlipDiscount: true}, right, "42,00", "discount_not_admitted", "ente"},
		{"discount missing", "158-6", "", noon, cds.Policy{}, "42,00", right, "discount_missing", "29,40 euro entro il 07/03/2026"},
		{"discount and night missing", "142-8", "", night, cds.Policy{}, "173,00", "161,47→2026-03-07 230,67", "discount_missing night_missing", "161,47"},

		{"another sum", "158-6", "", noon, cds.Policy{}, "29,40→2026-03-07 43,00", right, "differs", "43,00 euro, il catalogo prevede 42,00"},
		{"rounded to the euro", "158-6", "", noon, cds.Policy{}, "29,00→2026-03-07 42,00", right, "differs", "29,00 euro, il catalogo prevede 29,40"},
		{"three steps", "158-6", "", noon, cds.Policy{}, right[:len(right)-5] + "42,00→2026-05-02 86,50", right, "differs", "3 importi"},
		{"none", "158-6", "", noon, cds.Policy{}, "", right, "differs", "0 importi"},
		{"last day", "158-6", "", noon, cds.Policy{}, "29,40→2026-03-06 42,00", right, "last_day_differs", "06/03/2026, il termine è il 07/03/2026"},
		{"sum and last day", "158-6", "", noon, cds.Policy{}, "30,00→2026-03-09 42,00", right, "differs last_day_differs", "30,00"},
		{"wrong vehicle and sum", "MOTO", cds.OtherVehicle, noon, cds.Policy{}, right, "18,20→2026-03-07 26,00", "wrong_vehicle differs", "MOTO"},
	} {
		printed := steps(t, test.printed)
		got, differences := cds.Recompute(c, test.policy, cds.Facts{Code: test.code, Vehicle: test.vehicle, At: at(t, test.at), Printed: printed})
		if diff := cmp.Diff(steps(t, test.want), got); diff != "" {
			t.Errorf("%s: steps (-want +got):\n%s", test.name, diff)
		}
		var codes []string
		for _, d := range differences {
			codes = append(codes, strings.TrimPrefix(d.Code, "amount."))
			if !strings.HasPrefix(d.Code, "amount.") || !strings.HasSuffix(d.Detail, ".") {
				t.Errorf("%s: %+v", test.name, d)
			}
		}
		if strings.Join(codes, " ") != test.codes {
			t.Errorf("%s: differences %v, want %q", test.name, differences, test.codes)
		} else if len(differences) > 0 && !strings.Contains(differences[0].Detail, test.says) {
			t.Errorf("%s: %q, want %q in it", test.name, differences[0].Detail, test.says)
		}
		if diff := cmp.Diff(steps(t, test.printed), printed); diff != "" {
			t.Errorf("%s: what was printed changed:\n%s", test.name, diff)
		}
	}
}
