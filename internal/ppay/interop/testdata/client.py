"""Calls every operation of MESSAGES with zeep, and prints one JSON object: the code
of each answer, by operation; or the HTTP status if there was none.

usage: client.py WSDL BINDING URL USER PASSWORD MESSAGES (a JSON file: operation -> arguments)
"""
import base64
import datetime
import json
import sys

import requests
import zeep
from requests.auth import HTTPBasicAuth

wsdl, binding, url, user, password, messages = sys.argv[1:]


def typed(value, key=""):
    """JSON has no dates and no bytes: their names tell."""
    if isinstance(value, dict):
        return {k: typed(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [typed(v, key) for v in value]
    if key in ("XML", "FlussoCompleto", "FlussoRiversamento"):
        return base64.b64decode(value)
    if key.startswith("DataOra") or key == "RiferimentoDataOraRevoca":
        return datetime.datetime.fromisoformat(value)
    if key.startswith("Data") and isinstance(value, str) and len(value) == 10:
        return datetime.date.fromisoformat(value)
    return value


session = requests.Session()
session.trust_env = False
session.auth = HTTPBasicAuth(user, password)
client = zeep.Client(wsdl, transport=zeep.Transport(session=session, timeout=20, operation_timeout=20))
service = client.create_service(binding, url)
answers = {}
with open(messages, encoding="utf-8") as f:
    for operation, arguments in json.load(f).items():
        try:
            answers[operation] = getattr(service, operation)(**typed(arguments)).Codice
        except zeep.exceptions.TransportError as e:
            answers[operation] = str(e.status_code)
print(json.dumps(answers))
