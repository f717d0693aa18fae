//! The port rule: the web's two ports, and from 1024 on those that no well-known service has.

use super::Refusal;

/// From here on ports are allowed unless they are in [`SERVICES`].
const FIRST_FREE: u16 = 1024;

/// Services that must never be sent a POST by a stranger: first and last port, and what listens there.
const SERVICES: &[(u16, u16, &str)] = &[
    (1099, 1099, "Java RMI"),
    (1433, 1434, "SQL Server"),
    (1521, 1521, "Oracle"),
    (1883, 1883, "MQTT"),
    (2049, 2049, "NFS"),
    (2181, 2181, "ZooKeeper"),
    (2375, 2377, "Docker"),
    (2379, 2380, "etcd"),
    (3128, 3128, "a web proxy"),
    (3268, 3269, "Active Directory"),
    (3306, 3306, "MySQL"),
    (3389, 3389, "Remote Desktop"),
    (4222, 4222, "NATS"),
    (4369, 4369, "Erlang's port mapper"),
    (5432, 5432, "PostgreSQL"),
    (5671, 5672, "AMQP"),
    (5900, 5900, "VNC"),
    (5984, 5984, "CouchDB"),
    (5985, 5986, "Windows Remote Management"),
    (6000, 6000, "X11"),
    (6379, 6379, "Redis"),
    (6443, 6443, "Kubernetes"),
    (6665, 6669, "IRC"),
    (6697, 6697, "IRC"),
    (8200, 8200, "Vault"),
    (8300, 8302, "Consul"),
    (8500, 8500, "Consul"),
    (8883, 8883, "MQTT"),
    (9042, 9042, "Cassandra"),
    (9092, 9092, "Kafka"),
    (9200, 9200, "Elasticsearch"),
    (9300, 9300, "Elasticsearch"),
    (10250, 10250, "Kubernetes"),
    (10255, 10259, "Kubernetes"),
    (11211, 11211, "memcached"),
    (15671, 15672, "RabbitMQ"),
    (25672, 25672, "RabbitMQ"),
    (26379, 26379, "Redis"),
    (27017, 27019, "MongoDB"),
];

pub(super) fn check(port: u16) -> Result<u16, Refusal> {
    match port {
        80 | 443 => Ok(port),
        ..FIRST_FREE => Err(Refusal::UrlPort {
            port,
            what: "a system's own service",
        }),
        _ => match SERVICES
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&port))
        {
            Some((_, _, what)) => Err(Refusal::UrlPort { port, what }),
            None => Ok(port),
        },
    }
}
