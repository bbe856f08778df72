package registry

import (
	"context"
	"errors"
	"fmt"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// RotateToken gives an operator a new token, which is returned here and never
// again; the old one stops working.
func (r *Registry) RotateToken(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID) (multe.Operator, string, error) {
	token, err := r.secret(operatorPrefix, tokenBytes)
	if err != nil {
		return multe.Operator{}, "", err
	}
	o, err := r.setToken(ctx, actor, "operator.token_changed", c, id, digest(token))
	return o, token, err
}

// RevokeToken ends an operator's token. What has none is left as it is.
func (r *Registry) RevokeToken(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID) (multe.Operator, error) {
	return r.setToken(ctx, actor, "operator.token_revoked", c, id, multe.Digest{})
}

func (r *Registry) setToken(ctx context.Context, actor, action string, c multe.CreditorID, id multe.OperatorID, token multe.Digest) (multe.Operator, error) {
	at := multe.Instant(r.now())
	var o multe.Operator
	err := r.store.Update(ctx, func(tx store.Tx) (err error) {
		o, err = tx.Operator(c, id)
		if errors.Is(err, fault.NotFound) {
			return fault.Wrap(fault.NotFound, "operator.unknown", "L'operatore non è registrato.", err)
		}
		if err != nil || o.Token == token {
			return err
		}
		o.Token, o.Changed = token, at
		o.Version++
		if err := tx.PutOperator(o); err != nil {
			return err
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: action, Subject: string(id)})
	})
	if err != nil {
		return multe.Operator{}, fmt.Errorf("changing a token: %w", err)
	}
	return o, nil
}
