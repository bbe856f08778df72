// Package ppaysim is a PiemontePAY that can be told to misbehave.
//
// It answers the platform's SOAP calls, works them off later as the platform
// does, calls the creditor back with outcomes and payments, and lets a test or a
// person pay, stop payments, lose answers and move the clock through a JSON API
// (README.md).
//
// # Whose word it is
//
// It is written from what was read in the platform's published source, not from
// our client, and shares no code with it: not even the generated types, so that
// an element our side misplaces or forgets is refused here (schema.go) instead
// of being forgotten twice. Each rule is one small function that names the
// source it reproduces. Paths are those of github.com/regione-piemonte/piemontepay
// at commit c76c243b, abbreviated:
//
//	SPORT  epayservices …/ws/business/EPaywso2SportelloService
//	ES     epayservices …/it/csi/epay/epayservices
//	MDPS   epaymdpservices …/business/EpayMdpServicesBean.java
//	JOB    epayjob …/it/csi/epay/epayjob/business
//	IUVSRV mdpmultiiuvsrv …/it/csi/mdpnew/mdpmultiiuvsrv
//	W2     epaywso2services …/it/csi/epay/epaywsosrv
//	PA     epaypaweb …/it/csi/epay/epaypaweb
//	RIC    epaymodric …/it/csi/epay/epaymodric
//	WSDL   epaypaweb src/resources/wsdl
//
// The bus (WSO2) between creditor and platform is not published. What stands for
// it here, chiefly retries and their end, is marked "ours".
//
// # How it runs
//
// A list is stored before it is answered and elaborated when its delay is over;
// its outcome joins the queue of its creditor in the same transaction. Queues
// are worked one message at a time: one that cannot be delivered holds up the
// rest, and after too many tries stops the queue until somebody starts it again.
// All of it is in one bbolt file and goes on after a restart. Settings and fail
// modes are not kept: a restarted platform is a healthy one.
//
// There are two times. Delays, retries and the notification job follow
// Config.Now; dates, validity and the day inside an IUV follow the same clock
// moved by an offset that the control API sets, as the platform's civil time in
// Rome.
//
// # What is not done here
//
// No TLS: put it behind something that has it, or leave it on loopback.
//
// # Where a rule comes from
//
// Each function that reproduces a source says so in its comment, as parity:s9 and
// a path with lines; internal/docs/PARITY.md is made of these. Lines are those of
// the commit above; where a method is named, it decides.
package ppaysim

//go:generate go run ./paritygen
