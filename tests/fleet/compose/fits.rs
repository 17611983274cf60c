//! Whether the services of the compose file, and the files that they mount, agree on names, ports and paths.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The ports at which nginx, Prometheus and Grafana listen in their images, and those of a lab by its Dockerfile.
const PROMETHEUS: &str = "9090";
const GRAFANA: &str = "3000";
const LAB: &str = "8080";
const CONSOLE: &str = "8081";

struct Project<'a> {
    folder: &'a Path,
    services: &'a serde_json::Map<String, Value>,
    faults: Vec<String>,
}

/// What does not fit in the project that Docker Compose has read from this folder.
pub(super) fn faults(folder: &Path, project: &Value) -> Vec<String> {
    let mut project = Project {
        folder,
        services: project["services"].as_object().expect("services"),
        faults: Vec::new(),
    };
    project.sources();
    project.ports();
    project.labs();
    project.nginx();
    project.prometheus();
    project.grafana();
    project.faults
}

/// A setting in a service's environment.
fn set<'a>(service: &'a Value, name: &str) -> Option<&'a str> {
    service["environment"][name].as_str()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

fn word<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// The port of the container that is published.
fn target(port: &Value) -> String {
    port["target"].to_string()
}

/// The word behind a text that stands in one line only.
fn after<'a>(text: &'a str, before: &str) -> &'a str {
    let mut found = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(before));
    let (Some(rest), None) = (found.next(), found.next()) else {
        panic!("not exactly one {before:?} in {text}");
    };
    rest.trim().trim_matches(['[', ']'])
}

impl Project<'_> {
    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    fn text(&self, path: &str) -> String {
        let path = self.folder.join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The names of the services that run the lab.
    fn lab_names(&self) -> BTreeSet<String> {
        let labs = self.services.iter();
        let labs = labs.filter(|(_, service)| service["image"] == "holdup");
        labs.map(|(name, _)| name.clone()).collect()
    }

    /// The ports at which a service listens.
    fn listens(&self, service: &str) -> Vec<&str> {
        match service {
            "nginx" => set(&self.services["nginx"], "FLEET_LISTEN")
                .into_iter()
                .collect(),
            "prometheus" => vec![PROMETHEUS],
            "grafana" => vec![GRAFANA],
            _ => vec![LAB, CONSOLE],
        }
    }

    /// Checks an address such as `lab-1:8080`, which a service uses to reach another.
    fn check_address(&mut self, address: &str) {
        let (host, port) = address.split_once(':').unwrap_or((address, ""));
        if !self.services.contains_key(host) {
            self.faults.push(format!("no service is named {host}"));
            return;
        }
        let listens = self.listens(host).contains(&port);
        self.check(listens, || format!("{host} does not listen at {port}"));
    }

    /// Every file and folder that is mounted or built from exists.
    fn sources(&mut self) {
        for service in self.services.values() {
            for volume in list(&service["volumes"]) {
                let source = word(volume, "source");
                let is_there = volume["type"] != "bind" || Path::new(source).exists();
                self.check(is_there, || format!("{source} is not there"));
            }
            if service["build"].is_object() {
                let file = Path::new(word(&service["build"], "context"));
                let file = fs::read_to_string(file.join(word(&service["build"], "dockerfile")));
                let listens =
                    format!("\"--bind\", \"0.0.0.0:{LAB}\", \"--console\", \"0.0.0.0:{CONSOLE}\"");
                let does = file.is_ok_and(|file| file.contains(&listens));
                self.check(does, || "the image has no lab at these ports".to_owned());
            }
        }
        let builds = self
            .services
            .values()
            .filter(|one| one["build"].is_object());
        let count = builds.count();
        self.check(count == 1, || format!("the image is built {count} times"));
    }

    /// Every published port leads to one at which the service listens, and is open to this machine only.
    fn ports(&mut self) {
        let mut all = BTreeSet::new();
        for (name, service) in self.services {
            for port in list(&service["ports"]) {
                let (published, target) = (word(port, "published"), target(port));
                let is_private = word(port, "host_ip") == "127.0.0.1";
                self.check(is_private, || {
                    format!("{published} is published to everybody")
                });
                let is_new = all.insert(published);
                self.check(is_new, || format!("{published} is published twice"));
                let listens = self.listens(name).contains(&&*target);
                self.check(listens, || format!("{name} does not listen at {target}"));
            }
        }
    }

    /// Each lab allows the name by which Prometheus asks its console, and knows where browsers find it.
    fn labs(&mut self) {
        for name in self.lab_names() {
            let service = &self.services[&name];
            let allowed = set(service, "HOLDUP_ALLOW_HOST") == Some(&*name);
            self.check(allowed, || format!("{name} refuses who asks for {name}"));
            let is_named = set(service, "HOLDUP_REPLICA") == Some(&*name);
            self.check(is_named, || format!("{name} has another name for itself"));
            let mut ports = list(&service["ports"]).iter();
            let port = ports.find(|port| target(port) == LAB);
            let url = set(service, "HOLDUP_PUBLIC_URL").unwrap_or_default();
            let is_there = port
                .is_some_and(|port| url == format!("http://localhost:{}", word(port, "published")));
            self.check(is_there, || format!("{name} is not at {url}"));
        }
    }

    /// nginx gets all that its template asks for, and passes requests on to every lab.
    fn nginx(&mut self) {
        let template = self.text("nginx/labs.conf.template");
        let service = &self.services["nginx"];
        let filter = set(service, "NGINX_ENVSUBST_FILTER").unwrap_or_default();
        for part in template.split("${").skip(1) {
            let name = part.split('}').next().unwrap_or_default();
            let is_set = set(service, name).is_some();
            self.check(is_set, || format!("{name} is not set"));
            let is_filled = name.starts_with(filter.trim_start_matches('^'));
            self.check(is_filled, || format!("{name} is not filled in"));
        }
        let servers = set(service, "FLEET_LABS").unwrap_or_default().split(';');
        let servers = servers.filter_map(|server| server.trim().strip_prefix("server "));
        let servers: Vec<_> = servers.map(str::to_owned).collect();
        for name in self.lab_names() {
            let address = format!("{name}:");
            let gets = servers.iter().any(|server| server.starts_with(&address));
            self.check(gets, || format!("{name} gets no requests"));
        }
        for server in servers {
            self.check_address(&server);
        }
    }

    /// The console of each lab is scraped under the lab's name.
    fn prometheus(&mut self) {
        let config = self.text("prometheus/prometheus.yml");
        let home = Path::new("/etc/prometheus");
        let (_, rules) = config.split_once("rule_files:").expect("rules");
        let rules = rules.trim_start().lines().next().unwrap_or_default();
        let rules = rules.trim_start_matches("- ").trim_end_matches("/*.yml");
        let rules = home.join(rules);
        let targets = home.join(after(&config, "- files: "));
        for path in [rules, targets] {
            self.check_mounted("prometheus", &path);
        }
        let targets: Value =
            serde_json::from_str(&self.text("prometheus/targets.json")).expect("JSON");
        let mut scraped = BTreeSet::new();
        for group in list(&targets) {
            let instance = word(&group["labels"], "instance");
            for target in list(&group["targets"]).iter().filter_map(Value::as_str) {
                self.check_address(target);
                let (name, port) = target.split_once(':').expect("a port");
                self.check(port == CONSOLE, || format!("{target} is no console"));
                self.check(name == instance, || {
                    format!("{target} is called {instance}")
                });
                scraped.insert(name.to_owned());
            }
        }
        for name in self.lab_names() {
            self.check(scraped.contains(&name), || format!("{name} is not scraped"));
        }
    }

    /// Grafana finds Prometheus and the dashboard.
    fn grafana(&mut self) {
        let source = self.text("grafana/provisioning/datasources/prometheus.yml");
        self.check_address(after(&source, "url: http://"));
        let config = self.text("prometheus/prometheus.yml");
        let (interval, scraped) = (
            after(&source, "timeInterval: "),
            after(&config, "scrape_interval: "),
        );
        self.check(interval == scraped, || {
            format!("Grafana expects a scrape every {interval}, and not every {scraped}")
        });
        let provider = self.text("grafana/provisioning/dashboards/holdup.yml");
        let home = set(
            &self.services["grafana"],
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH",
        );
        let paths = [
            "/etc/grafana/provisioning/datasources/prometheus.yml",
            "/etc/grafana/provisioning/dashboards/holdup.yml",
            home.unwrap_or_default(),
            after(&provider, "path: "),
        ];
        for path in paths {
            self.check_mounted("grafana", Path::new(path));
        }
    }

    /// A path in a service's container is a file or folder of this machine.
    fn check_mounted(&mut self, service: &str, path: &Path) {
        let source = |volume: &Value| -> Option<PathBuf> {
            let inner = path.strip_prefix(word(volume, "target")).ok()?;
            let source = Path::new(word(volume, "source"));
            Some(if inner.as_os_str().is_empty() {
                source.to_owned()
            } else {
                source.join(inner)
            })
        };
        let mut sources = list(&self.services[service]["volumes"])
            .iter()
            .filter_map(source);
        let is_mounted = sources.any(|source| source.exists());
        self.check(is_mounted, || format!("{} is not mounted", path.display()));
    }
}
