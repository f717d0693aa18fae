//! What Hookline promises, played through against a real broker, real receivers and the real programs, in the order in
//! which an event moves. One binary, so that all scenarios run side by side, each in a namespace of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a scenario fails by panicking, and plays programs that may do anything"
)]

// The blank lines keep the order in which an event moves.
mod publish; // into the broker
mod confirms; // whose answers are each message's own
mod addresses; // which of its nodes
mod refusals; // what it does not take
mod rights; // and what an account needs for it
mod payloads; // what its data may be made of
mod outbox; // out of a database, where it was committed

mod routing; // who gets what
mod endpoints_file; // mistakes in the file that says it
mod registry; // the console's database in its place

mod formats; // what a receiver reads
mod signatures; // how it knows that it is from us
mod conformance; // how others' libraries know it
mod seed_receivers; // what customers run behind an endpoint

mod guard_connect; // where we connect, whatever name servers say
mod names; // which names can be looked up, and for how long an answer counts
mod many_addresses; // how many addresses of an answer are used
mod egress_proxy; // where there is one way out, and whose fault it is that it is closed
mod tls; // whom we believe
mod responses; // what answers mean, and what they may cost
mod connections_pool; // how few connections that takes
mod own_shortage; // what it costs when we run out of them
mod memory; // and that fifty of them at once cost no more
mod memory_mix; // nor twenty kinds of them, side by side with healthy ones
mod sizes; // nor events of any size
mod header_limits; // whatever their headers hold
mod headers_of_others; // of which those that are not ours go along
mod real_clients; // whichever library published them

mod retries; // what happens when it does not take it

mod dead_letters; // what a person does when nothing helped
mod dlq_zero; // and a queue that cannot be asked for them
mod rejected; // what nobody can understand
mod odd_bytes; // and what no client library would send
mod odd_in_time; // nor for how long it is in the way

mod records; // what the log keeps
mod spill; // what it keeps while its stream takes nothing
mod out_of_reach; // or while no node has it
mod silent_log; // and how soon deliveries go on without it
mod stream_bound; // how large it becomes
mod tail; // how it is followed live
mod operating; // what publishes, receives and looks after queues
mod telemetry; // what a collector of traces and metrics gets
mod metrics; // what is counted, and what asks for it
mod samples; // what is published by whoever has nothing
mod listen; // what passes it on to a developer's program
mod status; // how all stands
mod secrets; // what must not be seen anywhere

mod console_endpoints; // where companies register endpoints
mod console_isolation; // whose they are
mod console_secrets; // what is kept sealed
mod console_schema; // what it is kept in
mod console_import; // a file of them
mod console_limits; // and what is not taken
mod console_unread; // nor kept for who does not read
mod console_sharing; // nor by one from all others
mod console_fairness; // nor does one keep all others waiting
mod console_tokens; // who is known for how long
mod console_events; // what comes over HTTP
mod console_event_types; // which types there are
mod console_test_event; // and how one is tried
mod console_deliveries; // what became of events
mod console_plans; // how quickly that is found in a large log
mod console_problems; // what of it somebody must solve
mod console_feed; // for whoever was away
mod console_replay; // once more
mod console_failed; // what failed for good, filed and sent again
mod console_health; // what becomes of those that only fail
mod console_database; // what becomes of it while it runs, and what it lets whom do
mod console_security; // whom all that keeps out
mod console_redaction; // what of it is told nobody
mod console_pages; // the same for people
mod console_pages_overview; // whether everything is all right
mod console_pages_failed; // what failed for good
mod console_pages_certify; // how well receivers do
mod console_pages_deliveries; // what became of events, for those who look
mod console_openapi; // how programs know all that
mod console_fuzz; // and whether it is true
mod recorder; // what is recorded of all attempts, for good
mod cli_console; // the same from a shell
mod cli_unread; // whose output nobody reads

mod endpoints_check; // a file judged before it is used
mod spelling; // names and secrets that are nearly right
mod sign_and_verify; // signatures made and judged at a desk
mod certify; // and whole receivers
mod partners; // those of the examples, and what publishes
mod help; // what teaches the commands
mod options; // and that each of their options does something
mod options_elsewhere; // whatever it takes to see that
mod docs; // what the documents name
mod packaging; // what the packages bring along
mod failpoints; // and what they do not
mod deployment; // and the chart, the manifests and Compose
mod saturation; // an endpoint that hangs, and its neighbours
mod start_and_stop; // how a dispatcher comes and goes
mod handover; // how another goes on
mod operations; // what is done to an installation in its life, by the book
mod rolling_update; // and how all are replaced while they work
mod signals; // what it is asked by the system
mod operating_edges; // what the programs around it do to it

mod broker_model; // the broker as the simulation plays it, and as it is
mod links; // a link to the broker that is cut
mod causes; // what is said of it
mod slow_broker; // a broker that takes its time, or refuses
mod slow_link; // and one that has more to take than it can
mod signs_of_trouble; // what metrics and log say of it
mod json_log; // and that programs can read it
mod topology_check; // what policies, replicas and leaders do to it
mod topology_migrate; // queues of another shape, replaced under load
mod topology_migrate_seams; // and of several at once, with whatever lies in them
mod topology_watch; // what somebody deletes on it

mod crashes; // a program, or the broker, that dies
mod suspects; // a program that dies again and again

use hookline_tests::SOON;
use hookline_tests::dispatcher::IN_FLIGHT;
