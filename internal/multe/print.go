package multe

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
)

// The identifiers of prints.
type (
	PrintJobID string // made by whoever asks for it: 32 hex digits, the idempotency key of the request
	PrintID    string // ours, 32 hex digits
)

// PrintKind is which paper of an act is printed. The strings are stored.
type PrintKind string

const (
	PrintPreavviso PrintKind = "preavviso" // what was left on the windscreen, on A4
	PrintAvviso    PrintKind = "avviso"    // the pagoPA payment notice of a recorded verbale
	PrintVerbale   PrintKind = "verbale"   // the verbale with its payment notice
)

// PrintKinds returns every kind.
func PrintKinds() []PrintKind { return []PrintKind{PrintPreavviso, PrintAvviso, PrintVerbale} }

// PrintForm is how a job is delivered.
type PrintForm string

const (
	PrintPDF PrintForm = "pdf" // one document with bookmarks
	PrintZIP PrintForm = "zip" // a document for each act
)

// PrintOrder is how the acts of a job follow each other.
type PrintOrder string

const (
	PrintByRegister PrintOrder = "register" // by register number, or by that of the preavviso
	PrintByCAP      PrintOrder = "cap"      // by postal code of the debtor, then register: how a print shop posts
)

// MaxPrintItems bounds a job: a print shop's day (pdf.MaxBatch is the same).
const MaxPrintItems = 10_000

// PrintFor is how long the output of a job is kept: long enough for a print
// shop's week, and then what names people goes; it can be made again.
const PrintFor = 7 * 24 * time.Hour

// PrintFilter selects acts by what the office sorts them by. Zero fields select
// everything.
type PrintFilter struct {
	State        VerbaleState `json:",omitzero"`
	From         Day          `json:",omitzero"` // day of the violation
	To           Day          `json:",omitzero"`
	FromRegister string       `json:",omitzero"` // inclusive, as CompareRegister has it
	ToRegister   string       `json:",omitzero"`
	Unprinted    bool         `json:",omitzero"` // only those of which this paper was never printed
}

// Selects reports whether an act is selected, as far as the act itself tells.
func (f PrintFilter) Selects(v Verbale) bool {
	day, register := DayOf(v.Slip.IssuedAt), ""
	if v.Record != nil {
		register = v.Record.Register
	}
	switch {
	case f.State != "" && v.State != f.State,
		!f.From.IsZero() && day.Compare(f.From) < 0,
		!f.To.IsZero() && day.Compare(f.To) > 0,
		f.FromRegister != "" && (register == "" || CompareRegister(register, f.FromRegister) < 0),
		f.ToRegister != "" && (register == "" || CompareRegister(register, f.ToRegister) > 0):
		return false
	}
	return true
}

// PrintJobState says where a job is in its life.
type PrintJobState string

const (
	PrintRunning   PrintJobState = "running"   // waits for its turn, or is being printed
	PrintDone      PrintJobState = "done"      // the output can be fetched
	PrintCancelled PrintJobState = "cancelled" // by a person
	PrintFailed    PrintJobState = "failed"    // nothing could be printed, or the disk would not have it
	PrintExpired   PrintJobState = "expired"   // the output is gone, and can be made again
)

type printMove string

var printMoves = moves[PrintJobState, printMove]{
	"finish": {from: []PrintJobState{PrintRunning}, to: PrintDone},
	"cancel": {from: []PrintJobState{PrintRunning}, to: PrintCancelled},
	"fail":   {from: []PrintJobState{PrintRunning}, to: PrintFailed},
	"expire": {from: []PrintJobState{PrintDone}, to: PrintExpired},
	"again":  {from: []PrintJobState{PrintExpired, PrintFailed}, to: PrintRunning},
}

// PrintJob prints many acts into one file. Its items say what became of each.
type PrintJob struct {
	Creditor CreditorID
	ID       PrintJobID
	Actor    string // who asked, as in [AuditEntry]
	Request  Digest // of what was asked: tells a repetition from a conflict
	Kind     PrintKind
	Form     PrintForm
	Order    PrintOrder
	Language string `json:",omitzero"` // second language of payment notices
	At       time.Time
	State    PrintJobState

	Total  int
	Done   int   // items 1 to Done are printed or left out, and durable
	Errors int   // left out
	Size   int64 // bytes of output that belong to Done items; of all of it when done
	Digest Digest
	// Problem is why it failed: an error code.
	Problem string    `json:",omitzero"`
	Expires time.Time `json:",omitzero"` // of the output, when done

	Version uint64
	Changed time.Time
}

// Progress records that items up to done are in the output and durable.
func (j PrintJob) Progress(done, errors int, size int64, at time.Time) PrintJob {
	j.Done, j.Errors, j.Size, j.Version, j.Changed = done, errors, size, j.Version+1, Instant(at)
	return j
}

// Rewind begins the output again: the spool lost it.
func (j PrintJob) Rewind(at time.Time) PrintJob { return j.Progress(0, 0, 0, at) }

// Finish records that the output is whole. A job that was made again must come
// out as it was.
func (j PrintJob) Finish(size int64, digest Digest, at time.Time) (PrintJob, error) {
	if !j.Digest.IsZero() && j.Digest != digest {
		return j, fault.New(fault.Conflict, "print.not_reproduced", "La stampa rifatta non è identica all'originale: questa versione del programma disegna in modo diverso. L'originale si può rifare solo con la versione che lo ha stampato.")
	}
	next, err := j.move("finish", at)
	if err != nil {
		return j, err
	}
	next.Size, next.Digest, next.Problem, next.Expires = size, digest, "", Instant(at.Add(PrintFor))
	return next, nil
}

// Cancel stops the job; acts that it printed stay printed.
func (j PrintJob) Cancel(at time.Time) (PrintJob, error) { return j.move("cancel", at) }

// Fail gives the job up, for the reason with that code.
func (j PrintJob) Fail(problem string, at time.Time) (PrintJob, error) {
	next, err := j.move("fail", at)
	if err != nil {
		return j, err
	}
	next.Problem = problem
	return next, nil
}

// Expire records that the output is no longer kept.
func (j PrintJob) Expire(at time.Time) (PrintJob, error) {
	next, err := j.move("expire", at)
	if err != nil {
		return j, err
	}
	next.Expires = time.Time{}
	return next, nil
}

// Again has the same output made again.
func (j PrintJob) Again(at time.Time) (PrintJob, error) {
	next, err := j.move("again", at)
	if err != nil {
		return j, err
	}
	next.Done, next.Errors, next.Size, next.Problem = 0, 0, 0, ""
	return next, nil
}

func (j PrintJob) move(m printMove, at time.Time) (PrintJob, error) {
	to, err := printMoves.next(j.State, m, "print.wrong_state", "la stampa")
	if err != nil {
		return j, err
	}
	j.State, j.Version, j.Changed = to, j.Version+1, Instant(at)
	return j, nil
}

// PrintItem is one act of a job.
type PrintItem struct {
	Creditor CreditorID
	Job      PrintJobID
	N        int // from 1: the order in the output
	Verbale  VerbaleID
	Print    PrintID `json:",omitzero"` // once it is printed
	Code     string  `json:",omitzero"` // why it is left out
	Detail   string  `json:",omitzero"` // the same in Italian
	Version  uint64
}

// Print is one paper of one act, as it was printed: all it was made from, so that
// it can be made again byte for byte. What the slip says never changes and is not
// kept twice.
type Print struct {
	Creditor CreditorID
	ID       PrintID
	Verbale  VerbaleID
	Kind     PrintKind
	Job      PrintJobID `json:",omitzero"` // "" if it was printed alone
	Copy     int        // 1, then 2, 3 … for reprints of the same paper
	Actor    string
	At       time.Time
	Language string `json:",omitzero"` // second language of the payment notice

	// Sources are the numbers of the creditor's documents; 0 means ours, or none.
	Sources PrintSources
	Face    PrintFace
	Drawing int    // version of the drawing, package pdf
	Digest  Digest // of the pages
	Version uint64
}

// Reprint reports whether the paper says that it is a reprint.
func (p Print) Reprint() bool { return p.Copy > 1 }

// PrintSources are the documents of a creditor that a print was made with.
type PrintSources struct {
	Creditor uint64
	Settings uint64 `json:",omitzero"`
	Texts    uint64 `json:",omitzero"`
	Logo     uint64 `json:",omitzero"`
}

// PrintFace is what the records said about the act when it was printed, besides
// the slip. It is empty for a preavviso, whose amounts are those of the slip.
type PrintFace struct {
	Register string    `json:",omitzero"`
	Drawn    time.Time `json:",omitzero"` // day of the paper
	Causale  Causale   `json:",omitzero"`
	Debtor   *Debtor   `json:",omitzero"`

	// The amounts without costs. Full is half of the maximum.
	Discounted Cents `json:",omitzero"`
	Reduced    Cents `json:",omitzero"`
	Full       Cents `json:",omitzero"`
	Costs      Cents `json:",omitzero"`
	// The last days, where they are known.
	DiscountedBy Day `json:",omitzero"`
	ReducedBy    Day `json:",omitzero"`
	// Discount is how long the discount lasts where its last day is not known: what
	// the creditor had decided. Late is true where the 60 days are over and the
	// notice with a verbale asks for Full.
	Discount Term `json:",omitzero"`
	Late     bool `json:",omitzero"`
	// Number pays the reduced amount, DiscountedNumber the discounted one; they may
	// be the same.
	Number           avviso.Number `json:",omitzero"`
	DiscountedNumber avviso.Number `json:",omitzero"`

	NoReduced string `json:",omitzero"` // why the law admits no reduced payment (art. 202 c. 3 CdS)
	Points    int    `json:",omitzero"`
}

// LogValue names the print in logs.
func (p Print) LogValue() slog.Value { return slog.StringValue(string(p.ID)) }

// LogValue redacts the face in logs.
func (PrintFace) LogValue() slog.Value { return slog.StringValue(redaction) }

// ValidPrint checks what a person asks to be printed.
func ValidPrint(kind PrintKind, language string) error {
	if !slices.Contains(PrintKinds(), kind) {
		return fault.New(fault.Invalid, "print.bad_kind", "Si possono stampare preavvisi, avvisi e verbali.")
	}
	if !slices.Contains([]string{"", "it", "en", "fr", "de", "sl"}, language) {
		return fault.New(fault.Invalid, "print.bad_language", "La seconda lingua dell'avviso può essere inglese, francese, tedesco o sloveno.")
	}
	return nil
}

// CompareRegister compares register numbers as people do: 9 comes before 10.
func CompareRegister(a, b string) int {
	for a != "" && b != "" {
		da, db := leadingDigits(a), leadingDigits(b)
		if da == 0 || db == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		na, nb := trimZeros(a[:da]), trimZeros(b[:db])
		if c := cmp.Or(cmp.Compare(len(na), len(nb)), cmp.Compare(na, nb)); c != 0 {
			return c
		}
		a, b = a[da:], b[db:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func trimZeros(s string) string {
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	return s
}
