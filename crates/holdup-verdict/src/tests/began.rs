//! First bytes, with simulated servers that stream answers of different length.
