package wsdl

//go:generate go run ./epaygen
