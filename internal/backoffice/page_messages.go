package backoffice

import (
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/inbox"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// messagesPage is what PiemontePAY sent.
type messagesPage struct {
	State  multe.MessageState
	States []choice
	Rows   []messageRow
	First  string
	Next   string
}

type messageRow struct {
	ID       multe.MessageID
	Kind     messageKind
	Sign     sign
	Problem  string
	Bytes    int
	Received time.Time
}

func rowOfMessage(h inbox.Head) messageRow {
	return messageRow{h.ID, kindOfMessage(h.Kind), messageSign(h.State), h.Problem, h.Bytes, h.Received}
}

var messageStates = []multe.MessageState{multe.MessageDead, multe.MessageNew, multe.MessageDone}

// ofCreditor reports whether a message is for the eyes of a creditor: it is about
// them, or nobody can tell and they are the only ones here.
func (s *server) ofCreditor(c *gin.Context, raw []byte, only bool) bool {
	if only {
		return true
	}
	e, err := s.Read(raw)
	return err == nil && e.Creditor() == who(c).Creditor
}

// alone reports whether the installation serves one creditor.
func (s *server) alone(c *gin.Context) (bool, error) {
	var n int
	err := s.Store.View(c.Request.Context(), func(r store.Reader) error {
		cs, err := r.Creditors("", 2)
		n = len(cs)
		return err
	})
	return n == 1, err
}

// messagesPage serves GET /messaggi.
func (s *server) messagesPage(c *gin.Context) {
	p := messagesPage{State: multe.MessageState(c.Query("stato"))}
	if !slices.Contains(messageStates, p.State) {
		p.State = multe.MessageDone
	}
	for _, st := range messageStates {
		p.States = append(p.States, choice{string(st), messageSign(st).Text, st == p.State})
	}
	only, err := s.alone(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	after := multe.MessageID(c.Query("dopo"))
	list, err := s.Messages.List(c.Request.Context(), p.State, after, pageSize+1)
	if err != nil {
		s.fail(c, err)
		return
	}
	if after != "" {
		p.First = "/messaggi?stato=" + string(p.State)
	}
	if len(list) > pageSize {
		list = list[:pageSize]
		p.Next = "/messaggi?stato=" + string(p.State) + "&dopo=" + string(list[pageSize-1].ID)
	}
	for _, h := range list {
		if !only {
			raw, err := s.Messages.Raw(c.Request.Context(), h.ID)
			if err != nil {
				s.fail(c, err)
				return
			}
			if !s.ofCreditor(c, raw, only) {
				continue
			}
		}
		p.Rows = append(p.Rows, rowOfMessage(h))
	}
	s.render(c, http.StatusOK, "messaggi.html", p)
}

// messagePage is one message.
type messagePage struct {
	messageRow
	XML       string
	Masked    bool
	Cut       bool
	MayReplay bool
	State     multe.MessageState
}

// message returns a message that the caller may see; another's is as if it were
// not there.
func (s *server) message(c *gin.Context) (m multe.Message, ok bool) {
	only, err := s.alone(c)
	if err != nil {
		s.fail(c, err)
		return m, false
	}
	if !s.look(c, func(r store.Reader) (err error) {
		m, err = r.Message(multe.MessageID(c.Param("id")))
		return noMessage(err)
	}) {
		return m, false
	}
	if !s.ofCreditor(c, m.Raw, only) {
		s.fail(c, fault.New(fault.NotFound, "message.unknown", "Il messaggio non risulta."))
		return m, false
	}
	return m, true
}

func noMessage(err error) error {
	if fault.Of(err).Kind == fault.NotFound && err != nil {
		return fault.Wrap(fault.NotFound, "message.unknown", "Il messaggio non risulta.", err)
	}
	return err
}

// messagePage serves GET /messaggi/:id.
func (s *server) messagePage(c *gin.Context) {
	m, ok := s.message(c)
	if !ok {
		return
	}
	w := who(c)
	p := messagePage{State: m.State, Masked: !w.May(multe.MaySeePersonal),
		messageRow: rowOfMessage(inbox.Head{ID: m.ID, State: m.State, Kind: m.Kind, Problem: m.Problem, Bytes: len(m.Raw), Received: m.Received}),
		MayReplay:  m.State != multe.MessageNew}
	if !p.Masked {
		if !s.seen(c, "messaggio", string(m.ID), "") {
			return
		}
		p.XML, p.Cut = pretty(m.Raw)
	}
	s.render(c, http.StatusOK, "messaggio.html", p)
}

// replayMessage serves POST /messaggi/:id/rielabora.
func (s *server) replayMessage(c *gin.Context) {
	m, ok := s.message(c)
	if !ok {
		return
	}
	if _, err := s.Messages.Replay(c.Request.Context(), m.ID); err != nil {
		s.fail(c, err)
		return
	}
	see(c, "/messaggi/"+string(m.ID)+"?fatto=rielabora")
}

// maxPretty is how much of a message is shown: the longest notices have 4 MiB,
// which no browser draws well and nobody reads.
const maxPretty = 200_000

// pretty puts XML on lines that a person can read, and tells whether it was cut.
// What is no XML is shown as it is; the template escapes it.
func pretty(raw []byte) (string, bool) {
	var b strings.Builder
	d := xml.NewDecoder(strings.NewReader(string(raw)))
	d.Strict = true
	depth, text, opened := 0, "", false
	line := func(s string) {
		b.WriteString(strings.Repeat("  ", max(depth, 0)) + s + "\n")
	}
	for b.Len() <= maxPretty {
		t, err := d.RawToken()
		if err == io.EOF {
			return b.String(), false
		}
		if err != nil {
			return cut(string(raw))
		}
		switch t := t.(type) {
		case xml.StartElement:
			if opened {
				b.WriteString("\n")
			}
			tag := "<" + qualified(t.Name)
			for _, a := range t.Attr {
				tag += " " + qualified(a.Name) + `="` + a.Value + `"`
			}
			b.WriteString(strings.Repeat("  ", max(depth, 0)) + tag + ">")
			depth++
			text, opened = "", true
		case xml.EndElement:
			depth--
			if opened {
				b.WriteString(strings.TrimSpace(text) + "</" + qualified(t.Name) + ">\n")
			} else {
				line("</" + qualified(t.Name) + ">")
			}
			opened = false
		case xml.CharData:
			text += string(t)
		}
	}
	return cut(b.String())
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func cut(s string) (string, bool) {
	if len(s) <= maxPretty {
		return s, false
	}
	return strings.ToValidUTF8(s[:maxPretty], ""), true
}
