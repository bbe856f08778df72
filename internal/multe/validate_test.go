package multe_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

const id = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"

func slip(t testing.TB) multe.Slip {
	return multe.Slip{
		ID: id, Position: id, Number: number(t), Reference: "2026.0001234", Plate: "AB123CD", Nation: "IT", Vehicle: "Fiat Panda bianca",
		Place: "Via Po, 1", Violation: multe.Violation{Norm: "art. 158 c. 2 e 6 CdS", Conduct: "Sostava in doppia fila"}, Warden: "M-17", IssuedAt: at,
		Steps: []multe.Step{{Cents: 2940, LastDay: multe.Day{Year: 2026, Month: 3, Day: 6}}, {Cents: 4200}},
	}
}

// badTexts are never accepted in a text of any kind.
var badTexts = []string{"a\x00b", "a\nb", "a\tb", "a\rb", "\x1b[31m", "a\u0085b", "a\u009fb", "a\ufffeb", "a\uffffb", "a\ufffdb", "a\xffb", "\xed\xa0\x80", " a", "a ", "a\u00a0", "\u2003a"}

func TestSlipValidate(t *testing.T) {
	day := multe.DayOf(at)
	steps := func(ss ...multe.Step) func(*multe.Slip) { return func(s *multe.Slip) { s.Steps = ss } }
	for _, tt := range []struct {
		name  string
		spoil func(*multe.Slip)
		code  string
	}{
		{"as it is", func(*multe.Slip) {}, ""},
		{"no reference", func(s *multe.Slip) { s.Reference = "" }, ""},
		{"no vehicle", func(s *multe.Slip) { s.Vehicle = "" }, ""},
		{"foreign plate", func(s *multe.Slip) { s.Plate, s.Nation = "W12345X", "AT" }, ""},
		{"accents and symbols", func(s *multe.Slip) { s.Place = "Piazza Università «1» – n° 5/B ☂" }, ""},
		{"longest place", func(s *multe.Slip) { s.Place = strings.Repeat("è", multe.MaxPlace) }, ""},
		{"at the edge of the future", func(s *multe.Slip) { s.IssuedAt = at.Add(multe.MaxFuture) }, ""},
		{"at the edge of the past", func(s *multe.Slip) { s.IssuedAt = at.Add(-multe.MaxPast) }, ""},
		{"one step", steps(multe.Step{Cents: 1}), ""},
		{"largest fine", steps(multe.Step{Cents: multe.MaxFineCents}), ""},
		{"four steps, the first through today", steps(multe.Step{1, day}, multe.Step{2, day.Plus(1)}, multe.Step{3, day.Plus(2)}, multe.Step{Cents: 4}), ""},

		{"no id", func(s *multe.Slip) { s.ID = "" }, "verbale.bad_id"},
		{"id in capitals", func(s *multe.Slip) { s.ID = multe.VerbaleID(strings.ToUpper(id)) }, "verbale.bad_id"},
		{"id with dashes", func(s *multe.Slip) { s.ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b" }, "verbale.bad_id"},
		{"no position", func(s *multe.Slip) { s.Position = "" }, "verbale.bad_code"},
		{"no number", func(s *multe.Slip) { s.Number = avviso.Number{} }, "verbale.bad_code"},
		{"no nation", func(s *multe.Slip) { s.Nation = "" }, "verbale.bad_nation"},
		{"nation of three", func(s *multe.Slip) { s.Nation = "ITA" }, "verbale.bad_nation"},
		{"nation and line end", func(s *multe.Slip) { s.Nation = "IT\n" }, "verbale.bad_nation"},
		{"small nation", func(s *multe.Slip) { s.Nation = "it" }, "verbale.bad_nation"},
		{"beyond the future", func(s *multe.Slip) { s.IssuedAt = at.Add(multe.MaxFuture + 1) }, "verbale.bad_issued_at"},
		{"beyond the past", func(s *multe.Slip) { s.IssuedAt = at.Add(-multe.MaxPast - 1) }, "verbale.bad_issued_at"},
		{"no instant", func(s *multe.Slip) { s.IssuedAt = time.Time{} }, "verbale.bad_issued_at"},
		{"long reference", func(s *multe.Slip) { s.Reference = strings.Repeat("1", multe.MaxReference+1) }, "verbale.bad_reference"},
		{"slash in reference", func(s *multe.Slip) { s.Reference = "2026/17" }, "verbale.bad_reference"},
		{"accent in reference", func(s *multe.Slip) { s.Reference = "né" }, "verbale.bad_reference"},
		{"no plate", func(s *multe.Slip) { s.Plate = "" }, "verbale.bad_plate"},
		{"plate as typed", func(s *multe.Slip) { s.Plate = "AB 123 CD" }, "verbale.bad_plate"},
		{"small plate", func(s *multe.Slip) { s.Plate = "ab123cd" }, "verbale.bad_plate"},
		{"long plate", func(s *multe.Slip) { s.Plate = "ABCDEFGHIJKLM" }, "verbale.bad_plate"},
		{"no place", func(s *multe.Slip) { s.Place = "" }, "verbale.bad_place"},
		{"long place", func(s *multe.Slip) { s.Place = strings.Repeat("è", multe.MaxPlace+1) }, "verbale.bad_place"},
		{"long vehicle", func(s *multe.Slip) { s.Vehicle = strings.Repeat("a", multe.MaxVehicle+1) }, "verbale.bad_vehicle"},
		{"no norm", func(s *multe.Slip) { s.Violation.Norm = "" }, "verbale.bad_norm"},
		{"long norm", func(s *multe.Slip) { s.Violation.Norm = strings.Repeat("a", multe.MaxNorm+1) }, "verbale.bad_norm"},
		{"no conduct", func(s *multe.Slip) { s.Violation.Conduct = "" }, "verbale.bad_conduct"},
		{"long conduct", func(s *multe.Slip) { s.Violation.Conduct = strings.Repeat("a", multe.MaxConduct+1) }, "verbale.bad_conduct"},
		{"no warden", func(s *multe.Slip) { s.Warden = "" }, "verbale.bad_warden"},
		{"long warden", func(s *multe.Slip) { s.Warden = strings.Repeat("a", multe.MaxWarden+1) }, "verbale.bad_warden"},

		{"no steps", steps(), "verbale.bad_steps"},
		{"five steps", steps(multe.Step{1, day}, multe.Step{2, day.Plus(1)}, multe.Step{3, day.Plus(2)}, multe.Step{4, day.Plus(3)}, multe.Step{Cents: 5}), "verbale.bad_steps"},
		{"nothing due", steps(multe.Step{}), "verbale.bad_steps"},
		{"less than nothing due", steps(multe.Step{Cents: -4200}), "verbale.bad_steps"},
		{"larger than any fine", steps(multe.Step{Cents: multe.MaxFineCents + 1}), "verbale.bad_steps"},
		{"the last step ends", steps(multe.Step{1, day}, multe.Step{2, day.Plus(1)}), "verbale.bad_steps"},
		{"the first does not", steps(multe.Step{Cents: 1}, multe.Step{Cents: 2}), "verbale.bad_steps"},
		{"a step ends before the violation", steps(multe.Step{1, day.Plus(-1)}, multe.Step{Cents: 2}), "verbale.bad_steps"},
		{"amounts do not grow", steps(multe.Step{2, day}, multe.Step{Cents: 2}), "verbale.bad_steps"},
		{"amounts shrink", steps(multe.Step{2, day}, multe.Step{Cents: 1}), "verbale.bad_steps"},
		{"days do not grow", steps(multe.Step{1, day}, multe.Step{2, day}, multe.Step{Cents: 3}), "verbale.bad_steps"},
	} {
		s := slip(t)
		tt.spoil(&s)
		wantCode(t, tt.name, s.Validate(at), tt.code)
	}
	for field, spoil := range map[string]func(*multe.Slip, string){
		"reference": func(s *multe.Slip, x string) { s.Reference = x },
		"plate":     func(s *multe.Slip, x string) { s.Plate = multe.Plate(x) },
		"vehicle":   func(s *multe.Slip, x string) { s.Vehicle = x },
		"place":     func(s *multe.Slip, x string) { s.Place = x },
		"norm":      func(s *multe.Slip, x string) { s.Violation.Norm = x },
		"conduct":   func(s *multe.Slip, x string) { s.Violation.Conduct = x },
		"warden":    func(s *multe.Slip, x string) { s.Warden = x },
	} {
		for _, bad := range badTexts {
			s := slip(t)
			spoil(&s, bad)
			wantCode(t, field, s.Validate(at), "verbale.bad_"+field)
		}
	}
}

func TestRecordValidate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*multe.Record)
		code  string
	}{
		{"as it is", func(*multe.Record) {}, ""},
		{"with a debtor", func(r *multe.Record) { r.Debtor = &multe.Debtor{Company: "Rossi Srl", CF: "12345678903"} }, ""},
		{"no register", func(r *multe.Record) { r.Register = "" }, "verbale.bad_register"},
		{"long register", func(r *multe.Record) { r.Register = strings.Repeat("è", multe.MaxRegister+1) }, "verbale.bad_register"},
		{"two lines of register", func(r *multe.Record) { r.Register = "a\nb" }, "verbale.bad_register"},
		{"nothing due", func(r *multe.Record) { r.Cents = 0 }, "verbale.bad_amount"},
		{"less than nothing", func(r *multe.Record) { r.Cents = -1 }, "verbale.bad_amount"},
		{"too much", func(r *multe.Record) { r.Cents = multe.MaxFineCents + 1 }, "verbale.bad_amount"},
		{"no causale", func(r *multe.Record) { r.Causale = "" }, "verbale.bad_causale"},
		{"slash in causale", func(r *multe.Record) { r.Causale = "n. 17/2026" }, "verbale.bad_causale"},
		{"half a debtor", func(r *multe.Record) { r.Debtor = &multe.Debtor{Surname: "Rossi", CF: "X1"} }, "debtor.name"},
	} {
		r := multe.Record{Register: "V/2026/17", Cents: 8700, Causale: "Verbale CdS n. 17 del 01.03.2026"}
		tt.spoil(&r)
		wantCode(t, tt.name, r.Validate(), tt.code)
	}
}

func TestCreditorValidate(t *testing.T) {
	day := multe.Day{Year: 2026, Month: 1, Day: 1}
	policy := multe.Policy{From: day, Debtor: multe.DebtorReset, Amount: multe.AmountOneCode}
	next := multe.Policy{From: day.Plus(1), Debtor: multe.DebtorRegister, Amount: multe.AmountOneCode}
	for _, tt := range []struct {
		name  string
		spoil func(*multe.Creditor)
		code  string
	}{
		{"as it is", func(*multe.Creditor) {}, ""},
		{"nothing that is optional", func(c *multe.Creditor) { c.Settore, c.Info, c.CBILL, c.Postal, c.Policies = "", "", "", nil, nil }, ""},
		{"wrong check digit", func(c *multe.Creditor) { c.ID = "12345678901" }, "creditor.bad_cf"},
		{"no id", func(c *multe.Creditor) { c.ID = "" }, "creditor.bad_cf"},
		{"no name", func(c *multe.Creditor) { c.Name = "" }, "creditor.bad_name"},
		{"long name", func(c *multe.Creditor) { c.Name = strings.Repeat("è", 101) }, "creditor.bad_name"},
		{"long settore", func(c *multe.Creditor) { c.Settore = strings.Repeat("è", 51) }, "creditor.bad_settore"},
		{"long info", func(c *multe.Creditor) { c.Info = strings.Repeat("è", 101) }, "creditor.bad_info"},
		{"two lines of info", func(c *multe.Creditor) { c.Info = "a\nb" }, "creditor.bad_info"},
		{"no codice versamento", func(c *multe.Creditor) { c.CodiceVersamento = "" }, "creditor.bad_codice_versamento"},
		{"long codice versamento", func(c *multe.Creditor) { c.CodiceVersamento = "ABCDE" }, "creditor.bad_codice_versamento"},
		{"odd codice versamento", func(c *multe.Creditor) { c.CodiceVersamento = "Z-1" }, "creditor.bad_codice_versamento"},
		{"longest CBILL", func(c *multe.Creditor) { c.CBILL = strings.Repeat("A", 10) }, ""},
		{"long CBILL", func(c *multe.Creditor) { c.CBILL = strings.Repeat("A", 11) }, "creditor.bad_cbill"},
		{"odd CBILL", func(c *multe.Creditor) { c.CBILL = "A B" }, "creditor.bad_cbill"},
		{"no account", func(c *multe.Creditor) { c.Postal.Number = "" }, "creditor.bad_postal"},
		{"IBAN for account", func(c *multe.Creditor) { c.Postal.Number = "IT60X0760101" }, "creditor.bad_postal"},
		{"long account", func(c *multe.Creditor) { c.Postal.Number = "1234567890123" }, "creditor.bad_postal"},
		{"no holder", func(c *multe.Creditor) { c.Postal.Holder = "" }, "creditor.bad_postal"},
		{"no authorisation yet", func(c *multe.Creditor) { c.Postal.Authorization = "" }, ""},
		{"long authorisation", func(c *multe.Creditor) { c.Postal.Authorization = strings.Repeat("A", 61) }, "creditor.bad_postal"},
		{"smallest pool", func(c *multe.Creditor) { c.PoolLow, c.PoolTarget = 1, multe.MinPoolTarget }, ""},
		{"largest pool", func(c *multe.Creditor) { c.PoolLow, c.PoolTarget = multe.MaxPoolTarget, multe.MaxPoolTarget }, ""},
		{"pool too small", func(c *multe.Creditor) { c.PoolLow, c.PoolTarget = 1, multe.MinPoolTarget-1 }, "creditor.bad_pool"},
		{"pool too large", func(c *multe.Creditor) { c.PoolTarget = multe.MaxPoolTarget + 1 }, "creditor.bad_pool"},
		{"no low water", func(c *multe.Creditor) { c.PoolLow = 0 }, "creditor.bad_pool"},
		{"low water above the target", func(c *multe.Creditor) { c.PoolLow = c.PoolTarget + 1 }, "creditor.bad_pool"},
		{"the other policies", func(c *multe.Creditor) {
			c.Policies = []multe.Policy{{From: day, Debtor: multe.DebtorREST, Amount: multe.AmountTwoCodes}, {From: day.Plus(1), Debtor: multe.DebtorReissue, Amount: multe.AmountOneCode}}
		}, ""},
		{"no validity", func(c *multe.Creditor) { c.ValidityDays = 0 }, ""},
		{"short validity", func(c *multe.Creditor) { c.ValidityDays = 4 }, "creditor.bad_validity"},
		{"shortest validity", func(c *multe.Creditor) { c.ValidityDays = 5 }, ""},
		{"longest validity", func(c *multe.Creditor) { c.ValidityDays = 3650 }, ""},
		{"long validity", func(c *multe.Creditor) { c.ValidityDays = 3651 }, "creditor.bad_validity"},
		{"negative undo", func(c *multe.Creditor) { c.UndoMinutes = -1 }, "creditor.bad_undo"},
		{"longest undo", func(c *multe.Creditor) { c.UndoMinutes = 1440 }, ""},
		{"long undo", func(c *multe.Creditor) { c.UndoMinutes = 1441 }, "creditor.bad_undo"},
		{"two policies", func(c *multe.Creditor) { c.Policies = []multe.Policy{policy, next} }, ""},
		{"policies in the wrong order", func(c *multe.Creditor) { c.Policies = []multe.Policy{next, policy} }, "creditor.bad_policies"},
		{"two policies of one day", func(c *multe.Creditor) { c.Policies = []multe.Policy{policy, policy} }, "creditor.bad_policies"},
		{"policy without a day", func(c *multe.Creditor) {
			c.Policies = []multe.Policy{{Debtor: multe.DebtorReset, Amount: multe.AmountOneCode}}
		}, "creditor.bad_policies"},
		{"unknown debtor policy", func(c *multe.Creditor) {
			c.Policies = []multe.Policy{{From: day, Debtor: "guess", Amount: multe.AmountOneCode}}
		}, "creditor.bad_policies"},
		{"unknown amount policy", func(c *multe.Creditor) { c.Policies = []multe.Policy{{From: day, Debtor: multe.DebtorReset}} }, "creditor.bad_policies"},
	} {
		c := multe.Creditor{
			ID: "12345678903", Name: "Comune di Torino", Settore: "Polizia locale", Info: "tel. 011 011 1", CBILL: "ABC12", CodiceVersamento: "ZZ01",
			Postal:  &multe.PostalAccount{Number: "123456", Holder: "Comune di Torino", Authorization: "AUT. DB/1"},
			PoolLow: 10, PoolTarget: 100, Policies: []multe.Policy{policy},
		}
		tt.spoil(&c)
		wantCode(t, tt.name, c.Validate(), tt.code)
	}
}

func TestDebtorValidate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*multe.Debtor)
		code  string
	}{
		{"as it is", func(*multe.Debtor) {}, ""},
		{"a company", func(d *multe.Debtor) { *d = multe.Debtor{Company: "Rossi & Figli S.r.l.", CF: "12345678903"} }, ""},
		{"only what is required", func(d *multe.Debtor) { *d = multe.Debtor{Surname: "Đorđević", Name: "Ana", CF: "X1"} }, ""},
		{"longest", func(d *multe.Debtor) {
			d.Surname, d.City, d.CF = strings.Repeat("è", 70), strings.Repeat("è", 35), multe.CF(strings.Repeat("A", 35))
		}, ""},
		{"nobody", func(d *multe.Debtor) { d.Surname, d.Name = "", "" }, "debtor.missing"},
		{"person and company", func(d *multe.Debtor) { d.Company = "Rossi Srl" }, "debtor.both"},
		{"no name", func(d *multe.Debtor) { d.Name = "" }, "debtor.name"},
		{"no surname", func(d *multe.Debtor) { d.Surname = "" }, "debtor.name"},
		{"no CF", func(d *multe.Debtor) { d.CF = "" }, "debtor.cf"},
		{"anonymous", func(d *multe.Debtor) { d.CF = "ANONIMO" }, "debtor.cf"},
		{"small CF", func(d *multe.Debtor) { d.CF = "rssmra80a01l219m" }, "debtor.cf"},
		{"CF and line end", func(d *multe.Debtor) { d.CF = "RSSMRA80A01L219M\n" }, "debtor.cf"},
		{"long CF", func(d *multe.Debtor) { d.CF = multe.CF(strings.Repeat("A", 36)) }, "debtor.cf"},
		{"nation of three", func(d *multe.Debtor) { d.Nation = "ITA" }, "debtor.nation"},
		{"no e-mail", func(d *multe.Debtor) { d.Email = "" }, ""},
		{"e-mail without domain", func(d *multe.Debtor) { d.Email = "maria@" }, "debtor.email"},
		{"e-mail without dot", func(d *multe.Debtor) { d.Email = "maria@localhost" }, "debtor.email"},
		{"two e-mails", func(d *multe.Debtor) { d.Email = "a@b.it,c@d.it" }, "debtor.email"},
		{"e-mail and line end", func(d *multe.Debtor) { d.Email = "a@b.it\nBcc: x@y.it" }, "debtor.email"},
		{"long e-mail", func(d *multe.Debtor) { d.Email = strings.Repeat("a", 251) + "@b.com" }, "debtor.email"},
		{"long surname", func(d *multe.Debtor) { d.Surname = strings.Repeat("è", 71) }, "debtor.surname"},
		{"long address", func(d *multe.Debtor) { d.Address = strings.Repeat("è", 71) }, "debtor.address"},
		{"long civico", func(d *multe.Debtor) { d.Civico = strings.Repeat("1", 17) }, "debtor.civico"},
		{"long CAP", func(d *multe.Debtor) { d.CAP = strings.Repeat("1", 17) }, "debtor.cap"},
		{"long city", func(d *multe.Debtor) { d.City = strings.Repeat("è", 36) }, "debtor.city"},
		{"long province", func(d *multe.Debtor) { d.Province = strings.Repeat("è", 36) }, "debtor.province"},
	} {
		d := multe.Debtor{Surname: "Rossi", Name: "Maria", CF: "RSSMRA80A01L219M", Address: "Via Po", Civico: "5/B", CAP: "10121", City: "Torino", Province: "TO", Nation: "IT", Email: "maria.rossi+multe@example.it"}
		tt.spoil(&d)
		err := d.Validate()
		wantCode(t, tt.name, err, tt.code)
		if err != nil && (strings.Contains(err.Error(), "Rossi") || strings.Contains(err.Error(), "maria")) {
			t.Errorf("%s: the error tells who: %v", tt.name, err)
		}
	}
	for field, spoil := range map[string]func(*multe.Debtor, string){
		"surname": func(d *multe.Debtor, x string) { d.Surname = x },
		"name":    func(d *multe.Debtor, x string) { d.Name = x },
		"address": func(d *multe.Debtor, x string) { d.Address = x },
		"civico":  func(d *multe.Debtor, x string) { d.Civico = x },
		"city":    func(d *multe.Debtor, x string) { d.City = x },
	} {
		for _, bad := range badTexts {
			d := multe.Debtor{Surname: "Rossi", Name: "Maria", CF: "X1"}
			spoil(&d, bad)
			wantCode(t, field, d.Validate(), "debtor."+field)
		}
	}
}

func TestParsePlate(t *testing.T) {
	for in, want := range map[string]multe.Plate{
		"AB123CD": "AB123CD", "ab 123 cd": "AB123CD", " AB-123.CD ": "AB123CD", "TO12345": "TO12345", "W 12345 X": "W12345X", "A1": "A1", "ABCDEFGHIJKL": "ABCDEFGHIJKL",
		"": "", "A": "", " - . ": "", "ABCDEFGHIJKLM": "", "AB123CD\n": "", "AB123CÈ": "", "AB\x00123": "", "１２３": "", "AB123\xff": "", "AB_123": "",

		// Italy: cars, motorcycles, mopeds, trailers, older provinces, police, diplomats.
		"GA 001 ZZ": "GA001ZZ", "EA12345": "EA12345", "X 1 2 3 4 5": "X12345", "XA 123 AB": "XA123AB", "ROMA 1A2345": "ROMA1A2345", "CC·DX 123": "CCDX123", "CD 123 AB": "CD123AB",
		// France, Germany, Austria, Switzerland, Slovenia, Croatia, Serbia.
		"AB-123-CD": "AB123CD", "M•AB 1234": "MAB1234", "MÜ-X 12H": "MUX12H", "W–12345 A": "W12345A", "ZH 123 456": "ZH123456", "LJ 12-3AB": "LJ123AB", "ŠI 123-AB": "SI123AB", "čk 123 d": "CK123D", "ŽU-123-ĐA": "ZU123DA",
		// Poland, Romania, Spain, Netherlands, United Kingdom, Sweden.
		"WA 12345": "WA12345", "B 123 ABC": "B123ABC", "1234 BCD": "1234BCD", "12-AB-34": "12AB34", "LB07 SEO": "LB07SEO", "MLB 84A": "MLB84A",
		// Greece, Bulgaria and Ukraine, in their own letters.
		"ΥΖΝ-1234": "YZN1234", "СА 1234 ВТ": "CA1234BT", "АІ 1234 ВК": "AI1234BK", "са1234вт": "CA1234BT", "АВ123": "AB123", "AB/123": "AB123",
		// Letters that no plate has.
		"Ж123": "", "ß123": "", "ı123": "", "ſ123": "", "Ω123": "",
	} {
		got, err := multe.ParsePlate(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("ParsePlate(%q) = %q, %v; want %q", in, string(got), err, string(want))
		}
		if want == "" {
			wantCode(t, in, err, "verbale.bad_plate")
		}
	}
}

// FuzzParsePlate checks that what is accepted is what a slip may carry, and is
// accepted again unchanged.
func FuzzParsePlate(f *testing.F) {
	for _, s := range []string{"AB123CD", "ab 123-cd.", "", "А1", "ß1", "İ1", "\xff\xff", "1234567890123"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := multe.ParsePlate(s)
		if err != nil {
			if !errors.Is(err, fault.Invalid) || p != "" {
				t.Fatalf("ParsePlate(%q) = %q, %v", s, string(p), err)
			}
			return
		}
		if again, err := multe.ParsePlate(string(p)); err != nil || again != p {
			t.Fatalf("%q became %q, which becomes %q, %v", s, string(p), string(again), err)
		}
		if len(p) < 2 || len(p) > multe.MaxPlate || strings.Trim(string(p), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			t.Fatalf("ParsePlate(%q) = %q", s, string(p))
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f }) {
			return
		}
		if stripped := strings.NewReplacer(" ", "", "-", "", ".", "", "/", "").Replace(s); !strings.EqualFold(stripped, string(p)) {
			t.Fatalf("ParsePlate(%q) = %q: it is another plate", s, string(p))
		}
	})
}

func TestParseCausale(t *testing.T) {
	for s, ok := range map[string]bool{
		"Preavviso CdS n. 2026.0001234 del 12.03.2026": true, "A": true, "a.b,c:d'e-f(g)h+i 9": true, strings.Repeat("a", 90): true,
		"": false, " ": false, " a": false, "a ": false, strings.Repeat("a", 91): false, "n. 17/2026": false, "Università": false, "a|b": false,
		"a\nb": false, "a\x00": false, "a\xff": false, "<a>": false, "a&b": false, "a\u00a0b": false,
	} {
		got, err := multe.ParseCausale(s)
		if (err == nil) != ok || ok && string(got) != s || !ok && got != "" {
			t.Errorf("ParseCausale(%q) = %q, %v; want accepted: %v", s, got, err, ok)
		}
		if !ok {
			wantCode(t, s, err, "verbale.bad_causale")
		}
	}
}

// FuzzParseCausale checks that what is accepted is unchanged and fits everything
// it must travel through: 90 bytes of printable ASCII without slash.
func FuzzParseCausale(f *testing.F) {
	for _, s := range []string{"Preavviso CdS n. 301000000000004992 del 01.03.2026", "", " a", "a/b", "è", "\xff", strings.Repeat("x", 91)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := multe.ParseCausale(s)
		if err != nil {
			if !errors.Is(err, fault.Invalid) || c != "" {
				t.Fatalf("ParseCausale(%q) = %q, %v", s, c, err)
			}
			return
		}
		if string(c) != s || len(s) > 90 || strings.TrimSpace(s) != s || strings.ContainsAny(s, "/|<>&\"") {
			t.Fatalf("ParseCausale(%q) = %q", s, c)
		}
		for i := range len(s) {
			if s[i] < ' ' || s[i] > '~' {
				t.Fatalf("ParseCausale took %q", s)
			}
		}
	})
}

func TestParseCreditorID(t *testing.T) {
	for s, ok := range map[string]bool{"12345678903": true, "00514490010": true, "12345678901": false, "": false, "1234567890": false, "RSSMRA80A01L219M": false, "12345678903 ": false} {
		got, err := multe.ParseCreditorID(s)
		if (err == nil) != ok || ok && string(got) != s || !ok && got != "" {
			t.Errorf("ParseCreditorID(%q) = %q, %v", s, got, err)
		}
	}
}
