<?php
// Publishes that a booking was made: persistent, mandatory and confirmed, so that the event is stored when this ends with 0.
//
//   composer install && HOOKLINE_AMQP_URL=amqp://… php publish.php [BOOKING_ID]
declare(strict_types=1);

require (getenv('COMPOSER_VENDOR_DIR') ?: __DIR__ . '/vendor') . '/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPExceptionInterface;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const CONFIRM_SECONDS = 30;

$url = parse_url(getenv('HOOKLINE_AMQP_URL') ?: 'amqp://guest:guest@127.0.0.1:5672/%2f');
$exchange = (getenv('HOOKLINE_NAMESPACE') ?: 'hookline') . '.events';
$booking = [
    'id' => $argv[1] ?? 'b_1',
    'eventTypeId' => 'et_intro',
    'status' => 'confirmed',
    'startsAt' => '2031-05-06T08:30:00Z',
    'endsAt' => '2031-05-06T09:00:00Z',
    'attendee' => ['email' => 'zoe@example.org', 'firstName' => 'Zoë', 'lastName' => 'Müller', 'timezone' => 'Europe/Berlin'],
    'host' => ['id' => 'h_4', 'email' => 'ada@example.com'],
];
// Made once: whoever publishes it again keeps the id, so that receivers recognise it.
$id = bin2hex(random_bytes(16));
$message = new AMQPMessage(json_encode(['booking' => $booking], JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE), [
    'content_type' => 'application/json',
    'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
    'message_id' => $id,
    'type' => 'booking.created',
    'timestamp' => time(),
    'application_headers' => new AMQPTable(['company' => 'acme']),
]);

// A message that no queue took is returned before it is confirmed; one that the broker cannot store is nacked.
$fault = null;
try {
    $connection = new AMQPStreamConnection(
        $url['host'],
        $url['port'] ?? 5672,
        urldecode($url['user'] ?? 'guest'),
        urldecode($url['pass'] ?? 'guest'),
        urldecode(ltrim($url['path'] ?? '/%2f', '/')) ?: '/',
    );
    $channel = $connection->channel();
    $channel->confirm_select();
    $channel->set_return_listener(function () use (&$fault, $exchange): void {
        $fault = "no queue takes events of $exchange: run `hookline topology apply`";
    });
    $channel->set_nack_handler(function () use (&$fault): void {
        $fault = 'the broker could not store the event: publish it again, with the same id';
    });
    $channel->basic_publish($message, $exchange, 'booking.created', mandatory: true);
    $channel->wait_for_pending_acks_returns(CONFIRM_SECONDS);
    $channel->close();
    $connection->close();
} catch (AMQPProtocolChannelException $refusal) {
    $fault = "the broker refuses the event: {$refusal->getMessage()}";
} catch (AMQPExceptionInterface $error) {
    // Perhaps it is stored all the same.
    $fault = "not known to be stored: {$error->getMessage()}; publish it again, with the same id";
}
if ($fault !== null) {
    fwrite(STDERR, "$fault\n");
    exit(1);
}
echo "$id\n";
