mod login;
mod program;
mod refused;
mod round_trip;
