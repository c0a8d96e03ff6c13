//! The program as people meet it: what it prints, what it refuses, and how it ends.

mod bad_input;
mod bench;
mod compiling;
mod databases;
mod handlers;
mod inspect;
mod jobs;
mod life;
mod log;
mod policy;
mod schedules;
mod serving;
mod trial;
mod waiting;
mod workshop;
