<?php
$body = file_get_contents('php://input'); // the raw bytes, before they are parsed
$wanted = 'sha256=' . hash_hmac('sha256', $body, getenv('WEBHOOK_SECRET'));
// The header Meeva-Signature.
if (!hash_equals($wanted, $_SERVER['HTTP_MEEVA_SIGNATURE'] ?? '')) {
    http_response_code(401);
    exit('wrong signature');
}
$event = json_decode($body, true);
error_log($event['id'] . ' ' . $event['type']); // store it, and work on it later
echo 'ok';
