//! A server that is not holdup: a process that a test starts, on a free port.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{PATIENCE, pause};

pub struct External {
    child: Child,
    pub address: SocketAddr,
    folder: Option<PathBuf>,
}

/// The path of a file in `tests/servers`.
fn file(name: &str) -> String {
    format!("{}/../../tests/servers/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Creates a folder for one test, below the build's folder.
pub fn folder() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = format!("probe-{}-{number}", process::id());
    let folder = crate::target().join("tmp").join(folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Python, with the packages that `scripts/test` installs below the build's folder.
fn python() -> Command {
    let packages = crate::target().join("python");
    assert!(
        packages.is_dir(),
        "{} is missing: run scripts/test, or python3 -m pip install --target {} tornado gunicorn",
        packages.display(),
        packages.display(),
    );
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

pub fn tornado() -> External {
    let mut command = python();
    command.arg(file("tornado_faq.py"));
    External::start(command, None)
}

/// Starts a server of Python's standard library: this class, with these arguments.
pub fn http_server(arguments: &[&str]) -> External {
    let mut command = python();
    command.arg(file("http_server.py")).args(arguments);
    External::start(command, None)
}

pub fn gunicorn(arguments: &[&str]) -> External {
    let mut command = python();
    command
        .args(["-m", "gunicorn", "--bind", "127.0.0.1:0"])
        .args(["--chdir", &file("")])
        .args(arguments)
        .arg("wsgi_slow:app");
    External::start(command, None)
}

pub fn node() -> External {
    let mut command = Command::new("node");
    command.arg(file("node.js"));
    External::start(command, None)
}

/// Starts one of the unusual servers in `shapes.js`, which describes them.
pub fn shapes() -> External {
    let mut command = Command::new("node");
    command.arg(file("shapes.js"));
    External::start(command, None)
}

/// Starts the server of `contrasts.js`, which describes its paths.
pub fn contrasts() -> External {
    let mut command = Command::new("node");
    command.arg(file("contrasts.js"));
    External::start(command, None)
}

/// Starts nginx as a reverse proxy for a server.
pub fn nginx(upstream: SocketAddr) -> External {
    let folder = folder();
    // nginx inherits this socket as it would from an older nginx that it replaces, so no other
    // program can take the port in between.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    fcntl_setfd(&listener, FdFlags::empty()).expect("an open file");
    let address = listener.local_addr().expect("bound");
    let config = fs::read_to_string(file("nginx.conf")).expect("the configuration");
    let config = config
        .replace("LISTEN", &address.to_string())
        .replace("UPSTREAM", &upstream.to_string())
        .replace("FOLDER", &folder.display().to_string());
    fs::write(folder.join("nginx.conf"), config).expect("it is writable");
    let mut command = Command::new("nginx");
    command
        .env("NGINX", format!("{};", listener.as_raw_fd()))
        .args(["-e", "stderr", "-c"])
        .arg(folder.join("nginx.conf"));
    External::start(command, Some((address, folder)))
}

/// Reads the output to its end, so that the server never blocks on a full pipe.
fn pass_on(output: impl Read + Send + 'static, to: mpsc::Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Once the address is known, the lines have no receiver.
            to.send(line).ok();
        }
    });
}

impl External {
    /// Starts the server. Unless its socket is known, it must print its address,
    /// `http://127.0.0.1:port`, to stdout or stderr.
    fn start(command: Command, known: Option<(SocketAddr, PathBuf)>) -> Self {
        let Some((address, folder)) = known else {
            return Self::saying(command, &["://127.0.0.1:"], None);
        };
        let (mut server, _) = Self::spawn(command, Some(folder));
        server.address = address;
        server
    }

    /// Starts the server and waits for a line that contains these texts in this order, followed by
    /// its port. The folder is removed together with the server.
    pub fn saying(command: Command, before: &[&str], folder: Option<PathBuf>) -> Self {
        let what = format!("{command:?}");
        let server = Self::try_saying(command, before, folder);
        server.unwrap_or_else(|said| panic!("{what} does not say where it is: {said:#?}"))
    }

    /// Returns the output as an error when the server ends, or stays silent for too long.
    pub fn try_saying(
        command: Command,
        before: &[&str],
        folder: Option<PathBuf>,
    ) -> Result<Self, Vec<String>> {
        let (mut server, told) = Self::spawn(command, folder);
        let mut said = Vec::new();
        while let Ok(line) = told.recv_timeout(PATIENCE) {
            let rest = before.iter().try_fold(line.as_str(), |rest, text| {
                rest.split_once(text).map(|(_, rest)| rest)
            });
            let port = rest.and_then(|rest| {
                rest.split(|c: char| !c.is_ascii_digit())
                    .next()?
                    .parse()
                    .ok()
            });
            if let Some(port) = port {
                server.address.set_port(port);
                return Ok(server);
            }
            said.push(line);
        }
        Err(said)
    }

    /// Starts the process, and returns it with its lines of output.
    fn spawn(mut command: Command, folder: Option<PathBuf>) -> (Self, mpsc::Receiver<String>) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group of its own, so that the server's workers end with it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs it"));
        let (tell, told) = mpsc::channel();
        pass_on(child.stdout.take().expect("piped"), tell.clone());
        pass_on(child.stderr.take().expect("piped"), tell);
        let address = ([127, 0, 0, 1], 0).into();
        let server = Self {
            child,
            address,
            folder,
        };
        (server, told)
    }
}

impl Drop for External {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).expect("process ids fit");
        kill_process_group(Pid::from_raw(id).expect("not zero"), Signal::KILL).ok();
        self.child.wait().ok();
        let Some(folder) = &self.folder else { return };
        // Children of the server may still write for a moment.
        for _ in 0..20 {
            if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
                break;
            }
            pause(Duration::from_millis(50));
        }
    }
}
