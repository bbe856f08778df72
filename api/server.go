// Package api is the back office's JSON API.
//
// openapi.yaml is the truth about it: server.gen.go is made from it, and every
// request is checked against it before a handler runs (package web). Who may do
// what is also said there: an operation lists the kinds of token that open it.
package api

//go:generate go tool -modfile=../internal/tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
//go:generate go tool -modfile=../internal/tools/go.mod oapi-codegen -config client/oapi-codegen.yaml openapi.yaml

import (
	"bytes"
	"context"
	"crypto/subtle"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/flussi"
	"preavviso/internal/inbox"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/verbali"
	"preavviso/internal/web"
)

//go:embed openapi.yaml
var contract []byte

// Registry knows creditors, operators and handhelds; package registry does it.
type Registry interface {
	AddCreditor(ctx context.Context, actor string, c multe.Creditor) (multe.Creditor, error)
	Creditor(ctx context.Context, id multe.CreditorID) (multe.Creditor, error)
	ChangeCreditor(ctx context.Context, actor string, c multe.Creditor, version uint64) (multe.Creditor, error)
	Creditors(ctx context.Context, after multe.CreditorID, limit int) ([]multe.Creditor, error)
	AddOperator(ctx context.Context, actor string, c multe.CreditorID, name string, role multe.Role) (multe.Operator, string, error)
	RotateToken(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID) (multe.Operator, string, error)
	RevokeToken(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID) (multe.Operator, error)
	OperatorByToken(ctx context.Context, token string) (multe.Operator, error)
	AddDevice(ctx context.Context, actor string, c multe.CreditorID, name string, bearer bool) (multe.Device, string, error)
	InviteDevice(ctx context.Context, actor string, c multe.CreditorID, id multe.DeviceID) (multe.Device, string, error)
	RevokeDevice(ctx context.Context, actor string, c multe.CreditorID, id multe.DeviceID) (multe.Device, []multe.Code, error)
	Devices(ctx context.Context, c multe.CreditorID, after multe.DeviceID, limit int) ([]multe.Device, error)
}

// Pool tells what codes there are; package pool does it.
type Pool interface {
	Stock(ctx context.Context, c multe.CreditorID) (pool.Stock, error)
	Account(ctx context.Context, c multe.CreditorID, d multe.DeviceID, day multe.Day) ([]pool.Accounted, error)
	Void(ctx context.Context, actor string, c multe.CreditorID, p multe.PositionID, reason string) (multe.Code, error)
	UndoVoid(ctx context.Context, actor string, c multe.CreditorID, p multe.PositionID) (multe.Code, error)
	Orphans(ctx context.Context, c multe.CreditorID, after multe.PositionID, limit int) ([]multe.Code, error)
	Recover(ctx context.Context, actor string, c multe.CreditorID, found []multe.Found, commit bool) ([]pool.Recovered, bool, error)
	List(ctx context.Context, actor string, c multe.CreditorID, encode func([]multe.PositionID, multe.Causale) []byte) (pool.List, error)
}

// Verbali keeps the verbali and the history of codes; package verbali does it.
type Verbali interface {
	Record(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Record) (multe.Verbale, multe.Code, error)
	Life
	Get(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error)
	List(ctx context.Context, c multe.CreditorID, after multe.VerbaleID, limit int) ([]multe.Verbale, error)
	Search(ctx context.Context, c multe.CreditorID, q verbali.Query, after multe.VerbaleID, limit int) ([]multe.Verbale, multe.VerbaleID, error)
	Audit(ctx context.Context, c multe.CreditorID, q verbali.AuditQuery, after uint64, limit int) ([]multe.AuditEntry, uint64, error)
	FindCode(ctx context.Context, c multe.CreditorID, avvisoOrPosition string) (multe.Code, error)
	Timeline(ctx context.Context, c multe.CreditorID, p multe.PositionID) (multe.Code, []multe.AuditEntry, error)
}

// Payments lists what was paid; package payments does it.
type Payments interface {
	List(ctx context.Context, c multe.CreditorID, after multe.Payment, limit int) ([]multe.Payment, error)
}

// Receipts shows the receipts of a verbale; package receipts does it.
type Receipts interface {
	OfVerbale(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]multe.Receipt, error)
	Get(ctx context.Context, c multe.CreditorID, id multe.VerbaleID, xml multe.Digest) (multe.Receipt, error)
}

// Messages shows what the platform sent, and has it worked again; package inbox
// does it.
type Messages interface {
	List(ctx context.Context, s multe.MessageState, after multe.MessageID, limit int) ([]inbox.Head, error)
	Raw(ctx context.Context, id multe.MessageID) ([]byte, error)
	Replay(ctx context.Context, id multe.MessageID) (inbox.Head, error)
}

// Discrepancies lists what a person must look at, by id; those of creditor "" are
// the installation's.
type Discrepancies interface {
	Discrepancies(ctx context.Context, c multe.CreditorID, open bool, after string, limit int) ([]multe.Discrepancy, error)
}

// Flussi tells what the flows say; package flussi does it.
type Flussi interface {
	List(ctx context.Context, c multe.CreditorID, after multe.FlussoID, limit int) ([]multe.Flusso, error)
	Get(ctx context.Context, c multe.CreditorID, id multe.FlussoID, after, limit int) (multe.Flusso, []flussi.Line, error)
	Accounting(ctx context.Context, c multe.CreditorID, from, to multe.Day) ([]flussi.Entry, error)
}

// Config is what the API is made of.
type Config struct {
	Log    *slog.Logger
	Random io.Reader // of trace ids; safe for concurrent use
	Now    func() time.Time
	Limits web.Limits     // what is zero has a default
	Admin  []multe.Digest // of the installation's tokens, two while one is replaced; none opens nothing

	OfficeURL string // where the pages are; "" if they are off

	Registry      Registry
	Access        Access
	Repeats       web.Repeats
	Pool          Pool
	Verbali       Verbali
	Payments      Payments
	Flussi        Flussi
	Documents     Documents
	Receipts      Receipts
	Webhooks      Webhooks
	Photos        Photos
	Feedback      Feedback
	Messages      Messages
	Discrepancies Discrepancies
	Worklist      Worklist
	Money         Money
	Exports       Exports
	Owners        Owners
	Prints        Prints

	// Enrolment makes what the office shows to a handheld out of a one-time code: one
	// text, and its QR code. Both are empty where nobody knows our address.
	Enrolment func(code string) (uri, svg string, err error)
}

// defaultLimits allow a program of the office to work through a day's verbali at
// once, and fifty requests a second.
var defaultLimits = web.Limits{Rate: 50, Burst: 1000}

// New returns the API.
func New(cfg Config) *web.Server {
	s := &server{Config: cfg}
	w, err := web.New(web.Config{Contract: contract, Log: cfg.Log, Random: cfg.Random, Now: cfg.Now, Limits: cfg.Limits.Or(defaultLimits), Admit: s.admit,
		Repeats: cfg.Repeats, Actor: actor})
	if err != nil {
		panic(err) // impossible: the document is part of the program, and tested
	}
	s.web = w
	RegisterHandlersWithOptions(w.Routes(), NewStrictHandlerWithOptions(s, []StrictMiddlewareFunc{s.look(w), expect}, StrictGinServerOptions{
		RequestErrorHandlerFunc:  w.Unbound,
		HandlerErrorFunc:         w.Fail,
		ResponseErrorHandlerFunc: w.Fail,
	}), GinServerOptions{ErrorHandler: w.UnboundParameter})
	return w
}

type server struct {
	Config
	web *web.Server
}

// The security schemes of openapi.yaml.
const (
	schemeAdmin    = "admin"
	schemeOperator = "operator"
)

type actorKey struct{}

// admit finds who calls. An operator learns nothing about other creditors: the
// answer is the same whether or not they exist.
func (s *server) admit(ctx context.Context, token string, call web.Call) (context.Context, error) {
	if s.isAdmin(token) {
		if call.Creditor != "" {
			if _, err := s.Registry.Creditor(ctx, multe.CreditorID(call.Creditor)); err != nil {
				return nil, err
			}
		}
		return context.WithValue(ctx, actorKey{}, "admin"), nil
	}
	o, err := s.Registry.OperatorByToken(ctx, token)
	if err != nil {
		return nil, err
	}
	if call.Creditor != "" && multe.CreditorID(call.Creditor) != o.Creditor {
		return nil, fault.New(fault.Forbidden, "auth.wrong_creditor", "Le credenziali non valgono per questo ente.")
	}
	if !slices.Contains(call.Schemes, schemeOperator) {
		return nil, fault.New(fault.Forbidden, "auth.admin_only", "L'operazione è riservata all'amministratore del servizio.")
	}
	if p := multe.Permission(call.Permission); p != anyRole && !o.RoleOf().May(p) {
		return nil, fault.New(fault.Forbidden, "auth.role", "Il ruolo dell'operatore non permette questa operazione.")
	}
	return context.WithValue(ctx, actorKey{}, "operator:"+string(o.ID)), nil
}

func (s *server) isAdmin(token string) bool {
	digest, found := multe.DigestOf([]byte(token)), 0
	for _, a := range s.Admin {
		found |= subtle.ConstantTimeCompare(digest[:], a[:])
	}
	return found == 1
}

// actor returns whom admit found, as the history names them.
func actor(ctx context.Context) string {
	a, _ := ctx.Value(actorKey{}).(string)
	return a
}

// Health serves GET /v1/health: one small read proves that the store answers.
func (s *server) Health(ctx context.Context, _ HealthRequestObject) (HealthResponseObject, error) {
	if _, err := s.Registry.Creditors(ctx, "", 1); err != nil {
		return nil, err
	}
	return Health200JSONResponse{Status: Ok}, nil
}

// AddCreditor serves POST /v1/creditors.
func (s *server) AddCreditor(ctx context.Context, r AddCreditorRequestObject) (AddCreditorResponseObject, error) {
	c, err := s.Registry.AddCreditor(ctx, actor(ctx), creditorOf(*r.Body))
	if err != nil {
		return nil, err
	}
	return AddCreditor201JSONResponse(creditorBody(c)), nil
}

// ReadCreditor serves GET /v1/creditors/{cf}.
func (s *server) ReadCreditor(ctx context.Context, r ReadCreditorRequestObject) (ReadCreditorResponseObject, error) {
	c, err := s.Registry.Creditor(ctx, multe.CreditorID(r.Cf))
	if err != nil {
		return nil, err
	}
	return ReadCreditor200JSONResponse{creditorVersion(c)}, nil
}

// AddOperator serves POST /v1/creditors/{cf}/operators.
func (s *server) AddOperator(ctx context.Context, r AddOperatorRequestObject) (AddOperatorResponseObject, error) {
	o, token, err := s.Registry.AddOperator(ctx, actor(ctx), multe.CreditorID(r.Cf), r.Body.Name, multe.Role(r.Body.Role))
	if err != nil {
		return nil, err
	}
	return AddOperator201JSONResponse{Id: string(o.ID), Name: o.Name, Token: token}, nil
}

// AddDevice serves POST /v1/creditors/{cf}/devices.
func (s *server) AddDevice(ctx context.Context, r AddDeviceRequestObject) (AddDeviceResponseObject, error) {
	d, code, err := s.Registry.AddDevice(ctx, actor(ctx), multe.CreditorID(r.Cf), r.Body.Name, r.Body.Bearer)
	if err != nil {
		return nil, err
	}
	uri, svg, err := s.Enrolment(code)
	if err != nil {
		return nil, err
	}
	return AddDevice201JSONResponse{Device: deviceBody(d), Code: code, Expires: d.InviteBy, Enrolment: uri, QrSvg: svg}, nil
}

// InviteDevice serves POST /v1/creditors/{cf}/devices/{id}/invites.
func (s *server) InviteDevice(ctx context.Context, r InviteDeviceRequestObject) (InviteDeviceResponseObject, error) {
	d, code, err := s.Registry.InviteDevice(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.DeviceID(r.Id))
	if err != nil {
		return nil, err
	}
	uri, svg, err := s.Enrolment(code)
	if err != nil {
		return nil, err
	}
	return InviteDevice201JSONResponse{Device: deviceBody(d), Code: code, Expires: d.InviteBy, Enrolment: uri, QrSvg: svg}, nil
}

// RevokeDevice serves DELETE /v1/creditors/{cf}/devices/{id}.
func (s *server) RevokeDevice(ctx context.Context, r RevokeDeviceRequestObject) (RevokeDeviceResponseObject, error) {
	d, exposed, err := s.Registry.RevokeDevice(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.DeviceID(r.Id))
	if err != nil {
		return nil, err
	}
	return RevokeDevice200JSONResponse{Id: string(d.ID), Name: d.Name, State: RevokedDeviceState(d.State), Changed: d.Changed, Exposed: each(exposed, codeBody)}, nil
}

// AccountCodes serves GET /v1/creditors/{cf}/devices/{id}/codes.
func (s *server) AccountCodes(ctx context.Context, r AccountCodesRequestObject) (AccountCodesResponseObject, error) {
	day, err := multe.ParseDay(r.Params.Day)
	if err != nil {
		return nil, err
	}
	list, err := s.Pool.Account(ctx, multe.CreditorID(r.Cf), multe.DeviceID(r.Id), day)
	if err != nil {
		return nil, err
	}
	out := AccountCodes200JSONResponse{Codes: each(list, accountedBody)}
	for _, a := range list {
		if a.Open() {
			out.Open++
		}
	}
	return out, nil
}

// ListDevices serves GET /v1/creditors/{cf}/devices.
func (s *server) ListDevices(ctx context.Context, r ListDevicesRequestObject) (ListDevicesResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Registry.Devices(ctx, multe.CreditorID(r.Cf), multe.DeviceID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := DevicePage{Devices: each(list, deviceBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListDevices200JSONResponse(page), nil
}

// ReadStock serves GET /v1/creditors/{cf}/stock.
func (s *server) ReadStock(ctx context.Context, r ReadStockRequestObject) (ReadStockResponseObject, error) {
	st, err := s.Pool.Stock(ctx, multe.CreditorID(r.Cf))
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, state := range multe.CodeStates() {
		counts[string(state)] = st.Counts[state]
	}
	return ReadStock200JSONResponse{Counts: counts, Low: st.Low, Target: st.Target, Short: st.Short}, nil
}

// ListVerbali serves GET /v1/creditors/{cf}/verbali.
func (s *server) ListVerbali(ctx context.Context, r ListVerbaliRequestObject) (ListVerbaliResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Verbali.List(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := VerbalePage{Verbali: each(list, s.verbaleBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].Slip.ID)
	}
	return ListVerbali200JSONResponse(page), nil
}

// ReadVerbale serves GET /v1/creditors/{cf}/verbali/{id}.
func (s *server) ReadVerbale(ctx context.Context, r ReadVerbaleRequestObject) (ReadVerbaleResponseObject, error) {
	v, k, err := s.Verbali.Get(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReadVerbale200JSONResponse{Body: VerbaleAndCode{Verbale: s.verbaleBody(v), Code: codeBody(k)},
		Headers: ReadVerbale200ResponseHeaders{ETag: etag(v.Version)}}, nil
}

// ReadCode serves GET /v1/creditors/{cf}/codes/{code}.
func (s *server) ReadCode(ctx context.Context, r ReadCodeRequestObject) (ReadCodeResponseObject, error) {
	k, err := s.Verbali.FindCode(ctx, multe.CreditorID(r.Cf), r.Code)
	if err != nil {
		return nil, err
	}
	return ReadCode200JSONResponse(codeBody(k)), nil
}

// ReadTimeline serves GET /v1/creditors/{cf}/codes/{code}/timeline.
func (s *server) ReadTimeline(ctx context.Context, r ReadTimelineRequestObject) (ReadTimelineResponseObject, error) {
	c := multe.CreditorID(r.Cf)
	k, err := s.Verbali.FindCode(ctx, c, r.Code)
	if err != nil {
		return nil, err
	}
	k, entries, err := s.Verbali.Timeline(ctx, c, k.Position)
	if err != nil {
		return nil, err
	}
	return ReadTimeline200JSONResponse{Code: codeBody(k), Entries: each(entries, entryBody)}, nil
}

// ListPayments serves GET /v1/creditors/{cf}/payments.
func (s *server) ListPayments(ctx context.Context, r ListPaymentsRequestObject) (ListPaymentsResponseObject, error) {
	after, err := parsePaymentCursor(r.Params.After)
	if err != nil {
		return nil, err
	}
	from, to, err := days(r.Params.From, r.Params.To)
	if err != nil {
		return nil, err
	}
	if r.Params.After == "" && !from.IsZero() {
		after = multe.Payment{Received: from.Start().UTC()} // before all that came in that instant: they have an IUV
	}
	limit := pageSize(r.Params.Limit)
	list, err := s.Payments.List(ctx, multe.CreditorID(r.Cf), after, limit)
	if err != nil {
		return nil, err
	}
	late := func(p multe.Payment) bool { return !to.IsZero() && !p.Received.Before(to.Plus(1).Start()) }
	if i := slices.IndexFunc(list, late); i >= 0 {
		list = list[:i] // they are in the order of arrival
	}
	page := PaymentPage{Payments: each(list, paymentBody)}
	if len(list) == limit {
		page.Next = paymentCursor(list[limit-1])
	}
	return ListPayments200JSONResponse(page), nil
}

// ListReceipts serves GET /v1/creditors/{cf}/verbali/{id}/receipts.
func (s *server) ListReceipts(ctx context.Context, r ListReceiptsRequestObject) (ListReceiptsResponseObject, error) {
	list, err := s.Receipts.OfVerbale(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Id))
	if err != nil {
		return nil, err
	}
	return ListReceipts200JSONResponse{Receipts: each(list, receiptBody)}, nil
}

// ReadReceipt serves GET /v1/creditors/{cf}/verbali/{id}/receipts/{digest}.
func (s *server) ReadReceipt(ctx context.Context, r ReadReceiptRequestObject) (ReadReceiptResponseObject, error) {
	var digest multe.Digest
	if err := digest.UnmarshalText([]byte(r.Digest)); err != nil {
		return nil, fmt.Errorf("the document allows a digest that is none: %w", err)
	}
	receipt, err := s.Receipts.Get(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Id), digest)
	if err != nil {
		return nil, err
	}
	return ReadReceipt200ApplicationoctetStreamResponse{Body: bytes.NewReader(receipt.XML), ContentLength: int64(len(receipt.XML))}, nil
}

// ListMessages serves GET /v1/messages.
func (s *server) ListMessages(ctx context.Context, r ListMessagesRequestObject) (ListMessagesResponseObject, error) {
	state := multe.MessageState(r.Params.State)
	if state == "" {
		state = multe.MessageDead
	}
	limit := pageSize(r.Params.Limit)
	list, err := s.Messages.List(ctx, state, multe.MessageID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := MessagePage{Messages: each(list, messageBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListMessages200JSONResponse(page), nil
}

// ReadMessage serves GET /v1/messages/{id}/raw.
func (s *server) ReadMessage(ctx context.Context, r ReadMessageRequestObject) (ReadMessageResponseObject, error) {
	raw, err := s.Messages.Raw(ctx, multe.MessageID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReadMessage200ApplicationoctetStreamResponse{Body: bytes.NewReader(raw), ContentLength: int64(len(raw))}, nil
}

// ReplayMessage serves POST /v1/messages/{id}/replay.
func (s *server) ReplayMessage(ctx context.Context, r ReplayMessageRequestObject) (ReplayMessageResponseObject, error) {
	head, err := s.Messages.Replay(ctx, multe.MessageID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReplayMessage200JSONResponse(messageBody(head)), nil
}

// ListDiscrepancies serves GET /v1/creditors/{cf}/discrepancies.
func (s *server) ListDiscrepancies(ctx context.Context, r ListDiscrepanciesRequestObject) (ListDiscrepanciesResponseObject, error) {
	page, err := s.discrepancies(ctx, multe.CreditorID(r.Cf), r.Params.Open, r.Params.Kind, r.Params.After, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return ListDiscrepancies200JSONResponse(page), nil
}

// ListInstallationDiscrepancies serves GET /v1/discrepancies.
func (s *server) ListInstallationDiscrepancies(ctx context.Context, r ListInstallationDiscrepanciesRequestObject) (ListInstallationDiscrepanciesResponseObject, error) {
	page, err := s.discrepancies(ctx, "", r.Params.Open, r.Params.Kind, r.Params.After, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return ListInstallationDiscrepancies200JSONResponse(page), nil
}

func (s *server) discrepancies(ctx context.Context, c multe.CreditorID, open *Open, kind DiscrepancyKind, after AfterDiscrepancy, limit Limit) (DiscrepancyPage, error) {
	n := pageSize(limit)
	if kind != "" {
		after = max(after, kind+":") // an id is kind and subject
	}
	list, err := s.Discrepancies.Discrepancies(ctx, c, open == nil || *open, after, n)
	if err != nil {
		return DiscrepancyPage{}, err
	}
	if i := slices.IndexFunc(list, func(d multe.Discrepancy) bool { return kind != "" && d.Kind != kind }); i >= 0 {
		list = list[:i]
	}
	page := DiscrepancyPage{Discrepancies: each(list, discrepancyBody)}
	if len(list) == n {
		page.Next = list[n-1].ID
	}
	return page, nil
}

// defaultPage is the size of a page that nobody chose: the default that
// openapi.yaml states.
const defaultPage = 100

func pageSize(limit int) int {
	if limit == 0 {
		return defaultPage
	}
	return limit
}

func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = f(a)
	}
	return out
}
