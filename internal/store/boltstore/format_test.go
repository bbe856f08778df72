package boltstore

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

var at = time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)

// pinned is one record of each kind and its stored form. A change here is a
// change of what lies on every customer's disk: it needs another format byte, or
// old files are read wrong without any error.
func TestStoredFormIsPinned(t *testing.T) {
	n, err := avviso.ParseNumber("301000000000004992")
	if err != nil {
		t.Fatal(err)
	}
	d := multe.Digest{1}
	const dHex = "0100000000000000000000000000000000000000000000000000000000000000"
	debtor := &multe.Debtor{Surname: "Rossi", Name: "Anna", Company: "Srl", CF: "X1", Address: "Via", Civico: "1", CAP: "10100", City: "Torino", Province: "TO", Nation: "IT", Email: "a@b.it"}
	const debtorJSON = `{"surname":"Rossi","name":"Anna","company":"Srl","cf":"X1","address":"Via","civico":"1","cap":"10100","city":"Torino","province":"TO","nation":"IT","email":"a@b.it"}`
	const when = `"2026-03-01T09:00:00.123456Z"`

	pin(t, `{"ID":"C","Name":"N","Settore":"S","Info":"I","CBILL":"B","CodiceVersamento":"V","Postal":{"Number":"1","Holder":"H","Authorization":"A"},"PoolLow":1,"PoolTarget":2,"Policies":[{"From":"2026-01-02","Debtor":"reset","Amount":"one-code"}],"Version":3,"Changed":`+when+`}`,
		multe.Creditor{ID: "C", Name: "N", Settore: "S", Info: "I", CBILL: "B", CodiceVersamento: "V", Postal: &multe.PostalAccount{Number: "1", Holder: "H", Authorization: "A"},
			PoolLow: 1, PoolTarget: 2, Policies: []multe.Policy{{From: multe.Day{Year: 2026, Month: 1, Day: 2}, Debtor: "reset", Amount: "one-code"}}, Version: 3, Changed: at})
	pin(t, `{"ID":"C","Name":"","Settore":"","Info":"","CBILL":"","CodiceVersamento":"","Postal":null,"PoolLow":0,"PoolTarget":0,"Policies":[{"From":"2026-03-01","Debtor":"reset","Amount":"one-code","Patron":"06-24","Slip":{"days":7,"working":true},"NoSlipDiscount":true,"Discount":{"days":30}}],"Version":3,"Changed":`+when+`}`,
		multe.Creditor{ID: "C", Policies: []multe.Policy{{From: multe.DayOf(at), Debtor: "reset", Amount: "one-code", Patron: "06-24", Slip: multe.Term{Days: 7, Working: true}, NoSlipDiscount: true, Discount: multe.Term{Days: 30}}}, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Kind":"texts","N":2,"From":"2026-03-01","Type":"text/plain","Body":"PGEvPg==","Digest":"`+dHex+`","Actor":"operator:O","At":`+when+`}`,
		multe.Document{Creditor: "C", Kind: multe.DocumentTexts, N: 2, From: multe.DayOf(at), Type: "text/plain", Body: []byte("<a/>"), Digest: d, Actor: "operator:O", At: at})
	pin(t, `{"Creditor":"C","ID":"O","Name":"N","Token":"`+dHex+`","Version":3,"Changed":`+when+`}`,
		multe.Operator{Creditor: "C", ID: "O", Name: "N", Token: d, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","ID":"D","Name":"N","State":"invited","Invite":"`+dHex+`","InviteBy":`+when+`,"Token":"","Version":3,"Changed":`+when+`}`,
		multe.Device{Creditor: "C", ID: "D", Name: "N", State: multe.DeviceInvited, Invite: d, InviteBy: at, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","ID":"D","Name":"N","State":"enrolled","Invite":"","InviteBy":"0001-01-01T00:00:00Z","Token":"`+dHex+`","Key":"K","Bearer":true,"Seen":`+when+`,"Version":3,"Changed":`+when+`}`,
		multe.Device{Creditor: "C", ID: "D", Name: "N", State: multe.DeviceEnrolled, Token: d, Key: "K", Bearer: true, Seen: at, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Position":"P","Number":"301000000000004992","State":"void","Device":"D","Lease":"L","Verbale":"V","Reason":"161","UpstreamCents":5,"UpstreamDebtor":true,"Version":3,"Changed":`+when+`}`,
		multe.Code{Creditor: "C", Position: "P", Number: n, State: multe.CodeVoid, Device: "D", Lease: "L", Verbale: "V", Reason: "161", UpstreamCents: 5, UpstreamDebtor: true, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Device":"D","ID":"L","Want":2,"Positions":["P"],"At":`+when+`,"Version":3}`,
		multe.Lease{Creditor: "C", Device: "D", ID: "L", Want: 2, Positions: []multe.PositionID{"P"}, At: at, Version: 3})
	pin(t, `{"Creditor":"C","Device":"D","ID":"L","Want":0,"Positions":["P"],"At":`+when+`,"Used":12,"Counted":true,"Version":3}`,
		multe.Lease{Creditor: "C", Device: "D", ID: "L", Positions: []multe.PositionID{"P"}, At: at, Used: 12, Counted: true, Version: 3})
	pin(t, `{"Creditor":"C","Device":"D","Slip":{"ID":"V","Position":"P","Number":"301000000000004992","Reference":"R","Plate":"AB123CD","Nation":"IT","Vehicle":"W","Place":"L","Violation":{"Norm":"N","Conduct":"F"},"Warden":"M","IssuedAt":`+when+`,"Offline":true,"Steps":[{"Cents":2940,"LastDay":"2026-03-06"},{"Cents":4200,"LastDay":""}]},"Digest":"`+dHex+`","ReceivedAt":`+when+`,"State":"finalised","Record":{"Register":"G","Cents":7,"Causale":"K","Debtor":`+debtorJSON+`,"Policy":"reset","At":`+when+`},"Version":3,"Changed":`+when+`}`,
		multe.Verbale{Creditor: "C", Device: "D", Slip: multe.Slip{ID: "V", Position: "P", Number: n, Reference: "R", Plate: "AB123CD", Nation: "IT", Vehicle: "W", Place: "L",
			Violation: multe.Violation{Norm: "N", Conduct: "F"}, Warden: "M", IssuedAt: at, Offline: true, Steps: []multe.Step{{Cents: 2940, LastDay: multe.Day{Year: 2026, Month: 3, Day: 6}}, {Cents: 4200}}},
			Digest: d, ReceivedAt: at, State: multe.VerbaleFinalised, Record: &multe.Record{Register: "G", Cents: 7, Causale: "K", Debtor: debtor, Policy: "reset", At: at}, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Position":"P","Seq":4,"Kind":"void","State":"queued","Want":{"Cents":7,"Causale":"K","References":[{"Name":"N","Value":"V"}],"Debtor":`+debtorJSON+`,"Reason":"R"},"Verbale":"V","Batch":"B","Tries":2,"NotBefore":`+when+`,"Code":"177","Version":3,"Created":`+when+`,"Changed":`+when+`}`,
		multe.Change{Creditor: "C", Position: "P", Seq: 4, Kind: multe.ChangeVoid, State: multe.ChangeQueued, Want: multe.Desired{Cents: 7, Causale: "K", References: []multe.Reference{{Name: "N", Value: "V"}}, Debtor: debtor, Reason: "R"},
			Verbale: "V", Batch: "B", Tries: 2, NotBefore: at, Code: "177", Version: 3, Created: at, Changed: at})
	pin(t, `{"Creditor":"C","ID":"B","Operation":"insert","State":"done","Body":"PGEvPg==","Changes":["P-0001"],"Attempts":2,"NotBefore":`+when+`,"Code":"000","Version":3,"Sealed":`+when+`,"Changed":`+when+`}`,
		multe.Batch{Creditor: "C", ID: "B", Operation: multe.OperationInsert, State: multe.BatchDone, Body: []byte("<a/>"), Changes: []multe.ChangeID{"P-0001"}, Attempts: 2, NotBefore: at, Code: "000", Version: 3, Sealed: at, Changed: at})
	pin(t, `{"Creditor":"C","IUV":"I","IUR":"R","Number":"301000000000004992","Position":"P","Verbale":"V","Cents":7,"PaidOn":"2026-03-01","PSP":"S","PSPName":"N","Payer":`+debtorJSON+`,"Message":"M","Received":`+when+`,"Version":3}`,
		multe.Payment{Creditor: "C", IUV: "I", IUR: "R", Number: n, Position: "P", Verbale: "V", Cents: 7, PaidOn: multe.Day{Year: 2026, Month: 3, Day: 1}, PSP: "S", PSPName: "N", Payer: debtor, Message: "M", Received: at, Version: 3})
	pin(t, `{"Creditor":"C","IUV":"I","Digest":"`+dHex+`","ID":"T","XML":"PGEvPg==","Outcome":"0","Cents":7,"IUR":"R","PSP":"S","PSPName":"N","PaidOn":"2026-03-01","Message":"M","Received":`+when+`,"Version":3}`,
		multe.Receipt{Creditor: "C", IUV: "I", Digest: d, ID: "T", XML: []byte("<a/>"), Outcome: "0", Cents: 7, IUR: "R", PSP: "S", PSPName: "N", PaidOn: multe.Day{Year: 2026, Month: 3, Day: 1}, Message: "M", Received: at, Version: 3})
	pin(t, `{"Creditor":"C","IUV":"I","ID":"T","Type":"1","Cents":7,"Reason":"W","IUR":"R","PSP":"S","PSPName":"N","AskedOn":"2026-03-01","Message":"M","Received":`+when+`,"Version":3}`,
		multe.Revocation{Creditor: "C", IUV: "I", ID: "T", Type: "1", Cents: 7, Reason: "W", IUR: "R", PSP: "S", PSPName: "N", AskedOn: multe.Day{Year: 2026, Month: 3, Day: 1}, Message: "M", Received: at, Version: 3})
	pin(t, `{"Creditor":"C","IUV":"I","DueOn":"2026-03-01","Cents":7,"Message":"M","Received":`+when+`,"Version":3}`,
		multe.Expiry{Creditor: "C", IUV: "I", DueOn: multe.Day{Year: 2026, Month: 3, Day: 1}, Cents: 7, Message: "M", Received: at, Version: 3})
	pin(t, `{"Creditor":"C","ID":"F","Kind":"completo","PSP":"S","PSPName":"P","Name":"N","TRN":"T","SettledOn":"2026-03-01","Count":2,"Cents":7,"Undeclared":true,"QuotaCents":-1,"Unread":3,"Lines":1,"LinesCents":-5,"Digest":"`+dHex+`","Message":"M","Received":`+when+`,"Copies":["M"],"Version":3,"Changed":`+when+`}`,
		multe.Flusso{Creditor: "C", ID: "F", FlussoHead: multe.FlussoHead{Kind: multe.FlussoCompleto, PSP: "S", PSPName: "P", Name: "N", TRN: "T", SettledOn: multe.Day{Year: 2026, Month: 3, Day: 1},
			Count: 2, Cents: 7, Undeclared: true, QuotaCents: -1, Unread: 3}, Lines: 1, LinesCents: -5, Digest: d, Message: "M", Received: at, Copies: []multe.MessageID{"M"}, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Flusso":"F","N":4,"IUV":"I","IUR":"R","Index":1,"Cents":-7,"Outcome":"revoked","PaidOn":"2026-03-01","CodiceVersamento":"V","Capitolo":"K","Articolo":"A","PdC":"P","AccertamentoYear":2026,"AccertamentoNumber":12,"Gone":true,"Version":3}`,
		multe.FlussoLine{Creditor: "C", Flusso: "F", N: 4, FlussoRow: multe.FlussoRow{IUV: "I", IUR: "R", Index: 1, Cents: -7, Outcome: multe.FlussoRevoked, PaidOn: multe.Day{Year: 2026, Month: 3, Day: 1},
			CodiceVersamento: "V", Capitolo: "K", Articolo: "A", PdC: "P", AccertamentoYear: 2026, AccertamentoNumber: 12}, Gone: true, Version: 3})
	pin(t, `{"ID":"M","State":"dead","Kind":"TrasmettiRT","Caller":"U","Raw":"PGEvPg==","Digest":"`+dHex+`","Received":`+when+`,"Tries":2,"Problem":"p","Version":3,"Changed":`+when+`}`,
		multe.Message{ID: "M", State: multe.MessageDead, Kind: "TrasmettiRT", Caller: "U", Raw: []byte("<a/>"), Digest: d, Received: at, Tries: 2, Problem: "p", Version: 3, Changed: at})
	pin(t, `{"ID":"M","State":"dead","Kind":"TrasmettiRT","Raw":"PGEvPg==","Digest":"`+dHex+`","Received":`+when+`,"Tries":2,"Problem":"p","Version":3,"Changed":`+when+`}`,
		multe.Message{ID: "M", State: multe.MessageDead, Kind: "TrasmettiRT", Raw: []byte("<a/>"), Digest: d, Received: at, Tries: 2, Problem: "p", Version: 3, Changed: at})

	// Fields that came later are left out where they say nothing, so that what was
	// stored before them is unchanged.
	pin(t, `{"ID":"C","Name":"","Settore":"","Info":"","CBILL":"","CodiceVersamento":"","Postal":null,"PoolLow":0,"PoolTarget":0,"ValidityDays":90,"UndoMinutes":15,"LeaseHours":48,"PhotoMonths":24,"Portal":true,"Policies":[],"Version":3,"Changed":`+when+`}`,
		multe.Creditor{ID: "C", ValidityDays: 90, UndoMinutes: 15, LeaseHours: 48, PhotoMonths: 24, Portal: true, Policies: []multe.Policy{}, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Position":"P","Number":"","State":"orphaned","Device":"","Lease":"","Verbale":"","Reason":"161","UpstreamCents":0,"UpstreamDebtor":false,"UpstreamEnd":"2026-12-31","UpstreamID":"U","Version":3,"Changed":`+when+`}`,
		multe.Code{Creditor: "C", Position: "P", State: multe.CodeOrphaned, Reason: "161", UpstreamEnd: multe.Day{Year: 2026, Month: 12, Day: 31}, UpstreamID: "U", Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Device":"D","Slip":{"ID":"V","Position":"P","Number":"301000000000004992","Reference":"R","Plate":"AB123CD","Nation":"IT","Vehicle":"W","Place":"L","Violation":{"Norm":"N","Conduct":"F"},"Warden":"M","IssuedAt":`+when+`,"Offline":true,"Steps":[],"Full":{"Position":"Q","Number":"301000000000004992"}},"Digest":"`+dHex+`","ReceivedAt":`+when+`,"State":"cancelled","Record":null,"Reissued":"Z","Reason":"W","Version":3,"Changed":`+when+`}`,
		multe.Verbale{Creditor: "C", Device: "D", Slip: multe.Slip{ID: "V", Position: "P", Number: n, Reference: "R", Plate: "AB123CD", Nation: "IT", Vehicle: "W", Place: "L",
			Violation: multe.Violation{Norm: "N", Conduct: "F"}, Warden: "M", IssuedAt: at, Offline: true, Steps: []multe.Step{}, Full: &multe.SlipCode{Position: "Q", Number: n}},
			Digest: d, ReceivedAt: at, State: multe.VerbaleCancelled, Reissued: "Z", Reason: "W", Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Position":"P","Seq":4,"Kind":"update","State":"queued","Want":{"Cents":7,"Causale":"","References":[],"Debtor":null,"Reason":"","ValidTo":"2026-12-31"},"Route":"rest","Upstream":"U","Verbale":"V","Batch":"B","Tries":2,"NotBefore":`+when+`,"Code":"177","Version":3,"Created":`+when+`,"Changed":`+when+`}`,
		multe.Change{Creditor: "C", Position: "P", Seq: 4, Kind: multe.ChangeUpdate, State: multe.ChangeQueued, Want: multe.Desired{Cents: 7, References: []multe.Reference{}, ValidTo: multe.Day{Year: 2026, Month: 12, Day: 31}}, Route: multe.RouteREST, Upstream: "U",
			Verbale: "V", Batch: "B", Tries: 2, NotBefore: at, Code: "177", Version: 3, Created: at, Changed: at})
	pin(t, `{"Creditor":"C","Position":"P","Number":"","State":"active","Device":"","Lease":"","Verbale":"","Reason":"","UpstreamCents":0,"UpstreamDebtor":false,"Payable":`+when+`,"Version":3,"Changed":`+when+`}`,
		multe.Code{Creditor: "C", Position: "P", State: multe.CodeActive, Payable: at, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Device":"D","Verbale":"V","Seq":7,"Version":3}`,
		multe.SlipMark{Creditor: "C", Device: "D", Verbale: "V", Seq: 7, Version: 3})
	pin(t, `{"Creditor":"C","Device":"D","ID":"F","Verbale":"V","Digest":"`+dHex+`","Size":9,"Media":"image/jpeg","State":"refused","Have":9,"Chunks":1,"Reason":"r","Declared":`+when+`,"Version":3,"Changed":`+when+`}`,
		multe.Photo{Creditor: "C", Device: "D", PhotoSheet: multe.PhotoSheet{ID: "F", Verbale: "V", Digest: d, Size: 9, Media: "image/jpeg"}, State: multe.PhotoRefused, Have: 9, Chunks: 1, Reason: "r", Declared: at, Version: 3, Changed: at})
	pin(t, `{"Creditor":"C","Device":"D","Photo":"F","N":2,"Offset":4096,"Data":null,"Version":3}`,
		multe.PhotoChunk{Creditor: "C", Device: "D", Photo: "F", N: 2, Offset: 4096, Version: 3})
	pin(t, `{"Creditor":"C","ID":"B","Device":"D","Text":"t","Actor":"a","Written":`+when+`,"Expires":`+when+`,"Version":3}`,
		multe.Bulletin{Creditor: "C", ID: "B", Device: "D", Text: "t", Actor: "a", Written: at, Expires: at, Version: 3})
	pin(t, `{"Creditor":"C","Bulletin":"B","Device":"D","At":`+when+`,"Version":3}`,
		multe.BulletinRead{Creditor: "C", Bulletin: "B", Device: "D", At: at, Version: 3})
	pin(t, `{"Register":"G","Cents":7,"Causale":"K","Debtor":null,"Policy":"reset","At":`+when+`,"On":"2026-03-01","Violation":"158-6","Fine":{"Reduced":3,"Discounted":2,"Late":4},"CostsCents":1,"Notification":{"How":"giacenza","Day":"2026-03-01","Notified":"2026-03-11"},"Steps":[{"Cents":7,"LastDay":""}],"By":"b","Why":"w"}`,
		multe.Record{Register: "G", Cents: 7, Causale: "K", Policy: "reset", At: at, On: multe.DayOf(at), Violation: "158-6", Fine: &multe.Fine{Reduced: 3, Discounted: 2, Late: 4}, CostsCents: 1,
			Notification: &multe.Notification{How: multe.NotifiedGiacenza, Day: multe.DayOf(at), Notified: multe.DayOf(at).Plus(10)}, Steps: []multe.Step{{Cents: 7}}, By: "b", Why: "w"})
	pin(t, `{"Authority":"prefetto","Number":"N","Day":"2026-03-01","By":"b","Ruling":{"Verdetto":"respinto","Day":"2026-03-01","Number":"M","Cents":7,"LastDay":"2026-03-01","By":"c"}}`,
		multe.Appeal{Authority: multe.AuthorityPrefetto, Number: "N", Day: multe.DayOf(at), By: "b", Ruling: &multe.Ruling{Verdetto: multe.RicorsoRespinto, Day: multe.DayOf(at), Number: "M", Cents: 7, LastDay: multe.DayOf(at), By: "c"}})
	pin(t, `{"Kind":"autotutela","Cause":"furto","Reason":"R","By":"b","At":`+when+`,"Approved":"c"}`,
		multe.Cancellation{Kind: multe.CancelAutotutela, Cause: "furto", Reason: "R", By: "b", At: at, Approved: "c"})
	pin(t, `{"Creditor":"C","ID":"k:s","Kind":"k","Subject":"s","Detail":"d","Count":2,"Open":true,"Opened":`+when+`,"Changed":`+when+`,"Version":3}`,
		multe.Discrepancy{Creditor: "C", ID: "k:s", Kind: "k", Subject: "s", Detail: "d", Count: 2, Open: true, Opened: at, Changed: at, Version: 3})
	pin(t, `{"Creditor":"C","Seq":9,"At":`+when+`,"Actor":"a","Action":"b","Position":"P","Subject":"s","From":"f","To":"t","Code":"c"}`,
		multe.AuditEntry{Creditor: "C", Seq: 9, At: at, Actor: "a", Action: "b", Position: "P", Subject: "s", From: "f", To: "t", Code: "c"})
}

func pin[T any](t *testing.T, stored string, rec T) {
	t.Helper()
	got, err := encode(rec)
	if err != nil {
		t.Fatalf("%T: %v", rec, err)
	}
	if diff := cmp.Diff("\x01"+stored, string(got)); diff != "" {
		t.Errorf("%T is stored differently (-want +got):\n%s", rec, diff)
	}
	back, err := decode[T]("", []byte("\x01"+stored))
	if diff := cmp.Diff(rec, back, cmp.Comparer(func(a, b avviso.Number) bool { return a == b })); err != nil || diff != "" {
		t.Errorf("%T is read differently: %v (-want +got):\n%s", rec, err, diff)
	}
}

// TestBlobFormat pins how the bytes of a photo lie on the disk, in both formats, and
// what they take there.
func TestBlobFormat(t *testing.T) {
	chunk := multe.PhotoChunk{Creditor: "C", Device: "D", Photo: "F", N: 2, Offset: 4096, Data: []byte("\x00\xff<a/>"), Version: 3}
	const text = `{"Creditor":"C","Device":"D","Photo":"F","N":2,"Offset":4096,"Data":null,"Version":3}`
	want := "\x02\x00\x00\x00\x55" + text + "\x00\xff<a/>"
	got, err := encode(chunk)
	if err != nil || string(got) != want {
		t.Errorf("stored as %q, %v, want %q", got, err, want)
	}
	for name, value := range map[string]string{
		"raw":                     want,
		"base64, before schema 4": "\x01" + `{"Creditor":"C","Device":"D","Photo":"F","N":2,"Offset":4096,"Data":"AP88YS8+","Version":3}`,
	} {
		back, err := decode[multe.PhotoChunk]("", []byte(value))
		if diff := cmp.Diff(chunk, back); err != nil || diff != "" {
			t.Errorf("%s is read differently: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for name, value := range map[string]string{"no length": "\x02\x00", "longer than all": "\x02\xff\xff\xff\xff{}", "cut": want[:20]} {
		if _, err := decode[multe.PhotoChunk]("", []byte(value)); fault.Of(err).Code != "store.damaged" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := decode[multe.Photo]("", []byte(want)); fault.Of(err).Code != "store.damaged" {
		t.Errorf("a record without blob in the format of one: %v", err)
	}
	chunk.Data = make([]byte, multe.MaxChunk)
	if got, err = encode(chunk); err != nil || len(got) > multe.MaxChunk+200 {
		t.Errorf("%d bytes are stored as %d, %v", multe.MaxChunk, len(got), err)
	}
}

func TestDamagedRecords(t *testing.T) {
	for name, value := range map[string]string{
		"empty":            "",
		"no format":        `{"Version":1}`,
		"another format":   "\x02" + `{"Version":1}`,
		"nothing after it": "\x01",
		"cut":              "\x01" + `{"Version":1`,
		"more after it":    "\x01" + `{"Version":1}x`,
		"wrong type":       "\x01" + `{"Version":"1"}`,
		"negative version": "\x01" + `{"Version":-1}`,
		"wrong number":     "\x01" + `{"Number":"301000000000004991"}`,
	} {
		rec, err := decode[multe.Code]("code", []byte(value))
		if e := fault.Of(err); !errors.Is(err, fault.Internal) || e.Code != "store.damaged" || rec != (multe.Code{}) {
			t.Errorf("%s: %+v, %v; want store.damaged", name, rec, err)
		}
	}
}

// FuzzDecode checks that stored bytes never panic, whatever they are, and that
// what was read is stored again to the same meaning.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "\x01", "\x01{}", "\x01null", "\x01[]", "\x02{}", `{"Version":1}`,
		"\x01" + `{"Creditor":"C","Slip":{"Steps":[{"Cents":1}]},"Record":{"Debtor":{}},"Version":18446744073709551615}`,
		"\x01" + `{"Number":"301000000000004992","State":"void","Changed":"2026-03-01T09:00:00Z"}`,
		"\x01" + `{"Body":"PGEvPg==","Raw":"!","PaidOn":"2026-02-30"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		again[multe.Creditor](t, value)
		again[multe.Operator](t, value)
		again[multe.Device](t, value)
		again[multe.Code](t, value)
		again[multe.Lease](t, value)
		again[multe.Verbale](t, value)
		again[multe.Change](t, value)
		again[multe.Batch](t, value)
		again[multe.Payment](t, value)
		again[multe.Receipt](t, value)
		again[multe.Revocation](t, value)
		again[multe.Expiry](t, value)
		again[multe.Flusso](t, value)
		again[multe.FlussoLine](t, value)
		again[multe.Message](t, value)
		again[multe.Discrepancy](t, value)
		again[multe.AuditEntry](t, value)
		again[multe.PhotoChunk](t, value)
	})
}

func again[T any](t *testing.T, value []byte) {
	rec, err := decode[T]("x", value)
	if err != nil {
		if fault.Of(err).Code != "store.damaged" {
			t.Fatalf("%q: %v is not classified", value, err)
		}
		return
	}
	stored, err := encode(rec)
	if err != nil {
		return // such as a NUL in a text: nobody stored that
	}
	back, err := decode[T]("x", stored)
	if err != nil {
		t.Fatalf("%q was read, but as it is stored again, %q, it is not: %v", value, stored, err)
	}
	if diff := cmp.Diff(rec, back, cmp.Comparer(func(a, b avviso.Number) bool { return a == b })); diff != "" {
		t.Fatalf("%q came back otherwise:\n%s", value, diff)
	}
}

func TestKeysKeepOrder(t *testing.T) {
	for _, tt := range [][2]key{ // the first is less, and none is the prefix of the other
		{keyOf("a", "b"), keyOf("a", "ba")},
		{keyOf("a", "z"), keyOf("ab", "a")},
		{keyOf("", "b"), keyOf("a", "")},
		{keyOf("a"), keyOf("b")},
		{keyOf("a").number(255), keyOf("a").number(256)},
		{keyOf("a").instant(time.Time{}), keyOf("a").instant(at)},
		{keyOf("a").instant(time.Unix(-1, 0)), keyOf("a").instant(time.Unix(0, 0))},
		{keyOf("a").instant(at), keyOf("a").instant(at.Add(time.Microsecond))},
		{keyOf("a").instant(at).text("z"), keyOf("a").instant(at.Add(time.Microsecond)).text("a")},
		{keyOf("a", "\x01"), keyOf("a\x01")},
	} {
		if a, b := string(tt[0].b), string(tt[1].b); a >= b || b[:min(len(a), len(b))] == a {
			t.Errorf("%q is not before %q", a, b)
		}
	}
}
