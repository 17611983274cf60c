//! What may be probed, and how the order for a probe is parsed.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use tokio::sync::watch;
use url::Url;

use super::button::{BadValue, Button, FEWEST, Published, check_path};
use super::parameter::FIELDS;
use super::runner::{Asked, ProbeRun, Runner};
use crate::error::StartError;
use holdup_http::problem::Problem;
use holdup_model::HumanDuration;
use holdup_probe::Target;

/// The range that is allowed for the number of requests.
const REQUESTS: RangeInclusive<u32> = FEWEST..=16;

/// The most requests that a probe may send, if there are buttons.
pub(crate) const MOST_REQUESTS: Option<u32> = Some(*REQUESTS.end());

/// The limit for a whole probe, as a multiple of the limit for one round.
const ROUNDS: u32 = 5;

/// The same for a probe that asks another route as well.
const ROUNDS_BESIDE: u32 = 10;

/// The app's buttons, and the running or last probe.
#[derive(Debug)]
pub(crate) struct Probes {
    /// The URL of the app. Without it there can be no buttons.
    app: Option<Url>,
    buttons: Vec<Button>,
    /// The path of the route that is asked while the buttons' routes run.
    beside: Option<String>,
    runner: Arc<Runner>,
    /// The longest that the requests of one round may take in sequence.
    longest_round: Duration,
}

/// The body of `POST /probe`. All other fields are the button's parameters.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    button: usize,
    requests: u32,
    #[serde(flatten)]
    parameters: Map<String, Json>,
}

impl Probes {
    /// # Errors
    ///
    /// Returns an error when there are buttons but no app, or when a button or the route `beside` them
    /// cannot be used.
    pub(crate) fn new(
        app: Option<Url>,
        buttons: Vec<Button>,
        beside: Option<String>,
        longest_round: Duration,
    ) -> Result<Self, StartError> {
        for button in &buttons {
            let app = app.as_ref().ok_or(StartError::NoApp)?;
            let bad = |why| StartError::Button {
                given: button.path().to_owned(),
                why,
            };
            button.check(app, longest_round).map_err(bad)?;
        }
        if let (Some(app), Some(path)) = (&app, &beside) {
            check_path(path, app).map_err(|why| StartError::Beside {
                given: path.clone(),
                why,
            })?;
        }
        let rounds = if beside.is_some() {
            ROUNDS_BESIDE
        } else {
            ROUNDS
        };
        let runner = Arc::new(Runner::new(longest_round.saturating_mul(rounds)));
        Ok(Self {
            app,
            buttons,
            beside,
            runner,
            longest_round,
        })
    }

    /// The buttons, in the form that the page receives.
    pub(crate) fn published(&self) -> Vec<Published> {
        let buttons = self.buttons.iter().enumerate();
        buttons
            .map(|(number, button)| button.published(number))
            .collect()
    }

    /// The latest probe, published whenever it changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<ProbeRun>> {
        self.runner.subscribe()
    }

    /// Stops the running probe.
    pub(crate) fn stop(&self) {
        self.runner.stop();
    }

    /// Starts the probe that the order describes, and returns its number.
    ///
    /// # Errors
    ///
    /// Returns an error when the order is not allowed, or when another probe is running.
    pub(super) fn start(&self, order: &Order) -> Result<u64, Problem> {
        let (target, asked) = self.read(order)?;
        self.runner.start(target, asked).map_err(|_busy| {
            Problem::conflict(
                "a probe is running; wait for it, or stop it with DELETE /probe".to_owned(),
            )
        })
    }

    fn read(&self, order: &Order) -> Result<(Target, Asked), Problem> {
        let (Some(button), Some(app)) = (self.buttons.get(order.button), &self.app) else {
            let allowed = match self.buttons.len() {
                0 => "none: this console has no routes to probe".to_owned(),
                n => format!("0 to {}", n - 1),
            };
            let given = order.button.to_string();
            return Err(Problem::bad_parameter("button", &given, allowed));
        };
        if !REQUESTS.contains(&order.requests) {
            let allowed = format!("{} to {}", REQUESTS.start(), REQUESTS.end());
            let given = order.requests.to_string();
            return Err(Problem::bad_parameter("requests", &given, allowed));
        }
        let values = button.read(&order.parameters).map_err(|bad| match bad {
            BadValue::Unknown { name, value } => {
                let known: Vec<_> = FIELDS.into_iter().chain(button.names()).collect();
                Problem::unknown_field(name, &value, known.join(", "))
            }
            BadValue::Wrong {
                name,
                value,
                allowed,
            } => Problem::bad_parameter(name, &value, allowed),
        })?;
        let expected = button.expected(&values).saturating_mul(order.requests);
        if expected > self.longest_round {
            let names: Vec<_> = ["requests"].into_iter().chain(button.names()).collect();
            let given = format!("requests={}, {values}", order.requests);
            let allowed = format!(
                "values with which a round takes at most {:#}, not {:#}",
                HumanDuration(self.longest_round),
                HumanDuration(expected)
            );
            return Err(Problem::bad_parameter(names.join(", "), &given, allowed));
        }
        let unusable = |error: &dyn std::fmt::Display| {
            Problem::bad_body(format!("the route {}: {error}", button.path()))
        };
        let mut url = app.join(button.path()).map_err(|error| unusable(&error))?;
        if !values.0.is_empty() {
            let pairs = values
                .0
                .iter()
                .map(|(name, value)| (name, value.to_string()));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        let target = Target::parse(url.as_str()).map_err(|error| unusable(&error))?;
        let beside = self.beside.as_deref().filter(|path| !button.asks(path));
        let beside = match beside.map(|path| app.join(path)) {
            Some(Ok(url)) => Some(Target::parse(url.as_str()).map_err(|error| unusable(&error))?),
            _ => None,
        };
        let asked = Asked {
            button: order.button,
            requests: order.requests as usize,
            values,
            beside,
        };
        Ok((target, asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::parameter::Parameter;

    const SECOND: Duration = Duration::from_secs(1);

    fn probes(button: Button) -> Result<Probes, StartError> {
        let app = Url::parse("http://127.0.0.1:8080").expect("a URL");
        Probes::new(
            Some(app),
            vec![button],
            Some("/healthz".to_owned()),
            60 * SECOND,
        )
    }

    fn naps() -> Button {
        Button::new("/nap?seed=1")
            .parameter(Parameter::integer("times", 1..=20).default(3))
            .parameter(Parameter::duration("nap", SECOND / 20..=2 * SECOND).default(SECOND / 2))
            .expects(|values| {
                let times = u32::try_from(values.integer("times")).expect("20 at most");
                values.duration("nap") * times
            })
    }

    /// The parameters of an order, or the detail of the problem.
    fn read(probes: &Probes, order: &str) -> Result<(String, String), String> {
        let order: Order = serde_json::from_str(order).map_err(|error| error.to_string())?;
        let (target, asked) = probes.read(&order).map_err(|problem| problem.to_string())?;
        Ok((target.url().to_string(), asked.values.to_string()))
    }

    #[test]
    fn an_orders_parameters_become_the_requests_query() {
        let probes = probes(naps()).expect("a button");
        for (order, query) in [
            (r#"{"button":0,"requests":2}"#, "times=3&nap=500ms"),
            (
                r#"{"button":0,"requests":2,"nap":"2s","times":5}"#,
                "times=5&nap=2s",
            ),
            (
                r#"{"button":0,"requests":16,"nap":"1s 50ms","times":null}"#,
                "times=3&nap=1050ms",
            ),
        ] {
            let url = format!("http://127.0.0.1:8080/nap?seed=1&{query}");
            let values = query.replace('&', ", ");
            assert_eq!(read(&probes, order), Ok((url, values)), "{order}");
        }
    }

    #[test]
    fn the_other_route_is_asked_beside_all_buttons_but_its_own() {
        let app = || Some(Url::parse("http://127.0.0.1:8080").expect("a URL"));
        let beside = |path: &str, button: &str| {
            let button = Button::new(button);
            let probes = Probes::new(app(), vec![button], Some(path.to_owned()), SECOND)
                .map_err(|error| error.to_string())?;
            let order = serde_json::from_str(r#"{"button":0,"requests":2}"#).expect("an order");
            let (_, asked) = probes.read(&order).expect("it is allowed");
            Ok(asked.beside.map(|target| target.url().to_owned()))
        };
        let url = "http://127.0.0.1:8080/healthz?a=1".to_owned();
        assert_eq!(beside("/healthz?a=1", "/report"), Ok(Some(url)));
        assert_eq!(beside("/healthz?a=1", "/healthz?b=2"), Ok(None));
        for path in ["healthz", "//evil.example/", "http://evil.example/", ""] {
            let error: String = beside(path, "/report").expect_err(path);
            assert!(error.contains("allowed: a path of the app"), "{error}");
        }
    }

    #[test]
    fn a_problem_names_the_parameter_its_value_and_what_is_allowed() {
        let probes = probes(naps()).expect("a button");
        for (fields, told) in [
            (r#""times":0"#, r#"times is "0"; allowed: 1 to 20"#),
            (r#""times":"3""#, r#"times is "3"; allowed: 1 to 20"#),
            (r#""times":2.5"#, r#"times is "2.5"; allowed: 1 to 20"#),
            (r#""nap":"soon""#, r#"nap is "soon"; allowed: 50ms to 2s"#),
            (r#""nap":"500us""#, r#"nap is "500us"; allowed: 50ms to 2s"#),
            (
                r#""nap":"60.5ms""#,
                r#"nap is "60.5ms"; allowed: 50ms to 2s"#,
            ),
            (r#""nap":500"#, r#"nap is "500"; allowed: 50ms to 2s"#),
            (
                r#""url":"http://evil/""#,
                "unknown field `url`, which is \"http://evil/\"; allowed: button, requests, times, \
                 nap",
            ),
            (
                r#""times":20,"nap":"2s""#,
                "requests, times, nap is \"requests=2, times=20, nap=2s\"; allowed: values with \
                 which a round takes at most 60 s, not 80 s",
            ),
        ] {
            let order = format!(r#"{{"button":0,"requests":2,{fields}}}"#);
            assert_eq!(read(&probes, &order), Err(told.to_owned()), "{fields}");
        }
    }

    #[test]
    fn a_button_that_cannot_be_used_is_refused_when_the_console_starts() {
        let integer = |name: &str| Button::new("/").parameter(Parameter::integer(name, 1..=5));
        let days = || Parameter::integer("days", 1..=5);
        for (button, told) in [
            (
                integer(""),
                r#"parameter "" has a name that cannot be used"#,
            ),
            (integer("a b"), r#"parameter "a b" has a name"#),
            (integer("requests"), r#"parameter "requests" has a name"#),
            (
                Button::new("/").parameter(days()).parameter(days()),
                "two parameters days",
            ),
            (
                Button::new("/").parameter(days().default(6)),
                "default or suggestion 6; allowed: 1 to 5",
            ),
            (
                Button::new("/").parameter(days().suggest([2, 7])),
                "default or suggestion 7; allowed: 1 to 5",
            ),
            (
                Button::new("/").parameter(Parameter::duration("wait", SECOND / 100_000..=SECOND)),
                "default or suggestion 0ms; allowed: 0ms to 1s",
            ),
            (
                Button::new("/").expects(|_| 31 * SECOND),
                "2 requests with its defaults take 62 s; allowed: at most 60 s",
            ),
        ] {
            let error = probes(button).expect_err(told).to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(probes(naps()).is_ok());
    }
}
