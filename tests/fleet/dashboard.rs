//! The dashboard: each of its queries is answered with data by a Prometheus that scrapes real labs.

use std::fs;
use std::time::SystemTime;

use holdup_testkit::client::get;
use serde_json::Value;

use crate::deploy;
use crate::fleet::{Fleet, Load, waited};

fn dashboard() -> Value {
    let text = fs::read_to_string(deploy("grafana/dashboards/holdup.json")).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {of}"))
}

/// A query with the variables filled in as Grafana does for all replicas. A rate is taken over four scrapes at least.
fn filled(query: &str) -> String {
    let values = [
        ("$__rate_interval", "4s"),
        ("$__range", "1m"),
        ("$job", ".+"),
        ("$instance", ".+"),
    ];
    let mut filled = query.to_owned();
    for (name, value) in values {
        filled = filled.replace(name, value);
    }
    assert!(!filled.contains('$'), "an unknown variable: {filled}");
    filled
}

/// Whether a query has data: a value at this moment, or over the last minute.
fn has_data(fleet: &Fleet, target: &Value) -> bool {
    // Without what is shown when there is no data.
    let query = text(target, "expr").trim_end_matches(" or vector(0)");
    let query = filled(query);
    let data = if target["range"] == true {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("after 1970").as_secs();
        let (start, end) = ((now - 60).to_string(), now.to_string());
        let range = [("start", &*start), ("end", &*end), ("step", "1")];
        fleet.api("query_range", &[&[("query", &*query)], &range[..]].concat())
    } else {
        fleet.api("query", &[("query", &query)])
    };
    !list(&data, "result").is_empty()
}

#[test]
fn every_query_of_the_dashboard_returns_data() {
    let fleet = Fleet::start();
    // A worker of one lab is blocked for a second, again and again, and streams on it lose that time. One of another lab
    // is blocked for as long as the alert takes; what nginx sends to it waits.
    let streams = ["/coroutine?from=20&period=100ms"; 4];
    let blocking = ["/blocking?from=5&period=200ms"];
    let loads = [
        Load::start(fleet.labs[0].address, &[&streams[..], &blocking].concat()),
        Load::start(fleet.labs[1].address, &streams),
        Load::start(fleet.nginx, &["/coroutine?from=2&period=50ms", "/healthz"]),
    ];
    let blocked = get(fleet.labs[2].address, "/blocking?from=60");
    let dashboard = dashboard();
    let mut queries = 0;
    for panel in list(&dashboard, "panels") {
        for target in list(panel, "targets") {
            let what = format!("{}: {}", text(panel, "title"), text(target, "expr"));
            waited(&what, || has_data(&fleet, target).then_some(()));
            queries += 1;
        }
    }
    assert!(queries >= 15, "{queries} queries");
    for variable in list(&dashboard["templating"], "list") {
        if variable["type"] == "query" {
            check_variable(&fleet, text(&variable["query"], "query"));
        }
    }
    drop(blocked);
    loads.into_iter().for_each(Load::end);
}

/// `label_values(SERIES, LABEL)` has values.
fn check_variable(fleet: &Fleet, query: &str) {
    let inner = query.strip_prefix("label_values(");
    let inner = inner.and_then(|rest| rest.strip_suffix(')'));
    let (series, label) = inner
        .and_then(|inner| inner.rsplit_once(", "))
        .expect(query);
    let found = fleet.api("series", &[("match[]", &filled(series))]);
    let found = found.as_array().expect("a list");
    assert!(!found.is_empty(), "{query}");
    assert!(
        found.iter().all(|series| series[label].is_string()),
        "{query}: {found:#?}"
    );
}

#[test]
fn its_panels_have_their_own_ids_and_places() {
    let dashboard = dashboard();
    let panels = list(&dashboard, "panels");
    let place = |panel: &Value| {
        ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().expect("a number"))
    };
    for (index, panel) in panels.iter().enumerate() {
        let [x, y, w, h] = place(panel);
        assert!(x + w <= 24, "{panel:#}");
        for other in &panels[..index] {
            assert_ne!(panel["id"], other["id"]);
            let [ox, oy, ow, oh] = place(other);
            let overlap = x < ox + ow && ox < x + w && y < oy + oh && oy < y + h;
            assert!(!overlap, "{} and {}", panel["title"], other["title"]);
        }
        let is_row = panel["type"] == "row";
        assert!(
            is_row || !text(panel, "description").is_empty(),
            "{panel:#}"
        );
    }
}
