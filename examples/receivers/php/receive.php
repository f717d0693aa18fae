<?php
// Receives webhooks in the meeva and the standard format: checks who sent them over the raw body, stores each event once, and
// answers. work.php does what is to be done, afterwards.
//
//   SECRET=whsec_… SPOOL=/var/spool/bookings php -S 127.0.0.1:3000 receive.php
declare(strict_types=1);

const MAX_BYTES = 102400;
const MAX_AGE = 300;

function answer(int $status, string $text): never
{
    http_response_code($status);
    header('Content-Type: text/plain');
    echo $text;
    exit;
}

/** What Standard Webhooks signs with: what stands behind whsec_, in base64. Null where the secret is no such key. */
function standard_key(string $secret): ?string
{
    $text = str_starts_with($secret, 'whsec_') ? substr($secret, strlen('whsec_')) : '';
    $key = base64_decode($text, true);
    $is_key = $key !== false && base64_encode($key) === $text && strlen($key) >= 24 && strlen($key) <= 64;
    return $is_key ? $key : null;
}

/** Meeva's scheme: the body alone. The key is the secret as it is written, whsec_ included. */
function holds_meeva(string $secret, string $body, string $signature): bool
{
    return hash_equals('sha256=' . hash_hmac('sha256', $body, $secret), $signature);
}

/**
 * Standard Webhooks: id, time and body. There may be several signatures while a secret is replaced. What is older than five
 * minutes may be a recording.
 */
function holds_standard(string $key, string $body, string $id, string $timestamp, string $signatures): bool
{
    if (preg_match('/^\d{1,12}$/D', $timestamp) !== 1 || abs(time() - (int) $timestamp) > MAX_AGE) {
        return false;
    }
    $wanted = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    $holds = false;
    foreach (explode(' ', $signatures) as $signature) {
        $holds = hash_equals($wanted, $signature) || $holds;
    }
    return $holds;
}

/** Every signature that came has to hold, and one has to be there. */
function is_signed(string $secret, string $body): bool
{
    $meeva = $_SERVER['HTTP_MEEVA_SIGNATURE'] ?? null;
    $standard = $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? null;
    if ($meeva === null && $standard === null) {
        return false;
    }
    if ($meeva !== null && !holds_meeva($secret, $body, $meeva)) {
        return false;
    }
    $key = standard_key($secret);
    // With a key of the scheme there is always one; otherwise an attacker would leave it out.
    if ($standard === null || $key === null) {
        return $meeva !== null && $key === null;
    }
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    return holds_standard($key, $body, $id, $timestamp, $standard);
}

/** True the first time that this id comes: a file that must not be there yet is both the queue and the memory. */
function store(string $spool, string $id, string $body): bool
{
    // The id becomes a file's name, so it is held against what ids are made of.
    if (preg_match('/^[A-Za-z0-9_-]{1,64}$/D', $id) !== 1) {
        answer(400, 'Invalid id');
    }
    $file = @fopen("$spool/$id.json", 'x');
    if ($file === false) {
        return file_exists("$spool/$id.json") ? false : answer(500, 'Not stored');
    }
    if (fwrite($file, $body) !== strlen($body) || !fclose($file)) {
        unlink("$spool/$id.json"); // it comes again
        answer(500, 'Not stored');
    }
    return true;
}

$secret = getenv('SECRET') ?: '';
$spool = getenv('SPOOL') ?: sys_get_temp_dir() . '/bookings';
if ($secret === '' || (!is_dir($spool) && !mkdir($spool, 0700, true))) {
    error_log('SECRET has to be set, and SPOOL a folder');
    answer(500, 'Not set up');
}
if (($_SERVER['REQUEST_METHOD'] ?? '') !== 'POST') {
    answer(405, 'POST only');
}
// The bytes as they came: JSON that is parsed and written again is another text.
$body = file_get_contents('php://input', false, null, 0, MAX_BYTES + 1);
if ($body === false || strlen($body) > MAX_BYTES) {
    answer(413, 'Too long');
}
if (!is_signed($secret, $body)) {
    error_log('refused: the signature does not match');
    answer(401, 'Invalid signature');
}
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
error_log($id . (store($spool, $id, $body) ? ' stored' : ' duplicate'));
answer(200, 'OK');
