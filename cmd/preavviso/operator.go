package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"preavviso/api/client"
	"preavviso/internal/config"
)

const operatorUsage = `Uso:
  preavviso operator invite --creditor CF --name NOME --email INDIRIZZO --role RUOLO --token-file FILE [--url URL] [--ca-file FILE]

Invita una persona alle pagine dell'ufficio e stampa il collegamento con cui sceglie
la password; vale 48 ore. Ruoli: agente, addetto, responsabile, contabile,
amministratore, sola-lettura. La prima persona si invita con il token dell'installazione.
`

// runOperator invites somebody through the office's API.
func runOperator(ctx context.Context, args []string, stdout io.Writer) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("%w: manca che cosa fare", config.ErrUsage)
	case args[0] == "-h" || args[0] == "--help":
		return config.ErrHelp
	case args[0] != "invite":
		return fmt.Errorf("%w: operazione sconosciuta %q", config.ErrUsage, args[0])
	}
	fs, o := officeFlags("preavviso operator invite")
	var name, email, role string
	fs.StringVar(&name, 0, "name", "", "name of the person")
	fs.StringVar(&email, 0, "email", "", "e-mail address, with which they sign in")
	fs.StringVar(&role, 0, "role", "", "role")
	if err := parseFlags(fs, args[1:]); err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "name": name, "email": email, "role": role, "token-file": o.token}); err != nil {
		return err
	}
	c, err := o.dial()
	if err != nil {
		return err
	}
	reply, err := c.InviteOperatorWithResponse(ctx, o.creditor, nil, client.NewPerson{Name: name, Email: email, Role: client.Role(role)})
	if err := said(reply, err); err != nil {
		return err
	}
	invited, err := whole(reply.JSON201)
	if err != nil {
		return err
	}
	if invited.Link == "" {
		_, err = fmt.Fprintf(stdout, "Codice: %s\nVale fino a %s, alla pagina /invito?codice=… delle pagine dell'ufficio.\n", invited.Code, invited.Expires.Format(time.RFC3339))
	} else {
		_, err = fmt.Fprintf(stdout, "%s\nVale fino a %s.\n", invited.Link, invited.Expires.Format(time.RFC3339))
	}
	return err
}
