#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| flowmonkey_tests::fuzzed::inspection(bytes));
