#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skybridge_fuzz_inputs::decode(data));
