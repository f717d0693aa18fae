// Publish.java AMQP_URL EXCHANGE: publishes events as a booking service in Java does, with what the Java client, and Spring's
// converter over it, fill in by themselves, and prints a line of JSON for each: what it is, its id, and what becomes of it.

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.UnaryOperator;

public class Publish {
    static final byte[] BODY = "{\"booking\":{\"id\":\"b_1\",\"attendee\":\"Zoë\"}}".getBytes(StandardCharsets.UTF_8);

    static Object nested(int depth) {
        return depth == 0 ? "innermost" : List.of(nested(depth - 1));
    }

    /** An event's headers, and these besides: name, value, name, value. */
    static Map<String, Object> headers(Object... more) {
        Map<String, Object> headers = new HashMap<>(Map.of("company", "acme"));
        for (int at = 0; at < more.length; at += 2) {
            headers.put((String) more[at], more[at + 1]);
        }
        return headers;
    }

    static Channel channel;
    static String exchange;

    /** Publishes the plainest event but for a change, and says what becomes of it. */
    static void publish(String name, UnaryOperator<BasicProperties.Builder> change, String expected) throws Exception {
        BasicProperties.Builder plain = new BasicProperties.Builder()
            .messageId(UUID.randomUUID().toString())
            .type("booking.created")
            .timestamp(new Date())
            .headers(headers());
        BasicProperties properties = change.apply(plain).build();
        channel.basicPublish(exchange, properties.getType(), true, properties, BODY);
        channel.waitForConfirmsOrDie(60_000);
        System.out.printf("{\"case\":\"%s\",\"id\":\"%s\",\"expected\":\"%s\"}%n", name, properties.getMessageId(), expected);
    }

    public static void main(String[] arguments) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(arguments[0]);
        exchange = arguments[1];
        try (Connection connection = factory.newConnection()) {
            channel = connection.createChannel();
            channel.confirmSelect();
            publish("plain", it -> it, "delivered");
            publish("as Spring's converter for JSON writes it", it -> it
                .contentType("application/json").contentEncoding("UTF-8").deliveryMode(2).priority(0)
                .headers(headers("__TypeId__", "com.example.Booking")), "delivered");
            publish("persistent text", it -> it.contentType("text/plain").deliveryMode(2), "bad_content_type");
            publish("tenant is a number", it -> it.headers(headers("company", 42)), "delivered");
            publish("tenant is a long number", it -> it.headers(headers("company", 42L)), "delivered");
            publish("tenant is bytes", it -> it
                .headers(headers("company", "acme".getBytes(StandardCharsets.US_ASCII))), "delivered");
            publish("created-at is a time", it -> it.headers(headers("created-at", new Date())), "delivered");
            publish("odd headers", it -> it.headers(headers(
                "none", null, "yes", true, "half", 0.5, "price", new BigDecimal("3.14"), "short", (short) 7,
                "bytes", new byte[] {-1, 0}, "list", Arrays.asList(1, "two", null), "table", Map.of("a", Map.of("b", -1)))),
                "delivered");
            publish("nested", it -> it.headers(headers("deep", nested(8))), "delivered");
            publish("nested too deep", it -> it.headers(headers("deep", nested(9))), "headers_too_deep");
            publish("too large", it -> it.headers(headers("large", "x".repeat(60_000))), "headers_too_large");
            publish("type in upper case", it -> it.type("BOOKING_CREATED"), "bad_type");
            publish("offset in created-at", it -> it
                .headers(headers("created-at", "2031-05-06T10:30:00.250+02:00")), "delivered");
        }
    }
}
