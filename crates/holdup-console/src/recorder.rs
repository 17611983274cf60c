//! The console's own metrics: what was recorded, and the text in which Prometheus reads it.
//!
//! The names of the metrics and of their labels are constants of these crates, so they are valid as they are.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};

/// Records metrics for one console. Clones share what is recorded.
#[derive(Clone)]
pub(super) struct Recorder {
    /// The upper bounds of the histograms' buckets, in seconds.
    bounds: Arc<[f64]>,
    families: Arc<Mutex<BTreeMap<String, Family>>>,
}

/// All metrics of one name.
struct Family {
    kind: Kind,
    help: String,
    /// By their labels, as Prometheus reads them.
    series: BTreeMap<String, Series>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

enum Series {
    Counter(Arc<AtomicU64>),
    /// The bits of a float, as `metrics` keeps them.
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Buckets>),
}

struct Buckets {
    bounds: Arc<[f64]>,
    counted: Mutex<Counted>,
}

#[derive(Clone)]
struct Counted {
    /// How many samples are in each bucket and in none before it. The last bucket has no bound.
    buckets: Vec<u64>,
    sum: f64,
}

impl Recorder {
    /// A recorder whose histograms have these buckets. They ascend.
    pub(super) fn new(bounds: &[Duration]) -> Self {
        Self {
            bounds: bounds.iter().map(Duration::as_secs_f64).collect(),
            families: Arc::default(),
        }
    }

    /// Everything that was recorded so far, in Prometheus' text format.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in lock(&self.families).iter() {
            if !family.series.is_empty() {
                // Writing into a string cannot fail.
                family.write(name, &mut text).ok();
            }
        }
        text
    }

    fn describe(&self, name: &KeyName, kind: Kind, help: &str) {
        let mut families = lock(&self.families);
        let family = families.entry(name.as_str().to_owned());
        family.or_insert_with(|| Family::new(kind)).help = help.to_owned();
    }

    /// The series with this name and these labels, or nothing if the name has another kind of metrics.
    fn series<T>(&self, key: &Key, kind: Kind, get: impl FnOnce(&mut Series) -> Option<T>) -> Option<T> {
        let mut families = lock(&self.families);
        let family = families.entry(key.name().to_owned());
        let family = family.or_insert_with(|| Family::new(kind));
        if family.kind != kind {
            return None;
        }
        let series = family.series.entry(labels(key));
        get(series.or_insert_with(|| match kind {
            Kind::Counter => Series::Counter(Arc::default()),
            Kind::Gauge => Series::Gauge(Arc::default()),
            Kind::Histogram => Series::Histogram(Arc::new(Buckets::new(&self.bounds))),
        }))
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, _unit: Option<Unit>, help: SharedString) {
        self.describe(&name, Kind::Counter, &help);
    }

    fn describe_gauge(&self, name: KeyName, _unit: Option<Unit>, help: SharedString) {
        self.describe(&name, Kind::Gauge, &help);
    }

    fn describe_histogram(&self, name: KeyName, _unit: Option<Unit>, help: SharedString) {
        self.describe(&name, Kind::Histogram, &help);
    }

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        let counter = self.series(key, Kind::Counter, |series| match series {
            Series::Counter(value) => Some(Arc::clone(value)),
            _ => None,
        });
        counter.map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        let gauge = self.series(key, Kind::Gauge, |series| match series {
            Series::Gauge(value) => Some(Arc::clone(value)),
            _ => None,
        });
        gauge.map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        let histogram = self.series(key, Kind::Histogram, |series| match series {
            Series::Histogram(buckets) => Some(Arc::clone(buckets)),
            _ => None,
        });
        histogram.map_or_else(Histogram::noop, Histogram::from_arc)
    }
}

impl Family {
    fn new(kind: Kind) -> Self {
        let (help, series) = (String::new(), BTreeMap::new());
        Self { kind, help, series }
    }

    fn write(&self, name: &str, text: &mut String) -> fmt::Result {
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = self.help.replace('\\', "\\\\").replace('\n', "\\n");
        if !help.is_empty() {
            writeln!(text, "# HELP {name} {help}")?;
        }
        writeln!(text, "# TYPE {name} {kind}")?;
        for (labels, series) in &self.series {
            match series {
                Series::Counter(value) => {
                    writeln!(text, "{name}{} {}", braced(labels), value.load(Ordering::Relaxed))?;
                }
                Series::Gauge(value) => {
                    let value = f64::from_bits(value.load(Ordering::Relaxed));
                    writeln!(text, "{name}{} {value}", braced(labels))?;
                }
                Series::Histogram(buckets) => buckets.write(name, labels, text)?,
            }
        }
        writeln!(text)
    }
}

impl Buckets {
    fn new(bounds: &Arc<[f64]>) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            counted: Mutex::new(Counted {
                buckets: vec![0; bounds.len() + 1],
                sum: 0.0,
            }),
        }
    }

    fn write(&self, name: &str, labels: &str, text: &mut String) -> fmt::Result {
        let counted = lock(&self.counted).clone();
        let bounds = self.bounds.iter().map(f64::to_string);
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0;
        for (bound, samples) in bounds.chain(["+Inf".to_owned()]).zip(&counted.buckets) {
            count += samples;
            writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}")?;
        }
        let labels = braced(labels);
        writeln!(text, "{name}_sum{labels} {}", counted.sum)?;
        writeln!(text, "{name}_count{labels} {count}")
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let mut counted = lock(&self.counted);
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        counted.buckets[bucket] += 1;
        counted.sum += value;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The labels of a key, as Prometheus reads them. A route may contain anything.
fn labels(key: &Key) -> String {
    let each = key.labels().map(|label| {
        let value = label.value().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{}=\"{value}\"", label.key())
    });
    each.collect::<Vec<_>>().join(",")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    }
}

#[cfg(test)]
mod tests {
    use metrics::{
        counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
        with_local_recorder,
    };

    use super::*;

    /// The text after `record`, with buckets up to 100 ms and 1 s.
    fn recorded(record: impl FnOnce()) -> String {
        let recorder = Recorder::new(&[100, 1000].map(Duration::from_millis));
        with_local_recorder(&recorder, record);
        recorder.text()
    }

    #[test]
    fn counters_and_gauges_are_written_by_name_with_their_descriptions() {
        let text = recorded(|| {
            describe_gauge!("readers", "Who reads");
            describe_counter!("requests_total", "What came,\nin all");
            describe_counter!("never_total", "Nothing was counted");
            counter!("requests_total").increment(2);
            counter!("requests_total").increment(3);
            gauge!("readers").set(1.5);
            counter!("bare_total").increment(1);
        });
        let expected = "# TYPE bare_total counter\nbare_total 1\n\n\
             # HELP readers Who reads\n# TYPE readers gauge\nreaders 1.5\n\n\
             # HELP requests_total What came,\\nin all\n# TYPE requests_total counter\nrequests_total 5\n\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_label_is_escaped_and_each_set_of_labels_is_counted_by_itself() {
        let text = recorded(|| {
            counter!("lost_total", "route" => "GET /a", "by" => "b\"\\\n").increment(1);
            counter!("lost_total", "route" => "GET /c", "by" => "d").increment(2);
            counter!("lost_total", "route" => "GET /a", "by" => "b\"\\\n").increment(4);
        });
        let expected = "# TYPE lost_total counter\n\
             lost_total{route=\"GET /a\",by=\"b\\\"\\\\\\n\"} 5\n\
             lost_total{route=\"GET /c\",by=\"d\"} 2\n\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_histogram_counts_each_sample_in_its_bucket_and_in_all_that_are_larger() {
        let text = recorded(|| {
            describe_histogram!("held_seconds", Unit::Seconds, "How long");
            // A bound belongs to the bucket below it.
            for sample in [0.05, 0.1, 0.5, 2.0] {
                histogram!("held_seconds", "kind" => "future").record(sample);
            }
        });
        let expected = "# HELP held_seconds How long\n# TYPE held_seconds histogram\n\
             held_seconds_bucket{kind=\"future\",le=\"0.1\"} 2\n\
             held_seconds_bucket{kind=\"future\",le=\"1\"} 3\n\
             held_seconds_bucket{kind=\"future\",le=\"+Inf\"} 4\n\
             held_seconds_sum{kind=\"future\"} 2.65\n\
             held_seconds_count{kind=\"future\"} 4\n\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_name_keeps_the_kind_that_it_had_first() {
        let text = recorded(|| {
            counter!("one").increment(1);
            gauge!("one").set(7.0);
            histogram!("one").record(7.0);
        });
        assert_eq!(text, "# TYPE one counter\none 1\n\n");
    }
}
