//! Bytes as a stream of the wire format. Nothing may panic; what is accepted has one form, and can be shown.
#![no_main]

use basevm::wire::{Decoder, Frame, Names};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (mut decoder, mut names) = (Decoder::bare(), Names::default());
    decoder.feed(bytes);
    let mut at = 0;
    while let Ok(Some(frame)) = decoder.next_frame() {
        let again = frame.to_bytes();
        assert_eq!(bytes.get(at..at + again.len()), Some(again.as_slice()));
        at += again.len();
        names.learn(&frame);
        if let Frame::Packet(packet) = &frame {
            for said in names.read(packet) {
                let _ = said.to_string();
            }
        }
    }
});
