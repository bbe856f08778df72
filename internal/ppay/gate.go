package ppay

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"preavviso/wsdl/epaywso"
)

// The limits of an inbound message. The largest that the platform is known to
// make, 50 notifications, has some 70 KB and 1,500 elements to a depth of 9; the
// 1,000 that its schema allows have 1.3 MB and 30,000 elements.
const (
	MaxMessage   = 4 << 20  // bytes
	MaxRTMessage = 16 << 20 // bytes of a TrasmettiRT, whose receipts are base64, and of a flow
	maxDepth     = 32
	maxElements  = 200_000
	maxAttrs     = 32
	maxTag       = 8 << 10 // bytes of one tag: the tokenizer keeps a whole tag in memory, at 300 bytes an attribute
)

// GateError is why a message was refused before anybody looked into it. It never
// holds anything of the message.
type GateError string

// Error returns the reason, in English.
func (e GateError) Error() string { return string(e) }

// The reasons.
const (
	ErrTooLarge    GateError = "message too large"
	ErrTooDeep     GateError = "elements too deep"
	ErrTooMany     GateError = "too many elements"
	ErrTagTooLarge GateError = "tag too large"
	ErrDoctype     GateError = "document type or other declaration"
	ErrInstruction GateError = "processing instruction"
	ErrNotXML      GateError = "not well-formed XML in UTF-8"
	ErrNotSOAP     GateError = "not one SOAP 1.1 envelope with one body element"
)

// Gate reads a message to its end and returns the name of the one element in its
// SOAP 1.1 body. It holds no more than a tag or a text in memory and stops
// reading as soon as a limit is passed, so that it can stand between the network
// and everything else. Its error is a [GateError], or wraps that of r.
//
// What it lets through is well-formed XML in UTF-8, without document type and
// processing instructions, within the limits. It does not look at the schema.
func Gate(r io.Reader) (xml.Name, error) { return gate(r, hooks{}) }

// hooks hear what passes the gate. Each may be nil, and must be done with a token
// when it returns.
type hooks struct {
	header func(t xml.Token, end int64) // what is in the header, with the offset behind each token
	admit  func() error                 // before the body is read; until then only maxHeader bytes are
	body   func(xml.Token)              // the body element and what is in it
}

// gate is [Gate] with hooks.
func gate(r io.Reader, h hooks) (xml.Name, error) {
	in := &tagReader{r: bufio.NewReader(r), limit: MaxMessage}
	if h.admit != nil {
		in.limit = maxHeader
	}
	d := xml.NewDecoder(in)
	g := soapWalk{in: in, hooks: h, offset: d.InputOffset}
	for {
		t, err := d.Token()
		switch {
		case in.err != nil: // first: the tokenizer may have dressed it up
			return xml.Name{}, in.err
		case err == io.EOF:
			return g.end()
		case err != nil:
			return xml.Name{}, ErrNotXML
		}
		if err := g.token(t); err != nil {
			return xml.Name{}, err
		}
	}
}

// soapWalk follows the tokens of an envelope.
type soapWalk struct {
	in *tagReader
	hooks
	offset   func() int64 // behind the token in hand
	depth    int          // of open elements
	elements int
	roots    int
	bodies   int
	inBody   bool
	inHeader bool
	messages int // elements directly in the body
	name     xml.Name
}

func (g *soapWalk) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.StartElement:
		if err := g.start(t); err != nil {
			return err
		}
	case xml.EndElement:
		g.depth--
	case xml.CharData:
		// A byte order mark may stand before the root.
		if g.depth == 0 && strings.TrimLeft(string(t), " \t\r\n\ufeff") != "" {
			return ErrNotXML
		}
	case xml.Comment:
		if !utf8.Valid(t) { // the tokenizer does not look into comments
			return ErrNotXML
		}
		return nil
	case xml.ProcInst:
		if t.Target != "xml" || !utf8.Valid(t.Inst) {
			return ErrInstruction
		}
		return nil
	}
	if g.depth >= 3 || g.depth == 2 && isEnd(t) { // below the header or the body
		switch {
		case g.inBody && g.body != nil:
			g.body(t)
		case g.inHeader && g.header != nil:
			g.header(t, g.offset())
		}
	}
	if g.depth == 1 && isEnd(t) {
		g.inBody, g.inHeader = false, false
	}
	return nil
}

func isEnd(t xml.Token) bool {
	_, ok := t.(xml.EndElement)
	return ok
}

func (g *soapWalk) start(t xml.StartElement) error {
	g.depth++
	g.elements++
	switch {
	case g.depth > maxDepth:
		return ErrTooDeep
	case g.elements > maxElements:
		return ErrTooMany
	case len(t.Attr) > maxAttrs:
		return ErrTagTooLarge
	}
	switch g.depth {
	case 1:
		g.roots++
		if g.roots > 1 || t.Name != (xml.Name{Space: soapNS, Local: "Envelope"}) {
			return ErrNotSOAP
		}
	case 2:
		if t.Name != (xml.Name{Space: soapNS, Local: "Body"}) {
			// A header: whatever it demands, the body is what we serve.
			g.inHeader = t.Name == xml.Name{Space: soapNS, Local: "Header"} && g.bodies == 0
			return nil
		}
		g.bodies++
		if g.bodies > 1 {
			return ErrNotSOAP
		}
		g.inBody = true
		if g.admit != nil {
			if err := g.admit(); err != nil {
				return err
			}
			g.in.limit = MaxMessage
		}
	case 3:
		if !g.inBody {
			return nil
		}
		g.messages++
		if g.messages > 1 {
			return ErrNotSOAP
		}
		g.name = t.Name
		if kind, ok := kindOf(t.Name); ok && bulky(kind) {
			g.in.limit = MaxRTMessage
		}
	}
	return nil
}

// bulky says that a kind of message carries documents in base64.
func bulky(kind string) bool {
	return kind == epaywso.OpTrasmettiRT || kind == epaywso.OpTrasmettiFlussiPagoPA || kind == epaywso.OpTrasmettiFlussoRendicontazione
}

func (g *soapWalk) end() (xml.Name, error) {
	if g.messages != 1 {
		return xml.Name{}, ErrNotSOAP
	}
	return g.name, nil
}

// tagReader passes bytes on to the tokenizer and looks at them first: for what
// the tokenizer accepts (a document type), and for what it would keep in memory
// before anybody could say no (a tag of any length).
type tagReader struct {
	r     *bufio.Reader
	limit int64 // may grow while reading
	err   error // why reading stopped, other than the end

	n     int64 // bytes read
	state markup
	quote byte // inside a tag: the quote that is open
	size  int  // of the tag so far
	last  [2]byte
	open  [7]byte // "[CDATA[" after "<!", as far as it was read
}

// markup is where in a document a byte stands.
type markup int

const (
	inText        markup = iota
	inLess               // after "<"
	inTag                // of a start or an end
	inBang               // after "<!"
	inComment            // after "<!--"
	inCDATA              // after "<![CDATA["
	inInstruction        // after "<?"
)

// ReadByte makes the tokenizer read here directly, without a buffer that would
// run ahead of what was looked at.
func (t *tagReader) ReadByte() (byte, error) {
	if t.err != nil {
		return 0, t.err
	}
	c, err := t.r.ReadByte()
	if err == io.EOF {
		return 0, io.EOF
	}
	if err != nil {
		t.err = fmt.Errorf("reading a message: %w", err)
		return 0, t.err
	}
	t.n++
	if err := t.see(c); err != nil {
		t.err = err
		return 0, err
	}
	return c, nil
}

// Read makes a tagReader an [io.Reader]; the tokenizer only calls ReadByte.
func (t *tagReader) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (t *tagReader) see(c byte) error {
	if t.n > t.limit {
		return ErrTooLarge
	}
	if t.state != inText && t.state != inComment && t.state != inCDATA {
		if t.size++; t.size > maxTag {
			return ErrTagTooLarge
		}
	}
	switch t.state {
	case inText:
		if c == '<' {
			t.state, t.size = inLess, 1
		}
	case inLess:
		return t.less(c)
	case inTag:
		switch {
		case t.quote != 0:
			if c == t.quote {
				t.quote = 0
			}
		case c == '"' || c == '\'':
			t.quote = c
		case c == '>':
			t.state = inText
		}
	case inInstruction:
		if c == '>' {
			t.state = inText
		}
	case inBang:
		return t.bang(c)
	case inComment, inCDATA:
		end := byte('-')
		if t.state == inCDATA {
			end = ']'
		}
		if c == '>' && t.last == [2]byte{end, end} {
			t.state = inText
		}
	}
	t.last = [2]byte{t.last[1], c}
	return nil
}

// less says what "<" begins.
func (t *tagReader) less(c byte) error {
	switch c {
	case '!':
		t.state = inBang
	case '?':
		// Only the declaration, which stands at the very beginning.
		if t.n > int64(len("\ufeff<?")) {
			return ErrInstruction
		}
		t.state = inInstruction
	default:
		t.state = inTag
	}
	return nil
}

// bang tells comments and CDATA from declarations, which are all refused.
func (t *tagReader) bang(c byte) error {
	const cdata = "[CDATA["
	n := t.size - len("<!") - 1
	t.open[n] = c
	switch got := string(t.open[:n+1]); {
	case got == "--":
		t.state, t.last = inComment, [2]byte{}
	case got == cdata:
		t.state, t.last = inCDATA, [2]byte{}
	case got != "-" && !strings.HasPrefix(cdata, got):
		return ErrDoctype
	}
	return nil
}
