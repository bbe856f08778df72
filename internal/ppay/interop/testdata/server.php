<?php
// Serves Enti2EPaywso with PHP's SoapServer, under php -S: each request is
// decoded, written as one line of JSON to LOG, and answered 000.
//
// environment: WSDL, SOAP_USER, SOAP_PASSWORD, LOG
if (($_SERVER['PHP_AUTH_USER'] ?? '') !== getenv('SOAP_USER') || ($_SERVER['PHP_AUTH_PW'] ?? '') !== getenv('SOAP_PASSWORD')) {
    header('WWW-Authenticate: Basic');
    http_response_code(401);
    exit;
}

class Platform {
    public function InserisciListaDiCarico($message) { return $this->heard(__FUNCTION__, $message); }
    public function AggiornaPosizioniDebitorie($message) { return $this->heard(__FUNCTION__, $message); }

    private function heard($operation, $message) {
        $line = json_encode(['operation' => $operation, 'arguments' => $message]) . "\n";
        file_put_contents(getenv('LOG'), $line, FILE_APPEND | LOCK_EX);
        return ['Result' => ['Codice' => '000', 'Messaggio' => 'OK']];
    }
}

$server = new SoapServer(getenv('WSDL'), ['cache_wsdl' => WSDL_CACHE_NONE, 'features' => SOAP_SINGLE_ELEMENT_ARRAYS]);
$server->setClass('Platform');
$server->handle();
