package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"preavviso/internal/multe"
	"preavviso/internal/web"
)

// anyRole is the x-permission of what needs only that one belongs to the creditor.
// An operation without x-permission is nobody's but the installation's.
const anyRole multe.Permission = "any"

// Access knows people and records what was looked at; package access does it.
type Access interface {
	Operators(ctx context.Context, c multe.CreditorID, after multe.OperatorID, limit int) ([]multe.Operator, error)
	Invite(ctx context.Context, actor string, c multe.CreditorID, name, login string, role multe.Role) (multe.Operator, string, error)
	Reset(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID) (multe.Operator, string, error)
	SetRole(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID, role multe.Role) (multe.Operator, error)
	Disable(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID, disabled bool) (multe.Operator, error)
	LookBy(ctx context.Context, actor string, c multe.CreditorID, what, subject string, p multe.PositionID) error
}

// look records who was given personal data, before they are given them: an answer
// that nobody could record is not sent. A write leaves its own line.
func (s *server) look(w *web.Server) StrictMiddlewareFunc {
	return func(next StrictHandlerFunc, operation string) StrictHandlerFunc {
		if !personal(w.Permission(operation)) {
			return next
		}
		return func(c *gin.Context, request any) (any, error) {
			if c.Request.Method != http.MethodGet && operation != "SearchVerbali" {
				return next(c, request)
			}
			answer, err := next(c, request)
			if err != nil {
				return nil, err
			}
			subject := c.Param("id")
			err = s.Access.LookBy(c, actor(c), multe.CreditorID(c.Param("cf")), "api."+strings.ToLower(operation[:1])+operation[1:], subject, "")
			return answer, err
		}
	}
}

// personal reports whether what a permission opens holds personal data.
func personal(permission string) bool {
	return permission == string(multe.MaySeePersonal) || permission == string(multe.MayExport)
}

func operatorBody(o multe.Operator) KnownOperator {
	return KnownOperator{Id: string(o.ID), Name: o.Name, Role: string(o.RoleOf()), Disabled: o.Disabled, HasToken: !o.Token.IsZero(),
		Email: o.Login, Invited: o.InviteBy, SecondFactor: o.TOTP.Confirmed, Changed: o.Changed, Version: int64(o.Version)}
}

func (s *server) invitation(o multe.Operator, code string) PersonInvitation {
	i := PersonInvitation{Operator: operatorBody(o), Code: code, Expires: o.InviteBy}
	if s.OfficeURL != "" {
		i.Link = s.OfficeURL + "/invito?codice=" + code
	}
	return i
}

// ListOperators serves GET /v1/creditors/{cf}/operators.
func (s *server) ListOperators(ctx context.Context, r ListOperatorsRequestObject) (ListOperatorsResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Access.Operators(ctx, multe.CreditorID(r.Cf), multe.OperatorID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := OperatorPage{Operators: each(list, operatorBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListOperators200JSONResponse(page), nil
}

// InviteOperator serves POST /v1/creditors/{cf}/people.
func (s *server) InviteOperator(ctx context.Context, r InviteOperatorRequestObject) (InviteOperatorResponseObject, error) {
	o, code, err := s.Access.Invite(ctx, actor(ctx), multe.CreditorID(r.Cf), r.Body.Name, r.Body.Email, multe.Role(r.Body.Role))
	if err != nil {
		return nil, err
	}
	return InviteOperator201JSONResponse(s.invitation(o, code)), nil
}

// ResetOperator serves POST /v1/creditors/{cf}/operators/{id}/reset.
func (s *server) ResetOperator(ctx context.Context, r ResetOperatorRequestObject) (ResetOperatorResponseObject, error) {
	o, code, err := s.Access.Reset(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.OperatorID(r.Id))
	if err != nil {
		return nil, err
	}
	return ResetOperator201JSONResponse(s.invitation(o, code)), nil
}

// SetRole serves PUT /v1/creditors/{cf}/operators/{id}/role.
func (s *server) SetRole(ctx context.Context, r SetRoleRequestObject) (SetRoleResponseObject, error) {
	o, err := s.Access.SetRole(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.OperatorID(r.Id), multe.Role(r.Body.Role))
	if err != nil {
		return nil, err
	}
	return SetRole200JSONResponse(operatorBody(o)), nil
}

// DisableOperator serves PUT /v1/creditors/{cf}/operators/{id}/disabled.
func (s *server) DisableOperator(ctx context.Context, r DisableOperatorRequestObject) (DisableOperatorResponseObject, error) {
	o, err := s.Access.Disable(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.OperatorID(r.Id), true)
	if err != nil {
		return nil, err
	}
	return DisableOperator200JSONResponse(operatorBody(o)), nil
}

// EnableOperator serves DELETE /v1/creditors/{cf}/operators/{id}/disabled.
func (s *server) EnableOperator(ctx context.Context, r EnableOperatorRequestObject) (EnableOperatorResponseObject, error) {
	o, err := s.Access.Disable(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.OperatorID(r.Id), false)
	if err != nil {
		return nil, err
	}
	return EnableOperator200JSONResponse(operatorBody(o)), nil
}

// RotateToken serves POST /v1/creditors/{cf}/operators/{id}/token.
func (s *server) RotateToken(ctx context.Context, r RotateTokenRequestObject) (RotateTokenResponseObject, error) {
	o, token, err := s.Registry.RotateToken(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.OperatorID(r.Id))
	if err != nil {
		return nil, err
	}
	return RotateToken201JSONResponse{Id: string(o.ID), Name: o.Name, Token: token}, nil
}

// RevokeToken serves DELETE /v1/creditors/{cf}/operators/{id}/token.
func (s *server) RevokeToken(ctx context.Context, r RevokeTokenRequestObject) (RevokeTokenResponseObject, error) {
	o, err := s.Registry.RevokeToken(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.OperatorID(r.Id))
	if err != nil {
		return nil, err
	}
	return RevokeToken200JSONResponse(operatorBody(o)), nil
}
