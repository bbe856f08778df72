package escpos

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/symbol"
)

var grouped = regexp.MustCompile(`\d{4} \d{4} \d{4} \d{4} \d{2}`)

// check reads the symbols of a slip back from the dots that will be sent and
// compares what they say with the lines around them. It knows nothing of what
// was meant.
func (s *slip) check(b *bitmap) error {
	if err := s.readBack(b); err != nil {
		return fault.Wrap(fault.Internal, "print.self_check", "La stampa non è riuscita: lo scontrino riletto non corrisponde.", err)
	}
	return nil
}

func (s *slip) readBack(b *bitmap) error {
	// A number belongs to its payment box; the amounts stand above all of them.
	numbers := map[int][]string{}
	var lines []string
	symbols := 0
	for _, r := range s.rows {
		lines = append(lines, r.text)
		symbols += len(r.symbols)
		numbers[r.box] = append(numbers[r.box], grouped.FindAllString(r.text, -1)...)
	}
	if symbols == 0 {
		return errors.New("no symbol on the slip")
	}
	for _, r := range s.rows {
		for _, p := range r.symbols {
			m, err := b.matrix(p)
			if err != nil {
				return err
			}
			var d avviso.DataMatrixInput
			if p.postal {
				payload, err := symbol.ReadDataMatrix(&m)
				if err != nil {
					return err
				}
				if d, err = avviso.ParseDataMatrix(payload); err != nil {
					return err
				}
			} else {
				payload, err := symbol.ReadQR(&m)
				if err != nil {
					return err
				}
				if d.Number, d.CreditorCF, d.Amount, err = avviso.ParseQR(payload); err != nil {
					return err
				}
			}
			if of := numbers[r.box]; len(of) == 0 || slices.ContainsFunc(of, func(n string) bool { return n != d.Number.Grouped() }) {
				return errors.New("number beside a symbol is not that of the symbol")
			}
			figures := map[string]string{"amount": d.Amount.Italian(), "creditor": d.CreditorCF}
			if p.postal {
				figures["account"] = d.Account
			}
			for what, want := range figures {
				if !slices.ContainsFunc(lines, func(l string) bool { return l == want || strings.HasSuffix(l, " "+want) }) {
					return fmt.Errorf("%s of the symbol is not on the slip", what)
				}
			}
		}
	}
	return nil
}

// matrix reads modules off the paper: all dots of one must be alike, and its
// quiet zone light.
func (b *bitmap) matrix(p placed) (symbol.Matrix, error) {
	side := p.matrix.Side()
	quiet := qrQuiet
	if p.postal {
		quiet = dmQuiet
	}
	m := symbol.NewMatrix(side)
	for y := -quiet; y < side+quiet; y++ {
		for x := -quiet; x < side+quiet; x++ {
			left, top := p.x+x*p.dots, p.y+y*p.dots
			if left < 0 || top < 0 || left+p.dots > b.width || top+p.dots > b.height {
				return m, errors.New("symbol or its quiet zone is off the paper")
			}
			first := b.dark(left, top)
			for i := range p.dots * p.dots {
				if b.dark(left+i%p.dots, top+i/p.dots) != first {
					return m, fmt.Errorf("module %d, %d is neither dark nor light", x, y)
				}
			}
			inside := x >= 0 && y >= 0 && x < side && y < side
			switch {
			case first && inside:
				m.Set(x, y)
			case first:
				return m, errors.New("quiet zone is not light")
			}
		}
	}
	return m, nil
}
