# publish.rb AMQP_URL EXCHANGE: publishes events as a booking service in Ruby does, with what bunny fills in by itself, and
# prints a line of JSON for each: what it is, its id, and what becomes of it.
# frozen_string_literal: true

require 'bunny'
require 'json'
require 'securerandom'

ACME = { company: 'acme' }.freeze
BODY = { booking: { id: 'b_1', attendee: 'Zoë' } }.freeze

def nested(depth)
  depth.zero? ? 'innermost' : [nested(depth - 1)]
end

ODD = { none: nil, yes: true, half: 0.5, large: 2**40, below: -1, list: [1, 'two', nil], table: { a: { b: 1 } } }.freeze

# What differs from the plainest event, and what becomes of it.
CASES = [
  ['plain', {}, 'delivered'],
  ['all properties',
   { persistent: true, content_encoding: 'utf-8', app_id: 'shop', correlation_id: 'c-1', reply_to: 'answers', priority: 7 },
   'delivered'],
  # The library's own word for whoever names none.
  ['no content type', { content_type: nil }, 'bad_content_type'],
  ['tenant is a number', { headers: { company: 42 } }, 'delivered'],
  ['created-at is a time', { headers: ACME.merge('created-at' => Time.now) }, 'delivered'],
  ['created-at has an offset', { headers: ACME.merge('created-at' => '2031-05-06T10:30:00+02:00') }, 'delivered'],
  ['odd headers', { headers: ACME.merge(ODD) }, 'delivered'],
  ['nested', { headers: ACME.merge(deep: nested(8)) }, 'delivered'],
  ['nested too deep', { headers: ACME.merge(deep: nested(9)) }, 'headers_too_deep'],
  ['too large', { headers: ACME.merge(large: 'x' * 60_000) }, 'headers_too_large'],
  ['not UTF-8', { correlation_id: (+"caf\xE9").force_encoding('BINARY') }, 'delivered'],
  ['type in upper case', { type: 'BOOKING_CREATED' }, 'bad_type'],
  ['milliseconds', { timestamp: (Time.now.to_f * 1000).to_i }, 'bad_timestamp']
].freeze

url, exchange = ARGV
connection = Bunny.new(url)
connection.start
channel = connection.create_channel
channel.confirm_select
events = channel.exchange(exchange, type: 'topic', passive: true)
CASES.each do |name, change, expected|
  plain = {
    message_id: SecureRandom.hex, type: 'booking.created', timestamp: Time.now.to_i, headers: ACME,
    content_type: 'application/json', mandatory: true
  }
  options = plain.merge(change).compact
  events.publish(BODY.to_json, options.merge(routing_key: options[:type]))
  channel.wait_for_confirms || raise("#{name} is not confirmed")
  puts JSON.generate(case: name, id: options[:message_id], expected: expected)
end
connection.close
