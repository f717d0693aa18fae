<?php
// publish.php AMQP_URL EXCHANGE: publishes events as a booking service in PHP does, with what php-amqplib fills in by itself, and
// prints a line of JSON for each: what it is, its id, and what becomes of it.
declare(strict_types=1);

require 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const BODY = '{"booking":{"id":"b_1","attendee":"Zoë"}}';

function nested(int $depth): array|string
{
    return $depth === 0 ? 'innermost' : [nested($depth - 1)];
}

function headers(array $more): array
{
    return ['application_headers' => new AMQPTable(['company' => 'acme', ...$more])];
}

// What differs from the plainest event, and what becomes of it.
$cases = [
    ['plain', [], 'delivered'],
    ['all properties', [
        'content_type' => 'application/json; charset=utf-8', 'content_encoding' => 'UTF-8', 'delivery_mode' => 2,
        'app_id' => 'shop', 'correlation_id' => 'c-1', 'reply_to' => 'answers', 'priority' => 7,
    ], 'delivered'],
    ['tenant is a number', headers(['company' => 42]), 'delivered'],
    ['created-at is a time', headers(['created-at' => new DateTime()]), 'delivered'],
    ['created-at has an offset', headers(['created-at' => date(DATE_ATOM)]), 'delivered'],
    ['odd headers', headers(['none' => null, 'yes' => true, 'half' => 0.5, 'large' => 2 ** 40, 'list' => [1, 'two']]), 'delivered'],
    ['nested', headers(['deep' => nested(8)]), 'delivered'],
    ['nested too deep', headers(['deep' => nested(9)]), 'headers_too_deep'],
    ['nested a thousand deep', headers(['deep' => nested(1000)]), 'headers_too_deep'],
    ['too large', headers(['large' => str_repeat('x', 60000)]), 'headers_too_large'],
    // A service whose texts are Latin-1.
    ['property not UTF-8', ['correlation_id' => "caf\xe9"], 'delivered'],
    ['header not UTF-8', headers(["\xe9tat" => "pay\xe9"]), 'delivered'],
    ['tenant not UTF-8', headers(['company' => "M\xfcller"]), 'bad_company'],
    ['type not UTF-8', ['type' => "booking.caf\xe9"], 'bad_type'],
    ['milliseconds', ['timestamp' => (int) (microtime(true) * 1000)], 'bad_timestamp'],
];

[, $url, $exchange] = $argv;
$broker = parse_url($url);
$connection = new AMQPStreamConnection($broker['host'], $broker['port'], $broker['user'], $broker['pass']);
$channel = $connection->channel();
$channel->confirm_select();
$refuse = function () {
    throw new RuntimeException('not confirmed');
};
$channel->set_nack_handler($refuse);
$channel->set_return_listener($refuse);
foreach ($cases as [$name, $change, $expected]) {
    $id = bin2hex(random_bytes(16));
    $properties = [
        'message_id' => $id, 'type' => 'booking.created', 'timestamp' => time(), ...headers([]), ...$change,
    ];
    $channel->basic_publish(new AMQPMessage(BODY, $properties), $exchange, $properties['type'], true);
    $channel->wait_for_pending_acks_returns(60);
    echo json_encode(['case' => $name, 'id' => $id, 'expected' => $expected], JSON_THROW_ON_ERROR), "\n";
}
$connection->close();
