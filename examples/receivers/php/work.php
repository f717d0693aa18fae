<?php
// Does what is to be done for events that receive.php stored. Run it as often as you like, by cron or in a loop.
//
//   SPOOL=/var/spool/bookings php work.php
declare(strict_types=1);

$spool = getenv('SPOOL') ?: sys_get_temp_dir() . '/bookings';
foreach (glob("$spool/*.json") ?: [] as $file) {
    $body = (string) file_get_contents($file);
    if ($body === '') {
        continue; // done before; its name stays, so that the event is known when it comes again
    }
    $event = json_decode($body, true, 512, JSON_THROW_ON_ERROR);
    $line = match ($event['type'] ?? '') {
        'booking.created' => 'new booking',
        'booking.cancelled' => 'cancelled booking',
        'booking.rescheduled' => 'moved booking',
        default => 'ignored', // a type that this receiver does not know yet is no error
    };
    echo basename($file, '.json'), " $line\n";
    file_put_contents($file, ''); // only now: should the work fail, it is done again
}
