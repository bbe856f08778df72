package flussi

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// MaxDays is the longest period of one export: a year and the day that closes it.
	MaxDays = 367
	// maxRows bounds the memory of an export, some 60 MB; a city of a million has
	// as many verbali in a quarter.
	maxRows = 200_000
)

// Entry is one row of the accountant's export: one payment, or a line of a flow
// that belongs to no payment we know, or money that went back (negative). The sum
// of Cents over a period is what came in, net. It holds no personal data.
type Entry struct {
	PaidOn    multe.Day
	IUV       string
	Avviso    string // codice avviso; "" if the IUV is none of ours
	Reference string // number in the register, or of the preavviso before that
	Causale   string
	Cents     multe.Cents
	IUR       string
	PSP       string

	Flusso    string // IdentificativoFlusso; "" if no flow contains it
	TRN       string
	SettledOn multe.Day
	FlowCents multe.Cents // what the flows say about it; differs from Cents where Match is amount

	CodiceVersamento   string
	Capitolo           string
	Articolo           string
	PdC                string
	AccertamentoYear   int
	AccertamentoNumber int

	Match Match
}

// Accounting returns what was paid from one day to another, both included, by
// day, IUV and IUR. Payments count on the day they were made, or heard of if that
// is not known.
func (f *Flussi) Accounting(ctx context.Context, c multe.CreditorID, from, to multe.Day) ([]Entry, error) {
	if to.Compare(from) < 0 || to.Compare(from.Plus(MaxDays-1)) > 0 {
		return nil, fault.New(fault.Invalid, "accounting.bad_period", "Il periodo va indicato con il primo e l'ultimo giorno, al massimo un anno.")
	}
	var out []Entry
	err := f.store.View(ctx, func(r store.Reader) error {
		creditor, err := r.Creditor(c)
		if err != nil {
			return err
		}
		e := export{r: r, creditor: creditor, from: from, to: to, overdue: multe.DayOf(f.now()).Plus(-f.days), flows: map[multe.FlussoID]multe.Flusso{}}
		if err := e.payments(); err != nil {
			return err
		}
		if err := e.lines(); err != nil {
			return err
		}
		out = e.out
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(a.PaidOn.Compare(b.PaidOn), cmp.Compare(a.IUV, b.IUV), cmp.Compare(a.IUR, b.IUR), cmp.Compare(a.Cents, b.Cents), cmp.Compare(a.Flusso, b.Flusso))
	})
	return out, nil
}

// export collects the entries of a period.
type export struct {
	r        store.Reader
	creditor multe.Creditor
	from, to multe.Day
	overdue  multe.Day // what was heard before should be in a flow
	flows    map[multe.FlussoID]multe.Flusso
	out      []Entry
}

func (e *export) in(d multe.Day) bool { return d.Compare(e.from) >= 0 && d.Compare(e.to) <= 0 }

func (e *export) add(x Entry) error {
	if len(e.out) == maxRows {
		return fault.New(fault.Invalid, "accounting.too_many", "I pagamenti del periodo sono troppi per un solo file: indicare un periodo più breve.")
	}
	e.out = append(e.out, x)
	return nil
}

// payments adds what was notified. Nothing is heard before it is paid, give or
// take the clocks of two machines.
func (e *export) payments() error {
	start := multe.Payment{Received: multe.Instant(e.from.Plus(-1).Start())}
	return store.Each(func(after multe.Payment) ([]multe.Payment, error) {
		if after == (multe.Payment{}) {
			after = start
		}
		return e.r.Payments(e.creditor.ID, after, store.MaxPage)
	}, func(p multe.Payment) multe.Payment { return p }, func(p multe.Payment) error {
		day := p.PaidOn
		if day.IsZero() {
			day = multe.DayOf(p.Received)
		}
		if p.Cents == 0 || !e.in(day) {
			return nil
		}
		g, err := e.ledger(p.IUV)
		if err != nil {
			return err
		}
		x := Entry{PaidOn: day, IUV: p.IUV, IUR: p.IUR, Cents: p.Cents, PSP: p.PSP}
		if err := e.describe(&x, g); err != nil {
			return err
		}
		lines, sum := g.about(p)
		if len(lines) == 0 {
			x.Match = MatchWaiting
			if multe.DayOf(p.Received).Compare(e.overdue) <= 0 {
				x.Match = MatchNoFlow
			}
			return e.add(x)
		}
		x.Match = g.match(lines[0])
		if err := e.account(&x, lines[0]); err != nil {
			return err
		}
		x.FlowCents = sum
		return e.add(x)
	})
}

// lines adds what only the flows tell: money never notified, and money that went
// back. A flow is never settled before what it contains was paid.
func (e *export) lines() error {
	start := multe.Flusso{ID: "0", FlussoHead: multe.FlussoHead{SettledOn: e.from.Plus(-1)}}
	return store.Each(func(after multe.Flusso) ([]multe.Flusso, error) {
		if after.ID == "" {
			after = start
		}
		return e.r.Flussi(e.creditor.ID, after, store.MaxPage)
	}, func(f multe.Flusso) multe.Flusso { return f }, func(f multe.Flusso) error {
		e.flows[f.ID] = f
		return store.Each(func(after int) ([]multe.FlussoLine, error) {
			return e.r.FlussoLines(e.creditor.ID, f.ID, after, store.MaxPage)
		}, func(l multe.FlussoLine) int { return l.N }, func(l multe.FlussoLine) error { return e.line(f, l) })
	})
}

func (e *export) line(f multe.Flusso, l multe.FlussoLine) error {
	day := l.PaidOn
	if day.IsZero() {
		day = f.Day()
	}
	if l.Gone || !e.in(day) {
		return nil
	}
	g, err := e.ledger(l.IUV)
	if err != nil {
		return err
	}
	if _, notified := g.payment(l); !g.ours || notified && l.Outcome != multe.FlussoRevoked {
		return nil
	}
	x := Entry{PaidOn: day, IUV: l.IUV, IUR: l.IUR, Cents: l.Cents, PSP: f.PSP, FlowCents: l.Cents, Match: g.match(l)}
	if err := e.describe(&x, g); err != nil {
		return err
	}
	if err := e.account(&x, l); err != nil {
		return err
	}
	return e.add(x)
}

func (e *export) ledger(iuv string) (ledger, error) {
	return ledgerOf(e.r, e.creditor.ID, e.creditor.CodiceVersamento, iuv)
}

// describe says what a payment was for.
func (e *export) describe(x *Entry, g ledger) error {
	x.Avviso = g.code.Number.String()
	if g.code.Verbale == "" {
		return nil
	}
	v, err := e.r.Verbale(e.creditor.ID, g.code.Verbale)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	x.Reference, x.Causale = v.Slip.ReferenceOrCode(), string(v.Causale())
	if v.Record != nil {
		x.Reference = v.Record.Register
	}
	return nil
}

// account says where the money is.
func (e *export) account(x *Entry, l multe.FlussoLine) error {
	f, ok := e.flows[l.Flusso]
	if !ok {
		var err error
		if f, err = e.r.Flusso(e.creditor.ID, l.Flusso); err != nil {
			return err
		}
		e.flows[l.Flusso] = f
	}
	x.Flusso, x.TRN, x.SettledOn = f.Name, f.TRN, f.SettledOn
	x.CodiceVersamento, x.Capitolo, x.Articolo, x.PdC = l.CodiceVersamento, l.Capitolo, l.Articolo, l.PdC
	x.AccertamentoYear, x.AccertamentoNumber = l.AccertamentoYear, l.AccertamentoNumber
	if x.PSP == "" {
		x.PSP = f.PSP
	}
	return nil
}

// columns are the header of the CSV. New ones are added at the end.
var columns = []string{"data_pagamento", "iuv", "codice_avviso", "numero_verbale", "causale", "importo", "iur", "psp", "flusso", "regolamento", "data_regolamento",
	"importo_flusso", "codice_versamento", "capitolo", "articolo", "pdc", "accertamento_anno", "accertamento_numero", "stato"}

// WriteCSV writes entries as a spreadsheet in Italian expects them: UTF-8 with a
// byte order mark, semicolons, a decimal comma, lines and quotes as RFC 4180 has
// them. A text that a spreadsheet would take for a formula gets an apostrophe.
func WriteCSV(w io.Writer, entries []Entry) error {
	b := bufio.NewWriter(w)
	_, _ = b.WriteString("\ufeff") // a failure stays, and Flush tells it
	c := csv.NewWriter(b)
	c.Comma, c.UseCRLF = ';', true
	_ = c.Write(columns) // likewise
	for _, e := range entries {
		flow := ""
		if e.Flusso != "" {
			flow = comma(e.FlowCents)
		}
		_ = c.Write([]string{
			e.PaidOn.String(), harmless(e.IUV), e.Avviso, harmless(e.Reference), harmless(e.Causale), comma(e.Cents), harmless(e.IUR), harmless(e.PSP),
			harmless(e.Flusso), harmless(e.TRN), e.SettledOn.String(), flow, harmless(e.CodiceVersamento), harmless(e.Capitolo), harmless(e.Articolo), harmless(e.PdC),
			number(e.AccertamentoYear), number(e.AccertamentoNumber), string(e.Match),
		})
	}
	c.Flush()
	if err := errors.Join(c.Error(), b.Flush()); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	return nil
}

// comma writes an amount with a decimal comma and no grouping, "-1020,99".
func comma(c multe.Cents) string { return strings.Replace(c.Decimal(), ".", ",", 1) }

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// harmless keeps a spreadsheet from running a text as a formula (OWASP, CSV
// injection). Control characters, which can hide the first sign, become spaces.
func harmless(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if t := strings.TrimLeft(s, " \u00a0"); t != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(t)[0]) {
		return "'" + s
	}
	return s
}
