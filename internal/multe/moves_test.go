package multe

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
)

var at = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// The lives of the records, every pair of state and move, the forbidden ones (·)
// above all. A row is where a record is, a column is what is tried, the cell is
// where it ends. An underscore stands for a space.

func TestCodeMoves(t *testing.T) {
	matrix(t, codeMoves, Code{Version: 7}, func(c *Code) *CodeState { return &c.State }, Code.move, `
             acknowledge  orphan    assign    return     quarantine   issue   reissue  activate  pay   void  restore_orphaned  restore_available  restore_quarantined
requested    available    orphaned  ·         ·          ·            ·       ·        ·         ·     void  ·                 ·                  ·
orphaned     available    ·         ·         ·          ·            ·       ·        ·         ·     void  ·                 ·                  ·
available    ·            ·         assigned  ·          ·            ·       issued   ·         paid  void  ·                 ·                  ·
assigned     ·            ·         ·         available  quarantined  issued  ·        ·         paid  ·     ·                 ·                  ·
quarantined  ·            ·         ·         ·          ·            issued  ·        ·         paid  void  ·                 ·                  ·
issued       ·            ·         ·         ·          ·            ·       ·        active    paid  void  ·                 ·                  ·
active       ·            ·         ·         ·          ·            ·       ·        ·         paid  void  ·                 ·                  ·
paid         ·            ·         ·         ·          ·            ·       ·        ·         ·     ·     ·                 ·                  ·
void         ·            ·         ·         ·          ·            ·       ·        ·         paid  ·     orphaned          available          quarantined`)
}

func TestVerbaleMoves(t *testing.T) {
	matrix(t, verbaleMoves, Verbale{Version: 7}, func(v *Verbale) *VerbaleState { return &v.State }, Verbale.move, `
             finalise   finalise_settled  settle   cancel     undo_issued  undo_finalised  undo_settled
issued       finalised  ·                 settled  cancelled  ·            ·               ·
finalised    ·          ·                 settled  cancelled  ·            ·               ·
settled      ·          settled           ·        cancelled  ·            ·               ·
cancelled    ·          ·                 ·        ·          issued       finalised       settled`)
}

func TestChangeMoves(t *testing.T) {
	matrix(t, changeMoves, Change{Version: 7}, func(c *Change) *ChangeState { return &c.State }, Change.move, `
             seal    queue   apply    refuse   retry    doubt
waiting      sealed  ·       ·        refused  ·        ·
sealed       ·       queued  applied  refused  waiting  unknown
queued       ·       ·       applied  refused  waiting  unknown
unknown      ·       ·       applied  refused  waiting  ·
applied      ·       ·       ·        ·        ·        ·
refused      ·       ·       ·        ·        ·        ·`)
}

func TestBatchMoves(t *testing.T) {
	move := func(b Batch, m batchMove, at time.Time) (Batch, error) { return b.move(m, "", at) }
	matrix(t, batchMoves, Batch{Version: 7}, func(b *Batch) *BatchState { return &b.State }, move, `
             attempt  queue   refuse   close  abandon
sealed       sealed   queued  refused  done   ·
queued       ·        ·       refused  done   abandoned
refused      ·        ·       ·        ·      ·
done         ·        ·       ·        ·      ·
abandoned    ·        ·       ·        ·      ·`)
}

func TestMessageMoves(t *testing.T) {
	matrix(t, messageMoves, Message{Version: 7}, func(m *Message) *MessageState { return &m.State }, Message.move, `
             done  bury  retry  replay
new          done  dead  new    ·
done         ·     ·     ·      new
dead         ·     ·     ·      new`)
}

func TestDeviceMoves(t *testing.T) {
	matrix(t, deviceMoves, Device{Version: 7}, func(d *Device) *DeviceState { return &d.State }, Device.move, `
             invite   enrol     revoke
invited      invited  enrolled  revoked
enrolled     invited  ·         revoked
revoked      ·        ·         ·`)
}

func TestPrintMoves(t *testing.T) {
	matrix(t, printMoves, PrintJob{Version: 7}, func(j *PrintJob) *PrintJobState { return &j.State }, PrintJob.move, `
             finish  cancel     fail    expire   again
running      done    cancelled  failed  ·        ·
done         ·       ·          ·       expired  ·
cancelled    ·       ·          ·       ·        ·
failed       ·       ·          ·       ·        running
expired      ·       ·          ·       ·        running`)
}

// matrix tries every move from every state. The table must have every move and
// every state that the package knows.
func matrix[T any, S, M ~string](t *testing.T, ms moves[S, M], from T, state func(*T) *S, move func(T, M, time.Time) (T, error), table string) {
	rows := strings.Split(strings.TrimLeft(table, "\n"), "\n")
	columns := strings.Fields(rows[0])
	if len(columns) != len(ms) {
		t.Errorf("the matrix has %d moves, the package %d", len(columns), len(ms))
	}
	inTable := map[S]bool{}
	for _, row := range rows[1:] {
		cells := strings.Fields(row)
		inTable[S(cells[0])] = true
		for i, want := range cells[1:] {
			m := M(strings.ReplaceAll(columns[i], "_", " "))
			t.Run(cells[0]+"/"+columns[i], func(t *testing.T) {
				*state(&from) = S(cells[0])
				got, err := move(from, m, at.In(Rome()).Add(time.Nanosecond))
				if want == "·" {
					if !errors.Is(err, fault.Conflict) || !strings.HasSuffix(fault.Of(err).Code, ".wrong_state") {
						t.Fatalf("error = %v, want a conflict", err)
					}
					if !reflect.DeepEqual(got, from) {
						t.Fatalf("a refused move changed the record: %+v", got)
					}
					return
				}
				moved := from
				*state(&moved) = S(want)
				v := reflect.ValueOf(&moved).Elem()
				v.FieldByName("Version").SetUint(8)
				v.FieldByName("Changed").Set(reflect.ValueOf(at))
				if err != nil || !reflect.DeepEqual(got, moved) {
					t.Fatalf("= %+v, %v; want it %s, at version 8, changed at %v", got, err, want, at)
				}
			})
		}
	}
	for m, rule := range ms {
		for _, s := range append(rule.from, rule.to) {
			if !inTable[s] {
				t.Errorf("%s is a state of %s, but has no row", s, m)
			}
		}
	}
}

func TestCodeStatesAreAll(t *testing.T) {
	known := map[CodeState]bool{}
	for _, s := range CodeStates() {
		known[s] = true
	}
	for m, rule := range codeMoves {
		for _, s := range append(rule.from, rule.to) {
			if !known[s] {
				t.Errorf("CodeStates lacks %s, a state of %s", s, m)
			}
		}
	}
	if len(known) != 9 {
		t.Errorf("%d states, want 9", len(known))
	}
}

func TestUnknownMovePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a move that is not in the table went through")
		}
	}()
	_, _ = Code{State: CodeAvailable}.move("asign", at)
}
