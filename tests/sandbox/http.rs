//! Outgoing HTTP: what a handler may reach, and what the other side may do to it. Real servers on loopback,
//! which the cases name as an operator would.

mod address;
mod ending;
mod grant;
mod large;
mod request;
use flowmonkey_tests::server;
mod slow;
mod world;
