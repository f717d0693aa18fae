//! The examples for partners: receivers that pass a certificate, and services that publish; and what describes an event to programs.

mod receivers; // who gets events
mod publishers; // who tells them
mod asyncapi; // how programs know what to tell
mod migrating; // who comes from elsewhere
