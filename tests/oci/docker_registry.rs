mod login;
mod refused;
mod round_trip;
