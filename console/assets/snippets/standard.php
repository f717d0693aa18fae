<?php
$key = base64_decode(preg_replace('/^whsec_/', '', getenv('WEBHOOK_SECRET')));
$body = file_get_contents('php://input'); // the raw bytes, before they are parsed
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';

$wanted = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
$genuine = false;
// The header webhook-signature holds one signature, and two during a rotation.
foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $given) {
    $genuine = hash_equals($wanted, $given) || $genuine;
}
if (!$genuine || abs(time() - (int) $timestamp) > 300) {
    http_response_code(401);
    exit('wrong signature');
}
$event = json_decode($body, true);
error_log($id . ' ' . json_encode($event)); // store it, and work on it later
echo 'ok';
