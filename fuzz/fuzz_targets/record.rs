//! A segment of a record may have any bytes: what can be read is the same when it is written and read again, and can be
//! told in words.
#![no_main]

use holdup_record::{Entry, Record, Summary, segment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(segment) = segment(data) else { return };
    for entry in &segment.entries {
        let line = entry.to_line();
        let again = Entry::parse(line.trim_end().as_bytes()).expect("what was written can be read");
        assert_eq!(again.to_line(), line);
    }
    let record = Record::of(vec![segment]).expect("a segment");
    assert!(record.span().from <= record.span().to);
    let _ = Summary(&record).to_string();
});
