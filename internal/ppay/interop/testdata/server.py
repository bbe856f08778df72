"""Serves Enti2EPaywso with zeep: each request is validated against the schema by
lxml, decoded by zeep, written as one line of JSON to LOG, and answered 000; one
that is invalid is answered with a Fault. Prints its port when it is ready.

usage: server.py WSDL XSD USER PASSWORD LOG
"""
import base64
import http.server
import json
import sys

import lxml.etree
import zeep
import zeep.helpers

wsdl, xsd, user, password, log = sys.argv[1:]
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
schema = lxml.etree.XMLSchema(file=xsd)
document = zeep.Client(wsdl).wsdl
binding = document.services["Enti2EPaywsoService"].ports["Enti2EPaywsoServiceSOAP"].binding
expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != expected:
            return self.answer(401, b"", [("WWW-Authenticate", "Basic")])
        envelope = lxml.etree.fromstring(raw)
        body = envelope.find(f"{{{ENVELOPE}}}Body")[0]
        name = lxml.etree.QName(body).localname.removesuffix("Request")
        if not schema.validate(body) or self.headers.get("SOAPAction") != f'"http://www.csi.it/epay/epaywso/service/{name}"':
            fault = f'<e:Envelope xmlns:e="{ENVELOPE}"><e:Body><e:Fault><faultcode>e:Client</faultcode><faultstring>invalid</faultstring></e:Fault></e:Body></e:Envelope>'
            print(schema.error_log, self.headers.get("SOAPAction"), file=sys.stderr)
            return self.answer(500, fault.encode())
        operation = binding.get(name)
        decoded = zeep.helpers.serialize_object(operation.input.deserialize(envelope), dict)
        with open(log, "a", encoding="utf-8") as f:
            f.write(json.dumps({"operation": name, "arguments": decoded}, default=str) + "\n")
        response = operation.output.serialize(Result={"Codice": "000"})
        self.answer(200, lxml.etree.tostring(response.content, xml_declaration=True, encoding="UTF-8"))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
