package backoffice

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// Webhooks tells other programs what happens; package webhooks does it.
type Webhooks interface {
	List(ctx context.Context, c multe.CreditorID) ([]multe.Webhook, error)
	Put(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID, address string, families []string) (multe.Webhook, multe.WebhookSecret, error)
	Pause(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID) (multe.Webhook, error)
	Resume(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID, after *uint64) (multe.Webhook, error)
	Rotate(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID) (multe.Webhook, multe.WebhookSecret, error)
}

func (s *server) webhookRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		{get, "/collegamenti", multe.MayManage, 0, s.webhooksPage},
		{post, "/collegamenti", multe.MayManage, 0, s.addWebhook},
		{post, "/collegamenti/:id/ferma", multe.MayManage, 0, s.pauseWebhook},
		{post, "/collegamenti/:id/riprendi", multe.MayManage, 0, s.resumeWebhook},
		{post, "/collegamenti/:id/segreto", multe.MayManage, 0, s.rotateWebhook},
	}
}

// webhooksPage is the programs that are told what happens.
type webhooksPage struct {
	Rows     []webhookRow
	Secret   string // shown once
	Problems []problem
	ID       string
	Address  field
	Families []choice
}

type webhookRow struct {
	ID       multe.WebhookID
	URL      string
	Families string
	Sign     sign
	Paused   bool
	Trouble  string
	Told     time.Time
	Next     uint64
}

// familyWords are what a program can be told of.
var familyWords = map[string]string{"change": "comunicazioni a PiemontePAY", "code": "codici", "device": "palmari", "document": "documenti", "payment": "pagamenti", "print": "stampe", "refund": "rimborsi", "verbale": "verbali"}

func webhookRowOf(h multe.Webhook) webhookRow {
	r := webhookRow{ID: h.ID, URL: h.URL, Families: "tutto", Paused: h.State == multe.WebhookPaused, Told: h.Told, Next: h.Cursor + 1}
	if len(h.Families) > 0 {
		words := make([]string, len(h.Families))
		for i, f := range h.Families {
			words[i] = familyWords[f]
		}
		r.Families = strings.Join(words, ", ")
	}
	switch {
	case r.Paused:
		r.Sign = sign{"fermo", "plain", "it-ban"}
	case h.Tries > 0:
		r.Sign = sign{"non risponde", "bad", "it-error"}
		r.Trouble = "dal " + instant(h.Failing) + ", " + strconv.Itoa(h.Tries) + " tentativi; il prossimo alle " + instant(h.NotBefore)
		if h.Status != 0 {
			r.Trouble += "; ha risposto HTTP " + strconv.Itoa(h.Status)
		}
	default:
		r.Sign = sign{"attivo", "good", "it-check-circle"}
	}
	return r
}

// webhooksPage serves GET /collegamenti.
func (s *server) webhooksPage(c *gin.Context) {
	s.showWebhooks(c, http.StatusOK, "", proposed(nil), nil)
}

func (s *server) showWebhooks(c *gin.Context, status int, secret string, v func(string) string, problems []problem) {
	list, err := s.Webhooks.List(c.Request.Context(), who(c).Creditor)
	if err != nil {
		s.fail(c, err)
		return
	}
	p := webhooksPage{Secret: secret, Problems: problems}
	var ok bool
	if p.ID, ok = s.newID(c); !ok {
		return
	}
	for _, h := range list {
		p.Rows = append(p.Rows, webhookRowOf(h))
	}
	p.Address = filled([]field{{Name: "indirizzo", Label: "Indirizzo", Help: "https://… del programma che riceve.", Type: "url", Max: 500}}, problems, v)[0]
	for _, f := range multe.EventFamilies {
		p.Families = append(p.Families, choice{Value: f, Text: familyWords[f]})
	}
	s.render(c, status, "collegamenti.html", p)
}

// afterWebhook answers after a change: with what is wrong, with a secret, or with
// the page.
func (s *server) afterWebhook(c *gin.Context, secret string, err error) {
	switch {
	case err != nil:
		if problems, ok := s.problemsOf(c, err, map[string]string{"webhook.bad_url": "indirizzo"}); ok {
			s.showWebhooks(c, statuses[fault.Of(err).Kind], "", typedIn(c), problems)
		}
	case secret != "":
		s.showWebhooks(c, http.StatusCreated, secret, proposed(nil), nil)
	default:
		see(c, "/collegamenti")
	}
}

// addWebhook serves POST /collegamenti.
func (s *server) addWebhook(c *gin.Context) {
	w, v := who(c), typedIn(c)
	_, secret, err := s.Webhooks.Put(c.Request.Context(), w.Actor(), w.Creditor, multe.WebhookID(v("id")), v("indirizzo"), c.PostFormArray("di"))
	s.afterWebhook(c, string(secret), err)
}

// pauseWebhook serves POST /collegamenti/:id/ferma.
func (s *server) pauseWebhook(c *gin.Context) {
	w := who(c)
	_, err := s.Webhooks.Pause(c.Request.Context(), w.Actor(), w.Creditor, multe.WebhookID(c.Param("id")))
	s.afterWebhook(c, "", err)
}

// resumeWebhook serves POST /collegamenti/:id/riprendi: from where it was, or again
// from a line on.
func (s *server) resumeWebhook(c *gin.Context) {
	w, v := who(c), typedIn(c)
	var after *uint64
	if v("dopo") != "" {
		n, err := strconv.ParseUint(v("dopo"), 10, 63)
		if err != nil {
			s.afterWebhook(c, "", fault.Wrap(fault.Invalid, "webhook.bad_seq", "La riga da cui ripetere va scritta come numero intero.", err))
			return
		}
		after = &n
	}
	_, err := s.Webhooks.Resume(c.Request.Context(), w.Actor(), w.Creditor, multe.WebhookID(c.Param("id")), after)
	s.afterWebhook(c, "", err)
}

// rotateWebhook serves POST /collegamenti/:id/segreto.
func (s *server) rotateWebhook(c *gin.Context) {
	w := who(c)
	_, secret, err := s.Webhooks.Rotate(c.Request.Context(), w.Actor(), w.Creditor, multe.WebhookID(c.Param("id")))
	s.afterWebhook(c, string(secret), err)
}
