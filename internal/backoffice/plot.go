package backoffice

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The drawing area, in the units of the SVG's viewBox. It is small, so that words
// of 12 units are readable on a telephone, where one unit is less than a pixel.
const (
	plotWidth  = 360
	plotHeight = 190
	plotLeft   = 40
	plotRight  = 8
	plotTop    = 12
	plotBottom = 26
)

// plot is a picture of numbers, and the same numbers as a table: what is drawn is
// never the only way to learn it. The template draws it; nothing here is HTML.
type plot struct {
	ID      string // unique on its page
	Title   string // what it shows
	Summary string // what a person sees in it, in a sentence
	Columns [2]string
	Rows    [][2]string

	Bars   []bar
	Line   string // points of a polyline
	Ahead  string // points of the part that is expected
	Ticks  []tick // horizontal, at round values
	Labels []label
	Marks  []tick // horizontal lines with a name, such as a threshold
}

type bar struct {
	X, Y, Width, Height string
}

type tick struct {
	Y, TextY string
	Label    string
}

type label struct {
	X, Anchor, Text string
}

// point is one value of a series and how it is called.
type point struct {
	Name  string // in the table
	Short string // below the picture; "" for most
	Value int
	Text  string // in the table, instead of the value
}

func (p point) text() string {
	if p.Text != "" {
		return p.Text
	}
	return strconv.Itoa(p.Value)
}

// bars draws one bar for each point.
func bars(id, title, summary string, columns [2]string, ps []point) plot {
	p := plot{ID: id, Title: title, Summary: summary, Columns: columns}
	scale := p.scale(ps, 0)
	slot := float64(plotWidth-plotLeft-plotRight) / float64(max(len(ps), 1))
	for i, v := range ps {
		p.Rows = append(p.Rows, [2]string{v.Name, v.text()})
		x := plotLeft + slot*float64(i)
		if v.Value > 0 {
			y := scale(v.Value)
			p.Bars = append(p.Bars, bar{num(x + slot*0.15), num(y), num(slot * 0.7), num(plotHeight - plotBottom - y)})
		}
		if v.Short != "" {
			p.Labels = append(p.Labels, label{num(x + slot/2), "middle", v.Short})
		}
	}
	return p
}

// levels draws what was as a line and what is expected as a broken one that
// begins where the first ends. low is drawn as a threshold.
func levels(id, title, summary string, columns [2]string, was, ahead []point, low int) plot {
	p := plot{ID: id, Title: title, Summary: summary, Columns: columns}
	all := append(append([]point(nil), was...), ahead...)
	scale := p.scale(all, low)
	step := float64(plotWidth-plotLeft-plotRight) / float64(max(len(all)-1, 1))
	at := func(i int) string { return num(plotLeft+step*float64(i)) + "," + num(scale(all[i].Value)) }
	var line, broken []string
	for i, v := range all {
		p.Rows = append(p.Rows, [2]string{v.Name, v.text()})
		if i < len(was) {
			line = append(line, at(i))
		}
		if i >= len(was)-1 && len(ahead) > 0 {
			broken = append(broken, at(i))
		}
		if v.Short != "" {
			anchor := "middle"
			if i == len(all)-1 {
				anchor = "end"
			}
			p.Labels = append(p.Labels, label{num(plotLeft + step*float64(i)), anchor, v.Short})
		}
	}
	p.Line, p.Ahead = strings.Join(line, " "), strings.Join(broken, " ")
	if low > 0 {
		y := scale(low)
		p.Marks = []tick{{num(y), num(y - 4), fmt.Sprintf("soglia minima %d", low)}}
	}
	return p
}

// scale adds the ticks, and returns where a value is drawn.
func (p *plot) scale(ps []point, atLeast int) func(int) float64 {
	top := max(atLeast, 1)
	for _, v := range ps {
		top = max(top, v.Value)
	}
	step := roundStep(top)
	top = (top + step - 1) / step * step
	y := func(v int) float64 {
		return plotTop + float64(plotHeight-plotTop-plotBottom)*(1-float64(v)/float64(top))
	}
	for v := 0; v <= top; v += step {
		p.Ticks = append(p.Ticks, tick{num(y(v)), num(y(v) + 4), strconv.Itoa(v)})
	}
	return y
}

// roundStep returns 1, 2 or 5 times a power of ten that divides top into at most
// five steps.
func roundStep(top int) int {
	for power := 1; ; power *= 10 {
		for _, m := range []int{1, 2, 5} {
			if top <= 5*m*power {
				return m * power
			}
		}
	}
}

func num(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }
