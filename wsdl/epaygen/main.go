// Command epaygen writes package epaywso from the contract in the folder above
// it. It runs gowsdl as a library, and repairs what gowsdl would get wrong on
// both sides of it: the schemas before, the Go syntax tree after.
//
// Run it with "go generate ./wsdl". It needs no network, and the same contract
// always gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
)

func main() {
	in := flag.String("in", ".", "`folder` of the WSDLs and their schemas")
	out := flag.String("out", "epaywso", "`folder` of the Go package to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "epaygen:", err)
		os.Exit(1)
	}
}

// sources are the services of the contract and the documents inside of their
// messages, in the order in which they are generated.
var sources = []source{
	{file: "Enti2EPaywsoService.wsdl"},
	{file: "EPaywso2EntiService.wsdl"},
	{file: "EPayFlussiCompletiPSP.wsdl"},
	{file: "FlussoCompleto.xsd"},
	{file: "ServiziRendicontazione.wsdl"},
	{file: "FlussoRiversamento_1_0_4.xsd"},
	{file: "EPayRiconciliazioneVersamentiPSP.wsdl", prefix: "Riconciliazione"},
}

func run(in, out string) error {
	log.SetOutput(io.Discard) // gowsdl logs every file it reads
	files, err := generate(in)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the generated files by name.
func generate(dir string) (map[string][]byte, error) {
	c, err := load(dir, sources)
	if err != nil {
		return nil, fmt.Errorf("reading the contract: %w", err)
	}
	raw, err := runGowsdl(c)
	if err != nil {
		return nil, fmt.Errorf("running gowsdl: %w", err)
	}
	types, client, err := rewrite(c, raw)
	if err != nil {
		return nil, fmt.Errorf("repairing gowsdl's output: %w", err)
	}
	files := map[string][]byte{
		"types_gen.go":    types,
		"client_gen.go":   client,
		"names_gen.go":    names(c),
		"validate_gen.go": validators(c),
	}
	for name, src := range files {
		if files[name], err = finish(src); err != nil {
			return nil, fmt.Errorf("formatting %s: %w", name, err)
		}
	}
	return files, nil
}
