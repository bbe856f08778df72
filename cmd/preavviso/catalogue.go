package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"preavviso/internal/cds"
	"preavviso/internal/config"
)

const catalogueUsage = `preavviso catalogue: il catalogo delle violazioni

USO
  preavviso catalogue check FILE   controlla un catalogo YAML; «-» legge lo standard input
  preavviso catalogue import FILE --creditor CF --token-file FILE [--from 2026-01-31] [--commit]
                                  [--url http://127.0.0.1:8082] [--ca-file FILE]
                                   lo dà al servizio; senza --commit mostra soltanto che cosa farebbe
  preavviso catalogue sample       scrive un catalogo di esempio, da controllare
`

// catalogue checks a catalogue or writes the sample. What needs a person's eye is
// listed and is no failure; a catalogue that cannot be imported is.
func catalogue(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	switch {
	case len(args) == 1 && args[0] == "sample":
		_, err := stdout.Write(cds.Sample())
		return err
	case len(args) == 2 && args[0] == "check":
		return checkCatalogue(args[1], stdin, stdout)
	case len(args) > 0 && args[0] == "import":
		return importCatalogue(ctx, args[1:], stdin, stdout)
	case len(args) == 1 && (args[0] == "-h" || args[0] == "--help"):
		return config.ErrHelp
	}
	return fmt.Errorf("%w: serve «check FILE», «import FILE» oppure «sample»", config.ErrUsage)
}

func checkCatalogue(path string, stdin io.Reader, stdout io.Writer) error {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		stdin = f
	}
	data, err := io.ReadAll(io.LimitReader(stdin, cds.MaxFile+1)) // one more, so that Parse sees a file that is too long
	if err != nil {
		return err
	}
	c, doubtful, err := cds.Parse(data)
	if err != nil {
		return err
	}
	for _, f := range doubtful {
		fmt.Fprintf(stdout, "da controllare, %s\n", f)
	}
	_, err = fmt.Fprintf(stdout, "catalogo «%s»: %d violazioni, %d punti da controllare\n", c.Name, len(c.All()), len(doubtful))
	return err
}
