package cds

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"preavviso/internal/multe"
)

// MaxSheet is what a handheld fetches at the start of a shift, compressed with
// gzip: a minute of a poor mobile network. A town of 400 violations stays well
// below; a test sees to it.
const MaxSheet = 64 << 10

// sheet is the catalogue as handhelds keep it. Every sum is ready to print: a
// device multiplies and rounds nothing.
type sheet struct {
	Format     int          `json:"format"`
	Name       string       `json:"name"`
	Slip       Term         `json:"slip"` // how long the discount lasts on a preavviso
	Holidays   []multe.Day  `json:"holidays"`
	Violations []sheetEntry `json:"violations"`
}

type sheetEntry struct {
	Code      string        `json:"code"`
	Norm      string        `json:"norm"`
	Text      string        `json:"text"`
	Vehicles  []Vehicle     `json:"vehicles,omitzero"`
	Points    int           `json:"points,omitzero"`
	Accessory []Accessory   `json:"accessory,omitzero"`
	NoSlip    string        `json:"no_slip,omitzero"` // why it must not be put on a preavviso
	Amounts   []sheetAmount `json:"amounts"`
}

type sheetAmount struct {
	From  multe.Day  `json:"from"`
	Until *multe.Day `json:"until,omitzero"` // absent: still in force
	Day   sheetSums  `json:"day"`
	Night *sheetSums `json:"night,omitzero"` // after 22 and before 7 on the clock in Rome; absent: as by day
}

type sheetSums struct {
	Reduced    multe.Cents `json:"reduced"`
	Discounted multe.Cents `json:"discounted,omitzero"` // absent: no discount on the preavviso
}

// Sheet returns the catalogue as compact JSON for handhelds, and its ETag. The
// same catalogue, policy and year give the same bytes. It holds the holidays of
// year and the next, and what was in force on 1 January of year or came later:
// slips are printed now, or at worst on the other side of New Year's Eve.
func (c *Catalogue) Sheet(p Policy, year int) (body []byte, etag string, err error) {
	if p.Slip.Days == 0 {
		p.Slip.Days = DiscountDays
	}
	s := sheet{
		Format:     1,
		Name:       c.Name,
		Slip:       p.Slip,
		Holidays:   append(Holidays(year, p.Patron), Holidays(year+1, p.Patron)...),
		Violations: make([]sheetEntry, 0, len(c.violations)),
	}
	begin := multe.Day{Year: year, Month: 1, Day: 1}
	for _, v := range c.violations {
		e := sheetEntry{
			Code: v.Code, Norm: v.Norm, Text: v.Text, Vehicles: v.Vehicles, Points: v.Points,
			Accessory: v.Accessory, NoSlip: v.NoReduced, Amounts: []sheetAmount{},
		}
		for _, a := range v.Amounts {
			if v.NoReduced != "" || !a.Until.IsZero() && a.Until.Compare(begin) < 0 {
				continue
			}
			m := sheetAmount{From: a.From, Day: v.sums(a, p, false)}
			if !a.Until.IsZero() {
				m.Until = &a.Until
			}
			if v.Night {
				night := v.sums(a, p, true)
				m.Night = &night
			}
			e.Amounts = append(e.Amounts, m)
		}
		s.Violations = append(s.Violations, e)
	}
	if body, err = json.Marshal(s); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(body)
	return body, `"` + hex.EncodeToString(sum[:]) + `"`, nil
}

func (v Violation) sums(a Amount, p Policy, night bool) sheetSums {
	f := v.fine(a, night)
	if p.NoSlipDiscount {
		f.Discounted = 0
	}
	return sheetSums{Reduced: f.Reduced, Discounted: f.Discounted}
}
