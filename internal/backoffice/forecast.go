package backoffice

import (
	"math"

	"preavviso/internal/multe"
)

// horizon is how far ahead a forecast looks, in days. A pool that lasts longer
// needs nobody's care.
const horizon = 90

// supply is until when the codes of a pool last if PiemontePAY sent no more.
type supply struct {
	PerDay   float64   // mean use of a day
	Days     int       // whole days that the codes last at the usual pace; horizon if longer
	Last     multe.Day // the day they end at the usual pace; zero if they outlast the horizon
	Cautious multe.Day // the same if every day were as busy as the busiest of its weekday
	Known    bool      // false: nothing was used yet, and nothing can be said
	Levels   []int     // expected at the end of each day from tomorrow, until empty
	From     multe.Day // the day of Levels[0]
}

// forecast tells until when left codes last. used is what was taken on each of
// the complete days before today, oldest first: a weekday is expected to be like
// the same weekday was, or like the average of all if it was never seen.
func forecast(left int, used []int, today multe.Day) supply {
	var total, n [7]int
	var most [7]int
	sum, busiest := 0, 0
	for i, u := range used {
		u = max(u, 0)
		w := weekday(today.Plus(i - len(used)))
		total[w], n[w], most[w] = total[w]+u, n[w]+1, max(most[w], u)
		sum, busiest = sum+u, max(busiest, u)
	}
	s := supply{From: today.Plus(1), Days: horizon}
	if sum == 0 {
		return s
	}
	s.Known = true
	s.PerDay = float64(sum) / float64(len(used))
	usual, cautious := float64(left), left
	for i := range horizon {
		day := today.Plus(i + 1)
		w := weekday(day)
		mean, worst := s.PerDay, busiest
		if n[w] > 0 {
			mean, worst = float64(total[w])/float64(n[w]), most[w]
		}
		if cautious -= worst; cautious < 0 && s.Cautious.IsZero() {
			s.Cautious = day
		}
		if usual -= mean; usual < 0 {
			s.Last, s.Days = day, i
			s.Levels = append(s.Levels, 0)
			break
		}
		s.Levels = append(s.Levels, int(math.Round(usual)))
	}
	return s
}

func weekday(d multe.Day) int { return int(d.Start().Weekday()) }
