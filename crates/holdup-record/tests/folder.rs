//! Records in real folders: bounds, locks, damage.

#![cfg(unix)]

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdup_model::{Event, Hold, HoldKind};
use holdup_record::{
    Entry, Folder, FolderError, Header, LEAST_BYTES, Options, ReadError, Summary, VERSION, read,
};

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("folder-{test}"));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn header(origin: u64) -> Header {
    Header {
        version: VERSION,
        holdup: "0.1.0".to_owned(),
        pid: 4711,
        segment: 1,
        origin_unix_ms: origin,
        at: Duration::ZERO,
        threshold: Duration::from_millis(100),
        why_no_lines: None,
    }
}

fn hold(at: u64) -> Entry {
    let ms = Duration::from_millis;
    let mut hold = Hold::new(HoldKind::Blocked, 0, ms(at), ms(150));
    hold.stack = vec!["app::report".to_owned(); 40];
    Entry::Event(Event::Released(hold))
}

/// The names of the segments, the oldest first, and their bytes together.
fn segments(folder: &Path) -> (Vec<String>, u64) {
    let (mut names, mut sum) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("a file");
        let name = entry.file_name().into_string().expect("UTF-8");
        if name != "holdup.lock" {
            sum += entry.metadata().expect("a file").len();
            names.push(name);
        }
    }
    names.sort();
    (names, sum)
}

/// Records this many holds, a second apart.
fn record(folder: &Path, origin: u64, holds: u64) -> Folder {
    let options = Options::new(folder).bytes(LEAST_BYTES);
    let mut open = Folder::open(options).expect("it can be written");
    open.begin(header(origin)).expect("room");
    for n in 0..holds {
        let at = Duration::from_secs(n);
        open.append(&hold(n * 1000).to_line(), at).expect("room");
        let (_, sum) = segments(folder);
        assert!(sum <= LEAST_BYTES, "{sum} bytes after {n}");
    }
    open
}

#[test]
fn the_bound_is_kept_and_the_oldest_goes_first() {
    let folder = folder("bound");
    drop(record(&folder, 1_000, 300));
    drop(record(&folder, 100_000, 3000));
    let (names, sum) = segments(&folder);
    assert!(sum > LEAST_BYTES / 2, "{sum}");
    assert!((6..=9).contains(&names.len()), "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| name.contains("19700101T000140.000Z-4711")),
        "{names:?}"
    );
    let record = read(&folder).expect("a record");
    assert_eq!((record.damaged, record.is_torn), (0, false));
    assert_eq!(record.segments, names.len());
    let holds = record.holds();
    assert_eq!(
        holds.last().map(|hold| hold.started),
        Some(Duration::from_secs(2999))
    );
    // None is missing between the first that is left and the last.
    let first = holds[0].started.as_secs();
    assert_eq!(holds.len() as u64, 3000 - first);
    assert_eq!(record.span().from.as_secs(), first - 1);
}

#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder("mode");
    let _open = record(&folder, 0, 1);
    for entry in fs::read_dir(&folder).expect("a folder") {
        let entry = entry.expect("a file");
        let mode = entry.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
    }
}

#[test]
fn a_folder_is_recorded_into_by_one_at_a_time() {
    let folder = folder("lock");
    let open = record(&folder, 0, 1);
    let refused = Folder::open(Options::new(&folder)).expect_err("it is used");
    let pid = std::process::id();
    assert!(
        matches!(&refused, FolderError::Used { pid: Some(by), .. } if *by == pid),
        "{refused:?}"
    );
    let told = refused.to_string();
    assert!(told.starts_with("another watch of this process"), "{told}");
    assert!(told.ends_with("give this watch another folder"), "{told}");
    // Another process is named.
    fs::write(folder.join("holdup.lock"), "1\n").expect("room");
    let refused = Folder::open(Options::new(&folder)).expect_err("it is used");
    let told = refused.to_string();
    assert!(
        told.starts_with("process 1 already records into "),
        "{told}"
    );
    drop(open);
    Folder::open(Options::new(&folder)).expect("it is free again");
}

#[test]
fn what_cannot_be_recorded_into_is_refused_with_a_remedy() {
    let folder = folder("refused");
    let refused = |options: Options| Folder::open(options).expect_err("refused").to_string();
    let missing = refused(Options::new(folder.join("none")));
    assert!(
        missing.ends_with("none for the record does not exist; create it"),
        "{missing}"
    );
    let file = folder.join("file");
    fs::write(&file, "").expect("room");
    let no_folder = refused(Options::new(&file));
    assert!(no_folder.contains("is not a folder"), "{no_folder}");
    let small = refused(Options::new(&folder).bytes(LEAST_BYTES - 1));
    assert!(
        small.contains("allowed: 1048576 (1 MiB) or more"),
        "{small}"
    );
    // `/proc` can be written by nobody, not even by root.
    let unwritable = refused(Options::new("/proc"));
    assert_eq!(unwritable, "cannot record into /proc");
}

#[test]
fn a_torn_last_line_is_left_out_and_said() {
    let folder = folder("torn");
    drop(record(&folder, 0, 3));
    let (names, _) = segments(&folder);
    let path = folder.join(&names[0]);
    let mut file = OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(b"{\"event\":\"rele").expect("room");
    let record = read(&folder).expect("a record");
    assert_eq!(
        (record.holds().len(), record.damaged, record.is_torn),
        (3, 0, true)
    );
    let told = Summary(&record).to_string();
    assert!(told.contains("The last line is incomplete"), "{told}");
    // It is written on behind a damaged line.
    file.write_all(format!("\n{}", hold(9000).to_line()).as_bytes())
        .expect("room");
    let record = read(&path).expect("a record");
    assert_eq!(
        (record.holds().len(), record.damaged, record.is_torn),
        (4, 1, false)
    );
    assert!(
        Summary(&record)
            .to_string()
            .contains("1 damaged line was left out")
    );
}

#[test]
fn the_latest_run_is_read_and_the_others_are_said() {
    let folder = folder("runs");
    drop(record(&folder, 5_000, 2));
    drop(record(&folder, 9_000, 3));
    fs::write(folder.join("notes.txt"), "mine").expect("room");
    let latest = read(&folder).expect("a record");
    assert_eq!((latest.holds().len(), latest.earlier_runs), (3, 1));
    let (names, _) = segments(&folder);
    let first = read(&folder.join(&names[0])).expect("a record");
    assert_eq!((first.holds().len(), first.earlier_runs), (2, 0));
    assert!(folder.join("notes.txt").exists());
}

#[test]
fn the_latest_run_is_read_even_if_the_clock_was_set_back() {
    let folder = folder("clock");
    let days = 24 * 3600 * 1000;
    for (holds, origin) in [(1, 365 * days), (2, 5_000), (3, 5_000)] {
        drop(record(&folder, origin, holds));
        let latest = read(&folder).expect("a record");
        assert_eq!(latest.holds().len() as u64, holds);
        assert_eq!(latest.header.origin_unix_ms, origin);
    }
    // The bound deletes the run that is really the oldest.
    let (names, _) = segments(&folder);
    let oldest = read(&folder.join(&names[0])).expect("a record");
    assert_eq!(oldest.holds().len(), 1);
}

#[test]
fn a_file_without_anything_does_not_hide_the_record() {
    let folder = folder("empty");
    drop(record(&folder, 5_000, 2));
    let empty = folder.join("holdup-20361130T011107.123Z-4711-000001.jsonl");
    fs::write(&empty, "").expect("room");
    let latest = read(&folder).expect("a record");
    assert_eq!((latest.holds().len(), latest.earlier_runs), (2, 0));
    assert_eq!(latest.unreadable, std::slice::from_ref(&empty));
    let summary = Summary(&latest).to_string();
    assert!(
        summary.contains("holdup-20361130T011107.123Z-4711-000001.jsonl"),
        "{summary}"
    );
    let alone = read(&empty).expect_err("it is empty");
    assert!(matches!(alone, ReadError::NoRecord { .. }), "{alone}");
}

#[test]
fn what_follows_a_deleted_segment_is_written_into_a_new_one() {
    let folder = folder("deleted");
    let mut open = record(&folder, 5_000, 2);
    let (names, _) = segments(&folder);
    fs::remove_file(folder.join(&names[0])).expect("it is there");
    let mut append = |n: u64| {
        let line = hold(n * 1000).to_line();
        open.append(&line, Duration::from_secs(n)).expect("room")
    };
    assert!(append(2), "a new segment is begun");
    assert!(!append(3), "it goes on");
    let latest = read(&folder).expect("a record");
    assert_eq!((latest.holds().len(), latest.header.segment), (2, 2));
}

#[test]
fn what_is_no_record_is_refused() {
    let folder = folder("none");
    assert!(matches!(read(&folder), Err(ReadError::Empty { .. })));
    assert!(matches!(
        read(&folder.join("none")),
        Err(ReadError::Io { .. })
    ));
    let file = folder.join("file");
    fs::write(&file, "hello\n").expect("room");
    assert!(matches!(read(&file), Err(ReadError::NoRecord { .. })));
    // Longer than the memory, so that it cannot be read as a whole.
    let huge = File::create(&file).expect("room");
    huge.set_len(1 << 42).expect("it takes no room");
    assert!(matches!(read(&file), Err(ReadError::NoRecord { .. })));
    fs::write(&file, "{\"event\":\"record\",\"version\":7}\n").expect("room");
    let newer = read(&file).expect_err("newer").to_string();
    assert!(
        newer.contains("version 7") && newer.contains("versions up to 1"),
        "{newer}"
    );
    let socket = folder.join("socket");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    for path in [&socket, Path::new("/dev/zero")] {
        assert!(matches!(read(path), Err(ReadError::NoFile { .. })));
    }
}
