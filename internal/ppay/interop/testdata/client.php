<?php
// Calls every operation of MESSAGES with PHP's SoapClient, and prints one JSON
// object: the code of each answer, by operation; or the fault's text.
//
// usage: client.php WSDL BINDING URL USER PASSWORD MESSAGES (a JSON file: operation -> arguments)
[, $wsdl, , $url, $user, $password, $messages] = $argv;

// PHP encodes base64Binary itself.
function typed($value, $key = '') {
    if (is_array($value)) {
        foreach ($value as $k => $v) {
            $value[$k] = typed($v, is_int($k) ? $key : $k);
        }
        return $value;
    }
    return in_array($key, ['XML', 'FlussoCompleto', 'FlussoRiversamento']) ? base64_decode($value) : $value;
}

$client = new SoapClient($wsdl, [
    'location' => $url, 'login' => $user, 'password' => $password,
    'cache_wsdl' => WSDL_CACHE_NONE, 'connection_timeout' => 20, 'exceptions' => true,
]);
$answers = [];
foreach (json_decode(file_get_contents($messages), true) as $operation => $arguments) {
    try {
        $answers[$operation] = $client->__soapCall($operation, [typed($arguments)])->Result->Codice;
    } catch (SoapFault $fault) {
        $answers[$operation] = $fault->getMessage();
    }
}
echo json_encode($answers), "\n";
