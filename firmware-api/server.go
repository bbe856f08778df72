// Package firmwareapi is the JSON API that handhelds speak.
//
// openapi.yaml is the truth about it: server.gen.go is made from it, and every
// request is checked against it before a handler runs (package web). README.md
// tells firmware authors how the calls fit together.
package firmwareapi

//go:generate go tool -modfile=../internal/tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/texts"
	"preavviso/internal/web"
	"preavviso/pdf"
)

//go:embed openapi.yaml
var contract []byte

// Registry knows the handhelds; package registry does it.
type Registry interface {
	Enrol(ctx context.Context, code string) (multe.Device, multe.Creditor, string, error)
	EnrolKey(ctx context.Context, code string, key multe.DeviceKey) (multe.Device, multe.Creditor, error)
	DeviceByKey(ctx context.Context, keyid string) (multe.Device, error)
	DeviceByToken(ctx context.Context, token string) (multe.Device, error)
	Heard(ctx context.Context, d multe.Device) error
	Creditor(ctx context.Context, id multe.CreditorID) (multe.Creditor, error)
}

// Pool lends codes and takes them back; package pool does it.
type Pool interface {
	Return(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.ReturnID, positions []multe.PositionID) ([]error, error)
	Spoil(ctx context.Context, c multe.CreditorID, d multe.DeviceID, p multe.PositionID, reason multe.SpoilReason) (multe.SpoilReason, error)
	Lease(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.LeaseID, want int) ([]multe.Code, error)
	Held(ctx context.Context, c multe.CreditorID, d multe.DeviceID) ([]multe.Code, error)
	Stock(ctx context.Context, c multe.CreditorID) (pool.Stock, error)
}

// Verbali takes what handhelds printed; package verbali does it.
type Verbali interface {
	Upload(ctx context.Context, c multe.CreditorID, d multe.DeviceID, s multe.Slip, body multe.Digest, skew *time.Duration) (multe.Verbale, multe.Code, error)
	Get(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error)
	ByDevice(ctx context.Context, c multe.CreditorID, d multe.DeviceID, after multe.VerbaleID, limit int) ([]multe.Verbale, error)
}

// Prints draws slips; package prints does it.
type Prints interface {
	Slip(ctx context.Context, actor string, c multe.CreditorID, device multe.DeviceID, id multe.VerbaleID, reprint bool, draw func(pdf.Notice, texts.Set) ([]byte, error)) ([]byte, error)
}

// Config is what the API is made of.
type Config struct {
	Log      *slog.Logger
	Random   io.Reader // of trace ids; safe for concurrent use
	Now      func() time.Time
	Limits   web.Limits // what is zero has a default
	Registry Registry
	Pool     Pool
	Verbali  Verbali
	Prints   Prints
	Photos   Photos
	Feedback Feedback
	Shifts   Shifts
	Stopping <-chan struct{} // closed when the service is about to stop: streams end then; nil is never
}

// defaultLimits allow a handheld four requests a second, which is less than the
// nonces that are remembered for it, and the slips of a whole shift at once.
var defaultLimits = web.Limits{Rate: 4, Burst: 300}

// New returns the API.
func New(cfg Config) *web.Server {
	s := &server{registry: cfg.Registry, pool: cfg.Pool, verbali: cfg.Verbali, prints: cfg.Prints, photos: cfg.Photos, feedback: cfg.Feedback, shifts: cfg.Shifts, stopping: cfg.Stopping, now: cfg.Now}
	w, err := web.New(web.Config{Contract: contract, Log: cfg.Log, Random: cfg.Random, Now: cfg.Now, Limits: cfg.Limits.Or(defaultLimits), Admit: s.admit, AdmitSigned: s.admitSigned})
	if err != nil {
		panic(err) // impossible: the document is part of the program, and tested
	}
	s.web = w
	RegisterHandlersWithOptions(w.Routes(), NewStrictHandlerWithOptions(s, []StrictMiddlewareFunc{s.hint}, StrictGinServerOptions{
		RequestErrorHandlerFunc:  w.Unbound,
		HandlerErrorFunc:         w.Fail,
		ResponseErrorHandlerFunc: w.Fail,
	}), GinServerOptions{ErrorHandler: w.UnboundParameter})
	return w
}

type server struct {
	registry Registry
	pool     Pool
	verbali  Verbali
	prints   Prints
	photos   Photos
	feedback Feedback
	shifts   Shifts
	web      *web.Server
	stopping <-chan struct{}
	streams  streams
	now      func() time.Time
}

type deviceKey struct{}

// admit finds the handheld that calls. Every operation that needs one is open to
// all of them: what belongs to another handheld is decided by the use cases.
func (s *server) admit(ctx context.Context, token string, _ web.Call) (context.Context, error) {
	d, err := s.registry.DeviceByToken(ctx, token)
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, deviceKey{}, d), nil
}

// admitSigned is admit for a handheld that signs.
func (s *server) admitSigned(ctx context.Context, sig *web.Signature, _ web.Call) (context.Context, error) {
	d, err := s.registry.DeviceByKey(ctx, sig.KeyID)
	if err != nil {
		return nil, err
	}
	key, err := d.Key.Public()
	if err != nil {
		return nil, err
	}
	if err := sig.Verify(key); err != nil {
		return nil, err
	}
	return context.WithValue(ctx, deviceKey{}, d), nil
}

// hint notes that a handheld called and tells it, with whatever answer, whether
// codes run short and until when it may keep silent.
func (s *server) hint(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	return func(c *gin.Context, request any) (any, error) {
		d := caller(c)
		if d.ID == "" {
			return next(c, request)
		}
		if operation != "Lease" { // which notes it in its own commit
			if err := s.registry.Heard(c, d); err != nil {
				return nil, err
			}
		}
		stock, err := s.pool.Stock(c, d.Creditor)
		if err != nil {
			return nil, err
		}
		word := "ok"
		if stock.Short {
			word = "low"
		}
		expires := multe.Instant(s.now().Add(stock.Lease))
		c.Header("Preavviso-Stock", word)
		c.Header("Preavviso-Expires", expires.Format(time.RFC3339))
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), expiresKey{}, expires))
		return next(c, request)
	}
}

type expiresKey struct{}

// expires is until when the caller may keep silent with what it holds.
func expires(ctx context.Context) time.Time {
	t, _ := ctx.Value(expiresKey{}).(time.Time)
	return t
}

// caller returns whom admit found.
func caller(ctx context.Context) multe.Device {
	d, _ := ctx.Value(deviceKey{}).(multe.Device)
	return d
}

// Enrol serves POST /v1/enrolments. A public key that did not sign the request
// may be anybody's.
func (s *server) Enrol(ctx context.Context, r EnrolRequestObject) (EnrolResponseObject, error) {
	if r.Body.PublicKey == "" {
		d, c, token, err := s.registry.Enrol(ctx, r.Body.Code)
		if err != nil {
			return nil, err
		}
		return Enrol201JSONResponse{Device: string(d.ID), Name: d.Name, Token: token, Creditor: s.creditorBody(c)}, nil
	}
	key, err := multe.ParseDeviceKey(r.Body.PublicKey)
	if err != nil {
		return nil, err
	}
	if err := possessed(key, web.SignatureOf(ctx)); err != nil {
		return nil, err
	}
	d, c, err := s.registry.EnrolKey(ctx, r.Body.Code, key)
	if err != nil {
		return nil, err
	}
	return Enrol201JSONResponse{Device: string(d.ID), Name: d.Name, Creditor: s.creditorBody(c)}, nil
}

// possessed checks that whoever signed has the private half of key.
func possessed(key multe.DeviceKey, sig *web.Signature) error {
	if sig == nil {
		return fault.New(fault.Forbidden, "auth.unsigned", "La richiesta deve essere firmata con la chiave che si registra.")
	}
	if sig.KeyID != key.ID().String() {
		return fault.New(fault.Forbidden, "auth.bad_signature", "La firma della richiesta non è della chiave che si registra.")
	}
	public, err := key.Public()
	if err != nil {
		return err
	}
	return sig.Verify(public)
}

// Lease serves POST /v1/leases.
func (s *server) Lease(ctx context.Context, r LeaseRequestObject) (LeaseResponseObject, error) {
	d := caller(ctx)
	codes, err := s.pool.Lease(ctx, d.Creditor, d.ID, multe.LeaseID(r.Body.Id), r.Body.Want)
	if err != nil {
		return nil, err
	}
	return Lease200JSONResponse{Id: r.Body.Id, Expires: expires(ctx), Codes: codeBodies(codes)}, nil
}

// Return serves POST /v1/returns.
func (s *server) Return(ctx context.Context, r ReturnRequestObject) (ReturnResponseObject, error) {
	d := caller(ctx)
	positions := make([]multe.PositionID, len(r.Body.Positions))
	for i, p := range r.Body.Positions {
		positions[i] = multe.PositionID(p)
	}
	refused, err := s.pool.Return(ctx, d.Creditor, d.ID, multe.ReturnID(r.Body.Id), positions)
	if err != nil {
		return nil, err
	}
	codes := make([]ReturnedCode, len(positions))
	for i, p := range r.Body.Positions {
		codes[i] = ReturnedCode{Position: p, Returned: refused[i] == nil}
		if refused[i] != nil {
			e := fault.Of(refused[i])
			codes[i].Code, codes[i].Detail = e.Code, e.Detail
		}
	}
	return Return200JSONResponse{Id: r.Body.Id, Codes: codes}, nil
}

// Spoil serves POST /v1/spoils.
func (s *server) Spoil(ctx context.Context, r SpoilRequestObject) (SpoilResponseObject, error) {
	d := caller(ctx)
	reason, err := s.pool.Spoil(ctx, d.Creditor, d.ID, multe.PositionID(r.Body.Position), multe.SpoilReason(r.Body.Reason))
	if err != nil {
		return nil, err
	}
	return Spoil200JSONResponse{Position: r.Body.Position, Reason: SpoilReason(reason)}, nil
}

// Issue serves POST /v1/verbali. The answer holds only what never changes, so
// that a repetition gets the same bytes.
func (s *server) Issue(ctx context.Context, r IssueRequestObject) (IssueResponseObject, error) {
	receipt, err := s.upload(ctx, *r.Body, r.Params.Date)
	if err != nil {
		return nil, err
	}
	return Issue200JSONResponse(receipt), nil
}

// ReadVerbale serves GET /v1/verbali/{id}. A verbale of another handheld looks
// like one that does not exist.
func (s *server) ReadVerbale(ctx context.Context, r ReadVerbaleRequestObject) (ReadVerbaleResponseObject, error) {
	d := caller(ctx)
	v, k, err := s.verbali.Get(ctx, d.Creditor, multe.VerbaleID(r.Id))
	if errors.Is(err, fault.NotFound) || err == nil && v.Device != d.ID {
		return nil, fault.New(fault.NotFound, "verbale.unknown", "Il verbale non risulta inviato da questo palmare.")
	}
	if err != nil {
		return nil, err
	}
	return ReadVerbale200JSONResponse{
		Id:         string(v.Slip.ID),
		Position:   string(v.Slip.Position),
		Avviso:     v.Slip.Number.String(),
		ReceivedAt: v.ReceivedAt,
		State:      VerbaleState(v.State),
		CodeState:  CodeState(k.State),
		Payable:    k.State == multe.CodeActive,
		DueCents:   int64(v.DueOn(multe.DayOf(s.now()))),
	}, nil
}

// ReadState serves GET /v1/state.
func (s *server) ReadState(ctx context.Context, _ ReadStateRequestObject) (ReadStateResponseObject, error) {
	d := caller(ctx)
	c, err := s.registry.Creditor(ctx, d.Creditor)
	if err != nil {
		return nil, err
	}
	held, err := s.pool.Held(ctx, d.Creditor, d.ID)
	if err != nil {
		return nil, err
	}
	stock, err := s.pool.Stock(ctx, d.Creditor)
	if err != nil {
		return nil, err
	}
	verbali, err := s.recent(ctx, d)
	if err != nil {
		return nil, err
	}
	return ReadState200JSONResponse{
		Device:     string(d.ID),
		Name:       d.Name,
		Creditor:   s.creditorBody(c),
		ServerTime: multe.Instant(s.now()),
		Expires:    expires(ctx),
		Held:       codeBodies(held),
		StockLow:   stock.Short,
		Verbali:    verbali,
	}, nil
}

const (
	// recentTime is how far back a handheld is reminded: a shift and the one
	// before it.
	recentTime = 48 * time.Hour
	// maxRecent bounds the reminder; each verbale is one read.
	maxRecent = 200
)

// recent lists the latest verbali of a handheld, oldest first. Their ids begin
// with their time, so an id of two days ago is where to start.
func (s *server) recent(ctx context.Context, d multe.Device) ([]VerbaleItem, error) {
	after := multe.VerbaleID(fmt.Sprintf("%012x", s.now().Add(-recentTime).UnixMilli()))
	var latest []multe.Verbale
	for {
		page, err := s.verbali.ByDevice(ctx, d.Creditor, d.ID, after, maxRecent)
		if err != nil {
			return nil, err
		}
		latest = append(latest, page...)
		latest = latest[max(0, len(latest)-maxRecent):]
		if len(page) < maxRecent {
			break
		}
		after = page[len(page)-1].Slip.ID
	}
	items := make([]VerbaleItem, len(latest))
	for i, v := range latest {
		v, k, err := s.verbali.Get(ctx, v.Creditor, v.Slip.ID)
		if err != nil {
			return nil, err
		}
		items[i] = VerbaleItem{Id: string(v.Slip.ID), State: VerbaleState(v.State), CodeState: CodeState(k.State)}
	}
	return items, nil
}

func codeBodies(codes []multe.Code) []Code {
	out := make([]Code, len(codes))
	for i, k := range codes {
		out[i] = Code{Position: string(k.Position), Avviso: k.Number.String(), Iuv: k.Number.IUV(), State: CodeState(k.State)}
	}
	return out
}

func (s *server) creditorBody(c multe.Creditor) Creditor {
	out := Creditor{Cf: string(c.ID), Name: c.Name, Settore: c.Settore, Info: c.Info, Cbill: c.CBILL}
	if p := c.Postal; p != nil && p.Authorization != "" {
		out.Postal = PostalAccount{Number: p.Number, Holder: p.Holder, Authorization: p.Authorization}
	}
	if c.PolicyOn(multe.DayOf(s.now())).Amount == multe.AmountTwoCodes {
		out.Amounts = TwoCodes
	}
	return out
}

// slipOf parses what the document cannot describe: check digits and the plate.
func slipOf(b Slip) (multe.Slip, error) {
	number, err := avviso.ParseNumber(b.Avviso)
	if err != nil {
		return multe.Slip{}, fault.Wrap(fault.Invalid, "avviso.malformed", "Il codice avviso non è corretto: le cifre di controllo non corrispondono.", err)
	}
	plate, err := multe.ParsePlate(b.Plate)
	if err != nil {
		return multe.Slip{}, err
	}
	s := multe.Slip{
		ID:        multe.VerbaleID(b.Id),
		Position:  multe.PositionID(b.Position),
		Number:    number,
		Reference: b.Reference,
		Plate:     plate,
		Nation:    b.Nation,
		Vehicle:   b.Vehicle,
		Place:     b.Place,
		Violation: multe.Violation{Code: b.Violation.Code, Norm: b.Violation.Norm, Conduct: b.Violation.Conduct},
		Warden:    b.Warden,
		IssuedAt:  multe.Instant(b.IssuedAt),
		Offline:   b.Offline,

		VehicleClass: multe.VehicleClass(b.VehicleClass), SkewMS: b.ClockSkewMs, OfflineReason: multe.OfflineReason(b.OfflineReason),
	}
	if g := b.Gps; g != nil {
		s.GPS = &multe.GPS{LatE6: g.LatE6, LonE6: g.LonE6, AccuracyM: g.AccuracyM}
	}
	if b.Full != (FullCode{}) {
		full, err := avviso.ParseNumber(b.Full.Avviso)
		if err != nil {
			return multe.Slip{}, fault.Wrap(fault.Invalid, "avviso.malformed", "Il codice avviso non è corretto: le cifre di controllo non corrispondono.", err)
		}
		s.Full = &multe.SlipCode{Position: multe.PositionID(b.Full.Position), Number: full}
	}
	for _, step := range b.Steps {
		s.Steps = append(s.Steps, multe.Step{Cents: multe.Cents(step.Cents), LastDay: step.LastDay})
	}
	return s, nil
}

// meant is a slip as its digest sees it. Digests are stored for ever, so fields
// keep their name and order, and a new one comes last, with omitzero.
type meant struct {
	ID, Position, Avviso, Reference string
	Plate, Nation, Vehicle, Place   string
	Norm, Conduct, Warden, IssuedAt string
	Offline                         bool
	Steps                           []meantStep
	Full                            *meantCode `json:",omitzero"`

	ViolationCode, VehicleClass, OfflineReason string     `json:",omitzero"`
	GPS                                        *multe.GPS `json:",omitzero"`
	SkewMS                                     int64      `json:",omitzero"`
}

type meantCode struct{ Position, Avviso string }

type meantStep struct {
	Cents   int64
	LastDay string
}

// digestOf tells two contents apart: not the bytes that arrived, but what they
// mean.
func digestOf(s multe.Slip) (multe.Digest, error) {
	m := meant{
		ID: string(s.ID), Position: string(s.Position), Avviso: s.Number.String(), Reference: s.Reference,
		Plate: string(s.Plate), Nation: s.Nation, Vehicle: s.Vehicle, Place: s.Place,
		Norm: s.Violation.Norm, Conduct: s.Violation.Conduct, Warden: s.Warden, IssuedAt: s.IssuedAt.Format(time.RFC3339Nano),
		Offline: s.Offline,

		ViolationCode: s.Violation.Code, VehicleClass: string(s.VehicleClass), OfflineReason: string(s.OfflineReason), GPS: s.GPS, SkewMS: s.SkewMS,
	}
	for _, step := range s.Steps {
		m.Steps = append(m.Steps, meantStep{int64(step.Cents), step.LastDay.String()})
	}
	if f := s.Full; f != nil {
		m.Full = &meantCode{string(f.Position), f.Number.String()}
	}
	return multe.DigestJSON(m)
}
